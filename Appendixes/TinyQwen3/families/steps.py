r"""Worked arithmetic, shared by all families. Every equality in the text returned here is true.

No step asks for more than a single-digit product, a sum or difference of small numbers, or copying:

    sum_chain(458, 367)      458 + 367 = 700 + 125 = 825
    product_chain(47, 6)     47 * 6 = 40 * 6 + 7 * 6 = 240 + 42 = 282
    quotient_chain(84, 6)    84 / 6 = 60 / 6 + 24 / 6 = 10 + 4 = 14
    reduction_chain(12, 18)  \frac{12}{18} = \frac{6}{9} = \frac{2}{3}
"""

from math import gcd
from random import Random


def places(number: int) -> list[int]:
    """The place values of a positive number without its zeros: 307 -> [300, 7]."""
    digits = str(number)
    return [
        int(digit) * 10 ** (len(digits) - 1 - i) for i, digit in enumerate(digits) if digit != "0"
    ]


def plus(number: int) -> str:
    """The number as a further term of a sum: ' + 5' or ' - 5'."""
    return f" + {number}" if number >= 0 else f" - {-number}"


def bracket(number: int) -> str:
    """The number as a factor: negative ones in brackets."""
    return f"({number})" if number < 0 else str(number)


def sum_text(terms: list[int]) -> str:
    """Terms joined by their signs: [5, -3, 2] -> '5 - 3 + 2'."""
    return str(terms[0]) + "".join(map(plus, terms[1:]))


def sum_chain(first: int, second: int) -> str:
    """`first + second` (a difference if second is negative), by hundreds when both are 100 or more."""
    head, total = f"{first}{plus(second)}", first + second
    if first >= 100 and second >= 100 and (first % 100 or second % 100):
        hundreds = first // 100 * 100 + second // 100 * 100
        return f"{head} = {hundreds} + {first % 100 + second % 100} = {total}"
    if first < 0 and second >= 100:
        return f"{head} = {sum_chain(second, first)}"
    if first <= -100 and second <= -100:
        hundreds = -first // 100 * 100 + -second // 100 * 100
        return f"{head} = -{hundreds} - {-first % 100 + -second % 100} = {total}"
    if first >= 100 and second <= -100 and total < 0:
        rest = first % 100
        return f"{head} = -({-second} - {first}) = -({-total + rest} - {rest}) = {total}"
    if first >= 100 and second <= -100 and second % 100:
        rest = -second % 100
        return f"{head} = {total + rest} - {rest} = {total}"
    return f"{head} = {total}"


def sum_by_places(rng: Random, first: int, second: int) -> str:
    """`first + second` one place of the second number at a time, from either end."""
    parts = [part if second > 0 else -part for part in places(abs(second))]
    if rng.random() < 0.5:
        parts.reverse()
    text, running = f"{first}{plus(second)}", first
    for i in range(len(parts) - 1):
        running += parts[i]
        text += f" = {running}{plus(sum(parts[i + 1 :]))}"
    return f"{text} = {first + second}"


def running_sum(terms: list[int]) -> list[str]:
    """Lines that add the terms from left to right."""
    lines, total = [], terms[0]
    for term in terms[1:]:
        lines.append(sum_chain(total, term))
        total += term
    return lines


def product_chain(first: int, second: int) -> str:
    """`first * second` by the places of the longer factor (of the shorter if both have several
    digits).
    """
    head, product = f"{first} * {bracket(second)}", first * second
    small, big = sorted((abs(first), abs(second)))
    if small in (0, 1, 10, 100):
        return f"{head} = {product}"
    small_places = places(small)
    if len(small_places) == 1:
        pairs = [(part, small) for part in places(big)]
    else:
        pairs = [(big, part) for part in small_places]
    if len(pairs) == 1:
        return f"{head} = {product}"
    parts, text = [left * right for left, right in pairs], head
    if product > 0:
        text += " = " + " + ".join([f"{left} * {right}" for left, right in pairs])
    else:
        parts = [-part for part in parts]
    text, running = f"{text} = {sum_text(parts)}", parts[0]
    for i in range(1, len(parts) - 1):
        running += parts[i]
        text += f" = {sum_text([running, *parts[i + 1 :]])}"
    return f"{text} = {product}"


def product_lines(rng: Random, first: int, second: int) -> list[str]:
    """Lines for the product of two numbers of several digits: one partial product a line, then
    their sum.
    """
    if rng.random() < 0.5:
        first, second = second, first
    parts = places(second)
    if len(parts) == 1:
        return [product_chain(first, second)]
    if rng.random() < 0.5:
        parts.reverse()
    lines = [f"{first} * {second} = " + " + ".join(f"{first} * {part}" for part in parts)]
    lines += [product_chain(first, part) for part in parts]
    return lines + running_sum([first * part for part in parts])


def quotient_chain(number: int, divisor: int) -> str:
    """`number / divisor`, which must come out even, by the places of the quotient."""
    quotient = number // divisor
    head = f"{number} / {bracket(divisor)}"
    parts = places(abs(quotient)) if quotient else []
    if len(parts) < 2 or divisor <= 1:
        return f"{head} = {quotient}"
    if quotient < 0:
        parts = [-part for part in parts]
    pieces = "".join(plus(part * divisor) + f" / {divisor}" for part in parts)
    pieces = pieces[3:] if quotient > 0 else "-" + pieces[3:]
    return f"{head} = {pieces} = {sum_text(parts)} = {quotient}"


def long_division(number: int, divisor: int) -> list[str]:
    """Lines that take away divisor times each place of the quotient; the last one may leave a
    remainder.
    """
    lines = []
    for part in places(number // divisor):
        lines.append(f"{product_chain(divisor, part)}, {sum_chain(number, -divisor * part)}")
        number -= divisor * part
    return lines


def remainder_line(number: int, divisor: int) -> str:
    """How the remainder is found: '17 = 3 * 5 + 2', or by subtraction if the quotient is long."""
    quotient, remainder = divmod(number, divisor)
    if quotient <= 10:
        return f"{number} = {quotient} * {divisor} + {remainder}"
    steps = []
    for part in places(quotient):
        steps.append(f"{number} - {divisor * part} = {number - divisor * part}")
        number -= divisor * part
    return ", ".join(steps)


def frac(numerator: int, denominator: int) -> str:
    r"""The fraction as written: `\frac{6}{8}`, `-\frac{3}{4}`; a whole number if the denominator is
    1.
    """
    if denominator == 1:
        return str(numerator)
    return f"{'-' if numerator < 0 else ''}\\frac{{{abs(numerator)}}}{{{denominator}}}"


def lowest(numerator: int, denominator: int) -> str:
    """The fraction in lowest terms with a positive denominator."""
    common = gcd(numerator, denominator) if denominator > 0 else -gcd(numerator, denominator)
    return frac(numerator // common, denominator // common)


def reduction_chain(numerator: int, denominator: int) -> str:
    r"""`\frac{12}{18} = \frac{6}{9} = \frac{2}{3}`: one common prime at a time."""
    text = frac(numerator, denominator)
    if numerator == 0:
        return f"{text} = 0"
    common, prime = gcd(numerator, denominator), 2
    while common > 1:
        while common % prime == 0:
            numerator, denominator, common = (
                numerator // prime,
                denominator // prime,
                common // prime,
            )
            text += f" = {frac(numerator, denominator)}"
        prime += 1 if prime == 2 else 2
    return text


def euclid_lines(first: int, second: int) -> list[str]:
    """Euclid's divisions, larger by smaller, down to remainder 0; the gcd is the last divisor."""
    first, second = max(first, second), min(first, second)
    lines = []
    while second:
        lines.append(f"{first} = {first // second} * {second} + {first % second}")
        first, second = second, first % second
    return lines


def decimal(number: int, digits: int) -> str:
    """`number / 10**digits` as a decimal without trailing zeros: decimal(1250, 2) -> '12.5'."""
    sign = "-" if number < 0 else ""
    whole, rest = divmod(abs(number), 10**digits)
    fraction = str(rest).zfill(digits).rstrip("0")
    return f"{sign}{whole}.{fraction}" if fraction else f"{sign}{whole}"


def polynomial(coefficients: list[int], variable: str = "x") -> str:
    """Coefficients from the highest power down: [1, -5, 6] -> 'x^2 - 5x + 6'."""
    text, power = "", len(coefficients) - 1
    for i, coefficient in enumerate(coefficients):
        if coefficient == 0:
            continue
        exponent = power - i
        name = "" if exponent == 0 else variable if exponent == 1 else f"{variable}^{exponent}"
        size = str(abs(coefficient)) if abs(coefficient) != 1 or not name else ""
        sign = (" - " if coefficient < 0 else " + ") if text else ("-" if coefficient < 0 else "")
        text += f"{sign}{size}{name}"
    return text or "0"


def nonzero(rng: Random, low: int, high: int) -> int:
    """A random whole number from low to high that is not 0."""
    number = 0
    while number == 0:
        number = rng.randint(low, high)
    return number
