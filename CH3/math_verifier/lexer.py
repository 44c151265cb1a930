r"""From mathematical text, in LaTeX or plain notation, to tokens: one name for each sign, however
it was spelled.

- `\cdot`, `\times`, `×` and `*` become the sign `*`; `\pi`, `π` and `pi` the symbol `pi` (see
  `notation.py`)
- what only dresses a formula goes: spaces, dollar signs, fonts, colours, `\left`; Markdown's stars
  and a full stop around the whole
- what is not known becomes a token of the kind "unknown": no formula can be made of it, but two
  texts that cannot be read are still compared by their tokens
"""

import html
import re
from collections.abc import Iterator
from fractions import Fraction
from typing import NamedTuple

from CH3.math_verifier.notation import (
    BEFORE_WORDS,
    CURRENCIES,
    DRESSING,
    DROPPED_WITH_ARGUMENT,
    FUNCTIONS,
    GREEK,
    LOWERED,
    MARKS,
    MATRICES,
    NUMBER_SETS,
    PLAIN_UNITS,
    RAISED,
    SAME_SIGN,
    SHORT_WORDS,
    SIGNS,
    SYSTEMS,
    TEXT_COMMANDS,
    UNITS,
    WORDS,
    latex_of,
)

MAX_LENGTH = 1000  # characters
MAX_DIGITS = 400  # of one number


class UnreadableError(ValueError):
    """A text that is no mathematics that we know, or too much of it."""


class Token(NamedTuple):
    r"""One sign.

    Attributes:
        kind: number, symbol (a letter), word, function, based (digits in a base that has letters),
            end, unknown, or sign (all others).
        text: its name.
        after_space: True if a space stands before it.
        from_latex: True for a command: `\sqrt` applies to one digit, `sqrt` to a number. True for a
            letter in upright type, which may be a unit.
    """

    kind: str
    text: str
    after_space: bool = False
    from_latex: bool = False


TOKEN = re.compile(
    r"""
    (?P<letters>   [^\W\d_]+ )
  | (?P<space>     (?: \s | ~ | \\?\$ | \\[,;:!>\ ()\[\]] )+ )
  | (?P<repeating> \d*\.\d*\\(?:overline|bar)\s*(?:\{\d+\}|\d)
                 | \d*\.\d*\\dot\s*(?:\{\d\}|\d)(?:\d*\\dot\s*(?:\{\d\}|\d))?
                 | \d*\.\d*\(\d+\)\Z )
  | (?P<cyclic>    \d*\.\d+\s*(?:\.\.\.|\\(?:[lc]?dots)(?![a-zA-Z])) )
  | (?P<grouped>   (?<!\d,)[1-9]\d{0,2}
                   (?: (?:\\!)?,\\!\s*\d{3} | (?:\{,\}|,|\\,|\\\ |~|')\d{3} )+ (?!\d|,\d) (?:\.\d+)?
                 | [1-9]\d?(?:,\d\d)*,0\d(?:,\d\d)*,\d{3}(?!\d|,\d)
                 | [1-9]\d?(?:,\d\d)+,0\d\d(?!\d|,\d)
                 | [1-9]\d{0,2}(?:_\d{3})+(?!\d)
                 | [1-9]\d{0,2}(?:\ \d{3})+(?!\ ?[\d/]) )
  | (?P<date>      \d{4}-\d\d-\d\d(?!\d) | \d{1,2}/\d{1,2}/\d{4}(?!\d) )
  | (?P<dotted>    (?<!\d\.)[1-9]\d{0,2}
                   (?: (?:\.\d{3}){2,}(?:,\d+)? | (?:\.\d{3})+,\d{1,2} )(?![\d.,]) )
  | (?P<comma>     \d+\{,\}\d+ )
  | (?P<number>    (?:\d+(?:\.\d+)?|\.\d+)(?:[eE][-+]?\d+(?!\w))? )
  | (?P<degree>    \^\s*(?: \\circ(?![a-zA-Z]) | \\(?:text|mathrm)\s*\{o\}
                          | \{\s*(?:\\circ|\\degree|o|\\(?:text|mathrm)\s*\{o\})\s*\} ) )
  | (?P<angle>     \\left\s*< | \\right\s*> )
  | (?P<null>      \\(?:left|right)\s*\. | \\left\s*\\\{\s*(?=\\begin) )
  | (?P<begin>     \\begin\s*\{[a-zA-Z]+\*?\}(?:\s*\{[clr|\s\d@]*\})? )
  | (?P<finish>    \\end\s*\{[a-zA-Z]+\*?\} )
  | (?P<numbers>   \\(?:mathbb|Bbb|mathds)\s*(?:\{\s*[RZNQC]\s*\}|[RZNQC])
                 | \\mathbf\s*\{[RZNQC]\} )
  | (?P<command>   \\[a-zA-Z]+ )
  | (?P<either>    \+/- | (?: \A | (?<=[=(,{]) | (?<=[=(,{]\ ) )\+- )
  | (?P<sign>      \\\\(?:\s*\[-?[\d.]+\s*[a-z]{2}\])? | \\[{}%|]
                 | \*\* | <= | >= | != | == | <> | => | \.\.\. | [-+*/^_()\[\]{}|,;:=<>!%&'".] )
    """,
    re.VERBOSE,
)
BASED = re.compile(  # digits in a base of more than ten, whose letters would be read as a product
    r"""(?: \\(?:text|mathrm)\s*\{\s*([0-9A-F]{1,40})\s*\} | \(([0-9A-F]{1,40})\)
          | ([0-9A-F]{1,40}) | ([0-9a-f]{1,40}) (?=_\{?16(?!\d)) )
        \s* (?=_\s*\{?\s*(?:1[1-6]|\\text))""",
    re.VERBOSE,
)
SLANTED = frozenset(
    ["mathbb", "Bbb", "mathds", "mathbf", "textbf", "mathit", "textit", "mathnormal"]
)  # never units
CURRENCY_COUNTRY = re.compile(r"(?:US|CA|AU|HK|NZ)(?=\s*(?:\\?\$|[Dd]ollar))")
CHOOSE = re.compile(r"(?:\{\}\s*)?[\^_]\s*\{?([\dn]+)\}?\s*C\s*_\s*\{?([\dkr]+)\}?")  # {}_5C_2
CHOOSE_PLAIN = re.compile(r"(?<![\w}])(\d{1,3})C(\d{1,3})(?![\w_])")  # 5C2
CLOCK = re.compile(r"([aApP])\.?\s?[mM]\b\.?")
MARKED = re.compile(  # {AB}, {\imath}, {\mathbf{i}}, AB
    r"""\s*(?: \{\s*((?:[A-Za-z0-9]|\\[a-z]+)+)\s*\} | \{\s*\\math(?:bf|rm|it)\s*\{([A-Za-z])\}\s*\}
          | ([A-Za-z]+|\\[a-z]+) )""",
    re.VERBOSE,
)
RAISED_RUN, LOWERED_RUN = (
    re.compile(f"[{''.join(map(re.escape, table))}]+") for table in (RAISED, LOWERED)
)
FRACTION = re.compile(
    f"([{''.join(map(re.escape, RAISED))}]+)[⁄/]([{''.join(map(re.escape, LOWERED))}]+)"
)  # ³⁄₄
OVERLINED = re.compile("(?:\\d[\u0304\u0305])+")
WORDY = re.compile(r"[a-zA-Z][a-z]|[a-z][A-Z]|[A-Z]{3}|[AP]M|[^\x00-\x7f]")
BRACKET = re.compile(r"\\[{}]|[()\[\]]|\\[lr]angle|(?<![}^_\w])\{")
GROUP_OF_ZERO = re.compile(r",0\d\d")
PERIOD = re.compile(r"(?P<one>(\d)\2{2,}|(\d{2,6})\3+)$")
ORDINAL = {"1": "st", "2": "nd", "3": "rd"}
RELATION_SIGNS = frozenset(["=", "<", ">", "<=", ">=", "!=", "≈", "≡", "∉"])
# around a whole answer: Markdown's marks, quotes, tags, and slips at either end
AROUND = re.compile(r"(\*{1,3}|_{1,2}|`{1,3}|\"|')(.+)\1", re.DOTALL)
BEFORE = re.compile(
    r"(?:\s|=(?!=)|:|(?:\\approx|\\(?:Right|Longright)arrow|\\implies)(?![a-zA-Z]))+"
)
BEHIND = re.compile(r"(?:(?<!\.)\.|\\\\|\\n|\s)+\Z")
ANGLES = re.compile(r"<([^<>=]*,[^<>=]*)>\Z")  # <2, 9>
TAG = re.compile(r"</?(?:b|i|u|em|strong|span|p|div|code|answer)>|<br\s*/?>|<\|[a-z_]+\|>")
OLD_FONT = re.compile(r"\{\s*\\(?:rm|sf|tt)\s*(?![a-z])([^{}]*)\}|\\(?:rm|sf|tt)\s*\{([^{}]*)\}")
# (a) of several parts, with what stands between it and the part before
PART = re.compile(
    r"[,;]?\s*(?:\\text(?:bf|rm)?\s*\{\s*)?(?<![\w})'])\(([a-e]|i{1,3}|iv)\)(?=\s+[^-+*/=^<>]|\s-\d)\s*\}?"
)
ENTITY = re.compile(r"&(?:[a-zA-Z]+|#\d+);")
HEIGHT = re.compile(r"<(su[bp])>([^<]*)</\1>")


def tokenize(text: str) -> list[Token]:
    r"""Cut a text into tokens.

    Raises:
        UnreadableError: it is too long, or a brace is not closed, or a number has too many digits.

    >>> [token.text for token in tokenize(r"2\cdot\left(x+\tfrac12\right)")]
    ['2', '*', '(', 'x', '+', 'frac', '12', ')']
    """
    text = text.strip()
    if len(text) > MAX_LENGTH:
        raise UnreadableError(f"{len(text)} characters are too many")
    text = bare(text)
    if "C" in text or "'c" in text:
        text = CHOOSE.sub(r"\\binom{\1}{\2}", text.replace("o'clock", "oclock"))
        text = CHOOSE_PLAIN.sub(r"\\binom{\1}{\2}", text)
    if not text.isascii():
        text = bare(_ascii(text))
    if ("(b)" in text or "(ii)" in text) and PART.match(text):
        text = PART.sub(r"; \\text{part \1}: ", text).lstrip("; ")
    if OLD_FONT.search(text):
        text = OLD_FONT.sub(r"\\mathrm{\1\2}", text)
    tokens = list(_tokens(text, in_words=False))
    if r"\equiv" in text and not any(token.text == "mod" for token in tokens):  # identically equal
        tokens = [token._replace(text="=") if token.text == "≡" else token for token in tokens]
    return _aligned(tokens) if "&" in text else tokens


def bare(text: str) -> str:
    r"""Take off what may stand around a whole answer: Markdown's marks, quotes, tags, a full stop.

    >>> bare("**12 cm.**"), bare("`x = 12`"), bare("= 7"), bare("7..."), bare(r"7\\")
    ('12 cm', 'x = 12', '7', '7...', '7')
    """
    # 1. tags
    if "&" in text and ";" in text:
        text = ENTITY.sub(lambda entity: html.unescape(entity[0]), text)
    if "<" in text and ("</" in text or "<br" in text or "<|" in text):
        text = TAG.sub(" ", HEIGHT.sub(lambda tag: f"{'^_'[tag[1] == 'sub']}{{{tag[2]}}}", text))
    # 2. marks at both ends, layer by layer
    text = ANGLES.sub(r"\\langle \1\\rangle", text.strip()) if text[:1] == "<" else text.strip()
    while text:
        before = text
        if (
            text[0] in "*_`\"'"
            and (around := AROUND.fullmatch(text))
            and around[1] not in around[2]
        ):
            text = around[2]
        if text[:1] in "=:\\" and (start := BEFORE.match(text)):
            text = text[start.end() :]
        if text[-1:] in ".\\" or text.endswith(r"\n"):
            text = BEHIND.sub("", text)
        if text == before:
            break
        text = text.strip()
    # 3. a brace that closes nothing
    if text.endswith("}") and text.count("}") > text.count("{"):
        text = text[:-1]
    return text


def number_value(text: str) -> Fraction:
    r"""Return the exact value of a number as it is written.

    >>> print(*map(number_value, ("1.5e3", r"0.1\overline{6}", r"0.\dot3\dot6")))
    1500 1/6 4/11
    """
    if text.isdecimal():
        return Fraction(int(text))
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
    """Write Unicode's signs in LaTeX."""
    text = OVERLINED.sub(lambda run: rf"\overline{{{''.join(filter(str.isdigit, run[0]))}}}", text)
    text = FRACTION.sub(lambda run: rf"\frac{{{_plain(run[1])}}}{{{_plain(run[2])}}}", text)
    text = RAISED_RUN.sub(lambda run: "^{" + "".join(RAISED[sign] for sign in run[0]) + "}", text)
    text = LOWERED_RUN.sub(lambda run: "_{" + "".join(LOWERED[sign] for sign in run[0]) + "}", text)
    return "".join(char if char.isascii() else latex_of(char) for char in text)


def _plain(run: str) -> str:
    """Lower raised signs, and raise lowered ones."""
    return "".join(RAISED.get(sign) or LOWERED[sign] for sign in run)


def _aligned(tokens: list[Token]) -> list[Token]:
    """Drop the `&` that only aligns a relation sign; without rows, `&` is "and"."""
    rows = any(token.text in ("begin", "system") for token in tokens)
    found = []
    for index, token in enumerate(tokens):
        if token.kind == "sign" and token.text == "&":
            beside = {
                one.text for one in (*tokens[index - 1 : index], *tokens[index + 1 : index + 2])
            }
            if beside & RELATION_SIGNS:
                continue
            if not rows:
                token = Token("sign", "and", token.after_space)
        found.append(token)
    return found


def _tokens(text: str, in_words: bool) -> Iterator[Token]:
    r"""Yield tokens in order; inside `\text{...}`, letters make words."""
    has_base = "_" in text
    place, space = 0, False
    while place < len(text):
        if (
            has_base
            and text[place] in "\\(0123456789ABCDEFabcdef"
            and (based := _based(text, place))
        ):
            yield Token("based", based[0], space)
            place, space = based[1], False
            continue
        match = TOKEN.match(text, place)
        if match is None:
            yield Token("unknown", text[place], space)
            place, space = place + 1, False
            continue
        start, place = place, match.end()
        kind, found = str(match.lastgroup), match.group()
        if kind in ("space", "null"):
            space = True
            continue
        if kind == "number" and len(found) <= MAX_DIGITS:
            yield Token("number", found, space)
        elif kind == "letters":
            if CURRENCY_COUNTRY.match(text, start):  # US$
                space = True
                continue
            if found in "apAP" and (clock := CLOCK.match(text, start)) and "." in clock[0]:
                place = clock.end()
                yield Token("word", f"{found.lower()}m", space)
            else:
                yield from _letters(text, start, found, space, in_words)
        elif kind == "command":
            tokens, place = _command(found[1:], text, place, space)
            yield from tokens
        elif kind == "grouped" and not _is_grouped(text, start, found):
            place = start + len(found.partition(",")[0])
            yield Token("number", text[start:place], space)
        else:
            yield from _token(kind, found, space)
        space = False


def _based(text: str, place: int) -> tuple[str, int] | None:
    """Return digits in a base, if such stand here and one of them is a letter; and their end."""
    match = BASED.match(text, place)
    if match is None or (place and text[place - 1].isalnum()):
        return None
    digits = str(match[match.lastindex or 0])
    is_hexadecimal = len(digits) > 1 and re.match(r"\s*_\s*\{?\s*16", text[match.end() :])
    if digits.isdigit() or not (is_hexadecimal or any(map(str.isdigit, digits))):
        return None
    return digits.upper(), match.end()


def _is_grouped(text: str, start: int, found: str) -> bool:
    """Return True if commas group the digits of one number, rather than separate several.

    Inside a bracket a bare comma separates: `(3,100,200)` has three parts. Only `000` and its like
    are no numbers of their own, nor is what a dollar sign stands before.
    """
    bare_comma = re.search(r"(?<![{!\\]),(?!\\!)", found)
    if bare_comma is None or text[:start].rstrip().endswith("\\$") or GROUP_OF_ZERO.search(found):
        return True
    depth = 0
    for bracket in BRACKET.findall(text[:start]):
        depth = max(0, depth + (1 if bracket in (r"\{", "(", "[", r"\langle", "{") else -1))
    return depth == 0


def _braced(text: str, place: int) -> tuple[str, int]:
    """Return what stands in the braces that open here, and the place behind them."""
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
    """Yield the tokens of a number, an environment, or a sign."""
    if kind == "angle":
        yield Token("sign", "⟨" if found.endswith("<") else "⟩", space)
    elif kind == "date":
        yield Token("word", found, space)
    elif kind in ("number", "grouped", "repeating", "dotted", "comma", "cyclic"):
        yield from _number(kind, found, space)
    elif kind == "begin":
        name = found[found.index("{") + 1 : found.index("}")]
        if name == "vmatrix":
            yield Token("function", "det", space)
        known = "begin" if name in MATRICES else "system" if name in SYSTEMS else None
        yield Token("sign", known, space) if known else Token("unknown", found, space)
    elif kind == "numbers":
        letter = next(char for char in reversed(found) if char.isupper())
        yield Token("sign", NUMBER_SETS[letter], space)
    else:
        sign = "°" if kind == "degree" else "finish" if kind == "finish" else found
        sign = r"\\" if sign.startswith(r"\\") else sign
        yield Token("sign", SAME_SIGN.get(sign, sign), space)


def _number(kind: str, found: str, space: bool) -> Iterator[Token]:
    """Yield a number without what groups its digits; its period, if it goes on, as `\\overline`."""
    more = None
    if kind == "grouped":
        found = re.sub(r"[^\d.]", "", found)
    elif kind == "dotted":
        found = found.replace(".", "").replace(",", ".")
    elif kind == "comma":
        whole, _, decimals = found.partition("{,}")
        found = f"{whole}.{decimals}"
    elif kind == "repeating" and "(" in found:
        found = found.replace("(", r"\overline{").replace(")", "}")
    elif kind == "cyclic":
        found = re.match(r"\d*\.\d+", found)[0]  # type: ignore[index]
        whole, _, decimals = found.partition(".")
        period = PERIOD.search(decimals)
        if period is None and len(decimals) == 2 and decimals[0] == decimals[1]:  # 0.33...
            found = rf"{whole}.\overline{{{decimals[0]}}}"
        elif period is None:
            more = Token("sign", "…")
        else:
            start = decimals[: period.start()]
            found = rf"{whole}.{start}\overline{{{period[2] or period[3]}}}"
    if len(found) > MAX_DIGITS:
        raise UnreadableError(f"a number of {len(found)} digits")
    yield Token("number", found, space)
    if more:
        yield more


def _command(name: str, text: str, place: int, space: bool) -> tuple[list[Token], int]:
    """Return the tokens of a command whose name ends at `place`, and the place behind it."""
    if name in TEXT_COMMANDS:
        if name == "operatorname" and text[place : place + 1] == "*":
            place += 1
        inside, place = _braced(text, place)
        if name == "mathbf" and inside in ("i", "j", "k") and _has_unit_vectors(text):
            return [Token("symbol", f"vec {inside}", space)], place
        tokens = list(_tokens(inside, WORDY.search(inside) is not None and name != "mathbf"))
        upright = [
            one._replace(from_latex=name not in SLANTED) if one.kind == "symbol" else one
            for one in tokens
        ]
        if upright and space:
            upright[0] = upright[0]._replace(after_space=True)
        return upright, place
    if name in DROPPED_WITH_ARGUMENT:
        if "{" in text[place:]:
            place = _braced(text, place)[1]
        return [], place
    if name in MARKS and (marked := MARKED.match(text, place)):
        inside = str(marked[marked.lastindex or 0]).replace("math", "").strip("\\")
        mark = name.removeprefix("wide").removeprefix("measured").replace("overrightarrow", "vec")
        if mark in ("hat", "vec") and inside in ("i", "j", "k"):
            mark = "vec"
        return [Token("symbol", f"{mark} {inside}", space)], marked.end()
    if name == "not" and (negated := re.compile(r"\s*=").match(text, place)):
        return [Token("sign", "!=", space)], negated.end()
    if name in ("overset", "underset", "stackrel"):
        place = _braced(text, place)[1]
        return [], place
    return [_named(name, space)] if name not in DRESSING and SIGNS.get(name) != "" else [], place


def _named(name: str, space: bool) -> Token:
    """Return the token of a command without braces of its own."""
    if name in ("root", "of", "over", "choose"):
        return Token("sign", f"\\{name}", space)
    if name in SIGNS:
        return Token("sign", SIGNS[name], space)
    if name in GREEK:
        return Token("symbol", name.removeprefix("var"), space)
    if name == "forall":
        return Token("word", "for", space)
    if name in ("overline", "bar"):  # of more than a name
        return Token("function", "conj", space, from_latex=True)
    if name in FUNCTIONS or name in WORDS:
        return Token("function", WORDS.get(name, name), space, from_latex=True)
    fraction = name.lstrip("cdts") if name != "nicefrac" else "frac"
    if fraction in ("frac", "binom"):
        return Token("function", fraction, space, from_latex=True)
    return Token("unknown", f"\\{name}", space)


def _has_unit_vectors(text: str) -> bool:
    return r"\mathbf{j}" in text or r"\mathbf{k}" in text


def _letters(text: str, start: int, run: str, space: bool, in_words: bool) -> Iterator[Token]:
    """Yield a run of letters: a known word, a unit, any other word, or symbols side by side."""
    name = WORDS.get(run, run)
    attached = start > 0 and text[start - 1].isalnum()
    if name in FUNCTIONS:
        yield Token("function", name, space)
    elif run[:-1] in FUNCTIONS and run[-1] in "xyz" and not in_words:  # sinx
        yield from (Token("function", run[:-1], space), Token("symbol", run[-1]))
    elif run in WORDS and (len(run) > 1 or space or _between_brackets(text, start)):
        yield Token("symbol" if name == "pi" else "sign", name, space)
    elif run in ("x", "X") and _before_power_of_ten(text, start):  # 4.2 x 10^5
        yield Token("sign", "*", space)
    elif _is_word(text, start, run, in_words, attached):
        yield Token("word", run, space)
    else:
        for index, letter in enumerate(run):
            yield Token("symbol", letter, space and index == 0)


def _before_power_of_ten(text: str, start: int) -> bool:
    """Return True if the letter x stands between a number and a power of ten."""
    return (
        re.match(r"\s*10\s*(?:\^|\*\*)", text[start + 1 :]) is not None
        and re.search(r"\d\s*$", text[:start]) is not None
    )


def _between_brackets(text: str, start: int) -> bool:
    return text[start - 1 : start] in ")]}" and text[start + 1 : start + 2] in "([{\\"


def _is_word(text: str, start: int, run: str, in_words: bool, attached: bool) -> bool:
    r"""Return True if letters are a word, or a unit, rather than a product.

    `\text{a circle}` has two words and `\text{B}` is a choice; outside, `east` is a word, `cm` a
    unit and `xyz` a product.
    """
    lower = run.lower()
    if not run.isascii():
        return True
    if lower in ("st", "nd", "rd", "th"):  # 2nd, but 2st is a product
        before = re.search(r"(\d?)(\d)$", text[:start])
        if before:
            return lower == ("th" if before[1] == "1" else ORDINAL.get(before[2], "th"))
        return in_words
    if lower in ("am", "pm"):
        marked = run.isupper() or in_words or re.search(r"\d\s+$|:\d\d$", text[:start])
        return bool(marked)
    if lower in CURRENCIES and run[0].isupper():
        return True
    if len(run) > 1 and lower in UNITS:
        return in_words or lower in PLAIN_UNITS or re.search(r"\d\s+$|/$", text[:start]) is not None
    if run in SHORT_WORDS and not attached:
        return True
    if (run == text or in_words) and len(run) > 1 and not run.strip("IVX"):  # a Roman number
        return True
    if run in BEFORE_WORDS:  # at least
        following = re.match(r"\s+([a-z]{3,})", text[start + len(run) :])
        if following and following[1] not in FUNCTIONS:
            return True
    if in_words and not (len(run) == 2 and run.isupper()):
        return len(run) > 1 or run.islower()
    # ABC: a name, not a product
    return (len(run) > 3 and not attached) or (len(run) > 2 and run.isupper())
