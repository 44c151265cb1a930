"""Countdown: answers are checked by the numbers they use and the value they have, in any notation;
no answer is run, raises or takes long.
"""

import time
from fractions import Fraction
from random import Random

import pytest

from CH3.countdown import explain_countdown, solves_countdown, value_and_numbers
from CH3.evaluation.answers import is_right
from CH3.math_verifier import extract_answer
from CH3.math_verifier.lexer import UnreadableError
from CH3.math_verifier.parser import parse
from CH3.problems import load_problems, reference_of

NUMBERS, TARGET = [3, 25, 7], 54  # (25 - 7) * 3
EXACT = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
}


@pytest.mark.parametrize(
    "answer",
    [
        "(25 - 7) * 3",
        "3*(25-7)",
        "3(25-7)",
        "(3)(25-7)",
        r"(25 - 7) \times 3",
        r"\left(25-7\right)\cdot 3",
        "(25 − 7) × 3",
        "[25 - 7] * 3",
        "{25 - 7} * 3",
        "(-7 + 25) * 3",
        "-(7 - 25) * 3",
        "(7 - 25) * -3",
        "$(25 - 7) * 3$",
        "**(25 - 7) * 3**",
        "(25 - 7) * 3.",
        "(25 - 7) * 3 = 54",
        "54 = (25 - 7) * 3",
        "(25 - 7) * 3 = 18 * 3 = 54",
        "(25.0 - 7) * 3",
    ],
)
def test_the_target_in_any_notation_is_right(answer):
    grade = explain_countdown(answer, NUMBERS, TARGET)
    assert (grade.correct, grade.rule) == (True, "it makes the target with each number once")
    assert grade.reference == "54 from 3, 25, 7"


@pytest.mark.parametrize(
    ("answer", "numbers", "target"),
    [
        (r"\frac{25 - 7}{3}", [25, 7, 3], 6),
        (r"\dfrac{25}{5} + 3", [3, 5, 25], 8),
        (r"\frac12 * 6", [6, 1, 2], 3),
        ("25 ÷ 5 + 3", [3, 5, 25], 8),
        (r"25 \div 5 + 3", [3, 5, 25], 8),
        ("8 / (3 - 8/3)", [3, 3, 8, 8], 24),  # a fraction on the way
        ("3 * (4 - 9) + 20", [3, 4, 9, 20], 5),  # a number below zero
        ("6 + 6 + 6", [6, 6, 6], 18),
        ("7", [7], 7),
    ],
)
def test_values_are_exact_whatever_they_are_on_the_way(answer, numbers, target):
    assert solves_countdown(answer, numbers, target)


@pytest.mark.parametrize(
    ("answer", "rule"),
    [
        (None, "there is no answer"),
        ("", "it is no expression"),
        ("54", "it uses 54, not 3, 25, 7"),
        ("25 - 7 * 3", "it makes 4, not 54"),
        ("25 - 7 + 3", "it makes 21, not 54"),
        (r"\frac{25 - 7}{3}", "it makes 6, not 54"),
        ("(25 + 7) / 3", "it makes 32/3, not 54"),
        ("(25 - 7) * 3 + 0", "it uses 25, 7, 3, 0, not 3, 25, 7"),
        ("(25 - 7) * 3 * 1", "it uses 25, 7, 3, 1, not 3, 25, 7"),
        ("7 * 7 + 5", "it uses 7, 7, 5, not 3, 25, 7"),
        ("25 + 25 + 7 - 3", "it uses 25, 25, 7, 3, not 3, 25, 7"),
        ("(25 - 7) + 36", "it uses 25, 7, 36, not 3, 25, 7"),
        ("18 * 3 = 54", "it uses 18, 3, not 3, 25, 7"),
        ("(25 - 7) * 3 = 55", "it is a false equation"),
        ("(25 - 7) * 3 = 18 = 54", "it is a false equation"),
        ("3 / (25 - 25)", "it divides by zero"),
        ("257 - 3", "it uses 257, 3"),  # digits put together
        ("2 5 - 7 * 3", "it is no expression"),
        ("25 7 3", "it is no expression"),
        ("25^3 - 7", "it is no expression"),
        ("25**3 - 7", "it is no expression"),
        ("3! * (25 - 7)", "it is no expression"),
        (r"\sqrt{25} * 7 + 3", "it is no expression"),
        ("|7 - 25| * 3", "it is no expression"),
        ("(25 - 7) * 3%", "it is no expression"),
        ("(25 - 7) x 3", "it is no expression"),
        ("(25 - 7) : 3", "it is no expression"),
        ("7 1/3 + 25", "it uses 22/3, 25"),  # a mixed number
        ("25 ± 7 * 3", "it is no expression"),
        ("(25 - 7) * 3, (25 - 7) * 3", "it is no expression"),
        ("[25, 7] * 3", "it is no expression"),
        ("(25 - 7) * 3 < 60", "it is no expression"),
        ("a = (25 - 7) * 3", "it is no expression"),
        (r"\boxed{(25 - 7) * 3", "it is no expression"),
        ("seven and twenty-five", "it is no expression"),
    ],
)
def test_anything_else_is_wrong_and_the_reason_is_given(answer, rule):
    grade = explain_countdown(answer, NUMBERS, TARGET)
    assert not grade.correct
    assert grade.rule.startswith(rule)


def test_each_number_is_used_as_often_as_it_is_given():
    assert solves_countdown("6 * 6 - 6", [6, 6, 6], 30)
    assert not solves_countdown("6 * 6 - 6", [6, 6], 30)
    assert not solves_countdown("6 * 5", [6, 5, 6], 30)


def expression(rng: Random, numbers: list[int]) -> tuple[str, Fraction]:
    """A random expression of all the numbers, and its value by fractions alone."""
    if len(numbers) == 1:
        return str(numbers[0]), Fraction(numbers[0])
    cut = rng.randrange(1, len(numbers))
    (a, x), (b, y) = expression(rng, numbers[:cut]), expression(rng, numbers[cut:])
    sign = rng.choice("+-*/" if y else "+-*")
    signs = {"*": ["*", "×", r"\times ", r"\cdot "], "/": ["/", "÷"], "-": ["-", "−"], "+": ["+"]}
    written = f"({a} {rng.choice(signs[sign])} {b})"
    if sign == "/" and rng.random() < 0.5:
        written = rf"\frac{{{a}}}{{{b}}}"
    return written, EXACT[sign](x, y)


def test_random_expressions_have_the_value_that_fractions_give():
    rng = Random(0)
    for _ in range(400):
        numbers = [rng.randint(1, 30) for _ in range(rng.randint(1, 6))]
        written, value = expression(rng, numbers)
        assert value_and_numbers(parse(written)) == (value, numbers)
        if value.denominator == 1:
            assert solves_countdown(written, rng.sample(numbers, len(numbers)), int(value))
            assert not solves_countdown(written, numbers, int(value) + 1)
            assert not solves_countdown(written, [*numbers[1:], numbers[0] + 1], int(value))


def test_what_is_not_made_of_numbers_and_signs_has_no_value():
    with pytest.raises(UnreadableError, match="not made of numbers"):
        value_and_numbers(parse("x + 1"))
    with pytest.raises(ZeroDivisionError):
        value_and_numbers(parse("1 / (2 - 2)"))


@pytest.mark.parametrize(
    "answer",
    [
        "9e399*" * 150 + "9",
        "1/" * 149 + "3",
        "(" * 400 + "3" + ")" * 400,
        "-" * 900 + "3",
        "3-" * 400,
        "9" * 400 + " * 7",
        "9^9^9^9^9",
        "=" * 900,
        "(25-7)*3=" * 100 + "54",
        "__import__('os').system('true')",
        "3*" * 10**6,
        "\x00\ud800",
    ],
)
def test_hostile_answers_are_wrong_at_once(answer):
    start = time.process_time()
    assert not solves_countdown(answer, NUMBERS, TARGET)
    assert time.process_time() - start < 0.5


def test_the_solutions_of_the_shipped_puzzles_are_right_and_of_others_wrong():
    puzzles = load_problems("countdown500")
    answers = [extract_answer(puzzle["solution"]) for puzzle in puzzles]
    for puzzle, answer, other in zip(puzzles, answers, answers[1:] + answers[:1], strict=True):
        assert is_right(answer, reference_of(puzzle))
        assert not is_right(other, reference_of(puzzle))


def test_the_last_box_counts():
    text = r"\boxed{25 - 7 + 3} makes 21. Again: \boxed{(25 - 7) * 3} makes 54."
    assert solves_countdown(extract_answer(text), NUMBERS, TARGET)
    first, last = text.split(" Again: ")
    assert not solves_countdown(extract_answer(f"{last} {first}"), NUMBERS, TARGET)
    assert not solves_countdown(extract_answer(r"\boxed{(25 - 7) * 3"), NUMBERS, TARGET)


def test_a_reference_that_is_a_text_is_compared_as_before():
    assert is_right("0.5", r"\frac12")
    assert not is_right("(25 - 7) * 3", "55")
    assert not is_right(None, "55")
    assert not is_right(None, {"numbers": NUMBERS, "target": TARGET})
