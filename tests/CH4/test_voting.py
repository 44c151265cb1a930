"""Votes: by meaning, ties by log-probability, pass@n without bias, majorities right as often as
they should be.
"""

import json
import math
import random
from itertools import combinations
from pathlib import Path

import pytest

from CH4.voting import Sample, best_of_n, confidence_vote, majority_vote, pass_at_n

ROOT = Path(__file__).resolve().parents[2]


def samples(*drawn) -> list[Sample]:
    """Samples from answers, or pairs of answer and log-probability."""
    pairs = [entry if isinstance(entry, tuple) else (entry, -1.0) for entry in drawn]
    return [Sample(answer, logprob, tokens=10) for answer, logprob in pairs]


def test_answers_are_grouped_by_meaning():
    vote = majority_vote(samples("0.5", "2", "1/2", "2", r"\frac{1}{2}"))
    assert vote.winner == "0.5"  # as its first sample writes it
    assert not vote.tie
    assert [group.weight for group in vote.groups] == [3, 2]
    assert [group.share for group in vote.groups] == [0.6, 0.4]
    assert [sample.answer for sample in vote.groups[0].samples] == ["0.5", "1/2", r"\frac{1}{2}"]


@pytest.mark.parametrize(
    ("answers", "winner", "weights"),
    [
        (["2x+3", "y=2x+3", "y = 2x+3", "2x+3", "5", "5", "5"], "2x+3", [4, 3]),
        (["5", "x=5", "7", "7", "x = 5"], "5", [3, 2]),
        ([r"50\%", "50", "7", "7", "50"], r"50\%", [3, 2]),
        (["(7,8)", "x=7, y=8", "1"], "(7,8)", [2, 1]),
        (["7 apples", "7", "3", "7"], "7 apples", [3, 1]),
        (["5 m^2", "5", "2", "5"], "5 m^2", [3, 1]),
        # two names, two units: nothing says whose the bare answer is
        (["x=5", "y=5", "5", "5"], "5", [2, 1, 1]),
        (["7 apples", "7 pears", "7", "7"], "7", [2, 1, 1]),
        # the names agree, the answers do not
        (["x=5", "x=6", "5", "6", "5"], "x=5", [3, 2]),
        # nobody leaves the unit out, or it was meant
        ([r"50\%", "0.5", "0.5"], r"50\%", [3]),
        ([r"50\%", "0.5", "50", "50"], r"50\%", [2, 2]),
        (["x=5", "x=5", "7"], "x=5", [2, 1]),
    ],
)
def test_a_name_or_a_unit_that_all_agree_on_is_not_counted(answers, winner, weights):
    vote = majority_vote(samples(*answers))
    assert (vote.winner, [group.weight for group in vote.groups]) == (winner, weights)
    confident = confidence_vote(samples(*answers))
    assert [len(group.samples) for group in confident.groups] == weights


def test_answers_that_differ_never_vote_together():
    pairs = json.loads((ROOT / "CH3" / "graded_pairs.json").read_text(encoding="utf-8"))
    apart = 0
    for pair in pairs:
        both = [pair["predicted"], pair["reference"]]
        together = len(majority_vote(samples(*both)).groups) == 1
        assert pair["same"] or not together, both
        apart += pair["same"] and not together
    assert apart < 0.02 * len(
        pairs
    )  # where a grade is no equivalence, such as (1, 3) for 1 < x < 3


def test_samples_without_an_answer_do_not_vote():
    vote = majority_vote(samples(None, None, "7", None))
    assert (vote.winner, vote.tie, vote.groups[0].share) == ("7", False, 1.0)
    for nothing in (
        majority_vote(samples(None, None)),
        majority_vote([]),
        confidence_vote(samples(None)),
    ):
        assert (nothing.winner, nothing.tie, nothing.groups) == (None, False, ())


def test_ties_go_to_the_likelier_group_and_are_reported():
    vote = majority_vote(samples(("1", -0.5), ("2", -0.1), ("1", -0.5), ("2", -0.8), ("3", -0.01)))
    assert vote.tie
    assert vote.winner == "2"  # mean of -0.1 and -0.8 is -0.45
    assert vote.groups[0].logprob == pytest.approx(-0.45)
    first = majority_vote(samples("1", "2", "2", "1"))
    assert first.tie
    assert first.winner == "1"  # nothing but the order tells them apart


def test_confidence_weighs_each_sample_by_its_probability():
    drawn = samples(("1", math.log(0.2)), ("1", math.log(0.3)), ("2", math.log(0.6)), (None, -0.01))
    vote = confidence_vote(drawn)
    assert majority_vote(drawn).winner == "1"
    assert vote.winner == "2"
    assert [group.weight for group in vote.groups] == pytest.approx([0.6, 0.5])
    assert [group.share for group in vote.groups] == pytest.approx([6 / 11, 5 / 11])
    # too small for a float: 0 and 0
    hopeless = confidence_vote(samples(("1", -2000.0), ("2", -1000.0)))
    assert (hopeless.winner, hopeless.tie) == ("2", True)


def test_a_sample_cannot_be_more_than_certain():
    for logprob in (0.1, math.nan):
        with pytest.raises(ValueError, match="at most 0"):
            Sample("1", logprob, tokens=1)


@pytest.mark.parametrize("drawn", [1, 5, 8])
def test_pass_at_n_is_the_part_of_all_choices_that_hold_a_right_sample(drawn):
    for correct in range(drawn + 1):
        for n in range(1, drawn + 1):
            choices = list(combinations(range(drawn), n))
            with_a_right_one = sum(any(sample < correct for sample in choice) for choice in choices)
            assert pass_at_n(drawn, correct, n) == pytest.approx(with_a_right_one / len(choices))


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_pass_at_n_is_unbiased(p):
    """Its mean over all outcomes of 12 independent samples is the probability that one of n is
    right.
    """
    drawn = 12
    outcomes = [(k, math.comb(drawn, k) * p**k * (1 - p) ** (drawn - k)) for k in range(drawn + 1)]
    for n in (1, 3, 12):
        mean = sum(probability * pass_at_n(drawn, correct, n) for correct, probability in outcomes)
        assert mean == pytest.approx(1 - (1 - p) ** n)


def test_pass_at_n_refuses_impossible_counts():
    for drawn, correct, n in ((5, 6, 1), (5, -1, 1), (5, 2, 0), (5, 2, 6), (0, 0, 1)):
        with pytest.raises(ValueError, match="cannot be right|expected 1 to"):
            pass_at_n(drawn, correct, n)


@pytest.mark.parametrize(("p", "n"), [(0.6, 1), (0.6, 5), (0.6, 15), (0.4, 9)])
def test_a_majority_is_right_as_often_as_the_binomial_distribution_says(p, n):
    """Two answers, an odd number of votes: right if more than half are (Condorcet, 1785)."""
    predicted = sum(math.comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(n // 2 + 1, n + 1))
    rng, votes = random.Random(0), 3000
    right, wrong = Sample("1", -1.0, tokens=10), Sample("2", -1.0, tokens=10)
    hits = sum(
        majority_vote(right if rng.random() < p else wrong for _ in range(n)).winner == "1"
        for _ in range(votes)
    )
    deviation = math.sqrt(predicted * (1 - predicted) / votes)
    assert abs(hits / votes - predicted) < 3 * deviation
    assert n == 1 or abs(hits / votes - p) > 5 * deviation


def test_the_best_of_n_is_the_first_that_passes_and_is_right_as_often_as_one_of_n():
    drawn = samples("4", None, "9", "12")
    assert best_of_n(drawn, lambda answer: int(answer) > 5) is drawn[2]
    assert best_of_n(drawn, lambda answer: False) is None
    assert best_of_n([], lambda answer: True) is None
    # over all ways to choose three of the four, two of which are right
    chosen = list(combinations(drawn, 3))
    found = [best_of_n(some, lambda answer: int(answer) > 5) is not None for some in chosen]
    assert sum(found) / len(found) == pass_at_n(drawn=4, correct=2, n=3)
