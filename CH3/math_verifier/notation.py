r"""The tables of notation: what commands, letters and Unicode signs mean. The lexer looks signs up
here.
"""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


FUNCTIONS = _words("""
    sin cos tan cot sec csc cis arcsin arccos arctan sinh cosh tanh ln log lg exp sqrt abs floor ceil gcd lcm min max
""")
GREEK = _words(r"""
    alpha beta gamma delta epsilon varepsilon zeta eta theta iota kappa lambda mu nu xi pi rho sigma tau upsilon phi
    varphi chi psi omega Gamma Delta Theta Lambda Xi Sigma Phi Psi Omega ell
""")
TEXT_COMMANDS = _words("""
    text mbox hbox mathrm textbf textit textrm textnormal mathbf mathit mathsf operatorname emph
""")
DRESSING = _words("""
    left right big Big bigg Bigg bigl bigr Bigl Bigr biggl biggr displaystyle textstyle quad qquad limits nolimits
    hfill boldsymbol
""")
MATRICES = _words("matrix pmatrix bmatrix Bmatrix smallmatrix array")
UNITS = _words("""
    mm cm km kg mg ml ft lb lbs oz hr hrs sec secs min mins mph inch inches foot feet yard yards mile miles meter meters
    metre metres centimeter centimeters centimetre centimetres kilometer kilometers kilometre kilometres millimeter
    millimeters gram grams kilogram kilograms liter liters litre litres gallon gallons pound pounds ounce ounces second
    seconds minute minutes hour hours day days week weeks month months year years cent cents dollar dollars euro euros
    radian radians rad unit units square cubic sq cu per
""")
# Words that say something about a number, where others only name what was counted.
NOT_UNITS = _words("""
    plus minus times over equals squared cubed factorial half halves third thirds quarter quarters fifth fifths tenth
    tenths remainder below above under not no unknown less more than mod modulo root to by of or and is are
    January February March April May June July August September October November December
""")
# Spelled in LaTeX, as a command: its sign.
SIGNS = {
    "cdot": "*", "times": "*", "ast": "*", "div": "/", "pm": "±", "mp": "∓", "le": "<=", "leq": "<=", "leqslant": "<=",
    "ge": ">=", "geq": ">=", "geqslant": ">=", "lt": "<", "gt": ">", "ne": "!=", "neq": "!=", "in": "in", "cup": "∪",
    "cap": "∩", "setminus": "∖", "backslash": "∖", "infty": "∞", "emptyset": "∅", "varnothing": "∅", "lvert": "|",
    "rvert": "|", "vert": "|", "mid": "|", "lfloor": "⌊", "rfloor": "⌋", "lceil": "⌈", "rceil": "⌉", "langle": "⟨",
    "rangle": "⟩", "lbrace": r"\{", "rbrace": r"\}", "lbrack": "[", "rbrack": "]", "degree": "°", "lor": "or",
    "land": "and", "vee": "or", "wedge": "and", "colon": ":",
}  # fmt: skip
# Spelled in letters: its sign, or the symbol pi.
WORDS = {
    "or": "or", "and": "and", "pi": "pi", "infinity": "∞", "infty": "∞", "inf": "∞", "oo": "∞", "U": "∪", "union": "∪",
    "in": "in", "percent": "%", "degrees": "°", "degree": "°", "asin": "arcsin", "acos": "arccos", "atan": "arctan",
}  # fmt: skip
SAME_SIGN = {"**": "^", "==": "=", r"\%": "%", r"\|": "|"}
LATEX_OF_UNICODE = {
    "−": "-", "–": "-", "×": "*", "·": "*", "⋅": "*", "∗": "*", "÷": "/", "∕": "/", "⁄": "/", "√": " sqrt ",
    "∞": r"\infty ", "≤": "<=", "⩽": "<=", "≥": ">=", "⩾": ">=", "≠": "!=", "∈": r"\in ", "∪": r"\cup ", "∩": r"\cap ",
    "∖": r"\setminus ", "∅": r"\emptyset ", "±": r"\pm ", "∓": r"\mp ", "ℝ": r"\mathbb{R}", "°": r"\degree ",
    "º": r"\degree ", "⟨": r"\langle ", "⟩": r"\rangle ", "’": "'", "£": "$", "€": "$", "¥": "$",
    "\u00a0": " ", "\u2009": " ", "\u202f": " ",
    "α": r"\alpha ", "β": r"\beta ", "γ": r"\gamma ", "δ": r"\delta ", "ε": r"\epsilon ", "ζ": r"\zeta ",
    "η": r"\eta ", "θ": r"\theta ", "ι": r"\iota ", "κ": r"\kappa ", "λ": r"\lambda ", "μ": r"\mu ", "ν": r"\nu ",
    "ξ": r"\xi ", "π": r"\pi ", "ρ": r"\rho ", "σ": r"\sigma ", "τ": r"\tau ", "φ": r"\phi ", "χ": r"\chi ",
    "ψ": r"\psi ", "ω": r"\omega ", "Γ": r"\Gamma ", "Δ": r"\Delta ", "Θ": r"\Theta ", "Λ": r"\Lambda ",
    "Σ": r"\Sigma ", "Φ": r"\Phi ", "Ψ": r"\Psi ", "Ω": r"\Omega ",
    "½": r"\frac{1}{2}", "⅓": r"\frac{1}{3}", "⅔": r"\frac{2}{3}", "¼": r"\frac{1}{4}", "¾": r"\frac{3}{4}",
    "⅕": r"\frac{1}{5}", "⅖": r"\frac{2}{5}", "⅗": r"\frac{3}{5}", "⅘": r"\frac{4}{5}", "⅙": r"\frac{1}{6}",
    "⅚": r"\frac{5}{6}", "⅛": r"\frac{1}{8}", "⅜": r"\frac{3}{8}", "⅝": r"\frac{5}{8}", "⅞": r"\frac{7}{8}",
}  # fmt: skip
RAISED = dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ⁿ", "0123456789+-n", strict=True))
LOWERED = dict(zip("₀₁₂₃₄₅₆₇₈₉", "0123456789", strict=True))
