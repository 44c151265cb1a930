"""Stopping rules: what each promises, checked against all that could still happen."""

import random
from fractions import Fraction
from itertools import chain, product
from math import comb

import pytest

from CH3.math_verifier import answer_key as real_answer_key
from CH4.early_stopping import (
    Confident,
    Decided,
    DrawAll,
    Window,
    leading_probability,
    samples_needed,
    stopping_rule,
)
from CH4.voting import Sample, majority_vote

A, B, C = (Sample(answer, logprob=-0.5, tokens=10) for answer in "123")
NOTHING = Sample(None, logprob=-0.5, tokens=10)


@pytest.fixture(autouse=True)
def _answers_told_apart_as_text(monkeypatch):
    """Rules do not care how answers are compared; thousands of votes do."""
    monkeypatch.setattr("CH4.voting.answer_key", lambda answer: answer)


def random_votes(rng: random.Random) -> list[Sample]:
    """Votes of a problem: few answers, some samples without one, log-probabilities that often agree
    to the last bit.
    """
    num_samples, kinds = rng.randrange(1, 22), rng.randrange(1, 5)
    answers = [
        None if rng.random() < 0.1 else str(int(kinds * rng.random() ** 2))
        for _ in range(num_samples)
    ]
    few = rng.random() < 0.5
    return [
        Sample(answer, -rng.choice((0.0, 0.1, 0.3)) if few else -rng.random(), tokens=1)
        for answer in answers
    ]


def test_decided_never_changes_the_winner():
    rng, rule = random.Random(0), Decided()
    stopped_early = ties = 0
    for _ in range(5000):
        votes = random_votes(rng)
        needed, full = samples_needed(votes, rule), majority_vote(votes)
        assert majority_vote(votes[:needed]).winner == full.winner
        stopped_early += needed < len(votes)
        ties += full.tie
    assert stopped_early > 2500
    assert ties > 300


def test_decided_keeps_the_winner_also_where_names_may_count_or_not(monkeypatch):
    """What may still come can make two answers one, by their name, or tell them apart."""
    monkeypatch.setattr("CH4.voting.answer_key", real_answer_key)
    answers = ["5", "x=5", "y=5", "7", "x = 7", r"50\%", "50", "0.5"]
    pool = [Sample(answer, -0.5, tokens=1) for answer in answers]
    rng, rule, stopped_early = random.Random(0), Decided(), 0
    for _ in range(3000):
        some = rng.sample(pool, rng.randint(1, 4))
        votes = [rng.choice(some) for _ in range(rng.randint(1, 11))]
        needed, full = samples_needed(votes, rule), majority_vote(votes)
        early = majority_vote(votes[:needed]).groups[0].samples
        assert set(early) & set(full.groups[0].samples), [one.answer for one in votes]
        stopped_early += needed < len(votes)
    assert stopped_early > 1000


def test_decided_stops_as_soon_as_nothing_can_change_the_winner():
    """All continuations are tried: where the rule goes on, one of them gives another winner."""
    rng, rule = random.Random(1), Decided()
    for _ in range(150):
        num_samples = rng.randrange(2, 7)
        votes = [
            Sample(rng.choice("112"), -rng.random(), tokens=1)
            for _ in range(rng.randrange(1, num_samples))
        ]
        left = num_samples - len(votes)
        futures = product(
            [Sample(a, logprob, 1) for a in "129" for logprob in (0.0, -5.0)] + [NOTHING],
            repeat=left,
        )
        winners = {majority_vote([*votes, *future]).winner for future in futures}
        assert rule.stops(votes, num_samples) == (len(winners) == 1)


def test_decided_and_a_tie_that_log_probabilities_would_break():
    sure, unsure = Sample("1", -0.1, 1), Sample("2", -0.9, 1)
    three_two = [sure, unsure, sure, unsure, sure]
    # 3 : 3 at worst, and then the mean of the second is at most -0.6
    assert Decided().stops(three_two, 6)
    certain = Sample("2", -0.05, 1)
    assert not Decided().stops([sure, certain, sure, certain, sure], 6)


def test_decided_waits_for_a_first_answer():
    assert not Decided().stops([NOTHING] * 3, 4)
    assert samples_needed([NOTHING] * 4, Decided()) == 4


def test_a_rule_is_replayed_on_the_whole_vote_or_not_at_all():
    assert samples_needed([A] * 6, Window(3), num_samples=4) == 3
    assert samples_needed([], Decided()) == 0
    with pytest.raises(
        ValueError, match="num_samples is 7: a rule cannot be replayed on 6 samples"
    ):
        samples_needed([A] * 6, Window(3), num_samples=7)


def test_window_stops_when_a_whole_window_agrees():
    rule = Window(3)
    # B, B, B is in no window
    assert samples_needed([A, A, B, B, B, A, C, C, C, A, A, A], rule) == 9
    assert samples_needed([NOTHING] * 6 + [A] * 4, rule) == 9
    assert samples_needed([A, A], rule) == 2


def test_confident_follows_the_beta_distribution():
    """Against the integral of the Beta density over x > 1/2, in exact fractions."""
    for leader, runner_up in product(range(9), repeat=2):
        # The integral of x^a (1 - x)^b, term by term after expanding (1 - x)^b.
        terms = [
            (Fraction((-1) ** k * comb(runner_up, k)), leader + k + 1) for k in range(runner_up + 1)
        ]
        whole = sum(factor / power for factor, power in terms)
        upper_half = sum(factor / power * (1 - Fraction(1, 2**power)) for factor, power in terms)
        assert leading_probability(leader, runner_up) == pytest.approx(float(upper_half / whole))


def test_confident_stops_when_the_lead_is_safe():
    rule = Confident()
    assert samples_needed([A] * 10, rule) == 4  # 1 - 1/16 is too little, 1 - 1/32 is enough
    assert samples_needed([NOTHING] * 5 + [A] * 10, rule) == 9
    assert samples_needed([A, B] * 10, rule) == 20
    # only the strongest of the others counts
    assert samples_needed([A, B, C, A, A, A, A, A], rule) == 8
    assert samples_needed([A] * 10, Confident(0.5)) == 1
    assert not Confident(0.5).stops([NOTHING], 4)


@pytest.mark.parametrize("rule", [DrawAll(), Decided(), Window(3), Confident(0.8)])
def test_a_wave_is_the_fewest_samples_after_which_the_rule_could_stop(rule):
    rng = random.Random(2)
    choices = [Sample(answer, logprob, 1) for answer in ("1", "2", None) for logprob in (0.0, -1.0)]
    stopped_early = 0
    for _ in range(40):
        num_samples, votes = rng.randrange(1, 9), []
        while len(votes) < num_samples and not rule.stops(votes, num_samples):
            wave = rule.wave(votes, num_samples)
            assert 1 <= wave <= num_samples - len(votes)
            futures = chain.from_iterable(
                product(choices, repeat=shorter) for shorter in range(1, min(wave, 4))
            )
            assert not any(rule.stops([*votes, *future], num_samples) for future in futures)
            votes += rng.choices(choices, weights=(4, 4, 1, 1, 1, 1), k=wave)
        stopped_early += len(votes) < num_samples
    assert stopped_early > 5 or type(rule) is DrawAll


def test_first_waves_of_twenty_samples():
    assert DrawAll().wave([], 20) == 20
    assert Decided().wave([], 20) == 11
    assert Window(5).wave([], 20) == 5
    assert Confident().wave([], 20) == 4
    assert Window(5).wave([], 3) == 3  # no window fits


def test_rules_go_by_name():
    assert type(stopping_rule(None)) is DrawAll
    assert [type(stopping_rule(name)) for name in ("decided", "window", "confident")] == [
        Decided,
        Window,
        Confident,
    ]
    rule = Window(7)
    assert stopping_rule(rule) is rule
    with pytest.raises(
        ValueError, match="no stopping rule 'sure': expected decided, window, confident"
    ):
        stopping_rule("sure")


def test_parameters_that_mean_nothing_are_refused():
    for size in (1, 0, -3, 2.5, 5.0):
        with pytest.raises(ValueError, match=f"the window has {size} samples"):
            Window(size)
    for threshold in (0.4, 1.0, float("nan")):
        with pytest.raises(ValueError, match=f"the threshold is {threshold}"):
            Confident(threshold)
