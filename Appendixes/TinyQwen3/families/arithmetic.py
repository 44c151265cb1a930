"""Sums, products, quotients and the order of operations."""

from random import Random

from .registry import Draft, family
from .steps import (
    decimal,
    long_division,
    places,
    product_chain,
    product_lines,
    quotient_chain,
    running_sum,
    sum_by_places,
    sum_chain,
    sum_text,
)

QUESTIONS = (
    "What is the value of {}?",
    "Compute the value of {}.",
    "Find the value of {}.",
    "Calculate: {}. Give a number.",
    "What is {}?",
    "How much is {}?",
)


def _ask(rng: Random, expression: str) -> str:
    return rng.choice(QUESTIONS).format(expression)


def one_digit_fact(rng: Random) -> Draft:
    """A sum, difference or product of two digits, or a quotient that is a digit."""
    first, second = rng.randrange(10), rng.randrange(10)
    sign = rng.choice("+-*/" if second else "+-*")
    if sign == "/":
        first *= second
    expression = f"{first} {sign} {second}"
    value = fact_value(first, sign, second)
    return Draft(
        (first, sign, second), _ask(rng, expression), [f"{expression} = {value}"], str(value)
    )


def fact_value(first: int, sign: str, second: int) -> int:
    """The value of `first sign second`; a quotient must come out even."""
    if sign == "/":
        return first // second
    return {"+": first + second, "-": first - second, "*": first * second}[sign]


@family("Arithmetic")
def addition(rng: Random, level: int) -> Draft:
    """Sums and differences of two to four numbers."""
    low, high, count = [(1, 89, 2), (101, 899, 2), (2, 99, 3), (101, 899, 3), (101, 999, 4)][
        level - 1
    ]
    terms = [rng.randint(low, high) for _ in range(count)]
    if max(terms) < 10:  # two digits alone are one of the facts
        terms[rng.randrange(count)] += 10
    for i in range(1, count):
        if rng.random() < 0.5:
            terms[i] = -terms[i]
    if count == 2:
        lines = [
            sum_by_places(*terms) if rng.random() < 0.3 and sum(terms) >= 0 else sum_chain(*terms)
        ]
    elif rng.random() < 0.5:
        lines = running_sum(terms)
    else:  # all that is added first, then all that is taken away
        ordered = [term for term in terms if term > 0] + [term for term in terms if term < 0]
        lines = [f"Reorder: {sum_text(ordered)}", *running_sum(ordered)]
    return Draft(tuple(sorted(terms)), _ask(rng, sum_text(terms)), lines, str(sum(terms)))


@family("Arithmetic")
def multiplication(rng: Random, level: int) -> Draft:
    """Products, from two digits times one to three digits times two."""
    (low, high), (low_other, high_other) = [
        ((10, 59), (2, 9)),
        ((101, 899), (2, 9)),
        ((11, 39), (11, 39)),
        ((41, 99), (41, 99)),
        ((112, 699), (12, 89)),
    ][level - 1]
    first, second = rng.randint(low, high), rng.randint(low_other, high_other)
    if rng.random() < 0.5:
        first, second = second, first
    if level > 2:
        lines = product_lines(rng, first, second)
    elif rng.random() < 0.5 or len(places(max(first, second))) == 1:
        lines = [product_chain(first, second)]
    else:
        big, digit = max(first, second), min(first, second)
        parts = places(big)[::-1]
        split = " + ".join(f"{part} * {digit}" for part in parts)
        lines = [
            f"{big} * {digit} = {split}",
            *running_sum([part * digit for part in parts[::-1]]),  # the largest first
        ]
    return Draft(
        tuple(sorted((first, second))), _ask(rng, f"{first} * {second}"), lines, str(first * second)
    )


@family("Arithmetic")
def division(rng: Random, level: int) -> Draft:
    """Exact division by one and two digits, and decimals by 2, 4 and 5."""
    if level == 3:
        return _decimal_division(rng)
    (low, high), (low_quotient, high_quotient) = {
        1: ((2, 9), (10, 59)),
        2: ((2, 9), (61, 299)),
        4: ((12, 29), (12, 59)),
        5: ((21, 79), (112, 399)),
    }[level]
    divisor, quotient = rng.randint(low, high), rng.randint(low_quotient, high_quotient)
    number = divisor * quotient
    if divisor < 10 and rng.random() < 0.5:
        lines = [quotient_chain(number, divisor)]
    else:
        lines = long_division(number, divisor)
        if len(lines) > 1:
            lines.append(f"{' + '.join(map(str, places(quotient)))} = {quotient}")
    problem = rng.choice(
        (
            f"What is the value of {number} / {divisor}?",
            f"Divide {number} by {divisor}. Give the quotient.",
            f"Compute the quotient {number} / {divisor}.",
            f"How many times does {number} contain {divisor}?",
            f"What is {number} / {divisor}?",
        )
    )
    return Draft((number, divisor), problem, lines, str(quotient))


def _decimal_division(rng: Random) -> Draft:
    divisor = rng.choice((2, 4, 5))
    number = rng.randint(11, 249)
    if number % divisor == 0:
        number += 1
    quotient, rest = divmod(number, divisor)
    answer = decimal(number * (100 // divisor), 2)
    if rng.random() < 0.5:
        part = decimal(rest * (100 // divisor), 2)
        whole = quotient_chain(number - rest, divisor)
        lines = [f"{number} = {number - rest} + {rest}", whole]
        lines += [f"{rest} / {divisor} = {part}", f"{quotient} + {part} = {answer}"]
    else:
        factor, power = {2: (5, 1), 4: (25, 2), 5: (2, 1)}[divisor]
        lines = [
            f"{number} / {divisor} = {number} * {factor} / {10**power}",
            product_chain(number, factor),
            f"{number * factor} / {10**power} = {answer}",
        ]
    problem = rng.choice(
        (
            f"Write {number} / {divisor} as a decimal number.",
            f"What is {number} divided by {divisor}, as a decimal?",
            f"Compute {number} / {divisor}. Give a decimal.",
        )
    )
    return Draft((number, divisor), problem, lines, answer)


@family("Arithmetic")
def order_of_operations(rng: Random, level: int) -> Draft:
    """Products before sums, brackets first."""
    draft = (_product_in_sum, _bracket_product, _two_products, _two_brackets, _nested_brackets)[
        level - 1
    ]
    key, expression, lines, answer = draft(rng)
    return Draft((level, *key), _ask(rng, expression), lines, str(answer))


Worked = tuple[tuple, str, list[str], int]  # key, expression, lines, answer


def _product_in_sum(rng: Random) -> Worked:
    addend, first, second = rng.randint(1, 60), rng.randint(2, 9), rng.randint(2, 9)
    expression = (
        f"{addend} + {first} * {second}" if rng.random() < 0.5 else f"{first} * {second} + {addend}"
    )
    lines = [product_chain(first, second), sum_chain(addend, first * second)]
    return (addend, *sorted((first, second))), expression, lines, addend + first * second


def _bracket_product(rng: Random) -> Worked:
    first, second = rng.randint(11, 40), rng.randint(2, 30)
    factor, taken = rng.randint(3, 9), rng.randint(5, 60)
    total = first + second
    if rng.random() < 0.5:
        lines = [sum_chain(first, second), product_chain(total, factor)]
    else:
        lines = [
            product_chain(first, factor),
            product_chain(second, factor),
            sum_chain(first * factor, second * factor),
        ]
    lines.append(sum_chain(total * factor, -taken))
    key = (*sorted((first, second)), factor, taken)
    return key, f"({first} + {second}) * {factor} - {taken}", lines, total * factor - taken


def _two_products(rng: Random) -> Worked:
    pairs = [(rng.randint(12, 69), rng.randint(3, 9)) for _ in range(2)]
    sign = rng.choice((1, -1))
    lines = [product_chain(*pair) for pair in pairs]
    if rng.random() < 0.5:
        lines.reverse()
    values = [first * second for first, second in pairs]
    lines.append(sum_chain(values[0], sign * values[1]))
    expression = (
        f"{pairs[0][0]} * {pairs[0][1]} {'+' if sign > 0 else '-'} {pairs[1][0]} * {pairs[1][1]}"
    )
    ordered = sorted(pairs) if sign > 0 else pairs
    return (sign, *ordered[0], *ordered[1]), expression, lines, values[0] + sign * values[1]


def _two_brackets(rng: Random) -> Worked:
    a, b = rng.randint(25, 90), rng.randint(3, 20)
    c, d = rng.randint(2, 9), rng.randint(2, 9)
    e, f = rng.randint(12, 39), rng.randint(3, 9)
    left, right, taken = a - b, c + d, e * f
    brackets = [f"{a} - {b} = {left}", f"{c} + {d} = {right}"]
    products = [product_chain(left, right), product_chain(e, f)]
    for lines in (brackets, products):
        if rng.random() < 0.5:
            lines.reverse()
    lines = [", ".join(brackets), *products, sum_chain(left * right, -taken)]
    key = (a, b, *sorted((c, d)), *sorted((e, f)))
    return key, f"({a} - {b}) * ({c} + {d}) - {e} * {f}", lines, left * right - taken


def _nested_brackets(rng: Random) -> Worked:
    a, b, c = rng.randint(3, 9), rng.randint(12, 49), rng.randint(3, 9)
    d, e = rng.randint(11, 30), rng.randint(2, 9)
    f, g = rng.randint(12, 49), rng.randint(3, 9)
    inner, product = d - e, c * (d - e)
    first = [
        f"{d} - {e} = {inner}",
        product_chain(c, inner),
        sum_chain(b, product),
        product_chain(a, b + product),
    ]
    second = [product_chain(f, g)]
    lines = first + second if rng.random() < 0.5 else second + first
    left = a * (b + product)
    lines.append(sum_chain(left, -f * g))
    key = (a, b, c, d, e, *sorted((f, g)))
    return key, f"{a} * ({b} + {c} * ({d} - {e})) - {f} * {g}", lines, left - f * g
