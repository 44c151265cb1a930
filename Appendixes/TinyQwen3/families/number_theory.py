"""Common divisors, remainders, prime factors and number bases."""

from functools import cache
from math import gcd, lcm
from random import Random

from .registry import Draft, family
from .steps import (
    euclid_lines,
    product_chain,
    quotient_chain,
    remainder_line,
    running_sum,
    sum_chain,
)


@family("Number Theory")
def gcd_lcm(rng: Random, level: int) -> Draft:
    """Greatest common divisor by Euclid or by common primes; least common multiple from it."""
    low, high, factors = [
        (1, 9, (1, 9)),
        (3, 15, (3, 15)),
        (1, 9, (1, 9)),
        (7, 40, (6, 24)),
        (4, 16, (3, 15)),
    ][level - 1]
    common = rng.randint(*factors)
    first, second = (common * n for n in rng.sample(range(low, high + 1), 2))
    multiple = level in (3, 5)
    divisor = gcd(first, second)
    euclid = level >= 4 or rng.random() < 0.5
    lines = euclid_lines(first, second) if euclid else _common_primes(first, second)
    lines.append(f"gcd = {divisor}")
    answer = divisor
    if multiple:
        answer = lcm(first, second)
        pair = (first, second) if rng.random() < 0.5 else (second, first)
        lines.append(f"{pair[0]} / {divisor} = {pair[0] // divisor}")
        lines.append(product_chain(pair[1], pair[0] // divisor))
    name = "least common multiple" if multiple else "greatest common divisor"
    short = "lcm" if multiple else "gcd"
    problem = rng.choice(
        (
            f"What is the {name} of {first} and {second}?",
            f"Find the value of {short}({first}, {second}).",
            f"Find the {name} of {first} and {second}.",
            f"Compute the {short} of {first} and {second}.",
        )
    )
    return Draft((short, *sorted((first, second))), problem, lines, str(answer))


def _common_primes(first: int, second: int) -> list[str]:
    """Divide both numbers by common primes, smallest first, and multiply these."""
    lines, divisor, prime = [], 1, 2
    while prime <= min(first, second):
        if first % prime or second % prime:
            prime += 1
            continue
        first, second = first // prime, second // prime
        lines.append(f"Divide by {prime}: {first} and {second}")
        if divisor > 1:
            lines[-1] += f", {divisor} * {prime} = {divisor * prime}"
        divisor *= prime
    return lines


@family("Number Theory")
def remainder(rng: Random, level: int) -> Draft:
    """Remainders of numbers, products and powers."""
    key: tuple
    if level <= 2:
        low, high, small, large = (10, 99, 3, 9) if level == 1 else (100, 999, 6, 13)
        number, modulus = rng.randint(low, high), rng.randint(small, large)
        key, expression, answer = (number, modulus), str(number), number % modulus
        lines = [remainder_line(number, modulus)]
        if rng.random() < 0.5:
            lines.append(f"The remainder is {answer}")
    elif level == 3:
        first, second, modulus = rng.randint(12, 79), rng.randint(12, 79), rng.randint(5, 13)
        key, expression = (*sorted((first, second)), modulus), f"{first} * {second}"
        left, right = first % modulus, second % modulus
        lines = [remainder_line(first, modulus), remainder_line(second, modulus)]
        if rng.random() < 0.5:
            lines.reverse()
        lines += [product_chain(left, right), remainder_line(left * right, modulus)]
        answer = left * right % modulus
    else:
        modulus = rng.choice((7, 11, 13))
        # powers of 0, 1 and -1 are dull
        base = rng.randint(2, modulus - 2) + modulus * rng.randint(0, 2)
        exponent = rng.randint(3, 6) if level == 4 else rng.randint(9, 24)
        key, expression = (base, exponent, "mod", modulus), f"{base}^{exponent}"
        lines, answer = _power_lines(rng, base, exponent, modulus)
    problem = rng.choice(
        (
            f"What is the remainder when {expression} is divided by {modulus}?",
            f"Find the remainder of {expression} divided by {modulus}.",
            f"Compute {expression} mod {modulus}. Give the remainder.",
        )
    )
    return Draft(key, problem, lines, str(answer))


def _power_lines(rng: Random, base: int, exponent: int, modulus: int) -> tuple[list[str], int]:
    """Reduce after each product: one factor at a time, or square and multiply from the top bit
    down.
    """
    lines, value = [], base % modulus
    if value != base:
        lines.append(remainder_line(base, modulus))
    start, power = value, 1

    def step(factor: int, reached: int) -> int:
        product = value * factor
        text = product_chain(value, factor)
        if product >= modulus:
            text += f", {remainder_line(product, modulus)}"
        lines.append(f"Power {reached}: {text}")
        return product % modulus

    if exponent <= 6 and rng.random() < 0.5:
        while power < exponent:
            power += 1
            value = step(start, power)
        return lines, value
    for bit in bin(exponent)[3:]:
        power *= 2
        value = step(value, power)
        if bit == "1":
            power += 1
            value = step(start, power)
    return lines, value


@cache
def _prime_factors(number: int) -> tuple[int, ...]:
    factors, prime = [], 2
    while number > 1:
        if number % prime:
            prime += 1
        else:
            factors.append(prime)
            number //= prime
    return tuple(factors)


def _composites(low: int, high: int, largest_prime: int) -> list[int]:
    """Numbers with at least two distinct primes, none above largest_prime and all but the last at
    most 7.
    """
    numbers = []
    for number in range(low, high + 1):
        factors = _prime_factors(number)
        if len(set(factors)) > 1 and factors[-1] <= largest_prime and factors[-2] <= 7:
            numbers.append(number)
    return numbers


COMPOSITES = [
    _composites(6, 400, 31),
    _composites(401, 1400, 31),
    _composites(12, 600, 31),
    _composites(401, 1900, 31),
    _composites(60, 900, 31),
]


@family("Number Theory")
def divisors(rng: Random, level: int) -> Draft:
    """The primes that divide a number, the number of its divisors, their sum."""
    number = rng.choice(COMPOSITES[level - 1])
    factors = _prime_factors(number)
    primes = sorted(set(factors))
    lines, rest = [], number
    for prime in factors[:-1]:
        long = prime > 2 and rest // prime > 12
        lines.append(quotient_chain(rest, prime) if long else f"{rest} = {prime} * {rest // prime}")
        rest //= prime
    if level <= 2:
        problem = rng.choice(
            (
                f"List the distinct prime factors of {number}.",
                f"Which primes divide {number}? List them.",
                f"List all prime divisors of {number}.",
            )
        )
        return Draft(("primes", number), problem, lines, ", ".join(map(str, primes)))
    powers = [
        f"{prime}^{factors.count(prime)}" if factors.count(prime) > 1 else str(prime)
        for prime in primes
    ]
    lines.append(f"{number} = {' * '.join(powers)}")
    if level == 5:
        sums = [(prime ** (factors.count(prime) + 1) - 1) // (prime - 1) for prime in primes]
        for prime, total in zip(primes, sums, strict=True):
            terms = [prime**power for power in range(factors.count(prime) + 1)]
            lines.append(f"{' + '.join(map(str, terms))} = {total}")
        asks = (
            f"What is the sum of the positive divisors of {number}?",
            f"Add all positive divisors of {number}. What is the sum?",
        )
    else:
        sums = [factors.count(prime) + 1 for prime in primes]
        lines.append("Exponents plus 1: " + ", ".join(map(str, sums)))
        asks = (
            f"How many positive divisors does {number} have?",
            f"Find the number of positive divisors of {number}.",
        )
    if rng.random() < 0.5:
        sums.reverse()
    answer = sums[0]
    for factor in sums[1:]:
        lines.append(product_chain(answer, factor))
        answer *= factor
    return Draft(("sum" if level == 5 else "count", number), rng.choice(asks), lines, str(answer))


def _in_base(number: int, base: int) -> str:
    digits = ""
    while number:
        digits = str(number % base) + digits
        number //= base
    return digits


@family("Number Theory")
def base_conversion(rng: Random, level: int) -> Draft:
    """Between base 10 and bases 2 to 9."""
    if level in (1, 3):
        base = rng.randint(4, 9) if level == 1 else rng.randint(3, 8)
        number = (
            rng.randint(base, base**2 - 1)
            if level == 1
            else rng.randint(base**2, min(base**4, 900) - 1)
        )
        source, target = base, 10
    elif level in (2, 4):
        source, target = 10, rng.randint(4, 9)
        number = rng.randint(20, 99) if level == 2 else rng.randint(100, 600)
    else:
        source, target = rng.sample(range(3, 10), 2)
        number = rng.randint(40, 299 if min(source, target) > 3 else 80)
    digits = str(number) if source == 10 else _in_base(number, source)
    lines = []
    if source != 10:
        lines += _to_ten(rng, digits, source)
    if target != 10:
        lines += _from_ten(number, target)
    problem = rng.choice(
        (
            f"Write the base {source} number {digits} in base {target}.",
            f"From base {source}, the number {digits} is to be written in base {target}. What is it?",
            f"In base {source} a number is {digits}. What is it in base {target}?",
        )
    )
    return Draft(
        (source, target, number),
        problem,
        lines,
        str(number) if target == 10 else _in_base(number, target),
    )


def _to_ten(rng: Random, digits: str, base: int) -> list[str]:
    """Horner's scheme from the left, or the sum of digit times power."""
    if len(digits) > 4 or rng.random() < 0.5:
        lines, value = [], int(digits[0])
        for digit in digits[1:]:
            product = product_chain(value, base)
            lines.append(f"{product}, {sum_chain(value * base, int(digit))}")
            value = value * base + int(digit)
        return lines
    terms, lines = [], []
    for i, digit in enumerate(reversed(digits)):
        if digit != "0":
            lines.append(product_chain(base**i, int(digit)))
            terms.append(base**i * int(digit))
    return lines + running_sum(terms)


def _from_ten(number: int, base: int) -> list[str]:
    lines = []
    while number:
        quotient, digit = divmod(number, base)
        last = f"{number} = {base} * {quotient} + {digit}"
        if quotient > 10 and quotient % 10:  # the tens of the quotient first
            tens = quotient // 10 * 10
            rest = number - base * tens
            split = f"{number} = {base} * {tens} + {rest}, {rest} = {base} * {quotient - tens} + {digit}"
            last = f"{split}, so {last}"
        lines.append(last)
        number = quotient
    lines.append("Read the remainders from below")
    return lines
