r"""Keys of answers: what is left of an answer when everything that spelling can change is gone.

- an expression becomes its values at several places (`CH3.math_verifier.values`)
- a point keeps the order of its parts, a set and a bare list lose it; `2 \pm 1` is a list of two
- intervals, their unions and inequalities become sets of real numbers
  (`CH3.math_verifier.real_sets`)
- an equation becomes what its sides differ by, up to a factor: `y = 2x + 3` and `2x - y + 3 = 0`
  are one
- a reading is the key that an answer has if it is taken another way
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction
from typing import Any, TypeGuard

from CH3.math_verifier.lexer import UnreadableError
from CH3.math_verifier.parser import Node, Tree
from CH3.math_verifier.real_sets import Reals, reals
from CH3.math_verifier.values import (
    LARGEST_DENOMINATOR,
    ROUGH,
    SAME_DIGITS,
    Complex,
    Value,
    constant,
    fingerprint,
    needs_whole,
    symbols,
    values_at_places,
)

Key = tuple[Any, ...]  # hashable; its first part says of what kind it is

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
        return "expression", fingerprint(tree, salt)
    op = tree.op
    if op in LISTS or op == "set":
        return _unordered(tree, salt)
    if _holds(tree, "±", "∓"):
        return _unordered(Node("list", (tree,)), salt)
    if op in BRACKETS:
        return _bracketed(tree, salt)
    if op in SETS:
        return _of_reals(reals(tree))
    if op == "relation":
        return _relation(tree, salt)
    if op == "base":
        return _based(tree)
    if op == "word":
        return "word", tree.parts[0]
    if op == ":":
        if _is(tree.parts[0], "word"):  # "Answer: 5"
            return key_of(tree.parts[1], salt)
        return "ratio", key_of(tree.parts[0], salt), key_of(tree.parts[1], salt)
    if tree in (INFINITE, Node("neg", (INFINITE,))):
        return "infinity", op == "∞"
    if _holds(tree, "matrix"):
        rows = _matrix(tree)
        return "matrix", tuple(tuple(key_of(cell, salt) for cell in row) for row in rows)
    return "expression", fingerprint(tree, salt, whole=needs_whole(tree))


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
    if tree.op == ":" and not _is(tree.parts[0], "word"):
        yield "a quotient", key_of(Node("/", tree.parts), salt)
    if tree.op == "base":
        yield "its digits", key_of(tree.parts[0], salt)
    if tree.op == "matrix" and (len(tree.parts) == 1 or all(len(row) == 1 for row in tree.parts)):
        yield (
            "a vector",
            ("ordered", tuple(key_of(cell, salt) for row in tree.parts for cell in row)),
        )
    if _holds(tree, "%"):
        yield "a number of hundredths", key_of(_replaced(tree, {"%": "°"}), salt)  # as a unit


def agree(first: Key, second: Key) -> bool:
    """Whether two keys are of expressions that have equal values wherever both are defined, in
    several places.
    """
    if first[0] != "expression" or second[0] != "expression":
        return False
    longest = max(len(first[1]), len(second[1]))
    pairs = zip(
        *(values * longest if len(values) == 1 else values for values in (first[1], second[1])),
        strict=True,
    )
    defined = [(a, b) for a, b in pairs if a is not None and b is not None]
    return len(defined) > 1 and all(a == b for a, b in defined)


def kind(key: Key) -> str:
    """What kind of answer a key is of."""
    if key[0] != "expression":
        return str(NAMES.get(key[0], key[0]))
    if len(key[1]) > 1:
        return "expression"
    return "rounded number" if _is_rounded(key[1][0]) else "number"


def basis(key: Key) -> str:
    """On what grounds two answers with this key are the same."""
    grounds = {
        "number": "exactly",
        "rounded number": f"in {SAME_DIGITS} digits",
        "expression": "at every place tried",
    }
    name = kind(key)
    return (
        f"the same {name.removeprefix('rounded ')}{', ' + grounds[name] if name in grounds else ''}"
    )


def describe(key: Key) -> str:
    """A key in a form to read; one of variables is better shown as it was written
    (`parser.written`).
    """
    name, *parts = key
    if name == "expression":
        return ", ".join(map(_show_number, parts[0]))
    if name in ("ordered", "unordered"):
        inside = [describe(part) for part in parts[0]]
        return (
            "(" + ", ".join(inside) + ")"
            if name == "ordered"
            else "{" + ", ".join(sorted(inside)) + "}"
        )
    if name == "repeated":
        return ", ".join(sorted(one for key, times in parts[0] for one in [describe(key)] * times))
    if name == "interval":
        (opening, closing), ends = parts
        return opening + ", ".join(map(describe, ends)) + closing
    if name == "infinity":
        return "∞" if parts[0] else "-∞"
    if name == "reals":
        return " ∪ ".join(
            f"{'[' if low_closed else '('}{_show_number(low)}, {_show_number(high)}{']' if high_closed else ')'}"
            for low, low_closed, high, high_closed in parts[0]
        )
    if name == "matrix":
        return "[" + "; ".join(", ".join(map(describe, row)) for row in parts[0]) + "]"
    if name == "based":
        return f"{parts[0]} in base {parts[1]}"
    if name == "ratio":
        return " : ".join(map(describe, parts))
    return f"{kind(key)} {parts[0]}" if len(parts) == 1 and isinstance(parts[0], str) else kind(key)


def _show_number(value: Value | float | None) -> str:
    if isinstance(value, Complex):
        return f"{_show_number(value.real)} {'-' if value.imag < 0 else '+'} {_show_number(abs(value.imag))}i"
    if _is_rounded(value):
        return f"{ROUGH.inexact.nstr(ROUGH.widened(value), 12)}…"
    return "undefined" if value is None else str(value).replace("inf", "∞")


def _is_rounded(value: Value | float | None) -> bool:
    """Whether a value is shown as a decimal, as those of roots and functions are."""
    parts = value if isinstance(value, Complex) else (value,)
    return any(
        isinstance(part, Fraction) and part.denominator > LARGEST_DENOMINATOR for part in parts
    )


NAMES = {
    "unordered": "set",
    "repeated": "list",
    "ordered": "tuple",
    "reals": "set of real numbers",
    "based": "number in a base",
    "infinity": "infinity",
}


def _unordered(tree: Node, salt: str) -> Key:
    if tree.op in LISTS:
        with suppress(UnreadableError):
            return _of_reals(reals(tree))
    keys = [
        key
        for part in tree.parts
        for key in dict.fromkeys(key_of(choice, salt) for choice in _choices(part))
    ]
    if len(keys) == 1 and tree.op == "list":  # plus or minus nothing
        return keys[0]
    counts = Counter(keys)
    if tree.op == "set" or len(counts) == len(keys):
        return "unordered", frozenset(counts)
    return "repeated", frozenset(counts.items())


def _bracketed(tree: Node, salt: str) -> Key:
    if len(tree.parts) == 1 and not _is(tree.parts[0], "[]"):
        return key_of(tree.parts[0], salt)
    nested = tree.op == "[]" and all(_is(part, "[]") for part in tree.parts)
    if nested and len({len(part.parts) for part in tree.parts}) == 1:
        return key_of(Node("matrix", tuple(part.parts for part in tree.parts)), salt)
    if len(tree.parts) == 2 and (tree.op != "()" or _holds(tree, "∞")):
        try:
            return _of_reals(reals(tree))
        except UnreadableError:
            return "interval", tree.op, tuple(key_of(part, salt) for part in tree.parts)
    return "ordered", tuple(key_of(part, salt) for part in tree.parts)


def _of_reals(intervals: Reals) -> Key:
    if all(interval.low == interval.high for interval in intervals):  # points, or nothing
        return "unordered", frozenset(("expression", (interval.low,)) for interval in intervals)
    return "reals", tuple(intervals)


def _relation(tree: Node, salt: str) -> Key:
    with suppress(UnreadableError):
        return _of_reals(reals(tree))
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
            return name, _up_to_a_factor(Node("-", (left, right)), signs[0] == "=", salt)
        except UnreadableError:
            pass
    return (
        "relation",
        signs,
        tuple(
            ("name", part.parts) if _is(part, "call") else key_of(part, salt) for part in operands
        ),
    )


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
    return "based", digits, base


def _matrix(tree: Tree) -> tuple:
    """The cells of a matrix, of a multiple of one, or of a sum of matrices."""
    if isinstance(tree, Node) and tree.op == "matrix":
        return tree.parts
    if isinstance(tree, Node) and tree.op in ("neg", "*", "/"):
        for index, part in enumerate(tree.parts):
            if _holds(part, "matrix") and not any(
                _holds(other, "matrix") for other in tree.parts if other is not part
            ):
                around = tree.parts[:index], tree.parts[index + 1 :]
                return tuple(
                    tuple(Node(tree.op, (*around[0], cell, *around[1])) for cell in row)
                    for row in _matrix(part)
                )
    if isinstance(tree, Node) and tree.op in ("+", "-"):
        first, second = map(_matrix, tree.parts)
        if [*map(len, first)] == [*map(len, second)]:
            pairs_of_rows = zip(first, second, strict=True)
            return tuple(
                tuple(Node(tree.op, pair) for pair in zip(*rows, strict=True))
                for rows in pairs_of_rows
            )
    raise UnreadableError("a product of matrices, or a sum of different shapes")


def _choices(tree: Tree) -> list[Tree]:
    """What plus-minus signs stand for: all upper signs, or all lower ones."""
    if not _holds(tree, "±", "∓"):
        return [tree]
    return [_replaced(tree, {"±": "+", "∓": "-"}), _replaced(tree, {"±": "-", "∓": "+"})]


def _replaced(tree: Any, names: dict[str, str]) -> Any:
    """A tree, or a row of a matrix, with other names for some operations."""
    if isinstance(tree, Node):
        return Node(names.get(tree.op, tree.op), _replaced(tree.parts, names))
    return tuple(_replaced(part, names) for part in tree) if isinstance(tree, tuple) else tree


def _holds(tree: Tree | tuple, *operations: str) -> bool:
    """Whether one of these operations is somewhere in a tree."""
    if isinstance(tree, Node) and tree.op in operations:
        return True
    return isinstance(tree, tuple) and any(
        _holds(part, *operations) for part in (tree.parts if isinstance(tree, Node) else tree)
    )


def _is(tree: Tree, op: str) -> TypeGuard[Node]:
    return isinstance(tree, Node) and tree.op == op


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
    relations = [part for part in tree.parts if _is(part, "relation")]
    names = {part.parts[0] for part in relations}
    if len(names) != 1 or not _is(tree.parts[0], "relation"):
        return None
    values = [_solution(part) if _is(part, "relation") else part for part in tree.parts]
    return None if None in values else Node("list", tuple(values))


def _point(tree: Node) -> Tree | None:
    """The point that equations give, one for each coordinate, in the order of the alphabet:
    `x = 7, y = 8`.
    """
    equations = {part.parts[0]: _solution(part) for part in tree.parts if _is(part, "relation")}
    if len(equations) < len(tree.parts) or not all(isinstance(name, str) for name in equations):
        return None
    values = tuple(equations[name] for name in sorted(equations))
    return (
        Node("()", values) if None not in values and symbols(values).isdisjoint(equations) else None
    )


def _if_readable(name: str, tree: Node) -> Iterator[tuple[str, Key]]:
    with suppress(UnreadableError):
        yield name, _of_reals(reals(tree))
