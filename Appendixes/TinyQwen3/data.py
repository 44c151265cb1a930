"""Training batches: problems in their prompts, whole documents packed into rows of one length.

Batch number k depends on the seed and k alone, so a training that was interrupted goes on with the very batches that
it would have seen.
"""

from random import Random

import torch

from Appendixes.QWEN3Tokenizer import Qwen3Tokenizer
from Appendixes.TinyQwen3.problems import Problem, sample_problem
from CH3.prompts import CHAIN_OF_THOUGHT, DIRECT, render

IGNORED = -100  # label of a position whose prediction is not trained


def document(problem: Problem, worked: bool, tokenizer: Qwen3Tokenizer) -> tuple[list[int], list[int]]:
    """A problem as (prompt ids, ids to learn): the worked solution, or the boxed answer alone."""
    prompt = render(CHAIN_OF_THOUGHT if worked else DIRECT, problem.problem)
    answer = problem.solution if worked else f"\\boxed{{{problem.answer}}}"
    return tokenizer.encode(prompt), [*tokenizer.encode(answer), tokenizer.stop_ids[0]]


def training_batch(
    seed: int, number: int, rows: int, length: int, tokenizer: Qwen3Tokenizer, direct_share: float = 0.5
) -> tuple[torch.Tensor, torch.Tensor]:
    """One batch of documents.

    Args:
        seed, number: which batch; the same two give the same one.
        rows, length: its size; a document that fits no row any more ends the batch.
        direct_share: share of problems shown with their answer alone, without steps.

    Returns:
        `input_ids (rows, length)` and `labels (rows, length)`: the next token, or `IGNORED` in prompts and padding.
    """
    rng = Random(f"{seed}/{number}")
    pad = tokenizer.pad_id
    input_ids, labels = [[] for _ in range(rows)], [[] for _ in range(rows)]
    while True:
        worked = rng.random() >= direct_share
        prompt, answer = document(sample_problem(rng, "train"), worked, tokenizer)
        size = len(prompt) + len(answer)
        room = next((row for row in range(rows) if len(input_ids[row]) + size <= length), None)
        if room is None:
            break
        input_ids[room] += prompt + answer
        labels[room] += [IGNORED] * (len(prompt) - 1) + answer + [IGNORED]
    for row in range(rows):
        input_ids[row] += [pad] * (length - len(input_ids[row]))
        labels[row] += [IGNORED] * (length - len(labels[row]))
    return torch.tensor(input_ids), torch.tensor(labels)
