"""What sampling costs, and how often rounding changes a sample:
`python tests/measurements/measure_sampling.py`.

- top-p looks at a few of the largest logits first; beside it, the time of sorting the whole
  vocabulary
- a sample in a batch has the random numbers that it has alone, but its logits can differ in the
  last bit, as sums are ordered differently; in float64 no sample changes, as the tests demand; for
  float32 and bfloat16 this prints the rate
"""

import argparse
import time
from collections.abc import Callable
from statistics import median

import torch

from Appendixes.QWEN3Model import load_qwen3
from Appendixes.TinyQwen3.problems import test_set
from CH2.prompts import CHAIN_OF_THOUGHT, render
from CH4.inference_scaling import (
    sampler,
    self_consistency,
    self_consistency_many,
    temperature,
    top_p,
)

ROWS, VOCAB = 8, 151_936  # Qwen3's vocabulary


def measure_top_p(repetitions: int) -> None:
    """Print one line for each of several kinds of distribution, from peaked to flat."""
    generator = torch.Generator().manual_seed(0)
    uniform = torch.rand(ROWS, generator=generator, dtype=torch.float64)
    for spread in (6, 4, 3, 1):
        logits = torch.randn(ROWS, VOCAB, generator=generator) * spread
        kept = (top_p(0.9)(logits) > -torch.inf).sum(dim=-1)
        times = alternate(
            repetitions,
            lambda logits=logits: logits.sort(dim=-1, descending=True),
            lambda logits=logits: top_p(0.9)(logits),
            lambda logits=logits: sampler(temperature(0.8), top_p(0.9))(logits, uniform),
        )
        print(
            f"({ROWS}, {VOCAB}) logits of spread {spread}, nuclei of {kept.min()} to {kept.max()} tokens: a sort "
            f"{times[0]:.1f} ms, top_p(0.9) {times[1]:.1f} ms, temperature, top_p and drawing {times[2]:.1f} ms"
        )


def alternate(repetitions: int, *functions: Callable) -> list[float]:
    """Median milliseconds of each function, called in turn so that a busy machine slows all of
    them.
    """
    times = [[] for _ in functions]
    for _ in range(repetitions + 1):
        for function, measured in zip(functions, times, strict=True):
            start = time.perf_counter()
            function()
            measured.append(1000 * (time.perf_counter() - start))
    return [median(measured[1:]) for measured in times]  # the first call warms up


def measure_divergence(name: str, problems: int, num_samples: int, max_new_tokens: int) -> None:
    """Print one line for each dtype."""
    for dtype in (torch.float64, torch.float32, torch.bfloat16):
        model, tokenizer = load_qwen3(name, dtype=dtype)
        settings = {"max_new_tokens": max_new_tokens, "temperature": 0.8, "top_p": 0.9}
        prompts = [
            render(CHAIN_OF_THOUGHT, problem["problem"])
            for problem in test_set()[:: 500 // problems][:problems]
        ]
        together = self_consistency_many(
            model, tokenizer, enumerate(prompts), num_samples, **settings, max_concurrent=64
        )
        different = 0
        for number, consensus in together:
            alone = self_consistency(
                model, tokenizer, prompts[number], num_samples, **settings, max_concurrent=1
            )
            pairs = zip(consensus.samples, alone.samples, strict=True)
            different += sum(in_batch.text != by_itself.text for in_batch, by_itself in pairs)
        drawn = problems * num_samples
        print(
            f"{dtype!s:15s} {different} of {drawn} samples differ between a batch of {min(drawn, 64)} and alone"
        )


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="tiny", help="'tiny', a folder, or a name on the Hub")
    parser.add_argument("--problems", type=int, default=16, help="of the 500 test problems")
    parser.add_argument("--samples", type=int, default=4, help="for each problem")
    parser.add_argument("--tokens", type=int, default=200, help="new tokens at most")
    parser.add_argument(
        "--repetitions", type=int, default=7, help="of each timing; medians are printed"
    )
    arguments = parser.parse_args()
    measure_top_p(arguments.repetitions)
    measure_divergence(arguments.model, arguments.problems, arguments.samples, arguments.tokens)


if __name__ == "__main__":
    main()
