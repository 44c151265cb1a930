"""End a vote before all of its samples are drawn: stopping rules.

- a rule looks at the samples so far in sample order, so where it stops depends on the samples alone
  and not on which row of a batch ended first
- samples of one prompt are drawn together, so stopping saves something only if not all begin at
  once: they are drawn in *waves*, each the fewest further samples after which the rule could stop.
  Every sample of such a wave is needed
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from CH4.voting import Sample, majority_vote


class StoppingRule(ABC):
    """A rule that says after each sample if a vote may end."""

    @abstractmethod
    def stops(self, samples: Sequence[Sample], num_samples: int) -> bool:
        """Return True if the vote may end after these samples, the first of `num_samples`."""

    def wave(self, samples: Sequence[Sample], num_samples: int) -> int:
        """Return the number of samples to begin next, when all those begun have been counted.

        It is the fewest further samples after which the rule could stop: the rule is tried on
        samples that all agree with the leader.
        """
        left = num_samples - len(samples)
        winner = majority_vote(samples).winner
        agreeing = Sample("0" if winner is None else winner, logprob=0.0, tokens=0)
        could_stop = (
            n for n in range(1, left) if self.stops([*samples, *[agreeing] * n], num_samples)
        )
        return next(could_stop, left)


@dataclass(frozen=True)
class DrawAll(StoppingRule):
    """The rule that never stops a vote early."""

    def stops(self, samples: Sequence[Sample], num_samples: int) -> bool:
        """Return False."""
        return False


@dataclass(frozen=True)
class Decided(StoppingRule):
    """A rule that stops when no further sample can change the winner of the full vote.

    The leader must win even if all samples left give the same other answer, one seen before or a
    new one. Where that would make a tie, log-probabilities decide, and the samples left count with
    0, the highest log-probability there is.
    """

    def stops(self, samples: Sequence[Sample], num_samples: int) -> bool:
        """Return True if the samples left cannot change the winner."""
        left = num_samples - len(samples)
        if not left:
            return True
        # 1. Group by answer with and without its name or unit: further samples may decide which
        #    of the two counts.
        groups: dict[tuple[Hashable, Hashable], list[Sample]] = {}
        for sample in samples:
            if sample.answer is not None:
                groups.setdefault((sample.key, sample.bare_key), []).append(sample)
        if not groups:
            return False
        # 2. The leader must win on its own against all that may ever be counted together.
        leading = max(groups, key=lambda keys: _at_best(groups[keys], 0))
        others = [
            [
                one
                for keys, some in groups.items()
                if key in keys and keys != leading
                for one in some
            ]
            for key in {key for keys in groups for key in keys}
            if leading != (key, key)
        ]
        return all(
            _at_best(rivals, left) < _at_best(groups[leading], 0) for rivals in [*others, []]
        )


def _at_best(samples: Sequence[Sample], left: int) -> tuple[int, float]:
    """Return a group's votes and mean log-probability after `left` certain samples join it."""
    votes = len(samples) + left
    return votes, math.fsum(sample.logprob for sample in samples) / votes


@dataclass(frozen=True)
class Window(StoppingRule):
    """A rule that stops when a whole window of samples agrees (early-stopping self-consistency).

    Windows follow one another without overlap. A window in which a sample has no answer does not
    agree. The vote then counts all samples so far, those of earlier windows included. Method: Li et
    al., 2024, https://arxiv.org/abs/2401.10480.

    Args:
        size: number of samples in a window.

    Raises:
        ValueError: `size` is not an integer of at least 2: one sample always agrees with itself.
    """

    size: int = 5

    def __post_init__(self) -> None:
        if not isinstance(self.size, int) or self.size < 2:
            raise ValueError(
                f"the window has {self.size} samples: expected an integer of at least 2"
            )

    def stops(self, samples: Sequence[Sample], num_samples: int) -> bool:
        """Return True if these samples end with a complete window whose answers all agree."""
        if not samples or len(samples) % self.size:
            return False
        groups = majority_vote(samples[-self.size :]).groups
        return bool(groups) and len(groups[0].samples) == self.size


@dataclass(frozen=True)
class Confident(StoppingRule):
    """A rule that stops when the leader is probably the answer of many more samples.

    Log-probabilities and numbers of tokens do not matter to it:

    >>> samples = [Sample(answer, logprob=0.0, tokens=0) for answer in ("5", "x = 5", "5", "5")]
    >>> Confident().stops(samples[:3], 20), Confident().stops(samples, 20)
    (False, True)

    Method: adaptive-consistency with the Beta criterion (Aggarwal et al., 2023,
    https://arxiv.org/abs/2305.11860).

    Args:
        threshold: stop above this probability; see `leading_probability`.

    Raises:
        ValueError: `threshold` is not in [0.5, 1).
    """

    threshold: float = 0.95

    def __post_init__(self) -> None:
        if not 0.5 <= self.threshold < 1:
            raise ValueError(
                f"the threshold is {self.threshold}: expected at least 0.5 and less than 1"
            )

    def stops(self, samples: Sequence[Sample], num_samples: int) -> bool:
        """Return True if the leader is ahead of the runner-up with enough probability."""
        votes = [len(group.samples) for group in majority_vote(samples).groups]
        return bool(votes) and leading_probability(votes[0], sum(votes[1:2])) > self.threshold


def leading_probability(leader: int, runner_up: int) -> float:
    """Return the probability that the model prefers the leading answer to the runner-up.

    Let x be the leader's share of all votes that the two would ever get. Before any vote all x are
    equally likely; after the votes, x is distributed as Beta(leader + 1, runner_up + 1). For
    integers the probability of x > 1/2 is an exact sum: that of at most `leader` heads in
    leader + runner_up + 1 tosses of a fair coin.

    Args:
        leader, runner_up: votes counted so far.

    >>> leading_probability(0, 0), leading_probability(3, 0), leading_probability(4, 0)
    (0.5, 0.9375, 0.96875)
    """
    tosses = leader + runner_up + 1
    return sum(math.comb(tosses, heads) for heads in range(leader + 1)) / 2**tosses


RULES = {"decided": Decided, "window": Window, "confident": Confident}


def stopping_rule(rule: str | StoppingRule | None) -> StoppingRule:
    """Make a stopping rule of its name in `RULES`, with the usual parameters; None: `DrawAll`.

    Raises:
        ValueError: there is no rule of that name.
    """
    if rule is None:
        return DrawAll()
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
    """Replay a stopping rule on samples drawn before; return how many it would have drawn.

    Args:
        samples: in sample order, at least `num_samples`.
        rule: see `stopping_rule`.
        num_samples: size of the full vote; None: all samples.

    Raises:
        ValueError: there are fewer samples than `num_samples`.
    """
    num_samples = len(samples) if num_samples is None else num_samples
    if num_samples > len(samples):
        raise ValueError(
            f"num_samples is {num_samples}: a rule cannot be replayed on {len(samples)} samples"
        )
    return next(
        (n for n in range(1, num_samples) if rule.stops(samples[:n], num_samples)), num_samples
    )
