"""Tests of the requirements: what an extra installs goes with the PyTorch of `requirements.txt`."""

import re
from importlib import metadata
from itertools import chain
from pathlib import Path

import pytest
import torch
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[2]


def test_no_package_of_an_extra_asks_for_another_pytorch():
    """pip would replace the one that is there without a word, and the CPU build by the CUDA one."""
    tomllib = pytest.importorskip("tomllib", reason="reads pyproject.toml; Python 3.11 has it")
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    tried = []
    for text in chain.from_iterable(extras["project"]["optional-dependencies"].values()):
        name = Requirement(text).name
        try:
            needs = [Requirement(need) for need in metadata.requires(name) or []]
        except metadata.PackageNotFoundError:
            continue  # of an extra that is not installed here
        tried.append(name)
        for need in needs:
            if need.name == "torch":
                assert need.specifier.contains(Version(torch.__version__).base_version), name
    if not tried:
        pytest.skip("no package of an extra is installed")


def test_pytorch_is_one_that_the_requirements_allow():
    text = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    [lowest] = re.findall(r"^torch>=(\S+)$", text, re.MULTILINE)
    assert Version(torch.__version__) >= Version(lowest)
