"""What an evaluation's results say: shares with their intervals, by level and by subject, as text,
numbers, a picture.

- a share of few problems is uncertain; each comes with the interval that says how much
- the interval is Wilson's (1927, https://doi.org/10.1080/01621459.1927.10502953), which holds for
  shares near 0 and 1 and for small numbers too, where the usual formula fails (Brown, Cai and
  DasGupta, 2001)
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from matplotlib.figure import Figure

from Appendixes.figure_style import BLUE, GREEN, ORANGE, describe, new_picture


def wilson_interval(hits: int, total: int, z: float = 1.96) -> tuple[float, float]:
    """The interval of a share; 95 % for the default `z`.

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
class Share:
    """So many of so many."""

    hits: int
    total: int

    @classmethod
    def of(cls, outcomes: Iterable[bool]) -> "Share":
        """Count what is true."""
        outcomes = list(outcomes)
        return cls(sum(outcomes), len(outcomes))

    @property
    def value(self) -> float:
        """Between 0 and 1."""
        return self.hits / self.total

    @property
    def interval(self) -> tuple[float, float]:
        """95 %, by Wilson."""
        return wilson_interval(self.hits, self.total)

    def __str__(self) -> str:
        low, high = self.interval
        return f"{self.value:6.1%}  (95 % interval {low:.1%} to {high:.1%})  {self.hits} of {self.total}"

    def numbers(self) -> dict:
        """As JSON can hold it."""
        return {
            "share": self.value,
            "interval": list(self.interval),
            "hits": self.hits,
            "total": self.total,
        }


@dataclass(frozen=True)
class Report:
    """An evaluation in numbers.

    Attributes:
        accuracy: problems answered rightly.
        answered: problems with any answer that could be found in the text.
        by_level, by_subject: accuracy of each, in order.
        mean_tokens: generated for a problem.
    """

    accuracy: Share
    answered: Share
    by_level: dict[int, Share]
    by_subject: dict[str, Share]
    mean_tokens: float

    @classmethod
    def of(cls, results: Sequence[dict]) -> "Report":
        """Count results, of which `correct`, `extracted`, `level`, `subject` and `tokens` are
        needed.

        Raises:
            ValueError: there are none.
        """
        if not results:
            raise ValueError("no results, nothing to report")
        return cls(
            Share.of(result["correct"] for result in results),
            Share.of(result["extracted"] is not None for result in results),
            accuracy_by("level", results),
            accuracy_by("subject", results),
            sum(result["tokens"] for result in results) / len(results),
        )

    def __str__(self) -> str:
        width = max(map(len, ("with an answer", *self.by_subject)))
        rows = {"accuracy": self.accuracy, "with an answer": self.answered}
        rows |= {
            f"level {level}": share for level, share in self.by_level.items()
        } | self.by_subject
        lines = [f"{name:{width}s} {share}" for name, share in rows.items()]
        return "\n".join([*lines, f"{'mean tokens':{width}s} {self.mean_tokens:6.1f}"])

    def numbers(self) -> dict:
        """As JSON can hold it."""
        return {
            "accuracy": self.accuracy.numbers(),
            "answered": self.answered.numbers(),
            "by_level": {str(level): share.numbers() for level, share in self.by_level.items()},
            "by_subject": {subject: share.numbers() for subject, share in self.by_subject.items()},
            "mean_tokens": self.mean_tokens,
        }


def accuracy_by(name: str, results: Sequence[dict]) -> dict:
    """Accuracy for each value of a field, such as `"level"`, in order; `correct` is needed too."""
    groups: dict = {}
    for result in results:
        groups.setdefault(result[name], []).append(result["correct"])
    return {value: Share.of(groups[value]) for value in sorted(groups)}


class HasInterval(Protocol):
    """A number with an interval around it."""

    @property
    def value(self) -> float:
        """The number."""

    @property
    def interval(self) -> tuple[float, float]:
        """From where to where."""


def error_bars(shares: Iterable[HasInterval]) -> list[list[float]]:
    """How far the intervals of shares reach below and above them, in percentage points: what
    `errorbar` draws.

    Args:
        shares: each a `Share`, or anything else of this form.

    >>> [[round(bar, 1) for bar in bars] for bars in error_bars([Share(8, 10), Share(0, 4)])]
    [[31.0, 0.0], [14.3, 49.0]]
    """
    shares = list(shares)
    below = [100 * (share.value - share.interval[0]) for share in shares]
    above = [100 * (share.interval[1] - share.value) for share in shares]
    return [below, above]


def plot_report(report: Report) -> Figure:
    """Accuracy of all problems, of each level and of each subject, with 95 % intervals."""
    low, high = report.accuracy.interval
    title = f"{report.accuracy.value:.0%} of {report.accuracy.total} problems right (between {low:.0%} and {high:.0%})"
    figure, axes = new_picture(
        title, "problems answered rightly, % (bars: 95 % interval)", "", grid="x"
    )
    levels = {f"level {level}": share for level, share in report.by_level.items()}
    groups = [
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
    axes.set_yticks(range(len(names)), names, fontsize=9)
    axes.invert_yaxis()  # the first name on top
    axes.set_xlim(-2, 102)
    parts = [
        f"{name} {share.value:.0%}" for shares, _, _ in groups for name, share in shares.items()
    ]
    return describe(
        figure,
        f"Points with their intervals, the share of problems answered rightly: {', '.join(parts)}.",
    )
