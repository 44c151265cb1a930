r"""The tables of notation: what commands, letters, words and Unicode signs mean.

A table grows by a word. The lexer looks signs up here, the parser words.
"""

import unicodedata
from fractions import Fraction
from functools import lru_cache


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# --- functions and letters ---
FUNCTIONS = _words("""
    sin cos tan cot sec csc cis arcsin arccos arctan arccot arcsec arccsc
    sinh cosh tanh coth sech csch arcsinh arccosh arctanh
    ln log lg exp sqrt cbrt fourthroot abs floor ceil gcd lcm min max det conj Re Im arg
""")
GREEK = _words(r"""
    alpha beta gamma delta epsilon varepsilon zeta eta theta vartheta iota kappa lambda mu nu xi pi rho varrho sigma
    tau upsilon phi varphi chi psi omega Gamma Delta Theta Lambda Xi Pi Sigma Upsilon Phi Psi Omega ell hbar partial
    Pr top
""")
# Letters that a bracket makes a function of, whatever stands in it: f(x + 1), but x(x + 1).
FUNCTION_LETTERS = frozenset("fgFG")
# ... and those that it makes one of if a single thing stands in it: h(x), P(A), but h(a + b).
MAYBE_FUNCTION_LETTERS = frozenset(["h", "H", "P", "Q", "T", "phi", "psi", "Phi", "Pr", "E"])

# --- commands ---
TEXT_COMMANDS = _words("""
    text mbox hbox mathrm textbf textit textrm textnormal mathbf mathit mathsf operatorname emph texttt textsf textsc
    textup mathtt mathnormal mathbb Bbb mathds
""")
# Commands that change how something looks: what stands in their braces stays.
DRESSING = _words("""
    left right middle big Big bigg Bigg bigl bigr Bigl Bigr biggl biggr Biggl Biggr bigm Bigm
    displaystyle textstyle scriptstyle scriptscriptstyle quad qquad enspace thinspace medspace thickspace negthinspace
    limits nolimits hfill hfil boldsymbol bm bold bf rm it sf tt cal mathcal mathscr mathfrak pmb
    tiny scriptsize footnotesize small normalsize large Large LARGE huge Huge
    boxed fbox underline uline mathstrut strut smash ensuremath therefore because nonumber notag noindent allowbreak
    newline par relax mathop mathbin mathrel mathord mathopen mathclose mathinner mathpunct ce square blacksquare qed
    mathclap mathllap mathrlap clap llap rlap underbrace overbrace negmedspace negthickspace checkmark
""")
DROPPED_WITH_ARGUMENT = _words("""
    hspace vspace hskip phantom hphantom vphantom tag label color textcolor colorbox mspace
""")
# Marks over or before a name: they make another name of it.
MARKS = _words("""
    vec hat bar overline widehat tilde widetilde dot ddot overrightarrow overleftrightarrow overarc angle measuredangle
    triangle
""")
MATRICES = _words("matrix pmatrix bmatrix Bmatrix vmatrix smallmatrix array")
SYSTEMS = _words(
    "cases dcases rcases aligned align align* gather gather* gathered split alignedat eqnarray equation equation*"
)
# LaTeX command → the sign that the lexer emits.
SIGNS = {
    "cdot": "*", "times": "*", "ast": "*", "bullet": "*", "div": "/", "pm": "±", "mp": "∓",
    "le": "<=", "leq": "<=", "leqslant": "<=", "leqq": "<=", "ge": ">=", "geq": ">=", "geqslant": ">=", "geqq": ">=",
    "lt": "<", "gt": ">", "ne": "!=", "neq": "!=", "approx": "≈", "thickapprox": "≈", "doteq": "≈", "simeq": "≈",
    "equiv": "≡", "in": "in", "cup": "∪", "bigcup": "∪", "cap": "∩", "setminus": "∖", "backslash": "∖",
    "smallsetminus": "∖", "infty": "∞", "emptyset": "∅", "varnothing": "∅", "lvert": "|", "rvert": "|", "vert": "|",
    "mid": "|", "lVert": "‖", "rVert": "‖", "Vert": "‖", "lfloor": "⌊", "rfloor": "⌋", "lceil": "⌈", "rceil": "⌉",
    "langle": "⟨", "rangle": "⟩", "lbrace": r"\{", "rbrace": r"\}", "lbrack": "[", "rbrack": "]", "lparen": "(",
    "rparen": ")", "degree": "°", "textdegree": "°", "lor": "∨", "land": "∧", "vee": "∨", "wedge": "∧",
    "colon": ":", "to": "→", "rightarrow": "→", "Rightarrow": "⇒", "implies": "⇒", "Longrightarrow": "⇒",
    "iff": "⇒", "Leftrightarrow": "⇒", "mapsto": "↦", "longmapsto": "↦", "prime": "'",
    "ldots": "…", "dots": "…", "cdots": "…", "dotsc": "…", "dotsb": "…", "reals": "ℝ", "R": "ℝ", "N": "ℕ", "Z": "ℤ",
    "bmod": "mod", "mod": "mod", "pmod": "mod", "pod": "mod", "textdollar": "", "pounds": "", "euro": "", "texteuro": "", "yen": "", "textsterling": "", "notin": "∉", "cr": r"\\", "tabularnewline": r"\\",
}  # fmt: skip
# Spelled in letters → the sign, the function, or the symbol pi.
WORDS = {
    "or": "or", "and": "and", "pi": "pi", "infinity": "∞", "infty": "∞", "inf": "∞", "oo": "∞", "U": "∪",
    "union": "∪", "in": "in", "mod": "mod", "to": "to", "percent": "%", "degrees": "°", "degree": "°", "deg": "°", "plus": "+",
    "minus": "-", "over": "/", "asin": "arcsin", "acos": "arccos", "atan": "arctan", "acot": "arccot",
    "asinh": "arcsinh", "acosh": "arccosh", "atanh": "arctanh", "arsinh": "arcsinh", "arcosh": "arccosh",
    "artanh": "arctanh", "cosec": "csc", "tg": "tan", "ctg": "cot", "arctg": "arctan", "arcctg": "arccot",
}  # fmt: skip
SAME_SIGN = {
    "**": "^",
    "==": "=",
    r"\%": "%",
    r"\|": "‖",
    "...": "…",
    "<>": "!=",
    "+/-": "±",
    "+-": "±",
    "=>": "⇒",
}
NUMBER_SETS = {"R": "ℝ", "Z": "ℤ", "N": "ℕ", "Q": "ℚ", "C": "ℂ"}

# --- words after and instead of numbers ---
# Dropped without a trace after a number: what is measured in them is in the question.
UNITS = _words("""
    mm cm dm km nm kg mg ml cl dl ft yd mi lb lbs oz hr hrs sec secs min mins mph kph kmh rpm hz khz mhz kw kwh mw pa kpa
    cal kcal mol in2 ft2 cm2 cm3 m2 m3 gb mb kb
    inch inches foot feet yard yards mile miles meter meters metre metres centimeter centimeters centimetre centimetres
    kilometer kilometers kilometre kilometres millimeter millimeters millimetre millimetres decimeter decimeters
    gram grams kilogram kilograms milligram milligrams ton tons tonne tonnes pound pounds ounce ounces
    liter liters litre litres milliliter milliliters millilitre millilitres gallon gallons quart quarts pint pints cup
    cups acre acres hectare hectares
    second seconds minute minutes hour hours day days week weeks month months year years decade decades century centuries
    cent cents dollar dollars euro euros penny pennies pence nickel nickels dime dimes usd eur gbp inr cad aud jpy cny rs
    rupee rupees yen yuan buck bucks
    radian radians rad rads celsius fahrenheit kelvin joule joules newton newtons watt watts volt volts ampere amperes
    ohm ohms pascal pascals mole moles hertz knot knots
    unit units square cubic sq cu per each oclock
""")
# Of the short ones, those that are no likely product of letters.
PLAIN_UNITS = _words("mm cm km kg mg ml ft lb lbs oz hr hrs") | {
    unit for unit in UNITS if len(unit) > 2
}
CURRENCIES = _words("usd eur gbp inr cad aud jpy cny rs rmb")
# One letter, upright after a number: metres, seconds, grams, litres, hours, newtons, joules, ...
UNIT_LETTERS = frozenset("msgLhNJW")
SPACED_UNIT_LETTERS = frozenset("lVAKCFt")  # these behind a space only: `5\text{t}` is a product
# a quantity in two units: how many of the second make one of the first
PARTS_OF_UNITS = {
    "hour": {"minute": 60, "min": 60}, "hr": {"min": 60, "minute": 60}, "h": {"m": 60, "min": 60},
    "minute": {"second": 60}, "min": {"sec": 60, "s": 60}, "foot": {"inch": 12}, "feet": {"inch": 12},
    "ft": {"in": 12, "inch": 12}, "yard": {"foot": 3, "feet": 3}, "pound": {"ounce": 16}, "lb": {"oz": 16},
    "dollar": {"cent": 100}, "euro": {"cent": 100}, "rupee": {"paise": 100}, "day": {"hour": 24}, "year": {"month": 12},
    "week": {"day": 7}, "meter": {"centimeter": 100}, "m": {"cm": 100}, "km": {"m": 1000}, "kg": {"g": 1000},
    "kilogram": {"gram": 1000},
}  # fmt: skip
# Words that say something about a number: none of them can be dropped, nor read as its name.
NOT_UNITS = _words("""
    equals factorial remainder below above under not no unknown less more than modulo root by of is are
""")
# What they begin limits an answer, or only gives the reason for it, to its end.
REASONS = _words("since because as")
QUALIFIERS = REASONS | _words("for where with when whenever provided assuming given if such")
MAGNITUDES = {
    "pair": 2, "dozen": 12, "score": 20, "hundred": 100, "thousand": 10**3, "million": 10**6, "billion": 10**9,
    "trillion": 10**12, "tens": 10, "hundreds": 100, "thousands": 10**3, "millions": 10**6, "billions": 10**9,
}  # fmt: skip
DENOMINATORS = {
    "half": 2, "halves": 2, "third": 3, "quarter": 4, "fourth": 4, "fifth": 5, "sixth": 6, "seventh": 7, "eighth": 8,
    "ninth": 9, "tenth": 10, "eleventh": 11, "twelfth": 12, "fifteenth": 15, "sixteenth": 16, "twentieth": 20,
    "hundredth": 100, "thousandth": 1000, "millionth": 10**6,
}  # fmt: skip
ORDINAL_WORDS = {
    word: number for word, number in DENOMINATORS.items() if word not in ("half", "quarter")
} | {"first": 1}
DENOMINATORS |= {f"{word}s": number for word, number in DENOMINATORS.items() if word != "halves"}
SMALL_NUMBERS = {
    word: number
    for number, word in enumerate(
        [
            "zero",
            "one",
            "two",
            "three",
            "four",
            "five",
            "six",
            "seven",
            "eight",
            "nine",
            "ten",
            "eleven",
            "twelve",
            "thirteen",
            "fourteen",
            "fifteen",
            "sixteen",
            "seventeen",
            "eighteen",
            "nineteen",
        ]
    )
} | {
    word: number
    for number, word in zip(
        range(20, 100, 10),
        ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"],
        strict=True,
    )
}
MONTHS = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
]
WEEKDAYS = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
SHORT_NAMES = {name[:3]: name for name in (*MONTHS, *WEEKDAYS)}
SHORT_NAMES |= {"sept": "september", "tues": "tuesday", "thur": "thursday", "thurs": "thursday"}
# Short words that no product of letters is meant by; outside \text they would be one.
SHORT_WORDS = (
    frozenset(["odd", "yes", "Yes", "No", "So", "The", "the", "not", "for", "out", "AM", "PM", "BC", "AD", "CE", "BCE"])
    | frozenset(word for word in SMALL_NUMBERS if len(word) < 4)
    | frozenset(name[:3].title() for name in (*MONTHS, *WEEKDAYS))
    | frozenset(["ago", "all", "any", "of", "is", "are", "if"])
)  # fmt: skip
# What stands before a colon and says nothing of what is behind it.
NO_LABELS = frozenset(
    ["answer", "final answer", "ans", "solution", "result", "答案", "解", "答", "最终答案"]
)
BEFORE_WORDS = _words("at an by on no be it as my we he")  # words if another word follows them
ARTICLES = _words("the a an on at")
OPENERS = _words(
    "so thus hence therefore then finally 共 共有 约 即 故 所以 因此 则 得"
)  # of a sentence, before its mathematics
# What limits the number behind it.
BOUNDS = {
    "at least": ">=", "no less than": ">=", "not less than": ">=", "at most": "<=", "no more than": "<=",
    "not more than": "<=", "up to": "<=", "more than": ">", "greater than": ">", "larger than": ">",
    "less than": "<", "fewer than": "<", "smaller than": "<",
}  # fmt: skip
# ... or, with "or" between them, the number before it.
OR_BOUNDS = {
    "more": ">=", "greater": ">=", "above": ">=", "higher": ">=", "less": "<=", "fewer": "<=", "below": "<=",
    "lower": "<=",
}  # fmt: skip
ADVERBS = _words("about around approximately roughly exactly only just simply nearly almost")
# The same said in other words; a name that stands for a set is its sign.
PHRASES = {
    "all real numbers": "ℝ", "all reals": "ℝ", "all real number": "ℝ", "real numbers": "ℝ", "reals": "ℝ",
    "any real number": "ℝ", "set of all real numbers": "ℝ", "set of real numbers": "ℝ", "all real values": "ℝ",
    "所有实数": "ℝ", "全体实数": "ℝ", "empty set": "∅", "no solution": "∅", "no solutions": "∅", "none": "∅",
    "there is no solution": "∅", "there are no solutions": "∅", "无解": "∅", "空集": "∅", "no real solution": "no real solution",
    "no real solutions": "no real solution", "there are no real solutions": "no real solution",
    "no real root": "no real solution", "no real roots": "no real solution", "no roots": "∅",
    "there are no real roots": "no real solution", "no solution exists": "∅", "no solutions exist": "∅",
    "does not exist": "undefined", "dne": "undefined", "doesn't exist": "undefined", "不存在": "undefined",
    "infinitely many solutions": "infinitely many", "infinite solutions": "infinitely many",
    "infinite": "infinitely many", "there are infinitely many solutions": "infinitely many",
    "无数": "infinitely many", "是": "yes", "否": "no", "对": "true", "错": "false", "正确": "true", "错误": "false",
    "noon": "12 pm", "midnight": "12 am",
}  # fmt: skip

# --- Unicode ---
LATEX_OF_UNICODE = {
    "−": "-", "–": "-", "‐": "-", "‑": "-", "×": "*", "·": "*", "⋅": "*", "∗": "*", "•": "*", "∙": "*", "✕": "*",
    "÷": "/", "∕": "/", "⁄": "/", "√": " sqrt ", "∛": " cbrt ", "∜": " fourthroot ", "∞": r"\infty ",
    "≤": "<=", "⩽": "<=", "≦": "<=", "≥": ">=", "⩾": ">=", "≧": ">=", "≠": "!=", "≈": r"\approx ", "≃": r"\approx ",
    "≡": r"\equiv ", "∈": r"\in ", "∉": r"\notin ", "∪": r"\cup ", "∩": r"\cap ", "∖": r"\setminus ", "∅": r"\emptyset ",
    "Ø": r"\emptyset ", "±": r"\pm ", "∓": r"\mp ", "ℝ": r"\mathbb{R}", "ℤ": r"\mathbb{Z}", "ℕ": r"\mathbb{N}",
    "ℚ": r"\mathbb{Q}", "ℂ": r"\mathbb{C}", "°": r"\degree ", "º": r"\degree ", "℃": r"\degree C",
    "℉": r"\degree F", "⟨": r"\langle ", "⟩": r"\rangle ", "〈": r"\langle ", "〉": r"\rangle ", "⌊": r"\lfloor ",
    "⌋": r"\rfloor ", "⌈": r"\lceil ", "⌉": r"\rceil ", "∣": "|", "‖": r"\|", "∥": r"\|", "∠": r"\angle ",
    "△": r"\triangle ", "∆": r"\triangle ", "⇒": r"\Rightarrow ", "⟹": r"\Rightarrow ", "→": r"\to ",
    "↦": r"\mapsto ", "⇔": r"\iff ", "∴": " ", "…": r"\ldots ", "⋯": r"\ldots ", "∧": r"\land ", "∨": r"\lor ",
    "∀": r"\forall ", "∑": r"\sum ", "∏": r"\prod ", "∫": r"\int ", "∂": r"\partial ", "∶": ":", "‰": r"\times 10^{-3}",
    "’": "'", "‘": "'", "′": "'", "″": "''", "“": '"', "”": '"', "„": '"', "«": '"', "»": '"', "。": ".", "、": ",",
    "；": ";", "「": '"', "」": '"', "【": "[", "】": "]",
    "\u00a0": " ", "\u2009": r"\,", "\u202f": r"\,", "\u3000": " ", "✓": " ", "✔": " ", "✅": " ",
    "或": r"\text{ or }", "和": r"\text{ and }", "且": r"\text{ and }", "及": r"\text{ and }",
    "α": r"\alpha ", "β": r"\beta ", "γ": r"\gamma ", "δ": r"\delta ", "ε": r"\epsilon ", "ϵ": r"\epsilon ",
    "ζ": r"\zeta ", "η": r"\eta ", "θ": r"\theta ", "ϑ": r"\theta ", "ι": r"\iota ", "κ": r"\kappa ",
    "λ": r"\lambda ", "μ": r"\mu ", "µ": r"\mu ", "ν": r"\nu ", "ξ": r"\xi ", "π": r"\pi ", "ρ": r"\rho ",
    "σ": r"\sigma ", "τ": r"\tau ", "φ": r"\phi ", "ϕ": r"\phi ", "χ": r"\chi ", "ψ": r"\psi ", "ω": r"\omega ",
    "Γ": r"\Gamma ", "Δ": r"\Delta ", "Θ": r"\Theta ", "Λ": r"\Lambda ", "Ξ": r"\Xi ", "Σ": r"\Sigma ",
    "Φ": r"\Phi ", "Ψ": r"\Psi ", "Ω": r"\Omega ", "ℓ": r"\ell ",
}  # fmt: skip


def _set_at(height: str) -> dict[str, str]:
    """Map the characters that Unicode sets higher ("<super>") or lower to what they are."""
    parts = {chr(code): unicodedata.decomposition(chr(code)) for code in range(0xAA, 0x2D00)}
    found = {
        char: chr(int(part.split()[1], 16))
        for char, part in parts.items()
        if part.startswith(height) and part.count(" ") == 1
    }
    return {char: LATEX_OF_UNICODE.get(sign, sign) for char, sign in found.items() if char != "º"}


RAISED, LOWERED = _set_at("<super>"), _set_at("<sub>")


@lru_cache(4096)
def latex_of(char: str) -> str:
    r"""Return a character of Unicode as LaTeX, or as the plain character that it is a form of.

    >>> latex_of("≤"), latex_of("¾"), latex_of("𝑥"), latex_of("\u200b")
    ('<=', '\\frac{3}{4}', 'x', '')
    """
    if char in LATEX_OF_UNICODE:
        return LATEX_OF_UNICODE[char]
    category = unicodedata.category(char)
    if category == "Cf":  # invisible
        return ""
    if category == "Sc":  # the currency does not count
        return r"\$"
    if unicodedata.decomposition(char).startswith("<fraction>") and char != "⅟":
        value = Fraction(unicodedata.numeric(char)).limit_denominator(100)
        return rf"\frac{{{value.numerator}}}{{{value.denominator}}}"
    plain = unicodedata.normalize("NFKC", char)
    return plain if plain == char else "".join(map(latex_of, plain))


def number_in_words(words: list[str]) -> Fraction | None:
    """Return the number that words name, or None.

    >>> print(number_in_words("two hundred and five".split()), number_in_words(["three", "eighths"]))
    205 3/8
    >>> print(number_in_words("two and a half".split()), number_in_words(["even"]))
    5/2 None
    """
    total, group, read = Fraction(0), Fraction(0), False
    for place, word in enumerate(words):
        if word in SMALL_NUMBERS:
            if read and not (group % 100 == 0 or (group % 10 == 0 and SMALL_NUMBERS[word] < 10)):
                return None  # two numbers in a row
            group, read = group + SMALL_NUMBERS[word], True
        elif word in MAGNITUDES and word != "score":
            group, read = (group if read and group else Fraction(1)) * MAGNITUDES[word], True
            if MAGNITUDES[word] >= 1000:
                total, group = total + group, Fraction(0)
        elif word in DENOMINATORS and place == len(words) - 1:
            before = [one for one in words[:place] if one != "a"]
            if "and" in before:  # two and a half
                split = len(before) - 1 - before[::-1].index("and")
                whole = number_in_words(before[:split])
                top = number_in_words(before[split + 1 :]) if before[split + 1 :] else Fraction(1)
                return None if whole is None or top is None else whole + top / DENOMINATORS[word]
            top = (group if total == 0 else None) if read else Fraction(1) if not before else None
            return None if top is None else top / DENOMINATORS[word]
        elif word not in ("and", "a"):
            return None
    return total + group if read else None
