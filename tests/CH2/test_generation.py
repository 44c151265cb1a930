"""`generate` and `generate_batch`: with and without cache, alone and together, bad input."""

import random

import pytest
import torch
from torch.overrides import TorchFunctionMode

from Appendixes.KVcache import KVCache
from Appendixes.QWEN3Model import find_checkpoint, load_qwen3
from CH2.generation import generate, generate_batch
from CH2.prompts import CHAIN_OF_THOUGHT, render


@pytest.fixture(scope="module")
def prompts() -> list[list[int]]:
    rng = random.Random(2)
    return [[rng.randrange(50) for _ in range(length)] for length in (40, 1, 7, 1, 90)]


def alone(model, prompt, steps, **options):
    return list(
        generate(
            model, torch.tensor([prompt], device=next(model.parameters()).device), steps, **options
        )
    )


def test_cached_generation_equals_recomputation(model64, prompts):
    for prompt in prompts:
        assert alone(model64, prompt, 150) == alone(model64, prompt, 150, use_cache=False)


def test_a_batch_of_mixed_lengths_equals_single_prompts(model64, prompts):
    stops = {
        alone(model64, prompt, 40)[index]
        for prompt, index in zip(prompts, (39, 20, 5), strict=False)
    }
    singles = [alone(model64, prompt, 100, stop_ids=stops) for prompt in prompts]
    assert len({len(tokens) for tokens in singles}) > 1
    assert generate_batch(model64, prompts, 100, stop_ids=stops) == singles
    assert generate_batch(model64, prompts, 100, stop_ids=stops, use_cache=False) == singles


def test_the_shipped_model_gives_in_a_batch_what_it_gives_alone(tiny_folder, device):
    model, tokenizer = load_qwen3("tiny", device=device, dtype=torch.float64)
    problems = [
        "What is 47 * 36?",
        "Solve 3x + 5 = 26 for x.",
        "Find the value of gcd(210, 54).",
        "What is 815 - 268?",
    ]
    prompts = [tokenizer.encode(render(CHAIN_OF_THOUGHT, problem)) for problem in problems]
    together = generate_batch(model, prompts, 200, stop_ids=tokenizer.stop_ids)
    assert together == [
        alone(model, prompt, 200, stop_ids=tokenizer.stop_ids) for prompt in prompts
    ]
    assert all("\\boxed{" in tokenizer.decode(tokens) for tokens in together)


def test_tokens_are_handed_out_as_they_are_made(small_config, make_model):
    model, calls = make_model(small_config), []
    model.norm.register_forward_pre_hook(lambda module, inputs: calls.append(1))
    stream = generate(model, torch.tensor([[1, 2, 3]]), 100)
    next(stream)
    after_one = len(calls)
    next(stream)
    assert (after_one, len(calls)) == (2, 3)  # prefill and one step, then one more


class BuffersMade(TorchFunctionMode):
    """Counts the bytes of all tensors that are made by `new_zeros`, as the cache's buffers are."""

    nbytes = 0

    def __torch_function__(self, function, types, arguments=(), options=None):
        made = function(*arguments, **(options or {}))
        if function is torch.Tensor.new_zeros:
            self.nbytes += made.nbytes
        return made


@pytest.mark.parametrize("length", [1, 2, 400])
def test_one_text_makes_one_cache_and_copies_nothing(model64, monkeypatch, length):
    caches, start = [], KVCache.__init__

    def counted(cache, *arguments):
        caches.append(cache)
        start(cache, *arguments)

    monkeypatch.setattr(KVCache, "__init__", counted)
    with BuffersMade() as made:
        assert len(alone(model64, [1] * length, 5)) == 5
    [cache] = caches
    # all buffers that were ever made are those that it held in the end: no second one, no growth
    assert 0 < made.nbytes == cache.nbytes


def test_no_tokens_are_made_without_running_the_model(small_config, make_model, prompts):
    model, calls = make_model(small_config), []
    model.embed_tokens.register_forward_pre_hook(lambda module, inputs: calls.append(1))
    assert alone(model, prompts[0], 0) == [] and generate_batch(model, prompts, 0) == [[]] * 5
    assert not calls
    with pytest.raises(ValueError, match="prompt is empty"):
        generate_batch(model, [[1], []], 0)
    alone(model, prompts[0], 1)
    assert calls  # they would have been seen


def test_generation_ends_after_max_new_tokens(model64, prompts):
    assert len(alone(model64, prompts[0], 7)) == 7
    assert alone(model64, prompts[0], 0) == []
    assert generate_batch(model64, prompts, 0) == [[]] * len(prompts)
    assert generate_batch(model64, [], 5) == []


def test_any_of_several_stop_tokens_ends_the_text(model64, prompts):
    tokens = alone(model64, prompts[0], 30)
    for stops in ((tokens[10],), (tokens[20], tokens[10]), (tokens[5], tokens[29])):
        cut = min(tokens.index(stop) for stop in stops)
        assert alone(model64, prompts[0], 30, stop_ids=stops) == tokens[:cut]


@pytest.mark.parametrize(
    ("ids", "steps", "message"),
    [
        (torch.zeros(1, 0, dtype=torch.long), 5, "prompt is empty"),
        (torch.tensor([[1, 50]]), 5, "token id 50 is not in the vocabulary of 50"),
        (torch.tensor([[-1, 2]]), 5, "token id -1"),
        (torch.tensor([1, 2]), 5, r"expected \(1, seq\)"),
        (torch.tensor([[1], [2]]), 5, "generate_batch"),
        (torch.ones(1, 500, dtype=torch.long), 13, "at most 12 new tokens fit"),
        (torch.ones(1, 512, dtype=torch.long), 1, "leaves no room"),
        (torch.tensor([[1]]), -1, "max_new_tokens is -1"),
    ],
)
def test_bad_input_is_refused_at_the_call(model64, ids, steps, message):
    with pytest.raises(ValueError, match=message):
        generate(model64, ids, steps)


def test_the_whole_context_can_be_used(model64):
    assert len(alone(model64, [1] * 500, 12)) == 12


def test_one_generator_a_prompt_is_required(model64):
    with pytest.raises(ValueError, match="2 prompts need as many generators"):
        generate_batch(model64, [[1], [2]], 5, generators=[torch.Generator()])


def test_float32_batches_rarely_leave_the_single_texts(small_config, make_model):
    """Sums are ordered differently in a batch, so the last bit may differ; a different token needs
    a near tie.
    """
    model = make_model(small_config, dtype=torch.float32)
    rng = random.Random(3)
    prompts = [[rng.randrange(50) for _ in range(rng.randrange(1, 40))] for _ in range(24)]
    together = generate_batch(model, prompts, 60)
    same = sum(
        tokens == alone(model, prompt, 60) for tokens, prompt in zip(together, prompts, strict=True)
    )
    assert same >= 22


@pytest.mark.real_weights
def test_the_real_model_writes_what_the_book_shows(record_property):
    name = "Qwen/Qwen3-0.6B-Base"
    model, tokenizer = load_qwen3(name)
    # the library notes the revision of what it downloads beside the files
    note = (
        find_checkpoint(name) / ".cache" / "huggingface" / "download" / "model.safetensors.metadata"
    )
    revision = (
        note.read_text().split()[0]
        if note.is_file()
        else "unknown (not downloaded by this program)"
    )
    record_property("revision", revision)
    print("revision", revision)
    ids = tokenizer.encode("Explain large language models in a single sentence.")
    text = tokenizer.decode(alone(model, ids, 30, stop_ids=tokenizer.stop_ids))
    expected = (
        " Large language models are artificial intelligence systems that can understand, generate, "
        "and process human language"
    )
    assert text.startswith(expected), f"revision {revision}: {text!r}"
