"""Points, lines, distances and areas in the coordinate plane."""

from math import isqrt
from random import Random

from .registry import Draft, family
from .steps import (
    bracket,
    decimal,
    lowest,
    nonzero,
    polynomial,
    product_chain,
    reduction_chain,
    sum_chain,
)


def _point(rng: Random, reach: int) -> tuple[int, int]:
    return rng.randint(-reach, reach), rng.randint(-reach, reach)


def _minus(first: int, second: int) -> str:
    """first - second, keeping the sign of second visible: '3 - (-4) = 7'."""
    return f"{first} - {bracket(second)} = {first - second}"


@family("Coordinate Geometry")
def line(rng: Random, level: int) -> Draft:
    """Midpoint, slope, equation of a line, and where lines meet."""
    return (_midpoint, _slope, _line_through, _meeting, _line_meets_line)[level - 1](rng)


def _midpoint(rng: Random) -> Draft:
    (x, y), (m, n) = _point(rng, 12), _point(rng, 12)
    other = (2 * m - x, 2 * n - y)
    axes = [f"x: {x} + {bracket(other[0])} = {2 * m}, {2 * m} / 2 = {m}"]
    axes.append(f"y: {y} + {bracket(other[1])} = {2 * n}, {2 * n} / 2 = {n}")
    if rng.random() < 0.5:
        axes.reverse()
    problem = rng.choice(
        (
            f"Find the midpoint of ({x}, {y}) and {other}.",
            f"What point is halfway between ({x}, {y}) and {other}?",
            f"A segment joins ({x}, {y}) to {other}. What is its midpoint?",
        )
    )
    return Draft(("midpoint", *sorted(((x, y), other))), problem, axes, f"({m}, {n})")


def _slope(rng: Random) -> Draft:
    x, y = _point(rng, 9)
    run, rise = nonzero(rng, -9, 9), rng.randint(-12, 12)
    first, second = (x, y), (x + run, y + rise)
    problem = rng.choice(
        (
            f"What is the slope of the line through {first} and {second}? Use lowest terms.",
            f"Find the slope of the line from {first} to {second} in lowest terms.",
        )
    )
    lines, _, slope = _slope_lines(rng, first, second, whole=False)
    return Draft(("slope", *sorted((first, second))), problem, lines, slope)


def _slope_lines(
    rng: Random, first: tuple[int, int], second: tuple[int, int], whole: bool = True
) -> tuple[list[str], tuple[int, int], str]:
    """Differences from one point to the other, in either direction, then their quotient: the
    lines, the point they start from and the slope.
    """
    if rng.random() < 0.5:
        first, second = second, first
    run, rise = second[0] - first[0], second[1] - first[1]
    lines = [
        f"From {first} to {second}",
        f"Run: {_minus(second[0], first[0])}",
        f"Rise: {_minus(second[1], first[1])}",
    ]
    if whole:
        lines.append(f"Slope: {rise} / {bracket(run)} = {rise // run}")
    else:
        if run < 0:
            lines.append(f"Change both signs: {-rise} and {-run}")
        lines.append(
            f"Slope: {reduction_chain(-rise, -run) if run < 0 else reduction_chain(rise, run)}"
        )
    return lines, first, lowest(rise, run)


def _line_points(rng: Random) -> tuple[tuple[int, int], tuple[int, int], int, int]:
    slope, x, y, run = (
        nonzero(rng, -6, 6),
        rng.randint(-7, 7),
        rng.randint(-15, 15),
        nonzero(rng, -6, 6),
    )
    return (x, y), (x + run, y + slope * run), slope, y - slope * x


def _line_through(rng: Random) -> Draft:
    first, second, slope, intercept = _line_points(rng)
    problem = rng.choice(
        (
            f"The line through {first} and {second} is y = mx + b. Write mx + b with its numbers.",
            f"A line passes through {first} and {second}. Write y in terms of x.",
        )
    )
    lines, point, _ = _slope_lines(rng, first, second)
    lines += _intercept_lines(point, slope)
    return Draft(
        ("through", *sorted((first, second))), problem, lines, polynomial([slope, intercept])
    )


def _intercept_lines(point: tuple[int, int], slope: int) -> list[str]:
    return [
        f"At {point}: {product_chain(slope, point[0])}, b = {sum_chain(point[1], -slope * point[0])}"
    ]


def _meeting_lines(rng: Random, a: int, b: int, c: int, d: int, x: int) -> list[str]:
    """Make a problem: find the point in which y = ax + b meets y = cx + d."""
    lines = [f"{polynomial([a, b])} = {polynomial([c, d])}"]
    lines.append(f"{_minus(a, c)}, {_minus(d, b)}")
    lines.append(f"x = {d - b} / {bracket(a - c)} = {x}")
    slope, constant = (a, b) if rng.random() < 0.5 else (c, d)
    chosen = f"y = {polynomial([slope, constant])}"
    lines.append(f"{chosen}: {product_chain(slope, x)}, {sum_chain(slope * x, constant)}")
    return lines


def _meeting(rng: Random) -> Draft:
    x, y = _point(rng, 9)
    a, c = nonzero(rng, -7, 7), nonzero(rng, -7, 7)
    a += (1 if a != -1 else 2) if a == c else 0
    b, d = y - a * x, y - c * x
    shown = [polynomial([a, b]), polynomial([c, d])]
    problem = rng.choice(
        (
            f"Where do y = {shown[0]} and y = {shown[1]} meet? Give a point.",
            f"Find the point where the lines y = {shown[0]} and y = {shown[1]} cross.",
        )
    )
    return Draft(
        ("meet", *sorted(((a, b), (c, d)))),
        problem,
        _meeting_lines(rng, a, b, c, d, x),
        f"({x}, {y})",
    )


def _line_meets_line(rng: Random) -> Draft:
    first, second, slope, intercept = _line_points(rng)
    c, x = nonzero(rng, -6, 6), rng.randint(-9, 9)
    c += (1 if c != -1 else 2) if c == slope else 0
    y = slope * x + intercept
    d = y - c * x
    shown = polynomial([c, d])
    problem = rng.choice(
        (
            f"Where does the line through {first} and {second} meet y = {shown}? Give a point.",
            f"A line passes through {first} and {second}. At which point does it cross y = {shown}?",
        )
    )
    lines, point, _ = _slope_lines(rng, first, second)
    lines += _intercept_lines(point, slope)
    lines += _meeting_lines(rng, slope, intercept, c, d, x)
    return Draft(("line meets", *sorted((first, second)), c, d), problem, lines, f"({x}, {y})")


@family("Coordinate Geometry")
def distance_area(rng: Random, level: int) -> Draft:
    """Areas of rectangles and triangles, distances with square roots."""
    if level == 5:
        return _triangle(rng)
    if level >= 3:
        return _distance(rng, level)
    (x, y), width, height = _point(rng, 9), rng.randint(3, 15), rng.randint(3, 15)
    sides = [f"Width: {_minus(x + width, x)}", f"Height: {_minus(y + height, y)}"]
    if rng.random() < 0.5:
        sides.reverse()
    product = product_chain(width, height)
    if level == 1:
        problem = rng.choice(
            (
                f"A rectangle has corners ({x}, {y}) and ({x + width}, {y + height}) opposite. What is its area?",
                f"Find the area of the rectangle with opposite corners ({x}, {y}) and ({x + width}, {y + height}).",
            )
        )
        return Draft(
            ("rectangle", x, y, width, height), problem, [*sides, product], str(width * height)
        )
    corners = f"({x}, {y}), ({x + width}, {y}) and ({x}, {y + height})"
    problem = rng.choice(
        (
            f"What is the area of the triangle with corners {corners}?",
            f"Find the area of the triangle {corners}. Use a decimal if needed.",
        )
    )
    answer = decimal(width * height * 5, 1)
    lines = [*sides, product, f"{width * height} / 2 = {answer}"]
    return Draft(("right triangle", x, y, width, height), problem, lines, answer)


def _distance(rng: Random, level: int) -> Draft:
    x, y = _point(rng, 9)
    run, rise = nonzero(rng, -9, 9), nonzero(rng, -9, 9)
    if level == 4:  # a common factor comes out of the root
        factor = rng.randint(2, 5)
        run, rise = nonzero(rng, -4, 4) * factor, nonzero(rng, -4, 4) * factor
    first, second = (x, y), (x + run, y + rise)
    problem = rng.choice(
        (
            f"What is the distance from {first} to {second}? Simplify the root.",
            f"Find the distance between {first} and {second}. Simplify any root.",
        )
    )
    square = run * run + rise * rise
    lines = [f"{_minus(second[0], x)}, {_minus(second[1], y)}"]
    if rng.random() < 0.5:
        lines = [f"{_minus(x, second[0])}, {_minus(y, second[1])}"]
    lines += [
        f"Squares: {product_chain(abs(run), abs(run))}, {product_chain(abs(rise), abs(rise))}"
    ]
    lines.append(sum_chain(run * run, rise * rise))
    answer = simplest_root(square)
    outside = max(n for n in range(1, isqrt(square) + 1) if square % (n * n) == 0)
    if outside * outside == square:
        lines.append(f"{square} = {outside} * {outside}")
    elif outside > 1:
        inner = outside * outside
        lines.append(f"{square} = {inner} * {square // inner}, {inner} = {outside} * {outside}")
    return Draft(("distance", *sorted((first, second))), problem, lines, answer)


def simplest_root(square: int) -> str:
    r"""The square root of a whole number: '5', '\sqrt{13}' or '3\sqrt{5}'."""
    outside = max(n for n in range(1, isqrt(square) + 1) if square % (n * n) == 0)
    inside = square // outside**2
    if inside == 1:
        return str(outside)
    return f"{outside if outside > 1 else ''}\\sqrt{{{inside}}}"


def _triangle(rng: Random) -> Draft:
    """Twice the area is the size of u1 v2 - u2 v1 for two sides u and v from one corner."""
    origin = _point(rng, 6)
    while True:
        u, v = _point(rng, 12), _point(rng, 12)
        cross = u[0] * v[1] - u[1] * v[0]
        if cross:
            break
    second, third = (origin[0] + u[0], origin[1] + u[1]), (origin[0] + v[0], origin[1] + v[1])
    problem = rng.choice(
        (
            f"What is the area of the triangle with corners {origin}, {second} and {third}?",
            f"Find the area of the triangle {origin}, {second}, {third}. Use a decimal if needed.",
        )
    )
    sides = [f"{_minus(end[0], origin[0])}, {_minus(end[1], origin[1])}" for end in (second, third)]
    products = [product_chain(u[0], v[1]), product_chain(u[1], v[0])]
    if rng.random() < 0.5:
        sides.reverse()
    answer = decimal(abs(cross) * 5, 1)
    lines = [
        *sides,
        *products,
        f"{_minus(u[0] * v[1], u[1] * v[0])}",
        f"{abs(cross)} / 2 = {answer}",
    ]
    return Draft(("triangle", *sorted((origin, second, third))), problem, lines, answer)
