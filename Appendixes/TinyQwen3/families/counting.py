"""Counting choices and arrangements; probability of draws from a bag."""

from math import comb
from random import Random

from .registry import Draft, family
from .steps import lowest, product_chain, reduction_chain, running_sum, sum_chain, sum_text

GROUPS = (
    ("boys", "girls"),
    ("men", "women"),
    ("cats", "dogs"),
    ("poets", "actors"),
    ("roses", "tulips"),
)


@family("Counting and Probability")
def arrangements(rng: Random, level: int) -> Draft:
    """The multiplication principle, ordered and unordered choices, 'at least one'."""
    if level == 1:
        return _outfits(rng)
    if level == 5:
        return _at_least_one(rng)
    one, other = rng.choice(GROUPS)
    n, m = (
        (rng.randint(4, 19), rng.randint(2, 15))
        if level < 4
        else (rng.randint(4, 12), rng.randint(4, 12))
    )
    if level == 2:
        problem = rng.choice(
            (
                f"From {n} {one} pick a first and a second, and from {m} {other} pick one. How many ways?",
                f"In how many ways can {n} {one} give a first and a second place, and {m} {other} give one winner?",
            )
        )
        lines = [f"First: {n}, second: {n} - 1 = {n - 1}"]
        factors = [n, n - 1, m]
        if rng.random() < 0.5:
            factors = [n, m, n - 1]
        lines += [
            product_chain(factors[0], factors[1]),
            product_chain(factors[0] * factors[1], factors[2]),
        ]
        return Draft(("ordered", n, m), problem, lines, str(n * (n - 1) * m))
    k, j = (2, 1) if level == 3 else rng.choice(((2, 2), (3, 1), (3, 2)))
    problem = rng.choice(
        (
            f"In how many ways can you choose {k} of {n} {one} and {j} of {m} {other}?",
            f"A team has {k} of {n} {one} and {j} of {m} {other}. How many teams are possible?",
        )
    )
    chosen = [(n, k), (m, j)]
    if rng.random() < 0.5:
        chosen.reverse()
    lines = [" * ".join(f"C({size}, {taken})" for size, taken in chosen)]  # the plan
    for size, taken in chosen:
        lines += _choose_lines(size, taken)
    lines.append(product_chain(*[comb(size, taken) for size, taken in chosen]))
    return Draft(("choose", n, k, m, j), problem, lines, str(comb(n, k) * comb(m, j)))


def _choose_lines(n: int, k: int) -> list[str]:
    """C(n, k) for k up to 3, as a product over a product."""
    if k == 1:
        return [f"C({n}, 1) gives {n}"]
    if k == 2:
        return [f"C({n}, 2): {product_chain(n, n - 1)}, {n * (n - 1)} / 2 = {comb(n, 2)}"]
    pairs = comb(n, 2)
    return [
        f"C({n}, 2): {product_chain(n, n - 1)}, {n * (n - 1)} / 2 = {pairs}",
        f"C({n}, 3): {product_chain(pairs, n - 2)}, {pairs * (n - 2)} / 3 = {comb(n, 3)}",
    ]


def _outfits(rng: Random) -> Draft:
    numbers = [rng.randint(2, 12) for _ in range(3)]
    things = rng.choice(
        (("hats", "coats", "bags"), ("soups", "mains", "cakes"), ("cups", "plates", "bowls"))
    )
    shown = [f"{number} {thing}" for number, thing in zip(numbers, things, strict=True)]
    problem = rng.choice(
        (
            f"You pick one each of {shown[0]}, {shown[1]} and {shown[2]}. How many choices are there?",
            f"There are {shown[0]}, {shown[1]} and {shown[2]}. In how many ways can you take one of each?",
        )
    )
    a, b, c = numbers if rng.random() < 0.5 else numbers[::-1]
    return Draft(
        ("product", *sorted(numbers)),
        problem,
        [product_chain(a, b), product_chain(a * b, c)],
        str(a * b * c),
    )


def _at_least_one(rng: Random) -> Draft:
    n, m, k = rng.randint(3, 11), rng.randint(3, 11), rng.choice((2, 3))
    one, other = rng.choice(GROUPS)
    answer = comb(n + m, k) - comb(m, k)
    problem = rng.choice(
        (
            f"From {n} {one} and {m} {other} choose {k}, at least one of the {one}. How many ways?",
            f"Of {n} {one} and {m} {other}, a group of {k} must have at least one of the {one}. How many groups?",
        )
    )
    if rng.random() < 0.5:  # by complement
        lines = [f"{n} + {m} = {n + m}", *_choose_lines(n + m, k), *_choose_lines(m, k)]
        lines.append(sum_chain(comb(n + m, k), -comb(m, k)))
    else:  # by the number of `one`
        lines = _choose_lines(n, k)
        if k == 2:
            lines += [f"1 and 1: {product_chain(n, m)}", sum_chain(comb(n, 2), n * m)]
        else:
            lines += _choose_lines(m, 2)
            lines += [
                f"2 and 1: {product_chain(comb(n, 2), m)}",
                f"1 and 2: {product_chain(n, comb(m, 2))}",
            ]
            terms = [comb(n, 3), comb(n, 2) * m, n * comb(m, 2)]
            lines += [f"All: {sum_text(terms)}", *running_sum(terms)]
    return Draft(("at least one", n, m, k), problem, lines, str(answer))


@family("Counting and Probability")
def probability(rng: Random, level: int) -> Draft:
    """Draws from a bag of balls, with and without putting back."""
    most = (25, 25, 19, 19, 24)[level - 1]
    red, blue = rng.randint(2, most), rng.randint(2, most)
    if level == 2:
        return _not_red(rng, red, blue, rng.randint(2, 15))
    total = red + blue
    place, things = rng.choice((("bag", "balls"), ("box", "pens"), ("jar", "beads")))
    bag = f"A {place} has {red} red and {blue} blue {things}."
    lines = [f"{red} + {blue} = {total}"]
    if level == 1:
        problem, top, bottom = (
            f"{bag} One is drawn. What is the probability that it is red?",
            red,
            total,
        )
    elif level == 3:
        problem = (
            f"{bag} One is drawn, put back, one drawn again. Find the probability of red twice."
        )
        top, bottom = red * red, total * total
        lines += [f"Red twice: {product_chain(red, red)}", f"All: {product_chain(total, total)}"]
    elif level == 4:
        problem = f"{bag} Two are drawn together. What is the probability that both are red?"
        top, bottom = red * (red - 1), total * (total - 1)
        lines += [
            f"Both red: {product_chain(red, red - 1)}",
            f"All: {product_chain(total, total - 1)}",
        ]
    else:
        problem = f"{bag} Two are drawn together. Find the probability of one of each colour."
        top, bottom = 2 * red * blue, total * (total - 1)
        if rng.random() < 0.5:
            lines += [product_chain(red, blue), f"Two orders: {product_chain(red * blue, 2)}"]
        else:  # by complement: all pairs without those of one colour
            same = red * (red - 1) + blue * (blue - 1)
            lines += [product_chain(red, red - 1), product_chain(blue, blue - 1)]
            lines.append(f"Same colour: {sum_chain(red * (red - 1), blue * (blue - 1))}")
        lines.append(f"All: {product_chain(total, total - 1)}")
        if "Same" in lines[-2]:
            lines.append(sum_chain(bottom, -same))
    answer = lowest(top, bottom)
    chain = reduction_chain(top, bottom)
    lines.append(chain if chain != answer else f"The probability is {answer}")
    return Draft(
        (level, red, blue) if level != 5 else (5, *sorted((red, blue))), problem, lines, answer
    )


def _not_red(rng: Random, red: int, blue: int, green: int) -> Draft:
    total = red + blue + green
    problem = rng.choice(
        (
            f"A bag has {red} red, {blue} blue and {green} green balls. What is the probability that one is not red?",
            f"A jar has {red} red, {blue} blue and {green} green beads. Find the probability that one is not red.",
        )
    )
    lines = [f"All: {sum_chain(red, blue)}, {sum_chain(red + blue, green)}"]
    top = blue + green
    lines.append(
        f"Not red: {total} - {red} = {top}"
        if rng.random() < 0.5
        else f"Not red: {blue} + {green} = {top}"
    )
    answer, chain = lowest(top, total), reduction_chain(top, total)
    lines.append(chain if chain != answer else f"The probability is {answer}")
    return Draft(("not red", red, *sorted((blue, green))), problem, lines, answer)
