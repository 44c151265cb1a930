"""`compile_model`: the same tokens, few compilations, and a word where there is no compiler."""

import random

import torch
from torch._dynamo.testing import CompileCounterWithBackend

from CH2.compilation import compile_model
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


def test_where_nothing_can_be_compiled_the_model_is_given_back_with_a_word(model64, monkeypatch, capsys):
    def broken(function, **options):
        def call(*arguments):
            raise RuntimeError("no compiler here")

        return call

    monkeypatch.setattr(torch, "compile", broken)
    assert compile_model(model64) is model64
    assert "runs uncompiled (no compiler here)" in capsys.readouterr().out
