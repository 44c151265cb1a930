r"""From a tree to its key.

- an expression becomes its values at several places (`CH3.math_verifier.values`)
- a point keeps the order of its parts, a set and a bare list lose it; `2 \pm 1` is a list of two
- intervals, their unions and inequalities become sets of real numbers
  (`CH3.math_verifier.real_sets`)
- an equation becomes what its sides differ by, up to a factor: `y = 2x + 3` and `2x - y + 3 = 0`
  are one
"""

from collections import Counter
from contextlib import suppress
from fractions import Fraction
from typing import Any, TypeGuard

from CH3.math_verifier.keys import (
    Based,
    Equation,
    Infinity,
    Key,
    Matrix,
    Name,
    Ordered,
    Ratio,
    Reals,
    Relation,
    Repeated,
    SymbolicInterval,
    Unordered,
    Values,
    Word,
)
from CH3.math_verifier.lexer import UnreadableError
from CH3.math_verifier.parser import Node, Tree
from CH3.math_verifier.real_sets import RealSet, reals
from CH3.math_verifier.values import (
    Complex,
    constant,
    fingerprint,
    needs_whole,
    symbols,
    values_at_places,
)

Cells = tuple[tuple[Tree, ...], ...]  # of a matrix, row by row

LISTS = frozenset(["list", "or", "and"])
BRACKETS = frozenset(["()", "(]", "[)", "[]"])
SETS = frozenset(["∪", "∩", "∖", "ℝ"])
INFINITE = Node("∞", ())


def key_of(tree: Tree, salt: str = "") -> Key:
    """The key of an answer.

    Raises:
        UnreadableError: it cannot be compared, or not cheaply.
        UndefinedError: it has no value.
    """
    if not isinstance(tree, Node):
        return Values(fingerprint(tree, salt))
    op = tree.op
    if op in LISTS or op == "set":
        return _unordered(tree, salt)
    if holds(tree, "±", "∓"):
        return _unordered(Node("list", (tree,)), salt)
    if op in BRACKETS:
        return _bracketed(tree, salt)
    if op in SETS:
        return key_of_reals(reals(tree))
    if op == "relation":
        return _relation(tree, salt)
    if op == "base":
        return _based(tree)
    if op == "word":
        return Word(tree.parts[0])
    if op == ":":
        if is_op(tree.parts[0], "word"):  # "Answer: 5"
            return key_of(tree.parts[1], salt)
        return Ratio((key_of(tree.parts[0], salt), key_of(tree.parts[1], salt)))
    if tree in (INFINITE, Node("neg", (INFINITE,))):
        return Infinity(op == "∞")
    if holds(tree, "matrix"):
        rows = _matrix(tree)
        return Matrix(tuple(tuple(key_of(cell, salt) for cell in row) for row in rows))
    return Values(fingerprint(tree, salt, whole=needs_whole(tree)))


def _unordered(tree: Node, salt: str) -> Key:
    if tree.op in LISTS:
        with suppress(UnreadableError):
            return key_of_reals(reals(tree))
    keys = [
        key
        for part in tree.parts
        for key in dict.fromkeys(key_of(choice, salt) for choice in _choices(part))
    ]
    if len(keys) == 1 and tree.op == "list":  # plus or minus nothing
        return keys[0]
    counts = Counter(keys)
    if tree.op == "set" or len(counts) == len(keys):
        return Unordered(frozenset(counts))
    return Repeated(frozenset(counts.items()))


def _bracketed(tree: Node, salt: str) -> Key:
    if len(tree.parts) == 1 and not is_op(tree.parts[0], "[]"):
        return key_of(tree.parts[0], salt)
    nested = tree.op == "[]" and all(is_op(part, "[]") for part in tree.parts)
    if nested and len({len(part.parts) for part in tree.parts}) == 1:
        return key_of(Node("matrix", tuple(part.parts for part in tree.parts)), salt)
    if len(tree.parts) == 2 and (tree.op != "()" or holds(tree, "∞")):
        try:
            return key_of_reals(reals(tree))
        except UnreadableError:
            return SymbolicInterval(tree.op, tuple(key_of(part, salt) for part in tree.parts))
    return Ordered(tuple(key_of(part, salt) for part in tree.parts))


def key_of_reals(intervals: RealSet) -> Key:
    """Return the key of a set of real numbers: of its points, if it holds no interval."""
    if all(interval.low == interval.high for interval in intervals):  # points, or nothing
        points = (interval.low for interval in intervals)
        return Unordered(frozenset(Values((Fraction(point),)) for point in points))
    return Reals(tuple(intervals))


def _relation(tree: Node, salt: str) -> Key:
    with suppress(UnreadableError):
        return key_of_reals(reals(tree))
    operands, signs = tree.parts[::2], tree.parts[1::2]
    if len(operands) == 2 and signs[0] in ("=", "<", "<=", ">", ">="):
        left, right = operands if signs[0] in ("=", ">", ">=") else reversed(operands)
        try:
            name = (
                "equation"
                if signs == ("=",)
                else "inequality"
                if len(signs[0]) == 1
                else "inequality with equality"
            )
            difference = _up_to_a_factor(Node("-", (left, right)), signs[0] == "=", salt)
            return Equation(name, difference)
        except UnreadableError:
            pass
    keys = (Name(part.parts[0]) if is_op(part, "call") else key_of(part, salt) for part in operands)
    return Relation(signs, tuple(keys))


def _up_to_a_factor(
    difference: Tree, negative: bool, salt: str
) -> tuple[Fraction | None, ...] | str | bool:
    """The values of an expression divided by the first that is not zero; or by its size, if the
    sign counts.
    """
    found = values_at_places(difference, salt)
    values = [value for value in found if not isinstance(value, Complex)]
    if len(values) < len(found):
        raise UnreadableError("an equation of complex numbers")
    first = next((value for value in values if value), None)
    if first is None:
        return "always"
    if not symbols(difference):
        return "never" if negative else first > 0
    factor = first if negative else abs(first)
    return tuple(None if value is None else value / factor for value in values)


def _based(tree: Node) -> Key:
    digits, base = tree.parts[0], constant(tree.parts[1])
    if not 2 <= base <= 36 or base.denominator > 1 or digits.denominator > 1:
        raise UnreadableError("not a number in a base")
    return Based(digits, base)


def _matrix(tree: Tree) -> Cells:
    """Return the cells of a matrix, of a multiple of one, or of a sum of matrices.

    Raises:
        UnreadableError: it is a product of matrices, or a sum of different shapes.
    """
    if is_op(tree, "matrix"):
        return tree.parts
    if isinstance(tree, Node):
        matrices = [part for part in tree.parts if holds(part, "matrix")]
        if tree.op in ("neg", "*", "/") and len(matrices) == 1:
            return _scaled_matrix(tree, matrices[0])
        if tree.op in ("+", "-") and len(matrices) == 2:
            return _summed_matrices(tree.op, *map(_matrix, matrices))
    raise UnreadableError("a product of matrices, or a matrix and a number added")


def _scaled_matrix(tree: Node, matrix: Tree) -> Cells:
    """Return the cells of a matrix that stands in a product, a quotient or behind a minus sign."""
    return tuple(
        tuple(
            Node(tree.op, tuple(cell if part is matrix else part for part in tree.parts))
            for cell in row
        )
        for row in _matrix(matrix)
    )


def _summed_matrices(sign: str, first: Cells, second: Cells) -> Cells:
    """Return the sums (or differences) of the cells at the same places."""
    if [*map(len, first)] != [*map(len, second)]:
        raise UnreadableError("a sum of matrices of different shapes")
    return tuple(
        tuple(Node(sign, pair) for pair in zip(*rows, strict=True))
        for rows in zip(first, second, strict=True)
    )


def _choices(tree: Tree) -> list[Tree]:
    """Return the two trees that plus-minus signs stand for: all upper signs, and all lower ones."""
    if not holds(tree, "±", "∓"):
        return [tree]
    return [replaced(tree, {"±": "+", "∓": "-"}), replaced(tree, {"±": "-", "∓": "+"})]


def replaced(tree: Any, names: dict[str, str]) -> Any:
    """Rename operations in a tree, or in a row of a matrix: `names` maps old to new."""
    if isinstance(tree, Node):
        return Node(names.get(tree.op, tree.op), replaced(tree.parts, names))
    return tuple(replaced(part, names) for part in tree) if isinstance(tree, tuple) else tree


def holds(tree: Tree | tuple, *operations: str) -> bool:
    """Return True if one of these operations is somewhere in a tree."""
    if isinstance(tree, Node) and tree.op in operations:
        return True
    return isinstance(tree, tuple) and any(
        holds(part, *operations) for part in (tree.parts if isinstance(tree, Node) else tree)
    )


def is_op(tree: Tree, op: str) -> TypeGuard[Node]:
    """Return True if the tree is a node of this operation."""
    return isinstance(tree, Node) and tree.op == op
