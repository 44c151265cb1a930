r"""What an expression is worth: its values at several places, in a form that can be compared.

Two expressions are equal if they have equal values wherever both are defined. Nobody can try every place, and nobody
needs to: two different polynomials of degree d agree, at a place drawn at random from n, with a probability of at most
d / n (Schwartz, 1980, https://doi.org/10.1145/322217.322225; Zippel, 1979).

- values that are fractions are exact, and recognised: `\sqrt{4}` is 2
- others are rounded to a hundred digits, which no two different numbers that people write have in common
"""

import hashlib
import math
from collections.abc import Iterator
from fractions import Fraction
from typing import NamedTuple

from CH3.math_evaluation import CONSTANTS, UndefinedError, evaluate, inexact
from CH3.math_lexer import UnreadableError
from CH3.math_parser import Node, Tree

SAME_DIGITS = 100
SAME_BITS = int(SAME_DIGITS * math.log2(10))
TOLERANCE = inexact.mpf(10) ** -SAME_DIGITS
LARGEST_DENOMINATOR = 10**30  # of a fraction that an inexact number is recognised as
# Where variables are: small and large, positive and negative, so that roots and logarithms are defined somewhere.
RANGES = ((1, 10), (0, 1), (-10, -1), (10, 100), (0, 1), (-1, 0), (1, 4))


class Complex(NamedTuple):
    """A number beside the real line."""

    real: Fraction
    imag: Fraction


Value = Fraction | Complex


def fingerprint(tree: Tree, salt: str = "") -> tuple[Value | None, ...]:
    """The values of an expression at several places; one, if it has no variables or does not depend on them.

    Args:
        tree: an expression.
        salt: where both texts of a comparison are known, the places are drawn with them, so nobody can have written an
            expression that agrees just there.

    Returns:
        None for a place where there is no value, or only a complex one where others are real.

    Raises:
        UnreadableError: too expensive, or not an expression.
        UndefinedError: it is not defined at any place.
    """
    values = values_at_places(tree, salt)
    if all(value is None for value in values):
        raise UndefinedError
    return tuple(values[:1] if len(set(values)) == 1 else values)


def values_at_places(tree: Tree, salt: str = "") -> list[Value | None]:
    """As `fingerprint`, but always as many values as places, if there are variables."""
    names = symbols(tree)
    values = [value_at(tree, place) for place in (_places(names, salt) if names else [{}])]
    if names and not _has_i(tree) and any(isinstance(value, Fraction) for value in values):
        return [value if isinstance(value, Fraction) else None for value in values]
    return values


def value_at(tree: Tree, variables: dict[str, Fraction]) -> Value | None:
    """The value of an expression at one place; None where it has none."""
    try:
        return _recognised(evaluate(tree, variables))
    except (UndefinedError, ZeroDivisionError):
        return None


def constant(tree: Tree) -> Fraction:
    """The value of an expression without variables.

    Raises:
        UnreadableError: it has variables, is not real, or is too expensive.
        UndefinedError: it has no value.
    """
    value = value_at(tree, {}) if not symbols(tree) else Complex(Fraction(0), Fraction(0))
    if value is None:
        raise UndefinedError
    if isinstance(value, Complex):
        raise UnreadableError("not a real number")
    return value


def symbols(tree: Tree | tuple) -> set[str]:
    """The variables in a tree."""
    if isinstance(tree, str):
        return set() if tree in CONSTANTS else {tree}
    if isinstance(tree, tuple):  # a node, or a row of a matrix
        return set().union(*map(symbols, tree.parts if isinstance(tree, Node) else tree))
    return set()


def nearly_equal(first: Fraction, second: Fraction) -> bool:
    """Whether two values agree, but for what rounding has done to them."""
    return first == second or abs(first - second) <= max(abs(first), abs(second)) / 10 ** (SAME_DIGITS - 10)


def _places(names: set[str], salt: str) -> Iterator[dict[str, Fraction]]:
    """Values for variables, drawn at random; the same for the same name and salt."""
    for number, (low, high) in enumerate(RANGES):
        drawn = {}
        for name in names:
            digest = hashlib.blake2b(f"{salt}|{name}|{number}".encode("utf-8", "replace"), digest_size=4).digest()
            drawn[name] = low + (high - low) * Fraction(int.from_bytes(digest, "big") % 996 + 1, 997)
        yield drawn


def _recognised(value) -> Value:
    """Of all numbers that agree in the digits that count, one: a fraction if there is one, else a rounded number."""
    if isinstance(value, Fraction):
        return value
    if isinstance(value, inexact.mpc):
        size = max(1, abs(value))
        if abs(value.imag) <= TOLERANCE * size:
            return _recognised(value.real)
        real = value.real if abs(value.real) > TOLERANCE * size else inexact.mpf(0)
        return Complex(_recognised(real), _recognised(value.imag))
    sign, mantissa, exponent, bits = value._mpf_
    exact = (-1) ** sign * Fraction(mantissa) * Fraction(2) ** exponent
    simple = exact.limit_denominator(LARGEST_DENOMINATOR)
    if abs(exact - simple) * 10**SAME_DIGITS <= max(1, abs(simple)):
        return simple
    unit = Fraction(2) ** (exponent + bits - SAME_BITS)
    return round(exact / unit) * unit


def _has_i(tree: Tree) -> bool:
    return tree == "i" or (isinstance(tree, Node) and any(map(_has_i, tree.parts)))
