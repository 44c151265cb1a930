"""The decoding engine: rows of different lengths that come, share prompts, and go, and never
disturb each other.
"""

import random
import sys

import numpy as np
import pytest
import torch
from draws import inverse_cdf, seeded

from CH2.continuous_batching import ContinuousBatching
from CH2.decoding import DecodingEngine, greedy, pad_right, similar_lengths
from CH2.generation import generate, generate_batch

STOPS = (3, 17, 29)


def random_prompt(rng: random.Random, length: int) -> list[int]:
    return [rng.randrange(50) for _ in range(length)]


@pytest.fixture(scope="module")
def prompts() -> list[list[int]]:
    rng = random.Random(0)
    return [random_prompt(rng, length) for length in (1, 1, 2, 5, 30, 63, 64, 65, 100)]


def drain(engine: DecodingEngine) -> None:
    while engine.rows:
        engine.step()


@pytest.mark.parametrize("share_prompts", [True, False])
def test_rows_admitted_and_cancelled_at_random_get_what_they_would_get_alone(
    model64, prompts, share_prompts
):
    rng = random.Random(1)
    wanted = [(rng.randrange(len(prompts)), seed, rng.randrange(1, 80)) for seed in range(60)]
    alone = [
        list(
            generate(
                model64,
                torch.tensor([prompts[which]]),
                length,
                sampler=inverse_cdf,
                stop_ids=STOPS,
                generator=seeded(seed),
            )
        )
        for which, seed, length in wanted
    ]
    engine = DecodingEngine(model64, sampler=inverse_cdf, share_prompts=share_prompts)
    handles, rows, cancelled = {}, [], set()
    while len(rows) < len(wanted) or engine.rows:
        for _ in range(rng.randrange(4)):
            if len(rows) < len(wanted):
                which, seed, length = wanted[len(rows)]
                if which not in handles or handles[which].released:
                    [handles[which]] = engine.add_prompts([prompts[which]])
                rows.append(
                    engine.admit(handles[which], length, stop_ids=STOPS, generator=seeded(seed))
                )
        engine.step()
        if engine.rows and rng.random() < 0.05:
            victim = rng.choice(engine.rows)
            engine.cancel(victim)
            cancelled.add(rows.index(victim))
        for handle in handles.values():
            read_by_rows = share_prompts and any(row.prompt is handle for row in engine.rows)
            if rng.random() < 0.2 and not read_by_rows:
                engine.release(handle)
    assert cancelled
    for index, (row, expected) in enumerate(zip(rows, alone, strict=True)):
        assert row.tokens == (expected[: len(row.tokens)] if index in cancelled else expected)
        assert (row.finish_reason == "cancelled") == (index in cancelled)


def test_rows_of_one_prompt_share_its_keys_and_values(model64, prompts):
    long = prompts[-1]
    engine = DecodingEngine(model64, sampler=inverse_cdf)
    [prompt] = engine.add_prompts([long])
    before = engine.prompt_cache.nbytes
    rows = [engine.admit(prompt, 10, generator=seeded(seed)) for seed in range(8)]
    drain(engine)
    assert engine.prompt_cache.nbytes == before  # stored once, read by all
    assert engine.row_cache.nbytes < 8 * before
    assert len({tuple(row.tokens) for row in rows}) > 1


def test_a_prompt_is_read_once_however_many_rows_continue_it(small_config, make_model, prompts):
    model, read = make_model(small_config), []
    model.embed_tokens.register_forward_pre_hook(
        lambda module, inputs: read.append(inputs[0].numel())
    )
    engine = DecodingEngine(model)
    [prompt] = engine.add_prompts([prompts[-1]])
    for _ in range(8):
        engine.admit(prompt, 3)
    drain(engine)
    assert read == [len(prompts[-1]) - 1, 8, 8, 8]


def test_log_probabilities_are_the_models_own(model64, prompts):
    engine = DecodingEngine(model64, sampler=inverse_cdf)
    [prompt] = engine.add_prompts([prompts[3]])
    row = engine.admit(prompt, 20, generator=seeded(5))
    drain(engine)
    text = torch.tensor([prompts[3] + row.tokens])
    expected = model64(text).log_softmax(dim=-1)[0, len(prompts[3]) - 1 : -1]
    picked = expected.gather(1, torch.tensor(row.tokens)[:, None])[:, 0]
    torch.testing.assert_close(torch.tensor(row.logprobs, dtype=torch.float64), picked)


def test_a_stop_token_ends_the_row_and_only_its_log_probability_is_kept(model64, prompts):
    [first, second, *_] = generate(model64, torch.tensor([prompts[4]]), 5)
    engine = DecodingEngine(model64)
    [prompt] = engine.add_prompts([prompts[4]])
    row = engine.admit(prompt, 5, stop_ids=(second,))
    drain(engine)
    expected = [] if first == second else [first]
    assert (row.tokens, row.finish_reason, len(row.logprobs)) == (
        expected,
        "stop",
        len(expected) + 1,
    )


def test_a_released_prompt_gives_its_memory_back_and_takes_no_more_rows(model64, prompts):
    engine = DecodingEngine(model64)
    first, second = engine.add_prompts(prompts[-2:])
    row = engine.admit(second, 5)
    with pytest.raises(ValueError, match="still continue"):
        engine.release(second)
    engine.release(first)
    engine.release(first)  # a second time changes nothing
    drain(engine)
    assert row.tokens == list(generate(model64, torch.tensor([prompts[-1]]), 5))
    assert engine.prompt_cache.rows == 1
    engine.release(second)
    assert engine.prompt_cache.nbytes == 0
    with pytest.raises(ValueError, match="released"):
        engine.admit(first, 5)


@pytest.mark.parametrize("share_prompts", [True, False])
def test_prompts_added_after_all_were_released_are_read_rightly(model64, prompts, share_prompts):
    engine = DecodingEngine(model64, share_prompts=share_prompts)
    first_capacity = engine.prompt_cache.capacity
    # long ones, then one of a single token, ...
    for batch in (prompts[-3:], prompts[:1], prompts[2:4], prompts[-2:]):
        added = engine.add_prompts(batch)
        rows = [engine.admit(prompt, 6) for prompt in added for _ in range(2)]
        drain(engine)
        alone = [
            list(generate(model64, torch.tensor([prompt]), 6)) for prompt in batch for _ in range(2)
        ]
        assert [row.tokens for row in rows] == alone
        for prompt in added:
            engine.release(prompt)
        assert engine.prompt_cache.rows == 0
        if share_prompts:
            assert engine.prompt_cache.nbytes == 0
            assert engine.prompt_cache.capacity == first_capacity


def test_rows_that_read_their_own_prompt_go_on_when_all_prompts_were_released(model64, prompts):
    engine = DecodingEngine(model64, share_prompts=False)
    [early] = engine.add_prompts(prompts[-1:])
    rows = [engine.admit(early, 8)]
    engine.release(early)
    engine.step()
    [late] = engine.add_prompts(prompts[4:5])
    rows.append(engine.admit(late, 8))
    engine.release(late)
    drain(engine)
    assert [row.tokens for row in rows] == [
        list(generate(model64, torch.tensor([prompt]), 8)) for prompt in (prompts[-1], prompts[4])
    ]


def test_a_prompt_of_another_engine_is_refused(model64, prompts):
    engine, other = DecodingEngine(model64), DecodingEngine(model64)
    engine.add_prompts(prompts[:1])
    [foreign] = other.add_prompts(prompts[1:2])
    for refused in (lambda: engine.admit(foreign, 5), lambda: engine.release(foreign)):
        with pytest.raises(ValueError, match="another engine"):
            refused()


@pytest.mark.parametrize("share_prompts", [True, False])
@pytest.mark.parametrize("busy", [True, False])
def test_an_interrupted_prefill_leaves_the_engine_as_it_was(
    small_config, make_model, prompts, share_prompts, busy
):
    model = make_model(small_config, dtype=torch.float64)
    alone = [list(generate(model, torch.tensor([ids]), 6)) for ids in prompts[-2:]]
    engine = DecodingEngine(model, share_prompts=share_prompts)
    rows = []

    def begin(ids):
        [prompt] = engine.add_prompts([ids])
        rows.append(engine.admit(prompt, 6))

    def interrupt(module, inputs):
        raise KeyboardInterrupt

    if busy:
        begin(prompts[-2])
    hook = model.norm.register_forward_pre_hook(interrupt)
    with pytest.raises(KeyboardInterrupt):
        begin(prompts[-3])
    hook.remove()
    begin(prompts[-1])
    drain(engine)
    assert [row.tokens for row in rows] == alone[-len(rows) :]


def test_nan_logits_are_refused(small_config, make_model):
    model = make_model(small_config)
    model.norm.weight[0] = float("nan")
    engine = DecodingEngine(model)
    engine.admit(engine.add_prompts([[1, 2]])[0], 5)
    with pytest.raises(FloatingPointError, match="NaN"):
        engine.step()


def test_a_step_without_rows_does_nothing(model64):
    assert DecodingEngine(model64).step() == []


def test_greedy_takes_the_largest_logit():
    logits = torch.tensor([[0.0, 2.0, 1.0], [5.0, -1.0, 4.0]])
    assert greedy(logits, torch.rand(2)).tolist() == [1, 0]


def test_padding_stands_behind_shorter_texts():
    input_ids, mask = pad_right([[1], [2, 3, 4]])
    assert input_ids.tolist() == [[1, 0, 0], [2, 3, 4]]
    assert mask.tolist() == [[True, False, False], [True, True, True]]
    assert pad_right([[1], [2]])[1] is None


# --- what is taken for numbers and ids ---


@pytest.mark.parametrize("number", [2.5, 2.0, float("nan"), "5", None, True, torch.tensor(2.0)])
def test_a_length_that_is_no_integer_is_refused_everywhere(model64, number):
    """A fraction, or NaN, is never reached by counting: such a text would not end."""
    queue, engine = ContinuousBatching(model64), DecodingEngine(model64)
    [prompt] = engine.add_prompts([[1]])
    for refused in (
        lambda: generate(model64, torch.tensor([[1, 2]]), number),
        lambda: generate_batch(model64, [[1, 2]], number),
        lambda: engine.admit(prompt, number),
        lambda: queue.submit([1, 2], number),
        lambda: ContinuousBatching(model64, max_concurrent=number),
        lambda: ContinuousBatching(model64, max_cache_bytes=number or 2.5),  # None: no limit
    ):
        with pytest.raises(ValueError, match="expected an integer"):
            refused()
    assert not queue and not engine.rows


@pytest.mark.parametrize(
    "ids", ["12", "What?", b"12", [1.0, 2.0], ["1"], [True], torch.tensor([1.0]), 7, None, [None]]
)
def test_only_integers_are_taken_for_token_ids(model64, ids):
    engine, queue = DecodingEngine(model64), ContinuousBatching(model64)
    for refused in (
        lambda: engine.add_prompts([ids]),
        lambda: queue.submit(ids, 3),
        lambda: generate_batch(model64, [[1], ids], 3),
        lambda: generate_batch(model64, [[1], ids], 0),
    ):
        with pytest.raises(ValueError, match=r"expected (an integer|a list of integers)"):
            refused()
    assert not queue and not engine.prompts


@pytest.mark.parametrize("stop_ids", [614, None, "12", ["<|im_end|>"], [2.0], torch.tensor(3)])
def test_only_integers_are_taken_for_stop_ids(model64, stop_ids):
    engine = DecodingEngine(model64)
    [prompt] = engine.add_prompts([[1]])
    for refused in (
        lambda: generate(model64, torch.tensor([[1]]), 3, stop_ids=stop_ids),
        lambda: generate_batch(model64, [[1]], 3, stop_ids=stop_ids),
        lambda: engine.admit(prompt, 3, stop_ids=stop_ids),
        lambda: ContinuousBatching(model64, stop_ids=stop_ids),
    ):
        with pytest.raises(ValueError, match=r"stop_ids is .*: expected"):
            refused()


@pytest.mark.parametrize("generator", [0, "seed", torch.Generator])
def test_a_seed_is_not_taken_for_a_generator(model64, generator):
    for refused in (
        lambda: generate(model64, torch.tensor([[1]]), 3, generator=generator),
        lambda: generate_batch(model64, [[1]], 3, generators=[generator]),
        lambda: ContinuousBatching(model64).submit([1], 3, generator=generator),
    ):
        with pytest.raises(ValueError, match="expected one on the CPU"):
            refused()


@pytest.mark.parametrize("input_ids", [[1, 2], "12", [[1, 2]]])
def test_generate_takes_a_tensor_and_says_so(model64, input_ids):
    with pytest.raises(ValueError, match=r"expected a tensor \(1, seq\)"):
        generate(model64, input_ids, 3)


def test_integers_of_numpy_and_torch_are_integers(model64):
    expected = list(generate(model64, torch.tensor([[1, 2, 3]]), 4))
    ids = (
        np.array([1, 2, 3]),
        torch.tensor([1, 2, 3]),
        (1, 2, 3),
        [torch.tensor(1), np.int8(2), 3],
    )
    for prompt in ids:
        assert generate_batch(model64, [prompt], np.int64(4)) == [expected]
    stopped = generate_batch(model64, [[1, 2, 3]], 4, stop_ids=torch.tensor([expected[2]]))
    assert stopped == [expected[: expected.index(expected[2])]]


@pytest.mark.parametrize("shape", ["column", "scalar"])
def test_a_sampler_that_gives_another_shape_is_refused(model64, shape):
    def wrong(logits, uniform):
        ids = logits.argmax(dim=-1)
        return ids[:, None] if shape == "column" else ids.sum()

    with pytest.raises(ValueError, match="expected a token id for each row"):
        generate_batch(model64, [[1], [2]], 3, sampler=wrong)


# --- what is read together ---


def test_a_long_prompt_is_not_read_as_many_times_as_there_are_short_ones(
    small_config, make_model, monkeypatch
):
    model, read = make_model(small_config), []
    model.embed_tokens.register_forward_pre_hook(
        lambda module, inputs: read.append(tuple(inputs[0].shape))
    )
    prompts = [[1, 2]] * 12 + [[3] * 400] + [[4] * 7] * 12
    expected = [list(generate(model, torch.tensor([ids]), 3)) for ids in prompts]
    for use_cache in (True, False):
        read.clear()
        assert generate_batch(model, prompts, 3, use_cache=use_cache) == expected
        long = [rows for rows, length in read if length >= 399]
        assert long and set(long) == {1}


def test_texts_are_grouped_by_length_and_each_group_is_bounded():
    rng = random.Random(2)
    lengths = [rng.choice((1, 5, 60, 70, 500, 3000)) for _ in range(300)]
    groups = similar_lengths(lengths, 2048)
    assert sorted(index for group in groups for index in group) == list(range(300))
    for group in groups:
        shortest, longest = (pick(lengths[index] for index in group) for pick in (min, max))
        assert len(group) == 1 or len(group) * longest <= 2048
        assert longest <= 2 * shortest + 64
        assert group == sorted(group)
    assert similar_lengths([], 2048) == []


def test_thousands_of_rows_take_time_in_proportion(small_config, make_model):
    """Counted in lines of Python, which no other work on the machine changes."""
    model = make_model(small_config, dtype=torch.float32)

    def lines(rows, write):
        count = 0

        def trace(frame, event, argument):
            nonlocal count
            count += 1
            return trace

        prompts = [[number % 50, 1, 2, 3] for number in range(rows)]
        sys.settrace(trace)
        try:
            write(prompts)
        finally:
            sys.settrace(None)
        return count

    def queue(prompts):
        batching = ContinuousBatching(model, max_concurrent=len(prompts))
        for ids in prompts:
            batching.submit(ids, 2)
        while batching:
            batching.step()

    for write in (lambda prompts: generate_batch(model, prompts, 2, stop_ids=range(25)), queue):
        lines(20, write)
        assert lines(400, write) < 2.6 * lines(200, write)
