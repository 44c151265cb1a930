r"""Worked arithmetic, shared by all families. Every equality in the text returned here is true.

No step asks for more than a single-digit product, a sum or difference of small numbers, or copying:

    sum_chain(458, 367)      458 + 367 = 700 + 110 + 15 = 825
    sum_chain(815, -268)     815 - 268 = 600 - 50 - 3 = 547
    product_chain(47, 6)     47 * 6 = 40 * 6 + 7 * 6 = 240 + 42 = 282
    quotient_chain(84, 6)    84 / 6 = 10 + 24 / 6 = 10 + 4 = 14
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
    """`first + second` (a difference if second is negative): signs first, then place by place.

    A sum or difference is written by places only where a place carries or borrows; elsewhere every
    digit of the result is found from the two digits above it.
    """
    head, total = f"{first}{plus(second)}", first + second
    if max(abs(first), abs(second)) < 10 or 0 in (first, second):
        return f"{head} = {total}"
    if first < 0 and second > 0 and total >= 0:
        return f"{head} = {sum_chain(second, first)}"
    if first < 0 or total < 0:
        low, high = sorted((abs(first), abs(second)))
        if first < 0 and second < 0:
            low, high = -second, -first
            inside = f"{low} + {high}" if len(str(high)) < len(str(low)) else f"{high} + {low}"
            parts = _place_sums(max(low, high), min(low, high))
        else:
            inside, parts = f"{high} - {low}", _place_sums(high, -low)
        middle = f" = -({sum_text(parts)})" if parts else ""
        return f"{head} = -({inside}){middle} = {total}"
    if second > 0 and len(str(first)) < len(str(second)) and second >= 100:
        return f"{head} = {sum_chain(second, first)}"
    parts = _place_sums(max(first, second), min(first, second))
    return f"{head} = {sum_text(parts)} = {total}" if parts else f"{head} = {total}"


def _place_sums(first: int, second: int) -> list[int]:
    """The sums place by place of two numbers, the longer one first: 458, 367 -> [700, 110, 15].

    Places that the second number does not have are kept together; zeros are left out. The list is
    empty if no place carries or borrows, or if it would be the two numbers again.
    """
    power, sums, crossed = 1, [], False
    sign = 1 if second > 0 else -1
    while power <= abs(second):
        value = first // power % 10 + sign * (abs(second) // power % 10)
        crossed |= not 0 <= value <= 9
        sums.append(value * power)
        power *= 10
    sums.append(first // power * power)
    shown = [value for value in reversed(sums) if value]
    return shown if crossed and shown != [first, second] else []


def sum_by_places(first: int, second: int) -> str:
    """`first + second` one place of the second number at a time, from the left."""
    parts = [part if second > 0 else -part for part in places(abs(second))]
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
    """`first * second` by the places of the longer factor (of both if both have several digits)."""
    head, product = f"{first} * {bracket(second)}", first * second
    small, big = sorted((abs(first), abs(second)))
    if small in (0, 1, 10, 100):
        return f"{head} = {product}"
    several = len(places(small)) > 1
    pairs = [
        (big, part) if several else (part, small) for part in places(small if several else big)
    ]
    if len(pairs) == 1:
        return f"{head} = {product}"
    sign = 1 if product > 0 else -1
    parts, text = [sign * left * right for left, right in pairs], head
    if product > 0:
        text += " = " + " + ".join([f"{left} * {right}" for left, right in pairs])
    pieces = []
    for _, place in pairs if several else ():  # 10 or 100 times a number needs no steps
        round_place = str(place).strip("0") == "1"
        pieces += [big * place] if round_place else [part * place for part in places(big)]
    if len(pieces) > len(parts):
        text += f" = {sum_text([sign * piece for piece in pieces])}"
    text, running = f"{text} = {sum_text(parts)}", parts[0]
    for i in range(1, len(parts) - 1):
        running += parts[i]
        text += f" = {sum_text([running, *parts[i + 1 :]])}"
    carried = _place_sums(abs(running), abs(parts[-1])) if abs(parts[-1]) >= 100 else []
    middle = f" = {sum_text([sign * part for part in carried])}" if carried else ""
    return f"{text}{middle} = {product}"


def product_lines(rng: Random, first: int, second: int) -> list[str]:
    """Lines for the product of two numbers of several digits: one partial product a line, then
    their sum.
    """
    if rng.random() < 0.5:
        first, second = second, first
    parts = places(second)
    if len(parts) == 1:
        return [product_chain(first, second)]
    shown = parts[::-1] if rng.random() < 0.5 else parts
    lines = [f"{first} * {second} = " + " + ".join(f"{first} * {part}" for part in shown)]
    lines += [product_chain(first, part) for part in shown]
    return lines + running_sum([first * part for part in parts])  # the largest first


def quotient_chain(number: int, divisor: int) -> str:
    """`number / divisor`, which must come out even: one place of the quotient at a time, and what
    is left of the number.
    """
    quotient = number // divisor
    text, parts = f"{number} / {bracket(divisor)}", places(abs(quotient)) if quotient else []
    if len(parts) < 2 or divisor <= 1:
        return f"{text} = {quotient}"
    sign = 1 if quotient > 0 else -1
    done: list[int] = []
    for part in parts[:-1]:
        done.append(sign * part)
        number -= sign * part * divisor
        text += f" = {sum_text(done)}{plus(number)} / {divisor}"
    return f"{text} = {sum_text([*done, sign * parts[-1]])} = {quotient}"


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
    """How the remainder is found: '17 = 3 * 5 + 2', or by products that are taken away if the
    divisor or the quotient is long.
    """
    quotient, remainder = divmod(number, divisor)
    if quotient <= 1 or (quotient <= 10 and divisor < 10):
        return f"{number} = {quotient} * {divisor} + {remainder}"
    steps = []
    for part in places(quotient):
        shown = f"{part} * {divisor} = {part * divisor}, " if divisor >= 10 else ""
        steps.append(shown + sum_chain(number, -divisor * part))
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
    """Euclid's divisions, larger by smaller, down to remainder 0; the gcd is the last divisor.

    A multiple of a long divisor is worked out and taken away; small ones stand in one equation.
    """
    first, second = max(first, second), min(first, second)
    lines = []
    while second:
        quotient, rest = divmod(first, second)
        if second < 10 and quotient <= 10:
            lines.append(f"{first} = {quotient} * {second} + {rest}")
        elif quotient == 1:
            lines.append(sum_chain(first, -second))
        else:
            taken = quotient * second
            lines.append(f"{product_chain(second, quotient)}, {sum_chain(first, -taken)}")
        first, second = second, rest
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
