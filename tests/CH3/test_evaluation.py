"""Evaluation: answers in any order, interrupted in any way, end in the same results, each once."""

import errno
import json
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import matplotlib.image
import pytest
import torch
from draws import inverse_cdf
from process_team import Processes, wait_until

from Appendixes.QWEN3Model import load_qwen3, save_qwen3
from CH2.generation import generate
from CH2.packed_weights import Int8Linear
from CH2.prompts import CHAIN_OF_THOUGHT, DIRECT, render
from CH3.evaluation import ModelWriter, __main__, evaluate, graded
from CH3.evaluation.answers import Answer, answer_in, answers
from CH3.evaluation.command_line import load
from CH3.evaluation.results import FIELDS, ResultsFile, ResultsFileError
from CH3.evaluation.writers import REFUSED, Text, model_settings
from CH3.math_verifier import extract_answer
from CH3.problems import Problem, load_problems

SETTINGS = {"model": "a table"}
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def problems() -> list[Problem]:
    return load_problems("arithmetic500", limit=12)


@pytest.fixture(scope="module")
def tiny(tiny_folder):
    return load_qwen3(tiny_folder, device="cpu", dtype=torch.float64)


def answer(problem: Problem, text: str = "", tokens: int = 3, ended: str = "stop") -> Answer:
    text = text or f"so \\boxed{{{problem['answer']}}}"
    return Answer(problem, Text("?", text, tokens, -0.5, ended), 0.5, answer_in(text, ended))


def backwards(problems):
    return (answer(problem) for problem in reversed(list(problems)))


class InterruptionError(Exception):
    """End of an evaluation in these tests."""


def breaking_after(count: int, asked: list):
    """Answers so many problems, then fails; `asked` collects the problems that it took."""

    def answer_fn(problems):
        for number, problem in enumerate(problems):
            asked.append(problem["unique_id"])
            if number == count:
                raise InterruptionError
            yield answer(problem)

    return answer_fn


def test_results_come_in_the_order_of_the_problems(problems, tmp_path):
    results = evaluate(
        backwards, problems, tmp_path / "out.jsonl", settings=SETTINGS, progress=False
    )
    assert [result["unique_id"] for result in results] == [
        problem["unique_id"] for problem in problems
    ]
    lines = (tmp_path / "out.jsonl").read_text().splitlines()[1:]
    assert [json.loads(line) for line in lines] == results[::-1]


def test_a_result_says_what_was_asked_answered_and_found(problems):
    problem = {**problems[0], "answer": "0.5", "level": 4, "subject": "Halves"}
    result = graded(answer(problem, "first \\boxed{7}, then \\boxed{0.5}", tokens=9))
    assert result == {
        "unique_id": problem["unique_id"],
        "subject": "Halves",
        "level": 4,
        "prompt": "?",
        "text": "first \\boxed{7}, then \\boxed{0.5}",
        "finish_reason": "stop",
        "extracted": "0.5",
        "reference": "0.5",
        "correct": True,
        "tokens": 9,
        "seconds": 0.5,
    }
    assert tuple(result) == FIELDS
    assert graded(answer(problem, "\\boxed{0.25}"))["correct"] is False
    nothing = graded(answer(problem, "I do not know"))
    assert (nothing["extracted"], nothing["correct"]) == (None, False)


@pytest.mark.parametrize(
    ("text", "answer_of_whole", "answer_of_cut"),
    [
        ("57 * 25 = 1451\n57 * 20 = ", "20", None),
        ("The answer is 7. To check, we", "7", None),
        ("<think>It may be \\boxed{3}, but", "3", "3"),
        ("so \\boxed{5}. To check, 5 + 2 =", "5", "5"),
        ("so \\boxed{5", "5", None),
        ("<think>It is \\boxed{3}.</think>We get 4", "4", None),
        # what counts was whole before the model asked itself something else
        ("The answer is 7.\n\nQuestion: What is 2 + 2", "7", "7"),
    ],
)
def test_a_text_that_was_cut_off_has_no_answer_but_in_a_box(text, answer_of_whole, answer_of_cut):
    assert answer_in(text, "stop") == answer_in(text, None) == answer_of_whole
    for reason in ("length", "context", "filter", "cancelled", REFUSED):
        assert answer_in(text, reason) == answer_of_cut


def test_an_interrupted_evaluation_goes_on_and_asks_nothing_twice(problems, tmp_path):
    out, asked = tmp_path / "out.jsonl", []
    for count in (5, 0, 4):
        with pytest.raises(InterruptionError):
            evaluate(breaking_after(count, asked), problems, out, settings=SETTINGS, progress=False)
    results = evaluate(breaking_after(99, asked), problems, out, settings=SETTINGS, progress=False)
    assert [result["unique_id"] for result in results] == [
        problem["unique_id"] for problem in problems
    ]
    assert len(asked) == 12 + 3  # the three that failed
    assert set(asked) == {problem["unique_id"] for problem in problems}
    again = evaluate(breaking_after(0, asked), problems, out, settings=SETTINGS, progress=False)
    assert again == results
    assert len(asked) == 15


@pytest.mark.parametrize("change", ["settings", "problem", "fewer", "order"])
def test_other_settings_or_problems_are_refused(change, problems, tmp_path):
    out = tmp_path / "out.jsonl"
    evaluate(backwards, problems, out, settings=SETTINGS, progress=False)
    others = {
        "settings": problems,
        "problem": [*problems[:-1], {**problems[-1], "answer": "42"}],
        "fewer": problems[:-1],
        "order": problems[::-1],
    }[change]
    settings = {"model": "another"} if change == "settings" else SETTINGS
    with pytest.raises(
        ResultsFileError, match="model was" if change == "settings" else "problems was"
    ):
        evaluate(backwards, others, out, settings=settings, progress=False)


def test_answers_that_are_missing_double_or_foreign_are_errors(problems, tmp_path):
    def answers(*numbers):
        return lambda _: (answer(problems[number]) for number in numbers)

    out = tmp_path / "out.jsonl"
    with pytest.raises(RuntimeError, match="3 of 5 problems were not answered"):
        evaluate(answers(0, 1), problems[:5], out, settings=SETTINGS, progress=False)
    with pytest.raises(ValueError, match="answered before"):
        evaluate(answers(2, 1), problems[:5], out, settings=SETTINGS, progress=False)
    with pytest.raises(ValueError, match="not among the problems"):
        evaluate(answers(3, 7), problems[:5], out, settings=SETTINGS, progress=False)
    results = evaluate(answers(4), problems[:5], out, settings=SETTINGS, progress=False)
    assert len(results) == 5


def test_progress_shows_accuracy_and_speed(problems, tmp_path, capsys):
    wrong = {problem["unique_id"] for problem in problems[:3]}

    def answer_fn(problems):
        return (
            answer(one, "\\boxed{wrong}" if one["unique_id"] in wrong else "") for one in problems
        )

    evaluate(answer_fn, problems, tmp_path / "out.jsonl", settings=SETTINGS)
    shown = capsys.readouterr().err
    assert "12/12" in shown
    assert "75.0% right" in shown
    assert "tokens/s" in shown


def test_the_models_answers_are_what_each_problem_gives_alone(tiny, problems):
    model, tokenizer = tiny
    pulled = []

    def source():
        for problem in problems:
            pulled.append(problem)
            yield problem

    finished = []
    writer = ModelWriter(model, tokenizer, DIRECT, max_new_tokens=20, max_concurrent=4)
    for one in answers(writer, source()):
        finished.append(one)
        assert len(pulled) - len(finished) <= 4  # no problem is taken before there is a row for it
    assert sorted(one.problem["unique_id"] for one in finished) == sorted(
        one["unique_id"] for one in problems
    )
    for one in finished:
        text = one.text
        assert text.prompt == render(DIRECT, one.problem["problem"])
        ids = torch.tensor([tokenizer.encode(text.prompt)])
        alone = list(generate(model, ids, 20, stop_ids=tokenizer.stop_ids))
        assert text.text == tokenizer.decode(alone)
        assert text.tokens == min(len(alone) + 1, 20)
        assert text.finish_reason == ("stop" if len(alone) < 20 else "length")
        assert one.extracted == extract_answer(text.text, text.finish_reason == "stop")
        assert one.seconds > 0


def test_a_sample_depends_on_seed_prompt_and_number_alone(tiny, problems):
    def texts(max_concurrent: int, seed: int, asked: list[tuple[str, int]]) -> dict:
        options = {"max_new_tokens": 12, "sampler": inverse_cdf, "seed": seed}
        writer = ModelWriter(*tiny, DIRECT, max_concurrent=max_concurrent, **options)
        tickets = {writer.begin(*one): one for one in asked}
        found = {}
        while writer:
            found |= {tickets[ticket]: text.text for ticket, text in writer.finished()}
        return found

    asked = [(problem["problem"], number) for problem in problems[:6] for number in (0, 1, 7)]
    first = texts(5, 0, asked)
    assert len(first) == 18
    assert len({first[problems[0]["problem"], number] for number in (0, 1, 7)}) > 1
    assert texts(3, 0, asked[::-1]) == first
    assert texts(5, 1, asked) != first


def test_a_cancelled_text_gives_what_there_is_of_it_and_the_others_go_on(tiny, problems):
    writer = ModelWriter(*tiny, DIRECT, max_new_tokens=30, max_concurrent=2)
    first, second, waiting = (writer.begin(one["problem"], 0) for one in problems[:3])
    writer.batching.step()
    cut = writer.cancel(first)
    assert (cut.tokens, cut.finish_reason) == (1, "cancelled")
    assert writer.cancel(waiting) is None
    ended = dict(writer.finished())
    assert list(ended) == [second]
    assert not writer
    [alone] = answers(ModelWriter(*tiny, DIRECT, max_new_tokens=30), problems[1:2])
    probable = pytest.approx(alone.text.logprob)  # sums of other orders, in the other batch
    assert ended[second] == replace(alone.text, logprob=probable)


def test_nothing_is_written_on_when_the_reader_stops_early(tiny, problems):
    writer = ModelWriter(*tiny, DIRECT, max_new_tokens=9, max_concurrent=3)
    reading = answers(writer, problems)
    next(reading)
    reading.close()
    assert not writer


@pytest.mark.parametrize("thinking", [True, False])
def test_chat_models_are_asked_in_their_own_format(thinking, tiny, problems):
    model, tokenizer = tiny
    writer = ModelWriter(model, tokenizer, max_new_tokens=3, thinking=thinking)
    [one] = answers(writer, problems[:1])
    message = {"role": "user", "content": render(CHAIN_OF_THOUGHT, problems[0]["problem"])}
    assert one.text.prompt == tokenizer.apply_chat_template([message], enable_thinking=thinking)
    ids = torch.tensor([tokenizer.encode_chat([message], enable_thinking=thinking)])
    alone = list(generate(model, ids, 3, stop_ids=tokenizer.stop_ids))
    assert one.text.text == tokenizer.decode(alone)


def test_an_answer_ends_with_the_context_and_what_does_not_fit_has_none(tiny, problems, capsys):
    model, tokenizer = tiny
    context = model.config.max_position_embeddings
    empty = len(tokenizer.encode(render(DIRECT, "")))
    long, longer = (
        {**problems[0], "problem": "7" * count} for count in (context - empty - 4, context)
    )
    writer = ModelWriter(model, tokenizer, DIRECT, max_new_tokens=9)
    found = {len(one.problem["problem"]): one for one in answers(writer, [long, longer])}
    refusal = f"a prompt of {context + empty:,} tokens leaves no room in the model's context of"
    assert found[context].text.finish_reason == REFUSED
    assert found[context].text.refusal == f"{refusal} {context:,}"
    assert (found[context].text.text, found[context].text.tokens) == ("", 0)
    assert found[context - empty - 4].text.tokens == 4
    assert found[context - empty - 4].text.finish_reason == "context"
    assert graded(found[context])["correct"] is False
    assert graded(found[context])["refusal"] == found[context].text.refusal
    said = capsys.readouterr().err
    assert (
        f"problem {problems[0]['unique_id']} counts as wrong, as it was refused: a prompt" in said
    )


def test_the_settings_tell_models_apart(small_config, make_model, tiny):
    tokenizer = tiny[1]
    settings = model_settings("/some/where/small", make_model(small_config), tokenizer)
    assert settings == model_settings("small", make_model(small_config), tokenizer)
    assert settings["dtype"] == "float64"
    changed = make_model(small_config)
    changed.layers[1].mlp.up_proj.weight[3, 2] += 1e-12
    other_type = make_model(small_config, torch.bfloat16)
    assert {**settings, "weights": None} == {
        **model_settings("small", changed, tokenizer),
        "weights": None,
    }
    assert settings["weights"] != model_settings("small", changed, tokenizer)["weights"]
    assert model_settings("small", other_type, tokenizer)["dtype"] == "bfloat16"
    json.dumps(settings)


def test_a_checkpoint_is_known_by_its_files_wherever_it_lies(
    small_config, make_model, tiny, tmp_path
):
    def fingerprint(folder: str, seed: int = 0) -> str:
        model = make_model(small_config, seed=seed)
        if not (tmp_path / folder).exists():
            save_qwen3(model, tmp_path / folder)
        return model_settings("small", model, tiny[1], tmp_path / folder)["weights"]

    first = fingerprint("first")
    (tmp_path / "first").rename(tmp_path / "moved")
    assert fingerprint("moved") == first
    assert fingerprint("trained on", seed=1) != first  # same names, shapes and sizes


# The command line


QUICK = ("--limit", 4, "--max-new-tokens", 8, "--prompt", "direct", "--device", "cpu")


def test_the_command_reports_draws_and_goes_on(command, tmp_path, tiny_folder):
    files = (
        "--out",
        tmp_path / "out.jsonl",
        "--json",
        tmp_path / "numbers.json",
        "--plot",
        tmp_path / "plot.png",
    )
    code, shown, _ = command(*QUICK, *files)
    assert code == 0
    assert "accuracy" in shown and "95 % interval" in shown and str(tmp_path / "out.jsonl") in shown
    numbers = json.loads((tmp_path / "numbers.json").read_text())
    assert numbers["accuracy"]["total"] == 4
    assert numbers["settings"]["max_new_tokens"] == 8
    assert matplotlib.image.imread(tmp_path / "plot.png").shape[1] == 700
    content = (tmp_path / "out.jsonl").read_bytes()
    assert content.count(b"\n") == 1 + 4
    code, again, progress = command(*QUICK, *files)
    assert (code, again) == (0, shown)
    assert "4/4" in progress
    assert (tmp_path / "out.jsonl").read_bytes() == content


def test_each_set_of_settings_has_its_own_file(
    command, tmp_path, monkeypatch, tiny_folder, uncompiled
):
    monkeypatch.setattr(__main__, "FOLDER", tmp_path)
    runs = [
        (),
        ("--max-new-tokens", 2),
        ("--limit", 2),
        ("--prompt", "chain-of-thought"),
        ("--chat", "thinking"),
        ("--rung", "int8"),
        (),
    ]
    for changes in runs:
        assert command(*QUICK, "--limit", 1, "--max-new-tokens", 1, *changes)[0] == 0
    files = list(tmp_path.glob("*.jsonl"))
    assert len(files) == len(set(runs))
    assert all(file.name.startswith("tiny-arithmetic500-") for file in files)


@pytest.mark.parametrize("rung", [None, "int8"])
def test_a_rung_of_the_ladder_prepares_the_model_and_is_told(rung, tiny_folder):
    chosen = () if rung is None else ("--rung", rung)
    run = load(__main__._parser().parse_args([*map(str, QUICK), *chosen]))
    expected = {None: torch.nn.Linear, "int8": Int8Linear}[rung]
    assert type(run.model.layers[0].mlp.down_proj) is expected
    assert run.settings.get("rung") == rung


def test_a_file_of_other_settings_is_refused(command, tmp_path, tiny_folder):
    out = ("--out", tmp_path / "out.jsonl")
    assert command(*QUICK, *out)[0] == 0
    content = (tmp_path / "out.jsonl").read_bytes()
    code, _, error = command(*QUICK, *out, "--max-new-tokens", 9)
    assert code == 2
    assert "max_new_tokens was 8 and is 9" in error
    assert (tmp_path / "out.jsonl").read_bytes() == content
    assert command(*QUICK, *out, "--batch", 3)[0] == 0  # no matter of the answers


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--limit", 0), "'0' is not an integer from 1 on"),
        (("--limit", "ten"), "'ten' is not an integer"),
        (("--batch", -1), "--batch"),
        (("--max-new-tokens", 0), "--max-new-tokens"),
        (("--prompt", "rude"), "invalid choice: 'rude'"),
        (("--dtype", "int8"), "invalid choice: 'int8'"),
        (("--rung", "top"), "invalid choice: 'top'"),
        (("--data", "nowhere.json"), "no file nowhere.json"),
        (("--model", "nowhere"), "no checkpoint 'nowhere'"),
        (("--device", "abacus"), "--device abacus cannot be used"),
        (("--shard", "9/8"), "shard '9/8': expected a number and a count such as 3/8"),
        (("--shard", "3"), "shard '3': expected"),
        (("--shard", "1/2", "--json", "numbers.json"), "--json and --plot: one of several"),
        (("--plot", "accuracy.docx"), "the name must end in one of"),
        (("--json", "nowhere/numbers.json"), "there is no folder nowhere"),
        (("--json", "."), ". is a folder; give the name of a file"),
        (("--extra-body", "{}", "--extra-body", "{"), "is not valid JSON"),
        (("--extra-body", "[1]"), "'[1]' is not an object such as"),
        (("--extra-body", '{"top_k": 1}'), "--extra-body: is for a server; give --endpoint, too"),
        (("--out", "."), "Is a directory"),
        (("--temperature", 1), "unrecognized arguments: --temperature"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(
    arguments, words, command, tmp_path, monkeypatch, tiny_folder
):
    monkeypatch.chdir(tmp_path)
    code, shown, error = command(*QUICK, *arguments)
    assert code == 2
    assert shown == ""
    assert words in error.splitlines()[-1]
    assert "Traceback" not in error
    assert list(tmp_path.iterdir()) == []


def test_memory_may_be_limited(command, tmp_path, tiny_folder):
    arguments = (*QUICK, "--dtype", "float64", "--out")
    assert command(*arguments, tmp_path / "all.jsonl")[0] == 0
    assert command(*arguments, tmp_path / "few.jsonl", "--max-cache-bytes", 3_000_000)[0] == 0
    few, many = (
        [json.loads(line) for line in (tmp_path / name).read_text().splitlines()]
        for name in ("few.jsonl", "all.jsonl")
    )
    assert few[0] == many[0]
    assert sorted(line["text"] for line in few[1:]) == sorted(line["text"] for line in many[1:])
    code, _, error = command(*arguments, tmp_path / "none.jsonl", "--max-cache-bytes", 3_000)
    assert (code, "max_cache_bytes is 3,000: raise it" in error.splitlines()[-1]) == (2, True)


def test_ctrl_c_says_how_to_go_on(command, tmp_path, monkeypatch, tiny_folder):
    appended, append = [], ResultsFile.append

    def append_and_interrupt(file, result):
        append(file, result)
        appended.append(result)
        if len(appended) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(ResultsFile, "append", append_and_interrupt)
    arguments = (*QUICK, "--out", tmp_path / "out.jsonl")
    code, _, error = command(*arguments)
    assert code == 130
    assert "the same command goes on from there" in error.splitlines()[-1]
    assert command(*arguments)[0] == 0
    assert len(appended) == 4


def test_ctrl_c_while_the_model_is_loaded_is_one_sentence(command, monkeypatch, tmp_path):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("CH3.evaluation.command_line.load_qwen3", interrupted)
    code, shown, said = command(*QUICK, "--out", tmp_path / "out.jsonl")
    assert (code, shown, len(said.splitlines())) == (130, "", 1)
    assert said.startswith("stopped")


@pytest.mark.parametrize("module", ["CH3.evaluation", "CH3.evaluation.report", "CH4.experiments",
                                    "CH2.benchmark", "CH3.benchmark_verifier"])  # fmt: skip
def test_ctrl_c_while_packages_are_imported_is_one_sentence(module, tmp_path):
    for name in ("torch", "sympy", "matplotlib", "pebble"):  # whichever comes first
        (tmp_path / f"{name}.py").write_text("raise KeyboardInterrupt")
    path = os.pathsep.join([str(tmp_path), str(ROOT)])
    command = [sys.executable, "-m", module]
    run = subprocess.run(
        command, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, cwd=ROOT
    )
    assert (run.returncode, run.stdout, run.stderr) == (130, "", "stopped\n")


def test_a_disk_that_is_full_is_no_wrong_command(command, tmp_path, monkeypatch, tiny_folder):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device", "out.jsonl")

    monkeypatch.setattr(ResultsFile, "append", full)
    code, _, _ = command(*QUICK, "--out", tmp_path / "out.jsonl")
    assert "No space left on device: 'out.jsonl'; the answers so far are in" in code


def test_verdicts_of_another_verifier_are_given_again_and_that_is_said(
    problems, tmp_path, capsys, monkeypatch
):
    out = tmp_path / "out.jsonl"
    evaluate(backwards, problems, out, settings=SETTINGS, progress=False)
    monkeypatch.setattr("CH3.evaluation.VERIFIER", "another")
    monkeypatch.setattr("CH3.evaluation.answers.grade_answer", lambda *_: False)
    capsys.readouterr()
    results = evaluate(breaking_after(0, []), problems, out, settings=SETTINGS, progress=False)
    assert not any(result["correct"] for result in results)
    said = capsys.readouterr().err
    assert f"{out}: another version of the verifier had graded these answers" in said
    assert "12 of the verdicts changed" in said
    evaluate(breaking_after(0, []), problems, out, settings=SETTINGS, progress=False)
    assert capsys.readouterr().err == ""


def test_the_report_counts_what_was_cut_off(command, tmp_path, tiny_folder):
    arguments = ("--limit", 4, "--device", "cpu", "--max-new-tokens", 3)
    code, shown, _ = command(*arguments, "--out", tmp_path / "out.jsonl")
    assert code == 0
    assert "of 4 texts, 4 were cut off at 3 tokens" in shown
    assert "0 of 4" in [cell.strip() for cell in shown.splitlines()[3].split("|")]


def test_help_explains_and_gives_examples(command):
    code, shown, _ = command("--help")
    assert code == 0
    assert shown.count("python -m CH3.evaluation") >= 5
    assert "goes on" in shown


def lines_of(path: Path) -> bytes:
    """The whole lines of a file that may not be there yet."""
    content = path.read_bytes() if path.exists() else b""
    return content[: content.rfind(b"\n") + 1]


def test_killed_ten_times_at_random_moments_nothing_is_lost_and_nothing_is_twice(
    forking, tmp_path, tiny_folder
):
    count = 250  # many more than are answered between two looks at the file
    command = ["CH3.evaluation", "--limit", count, "--prompt", "direct", "--max-new-tokens", 16]
    # where a text does not depend on its neighbours at all
    command += ["--device", "cpu", "--dtype", "float64"]
    whole, killed = tmp_path / "whole.jsonl", tmp_path / "killed.jsonl"
    assert Processes(forking, *command, "--out", whole).statuses() == [0]

    seed = random.randrange(2**32)
    print(f"seed {seed}")  # shown when the test fails
    rng, kept = random.Random(seed), b""
    for _ in range(10):
        run = Processes(forking, *command, "--batch", 3, "--out", killed)
        if rng.random() < 0.2:  # while it loads, or writes the first line
            time.sleep(rng.uniform(0, 0.3))
        else:
            wanted = kept.count(b"\n") + rng.randint(1, 5)
            wait_until(lambda wanted=wanted: lines_of(killed).count(b"\n") >= wanted)
            time.sleep(rng.uniform(0, 0.03))
        run.kill()
        assert run.statuses() == [signal.SIGKILL]
        assert lines_of(killed).startswith(kept)  # what was finished stays, as it was
        kept = lines_of(killed)
    assert 1 < kept.count(b"\n") < 1 + count
    assert Processes(forking, *command, "--out", killed).statuses() == [0]

    assert killed.read_bytes().startswith(kept)
    header, *results = map(json.loads, killed.read_bytes().splitlines())
    wanted_header, *wanted_results = map(json.loads, whole.read_bytes().splitlines())
    assert header == wanted_header
    assert len(results) == len(wanted_results) == count
    for result in results + wanted_results:
        del result["seconds"]
    assert sorted(results, key=lambda one: one["unique_id"]) == sorted(
        wanted_results, key=lambda one: one["unique_id"]
    )
