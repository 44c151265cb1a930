"""Each component's demonstration runs from anywhere, explains itself, and draws its picture."""

import math
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import matplotlib.image
import pytest

from Appendixes.demonstration import report_difference

APPENDIXES = Path(__file__).resolve().parents[2] / "Appendixes"
COMPONENTS = [
    "RMSNorm",
    "RoPE",
    "GLUFeedForwardNeuralNetwork",
    "KVcache",
    "GroupedQueryAttention",
    "QWEN3TransformerBlock",
    "QWEN3Model",
    "QWEN3Tokenizer",
    "TinyQwen3",
]
BAD_PLOTS = ["missing_folder/picture.png", "picture.docx", "picture"]


@pytest.fixture(scope="module")
def finished(
    tmp_path_factory,
) -> Iterator[Callable[[str, str], tuple[subprocess.CompletedProcess, Path]]]:
    """`finished(component, plot)`: a run with that `--plot`, and its folder. Two run at a time,
    from here on.
    """

    def run(component: str, plot: str) -> tuple[subprocess.CompletedProcess, Path]:
        folder = folders[component, plot]
        command = [
            sys.executable,
            "-W",
            "error",
            str(APPENDIXES / component / "main.py"),
            "--plot",
            plot,
        ]
        return subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=120
        ), folder

    runs = [(component, "tmp.png") for component in COMPONENTS] + [
        ("RMSNorm", plot) for plot in BAD_PLOTS
    ]
    folders = {key: tmp_path_factory.mktemp("demonstration") for key in runs}
    pool = ThreadPoolExecutor(2)
    started = {key: pool.submit(run, *key) for key in runs}
    yield lambda component, plot: started[component, plot].result()
    pool.shutdown(cancel_futures=True)


@pytest.mark.parametrize("component", COMPONENTS)
def test_demonstration_prints_and_draws_from_any_folder(component, finished):
    result, folder = finished(component, "tmp.png")
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stderr == ""
    assert len(result.stdout.splitlines()) > 10
    assert result.stdout.isascii()
    assert max(map(len, result.stdout.splitlines())) <= 100
    height, width = matplotlib.image.imread(folder / "tmp.png").shape[:2]
    assert 600 <= width <= 1000
    assert 300 <= height <= 800


@pytest.mark.parametrize("file", BAD_PLOTS)
def test_bad_plot_path_is_refused_in_one_line(file, finished):
    result, folder = finished("RMSNorm", file)
    assert result.returncode == 2
    assert result.stdout == ""
    assert len(result.stderr.splitlines()) == 1
    assert file in result.stderr
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("difference", [2e-5, math.nan])
def test_too_large_a_difference_ends_a_demonstration_with_code_1(difference):
    # text as its code: exit code 1
    with pytest.raises(SystemExit, match="check failed: ours and theirs differ"):
        report_difference("ours and theirs", difference, tolerance=1e-5)
