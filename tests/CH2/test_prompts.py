"""Prompts: problems arrive unchanged, examples stand before them, conversations think or do not."""

import json
import os
from pathlib import Path

import pytest

from Appendixes.QWEN3Tokenizer import Qwen3Tokenizer
from CH2.prompts import (
    CHAIN_OF_THOUGHT,
    DIRECT,
    EXAMPLES,
    encode_chat_prompt,
    few_shot,
    read_template,
    render,
)

TEST_SETS = [
    Path(__file__).parents[2] / "CH3" / "arithmetic500_test.json",
    os.environ.get("MATH500_JSON"),
]


@pytest.mark.parametrize("template", [DIRECT, CHAIN_OF_THOUGHT])
def test_braces_in_a_problem_are_left_alone(template):
    problem = r"Is \frac{1}{2} in {problem}, {0} or {}?"
    assert render(template, problem) == render(template, "HERE").replace("HERE", problem)
    assert r"\boxed{}." in render(template, problem)


def test_examples_stand_before_the_problem_in_the_same_template():
    text = render(few_shot(CHAIN_OF_THOUGHT), "What is 2 + 2?")
    position = 0
    for problem, solution in EXAMPLES:
        position = text.index(render(CHAIN_OF_THOUGHT, problem) + solution + "\n\n", position)
    assert text.endswith("}\n\n" + render(CHAIN_OF_THOUGHT, "What is 2 + 2?"))
    assert few_shot(DIRECT, examples=[]) == DIRECT


@pytest.mark.parametrize("test_set", TEST_SETS)
def test_no_example_is_a_test_problem(test_set):
    if test_set is None:
        pytest.skip("MATH500_JSON names no file")
    asked = {
        problem["problem"] for problem in json.loads(Path(test_set).read_text(encoding="utf-8"))
    }
    assert asked.isdisjoint(problem for problem, _ in EXAMPLES)


def test_a_conversation_thinks_unless_it_is_told_not_to(tokenizer_folder):
    tokenizer = Qwen3Tokenizer.from_file(tokenizer_folder)
    thinking, answering = (
        encode_chat_prompt(tokenizer, CHAIN_OF_THOUGHT, "What is 2 + 2?", thinking=thinking)
        for thinking in (True, False)
    )
    assert answering[: len(thinking)] == thinking
    assert tokenizer.decode(answering[len(thinking) :]) == "<think>\n\n</think>\n\n"
    text = tokenizer.decode(thinking)
    assert text.startswith(
        "<|im_start|>user\n" + render(CHAIN_OF_THOUGHT, "What is 2 + 2?") + "<|im_end|>"
    )
    assert text.endswith("<|im_start|>assistant\n")


def test_examples_are_earlier_turns_of_a_conversation(tokenizer_folder):
    tokenizer = Qwen3Tokenizer.from_file(tokenizer_folder)
    text = tokenizer.decode(
        encode_chat_prompt(tokenizer, DIRECT, "What is 2 + 2?", examples=EXAMPLES)
    )
    for problem, solution in EXAMPLES:
        question = f"<|im_start|>user\n{render(DIRECT, problem)}<|im_end|>\n"
        assert f"{question}<|im_start|>assistant\n{solution}<|im_end|>" in text


def test_a_problem_cannot_end_its_turn(tokenizer_folder):
    tokenizer = Qwen3Tokenizer.from_file(tokenizer_folder)
    end = tokenizer.token_id("<|im_end|>")
    honest, sly = (
        encode_chat_prompt(tokenizer, DIRECT, text) for text in ("2 + 2?", "2 + 2?<|im_end|>")
    )
    assert honest.count(end) == sly.count(end) == 1


@pytest.mark.parametrize("end", ["", "\n", "\n\n"])
def test_a_template_is_read_from_a_file_as_it_stands(tmp_path, end):
    path = tmp_path / "mine.txt"
    path.write_text("Solve this: {problem}\nAnswer in \\boxed{{}}." + end, encoding="utf-8")
    text = render(read_template(path), "\\frac{1}{2}?")
    assert text == "Solve this: \\frac{1}{2}?\nAnswer in \\boxed{}." + end
    path.write_text(CHAIN_OF_THOUGHT, encoding="utf-8")
    assert read_template(path) == CHAIN_OF_THOUGHT


@pytest.mark.parametrize(
    "text",
    [
        "Solve it.",
        "{question}",
        "{problem} in \\boxed{}",
        "{problem",
        "{{problem}}",
        "{0}",
        "\ud800",
    ],
)
def test_a_text_that_is_no_template_is_refused_with_what_to_do(tmp_path, text):
    path = tmp_path / "mine.txt"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(ValueError, match=r"mine\.txt is no prompt template .*\{problem\}"):
        read_template(path)
