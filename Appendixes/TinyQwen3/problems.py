"""Generated mathematics problems with worked solutions, to train and to test the tiny model.

    python -m Appendixes.TinyQwen3.problems                 a sample of each family and level
    python -m Appendixes.TinyQwen3.problems --write FILE    the test set, as JSON
    python -m Appendixes.TinyQwen3.problems --facts FILE    all one-digit questions, as JSON

- training and test problems are disjoint by construction: a problem's key is made of its family and
  parameters, not of its wording or method, and a hash of the key decides which side it is on
- sums, differences and products of two digits are the exception: they are tables, learnt by heart;
  all of them are trained on, and the test set has none
- `CH3/arithmetic500_test.json` is the test set
"""

import argparse
from dataclasses import dataclass
from hashlib import blake2b
from itertools import product
from pathlib import Path
from random import Random

from Appendixes.command_line import run_main, write_json

from .families import FAMILIES
from .families.arithmetic import QUESTIONS, fact_value, one_digit_fact

LEVELS = (1, 2, 3, 4, 5)
TEST_SHARE = 12  # one key in 12 belongs to the test split
TEST_SEED = 20250
FACT = "one_digit_fact"
_NAMES = tuple(FAMILIES)


@dataclass(frozen=True)
class Problem:
    r"""A problem with its worked solution, whose last line is `\boxed{answer}`."""

    family: str
    subject: str
    level: int
    key: str
    problem: str
    solution: str
    answer: str


def split_of(key: str) -> str:
    """Return the split that a key belongs to, "train" or "test"."""
    digest = blake2b(key.encode(), digest_size=8).digest()
    return "test" if int.from_bytes(digest, "big") % TEST_SHARE == 0 else "train"


def sample_problem(
    rng: Random, split: str, family: str | None = None, level: int | None = None
) -> Problem:
    """Draw a problem of one split; family and level are drawn evenly unless they are given.

    Raises:
        ValueError: there is no such split, family or level.
    """
    if split not in ("train", "test"):
        raise ValueError(f'split is {split!r}; expected "train" or "test"')
    if family is not None and family not in FAMILIES:
        raise ValueError(f"family is {family!r}; expected one of {', '.join(_NAMES)}")
    if level is not None and level not in LEVELS:
        raise ValueError(f"level is {level!r}; expected 1 to 5")
    name = family if family is not None else _NAMES[int(rng.random() * len(_NAMES))]
    grade = level if level is not None else 1 + int(rng.random() * 5)
    subject, draft = FAMILIES[name]
    while True:
        parameters, text, lines, answer = draft(rng, grade)
        key = f"{name}:{'|'.join(map(str, parameters))}"
        if split_of(key) == split:
            solution = "\n".join(lines) + f"\n\\boxed{{{answer}}}"
            return Problem(name, subject, grade, key, text, solution, answer)


def test_set(size: int = 500, seed: int = TEST_SEED) -> list[dict]:
    """List distinct test problems with MATH-500's fields, even over levels and families."""
    rng, seen, rows = Random(seed), set(), []
    for i in range(size):
        level, name = LEVELS[i % 5], _NAMES[i // 5 % len(_NAMES)]
        problem = sample_problem(rng, "test", name, level)
        while problem.key in seen:
            problem = sample_problem(rng, "test", name, level)
        seen.add(problem.key)
        folder = problem.subject.lower().replace(" ", "_")
        rows.append(
            {
                "problem": problem.problem,
                "solution": problem.solution,
                "answer": problem.answer,
                "subject": problem.subject,
                "level": level,
                "unique_id": f"test/{folder}/{name}/{i}.json",
            }
        )
    return rows


def sample_fact(rng: Random) -> Problem:
    """Draw a sum, difference, product or quotient of two digits, of which all are trained on."""
    parameters, text, lines, answer = one_digit_fact(rng)
    key = f"{FACT}:{'|'.join(map(str, parameters))}"
    solution = "\n".join(lines) + f"\n\\boxed{{{answer}}}"
    return Problem(FACT, "Arithmetic", 1, key, text, solution, answer)


def fact_set() -> list[dict]:
    """List each sum, difference and product of two digits, 300 in all, in each of six wordings."""
    rows = []
    for first, sign, second in product(range(10), "+-*", range(10)):
        expression, value = f"{first} {sign} {second}", fact_value(first, sign, second)
        for wording, question in enumerate(QUESTIONS):
            rows.append(
                {
                    "problem": question.format(expression),
                    "solution": f"{expression} = {value}\n\\boxed{{{value}}}",
                    "answer": str(value),
                    "subject": "Arithmetic",
                    "level": 1,
                    "unique_id": f"train/arithmetic/{FACT}/{expression}/{wording}.json",
                }
            )
    return rows


test_set.__test__ = False  # type: ignore[attr-defined]  # pytest: not a test, despite its name


def main() -> None:
    """Write the sets that were asked for, or print one sample of every family and level."""
    parser = argparse.ArgumentParser(description="Mathematics problems with worked solutions.")
    parser.add_argument(
        "--write", type=Path, metavar="FILE", help="write the test set to this JSON file"
    )
    parser.add_argument(
        "--facts", type=Path, metavar="FILE", help="write the one-digit questions to this JSON file"
    )
    arguments = parser.parse_args()
    if arguments.write is not None:
        write_json(arguments.write, test_set(), indent=1)
    if arguments.facts is not None:
        write_json(arguments.facts, fact_set(), indent=1)
    if arguments.write is not None or arguments.facts is not None:
        return
    rng = Random(0)
    for name in _NAMES:
        for level in LEVELS:
            sample = sample_problem(rng, "train", name, level)
            print(f"--- {sample.subject}: {name}, level {level}")
            print(f"{sample.problem}\n{sample.solution}\n")


if __name__ == "__main__":
    run_main(main)
