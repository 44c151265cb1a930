r"""Hints of chapter 3: up to three an exercise, each saying more than the one before."""

HINTS = {
    "fill_template": (
        "Strings have a method that does all of it, doubled braces too.",
        "`str.format` reads the braces of the template only, not those of what it puts in.",
        "template.format(problem=...)",
    ),
    "last_number": (
        "`re.findall` gives all matches in order; you want the last.",
        r"Digits, then `(?:,\d{3}(?!\d))*` for the groups, then `(?:\.\d+)?`: a point only with digits behind it.",
        r"For the minus: `(?:(?<!\d)-)?` in front. `(?<!\d)` looks back: no digit there.",
    ),
    "last_box": (
        "Where do the boxes begin? Try each of these places, the last one first.",
        "From there, count: +1 for an opening brace, -1 for a closing one; at 0 the box is closed. At the end of the "
        "text it is not, so try the box before.",
        r"Escaped signs: skip the one behind a backslash, be it a brace or a second backslash; or let "
        r"`re.finditer(r'\\[\\{}]|[{}]', ...)` find the braces: it takes `\{` and `\\` as one piece, which counts 0.",
    ),
    "number_value": (
        "One regular expression for all of it, with `re.fullmatch`: sign, digits, decimals, per cent, each a group.",
        "Two kinds of digits before the point: `[0-9]{1,3}(?:,[0-9]{3})+` or plain `[0-9]*`. At least one digit must "
        "be there, before the point or behind it.",
        "`Fraction('1234.5')` is exact; `Fraction(1234.1)` takes over the float's error. Divide by 100 in the end.",
    ),
    "mixed_number": (
        r"First turn `\frac{1}{2}` into ` 1/2`; then there is only one spelling left to read.",
        r"Three shapes: `5`, `1/2`, `3 1/2`. `re.sub(r'\\d?frac\{([0-9]+)\}\{([0-9]+)\}', r' \1/\2', text)` does the "
        "first step.",
        "Take the sign off first, add whole part and fraction, and put the sign on the sum. Look for a denominator "
        "of 0.",
    ),
    "same_fraction": (
        "a/b = c/d without any division: multiply both sides by b and by d.",
        "Python's integers have as many digits as they need, so the products are exact.",
        "0/0 against anything gives 0 = 0: look at the denominators first.",
    ),
    "same_function": (
        "A loop over the points, with `try` around both calls.",
        "`except ZeroDivisionError: continue` goes on to the next point.",
        "Count the points that were compared: `all([])` is True, and that is not what you want to say.",
    ),
    "same_interval": (
        "Turn each text into (bracket, low, high, bracket), and compare these.",
        "`Fraction('1/2')` and `Fraction('0.5')` are equal; `float('inf')` can be compared with a Fraction.",
        "Empty: low > high, or low == high without two square brackets. Read all empty ones as the same thing, such as "
        "None.",
    ),
    "same_list": (
        "Python has what you need: a tuple keeps order, a frozenset has none, and each may hold the other.",
        "Split at the commas that are in no bracket: count depth over `({` and `)}`.",
        r"A function `element(text)`: from `(` a tuple of elements, from `\{` a frozenset of elements, else the "
        "text. The whole is a frozenset of its parts, unless its only part is a set already.",
    ),
    "broken_rule": (
        "Each rule is a test of one, two or three answers: three loops.",
        "The loops must go over all answers each, in every order: a, b and c may stand anywhere in the list.",
        "Inside: not same(a, a); same(a, b) != same(b, a); same(a, b) and same(b, c) and not same(a, c).",
    ),
    "bounded_power": (
        "How many digits will it have, at least? Say it without computing it, and without floats.",
        "`base.bit_length()` is b: then the base is at least 2 ** (b - 1), and the power at least 2 ** ((b - 1) * "
        "exponent).",
        "If (b - 1) * exponent > 4 * max_digits, it is too long, as 2 ** 4 is more than 10. Otherwise it is cheap: "
        "compute it and compare with 10 ** max_digits.",
    ),
    "count_mistakes": (
        "Two counters. Which one grows depends on the verdict and on the truth.",
        "`try: verdict = judge(...)`, and in case of an exception the verdict is False.",
        "Wrongly the same: `verdict and not same`. Wrongly different: `same and not verdict`.",
    ),
    "find_mistake": (
        "A list of `(answer, reference, same)`, and a loop that returns the first one of which judge says otherwise.",
        "For each fault in the task, one pair that meets it. Section 3 of the notebook has a list to begin with.",
        "A judge that rounds says that 0.333 is 1/3. For the order: (3, -1) and (-1, 3). For the ends: (0, 1] and "
        "(0, 1). For signs: -5 and 5.",
    ),
    "wilson": (
        "Three values: p, the centre (p + z²/(2n)), and what is added and subtracted.",
        "Both ends are divided by 1 + z²/n.",
        "spread = z * (p * (1 - p) / n + z**2 / (4 * n**2)) ** 0.5",
    ),
    "problems_needed": (
        "First write the width as a function of n.",
        "Double n until it is narrow enough. Then the answer lies between the last two.",
        "Halve that range again and again: keep one n that is too small and one that is enough, and look at the "
        "middle.",
    ),
    "compare_templates": (
        "For each template: fill it, ask, grade, count.",
        "`template.format(problem=...)`; and `grade` takes what was written first, then the reference.",
        "`sorted(shares.items(), key=lambda item: item[1], reverse=True)` leaves equals in the order in which they "
        "came.",
    ),
    "still_open": (
        r"Stay with bytes: cut them at `b'\n'`, and see what is behind the last line break.",
        r"`content.split(b'\n')` always ends with what has no line break: nothing, or half a line. Drop it.",
        "Drop the settings too; `json.loads(line)['unique_id']` of the others makes a set of what is answered.",
    ),
    "resumed": (
        r"Three steps: read the whole lines, cut the file behind them, ask and write what is missing.",
        r"`content[: content.rfind(b'\n') + 1]` are the whole lines. `path.open('ab')` goes on at the end, and "
        "`file.truncate(length)` cuts.",
        "After each write, `file.flush()`: until then the line is in your program's memory, and dies with it.",
    ),
    "own_problems": (
        "A loop that keeps what it has seen; a dictionary from question to problem does both.",
        "`re.sub(r'<<.*?>>', '', text)`: the question mark makes it stop at the first `>>`.",
        r"`*steps, last = text.split('\n')`; the number is one more than the problems so far.",
    ),
    "split_symbols": (
        "`re.findall(pattern, text)` gives all matches in order. Which pattern finds a number, and otherwise any single character but a space?",
        r"`[0-9]+(?:\.[0-9]+)?|\S`: a number if there is one, else one character.",
        "First `text.translate(str.maketrans('−×·÷', '-**/'))`. Then look at each symbol: it begins with a digit, or is one of `+-*/^()`; otherwise raise ValueError.",
    ),
    "parse_sums": (
        "A sum is products with + and - between them; a product is numbers with * and / between them. That is two functions, or two loops.",
        "Keep a list of the symbols that are left, and take them from the front: `left.pop(0)`.",
        "`tree = product()`, then `while left: tree = (left.pop(0), tree, product())`. Python makes a tuple's parts from left to right. `product` is the same, with numbers, while `left[0]` is * or /.",
    ),
    "parse_powers": (
        "Give each sign a strength: + and - 1, * and / 2, ^ 3. `expression(weakest)` reads an operand and all that is bound to it at least so strongly.",
        "`operand()`: a number; or `(`, then `expression(1)`, then `)`; or a minus, then `expression(3)`, the strength of ^: so in 8/-2*3 it takes the 2 alone.",
        "In `expression`: while the next symbol is a sign of strength `weakest` or more, take it, and let its right side be `expression(strength + 1)`; for ^ without the + 1, since powers go from the right.",
    ),
    "calculate": (
        "A function `value(tree)` that calls itself: a symbol is a number; otherwise compute the values of the parts, and put them together.",
        '`Fraction(symbol)` reads "12" and "0.5" exactly. Look at a power before you compute it. `Fraction(1) / 0` raises ZeroDivisionError: turn it into a ValueError, `raise ValueError(...) from None`.',
        "Your parser has three places for a ValueError: no symbol where one is needed, a symbol that is no operand, and symbols that are left over in the end. A bracket may be closed by something else, too.",
    ),
    "countdown_answer": (
        "Three questions: are only allowed signs in it, are the numbers right, is the value right?",
        "Sorted lists compare numbers with their repetitions: `sorted(used) == sorted(numbers)`.",
        '`try` around everything, `except ValueError: return False`. `int("0.5")` raises one as well. `^` is the only sign of `split_symbols` that is not allowed.',
    ),
    "my_judge": (
        "Find the answer, compare as text, compare as numbers: three steps, and each may already decide.",
        "A helper `value(text)` asks `mixed_number` first, then `calculate`, and returns None if neither can read it. `calculate` says so by a ValueError.",
        "Only if both have a value do values decide: `yours is not None and yours == right`. None == None says nothing.",
    ),
}
