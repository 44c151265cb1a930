r"""Trees: what the parser makes of a text, with functions that walk them.

A tree is a `Fraction`, a symbol's name (`str`), or a `Node`: an operation and its parts.
"""

from fractions import Fraction
from typing import Any, NamedTuple, TypeGuard

# Operators and the strength with which each binds what stands beside it.
BINDING = {
    "∪": 1, "∖": 1, "∩": 2, ":": 3, "to": 3, "+": 4, "-": 4, "±": 4, "∓": 4, "*": 5, "/": 5, "^": 7,
}  # fmt: skip
NUMBER_SETS = frozenset("ℝℤℕℚℂ")
# Brackets to print around an operation's operands.
WRITTEN_IN: dict[str, tuple[str, str]] = {"list": ("", ""), "set": ("{", "}"), "abs": ("|", "|")}
WRITTEN_IN |= {pair: (pair[0], pair[1]) for pair in ("()", "(]", "[)", "[]")}


class Node(NamedTuple):
    """An operation and its parts: numbers, symbols, further nodes."""

    op: str
    parts: tuple


Tree = Fraction | str | Node


def is_op(tree: Any, op: str) -> TypeGuard[Node]:
    """Return True if the tree is a node of this operation."""
    return isinstance(tree, Node) and tree.op == op


def is_call(tree: Any) -> TypeGuard[Node]:
    """Return True if the tree is the value of a function with only a name: `f(x)`."""
    return isinstance(tree, Node) and tree.op.startswith("call ")


def replaced(tree: Any, names: dict[str, str]) -> Any:
    """Rename operations in a tree, or in a row of a matrix: `names` maps old to new."""
    if isinstance(tree, Node):
        return Node(names.get(tree.op, tree.op), replaced(tree.parts, names))
    return tuple(replaced(part, names) for part in tree) if isinstance(tree, tuple) else tree


def with_letters(tree: Any, values: dict[str, Any]) -> Any:
    """Put names or numbers in the place of variables."""
    if isinstance(tree, str):
        return values.get(tree, tree)
    if isinstance(tree, Node):
        return tree if tree.op == "word" else Node(tree.op, with_letters(tree.parts, values))
    return tuple(with_letters(part, values) for part in tree) if isinstance(tree, tuple) else tree


def without_words(tree: Any) -> Any:
    """Drop the words that stand behind numbers."""
    if isinstance(tree, Node):
        if tree.op.startswith("counted "):
            return without_words(tree.parts[0])
        return Node(tree.op, without_words(tree.parts))
    return tuple(map(without_words, tree)) if isinstance(tree, tuple) else tree


def ingredients(tree: Any) -> set[str]:
    """Return the operations and the letters of a tree."""
    found: set[str] = set()
    waiting = [tree]
    while waiting:
        part = waiting.pop()
        if isinstance(part, Node):
            found.add(part.op)
            waiting.extend(part.parts)
        elif isinstance(part, str):
            found.add(part)
        elif isinstance(part, tuple):
            waiting.extend(part)
    return found


def holds(tree: Tree | tuple, *operations: str) -> bool:
    """Return True if one of these operations is somewhere in a tree."""
    if isinstance(tree, Node) and tree.op in operations:
        return True
    return isinstance(tree, tuple) and any(
        holds(part, *operations) for part in (tree.parts if isinstance(tree, Node) else tree)
    )


def written(tree: Tree) -> str:
    """Write a tree as text, with every bracket and sign that was left out.

    >>> written(Node("*", (Fraction(2), Node("+", ("x", Fraction(1))))))
    '(2 * (x + 1))'
    """
    if not isinstance(tree, Node):
        return str(tree)
    op, parts = (
        tree.op,
        [written(part) if isinstance(part, (Fraction, str, Node)) else part for part in tree.parts],
    )
    if op == "matrix":
        return "[" + "; ".join(", ".join(map(written, row)) for row in parts) + "]"
    if op in ("relation", "word"):
        return " ".join(parts)
    if op == "∞" or op in NUMBER_SETS:
        return op
    if op in ("or", "and"):
        return f" {op} ".join(parts)
    if op in BINDING:
        return f"({f' {op} '.join(parts)})"
    if op == "neg":
        return f"-{parts[0]}"
    if op.startswith("counted "):
        return f"{parts[0]} {op.removeprefix('counted ')}"
    opening, closing = WRITTEN_IN.get(op, (f"{op.removeprefix('call ')}(", ")"))
    return opening + ", ".join(parts) + closing


def has_letters(tree: Tree | tuple) -> bool:
    """Return True if a variable is somewhere in a tree."""
    if isinstance(tree, str):
        return tree not in ("pi", "e", "i")
    if isinstance(tree, Node):
        return any(map(has_letters, tree.parts))
    return isinstance(tree, tuple) and any(map(has_letters, tree))
