r"""Values of an expression at several places, in a form that can be compared.

Two expressions are equal if they have equal values wherever both are defined. Nobody can try every
place, and nobody
needs to: two different polynomials of degree d agree, at a place drawn at random from n, with a
probability of at most d / n (Schwartz, 1980, https://doi.org/10.1145/322217.322225; Zippel, 1979).

- values that are fractions are exact, and recognised: `\log_2 8` is 3, if it agrees with 3 in a
  thousand digits
- others are rounded to a hundred digits, which no two different numbers that people write have in
  common
"""

import hashlib
import math
from collections.abc import Iterator
from fractions import Fraction
from typing import Any, NamedTuple

from CH3.math_verifier.arithmetic import (
    CONSTANTS,
    MAX_BITS,
    MAX_CONSTANT_BITS,
    Arithmetic,
    ExpensiveError,
    UndefinedError,
)
from CH3.math_verifier.lexer import UnreadableError
from CH3.math_verifier.tree import Node, Tree

SAME_DIGITS = 100
PRECISE_DIGITS = 900  # in which a number must agree with a fraction to be it
ROUGH = Arithmetic(SAME_DIGITS + 50, MAX_BITS)  # at one of several places
CONSTANT = Arithmetic(SAME_DIGITS + 50, MAX_CONSTANT_BITS)
PRECISE = Arithmetic(PRECISE_DIGITS + 100, MAX_CONSTANT_BITS)
LARGEST_DENOMINATOR = 10**30  # of a fraction that an inexact number is recognised as
# Where variables are: small and large, positive and negative, so that roots and logarithms are
#     defined somewhere.
RANGES = (
    (1, 10),
    (0, 1),
    (-10, -1),
    (10, 100),
    (10**8, 10**9),
    (-1, 0),
    (1, 4),
    (-(10**9), -(10**8)),
)
WHOLE = frozenset(["!", "!!", "binom", "gcd", "lcm", "mod"])  # defined for whole numbers alone


class Complex(NamedTuple):
    """A number beside the real line."""

    real: Fraction
    imag: Fraction


Value = Fraction | Complex


def fingerprint(tree: Tree, salt: str = "", whole: bool = False) -> tuple[Value | None, ...]:
    """Return the values of an expression at several places; one, if it does not depend on them.

    Args:
        tree: an expression.
        salt: where both texts of a comparison are known, the places are drawn with them, so nobody
            can have written an expression that agrees just there.
        whole: try whole numbers, for factorials and the like.

    Returns:
        None for a place where there is no value, or only a complex one where others are real.

    Raises:
        UnreadableError: too expensive, or not an expression.
        UndefinedError: it is not defined at any place.
    """
    values = values_at_places(tree, salt, whole)
    if all(value is None for value in values):
        raise UndefinedError
    return tuple(values[:1] if len(set(values)) == 1 else values)


def values_at_places(tree: Tree, salt: str = "", whole: bool = False) -> list[Value | None]:
    """Return the values at all places, also where they are equal; see `fingerprint`."""
    names = symbols(tree)
    places = _places(names, salt, whole) if names else [{}]
    values = [value_at(tree, place, precise=number == 0) for number, place in enumerate(places)]
    if names and not _has_i(tree) and any(isinstance(value, Fraction) for value in values):
        return [value if isinstance(value, Fraction) else None for value in values]
    return values


def value_at(tree: Tree, variables: dict[str, Fraction], precise: bool = False) -> Value | None:
    """Return the value of an expression at one place; None where it has none.

    Args:
        precise: look again, with many more digits, whether what seems to be a fraction is one:
            `10^{50} + e^{-500}`.
    """
    try:
        value = (ROUGH if variables else CONSTANT).evaluate(tree, variables)
        if isinstance(value, Fraction):
            return value
        found = _recognised(value, SAME_DIGITS)
        if precise and isinstance(found, Fraction) and found.denominator <= LARGEST_DENOMINATOR:
            return _recognised(PRECISE.evaluate(tree, variables), PRECISE_DIGITS)
        return found
    except (UndefinedError, ZeroDivisionError, ExpensiveError):
        return None


def unrounded_at(tree: Tree, variables: dict[str, Fraction]) -> Fraction:
    """Return a real value at one place with all the digits it was computed in.

    Raises:
        UnreadableError: it has none, or a complex one, or it is too expensive.
    """
    try:
        value = ROUGH.evaluate(tree, variables)
    except (UndefinedError, ZeroDivisionError):
        raise UnreadableError("no value") from None
    if isinstance(value, Fraction):
        return value
    if isinstance(_recognised(value, SAME_DIGITS), Complex):
        raise UnreadableError("not a real number")
    return _exactly(value.real)


def root_of(square: Fraction) -> Fraction:
    """Return the root of a positive number, with the digits that values are computed in."""
    return _exactly(ROUGH.inexact.sqrt(ROUGH.widened(square)))


def constant(tree: Tree) -> Fraction:
    """Return the value of an expression without variables.

    Raises:
        UnreadableError: it has variables, is not real, or is too expensive.
        UndefinedError: it has no value.
    """
    if symbols(tree):
        raise UnreadableError("not a constant")
    value = value_at(tree, {}, precise=True)
    if value is None:
        raise UndefinedError
    if isinstance(value, Complex):
        raise UnreadableError("not a real number")
    return value


def symbols(tree: Tree | tuple) -> set[str]:
    """Return the variables in a tree."""
    if isinstance(tree, str):
        return set() if tree in CONSTANTS else {tree}
    if isinstance(tree, Node) and tree.op == "word":
        return set()
    if isinstance(tree, tuple):  # a node, or a row of a matrix
        return set().union(*map(symbols, tree.parts if isinstance(tree, Node) else tree))
    return set()


def nearly_equal(first: Fraction, second: Fraction) -> bool:
    """Return True if two values agree, but for what rounding has done to them."""
    return first == second or abs(first - second) <= max(abs(first), abs(second)) / 10 ** (
        SAME_DIGITS - 10
    )


def needs_whole(tree: Tree) -> bool:
    r"""Return True if an expression is defined for integers only: n!, a binomial, gcd or lcm.

    What rounds n is taken for one: `\lceil n/2 \rceil` is `\lfloor (n+1)/2 \rfloor`.
    """
    if not isinstance(tree, Node):
        return False
    if tree.op in WHOLE or (tree.op == "root" and not isinstance(tree.parts[1], Fraction)):
        return bool(symbols(tree))
    if tree.op in ("floor", "ceil") and symbols(tree) and symbols(tree) <= set("kmn"):
        return True
    return any(map(needs_whole, tree.parts))


def _places(names: set[str], salt: str, whole: bool) -> Iterator[dict[str, Fraction]]:
    """Yield values for variables, drawn at random; the same for the same name and salt."""
    for number in range(len(RANGES)):
        drawn = {}
        for name in names:
            digest = hashlib.blake2b(
                f"{salt}|{name}|{number}".encode("utf-8", "replace"), digest_size=4
            ).digest()
            # x and y have different signs somewhere
            low, high = RANGES[(number + ord(name[0])) % len(RANGES)]
            share = int.from_bytes(digest, "big") % 996 + 1
            value = low + (high - low) * Fraction(share, 997)
            # one place is whole, for rounding up and down
            drawn[name] = (
                Fraction(2 + share % 19) if whole else Fraction(int(value)) if low == 10 else value
            )
        yield drawn


def _recognised(value: Any, digits: int) -> Value:
    """Return one for all numbers of mpmath's that agree in so many digits; see `recognised`."""
    if hasattr(value, "imag") and value.imag:
        size, scale = max(1, abs(value)), 10**digits
        if abs(value.imag) * scale > size:
            real = value.real if abs(value.real) * scale > size else value.real * 0
            parts = real, value.imag
            return Complex(*(recognised(_exactly(part), digits) for part in parts))
    return recognised(_exactly(value.real), digits)


def _exactly(value: Any) -> Fraction:
    """Convert an mpmath float to the fraction that it is."""
    sign, mantissa, exponent, _ = value._mpf_
    return (-1) ** sign * Fraction(mantissa) * Fraction(2) ** exponent


def recognised(exact: Fraction, digits: int = SAME_DIGITS) -> Fraction:
    """Return the simple fraction that a number agrees with in so many digits, else it rounded."""
    simple = exact.limit_denominator(LARGEST_DENOMINATOR)
    if abs(exact - simple) * 10**digits <= max(1, abs(simple)):
        return simple
    length = exact.numerator.bit_length() - exact.denominator.bit_length()
    length += abs(exact) >= Fraction(2) ** length  # its bits before the point
    unit = Fraction(2) ** (length - int(digits * math.log2(10)))
    return round(exact / unit) * unit


def _has_i(tree: Tree) -> bool:
    return tree == "i" or (isinstance(tree, Node) and any(map(_has_i, tree.parts)))
