"""Deterministic mathematics problems with worked solutions, for training and testing the tiny
model.

Training and test problems are disjoint by construction: every problem has a key, made of its family
and parameters and not of its wording or method, and a hash of the key alone decides which side it
is on.

    python -m Appendixes.TinyQwen3.problems                                     one sample a family
    and level python -m Appendixes.TinyQwen3.problems --write CH3/arithmetic500_test.json   the test
    set
"""

import argparse
import json
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from random import Random

from .families import FAMILIES

LEVELS = (1, 2, 3, 4, 5)
TEST_SHARE = 12  # one key in this many belongs to the test split
TEST_SEED = 20250
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
    """The split, "train" or "test", that a key belongs to."""
    digest = blake2b(key.encode(), digest_size=8).digest()
    return "test" if int.from_bytes(digest, "big") % TEST_SHARE == 0 else "train"


def sample_problem(
    rng: Random, split: str, family: str | None = None, level: int | None = None
) -> Problem:
    """Draw a problem of one split; family and level are drawn evenly unless they are given.

    Raises ValueError if the split, family or level does not exist.
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
    """A list of distinct test problems in MATH-500's schema, levels and families as even as
    possible.
    """
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


test_set.__test__ = False  # type: ignore[attr-defined]  # pytest: not a test, despite its name


def main() -> None:
    """Write the test set, or print one sample of every family and level."""
    parser = argparse.ArgumentParser(description="Mathematics problems with worked solutions.")
    parser.add_argument(
        "--write", type=Path, metavar="FILE", help="write the test set to this JSON file"
    )
    path = parser.parse_args().write
    if path is not None:
        path.write_text(json.dumps(test_set(), indent=1) + "\n", encoding="ascii")
        return
    rng = Random(0)
    for name in _NAMES:
        for level in LEVELS:
            sample = sample_problem(rng, "train", name, level)
            print(
                f"--- {sample.subject}: {name}, level {level}\n{sample.problem}\n{sample.solution}\n"
            )


if __name__ == "__main__":
    main()
