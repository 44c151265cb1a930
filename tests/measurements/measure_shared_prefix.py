"""Measure how much faster samples are that share a batch and one prefill.

    python tests/measurements/measure_shared_prefix.py

Samples of one prompt are drawn from a model with random weights: all in one batch that shares the
prompt; one after another, so that each reads the prompt again; and one after another with the
book's package, if it is installed (`pip install --no-deps reasoning-from-scratch==0.2.0`). Tokens
per second and ratios are printed, medians of several rounds.
"""

import argparse
import time
from collections.abc import Callable
from importlib.util import find_spec
from statistics import median

import torch

from Appendixes.QWEN3Model import Qwen3Model
from CH2.benchmark.random_models import SHAPES, random_model, shape_config
from CH2.packed_weights import join_projections, pack_weights
from CH4.inference_scaling import self_consistency

TEMPERATURE, TOP_P = 0.8, 0.9


class NoTokenizer:
    """A tokenizer for random weights, whose tokens are counted and not read; no token stops."""

    stop_ids = ()

    def decode(self, ids: list[int]) -> str:
        """Return no text."""
        return ""


def in_one_batch(
    model: Qwen3Model, prompt: list[int], num_samples: int, tokens: int, seed: int = 0
) -> int:
    """Draw the samples; return the number of tokens drawn."""
    settings = {"temperature": TEMPERATURE, "top_p": TOP_P, "max_new_tokens": tokens, "seed": seed}
    return self_consistency(model, NoTokenizer(), prompt, num_samples, **settings).tokens


def one_by_one(model: Qwen3Model, prompt: list[int], num_samples: int, tokens: int) -> int:
    """Draw the samples; return the number of tokens drawn."""
    return sum(in_one_batch(model, prompt, 1, tokens, seed) for seed in range(num_samples))


def book_model(shape: str, dtype: torch.dtype):
    """Return the book's model of the same shape, and its fourth chapter's sampling function."""
    from reasoning_from_scratch.ch04 import generate_text_top_p_stream_cache
    from reasoning_from_scratch.qwen3 import Qwen3Model as BookModel

    config = shape_config(shape)
    settings = {
        "vocab_size": config.vocab_size, "context_length": config.max_position_embeddings,
        "emb_dim": config.hidden_size, "hidden_dim": config.intermediate_size,
        "n_layers": config.num_hidden_layers, "n_heads": config.num_attention_heads,
        "n_kv_groups": config.num_key_value_heads, "head_dim": config.head_dim,
        "qk_norm": True, "rope_base": config.rope_theta, "dtype": dtype,
    }  # fmt: skip
    return BookModel(settings).eval(), generate_text_top_p_stream_cache


def by_the_book(book, prompt: list[int], num_samples: int, tokens: int) -> int:
    """Draw the samples; return the number of tokens drawn."""
    model, stream = book
    ids = torch.tensor([prompt])
    return sum(
        len(list(stream(model, ids, tokens, temperature=TEMPERATURE, top_p=TOP_P)))
        for _ in range(num_samples)
    )


def speeds(rounds: int, ways: dict[str, Callable[[], int]]) -> dict[str, float]:
    """Return each way's median tokens per second; in turn, so that load slows all alike."""
    measured = {name: [] for name in ways}
    for _ in range(rounds):
        for name, draw in ways.items():
            start = time.perf_counter()
            tokens = draw()
            measured[name].append(tokens / (time.perf_counter() - start))
    return {name: median(values) for name, values in measured.items()}


def main() -> None:
    """Print one line per way to draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shape", choices=SHAPES, default="0.6B")
    parser.add_argument("--dtype", choices=("bfloat16", "float32"), default="bfloat16")
    parser.add_argument("--samples", type=int, default=8)
    parser.add_argument("--prompt-tokens", type=int, default=128)
    parser.add_argument("--tokens", type=int, default=64, help="new tokens of each sample")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    dtype = getattr(torch, arguments.dtype)
    model = pack_weights(join_projections(random_model(arguments.shape, dtype)), "half")
    prompt = torch.randint(model.config.vocab_size, (arguments.prompt_tokens,)).tolist()
    drawing = (prompt, arguments.samples, arguments.tokens)
    in_one_batch(model, prompt, 2, 2)  # warm up
    ways = {
        "in one batch": lambda: in_one_batch(model, *drawing),
        "one by one": lambda: one_by_one(model, *drawing),
    }
    if find_spec("reasoning_from_scratch"):
        book = book_model(arguments.shape, dtype)
        ways["by the book, one by one"] = lambda: by_the_book(book, *drawing)
    else:
        print(
            "the book's package is not installed, so it is left out: "
            "pip install --no-deps reasoning-from-scratch==0.2.0"
        )
    measured = speeds(arguments.rounds, ways)
    print(
        f"{arguments.samples} samples of {arguments.tokens} tokens after "
        f"{arguments.prompt_tokens}, shape {arguments.shape}, {arguments.dtype}, "
        f"{torch.get_num_threads()} threads"
    )
    for name, speed in measured.items():
        ratio = measured["in one batch"] / speed
        print(f"{name:25s} {speed:8.1f} tokens/s; the batch is {ratio:.2f} times as fast")


if __name__ == "__main__":
    main()
