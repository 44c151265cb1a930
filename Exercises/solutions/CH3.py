r"""Solutions of chapter 3; `python -m Exercises CH3 4 --solution` shows one of them."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path


def fill_template(template: str, problem: str) -> str:
    r"""★ Put a problem into a prompt template.

    `{problem}` in the template stands for the problem. As in Python's format strings, `{{` and `}}`
    stand for single braces: a prompt that asks for `\boxed{}` has to say so. Braces in the problem
    are the problem's own.

    Args:
        template: has `{problem}` once or more often.
        problem: any text; mathematics is full of braces.

    Returns:
        The prompt.

    >>> fill_template("Use \\boxed{{}}. Question: {problem}", "What is \\frac{1}{2} + 1?")
    'Use \\boxed{}. Question: What is \\frac{1}{2} + 1?'

    Read: CH3/2_math_verifier.ipynb, section "1. Two ways to ask"
    """
    return template.format(problem=problem)


def last_number(text: str) -> str | None:
    """★★ The last number of a text, as it is written there: what is left when nobody drew a box.

    A number is digits, perhaps with commas between groups of three, perhaps with a point and more
    digits. A full stop behind a number is not part of it, and "1, 2" are two numbers. A minus sign
    directly before it is, unless a digit stands before the minus: "3-5" ends in 5.

    Args:
        text: what a model wrote.

    Returns:
        The number's text, or None if there is none.

    >>> last_number("She has 3 bags and pays $1,234.50.")
    '1,234.50'

    Read: CH3/2_math_verifier.ipynb, section "2. Find the answer in the text"
    """
    import re

    numbers = re.findall(r"(?:(?<!\d)-)?\d+(?:,\d{3}(?!\d))*(?:\.\d+)?", text)
    return numbers[-1] if numbers else None


def last_box(text: str) -> str | None:
    r"""★★◆ What stands in the last complete box, even with line breaks of LaTeX in it.

    A box begins with `\boxed{` and ends with the brace that closes it; braces nest. A box that is
    never closed, as in a text that was cut off, does not count: take one before it. An escaped
    brace, `\{` or `\}`, is a sign like others: it opens and closes nothing, and need not have a
    partner. But `\\`, a line break in LaTeX, is a sign of its own, and the brace behind it counts.
    Of boxes within boxes, take the one that begins last.

    Args:
        text: what a model wrote.

    Returns:
        The content, or None if no box is complete.

    >>> last_box(r"First \boxed{3}, no: \boxed{\frac{1}{2}}, I mean \boxed{\fra")
    '\\frac{1}{2}'

    Read: CH3/2_math_verifier.ipynb, section "2. Find the answer in the text"
    """
    import re

    for box in reversed(list(re.finditer(r"\\boxed\{", text))):
        depth = 1
        for brace in re.finditer(r"\\[\\{}]|[{}]", text[box.end() :]):
            depth += {"{": 1, "}": -1}.get(brace.group(), 0)
            if depth == 0:
                return text[box.end() :][: brace.start()]
    return None


def number_value(text: str) -> Fraction | None:
    r"""★★ The exact value of a number, however it is written.

    - commas between groups of three digits: `1,000`. With other groups, as in `12,5`, it is not a
      number
    - a decimal point, with or without digits before it: `0.5`, `.5`
    - a minus sign in front: `-`, or the typographic `−` (U+2212)
    - per cent, `%` or LaTeX's `\%`, perhaps behind a space: `50\%` is one half
    - spaces around it all do not matter

    Args:
        text: perhaps a number. Anything else, a fraction such as `1/2` or `1e5` too, is none here.

    Returns:
        The value, exactly: 0.1 is one tenth, which no float is. None if it is not a number.

    >>> number_value("1,234.5"), number_value(r"12.5\%"), number_value("12,5")
    (Fraction(2469, 2), Fraction(1, 8), None)

    Read: CH3/2_math_verifier.ipynb, section "3. The same answer, spelled differently"
    """
    import re

    groups = re.fullmatch(
        r"([-−]?)([0-9]{1,3}(?:,[0-9]{3})+|[0-9]*)(\.[0-9]+)?(\s*\\?%)?", text.strip()
    )
    if groups is None or not (groups[2] or groups[3]):
        return None
    value = Fraction((groups[2].replace(",", "") or "0") + (groups[3] or ""))
    if groups[4]:
        value /= 100
    return -value if groups[1] else value


def mixed_number(text: str) -> Fraction | None:
    r"""★★◆ The value of a whole number, a fraction, or both together.

    In `3\frac{1}{2}` nothing is multiplied: it is three *and* a half. The minus sign of
    `-3\frac{1}{2}` counts for all of it.

    Args:
        text: such as `5`, `-7/2`, `3 1/2`, `\frac{7}{2}`, `-3\frac{1}{2}` or `3 \dfrac{1}{2}`; no
            sign but in front.

    Returns:
        The value; None for anything else, and where the denominator is 0.

    >>> mixed_number("3 1/2"), mixed_number(r"3\frac{1}{2}"), mixed_number("x")
    (Fraction(7, 2), Fraction(7, 2), None)

    Read: CH3/2_math_verifier.ipynb, section "3. The same answer, spelled differently"
    """
    import re

    plain = re.sub(r"\\d?frac\{([0-9]+)\}\{([0-9]+)\}", r" \1/\2", text).strip()
    groups = re.fullmatch(r"(-?)\s*(?:([0-9]+)|(?:([0-9]+)\s+)?([0-9]+)/([0-9]+))", plain)
    if groups is None:
        return None
    sign, alone, whole, top, bottom = groups.groups()
    if bottom is not None and int(bottom) == 0:
        return None
    value = Fraction(int(alone or whole or 0)) + Fraction(int(top or 0), int(bottom or 1))
    return -value if sign else value


def split_symbols(text: str) -> list[str]:
    """★◆ A calculator, part 1: cut a text into symbols.

    A symbol is a number, whole (`12`) or decimal (`0.5`), or one of the signs `+ - * / ^ ( )`.
    Models also write signs as print has them: `−` (U+2212) is a `-`, `×` and `·` are `*`, and `÷`
    is a `/`. Spaces stand between symbols and are dropped. Nothing else is allowed.

    Args:
        text: what somebody, perhaps a model, wrote.

    Returns:
        The symbols, numbers as they are written, signs as `+ - * / ^ ( )`.

    Raises:
        ValueError: the text has a character that belongs to no symbol, such as `x` or `!`. A point
            needs digits on both sides.

    >>> split_symbols("12×(0.5 + 3)")
    ['12', '*', '(', '0.5', '+', '3', ')']

    Read: CH3/2_math_verifier.ipynb, section "4. From text to a tree"
    """
    import re

    found = re.findall(r"[0-9]+(?:\.[0-9]+)?|\S", text.translate(str.maketrans("−×·÷", "-**/")))
    for symbol in found:
        if not symbol[0].isdecimal() and symbol not in "+-*/^()":
            raise ValueError(f"{symbol!r} belongs to no number and is no sign")
    return found


def parse_sums(symbols: list[str]) -> str | tuple:
    """★★◆ A calculator, part 2: sums and products become a tree.

    Products are made before sums; otherwise what stands left is made first: 8 - 2 * 3 - 1 means
    (8 - (2 * 3)) - 1. A tree is either a number's symbol, or `(sign, left tree, right tree)`.

    Args:
        symbols: a number, then a sign and a number, again and again; the signs are `+ - * /`.

    Returns:
        The tree.

    >>> parse_sums(["8", "-", "2", "*", "3", "-", "1"])
    ('-', ('-', '8', ('*', '2', '3')), '1')

    Read: CH3/2_math_verifier.ipynb, section "4. From text to a tree"
    """
    left = list(symbols)

    def product() -> str | tuple:
        tree = left.pop(0)
        while left and left[0] in "*/":
            tree = (left.pop(0), tree, left.pop(0))
        return tree

    tree = product()
    while left:
        tree = (left.pop(0), tree, product())
    return tree


def parse_powers(symbols: list[str]) -> str | tuple:
    """★★◆ A calculator, part 3: brackets, powers and minus signs.

    Everything of part 2, and:

    - what stands in brackets is made first; the brackets themselves are not in the tree
    - powers are made before products, and from the right: 2^3^2 means 2^(3^2)
    - a minus sign may stand before an operand: `("-", tree)`. It is made after a power and before
      a product: -2^2 means -(2^2), and 8/-2*3 means (8/(-2))*3. An exponent may have one: 2^-1

    Args:
        symbols: of an expression that is whole: brackets match, and nothing is missing.

    Returns:
        The tree: a number's symbol, `("-", tree)`, or `(sign, left tree, right tree)`.

    >>> parse_powers(["-", "2", "^", "2"])
    ('-', ('^', '2', '2'))
    >>> parse_powers(["(", "1", "+", "2", ")", "*", "3"])
    ('*', ('+', '1', '2'), '3')

    Read: CH3/2_math_verifier.ipynb, section "4. From text to a tree"
    """
    binding = {"+": 1, "-": 1, "*": 2, "/": 2, "^": 3}
    left = list(symbols)

    def take() -> str:
        if not left:
            raise ValueError("the expression ends too early")
        return left.pop(0)

    def operand() -> str | tuple:
        symbol = take()
        if symbol == "-":
            return ("-", expression(binding["^"]))
        if symbol == "(":
            tree = expression(1)
            if take() != ")":
                raise ValueError("a bracket is not closed")
            return tree
        if not symbol[0].isdecimal():
            raise ValueError(f"expected a number, found {symbol!r}")
        return symbol

    def expression(weakest: int) -> str | tuple:
        tree = operand()
        while left and binding.get(left[0], 0) >= weakest:
            sign = take()
            # from the left: what follows must bind more strongly; a power's exponent need not
            stronger = binding[sign] if sign == "^" else binding[sign] + 1
            tree = (sign, tree, expression(stronger))
        return tree

    tree = expression(1)
    if left:
        raise ValueError(f"{left[0]!r} is left over")
    return tree


def calculate(text: str) -> Fraction:
    """★★◆ A calculator, part 4: exact values, errors and limits, without `eval`.

    Cut the text into symbols (your `split_symbols`), make a tree (your `parse_powers`), and compute
    its value in fractions. Whatever a model may write, two things can happen: a value, or a
    ValueError. Your parser was promised whole expressions so far; now it has to notice what is
    missing or left over, so you may have to change it.

    Args:
        text: what somebody, perhaps a model, wrote; not long.

    Returns:
        The value.

    Raises:
        ValueError: the text is no expression; something is divided by zero (0^-1 is 1/0); or a
            power is refused: its exponent is no whole number from -1000 to 1000, or its base has a
            numerator or denominator of more than 1000 digits. That keeps 9^9^9^9 from filling the
            memory.

    >>> calculate("1 + 2*3^2"), calculate("8 - 4 - 2"), calculate("1/3 + 0.5")
    (Fraction(19, 1), Fraction(2, 1), Fraction(5, 6))

    Read: CH3/2_math_verifier.ipynb, section "4. From text to a tree"
    """
    import operator as op

    operations = {"+": op.add, "-": op.sub, "*": op.mul, "/": op.truediv, "^": op.pow}

    def value(tree: str | tuple) -> Fraction:
        if isinstance(tree, str):
            return Fraction(tree)
        sign, *operands = tree
        values = [value(operand) for operand in operands]
        if len(values) == 1:
            return -values[0]
        if sign == "^":
            base, exponent = values
            if exponent.denominator != 1 or abs(exponent) > 1000:
                raise ValueError(f"the exponent {exponent} is no whole number up to 1000")
            if max(abs(base.numerator), base.denominator) >= 10**1000:
                raise ValueError("the base of a power has more than 1000 digits")
        try:
            return operations[sign](*values)
        except ZeroDivisionError:
            raise ValueError(f"a division by zero in {text!r}") from None

    return value(parse_powers(split_symbols(text)))


def same_fraction(first: tuple[int, int], second: tuple[int, int]) -> bool:
    """★ Are two fractions equal, exactly?

    Without floats: they have 16 digits, and a wrong answer may differ in the 20th. And what is
    divided by zero is no number, so it is equal to nothing.

    Args:
        first, second: numerator and denominator of each; any integers, of any size and sign.

    >>> pairs = [((1, 2), (-3, -6)), ((1, 3), (333, 1000)), ((0, 0), (1, 2))]
    >>> tuple(same_fraction(first, second) for first, second in pairs)
    (True, False, False)

    Read: CH3/2_math_verifier.ipynb, section "5. Equal in meaning"
    """
    (a, b), (c, d) = first, second
    return b != 0 and d != 0 and a * d == c * b


def same_function(
    first: Callable[[Fraction], Fraction],
    second: Callable[[Fraction], Fraction],
    points: list[Fraction],
) -> bool | None:
    """★★ Two expressions are the same if they have the same values wherever both are defined.

    Compare them at the points given. (x² - 1)/(x - 1) has no value at 1, where x + 1 has one: that
    point says nothing.

    Args:
        first, second: give the value at a point, exactly; raise ZeroDivisionError where they have
            none.
        points: where to compare.

    Returns:
        True: equal at each point where both have a value. False: different at one. None: no point
            told anything.

    >>> points = [Fraction(1), Fraction(2), Fraction(3)]
    >>> same_function(lambda x: (x * x - 1) / (x - 1), lambda x: x + 1, points)
    True
    >>> same_function(lambda x: 2 * x, lambda x: x * x, points)  # equal at 2, but not at 1
    False

    Read: CH3/2_math_verifier.ipynb, section "5. Equal in meaning"
    """
    compared = 0
    for point in points:
        try:
            values = first(point), second(point)
        except ZeroDivisionError:
            continue
        if values[0] != values[1]:
            return False
        compared += 1
    return True if compared else None


def same_interval(first: str, second: str) -> bool:
    r"""★★ Do two intervals hold the same numbers?

    A round bracket leaves its end out, a square one takes it in. Ends are exact. And an interval
    without any number in it is the empty set, which there is only one of: `(3, 3)`, `[5, 3]` and
    `(5, 3)` are the same; `[3, 3]` is not empty, it holds 3.

    Args:
        first, second: such as `(0, 1]`, `[1/2, 0.75)`, `(-\infty, 0)` or
            `\left[ 2, \infty \right)`. Ends are whole numbers, decimals or fractions with `/`, or
            infinite, which never stand at a square bracket.

    >>> same_interval("[0.5, 2)", "[1/2,2)"), same_interval(r"(-\infty, 0]", r"(-\infty, 0)")
    (True, False)

    Read: CH3/2_math_verifier.ipynb, section "6. Not only numbers"
    """
    infinite = {"\\infty": float("inf"), "-\\infty": -float("inf")}

    def read(text: str) -> tuple | None:
        text = text.replace("\\left", "").replace("\\right", "").replace(" ", "")
        low, high = (infinite.get(end) or Fraction(end) for end in text[1:-1].split(","))
        with_low, with_high = text[0] == "[", text[-1] == "]"
        if low > high or (low == high and not (with_low and with_high)):
            return None
        return with_low, low, high, with_high

    return read(first) == read(second)


def same_list(first: str, second: str) -> bool:
    r"""★★★ Points are ordered, sets are not, and each may hold the other.

    - `(3, -1)` is a point, and not the point `(-1, 3)`
    - `\{3, -1\}` is a set: no order, and saying an element twice changes nothing
    - `3, -1`, without brackets around it all, is a list of solutions: the same as the set with
      these elements. `(1, 2), (3, 4)` is a list of two points, and `5` alone is a list too

    Args:
        first, second: points, sets or lists. Their elements are points, sets, or texts without
            commas (such as `\frac{1}{2}`), which are the same if they are equal but for spaces.

    >>> points = "(1, 2), (3, 4)"
    >>> same_list(points, r"\{(3,4), (1,2)\}"), same_list(points, "(2, 1), (3, 4)")
    (True, False)

    Read: CH3/2_math_verifier.ipynb, section "6. Not only numbers"
    """

    def split(text: str) -> list[str]:
        parts, depth = [""], 0
        for sign in text:
            depth += (sign in "({") - (sign in ")}")
            if sign == "," and depth == 0:
                parts.append("")
            else:
                parts[-1] += sign
        return parts

    def element(text: str) -> str | tuple | frozenset:
        if text.startswith("("):
            return tuple(map(element, split(text[1:-1])))
        if text.startswith("\\{"):
            return frozenset(map(element, split(text[2:-2])))
        return text

    def read(text: str) -> frozenset:
        elements = [element(part) for part in split(text.replace(" ", ""))]
        alone = elements[0] if len(elements) == 1 else None
        return alone if isinstance(alone, frozenset) else frozenset(elements)

    return read(first) == read(second)


def broken_rule(same: Callable[[str, str], bool], answers: list[str]) -> tuple[str, ...] | None:
    """★★ Does "the same" sort answers into groups? Only if three rules hold.

    - each answer is the same as itself
    - if a is the same as b, then b is the same as a
    - if a is the same as b, and b the same as c, then a is the same as c

    Voting counts groups of equal answers, and without these rules there are none. Find answers that
    break one.

    Args:
        same: compares two answers.
        answers: to try; all pairs and triples of them.

    Returns:
        `(a,)` if a is not the same as itself; `(a, b)` if `same(a, b)` and `same(b, a)` differ;
        `(a, b, c)` if a is the same as b and b as c, but a not as c. Any one that there is, or
        None.

    >>> nearly_equal = lambda a, b: abs(float(a) - float(b)) < 0.1
    >>> broken_rule(nearly_equal, ["0.30", "0.38", "0.46"])
    ('0.30', '0.38', '0.46')

    Read: CH3/2_math_verifier.ipynb, section "6. Not only numbers"
    """
    for a in answers:
        if not same(a, a):
            return (a,)
        for b in answers:
            if same(a, b) != same(b, a):
                return a, b
            for c in answers:
                if same(a, b) and same(b, c) and not same(a, c):
                    return a, b, c
    return None


def bounded_power(base: int, exponent: int, max_digits: int) -> int | None:
    """★★ Know the price before you pay: a power, if it is not too long.

    9 ** 387420489 has 370 million digits. Computing it first and counting
    digits afterwards takes practically for ever. So look at base and exponent first, and compute
    only what is not much longer than allowed.

    Args:
        base: any integer.
        exponent: at least 0; it may itself be enormous, too large for a float.
        max_digits: the result may have so many decimal digits, not counting a sign; at most 1000.

    Returns:
        base ** exponent, or None if it has more digits.

    >>> bounded_power(10, 5, max_digits=6), bounded_power(10, 6, max_digits=6)
    (100000, None)
    >>> bounded_power(-1, 10**30, max_digits=1)
    1

    Read: CH3/2_math_verifier.ipynb, section "7. Answers that attack"
    """
    # with b bits, base is at least 2 ** (b - 1), and the power at least 2 ** ((b - 1) * exponent);
    # 2 ** 4 is beyond 10
    if (abs(base).bit_length() - 1) * exponent > 4 * max_digits:
        return None
    power = base**exponent
    return power if abs(power) < 10**max_digits else None


def count_mistakes(
    judge: Callable[[str, str], bool], pairs: list[tuple[str, str, bool]]
) -> tuple[int, int]:
    """★ Two ways to be wrong: a judge that accepts wrong answers, and one that rejects right ones.

    Training and voting believe the judge. One that accepts too much teaches nonsense; one that
    rejects too much makes a good model look bad. So count the two apart. A judge that raises an
    exception has not said "the same".

    Args:
        judge: `judge(answer, reference)` says whether they are the same.
        pairs: answer, reference, and whether they are the same in truth.

    Returns:
        How many pairs are wrongly called the same, and how many wrongly not.

    >>> pairs = [("0.5", "1/2", True), ("7", "7", True), ("0.333", "1/3", False)]
    >>> count_mistakes(lambda answer, reference: answer == reference, pairs)
    (0, 1)
    >>> count_mistakes(lambda answer, reference: True, pairs)
    (1, 0)

    Read: CH3/2_math_verifier.ipynb, section "8. How good is the judge?"
    """
    wrongly_same = wrongly_different = 0
    for answer, reference, same in pairs:
        try:
            verdict = judge(answer, reference)
        except Exception:
            verdict = False
        wrongly_same += verdict and not same
        wrongly_different += same and not verdict
    return wrongly_same, wrongly_different


def find_mistake(judge: Callable[[str, str], bool]) -> tuple[str, str, bool] | None:
    r"""★★◆ Write test cases that expose a bad judge.

    You are given judges, one after another, and most have a fault: one compares strings; one rounds
    to two decimals; one forgets minus signs, or the order in a point, or whether the ends of an
    interval belong to it; one does not know thousands commas, or per cent, or LaTeX's fractions;
    one says the same to everything. Make a list of pairs whose verdict you know, try them on the
    judge, and hand in one that it gets wrong.

    Args:
        judge: takes an answer and a reference, says whether they are the same. It raises nothing.

    Returns:
        An answer, a reference, and whether they are the same in truth, where the judge says
        otherwise. None if the judge was right about all your pairs: the one without a fault must
        get through.

    >>> find_mistake(lambda answer, reference: answer == reference)  # for example
    ('0.5', '\\frac{1}{2}', True)

    Read: CH3/2_math_verifier.ipynb, section "8. How good is the judge?"
    """
    pairs = [
        ("0.5", r"\frac{1}{2}", True),
        ("1/2", "0.5", True),
        ("0.333", "1/3", False),
        ("0.33333333", "1/3", False),
        ("-5", "5", False),
        ("7", "8", False),
        ("(3, -1)", "(-1, 3)", False),
        ("-1, 3", "3, -1", True),
        ("(0, 1]", "(0, 1)", False),
        ("1,000", "1000", True),
        ("1,000", "1", False),
        (r"50\%", "0.5", True),
        ("x + 1", "1 + x", True),
        ("2^3", "23", False),
    ]
    for answer, reference, same in pairs:
        if judge(answer, reference) != same:
            return answer, reference, same
    return None


def wilson(right: int, total: int, z: float = 1.96) -> tuple[float, float]:
    """★◆ How much an accuracy says: the Wilson interval (1927).

    With p = right / total and n = total:

        (p + z²/(2n) ± z · sqrt(p(1 - p)/n + z²/(4n²))) / (1 + z²/n)

    Args:
        right: problems answered correctly, from 0 to `total`.
        total: problems, at least 1.
        z: 1.96 for 95 %.

    Returns:
        The lower and the upper end.

    >>> [round(end, 3) for end in wilson(8, 10)]
    [0.49, 0.943]

    Read: CH3/2_math_verifier.ipynb, section "9. Evaluate a model"
    """
    p = right / total
    centre = p + z**2 / (2 * total)
    spread = z * (p * (1 - p) / total + z**2 / (4 * total**2)) ** 0.5
    return (centre - spread) / (1 + z**2 / total), (centre + spread) / (1 + z**2 / total)


def problems_needed(share: float, width: float) -> int:
    """★★ How large must a data set be?

    The 95 % Wilson interval of a share p of n problems is this wide (z = 1.96):

        2z · sqrt(p(1 - p)/n + z²/(4n²)) / (1 + z²/n)

    It gets narrower with each further problem. Find the smallest n for which it is at most as wide
    as wanted. That may be millions, so do not try one after another.

    Args:
        share: the accuracy that is expected, between 0 and 1.
        width: from the lower end to the upper; between 0 and 1.

    Returns:
        n, at least 1.

    >>> problems_needed(0.5, width=0.1), problems_needed(0.5, width=0.05)  # four times as many
    (381, 1533)

    Read: CH3/2_math_verifier.ipynb, section "9. Evaluate a model"
    """
    z = 1.96

    def wide(n: int) -> float:
        return 2 * z * (share * (1 - share) / n + z**2 / (4 * n**2)) ** 0.5 / (1 + z**2 / n)

    enough = 1
    while wide(enough) > width:
        enough *= 2
    too_few = enough // 2
    while enough - too_few > 1:
        middle = (enough + too_few) // 2
        if wide(middle) > width:
            too_few = middle
        else:
            enough = middle
    return enough


def compare_templates(
    templates: dict[str, str],
    problems: list[dict],
    ask: Callable[[str], str],
    grade: Callable[[str, str], bool],
) -> list[tuple[str, float]]:
    """★ Which prompt works best? Ask every problem with every template.

    Args:
        templates: by name. Each is a format string with `{problem}`, in which `{{` and `}}` stand
            for braces.
        problems: dictionaries with `problem` and `answer`, the reference; at least one.
        ask: `ask(prompt)` gives what a model writes when it reads a prompt.
        grade: `grade(written, reference)` says whether what was written agrees with a reference.

    Returns:
        `(name, share of problems answered correctly)` for each template, the best first; of equally
        good ones, the one that stands first in `templates`.

    >>> problems = [{"problem": "1 + 1", "answer": "2"}, {"problem": "2 + 3", "answer": "5"}]
    >>> knows_one = lambda prompt: "2" if prompt == "What is 1 + 1?" else "no idea"
    >>> templates = {"bare": "{problem}", "polite": "What is {problem}?"}
    >>> compare_templates(templates, problems, knows_one, str.__eq__)
    [('polite', 0.5), ('bare', 0.0)]

    Read: CH3/2_math_verifier.ipynb, section "9. Evaluate a model"
    """
    shares = {}
    for name, template in templates.items():
        right = [
            grade(ask(template.format(problem=one["problem"])), one["answer"]) for one in problems
        ]
        shares[name] = sum(right) / len(right)
    return sorted(shares.items(), key=lambda item: item[1], reverse=True)


def still_open(content: bytes, unique_ids: list[str]) -> list[str]:
    """★★ An evaluation was killed. Which problems does it still have to ask?

    Its file holds one JSON object per line: first the settings, then one result per line, in any
    order. Each line ends in a line break, and was written in one go; but the last one may be cut
    anywhere, even in the middle of a character. A line without its line break does not count,
    whatever it looks like.

    Args:
        content: of the file; empty if it did not come to writing.
        unique_ids: of all problems. A result has its problem's id as `unique_id`, and other fields.

    Returns:
        The ids without a result, in their order.

    >>> content = b'{"settings": {"model": "tiny"}}\\n{"unique_id": "b", "text": "a: 7"}\\n'
    >>> content += b'{"unique_id": "c", "te'
    >>> still_open(content, ["a", "b", "c"])
    ['a', 'c']

    Read: CH3/2_math_verifier.ipynb, section "11. Killed, and little is lost"
    """
    import json

    whole_lines = content.split(b"\n")[:-1]
    answered = {json.loads(line)["unique_id"] for line in whole_lines[1:]}
    return [unique_id for unique_id in unique_ids if unique_id not in answered]


def resumed(path: Path, problems: list[dict], ask: Callable[[str], str]) -> list[str]:
    """★★★ An evaluation that can be killed at any moment, and loses no answer that was ready.

    Ask the problems in their order. Write each answer to the file before you ask for the next, so
    that it is there whatever happens then. When the file exists already, ask only what is missing.
    Its last line may have been cut, as in the exercise before: remove what is left of it, so that
    the next line is not written behind it.

    Args:
        path: of the file, which may not exist yet. One line per problem, JSON with `unique_id` and
            `text`, and a line break. (No settings here.)
        problems: dictionaries with `unique_id` and `problem`.
        ask: gives the answer to a problem's text. It may raise an exception: let it through.

    Returns:
        The answers' texts, in the order of the problems. Killed in the middle of writing line 3 of
        5 and called again, it asks three problems and returns five texts; called once more, it asks
        none.

    Read: CH3/2_math_verifier.ipynb, section "11. Killed, and little is lost"
    """
    import json

    content = path.read_bytes() if path.exists() else b""
    whole = content[: content.rfind(b"\n") + 1]
    results = [json.loads(line) for line in whole.split(b"\n")[:-1]]
    texts = {result["unique_id"]: result["text"] for result in results}
    with path.open("ab") as file:
        file.truncate(len(whole))
        for problem in problems:
            unique_id = problem["unique_id"]
            if unique_id not in texts:
                texts[unique_id] = ask(problem["problem"])
                line = json.dumps({"unique_id": unique_id, "text": texts[unique_id]})
                file.write(line.encode() + b"\n")
                file.flush()
    return [texts[problem["unique_id"]] for problem in problems]


def countdown_answer(numbers: list[int], target: int, answer: str) -> bool:
    """★★ An answer that needs no reference: check a solution of the game Countdown.

    "Write 75 with 13, 16 and 7, each number once, and + - * /." There are many right answers, so
    there is none to compare with. But each can be checked: it is right if it uses every number
    exactly once and no other number, only the signs `+ - * /` and brackets, and if its exact value
    is the target. Your `split_symbols` and `calculate` do most of it.

    Args:
        numbers: the numbers given; one may occur twice, and is then used twice.
        target: the number to make.
        answer: what a model wrote; anything.

    Returns:
        Whether the answer is right. What is no expression is wrong; nothing is raised.

    >>> countdown_answer([13, 16, 7], 75, "(13 * 7) - 16"), countdown_answer([13, 16, 7], 75, "75")
    (True, False)

    Read: CH3/2_math_verifier.ipynb, section "12. Checked instead of compared"
    """
    try:
        symbols = split_symbols(answer)
        used = [int(one) for one in symbols if one[0].isdecimal()]  # int("0.5"): ValueError
        allowed = "^" not in symbols and sorted(used) == sorted(numbers)
        return allowed and calculate(answer) == target
    except ValueError:
        return False


def own_problems(questions: list[tuple[str, str]], subject: str) -> list[dict]:
    r"""★★ A data set of your own: from questions as GSM8K has them (Cobbe et al., 2021) to problems
    for `evaluate`.

    A solution in GSM8K has one step per line, calculations in double angle brackets, and the answer
    on a last line behind `####`. Our problems have these fields:

    - `problem`: the question; `answer`: what stands behind `####`, without spaces around it
    - `solution`: the lines before that, without what is in double angle brackets (and without
      these); no line break at the end
    - `subject`: as given; `level`: the number of steps, but at most 5
    - `unique_id`: subject and number, from 1: `shopping/1`

    A question that occurs a second time would count twice: leave it out, and do not count its
    number.

    Args:
        questions: question and solution of each; at least one step in each solution.
        subject: of all of them.

    Returns:
        One dictionary per problem. Write them to a `.json` file with `json.dump`, and the model is
        asked by `python -m CH3.evaluation --data FILE`.

    >>> worked = "Half is 48/2 = <<48/2=24>>24.\n24 + 3 = 27.\n#### 27"
    >>> problem = own_problems([("Half of 48, plus 3?", worked)], "sums")[0]
    >>> problem["solution"], problem["answer"], problem["level"], problem["unique_id"]
    ('Half is 48/2 = 24.\n24 + 3 = 27.', '27', 2, 'sums/1')

    Read: CH3/2_math_verifier.ipynb, section "13. One word of the prompt"
    """
    import re

    problems: dict[str, dict] = {}
    for question, worked in questions:
        if question in problems:
            continue
        *steps, last = re.sub(r"<<.*?>>", "", worked).split("\n")
        problems[question] = {
            "problem": question,
            "solution": "\n".join(steps),
            "answer": last.removeprefix("####").strip(),
            "subject": subject,
            "level": min(5, len(steps)),
            "unique_id": f"{subject}/{len(problems) + 1}",
        }
    return list(problems.values())


def my_judge(text: str, reference: str) -> bool:
    r"""★★◆ Capstone: your judge grades 100 answers that the shipped model has written.

    The answer stands in the last box: your `last_box`. Without one, the answer is wrong. Compare it
    with the reference: as texts, without their spaces; and, if both are numbers, by their values,
    exactly. Your `mixed_number` and your `calculate` read numbers; ask one, then the other.

    Your other functions can make the judge better: `last_number` where there is no box,
    `number_value` for `1,000` and `50\%`, `same_interval`, `same_list`.

    Args:
        text: what a model wrote.
        reference: the right answer, such as `-\frac{1}{6}`, `0.5`, `(-9, 7)`, `6x - 15` or
            `Saturday`.

    Returns:
        Whether the text's answer is right. Nothing is raised, whatever the model wrote. On 100
        answers of the shipped model, your verdict and that of the repository's judge may differ
        five times.

    >>> my_judge(r"So it is \boxed{\frac{2}{4}}.", "0.5"), my_judge(r"\boxed{7}", "8")
    (True, False)

    Read: CH3/2_math_verifier.ipynb, section "What you have now"
    """

    def value(text: str) -> Fraction | None:
        found = mixed_number(text)
        if found is not None:
            return found
        try:
            return calculate(text)
        except ValueError:
            return None

    answer = last_box(text)
    if answer is None:
        return False
    if answer.replace(" ", "") == reference.replace(" ", ""):
        return True
    yours, right = value(answer), value(reference)
    return yours is not None and yours == right
