"""Accuracy with its intervals, by level and by subject: as text, as numbers, as a picture.

    python -m CH3.evaluation.report out.jsonl                       the results of one process
    python -m CH3.evaluation.report "out.shard-*-of-8.jsonl"        those of eight, added up
    python -m CH3.evaluation.report out.jsonl --wrong               and what was answered wrongly

- a share of few problems is uncertain; each comes with the interval that says how much
- the interval is Wilson's (1927, https://doi.org/10.1080/01621459.1927.10502953), which holds for
  shares near 0 and 1 and for small numbers too, where the usual formula fails (Brown, Cai and
  DasGupta, 2001)
- texts that were cut off, refused or held back are counted, as their problems may be easier than
  the accuracy says
"""

import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from Appendixes.command_line import (
    argument_parser,
    output_file,
    refuse,
    run_main,
    table,
    write_json,
    write_whole,
)
from CH3.evaluation import VERIFIER, graded_again, say_graded_again
from CH3.evaluation.results import Result, Settings, read_shards
from CH3.evaluation.writers import REFUSED

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# finish reasons of texts that are not whole, in words
CUT_SHORT = {
    "length": "cut off at {limit} tokens",
    "context": "cut off at the end of the model's context",
    "filter": "held back by the server's filter",
    REFUSED: "refused",
}


def wilson_interval(hits: int, total: int, z: float = 1.96) -> tuple[float, float]:
    """Compute the interval of a share; 95 % for the default `z`.

    Raises:
        ValueError: `hits` is not between 0 and `total`, or `total` is 0.

    >>> [round(bound, 3) for bound in wilson_interval(8, 10)]
    [0.49, 0.943]
    """
    if not 0 <= hits <= total or total == 0:
        raise ValueError(f"{hits} of {total} is not a share")
    share = hits / total
    centre = share + z * z / (2 * total)
    spread = z * (share * (1 - share) / total + z * z / (4 * total * total)) ** 0.5
    low, high = (centre - spread) / (1 + z * z / total), (centre + spread) / (1 + z * z / total)
    return max(0.0, min(low, share)), min(1.0, max(high, share))  # rounding may step over


@dataclass(frozen=True)
class Estimate:
    """A number with its 95 % interval; `total` is the number of cases where it is a share of them.

    >>> print(Estimate.of_count(8, 10))
     80.0%  (95 % interval 49.0% to 94.3%)  8 of 10
    """

    value: float
    low: float
    high: float
    total: int | None = None

    @classmethod
    def of_count(cls, hits: int, total: int) -> "Estimate":
        """Estimate a share from a count out of a total, with Wilson's interval.

        Raises:
            ValueError: as `wilson_interval` does.
        """
        low, high = wilson_interval(hits, total)
        return cls(hits / total, low, high, total)

    @classmethod
    def of(cls, outcomes: Iterable[bool]) -> "Estimate":
        """Estimate the share of outcomes that are true."""
        outcomes = list(outcomes)
        return cls.of_count(sum(outcomes), len(outcomes))

    @property
    def interval(self) -> tuple[float, float]:
        """Return the two ends of the interval."""
        return self.low, self.high

    @property
    def cells(self) -> list[str]:
        """Return value, interval and count as texts, the cells of a table."""
        counts = "" if self.total is None else f"{round(self.value * self.total)} of {self.total}"
        return [f"{self.value:.1%}", f"{self.low:.1%} to {self.high:.1%}", counts]

    def __str__(self) -> str:
        value, interval, counts = self.cells
        return f"{value:>6}  (95 % interval {interval})  {counts}".rstrip()

    def numbers(self) -> dict[str, float]:
        """Return the numbers as JSON can hold them."""
        numbers = {"value": self.value, "low": self.low, "high": self.high}
        if self.total is None:
            return numbers
        return {**numbers, "hits": round(self.value * self.total), "total": self.total}


@dataclass(frozen=True)
class Report:
    """An evaluation in numbers.

    Attributes:
        accuracy: share of problems answered rightly.
        answered: share of problems with any answer that could be found in the text.
        by_level, by_subject: accuracy of each, in order.
        mean_tokens: mean number of tokens generated per problem; None where a server does not count
            them.
        endings: number of texts by finish reason (`CH3.evaluation.writers.Text`); those of all
            samples, where votes were held.
        refusals: why problems were refused, by `unique_id`; they count as wrong.
        answered_by: number of problems by the model that a server says answered, where it is not
            the one that was asked for.
        max_new_tokens: where texts were cut off; None where it is not known.
    """

    accuracy: Estimate
    answered: Estimate
    by_level: dict[Any, Estimate]
    by_subject: dict[Any, Estimate]
    mean_tokens: float | None
    endings: dict[str | None, int]
    refusals: dict[str, str]
    answered_by: dict[str, int]
    max_new_tokens: int | None = None

    @classmethod
    def of(cls, results: Sequence[Result], max_new_tokens: int | None = None) -> "Report":
        """Count results.

        Raises:
            ValueError: there are none.
        """
        if not results:
            raise ValueError("no results, nothing to report")
        total_tokens = sum(result["tokens"] for result in results)
        counted = total_tokens or not any(result["text"] for result in results)
        return cls(
            Estimate.of(result["correct"] for result in results),
            Estimate.of(result["extracted"] is not None for result in results),
            accuracy_by("level", results),
            accuracy_by("subject", results),
            total_tokens / len(results) if counted else None,
            endings_of(results),
            {one["unique_id"]: one["refusal"] for one in results if "refusal" in one},
            Counter(one["answered_by"] for one in results if "answered_by" in one),
            max_new_tokens,
        )

    def __str__(self) -> str:
        rows = {"accuracy": self.accuracy, "with an answer": self.answered}
        rows |= {level_name(level): share for level, share in self.by_level.items()}
        cells = [[name, *share.cells] for name, share in (rows | self.by_subject).items()]
        shares = table(["", "share", "95 % interval", "problems"], cells)
        mean = "not known" if self.mean_tokens is None else f"{self.mean_tokens:.1f}"
        return "\n".join([shares, "", f"mean number of tokens per problem: {mean}", *self.notes])

    @property
    def notes(self) -> list[str]:
        """Sentences about texts that are not what a reader of the accuracy would expect."""
        notes = []
        if cut_short := cut_short_in_words(self.endings, self.max_new_tokens):
            notes.append(f"{cut_short}; without a box, such a text has no answer")
        notes += [f"refused: problem {name}: {why}" for name, why in self.refusals.items()]
        for name, count in self.answered_by.items():
            notes.append(f"warning: {count} answers are of another model, says the server: {name}")
        return notes

    def numbers(self) -> dict[str, Any]:
        """Return the numbers as JSON can hold them."""
        return {
            "accuracy": self.accuracy.numbers(),
            "answered": self.answered.numbers(),
            "by_level": {str(level): share.numbers() for level, share in self.by_level.items()},
            "by_subject": {subject: share.numbers() for subject, share in self.by_subject.items()},
            "mean_tokens": self.mean_tokens,
            "endings": {str(reason): count for reason, count in self.endings.items()},
            "refusals": self.refusals,
            "answered_by": self.answered_by,
        }


def endings_of(results: Iterable[Result]) -> dict[str | None, int]:
    """Count how texts ended, those of all samples where votes were held; None is not known."""
    endings: Counter[str | None] = Counter()
    for result in results:
        samples = result.get("samples")
        texts = [result] if samples is None else samples
        endings.update(text.get("finish_reason") for text in texts)
    return dict(sorted(endings.items(), key=lambda one: -one[1]))


def cut_short_in_words(endings: Mapping[str | None, int], max_new_tokens: int | None) -> str:
    """Say how many texts are not whole; an empty text if all are.

    >>> cut_short_in_words({"stop": 20, "length": 19, "refused": 1}, 60)
    'of 40 texts, 19 were cut off at 60 tokens, 1 was refused'
    """
    limit = "the most" if max_new_tokens is None else f"{max_new_tokens:,}"
    parts = [
        f"{endings[reason]:,} {'was' if endings[reason] == 1 else 'were'} {words}"
        for reason, words in CUT_SHORT.items()
        if endings.get(reason)
    ]
    said = ", ".join(parts).format(limit=limit)
    return said and f"of {sum(endings.values()):,} texts, {said}"


def accuracy_by(
    name: Literal["level", "subject"], results: Sequence[Result]
) -> dict[Any, Estimate]:
    """Compute the accuracy for each value of a field, in the order of the values."""
    groups: dict[Any, list[bool]] = {}
    for result in results:
        groups.setdefault(result[name], []).append(result["correct"])
    return {value: Estimate.of(groups[value]) for value in sorted(groups)}


def level_name(level: int) -> str:
    """Name a level; 0 is that of a problem whose file does not say one.

    >>> level_name(5), level_name(0)
    ('level 5', 'no level')
    """
    return f"level {level}" if level else "no level"


def error_bars(estimates: Iterable[Estimate]) -> list[list[float]]:
    """Return how far intervals reach below and above their values, in percentage points.

    This is what matplotlib's `errorbar` draws.

    >>> two = Estimate.of_count(8, 10), Estimate.of_count(0, 4)
    >>> [[round(bar, 1) for bar in bars] for bars in error_bars(two)]
    [[31.0, 0.0], [14.3, 49.0]]
    """
    estimates = list(estimates)
    below = [100 * (estimate.value - estimate.low) for estimate in estimates]
    above = [100 * (estimate.high - estimate.value) for estimate in estimates]
    return [below, above]


def plot_report(report: Report) -> "Figure":
    """Draw the accuracy of all problems, of each level and of each subject, with 95 % intervals."""
    # matplotlib is slow to import, and most reports are read as text
    from Appendixes.figure_style import BLUE, GREEN, ORANGE, describe, new_picture

    low, high = report.accuracy.interval
    title = (
        f"{report.accuracy.value:.0%} of {report.accuracy.total} problems right "
        f"(between {low:.0%} and {high:.0%})"
    )
    label = "problems answered rightly, % (bars: 95 % interval)"
    figure, axes = new_picture(title, label, "", grid="x")
    # 1. Draw three groups of points below each other.
    levels = {level_name(level): share for level, share in report.by_level.items()}
    groups: list[tuple[Mapping[str, Estimate], str, str]] = [
        ({"all": report.accuracy}, BLUE, "D"),
        (levels, ORANGE, "o"),
        (report.by_subject, GREEN, "s"),
    ]
    names: list[str] = []
    for shares, colour, marker in groups:
        rows = range(len(names), len(names) + len(shares))
        names += shares
        values = [100 * share.value for share in shares.values()]
        bars = error_bars(shares.values())
        axes.errorbar(values, rows, xerr=bars, fmt=marker, color=colour, capsize=3, markersize=5)
    # 2. Name them, the first on top.
    axes.set_yticks(range(len(names)), names, fontsize=9)
    axes.invert_yaxis()
    axes.set_xlim(-2, 102)
    # 3. Say the same in words.
    parts = [
        f"{name} {share.value:.0%}" for shares, _, _ in groups for name, share in shares.items()
    ]
    words = "Points with their intervals, the share of problems answered rightly"
    return describe(figure, f"{words}: {', '.join(parts)}.")


def write_report(
    report: Report, settings: Settings, json_file: Path | None, plot_file: Path | None
) -> None:
    """Write a report's numbers and its picture to the files that are given, and print it."""
    if json_file is not None:
        write_json(json_file, {"settings": settings, **report.numbers()})
    if plot_file is not None:
        figure, kind = plot_report(report), plot_file.suffix[1:]
        write_whole(plot_file, lambda part: figure.savefig(part, format=kind))
    print(report)


def _matching(name: Path) -> list[Path]:
    """Return the files that a pattern such as `out.shard-*.jsonl` means; else the name itself."""
    return sorted(name.parent.glob(name.name)) or [name]


def main() -> None:
    """Add up the results files of the command line, and report."""
    parser = argument_parser(__doc__, prog="python -m CH3.evaluation.report")
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="files of results")
    parser.add_argument(
        "--json", type=output_file(), metavar="FILE", help="also write the numbers to this file"
    )
    parser.add_argument("--wrong", action="store_true", help="also list the wrong answers")
    arguments = parser.parse_args()
    try:
        # 1. Find the files of a pattern where the shell did not.
        files = [path for name in arguments.files for path in _matching(name)]
        # 2. Read, report, and say what is missing.
        found = read_shards(files, VERIFIER, graded_again)
        for path, changed in found.graded_again.items():
            say_graded_again(path, changed)
        report = Report.of(list(found.results.values()), found.settings.get("max_new_tokens"))
        write_report(report, found.settings, arguments.json, arguments.plot)
        for name, result in found.results.items():
            if arguments.wrong and not result["correct"]:
                print(f"wrong: {name}: {result['extracted']!r}, expected {result['reference']!r}")
    except (ValueError, OSError) as error:
        refuse(error)
    if found.missing:
        sys.exit(f"not all is there: {', '.join(found.missing)}; give their commands again")


if __name__ == "__main__":
    run_main(main)
