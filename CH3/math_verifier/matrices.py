"""The cells of matrices that are scaled, added, multiplied or transposed; each cell is a tree."""

from fractions import Fraction
from typing import Any

from CH3.math_verifier.lexer import UnreadableError
from CH3.math_verifier.tree import Node, Tree, holds, is_op

Cells = tuple[tuple[Tree, ...], ...]  # of a matrix, row by row
MINUS_ONE = (Node("neg", (Fraction(1),)), Fraction(-1))
MAX_CELL = 400  # nodes of a product of matrices, one cell


def as_columns(tree: Any) -> Any:
    """Turn points into matrices of one column."""
    if is_op(tree, "()"):
        return Node("matrix", tuple((part,) for part in tree.parts))
    if is_op(tree, "transpose"):
        return as_columns(tree.parts[0])
    return Node(tree.op, tuple(map(as_columns, tree.parts))) if isinstance(tree, Node) else tree


def cells_of(tree: Tree) -> Cells:
    """Return the cells of an expression of matrices.

    Raises:
        UnreadableError: it has none, as shapes do not fit, or too many.
    """
    if is_op(tree, "matrix"):
        return tree.parts
    if not isinstance(tree, Node):
        raise UnreadableError("a number among matrices")
    if tree.op == "transpose":
        cells = cells_of(tree.parts[0])
        if len({len(row) for row in cells}) > 1:
            raise UnreadableError("rows of different lengths")
        return tuple(zip(*cells, strict=True))
    if tree.op == "^" and tree.parts[1] in (1, 2, 3, 4):
        base = cells_of(tree.parts[0])
        product = base
        for _ in range(int(tree.parts[1]) - 1):
            product = _product(product, base)
        return product
    if tree.op == "^" and tree.parts[1] in MINUS_ONE:
        return _inverse(cells_of(tree.parts[0]))
    matrices = [part for part in tree.parts if holds(part, "matrix")]
    if tree.op in ("neg", "*", "/") and len(matrices) == 1:
        return _scaled(tree, matrices[0])
    if len(matrices) == 2 and tree.op == "*":
        return _product(*map(cells_of, matrices))
    if len(matrices) == 2 and tree.op in ("+", "-"):
        return _summed(tree.op, *map(cells_of, matrices))
    raise UnreadableError("no matrix")


def _inverse(cells: Cells) -> Cells:
    """Return the inverse of a matrix of two rows."""
    if [*map(len, cells)] != [2, 2]:
        raise UnreadableError("the inverse of a large matrix")
    (a, b), (c, d) = cells
    determinant = Node("-", (Node("*", (a, d)), Node("*", (b, c))))
    adjugate = ((d, Node("neg", (b,))), (Node("neg", (c,)), a))
    return tuple(tuple(Node("/", (cell, determinant)) for cell in row) for row in adjugate)


def _scaled(tree: Node, matrix: Tree) -> Cells:
    """Return the cells of a matrix in a product, in a quotient or behind a minus sign."""
    return tuple(
        tuple(
            Node(tree.op, tuple(cell if part is matrix else part for part in tree.parts))
            for cell in row
        )
        for row in cells_of(matrix)
    )


def _summed(sign: str, first: Cells, second: Cells) -> Cells:
    """Return the sums (or differences) of the cells at the same places."""
    if [*map(len, first)] != [*map(len, second)]:
        raise UnreadableError("a sum of matrices of different shapes")
    return tuple(
        tuple(Node(sign, pair) for pair in zip(*rows, strict=True))
        for rows in zip(first, second, strict=True)
    )


def _product(first: Cells, second: Cells) -> Cells:
    """Return rows times columns."""
    widths = {len(row) for row in second}
    if any(len(row) != len(second) for row in first) or len(widths) != 1:
        raise UnreadableError("a product of matrices whose shapes do not fit")
    if len(second) * (_size(first[0][0]) + _size(second[0][0])) > MAX_CELL:
        raise UnreadableError("a product of too many matrices")
    columns = list(zip(*second, strict=True))
    return tuple(tuple(_dot(row, column) for column in columns) for row in first)


def _dot(row: tuple[Tree, ...], column: tuple[Tree, ...]) -> Tree:
    terms = [Node("*", pair) for pair in zip(row, column, strict=True)]
    total: Tree = terms[0]
    for term in terms[1:]:
        total = Node("+", (total, term))
    return total


def _size(tree: Tree) -> int:
    return 1 + sum(map(_size, tree.parts)) if isinstance(tree, Node) else 1
