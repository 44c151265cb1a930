"""Tests of the command that solves one problem."""

import re
import sys

import huggingface_hub
import pytest

from Appendixes.QWEN3Model import find_checkpoint, load_qwen3
from Appendixes.TinyQwen3 import countdown
from CH2.generation import generate_batch
from CH2.prompts import CHAIN_OF_THOUGHT, render
from CH3.countdown import explain_countdown
from CH3.problems import load_problems
from CH4 import solve as command
from CH4.solve import SURE, mean_probability
from CH4.thinking import stream_thought, think

PUZZLE = "Write 54 with 25, 7 and 3, each number once, and + - * /."
ELSEWHERE = (
    "What is the capital of France?",
    "Why is the sky blue?",
    "Tell me a joke.",
    "Write a poem about rain.",
)
SPLIT = "What is the square root of 1764?"  # as its votes are
SURE_ELSEWHERE = "Three apples and four pears lie in a basket. Who is hungry?"


def run(capsys, monkeypatch, *arguments: str) -> str:
    """Run the command in this process, and return what it prints."""
    monkeypatch.setattr(sys, "argv", ["solve", *arguments])
    command.main()
    return capsys.readouterr().out


def test_steps_are_shown_and_their_answer_is_found(capsys, monkeypatch):
    printed = run(capsys, monkeypatch, "What is 47 * 36?")
    assert "\\boxed{" in printed
    written, _, told = printed.partition("\nanswer: ")
    assert told.splitlines()[0] == re.findall(r"\\boxed\{(.*)\}", written)[-1]
    assert "cut off" not in printed
    assert "tiny is a small model. It knows 27 kinds" in printed
    card = (find_checkpoint("tiny") / "README.md").read_text(encoding="utf-8")
    shares = re.findall(r"^\| (direct|chain of thought) \| (\S+) % \|", card, re.MULTILINE)
    direct, steps = (round(float(share)) for _, share in shares)
    assert f"about {steps} of 100 step by step, {direct} at once" in printed


@pytest.mark.parametrize("limit", ["5", "12", "30"])
def test_a_text_that_is_cut_off_says_so_and_has_no_answer(capsys, monkeypatch, limit):
    printed = run(capsys, monkeypatch, "What is 47 * 36?", "--max-new-tokens", limit)
    assert f"cut off after {limit} tokens" in printed
    assert "answer: none found" in printed


@pytest.mark.parametrize(
    "problem",
    [
        "What is 47 * 36?",
        "Write 500 with 25, 50 and 2, each number once, and + - * /.",
        "Write 54 with 26, 7 and 3, each number once, and + - * /.",
        "Write 54 with 25, 7, 3 and 2, each number once, and + - * /.",
        "Write 54 with 27 and 2, each number once, and + - * /.",
        "Write 54 with 25, 7, 3, each number once, and + - * /.",
        "Make 54 from 25, 7 and 3.",
    ],
)
def test_a_model_of_puzzles_says_before_it_thinks_that_this_is_none(capsys, monkeypatch, problem):
    arguments = ["--model", "tiny-thinking", "--max-new-tokens", "20", problem]
    monkeypatch.setattr(sys, "argv", ["solve", *arguments])
    command.main()
    printed = capsys.readouterr()
    assert printed.err.startswith("This is no puzzle of its kind. It knows puzzles")
    assert "cut off after 20 tokens" in printed.out
    assert "answer: none found" in printed.out
    assert "checked" not in printed.out  # as if it had been shown that there is none


@pytest.mark.parametrize(
    ("puzzle", "word"),
    [(PUZZLE, "a"), ("Write 97 with 3, 5 and 11, each number once, and + - * /.", "no")],
)
def test_where_no_answer_came_all_ways_are_tried(capsys, monkeypatch, puzzle, word):
    printed = run(capsys, monkeypatch, "--model", "tiny-thinking", "--max-new-tokens", "20", puzzle)
    assert printed.endswith(f"answer: none found\nthe puzzle has {word} solution\n")
    assert re.search(r"--max-new-tokens allows \d+ more", printed)


def test_a_puzzle_is_for_the_other_model(capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["solve", PUZZLE])
    command.main()
    assert "--model tiny-thinking" in capsys.readouterr().err


def test_puzzles_of_the_test_set_are_of_its_kind(capsys, monkeypatch):
    assert command.LARGEST == countdown.LARGEST and command.TARGETS[-1] == countdown.LIMIT
    for problem in load_problems("countdown500")[::100]:
        arguments = ["--model", "tiny-thinking", "--max-new-tokens", "1", problem["problem"]]
        monkeypatch.setattr(sys, "argv", ["solve", *arguments])
        command.main()
        assert capsys.readouterr().err == ""


def test_tokens_that_were_put_in_cut_no_thought_off(capsys, monkeypatch):
    model, tokenizer = load_qwen3("tiny-thinking")
    text = think(model, tokenizer, PUZZLE, 0)
    drawn = text.tokens
    assert len(list(stream_thought(model, tokenizer, PUZZLE, 0))) >= drawn
    arguments = ["--model", "tiny-thinking", "--budget", "0", "--max-new-tokens"]
    assert "cut off" not in run(capsys, monkeypatch, *arguments, str(drawn), PUZZLE)
    printed = run(capsys, monkeypatch, *arguments, str(drawn - 1), PUZZLE)
    assert f"cut off after {drawn - 1} tokens; --max-new-tokens allows" in printed


def test_a_direct_answer_has_no_steps(capsys, monkeypatch):
    printed = run(capsys, monkeypatch, "What is 47 * 36?", "--direct")
    assert printed.startswith("\\boxed{")


def test_a_vote_counts_all_samples(capsys, monkeypatch):
    printed = run(capsys, monkeypatch, "What is 47 * 36?", "--samples", "6")
    assert sum(len(bar) for bar in re.findall(r"^([#.]+) +\d+ ", printed, re.MULTILINE)) == 6
    assert "6 solutions" in printed


@pytest.mark.parametrize(("problem", "split"), [("What is 2 + 2?", False), (SPLIT, True)])
def test_a_vote_says_if_no_answer_has_half_of_it(capsys, monkeypatch, problem, split):
    printed = run(capsys, monkeypatch, problem, "--samples", "8")
    most = max(len(bar) for bar in re.findall(r"^(#+) ", printed, re.MULTILINE))
    assert (2 * most <= 8) == split
    assert (f"the winner has {most} of 8 votes" in printed) == split


def test_a_thought_is_shown_and_its_answer_checked(capsys, monkeypatch):
    printed = run(capsys, monkeypatch, "--model", "tiny-thinking", PUZZLE)
    assert "</think>" in printed
    assert f"checked: {explain_countdown('(25 - 7) * 3', [25, 7, 3], 54).rule}" in printed
    at_once = run(capsys, monkeypatch, "--model", "tiny-thinking", "--budget", "0", PUZZLE)
    assert len(at_once) < len(printed)


@pytest.mark.parametrize("problem", ELSEWHERE)
def test_a_problem_outside_its_world_is_answered_with_a_warning(capsys, monkeypatch, problem):
    assert "it was not sure here" in run(capsys, monkeypatch, problem)


def test_its_world_is_named_where_it_is_sure_of_what_it_cannot_know(capsys, monkeypatch):
    printed = run(capsys, monkeypatch, SURE_ELSEWHERE)
    assert "was not sure" not in printed
    assert "Elsewhere it errs, even where it is sure" in printed


def test_of_most_problems_of_its_world_the_model_is_sure():
    model, tokenizer = load_qwen3("tiny")
    prompts = [
        tokenizer.encode(render(CHAIN_OF_THOUGHT, problem["problem"]))
        for problem in load_problems("arithmetic500", 100)
    ]
    texts = generate_batch(model, prompts, 300, stop_ids=tokenizer.stop_ids)
    sure = [
        mean_probability(model, prompt, text) for prompt, text in zip(prompts, texts, strict=True)
    ]
    assert sum(value >= SURE for value in sure) >= 95


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--budget", "5", "What?"], "is asked for none"),
        (["--model", "tiny-thinking", "--direct", "What?"], "takes no --direct"),
        (["--model", "no-such-folder/no-model", "What?"], "no-such-folder/no-model"),
    ],
)
def test_what_does_not_fit_is_said_in_one_line(capsys, monkeypatch, arguments, message):
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(SystemExit) as ended:
        run(capsys, monkeypatch, *arguments)
    said = capsys.readouterr().err
    assert ended.value.code == 2
    assert said.startswith("error: ")
    assert said.count("\n") == 1
    assert message in said
