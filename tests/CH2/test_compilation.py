"""`compile_model`: the same tokens, few compilations, and a word where there is no compiler."""

import random
from dataclasses import replace

import pytest
import torch
from torch._dynamo.testing import CompileCounterWithBackend

from CH2.compilation import compile_model
from CH2.continuous_batching import ContinuousBatching
from CH2.decoding import DecodingEngine
from CH2.generation import generate, generate_batch


def test_compiled_steps_are_reused_for_longer_texts_other_prompts_and_shrinking_batches(model64):
    """Traced by the compiler but run eagerly, so that what is counted is compilations, not C++."""
    counter = CompileCounterWithBackend("eager")
    compiled = compile_model(model64, backend=counter)
    rng = random.Random(4)
    prompts = [[rng.randrange(50) for _ in range(rng.randrange(2, 90))] for _ in range(12)]
    steps = 0
    for prompt in prompts[:4]:
        tokens = list(generate(compiled, torch.tensor([prompt]), 150))
        assert tokens == list(generate(model64, torch.tensor([prompt]), 150))
        steps += len(tokens)
    stops = range(10)  # texts end at different times, so the batch shrinks row by row
    together = generate_batch(compiled, prompts, 100, stop_ids=stops)
    assert together == generate_batch(model64, prompts, 100, stop_ids=stops)
    assert len({len(tokens) for tokens in together}) > 4
    assert counter.frame_count < 12 < steps


def test_compiled_steps_are_reused_when_prompts_were_released_and_others_read(model64):
    """Released prompts give their buffers back; those of the next ones have other sizes."""
    counter = CompileCounterWithBackend("eager")
    engine = DecodingEngine(compile_model(model64, backend=counter))
    rng = random.Random(5)
    for length in (100, 3, 70, 200, 30, 300, 3, 140, 250, 10, 400):
        ids = [rng.randrange(50) for _ in range(length)]
        [prompt] = engine.add_prompts([ids])
        rows = [engine.admit(prompt, 20) for _ in range(3)]
        while engine.rows:
            engine.step()
        engine.release(prompt)
        assert rows[0].tokens == rows[2].tokens == list(generate(model64, torch.tensor([ids]), 20))
    assert counter.frame_count < 6


def test_a_queue_is_compiled_at_most_four_times_whatever_comes(model64):
    """Rows that end one by one, prompts that come and go, equal ones, and three sizes of batch."""
    counter, rng, steps = CompileCounterWithBackend("eager"), random.Random(0), 0
    compiled, tasks = compile_model(model64, backend=counter), []
    for rows, texts in ((8, 12), (3, 6), (5, 7)):
        batching = ContinuousBatching(compiled, max_concurrent=rows)
        prompts = [
            [rng.randrange(50) for _ in range(rng.randrange(2, 90))] for _ in range(texts - 3)
        ]
        tasks += [batching.submit(rng.choice(prompts), rng.randrange(1, 40)) for _ in range(texts)]
        while batching:
            batching.step()
            steps += 1
    assert counter.frame_count <= 4 < steps
    for task in rng.sample(tasks, 5):
        alone = generate(model64, torch.tensor([task.prompt.ids]), task.max_new_tokens)
        assert task.tokens == list(alone)


def test_models_of_one_shape_compiled_in_one_process_keep_their_own_settings(
    small_config, make_model
):
    """Compiled code assumes what is not checked, such as a norm's epsilon: nobody else's may be
    used for a model.
    """
    prompt, told = torch.tensor([[7, 30, 11]]), []
    for config in (
        small_config,
        replace(small_config, rms_norm_eps=0.5),
        replace(small_config, rope_theta=50.0),
    ):
        model = make_model(config)
        told.append(list(generate(model, prompt, 20)))
        assert list(generate(compile_model(model, backend="eager"), prompt, 20)) == told[-1]
    assert len({tuple(tokens) for tokens in told}) == 3


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (RuntimeError("no compiler here\nand much more"), "RuntimeError: no compiler here"),
        (AssertionError(), "AssertionError: no details"),
    ],
)
def test_where_nothing_can_be_compiled_the_model_is_given_back_with_a_word(
    error, reason, model64, monkeypatch, capsys
):
    def broken(function, **options):
        def call(*arguments):
            raise error

        return call

    monkeypatch.setattr(torch, "compile", broken)
    assert compile_model(model64) is model64
    told = capsys.readouterr().out
    assert f"{reason})" in told and "and much more" not in told
