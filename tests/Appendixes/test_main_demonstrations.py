"""Each component's demonstration runs from anywhere, explains itself, and draws its picture."""

import math
import subprocess
import sys
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


def run_main(component: str, folder: Path, *arguments: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-W", "error", str(APPENDIXES / component / "main.py"), *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("component", COMPONENTS)
def test_demonstration_prints_and_draws_from_any_folder(component, tmp_path):
    result = run_main(component, tmp_path, "--plot", "tmp.png")
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stderr == ""
    assert len(result.stdout.splitlines()) > 10
    assert result.stdout.isascii()
    assert max(map(len, result.stdout.splitlines())) <= 100
    height, width = matplotlib.image.imread(tmp_path / "tmp.png").shape[:2]
    assert 600 <= width <= 1000
    assert 300 <= height <= 800


@pytest.mark.parametrize("file", ["missing_folder/picture.png", "picture.docx", "picture"])
def test_bad_plot_path_is_refused_in_one_line(file, tmp_path):
    result = run_main("RMSNorm", tmp_path, "--plot", file)
    assert result.returncode == 2
    assert result.stdout == ""
    assert len(result.stderr.splitlines()) == 1
    assert file in result.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("difference", [2e-5, math.nan])
def test_too_large_a_difference_ends_a_demonstration_with_code_1(difference):
    with pytest.raises(SystemExit, match="check failed: ours and theirs differ"):  # text as its code: exit code 1
        report_difference("ours and theirs", difference, tolerance=1e-5)
