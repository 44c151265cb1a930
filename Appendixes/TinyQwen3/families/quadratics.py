"""Roots of quadratic equations and vertices of parabolas."""

from math import isqrt
from random import Random

from .registry import Draft, family
from .steps import (
    lowest,
    nonzero,
    plus,
    polynomial,
    product_chain,
    reduction_chain,
    sum_chain,
    sum_text,
)


@family("Quadratics")
def quadratic_roots(rng: Random, level: int) -> Draft:
    """Two real roots, by factoring or by the discriminant."""
    lead, common, denominator = 1, 1, 1
    if level <= 2:
        first, second = rng.sample(range(1, 16), 2)
        sign = rng.choice((1, -1))
        first, second = sign * first, sign * second * (rng.choice((1, -1)) if level == 1 else 1)
    else:
        first, second = rng.sample([n for n in range(-12, 13) if n], 2)
        if level == 4:
            common = rng.randint(2, 6)
        if level == 5:  # roots first / denominator and second: (denominator x - first)(x - second)
            denominator = lead = rng.choice((2, 3))
            second = nonzero(rng, -6, 6)
            if first == second * denominator:
                first += 1 if first != -1 else 2
    if level == 1:
        equation = f"(x{plus(-first)})(x{plus(-second)}) = 0"
        lines = [
            f"x{plus(-first)} = 0 gives x = {first}",
            f"x{plus(-second)} = 0 gives x = {second}",
        ]
    else:
        coefficients = [lead, -first - second * denominator, first * second]
        equation = f"{polynomial([common * value for value in coefficients])} = 0"
        lines = [f"Divide by {common}: {polynomial(coefficients)} = 0"] if common > 1 else []
        if lead == 1 and rng.random() < 0.6:
            lines += _factor_lines(coefficients[1], coefficients[2], first, second)
        else:
            lines += _discriminant_lines(*coefficients)
    roots = sorted([(first / denominator, lowest(first, denominator)), (second, str(second))])
    problem = rng.choice(
        (
            f"Solve {equation}. List all solutions.",
            f"Find all x with {equation}.",
            f"List all solutions of {equation}.",
            f"What are the roots of {equation}? List them.",
        )
    )
    key = (
        (common, denominator, first, second)
        if level == 5
        else (common, *sorted((first, second)), level == 1)
    )
    return Draft(key, problem, lines, ", ".join(text for _, text in roots))


def _factor_lines(b: int, c: int, first: int, second: int) -> list[str]:
    """Try the pairs with product c, smallest factor first, until one has the sum b.

    The larger number of a pair has the sign of b; the other one has it if c is positive.
    """
    numbers = sorted((-first, -second), key=lambda number: (abs(number), -number))
    sign = 1 if numbers[1] > 0 else -1
    tried = []
    for small in range(1, abs(numbers[0]) + 1):
        if c % small == 0:
            pair = [sign * small if c > 0 else -sign * small, sign * (abs(c) // small)]
            tried.append(f"{sum_text(pair)} = {sum(pair)}")
    return [
        f"Need product {c} and sum {b}",
        "Pairs: " + ", ".join(tried),
        f"(x{plus(numbers[0])})(x{plus(numbers[1])}) = 0",
    ]


def _discriminant_lines(a: int, b: int, c: int) -> list[str]:
    square, product = b * b, 4 * a * c
    steps = [product_chain(abs(b), abs(b)), product_chain(4 * a, c)]
    root = isqrt(square - product)
    lines = [*steps, f"D = {sum_chain(square, -product)} = {root} * {root}"]
    for value in sorted((-b - root, -b + root)):
        sign = -1 if value == -b - root else 1
        top = sum_chain(-b, sign * root)
        ratio = (
            reduction_chain(value, 2 * a) if a > 1 else f"{value} / {2 * a} = {value // (2 * a)}"
        )
        lines.append(f"{top}, x = {ratio}")
    return lines


@family("Quadratics")
def vertex(rng: Random, level: int) -> Draft:
    """The vertex of a parabola, by x = -b / (2a) or by completing the square."""
    reach = (12, 9, 12, 7, 9)[level - 1]
    h, k = nonzero(rng, -reach, reach), nonzero(rng, -20, 20)
    a = 1 if level <= 3 else rng.randint(2, 4) if level == 4 else -rng.randint(2, 6)
    b, c = -2 * a * h, a * h * h + k
    if level == 1:
        curve = f"(x{plus(-h)})^2{plus(k)}"
        lines = [f"x{plus(-h)} = 0 gives x = {h}", f"Then y = {k}"]
    else:
        curve = polynomial([a, b, c])
        lines = _complete_or_formula(rng, a, b, c, h, k)
    problem = rng.choice(
        (
            f"Find the vertex of y = {curve}. Give a point.",
            f"What is the vertex of the parabola y = {curve}?",
            f"Give the vertex (h, k) of y = {curve}.",
        )
    )
    return Draft((a, h, k, level == 1), problem, lines, f"({h}, {k})")


def _complete_or_formula(rng: Random, a: int, b: int, c: int, h: int, k: int) -> list[str]:
    square = product_chain(abs(h), abs(h))
    if a == 1 and rng.random() < 0.5:
        return [
            f"Half of {b} is {-h}",
            square,
            f"y = (x{plus(-h)})^2{plus(-h * h)}{plus(c)}",
            sum_chain(c, -h * h),
        ]
    lines = [f"x = {-b} / {2 * a if a > 0 else f'({2 * a})'} = {h}", square]
    if a != 1:
        lines.append(product_chain(h * h, a))
    lines.append(product_chain(b, h))
    lines.append(sum_chain(a * h * h, b * h))
    if c:
        lines.append(sum_chain(a * h * h + b * h, c))
    return lines
