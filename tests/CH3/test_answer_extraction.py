"""`extract_answer`: by table, by property, and in linear time."""

import time

import pytest
from property_testing import example, given, st

from CH3.math_verifier import extract_answer, grade_answer

BOXES = {
    r"\boxed{5}": "5",
    r"So $x = \boxed{\frac{1}{2}}$.": r"\frac{1}{2}",
    r"\boxed{\sqrt{\frac{a}{b^{2}}}} is it": r"\sqrt{\frac{a}{b^{2}}}",
    r"\boxed{\{1, 2\}}": r"\{1, 2\}",
    r"\boxed{\left\{ x : x > 0 \right\}}": r"\left\{ x : x > 0 \right\}",
    r"\boxed{(1, 2]}": "(1, 2]",
    r"\boxed{\text{a \} b}}": r"\text{a \} b}",
    r"\boxed{\}}": r"\}",
    r"\boxed{\begin{pmatrix} 1 \\ 2 \end{pmatrix}}": r"\begin{pmatrix} 1 \\ 2 \end{pmatrix}",
    r"\boxed{1 \\{2}}": r"1 \\{2}",
    "\\boxed{\n  7\n}": "7",
    r"\boxed {8}": "8",
    r"\boxed 5": "5",
    r"so it is $\boxed 7$.": "7",
    r"\fbox{9}": "9",
    r"\boxed{1}, no: \boxed{2}": "2",
    r"\boxed{1}, no: \fbox{2}": "2",
    r"\fbox{1}, no: \boxed{2}": "2",
    r"\boxed{1}, no: \boxed{2": "1",
    r"\boxed{1}, no: \boxed{\frac{2}{3}": "1",
    r"\boxed{1}, no: \boxed{2\}": "1",
    r"\boxed{1}, no: \boxed": "1",
    r"\boxed{1}, no: \boxed{\boxed{\boxed{": "1",
    r"\boxed{3}. The answer is 4.": "3",
    "\\boxed{3}\n#### 4": "3",
    r"\boxed{3}, after 12 steps": "3",
    r"} \boxed{6} {": "6",
    r"{{{ \boxed{6}": "6",
}

PHRASES = {
    "The answer is 42.": "42",
    "The answer is: 42": "42",
    "the final answer is 42": "42",
    "The answer is **42**.": "42",
    "THE ANSWER IS 42": "42",
    "The answer is 0.5.": "0.5",
    "The answer is -3.": "-3",
    r"Therefore the answer is $\frac{3}{4}$.": r"\frac{3}{4}",
    r"Hence, the answer is \(x^2 + 1\).": "x^2+1",
    r"The answer is $(-\infty, 3]$.": r"(-\infty, 3]",
    r"The answer is \text{even}.": r"\text{even}",
    "The answer is 1,250 dollars.": "1250",
    "The answer is 7. I needed 3 steps.": "7",
    "The answer is 7.\n\nTell me if you have 2 more questions.": "7",
    "The answer is 3. Wait: the answer is 4.": "4",
    "Final answer: 12": "12",
    "16 - 3 - 4 = 9, and 9 * 2 = 18\n#### 18": "18",
    "some steps\n#### 1,234\n": "1234",
    "#### 5\n#### 6": "6",
    "#### -2": "-2",
    "The answer is 6. So \\boxed{6": "6",
}

NUMBERS = {
    "There are 3 cats and 4 dogs": "4",
    "First 10, then 20, and no more": "20",
    "so x = -7": "-7",
    "It comes to $1,250.50 in all": "1250.5",
    "and that leaves 5.": "5",
    "which is 0.125.": "0.125",
    "we get 8, so \\boxed{": "8",
}

NOTHING = [
    "",
    "   \n",
    "no idea",
    r"\boxed{",
    r"\boxed",
    "{}",
    "<think></think>",
    "<think>",
    "The answer is",
    "####",
]

THOUGHTS = {
    r"<think>\boxed{3}</think>\boxed{4}": "4",
    r"<think>\boxed{3}</think>The answer is 4.": "4",
    "<think>The answer is 3.</think>It is 4": "4",
    r"<think>\boxed{3}</think>I do not know": None,
    r"<think>\boxed{3}</think>": "3",
    "<think>\n\\boxed{3}\n</think>\n\n": "3",
    "<think>6, then 7</think>": "7",
    r"<think>is it \boxed{3}?": "3",
    "<think>it is 3, or 5": "5",
    r"<think>\boxed{1}</think><think>\boxed{2}</think>It is 5": "5",
    r"<think>\boxed{</think>\boxed{4}": "4",
    r"<think>a</think>\boxed{4": "4",
    "<think></think>\\boxed{9}": "9",
}


@pytest.mark.parametrize("text", BOXES)
def test_the_last_complete_box_is_the_answer(text):
    assert extract_answer(text) == BOXES[text]


@pytest.mark.parametrize("text", PHRASES | NUMBERS)
def test_without_a_box_it_is_what_the_closing_phrase_says_or_the_last_number(text):
    extracted = extract_answer(text)
    assert extracted is not None
    assert grade_answer(extracted, (PHRASES | NUMBERS)[text]), extracted


@pytest.mark.parametrize("text", NOTHING)
def test_where_there_is_no_answer_there_is_none(text):
    assert extract_answer(text) is None


@pytest.mark.parametrize("text", THOUGHTS)
def test_thoughts_count_only_when_nothing_follows_them(text):
    assert extract_answer(text) == THOUGHTS[text]


tokens = st.sampled_from(
    ["1", "x", "+", " ", ",", r"\{", r"\}", r"\\", r"\pi ", r"\%", "$", "\n", "−", "(", "]", "."]
)
braced = st.recursive(
    tokens, lambda inner: st.lists(inner, max_size=4).map(lambda parts: "{" + "".join(parts) + "}")
)
contents = st.lists(braced, max_size=6).map("".join).filter(str.strip)
surroundings = st.text(alphabet="ab 12.\n$()|-", max_size=30)


@given(contents, surroundings, surroundings)
def test_a_box_gives_back_what_was_put_in(content, before, after):
    assert extract_answer(rf"{before}\boxed{{{content}}}{after}") == content.strip()


@given(contents, surroundings, contents)
def test_a_box_that_was_not_closed_hides_nothing(content, between, unfinished):
    assert extract_answer(rf"\boxed{{{content}}}{between}\boxed{{{unfinished}") == content.strip()


@given(contents, contents, surroundings)
def test_of_a_thought_and_what_follows_it_the_second_counts(thought, content, between):
    assert (
        extract_answer(rf"<think>\boxed{{{thought}}}</think>{between}\boxed{{{content}}}")
        == content.strip()
    )
    assert extract_answer(rf"<think>{between}\boxed{{{thought}}}</think>") == thought.strip()


@given(st.text())
@example("\x00\ud800\\boxed{\udfff")
def test_any_text_gives_a_text_or_none(text):
    extracted = extract_answer(text)
    assert extracted is None or isinstance(extracted, str)


BAD_PIECES = [
    r"\boxed{",
    r"\boxed{1 ",
    r"\boxed{1}",
    r"\boxed",
    r"\boxed ",
    r"\fbox{\boxed{",
    r"\boxed{\{",
    "\\",
    "{",
    "}",
    "<think>",
    "</think>",
    "<think></think>",
    r"<think>\boxed{",
    "<",
    "the answer is ",
    "the answer ",
    "answer: ",
    "#### ",
    "####\n",
    "#",
    "1",
    "1,",
    "1.",
    "1,000",
    "-",
    "1e",
    "1/",
    "$",
    "*",
    " ",
    "\n",
    "a",
    "٣",
]


def seconds_for(text: str) -> float:
    """CPU time of one extraction."""
    start = time.process_time()
    extract_answer(text)
    return time.process_time() - start


@pytest.mark.parametrize("piece", BAD_PIECES, ids=ascii)
def test_the_time_grows_as_the_text(piece):
    """Four times the text takes about four times as long; sixteen times would be quadratic."""
    short, long = (piece * (length // len(piece)) for length in (100_000, 400_000))
    # a busy machine has three tries
    assert any(seconds_for(long) < 9 * seconds_for(short) + 0.02 for _ in range(3))


@pytest.mark.parametrize(
    "ending", ["x", r"\boxed{5", "</think>", "the answer is", "####", "\n"], ids=ascii
)
def test_an_ending_does_not_make_a_long_text_slow(ending):
    for piece in BAD_PIECES:
        text = piece * (20_000 // len(piece)) + ending
        assert any(seconds_for(text) < 0.1 for _ in range(2)), piece  # a busy machine has two tries


def test_a_million_characters_of_open_boxes_take_less_than_half_a_second():
    text = r"\boxed{" * (1_000_000 // 7)
    assert any(seconds_for(text) < 0.5 for _ in range(2))  # a busy machine has two tries
