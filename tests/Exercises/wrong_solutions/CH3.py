"""What a reader may hand in for chapter 3 and should not get away with:
`<exercise>__<what is wrong>`.
"""

import json
import math
import re
from fractions import Fraction


def fill_template__replaces(template, problem):
    return template.replace("{problem}", problem)


def fill_template__formats_the_problem_too(template, problem):
    return template.replace("{problem}", problem).format(problem=problem)


def fill_template__braces_undoubled_everywhere(template, problem):
    return template.replace("{problem}", problem).replace("{{", "{").replace("}}", "}")


def last_number__with_the_full_stop(text):
    numbers = re.findall(r"-?[\d.,]+", text)
    return numbers[-1] if numbers else None


def last_number__plain_digits(text):
    numbers = re.findall(r"-?\d+", text)
    return numbers[-1] if numbers else None


def last_number__the_first(text):
    found = re.search(r"(?:(?<!\d)-)?\d+(?:,\d{3}(?!\d))*(?:\.\d+)?", text)
    return found and found.group()


def last_number__every_minus_is_a_sign(text):
    numbers = re.findall(r"-?\d+(?:,\d{3}(?!\d))*(?:\.\d+)?", text)
    return numbers[-1] if numbers else None


def last_number__empty_when_none(text):
    return (re.findall(r"(?:(?<!\d)-)?\d+(?:,\d{3}(?!\d))*(?:\.\d+)?", text) or [""])[-1]


def last_box__to_the_first_brace(text):
    boxes = re.findall(r"\\boxed\{(.*?)\}", text)
    return boxes[-1] if boxes else None


def last_box__to_the_last_brace(text):
    boxes = re.findall(r"\\boxed\{(.*)\}", text)
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


def last_box__empty_is_none(text):
    contents = [_content(text, box.end()) for box in re.finditer(r"\\boxed\{", text)]
    return next((content for content in reversed(contents) if content), None)


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


def number_value__per_cent_is_a_unit(text):
    groups = re.fullmatch(
        r"([-−]?)([0-9]{1,3}(?:,[0-9]{3})+|[0-9]*)(\.[0-9]+)?(\s*\\?%)?", text.strip()
    )
    if groups is None or not (groups[2] or groups[3]):
        return None
    value = Fraction((groups[2].replace(",", "") or "0") + (groups[3] or ""))
    return -value if groups[1] else value


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


def mixed_number__drops_the_space(text):
    return _mixed(
        text,
        lambda sign, whole, part: (
            sign * Fraction(int(f"{whole}{part.numerator}"), part.denominator)
        ),
    )


def mixed_number__zero_below(text):
    plain = re.sub(r"\\d?frac\{([0-9]+)\}\{([0-9]+)\}", r" \1/\2", text).strip()
    if not re.fullmatch(r"-?\s*([0-9]+|([0-9]+\s+)?[0-9]+/[0-9]+)", plain):
        return None
    value = sum(Fraction(part) for part in plain.strip("- ").split())
    return -value if plain.startswith("-") else value


def _calculator(
    text, *, power_from_the_left=False, from_the_left=True, minus=3, left_over=False, bound=1000
):
    binding = {"+": 1, "-": 1, "*": 2, "/": 2, "^": 3}
    tokens = re.findall(r"[0-9]+(?:\.[0-9]+)?|\S", text)

    def operand():
        token = tokens.pop(0) if tokens else ""
        if token == "-":
            return -(operand() if minus > 3 else expression(minus))
        if token == "(":
            value = expression(1)
            if not tokens or tokens.pop(0) != ")":
                raise ValueError("a bracket is not closed")
            return value
        return Fraction(token)

    def expression(weakest):
        value = operand()
        while tokens and binding.get(tokens[0], 0) >= weakest:
            sign = tokens.pop(0)
            closer = power_from_the_left if sign == "^" else from_the_left
            value = apply(sign, value, expression(binding[sign] + closer))
        return value

    def apply(sign, left, right):
        if sign == "^":
            if abs(right) > bound or (bound == 1000 and right.denominator != 1):
                raise ValueError("exponent")
            power = left**right
            return power if isinstance(power, Fraction) else Fraction(power)
        if sign == "/" and right == 0:
            raise ValueError("a division by zero")
        return (
            {"+": left + right, "-": left - right, "*": left * right}[sign]
            if sign != "/"
            else left / right
        )

    try:
        value = expression(1)
    except ZeroDivisionError:
        raise ValueError("a division by zero") from None
    if tokens and not left_over:
        raise ValueError("tokens are left over")
    return value


def calculate__powers_from_the_left(text):
    return _calculator(text, power_from_the_left=True)


def calculate__sums_from_the_right(text):
    return _calculator(text, from_the_left=False)


def calculate__minus_before_power(text):
    return _calculator(text, minus=9)


def calculate__minus_takes_all_that_follows(text):
    return _calculator(text, minus=1)


def calculate__minus_takes_the_product_that_follows(text):
    return _calculator(text, minus=2)


def calculate__reads_the_beginning(text):
    return _calculator(text, left_over=True)


def calculate__roots_as_floats(text):
    return _calculator(text, bound=999)


def same_fraction__floats(first, second):
    return 0 not in (first[1], second[1]) and first[0] / first[1] == second[0] / second[1]


def same_fraction__nearly_equal(first, second):
    if 0 in (first[1], second[1]):
        return False
    return abs(Fraction(*first) - Fraction(*second)) < Fraction(1, 10**9)


def same_fraction__zero_over_zero_is_everything(first, second):
    return first[0] * second[1] == second[0] * first[1]


def same_fraction__reduced_with_its_sign(first, second):
    if 0 in (first[1], second[1]):
        return False
    reduced = [
        (top // math.gcd(top, bottom), bottom // math.gcd(top, bottom))
        for top, bottom in (first, second)
    ]
    return reduced[0] == reduced[1]


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


def same_function__as_floats(first, second, points):
    verdicts = []
    for point in points:
        try:
            verdicts.append(float(first(point)) == float(second(point)))
        except ZeroDivisionError:
            continue
    return all(verdicts) if verdicts else None


def same_function__zero_is_no_value(first, second, points):
    values = []
    for point in points:
        try:
            values.append((first(point), second(point)))
        except ZeroDivisionError:
            continue
    compared = [one == other for one, other in values if one and other]
    return all(compared) if compared else None


def _parts(text, number=Fraction):
    text = text.replace("\\left", "").replace("\\right", "").replace(" ", "")
    infinite = {"\\infty": math.inf, "-\\infty": -math.inf}
    low, high = (infinite.get(end) or number(end) for end in text[1:-1].split(","))
    return text[0], low, high, text[-1]


def same_interval__texts(first, second):
    return first.replace(" ", "") == second.replace(" ", "")


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


def same_interval__a_point_is_empty(first, second):
    first, second = _parts(first), _parts(second)
    return (first[1] >= first[2] and second[1] >= second[2]) or first == second


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


def same_list__repetitions_count(first, second):
    return _same_list(first, second, tuple, lambda parts: ("set", *sorted(parts, key=repr)))


def same_list__every_comma_splits(first, second):
    def read(text):
        text = text.replace(" ", "").replace("\\{", "").replace("\\}", "")
        return set(text.split(","))

    return read(first) == read(second)


def same_list__sorts_the_signs(first, second):
    return sorted(first.replace("\\", "").strip("{}")) == sorted(
        second.replace("\\", "").strip("{}")
    )


def same_list__a_point_is_what_begins_with_a_bracket(first, second):
    def read(text):
        text = text.replace(" ", "")
        if text.startswith("("):
            return tuple(_split(text[1:-1]))
        return frozenset(_split(text[2:-2] if text.startswith("\\{") else text))

    return read(first) == read(second)


def broken_rule__looks_at_pairs_only(same, answers):
    for a in answers:
        for b in answers:
            if same(a, b) != same(b, a):
                return a, b
    return None


def broken_rule__neighbours_only(same, answers):
    for a, b, c in zip(answers, answers[1:], answers[2:], strict=False):
        if same(a, b) and same(b, c) and not same(a, c):
            return a, b, c
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


def broken_rule__says_yes_or_no(same, answers):
    return any(not same(a, a) for a in answers) or None


def bounded_power__computes_first(base, exponent, max_digits):
    power = base**exponent
    return power if abs(power) < 10**max_digits else None


def bounded_power__price_as_a_float(base, exponent, max_digits):
    if abs(base) > 1 and float(exponent) * math.log10(abs(base)) >= max_digits:
        return None
    return base**exponent


def bounded_power__digits_of_the_base(base, exponent, max_digits):
    return base**exponent if len(str(abs(base))) * exponent <= max_digits else None


def bounded_power__counts_the_sign(base, exponent, max_digits):
    if (abs(base).bit_length() - 1) * exponent > 4 * max_digits:
        return None
    power = base**exponent
    return power if len(str(power)) <= max_digits else None


def bounded_power__one_digit_more(base, exponent, max_digits):
    if (abs(base).bit_length() - 1) * exponent > 4 * max_digits:
        return None
    power = base**exponent
    return power if abs(power) <= 10**max_digits else None


def count_mistakes__swapped(judge, pairs):
    return tuple(reversed(_counts(judge, pairs)))


def count_mistakes__not_caught(judge, pairs):
    verdicts = [(judge(answer, reference), same) for answer, reference, same in pairs]
    return sum(verdict > same for verdict, same in verdicts), sum(
        verdict < same for verdict, same in verdicts
    )


def count_mistakes__an_exception_is_no_verdict(judge, pairs):
    return _counts(judge, pairs, skip=True)


def count_mistakes__all_verdicts(judge, pairs):
    wrong = sum(_counts(judge, pairs))
    return wrong, len(pairs) - wrong


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


def find_mistake__numbers_only(judge):
    pairs = [
        ("0.5", "\\frac{1}{2}", True),
        ("0.333", "1/3", False),
        ("-5", "5", False),
        ("1,000", "1000", True),
    ]
    return _first_mistake(judge, pairs)


def find_mistake__a_case_that_is_wrong_itself(judge):
    return _first_mistake(judge, [("0.5", "\\frac{1}{2}", True), ("3.14", "\\pi", True)])


def find_mistake__the_first_case_always(judge):
    return "0.5", "\\frac{1}{2}", True


def find_mistake__what_the_judge_says(judge):
    return "0.5", "\\frac{1}{2}", judge("0.5", "\\frac{1}{2}")


def wilson__the_normal_approximation(right, total, z=1.96):
    p = right / total
    spread = z * (p * (1 - p) / total) ** 0.5
    return p - spread, p + spread


def wilson__centred_on_the_share(right, total, z=1.96):
    p = right / total
    spread = z * (p * (1 - p) / total + z**2 / (4 * total**2)) ** 0.5 / (1 + z**2 / total)
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


def problems_needed__only_powers_of_two(share, width):
    n = 1
    while _width(share, n) > width:
        n *= 2
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


def accuracy_by_level__mean_of_the_levels(results):
    return _rows(results, all_of=lambda rows: sum(row[3] for row in rows) / len(rows))


def accuracy_by_level__levels_as_texts(results):
    return _rows(results, order=lambda levels: sorted(levels, key=str))


def accuracy_by_level__as_they_come(results):
    return _rows(
        results, order=lambda levels: list(dict.fromkeys(result["level"] for result in results))
    )


def accuracy_by_level__without_the_last_row(results):
    return _rows(results)[:-1]


def accuracy_by_level__five_levels(results):
    return _rows(results, order=lambda levels: [1, 2, 3, 4, 5]) if results else []


def _lengths(results, mean):
    means = {}
    for subject in {result["subject"] for result in results}:
        group = [result for result in results if result["subject"] == subject]
        means[subject] = tuple(
            mean([r["tokens"] for r in group if r["correct"] == correct])
            for correct in (True, False)
        )
    return means


def lengths_by_subject__zero_for_none(results):
    return _lengths(results, lambda tokens: sum(tokens) / len(tokens) if tokens else 0.0)


def lengths_by_subject__median(results):
    return _lengths(results, lambda tokens: sorted(tokens)[len(tokens) // 2] if tokens else None)


def lengths_by_subject__wrong_first(results):
    means = _lengths(results, lambda tokens: sum(tokens) / len(tokens) if tokens else None)
    return {subject: pair[::-1] for subject, pair in means.items()}


def lengths_by_subject__running_mean(results):
    means = {}
    for result in results:
        pair = list(means.get(result["subject"], (None, None)))
        place = 0 if result["correct"] else 1
        former = pair[place]
        pair[place] = result["tokens"] if former is None else (former + result["tokens"]) / 2
        means[result["subject"]] = tuple(pair)
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


def compare_templates__worst_first(templates, problems, ask, grade):
    return sorted(_compared(templates, problems, ask, grade), key=lambda pair: pair[1])


def compare_templates__counts(templates, problems, ask, grade):
    shares = sorted(_compared(templates, problems, ask, grade), key=lambda pair: -pair[1])
    return [(name, round(share * len(problems))) for name, share in shares]


def compare_templates__reference_first(templates, problems, ask, grade):
    turned = lambda written, reference: grade(reference, written)  # noqa: E731
    return sorted(_compared(templates, problems, ask, turned), key=lambda pair: -pair[1])


def still_open__looks_for_the_id_in_the_text(content, unique_ids):
    return [unique_id for unique_id in unique_ids if unique_id.encode() not in content]


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


def still_open__other_line_breaks(content, unique_ids):
    lines = content[: content.rfind(b"\n") + 1].decode().splitlines()[1:]
    return [
        unique_id
        for unique_id in unique_ids
        if unique_id not in {json.loads(line)["unique_id"] for line in lines}
    ]


def still_open__by_their_number(content, unique_ids):
    return unique_ids[max(0, content.count(b"\n") - 1) :]


def still_open__without_order(content, unique_ids):
    answered = {json.loads(line)["unique_id"] for line in content.split(b"\n")[1:-1]}
    return sorted(set(unique_ids) - answered, reverse=True)


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


def resumed__writes_in_the_end(path, problems, ask):
    results = {}
    for line in _whole_lines(path).split(b"\n")[:-1]:
        result = json.loads(line)
        results[result["unique_id"]] = result["text"]
    for problem in problems:
        if problem["unique_id"] not in results:
            results[problem["unique_id"]] = ask(problem["problem"])
    path.write_bytes(
        b"".join(_result(problem, results[problem["unique_id"]]) for problem in problems)
    )
    return [results[problem["unique_id"]] for problem in problems]


def _resumed(path, problems, ask, *, flush=True, cut=True, only_new=False, swallow=False):
    whole = _whole_lines(path)
    results = {one["unique_id"]: one["text"] for one in map(json.loads, whole.split(b"\n")[:-1])}
    new = {}
    with path.open("ab") as file:
        if cut:
            file.truncate(len(whole))
        for problem in problems:
            if problem["unique_id"] not in results:
                try:
                    new[problem["unique_id"]] = ask(problem["problem"])
                except Exception:
                    if swallow:
                        continue
                    raise
                file.write(_result(problem, new[problem["unique_id"]]))
                if flush:
                    file.flush()
    results = new if only_new else {**results, **new}
    return [
        results[problem["unique_id"]] for problem in problems if problem["unique_id"] in results
    ]


def resumed__in_memory_till_the_end(path, problems, ask):
    return _resumed(path, problems, ask, flush=False)


def resumed__writes_behind_the_half_line(path, problems, ask):
    return _resumed(path, problems, ask, cut=False)


def resumed__forgets_the_former_answers(path, problems, ask):
    return _resumed(path, problems, ask, only_new=True)


def resumed__goes_on_after_an_exception(path, problems, ask):
    return _resumed(path, problems, ask, swallow=True)


def _own(questions, subject, *, brackets=r"<<.*?>>", twice=False, start=1, cap=5, behind=str.strip):
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
                "answer": behind(answer),
                "subject": subject,
                "level": min(cap, len(steps)),
                "unique_id": f"{subject}/{len(problems) + start}",
            }
        )
    return problems


def own_problems__greedy_brackets(questions, subject):
    return _own(questions, subject, brackets=r"<<.*>>")


def own_problems__asks_twice(questions, subject):
    return _own(questions, subject, twice=True)


def own_problems__counts_from_zero(questions, subject):
    return _own(questions, subject, start=0)


def own_problems__levels_beyond_five(questions, subject):
    return _own(questions, subject, cap=99)


def own_problems__every_bracket(questions, subject):
    return _own(questions, subject, brackets=r"<[^\n]*?>|>")


def own_problems__answer_with_spaces(questions, subject):
    return _own(questions, subject, behind=str)


def own_problems__same_id_for_all(questions, subject):
    return [{**problem, "unique_id": subject} for problem in _own(questions, subject)]
