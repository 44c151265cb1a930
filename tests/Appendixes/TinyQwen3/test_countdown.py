"""Countdown: exact expressions, thoughts that are true line by line, and documents in Qwen3's
template that train what they should.
"""

import ast
import json
import re
from collections import Counter
from fractions import Fraction
from itertools import permutations, product
from pathlib import Path
from random import Random

import pytest
import torch

from Appendixes.QWEN3Model import find_checkpoint, load_qwen3
from Appendixes.QWEN3Tokenizer import Qwen3Tokenizer
from Appendixes.TinyQwen3.countdown import (
    LIMIT,
    SUBJECTS,
    Puzzle,
    chances,
    countdown_document,
    ordered,
    sample_puzzle,
    test_set,
    think,
)
from Appendixes.TinyQwen3.data import IGNORED, training_batch
from Appendixes.TinyQwen3.problems import split_of
from CH2.generation import generate_batch

ROOT = Path(__file__).resolve().parents[3]
LINE = re.compile(r"(\d+) ([-+*/]) (\d+) = (\d+), ([\d, ]+)(:?)((?: [-+*/] \d+)*)( yes)?")
EXACT = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: Fraction(a, b),
}


@pytest.fixture(scope="module")
def tokenizer(tiny_folder) -> Qwen3Tokenizer:
    return Qwen3Tokenizer.from_file(tiny_folder)


@pytest.fixture(scope="module")
def puzzles():
    rng = Random(3)
    return [sample_puzzle(rng, "train", count) for count in SUBJECTS for _ in range(150)]


def value_and_numbers(expression):
    """Compute an expression exactly, from its syntax tree, and list the numbers in it."""
    numbers = []

    def value(node):
        if isinstance(node, ast.Constant):
            numbers.append(node.value)
            return Fraction(node.value)
        sign = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}[type(node.op)]
        return EXACT[sign](value(node.left), value(node.right))

    return value(ast.parse(expression, mode="eval").body), numbers


def follow(thought, puzzle):
    """Check a thought line by line, as a reader would; return how many times it turns back."""
    states = [list(puzzle.numbers)]
    turns, lines = 0, thought.split("\n")
    for index, line in enumerate(lines):
        if not line:  # all tries with three numbers have failed
            assert len(states) == 2
            states.pop()
            turns += 1
            continue
        x, operation, y, result, rest, last, tries, yes = LINE.fullmatch(line).groups()
        left, kept = list(states[-1]), list(map(int, rest.split(", ")))
        left.remove(int(x)), left.remove(int(y))
        assert sorted(left) == sorted(kept)
        assert EXACT[operation](int(x), int(y)) == int(result)
        if not last:
            states.append([int(result), *kept])
            continue
        high, low = max(int(result), kept[0]), min(int(result), kept[0])
        values = []
        for sign, value in re.findall(r"([-+*/]) (\d+)", tries):
            assert EXACT[sign](high, low) == int(value)
            assert (sign in "+*") == (high <= puzzle.target)
            values.append(int(value))
        fits = bool(values) and values[-1] == puzzle.target
        assert bool(yes) == fits == (index == len(lines) - 1)
        assert puzzle.target not in values[:-1]
        turns += not fits
    return turns


def test_expressions_make_the_target_with_each_number_once(puzzles):
    for puzzle in puzzles:
        _, expression = think(Random(0), puzzle, 0.3)
        value, numbers = value_and_numbers(expression)
        assert value == puzzle.target
        assert sorted(numbers) == sorted(puzzle.numbers)


@pytest.mark.parametrize("foresight", [0.0, 0.3, 1.0])
def test_thoughts_are_true_line_by_line_and_end_with_the_first_try_that_fits(puzzles, foresight):
    turns = [follow(think(Random(1), puzzle, foresight)[0], puzzle) for puzzle in puzzles]
    assert sum(turns) > len(turns) / 2


def test_false_lines_are_noticed():
    puzzle = Puzzle((3, 11, 5), 28)
    thought = "5 + 3 = 8, 11: + 19 * 88\n11 * 3 = 33, 5: - 28 yes"
    assert follow(thought, puzzle) == 1
    changes = [
        ("19", "18"),
        ("8, 11", "8, 3"),
        ("33", "32"),
        (" yes", ""),
        ("+ 19", "- 3"),
        ("88", "88 yes"),
    ]
    for old, new in changes:
        with pytest.raises((AssertionError, ValueError)):
            follow(thought.replace(old, new), puzzle)


def test_thoughts_differ_in_their_order(puzzles):
    puzzle = next(one for one in puzzles if len(one.numbers) == 4)
    thoughts = {think(Random(seed), puzzle, 0.0)[0] for seed in range(20)}
    assert len(thoughts) > 8


def test_foresight_shortens_thoughts(puzzles):
    lengths = [
        sum(len(think(Random(2), puzzle, foresight)[0]) for puzzle in puzzles)
        for foresight in (0.0, 0.3, 1.0)
    ]
    assert lengths[0] > 1.2 * lengths[1] > 1.3 * lengths[2]


def test_an_impossible_target_is_refused():
    with pytest.raises(ValueError, match="cannot be made"):
        think(Random(0), Puzzle((2, 2, 2), 97), 0.0)


def test_puzzles_keep_to_their_ranges_and_three_numbers_need_more_than_signs(puzzles):
    only_signs = Counter()
    for puzzle in puzzles:
        signed = {
            sum(sign * number for sign, number in zip(signs, puzzle.numbers, strict=True))
            for signs in product((1, -1), repeat=len(puzzle.numbers))
        }
        only_signs[len(puzzle.numbers)] += puzzle.target in signed
        assert 10 <= puzzle.target <= LIMIT
        assert puzzle.target not in puzzle.numbers
        assert min(puzzle.numbers) >= 2
    assert only_signs[3] == 0 < only_signs[4]


def test_chances_are_those_of_random_steps():
    # 3 and 2: + * -, of which one makes 6
    assert chances((3, 2), 6) == pytest.approx(1 / 3)
    assert chances((6,), 6) == 1
    # 4 and 2 after 2 + 2 and 2 * 2: + - * /, of which one makes 8; 2 and 1 after 2 / 2: none
    assert chances((2, 2, 2), 8) == pytest.approx((1 / 4 + 1 / 4 + 0) / 3)


def test_train_never_meets_test_in_any_order_of_the_numbers(puzzles):
    def key(puzzle):
        return f"countdown:{ordered(puzzle.numbers)}={puzzle.target}"

    assert {split_of(key(puzzle)) for puzzle in puzzles} == {"train"}
    rows = [Puzzle(tuple(row["numbers"]), row["target"]) for row in test_set(100)]
    assert {split_of(key(row)) for row in rows} == {"test"}
    assert all(
        ordered(order) == ordered(rows[0].numbers) for order in permutations(rows[0].numbers)
    )


def test_committed_test_set_is_reproduced():
    rows = json.loads((ROOT / "CH3" / "countdown500_test.json").read_text(encoding="utf-8"))
    assert rows == test_set()
    assert len({row["unique_id"] for row in rows}) == len({row["problem"] for row in rows}) == 500
    assert Counter((row["subject"], row["level"]) for row in rows) == {
        (subject, level): 50 for subject in SUBJECTS.values() for level in range(1, 6)
    }
    for row in rows:
        assert row["problem"] == Puzzle(tuple(row["numbers"]), row["target"]).question()
        expression = row["solution"].removeprefix("\\boxed{").removesuffix("}")
        value, numbers = value_and_numbers(expression)
        assert (value, sorted(numbers)) == (row["target"], sorted(row["numbers"]))


def test_documents_speak_through_the_template(tokenizer):
    rng, kinds = Random(5), Counter()
    for _ in range(150):
        prompt, branches = countdown_document(rng, tokenizer, 0.2)
        start = tokenizer.decode(prompt)
        question = re.fullmatch(
            r"<\|im_start\|>user\n(Write .*)<\|im_end\|>\n<\|im_start\|>assistant\n", start
        )[1]
        messages = [{"role": "user", "content": question}]
        empty = tokenizer.encode_chat(messages, enable_thinking=False)
        target, *numbers = map(int, re.findall(r"\d+", question))
        for pieces in branches:
            whole = prompt + [token for ids, _ in pieces for token in ids]
            text = tokenizer.decode(whole)[len(start) :]
            thought, answer = re.fullmatch(
                r"<think>\n(.*)\n</think>\n\n\\boxed\{(.*)\}<\|im_end\|>", text, re.DOTALL
            ).groups()
            value, used = value_and_numbers(answer)
            assert (value, sorted(used)) == (target, sorted(numbers))
            learnt = "".join(tokenizer.decode(ids) for ids, learn in pieces if learn)
            if whole[: len(empty)] == empty:
                kinds["direct"] += 1
                assert learnt == f"\\boxed{{{answer}}}<|im_end|>"
            elif "</think>" in learnt:
                kinds["whole"] += 1
                assert learnt == text
                follow(thought, Puzzle(tuple(numbers), target))
            else:
                kinds["cut"] += 1
                assert learnt == f"<think>\n{thought}\\boxed{{{answer}}}<|im_end|>"
    shares = {kind: count / kinds.total() for kind, count in kinds.items()}
    assert shares == {
        "direct": pytest.approx(0.2, abs=0.06),
        "cut": pytest.approx(0.24, abs=0.06),
        "whole": pytest.approx(0.56, abs=0.07),
    }


def test_branches_give_the_logits_that_each_would_give_alone(tokenizer, tiny_folder):
    batch = training_batch(0, 0, 2, 384, tokenizer, 0.2, countdown_document)
    model, _ = load_qwen3(tiny_folder, device="cpu")
    logits = model.run_layers(batch.input_ids, batch.positions, batch.mask())
    compared = 0
    for row in range(2):
        for document in range(int(batch.documents[row].max())):
            for branch in (1, 2, 3):
                own = (batch.documents[row] == document) & (batch.branches[row] == branch)
                prompt = (batch.documents[row] == document) & (batch.branches[row] == 0)
                if own.any():
                    ids = batch.input_ids[row, own | prompt]
                    alone = model(ids[None])[0]
                    torch.testing.assert_close(logits[row, own | prompt], alone, atol=1e-3, rtol=0)
                    compared += 1
    assert compared > 4


def test_labels_of_a_branch_are_its_own_next_tokens(tokenizer):
    batch = training_batch(1, 0, 4, 384, tokenizer, 0.2, countdown_document)
    ids, labels = batch.input_ids.flatten().tolist(), batch.labels.flatten().tolist()
    learnt = [index for index, label in enumerate(labels) if label != IGNORED]
    assert all(ids[index + 1] == labels[index] for index in learnt)
    assert len(learnt) > 0.4 * len(ids)


# --- the shipped checkpoint ---


def answered(text, row):
    """Return True if the last box of a text makes the row's target with its numbers."""
    boxes = re.findall(r"\\boxed\{([0-9+\-*/() ]+)\}", text)
    try:
        value, numbers = value_and_numbers(boxes[-1])
    except (IndexError, SyntaxError, AttributeError, KeyError, ZeroDivisionError):
        return False
    return value == row["target"] and sorted(numbers) == sorted(row["numbers"])


def stated_shares(folder):
    """Read the card's table of results: (subject, thinking) → (share, low, high)."""
    row = r"^\| (three|four) numbers \| (none|to its end) \| ([\d.]+) % \| ([\d.]+) to ([\d.]+) \|"
    card = (folder / "README.md").read_text(encoding="utf-8")
    return {
        (f"{subject} numbers", thought != "none"): tuple(float(number) / 100 for number in numbers)
        for subject, thought, *numbers in re.findall(row, card, re.MULTILINE)
    }


def test_the_shipped_model_is_right_as_often_as_its_card_says():
    folder = find_checkpoint("tiny-thinking")
    model, tokenizer = load_qwen3(folder, device="cpu")
    stated = stated_shares(folder)
    assert stated.keys() == set(product(SUBJECTS.values(), (True, False)))
    rows = json.loads((ROOT / "CH3" / "countdown500_test.json").read_text(encoding="utf-8"))
    for (subject, thinking), (share, low, high) in stated.items():
        some = [row for row in rows if row["subject"] == subject][::10]
        prompts = [
            tokenizer.encode_chat(
                [{"role": "user", "content": row["problem"]}], enable_thinking=thinking
            )
            for row in some
        ]
        ids = generate_batch(model, prompts, 1000, stop_ids=tokenizer.stop_ids)
        right = sum(
            answered(tokenizer.decode(one), row) for one, row in zip(ids, some, strict=True)
        )
        assert low <= share <= high
        margin = (high - low) / 2 * 10**0.5  # of a smaller sample
        assert abs(right / len(some) - share) < margin, (subject, thinking, right)
