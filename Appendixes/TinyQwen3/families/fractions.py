"""Sums and products of fractions, and percentages."""

from math import gcd, lcm, prod
from random import Random

from .registry import Draft, family
from .steps import decimal, frac, lowest, product_chain, reduction_chain, sum_chain, sum_text


def _proper(rng: Random, low: int, high: int) -> tuple[int, int]:
    """A fraction in lowest terms between 0 and 1 with its denominator from low to high."""
    denominator = rng.randint(low, high)
    numerator = rng.randint(1, denominator - 1)
    common = gcd(numerator, denominator)
    return numerator // common, denominator // common


@family("Fractions and Percent")
def fraction_sum(rng: Random, level: int) -> Draft:
    """Sums and differences of two or three fractions."""
    if level == 1:
        bottom = rng.randint(3, 19)
        fractions = [(rng.randint(1, bottom - 1), bottom) for _ in range(2)]
    elif level == 2:
        top, bottom = _proper(rng, 2, 9)
        multiple = bottom * rng.randint(2, 4)
        fractions = [(top, bottom), (rng.randint(1, multiple - 1), multiple)]
        rng.shuffle(fractions)
    else:
        low, high, count = [(2, 9, 2), (5, 12, 2), (3, 10, 3)][level - 3]
        fractions = [_proper(rng, low, high) for _ in range(count)]
    signs = [1, *(rng.choice((1, -1)) for _ in fractions[1:])]
    bottoms = [bottom for _, bottom in fractions]
    common = lcm(*bottoms)
    if level == 3 and rng.random() < 0.3:  # the product of the denominators also works
        common = prod(bottoms)
    tops = [
        sign * top * (common // bottom)
        for sign, (top, bottom) in zip(signs, fractions, strict=True)
    ]
    lines = []
    if len(set(bottoms)) > 1:
        lines.append(f"Common denominator: {common}")
        lines += [
            f"Times {common // bottom}: {frac(top, bottom)} = {frac(top * (common // bottom), common)}"
            for top, bottom in fractions
            if bottom != common
        ]
    lines += [f"{sum_text(tops)} = {sum(tops)}"] if len(tops) == 2 else _three_terms(tops)
    answer, chain = lowest(sum(tops), common), reduction_chain(sum(tops), common)
    lines.append(chain if chain != answer else f"The sum is {answer}")
    expression = frac(*fractions[0])
    for sign, fraction in zip(signs[1:], fractions[1:], strict=True):
        expression += f" {'+' if sign > 0 else '-'} {frac(*fraction)}"
    key = tuple(
        sorted(
            f"{sign * top}/{bottom}" for sign, (top, bottom) in zip(signs, fractions, strict=True)
        )
    )
    return Draft(key, _ask_fraction(rng, expression), lines, answer)


def _three_terms(tops: list[int]) -> list[str]:
    return [sum_chain(tops[0], tops[1]), sum_chain(tops[0] + tops[1], tops[2])]


def _ask_fraction(rng: Random, expression: str) -> str:
    return rng.choice(
        (
            f"Compute {expression}. Give a fraction in lowest terms.",
            f"What is {expression} in lowest terms?",
            f"Write {expression} as a fraction in lowest terms.",
            f"Simplify {expression} to lowest terms.",
        )
    )


@family("Fractions and Percent")
def fraction_product(rng: Random, level: int) -> Draft:
    """Products and quotients of fractions."""
    high, count = [(8, 2), (14, 2), (11, 2), (8, 3), (11, 3)][level - 1]
    fractions = [_proper(rng, 2, high) for _ in range(count)]
    divided = level in (3, 5)  # the last fraction is divided by
    expression = " * ".join(frac(*fraction) for fraction in fractions)
    lines = []
    flipped = list(fractions)
    if divided:
        flipped[-1] = fractions[-1][::-1]
        expression = (
            " * ".join(frac(*fraction) for fraction in fractions[:-1])
            + f" / {frac(*fractions[-1])}"
        )
        lines.append(
            f"Turn the last one over: {' * '.join(frac(*fraction) for fraction in flipped)}"
        )
    tops, bottoms = [top for top, _ in flipped], [bottom for _, bottom in flipped]
    if count == 2 and rng.random() < 0.5:  # swap the denominators and reduce before multiplying
        lines.append(f"Swap denominators: {' * '.join(map(frac, tops, bottoms[::-1]))}")
        crossed = list(zip(tops, bottoms[::-1], strict=True))
        lines += [reduction_chain(*pair) for pair in crossed if gcd(*pair) > 1]
        tops = [top // gcd(top, bottom) for top, bottom in crossed]
        bottoms = [bottom // gcd(top, bottom) for top, bottom in crossed]
    top, bottom = _product_steps(tops, lines, "Top"), _product_steps(bottoms, lines, "Bottom")
    answer, chain = lowest(top, bottom), reduction_chain(top, bottom)
    lines.append(chain if chain != answer else f"The result is {answer}")
    pairs = sorted(fractions[:-1]) + fractions[-1:] if divided else sorted(fractions)
    key = ("/" if divided else "*", *pairs)
    return Draft(key, _ask_fraction(rng, expression), lines, answer)


def _product_steps(factors: list[int], lines: list[str], name: str) -> int:
    """Add the line that multiplies the factors, and return their product."""
    product, steps = factors[0], []
    for factor in factors[1:]:
        steps.append(product_chain(product, factor))
        product *= factor
    lines.append(f"{name}: {', '.join(steps)}")
    return product


@family("Fractions and Percent")
def percent(rng: Random, level: int) -> Draft:
    """A percentage of a number, a change by a percentage, two changes in a row."""
    if level == 5:
        return _two_changes(rng)
    if level == 4:
        return _one_change(rng)
    if level == 1:
        rate, number = 10 * rng.randint(1, 9), 10 * rng.randint(1, 60)
    elif level == 2:
        rate, number = 5 * rng.randint(1, 19), 2 * rng.randint(1, 120)
    else:
        rate, number = rng.randint(11, 98), rng.randint(21, 99)
    lines, value = _part_lines(rng, rate, number)
    problem = rng.choice(
        (
            f"What is {rate}% of {number}? Give a number.",
            f"Find {rate}% of {number}. Give a number.",
            f"Compute the value of {rate} percent of {number}.",
            f"What is {rate}% of {number}?",
        )
    )
    return Draft((level > 2, rate, number), problem, lines, decimal(value, 2))


def _part_lines(rng: Random, rate: int, number: int) -> tuple[list[str], int]:
    """Lines for rate% of number, and a hundred times the result."""
    value = rate * number
    if rate % 5 == 0 and rng.random() < 0.5:
        tenth = decimal(number, 1)
        lines = [f"10% is {number} / 10 = {tenth}"]
        if rate >= 20:
            tens = rate // 10
            lines.append(f"{rate // 10 * 10}% is {tens} * {tenth} = {decimal(number * tens, 1)}")
        if rate % 10:
            lines.append(f"5% is {tenth} / 2 = {decimal(number * 5, 2)}")
        if rate % 10 and rate > 10:
            lines.append(
                f"{decimal(number * (rate // 10), 1)} + {decimal(number * 5, 2)} = {decimal(value, 2)}"
            )
        return lines, value
    return [product_chain(number, rate), f"{value} / 100 = {decimal(value, 2)}"], value


def _one_change(rng: Random) -> Draft:
    rate, number, sign = 5 * rng.randint(1, 9), 4 * rng.randint(6, 120), rng.choice((1, -1))
    lines, value = _part_lines(rng, rate, number)
    part, answer = decimal(value, 2), decimal(100 * number + sign * value, 2)
    lines.append(f"{number} {'+' if sign > 0 else '-'} {part} = {answer}")
    if rng.random() < 0.4:
        left = 100 + sign * rate
        lines = [
            f"100 {'+' if sign > 0 else '-'} {rate} = {left}",
            product_chain(number, left),
            f"{number * left} / 100 = {answer}",
        ]
    up, rises, grows = (
        ("increased", "rises", "grows") if sign > 0 else ("decreased", "falls", "shrinks")
    )
    problem = rng.choice(
        (
            f"The number {number} is {up} by {rate}%. What is the result?",
            f"A price of {number} {rises} by {rate}%. What is the new price?",
            f"A stock of {number} kg {grows} by {rate}%. How many kg is it then?",
        )
    )
    return Draft(("change", sign * rate, number), problem, lines, answer)


def _two_changes(rng: Random) -> Draft:
    number = 100 * rng.randint(2, 19)
    rates = [5 * rng.randint(1, 10) for _ in range(2)]
    signs = [rng.choice((1, -1)) for _ in range(2)]
    lines, hundredths = [], 100 * number
    for rate, sign in zip(rates, signs, strict=True):
        share = 100 + sign * rate
        whole = hundredths // 100
        lines.append(f"100 {'+' if sign > 0 else '-'} {rate} = {share}")
        if whole % 100 == 0 and rng.random() < 0.5:
            lines.append(f"{whole} / 100 = {whole // 100}, {product_chain(whole // 100, share)}")
        else:
            lines += [
                product_chain(whole, share),
                f"{whole * share} / 100 = {decimal(whole * share, 2)}",
            ]
        hundredths = whole * share
    verbs = [("rises" if sign > 0 else "falls") for sign in signs]
    changed = [("increased" if sign > 0 else "decreased") for sign in signs]
    problem = rng.choice(
        (
            f"A price of {number} {verbs[0]} by {rates[0]}%, then {verbs[1]} by {rates[1]}%. What is it now?",
            f"{number} is {changed[0]} by {rates[0]}% and the result {changed[1]} by "
            f"{rates[1]}%. Find the final value.",
        )
    )
    key = ("changes", number, *sorted(sign * rate for sign, rate in zip(signs, rates, strict=True)))
    return Draft(key, problem, lines, decimal(hundredths, 2))
