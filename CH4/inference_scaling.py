"""Self-consistency: draw several solutions of a problem, and let their answers vote.

- method: Wang et al., 2023, https://arxiv.org/abs/2203.11171
- all samples of a prompt share one prefill and one copy of its keys and values, and grow together
- `votes` is the one loop: it draws samples in waves until a stopping rule ends the vote, many votes
  at a time, from any `Writer`: a model in this process, or a server
- a sample depends on the seed, its prompt and its number alone (`CH2.seeds.text_seed`), not on the
  samples beside it
"""

import time
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Generic, TypeVar

from Appendixes.QWEN3Model import Qwen3Model
from Appendixes.QWEN3Tokenizer import Qwen3Tokenizer
from CH3.evaluation.answers import answer_in
from CH3.evaluation.writers import REFUSED, ModelWriter, Text, Writer
from CH4 import sampling
from CH4.early_stopping import StoppingRule, stopping_rule
from CH4.sampling import min_p, sampler, temperature, top_k, top_p
from CH4.voting import Sample, Vote, majority_vote

__all__ = [
    "Consensus",
    "min_p",
    "sampler",
    "self_consistency",
    "self_consistency_many",
    "temperature",
    "top_k",
    "top_p",
    "votes",
]

P = TypeVar("P")  # anything that tells a problem from the others
Q = TypeVar("Q")  # a prompt as a writer takes it: text, or token ids


@dataclass(frozen=True)
class Consensus(Vote):
    """The majority vote on one problem, and the cost of its samples.

    Attributes:
        samples: the samples that were counted, in sample order.
        num_samples: size of the full vote; 0 if the prompt left no room for an answer.
        drawn: number of samples begun; more than were counted if some were cancelled.
        tokens: number of tokens drawn, those of cancelled samples included.
    """

    samples: list[Sample]
    num_samples: int
    drawn: int
    tokens: int

    @property
    def shares(self) -> dict[str, float]:
        """Each answer's share of the votes; samples without an answer do not vote."""
        return {group.answer: group.share for group in self.groups}

    @property
    def samples_saved(self) -> int:
        """Number of samples of the full vote that were never begun."""
        return self.num_samples - self.drawn


@dataclass(eq=False)
class Ballot(Generic[P]):
    """The vote on one problem, while its samples are being drawn.

    Attributes:
        problem: anything that tells it from the others.
        begin: begins the text of a number; returns its ticket.
        tickets: of the texts that were begun, in sample order.
        texts: the texts that have ended, by ticket; cancelled ones as far as they got, None if they
            never began.
        samples: the samples that were counted: those of the first tickets.
        started: time at which the vote began, by `time.perf_counter`, in seconds.
        failure: the text that ended the vote before it was complete, because the server gave none,
            or the prompt was refused: the context had no room, say.
    """

    problem: P
    begin: Callable[[int], Hashable]
    tickets: list[Hashable] = field(default_factory=list)
    texts: dict[Hashable, Text | None] = field(default_factory=dict)
    samples: list[Sample] = field(default_factory=list)
    started: float = field(default_factory=time.perf_counter)
    failure: Text | None = None

    @property
    def drawn(self) -> list[Text]:
        """All texts that were begun, also those that were cancelled."""
        return [text for text in self.texts.values() if text is not None]

    @property
    def tokens(self) -> int:
        """Number of tokens drawn, those of cancelled texts included."""
        return sum(text.tokens for text in self.drawn)

    def count(self, rule: StoppingRule, num_samples: int) -> bool:
        """Count the texts that have ended, in sample order; return True if the vote is over."""
        for ticket in self.tickets[len(self.samples) :]:
            text = self.texts.get(ticket)
            if text is None:
                return False
            if text.error is not None or text.finish_reason == REFUSED:
                self.failure = text
                return True
            # a server that gives no log-probabilities: all samples count as equally likely
            logprob = 0.0 if text.logprob is None else text.logprob
            reason = text.finish_reason
            answer = answer_in(text.text, reason)
            sample = Sample(answer, logprob, text.tokens, text.text, finish_reason=reason)
            self.samples.append(sample)
            if len(self.samples) == num_samples or rule.stops(self.samples, num_samples):
                return True
        return False


def votes(
    writer: Writer[Q],
    problems: Iterable[tuple[P, Q]],
    num_samples: int,
    rule: str | StoppingRule | None = None,
    wave: int | None = None,
) -> Iterator[Ballot[P]]:
    """Vote on many problems at a time, with samples drawn in waves until the rule stops.

    Args:
        writer: draws the samples.
        problems: pairs of anything that tells a problem from the others, and its prompt as
            `Writer.begin` takes it. They are taken from the iterable while there is room for them.
        num_samples: size of the full vote.
        rule: ends a vote early; see `CH4.early_stopping.stopping_rule`.
        wave: number of samples begun at a time; None: the fewest after which the rule could stop.

    Yields:
        Each vote when it is over, in the order in which they end. A vote whose `failure` is set has
        fewer samples than it needs.

    Raises:
        ValueError: `num_samples` or `wave` is less than 1, or there is no such rule.
    """
    for name, value in (("num_samples", num_samples), ("wave", wave)):
        if value is not None and value < 1:
            raise ValueError(f"{name} is {value}: expected at least 1")
    return _held(writer, iter(problems), num_samples, stopping_rule(rule), wave)


def _held(
    writer: Writer[Q],
    problems: Iterator[tuple[P, Q]],
    num_samples: int,
    rule: StoppingRule,
    wave: int | None,
) -> Iterator[Ballot[P]]:
    """Run the loop of `votes`, which has checked the arguments."""
    ballot_of: dict[Hashable, Ballot[P]] = {}

    def begin_wave(ballot: Ballot[P]) -> None:
        begun, size = len(ballot.tickets), wave or rule.wave(ballot.samples, num_samples)
        for number in range(begun, min(begun + size, num_samples)):
            ballot.tickets.append(ballot.begin(number))
            ballot_of[ballot.tickets[-1]] = ballot

    def cancel_rest(ballot: Ballot[P]) -> None:
        for ticket in ballot.tickets:
            if ballot_of.pop(ticket, None) is not None:
                ballot.texts[ticket] = writer.cancel(ticket)

    try:
        while True:
            # 1. Begin votes on further problems while the writer has room.
            while writer.has_room and (pair := next(problems, None)) is not None:
                problem, prompt = pair
                begin_wave(Ballot(problem, partial(writer.begin, prompt)))
            if not ballot_of:
                return
            # 2. Wait for texts, and hand each to its ballot.
            touched: dict[Ballot[P], None] = {}  # in the order of their first text
            for ticket, text in writer.finished():
                ballot = ballot_of.pop(ticket)
                ballot.texts[ticket] = text
                touched[ballot] = None
            # 3. Count. A vote that is over cancels its other texts; one that has counted all it
            #    began begins its next wave.
            for ballot in touched:
                if ballot.count(rule, num_samples):
                    cancel_rest(ballot)
                    yield ballot
                elif len(ballot.samples) == len(ballot.tickets):
                    begin_wave(ballot)
    finally:
        # 4. When the reader stops early, cancel the texts of all votes that are still held.
        for ballot in set(ballot_of.values()):
            cancel_rest(ballot)


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
        num_samples: number of solutions that vote.
        settings: how they are drawn, and when that ends: the keyword arguments of
            `self_consistency_many`.

    Raises:
        ValueError, FloatingPointError: as `self_consistency_many`; and if the prompt fills the
            model's context.
    """
    ids = tokenizer.encode(prompt) if isinstance(prompt, str) else prompt
    context = model.config.max_position_embeddings
    if len(ids) >= context:
        raise ValueError(
            f"the prompt has {len(ids)} tokens, and the context of {context} "
            "leaves no room to answer: shorten the prompt"
        )
    [(_, consensus)] = self_consistency_many(
        model, tokenizer, [(None, ids)], num_samples, **settings
    )
    return consensus


def self_consistency_many(
    model: Qwen3Model,
    tokenizer: Qwen3Tokenizer,
    problems: Iterable[tuple[P, str | Sequence[int]]],
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
    max_concurrent: int = 64,
    max_cache_bytes: int | None = None,
) -> Iterator[tuple[P, Consensus]]:
    """Draw and vote as `self_consistency` does, for many problems whose samples grow together.

    Args:
        model, tokenizer, num_samples: as in `self_consistency`.
        problems: pairs of anything that tells a problem from the others, and its prompt. They are
            taken from the iterable while there is room for them.
        temperature, top_k, top_p, min_p: reshape the distribution that tokens are drawn from, in
            this order (see `CH4.sampling`); None leaves a filter out. At temperature 0 all samples
            are equal.
        max_new_tokens: a sample ends after this many, or at the end of the model's context.
        seed: fixes all samples.
        early_stopping: None, "decided", "window", "confident", or a rule of `CH4.early_stopping`.
        wave: number of samples begun at a time. None: the fewest after which the rule could stop,
            which saves most tokens. With `num_samples`, all are begun at once and the running ones
            cancelled when the rule stops: more tokens, less time.
        max_concurrent: number of samples that grow at the same time.
        max_cache_bytes: limit of their keys and values; None: no limit.

    Yields:
        Pairs of the problem, as it was given, and its `Consensus`, in the order in which the votes
        end. Each is what the problem gives alone. A prompt that fills the model's context gets a
        consensus without samples; the votes on other problems go on.

    Raises:
        ValueError: `num_samples`, `wave`, `max_concurrent` or `max_new_tokens` is less than 1, or a
            filter or the rule is not valid; or, when its turn comes, a prompt is empty or holds an
            id that is not in the vocabulary.
        FloatingPointError: the model's logits are not numbers.
    """
    # 1. Make the sampler, and the writer that draws with it; a text is a whole prompt.
    filters = [sampling.temperature(temperature)]
    filters += [] if top_k is None else [sampling.top_k(top_k)]
    filters += [] if top_p is None else [sampling.top_p(top_p)]
    filters += [] if min_p is None else [sampling.min_p(min_p)]
    writer = ModelWriter(
        model,
        tokenizer,
        template="{problem}",
        max_new_tokens=max_new_tokens,
        sampler=sampler(*filters),
        seed=seed,
        max_concurrent=max_concurrent,
        max_cache_bytes=max_cache_bytes,
    )
    # 2. Hold the votes, and sum up each when it is over.
    ballots = votes(writer, problems, num_samples, early_stopping, wave)
    return ((ballot.problem, _consensus(ballot, num_samples)) for ballot in ballots)


def _consensus(ballot: Ballot[P], num_samples: int) -> Consensus:
    """Sum up a vote that is over."""
    groups = majority_vote(ballot.samples).groups
    if ballot.failure is not None:  # the context has no room
        return Consensus(groups, [], 0, 0, 0)
    return Consensus(groups, ballot.samples, num_samples, len(ballot.drawn), ballot.tokens)
