"""The graders that are compared, each behind the same two functions."""

import importlib
import importlib.util
import sys
from collections.abc import Callable
from typing import NamedTuple

from CH3.math_verifier import extract_answer, grade_answer


class Grader(NamedTuple):
    """A package's grader behind one signature.

    Attributes:
        name: the column's title.
        grade: `(predicted, reference) -> bool`, on answers; the package's own parsing included.
        grade_text: the same on a whole generated text; the package's own extraction included.
    """

    name: str
    grade: Callable[[str, str], bool]
    grade_text: Callable[[str, str], bool]


def our_grader() -> Grader:
    """Return the verifier of this chapter."""
    return Grader(
        "ours", grade_answer, lambda text, reference: grade_answer(extract_answer(text), reference)
    )


def book_grader() -> Grader:
    """Return the book's grader, called as its chapter 3 calls it."""
    book = importlib.import_module("reasoning_from_scratch.ch03")

    def grade_text(text: str, reference: str) -> bool:
        return book.grade_answer(book.extract_final_candidate(text), reference)

    return Grader("reasoning-from-scratch", book.grade_answer, grade_text)


def math_verify_grader() -> Grader:
    """Return Math-Verify, called as its README says: LaTeX in a mathematics environment, the
    reference first.

    Both sides are parsed with the package's default targets, LaTeX and plain expressions, and its
    default timers.
    """
    package = importlib.import_module("math_verify")

    def grade_text(text: str, reference: str) -> bool:
        return package.verify(package.parse(f"${reference}$"), package.parse(text))

    def grade(predicted: str, reference: str) -> bool:
        return grade_text(f"${predicted}$", reference)

    return Grader("math-verify", grade, grade_text)


PEERS = {
    "reasoning_from_scratch": (book_grader, "pip install --no-deps reasoning-from-scratch==0.2.0"),
    "math_verify": (math_verify_grader, "pip install 'math-verify[antlr4_13_2]'"),
}


def installed_graders() -> list[Grader]:
    """Return ours and every peer that is installed; for the others, print how to install them."""
    graders = [our_grader()]
    for module, (make, install) in PEERS.items():
        if importlib.util.find_spec(module):
            graders.append(make())
        else:
            print(
                f"{module} is not installed and left out; to compare with it: {install}",
                file=sys.stderr,
            )
    for grader in graders:
        # pays for imports and tables, once for all processes
        grader.grade_text("The answer is $\\boxed{1}$.", "2")
    return graders
