"""`compile_model`: the same tokens, few compilations, and a word where there is no compiler."""

import random
import shutil

import pytest
import torch
from torch._dynamo.testing import CompileCounterWithBackend

from CH2.compilation import compile_model
from CH2.generation import generate


def test_compiled_steps_are_reused_while_the_text_grows(model64):
    """Traced by the compiler but run eagerly, so that what is counted is compilations, not C++."""
    counter = CompileCounterWithBackend("eager")
    compiled = compile_model(model64, backend=counter)
    prompt = torch.tensor([[random.Random(4).randrange(50) for _ in range(20)]])
    first = list(generate(compiled, prompt, 40))
    after_first_block = counter.frame_count
    assert list(generate(compiled, prompt, 300)) == list(generate(model64, prompt, 300))
    assert first == list(generate(model64, prompt, 40))
    # 5 blocks, 3 doublings: a static step, then one whose length is a variable
    assert counter.frame_count - after_first_block <= 4


def test_without_a_compiler_the_model_is_given_back_with_a_warning(model64, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.warns(UserWarning, match="needs a C\\+\\+ compiler"):
        assert compile_model(model64) is model64
