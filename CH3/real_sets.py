r"""Sets of real numbers: intervals, points, their unions, intersections and differences, and what inequalities say.

A set is a sorted list of intervals that do not touch, so equal sets have equal lists. A point is an interval that
begins and ends at the same number.
"""

import math
from fractions import Fraction
from typing import NamedTuple

from CH3.math_lexer import UnreadableError
from CH3.math_parser import Node, Tree
from CH3.math_values import constant, nearly_equal, symbols, value_at, values_at_places

INFINITY = math.inf
INTERVALS = frozenset(["()", "(]", "[)", "[]"])
BELOW, ABOVE = ("<", "<="), (">", ">=")


class Interval(NamedTuple):
    """From `low` to `high`; whether the ends belong to it."""

    low: Fraction | float  # infinite ends are floats
    low_closed: bool
    high: Fraction | float
    high_closed: bool

    @property
    def empty(self) -> bool:
        """Whether nothing is in it."""
        return self.low > self.high or (self.low == self.high and not (self.low_closed and self.high_closed))


Reals = list[Interval]
ALL: Reals = [Interval(-INFINITY, False, INFINITY, False)]


def reals(tree: Tree) -> Reals:
    r"""The set that a tree describes.

    Raises:
        UnreadableError: it describes none.
    """
    if not isinstance(tree, Node):
        raise UnreadableError("a number is no set")
    if tree.op == "ℝ":
        return ALL
    if tree.op in INTERVALS and len(tree.parts) == 2:
        low, high = map(end, tree.parts)
        if low >= high:
            raise UnreadableError("not an interval: its ends are not in order")
        return merged([Interval(low, tree.op[0] == "[", high, tree.op[1] == "]")])
    if tree.op == "set":
        return merged([Interval(point, True, point, True) for point in map(end, tree.parts)])
    if tree.op in ("∪", "∩", "∖"):
        first, second = map(reals, tree.parts)
        return merged(first + second) if tree.op == "∪" else common(first, second if tree.op == "∩" else others(second))
    if tree.op == "or":
        return merged([interval for part in tree.parts for interval in reals(part)])
    if tree.op == "and":
        found = ALL
        for part in tree.parts:
            found = common(found, reals(part))
        return found
    if tree.op == "relation":
        return solutions(tree)
    raise UnreadableError(f"{tree.op} is no set of real numbers")


def end(tree: Tree) -> Fraction | float:
    """An end of an interval: a real number, or plus or minus infinity."""
    if tree == Node("∞", ()):
        return INFINITY
    if tree == Node("neg", (Node("∞", ()),)):
        return -INFINITY
    return constant(tree)


def merged(intervals: Reals) -> Reals:
    """Sorted, without what is empty, and joined where they touch."""
    found: Reals = []
    for interval in sorted((one for one in intervals if not one.empty), key=lambda one: (one.low, not one.low_closed)):
        if found and _touch(found[-1], interval):
            last = found.pop()
            high, high_closed = max((last.high, last.high_closed), (interval.high, interval.high_closed))
            interval = Interval(last.low, last.low_closed, high, high_closed)
        found.append(interval)
    return found


def _touch(first: Interval, second: Interval) -> bool:
    return second.low < first.high or (second.low == first.high and (first.high_closed or second.low_closed))


def common(first: Reals, second: Reals) -> Reals:
    """What is in both."""
    found = []
    for a in first:
        for b in second:
            low, low_open = max((a.low, not a.low_closed), (b.low, not b.low_closed))
            high, high_closed = min((a.high, a.high_closed), (b.high, b.high_closed))
            found.append(Interval(low, not low_open, high, high_closed))
    return merged(found)


def others(intervals: Reals) -> Reals:
    """All real numbers but these."""
    found = ALL
    for low, low_closed, high, high_closed in intervals:
        outside = [Interval(-INFINITY, False, low, not low_closed), Interval(high, not high_closed, INFINITY, False)]
        found = common(found, outside)
    return found


def solutions(relation: Node) -> Reals:
    """The solutions of a chain of inequalities in one variable, each of them linear.

    Raises:
        UnreadableError: it is none.
    """
    operands, signs = relation.parts[::2], relation.parts[1::2]
    if signs == ("in",) and isinstance(operands[0], str):
        return reals(operands[1])
    names = symbols(operands)
    if len(names) != 1 or not set(signs) <= {*BELOW, *ABOVE, "!="}:
        raise UnreadableError("not an inequality in one variable")
    found = ALL
    for left, sign, right in zip(operands, signs, operands[1:], strict=False):
        found = common(found, _half_line(Node("-", (left, right)), sign, *names))
    return found


def _half_line(difference: Tree, sign: str, name: str) -> Reals:
    """Where a linear expression is less than zero, or more."""
    low, high = (value_at(difference, {name: Fraction(place)}) for place in (0, 1))
    if not isinstance(low, Fraction) or not isinstance(high, Fraction) or low == high:
        raise UnreadableError("not linear")
    line = Node("+", (low, Node("*", (high - low, name))))
    for value, expected in zip(values_at_places(difference), values_at_places(line), strict=True):
        if not isinstance(value, Fraction) or not nearly_equal(value, expected):
            raise UnreadableError("not linear")
    slope, root = high - low, -low / (high - low)
    if sign == "!=":
        return others([Interval(root, True, root, True)])
    closed = sign.endswith("=")
    if (sign in BELOW) == (slope > 0):
        return [Interval(-INFINITY, False, root, closed)]
    return [Interval(root, closed, INFINITY, False)]
