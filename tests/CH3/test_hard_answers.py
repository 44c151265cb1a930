"""The table of hard answers: written after what graders were found to get wrong, kind by kind."""

import json
from collections import Counter
from pathlib import Path

import pytest

from CH3 import math_verifier
from CH3.math_verifier import extract_answer, grade_answer

TABLE = json.loads(
    (Path(math_verifier.__file__).parents[1] / "hard_answers.json").read_text(encoding="utf-8")
)
PAIRS, TEXTS = TABLE["pairs"], TABLE["texts"]


def kinds(rows: list[dict]) -> list[str]:
    return list(dict.fromkeys(row["kind"] for row in rows))


@pytest.mark.parametrize("kind", kinds(PAIRS))
def test_hard_pairs_of_a_kind_get_their_verdict_from_both_sides(kind):
    wrong = [
        (pair["predicted"], pair["reference"], pair["same"])
        for pair in PAIRS
        if pair["kind"] == kind
        and not (
            grade_answer(pair["predicted"], pair["reference"])
            is grade_answer(pair["reference"], pair["predicted"])
            is pair["same"]
        )
    ]
    assert wrong == []


@pytest.mark.parametrize("kind", kinds(TEXTS))
def test_the_answer_is_found_in_hard_texts_of_a_kind(kind):
    wrong = []
    for row in TEXTS:
        if row["kind"] == kind:
            found = extract_answer(row["text"])
            right = found is None if row["answer"] is None else grade_answer(found, row["answer"])
            if not right:
                wrong.append((row["text"], row["answer"], found))
    assert wrong == []


def test_the_table_is_large_has_both_verdicts_and_no_pair_twice():
    assert len(PAIRS) > 1000
    assert len(TEXTS) > 200
    assert min(Counter(pair["same"] for pair in PAIRS).values()) > 250
    assert len({frozenset((pair["predicted"], pair["reference"])) for pair in PAIRS}) == len(PAIRS)
    assert len({row["text"] for row in TEXTS}) == len(TEXTS)
