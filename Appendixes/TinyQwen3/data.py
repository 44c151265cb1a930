"""Training batches: documents, each a problem in its prompt, packed into rows of one length.

A batch depends on the seed and its number alone, so a training that was interrupted goes on with
the batches that it would have seen.
"""

from collections.abc import Callable
from random import Random
from typing import NamedTuple

import torch

from Appendixes.QWEN3Tokenizer import Qwen3Tokenizer
from Appendixes.TinyQwen3.problems import Problem, sample_fact, sample_problem
from CH2.prompts import CHAIN_OF_THOUGHT, DIRECT, render

IGNORED = -100  # label of a position whose prediction is not trained
FACT_SHARE = 0.08  # share of documents that are one-digit facts, half of them with their step

Branch = list[tuple[list[int], bool]]  # pieces: token ids, and whether they are to be learnt


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


def sample_document(
    rng: Random, tokenizer: Qwen3Tokenizer, direct_share: float
) -> tuple[list[int], list[int]]:
    """Draw a problem of the families or a one-digit fact, and encode it as `document` does.

    Args:
        rng: draws the problem.
        tokenizer: the tokenizer of the document.
        direct_share: share of problems that are shown with their answer alone, without steps.
    """
    if rng.random() < FACT_SHARE:
        return document(sample_fact(rng), rng.random() < 0.5, tokenizer)
    worked = rng.random() >= direct_share
    return document(sample_problem(rng, "train"), worked, tokenizer)


class Document(NamedTuple):
    """A prompt, and one or more branches, each of which continues it as if it were the only one."""

    prompt: list[int]
    branches: list[Branch]

    def size(self) -> int:
        """Count the tokens; each branch repeats the prompt's last one, which predicts its first."""
        return (
            len(self.prompt)
            - 1
            + sum(1 + sum(len(ids) for ids, _ in branch) for branch in self.branches)
        )


def arithmetic_document(rng: Random, tokenizer: Qwen3Tokenizer, direct_share: float) -> Document:
    """Draw a document of the families, with its one branch."""
    prompt, answer = sample_document(rng, tokenizer, direct_share)
    return Document(prompt, [[(answer, True)]])


class Batch(NamedTuple):
    """A batch of rows of documents, as five integer tensors `(rows, length)`."""

    input_ids: torch.Tensor
    labels: torch.Tensor  # the next token, or `IGNORED` in questions and padding
    documents: torch.Tensor  # number of the token's document in its row; padding is the last one
    branches: torch.Tensor  # number of the token's branch in its document; 0: the prompt
    positions: torch.Tensor  # index of the token in its document, as if its branch were alone

    def mask(self) -> torch.Tensor:
        """Return the attention mask, bool `(rows, length, length)`: causal within each branch."""
        same = self.documents[:, :, None] == self.documents[:, None, :]
        keys = self.branches[:, None, :]
        same &= (keys == 0) | (keys == self.branches[:, :, None])
        return same & (self.positions[:, None, :] <= self.positions[:, :, None])


def training_batch(
    seed: int,
    number: int,
    rows: int,
    length: int,
    tokenizer: Qwen3Tokenizer,
    direct_share: float = 0.5,
    draw: Callable[[Random, Qwen3Tokenizer, float], Document] = arithmetic_document,
) -> Batch:
    """Draw documents and pack them into one batch.

    Args:
        seed, number: the same two numbers give the same batch.
        rows, length: size of the batch, in rows and in tokens per row. Branches for which no row
            has room are left out. A document of which none is left ends the batch, unless it is
            longer than a row.
        tokenizer: the tokenizer of the documents.
        direct_share: share of problems that are shown with their answer alone, without steps.
        draw: the world, which draws a document.
    """
    # 1. Put each document into the first row that has room for it, until one fits nowhere.
    rng = Random(f"{seed}/{number}")
    packed: list[list[Document]] = [[] for _ in range(rows)]
    used = [0] * rows
    full = False
    while not full:
        drawn = draw(rng, tokenizer, direct_share)
        while drawn.branches and not full:
            size = drawn.size()
            room = next((row for row in range(rows) if used[row] + size <= length), None)
            if room is not None:
                packed[room].append(drawn)
                used[room] += size
                break
            full = len(drawn.branches) == 1 and size <= length
            drawn.branches.pop()
    # 2. Turn the rows into tensors.
    lists = [_row(row, length, tokenizer.pad_id or 0) for row in packed]
    return Batch(*(torch.tensor(part) for part in zip(*lists, strict=True)))


def _row(row: list[Document], length: int, pad: int) -> tuple[tuple[int, ...], ...]:
    """Join documents and padding to one row: a tuple for each tensor of a batch."""
    tokens = []  # id, label, document, branch, position
    for index, (prompt, branches) in enumerate(row):
        start = len(prompt) - 1
        tokens += [(prompt[i], IGNORED, index, 0, i) for i in range(start)]
        for branch, pieces in enumerate(branches, start=1):
            ids, labels = [prompt[-1]], []
            for piece, learnt in pieces:
                ids += piece
                labels += piece if learnt else [IGNORED] * len(piece)
            for i, (token, label) in enumerate(zip(ids, [*labels, IGNORED], strict=True)):
                tokens.append((token, label, index, branch, start + i))
    tokens += [(pad, IGNORED, len(row), 0, i) for i in range(length - len(tokens))]
    return tuple(zip(*tokens, strict=True))
