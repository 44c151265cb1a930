"""Evaluation of puzzles: answers are checked, and the command line asks as the model was taught."""

import json

import pytest

from CH3.evaluation import VERIFIER, __main__, evaluate, graded, graded_again
from CH3.evaluation.answers import Answer
from CH3.evaluation.results import read_shards
from CH3.evaluation.writers import Text
from CH3.math_verifier import extract_answer
from CH3.problems import load_problems

THREE, FOUR = load_problems("countdown500")[0], load_problems("countdown500")[-1]


def answer(problem, text: str) -> Answer:
    return Answer(problem, Text("?", text, 5, -0.5, "stop"), 0.5, extract_answer(text))


def test_a_puzzles_answer_is_checked_and_its_result_keeps_what_by(tmp_path):
    result = graded(answer(THREE, r"\boxed{7 * 13 - 16}"))  # not as the solution writes it
    assert result["correct"] is True
    assert result["reference"] == {"numbers": [13, 16, 7], "target": 75}
    assert graded(answer(THREE, r"\boxed{75}"))["correct"] is False
    assert graded(answer(THREE, "I do not know"))["correct"] is False

    def answer_fn(problems):
        return (answer(problem, problem["solution"]) for problem in problems)

    out = tmp_path / "out.jsonl"
    results = evaluate(answer_fn, [THREE, FOUR], out, settings={}, progress=False)
    assert [result["correct"] for result in results] == [True, True]
    assert list(read_shards([out], VERIFIER, graded_again).results.values()) == results
    again = evaluate(list, [THREE, FOUR], out, settings={}, progress=False)  # nothing is asked
    assert again == results


def prompts(folder) -> list[str]:
    lines = [line for path in folder.glob("*.jsonl") for line in path.read_text().splitlines()[1:]]
    return [json.loads(line)["prompt"] for line in lines]


QUICK = ("--model", "tiny-thinking", "--limit", 2, "--device", "cpu")


@pytest.mark.parametrize(
    ("options", "ending"),
    [
        ((), "<|im_end|>\n<|im_start|>assistant\n"),
        (
            ("--chat", "no-thinking"),
            "<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n",
        ),
    ],
)
def test_puzzles_are_asked_as_they_stand_with_thinking_on_or_off(
    options, ending, command, tmp_path, monkeypatch
):
    monkeypatch.setattr(__main__, "FOLDER", tmp_path)
    code, shown, _ = command(*QUICK, "--data", "countdown500", *options)
    assert (code, "three numbers" in shown) == (0, True)
    asked = [f"<|im_start|>user\n{one['problem']}{ending}" for one in load_problems("countdown500")]
    assert sorted(prompts(tmp_path)) == sorted(asked[:2])


def test_another_prompt_may_be_chosen_and_other_problems_are_asked_as_before(
    command, tmp_path, monkeypatch
):
    monkeypatch.setattr(__main__, "FOLDER", tmp_path)
    few = (*QUICK, "--limit", 1, "--max-new-tokens", 2)
    assert command(*few, "--data", "countdown500", "--prompt", "direct")[0] == 0
    assert command(*few, "--data", "arithmetic500")[0] == 0
    found = sorted(prompts(tmp_path))
    assert found[0].startswith("<|im_start|>user\nAnswer the question and put the final result in")
    assert found[1].startswith("Answer the question") and "Explain step by step." in found[1]
