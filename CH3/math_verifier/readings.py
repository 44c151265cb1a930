r"""Readings: other ways to take an answer than its key says.

`x = 5` may be 5, `(2, 4)` an interval, `50\%` 50, `7 apples` 7.
"""

from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction

from CH3.math_verifier.arithmetic import UndefinedError
from CH3.math_verifier.canonical import (
    LISTS,
    family_of_integers,
    in_lowest_terms,
    is_name,
    key_of,
    key_of_reals,
    ratio_parts,
    vector_of_letters,
)
from CH3.math_verifier.keys import (
    Congruence,
    Counted,
    Definition,
    Family,
    Integers,
    Key,
    Ordered,
    Ratio,
    Solutions,
    SymbolicInterval,
    Values,
    Word,
)
from CH3.math_verifier.lexer import UnreadableError
from CH3.math_verifier.real_sets import reals
from CH3.math_verifier.tree import (
    Node,
    Tree,
    holds,
    ingredients,
    is_op,
    replaced,
    with_letters,
    without_words,
)
from CH3.math_verifier.values import constant, symbols

ROUGHLY = Fraction(1, 100)  # what a rounded number may differ by from the exact one, in its parts


def readings_of(tree: Tree, key: Key, salt: str = "") -> Iterator[tuple[str, Key]]:
    """Yield other ways to take an answer: what each is called, and its key.

    Args:
        tree, key: of the answer.
        salt: see `CH3.math_verifier.values.fingerprint`.
    """
    if isinstance(key, Solutions):
        is_point = isinstance(key.values, Ordered)
        yield "a point" if is_point else "the value of what it names", key.values
    if isinstance(key, Family):
        first = _first(tree)
        yield "without what its parameter is", key_of(first, salt)
        yield from readings_of(first, key_of(first, salt), salt)
        if key.name:
            yield "the values of what it names", Family(key.member, key.parameters)
    if isinstance(key, Integers) and isinstance(tree, Node):
        conditions = [part for part in tree.parts if "in" not in part.parts[1::2]]
        yield "without its domain", key_of(Node("and", tuple(conditions)), salt)
    if isinstance(key, Congruence):
        yield "its residue", Values((key.residue,))
    if key == Word("ℕ"):
        yield "integers from 1", Word("ℤ+")
        yield "integers from 0", Word("ℤ>=0")
    if key == Word("no real solution"):
        yield "no solution", key_of(Node("set", ()), salt)
    if not isinstance(tree, Node):
        return
    found = ingredients(tree)
    if any(name.startswith("counted ") for name in found):
        bare = without_words(tree)
        yield "a number without the words behind it", key_of(bare, salt)
        if isinstance(key, Counted) and " " in key.words:  # 10 blue marbles
            yield "without some of the words behind it", Counted(key.number, key.words.split()[-1])
        yield from readings_of(bare, key_of(bare, salt), salt)
    if tree.op == "implies":
        last = tree.parts[-1]
        yield "what follows at last", key_of(last, salt)
        yield from readings_of(last, key_of(last, salt), salt)
    if (family := family_of_integers(tree, salt)) is not None:
        yield "a family of integers", family
    if (number := _selections(tree)) is not None:
        yield "a number of selections", key_of(number, salt)
    if (point := _named_point(tree)) is not None:
        yield "a point without its name", key_of(point, salt)
    if tree.op == "relation":
        yield from _of_relation(tree, key, salt)
    if tree.op in LISTS and (values := _indexed(tree)) is not None:
        yield "the solutions alone", key_of(values, salt)
        name = _name(tree.parts[0]) or ""
        yield "the solutions of one name", Solutions((name,), key_of(values, salt))
    if tree.op in LISTS and any(is_op(part, "relation") for part in tree.parts):
        parts = tuple(_value(part) for part in tree.parts)
        if None not in parts and len({_name(part) for part in tree.parts} - {None}) == 1:
            yield "the values of one name", key_of(Node("list", parts), salt)
    if tree.op in ("list", "and") and (restricted := _restricted(tree)) is not None:
        yield "without its restriction", key_of(restricted, salt)
        yield from readings_of(restricted, key_of(restricted, salt), salt)
    if tree.op == "and" and _is_mixed(tree.parts):
        yield "a mixed number", key_of(Node("+", tree.parts), salt)
    if tree.op == "*" and _is_said_twice(tree.parts):
        yield "the same number twice", key_of(tree.parts[0], salt)
    if tree.op == "*" and tree.parts[0] == "C" and is_op(tree.parts[1], "()"):
        yield "a binomial coefficient", key_of(Node("binom", tree.parts[1].parts), salt)
    if tree.op == "()" and len(tree.parts) == 2:
        yield from _interval(tree, salt)
    if tree.op in ("set", "list") and len(tree.parts) == 1 and not is_op(tree.parts[0], "set"):
        yield "its only element", key_of(tree.parts[0], salt)
    if tree.op == ":" and not is_op(tree.parts[0], "word"):
        parts = ratio_parts(tree)
        if len(parts) == 2:
            yield "a quotient", key_of(Node("/", parts), salt)
        if isinstance(key, Ratio) and key.is_clock:
            lowest = in_lowest_terms(parts)
            yield "a ratio in lowest terms", Ratio(tuple(key_of(part, salt) for part in lowest))
    if tree.op == "base":
        yield "its digits", key_of(tree.parts[0], salt)
    if tree.op == "matrix" and (len(tree.parts) == 1 or all(len(row) == 1 for row in tree.parts)):
        yield (
            "a row" if len(tree.parts) == 1 < len(tree.parts[0]) else "a vector",
            Ordered(tuple(key_of(cell, salt) for row in tree.parts for cell in row)),
        )
    if "j" in found and (vector := vector_of_letters(tree, salt)) is not None:
        yield "a vector", vector
    if "%" in found:
        yield "a number of hundredths", key_of(replaced(tree, {"%": "°"}), salt)  # as a unit
    if any(name.startswith("call ") for name in found):
        yield "a product", key_of(_as_products(tree), salt)


def _of_relation(tree: Node, key: Key, salt: str) -> Iterator[tuple[str, Key]]:
    """Yield what an equation says that something is, and what it is about."""
    solution = _solution(tree)
    if solution is not None:
        yield "the value of what it names", key_of(solution, salt)
        for reading, other in readings_of(solution, key_of(solution, salt), salt):
            if reading != "an interval" or not isinstance(tree.parts[0], str):  # x = (1, 2)
                yield reading, other
    if (
        tree.parts[1::2] == ("in",)
        and is_op(tree.parts[2], "set")
        and len(tree.parts[2].parts) == 1
    ):
        solved = Node("relation", (tree.parts[0], "=", tree.parts[2].parts[0]))
        yield "an equation", key_of(solved, salt)
        yield "its only element", key_of(tree.parts[2].parts[0], salt)
    if tree.parts[1::2] == ("in",) and None not in map(_number, tree.parts[::2]):
        yield "a chance", key_of(Node("/", tree.parts[::2]), salt)
    if len(tree.parts) > 3 and is_name(tree.parts[0]) and solution is not None:  # x = 1/3 ≈ 0.33
        equation = Node("relation", (tree.parts[0], "=", solution))
        yield "an equation without its decimal", key_of(equation, salt)
    if "≈" in tree.parts[1::2] and (rounded := _rounded(tree)) is not None:
        yield "a rounded value", key_of(rounded, salt)
    if (ends := _between(tree)) is not None and symbols(ends[1]):
        with suppress(UnreadableError, UndefinedError):
            yield "an interval with letters", _symbolic(*ends, salt)
    if isinstance(key, Definition):
        left, right = tree.parts[0], tree.parts[2]
        if key.name:
            yield "a mapping", Definition("", key.value)
        if tree.parts[1] == "=" and len(left.parts) == 1 and "y" not in symbols(right):
            on_x = with_letters(right, {left.parts[0]: "x"})
            yield "a curve", key_of(Node("relation", ("y", "=", on_x)), salt)


def _named_point(tree: Node) -> Tree | None:
    """Return the point `(1, 2)` of `A(1, 2)`, or None."""
    if tree.op.startswith("call ") and tree.op[5:6].isupper() and len(tree.parts) in (2, 3):
        return Node("()", tree.parts)
    named = tree.op == "*" and isinstance(tree.parts[0], str) and tree.parts[0].isupper()
    return tree.parts[1] if named and is_op(tree.parts[1], "()") else None


def _selections(tree: Node) -> Tree | None:
    """Return the number that `C_5^2` or `P(5, 2)` stands for, or None.

    The larger of the two numbers may stand below or above.
    """
    if tree.op == "^" and isinstance(tree.parts[0], str):
        letter, _, below = tree.parts[0].partition("_")
        parts: tuple[Tree, ...] = (Fraction(below) if below.isdecimal() else "", tree.parts[1])
    else:
        letter, parts = tree.op.removeprefix("call "), tree.parts
    if letter not in ("C", "P", "A") or len(parts) != 2:
        return None
    numbers = [number for number in map(_number, parts) if number is not None]
    if len(numbers) < 2 or any(number < 0 or number.denominator > 1 for number in numbers):
        return None
    few, many = sorted(numbers)
    if letter == "C":
        return Node("binom", (many, few))
    return Node("/", (Node("!", (many,)), Node("!", (many - few,))))


def _first(tree: Tree) -> Tree:
    """Return a list without its last part."""
    assert isinstance(tree, Node)
    return tree.parts[0] if len(tree.parts) == 2 else Node(tree.op, tree.parts[:-1])


def _restricted(tree: Node) -> Tree | None:
    r"""Return the formula before the values that its letters may not take: `1/x, x \ne 0`."""
    formula, *restrictions = tree.parts
    if is_op(formula, "relation") and "=" not in formula.parts[1::2]:
        return None
    for one in restrictions:
        if not is_op(one, "relation") or "=" in one.parts[1::2]:
            return None
        if not symbols(one.parts[::2]) <= symbols(formula):
            return None
    return formula if symbols(formula) else None


def _is_mixed(parts: tuple[Tree, ...]) -> bool:
    """Return True for a whole number and a fraction of one: `2 and 1/2`."""
    values = [_number(part) for part in parts]
    if len(values) != 2 or values[0] is None or values[1] is None:
        return False
    return values[0].denominator == 1 and values[0] > 0 and 0 < values[1] < 1


def _is_said_twice(parts: tuple[Tree, ...]) -> bool:
    r"""Return True for a fraction and its decimal: `\frac{5}{8} (0.625)`."""
    exact, decimal = map(_number, parts)
    fractions = (
        exact is not None
        and decimal is not None
        and 1 not in (exact.denominator, decimal.denominator)
    )
    return fractions and _roughly_equal(exact, decimal)


def _as_products(tree: Tree) -> Tree:
    """Take every f(x) for f times x."""
    if not isinstance(tree, Node) or tree.op in ("word", "matrix"):
        return tree
    parts = tuple(map(_as_products, tree.parts))
    if tree.op.startswith("call ") and len(parts) == 1 and isinstance(parts[0], Node):
        return Node("*", (tree.op.removeprefix("call "), *parts))
    return Node(tree.op, parts)


def _solution(tree: Node) -> Tree | None:
    """Return what an equation says that something is, or that a computation gives."""
    operands, signs = tree.parts[::2], tree.parts[1::2]
    if not set(signs) <= {"=", "≈"}:
        return None
    named = is_name(operands[0])
    values = operands[1:] if named else operands
    if all(not symbols(value) for value in values) and (named or not symbols(operands[0])):
        numbers = [_number(value) for value in values]
        if None in numbers:
            return values[-1]
        if holds(values[0], "°") != holds(values[-1], "°"):  # 120° = 2 pi / 3
            numbers = [_number(_in_radians(value)) for value in values]
            return values[0] if len(set(numbers)) == 1 else None
        agree = all(_roughly_equal(numbers[0], one) for one in numbers[1:])
        return values[0] if agree else None
    if named:
        return operands[-1]
    return operands[0] if is_name(operands[-1]) and len(operands) == 2 else None


def _in_radians(tree: Tree) -> Tree:
    turned = Node("*", (tree, Node("/", ("pi", Fraction(180)))))
    return turned if holds(tree, "°") else tree


def _number(tree: Tree) -> Fraction | None:
    with suppress(UnreadableError, UndefinedError):
        return constant(tree)
    return None


def _roughly_equal(exact: Fraction | None, rounded: Fraction | None) -> bool:
    """Return True if a number is another one, or a decimal that it may have been rounded to."""
    if exact is None or rounded is None or exact == rounded:
        return exact == rounded
    is_decimal = (10**12) % rounded.denominator == 0
    return is_decimal and abs(exact - rounded) <= ROUGHLY * abs(exact)


def _rounded(tree: Node) -> Tree | None:
    r"""Return the decimal at the end of `\sqrt{7} \approx 2.646`, if it is close to the rest."""
    *others, last = tree.parts[::2]
    exact, decimal = _number(others[-1]), _number(last)
    if decimal is None or (exact is None and not is_name(others[-1])):
        return None
    return last if exact is None or _roughly_equal(exact, decimal) else None


def _name(tree: Tree) -> str | None:
    """Return the name that an equation gives a value to, without its index: x of `x_1 = 4`."""
    if is_op(tree, "relation") and isinstance(tree.parts[0], str):
        return tree.parts[0].partition("_")[0]
    return None


def _value(tree: Tree) -> Tree | None:
    return _solution(tree) if is_op(tree, "relation") else tree


def _indexed(tree: Node) -> Tree | None:
    """Return the values of names that differ only in their index: `x_1 = 4, x_2 = -1`."""
    names = {_name(part) for part in tree.parts}
    if len(names) != 1 or None in names:
        return None
    values = tuple(_value(part) for part in tree.parts)
    return None if None in values else Node("list", values)


def _interval(tree: Node, salt: str) -> Iterator[tuple[str, Key]]:
    """Yield the interval that a pair in brackets may be."""
    try:
        yield "an interval", key_of_reals(reals(tree))
    except UnreadableError:
        with suppress(UnreadableError, UndefinedError):
            yield "an interval", _symbolic(tree.op, tree.parts, salt)


def _between(tree: Node) -> tuple[str, tuple[Tree, ...]] | None:
    r"""Return the brackets and ends of the interval that `a < x \le b` or `x \in (a, b)` says."""
    operands, signs = tree.parts[::2], tree.parts[1::2]
    if signs == ("in",) and is_op(operands[1], "()") and len(operands[1].parts) == 2:
        return "()", operands[1].parts
    if len(signs) != 2 or not set(signs) <= {"<", "<="} or not isinstance(operands[1], str):
        return None
    brackets = "(["[signs[0] == "<="] + ")]"[signs[1] == "<="]
    return brackets, (operands[0], operands[2])


def _symbolic(brackets: str, ends: tuple[Tree, ...], salt: str) -> Key:
    return SymbolicInterval(brackets, tuple(key_of(end, salt) for end in ends))
