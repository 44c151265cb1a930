r"""Keys of answers: what is left of an answer when everything that spelling can change is gone.

Two answers are the same if their keys are equal. A key knows its kind (`a different set`), the
reason why it equals another (`the same number, in fractions`) and how to show itself.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

from CH3.math_verifier.real_sets import Interval
from CH3.math_verifier.tree import Tree, written
from CH3.math_verifier.values import LARGEST_DENOMINATOR, ROUGH, SAME_DIGITS, Complex, Value

MAX_SHOWN_BITS = 13_000  # Python writes no integers of more than 4300 digits


class Key:
    """The meaning of an answer, in a form that can be compared and hashed."""

    kind: str  # the word for it in an explanation: number, set, equation, ...

    @property
    def reason(self) -> str:
        """Why two answers with this key count as equal, as a phrase for `Grade.rule`."""
        return f"the same {self.kind}"

    def __str__(self) -> str:
        return self.kind


@dataclass(frozen=True)
class Values(Key):
    """A number, or the values of an expression at several places (None: undefined there)."""

    values: tuple[Value | None, ...]

    @property
    def kind(self) -> str:  # type: ignore[override]
        """The word for it: an expression has several values."""
        return "number" if len(self.values) == 1 else "expression"

    @property
    def reason(self) -> str:
        """Why two answers with this key count as equal."""
        if len(self.values) > 1:
            return "the same expression, at every place tried"
        rounded = _is_rounded(self.values[0])
        return f"the same number, in {f'{SAME_DIGITS} digits' if rounded else 'fractions'}"

    def agrees_with(self, other: Key) -> bool:
        """Return True if the values are equal wherever both are defined, at two places or more."""
        if not isinstance(other, Values):
            return False
        longest = max(len(self.values), len(other.values))
        pairs = zip(
            *(one * longest if len(one) == 1 else one for one in (self.values, other.values)),
            strict=True,
        )
        defined = [(a, b) for a, b in pairs if a is not None and b is not None]
        return len(defined) > 1 and all(a == b for a, b in defined)

    def __str__(self) -> str:
        return ", ".join(map(_shown, self.values))


@dataclass(frozen=True)
class Ordered(Key):
    """A point, a vector, or other things whose order counts."""

    parts: tuple[Key, ...]
    kind = "tuple"

    def __str__(self) -> str:
        return f"({_joined(self.parts)})"


@dataclass(frozen=True)
class Unordered(Key):
    """A set, or a list without repetition: the order does not count."""

    parts: frozenset[Key]
    kind = "set"

    def __str__(self) -> str:
        return f"{{{', '.join(sorted(map(str, self.parts)))}}}"


@dataclass(frozen=True)
class Repeated(Key):
    """A list in which something stands twice: (part, times) for each part."""

    counts: frozenset[tuple[Key, int]]
    kind = "list"

    def __str__(self) -> str:
        return ", ".join(sorted(str(key) for key, times in self.counts for _ in range(times)))


@dataclass(frozen=True)
class Reals(Key):
    """A set of real numbers that holds an interval."""

    intervals: tuple[Interval, ...]
    kind = "set of real numbers"

    def __str__(self) -> str:
        return " ∪ ".join(
            f"{'[' if one.low_closed else '('}{_shown(one.low)}, "
            f"{_shown(one.high)}{']' if one.high_closed else ')'}"
            for one in self.intervals
        )


@dataclass(frozen=True)
class Integers(Key):
    """An infinite set of integers: those in some intervals."""

    intervals: tuple[Interval, ...]
    kind = "set of integers"

    def __str__(self) -> str:
        return f"integers of {Reals(self.intervals)}"


@dataclass(frozen=True)
class SymbolicInterval(Key):
    """An interval whose ends hold letters, with its brackets."""

    brackets: str
    ends: tuple[Key, ...]
    kind = "interval"

    def __str__(self) -> str:
        return f"{self.brackets[0]}{_joined(self.ends)}{self.brackets[1]}"


@dataclass(frozen=True)
class Matrix(Key):
    """The cells of a matrix, row by row."""

    rows: tuple[tuple[Key, ...], ...]
    kind = "matrix"

    def __str__(self) -> str:
        return f"[{'; '.join(map(_joined, self.rows))}]"


@dataclass(frozen=True)
class Equation(Key):
    """An equation or an inequality: what its two sides differ by, up to a factor."""

    kind: str
    difference: tuple[Fraction | None, ...] | str


@dataclass(frozen=True)
class Statement(Key):
    """An equation without variables: its two sides."""

    sides: frozenset[Key]
    kind = "statement"

    def __str__(self) -> str:
        return " = ".join(sorted(map(str, self.sides)))


@dataclass(frozen=True)
class Relation(Key):
    """Any other relations in a row: the signs, and what stands between them."""

    signs: tuple[str, ...]
    operands: tuple[Key, ...]
    kind = "relation"


@dataclass(frozen=True)
class Solutions(Key):
    """What names are equal to: `x = 2 or x = 9`, `(x, y) = (2, 9)`."""

    names: tuple[str, ...]
    values: Key
    kind = "solution"


@dataclass(frozen=True)
class Definition(Key):
    """A function and its value, whatever its argument is called; without a name, a mapping."""

    name: str
    value: Key
    kind = "function"


@dataclass(frozen=True)
class Congruence(Key):
    """A residue class, and what lies in it, if it has a name."""

    name: str
    residue: Fraction
    modulus: Fraction
    kind = "residue class"

    def __str__(self) -> str:
        return f"{self.residue} mod {self.modulus}"


@dataclass(frozen=True)
class Family(Key):
    """An expression with a parameter, and the set that this runs through; what it is the value of.

    What the parameter is called does not count.
    """

    member: Key
    parameters: Key
    name: str = ""
    kind = "family"


@dataclass(frozen=True)
class Case(Key):
    """One line of a function that is defined by cases."""

    value: Key
    condition: Key
    kind = "case"


@dataclass(frozen=True)
class Counted(Key):
    """A number with the words behind it that may change its meaning: `3 pm`, `7 down`."""

    number: Key
    words: str

    @property
    def kind(self) -> str:  # type: ignore[override]
        """The word for what was counted."""
        return self.number.kind

    def __str__(self) -> str:
        return f"{self.number} {self.words}"


@dataclass(frozen=True)
class Based(Key):
    """Key of a number that was written by its digits in a base."""

    digits: str
    base: Fraction
    kind = "number in a base"

    def __str__(self) -> str:
        return f"{self.digits} in base {self.base}"


@dataclass(frozen=True)
class Ratio(Key):
    """A ratio `a : b`, in lowest terms; or, as it stands, what may be a time of day."""

    parts: tuple[Key, ...]
    is_clock: bool = False
    kind = "ratio"

    def __str__(self) -> str:
        return " : ".join(map(str, self.parts))


@dataclass(frozen=True)
class Infinity(Key):
    """Key of plus or minus infinity."""

    positive: bool
    kind = "infinity"

    def __str__(self) -> str:
        return "∞" if self.positive else "-∞"


@dataclass(frozen=True)
class Word(Key):
    """Words that mean themselves."""

    text: str
    kind = "word"

    def __str__(self) -> str:
        return f"word {self.text}"


@dataclass(frozen=True)
class Residues(Key):
    """An expression whose numbers are too large: its remainders modulo two primes."""

    remainders: tuple[int, int]
    kind = "large number"

    @property
    def reason(self) -> str:
        """Why two answers with this key count as equal."""
        return "the same remainders modulo two large primes"


@dataclass(frozen=True)
class Unvalued(Key):
    """An expression that has no value, or none that can be had cheaply: it equals its own tree."""

    tree: Tree
    kind = "expression without a value"

    def __str__(self) -> str:
        return written(self.tree)


@dataclass(frozen=True)
class Text(Key):
    """A text that cannot be read: its tokens."""

    tokens: tuple[str, ...]
    kind = "text"

    def __str__(self) -> str:
        return f"text {' '.join(self.tokens)}"


def _joined(parts: Iterable[Key]) -> str:
    return ", ".join(map(str, parts))


def _shown(value: Value | float | None) -> str:
    if isinstance(value, Complex):
        sign = "-" if value.imag < 0 else "+"
        return f"{_shown(value.real)} {sign} {_shown(abs(value.imag))}i"
    if _is_rounded(value):
        return f"{ROUGH.inexact.nstr(ROUGH.widened(value), 12)}…"
    if isinstance(value, Fraction) and value.numerator.bit_length() > MAX_SHOWN_BITS:
        return f"about 2^{value.numerator.bit_length() - value.denominator.bit_length()}"
    return "undefined" if value is None else str(value).replace("inf", "∞")


def _is_rounded(value: Value | float | None) -> bool:
    """Return True if a value is known in so many digits alone, as those of roots are."""
    parts = value if isinstance(value, Complex) else (value,)
    return any(
        isinstance(part, Fraction) and part.denominator > LARGEST_DENOMINATOR for part in parts
    )
