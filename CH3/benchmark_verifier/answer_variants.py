r"""Answers as models write them, to test and time a verifier on: in plain notation, in words, wrong
by a little.
"""

import random
import re
from collections.abc import Iterable, Sequence
from fractions import Fraction

from CH3.problems import Problem

PLAIN = {
    r"\cdot": "*",
    r"\times": "*",
    r"\div": "/",
    r"\infty": "infinity",
    r"\cup": "U",
    r"\pm": "±",
    r"\le": "<=",
    r"\leq": "<=",
    r"\ge": ">=",
    r"\geq": ">=",
    r"\neq": "!=",
    r"\left": "",
    r"\right": "",
    r"\!": "",
    r"\,": " ",
    r"\;": " ",
    r"\:": " ",
    r"\ ": " ",
    "~": " ",
}
TEXT = {r"\text", r"\mbox", r"\mathrm", r"\textbf", r"\mathbf", r"\operatorname"}
FRACTIONS = {r"\frac", r"\dfrac", r"\tfrac"}
LATEX_TOKEN = re.compile(r"\\[A-Za-z]+|\\!\s*|\\.|.", re.DOTALL)
# a number, a word or a function's value: no parentheses needed around it in a fraction
UNDIVIDED = re.compile(r"\d+(\.\d+)?|[A-Za-z]+|[A-Za-z]+\([^()]*\)")


def plain_notation(latex: str) -> str:
    r"""Rewrite a LaTeX answer as a model writes it that answers in plain text.

    Parentheses appear where a fraction or an exponent needs them; unknown commands lose their
    backslash.

    >>> print(plain_notation(r"\frac{3\sqrt{3}}{4}"), plain_notation(r"1\frac45"))
    (3sqrt(3))/4 1 4/5
    >>> print(plain_notation(r"\left(-\infty, 2\pi^{n+1}\right]"))
    (-infinity, 2pi^(n+1)]
    >>> plain_notation(r"\begin{pmatrix} 1 & \frac{a+b}{2} \\ 0 & -1 \end{pmatrix}")
    '[[1, (a+b)/2], [0, -1]]'
    """
    tokens = LATEX_TOKEN.findall(latex)[::-1]  # a stack: the next token is the last
    return re.sub(r"\s+", " ", _plain_until(None, tokens)).strip()


def _plain_until(end: str | None, tokens: list[str]) -> str:
    """Rewrite up to the token `end`, which is taken from the stack too."""
    text = ""
    while tokens:
        token = tokens.pop()
        if token == end:
            break
        if token in FRACTIONS:
            text = _append_fraction(text, _argument(tokens), _argument(tokens), tokens)
        elif token == r"\sqrt":
            text += _plain_root(tokens)
        elif token == r"\begin":
            text += _plain_matrix(tokens)
        elif token == "^":
            text += _plain_power(_argument(tokens))
        elif token == "{":
            text += _plain_until("}", tokens)
        elif token in TEXT:
            text += _argument(tokens)
        else:
            word = PLAIN.get(token.strip(), token.removeprefix("\\"))
            if token.startswith("\\") and text[-1:].isalpha() and word[:1].isalpha():
                text += " "
            text += word
    return text


def _argument(tokens: list[str]) -> str:
    """Take the argument of a command: what is in the braces, or the next token."""
    while tokens and tokens[-1].isspace():
        tokens.pop()
    if not tokens:
        return ""
    token = tokens.pop()
    return _plain_until("}", tokens) if token == "{" else _plain_until(None, [token])


def _append_fraction(text: str, top: str, bottom: str, tokens: list[str]) -> str:
    """Append a fraction: to a mixed number, as a factor among others, or on its own."""
    fraction = "/".join(
        part if UNDIVIDED.fullmatch(part) else f"({part})" for part in (top, bottom)
    )
    before = text.rstrip()[-1:]
    if before.isdigit() and top.isdigit() and bottom.isdigit():
        return f"{text.rstrip()} {fraction}"
    following = next((token for token in reversed(tokens) if not token.isspace()), "")
    if before.isalnum() or before == ")":
        return f"{text}*({fraction})"
    if following.isalpha() or following in {"(", r"\left", r"\pi", r"\sqrt", *FRACTIONS}:
        return f"{text}({fraction})"
    return text + fraction


def _plain_root(tokens: list[str]) -> str:
    r"""Rewrite `\sqrt{x}` or `\sqrt[3]{x}`, after the command."""
    if tokens and tokens[-1] == "[":
        tokens.pop()
        index = _plain_until("]", tokens)
        return f"({_argument(tokens)})^(1/{index})"
    return f"sqrt({_argument(tokens)})"


def _plain_power(exponent: str) -> str:
    """Rewrite an exponent, or degrees."""
    if exponent == "circ":
        return " degrees"
    return f"^{exponent}" if re.fullmatch(r"\d+|[A-Za-z]", exponent) else f"^({exponent})"


def _plain_matrix(tokens: list[str]) -> str:
    """Rewrite an environment with rows and cells as a list of lists."""
    _argument(tokens)  # its name
    inside = []
    while tokens and tokens[-1] != r"\end":
        inside.append(tokens.pop())
    if tokens:
        tokens.pop()
        _argument(tokens)
    rows = [
        [plain_notation("".join(cell)) for cell in _split(row, "&")]
        for row in _split(inside, r"\\")
    ]
    return "[" + ", ".join("[" + ", ".join(row) + "]" for row in rows) + "]"


def _split(tokens: Iterable[str], separator: str) -> list[list[str]]:
    """Split tokens at separators."""
    parts: list[list[str]] = [[]]
    for token in tokens:
        if token == separator:
            parts.append([])
        else:
            parts[-1].append(token)
    return parts


def real_looking_answers(
    problems: Sequence[Problem], each: int = 3, seed: int = 0
) -> list[tuple[str, str]]:
    """Make pairs (predicted, reference): for each problem, `each` different ways to answer it."""
    rng = random.Random(seed)
    references = [problem["answer"] for problem in problems]
    pairs = []
    for reference in references:
        ways = [way(reference, rng) for way in WAYS_OF_ANSWERING] + [rng.choice(references)]
        answers = list(dict.fromkeys(answer for answer in ways if answer))
        pairs += [(answer, reference) for answer in rng.sample(answers, min(each, len(answers)))]
    return pairs


def _same(reference: str, rng: random.Random) -> str:
    return reference


def _in_plain_notation(reference: str, rng: random.Random) -> str:
    return plain_notation(reference)


def _set_differently(reference: str, rng: random.Random) -> str:
    r"""Write LaTeX as another author does: no `\left` and blanks, fractions in display size."""
    text = re.sub(r"\\left|\\right|\\!|(?<![A-Za-z]) | (?![A-Za-z])", "", reference)
    return re.sub(r"\\frac\s*(?=\{)", r"\\dfrac", text)


def _as_decimal(reference: str, rng: random.Random) -> str | None:
    """Write a fraction as a decimal of four digits (so 1/3 is wrong), an integer as a float."""
    if match := re.fullmatch(
        r"(-?)\\[dt]?frac\s*(?:\{(\d+)\}|(\d))\s*(?:\{(\d+)\}|(\d))", reference
    ):
        sign, *digits = match.groups()
        top, bottom = (int(number) for number in digits if number)
        return f"{sign}{float(Fraction(top, bottom)):.4g}"
    return f"{reference}.0" if reference.isdigit() else None


def _in_words(reference: str, rng: random.Random) -> str:
    return rng.choice(
        ["x = {}", "{} \\text{{ units}}", "${}$", "{}.", "\\text{{Answer: }} {}"]
    ).format(reference)


def _reordered(reference: str, rng: random.Random) -> str | None:
    """Turn a bare list, a tuple or a sum around; wrong for tuples only."""
    if match := re.fullmatch(r"(\(?)(-?\w+(?:,\s*-?\w+)+)(\)?)", reference):
        opening, parts, closing = match.groups()
        return opening + ", ".join(reversed(re.split(r",\s*", parts))) + closing
    terms = re.findall(r"[+-]?[^+-]+", reference.replace(" ", ""))
    if len(terms) > 1 and re.fullmatch(r"[\w\s^+-]+", reference):
        backwards = "".join(term if term[0] in "+-" else f"+{term}" for term in reversed(terms))
        return backwards.removeprefix("+")
    return None


def _off_by_a_little(reference: str, rng: random.Random) -> str | None:
    """Change one of its integers: a slip in the working."""
    if numbers := list(re.finditer(r"\d+", reference)):
        number = rng.choice(numbers)
        slip = str(int(number.group()) + rng.randint(1, 9))
        return reference[: number.start()] + slip + reference[number.end() :]
    return None


def _with_other_sign(reference: str, rng: random.Random) -> str | None:
    if reference.startswith("-"):
        return reference[1:]
    return f"-{reference}" if re.match(r"\d|\\[dt]?frac|\\sqrt|\\pi", reference) else None


WAYS_OF_ANSWERING = (
    _same,
    _in_plain_notation,
    _set_differently,
    _as_decimal,
    _in_words,
    _reordered,
    _off_by_a_little,
    _with_other_sign,
)
