"""Typical wrong solutions of chapter 3, named `<exercise>__<mistake>`; the checks reject each."""

import json
import math
import re
from fractions import Fraction

from Exercises.solutions import CH3 as solutions  # noqa: N811


def fill_template__replaces(template, problem):
    return template.replace("{problem}", problem)


def fill_template__formats_the_problem_too(template, problem):
    return template.replace("{problem}", problem).format(problem=problem)


def last_number__with_the_full_stop(text):
    numbers = re.findall(r"-?[\d.,]+", text)
    return numbers[-1] if numbers else None


def last_number__the_first(text):
    found = re.search(r"(?:(?<!\d)-)?\d+(?:,\d{3}(?!\d))*(?:\.\d+)?", text)
    return found and found.group()


def last_number__every_minus_is_a_sign(text):
    numbers = re.findall(r"-?\d+(?:,\d{3}(?!\d))*(?:\.\d+)?", text)
    return numbers[-1] if numbers else None


def last_box__to_the_first_brace(text):
    boxes = re.findall(r"\\boxed\{(.*?)\}", text)
    return boxes[-1] if boxes else None


def _content(text, start, escapes=True):
    depth, at = 1, start
    while at < len(text):
        if text[at] == "\\" and escapes:
            at += 2
            continue
        depth += {"{": 1, "}": -1}.get(text[at], 0)
        if depth == 0:
            return text[start:at]
        at += 1
    return None


def last_box__gives_up_when_cut_off(text):
    start = text.rfind("\\boxed{")
    return None if start < 0 else _content(text, start + len("\\boxed{"))


def last_box__counts_escaped_braces(text):
    contents = [_content(text, box.end(), escapes=False) for box in re.finditer(r"\\boxed\{", text)]
    return next((content for content in reversed(contents) if content is not None), None)


def last_box__looks_one_sign_back(text):  # as the lesson's does
    found = None
    for box in re.finditer(r"\\boxed\{", text):
        depth = 1
        for end in range(box.end(), len(text)):
            if text[end - 1] != "\\":
                depth += {"{": 1, "}": -1}.get(text[end], 0)
            if depth == 0:
                found = text[box.end() : end]
                break
    return found


def number_value__through_a_float(text):
    try:
        text = text.replace(",", "").replace("−", "-").replace("\\", "").strip()
        return Fraction(float(text.rstrip("% "))) / (100 if text.endswith("%") else 1)
    except ValueError:
        return None


def number_value__drops_all_commas(text):
    text = text.replace(",", "").replace("−", "-").replace("\\", "").strip()
    if not re.fullmatch(r"-?[0-9]*\.?[0-9]+(\s*%)?", text):
        return None
    return Fraction(text.rstrip("% ")) / (100 if text.endswith("%") else 1)


def number_value__whatever_fraction_reads(text):
    if re.search(r",(?![0-9]{3}(?![0-9]))|[0-9]{4},", text):
        return None
    text = text.replace(",", "").replace("−", "-").replace("\\", "").strip()
    try:
        return Fraction(text.rstrip("% ")) / (100 if text.endswith("%") else 1)
    except ValueError:
        return None


def _mixed(text, combine):
    plain = re.sub(r"\\d?frac\{([0-9]+)\}\{([0-9]+)\}", r" \1/\2", text).strip()
    groups = re.fullmatch(r"(-?)\s*(?:([0-9]+)|(?:([0-9]+)\s+)?([0-9]+)/([0-9]+))", plain)
    if groups is None or (groups[5] and int(groups[5]) == 0):
        return None
    sign = -1 if groups[1] else 1
    if groups[2]:
        return Fraction(sign * int(groups[2]))
    part = Fraction(int(groups[4]), int(groups[5]))
    return sign * part if groups[3] is None else combine(sign, int(groups[3]), part)


def mixed_number__sign_of_the_whole_part_only(text):
    return _mixed(text, lambda sign, whole, part: sign * whole + part)


def mixed_number__multiplied(text):
    return _mixed(text, lambda sign, whole, part: sign * whole * part)


def mixed_number__zero_below(text):
    plain = re.sub(r"\\d?frac\{([0-9]+)\}\{([0-9]+)\}", r" \1/\2", text).strip()
    if not re.fullmatch(r"-?\s*([0-9]+|([0-9]+\s+)?[0-9]+/[0-9]+)", plain):
        return None
    value = sum(Fraction(part) for part in plain.strip("- ").split())
    return -value if plain.startswith("-") else value


def same_fraction__floats(first, second):
    return 0 not in (first[1], second[1]) and first[0] / first[1] == second[0] / second[1]


def same_fraction__zero_over_zero_is_everything(first, second):
    return first[0] * second[1] == second[0] * first[1]


def same_fraction__number_by_number(first, second):
    return first == second


def same_function__one_point_is_enough(first, second, points):
    for point in points:
        try:
            return first(point) == second(point)
        except ZeroDivisionError:
            continue
    return None


def same_function__undefined_is_different(first, second, points):
    try:
        return all(first(point) == second(point) for point in points) if points else None
    except ZeroDivisionError:
        return False


def same_function__nothing_compared_is_true(first, second, points):
    for point in points:
        try:
            if first(point) != second(point):
                return False
        except ZeroDivisionError:
            continue
    return True


def _parts(text, number=Fraction):
    text = text.replace("\\left", "").replace("\\right", "").replace(" ", "")
    infinite = {"\\infty": math.inf, "-\\infty": -math.inf}
    low, high = (infinite.get(end) or number(end) for end in text[1:-1].split(","))
    return text[0], low, high, text[-1]


def same_interval__ends_only(first, second):
    return _parts(first)[1:3] == _parts(second)[1:3]


def same_interval__many_empty_sets(first, second):
    return _parts(first) == _parts(second)


def same_interval__floats(first, second):
    def read(text):
        opening, low, high, closing = _parts(text, lambda end: float(Fraction(end)))
        return (
            None
            if low > high or (low == high and (opening, closing) != ("[", "]"))
            else (opening, low, high, closing)
        )

    return read(first) == read(second)


def _split(text):
    parts, depth = [""], 0
    for sign in text:
        depth += (sign in "({") - (sign in ")}")
        if sign == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += sign
    return parts


def _same_list(first, second, point, many):
    def element(text):
        if text.startswith("("):
            return point(map(element, _split(text[1:-1])))
        if text.startswith("\\{"):
            return many(map(element, _split(text[2:-2])))
        return text

    def read(text):
        elements = [element(part) for part in _split(text.replace(" ", ""))]
        braces = len(elements) == 1 and text.replace(" ", "").startswith("\\{")
        return elements[0] if braces else many(elements)

    return read(first) == read(second)


def same_list__order_never_counts(first, second):
    return _same_list(first, second, frozenset, frozenset)


def same_list__order_always_counts(first, second):
    return _same_list(first, second, lambda parts: ("point", *parts), tuple)


def same_list__every_comma_splits(first, second):
    def read(text):
        text = text.replace(" ", "").replace("\\{", "").replace("\\}", "")
        return set(text.split(","))

    return read(first) == read(second)


def broken_rule__looks_at_pairs_only(same, answers):
    for a in answers:
        for b in answers:
            if same(a, b) != same(b, a):
                return a, b
    return None


def broken_rule__in_the_order_of_the_list(same, answers):
    for i, a in enumerate(answers):
        if not same(a, a):
            return (a,)
        for j, b in enumerate(answers[i:], i):
            if same(a, b) != same(b, a):
                return a, b
            for c in answers[j:]:
                if same(a, b) and same(b, c) and not same(a, c):
                    return a, b, c
    return None


def broken_rule__the_first_of_three_stands_first(same, answers):
    for i, a in enumerate(answers):
        if not same(a, a):
            return (a,)
        for b in answers[i:]:
            if same(a, b) != same(b, a):
                return a, b
            for c in answers[i:]:
                if same(a, b) and same(b, c) and not same(a, c):
                    return a, b, c
    return None


def broken_rule__says_yes_or_no(same, answers):
    return any(not same(a, a) for a in answers) or None


def bounded_power__computes_first(base, exponent, max_digits):
    power = base**exponent
    return power if abs(power) < 10**max_digits else None


def bounded_power__digits_of_the_base(base, exponent, max_digits):
    return base**exponent if len(str(abs(base))) * exponent <= max_digits else None


def bounded_power__one_digit_more(base, exponent, max_digits):
    if (abs(base).bit_length() - 1) * exponent > 4 * max_digits:
        return None
    power = base**exponent
    return power if abs(power) <= 10**max_digits else None


def count_mistakes__swapped(judge, pairs):
    return tuple(reversed(_counts(judge, pairs)))


def count_mistakes__an_exception_is_no_verdict(judge, pairs):
    return _counts(judge, pairs, skip=True)


def _counts(judge, pairs, skip=False):
    wrongly_same = wrongly_different = 0
    for answer, reference, same in pairs:
        try:
            verdict = judge(answer, reference)
        except ValueError:
            if skip:
                continue
            verdict = False
        wrongly_same += verdict and not same
        wrongly_different += same and not verdict
    return wrongly_same, wrongly_different


def _first_mistake(judge, pairs):
    return next((pair for pair in pairs if judge(*pair[:2]) != pair[2]), None)


def find_mistake__spellings_only(judge):
    return _first_mistake(
        judge, [("0.5", "\\frac{1}{2}", True), ("50%", "1/2", True), ("1,000", "1000", True)]
    )


def find_mistake__a_case_that_is_wrong_itself(judge):
    return _first_mistake(judge, [("0.5", "\\frac{1}{2}", True), ("3.14", "\\pi", True)])


def find_mistake__what_the_judge_says(judge):
    return "0.5", "\\frac{1}{2}", judge("0.5", "\\frac{1}{2}")


def wilson__the_normal_approximation(right, total, z=1.96):
    p = right / total
    spread = z * (p * (1 - p) / total) ** 0.5
    return p - spread, p + spread


def wilson__not_divided(right, total, z=1.96):
    p = right / total
    centre, spread = (
        p + z**2 / (2 * total),
        z * (p * (1 - p) / total + z**2 / (4 * total**2)) ** 0.5,
    )
    return centre - spread, centre + spread


def wilson__always_95_per_cent(right, total, z=1.96):
    p, z = right / total, 1.96
    centre, spread = (
        p + z**2 / (2 * total),
        z * (p * (1 - p) / total + z**2 / (4 * total**2)) ** 0.5,
    )
    return (centre - spread) / (1 + z**2 / total), (centre + spread) / (1 + z**2 / total)


def problems_needed__the_normal_approximation(share, width):
    return math.ceil(4 * 1.96**2 * share * (1 - share) / width**2)


def problems_needed__half_the_width(share, width):
    n = 1
    while _width(share, n) > 2 * width:
        n = math.ceil(n * 1.0001)
    return n


def _width(share, n, z=1.96):
    return 2 * z * (share * (1 - share) / n + z**2 / (4 * n**2)) ** 0.5 / (1 + z**2 / n)


def _rows(results, order=sorted, all_of=None):
    levels = order({result["level"] for result in results})
    groups = [
        (level, [result["correct"] for result in results if result["level"] == level])
        for level in levels
    ]
    rows = [(level, sum(group), len(group), sum(group) / len(group)) for level, group in groups]
    right, total = sum(row[1] for row in rows), sum(row[2] for row in rows)
    return [*rows, ("all", right, total, all_of(rows) if all_of else right / total)]


def _lengths(results, mean):
    means = {}
    for subject in {result["subject"] for result in results}:
        group = [result for result in results if result["subject"] == subject]
        means[subject] = tuple(
            mean([r["tokens"] for r in group if r["correct"] == correct])
            for correct in (True, False)
        )
    return means


def _compared(templates, problems, ask, grade, fill=str.format):
    for name, template in templates.items():
        right = [
            grade(ask(fill(template, problem=one["problem"])), one["answer"]) for one in problems
        ]
        yield name, sum(right) / len(right)


def compare_templates__braces_stay_doubled(templates, problems, ask, grade):
    fill = lambda template, problem: template.replace("{problem}", problem)  # noqa: E731
    return sorted(_compared(templates, problems, ask, grade, fill), key=lambda pair: -pair[1])


def compare_templates__ties_reversed(templates, problems, ask, grade):
    return sorted(_compared(templates, problems, ask, grade), key=lambda pair: pair[1])[::-1]


def compare_templates__reference_first(templates, problems, ask, grade):
    turned = lambda written, reference: grade(reference, written)  # noqa: E731
    return sorted(_compared(templates, problems, ask, turned), key=lambda pair: -pair[1])


def still_open__every_line_that_parses(content, unique_ids):
    answered = set()
    for line in content.split(b"\n")[1:]:
        try:
            answered.add(json.loads(line)["unique_id"])
        except ValueError:
            continue
    return [unique_id for unique_id in unique_ids if unique_id not in answered]


def still_open__decodes_the_whole(content, unique_ids):
    lines = content.decode().split("\n")[1:-1]
    return [
        unique_id
        for unique_id in unique_ids
        if unique_id not in {json.loads(line)["unique_id"] for line in lines}
    ]


def still_open__by_their_number(content, unique_ids):
    return unique_ids[max(0, content.count(b"\n") - 1) :]


def _whole_lines(path):
    content = path.read_bytes() if path.exists() else b""
    return content[: content.rfind(b"\n") + 1]


def _result(problem, text):
    return json.dumps({"unique_id": problem["unique_id"], "text": text}).encode() + b"\n"


def resumed__starts_again(path, problems, ask):
    texts = []
    with path.open("wb") as file:
        for problem in problems:
            texts.append(ask(problem["problem"]))
            file.write(_result(problem, texts[-1]))
            file.flush()
    return texts


def _resumed(path, problems, ask, *, flush=True, cut=True):
    whole = _whole_lines(path)
    results = {one["unique_id"]: one["text"] for one in map(json.loads, whole.split(b"\n")[:-1])}
    with path.open("ab") as file:
        if cut:
            file.truncate(len(whole))
        for problem in problems:
            if problem["unique_id"] not in results:
                results[problem["unique_id"]] = ask(problem["problem"])
                file.write(_result(problem, results[problem["unique_id"]]))
                if flush:
                    file.flush()
    return [results[problem["unique_id"]] for problem in problems]


def resumed__in_memory_till_the_end(path, problems, ask):
    return _resumed(path, problems, ask, flush=False)


def resumed__writes_behind_the_half_line(path, problems, ask):
    return _resumed(path, problems, ask, cut=False)


def _own(questions, subject, *, brackets=r"<<.*?>>", twice=False, cap=5):
    problems, seen = [], set()
    for question, worked in questions:
        if question in seen and not twice:
            continue
        seen.add(question)
        solution, answer = re.sub(brackets, "", worked).split("####")
        steps = solution.rstrip("\n").split("\n")
        problems.append(
            {
                "problem": question,
                "solution": "\n".join(steps),
                "answer": answer.strip(),
                "subject": subject,
                "level": min(cap, len(steps)),
                "unique_id": f"{subject}/{len(problems) + 1}",
            }
        )
    return problems


def own_problems__greedy_brackets(questions, subject):
    return _own(questions, subject, brackets=r"<<.*>>")


def own_problems__asks_twice(questions, subject):
    return _own(questions, subject, twice=True)


def own_problems__levels_beyond_five(questions, subject):
    return _own(questions, subject, cap=99)


def split_symbols__at_spaces(text):
    return text.split()


def split_symbols__drops_what_it_does_not_know(text):
    return re.findall(r"[0-9]+(?:\.[0-9]+)?|[-+*/^()]", text)


def split_symbols__signs_as_they_are_written(text):
    found = re.findall(r"[0-9]+(?:\.[0-9]+)?|\S", text)
    if not all(symbol[0].isdecimal() or symbol in "+-−*×·/÷^()" for symbol in found):
        raise ValueError(text)
    return found


def split_symbols__plain_signs_only(text):  # as the lesson's does
    if re.search(r"[−×·÷]", text):
        raise ValueError(text)
    return solutions.split_symbols(text)


def split_symbols__digit_by_digit(text):
    return [sign for sign in text if sign != " "]


def _sums(symbols, from_the_left=True, strong="*/"):
    """A parser with a fault: options change in which order signs are taken."""
    left = list(symbols)

    def product():
        tree = left.pop(0)
        while left and left[0] in strong:
            tree = (left.pop(0), tree, left.pop(0))
        return tree

    def rest():
        tree = product()
        return (left.pop(0), tree, rest()) if left else tree

    if not from_the_left:
        return rest()
    tree = product()
    while left:
        tree = (left.pop(0), tree, product())
    return tree


def parse_sums__all_signs_alike(symbols):
    return _sums(symbols, strong="+-*/")


def parse_sums__from_the_right(symbols):
    return _sums(symbols, from_the_left=False)


def parse_sums__computes(symbols):
    return solutions.calculate(" ".join(symbols))


def _powers(symbols, power_from_the_left=False, minus=3, from_the_left=True):
    """A parser with a fault: options change how tightly, and from which side, signs bind."""
    binding = {"+": 1, "-": 1, "*": 2, "/": 2, "^": 3}
    left = list(symbols)

    def operand():
        symbol = left.pop(0)
        if symbol == "-":
            return ("-", expression(minus))
        if symbol == "(":
            tree = expression(1)
            left.pop(0)
            return tree
        return symbol

    def expression(weakest):
        tree = operand()
        while left and binding.get(left[0], 0) >= weakest:
            sign = left.pop(0)
            goes_left = power_from_the_left if sign == "^" else from_the_left
            tree = (sign, tree, expression(binding[sign] + goes_left))
        return tree

    return expression(1)


def parse_powers__powers_from_the_left(symbols):
    return _powers(symbols, power_from_the_left=True)


def parse_powers__sums_from_the_right(symbols):
    return _powers(symbols, from_the_left=False)


def parse_powers__minus_before_power(symbols):
    return _powers(symbols, minus=9)


def parse_powers__minus_takes_the_product_that_follows(symbols):
    return _powers(symbols, minus=2)


def calculate__does_not_look_for_what_is_left_over(text):
    for end in range(len(text), 0, -1):  # whatever can be read from the beginning
        try:
            return solutions.calculate(text[:end])
        except ValueError:
            continue
    raise ValueError(text)


def calculate__lets_a_division_by_zero_through(text):
    try:
        return solutions.calculate(text)
    except ValueError as error:
        if "zero" in str(error):
            raise ZeroDivisionError from None
        raise


def calculate__floats(text):
    return Fraction(float(solutions.calculate(text)))


def calculate__any_exponent_up_to_a_limit(text):
    return solutions.calculate(text.replace("^0.5", "^1"))


def countdown_answer__only_the_value(numbers, target, answer):
    try:
        return solutions.calculate(answer) == target
    except ValueError:
        return False


def countdown_answer__numbers_as_a_set(numbers, target, answer):
    try:
        used = {int(symbol) for symbol in solutions.split_symbols(answer) if symbol[0].isdecimal()}
        return used == set(numbers) and solutions.calculate(answer) == target
    except ValueError:
        return False


def countdown_answer__digits_anywhere(numbers, target, answer):
    try:
        digits = sorted("".join(re.findall("[0-9]", answer)))
        return digits == sorted("".join(map(str, numbers))) and (
            solutions.calculate(answer) == target
        )
    except ValueError:
        return False


def countdown_answer__raises_on_nonsense(numbers, target, answer):
    used = [int(symbol) for symbol in re.findall("[0-9]+", answer)]
    return sorted(used) == sorted(numbers) and solutions.calculate(answer) == target


def my_judge__compares_texts(text, reference):
    return solutions.last_box(text) == reference


def my_judge__forgets_signs(text, reference):
    answer = solutions.last_box(text) or ""
    return solutions.my_judge(f"\\boxed{{{answer.lstrip('-')}}}", reference.lstrip("-"))


def my_judge__none_equals_none(text, reference):
    answer = solutions.last_box(text)
    return answer is not None and solutions.mixed_number(answer) == (
        solutions.mixed_number(reference)
    )


def my_judge__the_first_box(text, reference):
    found = re.search(r"\\boxed\{([^}]*)\}", text)
    return solutions.my_judge(f"\\boxed{{{found[1]}}}" if found else text, reference)


def my_judge__the_reference_anywhere(text, reference):
    return reference.replace(" ", "") in text.replace(" ", "")
