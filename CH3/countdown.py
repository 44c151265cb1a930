r"""Check answers of Countdown: make a target from given numbers, each used once, with + - * /.

    solves_countdown("(25 - 7) * 3", [3, 25, 7], 54)           True
    explain_countdown("25 - 7 * 3", [3, 25, 7], 54).rule       "it makes 4, not 54"

- a puzzle has many right answers, so an answer is checked, not compared with a reference
- it is read by the verifier's own parser, which bounds length and depth: nothing is run as code
- values are exact fractions: a step may leave a fraction, or a number below zero

Where a careful human might decide otherwise, this is what was decided:

- notation is free: `3(25 - 7)`, `\frac{25}{5}`, `\times`, `÷` and square brackets are read as usual
- a minus sign before a number or a bracket is allowed: with numbers and a target above zero,
  whatever can be made with it can be made without, as `-7 + 25` is `25 - 7`
- an equation is right if all its sides are the target and one of them is right: `3 * 18 = 54` is
  not, `(25 - 7) * 3 = 3 * 18 = 54` is
- anything else is wrong: digits put together (`257`), powers, roots, factorials, mixed numbers,
  a colon as the sign of division, a letter as that of multiplication
"""

import operator
from collections.abc import Callable, Sequence
from fractions import Fraction
from itertools import permutations

from CH3.math_verifier import Grade
from CH3.math_verifier.lexer import UnreadableError
from CH3.math_verifier.parser import parse
from CH3.math_verifier.tree import Node, Tree, is_op, written

OPERATIONS: dict[str, Callable[..., Fraction]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "neg": operator.neg,
    "[]": operator.pos,  # square brackets
}


def solves_countdown(answer: str | None, numbers: Sequence[int], target: int) -> bool:
    r"""Return True if an expression makes the target with each of the numbers exactly once.

    It never raises, and takes milliseconds whatever it is given.

    Args:
        answer: an expression in LaTeX or plain notation, as `extract_answer` gives it; None is no
            answer.
        numbers: the given ones; one that is given twice is to be used twice.
        target: the number to make.

    >>> solves_countdown(r"\frac{25 - 7}{3}", [3, 25, 7], 6), solves_countdown("6", [3, 25, 7], 6)
    (True, False)
    """
    return explain_countdown(answer, numbers, target).correct


def has_solution(numbers: Sequence[int | Fraction], target: int) -> bool:
    """Return True if the numbers, each used once, can make the target; all ways are tried.

    The ways multiply with each number more, so it is meant for up to four numbers.

    Args:
        numbers: the given ones, or fractions that were made of them.
        target: the number to make.

    >>> has_solution([25, 7, 3], 54), has_solution([3, 5, 11], 97)
    (True, False)
    """
    if len(numbers) == 1:
        return numbers[0] == target
    for i, j in permutations(range(len(numbers)), 2):
        x, y = Fraction(numbers[i]), Fraction(numbers[j])
        others = [number for k, number in enumerate(numbers) if k not in (i, j)]
        made = [x + y, x - y, x * y, *([x / y] if y else [])]
        if any(has_solution([*others, value], target) for value in made):
            return True
    return False


def explain_countdown(answer: str | None, numbers: Sequence[int], target: int) -> Grade:
    """Return the verdict of `solves_countdown` with its reason and how the answer was read."""
    wanted = f"{target} from {_listed(numbers)}"
    if answer is None:
        return Grade(False, "there is no answer", "nothing", wanted)
    # 1. Read it, and compute each side of an equation.
    try:
        tree = parse(answer)
        sides = [value_and_numbers(side) for side in _sides(tree)]
    except ZeroDivisionError:
        return Grade(False, "it divides by zero", answer, wanted)
    # the second, if the caller has used up most of Python's stack
    except (UnreadableError, RecursionError):
        return Grade(False, "it is no expression of numbers with + - * /", answer, wanted)
    # 2. One side uses the numbers that were given, and all sides are the target.
    values = [value for value, used in sides if sorted(used) == sorted(numbers)]
    if not values:
        rule = f"it uses {_listed(sides[0][1])}, not {_listed(numbers)}"
    elif target not in values:
        rule = f"it makes {values[0]}, not {target}"
    elif any(value != target for value, _ in sides):
        rule = "it is a false equation"
    else:
        return Grade(True, "it makes the target with each number once", written(tree), wanted)
    return Grade(False, rule, written(tree), wanted)


def value_and_numbers(tree: Tree) -> tuple[Fraction, list[Fraction]]:
    """Compute an expression of + - * / exactly, and list the numbers in it from left to right.

    Raises:
        UnreadableError: something else is in the tree.
        ZeroDivisionError: it divides by zero.

    >>> value, numbers = value_and_numbers(parse("25 - 7 * 3"))
    >>> int(value), [int(number) for number in numbers]
    (4, [25, 7, 3])
    """
    if isinstance(tree, Fraction):
        return tree, [tree]
    if not isinstance(tree, Node) or tree.op not in OPERATIONS:
        raise UnreadableError(f"{written(tree)} is not made of numbers and + - * / alone")
    parts = [value_and_numbers(part) for part in tree.parts]
    try:
        value = OPERATIONS[tree.op](*(value for value, _ in parts))
    except TypeError:  # [25, 7]
        raise UnreadableError(f"{written(tree)} is a list") from None
    return value, [number for _, numbers in parts for number in numbers]


def _sides(tree: Tree) -> tuple[Tree, ...]:
    """Return the sides of an equation; anything else is its own only side."""
    if is_op(tree, "relation") and set(tree.parts[1::2]) == {"="}:
        return tree.parts[::2]
    return (tree,)


def _listed(numbers: Sequence[int | Fraction]) -> str:
    return ", ".join(map(str, numbers))
