r"""Is this answer the same as that one? By meaning, without ever running a text as code.

    grade_answer(r"\frac{1}{2}", "0.5")         True
    grade_answer(r"(-\infty, 0]", r"(-\infty, 0)")   False

- an answer is read (`CH3.math_verifier.parser`) and brought to a *key*, in which everything that
  spelling can change is gone: numbers are values, sets are unordered, an equation is what its two
  sides differ by
- some answers may be *read* in more than one way: `x = 5` as an equation and as its solution,
  `(2, 4)` as a point and as an interval, `50\%` as a half and as fifty. A grade is lenient: the key
  of one is among the readings of the other
- what cannot be read, or would cost too much, is compared as text; nothing is rounded and nothing
  raises
- expressions are compared by their values (`CH3.math_verifier.values`), exact ones first; there is
  no step that transforms them symbolically, as values at several places, in hundreds of digits,
  leave it nothing to decide
"""

import re
from collections.abc import Hashable
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property

from CH3.math_verifier.arithmetic import UndefinedError
from CH3.math_verifier.canonical import key_of
from CH3.math_verifier.extraction import extract_answer, last_box
from CH3.math_verifier.keys import Key, Reals, Text, Values, Word
from CH3.math_verifier.lexer import MAX_LENGTH, UnreadableError
from CH3.math_verifier.parser import Tree, parse, written
from CH3.math_verifier.readings import readings_of
from CH3.math_verifier.values import fingerprint, needs_whole, symbols

__all__ = [
    "Grade",
    "answer_key",
    "explain_grade",
    "extract_answer",
    "grade_answer",
    "last_box",
    "same_answer",
]

LETTERS = re.compile(r"[A-Za-z]{2,}(?: [A-Za-z]+)*")
# A number with a letter that may be a unit: `5 m^2`, as models write it without a command.
MEASURED = re.compile(
    r"""
    (-? (?: [\d.,]*\d | \d+/\d+ | \\[dt]?frac\{\d+\}\{\d+\} ))   # a number
    (?: \s | ~ | \\[ ,;:] )+                                     # a space: 5m is a product
    [msgL] (?: \^\{?[23]\}? | [²³] )?                            # metres, seconds, grams or litres; squared, cubed
    """,
    re.VERBOSE,
)


@dataclass(frozen=True)
class Grade:
    """A verdict and its reason.

    Attributes:
        correct: whether the answers are the same.
        rule: what decided.
        predicted, reference: how each was understood.
    """

    correct: bool
    rule: str
    predicted: str
    reference: str


def grade_answer(predicted: str | None, reference: str) -> bool:
    r"""Whether an answer means the same as the reference.

    Lenient in notation, strict in meaning. It never raises, and takes milliseconds whatever it is
    given.

    Args:
        predicted: a model's answer, as `extract_answer` gives it; None is no answer.
        reference: the right one.

    >>> grade_answer(r"x = \tfrac12", "0.5"), grade_answer("0.333", "1/3")
    (True, False)
    """
    return predicted is not None and _verdict(*_read(predicted, reference))[0]


def same_answer(first: str, second: str) -> bool:
    """Whether two answers are the same, as an equivalence: for counting votes.

    Stricter than `grade_answer`: an equation is not its solution here, though inequalities are what
    they say of any variable. `grade_answer` calls both `x = 5` and `y = 5` the same as `5`, so it
    cannot be transitive.

    >>> same_answer("1/2", "0.5"), same_answer("x = 5", "y = 5")
    (True, False)
    """
    return answer_key(first) == answer_key(second)


def answer_key(text: str) -> Hashable:
    """What all spellings of an answer have in common: two answers are the same if their keys are
    equal.
    """
    return Interpretation(text).key


def explain_grade(predicted: str | None, reference: str) -> Grade:
    """The verdict of `grade_answer`, with the rule that decided and how each side was understood."""
    if predicted is None:
        return Grade(False, "there is no answer", "nothing", str(Interpretation(reference)))
    first, second = _read(predicted, reference)
    return Grade(*_verdict(first, second), str(first), str(second))


def _read(predicted: str, reference: str) -> tuple["Interpretation", "Interpretation"]:
    """Both sides, with variables at places that depend on both texts: no answer can be right just
    there on purpose.
    """
    salt = "|".join(sorted((predicted[:MAX_LENGTH], reference[:MAX_LENGTH])))
    return Interpretation(predicted, salt), Interpretation(reference, salt)


def _verdict(first: "Interpretation", second: "Interpretation") -> tuple[bool, str]:
    if first.key == second.key:
        return True, first.key.reason
    for one, other in ((first, second), (second, first)):
        for reading, key in other.readings.items():
            if key == one.key and reading not in one.readings:  # 0.5% is not 50%
                return True, f"the same, if one is read as {reading}"
    if isinstance(first.key, Values) and first.key.agrees_with(second.key):
        return True, "the same values wherever both are defined"
    if first.needs_whole or second.needs_whole:
        whole = first.whole_key
        if isinstance(whole, Values) and whole.agrees_with(second.whole_key):
            return True, "the same values for whole numbers"
    kinds = first.key.kind, second.key.kind
    return False, f"a different {kinds[0]}" if kinds[0] == kinds[1] else " against ".join(kinds)


class Interpretation:
    """A text and what it means.

    Args:
        text: in LaTeX or plain notation.
        salt: see `CH3.math_verifier.values.places`.
    """

    def __init__(self, text: str, salt: str = ""):
        self.text, self.salt = text, salt

    def __str__(self) -> str:
        if self.tree is not None and symbols(self.tree) and not isinstance(self.key, (Reals, Word)):
            return written(self.tree)
        return str(self.key)

    @cached_property
    def tree(self) -> Tree | None:
        """The text as a tree; None if it is no mathematics."""
        try:
            return parse(self.text)
        # the second, if the caller has used up most of Python's stack
        except (UnreadableError, RecursionError):
            return None

    @property
    def needs_whole(self) -> bool:
        """Whether it is defined for whole values of its variables alone, as `n!` is."""
        return self.tree is not None and needs_whole(self.tree)

    @cached_property
    def key(self) -> Key:
        """See `answer_key`."""
        if self.tree is not None:
            with suppress(UnreadableError, UndefinedError, RecursionError):
                return key_of(self.tree, self.salt)
        return Text("".join(self.text.split()))

    @cached_property
    def whole_key(self) -> Key:
        """The key of an expression of whole numbers, such as `n!`."""
        if self.tree is not None and isinstance(self.key, Values):
            with suppress(UnreadableError, UndefinedError, RecursionError):
                return Values(fingerprint(self.tree, self.salt, whole=True))
        return self.key

    @cached_property
    def readings(self) -> dict[str, Key]:
        """Other ways to take it: what each is called, and its key."""
        found: dict[str, Key] = {}
        if len(self.text) > MAX_LENGTH:  # even to look through it would take too long
            return found
        if LETTERS.fullmatch(self.text.strip()):
            found["a word"] = Word(self.text.strip().casefold())
        if measured := MEASURED.fullmatch(self.text.strip()):
            found["a number of units"] = Interpretation(measured[1], self.salt).key
        if self.tree is not None:
            # those found so far count
            with suppress(UnreadableError, UndefinedError, RecursionError):
                found.update(readings_of(self.tree, self.salt))
        return found
