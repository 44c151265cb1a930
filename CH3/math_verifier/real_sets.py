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
        if low >= high:
            raise UnreadableError("not an interval: its ends are not in order")
        return normalised([Interval(low, tree.op[0] == "[", high, tree.op[1] == "]")])
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


def solutions(relation: Node) -> RealSet:
    """Return the solutions of a chain of inequalities in one variable.

    Each must be linear, or of a linear absolute value; an equation of the chain is a point.

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
        return _half_line(Node("-", (left, right)), sign, name)
    [inside] = left.parts
    above_zero = _half_line(Node("-", (inside, right)), sign, name)
    below_zero = _half_line(Node("+", (inside, right)), TURNED[sign], name)
    if sign in BELOW:
        return intersection(above_zero, below_zero)
    return normalised(above_zero + below_zero)


def _is_absolute(tree: Tree) -> TypeGuard[Node]:
    return isinstance(tree, Node) and tree.op == "abs"


def _half_line(difference: Tree, sign: str, name: str) -> RealSet:
    """Return where a linear expression is less than zero, more, or zero.

    Its root is computed with all digits and rounded once, as the end of an interval is, so that
    `x > √3` and `(√3, ∞)` have the same end.
    """
    low, high = (unrounded_at(difference, {name: Fraction(place)}) for place in (0, 1))
    if low == high:
        raise UnreadableError("not linear")
    line = Node("+", (low, Node("*", (high - low, name))))
    for value, expected in zip(values_at_places(difference), values_at_places(line), strict=True):
        if not isinstance(value, Fraction) or not isinstance(expected, Fraction):
            raise UnreadableError("not real everywhere")
        if not nearly_equal(value, expected):
            raise UnreadableError("not linear")
    slope, root = high - low, recognised(-low / (high - low))
    if sign in ("=", "!="):
        point = [Interval(root, True, root, True)]
        return point if sign == "=" else complement(point)
    closed = sign.endswith("=")
    if (sign in BELOW) == (slope > 0):
        return [Interval(-INFINITY, False, root, closed)]
    return [Interval(root, closed, INFINITY, False)]
