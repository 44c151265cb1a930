r"""Answers that were written to break a verifier: to hang it, to fill its memory, to make it raise
or run code.

A model that is rewarded by a verifier writes anything, and sooner or later this. So every grade
must be cheap and quiet on all of them; what the verdict is does not matter here.

    for name, text in hostile_answers():
        grade_answer(text, "1")

The texts are made one at a time, as some of them are a million characters long. Running them as
Python, TeX or a shell's script would write a file called `hostile_canary` into the current folder,
so that a test can see it."""

import random
import re
import string
from collections.abc import Iterator

LONG = 1_000_000  # characters of the long texts
DEEP = 20_000  # levels of the deep ones

Named = Iterator[tuple[str, str]]  # (name, text)


def hostile_answers() -> Iterator[tuple[str, str]]:
    """All hostile answers, as (name, text); names are unique."""
    for family in (
        towers_of_powers,
        expansions,
        factorials,
        deep_nesting,
        towers_of_functions,
        unbalanced,
        long_strings,
        long_numbers,
        long_sums_and_products,
        wide_structures,
        large_but_computable,
        many_relations_and_words,
        inequalities_and_families,
        labels_and_choices,
        poles_and_limits,
        astronomical_functions,
        strange_characters,
        python_code,
        sympy_code,
        other_languages,
        backtracking,
        disguised_answers,
    ):
        for name, text in family():
            yield f"{family.__name__}: {name}", text


def repeated(piece: str, length: int = LONG) -> str:
    """A piece again and again, `length` characters in all."""
    return (piece * (length // len(piece) + 1))[:length]


def nested(before: str, inside: str, after: str, levels: int) -> str:
    """`inside` wrapped so many times."""
    return before * levels + inside + after * levels


def named_by_themselves(*texts: str) -> Named:
    """Short texts, which need no other name."""
    for text in texts:
        yield ascii(text)[1:-1], text


def each_of(texts: str) -> Named:
    """Short texts, written with more than one space between them."""
    yield from named_by_themselves(*re.split(r"\s{2,}", texts.strip()))


def towers_of_powers() -> Named:
    """Numbers with more digits than there are atoms."""
    yield from each_of(r"""
        9**9**9**9   (9^9)^9^9   ((9^9)^9)^9   10^{10^{10}}   10^{-10^{10}}   2^{2^{2^{2^{2^{2}}}}}   1e999999999
        -1e-999999999   9.99e+999999999999999999   1e1e1e1   10^{100000}-10^{100000}   2^{10000000}
        3^{99999999}-3^{99999999}+1   \left(\frac{1}{3}\right)^{10^7}   \left(1+10^{-9}\right)^{10^{9}}   0.1^{10^9}
        (-2)^{10^{12}+1}   2^{1/10^{9}}   2^{10^9/3}   \sqrt{2}^{\sqrt{2}^{\sqrt{2}^{\sqrt{2}}}}   \pi^{\pi^{\pi^{\pi}}}
        e^{e^{e^{e^{e}}}}   i^{i^{i^{i}}}   (1+i)^{10^8}   10^{10^{10}}\%   5 \times 10^{10^{10}}   7_{10^{10^{10}}}
        2²²²²²²²²²²²
    """)
    yield "a thousand nines", "^".join("9" * 1000)
    yield "a thousand nines in braces", nested("9^{", "9", "}", 1000)
    yield "x to the x a thousand times", nested("x^{", "x", "}", 1000)
    yield "squared a hundred times", nested("(", "3", ")^2", 100)
    yield "starred squares", "3" + "**2" * 200


def expansions() -> Named:
    """Short polynomials and products whose normal form is long."""
    yield from each_of(r"""
        (x+1)^{1000000}   (x+1)^{10^{10}}   (x+y+z)^{500}   (a+b+c+d+f+g+h+k+m+n)^{50}   ((x+1)^{100})^{100}
        (x+1)^{1000}(x-1)^{1000}-(x^2-1)^{1000}   x^{10^9}-1   x^{1000000}y^{1000000}+1   \frac{x^{100000}-1}{x-1}
        \frac{1}{(x+1)^{5000}-(x-1)^{5000}}   (\sqrt{2}+\sqrt{3})^{100000}
        (\sqrt{2}+\sqrt{3}+\sqrt{5}+\sqrt{7}+\sqrt{11})^{60}   (1+2i)^{100000}-(1+2i)^{100000}
        (x+\sqrt{y+\sqrt{z}})^{300}   (x-1)^{-1000000}   (x+0.1)^{2000}   (x+1)^{y^{1000}}
    """)
    pairs_of_letters = zip(
        string.ascii_lowercase[:24:2], string.ascii_lowercase[1:24:2], strict=True
    )
    yield "two to the twelve terms", "".join(f"({a}+{b})" for a, b in pairs_of_letters)
    yield "two to the sixty terms", "".join(f"(x_{{{i}}}+y_{{{i}}})" for i in range(60))
    yield "a factor for each power of two", "".join(f"(1+x^{{{2**i}}})" for i in range(60))
    yield "x squared plus one, sixty times", nested("(", "x", ")^2+1", 60)
    yield "linear factors", "".join(f"(x+{i})" for i in range(2000))
    yield "cubes of quotients", nested(r"\left(\frac{x+1}{", "x-1", r"}\right)^3", 40)
    yield "two to the sixty values", r"\pm 1" * 60
    yield "distinct plus-minus values", "".join(rf"\pm {3**i}" for i in range(40))
    yield "plus-minus in a long list", ", ".join(rf"{i} \pm \sqrt{{{i}}}" for i in range(5000))
    yield "plus-minus under roots", nested(r"\sqrt{1 \pm ", "2", "}", 40)
    yield "plus-minus in a point", "(" + ", ".join([r"\pm 1"] * 40) + ")"
    yield (
        "plus-minus in a matrix",
        r"\begin{pmatrix} \pm n & \pm 1 \\ \pm x & \{\pm 2\} \end{pmatrix}",
    )
    yield "matrix to a large power", r"\begin{pmatrix} 1 & 1 \\ 1 & 0 \end{pmatrix}^{10^{9}}"


def factorials() -> Named:
    """Factorials, binomials and their relatives."""
    yield from each_of(r"""
        factorial(10**8)   100000000!   99999!   (10^6)!   ((9!)!)!   9!!!!!!!!   170!^{170!}   \frac{1000000!}{999999!}
        \binom{10^9}{5 \cdot 10^8}   \binom{100000}{50000}   \binom{\binom{100}{50}}{\binom{50}{25}}   \binom{n}{10^6}
        \binom{10^{10^{10}}}{1}   \binom{-10^9}{10^8}   \binom{\frac{1}{2}}{10^8}   \binom{5}{-10^9}
        \binom{x}{\binom{x}{\binom{x}{x}}}   (-1)!   (-10^9)!   \left(\frac{1}{2}\right)!   (10^{10}+0.5)!   i!
        (1+i)!!   \Gamma(10^9)   \sum_{n=1}^{10^9} n!   \prod_{n=1}^{10^{12}} n   \int_0^{10^{10}} x! dx
        x!!!!!!!!!!!!!!!!   \sin(10^9!)   (3!)!!\%
    """)
    yield "factorial signs on three", "3" + "!" * 100
    yield "factorial signs on x", "x" + "!" * 100_000
    yield "factorials in braces", nested("(", "3", "!)", 1000)
    yield "sum of factorials", "+".join(f"{i}!" for i in range(3000))
    yield "product of binomials", r"\cdot".join(rf"\binom{{{2 * i}}}{{{i}}}" for i in range(2000))


def deep_nesting() -> Named:
    """More levels than a stack of calls holds, and about as many."""
    brackets = {
        "parentheses": ("(", ")"),
        "braces": ("{", "}"),
        "square brackets": ("[", "]"),
        "sets": (r"\{", r"\}"),
        "sized parentheses": (r"\left(", r"\right)"),
        "sized bars": (r"\left|", r"\right|"),
        "bars": ("|1+", "|"),
        "angles": (r"\langle ", r"\rangle "),
        "floors": (r"\lfloor ", r"\rfloor "),
        "roots": (r"\sqrt{", "}"),
        "roots of roots": (r"\sqrt[3]{1+", "}"),
        "root indices": (r"\sqrt[", "]{2}"),
        "numerators": (r"\frac{", "}{2}"),
        "denominators": (r"\frac{1}{1+", "}"),
        "bare fractions": (r"\frac1", ""),
        "powers": ("x^{", "}"),
        "subscripts": ("x_{", "}"),
        "texts": (r"\text{", "}"),
        "boxes": (r"\boxed{", "}"),
        "frames": (r"\fbox{", "}"),
        "overlines": (r"\overline{", "}"),
        "binomials": (r"\binom{2}{", "}"),
        "logarithms": (r"\log_{", "}2"),
        "logarithms of logarithms": (r"\ln(1+", ")"),
        "sines": (r"\sin(", ")"),
        "bare sines": (r"\sin ", ""),
        "plain roots": ("sqrt(", ")"),
        "root signs": ("√", ""),
        "matrices": (r"\begin{pmatrix}", r"\end{pmatrix}"),
        "minus signs": ("-", ""),
        "alternating signs": ("-+", ""),
        "points": ("(1,", ")"),
        "sets of two": (r"\{0,", r"\}"),
        "differences": ("1-(", ")"),
        "quotients": ("1/(", ")"),
        "unions": (r"[0,1] \cup (", ")"),
        "equations": ("x=(", ")"),
        "thoughts": ("<think>", "</think>"),
        "dollars": ("$", "$"),
        "mixed": (r"([{\left(\sqrt{|\frac{1}{", r"}|}\right)}])"),
    }
    for name, (before, after) in brackets.items():
        # few enough to be read, many for a parser that calls itself, too many
        for levels in (60, 400, DEEP):
            yield f"{levels} {name}", nested(before, "1", after, levels)


def towers_of_functions() -> Named:
    """A hundred levels: few enough for a parser, many enough for what comes after it."""
    levels = 100
    yield "nested radicals", nested(r"\sqrt{1+", "1", "}", levels)
    yield "nested radicals with x", nested(r"\sqrt{x+", "x", "}", levels)
    yield "cube roots of sums", nested(r"\sqrt[3]{2+\sqrt{3}+", "1", "}", levels)
    yield "continued fraction", nested(r"1+\frac{1}{", "1", "}", levels)
    yield "continued fraction in x", nested(r"x+\frac{1}{", "x", "}", levels)
    yield "continued fraction in many names", nested(r"a+\frac{b}{c+\frac{d}{", "f", "}}", levels)
    yield "absolute values", nested(r"\left|1-", "x", r"\right|", levels)
    yield "sines", nested(r"\sin\left(x+", "1", r"\right)", levels)
    yield "logarithms", nested(r"\ln\left(2+", "x", r"\right)", levels)
    yield "exponentials", nested("e^{", "x", "}", levels)
    yield "small exponentials", nested("e^{-", "1", "}", levels)
    yield "tangents", nested(r"\tan(", "1", ")", levels)
    yield "arcsines", nested(r"\arcsin(\sin(", "x", "))", levels)
    yield "doubled nesting", nested(r"\sqrt{2+\sqrt{3-\frac{1}{", "x", "}}}", levels)
    yield "plus one, squared, rooted", nested(r"\sqrt{(", "x", "+1)^2}", levels)
    yield "denestable radicals", "+".join(rf"\sqrt{{{n + 1}+2\sqrt{{{n}}}}}" for n in range(2, 300))


def unbalanced() -> Named:
    """Brackets and commands that do not find their partners."""
    yield from each_of(r"""
        \frac{1   \frac   \frac}{   \frac1   \sqrt[3   \sqrt   \sqrt[]{}   ^   _   x^   x_   x^^2   x__2   x^{2
        x^2^3_4_5   \left(   \right)   \left(1,2\right]\right)   \begin{pmatrix} 1 & 2   1 & 2 \end{pmatrix}
        \begin{pmatrix}\end{bmatrix}   \begin{}\end{}   \begin   \{1, 2   1, 2\}   }{   )(   ][   ((1)   (1))   |x
        ||x|   |||||   \text{   \boxed{   \boxed   \binom{5}   \log_   \overline{   \   \\   1 \cup   \cup 1   \in   =
        5=   =5   <   1<   <1<   ,   ,1,,2,   1,,2   +   */   1+*2   %   \%   !   $   \pm   .   ..   -.   e   ()   {}
        []   [1,\infty   \frac{}{}
    """)
    for name, piece in {
        "opening braces": "{",
        "closing braces": "}",
        "opening parentheses": "(",
        "closing parentheses": ")",
        "crossed brackets": "([)]",
        "left without right": r"\left(",
        "open fractions": r"\frac{1}{",
        "open roots": r"\sqrt{",
        "open powers": "2^{",
        "open texts": r"\text{",
        "open boxes": r"\boxed{",
        "open boxes of numbers": r"\boxed{1 ",
        "open matrices": r"\begin{pmatrix}1&",
        "open intervals": "[0,",
        "open sets": r"\{1,",
        "escaped braces in boxes": r"\boxed{\{",
        "open thoughts": "<think>",
        "closed thoughts": "</think>",
    }.items():
        yield f"a million characters of {name}", repeated(piece)


def long_strings() -> Named:
    """A million characters of each kind of token."""
    pieces = re.findall(
        r"\S+",
        r"""
        \ a x - + * / ^ _ ! | = < > , ; . ' " # $ % & ~ @ ? 1, 1+ 1- 1/ 1* 2^ 1= 1< x_1 () {} [] (1) 1. 1e 1,000 ,000
        -1 |1| 0x sin sqrt \frac \frac12 \pi \% \$ \! \, \\ \{ \} \{\} \text{a} \pm \cup \cup[0,1] \in \le1 \sqrt2 \sqrt
        \sin \log_2 \infty \cdot \boxed{1} \boxed 1\frac12 ^\circ π ½ ² √ × ∞ − ° x²+ ∪[0,1] ≤1 你好 😀 ٣ ５ Ⅷ 𝟓 ß İ
        """,
    )
    pieces += [
        " ",
        "\n",
        "\t",
        "ab ",
        "1 ",
        "x y ",
        r"\pi ",
        r"\ ",
        r"\pm 1",
        r"\text{ and }",
        r"\boxed 5 ",
    ]
    pieces += ["the answer is ", "#### ", "#### 1\n", "answer: 5. "]
    pieces += [
        "\u0301",
        "\x00",
        "\u202e",
        "\u200b",
        "\ud800",
        "\udc00",
        "\x1b[31m",
        "\u2028",
        "\ufeff",
    ]
    for piece in pieces:
        yield f"{ascii(piece)[1:-1]} again and again", repeated(piece)
    noise = random.Random(0)
    yield "random letters", "".join(noise.choices(string.ascii_letters, k=LONG))
    yield "random printable characters", "".join(noise.choices(string.printable, k=LONG))
    yield "random brackets", "".join(noise.choices("(){}[]|", k=LONG))
    yield "random operators", "".join(noise.choices("1x+-*/^_!,=<>", k=LONG))
    yield "random code points", "".join(map(chr, noise.choices(range(0x110000), k=LONG // 4)))
    yield "one long command", "\\" + "a" * LONG
    yield "one long environment", rf"\begin{{{'a' * LONG}}}"
    yield "one long index", "x_{" + "1" * LONG + "}"
    yield "one long word", r"\text{" + "a" * LONG + "}"


def long_numbers() -> Named:
    """Numbers that are written out."""
    yield from each_of(r"""
        0.\overline{}   0.\overline{\overline{3}}   0.\overline{-3}   0.\overline{x}   \overline{0.3}   1.2.3.4   1..2
        --1   1e   1e-   1e5e5   0x1F   1_000_000   0.1e0.1   1,00,0   1e-400   0e999999999999   0^{10^{10^{10}}}
    """)
    noise = random.Random(1)
    digits = "".join(noise.choices(string.digits, k=LONG))
    yield "nines", "9" * LONG
    yield "zeros", "0" * LONG
    yield "random digits", digits
    yield "five thousand digits", "9" * 5000  # just over what int() reads
    yield "decimals", "0." + digits
    yield "threes", "0." + "3" * LONG
    yield "a one far behind the point", "0." + "0" * LONG + "1"
    yield "a long period", rf"0.\overline{{{digits}}}"
    yield "a late period", "0." + "0" * (LONG // 2) + r"\overline{1}"
    yield (
        "periods and fractions",
        rf"\frac{{0.\overline{{{digits[:3000]}}}}}{{0.\overline{{{digits[3000:6001]}}}}}",
    )
    yield "a long denominator", rf"\frac{{1}}{{{'9' * LONG}}}"
    yield "a long fraction", rf"\frac{{{digits[:50_000]}}}{{{digits[50_000:100_000]}}}"
    yield "a long mixed number", rf"{digits[:50_000]}\frac{{1}}{{{digits[:50_000]}}}"
    yield "thousands", "1" + ",000" * (LONG // 4)
    yield "spaced thousands", "1" + r",\!000" * (LONG // 6)
    yield "a long exponent", "1e" + "9" * LONG
    yield "a long power", "2^{" + "9" * LONG + "}"
    yield "a long base", "9" * 100_000 + "^{" + "9" * 100_000 + "}"
    yield "a long subscript of a base", "11_{" + "9" * 100_000 + "}"
    yield "a root of a long number", r"\sqrt{" + digits[:200_000] + "}"
    yield "a large index", r"\sqrt[" + "9" * 10_000 + "]{2}"
    yield "a long percentage", "9" * 100_000 + r"\%"
    yield "powers of long numbers", rf"{'7' * 900}^{{{'9' * 4}}}"
    yield "a semiprime to factor", rf"\sqrt{{{(2**127 - 1) * (2**89 - 1)}}}"
    yield "a root of a large power", rf"\sqrt[3]{{{(10**40 + 3) ** 9}}}"


def long_sums_and_products() -> Named:
    """Ten thousand terms."""
    many = range(1, 10_001)
    yield "ones", "+".join(["1"] * 100_000)
    yield "the same letter", "+".join(["x"] * 100_000)
    yield "numbered letters", "+".join(f"x_{{{i}}}" for i in many)
    yield "product of numbered letters", "".join(f"x_{{{i}}}" for i in many)
    yield "harmonic sum", "+".join(rf"\frac{{1}}{{{i}}}" for i in many)
    yield "plain harmonic sum", "+".join(f"1/{i}" for i in many)
    yield "quotients in a row", "/".join(map(str, many))
    yield "product of numbers", r"\cdot ".join(map(str, many))
    yield "all powers of x", "+".join(f"{i}x^{{{i}}}" for i in many)
    yield "sum of roots", "+".join(rf"\sqrt{{{i}}}" for i in range(2, 1000))
    yield "product of roots", "".join(rf"\sqrt{{{i}}}" for i in range(2, 1000))
    yield "sum of cube roots", "+".join(rf"\sqrt[3]{{{i}+\sqrt{{{i}}}}}" for i in range(2, 300))
    yield "partial fractions", "+".join(rf"\frac{{{i}}}{{x+{i}}}" for i in range(1, 400))
    yield (
        "partial fractions in many names",
        "+".join(rf"\frac{{1}}{{x_{i}+y_{i}}}" for i in range(10)) * 20,
    )
    yield "sum of sines", "+".join(rf"\sin {i}" for i in range(2000))
    yield "sum of sines of x", "+".join(rf"\sin({i}x)" for i in range(2000))
    yield "product of cosines", "".join(rf"\cos({i}x)" for i in range(1, 1000))
    yield "sum of logarithms", "+".join(rf"\log_{{{i}}} {i + 1}" for i in range(2, 1000))
    yield "sum of complex powers", "+".join(f"(1+{i}i)^{{{i}}}" for i in range(200))
    yield "sum of absolute values", "+".join(f"|x-{i}|" for i in range(2000))
    yield "sum of powers of pi", "+".join(rf"\pi^{{{i}}}" for i in range(2000))
    yield "sum of towers", "+".join(f"{i}^{{{i}^{{{i}}}}}" for i in range(200))
    yield "cancelling terms", "+".join(f"(x+{i})^2-(x+{i})^2" for i in range(1000))
    yield (
        "squares in many names",
        "+".join(f"(a_{{{i}}}+b_{{{i}}}+c_{{{i}}})^3" for i in range(500)),
    )


def wide_structures() -> Named:
    """Lists, sets, points, matrices, intervals and chains with very many parts."""
    numbers = ", ".join(map(str, range(100_000)))
    yield "list", numbers
    yield "set", rf"\{{{numbers}\}}"
    yield "point", f"({numbers})"
    yield "list of words", ", ".join(rf"\text{{name {i}}}" for i in range(20_000))
    yield "list of the same", ", ".join(["1"] * 100_000)
    yield "list of roots", ", ".join(rf"\sqrt{{{i}}}" for i in range(5000))
    yield "list of sums of roots", ", ".join(rf"\sqrt{{{i}}}+\sqrt{{{i + 1}}}" for i in range(2000))
    yield "list of sines", ", ".join(rf"\sin {i}" for i in range(2000))
    yield "list of polynomials", ", ".join(f"(x+{i})^{{9}}" for i in range(1000))
    yield "list of letters", ", ".join(f"x_{{{i}}}" for i in range(20_000))
    yield "list of points", ", ".join(f"({i}, {-i})" for i in range(20_000))
    yield "list of equations", ", ".join(f"x_{{{i}}}={i}" for i in range(10_000))
    yield "list of circles", ", ".join(f"(x-{i})^2+(y-{i})^2={i}" for i in range(1000))
    yield "sets in sets", r"\{" + ", ".join(rf"\{{{i}, {i + 1}\}}" for i in range(20_000)) + r"\}"
    yield "union of intervals", r" \cup ".join(f"({i}, {i + 1})" for i in range(20_000))
    yield (
        "union of intervals with roots",
        r" \cup ".join(rf"(\sqrt{{{i}}}, \sqrt{{{i + 1}}}]" for i in range(1000)),
    )
    yield (
        "union of intervals with letters",
        r" \cup ".join(f"(a_{{{i}}}, b_{{{i}}})" for i in range(5000)),
    )
    yield "union of sets", r" \cup ".join(rf"\{{{i}\}}" for i in range(20_000))
    yield "intersection of intervals", r" \cap ".join(f"[{i}, {40_000 - i}]" for i in range(20_000))
    yield "unions and intersections", r"[0,1] \cup [2,3] \cap [4,5] \cup " * 10_000 + "[0,1]"
    yield "set differences", r" \setminus ".join(f"[{i}, {40_000 - i}]" for i in range(10_000))
    yield (
        "numbers but many",
        r"\mathbb{R} \setminus \{" + ", ".join(map(str, range(20_000))) + r"\}",
    )
    yield "chain of equations", "=".join(["x"] * 100_000)
    yield "chain of inequalities", "<".join(map(str, range(100_000)))
    yield "chain of memberships", r"x \in " * 50_000 + "[0,1]"
    yield "alternatives", r" \text{ or } ".join(f"x={i}" for i in range(20_000))
    yield "row vector", r"\begin{pmatrix}" + "&".join(["1"] * 100_000) + r"\end{pmatrix}"
    yield "column vector", r"\begin{pmatrix}" + r"\\".join(["1"] * 100_000) + r"\end{pmatrix}"
    row = "&".join(["1"] * 1000)
    yield (
        "matrix of a thousand rows",
        r"\begin{pmatrix}" + r"\\".join([row] * 1000) + r"\end{pmatrix}",
    )
    yield (
        "ragged matrix",
        r"\begin{pmatrix}" + r"\\".join("&".join("1" * i) for i in range(500)) + r"\end{pmatrix}",
    )
    yield "matrix of empty cells", r"\begin{pmatrix}" + "&" * 100_000 + r"\end{pmatrix}"
    yield "matrix of matrices", nested(r"\begin{pmatrix} 1 & ", "2", r" \end{pmatrix}", 60)
    product = r"\begin{pmatrix} 1 & 2 \\ 3 & 4 \end{pmatrix}" * 1000
    yield "product of matrices", product
    yield (
        "all letters",
        "".join(
            f"({a}-{b})"
            for a, b in zip(string.ascii_letters, string.ascii_letters[1:], strict=False)
        ),
    )


def large_but_computable() -> Named:
    """Numbers of some thousand digits, which a grader may compute once, but not again and again."""
    yield "sum of powers of two", "+".join(["2^{2024}"] * 100)
    yield "quotients of powers", "/".join(["3^{2024}"] * 99)
    yield "product of large powers", "*".join(f"{i}^{{2024}}" for i in range(3, 99))
    yield "sum of factorials of two thousand", "+".join(["2000!"] * 140)
    yield "sum of factorials of five thousand", "+".join(["4999!"] * 140)
    yield "sum of binomials", "+".join([r"\binom{3000}{1500}"] * 55)
    yield "powers at the limit", "2^{29999}*" * 90 + "1"
    yield "powers beyond the limit", "+".join(["x^{99999}"] * 100)
    yield "a tower in an equation", "x = 10^{10^{10}} + 9^{9^{9^9}}"


def many_relations_and_words() -> Named:
    """Chains of relations, which are solved one by one, and rows of words, calls and matrices."""
    root = r"x\ge\sqrt2\ge "
    yield "chain of irrational bounds", ("x≥√2≥" * 250)[:998] + "x"
    yield "chain of bounds in LaTeX", root * 60 + "x"
    yield "chain of sines", r"x>\sin 1>" * 90 + "x"
    yield "chain of roots", "=".join(["√2"] * 150)
    yield "chain of rounded roots", "≈".join(["√2"] * 150)
    yield "implications", "x>√2 ⇒ " * 90 + "x"
    yield "bounds with or between them", " or ".join(["x>√2"] * 90)
    yield "cases of bounds", r"\begin{cases}" + r"\\".join(["x>√2"] * 90) + r"\end{cases}"
    yield "ratio of roots", ":".join(["√2"] * 150)
    yield "sets of solutions", r"\{x|x>√2\}\cup " * 60 + "[0,1]"
    yield "union of intervals between roots", r"(\sqrt2,\sqrt3)\cup " * 50 + "[0,1]"
    yield "function of function", nested("f(", "x", ")", 60)
    yield "product of functions", "f(x)" * 200
    yield "product of matrices", r"\begin{pmatrix}1&2\\3&4\end{pmatrix}" * 26
    yield "powers of matrices", r"\begin{pmatrix}1&2\\3&4\end{pmatrix}^4" * 20
    yield "sum of unit vectors", r"\vec{i}+" * 100 + r"\vec{j}"
    yield "transposed points", "(1,2)^T" * 120
    yield "remainders of remainders", "5 mod " * 150 + "7"
    yield "number words", "seven " * 160
    yield "number words with and", "one and " * 120
    yield "words after numbers", "5 apples " * 110
    yield "choices", "(B) " * 240
    yield "digits in a base of letters", "1A" * 480 + "_16"
    yield "periods", r"0.\dot{3}" * 99
    yield "countries before dollars", "US$" * 300
    yield "Markdown's stars", "*" * 999
    yield "quotes in quotes", '"' * 499 + "5" + '"' * 499


def poles_and_limits() -> Named:
    """Expressions without a value, or whose value hides."""
    yield from each_of(r"""
        \frac{1}{0}   0/0   1/0!   \frac{x}{x-x}   (x-x)^{-1}   0^0   0^{-1}   0^{i}   0^{x-x}   \infty-\infty
        \frac{\infty}{\infty}   0 \cdot \infty   1^{\infty}   (-1)^{\infty}   \infty^{\infty}   \infty!   |\infty i|
        (\infty, -\infty)   [\infty, \infty]   [1, 0] \cup (2, 2)   [i, 2i]   (x, y] \cup [y, x)
        \{\infty\} \setminus \{\infty\}   \log_1 5   \log_0 0   \log_{-1} 2   \log_{x-x+1} y   \ln 0   \ln(-1)
        \ln\ln\ln\ln 2   \sqrt[0]{5}   \sqrt[-1]{0}   \sqrt[x]{x}   \sqrt[1/2]{3}   \sqrt[i]{i}   \tan\frac{\pi}{2}
        \sec\frac{\pi}{2}   \cot 0   \frac{1}{\sin \pi}   \arcsin 2   \sin\infty   \sin\frac{1}{0}
        \frac{1}{\sqrt{2}+\sqrt{3}-\sqrt{5+2\sqrt{6}}}   \frac{1}{e^{i\pi}+1}
        \frac{\sin^2 x+\cos^2 x-1}{\sin^2 x+\cos^2 x-1}   \left(\sqrt{3+2\sqrt{2}}-1-\sqrt{2}\right)^{-10^{6}}
        \ln(\sin^2 1+\cos^2 1-1)   \sqrt{x}+\sqrt{-x-1}   \ln(-x^2-1)   x \in x   0<0<0   x<x   2 < x < \infty < i   0=0
        0=1   x=x   x=x+1   nan   inf   -inf   (nan, nan)   undefined   DNE
    """)


def astronomical_functions() -> Named:
    """Functions that need as many digits as their argument has."""
    yield from each_of(r"""
        \sin(10^{10^{10}})   \cos(10^{1000000})   \tan(10^{100})   \sin(10^{5000})   \sin(9!!!)
        \sin(\pi \cdot 10^{50})   \cos(2^{2^{30}})   (10^{1000000})^\circ   \sin (10^{1000000})^\circ
        \log(10^{10^{10}})   \log_{10^{-10^{10}}} 5   \log_{1+10^{-1000}} 2   \ln(1+10^{-1000000})   \sqrt[10^{9}]{2}
        \sqrt[10^{10^{10}}]{10^{10^{10}}}   (-1)^{1/10^{9}}   (-1)^{\pi \cdot 10^{100}}   \arcsin(10^{100})
        \arctan(10^{10^{10}})   e^{10^{10}}   e^{-10^{10}}   e^{e^{e^{100}}}   e^{i \cdot 10^{1000000}}
        \exp(\exp(\exp(10)))   \sinh(10^{10})   \cosh(\cosh(\cosh(10)))   \tan^{10^9} x   \sin^{-10^9} x
        \cos^{1000000} 1   \sqrt{10^{100000}+1}-10^{50000}   10^{4000}\sqrt{2}-\frac{10^{8000}}{10^{4000}}
        e^{\pi\sqrt{163}}-640320^3-744   \zeta(10^{10})   \lfloor 10^{10^{10}} \rfloor   \gcd(10^{10^{10}}, 6)
        10^{10^{10}} \bmod 7   \phi(10^{1000}+1)   \max(10^{10^{10}}, 10^{10^{11}})   |10^{10^{10}}+10^{10^{10}}i|
        (\sin 1)^{10^{1000}}   \left(\frac{\pi}{4}\right)^{-10^{1100}}   a^{33333^{-b^3}}
        (\sin x)^{10^{1000}}+(\cos x)^{10^{1000}}
    """)


def strange_characters() -> Named:
    """Characters that lexers, converters and terminals trip over."""
    yield from named_by_themselves(
        "",
        "\x00",
        "5\x00",
        "a\x00b",
        "\x005",
        "".join(map(chr, range(32))),
        "\x7f",
        "\x1b[31m5\x1b[0m",
        "\ud800",
        "\udfff5",
        "\ud83d",
        "\ude00\ud83d",
        "\u202e5\u202c",
        "\u200f5\u200e",
        "\u2066\\boxed{5}\u2069",
        "\ufeff5",
        "5\u200b",
        "\u00ad5",
        "\ufffe",
        "\uffff",
        "\U0010ffff",
        "٣",
        "５",
        "๕",
        "𝟓",
        "Ⅷ",
        "①",
        "㊿",
        "½½",
        "²",
        "x⁻",
        "⁻⁻²",
        "₅",
        "x₁₂³⁴",
        "1⁄2",
        "⅐⅑⅒",
        "↉",
        "٣٫٥",
        "１，０００",
        "İ",
        "ß",
        "ﬁ",
        "ﷺ",
        "Å",
        "é",
        "e\u0301",
        "π\u0305",
        "x\u20d7",
        "𝑥²",
        "ℝ∖∅",
        "∑∏∫",
        "∛8∜16",
        "≠≈≡",
        "∈∉⊂",
        "−–—",
        "“5”",
        "\r\n5\r\n",
        "\v\f\x1c\x85",
        "5\u20285",
    )


def python_code() -> Named:
    """Python, which nobody should run."""
    yield from each_of(r"""
        open('hostile_canary', 'w')   open('hostile_canary', 'w').close()
        __import__('os').system('touch hostile_canary')   __import__('subprocess').run(['touch', 'hostile_canary'])
        __import__('pathlib').Path('hostile_canary').touch()   eval("open('hostile_canary', 'w')")
        exec("open('hostile_canary', 'w')")   (lambda: open('hostile_canary', 'w'))()
        [open('hostile_canary', 'w') for x in [1]]   (x := open('hostile_canary', 'w'))
        1 if open('hostile_canary', 'w') else 2   {open('hostile_canary', 'w')}   \text{open('hostile_canary', 'w')}
        \boxed{open('hostile_canary', 'w')}   x = 5; open('hostile_canary', 'w')
        ().__class__.__bases__[0].__subclasses__()   (1).__class__.__mro__[1].__subclasses__()   x.__class__
        ''.__class__   __builtins__   __name__   __dict__   getattr(x, '__class__')   globals()   vars()
        type('X', (), {})   os.environ   import os   from os import *   exit()   quit()   raise SystemExit
        raise KeyboardInterrupt   assert False   while True: pass   def f(): f()   class A: pass   del x   yield
        await x   return   global x   lambda   input()   breakpoint()   help()   print(1)   None   True   False
        Ellipsis   NotImplemented   self   x and y or not z is in   'a'*10**9   [0]*10**10   list(range(10**9))
        sum(range(10**12))   max(range(10**12))   pow(3, 10**9)   1 << 10**10   10**10**10   int('9'*10**8)
        bytes(10**10)   {}.__class__   {0.__class__}   {x!r}   {:>1000000000}   {0[0][0]}   %s%s%s%n   %(x)s
        %1000000000d   f'{1}'   \x41\u0041\N{BULLET}
    """)
    yield from named_by_themselves(
        "import os\nopen('hostile_canary', 'w')",
        "5\nopen('hostile_canary', 'w')",
        "5 # \nopen('hostile_canary', 'w')",
    )


def sympy_code() -> Named:
    """Names that mean much to SymPy's own reader."""
    yield from each_of(r"""
        Symbol('x')   Symbol   sympify('open("hostile_canary", "w")')   parse_expr('1')
        Integer(10)**Integer(10)**Integer(10)   S.__class__   S   N   O   Q   E**I   I   oo-oo   zoo   pi.evalf(10**9)
        N(pi, 10**8)   Float('1e1000000000')   Rational(1, 0)   factorint(10**100+1)   nextprime(10**1000)
        isprime(2**4423-1)   primorial(10**7)   fibonacci(10**9)   bernoulli(10**6)   partition(10**8)
        Integral(exp(x**x), x).doit()   integrate(sin(x**x), x)   solve(x**5-x-1, x)   Sum(1/n, (n, 1, 10**9)).doit()
        Function('f')(x)   Lambda(x, x)   Matrix.ones(10**5)   eye(100000)   simplify(x)   expand((x+1)**100000)
        gamma(10**9)   beta   zeta   lambda x: x   LambertW(1)   Piecewise((1, True))   Poly(x)   EmptySet   Reals
        test   var('x')
    """)


def other_languages() -> Named:
    """Commands of TeX, shells, templates and data formats."""
    yield from each_of(r"""
        \write18{touch hostile_canary}   \input{/etc/passwd}   \include{hostile_canary}   \openout5=hostile_canary
        \def\a{\a\a}\a   \newcommand{\x}{\x\x}\x   \loop\iftrue\repeat   \catcode`\{=12   \csname frac\endcsname
        \expandafter\expandafter\expandafter   \everymath{5}   $(touch hostile_canary)   `touch hostile_canary`
        ; touch hostile_canary   | touch hostile_canary   > hostile_canary   <script>alert(1)</script>
        '; DROP TABLE answers; --   ../../../etc/passwd   !!python/object/apply:os.system ['touch hostile_canary']
        {"answer": 5}   <!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><x>&b;</x>   &lt;&#53;&gt;
        ${jndi:ldap://localhost/a}   {{7*7}}   <%= 7*7 %>   #{7*7}   <|endoftext|>
    """)
    yield from named_by_themselves(
        "cos\nsystem\n(S'touch hostile_canary'\ntR.",
        "<|im_end|>\n<|im_start|>user",
    )


def inequalities_and_families() -> Named:
    """Inequalities with many roots, sets of integers, and families of them."""
    brackets = "".join(f"(x-{place})" for place in range(1, 70))
    yield "product of many brackets", f"{brackets} > 0"
    yield "quotient of many brackets", rf"\frac{{{brackets}}}{{{brackets[::-1]}}} \ge 0"
    yield "powers of powers", nested("(", "x-1", ")^6", 30) + "> 0"
    yield "chain of squares", "<".join(["x^2"] * 200)
    yield "squares of roots", r"\ge".join([r"x^2-\sqrt{3}x"] * 50)
    yield "unions of half-lines", r"\cup".join(f"x>{place}" for place in range(150))
    yield "many integers", r"|x| \le 499, x \in \mathbb{Z}"
    yield "too many integers", r"\{x \in \mathbb{Z} : |x| < 10^{300}\}"
    yield "integers between roots", r"\{x \in \mathbb{Z} : x^2 < 10^{5}\sqrt{7}\}"
    yield "many families", ", ".join(f"{k}k" for k in range(100)) + r", k \in \mathbb{Z}"
    yield "family of a tower", r"9^{9^{9}}k + \pi, k \in \mathbb{Z}"
    yield "many points", ", ".join("x=1,y=2" for _ in range(100))
    yield "many names", "=".join(string.ascii_letters) + "=3"
    yield "nested inverses", nested("(", r"\begin{pmatrix}a&b\\c&d\end{pmatrix}", ")^{-1}", 40)
    yield "nested conjugates", nested(r"\overline{", "1+i", "}", 35)
    yield "given what is given", nested("P(A|", "B", ")", 300)


def labels_and_choices() -> Named:
    """Labels, bounds and choices again and again, for whoever reads them by looking ahead."""
    for piece in ("apple: ", "(b) ", "at least ", "5 or more ", "&lt;", "&#", "'", "x: ", "[E] "):
        yield f"{piece}again and again", piece * (900 // len(piece))
    for piece in (
        "choose A ",
        "option B is ",
        "(C) is the correct ",
        "the roots are $",
        "Answer: - ",
        "选",
        "Answer:\n- ",
        "= ",
        "√",
        "{1, ",
    ):
        yield f"{piece}in a long text", repeated(piece, 200_000)


def backtracking() -> Named:
    """Texts on which a careless regular expression takes quadratic time or worse."""
    spaces = " " * 100_000
    yield from named_by_themselves(
        "(a+)+$",
        "((a*)*)*b",
        "(?=(a+))a*b\\1",
        "(.*)*x",
        "[[:alpha:]]",
        "\\1\\2",
        "(?P<x>",
        "a" * 40 + "!",
    )
    yield "number, spaces, letter", f"1{spaces}x"
    yield "spaces before the end", f"{spaces}."
    yield "fraction, spaces", rf"\frac{spaces}1{spaces}2"
    yield "box, spaces, number", rf"\boxed{spaces}5"
    yield "box, spaces", rf"\boxed{spaces}"
    yield "text of spaces", rf"\text{{{spaces}"
    yield "phrase, spaces", f"the answer is{spaces}"
    yield "phrases, no answer", "the final answer is " * 50_000
    yield "half phrases", "the answer " * 100_000
    yield "marks, spaces", f"####{spaces}" * 5
    yield "zeros, no digit", "0" * 100_000 + "x" + "0" * 100_000
    yield "points", "1." * 100_000
    yield "groups of three, one broken", "1" + ",000" * 50_000 + ",00"
    yield "groups of two", "1" + ",00" * 50_000
    yield "digits, exponent sign", "1" * 100_000 + "e" + "1" * 100_000 + "e"
    yield "thin spaces", "-" + r"\," * 100_000 + "1"
    yield "signs and spaces", "- " * 100_000 + "1"
    yield "angle brackets", "<" * 100_000 + "think>"
    yield "half tags", "<think" * 100_000
    yield "open and closed thoughts", "<think></think>" * 50_000
    yield "closed boxes in an open thought", "<think>" + r"\boxed{1}" * 50_000
    yield "open boxes, then a closed one", r"\boxed{" * 50_000 + r"\boxed{5}"
    yield "backslashes before a box", "\\" * 100_001 + "boxed{5}"
    yield "escaped braces in a box", r"\boxed{" + r"\{" * 50_000 + "}"
    yield "units without end", "5" + r"\text{ cm}" * 50_000
    yield "degrees without end", "5" + r"^\circ" * 50_000
    yield "words without end", "apple " * 100_000
    yield "x with primes", "x" + "'" * 100_000


def disguised_answers() -> Named:
    """Wrong by meaning, right by a careless edit of the string: nothing is to be said about their
    verdicts here.
    """
    yield from each_of(r"""
        1\text{0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000}
        1 \phantom{0}   \hspace{1cm}1   \color{white}{2}1   \not=1   \underbrace{1}_{2}   \overset{2}{1}
        \stackrel{?}{=} 1   \cancel{2}1   1 \text{ or not } 1   \text{not }1   \neq 1   \neg 1   \sim 1   any number
        1 \lor 2 \lor 3   x   reference   correct   \boxed{1}\boxed{2}\boxed{3}   0 1 2 3 4 5 6 7 8 9
        0, 1, 2, 3, \ldots   1 \dots   \mathbb{C}   \{x : x = 1\}   \{x \mid x \in \{x \mid x\}\}   \forall x \exists y
        \lim_{x \to 0} \frac{\sin x}{x}   \int_0^1 dx   \sum_{k=0}^{\infty} 2^{-k}   \frac{d}{dx} x
        \nabla \times \vec{F}
    """)
