r"""The value of a tree at one place: exact where fractions suffice, with a given number of digits
elsewhere.

- numbers, sums, products, whole powers, factorials are exact (`fractions.Fraction`); roots and
  functions are mpmath's
- every operation knows its price before it starts: the digits of a power follow from its exponent.
  What is too expensive is `ExpensiveError`, so `9^{9^{9^9}}` costs no more than `2+2`
- a variable's value is given; a tree is walked, never compiled or run
"""

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

from mpmath import MPContext

from CH3.math_verifier.lexer import UnreadableError
from CH3.math_verifier.parser import Node, Tree

MAX_BITS = 4000  # of an exact number's numerator and denominator
# of an inexact number, as a power of two: so none is too small to tell from zero
MAX_EXPONENT = 2_900
MAX_WHOLE = 300  # that a factorial or binomial is taken of
MAX_ROOT = 100
MAX_ARGUMENT = 300  # bits of a function's argument: reducing it by multiples of pi needs them all
MAX_INEXACT = 200  # operations of one evaluation

Number = Any  # a Fraction, or a real or complex number of mpmath's, which has no types

CONSTANTS = frozenset(["pi", "e", "i"])
ANGLES = frozenset(["sin", "cos", "tan", "cot", "sec", "csc", "cis"])
HALF_TURN = Node("/", ("pi", Fraction(180)))


class ExpensiveError(UnreadableError):
    """The value cannot be had cheaply at this place."""


class UndefinedError(ArithmeticError):
    """The expression has no value at this place."""


class Arithmetic:
    """Operations on numbers, exact and inexact.

    Args:
        digits: of the inexact ones.
    """

    def __init__(self, digits: int):
        self.inexact = inexact = MPContext()
        inexact.dps = digits
        # what rounding may have done to a whole number
        self.half_way = inexact.mpf(10) ** (10 - digits)
        self.constants = {"pi": +inexact.pi, "e": +inexact.e, "i": inexact.mpc(0, 1)}
        functions = {
            name: getattr(inexact, name) for name in (*(ANGLES - {"cis"}), "sinh", "cosh", "tanh")
        }
        functions |= {
            "cis": inexact.expj,
            "arcsin": inexact.asin,
            "arccos": inexact.acos,
            "arctan": inexact.atan,
        }
        self.operations: dict[str, Callable] = {
            "+": lambda a, b: a + b,
            "-": lambda a, b: a - b,
            "*": lambda a, b: a * b,
            "/": self.quotient,
            "neg": lambda a: -a,
            "%": lambda a: a / 100,
            "°": lambda a: a,
            "[]": lambda a: a,  # [x+1](x-1)
            "abs": abs,
            "^": self.power,
            "root": self.root,
            "!": self.of_whole(math.factorial, MAX_WHOLE),
            "binom": self.of_whole(math.comb, MAX_WHOLE),
            "gcd": self.of_whole(math.gcd, 10**100),
            "lcm": self.of_whole(math.lcm, 10**100),
            "floor": self.rounding(math.floor),
            "ceil": self.rounding(math.ceil),
            "min": lambda *values: min(values),
            "max": lambda *values: max(values),
            "log": self.logarithm,
            "lg": self.logarithm,
            "ln": lambda a: self.logarithm(a, self.constants["e"]),
            "exp": lambda a: self.power(self.constants["e"], a),
            **{name: self.bounded(function) for name, function in functions.items()},
        }

    def evaluate(self, tree: Tree, variables: dict[str, Fraction]) -> Number:
        """The value of a tree.

        Raises:
            ExpensiveError: computing it would take too long.
            UnreadableError: it is not an expression.
            UndefinedError, ZeroDivisionError: it has no value here.
        """
        return self._value(tree, variables, [MAX_INEXACT])

    def _value(self, tree: Tree, variables: dict[str, Fraction], budget: list[int]) -> Number:
        if isinstance(tree, Fraction):
            return tree
        if isinstance(tree, str):
            return self.constants[tree] if tree in CONSTANTS else variables[tree]
        if tree.op not in self.operations:
            raise UnreadableError(f"{tree.op} is no operation on numbers")
        if tree.op in ANGLES and isinstance(tree.parts[0], Node) and tree.parts[0].op == "°":
            tree = Node(tree.op, (Node("*", (tree.parts[0], HALF_TURN)),))
        parts = [self._value(part, variables, budget) for part in tree.parts]
        if not all(isinstance(part, Fraction) for part in parts):
            parts = [self.widened(part) for part in parts]
        try:
            value = self.operations[tree.op](*parts)
        except TypeError:  # too many arguments, or complex numbers compared
            raise UnreadableError(f"{tree.op} cannot be applied here") from None
        return self._checked(value, budget)

    def _checked(self, value: Number, budget: list[int]) -> Number:
        """A number that is not too large, too small, or too finely divided to go on with."""
        if isinstance(value, Fraction):
            if max(value.numerator.bit_length(), value.denominator.bit_length()) > MAX_BITS:
                raise ExpensiveError(f"a number of more than {MAX_BITS} bits")
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
        """A number as one of mpmath's."""
        return (
            self.inexact.mpf(value.numerator) / value.denominator
            if isinstance(value, Fraction)
            else value
        )

    def quotient(self, a: Number, b: Number) -> Number:
        """A quotient; what is zero but for the last digits divides as little as zero does."""
        if not isinstance(b, Fraction) and abs(b) < self.half_way:
            raise UndefinedError
        return a / b

    def power(self, base: Number, exponent: Number) -> Number:
        """A power; one of a negative number with an odd root is the real one."""
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
        if (
            max(base.numerator.bit_length(), base.denominator.bit_length()) * abs(exponent)
            > MAX_BITS
        ):
            raise ExpensiveError("a power of too many digits")
        return base**exponent

    def root(self, value: Number, index: Number) -> Number:
        """A root: exact if it is a fraction, real if there is a real one."""
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
        """A logarithm, to base ten if none is given."""
        if not value or not base or base == 1:
            raise UndefinedError
        return self.inexact.log(self.widened(value)) / self.inexact.log(self.widened(base))

    def bounded(self, function: Callable) -> Callable:
        """A function of mpmath's, for arguments that are not too large."""

        def apply(value: Number) -> Number:
            value = self.widened(value)
            if value and self.inexact.mag(value) > MAX_ARGUMENT:
                raise ExpensiveError("the argument of a function is too large")
            return function(value)

        return apply

    def of_whole(self, function: Callable, largest: int) -> Callable:
        """A function of whole numbers up to a largest."""
        return lambda *values: Fraction(
            function(*(self._whole(value, largest) for value in values))
        )

    def _whole(self, value: Number, largest: int) -> int:
        if isinstance(value, self.inexact.mpc) or not 0 <= value <= largest or value != int(value):
            raise ExpensiveError("expected a whole number, not too large")
        return int(value)

    def rounding(self, function: Callable) -> Callable:
        """Rounding up or down, where a whole number stays what it is."""

        def apply(value: Number) -> Fraction:
            if isinstance(value, Fraction):
                return Fraction(function(value))
            nearest = self.inexact.nint(value)
            return Fraction(
                int(nearest if abs(value - nearest) < self.half_way else function(value))
            )

        return apply
