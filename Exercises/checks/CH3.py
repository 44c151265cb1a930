"""Checks of chapter 3's exercises, with reference values computed apart from the solutions.

Each exercise has a function of its name, `(rng) -> cases`. `rng` has a new seed at each run.
"""

import ast
import difflib
import functools
import itertools
import json
import math
import re
import tempfile
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from random import Random

from CH3.math_verifier import extract_answer, grade_answer, same_answer
from Exercises.cases import Case, Mistake, Satisfies, Seen

ALLOWED = 5  # of 100 real answers on which a reader's judge may differ from ours
WORDS = ("apples", "of", "the", "so", "and", "left", "bags", "then")


def fill_template(rng: Random) -> Iterator[Case]:
    """Check prompts that are joined from pieces; braces are doubled in the template only."""
    hand = [
        ("Question: {problem}\nAnswer:", "What is 1 + 1?", "Question: What is 1 + 1?\nAnswer:"),
        ("Use \\boxed{{}}: {problem}", "\\frac{1}{2} + 1?", "Use \\boxed{}: \\frac{1}{2} + 1?"),
        (
            "{problem} Again: {problem}",
            "What is \\sqrt{{a}}?",
            "What is \\sqrt{{a}}? Again: What is \\sqrt{{a}}?",
        ),
        ("{{problem}} means: {problem}", "3 {problem}s", "{problem} means: 3 {problem}s"),
    ]
    for template, problem, expected in hand:
        note = "doubled braces are braces" if "{{" in template else ""
        yield Case((template, problem), expected, note=note)
    for _ in range(3):
        before, after = (f"{rng.choice(WORDS)} {{{rng.choice(WORDS)}}}: " for _ in range(2))
        problem = f"What is \\frac{{{rng.randint(1, 9)}}}{{{rng.randint(2, 9)}}}?"
        yield Case(
            (f"{_doubled(before)}{{problem}}{_doubled(after)}", problem), before + problem + after
        )


def _doubled(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")


def last_number(rng: Random) -> Iterator[Case]:
    """Check texts in which known numbers stand among words and punctuation."""
    hand = [
        ("She has 3 bags and pays $1,234.50.", "1,234.50"),
        ("I do not know.", None),
        ("The answer is 42.", "42"),
        ("It is between 3 and -7, I think", "-7"),
        ("Read pages 3-5!", "5"),
        ("The roots are 1, 2", "2"),
        ("In all 12,345,678 people", "12,345,678"),
        ("7", "7"),
    ]
    for text, expected in hand:
        yield Case((text,), expected)
    for _ in range(5):
        numbers = [
            rng.choice(
                [
                    f"{rng.randint(-999, 999)}",
                    f"{rng.randint(1000, 10**7):,}",
                    f"{rng.uniform(-9, 9):.2f}",
                ]
            )
            for _ in range(3)
        ]
        text = "".join(
            f"{rng.choice(WORDS)} {number}{rng.choice(['. ', ' ', ', ', '; '])}"
            for number in numbers
        )
        yield Case((text + rng.choice(WORDS),), numbers[-1])


def last_box(rng: Random) -> Iterator[Case]:
    """Check texts with boxes around known contents, which are nested at random and by hand."""
    hand = [
        (
            r"First \boxed{3}, no: \boxed{\frac{1}{2}}, I mean \boxed{\fra",
            r"\frac{1}{2}",
            "the last one was cut off",
        ),
        (r"\boxed{1} and \boxed{2}.", "2", ""),
        ("I do not know {yet}.", None, "no box"),
        (r"It is \boxed{\frac{1}{2", None, "the only one was cut off"),
        (r"\boxed{\left\{1, 2\right.} {or so}", r"\left\{1, 2\right.", r"\{ has no partner"),
        (r"\boxed{5\}} is {odd}", r"5\}", r"\} has no partner"),
        (r"\boxed{(1\\{-2})}", r"(1\\{-2})", r"the line break \\ escapes no brace"),
        (r"\boxed{1 \\} {or so}", r"1 \\", r"the line break \\ escapes no brace"),
        (r"\boxed{1 + \boxed{\sqrt{2}}}", r"\sqrt{2}", "a box in a box"),
        (r"\boxed{1 + \boxed{2}", "2", "a whole box in one that was cut off"),
        (r"\boxed{}", "", "an empty box"),
    ]
    for text, expected, note in hand:
        yield Case((text,), expected, note=note)
    for _ in range(4):
        first, last = _nested(rng, 3), _nested(rng, 3)
        tail = rng.choice(["", " {done}", f" or \\boxed{{{last}", " }"])
        yield Case((f"\\boxed{{{first}}} so {{it}} is \\boxed{{{last}}}{tail}",), last)


def _nested(rng: Random, depth: int) -> str:
    """Return a text whose braces nest to this depth."""
    if depth == 0:
        return str(rng.randint(0, 99))
    return rng.choice(
        ["\\sqrt{%s}", "\\frac{1}{%s}", "x^{%s} + \\sqrt{2}", "\\{%s\\}^{2}"]
    ) % _nested(rng, depth - 1)


def number_value(rng: Random) -> Iterator[Case]:
    """Check numbers that are chosen as integers over powers of ten, then written out."""
    hand = [
        ("1,234.5", Fraction(12345, 10)),
        ("0.1", Fraction(1, 10)),
        (".5", Fraction(1, 2)),
        ("-1,000,000", Fraction(-1_000_000)),
        ("−7", Fraction(-7)),
        (" 42 ", Fraction(42)),
        (r"50\%", Fraction(1, 2)),
        ("12.5 %", Fraction(1, 8)),
        ("-200%", Fraction(-2)),
        ("007", Fraction(7)),
    ]
    for text, value in hand:
        yield Case((text,), value)
    for text in (
        "12,5",
        "1,2345",
        "1234,567",
        "1/2",
        "1e5",
        "1_000",
        "3 4",
        "1.2.3",
        "",
        "-",
        "%",
        "x",
        ".",
    ):
        yield Case((text,), None, note="not a number here")
    for _ in range(5):
        whole, places = rng.randint(0, 10**7), rng.randint(1, 4)
        digits = rng.randrange(10**places)
        sign, per_cent = rng.choice([1, -1]), rng.choice([1, 100])
        text = (
            f"{'-' if sign < 0 else ''}{rng.choice([f'{whole:,}', str(whole)])}.{digits:0{places}d}"
        )
        value = Fraction(sign * (whole * 10**places + digits), 10**places * per_cent)
        yield Case((text + ("" if per_cent == 1 else "\\%"),), value)


def mixed_number(rng: Random) -> Iterator[Case]:
    """Check mixed numbers in every notation against the fraction of their three integers."""
    for text, value in (
        ("3 1/2", Fraction(7, 2)),
        ("5", Fraction(5)),
        (r"\frac{7}{2}", Fraction(7, 2)),
    ):
        yield Case((text,), value)
    yield Case(("-3\\frac{1}{2}",), Fraction(-7, 2), note="the sign is for all of it")
    yield Case(("-1/2",), Fraction(-1, 2))
    yield Case(("-\\dfrac{1}{2}",), Fraction(-1, 2))
    for text in ("x", "1/0", r"2\frac{1}{0}", "1/2/3", "3 1", "", "1/-2", "3 and 1/2"):
        yield Case((text,), None)
    for sign in ("", "-", "", "-"):
        whole, bottom = rng.randint(1, 99), rng.randint(2, 20)
        top = rng.randrange(1, bottom)
        ways = ("%d %d/%d", "%d\\frac{%d}{%d}", "%d \\dfrac{%d}{%d}")
        value = Fraction(whole * bottom + top, bottom)
        yield Case((sign + rng.choice(ways) % (whole, top, bottom),), -value if sign else value)


def split_symbols(rng: Random) -> Iterator[Case]:
    """Check expressions that are joined from known symbols."""
    yield Case(("12*(0.5 + 3)",), ["12", "*", "(", "0.5", "+", "3", ")"])
    yield Case(("  7 ",), ["7"])
    yield Case(("",), [], note="no symbols at all")
    yield Case(("12 3",), ["12", "3"], note="a space stands between symbols")
    yield Case(("2^-1",), ["2", "^", "-", "1"])
    yield Case(("(8−2)×3·4÷6",), list("(8-2)*3*4/6"), note="signs as print has them")
    for text in ("2 + x", "3!", "1,5", ".5", "5.", "1.2.3", "__import__('os')", "2 ± 3", "[1]"):
        yield Case((text,), "ValueError", run=_refused, note="must raise ValueError")
    for _ in range(5):
        numbers = [str(rng.choice([rng.randint(0, 999), rng.uniform(0, 9)])) for _ in range(6)]
        signs = rng.choices("+-*/^()", k=6)
        symbols = [symbol for pair in zip(numbers, signs, strict=True) for symbol in pair]
        yield Case(("".join(symbol + rng.choice(["", " ", "  "]) for symbol in symbols),), symbols)


def _refused(function: Callable, *arguments) -> str:
    try:
        got = function(*arguments)
    except ValueError:
        return "ValueError"
    raise Mistake(f"came back: {got!r}\nexpected:  a ValueError")


def parse_sums(rng: Random) -> Iterator[Case]:
    """Check against Python's own syntax tree; nothing is executed."""
    hand = ["8-2*3-1", "7", "8-4-2", "12/2/3", "2*3+4", "2+3*4", "1+2*3/4-5"]
    drawn = [
        "".join(f"{rng.randint(1, 99)}{rng.choice('+-*/')}" for _ in range(size)) + "5"
        for size in (3, 4, 6, 8)
    ]
    for text in hand + drawn:
        shown = f"parse_sums({_symbols(text)})"
        yield Case((_symbols(text),), _syntax_tree(text), run=_run_parse, shown=shown)


def parse_powers(rng: Random) -> Iterator[Case]:
    """Check against Python's own syntax tree; nothing is executed."""
    hand = ["-2^2", "(1+2)*3", "2^3^2", "8/-2*3", "2^-1*4", "2*-3", "((7))", "1-(2-3)-4", "--3"]
    hand += ["-(1+2)^2", "2^(1+1)", "-3+5", "8-2*3-1", "2--3"]
    for text in hand + [_expression(rng, size).replace(" ", "") for size in (3, 4, 5, 7)]:
        shown = f"parse_powers({_symbols(text)})"
        yield Case((_symbols(text),), _syntax_tree(text), run=_run_parse, shown=shown)


def _symbols(text: str) -> list[str]:
    return re.findall(r"[0-9.]+|\S", text)


class Meaning(str):
    """Expression that a tree stands for, with a bracket around each of its operations."""

    def __repr__(self) -> str:
        return f"a tree that means {self}"


def _run_parse(parse: Callable, symbols: list[str]) -> Meaning:
    """Compare trees by what they mean, so that a difference can be read."""
    tree = parse(symbols)
    try:
        return Meaning(_written_out(tree))
    except (TypeError, ValueError, IndexError):
        kinds = "a number's symbol, ('-', tree) or (sign, left tree, right tree)"
        raise Mistake(f"came back: {tree!r}\nexpected:  a tree: {kinds}") from None


def _written_out(tree: str | tuple) -> str:
    if isinstance(tree, str):
        return tree
    if not isinstance(tree, tuple):
        raise TypeError
    if len(tree) == 2:
        return f"({tree[0]}{_written_out(tree[1])})"
    sign, left, right = tree
    return f"({_written_out(left)} {sign} {_written_out(right)})"


def _syntax_tree(text: str) -> Meaning:
    """Return what Python's tree of an expression means."""
    signs = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.Pow: "^"}

    def written(node: ast.expr) -> str:
        if isinstance(node, ast.Constant):
            return str(node.value)
        if isinstance(node, ast.UnaryOp):
            return f"(-{written(node.operand)})"
        return f"({written(node.left)} {signs[type(node.op)]} {written(node.right)})"

    return Meaning(written(ast.parse(text.replace("^", "**"), mode="eval").body))


def calculate(rng: Random) -> Iterator[Case]:
    """Check against Python's syntax tree, evaluated in fractions; nothing is executed."""
    fixed = ("1 + 2*3^2", "8 - 4 - 2", "1/3 + 0.5", "2^3^2", "-2^2", "2*-3", "(1+2)*(3-5)")
    for text in (*fixed, "12/2/3", "2^-1*4", "8/-2*3", "((7))", "- -3", "0.1+0.2", "1-(2-3)-4"):
        yield Case((text,), _value_of_syntax_tree(text))
    yield Case(("2^(1/2*4)",), Fraction(4), note="the exponent's value is whole")
    for text, reason in (
        ("1 +", "ends too early"),
        ("", "nothing there"),
        ("(1 + 2", "a bracket is not closed"),
        ("1 + 2)", "a bracket too many"),
        ("1)2", "a bracket too many, and more behind it"),
        ("()", "nothing in the brackets"),
        ("2 3", "two numbers and no sign"),
        ("2 + x", "x is no number"),
        ("* 2", "no operand"),
        ("2 */ 3", "two signs"),
        ("1/(2 - 2)", "a division by zero"),
        ("0^-1", "a division by zero"),
        ("2^0.5", "the exponent is not whole"),
        ("9^9^9^9", "an exponent beyond 1000"),
        ("((9^999)^999)^999", "the base of the last power has more than 1000 digits"),
        ("((1/9^999)^999)^999", "the base of the last power has more than 1000 digits"),
        ("__import__('os')", "a program"),
    ):
        yield Case((text,), "ValueError", run=_refused, note=f"must raise ValueError: {reason}")
    for size in (3, 4, 5, 6, 7):
        text = _expression(rng, size)
        yield Case((text,), _value_of_syntax_tree(text))


def _expression(rng: Random, operands: int) -> str:
    """Return a random expression without division by zero and with small powers only."""
    while True:
        text = "".join(
            _term(rng) + rng.choice([" + ", "-", " * ", "/"]) for _ in range(operands - 1)
        ) + _term(rng)
        try:
            _value_of_syntax_tree(text)
        except ZeroDivisionError:
            continue
        return text


def _term(rng: Random) -> str:
    number = str(rng.randint(1, 9))
    return rng.choice(
        [
            number,
            f"{number}.5",
            f"-{number}",
            f"{number}^{rng.randint(0, 3)}",
            f"-{number}^2",
            f"2^-{rng.randint(1, 3)}",
            f"({number} - {rng.randint(1, 9)} * 2)",
            f"2^{rng.randint(1, 2)}^{rng.randint(1, 2)}",
        ]
    )


def _value_of_syntax_tree(text: str) -> Fraction:
    tree = ast.parse(text.replace("^", "**").strip(), mode="eval").body

    def value(node: ast.expr) -> Fraction:
        if isinstance(node, ast.Constant):
            return Fraction(str(node.value))
        if isinstance(node, ast.UnaryOp):
            return -value(node.operand)
        left, right = value(node.left), value(node.right)
        if isinstance(node.op, ast.Add | ast.Sub):
            return left + right if isinstance(node.op, ast.Add) else left - right
        if isinstance(node.op, ast.Mult | ast.Div):
            return left * right if isinstance(node.op, ast.Mult) else left / right
        return left ** int(right)

    return value(tree)


def same_fraction(rng: Random) -> Iterator[Case]:
    """Check against `Fraction` where both are numbers, and by hand where one is none."""
    for first, second, same in (
        ((1, 2), (-3, -6), True),
        ((1, -2), (-1, 2), True),
        ((1, 3), (333, 1000), False),
        ((0, 5), (0, -7), True),
        ((3, 1), (6, 2), True),
    ):
        yield Case((first, second), same)
    yield Case(((1, 3), (10**20, 3 * 10**20 + 1)), False, note="they differ in the 21st digit")
    yield Case(
        ((10**400 + 1, 10**400), (1, 1)),
        False,
        shown="same_fraction((10**400 + 1, 10**400), (1, 1))",
    )
    for first, second in (((0, 0), (1, 2)), ((1, 2), (0, 0)), ((1, 0), (1, 0)), ((1, 0), (2, 0))):
        yield Case((first, second), False, note="a denominator is 0")
    for step in (0, 1, 0, 1):
        top, bottom, times = (
            rng.randint(-(10**18), 10**18),
            rng.randint(10**17, 10**18),
            rng.choice([-7, -2, 3, 9]),
        )
        other = (top * times + step, bottom * times)
        yield Case(((top, bottom), other), Fraction(top, bottom) == Fraction(*other))


def same_function(rng: Random) -> Iterator[Case]:
    """Check polynomials with known roots, and their multiplied-out forms."""
    numbers = [Fraction(number) for number in (1, 2, 3)]

    def case(first, second, points, expected, formulas, note=""):
        points_shown = ", ".join(map(str, points))
        shown = f"same_function({formulas}, points=[{points_shown}])"
        return Case((first, second, points), expected, shown=shown, note=note)

    quotient = lambda x: (x * x - 1) / (x - 1)  # noqa: E731
    yield case(
        quotient,
        lambda x: x + 1,
        numbers,
        True,
        "x -> (x² - 1)/(x - 1), x -> x + 1",
        "no value at 1",
    )
    yield case(
        lambda x: x + 1,
        quotient,
        numbers,
        True,
        "x -> x + 1, x -> (x² - 1)/(x - 1)",
        "no value at 1",
    )
    yield case(
        lambda x: 2 * x,
        lambda x: x * x,
        [numbers[1], numbers[2]],
        False,
        "x -> 2x, x -> x²",
        "equal at 2",
    )
    yield case(quotient, lambda x: x + 2, numbers, False, "x -> (x² - 1)/(x - 1), x -> x + 2")
    yield case(
        lambda x: 1 / x,
        lambda x: 1 / x,
        [Fraction(0)],
        None,
        "x -> 1/x, x -> 1/x",
        "nowhere to compare",
    )
    yield case(lambda x: x, lambda x: x, [], None, "x -> x, x -> x", "no points")
    yield case(
        lambda x: x * 0, lambda x: x - x, numbers, True, "x -> 0x, x -> x - x", "both values are 0"
    )
    tiny = Fraction(1, 10**30)
    yield case(
        lambda x: x,
        lambda x: x + tiny,
        numbers,
        False,
        "x -> x, x -> x + 10**-30",
        "a tiny difference",
    )
    for last in (True, False, True, False):
        a, b = rng.sample(range(-20, 21), 2)
        points = [Fraction(-a), Fraction(-b), *[Fraction(rng.randint(21, 40))] * last]
        # they differ by (x + a)(x + b), which is 0 at the first two points
        first, second = (lambda x, a=a, b=b: x * x + (a + b) * x + a * b + 5), (lambda x: x * 0 + 5)
        yield case(first, second, points, not last, f"x -> x² + {a + b}x + {a * b + 5}, x -> 5")


def same_interval(rng: Random) -> Iterator[Case]:
    """Check by hand, and with random intervals that are written in two ways."""
    for first, second, same in (
        ("[0.5, 2)", "[1/2,2)", True),
        (r"(-\infty, 0]", r"(-\infty, 0)", False),
        (r"\left[ 2, \infty \right)", r"[2, \infty)", True),
        (r"(-\infty, \infty)", r"(0, \infty)", False),
        ("(0, 1)", "[0, 1]", False),
        ("(-1, 0)", "(1, 0)", False),
        ("[-1/3, 2]", "[-0.333, 2]", False),
    ):
        yield Case((first, second), same)
    yield Case(
        ("(0, 1/3)", "(0, 0.33333333333333333333)"), False, note="they differ in the 21st digit"
    )
    for first, second, same in (
        ("(3, 3)", "[5, 3]", True),
        ("(3, 3]", "[7, 7)", True),
        ("[3, 3]", "(3, 3)", False),
        ("[3, 3]", "[3, 3]", True),
        ("[3, 3]", "[4, 4]", False),
        (r"(\infty, 0)", "(2, 1)", True),
    ):
        yield Case((first, second), same, note="is there a number in them?")
    for changed in (None, 0, 1, 2, 3, None):
        low = rng.randint(-40, 40)
        parts = [
            rng.choice("[("),
            Fraction(low, 8),
            Fraction(low + rng.randint(3, 40), 8),
            rng.choice("])"),
        ]
        other = list(parts)
        if changed in (1, 2):
            other[changed] += Fraction(1, 8)
        elif changed is not None:
            other[changed] = {"[": "(", "(": "[", "]": ")", ")": "]"}[parts[changed]]
        yield Case((_interval(rng, parts), _interval(rng, other)), parts == other)


def _interval(rng: Random, parts: list) -> str:
    opening, low, high, closing = parts
    # eighths are exact as decimals
    ends = [rng.choice([str(end), str(float(end))]) for end in (low, high)]
    return f"{opening}{ends[0]},{rng.choice(['', ' '])}{ends[1]}{closing}"


def same_list(rng: Random) -> Iterator[Case]:
    """Check by hand, and with random points whose order, or coordinates' order, is changed."""
    for first, second, same in (
        ("(3, -1)", "(-1, 3)", False),
        ("(3, -1)", "(3,-1)", True),
        ("3, -1", "-1, 3", True),
        (r"\{3, -1\}", "-1, 3", True),
        (r"\{1, 2, 2\}", r"\{2, 1\}", True),
        ("(1, 2, 2)", "(1, 2)", False),
        ("(1, 2)", "1, 2", False),
        ("(1, 2)", r"\{1, 2\}", False),
        ("(1, 2), (3, 4)", r"\{(3,4), (1,2)\}", True),
        ("(1, 2), (3, 4)", "(2, 1), (3, 4)", False),
        ("(1, 2), (3, 4)", "(1, 3), (2, 4)", False),
        (r"(1, \{2, 3\})", r"(1, \{3, 2\})", True),
        (r"\{1, (2, 3)\}", r"\{1, (3, 2)\}", False),
        (r"\{1\}, \{2\}", r"\{1, 2\}", False),
        (r"\frac{1}{2}, 3", r"3, \frac{1}{2}", True),
        ("5", r"\{5\}", True),
        ("12, 3", "1, 23", False),
    ):
        yield Case((first, second), same)
    for _ in range(4):
        numbers = rng.sample(range(-20, 21), 6)
        points = [tuple(numbers[at : at + 2]) for at in (0, 2, 4)]
        moved = rng.sample(points, 3)
        turned = [point[::-1] if at == 1 else point for at, point in enumerate(moved)]
        text = ", ".join(map(str, points))
        yield Case((text, "\\{" + ",".join(map(str, moved)) + "\\}"), True)
        yield Case((text, ", ".join(map(str, turned))), False)


def broken_rule(rng: Random) -> Iterator[Case]:
    """Check relations that break one rule or none; what is returned is tried on the relation."""

    def case(same, answers, breaks, about):
        triples = itertools.product(answers, repeat=3)
        chains = (one[:size] for one in triples for size in (1, 2, 3))
        found = next((one for one in chains if _breaks(same, answers, one)), None)
        expected = (
            Satisfies(
                f"answers that break a rule, such as {found}",
                lambda got: _breaks(same, answers, got),
            )
            if breaks
            else None
        )
        return Case((same, answers), expected, shown=f"broken_rule({about}, {answers})")

    def nearly_equal(a: str, b: str) -> bool:
        return abs(Fraction(a) - Fraction(b)) < Fraction(1, 10)

    def at_most(a: str, b: str) -> bool:
        return int(a) <= int(b)

    def never(a: str, b: str) -> bool:
        return False

    yield case(nearly_equal, ["0.30", "0.38", "0.46"], True, "differ by less than 0.1")
    yield case(nearly_equal, ["0.46", "0.30", "0.38"], True, "differ by less than 0.1")
    yield case(nearly_equal, ["0.38", "0.30", "0.46"], True, "differ by less than 0.1")
    yield case(at_most, ["1", "2"], True, "a <= b")
    yield case(never, ["7"], True, "never the same")
    yield case(nearly_equal, ["0.30", "0.38", "0.60"], False, "differ by less than 0.1")
    yield case(never, [], False, "never the same")
    spellings = ["x = 5", "0.5", "5", "y = 5"]
    yield case(grade_answer, spellings, True, "the repository's grade_answer")
    yield case(same_answer, spellings, False, "the repository's same_answer")
    for breaks in (False, True, False, True):
        numbers = [str(number) for number in rng.sample(range(100), 9)]
        modulus = rng.randint(2, 4)
        odd_one, other = rng.choice([(a, b) for a in numbers for b in numbers if a != b])

        def same(
            a: str, b: str, modulus=modulus, special=(odd_one, other) if breaks else None
        ) -> bool:
            equal = int(a) % modulus == int(b) % modulus
            return not equal if (a, b) == special else equal

        yield case(
            same, numbers, breaks, f"a % {modulus} == b % {modulus}" + breaks * ", but for one pair"
        )


def _breaks(same: Callable, answers: list[str], got: tuple) -> bool:
    if not isinstance(got, tuple | list) or any(answer not in answers for answer in got):
        return False
    if len(got) == 1:
        return not same(got[0], got[0])
    if len(got) == 2:
        return same(*got) != same(*got[::-1])
    a, b, c = got
    return same(a, b) and same(b, c) and not same(a, c)


class _Priced(int):
    """An integer that refuses to be raised to a power of more than a million bits."""

    def __pow__(self, exponent: int, modulo: int | None = None) -> int:
        if modulo is None and (int(self).bit_length() - 1) * exponent > 10**6:
            raise Mistake("it began to compute the power, whatever that costs")
        return pow(int(self), exponent, modulo)

    def __abs__(self) -> "_Priced":
        return _Priced(abs(int(self)))

    def __neg__(self) -> "_Priced":
        return _Priced(-int(self))


def bounded_power(rng: Random) -> Iterator[Case]:
    """Check small powers by multiplication and length as text; large ones are known to be large."""

    def case(base, exponent, most, expected, shown=None):
        text = f"bounded_power({base}, {shown or exponent}, max_digits={most})"
        return Case((base, exponent, most), expected, run=_run_bounded_power, shown=text)

    yield case(10, 5, 6, 100000)
    yield case(10, 6, 6, None)
    yield case(-5, 3, 3, -125)
    yield case(-5, 3, 2, None)
    yield case(2, 0, 1, 1)
    yield case(9, 387420489, 100, None)
    yield case(-9, 387420489, 1000, None)
    yield case(2, 10**400, 1000, None, shown="10**400")
    yield case(-1, 10**30, 1, 1, shown="10**30")
    yield case(-1, 10**30 + 1, 1, -1, shown="10**30 + 1")
    yield case(1, 10**400, 1, 1, shown="10**400")
    yield case(0, 10**30, 1, 0, shown="10**30")
    for fits in (True, False, True, False):
        base, exponent = rng.choice([-1, 1]) * rng.randint(2, 999), rng.randint(2, 60)
        power = math.prod([base] * exponent)
        digits = len(str(abs(power)))
        yield case(base, exponent, digits if fits else digits - 1, power if fits else None)


def _run_bounded_power(bounded_power: Callable, base: int, exponent: int, max_digits: int):
    got = bounded_power(_Priced(base), exponent, max_digits)
    return int(got) if isinstance(got, _Priced) else got


def _equal_strings(answer: str, reference: str) -> bool:
    return answer == reference


def _always_same(answer: str, reference: str) -> bool:
    return True


def _always_different(answer: str, reference: str) -> bool:
    return False


def _equal_floats(answer: str, reference: str) -> bool:
    """Compare two numbers as floats; raises ValueError for other texts."""
    return abs(float(answer) - float(reference)) < 0.01


def count_mistakes(rng: Random) -> Iterator[Case]:
    """Check counts by hand, and with judges that are wrong a known number of times."""
    pairs = [
        ("0.5", "1/2", True),
        ("7", "7", True),
        ("0.333", "1/3", False),
        ("0.501", "0.5", False),
        ("x", "x", True),
    ]
    for judge, expected, about in (
        (_equal_strings, (0, 1), "equal strings"),
        (_always_same, (2, 0), "always the same"),
        (_always_different, (0, 3), "never the same"),
        (_equal_floats, (1, 2), "floats nearly equal; raises ValueError for 1/2 and x"),
    ):
        yield Case((judge, pairs), expected, shown=f"count_mistakes(a judge: {about}, {pairs})")
    for _ in range(3):
        wrongly_same, wrongly_different, right = rng.sample(range(1, 9), 3)
        kinds = [(True, False)] * wrongly_same + [(False, True)] * wrongly_different
        kinds += [(same, same) for same in rng.choices([True, False], k=right)]
        rng.shuffle(kinds)
        drawn = [(f"answer {number}", "reference", same) for number, (_, same) in enumerate(kinds)]
        verdicts = {pair[:2]: verdict for pair, (verdict, _) in zip(drawn, kinds, strict=True)}
        judge = lambda answer, reference, verdicts=verdicts: verdicts[answer, reference]  # noqa: E731
        shown = f"count_mistakes(judge, pairs), with (verdict, truth) of the pairs: {kinds}"
        yield Case((judge, drawn), (wrongly_same, wrongly_different), shown=shown)


def find_mistake(rng: Random) -> Iterator[Case]:
    """Check against `grade_answer`, which is the truth; each bad judge has one fault."""
    judges = _bad_judges()
    first = [("that compares strings", _equal_strings), ("without a fault", grade_answer)]
    for about, judge in (
        *first,
        *rng.sample(judges, len(judges)),
        ("without a fault", grade_answer),
    ):
        wanted = Satisfies(
            "a pair that it gets wrong: (answer, reference, same in truth)",
            lambda got: len(got) == 3,
        )
        expected = None if judge is grade_answer else wanted
        yield Case(
            (judge,), expected, run=_run_find_mistake, shown=f"find_mistake(a judge {about})"
        )


def _run_find_mistake(find_mistake: Callable, judge: Callable) -> tuple | None:
    got = find_mistake(judge)
    if got is None:
        return None
    kinds = [type(part) for part in got] if isinstance(got, tuple | list) else []
    if kinds != [str, str, bool]:
        raise Mistake(f"came back: {got!r}\nexpected:  (answer, reference, True or False), or None")
    answer, reference, same = got
    if grade_answer(answer, reference) != same:
        truth = "different" if same else "the same"
        raise Mistake(
            f"came back: {got!r}\nbut the two are {truth}: so says the repository's grade_answer"
        )
    if judge(answer, reference) == same:
        raise Mistake(f"came back: {got!r}\nbut this judge is right about that pair")
    return got


def _bad_judges() -> list[tuple[str, Callable]]:
    def rounds(answer, reference):
        values = [_decimal(text) for text in (answer, reference)]
        return grade_answer(answer, reference) or (
            None not in values and round(values[0] - values[1], 2) == 0
        )

    def forgets_signs(answer, reference):
        return grade_answer(answer.replace("-", ""), reference.replace("-", ""))

    def sorts(answer, reference):
        parts = [
            sorted(re.split(r"[(),\s]+", text))
            for text in (answer, reference)
            if text.startswith("(")
        ]
        return grade_answer(answer, reference) or (len(parts) == 2 and parts[0] == parts[1])

    def forgets_ends(answer, reference):
        round_brackets = str.maketrans("[]", "()")
        return grade_answer(answer.translate(round_brackets), reference.translate(round_brackets))

    def does_not_know(pattern):
        def judge(answer, reference):
            known = not re.search(pattern, answer + " " + reference)
            return grade_answer(answer, reference) if known else answer == reference

        return judge

    return [
        ("that rounds to two decimals", rounds),
        ("that forgets minus signs", forgets_signs),
        ("that sorts the coordinates of a point", sorts),
        ("that takes round and square brackets for the same", forgets_ends),
        ("that does not know thousands commas", does_not_know(r"\d,\d{3}")),
        ("that does not know per cent", does_not_know("%")),
        (r"that does not know \frac", does_not_know(r"\\d?frac")),
        ("that says 'the same' to everything", _always_same),
        ("that says 'different' to everything", _always_different),
    ]


def _decimal(text: str) -> float | None:
    """Return a number or a fraction as a float, None for other texts."""
    try:
        return float(
            Fraction(re.sub(r"\\d?frac\{(\d+)\}\{(\d+)\}", r"\1/\2", text).replace(" ", ""))
        )
    except (ValueError, ZeroDivisionError, OverflowError):
        return None


def wilson(rng: Random) -> Iterator[Case]:
    """Check against the definition: shares within z deviations of the one seen, by bisection."""
    fixed = [
        (8, 10, 1.96),
        (80, 100, 1.96),
        (0, 5, 1.96),
        (5, 5, 1.96),
        (1, 1, 1.0),
        (389, 500, 2.576),
    ]
    drawn = [
        (rng.randint(0, total), total, rng.choice([1.0, 1.645, 1.96]))
        for total in rng.sample(range(2, 2000), 4)
    ]
    for right, total, z in fixed + drawn:
        seen = right / total

        def inside(share: float, seen=seen, total=total, z=z) -> bool:
            return (share - seen) ** 2 <= z**2 * share * (1 - share) / total

        expected = tuple(_end(inside, seen, outside) for outside in (0.0, 1.0))
        yield Case((right, total), expected, kwargs={} if z == 1.96 else {"z": z})


def _end(inside: Callable[[float], bool], within: float, outside: float) -> float:
    for _ in range(60):
        middle = (within + outside) / 2
        if inside(middle):
            within = middle
        else:
            outside = middle
    return outside


def problems_needed(rng: Random) -> Iterator[Case]:
    """Check against the solution of the quadratic equation in z²/n for the squared width."""
    fixed = [
        (0.5, 0.1),
        (0.5, 0.05),
        (0.5, 0.0005),
        (1.0, 0.02),
        (0.0, 0.02),
        (0.9, 0.3),
        (0.152, 0.063),
    ]
    drawn = [(rng.uniform(0.01, 0.99), rng.uniform(0.002, 0.3)) for _ in range(4)]
    for share, width in fixed + drawn:
        spread, square = 4 * share * (1 - share), width**2
        half = spread / 2 - square
        per_problem = (math.sqrt(half**2 + (1 - square) * square) - half) / (1 - square)  # z²/n
        exact = 1.96**2 / per_problem
        if abs(exact - round(exact)) > 1e-4:  # too close to a whole number for rounding errors
            yield Case((share, width), math.ceil(exact))


def compare_templates(rng: Random) -> Iterator[Case]:
    """Check with a model that knows a known number of each template's prompts."""
    questions = [
        "What is \\frac{1}{2} + 1?",
        "What is 2 + 3?",
        "How many {a, b}?",
        "7 * 8?",
        "What is \\sqrt{49}?",
    ]
    frames = {
        "bare": ("", ""),
        "box": ("Answer in \\boxed{}. ", ""),
        "steps": ("Q: ", "\nExplain step by step.\nA:"),
        "json": ('Fill in {"answer": ...}: ', "\n"),
    }
    for known in (
        (1, 4, 3, 2),
        (2, 3, 3, 0),
        (0, 0, 0, 0),
        *(rng.choices(range(6), k=4) for _ in range(3)),
    ):
        names = rng.sample(sorted(frames), 4)
        problems = [
            {"problem": question, "answer": str(rng.randint(1, 99))} for question in questions
        ]
        answers: dict[str, str] = {}
        for name, count in zip(names, known, strict=True):
            before, after = frames[name]
            for problem in rng.sample(problems, count):
                answers[f"{before}{problem['problem']}{after}"] = (
                    f"so \\boxed{{{problem['answer']}}}"
                )
        prompts = [f"{before}{q}{after}" for before, after in frames.values() for q in questions]
        ask = functools.partial(_answer_to, answers, prompts)
        templates = {
            name: f"{_doubled(frames[name][0])}{{problem}}{_doubled(frames[name][1])}"
            for name in names
        }
        best_first = sorted(range(4), key=lambda place, known=known: (-known[place], place))
        expected = [(names[place], known[place] / len(problems)) for place in best_first]
        shown = f"compare_templates({templates}, {len(problems)} problems, ask, grade)"
        yield Case((templates, problems, ask, _boxed_answer), expected, shown=shown)


def _answer_to(answers: dict[str, str], prompts: list[str], prompt: str) -> str:
    if prompt not in prompts:
        [nearest] = difflib.get_close_matches(f"{prompt}", prompts, n=1, cutoff=0)
        raise Mistake(f"ask got:   {prompt!r}\nexpected:  {nearest!r}")
    return answers.get(prompt, "I do not know.")


def _boxed_answer(written: str, reference: str) -> bool:
    if "know" not in written and "\\boxed" not in written:
        order = "what was written, then the reference"
        raise Mistake(f"grade got: {written!r}, {reference!r}\nexpected:  {order}")
    return written.endswith(f"\\boxed{{{reference}}}")


def still_open(rng: Random) -> Iterator[Case]:
    """Check with files that are written and cut at known places."""
    ids = ["a", "b", "c"]
    settings = _line({"settings": {"model": "tiny"}})
    text = _line({"unique_id": "b", "text": "on to a: 7"})
    yield Case((settings + text + b'{"unique_id": "c", "te', ids), ["a", "c"])
    yield Case((b"", ids), ids, note="an empty file")
    yield Case((settings[:9], ids), ids, note="the settings were cut")
    yield Case((settings, ids), ids, note="no results yet")
    yield Case(
        (settings + text + _line({"unique_id": "a", "text": ""})[:-1], ids),
        ["a", "c"],
        note="no line break",
    )
    accent = _line({"unique_id": "c", "text": "é"})
    cut = accent.index("é".encode()) + 1
    yield Case((settings + text + accent[:cut], ids), ["a", "c"], note="cut in the middle of é")
    exotic = _line({"unique_id": "a", "text": "one\u2028two"})
    note = "U+2028 in a text is no line break"
    yield Case((settings + exotic, ids), ["b", "c"], note=note)
    yield Case(
        (settings + _line({"text": "2", "unique_id": "p10"}), ["p1", "p10", "p100"]), ["p1", "p100"]
    )
    for _ in range(4):
        names = [f"test/{number}" for number in rng.sample(range(30), 8)]
        answered = rng.sample(names, rng.randint(1, 8))
        lines = [_line({"unique_id": name, "text": f"{rng.choice(names)} é"}) for name in answered]
        cut = rng.randint(1, len(lines[-1]))
        content = settings + b"".join(lines)[:-cut]
        yield Case((content, names), [name for name in names if name not in answered[:-1]])


def _line(entry: dict) -> bytes:
    return json.dumps(entry, ensure_ascii=False).encode() + b"\n"


class _Killed(Exception):  # noqa: N818 (what befalls a program, no error of ours)
    """Exception that stands for the end of the program."""


def resumed(rng: Random) -> Iterator[Case]:
    """Check after a kill and a cut at known places, which say what is asked again."""
    for count, answered, cut in (
        (5, 3, 4),
        (3, 0, 0),
        (4, 2, 0),
        (4, 1, 1),
        (6, rng.randint(1, 5), rng.randint(0, 6)),
    ):
        numbers = rng.sample(range(1000), count)
        problems = [
            {"unique_id": f"p{number}", "problem": f"What is {number} + 1?"} for number in numbers
        ]
        kept = answered - (cut > 0)
        asked = [problem["problem"] for problem in problems]
        expected = {
            "asked at first": asked[:answered],
            "asked when called again": asked[kept:],
            "asked when called once more": [],
            "came back then": [_written(problem["problem"]) for problem in problems],
        }
        events = f"killed at question {answered + 1}" + f", the file cut by {cut} bytes" * (cut > 0)
        shown = f"resumed(path, {count} problems, ask), {events}, and called twice more"
        yield Case((problems, answered, cut), expected, run=_run_resumed, shown=shown)


def _written(question: str) -> str:
    """Return the toy model's text: several lines, not all ASCII."""
    return f"naïve:\n{question}\n\\boxed{{{len(question)}}}"


def _run_resumed(resumed: Callable, problems: list[dict], answered: int, cut: int) -> dict:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "results.jsonl"
        asked: list[str] = []
        kept = 0  # whole lines at the beginning of a call
        killed_at: int | None = answered

        def ask(question: str) -> str:
            on_disk = path.read_bytes().count(b"\n") if path.exists() else 0
            if on_disk != kept + len(asked):
                expected = f"expected:  {kept + len(asked)}, one for each answer so far"
                raise Mistake(
                    f"when it asked {question!r}, the file held {on_disk} whole lines\n{expected}"
                )
            if len(asked) == killed_at:
                raise _Killed
            asked.append(question)
            return _written(question)

        rounds = []
        try:
            got = resumed(path, problems, ask)
        except _Killed:
            rounds.append(list(asked))
        else:
            raise Mistake(
                f"came back: {got!r}, after {len(asked)} answers\nexpected:  the exception that "
                f"ask raises at question {answered + 1}, which should come through"
            )
        content = path.read_bytes()[: -cut or None] if path.exists() else b""
        if content:
            path.write_bytes(content)
        killed_at, kept = None, content.count(b"\n")
        for _ in range(2):
            asked.clear()
            got = resumed(path, problems, ask)
            rounds.append(list(asked))
            kept = path.read_bytes().count(b"\n") if path.exists() else 0
        _check_lines(path, problems)
        names = ("asked at first", "asked when called again", "asked when called once more")
        return {**dict(zip(names, rounds, strict=True)), "came back then": got}


def _check_lines(path: Path, problems: list[dict]) -> None:
    content = path.read_bytes()
    try:
        found = {
            result["unique_id"]: result["text"]
            for result in map(json.loads, content.split(b"\n")[:-1])
        }
    except (ValueError, KeyError, TypeError):
        raise Mistake(
            f"in the end the file holds {content!r}\nexpected:  JSON in each line, nothing else"
        ) from None
    if found != {problem["unique_id"]: _written(problem["problem"]) for problem in problems}:
        raise Mistake(
            f"in the end the file holds {content!r}\nexpected:  unique_id and text of each problem"
        )


def countdown_answer(rng: Random) -> Iterator[Case]:
    """Check expressions that are built from their numbers, and spoiled in known ways."""
    hand = [
        ([13, 16, 7], 75, "(13 * 7) - 16", True),
        ([13, 16, 7], 75, "13*7-16", True),
        ([13, 16, 7], 75, "75", False),
        ([13, 16, 7], 75, "13 * 7 - 16 + 0", False),
        ([13, 16, 7], 76, "13 * 7 - 16", False),
        ([13, 16, 7], 91, "13 * 7", False),
        ([13, 16, 7], 71, "13 * 7 - 16 - 16/4", False),
        ([3, 3, 8, 8], 24, "8 / (3 - 8/3)", True),
        ([3, 3, 8, 8], 24, "8 * 3", False),
        ([2, 3], 8, "2^3", False),
        ([3, 3], 6, "3 + 3", True),
        ([3, 4], 6, "3 + 3", False),
        ([1, 23], 24, "12 + 3", False),
        ([5, 1], 0, "5 / (1 - 1)", False),
        ([13, 16, 7], 75, "I do not know", False),
        ([13, 16, 7], 75, "(13 * 7 - 16", False),
        ([13, 16, 7], 75, "", False),
        ([13, 16, 7], 75, "13.0 * 7 - 16", False),
    ]
    for numbers, target, answer, right in hand:
        yield Case((numbers, target, answer), right)
    for spoil in (None, "number", "target", None, "twice"):
        numbers = [rng.randint(2, 25) for _ in range(3)]
        a, b, c = rng.sample(numbers, 3)
        answer = rng.choice([f"({a} + {b}) * {c}", f"{a} * {c} + {b}", f"{a} - {b} * {c}"])
        target = int(_value_of_syntax_tree(answer))
        if spoil == "target":
            target += rng.choice([-1, 1])
        elif spoil == "number":
            numbers[rng.randrange(3)] += 30
        elif spoil == "twice":
            answer += f" + {a} - {a}"
        yield Case((numbers, target, answer), spoil is None)


def own_problems(rng: Random) -> Iterator[Case]:
    """Check a file against the repository's `load_problems`, with known fields."""
    hand = [
        ("Half of 48, plus 3?", "Half is 48/2 = <<48/2=24>>24.\n24 + 3 = <<24+3=27>>27.\n#### 27"),
        (
            "How many cents are 12 euros?",
            "12 * 100 = <<12*100=1200>>1200, or <<1200=1200>>1,200.\n####  1,200 ",
        ),
        ("Half of 48, plus 3?", "It is 27.\n#### 27"),
        ("Is 3 < 5 and 7 > 5? Say 1 or 0.", "3 < 5 and 7 > 5.\n#### 1"),
    ]
    fields = [
        ("Half of 48, plus 3?", "Half is 48/2 = 24.\n24 + 3 = 27.", "27", 2),
        ("How many cents are 12 euros?", "12 * 100 = 1200, or 1,200.", "1,200", 1),
        ("Is 3 < 5 and 7 > 5? Say 1 or 0.", "3 < 5 and 7 > 5.", "1", 1),
    ]
    yield _own_case(hand[:1], fields[:1], "sums")
    yield _own_case(hand, fields, "sums")
    for _ in range(3):
        questions, fields = [], []
        for steps in rng.sample(range(1, 9), 4):
            numbers = rng.sample(range(100), steps)
            question = f"Add 1 to {numbers}, one by one. The “last” one is?"
            plain = [f"{number} + 1 = {number + 1}." for number in numbers]
            worked = [
                f"{number} + 1 = <<{number}+1={number + 1}>>{number + 1}." for number in numbers
            ]
            questions.append((question, "\n".join([*worked, f"#### {numbers[-1] + 1}"])))
            fields.append((question, "\n".join(plain), str(numbers[-1] + 1), min(steps, 5)))
        again = rng.choice(questions)
        yield _own_case([*questions, again], fields, rng.choice(["shopping", "clocks"]))


def _own_case(questions: list[tuple[str, str]], fields: list[tuple], subject: str) -> Case:
    names = ("problem", "solution", "answer", "level")
    expected = [
        {
            **dict(zip(names, values, strict=True)),
            "subject": subject,
            "unique_id": f"{subject}/{number}",
        }
        for number, values in enumerate(fields, 1)
    ]
    return Case((questions, subject), expected, run=_run_own_problems)


def _run_own_problems(
    own_problems: Callable, questions: list[tuple[str, str]], subject: str
) -> list[dict]:
    from CH3.problems import load_problems  # here, as it is slow to import

    got = own_problems(questions, subject)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "own.json"
        try:
            path.write_text(json.dumps(got), encoding="utf-8")
            return load_problems(path)
        except (TypeError, ValueError) as error:
            reason = str(error).replace(f"{folder}/", "")
            raise Mistake(f"came back: {got!r}\nload_problems says: {reason}") from None


@functools.cache
def _answered(seed: int, count: int = 100) -> list[tuple[str, str, bool]]:
    """Let the shipped model answer test problems: text, reference, and our verdict, of each."""
    from Appendixes.QWEN3Model import load_qwen3  # here, as they are slow to import
    from CH2.generation import generate_batch
    from CH2.prompts import CHAIN_OF_THOUGHT, render
    from CH3.problems import load_problems

    problems = Random(seed).sample(load_problems("arithmetic500"), count)
    model, tokenizer = load_qwen3("tiny")
    prompts = [tokenizer.encode(render(CHAIN_OF_THOUGHT, one["problem"])) for one in problems]
    texts = generate_batch(model, prompts, 250, stop_ids=tokenizer.stop_ids)
    answered = []
    for problem, ids in zip(problems, texts, strict=True):
        text = tokenizer.decode(ids)
        right = grade_answer(extract_answer(text), problem["answer"])
        answered.append((text, problem["answer"], right))
    return answered


def my_judge(rng: Random) -> Iterator[Case]:
    """Check by hand, then 100 texts of the shipped model against the repository's verdicts."""
    for text, reference, same in (
        (r"So it is \boxed{\frac{2}{4}}.", "0.5", True),
        (r"\boxed{7}", "8", False),
        ("I do not know.", "8", False),
        ("", "8", False),
        (r"First \boxed{3}, no: \boxed{4}", "3", False),
        (r"\boxed{-3\frac{1}{2}}", "-7/2", True),
        (r"\boxed{2^3 + 1}", "9", True),
        (r"\boxed{-7}", "7", False),
        (r"\boxed{0.333}", "1/3", False),
        (r"\boxed{(-9,7)}", "(-9, 7)", True),
        (r"\boxed{(7, -9)}", "(-9, 7)", False),
        (r"\boxed{Saturday}", "Saturday", True),
        (r"\boxed{Sunday}", "Saturday", False),
        (r"\boxed{6x - 15}", "6x-15", True),
        (r"\boxed{__import__('os')}", "1", False),
        (r"\boxed{9^9^9^9}", "1", False),
        (r"\boxed{(((}", "1", False),
        (r"\boxed{1/0}", "1", False),
    ):
        yield Case((text, reference), same)
    numbers = [(rng.randint(1, 9), rng.randint(2, 9)) for _ in range(4)]
    for a, b in numbers:
        text, reference = rf"so \boxed{{\frac{{{a}}}{{{b}}}}}", f"{2 * a}/{2 * b}"
        yield Case((text, reference), True)
    choice = rng.randrange(20)
    seen: list[tuple[bool, bool]] = []

    def run(my_judge: Callable) -> str:
        seen.clear()
        other = []
        for text, reference, ours in _answered(choice):
            yours = my_judge(text, reference)
            seen.append((yours, ours))
            if yours != ours:
                about = f"{extract_answer(text)!r} and the reference {reference!r}"
                other.append(f"{about}: yours says {yours}, ours {ours}")
        if len(other) > ALLOWED:
            raise Mistake(
                f"your judge and ours differ on {len(other)} of {len(seen)} answers\n"
                f"expected:  on {ALLOWED} at most. For example:\n" + "\n".join(other[:5])
            )
        return "agrees"

    yield Case((), "agrees", run=run, shown="my_judge(text, reference), on 100 texts of tiny")
    yours, ours = sum(yours for yours, _ in seen), sum(ours for _, ours in seen)
    differ = sum(one != other for one, other in seen)
    return Seen(
        f"of {len(seen)} answers of the shipped model your judge calls {yours} right, ours {ours}; "
        f"they differ on {differ}"
    )
