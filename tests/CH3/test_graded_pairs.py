"""The table of graded pairs: every verdict, and what must hold between the verifier's functions on
all of its texts.
"""

import json
from collections import Counter, defaultdict
from itertools import combinations
from pathlib import Path

import pytest

from CH3 import math_verifier
from CH3.math_verifier import answer_key, explain_grade, grade_answer, same_answer

TABLE = Path(math_verifier.__file__).parents[1] / "graded_pairs.json"
PAIRS = json.loads(TABLE.read_text(encoding="utf-8"))
TEXTS = sorted({pair[side] for pair in PAIRS for side in ("predicted", "reference")})


def name_of(pair: dict) -> str:
    relation = "is" if pair["same"] else "is not"
    return f"{pair['topic']}: {pair['predicted']} {relation} {pair['reference']}"


@pytest.mark.parametrize("pair", PAIRS, ids=name_of)
def test_a_pair_gets_its_verdict_from_both_sides_and_each_text_is_its_own_answer(pair):
    predicted, reference = pair["predicted"], pair["reference"]
    grade = explain_grade(predicted, reference)
    assert grade_answer(predicted, reference) is pair["same"], grade
    assert grade.correct is pair["same"]
    assert grade.rule
    assert grade_answer(reference, predicted) is pair["same"]
    for text in (predicted, reference):
        assert grade_answer(text, text)
        assert same_answer(text, text)


def test_the_table_is_large_has_both_verdicts_in_every_topic_and_no_pair_twice():
    assert len(PAIRS) >= 300
    verdicts = Counter((pair["topic"], pair["same"]) for pair in PAIRS)
    for topic in {pair["topic"] for pair in PAIRS}:
        assert min(verdicts[topic, True], verdicts[topic, False]) >= 5, topic
    assert len({frozenset((pair["predicted"], pair["reference"])) for pair in PAIRS}) == len(PAIRS)


@pytest.fixture(scope="module")
def groups() -> dict:
    """The texts of the table by their answer's key."""
    groups = defaultdict(list)
    for text in TEXTS:
        groups[answer_key(text)].append(text)
    return groups


def test_same_answer_means_the_same_key():
    """Equality of keys is reflexive, symmetric and transitive, and so is whatever agrees with it on
    all pairs.
    """
    keys = {text: answer_key(text) for text in TEXTS}
    neighbours = list(zip(TEXTS, TEXTS[1:], strict=False)) + [
        (pair["predicted"], pair["reference"]) for pair in PAIRS
    ]
    for one, other in neighbours:
        assert same_answer(one, other) is (keys[one] == keys[other]), (one, other)
        assert same_answer(other, one) is (keys[one] == keys[other]), (other, one)


def test_answers_that_vote_together_are_graded_as_the_same(groups):
    for group in groups.values():
        for one, other in combinations(group, 2):
            assert grade_answer(one, other), (one, other)
            assert grade_answer(other, one), (other, one)


def test_voting_joins_what_is_the_same_on_paper(groups):
    """Most pairs that the table calls the same vote together; what only a reference can excuse does
    not.
    """
    group_of = {text: key for key, group in groups.items() for text in group}
    same = [pair for pair in PAIRS if pair["same"]]
    together = [pair for pair in same if group_of[pair["predicted"]] == group_of[pair["reference"]]]
    assert len(together) > 0.8 * len(same)
    apart = [pair for pair in PAIRS if not pair["same"]]
    assert not [
        pair for pair in apart if group_of[pair["predicted"]] == group_of[pair["reference"]]
    ]
