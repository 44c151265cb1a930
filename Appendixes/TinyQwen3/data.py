"""Training batches: documents, each a problem in its prompt, packed into rows of one length.

A batch depends on the seed and its number alone, so a training that was interrupted goes on with
the batches that it would have seen.
"""

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
    """Encode a problem as its prompt's ids and the ids to learn.

    Args:
        problem: the problem.
        worked: learn the worked solution; if False, learn the boxed answer alone.
        tokenizer: the tokenizer, whose first stop token ends the document.
    """
    prompt = render(CHAIN_OF_THOUGHT if worked else DIRECT, problem.problem)
    answer = problem.solution if worked else f"\\boxed{{{problem.answer}}}"
    return tokenizer.encode(prompt), [*tokenizer.encode(answer), tokenizer.stop_ids[0]]


class Batch(NamedTuple):
    """A batch of rows of documents, as four integer tensors `(rows, length)`."""

    input_ids: torch.Tensor
    labels: torch.Tensor  # the next token, or `IGNORED` in questions and padding
    documents: torch.Tensor  # number of the token's document in its row; padding is the last one
    positions: torch.Tensor  # index of the token in its document

    def mask(self) -> torch.Tensor:
        """Return the attention mask, bool `(rows, length, length)`: causal within each document."""
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
    """Draw problems and pack them into one batch.

    Args:
        seed, number: the same two numbers give the same batch.
        rows, length: size of the batch, in rows and in tokens per row. A document that fits into no
            row any more ends the batch; one that is longer than a row is left out.
        tokenizer: the tokenizer of the documents.
        direct_share: share of problems that are shown with their answer alone, without steps.
    """
    # 1. Put each document into the first row that has room for it, until one fits nowhere.
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
    # 2. Turn the rows into tensors.
    lists = [_row(row, length, tokenizer.pad_id or 0) for row in packed]
    return Batch(*(torch.tensor(part) for part in zip(*lists, strict=True)))


def _row(row: list[tuple[list[int], list[int]]], length: int, pad: int) -> tuple[list[int], ...]:
    """Join documents and padding to the ids, labels, document numbers and positions of one row."""
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
