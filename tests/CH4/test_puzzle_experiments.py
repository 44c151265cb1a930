"""Experiments on puzzles: rows by hand, a table by subject, and a command that goes on."""

import io
import json
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import matplotlib.image
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from CH3.problems import load_problems
from CH4.experiments import __main__ as experiments
from CH4.experiments import thinking
from CH4.experiments.comparison import TableRow
from CH4.experiments.draws import graded_samples
from CH4.experiments.thinking import (
    Expression,
    by_subject,
    plot_thinking,
    rows_of_samples,
    thinking_table,
)
from CH4.voting import Sample

RIGHT, WRONG, OTHER = "(25 - 7) * 3", "25 - 7 * 3", "3 * (25 + 7)"


def samples(*answers: str | None) -> list[Sample]:
    """Samples of 54 from 3, 25 and 7: ten tokens for the first, eleven for the next, and so on."""
    right = {RIGHT, "3 * (25 - 7)"}
    return [
        Sample(answer, -1.0, 10 + number, right=answer in right)
        for number, answer in enumerate(answers)
    ]


def test_rows_by_hand():
    draws = [
        samples(WRONG, RIGHT, OTHER, OTHER),  # the most frequent is wrong
        samples(RIGHT, WRONG, WRONG, "3 * (25 - 7)"),  # two and two, one of them reordered
        samples(None, None, None, None),
    ]
    rows = {row.name: row for row in rows_of_samples("none", draws, [3, 4])}
    assert list(rows) == ["one sample", "majority of 3", "best of 3", "majority of 4", "best of 4"]
    assert rows["one sample"].right == pytest.approx((1 / 4, 2 / 4, 0))
    assert rows["majority of 3"].right == (0, 0, 0)
    assert rows["majority of 4"].right == (0, 1, 0)  # of equals, the first that was drawn
    assert rows["majority of 4"].tokens == (46, 46, 46)
    assert rows["best of 3"].right == rows["best of 4"].right == (1, 1, 0)
    assert rows["best of 3"].samples == (2, 1, 3)
    assert rows["best of 3"].tokens == (21, 10, 33)
    assert rows["best of 4"].tokens == (21, 10, 46)


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        (RIGHT, "3(25 - 7)", True),
        ("1 + 2 * 3", "3 * 2 + 1", True),
        (RIGHT, "25 * 3 - 7 * 3", False),  # the same value
        ("25 - 7", "7 - 25", False),
        ("2 * x +", "2 * x +", True),  # cannot be read
        ("54", "54 ", True),
    ],
)
def test_expressions_vote_for_what_is_written(first, second, same):
    keys = [Expression(answer, -1.0, 5).key for answer in (first, second)]
    assert (keys[0] == keys[1]) == same
    assert Expression(None, -1.0, 5).key is None


def test_each_sample_of_a_puzzle_is_checked_for_itself():
    """`25 + 29` has the right value, and other numbers."""
    records = [
        {"answer": answer, "logprob": -1.0, "tokens": 9, "text": ""}
        for answer in ("25 + 29", RIGHT, None)
    ]
    reference = {"numbers": [3, 25, 7], "target": 54}
    graded = graded_samples({"samples": records, "reference": reference, "extracted": RIGHT})
    assert [sample.right for sample in graded] == [False, True, False]


ROWS = [
    TableRow("none", "greedy", 1, (1, 0, 0), (1, 1, 1), (10, 12, 14)),
    TableRow("none", "one sample", 1, (0.5, 0.25, 0.0), (1, 1, 1), (10, 12, 14)),
    TableRow("none", "best", 4, (1, 1, 0), (1, 2, 4), (10, 24, 56)),
    TableRow("at most 0", "greedy", 1, (1, 0, 0), (1, 1, 1), (10, 12, 14)),
    TableRow("to its end", "greedy", 1, (1, 1, 0), (1, 1, 1), (50, 240, 310)),
]
PROBLEMS = [{"subject": "three numbers"}, {"subject": "four numbers"}, {"subject": "four numbers"}]


def test_rows_are_split_by_subject():
    parts = by_subject(ROWS, PROBLEMS)
    assert list(parts) == ["three numbers", "four numbers"]
    assert [row.right for row in parts["four numbers"]] == [
        (0, 0),
        (0.25, 0.0),
        (1, 0),
        (0, 0),
        (1, 0),
    ]
    assert parts["four numbers"][2].tokens == (24, 56)
    table = thinking_table(parts)
    assert "three numbers: right, %" in table and "four numbers: right, %" in table
    assert len(table.splitlines()) == 2 + len(ROWS)
    assert "best of 4" in table and "50.0 (" in table


def test_the_picture_fits_its_frame_and_its_title_compares():
    for problems in (PROBLEMS, [{"subject": "four numbers"}] * 3):
        figure = plot_thinking(by_subject(ROWS, problems))
        FigureCanvasAgg(figure).draw()
        box = figure.get_tightbbox()
        assert box.x0 >= 0 and box.y0 >= 0 and box.x1 <= 7 and box.y1 <= 4
    figure = plot_thinking(by_subject(ROWS, PROBLEMS))
    title = figure.axes[0].get_title()
    assert title.startswith("Four numbers: 50.0 % for 275 tokens with a thought to its end")
    assert "50.0 % for 40 tokens with the best of 4" in title
    assert "Three numbers, longer: 100.0 for 10, 100.0 for 50." in figure.get_label()


# The command line


def run(*arguments) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of the command line, in this process."""
    code, output, errors = 0, io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(output), redirect_stderr(errors):
        patch.setattr(sys, "argv", ["experiments", *map(str, arguments)])
        patch.setattr(thinking, "BUDGETS", (0, 10))
        try:
            experiments.main()
        except SystemExit as error:
            code = error.code
    return code, output.getvalue(), errors.getvalue()


@pytest.fixture(scope="module")
def quick(tmp_path_factory) -> tuple:
    """Options for one puzzle of each kind, with short thoughts."""
    puzzles = load_problems("countdown500")
    path = tmp_path_factory.mktemp("puzzles") / "two.json"
    path.write_text(json.dumps([puzzles[0], puzzles[-1]]))
    options = ("--model", "tiny-thinking", "--device", "cpu", "--dtype", "float64")
    return *options, "--data", path, "--samples", 2, "--max-new-tokens", 40


def kept(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in (folder / "answers").glob("*.jsonl")}


def test_the_command_writes_table_numbers_and_picture_and_goes_on(quick, tmp_path):
    code, shown, progress = run(*quick, "--out", tmp_path)
    assert code == 0
    table = shown[: shown.rindex("|") + 1]
    assert table in (tmp_path / "thinking.md").read_text()
    assert [line.split("|")[1].strip() for line in table.splitlines()[2:]] == [
        *["none"] * 4,
        "at most 0",
        "at most 10",
        *["to its end"] * 4,
    ]
    numbers = json.loads((tmp_path / "thinking.json").read_text())
    assert list(numbers["rows"]) == ["three numbers", "four numbers"]
    assert numbers["rows"]["four numbers"][5]["tokens"] > 10
    assert matplotlib.image.imread(tmp_path / "thinking.png").shape[1] == 700
    assert "thought at most 10, greedy" in progress
    files = kept(tmp_path)
    assert len(files) == 6
    assert run(*quick, "--out", tmp_path)[1].startswith(table)
    assert kept(tmp_path) == files  # with their seconds: nothing was written again


def test_shards_give_the_same_table_when_all_are_done(quick, tmp_path):
    for shard in ("1/2", "2/2"):
        code, shown, _ = run(*quick, "--out", tmp_path, "--shard", shard)
        assert (code, f"Shard {shard} is done" in shown) == (0, True)
    code, shown, _ = run(*quick, "--out", tmp_path)
    assert (code, "to its end" in shown) == (0, True)
    assert len(kept(tmp_path)) == 2 * 6


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--chat", "thinking"), "--chat: not for puzzles"),
        (("--fresh",), "--fresh: not for puzzles"),
        (("--endpoint", "http://127.0.0.1:9/v1"), "--endpoint: not for puzzles"),
    ],
)
def test_what_is_not_for_puzzles_is_refused(quick, options, words, tmp_path):
    code, shown, error = run(*quick, "--out", tmp_path, *options)
    assert (code, shown) == (2, "")
    assert words in error.splitlines()[-1]
    assert not (tmp_path / "answers").exists()
