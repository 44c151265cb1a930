r"""Compute the value of a tree at one place: exact where fractions suffice, else in many digits.

- numbers, sums, products, whole powers, factorials are exact (`fractions.Fraction`); roots and
  functions are mpmath's
- every operation knows its price before it starts: the digits of a power follow from its exponent.
  What is too expensive is `ExpensiveError`, so `9^{9^{9^9}}` costs no more than `2+2`; such
  numbers can still be compared by their remainders (`modular.py`)
- a variable's value is given; a tree is walked, never compiled or run
"""

import hashlib
import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

from mpmath import MPContext

from CH3.math_verifier.lexer import UnreadableError
from CH3.math_verifier.tree import Node, Tree

MAX_BITS = 4_000  # of an exact number's numerator and denominator, at one of several places
MAX_CONSTANT_BITS = 30_000  # ... of an expression without variables: 2^{2024}, 2024!
MAX_LARGE = 60  # operations of one evaluation that give more than MAX_BITS
# of an inexact number, as a power of two: so none is too small to tell from zero
MAX_EXPONENT = 2_900
MAX_WHOLE = 10**100  # that a binomial or a divisor is taken of
MAX_ROOT = 100
MAX_ARGUMENT = 300  # bits of a function's argument: reducing it by multiples of pi needs them all
MAX_INEXACT = 200  # operations of one evaluation

Number = Any  # a Fraction, or a real or complex number of mpmath's, which has no types

CONSTANTS = frozenset(["pi", "e", "i"])
ANGLES = frozenset(["sin", "cos", "tan", "cot", "sec", "csc", "cis"])
FUNCTIONS_OF_MPMATH = {
    "sin": "sin", "cos": "cos", "tan": "tan", "cot": "cot", "sec": "sec", "csc": "csc",
    "cis": "expj",
    "arcsin": "asin", "arccos": "acos", "arctan": "atan", "arccot": "acot", "arcsec": "asec",
    "arccsc": "acsc",
    "sinh": "sinh", "cosh": "cosh", "tanh": "tanh", "coth": "coth", "sech": "sech", "csch": "csch",
    "arcsinh": "asinh", "arccosh": "acosh", "arctanh": "atanh",
}  # fmt: skip


class ExpensiveError(UnreadableError):
    """An expression has no value that can be had cheaply at this place."""


class UndefinedError(ArithmeticError):
    """An expression has no value at this place."""


class Arithmetic:
    """The operations on numbers, exact and inexact, each with a price known beforehand.

    Args:
        digits: decimal digits of the inexact ones.
        max_bits: bits of an exact numerator or denominator, above which there is no value.
    """

    def __init__(self, digits: int, max_bits: int):
        self.max_bits = max_bits
        self.inexact = inexact = MPContext()
        inexact.dps = digits
        # what rounding may have done to a whole number
        self.half_way = inexact.mpf(10) ** (10 - digits)
        self.constants = {"pi": +inexact.pi, "e": +inexact.e, "i": inexact.mpc(0, 1)}
        functions = {name: getattr(inexact, its) for name, its in FUNCTIONS_OF_MPMATH.items()}
        self.operations: dict[str, Callable] = {
            "+": lambda a, b: a + b,
            "-": lambda a, b: a - b,
            "*": lambda a, b: a * b,
            "/": self.quotient,
            "neg": lambda a: -a,
            "%": lambda a: a / 100,
            "[]": lambda a: a,  # [x+1](x-1)
            "abs": abs,
            "conj": lambda a: inexact.conj(self.widened(a)),
            "Re": lambda a: inexact.re(self.widened(a)),
            "Im": lambda a: inexact.im(self.widened(a)),
            "arg": lambda a: inexact.arg(self.widened(a)),
            "^": self.power,
            "root": self.root,
            "!": self.of_whole(self.factorial),
            "!!": self.of_whole(lambda n: self.factorial(n, step=2)),
            "binom": self.of_whole(self.binomial),
            "gcd": self.of_whole(math.gcd),
            "lcm": self.of_whole(math.lcm),
            "mod": self.of_whole(lambda a, b: a % b),
            "floor": self.rounding(math.floor),
            "ceil": self.rounding(math.ceil),
            "min": lambda first, *others: min(first, *others),
            "max": lambda first, *others: max(first, *others),
            "log": self.logarithm,
            "lg": self.logarithm,
            "ln": lambda a: self.logarithm(a, self.constants["e"]),
            "exp": lambda a: self.power(self.constants["e"], a),
            **{name: self.bounded(function) for name, function in functions.items()},
        }

    def evaluate(self, tree: Tree, variables: dict[str, Fraction]) -> Number:
        """Return the value of a tree.

        Raises:
            ExpensiveError: computing it would take too long.
            UnreadableError: it is not an expression.
            UndefinedError, ZeroDivisionError: it has no value here.
        """
        return self._value(tree, variables, [MAX_INEXACT, MAX_LARGE])

    def _value(
        self, tree: Tree, variables: dict[str, Fraction], budget: list[int], angle: bool = False
    ) -> Number:
        """Return the value of a tree; in the `angle` of a sine, degrees are turned into radians."""
        if isinstance(tree, Fraction):
            return tree
        if isinstance(tree, str):
            return self.constants[tree] if tree in CONSTANTS else variables[tree]
        if tree.op == "det":
            return self.determinant(tree, variables, budget)
        worded = tree.op == "°" or tree.op.startswith("call ")
        if tree.op not in self.operations and not worded:
            raise UnreadableError(f"{tree.op} is no operation on numbers")
        angle = angle or tree.op in ANGLES
        parts = [self._value(part, variables, budget, angle) for part in tree.parts]
        if worded:
            return self._of_words(tree.op, parts, angle)
        if not all(isinstance(part, Fraction) for part in parts):
            parts = [self.widened(part) for part in parts]
        try:
            value = self.operations[tree.op](*parts)
        except TypeError:  # too many arguments, or complex numbers compared
            raise UnreadableError(f"{tree.op} cannot be applied here") from None
        return self._checked(value, budget)

    def _checked(self, value: Number, budget: list[int]) -> Number:
        """Return a number that is not too large, too small, or too finely divided to go on with."""
        if isinstance(value, Fraction):
            bits = max(value.numerator.bit_length(), value.denominator.bit_length())
            if bits > MAX_BITS:
                budget[1] -= 1
                if bits > self.max_bits or budget[1] < 0:
                    raise ExpensiveError(f"a number of {bits} bits")
            return value
        budget[0] -= 1
        if budget[0] < 0:
            raise ExpensiveError(f"more than {MAX_INEXACT} inexact operations")
        if not self.inexact.isfinite(value):
            raise UndefinedError
        if value and abs(self.inexact.mag(value)) > MAX_EXPONENT:
            raise ExpensiveError("a number too large or too small")
        return value

    def widened(self, value: Number) -> Number:
        """Convert a Fraction to an mpmath float of this precision; leave other numbers."""
        return (
            self.inexact.mpf(value.numerator) / value.denominator
            if isinstance(value, Fraction)
            else value
        )

    def quotient(self, a: Number, b: Number) -> Number:
        """Divide; what is zero but for the last digits divides as little as zero does."""
        if not isinstance(b, Fraction) and abs(b) < self.half_way:
            raise UndefinedError
        return a / b

    def power(self, base: Number, exponent: Number) -> Number:
        """Raise to a power; of a negative number the odd root is the real one."""
        if not base:
            if not isinstance(exponent, Fraction) or exponent <= 0:
                raise UndefinedError
            return base
        if isinstance(base, Fraction) and isinstance(exponent, Fraction):
            if exponent.denominator == 1:
                return self._whole_power(base, exponent.numerator)
            if base < 0 and exponent.denominator % 2:
                root = self.power(-base, exponent)
                return -root if exponent.numerator % 2 else root
        base, exponent = self.widened(base), self.widened(exponent)
        if abs(exponent) * max(1, abs(self.inexact.mag(base))) > MAX_EXPONENT:
            raise ExpensiveError("a power of too many digits")
        return self.inexact.power(base, exponent)

    def _whole_power(self, base: Fraction, exponent: int) -> Fraction:
        if abs(base) == 1:
            return base if exponent % 2 else Fraction(1)
        size = max(abs(base.numerator), base.denominator)
        # 2 counts as one bit, where its length is two
        bits = size.bit_length() - 1 if size & (size - 1) == 0 else math.log2(size)
        if abs(exponent) > self.max_bits or bits * abs(exponent) > self.max_bits:
            raise ExpensiveError("a power of too many digits")
        return base**exponent

    def root(self, value: Number, index: Number) -> Number:
        """Take a root: exact if it is a fraction, real if there is a real one."""
        index = self._whole(index, MAX_ROOT)
        if index < 2:
            raise UnreadableError("a root of this index")
        if not value:
            return value
        if index == 2 and isinstance(value, Fraction) and value > 0:
            top, bottom = math.isqrt(value.numerator), math.isqrt(value.denominator)
            if top * top == value.numerator and bottom * bottom == value.denominator:
                return Fraction(top, bottom)
        if index == 2:
            return self.inexact.sqrt(self.widened(value))
        if isinstance(value, self.inexact.mpf) and value < 0 and index % 2:
            return -self.inexact.root(-value, index)
        return self.power(value, Fraction(1, index))

    def logarithm(self, value: Number, base: Number = Fraction(10)) -> Number:
        """Take a logarithm, to base ten if none is given."""
        if not value or not base or base == 1:
            raise UndefinedError
        return self.inexact.log(self.widened(value)) / self.inexact.log(self.widened(base))

    def bounded(self, function: Callable) -> Callable:
        """Limit a function of mpmath's to arguments that are not too large."""

        def apply(value: Number) -> Number:
            value = self.widened(value)
            if value and self.inexact.mag(value) > MAX_ARGUMENT:
                raise ExpensiveError("the argument of a function is too large")
            return function(value)

        return apply

    def of_whole(self, function: Callable) -> Callable:
        """Turn a function of integers from 0 to MAX_WHOLE into one of numbers."""
        return lambda *values: Fraction(
            function(*(self._whole(value, MAX_WHOLE) for value in values))
        )

    def factorial(self, n: int, step: int = 1) -> int:
        """Multiply n, n - step, n - 2 step, ..., if the product has not too many bits."""
        if n * n.bit_length() > step * self.max_bits:
            raise ExpensiveError("a factorial of too many digits")
        return math.factorial(n) if step == 1 else math.prod(range(n, 0, -step))

    def binomial(self, n: int, k: int) -> int:
        """Choose k of n, if that has not too many bits."""
        if min(k, max(0, n - k)) * n.bit_length() > self.max_bits:
            raise ExpensiveError("a binomial of too many digits")
        return math.comb(n, k)

    def determinant(self, tree: Node, variables: dict[str, Fraction], budget: list[int]) -> Number:
        """Compute the determinant of a square matrix of up to four rows, along its first row."""
        [matrix] = tree.parts
        if not isinstance(matrix, Node) or matrix.op != "matrix":
            raise UnreadableError("the determinant of a letter")
        rows = [[self._value(cell, variables, budget) for cell in row] for row in matrix.parts]
        if len(rows) > 4 or any(len(row) != len(rows) for row in rows):
            raise UnreadableError("a matrix without a determinant, or a large one")
        if not all(isinstance(cell, Fraction) for row in rows for cell in row):
            rows = [[self.widened(cell) for cell in row] for row in rows]
        return self._checked(_determinant(rows), budget)

    def _of_words(self, op: str, parts: list[Number], angle: bool) -> Number:
        """Return the value of degrees, or of a function with only a name.

        Such a function has a value that depends on its name and its arguments, and on nothing
        else: f(1+x) is f(x+1), and f(2x) is not 2f(x).
        """
        if not op.startswith("call "):
            return parts[0] * self.constants["pi"] / 180 if angle and op == "°" else parts[0]
        # an inexact argument counts in fewer digits than it has, so that rounding is not seen
        shown = [
            # in base 16, as Python writes no more than 4300 decimal digits
            f"{one.numerator:x}/{one.denominator:x}"
            if isinstance(one, Fraction)
            else self.inexact.nstr(one, 90)
            for one in parts
        ]
        digest = hashlib.blake2b(
            f"{op}({';'.join(shown)})".encode("utf-8", "replace"), digest_size=4
        )
        return Fraction(int.from_bytes(digest.digest(), "big") + 1, 997)

    def _whole(self, value: Number, largest: int) -> int:
        if isinstance(value, self.inexact.mpc) or not 0 <= value <= largest or value != int(value):
            raise ExpensiveError("expected a whole number, not too large")
        return int(value)

    def rounding(self, function: Callable) -> Callable:
        """Make a function that rounds up or down, where an integer stays what it is."""

        def apply(value: Number) -> Fraction:
            if isinstance(value, Fraction):
                return Fraction(function(value))
            nearest = self.inexact.nint(value)
            return Fraction(
                int(nearest if abs(value - nearest) < self.half_way else function(value))
            )

        return apply


def _determinant(rows: list[list[Number]]) -> Number:
    if len(rows) == 1:
        return rows[0][0]
    minors = ([row[:at] + row[at + 1 :] for row in rows[1:]] for at in range(len(rows)))
    terms = (cell * _determinant(minor) for cell, minor in zip(rows[0], minors, strict=True))
    return sum((-term if at % 2 else term for at, term in enumerate(terms)), Fraction(0))
