"""When to stop drawing: rules that end a vote before all of its samples are drawn.

A rule looks at the samples so far, in sample order, so where it stops depends on the samples alone
and not on which row of a batch ended first. Rows of one prompt grow together, so stopping saves
something only if not all are begun at once: samples are drawn in *waves*, each the fewest further
samples after which the rule could stop. No sample of such a wave is ever drawn in vain."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from CH4.voting import Sample, majority_vote


class StoppingRule:
    """Draws all samples. The rules derived from it stop sooner."""

    def stops(self, samples: Sequence[Sample], num_samples: int) -> bool:
        """Whether to stop after these samples, the first of `num_samples`."""
        return False

    def wave(self, samples: Sequence[Sample], num_samples: int) -> int:
        """How many samples to begin next; called when all samples of the wave before have been
        counted.

        The fewest after which the rule could stop: that many, if all agree with the leader.
        """
        left = num_samples - len(samples)
        winner = majority_vote(samples).winner
        agreeing = Sample("0" if winner is None else winner, logprob=0.0, tokens=0)
        could_stop = (
            n for n in range(1, left) if self.stops([*samples, *[agreeing] * n], num_samples)
        )
        return next(could_stop, left)


@dataclass(frozen=True)
class Decided(StoppingRule):
    """Stop when the leader cannot be caught: the winner is always that of the full vote.

    The leader must win even if all samples left give the same other answer, one seen before or a
    new one. Where that would make a tie, log-probabilities decide it, and the samples left are
    given 0, which no log-probability exceeds."""

    def stops(self, samples: Sequence[Sample], num_samples: int) -> bool:
        """Whether the rest of the samples cannot change the winner."""
        left = num_samples - len(samples)
        if not left:
            return True
        groups = majority_vote(samples).groups
        if not groups:
            return False
        leader, *others = (group.samples for group in groups)
        return all(_at_best(rivals, left) < _at_best(leader, 0) for rivals in [*others, ()])


def _at_best(samples: Sequence[Sample], left: int) -> tuple[int, float]:
    """Votes and mean log-probability of a group of samples, if all those left join it and are
    certain.
    """
    votes = len(samples) + left
    return votes, math.fsum(sample.logprob for sample in samples) / votes


@dataclass(frozen=True)
class Window(StoppingRule):
    """Stop when a whole window of samples agrees (early-stopping self-consistency: Li et al., 2024,
    https://arxiv.org/abs/2401.10480).

    Windows follow one another without overlap. One in which a sample has no answer does not agree.
    The vote then counts all samples so far, those of earlier windows included.

    Args:
        size: samples in a window.

    Raises:
        ValueError: `size` is no whole number of at least 2: one sample always agrees with itself.
    """

    size: int = 5

    def __post_init__(self) -> None:
        if not isinstance(self.size, int) or self.size < 2:
            raise ValueError(
                f"the window has {self.size} samples: expected a whole number of at least 2, to agree"
            )

    def stops(self, samples: Sequence[Sample], num_samples: int) -> bool:
        """Whether a window is complete and of one answer."""
        if not samples or len(samples) % self.size:
            return False
        keys = {sample.key for sample in samples[-self.size :]}
        return len(keys) == 1 and None not in keys


@dataclass(frozen=True)
class Confident(StoppingRule):
    """Stop when the leader is probably what many more samples would choose (adaptive-consistency,
    with its Beta
    criterion: Aggarwal et al., 2023, https://arxiv.org/abs/2305.11860).

    Args:
        threshold: the probability that is enough; see `leading_probability`.

    Raises:
        ValueError: `threshold` is not in [0.5, 1).
    """

    threshold: float = 0.95

    def __post_init__(self) -> None:
        if not 0.5 <= self.threshold < 1:
            raise ValueError(
                f"the threshold is {self.threshold}: expected a probability of at least 0.5 and below 1"
            )

    def stops(self, samples: Sequence[Sample], num_samples: int) -> bool:
        """Whether the leader's lead over the runner-up is safe enough."""
        votes = [len(group.samples) for group in majority_vote(samples).groups]
        return bool(votes) and leading_probability(votes[0], sum(votes[1:2])) > self.threshold


def leading_probability(leader: int, runner_up: int) -> float:
    """Probability that the model prefers the leader to the runner-up, after so many votes for each.

    Let x be the leader's part of all votes that the two would ever get. Before any vote each x is
    held equally likely; after them, x is distributed as Beta(leader + 1, runner_up + 1). The
    probability of x > 1/2 is then, for whole numbers, that of at most `leader` heads in leader +
    runner_up + 1 tosses of a coin: an exact sum.

    >>> leading_probability(0, 0), leading_probability(3, 0), leading_probability(4, 0)
    (0.5, 0.9375, 0.96875)
    """
    tosses = leader + runner_up + 1
    return sum(math.comb(tosses, heads) for heads in range(leader + 1)) / 2**tosses


RULES = {"decided": Decided, "window": Window, "confident": Confident}


def stopping_rule(rule: str | StoppingRule | None) -> StoppingRule:
    """A rule by its name, with its usual parameters; None draws all samples.

    Raises:
        ValueError: there is no such rule.
    """
    if rule is None:
        return StoppingRule()
    if isinstance(rule, StoppingRule):
        return rule
    if rule not in RULES:
        raise ValueError(
            f"no stopping rule {rule!r}: expected {', '.join(RULES)}, a StoppingRule, or None"
        )
    return RULES[rule]()


def samples_needed(
    samples: Sequence[Sample], rule: StoppingRule, num_samples: int | None = None
) -> int:
    """How many of the samples, in order, a rule would have drawn: replays it on samples that are
    there already.

    Args:
        samples: at least `num_samples`.
        rule: see `stopping_rule`.
        num_samples: the full vote; None: all samples.

    Raises:
        ValueError: there are fewer than `num_samples`, so nobody can say when the rule would have
            stopped.
    """
    num_samples = len(samples) if num_samples is None else num_samples
    if num_samples > len(samples):
        raise ValueError(
            f"num_samples is {num_samples}: a rule cannot be replayed on {len(samples)} samples"
        )
    return next(
        (n for n in range(1, num_samples) if rule.stops(samples[:n], num_samples)), num_samples
    )
