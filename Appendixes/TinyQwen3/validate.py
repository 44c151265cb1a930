"""How good is a checkpoint on the 500 test problems? Greedy, direct and with steps, by level and by subject.

    python -m Appendixes.TinyQwen3.validate

An answer counts if the text in its last box is exactly the reference: the generator writes each answer in one form.
"""

import argparse
import json
import time
from pathlib import Path

import torch

from Appendixes.QWEN3Model import load_qwen3
from Appendixes.TinyQwen3.problems import test_set
from CH2.continuous_batching import ContinuousBatching
from CH3.prompts import CHAIN_OF_THOUGHT, DIRECT, render

PROMPTS = {"direct": DIRECT, "chain of thought": CHAIN_OF_THOUGHT}
MAX_NEW_TOKENS = 300


def last_box(text: str) -> str | None:
    r"""What stands in the last `\boxed{...}`, or None.

    >>> last_box(r"so \boxed{\frac{1}{2}}")
    '\\frac{1}{2}'
    """
    start = text.rfind("\\boxed{")
    if start < 0:
        return None
    depth = 0
    for end in range(start + len("\\boxed"), len(text)):
        depth += {"{": 1, "}": -1}.get(text[end], 0)
        if depth == 0:
            return text[start + len("\\boxed{") : end]
    return None


def answers(model, tokenizer, template: str, problems: list[dict], batch: int = 64) -> tuple[list[str], int]:
    """Greedy answers to all problems, `batch` rows at a time, and how many tokens they took."""
    batching = ContinuousBatching(model, max_rows=batch, stop_ids=tokenizer.stop_ids)
    prompts = [tokenizer.encode(render(template, one["problem"])) for one in problems]
    tasks = [batching.submit(ids, MAX_NEW_TOKENS) for ids in prompts]
    while batching:
        batching.step()
    return [tokenizer.decode(task.row.tokens) for task in tasks], sum(len(task.row.logprobs) for task in tasks)


def wilson_interval(hits: int, total: int, z: float = 1.96) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson, 1927).

    >>> [round(bound, 3) for bound in wilson_interval(8, 10)]
    [0.49, 0.943]
    """
    share = hits / total
    centre = share + z * z / (2 * total)
    spread = z * (share * (1 - share) / total + z * z / (4 * total * total)) ** 0.5
    return (centre - spread) / (1 + z * z / total), (centre + spread) / (1 + z * z / total)


def report(problems: list[dict], texts: list[str]) -> dict:
    """Accuracy with its interval, share of boxed answers, accuracy by level and by subject."""
    boxes = [last_box(text) for text in texts]
    right = [box == problem["answer"] for box, problem in zip(boxes, problems, strict=True)]

    def share_by(name: str) -> dict:
        groups: dict = {}
        for problem, hit in zip(problems, right, strict=True):
            groups.setdefault(problem[name], []).append(hit)
        return {key: sum(hits) / len(hits) for key, hits in sorted(groups.items())}

    low, high = wilson_interval(sum(right), len(right))
    return {
        "accuracy": sum(right) / len(right),
        "interval": (low, high),
        "boxed": sum(box is not None for box in boxes) / len(boxes),
        "level": share_by("level"),
        "subject": share_by("subject"),
    }


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="tiny", help="'tiny', or a folder such as build/tiny")
    parser.add_argument("--limit", type=int, default=500, help="how many of the test problems")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the numbers to this file")
    arguments = parser.parse_args()
    model, tokenizer = load_qwen3(arguments.model)
    problems = test_set()[: arguments.limit]
    results = {}
    for name, template in PROMPTS.items():
        started = time.perf_counter()
        texts, tokens = answers(model, tokenizer, template, problems)
        seconds = time.perf_counter() - started
        results[name] = result = report(problems, texts)
        low, high = result["interval"]
        print(f"{name:18s} {result['accuracy']:6.1%}  (95 % interval {low:.1%} to {high:.1%})", end="")
        print(f"   boxed {result['boxed']:.1%}   {tokens / seconds:,.0f} tokens/s in batches of 64")
        print("   by level    " + "  ".join(f"{level}: {share:.0%}" for level, share in result["level"].items()))
        for subject, share in result["subject"].items():
            print(f"   {subject:28s} {share:4.0%}")
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, {next(model.parameters()).device}")


if __name__ == "__main__":
    main()
