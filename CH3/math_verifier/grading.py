r"""Grade an answer by meaning: is it the same as the reference? No text is ever run as code.

    grade_answer(r"\frac{1}{2}", "0.5")         True
    grade_answer(r"(-\infty, 0]", r"(-\infty, 0)")   False

- an answer is read (`CH3.math_verifier.parser`) and brought to a *key*, in which everything that
  spelling can change is gone: numbers are values, sets are unordered, an equation is what its two
  sides differ by
- some answers may be *read* in more than one way: `x = 5` as an equation and as its solution,
  `(2, 4)` as a point and as an interval, `50\%` as a half and as fifty. A grade is lenient: the key
  of one is among the readings of the other
- what cannot be read is compared by its tokens, what would cost too much by remainders or as it
  stands; nothing is rounded and nothing raises
- expressions are compared by their values (`CH3.math_verifier.values`), exact ones first; no step
  transforms them symbolically, as values at several places, in hundreds of digits, leave it nothing
  to decide

Where a careful human might decide otherwise, this is what was decided:

- units of measure and currencies are dropped: `5 hours` is 5, and also `5 minutes`; other words and
  conditions behind an answer may be left out, but not replaced: `10 east` is 10, not `10 west`;
  `12 students` is 12, not `12 teachers`; `10 blue marbles` are `10 marbles`
- `50\%` is a half and fifty, so `0.36\%` is also 0.36; but angles keep their unit: `45^\circ` is 45
  and not `\frac{\pi}{4}`
- bare commas group digits (`5,100` is a number) but never inside brackets (`(5,100)` is a pair);
  against a list, `5,100` may be one
- a name before a value may be left out, another name may not be put in its place: `f(x) = 3x` is
  `3x`, `y = 3x` and `f(t) = 3t`, but not `g(x) = 3x`; `x + y = 12` names nothing, so it is not 12,
  nor is `|x| = 12`, but `|z| = 12` is; `a: 5, b: 7` is not `a: 7, b: 5`
- of `a ≈ b` both may be meant, if b rounds a; `\sqrt{7}` is never 2.646. A false equation such as
  `4 = 5` is neither 4 nor 5
- equations are one if they differ by a number as a factor, not by a letter: `xy = 6` is not
  `y = \frac{6}{x}`; inequalities are solved if their sides differ by a line or a parabola, or by
  products and quotients of such: `x^2 < 9` is `(-3, 3)`
- a family of numbers is a set: `\frac{\pi}{2} + k\pi, k \in \mathbb{Z}` is
  `\frac{5\pi}{2} - n\pi, n \in \mathbb{Z}`; k, m and n beside pi run through the integers, if
  nothing else is said; that n is an integer may be left out: `n > 5, n \in \mathbb{Z}` is `n > 5`
- "no solution", "none" and the empty set are one; so are several boxes with "and" between them
- "at least 5" is `x \ge 5`; of the two numbers in `C_5^2` the larger is chosen from
- an en dash is a minus sign; a point and an open interval are told apart by the other side
"""

import re
from collections.abc import Hashable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property

from CH3.math_verifier.arithmetic import UndefinedError
from CH3.math_verifier.canonical import key_of
from CH3.math_verifier.extraction import extract_answer, last_box
from CH3.math_verifier.keys import Key, Reals, Text, Values
from CH3.math_verifier.lexer import MAX_LENGTH, Token, UnreadableError, bare, tokenize
from CH3.math_verifier.parser import Parser
from CH3.math_verifier.readings import readings_of
from CH3.math_verifier.tree import Tree, written
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

LETTERS = re.compile(r"[A-Za-z]{2,}(?:[ -][A-Za-z]+)*|[A-Za-z](?:[ -][A-Za-z]+)+")
# What may be a unit, as models write it without a command: `5 m/s^2`; but `5m` is a product.
UNIT = (
    r"(?:(?:[kcdmMGnµμ]|\\mu\s*)(?:[mgsLlNJWVA]|Pa|Hz|eV|cal|mol|Ω|\\Omega)|[msgLlhNJWVK]|mi|ft|min|hr?|Hz|Pa"
    r"|mol|Ω|\\Omega)(?:\s*\^\s*\{?-?\d\}?|[²³])?"
)
BETWEEN_UNITS = r"(?:\s*[/*·]\s*|\\cdot\s*|\s+)"
MEASURED = re.compile(rf"(?:\s|~|\\[ ,;:])+\(?{UNIT}(?:{BETWEEN_UNITS}{UNIT})*\)?\s*\Z")
# A choice with its text: `(E) 12`, `E: 12`, `Option E`, `\textbf{(E)}\ 12`
CHOICE = re.compile(
    r"""
    (?:\\text(?:bf|rm|it)?\s*\{\s*)? (?:[Oo]ption|[Cc]hoice|[Aa]nswer)? \s*
    (?:\(\s*([A-Ja-j])\s*\) | ([A-J])\s*[).:] | ([A-J])\s*\}?\s*\Z)
    (?!\s*(?:and|or)\b | \s*[,;&]) (?:\s*\})? \s* (.*)
    """,
    re.VERBOSE | re.DOTALL,
)
ANOTHER_CHOICE = re.compile(r"(?<![A-Za-z])[A-J]\)?\s*[:=]|\((?:[A-Ja-j]|[ivx]+)\)")
# Readings in which both sides may be taken: none of them equates different values.
MUTUAL = ("a choice", "a word", "a vector", "a family of integers", "an interval with letters")
GROUPED = re.compile(r"(?:[a-zA-Z]\s*=\s*)?[1-9]\d{0,2}(?:,\d{3})+")


@dataclass(frozen=True)
class Grade:
    """A verdict and its reason.

    Attributes:
        correct: True if the answers are the same.
        rule: what decided.
        predicted, reference: how each was understood.
    """

    correct: bool
    rule: str
    predicted: str
    reference: str


def grade_answer(predicted: str | None, reference: str) -> bool:
    r"""Return True if an answer means the same as the reference.

    Lenient in notation, strict in meaning. It takes milliseconds, at most half a second whatever
    text it is given, and raises nothing.

    Args:
        predicted: a model's answer, as `extract_answer` gives it; None is no answer.
        reference: the right one.

    Raises:
        TypeError: one of them is no text.

    >>> grade_answer(r"x = \tfrac12", "0.5"), grade_answer("0.333", "1/3")
    (True, False)
    """
    return predicted is not None and _verdict(*_read(predicted, reference))[0]


def same_answer(first: str, second: str) -> bool:
    """Return True if two answers are the same, as an equivalence: for counting votes.

    Stricter than `grade_answer`: an equation is not its solution here, though inequalities are what
    they say of any variable. `grade_answer` calls both `x = 5` and `y = 5` the same as `5`, so it
    cannot be transitive.

    >>> same_answer("1/2", "0.5"), same_answer("x = 5", "y = 5")
    (True, False)
    """
    return answer_key(first) == answer_key(second)


def answer_key(text: str) -> Hashable:
    """Return what all spellings of an answer have in common: same answers have equal keys."""
    return Interpretation(text).key


def explain_grade(predicted: str | None, reference: str) -> Grade:
    """Return the verdict of `grade_answer` with its rule and how each side was understood."""
    if predicted is None:
        return Grade(False, "there is no answer", "nothing", str(Interpretation(reference)))
    first, second = _read(predicted, reference)
    return Grade(*_verdict(first, second), str(first), str(second))


def _read(predicted: str, reference: str) -> tuple["Interpretation", "Interpretation"]:
    """Read both sides, with variables at places that depend on both texts.

    So no answer can be written to be right just at these places.
    """
    salt = "|".join(sorted(_text(answer)[:MAX_LENGTH] for answer in (predicted, reference)))
    return Interpretation(predicted, salt), Interpretation(reference, salt)


def _text(answer: str) -> str:
    if not isinstance(answer, str):
        kind = type(answer).__name__
        raise TypeError(f"an answer is {answer!r}, of type {kind}: expected a text, such as '1/2'")
    return answer


def _verdict(first: "Interpretation", second: "Interpretation") -> tuple[bool, str]:
    # 1. the same key
    if first.key == second.key:
        return True, first.key.reason
    # 2. the same, if one side is taken another way; or both in one of a few ways
    for one, other in ((first, second), (second, first)):
        for reading, key in other.readings.items():
            if key == one.key and reading not in one.readings:  # 0.5% is not 50%
                return True, f"the same, if one is read as {reading}"
    for reading in MUTUAL:
        if reading in first.readings and first.readings[reading] == second.readings.get(reading):
            return True, f"the same, if both are read as {reading}"
    # 3. the same values, where both have one
    if isinstance(first.key, Values) and first.key.agrees_with(second.key):
        return True, "the same values wherever both are defined"
    if first.needs_whole or second.needs_whole:
        whole = first.whole_key
        if isinstance(whole, Values) and whole.agrees_with(second.whole_key):
            return True, "the same values for whole numbers"
    # 4. different
    kinds = first.key.kind, second.key.kind
    return False, f"a different {kinds[0]}" if kinds[0] == kinds[1] else " against ".join(kinds)


class Interpretation:
    """A text and its meaning.

    Args:
        text: in LaTeX or plain notation.
        salt: see `CH3.math_verifier.values.fingerprint`.
    """

    def __init__(self, text: str, salt: str = ""):
        self.text, self.salt = _text(text), salt

    def __str__(self) -> str:
        if self.tree is not None and symbols(self.tree) and not isinstance(self.key, Reals):
            return written(self.tree)
        return str(self.key)

    @cached_property
    def tokens(self) -> list[Token] | None:
        """The text as tokens; None if it is too long, or not even that."""
        try:
            return tokenize(self.text)
        # the second, if the caller has used up most of Python's stack
        except (UnreadableError, RecursionError):
            return None

    @cached_property
    def tree(self) -> Tree | None:
        """The text as a tree; None if it is no mathematics."""
        return None if self.tokens is None else _tree_of(self.tokens)

    @property
    def needs_whole(self) -> bool:
        """Return True if it is defined for integers alone, as `n!` is."""
        return self.tree is not None and needs_whole(self.tree)

    @cached_property
    def key(self) -> Key:
        """See `answer_key`."""
        if self.tree is not None and (key := _key_or_none(self.tree, self.salt)) is not None:
            return key
        if self.tokens is None:
            return Text(("".join(self.text.split()),))
        return Text(_spelled(self.tokens))

    @cached_property
    def whole_key(self) -> Key:
        """The key of an expression of integers, such as `n!`."""
        if self.tree is not None and isinstance(self.key, Values):
            with suppress(UnreadableError, UndefinedError, RecursionError):
                return Values(fingerprint(self.tree, self.salt, whole=True))
        return self.key

    @cached_property
    def readings(self) -> dict[str, Key]:
        """Other ways to take it: what each is called, and its key."""
        found: dict[str, Key] = {}
        if self.tokens is None:  # even to look through it would take too long
            return found
        found.update(self._readings_of_text(bare(self.text)))
        if self.tree is not None:
            # those found so far count
            with suppress(UnreadableError, UndefinedError, RecursionError):
                found.update(readings_of(self.tree, self.key, self.salt))
        elif (value := _value_of_unreadable(self.tokens)) is not None:
            found["the value of what it names"] = _key_or_none(value, self.salt) or self.key
        return found

    def _readings_of_text(self, text: str) -> Iterator[tuple[str, Key]]:
        """Yield ways to take a text that its tree does not show."""
        if LETTERS.fullmatch(text):
            yield "a word", key_of(Parser([]).said(text.split()), self.salt)
        if measured := MEASURED.search(text):
            number = Interpretation(text[: measured.start()], self.salt)
            if number.tree is not None and not symbols(number.tree):
                yield "a number of units", number.key
        if GROUPED.fullmatch(text):
            yield "a list", Interpretation(text.replace(",", ", "), self.salt).key
        if (choice := CHOICE.fullmatch(text)) and not ANOTHER_CHOICE.search(choice[4]):
            letter = choice[1] or choice[2] or choice[3]
            yield "a choice", Interpretation(letter.upper(), self.salt).key
            if content := choice[4].strip().strip("})"):
                yield "a choice's content", Interpretation(content, self.salt).key


def _tree_of(tokens: list[Token]) -> Tree | None:
    try:
        return Parser(tokens).answer()
    except (UnreadableError, RecursionError):
        return None


def _key_or_none(tree: Tree, salt: str) -> Key | None:
    try:
        return key_of(tree, salt)
    except (UnreadableError, UndefinedError, RecursionError):
        return None


def _spelled(tokens: list[Token]) -> tuple[str, ...]:
    r"""Spell a text that cannot be read, so that `\int_0^1` and `\int _{0} ^{1}` are one."""
    texts = [token.text.casefold() if token.kind == "word" else token.text for token in tokens]
    found: list[str] = []
    for text in texts:
        found.append(text)
        if text == "}" and found[-3:-2] == ["{"]:  # braces around a single sign
            found[-3:] = [found[-2]]
    return tuple(found)


def _value_of_unreadable(tokens: list[Token]) -> Tree | None:
    r"""Return what follows the `=` behind something that is not computed here: `\int_0^1 x\,dx`."""
    depth, at = 0, -1
    for place, token in enumerate(tokens):
        depth += {"{": 1, "}": -1}.get(token.text, 0)
        at = place if token.text == "=" and depth == 0 else at
    opaque = any(token.kind == "unknown" for token in tokens[:at])
    return _tree_of(tokens[at + 1 :]) if at >= 0 and opaque else None
