"""The problem generator: reproducible, train and test disjoint, every answer and every written step
true.
"""

import json
import operator
import re
from collections import Counter
from datetime import date, timedelta
from fractions import Fraction
from itertools import combinations, pairwise, permutations, product
from pathlib import Path
from random import Random

import pytest

from Appendixes.TinyQwen3.families import FAMILIES
from Appendixes.TinyQwen3.families.steps import (
    euclid_lines,
    product_chain,
    product_lines,
    quotient_chain,
    remainder_line,
    sum_chain,
)
from Appendixes.TinyQwen3.problems import (
    LEVELS,
    fact_set,
    sample_fact,
    sample_problem,
    split_of,
    test_set,
)
from CH3.problems import read_problems

ROOT = Path(__file__).resolve().parents[3]
DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
TOKEN = re.compile(r"\s*(?:\\frac\{(\d+)\}\{(\d+)\}|(\d+(?:\.\d+)?)|([-+*/^()xy]))")


# --- a small calculator: exact, with x and y, no eval ---


class Calculator:
    """Recursive descent: numbers, fractions, + - * / ^, brackets, implicit products such as 2(x +
    1).
    """

    def __init__(self, text, x=None, y=None):
        self.values, self.tokens, self.at, place = {"x": x, "y": y}, [], 0, 0
        text = text.strip()
        while place < len(text):
            match = TOKEN.match(text, place)
            if match is None:
                raise ValueError(f"cannot read {text!r} at {place}")
            top, bottom, number, symbol = match.groups()
            self.tokens.append(
                Fraction(int(top), int(bottom)) if top else Fraction(number) if number else symbol
            )
            place = match.end()

    def peek(self):
        return self.tokens[self.at] if self.at < len(self.tokens) else None

    def take(self):
        self.at += 1
        return self.tokens[self.at - 1]

    def sum(self):
        value = -self.term() if self.peek() == "-" and self.take() else self.term()
        while self.peek() in ("+", "-"):
            value = value + self.term() if self.take() == "+" else value - self.term()
        return value

    def term(self):
        value = self.power()
        while True:
            following = self.peek()
            if following == "*" and self.take():
                value *= self.power()
            elif following == "/" and self.take():
                value /= self.power()
            elif following in ("(", "x", "y"):
                value *= self.power()
            else:
                return value

    def power(self):
        token = self.take()
        if token == "(":
            value = self.sum()
            if self.take() != ")":
                raise ValueError("bracket not closed")
        elif isinstance(token, Fraction):
            value = token
        else:
            value = self.values[token]
        if self.peek() == "^" and self.take():
            value **= int(self.take())
        return value


def calculate(text, x=None, y=None):
    calculator = Calculator(text, x, y)
    try:
        value = calculator.sum()
    except (IndexError, KeyError, TypeError) as error:
        raise ValueError(f"cannot read {text!r}") from error
    if calculator.peek() is not None:
        raise ValueError(f"trailing {calculator.peek()!r} in {text!r}")
    return Fraction(value)


def integers(text):
    return [int(number) for number in re.findall(r"(?<![\w)])-?\d+", text)]


def points(text):
    return [(int(x), int(y)) for x, y in re.findall(r"\((-?\d+), (-?\d+)\)", text)]


# --- one independent check per family: from the text of the problem to whether the answer is right
# ---


def expression_value(problem):
    expression = max(re.findall(r"[-+*/()\d ]+", problem.problem), key=len)
    return calculate(expression) == Fraction(problem.answer)


def check_division(problem):
    number, divisor = integers(problem.problem)
    return Fraction(number, divisor) == Fraction(problem.answer)


def check_fractions(problem):
    expression = re.search(r"\\frac.*\}", problem.problem)[0]
    value = calculate(expression)
    shown = str(abs(value.numerator))
    if value.denominator > 1:
        shown = f"\\frac{{{abs(value.numerator)}}}{{{value.denominator}}}"
    return problem.answer == ("-" if value < 0 else "") + shown


def check_percent(problem):
    part = re.search(r"(\d+)(?:%| percent) of (\d+)", problem.problem)
    if part:
        value = Fraction(int(part[1]) * int(part[2]), 100)
    else:
        start, *rates = integers(problem.problem)
        directions = re.findall(r"increased|rises|grows|decreased|falls|shrinks", problem.problem)
        value = Fraction(start)
        assert len(directions) == len(rates)
        for rate, direction in zip(rates, directions, strict=True):
            value += (
                value * rate / 100
                if direction in ("increased", "rises", "grows")
                else -value * rate / 100
            )
    return value == Fraction(problem.answer)


def check_linear_equation(problem):
    left, right = re.search(r"([-+()\dx ]+) = ([-+()\dx ]+)", problem.problem).groups()
    x = calculate(problem.answer)
    return calculate(left, x) == calculate(right, x) and calculate(left, x + 1) != calculate(
        right, x + 1
    )


def check_linear_system(problem):
    equations = re.findall(r"([-+\dxy ]+) = (-?\d+)", problem.problem)
    ((x, y),) = points(problem.answer)
    assert len(equations) == 2
    (a, b), (c, d) = [(calculate(left, 1, 0), calculate(left, 0, 1)) for left, _ in equations]
    return a * d != b * c and all(calculate(left, x, y) == int(right) for left, right in equations)


COMPARE = {"<": operator.lt, ">": operator.gt, "<=": operator.le, ">=": operator.ge}


def check_inequality(problem):
    statement = re.search(r"[-+\dx ]+(?:(?:<=|>=|<|>)[-+\dx ]+)+", problem.problem)[0]
    sides, signs = re.split(r"<=|>=|<|>", statement), re.findall(r"<=|>=|<|>", statement)
    low, high = problem.answer[1:-1].split(", ")
    constants = [calculate(side, 0) for side in sides]
    slopes = [
        calculate(side, 1) - constant for side, constant in zip(sides, constants, strict=True)
    ]
    for half in range(-70, 71):
        x = Fraction(half, 2)
        values = [slope * x + constant for slope, constant in zip(slopes, constants, strict=True)]
        holds = all(COMPARE[sign](values[i], values[i + 1]) for i, sign in enumerate(signs))
        above = low == "-\\infty" or x > int(low) or (x == int(low) and problem.answer[0] == "[")
        below = high == "\\infty" or x < int(high) or (x == int(high) and problem.answer[-1] == "]")
        if holds != (above and below):
            return False
    return True


def check_expand(problem):
    expression = re.search(r"[-+\dx^ ]*\([-+\dx()^ ]*\)", problem.problem)[0]
    return "(" not in problem.answer and all(
        calculate(expression, Fraction(x)) == calculate(problem.answer, Fraction(x))
        for x in (-3, 0, 1, 2, 7)
    )


def check_quadratic_roots(problem):
    left = re.search(r"([-+\dx()^ ]+) = 0", problem.problem)[1]
    roots = [calculate(root) for root in problem.answer.split(", ")]
    return (
        len(roots) == 2
        and roots[0] < roots[1]
        and all(calculate(left, root) == 0 for root in roots)
    )


def check_vertex(problem):
    curve = re.search(r"y = ([-+\dx()^ ]+)", problem.problem)[1]
    ((h, k),) = points(problem.answer)
    values = [calculate(curve, Fraction(h + step)) for step in (-2, -1, 0, 1, 2)]
    return values == values[::-1] and values[2] == k and values[1] != k


def check_gcd_lcm(problem):
    first, second = integers(problem.problem.replace("(", " "))
    if "gcd" in problem.problem or "divisor" in problem.problem:
        return int(problem.answer) == max(
            n for n in range(1, first + 1) if first % n == second % n == 0
        )
    return int(problem.answer) == next(
        n for n in range(first, first * second + 1, first) if n % second == 0
    )


def check_remainder(problem):
    expression, modulus = re.search(r"(\d+(?: \* \d+|\^\d+)?) \D*(\d+)", problem.problem).groups()
    return calculate(expression) % int(modulus) == int(problem.answer)


def check_divisors(problem):
    (number,) = integers(problem.problem)
    divisors = [n for n in range(1, number + 1) if number % n == 0]
    if "prime" in problem.problem:
        return problem.answer == ", ".join(
            str(n) for n in divisors if sum(n % m == 0 for m in range(1, n + 1)) == 2
        )
    return int(problem.answer) == (sum(divisors) if "sum" in problem.problem else len(divisors))


def check_base_conversion(problem):
    source, digits, target = integers(problem.problem)
    return int(str(digits), source) == int(problem.answer, target)


def check_arithmetic_sequence(problem):
    text = problem.problem
    if re.search(r"\.\.\.,? (?:\+ )?\d", text):
        first, second, _, last = integers(text)
        terms = list(range(first, last + 1, second - first))
        return int(problem.answer) == (
            len(terms) if re.search("How many|Count", text) else sum(terms)
        )
    count, first, second, third = map(int, re.findall(r"-?\d+", text))
    terms = [first + i * (second - first) for i in range(count)]
    assert third == terms[2]
    return int(problem.answer) == (sum(terms) if "sum" in text else terms[-1])


def check_recurrence(problem):
    text, answer = problem.problem, int(problem.answer)
    ordinal = re.search(r"(\d+)(?:th|st|nd|rd)", text)
    if ordinal:
        first, second, third = integers(text.replace(ordinal[0], ""))
        assert first * third == second * second
        return answer * first ** (int(ordinal[1]) - 2) == second ** (int(ordinal[1]) - 1)
    values = [int(value) for value in re.findall(r"a\(\d\) = (-?\d+)", text)]
    rule = re.search(r"a\(n\+[12]\) = ([-+\da()n ]+a\(n\)(?: [-+] \d+)?)", text)[1]
    rule = rule.replace("a(n+1)", "x").replace("a(n)", "y")
    wanted = int(re.search(r"a\((\d+)\)[.?]", text)[1])
    while len(values) < wanted:
        values.append(
            calculate(
                rule, values[-1], values[-2] if len(values) > 1 and "x" in rule else values[-1]
            )
        )
    return answer == values[-1]


def count(items):
    return sum(1 for _ in items)


def check_arrangements(problem):
    numbers, text = integers(problem.problem), problem.problem
    if "at least" in text:
        n, m, k = numbers
        ways = count(group for group in combinations(range(n + m), k) if min(group) < n)
    elif "second" in text:
        n, m = numbers
        ways = count(product(permutations(range(n), 2), range(m)))
    elif "choose" in text or "team" in text:
        k, n, j, m = numbers
        ways = count(combinations(range(n), k)) * count(combinations(range(m), j))
    else:
        ways = count(product(*map(range, numbers)))
    return int(problem.answer) == ways


def check_probability(problem):
    text, numbers = problem.problem, integers(problem.problem)
    bag = [
        colour
        for colour, n in zip(("red", "blue", "green"), numbers, strict=False)
        for _ in range(n)
    ]
    if "put back" in text:
        good = [draw == ("red", "red") for draw in product(bag, repeat=2)]
    elif "both" in text:
        good = [pair == ("red", "red") for pair in combinations(bag, 2)]
    elif "each colour" in text:
        good = [pair[0] != pair[1] for pair in combinations(bag, 2)]
    else:
        good = [(colour != "red") if "not red" in text else (colour == "red") for colour in bag]
    return calculate(problem.answer) == Fraction(sum(good), len(good))


def check_line(problem):
    given, answer = points(problem.problem), problem.answer
    curves = re.findall(r"y = ([-+\dx]+(?: [-+] [\dx]+)*)", problem.problem)
    if "halfway" in problem.problem or "midpoint" in problem.problem:
        ((x, y),), ((a, b), (c, d)) = points(answer), given
        return (2 * x, 2 * y) == (a + c, b + d)
    if "slope" in problem.problem:
        (a, b), (c, d) = given
        return calculate(answer) == Fraction(d - b, c - a)
    if "(" not in answer:
        return all(calculate(answer, Fraction(x)) == y for x, y in given)
    ((x, y),) = points(answer)
    if given:
        (a, b), (c, d) = given
        assert (y - b) * (c - a) == (d - b) * (x - a) and len(curves) == 1
    else:
        assert len(curves) == 2 and curves[0] != curves[1]
    return all(calculate(curve, Fraction(x)) == y for curve in curves)


def check_distance_area(problem):
    corners = points(problem.problem)
    if "distance" in problem.problem:
        (a, b), (c, d) = corners
        outside, inside = re.fullmatch(r"(\d*)(?:\\sqrt\{(\d+)\})?", problem.answer).groups()
        outside, inside = int(outside or 1), int(inside or 1)
        simple = all(inside % (n * n) for n in range(2, inside))
        return simple and outside**2 * inside == (a - c) ** 2 + (b - d) ** 2
    if "rectangle" in problem.problem:
        (a, b), (c, d) = corners
        return abs((a - c) * (b - d)) == int(problem.answer)
    cyclic = zip(corners, corners[1:] + corners[:1], strict=True)
    return Fraction(problem.answer) == Fraction(
        abs(sum(a * d - b * c for (a, b), (c, d) in cyclic)), 2
    )


def check_shopping(problem):
    numbers, answer = integers(problem.problem), Fraction(problem.answer)
    if problem.level == 1:
        return answer == sum([numbers[0]] * numbers[1])
    if problem.level == 5:
        paid, n, cost, m, left = numbers
        return left + n * cost + m * answer == paid
    n, cost, m, price, *rest = numbers
    total = Fraction(n * cost + m * price)
    return (
        answer
        == {2: total, 3: sum(rest) - total, 4: total - total * sum(rest) / 100}[problem.level]
    )


def check_travel(problem):
    numbers, answer = integers(problem.problem), calculate(problem.answer)
    if problem.level == 1:
        return answer == numbers[0] * numbers[1]
    if problem.level <= 3:
        (u, s, v, t) = numbers
        return answer == (u * s + v * t if problem.level == 2 else Fraction(u * s + v * t, s + t))
    if problem.level == 4:
        apart, one, other = numbers
        return answer / one == (apart - answer) / other
    slow, lead, quick = numbers
    return answer / slow - answer / quick == lead


def check_ages(problem):
    numbers, answer = integers(problem.problem), int(problem.answer)
    if problem.level == 1:
        return answer == sum(numbers)
    if problem.level == 2:
        return numbers[0] == answer + (answer + numbers[1])
    if problem.level == 3:
        times, total, years = numbers
        return [times * n + years for n in range(200) if n + times * n == total] == [answer]
    if problem.level == 4:
        gap, years, times = numbers
        return [n for n in range(200) if n + gap + years == times * (n + years)] == [answer]
    total, years, times = numbers
    return [n for n in range(total) if n + years == times * (total - n + years)] == [answer]


def check_weekday(problem):
    start = next(day for word in re.findall(r"\w+", problem.problem) for day in DAYS if word == day)
    if problem.level >= 4:
        months = [
            "March",
            "April",
            "May",
            "June",
            "July",
            "August",
            "September",
            "October",
            "November",
            "December",
        ]
        found = re.findall(rf"({'|'.join(months)}) (\d+)", problem.problem)
        first, last = (date(2023, months.index(month) + 3, int(day)) for month, day in found)
        shift = (last - first).days
    else:
        (shift,) = integers(problem.problem)
        shift = -shift if "ago" in problem.problem else shift
    monday = date(2024, 1, 1)
    return DAYS[(monday + timedelta(days=DAYS.index(start) + shift)).weekday()] == problem.answer


CHECKS = {
    "addition": expression_value, "multiplication": expression_value,
    "order_of_operations": expression_value, "division": check_division,
    "fraction_sum": check_fractions, "fraction_product": check_fractions, "percent": check_percent,
    "linear_equation": check_linear_equation, "linear_system": check_linear_system,
    "inequality": check_inequality, "expand": check_expand,
    "quadratic_roots": check_quadratic_roots, "vertex": check_vertex, "gcd_lcm": check_gcd_lcm,
    "remainder": check_remainder, "divisors": check_divisors,
    "base_conversion": check_base_conversion, "arithmetic_sequence": check_arithmetic_sequence,
    "recurrence": check_recurrence, "arrangements": check_arrangements,
    "probability": check_probability, "line": check_line, "distance_area": check_distance_area,
    "shopping": check_shopping, "travel": check_travel, "ages": check_ages,
    "weekday": check_weekday,
}  # fmt: skip


# --- every written step ---


def true_equalities(solution):
    """How many equalities between plain numeric expressions a solution holds; fails on a false one.

    Words and punctuation end a chain. A single letter is a variable: the side it stands in is left
    out."""
    checked = 0
    for line in solution.split("\n")[:-1]:
        line = re.sub(r"\\frac\{(\d+)\}\{(\d+)\}", r"(\1 / \2)", line)
        pieces = re.split(r"([A-Za-z]+|[,:<>]=?|%)", line)
        for i in range(0, len(pieces), 2):
            sides = pieces[i].split("=")
            if i and len(pieces[i - 1]) == 1 and pieces[i - 1].isalpha():
                sides = sides[1:]
            if i + 1 < len(pieces) and len(pieces[i + 1]) == 1 and pieces[i + 1].isalpha():
                sides = sides[:-1]
            values = [calculate(side) for side in sides if side.strip()] if len(sides) > 1 else []
            assert len(set(values)) <= 1, f"false statement {pieces[i]!r} in {line!r}"
            checked += max(0, len(values) - 1)
    return checked


def last_boxed(solution):
    text = solution[solution.rindex("\\boxed{") + len("\\boxed{") :]
    depth = 1
    for i, character in enumerate(text):
        depth += (character == "{") - (character == "}")
        if depth == 0:
            return text[:i]
    raise ValueError("box not closed")


@pytest.fixture(scope="module")
def many():
    """A few hundred problems of every family, from both splits."""
    rng = Random(7)
    return [
        sample_problem(rng, "test" if i % 8 == 0 else "train", family, level)
        for family in FAMILIES
        for level in LEVELS
        for i in range(48)
    ]


def test_same_seed_gives_same_problems():
    def draw(seed):
        rng = Random(seed)
        return [sample_problem(rng, "train") for _ in range(300)]

    assert draw(3) == draw(3)
    assert draw(3) != draw(4)


def test_train_never_meets_test():
    rng, other_rng = Random(11), Random(12)
    train = [sample_problem(rng, "train") for _ in range(20_000)]
    keys = {problem.key for problem in train}
    assert {split_of(key) for key in keys} == {"train"}
    assert not keys & {sample_problem(other_rng, "test").key for _ in range(1_000)}
    assert not {problem.problem for problem in train} & {row["problem"] for row in test_set()}


def test_symmetric_sums_share_a_key():
    rng, keys = Random(5), {}
    for _ in range(4000):
        problem = sample_problem(rng, "train", "multiplication", 1)
        pair = frozenset(integers(problem.problem))
        assert keys.setdefault(pair, problem.key) == problem.key


def test_committed_test_set_is_reproduced():
    rows = json.loads((ROOT / "CH3" / "arithmetic500_test.json").read_text())
    assert rows == test_set()
    assert (
        len(rows)
        == len({row["unique_id"] for row in rows})
        == len({row["problem"] for row in rows})
        == 500
    )
    assert Counter(row["level"] for row in rows) == dict.fromkeys(LEVELS, 100)
    assert set(rows[0]) == {"problem", "solution", "answer", "subject", "level", "unique_id"}
    families = Counter(row["unique_id"].split("/")[2] for row in rows)
    assert len(families) == len(FAMILIES) and max(families.values()) - min(families.values()) <= 5


def test_box_holds_the_answer(many):
    for problem in many:
        assert last_boxed(problem.solution) == problem.answer
        assert problem.solution.split("\n")[-1] == f"\\boxed{{{problem.answer}}}"
        assert (problem.problem + problem.solution).isascii()


@pytest.mark.parametrize("family", list(FAMILIES))
def test_answer_is_right_by_an_independent_way(many, family):
    wrong = [p for p in many if p.family == family and not CHECKS[family](p)]
    assert not wrong, wrong[0]


def test_every_written_equality_is_true(many):
    assert sum(true_equalities(problem.solution) for problem in many) > 20_000


def test_false_equalities_are_noticed():
    with pytest.raises(AssertionError, match="false statement"):
        true_equalities("so x = 12 / 4 = 4\n\\boxed{4}")
    assert true_equalities("Move 3: 10 - 3 = 7, so 7x = 14, x = 2\n\\boxed{2}") == 1


# --- steps that can be found from what stands before them ---

PAIR = re.compile(r"(\d+) ([-+]) (\d+)")


def numbers_in_range(rng, digits):
    return rng.randrange(10 ** (digits - 1), 10**digits)


def by_places(first, second):
    """The columns of a sum or difference from the left, where places of the first number alone are
    one column; and whether any of them carries or borrows."""
    length = len(str(abs(second)))
    columns = [first // 10**length * 10**length]
    crossed = False
    for place in reversed(range(length)):
        digits = [abs(number) // 10**place % 10 for number in (first, second)]
        value = digits[0] + digits[1] if second > 0 else digits[0] - digits[1]
        crossed |= not 0 <= value <= 9
        columns.append(value * 10**place)
    return [column for column in columns if column], crossed


def terms_of(side):
    return [int(term) for term in side.replace("- ", "-").replace("+ ", "").split()]


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(("long", "short"), [(2, 1), (2, 2), (3, 2), (3, 3), (5, 3), (5, 5)])
def test_a_sum_is_written_by_places_where_one_carries(sign, long, short):
    rng, carried = Random(long * 10 + short), 0
    for _ in range(500):
        second, first = sorted((numbers_in_range(rng, long), numbers_in_range(rng, short)))
        columns, crossed = by_places(first, sign * second)
        crossed &= columns != [first, sign * second]
        carried += crossed
        steps = sum_chain(first, sign * second).split(" = ")[1:-1]
        assert [terms_of(step) for step in steps] == ([columns] if crossed else [])
    assert carried > 150


def written_steps(problems):
    """Each side of each chain of equalities, with the side that follows it."""
    for problem in problems:
        for line in problem.solution.split("\n"):
            yield from pairwise(line.split(" = "))


def test_no_step_takes_the_low_places_away_first(many):
    """815 - 268 = 807 - 260 looks like 815 - 260, and the model then lost its way."""
    shown = 0
    for left, right in written_steps(many):
        start, following = PAIR.fullmatch(left), PAIR.fullmatch(right)
        if not start or not following or start[2] != "-" or following[2] != "-":
            continue
        (a, b), (c, d) = [(int(match[1]), int(match[3])) for match in (start, following)]
        shown += 1
        assert [c, -d] == by_places(a, -b)[0] or (str(b).endswith(str(d)) and c == a - b + d)
    assert shown > 300


@pytest.mark.parametrize(
    ("first", "second", "positive"),
    [
        (318, -906, "906 - 318"),
        (-72, 64, "72 - 64"),
        (7, -12, "12 - 7"),
        (-126, 24, "126 - 24"),
        (-56, -81, "56 + 81"),
        (-5, -812, "812 + 5"),
    ],
)
def test_a_negative_result_is_found_from_positive_numbers(first, second, positive):
    assert sum_chain(first, second).split(" = ")[1] == f"-({positive})"


def test_the_larger_number_comes_first_where_lengths_differ(many):
    """In 219 + 5840 the columns are hard to find; 5840 + 219 says where they are."""
    for rng in map(Random, range(300)):
        lines = product_lines(rng, numbers_in_range(rng, 2), numbers_in_range(rng, 3))
        for match in PAIR.finditer("\n".join(line for line in lines if "*" not in line)):
            assert match[2] == "+" and len(match[1]) >= len(match[3])
    for left, right in written_steps(many):
        match = PAIR.fullmatch(left)
        if match and match[2] == "+" and match[1] != "0" and len(match[3]) > 2:
            assert len(match[1]) >= len(match[3]) or right == f"{match[3]} + {match[1]}"


def test_products_of_long_numbers_rest_on_products_of_single_digits():
    for rng in map(Random, range(300)):
        first, second = numbers_in_range(rng, 3), numbers_in_range(rng, 2)
        sides = product_chain(first, second).split(" = ")
        partial = max(sides[1:-1], key=lambda side: side.count("+")) if len(sides) > 2 else "0"
        for part in terms_of(partial) if "*" not in partial else []:
            bare = str(part).rstrip("0")
            assert len(bare) <= 2 or part == first * 10 ** (len(str(part)) - len(str(first)))


def test_a_quotient_is_built_from_the_left_with_what_remains():
    for rng in map(Random, range(300)):
        divisor, quotient = rng.randint(2, 9), rng.randint(10, 999)
        *steps, last = quotient_chain(divisor * quotient, divisor).split(" = ")[1:]
        assert last == str(quotient)
        for side in steps[:-1]:
            *done, rest = re.split(r" \+ ", side)
            rest = int(rest.split(" / ")[0])
            assert divisor * sum(map(int, done)) + rest == divisor * quotient
            assert str(quotient).startswith(str(sum(map(int, done))).rstrip("0"))


def test_euclid_divides_the_larger_by_the_smaller_and_never_takes_too_much():
    for rng in map(Random, range(500)):
        pair = [rng.randint(1, 400), rng.randint(1, 400)]
        high, low = max(pair), min(pair)
        for line in euclid_lines(*pair):
            assert true_equalities(line + "\n\\boxed{0}")
            # the line divides `high` by `low`: in one equation, or by taking a multiple away
            last = line.split(", ")[-1]
            if " * " in last:
                number, quotient, divisor, rest = integers(last)
                assert (number, divisor, rest) == (high, low, high - quotient * low)
            else:
                number, taken = map(int, PAIR.match(last).group(1, 3))
                rest = int(last.split(" = ")[-1])
                assert number == high and taken % low == 0
            assert 0 <= rest < low
            high, low = low, rest
        assert low == 0


def test_a_remainder_ends_its_line():
    for rng in map(Random, range(500)):
        number, divisor = rng.randint(1, 999), rng.randint(2, 13)
        line = remainder_line(number, divisor)
        assert int(re.findall(r"\d+", line)[-1]) == number % divisor
        assert true_equalities(line + "\n\\boxed{0}")


def test_a_sequence_begins_with_its_step(many):
    for problem in many:
        if problem.family == "arithmetic_sequence":
            shown = re.search(r"(-?\d+)(?:,| \+) (-?\d+)(?:,| \+)", problem.problem)
            step = int(shown[2]) - int(shown[1])
            assert re.fullmatch(rf"Step: .* = {step}", problem.solution.split("\n")[0])


def test_a_line_names_the_point_that_it_starts_from(many):
    for problem in many:
        solution = problem.solution
        if problem.family == "line" and "From" in solution:
            start, end = points(solution.split("\n")[0])
            assert {start, end} == set(points(problem.problem)[:2])
            assert f"Run: {end[0]} - " in solution and f"Rise: {end[1]} - " in solution
            assert f"At {start}:" in solution or problem.level == 2


# --- one-digit facts ---


def test_every_one_digit_fact_is_drawn_in_every_wording_and_is_right():
    rng, keys, wordings = Random(0), set(), set()
    for _ in range(20_000):
        fact = sample_fact(rng)
        keys.add(fact.key)
        expression = re.search(r"\d+ [-+*/] \d+", fact.problem)[0]
        wordings.add(fact.problem.replace(expression, "{}"))
        assert calculate(expression) == int(fact.answer)
        assert fact.solution == f"{expression} = {fact.answer}\n\\boxed{{{fact.answer}}}"
    assert len(keys) == 300 + 90  # quotients by 1 to 9
    rows = fact_set()
    assert {row["problem"] for row in rows} == {
        wording.format(f"{a} {sign} {b}")
        for wording in wordings
        for a, sign, b in product(range(10), "+-*", range(10))
    }
    assert all(
        calculate(re.search(r"\d [-+*] \d", row["problem"])[0]) == int(row["answer"])
        for row in rows
    )
    assert {"What is 2 + 2?", "What is 7 + 5?"} <= {row["problem"] for row in rows}


def test_one_digit_facts_are_in_no_family_and_so_in_no_test_set(many):
    """They are trained on whatever their hash says, so the test set may not have them."""
    facts, rng = {row["problem"] for row in fact_set()}, Random(1)
    drawn = {problem.problem for problem in many} | {row["problem"] for row in test_set()}
    for family in ("addition", "multiplication", "division"):
        drawn |= {sample_problem(rng, "test", family, 1).problem for _ in range(1000)}
    assert not facts & drawn
    assert not any(re.search(r"^\D*\d [-+*/] \d\D*$", problem) for problem in drawn)


def test_the_facts_can_be_evaluated_as_a_file_of_problems(tmp_path):
    (tmp_path / "facts.json").write_text(json.dumps(fact_set()))
    assert len(read_problems(tmp_path / "facts.json")) == 1800


@pytest.mark.parametrize(
    ("family", "level", "question"),
    [
        ("linear_equation", 1, " x + 2 = 5"),
        ("percent", 2, " 50% of 8"),
        ("gcd_lcm", 1, " gcd(6, 4)"),
        ("fraction_sum", 3, " \\frac{1}{2} + \\frac{1}{3}"),
        ("order_of_operations", 1, " 2 + 3 * 4"),
        ("division", 1, " 84 / 4"),
    ],
)
def test_ranges_start_where_a_reader_starts(family, level, question):
    rng, draft = Random(0), FAMILIES[family].draft
    assert any(question in draft(rng, level).problem for _ in range(40_000))


def test_no_answer_is_a_good_guess(many):
    answers = {}
    for problem in many:
        answers.setdefault((problem.family, problem.level), Counter())[problem.answer] += 1
    assert all(max(counts.values()) < 0.45 * sum(counts.values()) for counts in answers.values())


@pytest.mark.parametrize("arguments", [{"split": "dev"}, {"family": "no such"}, {"level": 6}])
def test_unknown_arguments_raise(arguments):
    with pytest.raises(ValueError, match="expected"):
        sample_problem(Random(0), **{"split": "train", **arguments})
