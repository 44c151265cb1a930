r"""Vote over samples drawn from a model: choose the answer, and say how sure it is.

- votes are counted on plain data: samples drawn once can be voted on in many ways, without a model
- answers are grouped by meaning: `1/2` and `0.5` are one answer
- where all samples of a vote that give a name agree on it, it is not counted: `x = 5` votes with
  `5`; so with a unit, such as the sign in `50\%`
- grouping must put each answer into one group, and grading need not: `x = 5` and `y = 5` both grade
  the same as `5`. In a vote that holds all three they are three answers, as nothing says which of
  the two names `5` belongs to
"""

import math
import re
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import cast

from CH3.math_verifier import answer_key
from CH3.math_verifier.grading import MEASURED, Interpretation
from CH3.math_verifier.keys import Counted, Solutions

# readings of an answer (`CH3.math_verifier.readings`) that leave out a name, or a unit
WITHOUT_NAME = (
    "the value of what it names",
    "a point",
    "a point without its name",
    "the values of one name",
)
WITHOUT_UNIT = (
    "a number of hundredths",
    "a number without the words behind it",
    "a number of units",
)
NUMBER = re.compile(r"\s*-?\d[\d.,/]*\s*")  # has neither


@dataclass(frozen=True)
class Sample:
    """One solution drawn from a model, with the answer found in it.

    Attributes:
        answer: the final answer in the text; None if there is none.
        logprob: mean natural log-probability per token under the model, stop token included.
        tokens: number of tokens drawn, stop token included.
        text: the solution without its prompt.
        right: True if the answer was graded as right, False if as wrong; None before grading.
        finish_reason: how the text ended; see `CH3.evaluation.writers.Text`.

    Raises:
        ValueError: `logprob` is above 0 or NaN.
    """

    answer: str | None
    logprob: float
    tokens: int
    text: str = ""
    right: bool | None = None
    finish_reason: str | None = None

    def __post_init__(self) -> None:
        if not self.logprob <= 0:
            raise ValueError(
                f"logprob is {self.logprob}: the logarithm of a probability is at most 0"
            )

    @cached_property
    def key(self) -> Hashable:
        """Hashable key, equal for answers of equal meaning; None without an answer."""
        return None if self.answer is None else answer_key(self.answer)

    @cached_property
    def label(self) -> tuple[str, Hashable] | None:
        """The name or the unit in the answer, as its kind and itself; None without one."""
        return self._label_and_bare_key[0]

    @property
    def bare_key(self) -> Hashable:
        """Key of the answer without its name or unit."""
        return self._label_and_bare_key[1]

    @cached_property
    def _label_and_bare_key(self) -> tuple[tuple[str, Hashable] | None, Hashable]:
        if self.answer is None or NUMBER.fullmatch(self.answer):
            return None, self.key
        read = Interpretation(self.answer)
        for kind, readings in (("name", WITHOUT_NAME), ("unit", WITHOUT_UNIT)):
            bare = next((read.readings[one] for one in readings if one in read.readings), None)
            if bare is None or bare == read.key:
                continue
            if isinstance(read.key, Solutions):
                return (kind, read.key.names), bare
            if kind == "unit":
                written = MEASURED.search(self.answer.strip(" $"))
                unit = "".join(written.group().split()) if written else "%"
                return (kind, read.key.words if isinstance(read.key, Counted) else unit), bare
            name = re.split(r"[=(]", self.answer.strip(" $"), maxsplit=1)[0]
            return (kind, "".join(name.split())), bare
        return None, self.key


@dataclass(frozen=True)
class Group:
    """The samples that voted for one answer.

    Attributes:
        samples: in the order they were drawn.
        weight: number of samples, or sum of their probabilities in a confidence vote.
        share: the group's weight divided by the weight of all groups.
    """

    samples: tuple[Sample, ...]
    weight: float
    share: float

    @property
    def answer(self) -> str:
        """The group's answer, in the notation of its first sample."""
        return cast(str, self.samples[0].answer)  # samples without one are in no group

    @property
    def logprob(self) -> float:
        """Mean of the samples' mean log-probabilities per token; breaks ties."""
        return math.fsum(sample.logprob for sample in self.samples) / len(self.samples)


@dataclass(frozen=True)
class Vote:
    """The outcome of a vote: groups of samples with one answer each, the winner's first."""

    groups: tuple[Group, ...]

    @property
    def winner(self) -> str | None:
        """The winning answer; None if no sample has an answer."""
        return self.groups[0].answer if self.groups else None

    @property
    def tie(self) -> bool:
        """Return True if another group has the winner's weight: log-probabilities decided."""
        return len(self.groups) > 1 and self.groups[0].weight == self.groups[1].weight


def majority_vote(samples: Iterable[Sample]) -> Vote:
    """Count one vote per sample and group the samples by answer (self-consistency).

    Samples without an answer do not vote. Of groups with equally many votes, the one with the
    higher mean log-probability wins; if these are equal too, the one that was drawn first. Method:
    Wang et al., 2023, https://arxiv.org/abs/2203.11171.
    """
    return _vote(samples, lambda sample: 1)


def confidence_vote(samples: Iterable[Sample]) -> Vote:
    """Weight each sample's vote with its probability, and group the samples by answer.

    The probability is normalised by length: exp(mean log-probability per token). The probability of
    a whole text falls by orders of magnitude with each line, so the shortest solution alone would
    decide. Wang et al. compare both (2023, section 2 of https://arxiv.org/abs/2203.11171). Ties are
    broken as in `majority_vote`.
    """
    return _vote(samples, lambda sample: math.exp(sample.logprob))


def _vote(samples: Iterable[Sample], weigh: Callable[[Sample], float]) -> Vote:
    """Group samples by answer, and sort the groups by the sum of their samples' weights."""
    members: dict[Hashable, list[Sample]] = {}
    voting = [sample for sample in samples if sample.answer is not None]
    for sample, key in zip(voting, _keys(voting), strict=True):
        members.setdefault(key, []).append(sample)
    weights = [math.fsum(map(weigh, group)) for group in members.values()]
    total = math.fsum(weights) or 1.0  # probabilities can be too small for a float
    groups = [
        Group(tuple(group), weight, weight / total)
        for group, weight in zip(members.values(), weights, strict=True)
    ]
    # a stable sort: of equal groups, the one drawn first comes first
    return Vote(tuple(sorted(groups, key=lambda group: (-group.weight, -group.logprob))))


def best_of_n(samples: Iterable[Sample], check: Callable[[str], bool]) -> Sample | None:
    """Return the first sample whose answer passes a check, or None: then no answer is right.

    Where answers can be checked, this is right as often as `pass_at_n` says; a vote, which cannot
    look at the answers, is right only where most samples are. Method: Cobbe et al., 2021,
    https://arxiv.org/abs/2110.14168, with a check in the place of their trained verifier.

    Args:
        samples: in the order they were drawn.
        check: says of an answer if it is right.

    >>> samples = [Sample("5 + 4", -0.1, 9), Sample("5 * 4", -0.3, 9)]
    >>> best_of_n(samples, lambda answer: answer == "5 * 4").answer
    '5 * 4'
    """
    return next((one for one in samples if one.answer is not None and check(one.answer)), None)


def _keys(samples: Sequence[Sample]) -> list[Hashable]:
    r"""Return the key of each answer; without its name or unit, where it is not counted.

    It is left out where all samples that have one of its kind agree on it, and another sample gives
    the answer without it: a lone `50\%` stays a half.
    """
    labels = {sample.label for sample in samples} - {None}
    if not labels:
        return [sample.key for sample in samples]
    kinds = [label[0] for label in labels if label is not None]
    agreed = {label for label in labels if label is not None and kinds.count(label[0]) == 1}
    bare = {sample.key for sample in samples if sample.label is None}
    return [
        sample.bare_key
        if sample.label in agreed and sample.bare_key in bare and sample.key not in bare
        else sample.key
        for sample in samples
    ]


def pass_at_n(drawn: int, correct: int, n: int) -> float:
    """Estimate the probability that at least one of n samples is right.

    This is what a perfect chooser among n samples would reach. Of all ways to choose n of the drawn
    samples, the share that holds a right one is 1 - C(drawn - correct, n) / C(drawn, n). The
    estimate is unbiased; 1 - (1 - correct / drawn)^n is not. Method: Chen et al., 2021,
    https://arxiv.org/abs/2107.03374.

    >>> pass_at_n(drawn=3, correct=1, n=2)   # of the pairs AB, AC, BC, two hold the right sample A
    0.6666666666666667

    Args:
        drawn: number of samples.
        correct: number of right ones among them.
        n: number of samples that the chooser sees.

    Raises:
        ValueError: not 0 <= correct <= drawn, or not 1 <= n <= drawn.
    """
    if not 0 <= correct <= drawn:
        raise ValueError(f"{correct} of {drawn} samples cannot be right")
    if not 1 <= n <= drawn:
        raise ValueError(f"n is {n}: expected 1 to {drawn}, the number of samples drawn")
    return 1 - math.comb(drawn - correct, n) / math.comb(drawn, n)
