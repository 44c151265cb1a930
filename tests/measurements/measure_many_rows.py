"""Measure the time of thousands of texts at once, and of one long prompt among short ones.

    python tests/measurements/measure_many_rows.py

On a model of toy size, so that what is timed is the bookkeeping around it. The time of twice the
rows should be twice the time; a batch with a long prompt should take what its texts take alone.
Seconds of a processor are printed, not of the clock: other work on the machine counts little.
"""

import argparse
import random
import time
from collections.abc import Callable

import torch

from Appendixes.demonstration import randomise
from Appendixes.QWEN3Model import Qwen3Config, Qwen3Model
from CH2.continuous_batching import ContinuousBatching
from CH2.generation import generate, generate_batch

VOCAB = 50
NEW_TOKENS = 4


def toy_model(context: int) -> Qwen3Model:
    """Make a model of two narrow layers with random weights."""
    config = Qwen3Config(
        vocab_size=VOCAB,
        hidden_size=16,
        intermediate_size=24,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=8,
        max_position_embeddings=context,
    )
    model = Qwen3Model(config).eval().requires_grad_(False)
    randomise(model, torch.Generator().manual_seed(0), std=0.3)
    return model


def seconds(function: Callable[[], object]) -> float:
    """Return the processor seconds that a call takes."""
    start = time.process_time()
    function()
    return time.process_time() - start


def by_queue(model: Qwen3Model, prompts: list[list[int]], max_concurrent: int) -> None:
    """Write all texts by continuous batching."""
    batching = ContinuousBatching(model, max_concurrent=max_concurrent)
    for prompt in prompts:
        batching.submit(prompt, NEW_TOKENS)
    while batching:
        batching.step()


def measure_rows(model: Qwen3Model, most: int) -> None:
    """Print one line per way to write and number of rows."""
    ways: dict[str, Callable[[list[list[int]]], object]] = {
        "generate_batch": lambda prompts: generate_batch(model, prompts, NEW_TOKENS),
        "generate_batch, half of the tokens end a text": lambda prompts: generate_batch(
            model, prompts, 4 * NEW_TOKENS, stop_ids=range(VOCAB // 2)
        ),
        "continuous batching, 64 at a time": lambda prompts: by_queue(model, prompts, 64),
        "continuous batching, all at a time": lambda prompts: by_queue(
            model, prompts, len(prompts)
        ),
    }
    rng = random.Random(0)
    for way, write in ways.items():
        write([[1, 2, 3, 4]] * 8)  # warms up
        for rows in (most // 4, most // 2, most):
            prompts = [[rng.randrange(VOCAB) for _ in range(4)] for _ in range(rows)]
            taken = seconds(lambda write=write, prompts=prompts: write(prompts))
            print(
                f"{rows:6,} texts of 4 + {NEW_TOKENS} tokens by {way}: {taken:.2f} s, "
                f"{1000 * taken / rows:.2f} ms per text",
                flush=True,
            )


def measure_long_prompt(model: Qwen3Model, length: int) -> None:
    """Print the times of 32 short prompts and a long one: alone, and together."""
    prompts = [[1]] * 32 + [[number % VOCAB for number in range(length)]]

    def alone() -> None:
        for prompt in prompts:
            list(generate(model, torch.tensor([prompt]), NEW_TOKENS))

    times = {
        "one after another": seconds(alone),
        "by generate_batch": seconds(lambda: generate_batch(model, prompts, NEW_TOKENS)),
        "by continuous batching": seconds(lambda: by_queue(model, prompts, 64)),
    }
    for way, taken in times.items():
        print(f"a prompt of {length:,} tokens and 32 of one, {way}: {taken:.2f} s")


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=4096, help="the largest number of texts")
    parser.add_argument("--long", type=int, default=3000, help="tokens of the long prompt")
    arguments = parser.parse_args()
    model = toy_model(arguments.long + 100)
    measure_long_prompt(model, arguments.long)
    measure_rows(model, arguments.rows)


if __name__ == "__main__":
    main()
