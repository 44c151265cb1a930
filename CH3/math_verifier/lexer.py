r"""From mathematical text, in LaTeX or plain notation, to tokens: one name for each sign, however
it was spelled.

- `\cdot`, `\times`, `×` and `*` become the sign `*`; `\pi`, `π` and `pi` the symbol `pi` (see
  `notation.py`)
- what only dresses a formula goes: spaces, dollar signs, `\left`, `\displaystyle`
- a text with anything else in it is not mathematics: `UnreadableError`
"""

import re
from collections.abc import Iterator
from fractions import Fraction
from typing import NamedTuple

from CH3.math_verifier.notation import (
    DRESSING,
    FUNCTIONS,
    GREEK,
    LATEX_OF_UNICODE,
    LOWERED,
    MATRICES,
    RAISED,
    SAME_SIGN,
    SIGNS,
    TEXT_COMMANDS,
    UNITS,
    WORDS,
)

MAX_LENGTH = 1000  # characters
MAX_DIGITS = 400  # of one number


class UnreadableError(ValueError):
    """A text that is no mathematics that we know, or too much of it."""


class Token(NamedTuple):
    r"""One sign.

    Attributes:
        kind: number, symbol (a letter), word, function, end, or sign (all others).
        text: its name.
        after_space: whether a space stands before it.
        from_latex: it was a command: `\sqrt` applies to one digit, `sqrt` to a number.
    """

    kind: str
    text: str
    after_space: bool = False
    from_latex: bool = False


TOKEN = re.compile(
    r"""
    (?P<space>    (?: \s | ~ | \$ | \\\$ | \\[,;:!\ ()\[\]] )+ )
  | (?P<repeating> \d*\.\d*\\(?:overline|bar)\s*(?:\{\d+\}|\d) )
  | (?P<grouped>  (?<![(\[])(?<!\\\{) [1-9]\d{0,2}(?:(?:,\\!\s*|\{,\}|,|\\,)\d{3})+(?!\d)(?:\.\d+)? )
  | (?P<number>   (?:\d+(?:\.\d+)?|\.\d+)(?:[eE][-+]?\d+(?!\w))? )
  | (?P<degree>   \^\s*(?:\{\s*\\circ\s*\}|\\circ(?![a-zA-Z]))(?:\s*[CF](?![a-zA-Z]))? )
  | (?P<begin>    \\begin\s*\{[a-zA-Z]+\*?\}(?:\s*\{[clr|\s]*\})? )
  | (?P<finish>   \\end\s*\{[a-zA-Z]+\*?\} )
  | (?P<reals>    \\mathbb\s*(?:\{\s*R\s*\}|R) )
  | (?P<command>  \\[a-zA-Z]+ )
  | (?P<letters>  [a-zA-Z]+ )
  | (?P<sign>     \\\\ | \\[{}%|] | \*\* | <= | >= | != | == | [-+*/^_()\[\]{}|,;:=<>!%&'.] )
    """,
    re.VERBOSE,
)
UNICODE = str.maketrans(LATEX_OF_UNICODE)
RAISED_RUN, LOWERED_RUN = (re.compile(f"[{''.join(table)}]+") for table in (RAISED, LOWERED))


def tokenize(text: str) -> list[Token]:
    r"""Cut a text into tokens.

    Raises:
        UnreadableError: it is too long, or holds what is no mathematics.

    >>> [token.text for token in tokenize(r"2\cdot\left(x+\tfrac12\right)")]
    ['2', '*', '(', 'x', '+', 'frac', '12', ')']
    """
    text = text.strip()
    if len(text) > MAX_LENGTH:
        raise UnreadableError(f"{len(text)} characters are too many")
    text = (text if text.isascii() else _ascii(text)).strip()
    if text.endswith(".") and not text.endswith(".."):  # of a sentence
        text = text[:-1]
    return list(_tokens(text, in_words=False))


def number_value(text: str) -> Fraction:
    r"""The exact value of a number as it is written.

    >>> print(number_value("1.5e3"), number_value(r"0.1\overline{6}"))
    1500 1/6
    """
    if "\\" not in text:
        exponent = text.lower().partition("e")[2]
        if exponent and abs(int(exponent)) > MAX_DIGITS:
            raise UnreadableError(f"a number with the exponent {exponent}")
        return Fraction(text)
    fixed, _, command = text.partition("\\")
    period = re.sub(r"\D", "", command)
    whole, _, decimals = fixed.partition(".")
    repeated = int(decimals or 0) + Fraction(int(period), 10 ** len(period) - 1)
    return int(whole or 0) + repeated / 10 ** len(decimals)


def _ascii(text: str) -> str:
    """Unicode's signs in LaTeX."""
    text = RAISED_RUN.sub(
        lambda run: "^{" + "".join(RAISED[sign] for sign in run.group()) + "}", text
    )
    text = LOWERED_RUN.sub(
        lambda run: "_{" + "".join(LOWERED[sign] for sign in run.group()) + "}", text
    )
    return text.translate(UNICODE)


def _tokens(text: str, in_words: bool) -> Iterator[Token]:
    r"""Tokens in order; inside `\text{...}`, letters make words."""
    place, space = 0, False
    while place < len(text):
        match = TOKEN.match(text, place)
        if match is None:
            raise UnreadableError(f"{text[place]!r} is no sign of mathematics")
        start, place = place, match.end()
        kind, found = str(match.lastgroup), match.group()
        if kind == "space":
            space = True
            continue
        if kind == "command" and found[1:] in TEXT_COMMANDS:
            inside, place = _braced(text, place)
            yield from _tokens(inside, in_words=found != r"\mathbf")
        elif kind == "letters":
            yield from _letters(
                found, space, in_words, attached=start > 0 and text[start - 1].isalnum()
            )
        else:
            yield from _token(kind, found, space)
        space = False


def _braced(text: str, place: int) -> tuple[str, int]:
    """What stands in the braces that open here, and where they end."""
    start = text.find("{", place)
    if start < 0 or text[place:start].strip():
        raise UnreadableError("a command of text without its braces")
    depth = 0
    for end in range(start, len(text)):
        depth += {"{": 1, "}": -1}.get(text[end], 0)
        if depth == 0:
            return text[start + 1 : end], end + 1
    raise UnreadableError("a brace is not closed")


def _token(kind: str, found: str, space: bool) -> Iterator[Token]:
    if kind == "command":
        yield from _command(found[1:], space)
    elif kind in ("number", "grouped", "repeating"):
        digits = re.sub(r"[^\d.]", "", found) if kind == "grouped" else found
        if len(digits) > MAX_DIGITS:
            raise UnreadableError(f"a number of {len(digits)} digits")
        yield Token("number", digits, space)
    elif kind == "begin":
        if found[found.index("{") + 1 : found.index("}")] not in MATRICES:
            raise UnreadableError(f"{found} is no matrix")
        yield Token("sign", "begin", space)
    else:
        name = {"degree": "°", "reals": "ℝ", "finish": "finish"}.get(kind) or SAME_SIGN.get(
            found, found
        )
        yield Token("sign", name, space)


def _command(name: str, space: bool) -> Iterator[Token]:
    if name in SIGNS:
        yield Token("sign", SIGNS[name], space)
    elif name in GREEK:
        yield Token("symbol", name, space)
    elif name in FUNCTIONS or name in WORDS:
        yield Token("function", WORDS.get(name, name), space, from_latex=True)
    elif name.lstrip("cdt") in ("frac", "binom"):
        yield Token("function", name.lstrip("cdt"), space, from_latex=True)
    elif name not in DRESSING:
        raise UnreadableError(f"\\{name} is no command that we know")


def _letters(run: str, space: bool, in_words: bool, attached: bool) -> Iterator[Token]:
    """A run of letters: a known word, a unit, a word of a language, or symbols side by side."""
    name = WORDS.get(run, run)
    if name in FUNCTIONS:
        yield Token("function", name, space)
    elif run[:-1] in FUNCTIONS and run[-1] in "xyz" and not in_words:  # sinx
        yield from (Token("function", run[:-1], space), Token("symbol", run[-1]))
    elif run in WORDS and (len(run) > 1 or space):
        yield Token("symbol" if name == "pi" else "sign", name, space)
    elif (len(run) > 1 and run.lower() in UNITS) or _is_word(run, in_words, attached):
        yield Token("word", run, space)
    else:
        for index, letter in enumerate(run):
            yield Token("symbol", letter, space and index == 0)


def _is_word(run: str, in_words: bool, attached: bool) -> bool:
    r"""`\text{m}` and `\text{no}` are words, `\text{B}` is a choice; outside, `east` is a word and
    `xyz` a product.
    """
    if in_words:
        return len(run) > 1 or run.islower()
    # ABC: a name, not a product
    return (len(run) > 3 and not attached) or (len(run) > 2 and run.isupper())
