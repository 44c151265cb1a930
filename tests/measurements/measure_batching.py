"""Count how often a text in a batch differs from the same text alone.

    python tests/measurements/measure_batching.py

Sums are ordered differently for different batch sizes, so logits differ in the last bit; where two
tokens nearly tie, the texts part. In float64 that does not happen, and the tests demand it; for
float32 and bfloat16 this prints the rate."""

import argparse

import torch

from Appendixes.QWEN3Model import load_qwen3
from Appendixes.TinyQwen3.problems import test_set
from CH2.generation import generate, generate_batch
from CH2.prompts import CHAIN_OF_THOUGHT, render


def main() -> None:
    """Print one line per dtype."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="tiny", help="'tiny', a folder, or a name on the Hub")
    parser.add_argument("--prompts", type=int, default=64, help="how many of the 500 test problems")
    parser.add_argument("--tokens", type=int, default=200, help="new tokens at most")
    arguments = parser.parse_args()
    for dtype in (torch.float64, torch.float32, torch.bfloat16):
        model, tokenizer = load_qwen3(arguments.model, dtype=dtype)
        device = next(model.parameters()).device
        texts = [
            render(CHAIN_OF_THOUGHT, problem["problem"])
            for problem in test_set()[: arguments.prompts]
        ]
        prompts = [tokenizer.encode(text) for text in texts]
        options = {"max_new_tokens": arguments.tokens, "stop_ids": tokenizer.stop_ids}
        together = generate_batch(model, prompts, **options)
        alone = [
            list(generate(model, torch.tensor([ids], device=device), **options)) for ids in prompts
        ]
        different = sum(a != b for a, b in zip(together, alone, strict=True))
        print(
            f"{dtype!s:15s} {different} of {len(prompts)} texts differ between "
            f"a batch of {len(prompts)} and alone"
        )


if __name__ == "__main__":
    main()
