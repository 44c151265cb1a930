r"""Sets of real numbers: intervals, points, their unions, intersections and differences, and the
solutions of inequalities.

A set is a sorted list of intervals that do not touch, so equal sets have equal lists. A point is an
interval that begins and ends at the same number.
"""

import math
from fractions import Fraction
from typing import NamedTuple, TypeGuard

from CH3.math_verifier.lexer import UnreadableError
from CH3.math_verifier.tree import Node, Tree
from CH3.math_verifier.values import (
    constant,
    nearly_equal,
    recognised,
    root_of,
    symbols,
    unrounded_at,
    values_at_places,
)

INFINITY = math.inf
INTERVALS = frozenset(["()", "(]", "[)", "[]"])
BELOW, ABOVE = ("<", "<="), (">", ">=")
TURNED = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}  # for sides that change places
INFINITE = Node("∞", ())
MINUS_INFINITE = Node("neg", (INFINITE,))


class Interval(NamedTuple):
    """An interval of the real line.

    Attributes:
        low, high: its ends; infinite ones are floats.
        low_closed, high_closed: True if the end belongs to it.
    """

    low: Fraction | float
    low_closed: bool
    high: Fraction | float
    high_closed: bool

    @property
    def empty(self) -> bool:
        """Return True if no number is in it."""
        return self.low > self.high or (
            self.low == self.high and not (self.low_closed and self.high_closed)
        )


RealSet = list[Interval]  # sorted, and no two touch
ALL: RealSet = [Interval(-INFINITY, False, INFINITY, False)]


def reals(tree: Tree) -> RealSet:
    r"""Return the set that a tree describes.

    Raises:
        UnreadableError: it describes none.
    """
    if not isinstance(tree, Node):
        raise UnreadableError("a number is no set")
    if tree.op == "ℝ":
        return ALL
    if tree.op in INTERVALS and len(tree.parts) == 2:
        low, high = map(endpoint, tree.parts)
        if low > high or (low == high and tree.op != "[]"):
            raise UnreadableError("not an interval: its ends are not in order")
        ends = tree.op[0] == "[" and low != -INFINITY, tree.op[1] == "]" and high != INFINITY
        return normalised([Interval(low, ends[0], high, ends[1])])
    if tree.op == "set":
        return normalised(list(map(_point, tree.parts)))
    if tree.op in ("∪", "∩", "∖", "-"):
        first, second = map(_operand, tree.parts)
        if tree.op == "∪":
            return normalised(first + second)
        return intersection(first, second if tree.op == "∩" else complement(second))
    if tree.op in ("or", "and", "list"):
        return combined(tree.op, tree.parts)
    if tree.op == "relation":
        return solutions(tree)
    raise UnreadableError(f"{tree.op} is no set of real numbers")


def _operand(tree: Tree) -> RealSet:
    """Return the set on one side of a union; braces without their backslash leave a number."""
    return reals(tree) if is_set(tree) else [_point(tree)]


def is_set(tree: Tree) -> TypeGuard[Node]:
    """Return True if a tree is written as a set of numbers, and not as a point or a number."""
    if not isinstance(tree, Node):
        return False
    if tree.op in ("∪", "∩", "∖", "-") and len(tree.parts) == 2:
        return any(map(is_set, tree.parts)) or tree.op in "∪∩∖"
    return tree.op in ("ℝ", "set") or (tree.op in INTERVALS and len(tree.parts) == 2)


def is_surely_interval(tree: Tree) -> bool:
    """Return True if brackets hold an interval and cannot be a point: `(1, 2]`, `(0, ∞)`."""
    return (
        isinstance(tree, Node)
        and tree.op in INTERVALS
        and len(tree.parts) == 2
        and (tree.op != "()" or not {INFINITE, MINUS_INFINITE}.isdisjoint(tree.parts))
    )


def _point(tree: Tree) -> Interval:
    place = constant(tree)
    return Interval(place, True, place, True)


def combined(word: str, parts: tuple[Tree, ...]) -> RealSet:
    """Return what several inequalities say of one variable, or the union of several intervals.

    With "or" one of them holds, with "and" all do. A mere list says that all hold, as
    `x > 1, x < 3` does; or, where that cannot be, that one does, as `x < 1, x > 3`. Intervals in a
    row are united.
    """
    relations = [part for part in parts if isinstance(part, Node) and part.op == "relation"]
    if not relations and (
        any(map(is_surely_interval, parts)) or (word == "or" and all(map(is_set, parts)))
    ):
        return normalised([interval for part in parts for interval in reals(part)])
    if len(relations) < len(parts) or all("=" in relation.parts[1::2] for relation in relations):
        raise UnreadableError("not inequalities")
    if len({name for relation in relations for name in symbols(relation.parts[::2])}) > 1:
        raise UnreadableError("inequalities of several variables")
    either: RealSet = []
    both = ALL
    for part in relations:
        found = reals(part)
        either, both = either + found, intersection(both, found)
    return normalised(either) if word == "or" or (word == "list" and not both) else both


def endpoint(tree: Tree) -> Fraction | float:
    """Return the end of an interval: a real number, or plus or minus infinity."""
    if tree == INFINITE:
        return INFINITY
    return -INFINITY if tree == MINUS_INFINITE else constant(tree)


def normalised(intervals: RealSet) -> RealSet:
    """Sort intervals, drop the empty ones and join those that touch."""
    found: RealSet = []
    for interval in sorted(
        (one for one in intervals if not one.empty), key=lambda one: (one.low, not one.low_closed)
    ):
        if found and _touch(found[-1], interval):
            last = found.pop()
            high, high_closed = max(
                (last.high, last.high_closed), (interval.high, interval.high_closed)
            )
            interval = Interval(last.low, last.low_closed, high, high_closed)
        found.append(interval)
    return found


def _touch(first: Interval, second: Interval) -> bool:
    return second.low < first.high or (
        second.low == first.high and (first.high_closed or second.low_closed)
    )


def intersection(first: RealSet, second: RealSet) -> RealSet:
    """Return the numbers that are in both sets."""
    found = []
    for a in first:
        for b in second:
            low, low_open = max((a.low, not a.low_closed), (b.low, not b.low_closed))
            high, high_closed = min((a.high, a.high_closed), (b.high, b.high_closed))
            found.append(Interval(low, not low_open, high, high_closed))
    return normalised(found)


def complement(intervals: RealSet) -> RealSet:
    """Return the real numbers that are not in a set."""
    found = ALL
    for low, low_closed, high, high_closed in intervals:
        outside = [
            Interval(-INFINITY, False, low, not low_closed),
            Interval(high, not high_closed, INFINITY, False),
        ]
        found = intersection(found, outside)
    return found


def integers_among(intervals: RealSet) -> RealSet:
    """Return the intervals between integers that hold the same integers; one point is one too."""
    found = []
    for low, low_closed, high, high_closed in intervals:
        if low != -INFINITY:
            low = Fraction(math.ceil(low) + (not low_closed and low == math.ceil(low)))
        if high != INFINITY:
            high = Fraction(math.floor(high) - (not high_closed and high == math.floor(high)))
        found.append(Interval(low, low != -INFINITY, high, high != INFINITY))
    return normalised(found)


def solutions(relation: Node) -> RealSet:
    """Return the solutions of a chain of inequalities in one variable.

    Each must be linear or a square, a product or quotient of such, or of the absolute value of one;
    an equation of the chain gives its roots.

    Raises:
        UnreadableError: it is none.
    """
    operands, signs = relation.parts[::2], relation.parts[1::2]
    if signs in (("in",), ("∉",)) and isinstance(operands[0], str):
        found = reals(operands[1])
        return found if signs == ("in",) else complement(found)
    names = symbols(operands)
    if len(names) != 1 or not set(signs) <= {*BELOW, *ABOVE, "!=", "="}:
        raise UnreadableError("not an inequality in one variable")
    found = ALL
    for left, sign, right in zip(operands, signs, operands[1:], strict=False):
        if (left, sign) in ((MINUS_INFINITE, "<"), (INFINITE, ">")):
            continue
        if (sign, right) in ((">", MINUS_INFINITE), ("<", INFINITE)):
            continue
        found = intersection(found, _inequality(left, sign, right, *names))
    return found


def _inequality(left: Tree, sign: str, right: Tree, name: str) -> RealSet:
    """Solve an inequality: `|a| < b` is -b < a < b, and `|a| > b` is a > b or a < -b."""
    if _is_absolute(right) and not _is_absolute(left):
        left, sign, right = right, TURNED.get(sign, sign), left
    if sign in ("=", "!=") or not _is_absolute(left):
        return _where(Node("-", (left, right)), sign, name)
    [inside] = left.parts
    above_zero = _where(Node("-", (inside, right)), sign, name)
    below_zero = _where(Node("+", (inside, right)), TURNED[sign], name)
    if sign in BELOW:
        return intersection(above_zero, below_zero)
    return normalised(above_zero + below_zero)


def _is_absolute(tree: Tree) -> TypeGuard[Node]:
    return isinstance(tree, Node) and tree.op == "abs"


def line_of(tree: Tree, name: str) -> tuple[Fraction, Fraction]:
    """Return a and b of an expression that is a + b x, with all digits they were computed in.

    Raises:
        UnreadableError: it is none.
    """
    start, slope, bend = _parabola(tree, name)
    if bend or not slope:
        raise UnreadableError("not linear")
    return start, slope


def _parabola(tree: Tree, name: str) -> tuple[Fraction, Fraction, Fraction]:
    """Return a, b and c of an expression that is a + b x + c x^2."""
    if name not in symbols(tree):
        return constant(tree), Fraction(0), Fraction(0)
    at_zero, at_one, at_minus_one = (
        unrounded_at(tree, {name: Fraction(place)}) for place in (0, 1, -1)
    )
    bend = (at_one + at_minus_one) / 2 - at_zero
    bend = bend if recognised(bend) else Fraction(0)
    slope = (at_one - at_minus_one) / 2
    terms = Node("*", (name, Node("+", (slope, Node("*", (bend, name))))))
    expected = values_at_places(Node("+", (at_zero, terms)))
    for value, computed in zip(values_at_places(tree), expected, strict=True):
        if not isinstance(value, Fraction) or not isinstance(computed, Fraction):
            raise UnreadableError("not real everywhere")
        if not nearly_equal(value, computed):
            raise UnreadableError("not linear, nor a square")
    return at_zero, slope, bend


def _where(difference: Node, sign: str, name: str) -> RealSet:
    """Return where a difference is less than zero, more, or zero.

    It must be linear or a square, or a product or quotient of such. Roots are computed with all
    digits and rounded once, as the end of an interval is, so that `x > √3` and `(√3, ∞)` have the
    same end.
    """
    # 1. the roots of all factors; those of a divisor are no solutions
    left, right = difference.parts
    tops, bottoms = _factors(left) if right == 0 else ([difference], [])
    parabolas = [_parabola(factor, name) for factor in (*tops, *bottoms)]
    found = [_roots(*parabola) for parabola in parabolas]
    roots = sorted({root for some in found for root in some})
    poles = {root for some in found[len(tops) :] for root in some}
    if not roots and all(not slope and not bend for _, slope, bend in parabolas):
        raise UnreadableError("nothing varies")
    # 2. the roots themselves
    zeros = [Interval(root, True, root, True) for root in roots if root not in poles]
    if sign == "=":
        return normalised(zeros)
    if sign == "!=":
        return complement(zeros)
    # 3. the intervals between them
    ends: list[Fraction | float] = [-INFINITY, *roots, INFINITY]
    solved = zeros if sign.endswith("=") else []
    for low, high in zip(ends, ends[1:], strict=False):
        place = _between(low, high)
        negatives = sum(a + place * (b + place * c) < 0 for a, b, c in parabolas)
        if (negatives % 2 == 1) == (sign in BELOW):
            solved = [*solved, Interval(low, False, high, False)]
    return normalised(solved)


def _factors(tree: Tree) -> tuple[list[Tree], list[Tree]]:
    """Return the factors of a product, and those that it is divided by."""
    if isinstance(tree, Node) and tree.op in ("*", "/"):
        (tops, bottoms), (more, others) = map(_factors, tree.parts)
        if tree.op == "/":
            more, others = others, more
        return tops + more, bottoms + others
    if isinstance(tree, Node) and tree.op == "^" and tree.parts[1] in (3, 4, 5, 6):
        return [tree.parts[0]] * int(tree.parts[1]), []
    return [tree], []


def _roots(start: Fraction, slope: Fraction, bend: Fraction) -> list[Fraction]:
    """Return where a + b x + c x^2 is zero."""
    if not bend:
        return [recognised(-start / slope)] if recognised(slope) else []
    discriminant = recognised(slope * slope - 4 * bend * start)
    if discriminant < 0:
        return []
    width = root_of(slope * slope - 4 * bend * start) if discriminant else Fraction(0)
    return [recognised((side * width - slope) / (2 * bend)) for side in (-1, 1)]


def _between(low: Fraction | float, high: Fraction | float) -> Fraction:
    """Return a number between two others, of which either may be infinite."""
    if isinstance(low, float):
        return Fraction(0) if isinstance(high, float) else high - 1
    return low + 1 if isinstance(high, float) else (low + high) / 2
