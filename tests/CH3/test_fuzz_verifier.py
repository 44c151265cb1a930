"""A small fuzz of the verifier, and proof that the fuzz sees what is wrong."""

import runpy
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from CH3 import math_verifier

FUZZ = SimpleNamespace(
    **runpy.run_path(str(Path(__file__).parents[1] / "measurements" / "fuzz_verifier.py"))
)


@pytest.mark.parametrize("seed", range(5))
def test_a_few_hundred_strings_find_nothing(seed):
    fuzzer = FUZZ.Fuzzer()
    fuzzer.run(100, seed)
    assert not fuzzer.findings, fuzzer.report()
    assert {"grade_answer yes", "grade_answer no", "same_answer yes", "same_answer no"} == set(
        fuzzer.verdicts
    )


def test_the_same_seed_gives_the_same_strings():
    assert list(FUZZ.strings(200, 7)) == list(FUZZ.strings(200, 7))
    assert len(set(FUZZ.strings(200, 7)) - set(FUZZ.strings(200, 8))) > 100


def test_a_run_goes_on_where_another_was_stopped():
    seen: list[list[str]] = []
    for skip in (0, 12):
        texts: list[str] = []
        fuzzer = FUZZ.Fuzzer(verifier_with(extract_answer=texts.append))
        fuzzer.run(20, seed=3, skip=skip)
        assert fuzzer.done == 20
        seen.append(texts)
    assert seen[0][-len(seen[1]) :] == seen[1]
    assert len(seen[1]) < len(seen[0])


def verifier_with(**replaced) -> SimpleNamespace:
    return SimpleNamespace(**{**vars(math_verifier), **replaced})


def slow_on_boxes(text):
    start = time.process_time()
    while text.startswith("so ") and time.process_time() < start + 2 * FUZZ.SLOW:
        pass


def broken(*texts):
    raise ValueError("no")


@pytest.mark.parametrize(
    "replaced, seen",
    [
        (dict(grade_answer=broken), "exception"),
        (dict(extract_answer=slow_on_boxes), "slow: extract_answer"),
        (dict(grade_answer=lambda predicted, reference: False), "not its own answer"),
        (dict(same_answer=lambda one, other: True), "does not imply"),
        (dict(answer_key=lambda text: 0), "answer_key disagree"),
        (
            dict(explain_grade=lambda *texts: SimpleNamespace(correct=None)),
            "explain_grade and grade_answer",
        ),
        (dict(extract_answer=lambda text: "no such answer"), "boxed text is not the text"),
    ],
    ids=lambda value: value if isinstance(value, str) else next(iter(value)),
)
def test_the_fuzz_sees_a_broken_verifier(replaced, seen):
    fuzzer = FUZZ.Fuzzer(verifier_with(**replaced))
    fuzzer.run(2 if "slow" in seen else 16, seed=3)  # what is slow keeps the test waiting
    assert seen in fuzzer.report()
