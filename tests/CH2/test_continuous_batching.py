"""Continuous batching: every text as alone, no row idle while texts wait, prompts read once and
freed.
"""

import random

import pytest
import torch
from draws import inverse_cdf, seeded

from CH2.continuous_batching import ContinuousBatching
from CH2.generation import generate

STOPS = (3, 17, 29)


@pytest.fixture(scope="module")
def prompts() -> list[list[int]]:
    rng = random.Random(0)
    return [[rng.randrange(50) for _ in range(length)] for length in (1, 2, 5, 30, 64, 65, 100)]


def test_texts_are_what_they_would_be_alone_and_rows_stay_busy(model64, prompts):
    rng = random.Random(1)
    wanted = [(rng.choice(prompts), seed, rng.randrange(1, 60)) for seed in range(40)]
    batching = ContinuousBatching(model64, max_concurrent=5, sampler=inverse_cdf, stop_ids=STOPS)
    tasks = [batching.submit(ids, length, generator=seeded(seed)) for ids, seed, length in wanted]
    finished = []
    while batching:
        finished += batching.step()
        assert len(batching.engine.rows) <= 5
        assert len(batching.running) == len(batching.engine.rows)
        if batching.waiting:  # rows that ended in this step are filled at the beginning of the next
            batching._admit()
            assert len(batching.running) == 5
    assert sorted(map(id, finished)) == sorted(map(id, tasks))
    for task, (ids, seed, length) in zip(tasks, wanted, strict=True):
        alone = generate(
            model64,
            torch.tensor([ids]),
            length,
            sampler=inverse_cdf,
            stop_ids=STOPS,
            generator=seeded(seed),
        )
        assert task.row.tokens == list(alone)


def test_equal_prompts_are_read_once_and_freed_when_nothing_needs_them(
    model64, prompts, monkeypatch
):
    batching = ContinuousBatching(model64, max_concurrent=3, sampler=inverse_cdf)
    read, add_prompts = [], batching.engine.add_prompts
    monkeypatch.setattr(
        batching.engine, "add_prompts", lambda new: read.extend(new) or add_prompts(new)
    )
    first = [batching.submit(prompts[4], 5, generator=seeded(seed)) for seed in range(7)]
    while batching:
        for task in batching.step():
            if task is first[-1]:  # one more sample, asked for when the last had ended
                batching.submit(prompts[4], 5, generator=seeded(7))
    assert read == [prompts[4]]
    batching.step()
    assert not batching.prompts
    assert not batching.engine.prompts


def test_a_cancelled_text_makes_room_for_the_next(model64, prompts):
    batching = ContinuousBatching(model64, max_concurrent=1)
    running, waiting, last = (batching.submit(prompts[3], 20) for _ in range(3))
    batching.step()
    assert not batching.has_room
    batching.cancel(waiting)
    batching.cancel(running)
    batching.cancel(running)  # again: nothing left to do
    while batching:
        batching.step()
    assert running.row.finish_reason == "cancelled"
    assert len(running.row.tokens) == 1
    assert waiting.row is None
    assert last.row.finish_reason == "length"
    batching.cancel(last)
    assert last.prompt.users == 0


@pytest.mark.parametrize(
    ("prompt", "max_new_tokens", "words"),
    [
        ([], 5, "empty"),
        ([99], 5, "vocabulary"),
        ([1] * 500, 20, "12 new tokens fit"),
        ([1], 0, "at least one"),
    ],
)
def test_bad_input_is_refused_when_it_is_submitted(model64, prompt, max_new_tokens, words):
    batching = ContinuousBatching(model64)
    with pytest.raises(ValueError, match=words):
        batching.submit(prompt, max_new_tokens)
    assert not batching


def test_a_batch_without_rows_is_refused(model64):
    with pytest.raises(ValueError, match="max_concurrent is 0"):
        ContinuousBatching(model64, max_concurrent=0)


def test_an_idle_queue_holds_no_rows_memory(model64, prompts):
    batching = ContinuousBatching(model64, max_concurrent=8)
    for turn in range(2):
        tasks = [batching.submit(prompts[3], 70) for _ in range(8)]
        batching.step()
        assert batching.engine.row_cache.nbytes > 0
        if turn:
            for task in tasks:
                batching.cancel(task)
        while batching:
            batching.step()
        assert batching.engine.row_cache.nbytes == 0
        assert batching.engine.prompt_cache.nbytes > 0  # the next sample may come before the step
        assert batching.step() == []
        assert batching.engine.prompt_cache.nbytes == 0
    last = batching.submit(prompts[1], 3)
    while batching:
        batching.step()
    assert last.tokens == list(generate(model64, torch.tensor([prompts[1]]), 3))
