"""The table of experiments: rows by hand, replay against really stopping, killed runs go on."""

import io
import itertools
import json
import math
import random
import shutil
import signal
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import matplotlib.image
import pytest
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from process_team import Processes

from Appendixes.QWEN3Model import load_qwen3
from CH2.prompts import DIRECT
from CH3.evaluation import VERIFIER
from CH3.evaluation.report import Estimate
from CH3.evaluation.results import ResultsFile
from CH3.problems import load_problems
from CH4.experiments import __main__ as experiments
from CH4.experiments import draws as draws_module
from CH4.experiments.comparison import TableRow, compare, mean_estimate, replayed, saved
from CH4.experiments.draws import draw, graded_samples, voted_again
from CH4.experiments.report import (
    markdown_table,
    notes_on_texts,
    plot_by_samples,
    plot_by_tokens,
    plot_savings,
)
from CH4.voting import Sample

PLOTS = (plot_by_samples, plot_by_tokens, plot_savings)


def samples(answers: str, tokens: int = 10, reference: str = "7") -> list[Sample]:
    """Samples with one-digit answers; "-" is none. The later, the likelier."""
    return [
        Sample(None if answer == "-" else answer, -1 / number, tokens, right=answer == reference)
        for number, answer in enumerate(answers, start=1)
    ]


DRAWS = {
    "direct": [samples("1234567"), samples("1111777"), samples("-------")],
    "chain-of-thought": [
        samples("7777777", tokens=20),
        samples("7117777", tokens=30),
        samples("5577777", tokens=40),
    ],
}
GREEDY = {
    "direct": [{"correct": correct, "tokens": 9} for correct in (False, True, False)],
    "chain-of-thought": [
        {"correct": correct, "tokens": tokens}
        for correct, tokens in ((True, 20), (True, 28), (False, 36))
    ],
}


@pytest.fixture(scope="module")
def rows() -> dict[tuple[str, str], TableRow]:
    return {(row.prompt, row.name): row for row in compare(GREEDY, replayed(DRAWS), 7)}


def test_the_table_has_every_way_once_in_order(rows):
    votes = [
        f"{way}{size}"
        for size in (3, 5, 7)
        for way in ("majority of ", "confidence-weighted of ", "pass@")
    ]
    stopped = [f"majority of 7, {rule}" for rule in ("decided", "window", "confident")]
    names = ["greedy", "one sample", *votes, *stopped]
    assert list(rows) == [
        (prompt, name) for prompt in ("direct", "chain-of-thought") for name in names
    ]


@pytest.mark.parametrize(
    ("prompt", "name", "right", "drawn", "tokens"),
    [
        ("direct", "greedy", (0, 1, 0), (1, 1, 1), (9, 9, 9)),
        ("direct", "one sample", (1 / 7, 3 / 7, 0), (1, 1, 1), (10, 10, 10)),
        ("direct", "majority of 3", (0, 0, 0), (3, 3, 3), (30, 30, 30)),
        # of seven answers the last is the likeliest
        ("direct", "majority of 7", (1, 0, 0), (7, 7, 7), (70, 70, 70)),
        (
            "direct",
            "confidence-weighted of 7",
            (1, 1, 0),
            (7, 7, 7),
            (70, 70, 70),
        ),  # three likely against four unlikely
        ("direct", "pass@3", (15 / 35, 31 / 35, 0), (3, 3, 3), (30, 30, 30)),
        ("direct", "majority of 7, decided", (1, 0, 0), (7, 4, 7), (70, 40, 70)),
        ("chain-of-thought", "greedy", (1, 1, 0), (1, 1, 1), (20, 28, 36)),
        ("chain-of-thought", "majority of 3", (1, 0, 0), (3, 3, 3), (60, 90, 120)),
        ("chain-of-thought", "majority of 5", (1, 1, 1), (5, 5, 5), (100, 150, 200)),
        ("chain-of-thought", "pass@5", (1, 1, 1), (5, 5, 5), (100, 150, 200)),
        ("chain-of-thought", "majority of 7, decided", (1, 1, 1), (4, 6, 6), (80, 180, 240)),
        ("chain-of-thought", "majority of 7, window", (1, 1, 1), (5, 7, 7), (100, 210, 280)),
        ("chain-of-thought", "majority of 7, confident", (1, 1, 1), (4, 7, 7), (80, 210, 280)),
    ],
)
def test_rows_by_hand(rows, prompt, name, right, drawn, tokens):
    row = rows[prompt, name]
    assert row.right == pytest.approx(right)
    assert row.samples == drawn
    assert row.tokens == pytest.approx(tokens)


def test_numbers_by_hand(rows):
    decided = rows["chain-of-thought", "majority of 7, decided"]
    assert decided.samples_saved.value == pytest.approx(1 - 16 / 21)
    assert decided.tokens_saved.value == pytest.approx(1 - 500 / 630)
    assert decided.accuracy.value == 1
    assert decided.accuracy.low == pytest.approx(1 / (1 + 1.96**2 / 3))  # Wilson, three of three
    assert decided.numbers()["baseline"] == {"prompt": "chain-of-thought", "name": "majority of 7"}
    assert decided.numbers()["outcomes"] == "111"
    assert rows["direct", "pass@3"].numbers()["outcomes"] is None  # probabilities
    greedy, vote = rows["chain-of-thought", "greedy"], rows["chain-of-thought", "majority of 3"]
    assert greedy.numbers()["outcomes"] == "110"
    assert greedy.gain.value == pytest.approx(1 / 3)  # over direct: won, equal, equal
    # over one sample
    assert vote.gain.value == pytest.approx((1 + 0 + 0) / 3 - (1 + 5 / 7 + 5 / 7) / 3)
    assert greedy.samples_saved is None
    assert rows["direct", "greedy"].gain is None


def three(estimate: Estimate) -> tuple[float, float, float]:
    return estimate.value, estimate.low, estimate.high


def test_the_interval_of_a_paired_difference_as_published():
    """Fagerland, Lydersen and Laake (2014, https://doi.org/10.1002/sim.6148): 1 won, 7 lost, of 21
    pairs.
    """
    estimate = mean_estimate([1] + [-1] * 7 + [0] * 13, [-1, 1])
    assert three(estimate) == pytest.approx((-6 / 21, -0.508, -0.013), abs=5e-4)
    spread = 1.96 * math.sqrt(2 / 22 / 22)
    assert three(mean_estimate([0] * 20, [-1, 1])) == pytest.approx((0, -spread, spread))
    assert mean_estimate([1, 1, 1], [-1, 1]).high == 1


def test_of_nothing_no_part_can_be_saved():
    assert saved([0, 0], [10, 30]).value == saved([0, 0], [10, 30]).high == 1
    with pytest.raises(ValueError, match="used 0 in total"):
        saved([1], [0])


def test_savings_that_are_all_alike_have_an_interval_of_some_width():
    estimate = saved([60] * 6, [100] * 6)
    # six of 0.4, one of 1 and one of 0: mean 0.425, standard deviation 0.267
    spread = 1.96 * math.sqrt((6 * 0.025**2 + 0.575**2 + 0.425**2) / 8 / 8) * 8 / 6
    assert three(estimate) == pytest.approx((0.4, 0.425 - spread, 0.425 + spread), abs=0.07)
    assert estimate.low < 0.3 and estimate.high > 0.5
    assert saved([100] * 6, [100] * 6).low == 0 < saved([100] * 6, [100] * 6).high


@pytest.mark.parametrize(
    ("share", "truth"),
    [
        (lambda rng: rng.choice((0.25, 1)), 0.375),
        (lambda rng: 0.25 if rng.random() < 0.15 else 1, 0.1125),
        (lambda rng: rng.choice((0.2, 0.3, 0.5, 1)), 0.5),
    ],
)
def test_intervals_of_savings_hold_the_truth_at_ten_problems(share, truth):
    rng, rounds, held = random.Random(0), 4000, 0
    for _ in range(rounds):
        full = [rng.randint(10, 50) for _ in range(10)]
        estimate = saved([tokens * share(rng) for tokens in full], full)
        held += estimate.low <= truth <= estimate.high
    assert held / rounds > 0.93


def test_intervals_hold_the_truth_about_as_often_as_they_say():
    rng, rounds, held = random.Random(0), 600, {"difference": 0, "share": 0, "saved": 0}
    for _ in range(rounds):
        hard = [rng.random() for _ in range(60)]
        differences = [(rng.random() < 0.3 * ease) - (rng.random() < 0.1 * ease) for ease in hard]
        one_sample = [sum(rng.random() < ease for _ in range(5)) / 5 for ease in hard]
        full = [rng.randint(10, 50) for _ in hard]
        used = [tokens * rng.choice((0.25, 1)) for tokens in full]
        estimates = {
            "difference": (mean_estimate(differences, [-1, 1]), 0.1),
            "share": (mean_estimate(one_sample, [0, 0, 1, 1]), 0.5),
            "saved": (saved(used, full), 0.375),
        }
        for name, (estimate, truth) in estimates.items():
            held[name] += estimate.low <= truth <= estimate.high
    # The standard deviation of a share of 600 rounds is 0.9 points; 60 problems are not quite
    # normal.
    assert all(0.92 < count / rounds <= 0.985 for count in held.values()), held


def test_solutions_that_vote_together_are_graded_once(monkeypatch):
    graded = []

    def grade(answer, reference):
        graded.append(answer)
        return answer == "1/2"

    monkeypatch.setattr(draws_module, "is_right", grade)
    answers = ("1/2", "3", None, "0.5", "\\frac{1}{2}", "3", None)
    records = [{"answer": one, "logprob": -0.5, "tokens": 3, "text": "t"} for one in answers]
    result = {"samples": records, "reference": "0.50", "extracted": None, "correct": False}
    samples = graded_samples(result)
    assert [sample.right for sample in samples] == [True, False, False, True, True, False, False]
    assert graded == ["1/2", "3"]
    assert [(sample.answer, sample.tokens) for sample in samples] == [(one, 3) for one in answers]
    assert graded_samples({**result, "extracted": "0.5", "correct": True}) == samples
    assert graded == ["1/2", "3", "3"]  # the winner's grade is known


def result(unique_id: str, *texts: str, **fields) -> dict:
    """A result of a vote of these texts, that is graded wrongly."""
    records = [{"answer": "?", "logprob": -0.5, "tokens": 3, "text": text} for text in texts]
    for record in records:
        record["finish_reason"] = "stop" if "." in record["text"] else "length"
    return {
        "unique_id": unique_id,
        "text": "?",
        "finish_reason": "stop",
        "extracted": "?",
        "reference": "7",
        "correct": False,
        "samples": records,
        **fields,
    }


def test_another_verifier_holds_the_vote_anew(monkeypatch):
    texts = ("so \\boxed{7}.", "we get 5.", "we get 5", "I say 7.", "we have 5")
    again = voted_again(result("a", *texts))
    assert [one["answer"] for one in again["samples"]] == ["7", "5", None, "7", None]
    assert (again["text"], again["extracted"], again["correct"]) == (texts[0], "7", True)
    assert voted_again(again) == again
    refused = {**result("b"), "samples": [dict(text="", answer=None, logprob=0.0, tokens=0)]}
    assert voted_again(refused)["correct"] is False
    alone = {name: value for name, value in result("c").items() if name != "samples"}
    assert voted_again({**alone, "text": "It is 7."})["correct"] is True


def test_what_a_server_did_not_do_is_said_below_the_table():
    equal = [result(name, "It is 7.", "It is 7.") for name in "ab"]
    differing = [result("a", "It is 7.", "We get 7."), result("b", "It is 7.", "It is 7.")]
    assert notes_on_texts({"direct, 2 samples": differing}, 60, 0.8) == []
    [warning] = notes_on_texts({"direct, 2 samples": equal}, 60, 0.8)
    assert warning.startswith("warning: direct, 2 samples: the samples of each problem are one")
    assert notes_on_texts({"direct, 2 samples": equal}, 60, 0.0) == []  # as was asked for
    for one in differing:
        for record in one["samples"]:
            record["logprob"] = 0.0
    [warning] = notes_on_texts({"x": differing}, 60, 0.8)
    assert "no log-probability came with the samples" in warning
    cut = [result("a", "12 + ", "It is 7."), result("b", "We", "7", answered_by="other")]
    cut.append(result("c", refusal="status 400: 'too long'"))
    assert notes_on_texts({"x": cut}, 60, 0.8) == [
        "x: of 4 texts, 3 were cut off at 60 tokens; without a box, such a text has no answer",
        "x: problem c counts as wrong, as it was refused: status 400: 'too long'",
        "warning: x: the server says that another model answered 1 of 3 problems: other",
    ]


def test_solutions_without_an_answer_lose_the_vote_and_stay(tiny_folder):
    model, tokenizer = load_qwen3(tiny_folder, device="cpu")
    problems = load_problems("arithmetic500", limit=2)
    drawn = draw(model, tokenizer, problems, DIRECT, 3, progress=False, max_new_tokens=2)
    assert [len(samples) for samples in drawn] == [3, 3]
    assert {(one.answer, one.right, one.tokens) for samples in drawn for one in samples} == {
        (None, False, 2)
    }


def test_pictures_fit_their_frames_and_show_what_the_table_says(rows):
    table = markdown_table(rows.values())
    assert len(set(map(len, table.splitlines()))) == 1
    assert table.count("majority of 7, window") == 2
    one_prompt = [row for row in rows.values() if row.prompt == "direct"]
    for plot, shown in itertools.product(PLOTS, (list(rows.values()), one_prompt)):
        figure = plot(shown)
        FigureCanvasAgg(figure).draw()
        box = figure.get_tightbbox()  # in inches, of all that is seen
        title = figure.axes[0].get_title()
        assert box.x0 >= 0 and box.y0 >= 0 and box.x1 <= 7 and box.y1 <= 4, title


# The command line


def run(*arguments) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of the command line, in this process."""
    code, output, errors = 0, io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(output), redirect_stderr(errors):
        patch.setattr(sys, "argv", ["experiments", *map(str, arguments)])
        try:
            experiments.main()
        except SystemExit as error:
            code = error.code
    return code, output.getvalue(), errors.getvalue()


# there, batches do not change a sample
QUICK = ("--max-new-tokens", 24, "--device", "cpu", "--dtype", "float64")


@pytest.fixture(scope="module")
def easy(tmp_path_factory) -> tuple:
    """Options for a few problems with short solutions, which agree often."""
    problems = [problem for problem in load_problems("arithmetic500") if problem["level"] == 1]
    path = tmp_path_factory.mktemp("problems") / "easy.json"
    path.write_text(json.dumps(problems[:4]))
    return *QUICK, "--data", path, "--samples", 6


@pytest.fixture(scope="module")
def whole(easy, tmp_path_factory, tiny_folder) -> tuple[Path, str, str]:
    """The folder of a run that nothing disturbed, and its outputs."""
    folder = tmp_path_factory.mktemp("whole")
    code, shown, progress = run(*easy, "--out", folder)
    assert code == 0
    return folder, shown, progress


def numbers(folder: Path) -> dict:
    return json.loads((folder / "results.json").read_text())


def kept_lines(folder: Path) -> list[str]:
    """Whole lines of all files of answers in a folder that may not be there yet."""
    contents = [path.read_text() for path in (folder / "answers").glob("*.jsonl")]
    return [
        line for content in contents for line in content[: content.rfind("\n") + 1].splitlines()
    ]


def test_replayed_rules_spend_what_rules_that_really_stop_spend(easy, whole, tmp_path):
    folder, shown, _ = whole
    assert "replayed on one set of 6 samples" in shown
    code, shown, _ = run(*easy, "--out", tmp_path, "--fresh", "--batch", 31)
    assert code == 0
    assert "really stopped" in shown
    rows = numbers(folder)["rows"]
    assert numbers(tmp_path)["rows"] == rows
    assert len(list((folder / "answers").glob("*.jsonl"))) == 2 + 2
    # greedy; three sizes and three rules
    assert len(list((tmp_path / "answers").glob("*.jsonl"))) == 2 + 2 * (3 + 3)
    for rule in ("decided", "window", "confident"):
        assert any(row["method"] == rule and row["tokens_saved"]["value"] > 0 for row in rows)
    decided = [row["accuracy"] for row in rows if row["method"] == "decided"]
    assert decided == [row["accuracy"] for row in rows if row["name"] == "majority of 6"]


def test_the_command_writes_the_table_the_numbers_and_the_pictures(easy, whole):
    folder, shown, progress = whole
    table = shown[: shown.rindex("|") + 1]
    assert table in (folder / "results.md").read_text()
    assert numbers(folder)["settings"]["temperature"] == 0.8
    assert numbers(folder)["run"]["torch"] == torch.__version__
    for name in ("accuracy_by_samples.png", "accuracy_by_tokens.png", "savings.png"):
        assert matplotlib.image.imread(folder / name).shape[1] == 700
        assert name in shown
    assert "chain-of-thought, 6 samples" in progress
    assert len(kept_lines(folder)) == 4 * (1 + 4)


def test_ctrl_c_says_how_to_go_on(easy, tmp_path, monkeypatch):
    appended, append = [], ResultsFile.append

    def append_and_interrupt(file, result):
        append(file, result)
        appended.append(result)
        if len(appended) == 3:  # in the third of four files
            raise KeyboardInterrupt

    monkeypatch.setattr(ResultsFile, "append", append_and_interrupt)
    arguments = (*easy, "--limit", 1, "--samples", 2, "--out", tmp_path)
    code, _, error = run(*arguments)
    assert code == 130
    assert "the same command goes on" in error.splitlines()[-1]
    assert not (tmp_path / "results.md").exists()
    assert run(*arguments)[0] == 0
    assert len(appended) == 4


def test_verdicts_of_an_earlier_verifier_are_not_mixed_with_those_of_this_one(
    easy, whole, tmp_path
):
    shutil.copytree(whole[0], tmp_path / "copy")
    for path in (tmp_path / "copy" / "answers").glob("*.jsonl"):
        lines = path.read_text().replace(VERIFIER, "an earlier one")
        path.write_text(lines.replace('"correct": true', '"correct": false'))
    code, _, error = run(*easy, "--out", tmp_path / "copy")
    assert code == 0
    assert error.count("they are graded again, and ") == 4
    assert numbers(tmp_path / "copy")["rows"] == numbers(whole[0])["rows"]
    code, _, error = run(*easy, "--out", tmp_path / "copy")
    assert (code, "graded again" in error) == (0, False)


def test_less_memory_gives_the_same_table_and_too_little_is_refused(easy, whole, tmp_path):
    code, _, _ = run(*easy, "--out", tmp_path, "--max-cache-bytes", 2_500_000)
    assert code == 0
    assert numbers(tmp_path)["rows"] == numbers(whole[0])["rows"]
    code, _, error = run(*easy, "--out", tmp_path / "none", "--max-cache-bytes", 100_000)
    assert (code, "max_cache_bytes is 100,000: raise it" in error) == (2, True)


def test_shards_give_the_same_table_when_all_are_done(easy, whole, tmp_path):
    arguments = (*easy, "--out", tmp_path)
    code, shown, _ = run(*arguments, "--shard", "1/2")
    assert (code, "Shard 1/2 is done" in shown) == (0, True)
    assert run(*arguments)[0] == 2
    assert run(*arguments, "--shard", "2/2")[0] == 0
    assert not (tmp_path / "results.json").exists()
    assert run(*arguments)[0] == 0
    assert numbers(tmp_path)["rows"] == numbers(whole[0])["rows"]
    assert len(kept_lines(tmp_path)) == 2 * 4 * (1 + 2)


def test_a_killed_run_goes_on_and_ends_in_the_same_table(forking, easy, whole, tmp_path):
    command = ["CH4.experiments", *easy, "--batch", 12, "--out", tmp_path]
    killed = Processes(forking, *command, environments=[{"KILLED_AFTER": 9}])
    assert killed.statuses() == [signal.SIGKILL]
    kept = kept_lines(tmp_path)
    # both greedy rows, and the samples of one problem
    assert len(kept) == (1 + 4) + (1 + 4) + (1 + 1)
    assert run(*easy, "--out", tmp_path)[0] == 0
    assert numbers(tmp_path)["rows"] == numbers(whole[0])["rows"]
    ended = kept_lines(tmp_path)
    assert set(kept) <= set(ended)  # with their seconds: they were not drawn again
    assert len(ended) == 4 * (1 + 4)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--samples", 1), "--samples 1: a vote needs at least 2"),
        (("--samples", "many"), "'many' is not an integer from 1 on"),
        (("--temperature", -0.5), "temperature is -0.5"),
        (("--temperature", "hot"), "invalid float value: 'hot'"),
        (("--top-p", 0), "top_p is 0.0"),
        (("--seed", "x"), "invalid int value: 'x'"),
        (("--limit", 0), "'0' is not an integer from 1 on"),
        (("--data", "nowhere.json"), "no file nowhere.json"),
        (("--model", "nowhere"), "no checkpoint 'nowhere'"),
        (("--prompt", "direct"), "unrecognized arguments: --prompt"),
        (("--out", __file__), "File exists"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(arguments, words, tmp_path, tiny_folder):
    code, shown, error = run(*QUICK, "--limit", 2, "--out", tmp_path / "out", *arguments)
    assert code == 2
    assert shown == ""
    assert words in error.splitlines()[-1]
    assert "Traceback" not in error
    assert not (tmp_path / "out" / "answers").exists()


def test_a_prompt_that_leaves_no_room_counts_as_wrong_in_every_row(tmp_path, tiny_folder):
    problems = [one for one in load_problems("arithmetic500") if one["level"] == 1][:2]
    name = problems[0]["unique_id"]
    problems[0]["problem"] = "7" * 1024
    data = tmp_path / "long.json"
    data.write_text(json.dumps(problems))
    options = (*QUICK, "--data", data, "--samples", 4)
    tables = []
    for folder, fresh in (("replayed", ()), ("fresh", ("--fresh",))):
        code, shown, error = run(*options, "--out", tmp_path / folder, *fresh)
        assert code == 0
        words = f"problem {name} counts as wrong, as it was refused: a prompt of "
        assert words in error and words in " ".join(shown.split())
        tables.append(numbers(tmp_path / folder)["rows"])
    assert tables[0] == tables[1]
    assert {row["problems"] for row in tables[0]} == {2}
    assert all(row["accuracy"]["value"] <= 0.5 for row in tables[0])


def test_help_explains_and_gives_examples():
    code, shown, _ = run("--help")
    assert code == 0
    assert shown.count("python -m CH4.experiments") >= 6
    assert "goes on" in shown and "--fresh" in shown
