"""Compare ways of answering on the same problems: the rows of a table, with intervals.

- the interval of a difference is that of a mean over problems: what makes a problem hard for both
  ways cancels
- votes of fewer samples, and votes that stop early, are replayed on one set of samples
  (`replayed`). A rule stops at a place that depends on the samples' order alone, and every sample
  of its waves is needed: so the tokens are those that the rule would really spend
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import fmean, pstdev
from typing import Any

from CH3.evaluation.report import Estimate
from CH3.evaluation.results import Result
from CH4.early_stopping import RULES, samples_needed, stopping_rule
from CH4.experiments.draws import Draws
from CH4.voting import Sample, Vote, confidence_vote, majority_vote, pass_at_n

SIZES = (3, 5, 10, 20)  # numbers of samples of the votes that are tried
GREEDY, ONE_SAMPLE, MAJORITY, CONFIDENCE, ANY = (
    "greedy",
    "one sample",
    "majority",
    "confidence-weighted",
    "pass@n",
)

# (prompt, size of the full vote, name of the stopping rule) -> the samples it draws
Votes = Callable[[str, int, str | None], Draws]


@dataclass(frozen=True)
class TableRow:
    """One way of answering and its outcome on each problem: a row of the table.

    Attributes:
        prompt: "direct" or "chain-of-thought".
        method: one of the names above, or the stopping rule of a majority vote.
        size: number of samples of the full vote.
        right: 1 or 0 per problem, or the probability of being right where it can be estimated.
        samples, tokens: numbers drawn per problem.
        baseline: the row that this one is compared with.
    """

    prompt: str
    method: str
    size: int
    right: tuple[float, ...]
    samples: tuple[float, ...]
    tokens: tuple[float, ...]
    baseline: "TableRow | None" = None

    @property
    def name(self) -> str:
        """Name of the way without its prompt, such as "majority of 5"."""
        if self.method == ANY:
            return f"pass@{self.size}"
        if self.method in RULES:
            return f"majority of {self.size}, {self.method}"
        alone = self.method in (GREEDY, ONE_SAMPLE)
        return self.method if alone else f"{self.method} of {self.size}"

    @property
    def mean_samples(self) -> float:
        """Mean number of samples drawn per problem."""
        return fmean(self.samples)

    @property
    def mean_tokens(self) -> float:
        """Mean number of tokens drawn per problem."""
        return fmean(self.tokens)

    @property
    def accuracy(self) -> Estimate:
        """Share of problems that are answered rightly, with its 95 % interval.

        The interval is Wilson's if each problem is right or wrong. Where problems have
        probabilities, it is the normal interval over them, after adding two problems that are right
        and two that are wrong (Agresti and Coull, 1998,
        https://doi.org/10.1080/00031305.1998.10480550): without these, few problems that all agree
        would give an interval of width 0.
        """
        if set(self.right) <= {0, 1}:
            return Estimate.of_count(round(sum(self.right)), len(self.right))
        return mean_estimate(self.right, [0, 0, 1, 1])

    @property
    def gain(self) -> Estimate | None:
        """Accuracy minus the baseline's, paired by problem, with its 95 % interval.

        The interval is the normal one after adding one problem that is won and one that is lost
        (Bonett and Price, 2012, https://doi.org/10.3102/1076998611411915, for differences of 1, 0
        and -1). None without a baseline.
        """
        if self.baseline is None:
            return None
        differences = [
            mine - other for mine, other in zip(self.right, self.baseline.right, strict=True)
        ]
        return mean_estimate(differences, [-1, 1])

    @property
    def samples_saved(self) -> Estimate | None:
        """Share of the full vote's samples that stopping early saved; None without a rule."""
        return self._saved(lambda row: row.samples)

    @property
    def tokens_saved(self) -> Estimate | None:
        """Share of the full vote's tokens that stopping early saved.

        None without a rule, or where a server did not count tokens.
        """
        return self._saved(lambda row: row.tokens)

    def _saved(self, used: Callable[["TableRow"], tuple[float, ...]]) -> Estimate | None:
        if self.baseline is None or self.method not in RULES or not sum(used(self.baseline)):
            return None
        return saved(used(self), used(self.baseline))

    def numbers(self) -> dict[str, Any]:
        """Return the row as JSON can hold it: shares from 0 to 1, each with its interval.

        `outcomes` has a character per problem, in order: 1 where it is answered rightly, else 0;
        it is None where problems have probabilities.
        """
        estimates = {
            "accuracy": self.accuracy,
            "gain": self.gain,
            "samples_saved": self.samples_saved,
            "tokens_saved": self.tokens_saved,
        }
        return {
            "prompt": self.prompt,
            "name": self.name,
            "method": self.method,
            "size": self.size,
            "problems": len(self.right),
            "samples": self.mean_samples,
            "tokens": self.mean_tokens,
            "outcomes": "".join(map(str, self.right)) if set(self.right) <= {0, 1} else None,
            "baseline": self.baseline
            and {"prompt": self.baseline.prompt, "name": self.baseline.name},
            **{
                name: one and {"value": one.value, "low": one.low, "high": one.high}
                for name, one in estimates.items()
            },
        }


def mean_estimate(values: Sequence[float], added: Sequence[float]) -> Estimate:
    """Estimate a mean, with the normal 95 % interval of the mean of `values` and `added` together.

    The added values keep the interval of few or equal values from being too narrow; the interval
    does not reach beyond them.

    >>> wins, losses, draws = [1] * 1, [-1] * 7, [0] * 13
    >>> estimate = mean_estimate(wins + losses + draws, [-1, 1])
    >>> round(estimate.value, 3), round(estimate.low, 3), round(estimate.high, 3)
    (-0.286, -0.508, -0.013)
    """
    value, padded = fmean(values), [*values, *added]
    spread = 1.96 * pstdev(padded) / len(padded) ** 0.5
    low, high = max(fmean(padded) - spread, min(added)), min(fmean(padded) + spread, max(added))
    return Estimate(value, min(low, value), max(high, value))


def saved(used: Sequence[float], full: Sequence[float]) -> Estimate:
    """Estimate the share of `full` that was not used, in total over all problems.

    Args:
        used, full: samples or tokens per problem, of the votes that stopped and of the full votes.

    Returns:
        The share, with the normal 95 % interval of a ratio (Cochran, 1977, section 6.4), after
        adding one problem that saved all of its full vote and one that saved nothing: few problems
        that save alike would have an interval of width 0 otherwise.

    Raises:
        ValueError: the full votes used nothing.
    """
    if not sum(full) > 0:
        raise ValueError(
            f"the full votes used {sum(full)} in total, expected more than 0: no share can be saved"
        )
    ratio, mean = 1 - sum(used) / sum(full), fmean(full)
    used, full = [*used, 0, mean], [*full, mean, mean]
    padded = 1 - sum(used) / sum(full)
    residuals = [whole * (1 - padded) - part for part, whole in zip(used, full, strict=True)]
    spread = 1.96 * pstdev(residuals) / len(full) ** 0.5 / mean
    low, high = max(padded - spread, 0.0), min(padded + spread, 1.0)
    return Estimate(ratio, min(low, ratio), max(high, ratio))


def replayed(draws: dict[str, Draws]) -> Votes:
    """Make `Votes` that are replayed on samples drawn before.

    Args:
        draws: for each prompt, as many samples per problem as the largest vote needs.

    Returns:
        A function that gives the samples which a vote would have drawn, had it been held alone.
    """

    def votes(prompt: str, size: int, rule: str | None) -> Draws:
        stopping = stopping_rule(rule)
        return [samples[: samples_needed(samples[:size], stopping)] for samples in draws[prompt]]

    return votes


def compare(greedy: dict[str, list[Result]], votes: Votes, num_samples: int) -> list[TableRow]:
    """Make all rows of the table.

    Args:
        greedy: for each prompt, the results of greedy answers; the first prompt is the baseline of
            the others.
        votes: gives the samples of a vote; see `replayed`.
        num_samples: number of samples of the largest vote.
    """
    rows: list[TableRow] = []
    for prompt, results in greedy.items():
        rows += _rows_of_prompt(prompt, results, partial(votes, prompt), num_samples, rows[:2])
    return rows


def _rows_of_prompt(
    prompt: str,
    results: list[Result],
    votes: Callable[[int, str | None], Draws],
    num_samples: int,
    first: list[TableRow],
) -> list[TableRow]:
    """Make the rows of one prompt.

    `first` holds the greedy row and the row of one sample of the prompt to compare with; it is
    empty for that prompt itself.
    """
    # 1. One answer per problem: greedy, or any of the samples.
    right = tuple(int(result["correct"]) for result in results)
    tokens = tuple(result["tokens"] for result in results)
    greedy = TableRow(prompt, GREEDY, 1, right, (1,) * len(results), tokens, *first[:1])
    drawn = {size: votes(size, None) for size in vote_sizes(num_samples)}
    one_sample = any_row(prompt, ONE_SAMPLE, 1, drawn[num_samples], *first[1:2])
    rows = [greedy, one_sample]
    # 2. Votes of each size, and what a perfect chooser of the same size would reach.
    for size, draws in drawn.items():
        majority = vote_row(prompt, MAJORITY, size, draws, majority_vote, one_sample)
        weighted = vote_row(prompt, CONFIDENCE, size, draws, confidence_vote, majority)
        rows += [majority, weighted, any_row(prompt, ANY, size, drawn[num_samples], majority)]
    # 3. The largest vote, stopped by each rule.
    for rule in RULES:
        rows.append(
            vote_row(prompt, rule, num_samples, votes(num_samples, rule), majority_vote, majority)
        )
    return rows


def vote_sizes(num_samples: int) -> list[int]:
    """Return the sizes of the votes that are tried with `num_samples` samples."""
    return [size for size in SIZES if size < num_samples] + [num_samples]


def vote_row(
    prompt: str,
    method: str,
    size: int,
    draws: Draws,
    vote: Callable[[Iterable[Sample]], Vote],
    baseline: TableRow,
) -> TableRow:
    """Make the row of a vote: a problem is right if the winner is."""
    winners = [vote(samples).groups[:1] for samples in draws]  # empty where nobody voted
    right = [any(group.samples[0].right for group in winner) for winner in winners]
    tokens = tuple(sum(sample.tokens for sample in samples) for samples in draws)
    return TableRow(
        prompt, method, size, tuple(map(int, right)), tuple(map(len, draws)), tokens, baseline
    )


def any_row(
    prompt: str, method: str, size: int, draws: Draws, baseline: TableRow | None = None
) -> TableRow:
    """Make the row of a perfect chooser: a problem is right if any of `size` samples is.

    Its probability is estimated from all samples drawn (`CH4.voting.pass_at_n`).
    """
    right = [
        pass_at_n(len(samples), sum(bool(sample.right) for sample in samples), size)
        for samples in draws
    ]
    tokens = [size * fmean(sample.tokens for sample in samples) for samples in draws]
    return TableRow(
        prompt, method, size, tuple(right), (size,) * len(draws), tuple(tokens), baseline
    )
