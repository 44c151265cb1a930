"""The cache's memory in continuous batching stays under its limit, also as the system counts it."""

import os
import random
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from CH2.cache_budget import CacheLimitError
from CH2.continuous_batching import ContinuousBatching
from CH2.generation import generate

# bytes of the small model: keys and values, 2 layers, 2 heads, 8 numbers of 8 bytes
POSITION = 2 * 2 * 2 * 8 * 8


MEASURE = Path(__file__).parents[1] / "measurements" / "measure_continuous_batching.py"


def texts(count: int, longest_prompt: int, longest_answer: int) -> list[tuple[list[int], int]]:
    rng = random.Random(count)
    return [
        (
            [rng.randrange(50) for _ in range(rng.randint(1, longest_prompt))],
            rng.randint(1, longest_answer),
        )
        for _ in range(count)
    ]


def cache_bytes(batching: ContinuousBatching) -> int:
    return batching.engine.prompt_cache.nbytes + batching.engine.row_cache.nbytes


@pytest.fixture(scope="module")
def alone(model64) -> list[tuple[list[int], int, list[int]]]:
    """Prompts, the lengths of their answers, and the answers that they have alone."""
    wanted = texts(14, 150, 70)
    return [
        (ids, length, list(generate(model64, torch.tensor([ids]), length)))
        for ids, length in wanted
    ]


@pytest.mark.parametrize("rows", [1, 3, 9])
def test_the_cache_stays_under_its_limit_and_every_text_is_what_it_is_alone(rows, model64, alone):
    # for so many of the longest, and as much again for copies
    limit = rows * (256 + 128) * POSITION * 2
    batching = ContinuousBatching(model64, max_concurrent=64, max_cache_bytes=limit)
    queue, tasks, most = iter(alone), [], 0
    while True:
        while batching.has_room and (text := next(queue, None)):
            tasks.append(batching.submit(text[0], text[1]))
        if not batching:
            break
        batching.step()
        most = max(most, batching.rows_busy)
        assert cache_bytes(batching) <= limit
        assert len(batching.waiting) <= 1  # texts are not hoarded, which another process could take
    assert rows <= most < 14
    assert [task.row.tokens for task in tasks] == [tokens for _, _, tokens in alone]


@pytest.mark.skipif(
    not Path("/proc/self/clear_refs").exists(), reason="measures resident memory as Linux counts it"
)
def test_resident_memory_stays_under_the_limit_and_a_constant():
    # the constant: activations of one call, and what Python itself takes
    limit, constant = 10_000_000, 15_000_000
    options = ["--prompts", "60", "--batch", "60", "--mean", "1e9", "--longest", "66"]
    command = [sys.executable, MEASURE, *options, "--max-cache-bytes", str(limit), "1000000000"]
    one_thread = {**os.environ, "OMP_NUM_THREADS": "1"}
    shown = subprocess.run(
        command, env=one_thread, capture_output=True, text=True, timeout=300, check=True
    ).stdout
    counts = re.findall(r"caches at most ([\d,]+); resident memory grew by ([\d,]+)", shown)
    limited, free = ([int(count.replace(",", "")) for count in pair] for pair in counts)
    caches, resident = limited
    assert caches <= limit
    assert resident <= limit + constant
    caches, resident = free  # when 60 rows take what they need
    assert caches > 38_000_000
    assert resident > limit + constant


def test_a_larger_limit_admits_more_rows_and_none_admits_all(model64):
    def busy(limit: int | None) -> int:
        batching = ContinuousBatching(model64, max_concurrent=20, max_cache_bytes=limit)
        for _ in range(30):
            batching.submit([1, 2, 3], 60)
        batching.step()
        return batching.rows_busy

    counts = [busy(limit * POSITION) for limit in (300, 600, 900, 1200)] + [busy(None)]
    assert counts == sorted(counts)
    assert counts[0] < counts[1] < counts[3] < counts[4] == 20


def test_samples_of_one_prompt_are_charged_for_it_once(model64):
    def busy(prompts: list[list[int]]) -> int:
        batching = ContinuousBatching(model64, max_concurrent=20, max_cache_bytes=3000 * POSITION)
        for prompt in prompts:
            batching.submit(prompt, 60)
        batching.step()
        return batching.rows_busy

    assert busy([[1] * 250] * 20) > 2 * busy([[number] * 250 for number in range(20)])


def test_a_long_text_after_many_short_ones_begins_when_their_buffers_are_gone(model64):
    needed = 1100 * POSITION  # 256 + 256 positions, and copies
    batching = ContinuousBatching(model64, max_concurrent=8, max_cache_bytes=needed)
    short = [batching.submit([5, number], 10) for number in range(6)]
    long = batching.submit([7] * 200, 200)
    last = batching.submit([5, 0], 10)
    order = []
    while batching:
        order += batching.step()
        assert cache_bytes(batching) <= needed
    assert order[-2:] == [long, last] or order[-2:] == [last, long]
    assert set(order) == {*short, long, last}
    assert long.row.tokens == list(generate(model64, torch.tensor([[7] * 200]), 200))


def test_a_long_prompt_that_was_released_takes_nothing_from_later_texts(model64):
    def busy_after(first: list[int]) -> int:
        batching = ContinuousBatching(model64, max_concurrent=20, max_cache_bytes=1500 * POSITION)
        batching.submit(first, 60)
        while batching:
            batching.step()
        for number in range(20):
            batching.submit([number, 1, 2], 60)
        batching.step()
        assert cache_bytes(batching) <= 1500 * POSITION
        return batching.rows_busy

    assert busy_after([7] * 250) == busy_after([7] * 2) < 20


def test_what_does_not_fit_alone_is_refused_with_the_bytes_it_needs(model64):
    limit = 400 * POSITION
    batching = ContinuousBatching(model64, max_cache_bytes=limit)
    batching.submit([1] * 60, 60)
    with pytest.raises(
        CacheLimitError, match=f"a prompt of 200 tokens and 60 new ones .* is {limit:,}"
    ) as error:
        batching.submit([1] * 200, 60)
    needed = int(str(error.value).split(" bytes")[0].split()[-1].replace(",", ""))
    assert ContinuousBatching(model64, max_cache_bytes=needed).submit([1] * 200, 60)
    with pytest.raises(CacheLimitError):
        ContinuousBatching(model64, max_cache_bytes=needed - 1).submit([1] * 200, 60)
    with pytest.raises(ValueError, match="max_cache_bytes is 0"):
        ContinuousBatching(model64, max_cache_bytes=0)


def test_prompts_are_read_together_only_up_to_a_number_of_positions(model64, monkeypatch):
    batching = ContinuousBatching(model64, max_concurrent=64)
    groups, add_prompts = [], batching.engine.add_prompts
    monkeypatch.setattr(
        batching.engine, "add_prompts", lambda new: groups.append(new) or add_prompts(new)
    )
    wanted = texts(60, 300, 1)
    for ids, length in wanted:
        batching.submit(ids, length)
    batching.step()
    assert sorted(ids for group in groups for ids in group) == sorted(ids for ids, _ in wanted)
    assert all(len(group) * max(map(len, group)) <= 2048 for group in groups)
    assert len(groups) < 15
