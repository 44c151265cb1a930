"""The report: intervals as published, counts as by hand, and a picture."""

import json
import re
from contextlib import redirect_stdout

import matplotlib.image
import pytest

from CH3.evaluation.report import (
    Estimate,
    Report,
    error_bars,
    plot_report,
    wilson_interval,
    write_report,
)

# correct, answered, level, subject, tokens
TABLE = [
    (True, True, 1, "Sums", 10),
    (True, True, 1, "Sums", 20),
    (False, True, 2, "Sums", 30),
    (False, False, 2, "Areas", 40),
    (True, True, 10, "Areas", 100),
]


@pytest.fixture
def results() -> list[dict]:
    return [
        {
            "unique_id": str(tokens),
            "correct": correct,
            "extracted": "5" if answered else None,
            "text": "so 5",
            "finish_reason": "stop",
            "level": level,
            "subject": subject,
            "tokens": tokens,
        }
        for correct, answered, level, subject, tokens in TABLE
    ]


@pytest.mark.parametrize(
    ("hits", "total", "low", "high"),
    # Newcombe, 1998, "Two-sided confidence intervals for the single proportion", table I, method 3
    [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_gives_published_intervals(hits, total, low, high):
    assert wilson_interval(hits, total) == pytest.approx((low, high), abs=1e-4)
    mirrored = wilson_interval(total - hits, total)
    assert mirrored == pytest.approx((1 - high, 1 - low), abs=1e-4)


@pytest.mark.parametrize("total", [1, 3, 7, 500, 10**9])
def test_wilson_stays_between_0_and_1_and_holds_the_share(total):
    for hits in {0, 1, total // 3, total - 1, total}:
        low, high = wilson_interval(hits, total)
        assert 0 <= low <= hits / total <= high <= 1


@pytest.mark.parametrize(("hits", "total"), [(0, 0), (-1, 5), (6, 5)])
def test_what_is_no_share_has_no_interval(hits, total):
    with pytest.raises(ValueError, match=f"{hits} of {total}"):
        wilson_interval(hits, total)


def test_the_report_counts_as_by_hand(results):
    report = Report.of(results)
    assert report.accuracy == Estimate.of_count(3, 5)
    assert report.answered == Estimate.of_count(4, 5)
    assert list(report.by_level.items()) == [
        (1, Estimate.of_count(2, 2)),
        (2, Estimate.of_count(0, 2)),
        (10, Estimate.of_count(1, 1)),
    ]
    assert list(report.by_subject.items()) == [
        ("Areas", Estimate.of_count(1, 2)),
        ("Sums", Estimate.of_count(2, 3)),
    ]
    assert report.mean_tokens == 40


def test_the_numbers_survive_json(results):
    numbers = json.loads(json.dumps(Report.of(results).numbers()))
    low, high = wilson_interval(3, 5)
    accuracy = {"value": 0.6, "low": low, "high": high, "hits": 3, "total": 5}
    assert numbers["accuracy"] == accuracy
    assert numbers["by_level"]["10"]["total"] == 1
    assert numbers["mean_tokens"] == 40


def test_the_text_says_all_of_it(results):
    *lines, tokens = str(Report.of(results)).splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:-1]]
    names = ["accuracy", "with an answer", "level 1", "level 2", "level 10", "Areas", "Sums"]
    assert [row[0] for row in rows] == names
    assert rows[0] == ["accuracy", "60.0%", "23.1% to 88.2%", "3 of 5"]
    assert tokens == "mean number of tokens per problem: 40.0"
    assert str(Report.of(results)).isascii()


def test_problems_without_a_level_are_called_so(results):
    for result in results[:2]:
        result["level"] = 0
    report = Report.of(results)
    assert re.findall(r"^\| (no level|level \d+) ", str(report), re.MULTILINE) == [
        "no level",
        "level 2",
        "level 10",
    ]
    [axes] = plot_report(report).axes
    assert [label.get_text() for label in axes.get_yticklabels()][1] == "no level"


def test_texts_that_are_not_whole_are_counted_and_refusals_listed(results):
    results[0]["finish_reason"] = results[1]["finish_reason"] = "length"
    results[2]["finish_reason"] = "filter"
    results[3] |= {"finish_reason": "refused", "refusal": "context exceeded"}
    results[4]["finish_reason"] = "context"
    report = Report.of(results, max_new_tokens=1024)
    said = str(report)
    assert (
        "of 5 texts, 2 were cut off at 1,024 tokens, 1 was cut off at the end of the model's "
        "context, 1 was held back by the server's filter, 1 was refused; without a box, such a "
        "text has no answer" in said
    )
    assert "refused: problem 40: context exceeded" in said
    assert report.accuracy == Estimate.of_count(3, 5)  # a refused problem counts as wrong
    numbers = json.loads(json.dumps(report.numbers()))
    assert numbers["endings"] == {"length": 2, "filter": 1, "refused": 1, "context": 1}
    assert numbers["refusals"] == {"40": "context exceeded"}


def test_the_texts_of_votes_are_counted_by_sample(results):
    results[0]["samples"] = [{"finish_reason": "length"}] * 3 + [{"finish_reason": "stop"}]
    results[1]["samples"] = [{}]  # a file of an earlier version
    report = Report.of(results, 9)
    assert report.endings == {"stop": 4, "length": 3, None: 1}
    assert "of 8 texts, 3 were cut off at 9 tokens" in str(report)


def test_answers_of_another_model_and_tokens_that_were_not_counted_are_said(results):
    for result in results:
        result["tokens"] = 0
    results[0]["answered_by"] = results[1]["answered_by"] = "another"
    report = Report.of(results)
    assert report.numbers()["mean_tokens"] is None
    assert "mean number of tokens per problem: not known" in str(report)
    assert "2 answers are of another model, says the server: another" in str(report)


def test_a_report_is_written_before_a_terminal_that_cannot_show_it_is_tried(results, tmp_path):
    results[0]["subject"] = "Géométrie 几何"
    file = tmp_path / "numbers.json"
    with (
        (tmp_path / "terminal").open("w", encoding="ascii") as terminal,
        redirect_stdout(terminal),
        pytest.raises(UnicodeEncodeError),
    ):
        write_report(Report.of(results), {}, file, None)
    assert json.loads(file.read_text(encoding="utf-8"))["by_subject"]["Géométrie 几何"]


def test_error_bars_reach_from_the_value_to_both_ends_of_its_interval():
    shares = [Estimate.of_count(0, 7), Estimate.of_count(3, 7), Estimate.of_count(7, 7)]
    below, above = error_bars(shares)
    for share, down, up in zip(shares, below, above, strict=True):
        assert (share.value - down / 100, share.value + up / 100) == pytest.approx(share.interval)
    assert below[0] == above[2] == 0
    assert error_bars([]) == [[], []]


def test_nothing_cannot_be_reported():
    with pytest.raises(ValueError, match="no results"):
        Report.of([])


def test_the_picture_shows_every_group_with_its_interval(results, tmp_path):
    figure = plot_report(Report.of(results))
    [axes] = figure.axes
    assert [label.get_text() for label in axes.get_yticklabels()] == [
        "all",
        "level 1",
        "level 2",
        "level 10",
        "Areas",
        "Sums",
    ]
    shown = [
        (x, y)
        for container in axes.containers
        for x, y in zip(*container[0].get_data(), strict=True)
    ]
    assert shown == [(60, 0), (100, 1), (0, 2), (100, 3), (50, 4), (pytest.approx(200 / 3), 5)]
    bars = [bar for container in axes.containers for bar in container[2][0].get_segments()]
    assert [100 * bound for bound in wilson_interval(3, 5)] == pytest.approx(bars[0][:, 0].tolist())
    figure.savefig(tmp_path / "report.png")
    assert matplotlib.image.imread(tmp_path / "report.png").shape[:2] == (400, 700)
