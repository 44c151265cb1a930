"""Arithmetic sequences and recurrences."""

from random import Random

from .registry import Draft, family
from .steps import nonzero, plus, product_chain, quotient_chain, sum_chain


def _ordinal(n: int) -> str:
    return f"{n}" + ("th" if 10 < n % 100 < 20 else {1: "st", 2: "nd", 3: "rd"}.get(n % 10, "th"))


@family("Sequences")
def arithmetic_sequence(rng: Random, level: int) -> Draft:
    """A far term, the number of terms and the sum."""
    if level <= 2:
        return _far_term(rng, level)
    start, step = rng.randint(1, 20), rng.randint(1, 9)
    count = rng.randint(5, 12) if level == 3 else rng.randint(8, 25)
    last = start + (count - 1) * step
    shown = f"{start}, {start + step}, {start + 2 * step}"
    if level == 3:
        problem = rng.choice(
            (
                f"What is the sum of the first {count} terms of {shown}, ...?",
                f"Add the first {count} terms of the sequence {shown}, ... What is the sum?",
                f"Find the sum of the first {count} terms: {shown}, ...",
            )
        )
        lines = [_step_line(start, step), product_chain(step, count - 1)]
        lines.append(f"Last term: {sum_chain(start, last - start)}")
        lines += _sum_lines(rng, start, last, count)
        return Draft(("sum", start, step, count), problem, lines, str(count * (start + last) // 2))
    lines = [
        _step_line(start, step),
        sum_chain(last, -start),
        quotient_chain(last - start, step),
        f"Terms: {count - 1} + 1 = {count}",
    ]
    if level == 4:
        problem = rng.choice(
            (
                f"How many terms are in {shown}, ..., {last}?",
                f"How many numbers are in the list {shown}, ..., {last}?",
                f"Count the terms of the sequence {shown}, ..., {last}.",
            )
        )
        return Draft(("count", start, step, count), problem, lines, str(count))
    problem = rng.choice(
        (
            f"What is the sum {start} + {start + step} + {start + 2 * step} + ... + {last}?",
            f"Add all terms of the sequence {shown}, ..., {last}. What is the sum?",
            f"Find the sum of all terms of {shown}, ..., {last}.",
        )
    )
    lines += _sum_lines(rng, start, last, count)
    return Draft(("series", start, step, count), problem, lines, str(count * (start + last) // 2))


def _far_term(rng: Random, level: int) -> Draft:
    start, step, n = (
        (rng.randint(1, 20), rng.randint(1, 9), rng.randint(4, 12))
        if level == 1
        else (rng.randint(-20, 60), nonzero(rng, -12, 12), rng.randint(15, 40))
    )
    shown = f"{start}, {start + step}, {start + 2 * step}"
    problem = rng.choice(
        (
            f"What is the {_ordinal(n)} term of {shown}, ...?",
            f"Find term number {n} of the sequence {shown}, ...",
            f"Give the {_ordinal(n)} number in the sequence {shown}, ...",
        )
    )
    if rng.random() < 0.5:
        lines = [_step_line(start, step), product_chain(n - 1, step)]
        lines.append(sum_chain(start, (n - 1) * step))
    else:  # count from the third term, which is shown
        third = start + 2 * step
        lines = [
            _step_line(start, step),
            f"{n} - 3 = {n - 3}",
            product_chain(n - 3, step),
            sum_chain(third, (n - 3) * step),
        ]
    return Draft(("term", start, step, n), problem, lines, str(start + (n - 1) * step))


def _step_line(start: int, step: int) -> str:
    """The difference of the first two terms, on which all that follows rests."""
    if start < 0:
        return f"Step: {start + step} - ({start}) = {step}"
    return f"Step: {sum_chain(start + step, -start)}"


def _sum_lines(rng: Random, start: int, last: int, count: int) -> list[str]:
    """count times the average of first and last: halve whichever of the two factors is even."""
    total = start + last
    lines = [f"First plus last: {start} + {last} = {total}"]
    if total % 2 == 0 and (count % 2 or rng.random() < 0.5):
        half = total // 2
        return [*lines, f"{total} / 2 = {half}", product_chain(half, count)]
    return [*lines, f"{count} / 2 = {count // 2}", product_chain(total, count // 2)]


@family("Sequences")
def recurrence(rng: Random, level: int) -> Draft:
    """Terms made from the ones before: geometric, affine, and with two terms of memory."""
    key: tuple
    if level == 1:
        return _geometric(rng)
    if level <= 3:
        start, factor, shift = rng.randint(1, 9), rng.randint(2, 5), nonzero(rng, -9, 9)
        n = 3 if level == 2 else rng.randint(4, 5)
        rule, values, lines = f"a(n+1) = {factor}a(n){plus(shift)}", [start], []
        for _ in range(n - 1):
            product = factor * values[-1]
            lines.append(
                f"a({len(values) + 1}): {product_chain(factor, values[-1])}, {sum_chain(product, shift)}"
            )
            values.append(product + shift)
        key, given = (start, factor, shift, n), f"a(1) = {start}"
    else:
        first, second = rng.randint(1, 9), rng.randint(1, 9)
        p, q = (1, 1) if level == 4 else (rng.randint(2, 5), nonzero(rng, -4, 5))
        n = rng.randint(6, 9) if level == 4 else 5
        values, lines = [first, second], []
        rule = f"a(n+2) = {_factor(p)}a(n+1) {'+' if q > 0 else '-'} {_factor(abs(q))}a(n)"
        for _ in range(n - 2):
            left, right = p * values[-1], q * values[-2]
            steps = [product_chain(p, values[-1])] if p > 1 else []
            steps += [product_chain(q, values[-2])] if abs(q) > 1 else []
            lines.append(f"a({len(values) + 1}): " + ", ".join([*steps, sum_chain(left, right)]))
            values.append(left + right)
        key, given = (first, second, p, q, n), f"a(1) = {first}, a(2) = {second}"
    problem = rng.choice(
        (
            f"Let {given} and {rule}. Find a({n}).",
            f"A sequence has {given} and {rule}. What is a({n})?",
            f"If {given} and {rule}, what is a({n})?",
        )
    )
    return Draft(key, problem, lines, str(values[-1]))


def _factor(number: int) -> str:
    return "" if number == 1 else str(number)


def _geometric(rng: Random) -> Draft:
    start, ratio = rng.randint(1, 20), rng.choice((2, 3, 4, 5, 6, 10))
    n = rng.randint(4, 5)
    shown = [start * ratio**i for i in range(3)]
    text = ", ".join(map(str, shown))
    problem = rng.choice(
        (
            f"What is the {_ordinal(n)} term of the geometric sequence {text}, ...?",
            f"Find the {_ordinal(n)} term of {text}, ... (a geometric sequence).",
            f"Each term of {text}, ... is the one before times a fixed number. Find the {_ordinal(n)} term.",
        )
    )
    products = [product_chain(start * ratio ** (i - 1), ratio) for i in range(3, n)]
    lines = [f"Ratio: {shown[1]} / {shown[0]} = {ratio}", *products]
    return Draft(("geometric", start, ratio, n), problem, lines, str(start * ratio ** (n - 1)))
