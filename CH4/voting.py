"""Votes over samples that were drawn from a model: which answer to give, and how sure to be of it.

Votes are counted on plain data, so a list of samples that was drawn once can be voted on in many
ways, without a model.
Answers are grouped by meaning: `1/2` and `0.5` are one answer.
"""

import math
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import cast

from CH3.math_verifier import answer_key


@dataclass(frozen=True)
class Sample:
    """One drawn solution.

    Attributes:
        answer: the answer found in it; None if there is none.
        logprob: mean natural log-probability of its tokens under the model, the stop token's
            included.
        tokens: how many were drawn, the stop token included: each cost one step.
        text: the solution.
    """

    answer: str | None
    logprob: float
    tokens: int
    text: str = ""

    def __post_init__(self) -> None:
        if not self.logprob <= 0:
            raise ValueError(
                f"logprob is {self.logprob}: the logarithm of a probability is at most 0"
            )

    @cached_property
    def key(self) -> Hashable:
        """Equal for answers that mean the same (`CH3.math_verifier.same_answer`)."""
        return None if self.answer is None else answer_key(self.answer)


@dataclass(frozen=True)
class Group:
    """The samples that gave one answer, in the order they were drawn.

    Attributes:
        weight: what the group counts in its vote: its samples, or their probabilities.
        share: that, as a part of all groups' weight.
    """

    samples: tuple[Sample, ...]
    weight: float
    share: float

    @property
    def answer(self) -> str:
        """The answer, as the group's first sample writes it."""
        return cast(str, self.samples[0].answer)  # samples without one are in no group

    @property
    def logprob(self) -> float:
        """Mean over the samples of their mean log-probability per token; it decides ties."""
        return math.fsum(sample.logprob for sample in self.samples) / len(self.samples)


@dataclass(frozen=True)
class Vote:
    """The outcome of a vote; `groups` are in order, the winner's first."""

    groups: tuple[Group, ...]

    @property
    def winner(self) -> str | None:
        """The winning answer; None if no sample has one."""
        return self.groups[0].answer if self.groups else None

    @property
    def tie(self) -> bool:
        """Whether another group has the winner's weight, so that log-probabilities had to decide."""
        return len(self.groups) > 1 and self.groups[0].weight == self.groups[1].weight


def majority_vote(samples: Iterable[Sample]) -> Vote:
    """Each sample has one vote (self-consistency: Wang et al., 2023,
    https://arxiv.org/abs/2203.11171).

    Samples without an answer do not vote. Of groups with equally many votes, the one with the
    higher mean log-probability wins, and if these are equal too, the one that was drawn first."""
    return _vote(samples, lambda sample: 1)


def confidence_vote(samples: Iterable[Sample]) -> Vote:
    """Each sample counts with its probability, so a group's weight is the summed probability of its
    solutions.

    The probability is normalised by length, exp(mean log-probability per token): that of a whole
    text falls by orders of magnitude with each line, so the shortest solution alone would decide.
    Both are compared by Wang et al. (2023, section 2 of https://arxiv.org/abs/2203.11171). Ties are
    decided as in `majority_vote`."""
    return _vote(samples, lambda sample: math.exp(sample.logprob))


def _vote(samples: Iterable[Sample], weigh: Callable[[Sample], float]) -> Vote:
    members: dict[Hashable, list[Sample]] = {}
    for sample in samples:
        if sample.answer is not None:
            members.setdefault(sample.key, []).append(sample)
    weights = [math.fsum(map(weigh, group)) for group in members.values()]
    total = math.fsum(weights) or 1.0  # probabilities can be too small for a float
    groups = [
        Group(tuple(group), weight, weight / total)
        for group, weight in zip(members.values(), weights, strict=True)
    ]
    # stable: the first is first
    return Vote(tuple(sorted(groups, key=lambda group: (-group.weight, -group.logprob))))


def pass_at_n(drawn: int, correct: int, n: int) -> float:
    """Probability that at least one of n samples is right, estimated from more: what a perfect
    chooser would reach.

    Of all ways to choose n of the drawn samples, the part that holds a right one is 1 - C(drawn -
    correct, n) / C(drawn, n): unbiased, other than 1 - (1 - correct / drawn)^n (Chen et al., 2021,
    https://arxiv.org/abs/2107.03374).

    >>> pass_at_n(drawn=3, correct=1, n=2)   # of the pairs AB, AC and BC, two hold the right sample A
    0.6666666666666667

    Raises:
        ValueError: not 0 <= correct <= drawn, or not 1 <= n <= drawn.
    """
    if not 0 <= correct <= drawn:
        raise ValueError(f"{correct} of {drawn} samples cannot be right")
    if not 1 <= n <= drawn:
        raise ValueError(f"n is {n}: expected 1 to {drawn}, the number of samples drawn")
    return 1 - math.comb(drawn - correct, n) / math.comb(drawn, n)
