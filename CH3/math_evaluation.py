r"""The value of a tree at one place: exact where fractions suffice, with a hundred and fifty digits elsewhere.

- numbers, sums, products, whole powers, factorials are exact (`fractions.Fraction`); roots and functions are mpmath's
- every operation knows its price before it starts: the digits of a power follow from its exponent. What is too
  expensive is `UnreadableError`, so `9^{9^{9^9}}` costs no more than `2+2`
- a variable's value is given; a tree is walked, never compiled or run
"""

import math
from collections.abc import Callable
from fractions import Fraction

from mpmath import MPContext

from CH3.math_lexer import UnreadableError
from CH3.math_parser import Node, Tree

DIGITS = 150  # of inexact numbers
MAX_BITS = 4000  # of an exact number's numerator and denominator
MAX_EXPONENT = 10_000  # of an inexact number, as a power of two
MAX_FACTORIAL = 300
MAX_ROOT = 100
MAX_ARGUMENT = 1000  # bits of a function's argument: reducing it by multiples of pi needs them all
MAX_INEXACT = 200  # operations of one evaluation

inexact = MPContext()
inexact.dps = DIGITS
Number = Fraction | inexact.mpf | inexact.mpc
HALF_TURN = Node("/", ("pi", Fraction(180)))


class UndefinedError(ArithmeticError):
    """The expression has no value at this place."""


def evaluate(tree: Tree, variables: dict[str, Fraction]) -> Number:
    """The value of a tree.

    Raises:
        UnreadableError: too expensive, or not an expression.
        UndefinedError, ZeroDivisionError: it has no value here.
    """
    return _Evaluation(variables).value(tree)


def widened(value: Number):
    """A number as one of mpmath's."""
    return inexact.mpf(value.numerator) / value.denominator if isinstance(value, Fraction) else value


class _Evaluation:
    """One walk through a tree."""

    def __init__(self, variables: dict[str, Fraction]):
        self.variables = variables
        self.inexact_left = MAX_INEXACT

    def value(self, tree: Tree) -> Number:
        if isinstance(tree, Fraction):
            return tree
        if isinstance(tree, str):
            return CONSTANTS[tree]() if tree in CONSTANTS else self.variables[tree]
        if tree.op not in OPERATIONS:
            raise UnreadableError(f"{tree.op} is no operation on numbers")
        if tree.op in OF_ANGLES and isinstance(tree.parts[0], Node) and tree.parts[0].op == "°":
            tree = Node(tree.op, (Node("*", (tree.parts[0], HALF_TURN)),))
        operation, parts = OPERATIONS[tree.op], [self.value(part) for part in tree.parts]
        if not all(isinstance(part, Fraction) for part in parts):
            self.inexact_left -= 1
            if self.inexact_left < 0:
                raise UnreadableError(f"more than {MAX_INEXACT} inexact operations")
            parts = [widened(part) for part in parts]
        try:
            return _bounded(operation(*parts))
        except TypeError:  # too many arguments, or complex numbers compared
            raise UnreadableError(f"{tree.op} cannot be applied here") from None


def _bounded(value: Number) -> Number:
    """A number that is not too large, too small, or too finely divided to go on with."""
    if isinstance(value, Fraction):
        if max(value.numerator.bit_length(), value.denominator.bit_length()) > MAX_BITS:
            raise UnreadableError(f"a number of more than {MAX_BITS} bits")
    elif not inexact.isfinite(value):
        raise UndefinedError
    elif value and abs(inexact.mag(value)) > MAX_EXPONENT:
        raise UnreadableError("a number too large or too small")
    return value


def _power(base: Number, exponent: Number) -> Number:
    if not base:
        if not isinstance(exponent, Fraction) or exponent <= 0:
            raise UndefinedError
        return base
    if isinstance(base, Fraction) and isinstance(exponent, Fraction) and exponent.denominator == 1:
        if abs(base) == 1:
            return base if exponent.numerator % 2 else Fraction(1)
        if max(base.numerator.bit_length(), base.denominator.bit_length()) * abs(exponent) > MAX_BITS:
            raise UnreadableError("a power of too many digits")
        return base ** int(exponent)
    if isinstance(base, Fraction) and isinstance(exponent, Fraction) and base < 0 and exponent.denominator % 2:
        root = _power(-base, exponent)  # of a negative number the real root, where there is one
        return -root if exponent.numerator % 2 else root
    base, exponent = widened(base), widened(exponent)
    if abs(exponent) * abs(inexact.mag(base)) > MAX_EXPONENT:
        raise UnreadableError("a power of too many digits")
    return inexact.power(base, exponent)


def _root(value: Number, index: Number) -> Number:
    index = _whole(index, MAX_ROOT)
    if index < 2:
        raise UnreadableError("a root of this index")
    if index == 2 and value:
        return inexact.sqrt(widened(value))
    if isinstance(value, inexact.mpf) and value < 0 and index % 2:
        return -inexact.root(-value, index)
    return _power(value, Fraction(1, index))


def _whole(value: Number, largest: int) -> int:
    if isinstance(value, inexact.mpc) or value != int(value) or not 0 <= value <= largest:
        raise UnreadableError("expected a whole number, not too large")
    return int(value)


def _of_whole(function: Callable, largest: int) -> Callable:
    return lambda *values: Fraction(function(*(_whole(value, largest) for value in values)))


def _rounding(function: Callable) -> Callable:
    def apply(value: Number) -> Fraction:
        if isinstance(value, Fraction):
            return Fraction(function(value))
        nearest = inexact.nint(value)
        if abs(value - nearest) < inexact.mpf(10) ** (10 - DIGITS):  # a whole number, but for the last digits
            return Fraction(int(nearest))
        return Fraction(function(value))

    return apply


def _logarithm(value: Number, base: Number = Fraction(10)) -> Number:
    if not value or not base or base == 1:
        raise UndefinedError
    return inexact.log(widened(value)) / inexact.log(widened(base))


def _function(function: Callable) -> Callable:
    def apply(value: Number) -> Number:
        value = widened(value)
        if value and inexact.mag(value) > MAX_ARGUMENT:
            raise UnreadableError("the argument of a function is too large")
        return function(value)

    return apply


CONSTANTS = {"pi": lambda: +inexact.pi, "e": lambda: +inexact.e, "i": lambda: inexact.mpc(0, 1)}
OF_ANGLES = {name: _function(getattr(inexact, name)) for name in ("sin", "cos", "tan", "cot", "sec", "csc")}
OPERATIONS: dict[str, Callable[..., Number]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
    ":": lambda a, b: a / b,
    "neg": lambda a: -a,
    "^": _power,
    "root": _root,
    "abs": abs,
    "%": lambda a: a / 100,
    "°": lambda a: a,
    "!": _of_whole(math.factorial, MAX_FACTORIAL),
    "binom": _of_whole(math.comb, MAX_FACTORIAL),
    "gcd": _of_whole(math.gcd, 10**100),
    "lcm": _of_whole(math.lcm, 10**100),
    "floor": _rounding(math.floor),
    "ceil": _rounding(math.ceil),
    "min": lambda *values: min(values),
    "max": lambda *values: max(values),
    "log": _logarithm,
    "lg": _logarithm,
    "ln": lambda a: _logarithm(a, inexact.e),
    "exp": lambda a: _power(+inexact.e, a),
    "arcsin": _function(inexact.asin),
    "arccos": _function(inexact.acos),
    "arctan": _function(inexact.atan),
    "sinh": _function(inexact.sinh),
    "cosh": _function(inexact.cosh),
    "tanh": _function(inexact.tanh),
    **OF_ANGLES,
}
