r"""Numbers too large to compute, compared by their remainders: `2^{100000}` is `4^{50000}`.

A sum, a product or a power is computed modulo two primes of 61 bits, whatever its size; a variable
stands for a random remainder. Two different numbers agree in both with a probability of about
2^-120 (polynomials likewise: Schwartz, 1980), as the primes depend on both texts.
"""

import hashlib
from fractions import Fraction

from CH3.math_verifier.arithmetic import UndefinedError
from CH3.math_verifier.lexer import UnreadableError
from CH3.math_verifier.tree import Tree
from CH3.math_verifier.values import CONSTANT

BITS = 61
MAX_FACTORIAL = 5_000
WITNESSES = (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37)  # enough for numbers below 3 * 10^24


def residues(tree: Tree, salt: str = "") -> tuple[int, int]:
    """Return the remainders of an expression modulo two primes that the salt decides.

    Raises:
        UnreadableError: it has roots, functions or complex numbers, or is undefined.
    """
    first, second = (_residue(tree, _prime(f"{number}|{salt}"), salt) for number in (1, 2))
    return first, second


def _residue(tree: Tree, prime: int, salt: str) -> int:
    if isinstance(tree, Fraction):
        return _quotient(tree.numerator, tree.denominator, prime)
    if isinstance(tree, str):
        if tree == "i":
            raise UnreadableError("a complex number")
        return _digest(f"{salt}|{tree}|{prime}") % prime
    if tree.op == "^":
        return _power(_residue(tree.parts[0], prime, salt), _exponent(tree.parts[1]), prime)
    if tree.op == "!":
        return _factorial(_exponent(tree.parts[0]), prime)
    if tree.op not in ("+", "-", "*", "/", "neg", "°", "%", "[]"):
        raise UnreadableError(f"{tree.op} has no remainder")
    first, *others = (_residue(part, prime, salt) for part in tree.parts)
    if tree.op == "/":
        return _quotient(first, others[0], prime)
    if tree.op == "%":
        return _quotient(first, 100, prime)
    if tree.op == "neg":
        return -first % prime
    if others:
        second = -others[0] if tree.op == "-" else others[0]
        return (first * second if tree.op == "*" else first + second) % prime
    return first


def _exponent(tree: Tree) -> int:
    """Return an exponent, which must be an integer that can be computed."""
    try:
        value = CONSTANT.evaluate(tree, {})
    except (KeyError, UndefinedError, ZeroDivisionError):
        raise UnreadableError("an exponent that is no number") from None
    if not isinstance(value, Fraction) or value.denominator != 1:
        raise UnreadableError("an exponent that is no integer")
    return value.numerator


def _power(base: int, exponent: int, prime: int) -> int:
    if base == 0 and exponent <= 0:
        raise UnreadableError("zero divides")
    return pow(base, exponent % (prime - 1), prime) if base else 0


def _factorial(n: int, prime: int) -> int:
    if not 0 <= n <= MAX_FACTORIAL:
        raise UnreadableError("a factorial of too large a number")
    product = 1
    for factor in range(2, n + 1):
        product = product * factor % prime
    return product


def _quotient(top: int, bottom: int, prime: int) -> int:
    if bottom % prime == 0:
        raise UnreadableError("zero divides")
    return top * pow(bottom, -1, prime) % prime


def _digest(text: str) -> int:
    encoded = text.encode("utf-8", "replace")
    return int.from_bytes(hashlib.blake2b(encoded, digest_size=8).digest(), "big")


def _prime(seed: str) -> int:
    """Return a prime of BITS bits that the seed decides."""
    candidate = _digest(seed) >> (64 - BITS) | 1 << (BITS - 1) | 1
    while not _is_prime(candidate):
        candidate += 2
    return candidate


def _is_prime(number: int) -> bool:
    """Return True if a number passes the test of Miller and Rabin for all WITNESSES."""
    if any(number % small == 0 for small in WITNESSES):
        return False
    odd, twos = number - 1, 0
    while odd % 2 == 0:
        odd, twos = odd // 2, twos + 1
    for witness in WITNESSES:
        power = pow(witness, odd, number)
        if power in (1, number - 1):
            continue
        for _ in range(twos - 1):
            power = power * power % number
            if power == number - 1:
                break
        else:
            return False
    return True
