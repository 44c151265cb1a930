"""Self-consistency: draw several solutions of a problem, and let their answers vote (Wang et al.,
2023).

- all samples of a prompt share one prefill and one copy of its keys and values, and grow in one
  batch
- a stopping rule ends a vote early; samples are then drawn in waves, and those of many problems
  fill the batch together
- a sample depends on the seed, its prompt and its number, not on the batch: see
  `CH4.sampling.sample_generator`
- the parts, which this module hands on: `CH4.sampling`, `CH4.voting`, `CH4.early_stopping`
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from Appendixes.QWEN3Model import Qwen3Model
from Appendixes.QWEN3Tokenizer import Qwen3Tokenizer
from CH2.continuous_batching import ContinuousBatching, Task
from CH3.math_verifier import extract_answer
from CH4 import sampling
from CH4.early_stopping import (
    Confident,
    Decided,
    StoppingRule,
    Window,
    samples_needed,
    stopping_rule,
)
from CH4.sampling import Filter, min_p, sample_generator, sampler, temperature, top_k, top_p
from CH4.voting import Group, Sample, Vote, confidence_vote, majority_vote, pass_at_n

__all__ = [
    "Confident",
    "Consensus",
    "Decided",
    "Filter",
    "Group",
    "Sample",
    "StoppingRule",
    "Vote",
    "Window",
    "confidence_vote",
    "majority_vote",
    "min_p",
    "pass_at_n",
    "sample_generator",
    "sampler",
    "samples_needed",
    "self_consistency",
    "self_consistency_many",
    "stopping_rule",
    "temperature",
    "top_k",
    "top_p",
]


@dataclass(frozen=True)
class Consensus:
    """What the samples of one problem agreed on.

    Attributes:
        samples: those that were counted, in sample order.
        vote: their majority vote.
        num_samples: how many the full vote would have had; 0, if the prompt left no room for any.
        drawn: how many were begun; more than were counted, if some were cancelled.
        tokens: all that were drawn, those of cancelled samples included.
    """

    samples: list[Sample]
    vote: Vote
    num_samples: int
    drawn: int
    tokens: int

    @property
    def winner(self) -> str | None:
        """The answer with most votes; None if no sample has an answer."""
        return self.vote.winner

    @property
    def tie(self) -> bool:
        """Whether another answer has as many votes, so that log-probabilities had to decide."""
        return self.vote.tie

    @property
    def groups(self) -> tuple[Group, ...]:
        """Samples with the same answer, the winner's first."""
        return self.vote.groups

    @property
    def shares(self) -> dict[str, float]:
        """Each answer's part of the votes; samples without an answer have none."""
        return {group.answer: group.share for group in self.groups}

    @property
    def samples_saved(self) -> int:
        """How many samples of the full vote were never begun."""
        return self.num_samples - self.drawn


def self_consistency(
    model: Qwen3Model,
    tokenizer: Qwen3Tokenizer,
    prompt: str | Sequence[int],
    num_samples: int,
    **settings: Any,
) -> Consensus:
    """Draw solutions of one problem and take the answer that most of them give.

        self_consistency(model, tokenizer, prompt, 20, temperature=0.8, top_p=0.9, seed=0,
        early_stopping="decided")

    Args:
        model: compiled or not.
        tokenizer: the model's.
        prompt: the whole prompt, such as `render(CHAIN_OF_THOUGHT, problem)`; or its token ids,
            which a conversation needs (`CH2.prompts.encode_chat_prompt`): in a text, control tokens
            are ordinary characters.
        num_samples: how many solutions vote.
        settings: how they are drawn, and when that ends: the keyword arguments of
            `self_consistency_many`.

    Raises:
        ValueError, FloatingPointError: as `self_consistency_many`; and if the prompt fills the
            model's context.
    """
    ids, context = _token_ids(tokenizer, prompt), model.config.max_position_embeddings
    if len(ids) >= context:
        raise ValueError(
            f"the prompt has {len(ids)} tokens, and the context of {context} leaves no room to answer"
        )
    [(_, consensus)] = self_consistency_many(
        model, tokenizer, [(None, ids)], num_samples, **settings
    )
    return consensus


def self_consistency_many(
    model: Qwen3Model,
    tokenizer: Qwen3Tokenizer,
    problems: Iterable[tuple[Any, str | Sequence[int]]],
    num_samples: int,
    *,
    temperature: float = 0.8,
    top_k: int | None = None,
    top_p: float | None = 0.9,
    min_p: float | None = None,
    max_new_tokens: int = 512,
    seed: int = 0,
    early_stopping: str | StoppingRule | None = None,
    wave: int | None = None,
    **queue: Any,
) -> Iterator[tuple[Any, Consensus]]:
    """Self-consistency for many problems, whose waves fill one batch together.

    Args:
        model, tokenizer, num_samples: as in `self_consistency`.
        problems: pairs of anything that tells a problem from the others, and its prompt. They are
            taken from the iterable when there is room for them.
        temperature, top_k, top_p, min_p: reshape the distribution that tokens are drawn from, in
            this order (see `CH4.sampling`); None leaves one out. At temperature 0 all samples are
            equal.
        max_new_tokens: a sample ends after this many, or at the end of the model's context.
        seed: fixes all samples.
        early_stopping: None, "decided", "window", "confident", or a rule of `CH4.early_stopping`.
        wave: how many samples are begun at a time. None: the fewest with which the rule could stop,
            which saves most tokens. With `num_samples`, all are begun at once and the running ones
            cancelled when the rule stops: more tokens, less time.
        queue: `max_concurrent`, how many samples grow at the same time (64), and whatever else
            `ContinuousBatching` takes.

    Yields:
        Pairs of the problem, as it was given, and its `Consensus`, in the order in which they are
        done. Each is what the problem gives alone. A prompt that fills the model's context gets one
        without any samples, as `CH3.evaluation.answers.model_answers` gives an empty answer: the
        votes on other problems go on.

    Raises:
        ValueError: `num_samples`, `wave`, `max_concurrent` or `max_new_tokens` is less than 1, a
            filter or the rule cannot be what it was said to be; or, when its turn comes, a prompt
            is empty or not of this vocabulary.
        FloatingPointError: the model's logits are not numbers.
    """
    for name, value in (
        ("num_samples", num_samples),
        ("max_new_tokens", max_new_tokens),
        ("wave", wave),
    ):
        if value is not None and value < 1:
            raise ValueError(f"{name} is {value}: expected at least 1")
    filters = [sampling.temperature(temperature)]
    filters += [] if top_k is None else [sampling.top_k(top_k)]
    filters += [] if top_p is None else [sampling.top_p(top_p)]
    filters += [] if min_p is None else [sampling.min_p(min_p)]
    batching = ContinuousBatching(
        model, sampler=sampler(*filters), stop_ids=tokenizer.stop_ids, **queue
    )
    rule, context = stopping_rule(early_stopping), model.config.max_position_embeddings

    def ballots() -> Iterator[Ballot]:
        for problem, prompt in problems:
            ids = _token_ids(tokenizer, prompt)
            room = min(max_new_tokens, context - len(ids))
            begin = partial(_begin, batching, ids, room, seed)
            yield Ballot(
                problem,
                num_samples if room > 0 else 0,
                rule,
                wave,
                begin,
                partial(_read, tokenizer),
            )

    return _hold(batching, ballots())


def _token_ids(tokenizer: Qwen3Tokenizer, prompt: str | Sequence[int]) -> list[int]:
    return tokenizer.encode(prompt) if isinstance(prompt, str) else [int(token) for token in prompt]


def _begin(
    batching: ContinuousBatching, prompt: list[int], max_new_tokens: int, seed: int, number: int
) -> Task:
    """Put sample `number` of a prompt into the queue."""
    return batching.submit(prompt, max_new_tokens, generator=sample_generator(seed, prompt, number))


def _read(tokenizer: Qwen3Tokenizer, task: Task) -> Sample:
    """The sample that a finished text is."""
    text, logprobs = tokenizer.decode(task.tokens), task.logprobs
    return Sample(extract_answer(text), sum(logprobs) / len(logprobs), len(logprobs), text)


def _hold(
    batching: ContinuousBatching, ballots: "Iterator[Ballot]"
) -> Iterator[tuple[Any, Consensus]]:
    """Hold as many votes at a time as fill the batch, until there are no more."""
    ballot_of: dict[Task, Ballot] = {}
    while True:
        while batching.has_room and (ballot := next(ballots, None)) is not None:
            ballot_of |= dict.fromkeys(ballot.begin_wave(), ballot)
            if not ballot.tasks:  # there is no room for any
                yield ballot.problem, ballot.result()
        if not batching:
            return
        for ballot in dict.fromkeys(ballot_of.pop(task) for task in batching.step()):
            if ballot.count():
                for task in ballot.tasks:
                    batching.cancel(task)
                    ballot_of.pop(task, None)
                yield ballot.problem, ballot.result()
            elif len(ballot.samples) == len(ballot.tasks):
                ballot_of |= dict.fromkeys(ballot.begin_wave(), ballot)


@dataclass(eq=False)
class Ballot:
    """The vote on one problem, while it is held.

    Attributes:
        problem: whatever tells it from the others.
        num_samples, rule, wave: as in `self_consistency_many`; no samples, if the context has no
            room for them.
        begin: puts the sample of a number into the queue.
        read: makes a `Sample` of a finished text.
        tasks: the samples that were begun.
        samples: those that were counted, which are the first of the tasks.
    """

    problem: Any
    num_samples: int
    rule: StoppingRule
    wave: int | None
    begin: Callable[[int], Task]
    read: Callable[[Task], Sample]
    tasks: list[Task] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)

    def begin_wave(self) -> list[Task]:
        """Begin the next wave."""
        begun, wanted = len(self.tasks), self.wave or self.rule.wave(self.samples, self.num_samples)
        new = [self.begin(number) for number in range(begun, min(begun + wanted, self.num_samples))]
        self.tasks += new
        return new

    def count(self) -> bool:
        """Count the samples that have ended, in sample order; True if the vote is over, whatever
        else is running.
        """
        for task in self.tasks[len(self.samples) :]:
            if task.row is None or not task.row.finished:
                return False
            self.samples.append(self.read(task))
            counted = len(self.samples)
            if counted == self.num_samples or self.rule.stops(self.samples, self.num_samples):
                return True
        return False

    def result(self) -> Consensus:
        """The outcome; rows that are still running must have been cancelled."""
        rows = [task.row for task in self.tasks if task.row is not None]
        tokens = sum(len(row.logprobs) for row in rows)
        return Consensus(
            self.samples, majority_vote(self.samples), self.num_samples, len(rows), tokens
        )
