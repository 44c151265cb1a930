r"""Countdown: make a number from given ones, each used once; the world of the thinking checkpoint.

    python -m Appendixes.TinyQwen3.countdown                 a problem of each kind, with a thought
    python -m Appendixes.TinyQwen3.countdown --write FILE    the test set, as JSON

- the field's toy for search and reasoning (Gandhi et al., 2024, "Stream of Search",
  https://arxiv.org/abs/2404.03683)
- a thought is a search, a line per try: `25 - 7 = 18, 3: + 21 * 54 yes` says that 25 - 7 leaves 18
  and 3, that their sum is 21 and their product 54, and that 54 fits. The last two numbers are
  added and multiplied if the larger is not above the target; if it is, subtracted and divided. With
  four numbers, a line without a colon opens the tries with the three that are left; when all have
  failed, an empty line turns back to the four. The pairs are tried in random order, each with +,
  -, * and / in this order
- no number on the way is above 99, negative, zero or a fraction
"""

import argparse
from collections.abc import Iterable
from functools import cache
from itertools import chain, combinations
from pathlib import Path
from random import Random
from typing import NamedTuple

from Appendixes.command_line import run_main, write_json
from Appendixes.QWEN3Tokenizer import Qwen3Tokenizer
from Appendixes.TinyQwen3.data import Document
from Appendixes.TinyQwen3.problems import split_of

LIMIT = 99  # largest number on the way to a target
LARGEST = {3: 25, 4: 12}  # largest given number, by how many are given; the smallest is 2
SUBJECTS = {3: "three numbers", 4: "four numbers"}
BRANCHES = 3  # continuations of each training problem
CUT_SHARE = 0.3  # share of thoughts that are cut off
FORESIGHT = 0.3  # largest; see `search`
END_OF_THOUGHT = "\n</think>\n\n"
TEST_SEED = 20260

Values = tuple[int, ...]  # from the largest to the smallest


class Term(NamedTuple):
    """A number, and the expression that made it."""

    value: int
    text: str


class Puzzle(NamedTuple):
    """A target, and the numbers to make it from, in the order in which they are shown."""

    numbers: Values
    target: int

    def question(self) -> str:
        """Return the problem's text."""
        *first, last = map(str, self.numbers)
        given = f"{', '.join(first)} and {last}"
        return f"Write {self.target} with {given}, each number once, and + - * /."


def results(x: int, y: int) -> list[tuple[str, int]]:
    """List the operations that x >= y allow, each with its result."""
    quotient = x // y if x % y == 0 and y > 1 else 0
    made = [("+", x + y), ("-", x - y), ("*", x * y), ("/", quotient)]
    return [(operation, value) for operation, value in made if 0 < value <= LIMIT]


class Move(NamedTuple):
    """A step: two of the numbers that are left become one, the others stay."""

    x: int
    operation: str
    y: int
    value: int
    others: Values

    def left(self) -> Values:
        """Return the numbers that are left after the step."""
        return ordered((self.value, *self.others))


def moves(values: Values) -> list[Move]:
    """List each possible first step once."""
    found: dict[Move, None] = {}  # a set that keeps its order
    for i, j in combinations(range(len(values)), 2):
        others = tuple(v for k, v in enumerate(values) if k not in (i, j))
        for operation, value in results(values[i], values[j]):
            found[Move(values[i], operation, values[j], value, others)] = None
    return list(found)


@cache
def chances(values: Values, target: int) -> float:
    """Compute the probability that steps drawn at random make the target."""
    if len(values) == 1:
        return float(values[0] == target)
    after = [chances(move.left(), target) for move in moves(values)]
    return sum(after) / len(after) if after else 0.0


@cache
def sums(values: Values) -> frozenset[int]:
    """Compute the absolute values of all sums of the numbers with signs."""
    if not values:
        return frozenset((0,))
    rest = sums(values[1:])
    return frozenset(abs(r + sign * values[0]) for r in rest for sign in (1, -1))


def ordered(values: Values) -> Values:
    """Sort numbers from the largest to the smallest."""
    return tuple(sorted(values, reverse=True))


def sample_puzzle(rng: Random, split: str, count: int) -> Puzzle:
    """Draw a puzzle of `count` numbers; + and - alone never solve one of three numbers."""
    while True:
        numbers = tuple(rng.randint(2, LARGEST[count]) for _ in range(count))
        left = given = ordered(numbers)
        while len(left) > 1:
            steps = moves(left)
            left = steps[int(rng.random() * len(steps))].left()
        target = left[0]
        easy = target < 10 or target in given or (count == 3 and target in sums(given))
        if not easy and split_of(f"countdown:{given}={target}") == split:
            return Puzzle(numbers, target)


def search(
    rng: Random, terms: list[Term], target: int, foresight: float, lines: list[str]
) -> str | None:
    """Try the pairs in random order, each with all its operations, until one makes the target.

    Args:
        rng: decides the order.
        terms: the numbers that are left.
        target: the number to make.
        foresight: 0: each order is as likely; 1: pairs that lead to the target come first.
        lines: the thought so far, which is extended.

    Returns:
        The expression that makes the target; None if there is none.
    """
    terms = sorted(terms, key=lambda term: term.value, reverse=True)
    # 1. Draw the order of the pairs.
    pairs: dict[Values, list[Move]] = {}
    for move in moves(tuple(term.value for term in terms)):
        pairs.setdefault((move.x, move.y), []).append(move)

    def place(one: Iterable[Move]) -> float:
        fits = any(chances(move.left(), target) > 0 for move in one)
        return rng.random() - foresight * fits

    for move in chain.from_iterable(sorted(pairs.values(), key=place)):
        # 2. Take the step: its two terms become one.
        left = list(terms)
        a = left.pop(next(i for i, term in enumerate(left) if term.value == move.x))
        b = left.pop(next(i for i, term in enumerate(left) if term.value == move.y))
        left.append(Term(move.value, f"({a.text} {move.operation} {b.text})"))
        after = ", ".join(map(str, (move.value, *move.others)))
        line = f"{move.x} {move.operation} {move.y} = {after}"
        # 3. With three left, search on; with two, write what they make.
        if len(left) > 2:
            lines.append(f"\n{line}" if lines else line)
            found = search(rng, left, target, foresight, lines)
        else:
            tries, found = last_tries(left, target)
            lines.append(f"{line}:{tries}")
        if found:
            return found
    return None


def last_tries(left: list[Term], target: int) -> tuple[str, str | None]:
    """Write what two terms make: the larger one up to the target, +, *; above it, -, /."""
    a, b = sorted(left, key=lambda term: term.value, reverse=True)
    text = ""
    for operation, value in results(a.value, b.value):
        if operation in ("+*" if a.value <= target else "-/"):
            text += f" {operation} {value}"
            if value == target:
                return f"{text} yes", f"{a.text} {operation} {b.text}"
    return text, None


def think(rng: Random, puzzle: Puzzle, foresight: float) -> tuple[str, str]:
    """Write a thought that ends when it has made the target, and the expression that it found."""
    lines: list[str] = []
    terms = [Term(number, str(number)) for number in puzzle.numbers]
    expression = search(rng, terms, puzzle.target, foresight, lines)
    if expression is None:
        raise ValueError(f"{puzzle.target} cannot be made from {puzzle.numbers} within {LIMIT}")
    return "\n".join(lines), expression


def countdown_document(rng: Random, tokenizer: Qwen3Tokenizer, direct_share: float) -> Document:
    """Draw a training document: a problem in Qwen3's chat template, continued in several ways.

    Each branch has a thought, an empty one (with the probability `direct_share`), or one that is
    cut off: its tokens are learnt, but not that it ends there, and then the answer.
    """

    def encode(text: str) -> list[int]:
        return tokenizer.encode(text, allow_special=True)

    puzzle = sample_puzzle(rng, "train", 3 if rng.random() < 0.5 else 4)
    prompt = tokenizer.encode_chat([{"role": "user", "content": puzzle.question()}])
    branches = []
    for _ in range(BRANCHES):
        thought, expression = think(rng, puzzle, FORESIGHT * rng.random())
        answer = [*encode(f"\\boxed{{{expression}}}"), tokenizer.token_id("<|im_end|>")]
        ids = encode(f"<think>\n{thought}")
        if rng.random() < direct_share:
            branches.append([(encode("<think>\n\n</think>\n\n"), False), (answer, True)])
        elif rng.random() < CUT_SHARE:
            kept = ids[: rng.randint(2, len(ids))]
            branches.append([(kept, True), (encode(END_OF_THOUGHT), False), (answer, True)])
        else:
            branches.append([(ids + encode(END_OF_THOUGHT) + answer, True)])
    return Document(prompt, branches)


def test_set(size: int = 500, seed: int = TEST_SEED) -> list[dict]:
    """List test problems, half with three numbers; levels are fifths, by the chance of a guess."""
    rng, rows = Random(seed), []
    for count, subject in SUBJECTS.items():
        puzzles: dict[tuple[Values, int], Puzzle] = {}
        while len(puzzles) < size // 2:
            puzzle = sample_puzzle(rng, "test", count)
            puzzles.setdefault((ordered(puzzle.numbers), puzzle.target), puzzle)
        easiest_first = sorted(puzzles, key=lambda key: -chances(*key))
        for number, key in enumerate(easiest_first):
            puzzle = puzzles[key]
            rows.append(
                {
                    "problem": puzzle.question(),
                    "solution": f"\\boxed{{{think(rng, puzzle, 1.0)[1]}}}",
                    "subject": subject,
                    "level": 1 + 5 * number // len(puzzles),
                    "unique_id": f"test/countdown/{subject.replace(' ', '_')}/{number}.json",
                    "numbers": list(puzzle.numbers),
                    "target": puzzle.target,
                }
            )
    return rows


test_set.__test__ = False  # type: ignore[attr-defined]  # pytest: not a test, despite its name


def main() -> None:
    """Write the test set, or print a problem of each kind with its thought."""
    parser = argparse.ArgumentParser(description="Countdown problems with thoughts.")
    parser.add_argument(
        "--write", type=Path, metavar="FILE", help="write the test set to this JSON file"
    )
    path = parser.parse_args().write
    if path is not None:
        write_json(path, test_set(), indent=1)
        return
    rng = Random(0)
    for count in SUBJECTS:
        puzzle = sample_puzzle(rng, "train", count)
        thought, expression = think(rng, puzzle, FORESIGHT)
        print(f"{puzzle.question()}\n<think>\n{thought}\n</think>\n\n\\boxed{{{expression}}}\n")


if __name__ == "__main__":
    run_main(main)
