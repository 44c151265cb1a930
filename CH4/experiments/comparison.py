"""What each way of answering costs and gains: the rows of a table, and the intervals of its
numbers.

- ways are compared on the same problems, so the interval of a difference is that of a mean over
  problems: what makes a problem hard for both ways cancels
- votes of fewer samples, and votes that stop early, are replayed on one set of samples
  (`replayed`); how many a rule needs depends on the samples' order alone, and its waves draw none
  in vain, so the tokens are those it would spend
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import fmean, pstdev
from typing import NamedTuple, cast

from CH3.evaluation.report import wilson_interval
from CH4.early_stopping import RULES, samples_needed, stopping_rule
from CH4.experiments.draws import Draws, GradedSample
from CH4.voting import Vote, confidence_vote, majority_vote, pass_at_n

SIZES = (3, 5, 10, 20)  # votes that are tried, up to the number of samples
GREEDY, ONE_SAMPLE, MAJORITY, CONFIDENCE, ANY = (
    "greedy",
    "one sample",
    "majority",
    "confidence-weighted",
    "pass@n",
)

# (prompt, size of the full vote, stopping rule) -> what it draws
Votes = Callable[[str, int, str | None], Draws]


class Estimate(NamedTuple):
    """A number, and the 95 % interval around it."""

    value: float
    low: float
    high: float

    @property
    def interval(self) -> tuple[float, float]:
        """Its two ends."""
        return self.low, self.high


@dataclass(frozen=True)
class Row:
    """One way of answering.

    Attributes:
        prompt: "direct" or "chain-of-thought".
        method: one of the names above, or the stopping rule of a majority vote.
        size: samples of the full vote.
        right: for each problem 1 or 0, or the probability of being right where that can be
            estimated.
        samples, tokens: drawn for each problem.
        baseline: the row that this one is compared with.
    """

    prompt: str
    method: str
    size: int
    right: tuple[float, ...]
    samples: tuple[float, ...]
    tokens: tuple[float, ...]
    baseline: "Row | None" = None

    @property
    def name(self) -> str:
        """The way without its prompt, such as "majority of 5"."""
        if self.method == ANY:
            return f"pass@{self.size}"
        if self.method in RULES:
            return f"majority of {self.size}, {self.method}"
        return (
            self.method if self.method in (GREEDY, ONE_SAMPLE) else f"{self.method} of {self.size}"
        )

    @property
    def mean_samples(self) -> float:
        """Drawn for a problem."""
        return fmean(self.samples)

    @property
    def mean_tokens(self) -> float:
        """Drawn for a problem."""
        return fmean(self.tokens)

    @property
    def accuracy(self) -> Estimate:
        """The share of problems that are answered rightly.

        Its interval is Wilson's if each problem is right or wrong. Where problems have
        probabilities, it is the normal interval over them, after adding two problems that are right
        and two that are wrong (Agresti and Coull, 1998,
        https://doi.org/10.1080/00031305.1998.10480550), without which few problems would give no
        interval at all."""
        if set(self.right) <= {0, 1}:
            hits = round(sum(self.right))
            return Estimate(hits / len(self.right), *wilson_interval(hits, len(self.right)))
        return mean_estimate(self.right, [0, 0, 1, 1])

    @property
    def gain(self) -> Estimate | None:
        """How much more accurate than the baseline: the mean over problems of the difference.

        The interval is the normal one after adding one problem that is won and one that is lost
        (Bonett and Price, 2012, https://doi.org/10.3102/1076998611411915, for differences of 1, 0
        and -1)."""
        if self.baseline is None:
            return None
        differences = [
            mine - other for mine, other in zip(self.right, self.baseline.right, strict=True)
        ]
        return mean_estimate(differences, [-1, 1])

    @property
    def samples_saved(self) -> Estimate | None:
        """The part of the full vote's samples that stopping early saves; None without a stopping
        rule.
        """
        return self._saved(lambda row: row.samples)

    @property
    def tokens_saved(self) -> Estimate | None:
        """... and of its tokens; None also where a server did not count them."""
        return self._saved(lambda row: row.tokens)

    def _saved(self, used: Callable[["Row"], tuple[float, ...]]) -> Estimate | None:
        if self.baseline is None or self.method not in RULES or not sum(used(self.baseline)):
            return None
        return saved(used(self), used(self.baseline))

    def numbers(self) -> dict:
        """As JSON can hold it; shares and differences between 0 and 1, each with its interval."""
        estimates = {
            name: getattr(self, name)
            for name in ("accuracy", "gain", "samples_saved", "tokens_saved")
        }
        return {
            "prompt": self.prompt,
            "name": self.name,
            "method": self.method,
            "size": self.size,
            "problems": len(self.right),
            "samples": self.mean_samples,
            "tokens": self.mean_tokens,
            "baseline": self.baseline
            and {"prompt": self.baseline.prompt, "name": self.baseline.name},
            **{name: estimate and estimate._asdict() for name, estimate in estimates.items()},
        }


def mean_estimate(values: Sequence[float], added: Sequence[float]) -> Estimate:
    """A mean with its normal interval; `added` values join the others for the interval, and bound
    it.

    >>> wins, losses, draws = [1] * 1, [-1] * 7, [0] * 13
    >>> [round(number, 3) for number in mean_estimate(wins + losses + draws, [-1, 1])]
    [-0.286, -0.508, -0.013]
    """
    value, padded = fmean(values), [*values, *added]
    spread = 1.96 * pstdev(padded) / len(padded) ** 0.5
    low, high = max(fmean(padded) - spread, min(added)), min(fmean(padded) + spread, max(added))
    return Estimate(value, min(low, value), max(high, value))


def saved(used: Sequence[float], full: Sequence[float]) -> Estimate:
    """What part of `full` was not used, in total, with the normal interval of a ratio (Cochran,
    1977, section 6.4).

    Raises:
        ValueError: `full` is nothing, of which no part can be saved.
    """
    if not sum(full) > 0:
        raise ValueError(f"the full votes used {sum(full)} in total, of which no part can be saved")
    ratio = 1 - sum(used) / sum(full)
    residuals = [all_of_it * (1 - ratio) - part for part, all_of_it in zip(used, full, strict=True)]
    spread = 1.96 * pstdev(residuals) / len(full) ** 0.5 / fmean(full)
    return Estimate(ratio, max(ratio - spread, 0.0), min(ratio + spread, 1.0))


def replayed(draws: dict[str, Draws]) -> Votes:
    """Votes on samples that are there: what each would have drawn, had it been alone.

    Args:
        draws: for each prompt, as many samples a problem as the largest vote needs.
    """

    def votes(prompt: str, size: int, rule: str | None) -> Draws:
        stopping = stopping_rule(rule)
        return [samples[: samples_needed(samples[:size], stopping)] for samples in draws[prompt]]

    return votes


def compare(greedy: dict[str, list[dict]], votes: Votes, num_samples: int) -> list[Row]:
    """All rows of the table.

    Args:
        greedy: for each prompt, what `evaluate` gave for greedy answers; the first prompt is the
            others' baseline.
        votes: gives the samples of a vote; see `replayed`.
        num_samples: of the largest vote.
    """
    rows: list[Row] = []
    for prompt, results in greedy.items():
        rows += _rows_of_prompt(prompt, results, partial(votes, prompt), num_samples, rows[:2])
    return rows


def _rows_of_prompt(
    prompt: str, results: list[dict], votes: Callable, num_samples: int, first: list[Row]
) -> list[Row]:
    """Rows of one prompt; `first` has the greedy row and that of one sample of the prompt to
    compare with, if any.
    """
    right, tokens = ([result[name] for result in results] for name in ("correct", "tokens"))
    ones = [1] * len(results)
    drawn = {size: votes(size, None) for size in vote_sizes(num_samples)}
    greedy = Row(prompt, GREEDY, 1, tuple(map(int, right)), tuple(ones), tuple(tokens), *first[:1])
    one_sample = _any_row(prompt, ONE_SAMPLE, 1, drawn[num_samples], *first[1:2])
    rows = [greedy, one_sample]
    for size, draws in drawn.items():
        majority = _vote_row(prompt, MAJORITY, size, draws, majority_vote, one_sample)
        weighted = _vote_row(prompt, CONFIDENCE, size, draws, confidence_vote, majority)
        rows += [majority, weighted, _any_row(prompt, ANY, size, drawn[num_samples], majority)]
    for rule in RULES:
        rows.append(
            _vote_row(prompt, rule, num_samples, votes(num_samples, rule), majority_vote, majority)
        )
    return rows


def vote_sizes(num_samples: int) -> list[int]:
    """The sizes of votes that so many samples allow, up to all of them."""
    return [size for size in SIZES if size < num_samples] + [num_samples]


def _vote_row(
    prompt: str,
    method: str,
    size: int,
    draws: Draws,
    vote: Callable[[Iterable[GradedSample]], Vote],
    baseline: Row,
) -> Row:
    # of each problem, the winner, if there is one
    chosen = [vote(samples).groups[:1] for samples in draws]
    right = [
        any(cast(GradedSample, group.samples[0]).right for group in winner) for winner in chosen
    ]
    tokens = tuple(sum(sample.tokens for sample in samples) for samples in draws)
    return Row(
        prompt, method, size, tuple(map(int, right)), tuple(map(len, draws)), tokens, baseline
    )


def _any_row(prompt: str, method: str, size: int, draws: Draws, baseline: Row | None = None) -> Row:
    """At least one of `size` samples is right: the mean over all choices of so many of the samples
    drawn.
    """
    right = [
        pass_at_n(len(samples), sum(sample.right for sample in samples), size) for samples in draws
    ]
    tokens = [size * fmean(sample.tokens for sample in samples) for samples in draws]
    return Row(prompt, method, size, tuple(right), (size,) * len(draws), tuple(tokens), baseline)
