"""The verifier on MATH-500 (Lightman et al., 2023, https://arxiv.org/abs/2305.20050): each of its
500 answers is recognised, in LaTeX, in plain notation and in the worked solution, and no two are
confused."""

import itertools
import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor

import pytest

from CH3.benchmark_verifier.answer_variants import plain_notation, real_looking_answers
from CH3.benchmark_verifier.measures import SAME_REFERENCES, distinct_pairs
from CH3.math_verifier import extract_answer, grade_answer
from CH3.problems import load_problems


@pytest.fixture(scope="module")
def problems() -> list[dict]:
    """The 500 problems."""
    if not os.environ.get("MATH500_JSON"):
        pytest.skip(
            "MATH500_JSON names no file with MATH-500's test set "
            "(CH3/problems.py says where it is to be had)"
        )
    return load_problems("math500")


def test_all_500_problems_are_there(problems):
    assert len(problems) == 500


def test_every_reference_equals_itself(problems):
    assert [p["answer"] for p in problems if not grade_answer(p["answer"], p["answer"])] == []


def test_every_reference_equals_its_plain_notation_in_both_directions(problems):
    rewritten = [(plain_notation(p["answer"]), p["answer"]) for p in problems]
    assert [pair for pair in rewritten if not grade_answer(*pair)] == []
    assert [pair for pair in rewritten if not grade_answer(*pair[::-1])] == []


def test_plain_notation_leaves_no_latex(problems):
    """So that the test above compares two notations, and not a string with itself."""
    rewritten = {p["answer"]: plain_notation(p["answer"]) for p in problems}
    assert [
        plain for plain in rewritten.values() if "\\" in plain or "_{" in plain or "^{" in plain
    ] == []
    assert sum(plain != latex for latex, plain in rewritten.items()) > 100


def test_every_worked_solution_ends_in_its_reference(problems):
    missed = [
        p["unique_id"]
        for p in problems
        if not grade_answer(extract_answer(p["solution"]), p["answer"])
    ]
    assert missed == []


def test_different_references_are_equal_only_where_the_answers_are(problems):
    """A verdict depends on two strings only, so each string of MATH-500 stands once: 45,150 pairs
    for all 124,750.

    The direction alternates from pair to pair, which halves the time; the pairs that are equal are
    tried both ways."""
    references = {p["answer"] for p in problems}
    expected = {
        frozenset(pair)
        for same in SAME_REFERENCES
        for pair in itertools.combinations(sorted(same & references), 2)
    }
    pairs = list(distinct_pairs(p["answer"] for p in problems))
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
        verdicts = list(pool.map(grade_answer, *zip(*pairs, strict=True), chunksize=1000))
    called_equal = {frozenset(pair) for pair, equal in zip(pairs, verdicts, strict=True) if equal}
    assert called_equal - expected == set()
    assert expected - called_equal == set()
    for first, second in map(sorted, expected):
        assert grade_answer(first, second), (first, second)
        assert grade_answer(second, first), (second, first)


def test_answers_to_measure_the_rate_on_are_reproducible_and_mostly_not_the_reference(problems):
    pairs = real_looking_answers(problems)
    assert pairs == real_looking_answers(problems)
    assert sum(predicted == reference for predicted, reference in pairs) < len(pairs) / 4
