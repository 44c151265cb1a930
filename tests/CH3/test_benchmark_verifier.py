"""The benchmark's own parts, on graders that are made to fail: what it prints about others should
be true.
"""

import multiprocessing
import os
import time
from pathlib import Path

import pytest

from CH3.benchmark_verifier import measures, supervision
from CH3.benchmark_verifier.graders import Grader
from CH3.benchmark_verifier.measures import (
    distinct_pairs,
    measure_graded_pairs,
    measure_hostile,
    measure_texts,
)
from CH3.benchmark_verifier.supervision import Failure, supervised

pytestmark = pytest.mark.skipif(
    "fork" not in multiprocessing.get_all_start_methods(), reason="the benchmark needs fork()"
)


def misbehave(text: str, reference: str = "") -> bool:
    """A grader that does what it is told."""
    if text == "hang":
        time.sleep(60)
    if text == "execute":
        Path("hostile_canary").touch()
    if text == "crash":
        os._exit(1)
    if text == "raise":
        raise RecursionError
    while text == "never end":
        pass
    if text == "compute" and reference == "1":
        end = time.process_time() + 0.6
        while time.process_time() < end:
            pass
    if text == "hoard" and reference == "1":
        return len(bytearray(os.urandom(1) * (250 << 20))) == 0
    return text == reference


def test_after_a_failure_the_work_goes_on_with_the_next_item(monkeypatch):
    monkeypatch.setattr(supervision, "PATIENCE", 2.0)
    items = ["a", "hang", "b", "crash", "raise", "c"]
    expected = [
        False,
        Failure("stopped"),
        False,
        Failure("crashed"),
        Failure("RecursionError"),
        False,
    ]
    assert list(supervised(misbehave, items)) == expected


def test_hostile_answers_are_counted_by_what_they_cost(monkeypatch):
    monkeypatch.setattr(measures, "SECONDS_AT_MOST", 2)
    grader = Grader("test", misbehave, lambda text, reference: False)
    names = ["harmless", "never end", "compute", "hoard", "raise", "crash", "execute"]
    found = measure_hostile(grader, [(name, name) for name in names])
    assert {"compute", "never end"} <= set(found["slow"]) <= {"compute", "never end", "hoard"}
    assert found["stopped"] == ["never end"]
    assert found["large"] == ["hoard"]
    assert sorted(found["raised"]) == ["crash: crashed", "raise: RecursionError"]
    assert found["executed"] == ["execute"]
    assert found["slowest"]["seconds"] > 0.5
    assert found["most_megabytes"] > 200


def test_wrong_verdicts_are_told_apart_and_a_failure_is_no_yes():
    table = [
        {"predicted": "1", "reference": "1", "same": True, "topic": ""},
        {"predicted": "1", "reference": "1", "same": False, "topic": ""},
        {"predicted": "1", "reference": "2", "same": True, "topic": ""},
        {"predicted": "raise", "reference": "raise", "same": True, "topic": ""},
        {"predicted": "raise", "reference": "2", "same": False, "topic": ""},
    ]
    found = measure_graded_pairs(Grader("test", misbehave, misbehave), table)
    assert found["pairs"] == 5
    assert found["false_positives"] == [("1", "1")]
    assert found["false_negatives"] == [("1", "2"), ("raise", "raise")]


def test_a_text_counts_if_its_answer_is_found_and_one_without_an_answer_is_left_out():
    table = [
        {"text": "1", "answer": "1"},
        {"text": "1", "answer": "2"},
        {"text": "raise", "answer": "raise"},
        {"text": "1", "answer": None},
    ]
    found = measure_texts(Grader("test", misbehave, misbehave), table)
    assert found["pairs"] == 3
    assert found["false_negatives"] == [("1", "2"), ("raise", "raise")]


def test_pairs_are_all_pairs_of_different_strings_in_alternating_direction():
    pairs = distinct_pairs(["a", "b", "a", "c"])
    assert sorted(map(sorted, pairs)) == [["a", "b"], ["a", "c"], ["b", "c"]]
    assert pairs != sorted(pairs)
