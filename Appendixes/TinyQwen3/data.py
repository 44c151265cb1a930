"""Training batches: problems in their prompts, whole documents packed into rows of one length.

Batch number k depends on the seed and k alone, so a training that was interrupted goes on with the
very batches that it would have seen."""

from random import Random
from typing import NamedTuple

import torch

from Appendixes.QWEN3Tokenizer import Qwen3Tokenizer
from Appendixes.TinyQwen3.problems import Problem, sample_problem
from CH2.prompts import CHAIN_OF_THOUGHT, DIRECT, render

IGNORED = -100  # label of a position whose prediction is not trained


def document(
    problem: Problem, worked: bool, tokenizer: Qwen3Tokenizer
) -> tuple[list[int], list[int]]:
    """A problem as (prompt ids, ids to learn): the worked solution, or the boxed answer alone."""
    prompt = render(CHAIN_OF_THOUGHT if worked else DIRECT, problem.problem)
    answer = problem.solution if worked else f"\\boxed{{{problem.answer}}}"
    return tokenizer.encode(prompt), [*tokenizer.encode(answer), tokenizer.stop_ids[0]]


class Batch(NamedTuple):
    """Rows of documents, each `(rows, length)`."""

    input_ids: torch.Tensor
    labels: torch.Tensor  # the next token, or `IGNORED` in questions and padding
    documents: torch.Tensor  # which document of its row a token belongs to; padding is one more
    positions: torch.Tensor  # the token's place in its document

    def mask(self) -> torch.Tensor:
        """Bool `(rows, length, length)`: a token looks back within its own document, as it will
        when it is used.
        """
        same = self.documents[:, :, None] == self.documents[:, None, :]
        return same & (self.positions[:, None, :] <= self.positions[:, :, None])


def training_batch(
    seed: int,
    number: int,
    rows: int,
    length: int,
    tokenizer: Qwen3Tokenizer,
    direct_share: float = 0.5,
) -> Batch:
    """One batch of documents.

    Args:
        seed, number: which batch; the same two give the same one.
        rows, length: its size; a document that fits no row any more ends the batch, one longer than
            a row is left out.
        tokenizer: makes the ids.
        direct_share: share of problems shown with their answer alone, without steps.
    """
    rng = Random(f"{seed}/{number}")
    packed: list[list[tuple[list[int], list[int]]]] = [[] for _ in range(rows)]
    used = [0] * rows
    while True:
        worked = rng.random() >= direct_share
        prompt, answer = document(sample_problem(rng, "train"), worked, tokenizer)
        size = len(prompt) + len(answer)
        if size > length:  # a few in a thousand, at the length of the recipe
            continue
        room = next((row for row in range(rows) if used[row] + size <= length), None)
        if room is None:
            break
        packed[room].append((prompt, answer))
        used[room] += size
    return Batch(
        *(
            torch.tensor(part)
            for part in zip(
                *(_row(row, length, tokenizer.pad_id or 0) for row in packed), strict=True
            )
        )
    )


def _row(row: list[tuple[list[int], list[int]]], length: int, pad: int) -> tuple[list[int], ...]:
    """One row of a batch: its ids, labels, document numbers and positions."""
    ids: list[int] = []
    labels: list[int] = []
    documents: list[int] = []
    positions: list[int] = []
    for index, (prompt, answer) in enumerate(row):
        size = len(prompt) + len(answer)
        ids += prompt + answer
        labels += [IGNORED] * (len(prompt) - 1) + answer + [IGNORED]
        documents += [index] * size
        positions += range(size)
    rest = length - len(ids)
    return (
        ids + [pad] * rest,
        labels + [IGNORED] * rest,
        documents + [len(row)] * rest,
        positions + list(range(rest)),
    )
