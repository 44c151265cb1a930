"""Linear equations, systems and inequalities; expanding brackets."""

from math import lcm
from random import Random

from .registry import Draft, family
from .steps import (
    bracket,
    lowest,
    nonzero,
    plus,
    polynomial,
    product_chain,
    quotient_chain,
    reduction_chain,
    sum_chain,
)


def _divide_out(coefficient: int, constant: int, name: str = "x") -> str:
    """The last line of a linear equation: divide both sides by the coefficient."""
    if constant % coefficient == 0:
        return f"Divide by {coefficient}: {name} = {quotient_chain(constant, coefficient)}"
    return f"Divide by {coefficient}: {name} = {reduction_chain(constant, coefficient)}"


def _collect(rng: Random, left: tuple[int, int], right: tuple[int, int]) -> list[str]:
    """Lines that solve ax + b = cx + d: move x to one side and numbers to the other, in either
    order.
    """
    (a, b), (c, d) = left, right
    lines = []
    if rng.random() < 0.5:
        lines.append(
            f"Move {polynomial([c, 0])}: {a}{plus(-c)} = {a - c}, so {polynomial([a - c, b])} = {d}"
        )
        lines.append(f"Move {b}: {sum_chain(d, -b)}, so {polynomial([a - c, 0])} = {d - b}")
    else:
        lines.append(
            f"Move {b}: {sum_chain(d, -b)}, so {polynomial([a, 0])} = {polynomial([c, d - b])}"
        )
        lines.append(
            f"Move {polynomial([c, 0])}: {a}{plus(-c)} = {a - c}, so {polynomial([a - c, 0])} = {d - b}"
        )
    if a - c != 1:
        lines.append(_divide_out(a - c, d - b))
    return lines


@family("Linear Equations")
def linear_equation(rng: Random, level: int) -> Draft:
    """One unknown: from x + a = b to brackets on both sides, with fractions at level 5."""
    x = nonzero(rng, -12, 12)
    if level == 1:
        a, x = nonzero(rng, -40, 40), rng.randint(1, 60)
        side, lines = [1, a], [f"x = {sum_chain(x + a, -a)}"]
        left, right, answer = polynomial(side), str(x + a), str(x)
    elif level == 2:
        a, b = rng.randint(2, 9), nonzero(rng, -30, 30)
        c = a * x + b
        left, right, answer = polynomial([a, b]), str(c), str(x)
        lines = [f"Move {b}: {sum_chain(c, -b)}, so {a}x = {a * x}", _divide_out(a, a * x)]
    elif level == 3:
        a, c, b = rng.randint(4, 12), rng.randint(2, 9), nonzero(rng, -30, 30)
        a += c == a
        left, right, answer = polynomial([a, b]), polynomial([c, (a - c) * x + b]), str(x)
        lines = _collect(rng, (a, b), (c, (a - c) * x + b))
    else:
        left, right, lines, answer = _bracket_equation(rng, level, x)
    if rng.random() < 0.25:
        left, right = right, left
        lines.insert(0, f"Swap sides: {right} = {left}")
    form = " Give a fraction in lowest terms or a whole number." if level == 5 else ""
    problem = rng.choice(
        (
            f"Solve the equation {left} = {right}.",
            f"Solve this for x: {left} = {right}.",
            f"Find the number x if {left} = {right}.",
            f"What is x when {left} = {right}?",
            f"Solve {left} = {right}.",
        )
    )
    return Draft((level, *sorted((left, right))), problem + form, lines, answer)


def _bracket_equation(rng: Random, level: int, x: int) -> tuple[str, str, list[str], str]:
    """a(x + b) = cx + d at level 4, a(bx + c) + d(x + e) = f at level 5."""
    if level == 4:
        a, b, c = rng.randint(3, 9), nonzero(rng, -9, 9), rng.randint(2, 8)
        c += c == a
        d = a * (x + b) - c * x
        if d == 0:
            d, x = a * b, 0
        left, right = f"{a}(x{plus(b)})", polynomial([c, d])
        lines = [f"Expand: {product_chain(a, b)}, so {polynomial([a, a * b])} = {right}"]
        return left, right, lines + _collect(rng, (a, a * b), (c, d)), str(x)
    a, b, c = rng.randint(2, 6), rng.randint(2, 5), nonzero(rng, -9, 9)
    d, e, f = nonzero(rng, -5, 9), nonzero(rng, -9, 9), rng.randint(-30, 60)
    slope, constant = a * b + d, a * c + d * e
    if slope < 2:
        d, slope, constant = -d, a * b - d, a * c - d * e
    second = f"{'+' if d > 0 else '-'} {abs(d) if abs(d) > 1 else ''}(x{plus(e)})"
    left, right = f"{a}({b}x{plus(c)}) {second}", str(f)
    lines = [f"{a}({b}x{plus(c)}) = {polynomial([a * b, a * c])}"]
    if d != 1:
        lines.append(f"{'-' if d == -1 else d}(x{plus(e)}) = {polynomial([d, d * e])}")
    lines.append(f"Collect: {a * b}{plus(d)} = {slope}, {sum_chain(a * c, d * e)}")
    if constant:
        lines.append(f"Move {constant}: {sum_chain(f, -constant)}, so {slope}x = {f - constant}")
    return left, right, [*lines, _divide_out(slope, f - constant)], lowest(f - constant, slope)


@family("Linear Equations")
def linear_system(rng: Random, level: int) -> Draft:
    """Two equations in x and y, solved by eliminating either unknown."""
    reach = (12, 9, 9, 9, 12)[level - 1]
    x, y = (
        rng.randint(1 if level < 3 else -reach, reach),
        rng.randint(1 if level < 4 else -reach, reach),
    )
    if level == 1:
        x += y
        rows = [(1, 1), (1, -1)]
    elif level == 2:
        rows = [(1, 1), (rng.randint(2, 9), rng.choice((1, -1)))]
    elif level == 3:
        rows = [(rng.randint(2, 5), 1), (rng.randint(2, 7), rng.choice((2, 3, -2, -3)))]
    elif level == 4:
        rows = [
            (rng.randint(2, 5), rng.choice((2, 3, -2, -3))),
            (rng.randint(2, 5), rng.randint(2, 5)),
        ]
    else:
        rows = [(rng.randint(3, 9), nonzero(rng, -9, 9)), (rng.randint(2, 9), nonzero(rng, -9, 9))]
    (a, b), (c, d) = rows
    if a * d == b * c:
        b, d = b, d + (1 if d != -1 else 2)
        rows[1] = (c, d)
    equations = [(p, q, p * x + q * y) for p, q in rows]
    if rng.random() < 0.5:
        equations.reverse()
    shown = [f"{_two_terms(p, q)} = {r}" for p, q, r in equations]
    problem = rng.choice(
        (
            f"Solve {shown[0]} and {shown[1]}. Give (x, y).",
            f"Find (x, y) if {shown[0]} and {shown[1]}.",
            f"What is (x, y) when {shown[0]} and {shown[1]}?",
        )
    )
    return Draft(tuple(sorted(equations)), problem, _eliminate(rng, equations), f"({x}, {y})")


def _two_terms(p: int, q: int) -> str:
    return polynomial([p, 0]) + (" - " if q < 0 else " + ") + polynomial([abs(q), 0], "y")


def _eliminate(rng: Random, equations: list[tuple[int, int, int]]) -> list[str]:
    """Scale both equations so that one unknown has equal size, add or subtract, then substitute."""
    gone = rng.randrange(2)  # 0: eliminate x, 1: eliminate y
    kept = 1 - gone
    common = lcm(equations[0][gone], equations[1][gone])
    sizes = [abs(equation[gone]) for equation in equations]
    both = f", both to {common}" if sizes[0] != sizes[1] else ""
    lines, scaled = [f"Remove {'xy'[gone]}: {sizes[0]} and {sizes[1]}{both}"], []
    for name, equation in zip(("First", "Second"), equations, strict=True):
        factor = common // abs(equation[gone])
        scaled.append(tuple(factor * value for value in equation))
        if factor > 1:
            product = f"{product_chain(equation[2], factor)}, " if abs(equation[2]) > 9 else ""
            lines.append(
                f"{name} times {factor}: {product}{_two_terms(*scaled[-1][:2])} = {scaled[-1][2]}"
            )
    first, second = scaled
    if first[gone] == second[gone]:
        verb = "Subtract"
        if first[kept] < second[kept]:
            first, second, verb = second, first, "Subtract first from second"
        second = tuple(-value for value in second)
    else:
        verb = "Add"
    slope, total, name, other = (
        first[kept] + second[kept],
        first[2] + second[2],
        "xy"[kept],
        "xy"[gone],
    )
    lines.append(
        f"{verb}: {first[kept]}{plus(second[kept])} = {slope}, {sum_chain(first[2], second[2])}"
    )
    value = total // slope
    solved = polynomial([slope, 0], name)
    lines.append(f"{solved} = {total}" + (f", so {name} = {value}" if slope != 1 else ""))
    p = min(equations, key=lambda equation: (abs(equation[gone]), abs(equation[kept])))
    taken = p[kept] * value
    product = f"{product_chain(p[kept], value)}, " if p[kept] != 1 else ""
    rest = f"{polynomial([p[gone], 0], other)} = {sum_chain(p[2], -taken)}"
    lines.append(f"{_two_terms(*p[:2])} = {p[2]}: {product}{rest}")
    if p[gone] != 1:
        lines.append(f"{other} = {(p[2] - taken) // p[gone]}")
    return lines


FLIP = {"<": ">", ">": "<", "<=": ">=", ">=": "<="}


def _ray(bound: str, sign: str) -> str:
    """All x with x `sign` bound, as an interval."""
    if sign[0] == "<":
        return f"(-\\infty, {bound}{']' if '=' in sign else ')'}"
    return f"{'[' if '=' in sign else '('}{bound}, \\infty)"


@family("Linear Equations")
def inequality(rng: Random, level: int) -> Draft:
    """Linear and compound inequalities; the answer is an interval."""
    sign, x = rng.choice(list(FLIP)), rng.randint(-12, 12)
    if level in (4, 5):
        key, statement, lines, answer = _compound(rng, level)
    elif level == 1:
        a, x = nonzero(rng, -30, 30), rng.randint(-20, 30)
        statement = f"x{plus(a)} {sign} {x + a}"
        lines, answer = [f"x {sign} {sum_chain(x + a, -a)}"], _ray(str(x), sign)
    else:
        a, b = rng.randint(2, 9), nonzero(rng, -30, 30)
        a = -a if level == 3 else a
        c = a * x + b
        statement = f"{polynomial([a, b])} {sign} {c}"
        lines = [f"Move {b}: {sum_chain(c, -b)}, so {a}x {sign} {c - b}"]
        sign = FLIP[sign] if a < 0 else sign
        lines.append(f"Divide by {a}{' and flip' if a < 0 else ''}: x {sign} {x}")
        answer = _ray(str(x), sign)
    if level < 4:
        key = (statement,)
    problem = rng.choice(
        (
            f"Solve {statement}. Give an interval.",
            f"For which x is {statement}? Answer with an interval.",
            f"Write the solution set of {statement} as an interval.",
        )
    )
    return Draft(key, problem, lines, answer)


def _compound(rng: Random, level: int) -> tuple[tuple, str, list[str], str]:
    """p <= ax + b < q, with a negative at level 5."""
    low = rng.randint(-12, 8)
    high = low + rng.randint(1, 12)
    a, b = rng.randint(2, 9), nonzero(rng, -30, 30)
    signs = [rng.choice(("<", "<=")) for _ in range(2)]
    if level == 5:
        a, low, high = -a, high, low  # dividing by a negative number swaps the ends
    left, right = a * low + b, a * high + b
    middle = polynomial([a, b]) if level == 4 or rng.random() < 0.5 else f"{b} - {-a}x"
    statement, key = (
        f"{left} {signs[0]} {middle} {signs[1]} {right}",
        (left, signs[0], a, b, signs[1], right),
    )
    sides = [sum_chain(left, -b), sum_chain(right, -b)]
    lines = [f"Move {b}: {sides[0]}", sides[1], f"{a * low} {signs[0]} {a}x {signs[1]} {a * high}"]
    ends = [f"{a * end} / {bracket(a)} = {end}" for end in (low, high)]
    lines.append(f"Divide by {a}{' and flip' if a < 0 else ''}: {', '.join(ends)}")
    if a < 0:
        low, high, signs = high, low, signs[::-1]
    lines.append(f"{low} {signs[0]} x {signs[1]} {high}")
    opening, closing = "[" if "=" in signs[0] else "(", "]" if "=" in signs[1] else ")"
    return key, statement, lines, f"{opening}{low}, {high}{closing}"


@family("Algebraic Expressions")
def expand(rng: Random, level: int) -> Draft:
    """Expand brackets and collect; the answer is an expression in x."""
    if level <= 2:
        expression, lines, answer = _linear_expansion(rng, level)
        key = (expression,)
    else:
        key, expression, lines, answer = _product_expansion(rng, level)
    problem = rng.choice(
        (
            f"Expand the expression {expression}.",
            f"Expand and simplify {expression}.",
            f"Write {expression} without brackets.",
            f"Multiply out {expression} and collect like terms.",
        )
    )
    return Draft(key, problem, lines, answer)


def _linear_expansion(rng: Random, level: int) -> tuple[str, list[str], str]:
    a, b, c = rng.randint(2, 9), rng.randint(1 if level == 1 else 2, 6), nonzero(rng, -12, 12)
    inside = polynomial([b, c])
    steps = [product_chain(a, b)] if b > 1 else []
    steps.append(product_chain(a, c))
    if level == 1:
        return f"{a}({inside})", steps, polynomial([a * b, a * c])
    d, e = nonzero(rng, -9, 9), nonzero(rng, -9, 9)
    d = 2 if abs(d) == 1 else d
    tail = f"{'+' if d > 0 else '-'} {abs(d)}(x{plus(e)})"
    lines = [
        f"{a}({inside}) = {polynomial([a * b, a * c])}",
        f"{d}(x{plus(e)}) = {polynomial([d, d * e])}",
        f"{a * b}{plus(d)} = {a * b + d}",
        sum_chain(a * c, d * e),
    ]
    if rng.random() < 0.5:
        lines[2:] = reversed(lines[2:])
    return f"{a}({inside}) {tail}", lines, polynomial([a * b + d, a * c + d * e])


def _product_expansion(rng: Random, level: int) -> tuple[tuple, str, list[str], str]:
    a, c = (1, 1) if level == 3 else (rng.randint(2, 6), rng.randint(1, 6))
    b, d = nonzero(rng, -9, 9), nonzero(rng, -9, 9)
    first, second = polynomial([a, b]), polynomial([c, d])
    terms = [a * c, a * d + b * c, b * d]
    expression = f"({first})({second})"
    key: tuple = tuple(sorted((first, second)))
    cross = [product_chain(a, d), product_chain(b, c)]
    if rng.random() < 0.5:
        cross.reverse()
    square = f"x^2: {product_chain(a, c)}"
    middle = (
        [f"x: {', '.join(cross)}", sum_chain(a * d, b * c)]
        if level > 3
        else [f"x: {sum_chain(b, d)}"]
    )
    last = f"Number: {product_chain(b, d)}"
    lines = [square, *middle, last] if rng.random() < 0.5 else [last, *middle, square]
    if level == 5:
        e, f = rng.randint(2, 9), nonzero(rng, -9, 9)
        expression, key = f"{expression} - {e}(x{plus(f)})", (*key, e, f)
        lines.append(f"-{e}(x{plus(f)}) = {polynomial([-e, -e * f])}")
        lines += [sum_chain(terms[1], -e), sum_chain(terms[2], -e * f)]
        terms = [terms[0], terms[1] - e, terms[2] - e * f]
    return key, expression, lines, polynomial(terms)
