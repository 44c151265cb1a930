r"""Answers as models write them, to test and time a verifier on: in plain notation, in words, wrong
by a little.
"""

import random
import re
from collections.abc import Iterable, Sequence
from fractions import Fraction

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

    >>> for latex in (r"\frac{3\sqrt{3}}{4}", r"1\frac45", r"\left(-\infty, 2\pi^{n+1}\right]", r"15\mbox{ cm}^2"):
    ...     print(plain_notation(latex))
    (3sqrt(3))/4
    1 4/5
    (-infinity, 2pi^(n+1)]
    15 cm^2
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
    """The argument of a command: what is in the braces, or the next token."""
    while tokens and tokens[-1].isspace():
        tokens.pop()
    if not tokens:
        return ""
    token = tokens.pop()
    return _plain_until("}", tokens) if token == "{" else _plain_until(None, [token])


def _append_fraction(text: str, top: str, bottom: str, tokens: list[str]) -> str:
    """`text` and a fraction: a mixed number, or a factor among others, or just the fraction."""
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
    """`\\sqrt{x}` and `\\sqrt[3]{x}`, after the command."""
    if tokens and tokens[-1] == "[":
        tokens.pop()
        index = _plain_until("]", tokens)
        return f"({_argument(tokens)})^(1/{index})"
    return f"sqrt({_argument(tokens)})"


def _plain_power(exponent: str) -> str:
    """An exponent, or degrees."""
    if exponent == "circ":
        return " degrees"
    return f"^{exponent}" if re.fullmatch(r"\d+|[A-Za-z]", exponent) else f"^({exponent})"


def _plain_matrix(tokens: list[str]) -> str:
    """An environment with rows and cells, as a list of lists."""
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
    """Tokens between separators."""
    parts: list[list[str]] = [[]]
    for token in tokens:
        if token == separator:
            parts.append([])
        else:
            parts[-1].append(token)
    return parts


def real_looking_answers(
    problems: Sequence[dict], each: int = 3, seed: int = 0
) -> list[tuple[str, str]]:
    """Pairs (predicted, reference): for each problem `each` ways, drawn without repetition, of
    answering it.
    """
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
    r"""Without `\left`, `\right` and blanks, fractions in display size: what another author's LaTeX
    looks like.
    """
    text = re.sub(r"\\left|\\right|\\!|(?<![A-Za-z]) | (?![A-Za-z])", "", reference)
    return re.sub(r"\\frac\s*(?=\{)", r"\\dfrac", text)


def _as_decimal(reference: str, rng: random.Random) -> str | None:
    """A fraction as a decimal of four digits (so a third becomes wrong), a whole number as a float."""
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
    """A bare list, a tuple or a sum backwards; wrong for tuples only."""
    if match := re.fullmatch(r"(\(?)(-?\w+(?:,\s*-?\w+)+)(\)?)", reference):
        opening, parts, closing = match.groups()
        return opening + ", ".join(reversed(re.split(r",\s*", parts))) + closing
    terms = re.findall(r"[+-]?[^+-]+", reference.replace(" ", ""))
    if len(terms) > 1 and re.fullmatch(r"[\w\s^+-]+", reference):
        backwards = "".join(term if term[0] in "+-" else f"+{term}" for term in reversed(terms))
        return backwards.removeprefix("+")
    return None


def _off_by_a_little(reference: str, rng: random.Random) -> str | None:
    """One of its whole numbers changed: a slip in the working."""
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
