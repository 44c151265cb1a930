r"""Other ways to take an answer than its key says: `x = 5` as 5, `(2, 4)` as an interval, `50\%` as 50."""

from collections.abc import Iterator
from contextlib import suppress

from CH3.math_verifier.canonical import LISTS, holds, is_op, key_of, key_of_reals, replaced
from CH3.math_verifier.keys import Key, Ordered
from CH3.math_verifier.lexer import UnreadableError
from CH3.math_verifier.parser import Node, Tree
from CH3.math_verifier.real_sets import reals
from CH3.math_verifier.values import symbols


def readings_of(tree: Tree, salt: str = "") -> Iterator[tuple[str, Key]]:
    """Other ways to take an answer: what each is called, and its key."""
    if not isinstance(tree, Node):
        return
    if tree.op == "relation" and (solution := _solution(tree)) is not None:
        yield "the value of what it names", key_of(solution, salt)
        yield from readings_of(solution, salt)
    if tree.op in LISTS and (values := _solutions(tree)) is not None:
        yield "the solutions alone", key_of(values, salt)
    if tree.op in ("list", "and") and (point := _point(tree)) is not None:
        yield "a point", key_of(point, salt)
    if tree.op == "()" and len(tree.parts) == 2:
        yield from _if_readable("an interval", tree)
    if tree.op in ("set", "list") and len(tree.parts) == 1:
        yield "its only element", key_of(tree.parts[0], salt)
    if tree.op == ":" and not is_op(tree.parts[0], "word"):
        yield "a quotient", key_of(Node("/", tree.parts), salt)
    if tree.op == "base":
        yield "its digits", key_of(tree.parts[0], salt)
    if tree.op == "matrix" and (len(tree.parts) == 1 or all(len(row) == 1 for row in tree.parts)):
        yield (
            "a vector",
            Ordered(tuple(key_of(cell, salt) for row in tree.parts for cell in row)),
        )
    if holds(tree, "%"):
        yield "a number of hundredths", key_of(replaced(tree, {"%": "°"}), salt)  # as a unit


def _names(tree: Tree) -> bool:
    """Whether this is a name that an equation may give a value to: `x`, `f(x)`, `(x, y)`, a word,
    the length `AB`.
    """
    if isinstance(tree, Node) and all(isinstance(part, str) for part in tree.parts):
        return tree.op in ("call", "()", "word") or (
            tree.op == "*" and "".join(tree.parts).isupper()
        )
    return isinstance(tree, str)


def _solution(tree: Node) -> Tree | None:
    """What an equation says that something is."""
    operands, signs = tree.parts[::2], tree.parts[1::2]
    if set(signs) != {"="}:
        return None
    if _names(operands[0]) or not symbols(operands):
        return operands[-1]
    return operands[0] if _names(operands[-1]) else None


def _solutions(tree: Node) -> Tree | None:
    """The values in a list of equations that are all about one symbol: `x = 1, x = 2`, or
    `x = 1, 2`.
    """
    relations = [part for part in tree.parts if is_op(part, "relation")]
    names = {part.parts[0] for part in relations}
    if len(names) != 1 or not is_op(tree.parts[0], "relation"):
        return None
    values = [_solution(part) if is_op(part, "relation") else part for part in tree.parts]
    return None if None in values else Node("list", tuple(values))


def _point(tree: Node) -> Tree | None:
    """The point that equations give, one for each coordinate, in the order of the alphabet:
    `x = 7, y = 8`.
    """
    equations = {part.parts[0]: _solution(part) for part in tree.parts if is_op(part, "relation")}
    if len(equations) < len(tree.parts) or not all(isinstance(name, str) for name in equations):
        return None
    values = tuple(equations[name] for name in sorted(equations))
    return (
        Node("()", values) if None not in values and symbols(values).isdisjoint(equations) else None
    )


def _if_readable(name: str, tree: Node) -> Iterator[tuple[str, Key]]:
    with suppress(UnreadableError):
        yield name, key_of_reals(reals(tree))
