"""Each component's demonstration explains itself in plain text, and draws its picture."""

import math
import runpy
import subprocess
import sys
from pathlib import Path

import matplotlib.image
import pytest
from matplotlib.figure import Figure

from Appendixes.demonstration import report_count, report_difference

APPENDIXES = Path(__file__).resolve().parents[2] / "Appendixes"
COMPONENTS = sorted(path.parent.name for path in APPENDIXES.glob("*/main.py"))


@pytest.fixture
def run(monkeypatch, tmp_path, capsys):
    """`run(component, plot)`: run a demonstration in this process, in an empty folder."""

    def run_main(component: str, plot: str):
        script = str(APPENDIXES / component / "main.py")
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", [script, "--plot", plot])
        try:
            runpy.run_path(script, run_name="__main__")
            code = 0
        except SystemExit as end:
            code = end.code
        return code, capsys.readouterr()

    return run_main


@pytest.fixture
def titles_cut_off(monkeypatch) -> list[str]:
    """Titles of axes that are wider than the picture they are saved in."""
    found: list[str] = []
    save = Figure.savefig

    def measure_and_save(figure, *arguments, **options):
        save(figure, *arguments, **options)
        for axes in figure.axes:
            box = axes.title.get_window_extent()
            if axes.get_title() and not (box.x0 >= 0 and box.x1 <= figure.bbox.width):
                found.append(axes.get_title())

    monkeypatch.setattr(Figure, "savefig", measure_and_save)
    return found


def test_a_demonstration_that_no_map_lists_is_among_them():
    assert "TinyQwen3" in COMPONENTS


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("component", COMPONENTS)
def test_demonstration_prints_and_draws(component, run, tmp_path, titles_cut_off):
    code, printed = run(component, "tmp.png")
    assert (code, printed.err) == (0, "")
    lines = printed.out.splitlines()
    assert len(lines) > 10 and printed.out.isascii()
    assert max(map(len, lines)) <= 100
    height, width = matplotlib.image.imread(tmp_path / "tmp.png").shape[:2]
    assert 600 <= width <= 1000
    assert 300 <= height <= 800
    assert titles_cut_off == []


def test_demonstration_runs_as_a_program_in_any_folder(tmp_path):
    command = [sys.executable, "-W", "error", str(APPENDIXES / "RMSNorm" / "main.py")]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert (result.returncode, result.stderr) == (0, "")
    assert len(result.stdout.splitlines()) > 10


@pytest.mark.parametrize("file", ["missing_folder/picture.png", "picture.docx", "picture"])
def test_bad_plot_path_is_refused_in_one_line(file, run, tmp_path):
    code, printed = run("RMSNorm", file)
    assert (code, printed.out) == (2, "")
    assert len(printed.err.splitlines()) == 1 and file in printed.err
    assert list(tmp_path.iterdir()) == []


def test_a_count_that_is_not_full_ends_a_demonstration_with_code_1(capsys):
    report_count("texts", 7, 7)
    assert capsys.readouterr().out == "   texts: 7 of 7\n"
    with pytest.raises(SystemExit, match="check failed: texts: 6 of 7"):
        report_count("texts", 6, 7)


@pytest.mark.parametrize("difference", [2e-5, math.nan])
def test_too_large_a_difference_ends_a_demonstration_with_code_1(difference):
    # text as its code: exit code 1
    with pytest.raises(SystemExit, match="check failed: ours and theirs differ"):
        report_difference("ours and theirs", difference, tolerance=1e-5)
