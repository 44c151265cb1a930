r"""Find the answer in what a model wrote: the last box, or what usually announces an answer, or the
last number.

- braces are counted, not matched by a regular expression: `\boxed{\frac{1}{2}}` has three pairs of
  them
- what stands between `<think>` and `</think>` is a draft, and counts only if nothing follows it
- one pass over the text for each of the three, so a long text takes no more than its length
"""

import re
from collections import deque

BOX = re.compile(r"\\f?boxed(?![a-zA-Z])\s*|\\fbox(?![a-zA-Z])\s*")
BRACE = re.compile(r"\\[\\{}]|[{}]")  # an escaped brace is a sign like others
FRACTION = r"\\[dt]?frac" + 2 * r"\s*(?:\{[^{}]*\}|\d)"
# \boxed 5
UNBRACED = re.compile(FRACTION + r"|\\(?!f?boxed|fbox)[a-zA-Z]+|[-+]?(?:\d+(?:\.\d+)?|[^\s{}\\$])")
PHRASE = re.compile(
    # stops at the next #: a text full of them is read once, not a hundred times
    r"####(?=[^\n#\d\\]{0,99}[\d\\])"
    r"|\b(?:final\s{1,3})?answer\s{0,3}(?:is|=|:)[\s:*]{0,8}(?:(?:therefore|thus|then|simply)\b)?",
    re.IGNORECASE,
)
PHRASE_END = re.compile(r"\n|\.(?:\s|\*|$)|,\s+(?:since|because|so)\b|$")
NUMBER = re.compile(
    r"(?<![\w.])[-+−]?\$?(?:\d+(?:,\d{3})*(?:\.\d+)?|\.\d+)(?:[eE][-+]?\d+)?(?:/\d+)?"
)
MAX_PHRASE = 200  # characters: what is longer is prose
MAX_NUMBER = 1000  # digits, before the search for the last number begins further ahead


def extract_answer(text: str) -> str | None:
    r"""The answer in a model's text, or None if there is none.

    The last complete `\boxed{...}` or `\fbox{...}` (also `\boxed 5`); without a box, what follows
    the last "the answer is" or "####", to the end of its sentence; without these, the last number.

    >>> extract_answer(r"First \boxed{1}, then \boxed{\frac{1}{2}}.")
    '\\frac{1}{2}'
    >>> extract_answer("<think>Is it 7?</think> The answer is 8.")
    '8'
    """
    answer = _after_thinking(text)
    for find in (last_box, _last_phrase, _last_number):
        found = find(answer)
        if found is not None:
            return found
    return None


def last_box(text: str) -> str | None:
    r"""What stands in the last complete box, or None.

    A box that is never closed, as at the end of a text that was cut off, does not count.

    >>> last_box(r"so \boxed{\frac{1}{2}}, or \boxed{\frac{1")
    '\\frac{1}{2}'
    """
    starts = [match.end() for match in BOX.finditer(text)]
    closing = _closing_braces(text, starts[0]) if starts else {}
    for start in reversed(starts):
        if text[start : start + 1] == "{":
            if start in closing and (content := text[start + 1 : closing[start]].strip()):
                return content
        elif unbraced := UNBRACED.match(text, start):
            return unbraced.group()
    return None


def _closing_braces(text: str, start: int) -> dict[int, int]:
    """Where each brace that opens after `start` is closed; those that never are, are left out."""
    closing, open_braces = {}, []
    for match in BRACE.finditer(text, start, text.rfind("}") + 1):
        brace = match.group()
        if brace == "{":
            open_braces.append(match.start())
        elif brace == "}" and open_braces:
            closing[open_braces.pop()] = match.start()
    return closing


def _after_thinking(text: str) -> str:
    """What follows the draft; the draft itself if nothing does."""
    draft, end, rest = text.rpartition("</think>")
    if end:
        return rest if rest.strip() else draft
    before, _, draft = text.rpartition("<think>")  # cut off while thinking
    return before if before.strip() else draft


def _last_phrase(text: str) -> str | None:
    phrase = _last(PHRASE, text)
    if phrase is None:
        return None
    end = PHRASE_END.search(text, phrase.end(), phrase.end() + MAX_PHRASE)
    answer = text[phrase.end() : end.start() if end else phrase.end()].strip().strip("*").strip()
    return None if BOX.search(answer) else answer or None


def _last_number(text: str) -> str | None:
    last_digit = max(text.rfind(digit) for digit in "0123456789")
    if last_digit < 0:
        return None
    number = _last(NUMBER, text, max(0, last_digit - MAX_NUMBER)) or _last(NUMBER, text)
    return number.group().replace("$", "") if number else None


def _last(pattern: re.Pattern, text: str, start: int = 0) -> re.Match | None:
    found = deque(pattern.finditer(text, start), maxlen=1)
    return found[0] if found else None
