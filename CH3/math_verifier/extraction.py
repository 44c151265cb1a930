r"""Find the answer in what a model wrote: the last box, or what usually announces an answer, or the
last formula or number.

- braces are counted, not matched by a regular expression: `\boxed{\frac{1}{2}}` has three pairs of
  them
- what stands between `<think>` and `</think>` is a draft, and counts only if nothing follows it
- what follows "the answer is" is read as far as it is mathematics: in "58, so she needs two boxes"
  it is 58
- a number is never cut out of a formula or out of another number: for whoever learns from grades no
  answer is better than a wrong one
- one pass over the text for each of these, so a long text takes no more than its length
"""

import re
from collections import deque
from collections.abc import Iterator

from CH3.math_verifier.lexer import UnreadableError
from CH3.math_verifier.parser import parse
from CH3.math_verifier.tree import Node, Tree


def _either(words: str) -> str:
    """Make a pattern of words; `~` is a space within one."""
    return "|".join(words.split()).replace("~", r"\s")


BOX = re.compile(
    r"""(?: \\f?boxed | \\fbox | \\framebox | \x08oxed | (?<![\\a-zA-Z])b?oxed(?=\{) | \\box(?=\{) )
        (?![a-zA-Z])\s*""",
    re.VERBOSE,
)
BRACE = re.compile(r"\\[\\{}]|[{}]")  # an escaped brace is a sign like others
FRACTION = r"\\[dt]?frac" + 2 * r"\s*(?:\{[^{}]*\}|\d)"
# \boxed 5
UNBRACED = re.compile(
    FRACTION
    + r"|\\(?!f?boxed|fbox|text)[a-zA-Z]+|[-+]?\d+(?:\.\d+)?|[a-zA-Z](?![a-zA-Z])"
    + r"|\([^()\n]{1,99}\)|\[[^\[\]\n]{1,99}\]"
)
PLACEHOLDER = re.compile(
    r"(?:(?:your|the|my)\s+)?(?:final\s+)?answer(?:\s+here)?|\.\.\.|…|\\[lc]?dots|\s*"
)
# between boxes that are one answer: \boxed{3} and \boxed{5}
BETWEEN_BOXES = re.compile(
    r"[\s$]*(?:,|;|\\text\s*\{)?[\s$]*(?:,|and|or)?\s*\}?[\s$]*(?:\w\s*=\s*)?"
)
NAMED_CHOICE = re.compile(
    r"(?<!\w)\(?([A-J])\)? is (?:the )?(?:correct|right|best)(?: (?:answer|option|choice))?(?!\w)"
)
LONE_CHOICE = re.compile(r"(?:[Oo]ption|[Cc]hoice)?[*_$ ]{0,6}\(?([A-J])\)?[.*_$ ]{0,6}")
CHOSEN = re.compile(r"\(?[A-J]\)?\.?")
JOINT = re.compile(r"[,;]|and|or")
NEXT_QUESTION = re.compile(r"\n[ \t*#]{0,9}(?:Question|Problem|Q) ?\d{0,3} ?:")

_WORD = r"[\w'’$\\{}^-]{1,30}"
# What a phrase that announces an answer begins with: they are looked for first, and quickly.
KEYWORD = re.compile(
    "####|[Aa]nswer|ANSWER|[Rr]esult|RESULT|[Oo]ption|[Cc]hoice|[Vv]alue|[Nn]umber|[Ss]olution|[Rr]oots|choose|select|pick|"
    "答案|结果|答え|答|选|"
    "[Rr]éponse|[Aa]ntwort|[Rr]espuesta|[Rr]isposta|[Rr]esposta|[Rr]ésultat|[Ee]rgebnis|[Оо]твет"
)
MAX_KEYWORDS = 500  # that are tried, from the last one
PHRASE = re.compile(
    rf"""
    # stops at the next mark: a text full of them is read once, not a hundred times
    \#\#\#\#(?=[ \t*]{{0,9}}(?:[-+−$€£\\(\[{{.]?[\d\\(]|[-+−]?\$|[A-J][ \t*]{{0,9}}(?:\n|\Z)))
  | (?:[Aa]nswer|ANSWER|[Rr]esult|RESULT)(?:[ ](?:choice|option))?[*_]{{0,3}}
        (?: \s{{1,3}} (?:to|for|of|in) (?:\s{{1,3}}{_WORD}){{1,8}}? )?
        (?: \s{{0,3}}[*_]{{0,3}}\s{{0,3}}[:=|] | [*_]{{0,3}}\s{{1,3}}[-–—]\s
          | \s{{1,3}}(?=\([A-J]\) | \(?[A-J]\)?[ \t.*]{{0,5}}(?:\n|\Z))
          | \s{{1,3}}(?:is|are|was|equals|becomes|IS|(?:should|must|would|will)\s{{1,3}}be)\b )
  | (?: \A | (?<=\n) | (?<=[\#*_]) | (?<=[\#*_][ ]) | (?<=inal[ ]) )
        (?:[Aa]nswer|ANSWER) [ \t*_]{{0,9}}:?[ \t*_]{{0,9}}(?=\n)
  | (?:[Oo]ption|[Cc]hoice|[Vv]alue|[Nn]umber|[Ss]olution)\s{{1,3}}is\s{{0,3}}:
  | (?:[Ss]olutions|[Rr]oots|[Aa]nswers)\s{{1,3}}are\s{{0,3}}:?(?=\s{{0,3}}[$\\\d({{−-])
  | (?<=orrect[ ])(?:option|choice)\s{{0,3}}[*_]{{0,3}}:
  | (?: (?<=orrect[ ]) | (?<=[Mm]y[ ]) | (?<=ight[ ]) | (?<=inal[ ]) | (?<=est[ ]) )
        (?:option|choice|value|number|solution)\s{{1,3}}is\b
  | (?:[Oo]ption|[Cc]hoice)\s{{1,3}}
        (?=\(?[A-J]\)?\s{{1,3}}is\s{{1,3}}(?:the\s{{1,3}})?(?:right|correct|answer))
  | (?:choose|select|pick)\s{{1,3}}(?:(?:option|choice|answer)\s{{1,3}})?
        (?=\(?[A-J]\)?\s*(?:[.,:;]|\Z))
  | 选(?:择|項|项)?\s{{0,3}}[:：]?(?=\s{{0,3}}[(（]?[A-J])
  | (?:答案|结果|答え)[*\s]{{0,3}}(?:是|为|為|は|[:：]) | 答[:：]
  | (?:[Rr]éponse|[Aa]ntwort|[Rr]espuesta|[Rr]isposta|[Rr]esposta|[Оо]твет|[Rr]ésultat|[Ee]rgebnis)
        (?:\s{{1,3}}(?:finale?|correcta|correcte))?\s{{0,3}}
        (?: (?:est|ist|lautet|es|è|é)\b | [:—-] )
    """,
    re.VERBOSE,
)
# Words before an answer that say nothing of it; things that it may be called.
FILLER_WORDS = """
    therefore thus then simply just exactly precisely approximately about around roughly indeed
    actually clearly obviously definitely now hence still only also again that option choice
    equal~to given~by given~as found~to~be going~to~be as~follows
"""
THINGS = """
    fraction number value point set interval expression function equation matrix vector list choice
    option letter integer sum product polynomial ordered~pair pair ratio decimal percentage word
    statement
"""
FILLERS = re.compile(
    rf"""(?: \s*\n\s*[-•]\s+ | ={{3,}} | -{{3,}} | [\s:*_|"“,]+ | \\\\
      | (?: {_either(FILLER_WORDS)} | the\ (?:{_either(THINGS)})(?=,?\s*[\d\\$(\[{{-]) )\b ,? )+""",
    re.IGNORECASE | re.VERBOSE,
)
# a formula between its delimiters
FORMULA = re.compile(
    r"\$\$(?P<a>[^$]{1,999})\$\$|\$(?P<b>[^$\n]{1,999})\$"
    r"|\\\((?P<c>.{1,999}?)\\\)|\\\[(?P<d>.{1,999}?)\\\]",
    re.DOTALL,
)
OPENING = re.compile(r"\$\$?|\\\(|\\\[")
BETWEEN_FORMULAS = re.compile(r"\s*(?:,|;|,?\s*and|,?\s*or)\s+")
SENTENCE_END = re.compile(r"\n|[.?](?:\s|[*_\"”]|$)|。|$")
# where the answer's clause ends, and another begins
CLAUSE_WORDS = """
    because since as which so where when while whereas if but who that after rather not and~we
    and~the and~this and~that and~it and~not
"""
CLAUSE_END = re.compile(
    rf"""; | :\s+(?=[a-z]{{2}}) | ,\s+(?=[a-zA-Z]{{2}})(?!(?:and|or)\s+[-\d$\\(])
      | \s\(?\((?=[a-zA-Z=]|[^()]{{1,99}}=)
      | \s[-–—]\s+(?=[a-zA-Z]{{2}}) | — | ,?\s+(?:{_either(CLAUSE_WORDS)})\b
      | \s+is\s+(?:the\s+)?(?:right|correct|answer)\b | \s(?:✓|✔|✅)""",
    re.VERBOSE | re.IGNORECASE,
)
MAX_BETWEEN_BOXES = 40  # characters between boxes of one answer
MAX_BOXES = 20  # of one answer
MAX_PHRASE = 400  # characters: what is longer is prose
MAX_TRIES = 12  # clauses of one sentence
MAX_WORDS = 6  # of an answer without a number or a formula; more are the beginning of a solution
PLAIN = re.compile(r"[\d\\$=]")
TAIL = 1200  # characters that are looked at around the last number

WHOLE = r"\d{1,3}(?:(?:,|\{,\}|(?:\\!)?,\\!\s?|\\,)\d{3})+(?!\d)|\d+"
NUMBER = re.compile(
    rf"""(?<![\w.^_])
    [-+−]?\s?(?:\\?\$)?√?
    (?: (?:{WHOLE})\ \d+/\d+ | (?:{WHOLE})?\s?[½⅓⅔¼¾⅕⅖⅗⅘⅙⅚⅛⅜⅝⅞]
      | (?:(?:{WHOLE})(?:\.\d+)?|\.\d+) (?:[eE][-+]?\d+)? (?:/\d+(?:\.\d+)?)?
        (?::\d+)* (?:%|√\d+|π)? )""",
    re.VERBOSE,
)
POINT = re.compile(r"(?<![\w^}\\])[(\[{]\s*[-−]?\d[\d./]*(?:\s*,\s*[-−]?\d[\d./]*)+\s*[)\]}]")
PIECE = re.compile(r"[\\{}^_]")


def extract_answer(text: str, finished: bool = True) -> str | None:
    r"""Return the answer in a model's text, or None if there is none.

    The last complete `\boxed{...}` or `\fbox{...}` (also `\boxed 5`), or the last few, if only
    "and" or a comma stands between them; without a box, what stands in the last `<answer>` tag, or
    what follows the last "the answer is" or "####", to the end of its clause; without these, the
    last formula or number. A text that goes on with a question of its own counts up to there.

    Args:
        text: what the model wrote.
        finished: False for a text that was cut off. Its last number is that of unfinished work, so
            nothing but a complete box counts, unless the text had come to a question of its own.

    >>> extract_answer(r"First \boxed{1}, then \boxed{\frac{1}{2}}.")
    '\\frac{1}{2}'
    >>> extract_answer("<think>Is it 7?</think> The answer is 8, because 3 + 5 = 8.")
    '8'
    >>> extract_answer("57 * 25 = 57 * 20 + 57 * 5, and 57 * 20 = ", finished=False)
    """
    written = _after_thinking(text)
    answer = _first_question(written)
    if not finished and answer == written:
        return _boxes(answer) or None
    for find in (_boxes, _tagged, _announced, _named_choice, _last_formula_or_number):
        found = find(answer)
        if found is not None:
            return found or None
    return None


def last_box(text: str) -> str | None:
    r"""Return what stands in the last complete box, or None.

    A box that is never closed, as at the end of a text that was cut off, does not count.

    >>> last_box(r"so \boxed{\frac{1}{2}}, or \boxed{\frac{1")
    '\\frac{1}{2}'
    """
    return next((content for content, _, _ in _boxes_from_the_end(text)), None)


def _boxes(text: str) -> str | None:
    """Return the last box, with those before it that are parts of the same answer."""
    found: list[str] = []
    begin, joint = -1, ", "
    for content, start, end in _boxes_from_the_end(text):
        if not found and CHOSEN.fullmatch(chosen := _announced(text[end:]) or ""):
            return chosen  # \boxed{12} ... Answer: D
        if found:
            between = text[end:begin] if 0 <= begin - end <= MAX_BETWEEN_BOXES else "no"
            if not BETWEEN_BOXES.fullmatch(between) or not JOINT.search(between):
                break
            joint = r" \text{ or } " if "or" in between else joint
        found.append(content)
        begin = start
        if len(found) == MAX_BOXES:
            break
    return joint.join(dict.fromkeys(found[::-1])) if found else None


def _boxes_from_the_end(text: str) -> Iterator[tuple[str, int, int]]:
    """Yield the content of complete boxes with their first and last place, the last box first."""
    starts = [(match.start(), match.end()) for match in BOX.finditer(text)]
    closing = _closing_braces(text, starts[0][1]) if starts else {}
    for begin, start in reversed(starts):
        if text[start : start + 1] == "{":
            if start in closing:
                content = text[start + 1 : closing[start]].strip()
                if content and not PLACEHOLDER.fullmatch(content):
                    yield content, begin, closing[start] + 1
        elif unbraced := UNBRACED.match(text, start):
            yield unbraced.group(), begin, unbraced.end()


def _closing_braces(text: str, start: int) -> dict[int, int]:
    """Map each brace that opens after `start` to its partner; those without one are left out."""
    closing, open_braces = {}, []
    for match in BRACE.finditer(text, start, text.rfind("}") + 1):
        brace = match.group()
        if brace == "{":
            open_braces.append(match.start())
        elif brace == "}" and open_braces:
            closing[open_braces.pop()] = match.start()
    return closing


def _after_thinking(text: str) -> str:
    """Return what follows the draft; the draft itself if nothing does."""
    draft, end, rest = text.rpartition("</think>")
    if end:
        return rest if rest.strip() else draft
    before, _, draft = text.rpartition("<think>")  # cut off while thinking
    return before if before.strip() else draft


def _first_question(text: str) -> str:
    """Return a text up to the next question that it asks itself, if it has answered one before."""
    following = NEXT_QUESTION.search(text)
    if following is None:
        return text
    before = text[: following.start()]
    return before if BOX.search(before) or _last_phrase(before) else text


def _tagged(text: str) -> str | None:
    """Return what stands in the last `<answer>` tag."""
    at = text.rfind("<answer>")
    if at < 0:
        return None
    inside = text[at + len("<answer>") :].partition("</answer>")[0].strip()
    if not inside or len(inside) > MAX_PHRASE:
        return None
    return _announced(inside) or _clause(inside)


def _announced(text: str) -> str | None:
    """Return what follows the last phrase that announces an answer; "" if that was cut off."""
    phrase = _last_phrase(text)
    if phrase is None:
        return None
    rest = text[phrase.end() : phrase.end() + MAX_PHRASE]
    if not rest.strip(" \n*_$:"):
        return ""
    if (box := BOX.search(rest)) and not SENTENCE_END.search(rest[: box.start()].strip() + " x"):
        unfinished = rest[box.end() :].lstrip("{ ")
        return unfinished.strip() if _is_whole(unfinished) else ""
    clause = _clause(rest)
    if clause is not None and clause.count("{") > clause.count("}"):  # cut off
        return ""
    is_prose = clause is not None and len(clause.split()) > MAX_WORDS and not PLAIN.search(clause)
    return None if is_prose else clause


def _named_choice(text: str) -> str | None:
    """Return the letter of "(C) is the correct answer", or of a last line that is nothing else."""
    named = _last(NAMED_CHOICE, text) or LONE_CHOICE.fullmatch(text.rstrip().rpartition("\n")[2])
    return None if named is None else named[1]


def _last_phrase(text: str) -> re.Match | None:
    keywords = deque(KEYWORD.finditer(text), maxlen=MAX_KEYWORDS)
    phrases = (PHRASE.match(text, keyword.start()) for keyword in reversed(keywords))
    return next(filter(None, phrases), None)


def _clause(text: str) -> str | None:
    """Return the mathematics at the beginning of a text, or its first words."""
    # 1. what is said before it says nothing
    filler = FILLERS.match(text)
    rest = text[filler.end() :] if filler else text
    # 2. a formula, or several with "and" between them
    formulas = _formulas_at(rest)
    if formulas is not None:
        return formulas
    # 3. the first sentence, as far as it can be read
    sentence = rest[: SENTENCE_END.search(rest).start()]  # type: ignore[union-attr]
    if BOX.search(sentence):
        return None
    sentence = _unmarked(sentence)
    if not sentence:
        return None
    ends = [match.start() for match in CLAUSE_END.finditer(sentence)][:MAX_TRIES]
    clauses = [*(sentence[:end] for end in ends), sentence]
    for clause in clauses:
        clause = _unmarked(clause)
        if _tree(clause) is not None:
            return clause
    # 4. a formula further on, or the clause as it is
    if (formula := _last(FORMULA, sentence)) is not None:
        return _inside(formula)
    shortest = _unmarked(clauses[0])
    if shortest and PIECE.search(shortest) is None and (number := NUMBER.match(shortest)):
        return number.group().replace("$", "").strip()
    return shortest or sentence


def _formulas_at(text: str) -> str | None:
    r"""Return the formulas that a text begins with: 5 of `$5$ apples`, `3, 5` of `$3$ and $5$`."""
    found, place = [], 0
    while (formula := FORMULA.match(text, place)) and not _is_money(formula):
        found.append(_inside(formula))
        between = BETWEEN_FORMULAS.match(text, formula.end())
        if between is None:
            break
        place = between.end()
    if found:
        return ", ".join(found)
    opening = OPENING.match(text)
    if opening is None:
        return None
    number = re.match(r"\s*[\d,.]*\d", text[opening.end() :])  # $18 and nothing behind it
    return number.group().strip() if number else None


def _inside(formula: re.Match) -> str:
    return next(part for part in formula.groups() if part is not None).strip()


def _unmarked(clause: str) -> str:
    """Take off Markdown's marks, a closing mark, and a dash that leads nowhere."""
    clause = clause.strip().strip("*_`|").strip().rstrip("!✓✔✅,:").strip()
    return clause.removesuffix("</answer>").strip()


def _tree(text: str) -> Tree | None:
    try:
        return parse(text) if text else None
    except (UnreadableError, RecursionError):
        return None


def _is_prose(tree: Tree) -> bool:
    return isinstance(tree, Node) and (tree.op == "word" or any(map(_is_prose, tree.parts)))


def _is_whole(text: str) -> bool:
    """Return True if a text in a box that was not closed misses nothing else."""
    if re.fullmatch(r"-?\d+(?:\.\d+)?\s*", text):
        return True
    return (
        text.rstrip().endswith("}")
        and text.count("{") == text.count("}")
        and _tree(text) is not None
    )


def _last_formula_or_number(text: str) -> str | None:
    """Return the last formula, or the last number outside of one."""
    last_digit = max(*(text.rfind(digit) for digit in "0123456789"), *map(text.rfind, "½⅓⅔¼¾"))
    if last_digit < 0:
        return None
    # 1. what it stands in: a formula, a point, or a box that was not closed
    begin = max(0, last_digit - TAIL)
    tail = text[begin : last_digit + TAIL]
    at = last_digit - begin
    for formula in FORMULA.finditer(tail):
        if formula.start() <= at < formula.end() and not _is_money(formula):
            return _right_side(_inside(formula))
    for point in POINT.finditer(tail):
        if point.start() <= at < point.end():
            return point.group()
    box = _last(BOX, tail)
    if box and at >= box.end() and tail.count("{", box.end()) > tail.count("}", box.end()):
        inside = tail[box.end() :].lstrip("{ ")
        return inside.strip() if _is_whole(inside) else None
    # 2. a number that is no piece of anything; else a formula without dollar signs
    number = next((one for one in NUMBER.finditer(tail) if one.start() <= at < one.end()), None)
    if number is not None and not PIECE.search(tail[max(0, number.start() - 1) : number.start()]):
        return number.group().replace("$", "").strip()
    return _bare_formula(tail, at)


def _is_money(formula: re.Match) -> bool:
    r"""Return True if two dollar signs are two prices: `$5 and $7`."""
    inside = formula["b"]
    return (
        inside is not None and re.search(r"[a-z]{3,} ", inside) is not None and "\\" not in inside
    )


def _right_side(formula: str) -> str:
    """Return what follows the last `=` of a formula, if it can be read."""
    right = formula.rpartition("=")[2].strip()
    return right if _tree(right) is not None else formula


def _bare_formula(text: str, at: int) -> str | None:
    r"""Return the formula without dollar signs around a place: `x = \frac{5}{9}`; else None."""
    line_start = text.rfind("\n", 0, at) + 1
    line_end = text.find("\n", at)
    line = text[line_start : line_end if line_end >= 0 else len(text)].rstrip(" .")
    at -= line_start
    starts = [line.rfind("=", 0, at) + 1, *(match.end() for match in re.finditer(r"\s", line[:at]))]
    for start in sorted({start for start in starts if start})[-MAX_TRIES:] or [0]:
        piece = line[start:].strip()
        if _tree(piece) is not None and not _is_prose(parse(piece)):
            return piece
    return None


def _last(pattern: re.Pattern, text: str, start: int = 0) -> re.Match | None:
    found = deque(pattern.finditer(text, start), maxlen=1)
    return found[0] if found else None
