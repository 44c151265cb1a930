"""Training the tiny checkpoint: the same weights in one sitting or several, and a loss on solutions
only; and how often the shipped weights are right.
"""

import json
import re
from dataclasses import asdict, replace
from hashlib import sha256
from random import Random

import pytest
import torch

from Appendixes.QWEN3Model import load_qwen3
from Appendixes.QWEN3Tokenizer import Qwen3Tokenizer
from Appendixes.TinyQwen3.data import IGNORED, document, training_batch
from Appendixes.TinyQwen3.problems import fact_set, sample_problem
from Appendixes.TinyQwen3.tokenizer import VOCAB_SIZE, save_tokenizer, train_tokenizer
from Appendixes.TinyQwen3.train import (
    RECIPES,
    SHAPE,
    Recipe,
    Trainer,
    fetch_first_edition,
    plot_history,
)
from CH2.generation import generate_batch
from CH2.prompts import CHAIN_OF_THOUGHT, DIRECT, render
from CH3.math_verifier import extract_answer, grade_answer
from CH3.problems import load_problems

SMALL = replace(SHAPE, hidden_size=32, intermediate_size=48, num_hidden_layers=2)
RECIPE = Recipe(steps=6, rows=2, length=256, warm_up=2)


@pytest.fixture(autouse=True)
def _one_thread():
    """Sums are ordered by the threads that share them, and MKL decides for itself how many do: one
    gives the same bits.

    On a busy machine, threads also wait for each other at every small product, and these tests take
    minutes."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def tokenizer_files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tokenizer")
    save_tokenizer(train_tokenizer(samples=2000), folder)
    return folder


@pytest.fixture(scope="module")
def tokenizer(tokenizer_files) -> Qwen3Tokenizer:
    return Qwen3Tokenizer.from_file(tokenizer_files)


def trainer(folder, tokenizer_files, recipe=RECIPE) -> Trainer:
    folder.mkdir(exist_ok=True)
    for file in tokenizer_files.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    return Trainer(recipe, folder, shape=SMALL, compiled=False)


def test_an_interrupted_training_ends_with_the_same_weights(tmp_path, tokenizer_files):
    whole = trainer(tmp_path / "whole", tokenizer_files)
    for _ in range(6):
        whole.step()
    for _ in range(3):  # three sittings of two steps
        sitting = trainer(tmp_path / "parts", tokenizer_files)
        sitting.step(), sitting.step()
        sitting.save_state()
    for name, weight in whole.model.state_dict().items():
        assert torch.equal(weight, sitting.model.state_dict()[name]), name
    assert [entry["loss"] for entry in whole.history] == [
        entry["loss"] for entry in sitting.history
    ]


def test_a_pause_holds_the_learning_rate_and_then_its_course_goes_on():
    plain = Recipe(steps=100, warm_up=10)
    paused = replace(plain, steps=130, pause_at=60, pause=30)
    rates = [plain.rate(step) for step in range(100)]
    held = [rates[60]] * 30
    assert [paused.rate(step) for step in range(130)] == rates[:60] + held + rates[60:]


def test_long_rows_come_last_and_hold_as_many_tokens():
    recipe = Recipe(steps=10, rows=9, length=384, long_share=0.2)
    assert [recipe.size(step) for step in range(10)] == [(9, 384)] * 8 + [(3, 1152)] * 2


def test_a_state_of_another_recipe_is_refused(tmp_path, tokenizer_files):
    trainer(tmp_path, tokenizer_files).save_state()
    with pytest.raises(ValueError, match="another recipe"):
        trainer(tmp_path, tokenizer_files, replace(RECIPE, seed=1))


def test_a_training_starts_from_the_weights_that_its_record_names(tmp_path, tokenizer_files):
    first = trainer(tmp_path / "first", tokenizer_files)
    first.step()
    first.save_checkpoint()
    recipe = replace(RECIPE, start=str(tmp_path / "first"))
    second = trainer(tmp_path / "second", tokenizer_files, recipe)
    for name, weight in first.model.state_dict().items():
        assert torch.equal(weight, second.model.state_dict()[name]), name
    second.save_checkpoint()
    weights = (tmp_path / "first" / "model.safetensors").read_bytes()
    record = json.loads((tmp_path / "second" / "training.json").read_text())
    assert record["start_sha256"] == sha256(weights).hexdigest()


def test_the_first_edition_comes_from_the_history(tmp_path, tiny_folder):
    folder = tmp_path / "first"
    try:
        fetch_first_edition(folder)
    except FileNotFoundError:
        pytest.skip("the repository's history is not here")
    record = json.loads((tiny_folder / "training.json").read_text())
    assert sha256((folder / "model.safetensors").read_bytes()).hexdigest() == record["start_sha256"]
    assert (folder / "tokenizer.json").read_bytes() == (tiny_folder / "tokenizer.json").read_bytes()
    load_qwen3(folder, device="cpu")
    fetch_first_edition(folder, "no such commit")  # what is there is kept


def test_a_history_without_the_first_edition_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="whole history"):
        fetch_first_edition(tmp_path / "first", "no-such-commit")
    assert not (tmp_path / "first").exists()


def test_the_shipped_record_is_of_the_recipe_that_the_command_follows(tiny_folder):
    record = json.loads((tiny_folder / "training.json").read_text())
    assert asdict(RECIPES["arithmetic"]).items() <= record.items()
    assert record["steps_done"] == RECIPES["arithmetic"].steps


def test_training_lowers_the_loss_and_leaves_a_checkpoint_that_loads(tmp_path, tokenizer_files):
    training = trainer(tmp_path, tokenizer_files, replace(RECIPE, steps=30))
    entries = [training.step() for _ in range(30)]
    assert entries[-1]["loss"] < entries[0]["loss"] - 1
    training.save_checkpoint()
    plot_history(training.history, tmp_path / "curve.png")
    model, loaded = load_qwen3(tmp_path, device="cpu")
    ids = torch.tensor([loaded.encode("What is 2 + 2?")])
    torch.testing.assert_close(model(ids), training.model(ids))
    record = json.loads((tmp_path / "training.json").read_text())
    assert (record["steps_done"], record["tokens"], record["seed"]) == (30, 30 * 2 * 256, 0)


def test_batches_depend_on_seed_and_number_alone(tokenizer):
    first = training_batch(0, 7, 2, 256, tokenizer)
    again = training_batch(0, 7, 2, 256, tokenizer)
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not torch.equal(first[0], training_batch(0, 8, 2, 256, tokenizer)[0])
    assert not torch.equal(first[0], training_batch(1, 7, 2, 256, tokenizer)[0])


def test_documents_too_long_for_a_row_are_left_out_and_end_no_batch(tokenizer):
    for number in range(200):
        batch = training_batch(0, number, 2, 128, tokenizer)
        assert (batch.labels != IGNORED).sum() > 10
        assert (batch.input_ids[:, 0] != tokenizer.pad_id).all()  # no row stays empty


def test_labels_are_the_next_tokens_of_solutions_only(tokenizer):
    batch = training_batch(3, 0, 4, 256, tokenizer)
    for ids, targets in zip(batch.input_ids.tolist(), batch.labels.tolist(), strict=True):
        learnt = [index for index, target in enumerate(targets) if target != IGNORED]
        assert all(ids[index + 1] == targets[index] for index in learnt)
        text = tokenizer.decode([targets[index] for index in learnt])
        assert "\\boxed{" in text
        assert "Question" not in text


def test_packed_documents_give_the_logits_that_they_would_give_alone(tokenizer, make_model):
    model = make_model(SMALL)
    batch = training_batch(0, 0, 2, 256, tokenizer)
    logits = model.run_layers(batch.input_ids, batch.positions, batch.mask())
    for row in range(2):
        for number in range(int(batch.documents[row].max())):
            here = batch.documents[row] == number
            torch.testing.assert_close(
                logits[row, here], model(batch.input_ids[row, here][None])[0]
            )


def test_direct_and_worked_answers_get_an_equal_share_of_problems(tokenizer):
    counts = {True: 0, False: 0}
    for number in range(40):
        text = tokenizer.decode(
            training_batch(0, number, 4, 256, tokenizer).input_ids.flatten().tolist()
        )
        worked = text.count("Explain step by step.")
        counts[True] += worked
        counts[False] += text.count("Question: ") - worked
    share = counts[True] / sum(counts.values())
    assert sum(counts.values()) > 400
    assert 0.42 < share < 0.58


def test_one_digit_facts_get_their_share_of_documents(tokenizer):
    texts = "".join(
        tokenizer.decode(training_batch(0, number, 4, 256, tokenizer).input_ids.flatten().tolist())
        for number in range(100)
    )
    facts = sum(texts.count(f"Question: {row['problem']}") for row in fact_set())
    assert 0.05 < facts / texts.count("Question: ") < 0.12


def test_documents_end_with_a_stop_token_and_their_answer(tokenizer):
    problem = sample_problem(Random(0), "train")
    for worked, answer in ((True, problem.solution), (False, f"\\boxed{{{problem.answer}}}")):
        _, ids = document(problem, worked, tokenizer)
        assert ids[-1] in tokenizer.stop_ids
        assert tokenizer.decode(ids[:-1]) == answer


def test_the_tokenizer_is_small_deterministic_and_splits_numbers_into_digits(
    tokenizer_files, tokenizer
):
    again = train_tokenizer(samples=2000)
    assert json.loads(again.to_str()) == json.loads(
        (tokenizer_files / "tokenizer.json").read_text(encoding="utf-8")
    )
    assert tokenizer.vocab_size == VOCAB_SIZE
    assert [tokenizer.decode([i]) for i in tokenizer.encode("90210")] == list("90210")
    for token in ("<|im_start|>", "<|im_end|>", "<|endoftext|>", "<think>", "</think>"):
        assert tokenizer.encode(token, allow_special=True) == [tokenizer.token_id(token)]


# --- the shipped checkpoint ---


def stated_shares(folder):
    """Read the rows of the card's table of results: prompt → (share, low, high)."""
    row = r"^\| (direct|chain of thought) \| ([\d.]+) % \| ([\d.]+) to ([\d.]+) \|"
    card = (folder / "README.md").read_text(encoding="utf-8")
    return {
        name: tuple(float(number) / 100 for number in numbers)
        for name, *numbers in re.findall(row, card, re.MULTILINE)
    }


def test_the_shipped_model_is_right_as_often_as_its_card_says(tiny_folder):
    model, tokenizer = load_qwen3(tiny_folder, device="cpu")
    problems = load_problems("arithmetic500", limit=135)  # each family at each level
    templates = {"direct": DIRECT, "chain of thought": CHAIN_OF_THOUGHT}
    stated = stated_shares(tiny_folder)
    assert stated.keys() == templates.keys()
    for name, template in templates.items():
        prompts = [tokenizer.encode(render(template, one["problem"])) for one in problems]
        ids = generate_batch(model, prompts, 300, stop_ids=tokenizer.stop_ids)
        answers = [extract_answer(tokenizer.decode(answer)) for answer in ids]
        right = sum(
            answer is not None and grade_answer(answer, one["answer"])
            for answer, one in zip(answers, problems, strict=True)
        )
        share, low, high = stated[name]
        assert low < share < high
        margin = (high - low) / 2 * (500 / 135) ** 0.5  # of a smaller sample
        assert abs(right / len(problems) - share) < margin, (name, right)
        assert None not in answers


@pytest.mark.parametrize("template", [DIRECT, CHAIN_OF_THOUGHT])
def test_the_shipped_model_knows_its_tables(tiny_folder, template):
    """Sums, differences and products of two digits, which readers type first: all 300, in turn in
    one of the six wordings (the card's command asks all 1,800)."""
    model, tokenizer = load_qwen3(tiny_folder, device="cpu")
    facts = [row for i, row in enumerate(fact_set()) if i % 6 == i // 6 % 6]
    prompts = [tokenizer.encode(render(template, one["problem"])) for one in facts]
    ids = generate_batch(model, prompts, 24, stop_ids=tokenizer.stop_ids)
    wrong = [
        (one["problem"], text)
        for one, text in zip(facts, map(tokenizer.decode, ids), strict=True)
        if extract_answer(text) != one["answer"]
    ]
    assert len(wrong) <= 0.01 * len(facts), wrong[:5]


def test_the_shipped_tokenizer_reads_every_problem_without_loss(tiny_folder):
    tokenizer, rng = Qwen3Tokenizer.from_file(tiny_folder), Random(4)
    for _ in range(500):
        problem = sample_problem(rng, "train")
        for text in (problem.problem, problem.solution):
            ids = tokenizer.encode(text)
            assert tokenizer.decode(ids) == text
            assert len(ids) <= len(text)
