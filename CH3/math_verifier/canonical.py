r"""From a tree to its key.

- an expression becomes its values at several places (`CH3.math_verifier.values`); what is too large
  for them, its remainders modulo two primes (`CH3.math_verifier.modular`); what has neither, itself
- a point keeps the order of its parts, a set and a bare list lose it; `2 \pm 1` is a list of two
- intervals, their unions and inequalities become sets of real numbers
  (`CH3.math_verifier.real_sets`)
- an equation becomes what its sides differ by, up to a factor: `y = 2x + 3` and `2x - y + 3 = 0`
  are one; one that gives names their values becomes the names and the values
"""

import itertools
import math
from collections import Counter
from contextlib import suppress
from fractions import Fraction
from typing import TypeGuard

from CH3.math_verifier.arithmetic import UndefinedError
from CH3.math_verifier.keys import (
    Based,
    Case,
    Congruence,
    Counted,
    Definition,
    Equation,
    Family,
    Infinity,
    Integers,
    Key,
    Matrix,
    Ordered,
    Ratio,
    Reals,
    Relation,
    Repeated,
    Residues,
    Solutions,
    Statement,
    SymbolicInterval,
    Unordered,
    Unvalued,
    Values,
    Word,
)
from CH3.math_verifier.lexer import UnreadableError
from CH3.math_verifier.matrices import as_columns, cells_of
from CH3.math_verifier.modular import residues
from CH3.math_verifier.real_sets import (
    INFINITE,
    MINUS_INFINITE,
    Interval,
    RealSet,
    combined,
    integers_among,
    intersection,
    is_set,
    line_of,
    reals,
)
from CH3.math_verifier.tree import (
    NUMBER_SETS,
    Node,
    Tree,
    holds,
    ingredients,
    is_op,
    replaced,
    with_letters,
    written,
)
from CH3.math_verifier.values import (
    Complex,
    constant,
    fingerprint,
    needs_whole,
    recognised,
    symbols,
    values_at_places,
)

LISTS = frozenset(["list", "or", "and"])
BRACKETS = frozenset(["()", "(]", "[)", "[]"])
UNIT_VECTORS = ("vec i", "vec j", "vec k")
PLUS_MINUS = frozenset("±∓")
SET_OPERATIONS = frozenset(["∪", "∩", "∖", "-", "ℝ", "set"])
SIDES = frozenset(["=", "<", "<=", ">", ">="])
# The least element of sets of integers.
LEAST: dict[str, Fraction | float] = {
    "ℤ": -math.inf,
    "ℕ": Fraction(1),
    "ℤ+": Fraction(1),
    "ℤ>=0": Fraction(0),
}
MAX_INTEGERS = 1000  # of a set that is compared element by element
# What `|z| = 5` gives the length of; but `|x| = 5` is an equation.
LENGTHS = frozenset("zwuv")
# Functions whose value, of something that has letters, is a quantity's name.
NAMING = frozenset(["gcd", "lcm", "det", "min", "max", "Re", "Im", "arg"])


def key_of(tree: Tree, salt: str = "") -> Key:
    """Return the key of an answer.

    Raises:
        UnreadableError: it cannot be compared, or not cheaply.
        UndefinedError: it has no value.
    """
    if not isinstance(tree, Node):
        return Values(fingerprint(tree, salt))
    op = tree.op
    if op in LISTS or op == "set":
        return _unordered(tree, salt)
    if op.startswith("counted "):
        words, [number] = op.removeprefix("counted "), tree.parts
        if words.split()[0] in ("am", "pm") and isinstance(number, Fraction):  # 6 pm is 6:00 pm
            number = Node(":", (number, Fraction(0)))
        return Counted(key_of(number, salt), words)
    if op == "implies":
        return Relation(("⇒",), tuple(key_of(part, salt) for part in tree.parts))
    if op == "relation":
        return _relation(tree, salt)
    if op == "mod" and not holds(tree, *PLUS_MINUS):
        return _congruence(tree)
    if op in ("case", "family"):
        return _parametric(tree, salt)
    found = ingredients(tree)
    if found & PLUS_MINUS:
        return _unordered(Node("list", (tree,)), salt)
    if op in SET_OPERATIONS and is_set(tree):
        return key_of_reals(reals(tree))
    if op in BRACKETS:
        return _bracketed(tree, salt)
    if op in NUMBER_SETS:
        return Word(op)
    if op == "base":
        return _based(tree)
    if op == "word":
        return Word(tree.parts[0])
    if op == ":":
        return _ratio(tree, salt)
    if tree in (INFINITE, MINUS_INFINITE):
        return Infinity(op == "∞")
    if op != "det" and found & {"matrix", "()"}:
        return _of_cells(tree, salt)
    if not found.isdisjoint(UNIT_VECTORS):
        return _vector(tree, UNIT_VECTORS, salt)
    return _expression(tree, salt)


def _expression(tree: Node, salt: str) -> Key:
    """Return the values of an expression; without these its remainders, or the tree itself."""
    with suppress(UnreadableError, UndefinedError):
        return Values(fingerprint(tree, salt, whole=needs_whole(tree)))
    with suppress(UnreadableError):
        return Residues(residues(tree, salt))
    return Unvalued(tree)


# --- lists, sets, points, ratios ---


def _unordered(tree: Node, salt: str) -> Key:
    if tree.op in LISTS:
        with suppress(UnreadableError):
            return key_of_reals(reals(tree))
        found = (
            _residue_classes(tree)
            or _integers(tree)
            or _family(tree, salt)
            or _solutions(tree, salt)
        )
        if found is not None:
            return found
    bounded = _bounded_names(tree)
    keys = [
        key if part not in bounded else Solutions(bounded[part], key)
        for part in tree.parts
        for key in dict.fromkeys(key_of(choice, salt) for choice in _choices(part))
    ]
    counts = Counter(keys)
    if len(counts) == 1 and (tree.op == "or" or len(keys) == 1) and tree.op != "set":
        return keys[0]  # the same said twice; plus or minus nothing
    if tree.op in ("set", "or") or len(counts) == len(keys):
        return Unordered(frozenset(counts))
    return Repeated(frozenset(counts.items()))


def _bounded_names(tree: Node) -> dict[Tree, tuple[str, ...]]:
    """Return what each of several inequalities is about, if they are about different variables."""
    relations = [part for part in tree.parts if is_op(part, "relation")]
    found: dict[Tree, tuple[str, ...]] = {
        part: tuple(sorted(symbols(part.parts[::2])))
        for part in relations
        if "=" not in part.parts[1::2]
    }
    return found if len(set(found.values())) > 1 else {}


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


def _integers(tree: Node) -> Key | None:
    r"""Return the integers that inequalities leave, or None: `|x| \le 1, x \in \mathbb{Z}`."""
    domains = [part for part in tree.parts if _least_integer(part) is not None]
    conditions = tuple(part for part in tree.parts if part not in domains)
    if tree.op == "or" or len(domains) != 1 or not conditions:
        return None
    try:
        found = combined("and", conditions)
    except UnreadableError:
        return None
    least = Interval(_least_integer(domains[0]), True, math.inf, False)  # type: ignore[arg-type]
    intervals = integers_among(intersection(found, [least]))
    count = sum(interval.high - interval.low + 1 for interval in intervals)
    if count > MAX_INTEGERS:
        return Integers(tuple(intervals))
    points = [
        Interval(Fraction(low + step), True, Fraction(low + step), True)
        for low, _, high, _ in intervals
        for step in range(int(high - low) + 1)
    ]
    return key_of_reals(points)


def _least_integer(tree: Tree) -> Fraction | float | None:
    r"""Return the least integer that `n \in \mathbb{Z}` allows; None if it says no such thing."""
    if not is_op(tree, "relation") or tree.parts[1::2] != ("in",):
        return None
    domain = tree.parts[2]
    return LEAST.get(domain.parts[0] if is_op(domain, "word") else getattr(domain, "op", ""))


def _ratio(tree: Node, salt: str) -> Key:
    """Return a ratio in lowest terms; `3:45`, which may be a time, as it stands."""
    *labels, last = ratio_parts(tree)
    if isinstance(last, Node) and last.op.startswith("counted "):
        ratio = Node(":", (*labels, last.parts[0]))
        return Counted(_ratio(ratio, salt), last.op.removeprefix("counted "))
    is_clock = len(labels) == 1 and _is_clock(labels[0], last)
    parts = (*labels, last)
    return Ratio(
        tuple(key_of(part, salt) for part in (parts if is_clock else in_lowest_terms(parts))),
        is_clock,
    )


def ratio_parts(tree: Tree) -> tuple[Tree, ...]:
    """Return the parts of a ratio, of which there may be more than two: `1 : 2 : 3`."""
    if is_op(tree, ":"):
        return tuple(part for side in tree.parts for part in ratio_parts(side))
    return (tree,)


def _is_clock(hours: Tree, minutes: Tree) -> bool:
    whole = all(isinstance(one, Fraction) and one.denominator == 1 for one in (hours, minutes))
    return whole and 0 <= hours <= 24 and (minutes == 0 or 10 <= minutes < 60)  # type: ignore[operator]


def in_lowest_terms(parts: tuple[Tree, ...]) -> tuple[Tree, ...]:
    """Divide the parts of a ratio by what they have in common, if they are positive fractions."""
    values: list[Fraction] = []
    for part in parts:
        with suppress(UnreadableError, UndefinedError):
            values.append(constant(part))
    if len(values) < len(parts) or any(value <= 0 for value in values):
        return parts
    common = math.lcm(*(value.denominator for value in values))
    whole = [int(value * common) for value in values]
    divisor = math.gcd(*whole)
    return tuple(Fraction(one, divisor) for one in whole)


def _based(tree: Node) -> Key:
    digits, base = tree.parts[0], constant(tree.parts[1])
    if not 2 <= base <= 36 or base.denominator > 1:
        raise UnreadableError("not a base")
    if is_op(digits, "word"):
        return Based(digits.parts[0].lstrip("0"), base)
    if digits.denominator > 1:
        raise UnreadableError("not a number in a base")
    return Based(str(digits), base)


# --- equations ---


def _relation(tree: Node, salt: str) -> Key:
    operands, signs = tree.parts[::2], tree.parts[1::2]
    if signs == ("!=",) and len(choices := _choices(tree)) == 2:  # x is neither of two
        return key_of(Node("and", tuple(choices)), salt)
    if "=" not in signs:
        with suppress(UnreadableError):
            return key_of_reals(reals(tree))
    if signs == ("in",) and isinstance(operands[0], str) and isinstance(operands[1], Node):
        return key_of(operands[1], salt)
    *names, value = operands
    if set(signs) == {"="} and len(set(names)) > 1 and all(isinstance(one, str) for one in names):
        point = None if symbols(value) else _point(dict.fromkeys(names, value), salt)
        if point is not None:  # a = b = 3
            return point
    if signs in (("=",), ("↦",)):
        left, right = operands
        defined = _definition(left, right, salt) if signs == ("=",) else _mapping(left, right, salt)
        found = defined or _solutions(Node("list", (tree,)), salt)
        if found is not None:
            return found
    if len(operands) == 2 and signs[0] in SIDES:
        with suppress(UnreadableError):
            return _equation(operands, signs[0], salt)
    if set(signs) <= {">", ">="}:  # A > B > C is C < B < A
        operands, signs = operands[::-1], tuple(sign.replace(">", "<") for sign in signs[::-1])
    return Relation(signs, tuple(key_of(part, salt) for part in operands))


def _equation(operands: tuple[Tree, ...], sign: str, salt: str) -> Key:
    """Return what the sides differ by, up to a factor; the sides themselves, if nothing varies."""
    left, right = operands if sign in ("=", ">", ">=") else reversed(operands)
    if not symbols(operands):
        sides = key_of(left, salt), key_of(right, salt)
        return Statement(frozenset(sides)) if sign == "=" else Relation((sign.strip("<>"),), sides)
    found = values_at_places(Node("-", (left, right)), salt)
    values = [value for value in found if not isinstance(value, Complex)]
    if len(values) < len(found):
        raise UnreadableError("an equation of complex numbers")
    first = next((value for value in values if value), None)
    kind = "equation" if sign == "=" else "inequality"
    if sign.endswith("=") and sign != "=":
        kind = "inequality with equality"
    if first is None:
        if None in values:
            raise UnreadableError("an equation of numbers that are too large")
        return Equation(kind, "always")
    factor = first if sign == "=" else abs(first)
    return Equation(kind, tuple(None if value is None else value / factor for value in values))


def _definition(left: Tree, right: Tree, salt: str) -> Key | None:
    """Return `f(x) = 2x` with the names of its arguments taken out, or None."""
    if not isinstance(left, Node) or not left.op.startswith("call "):
        return None
    names = left.parts
    if not all(isinstance(name, str) and len(name) == 1 for name in names):
        return None
    if len(set(names)) < len(names) or not all(name in symbols(right) for name in names):
        return None
    if left.op in ingredients(right):  # f(x) = f(-x)
        return None
    return Definition(left.op.removeprefix("call "), key_of(_renamed(right, names), salt))


def _mapping(left: Tree, right: Tree, salt: str) -> Key | None:
    r"""Return `x \mapsto 3x` or `f: x \mapsto 3x` with the name of the argument taken out."""
    name = ""
    if is_op(left, ":") and isinstance(left.parts[0], str):
        name, left = left.parts
    names = left.parts if is_op(left, "()") else (left,)
    if not all(isinstance(name, str) for name in names):
        return None
    return Definition(name, key_of(_renamed(right, names), salt))


def _renamed(tree: Tree, names: tuple[str, ...]) -> Tree:
    """Call variables by their number instead of their names."""
    return with_letters(tree, {name: f"argument {at}" for at, name in enumerate(names)})


def _solutions(tree: Node, salt: str) -> Key | None:
    """Return the values that equations give to one name, or to several; None if they give none.

    One value of one name stays an equation, which other equations may say too: `2x = 10`.
    """
    # 1. equations, or values behind the first of them
    first = tree.parts[0]
    if not (is_op(first, "relation") and first.parts[1::2] == ("=",)):
        return None
    pairs: list[tuple[Tree | None, Tree]] = [
        (_named(part.parts[0]), _in_a_row(part.parts[2]))
        if _is_equation(part)
        else (None, _in_a_row(part))
        for part in tree.parts
    ]
    # 2. points: (x, y) = (2, 9) or (3, 4)
    name, value = pairs[0]
    if is_op(name, "()") and all(one in (name, None) for one, _ in pairs):
        return _points(name.parts, [part for _, part in pairs], salt)
    if (width := _names_in_turn(pairs)) > 1:  # x = 2, y = 9 or x = 3, y = 4
        names, values = zip(*pairs, strict=True)
        turns = [values[at : at + width] for at in range(0, len(values), width)]
        return _points(names[:width], [Node("()", turn) for turn in turns], salt)
    if not isinstance(name, str) or any(is_op(part, "relation") for _, part in pairs):
        return None
    # 3. several values of one name
    if {one for one, _ in pairs} <= {name, None}:
        several = is_op(value, "set") or holds(value, "±", "∓") or len(pairs) > 1
        if not several:
            return None
        values = tuple(part for _, part in pairs)
        whole = values[0] if len(values) == 1 else Node("or", values)
        return Solutions((name,), key_of(whole, salt))
    # 4. one value for each of several names
    named = {one: part for one, part in pairs if isinstance(one, str)}
    if len(named) < len(pairs) or tree.op == "or":
        return None
    return _point(named, salt)


def _in_a_row(tree: Tree) -> Tree:
    """Return the only column of a matrix as a point."""
    if is_op(tree, "matrix") and all(len(row) == 1 for row in tree.parts):
        return Node("()", tuple(row[0] for row in tree.parts))
    return tree


def _named(left: Tree) -> Tree:
    """Return the words of a label as a name, and a column of names as a point."""
    return left.parts[0] if is_op(left, "word") else _in_a_row(left)


def _names_in_turn(pairs: list[tuple[Tree | None, Tree]]) -> int:
    """Return after how many equations the same names come again; 0 if they do not."""
    names = [one for one, _ in pairs]
    width = names.index(names[0], 1) if names[0] in names[1:] else 0
    return width if width and names == names[:width] * (len(names) // width) else 0


def _points(names: tuple, points: list[Tree], salt: str) -> Key | None:
    """Return several names with the points that they are equal to, or None if these do not fit."""
    if not all(isinstance(name, str) for name in names):
        return None
    if not all(is_op(point, "()") and len(point.parts) == len(names) for point in points):
        return None
    found = [_point(dict(zip(names, point.parts, strict=True)), salt) for point in points]  # type: ignore[union-attr]
    if len(found) == 1:
        return found[0]
    values = frozenset(one.values for one in found if one is not None)
    return None if None in found else Solutions(tuple(sorted(names)), Unordered(values))


def _is_equation(tree: Tree) -> TypeGuard[Node]:
    return is_op(tree, "relation") and tree.parts[1::2] == ("=",)


def _point(values: dict[str, Tree], salt: str) -> Solutions | None:
    """Return names with their values, in the order of the alphabet."""
    if not symbols(tuple(values.values())).isdisjoint(values):
        return None
    names = tuple(sorted(values))
    return Solutions(names, Ordered(tuple(key_of(values[name], salt) for name in names)))


def _family(tree: Node, salt: str) -> Family | None:
    r"""Return `2k + 1, k \in \mathbb{Z}` with the name of its parameter taken out, or None."""
    *members, domain = tree.parts
    if not is_op(domain, "relation") or domain.parts[1::2] != ("in",):
        return None
    name, values = domain.parts[0], domain.parts[2]
    of_numbers = isinstance(values, Node) and (values.op in NUMBER_SETS or values.op == "word")
    if not isinstance(name, str) or not of_numbers or name not in symbols(tuple(members)):
        return None
    named = {part.parts[0] for part in members if _is_equation(part) and part.parts[0] != name}
    if len(named) == 1:  # x = k pi
        members = [part.parts[2] if _is_equation(part) else part for part in members]
        [only] = named
        found = _family(Node(tree.op, (*members, domain)), salt)
        return Family(found.member, found.parameters, written(only)) if found else None
    if values.op == "ℤ" and (found := _progressions(members, name)) is not None:
        return found
    member = members[0] if len(members) == 1 else Node(tree.op, tuple(members))
    return Family(key_of(_renamed(member, (name,)), salt), key_of(values, salt))


def _progressions(members: list[Tree], name: str) -> Family | None:
    r"""Return `a + kb` for all integers k: the step b, and a as a share of it; None if it is none.

    So `\frac{\pi}{3} + 2k\pi` is `\frac{7\pi}{3} - 2n\pi`.
    """
    found = set()
    for member in itertools.chain.from_iterable(map(_choices, members)):
        if symbols(member) != {name}:
            return None
        try:
            start, step = line_of(member, name)
        except UnreadableError:
            return None
        share = recognised(start / abs(step) % 1)
        found.add(Ordered((Values((share % 1,)), Values((recognised(abs(step)),)))))
    return Family(Unordered(frozenset(found)), Word("ℤ"))


def family_of_integers(tree: Tree, salt: str) -> Family | None:
    r"""Return `k\pi + 1` as what it is if k runs through the integers; None if it is no family."""
    letters = symbols(tree)
    if len(letters) != 1 or letters.isdisjoint("knm") or not holds(tree, "+", "-", "±", "∓"):
        return None
    if ingredients(tree).isdisjoint({"pi", "°"}):
        return None
    found = _progressions([tree], *letters)
    return found or Family(key_of(_renamed(tree, tuple(letters)), salt), Word("ℤ"))


def _parametric(tree: Node, salt: str) -> Key:
    """Return a case with its condition, or the set of all values of an expression."""
    first, condition = tree.parts
    if tree.op == "case":
        return Case(key_of(first, salt), key_of(condition, salt))
    family = _family(Node("list", (first, condition)), salt)
    return family or Family(key_of(first, salt), key_of(condition, salt))


def _congruence(tree: Node) -> Key:
    r"""Return the residue class of `x \equiv 3 \pmod 7`, or of `3 \pmod 7`."""
    inside, modulus = tree.parts[0], constant(tree.parts[1])
    name = ""
    if is_op(inside, "relation"):
        if inside.parts[1::2] not in (("≡",), ("=",)):
            raise UnreadableError("not a congruence")
        name, inside = written(inside.parts[0]), inside.parts[2]
    residue = constant(inside)
    if modulus.denominator != 1 or residue.denominator != 1 or modulus <= 0:
        raise UnreadableError("not a residue class")
    return Congruence(name, residue % modulus, modulus)


def _residue_classes(tree: Node) -> Key | None:
    r"""Return the classes of `n \equiv 0, 1 \pmod 4`, or None."""
    first, *others = tree.parts
    if not others or not is_op(others[-1], "mod") or not is_op(first, "relation"):
        return None
    name, modulus = first.parts[0], others[-1].parts[1]
    residues = [first.parts[-1], *others[:-1], others[-1].parts[0]]
    if first.parts[1::2] != ("≡",) or any(is_op(one, "relation") for one in residues):
        return None
    sides = [Node("relation", (name, "≡", one)) for one in residues]
    classes = {_congruence(Node("mod", (side, modulus))) for side in sides}
    return Unordered(frozenset(classes)) if len(classes) > 1 else classes.pop()


def is_name(tree: Tree) -> bool:
    r"""Return True if an equation may give this a value: it names a quantity, and computes none.

    A letter, `f(x)`, `(x, y)`, a word; the length AB, an angle, an area `[ABC]`; `dy/dx`, `A^{-1}`,
    `\sin A`; not `x + y` or `x^2`, of which an equation says something else.
    """
    if not isinstance(tree, Node):
        return isinstance(tree, str) and tree != "pi"
    op, parts = tree.op, tree.parts
    if op == "word" or op.startswith("call "):
        return True
    if op == ":":
        return all(isinstance(part, str) or _is_upper(part) for part in ratio_parts(tree))
    if op in ("∪", "∩"):
        return all(map(_is_upper, parts))
    if op in ("()", "matrix"):
        cells = [cell for row in parts for cell in row] if op == "matrix" else parts
        return all(isinstance(cell, str) for cell in cells)
    if op == "*" and all(isinstance(part, str) and part.startswith("vec ") for part in parts):
        return True
    if op == "*":
        return _is_upper(tree) or written(tree).startswith(
            ("(m * angle", "(d * ", "((d / ", "(((d * ")
        )
    if op == "norm":
        return isinstance(parts[0], str)
    if op == "abs" and parts[0] in LENGTHS:
        return True
    if op in ("abs", "[]", "transpose"):
        return all((isinstance(part, str) and len(part) > 1) or _is_upper(part) for part in parts)
    if op == "/":
        return all(map(_is_upper, parts)) or written(tree).lstrip("(").startswith(("d", "partial"))
    if op == "^":
        return _is_upper(parts[0]) and parts[1] in (Node("neg", (Fraction(1),)), Fraction(-1))
    if op in ("sin", "cos", "tan", "cot", "sec", "csc"):
        return all(isinstance(part, str) and part not in "xyzt" for part in parts)
    return op in NAMING and bool(symbols(tree))


def _is_upper(tree: Tree) -> bool:
    """Return True for capitals side by side: AB, ABC."""
    if isinstance(tree, str):
        return tree.replace("_", "").replace("'", "").isupper() or tree.startswith("overline")
    return is_op(tree, "*") and all(map(_is_upper, tree.parts))


# --- matrices and vectors ---


def _of_cells(tree: Tree, salt: str) -> Key:
    """Return the key of a matrix, or of a point, that may be computed of several."""
    if not holds(tree, "matrix"):
        cells = cells_of(as_columns(tree))
        return Ordered(tuple(key_of(cell, salt) for [cell] in cells))
    rows = cells_of(tree)
    return Matrix(tuple(tuple(key_of(cell, salt) for cell in row) for row in rows))


def _vector(tree: Node, units: tuple[str, ...], salt: str) -> Key:
    """Return a sum of multiples of unit vectors as the tuple of its coordinates."""
    places = [{unit: Fraction(unit == one) for unit in units} for one in units]
    nothing = with_letters(tree, dict.fromkeys(units, Fraction(0)))
    if key_of(nothing, salt) != Values((Fraction(0),)) or not _is_linear(tree):
        raise UnreadableError("a number is added to a vector")
    coordinates = tuple(key_of(with_letters(tree, place), salt) for place in places)
    return Ordered(coordinates if units[2] in symbols(tree) else coordinates[:2])


def vector_of_letters(tree: Tree, salt: str) -> Key | None:
    """Return `3i - 4j` as a vector, or None if the letters are no unit vectors."""
    if not isinstance(tree, Node) or "j" not in symbols(tree) or not _is_linear(tree):
        return None
    named = with_letters(tree, {"i": "vec i", "j": "vec j", "k": "vec k"})
    with suppress(UnreadableError, UndefinedError):
        return _vector(named, UNIT_VECTORS, salt)
    return None


def _is_linear(tree: Tree) -> bool:
    """Return True if unit vectors are only added and multiplied by numbers."""
    if not isinstance(tree, Node) or symbols(tree).isdisjoint((*UNIT_VECTORS, "j", "k")):
        return True
    if tree.op == "*" and not any(symbols(part).isdisjoint(UNIT_VECTORS) for part in tree.parts):
        return False
    return tree.op in ("+", "-", "neg", "*", "/") and all(map(_is_linear, tree.parts))


def _choices(tree: Tree) -> list[Tree]:
    """Return the two trees that plus-minus signs stand for: all upper signs, and all lower ones."""
    if not holds(tree, "±", "∓"):
        return [tree]
    return [replaced(tree, {"±": "+", "∓": "-"}), replaced(tree, {"±": "-", "∓": "+"})]
