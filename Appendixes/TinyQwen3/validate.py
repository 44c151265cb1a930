"""How good is a checkpoint on the 500 test problems? Greedy, direct and with steps, by level and by
subject.

    python -m Appendixes.TinyQwen3.validate

An answer counts if the text in its last box is exactly the reference: the generator writes each
answer in one form."""

import argparse
import json
import time
from pathlib import Path

import torch

from Appendixes.QWEN3Model import Qwen3Model, load_qwen3
from Appendixes.QWEN3Tokenizer import Qwen3Tokenizer
from Appendixes.TinyQwen3.problems import test_set
from CH2.prompts import CHAIN_OF_THOUGHT, DIRECT
from CH3.evaluation.answers import model_answers
from CH3.evaluation.report import Share, accuracy_by
from CH3.math_verifier import last_box

PROMPTS = {"direct": DIRECT, "chain of thought": CHAIN_OF_THOUGHT}
MAX_NEW_TOKENS = 300


def answers(
    model: Qwen3Model,
    tokenizer: Qwen3Tokenizer,
    template: str,
    problems: list[dict],
    batch: int = 64,
) -> tuple[list[str], int]:
    """Greedy answers to all problems, `batch` rows at a time, and how many tokens they took."""
    answer_fn = model_answers(
        model, tokenizer, template, max_new_tokens=MAX_NEW_TOKENS, batch=batch
    )
    finished = {answer.problem["unique_id"]: answer for answer in answer_fn(iter(problems))}
    texts = [finished[problem["unique_id"]].text for problem in problems]
    return texts, sum(answer.tokens for answer in finished.values())


def report(problems: list[dict], texts: list[str]) -> dict:
    """Accuracy with its interval, share of boxed answers, accuracy by level and by subject."""
    boxes = [last_box(text) for text in texts]
    graded = [
        {**one, "correct": box == one["answer"]} for one, box in zip(problems, boxes, strict=True)
    ]
    accuracy = Share.of(one["correct"] for one in graded)
    return {
        "accuracy": accuracy.value,
        "interval": accuracy.interval,
        "boxed": Share.of(box is not None for box in boxes).value,
        "level": {level: share.value for level, share in accuracy_by("level", graded).items()},
        "subject": {
            subject: share.value for subject, share in accuracy_by("subject", graded).items()
        },
    }


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="tiny", help="'tiny', or a folder such as build/tiny")
    parser.add_argument("--limit", type=int, default=500, help="how many of the test problems")
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="also write the numbers to this file"
    )
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
        print(
            f"{name:18s} {result['accuracy']:6.1%}  (95 % interval {low:.1%} to {high:.1%})", end=""
        )
        print(f"   boxed {result['boxed']:.1%}   {tokens / seconds:,.0f} tokens/s in batches of 64")
        print(
            "   by level    "
            + "  ".join(f"{level}: {share:.0%}" for level, share in result["level"].items())
        )
        for subject, share in result["subject"].items():
            print(f"   {subject:28s} {share:4.0%}")
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    print(
        f"torch {torch.__version__}, {torch.get_num_threads()} threads, {next(model.parameters()).device}"
    )


if __name__ == "__main__":
    main()
