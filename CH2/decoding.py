"""The decoding engine: the one loop that turns logits into text, under everything in the chapters.

- it keeps *rows*: texts that grow by one token each time the model runs once for all of them
- rows may be admitted between any two steps (iteration-level scheduling: Yu et al., Orca, OSDI
  2022); all rows of a prompt share its keys and values, or each reads it for itself, which is
  faster for a single row
- a row has its own generator, so its random numbers do not depend on its neighbours
- the cache holds a prompt without its last token: that token is each row's first input, so every
  step treats all rows alike
- on a GPU the next step is started before the tokens of the last are read: Python notes them while
  the GPU runs. The extra token of a text that has ended is dropped. That has not yet run on one
- the lists of texts are the truth, the caches follow them: after an exception at any moment, or
  Ctrl-C, the next call first makes the caches agree with the lists, and nothing is lost
"""

import math
import operator
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

import torch

from Appendixes.KVcache import BLOCK, ForkedCache, KVCache, places_without, send
from Appendixes.QWEN3Model import Qwen3Model
from CH2.captured_steps import new_caches
from CH2.compilation import CompiledModel

NUMBERS = 64  # random numbers that a row takes from its generator at a time
# positions of texts that are read together, padding included; a longer text is read by itself
READ_TOGETHER = 2048
READ_TOGETHER_ON_GPU = 32768

# (logits (rows, vocab), uniform (rows,) in [0, 1)) -> ids (rows,)
Sampler = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
NO_TOKEN = -1  # what a sampler may return for a row whose logits are no distribution

F = TypeVar("F", bound=Callable)


def capturable(function: F) -> F:
    """Mark a sampler, or a filter of one, that may be captured with a step, and return it.

    On a GPU it must compute the same way at every step, from its arguments alone, and never ask for
    a number on the host: no `.item()`, no `if` on a tensor, no shape that depends on values.
    """
    function.capturable = True  # type: ignore[attr-defined]
    return function


def is_capturable(function: Callable) -> bool:
    """Return True if a sampler, or a filter of one, may be captured with a step."""
    return getattr(function, "capturable", False)


@capturable
def greedy(logits: torch.Tensor, uniform: torch.Tensor) -> torch.Tensor:
    """Return the most likely token of each row: `(rows, vocab) -> (rows,)`, without chance."""
    return logits.argmax(dim=-1)


@dataclass(frozen=True)
class Draw:
    """The end of a step: tokens, and their natural log-probabilities under the model.

    Attributes:
        sampler: draws the tokens.
    """

    sampler: Sampler

    def __call__(self, logits: torch.Tensor, uniform: torch.Tensor) -> torch.Tensor:
        """Return tokens and log-probabilities as one tensor, `(2, rows)`, in float32 or wider.

        The log-probability is NaN where the sampler found no distribution to draw from.

        Args:
            logits: `(rows, vocab)`.
            uniform: `(rows,)` in [0, 1).
        """
        wide = logits.to(torch.promote_types(logits.dtype, torch.float32))
        tokens = self.sampler(wide, uniform)
        if tokens.shape != uniform.shape:
            raise ValueError(
                f"the sampler gave a tensor of shape {tuple(tokens.shape)}: "
                f"expected a token id for each row, {tuple(uniform.shape)}"
            )
        drawn = tokens.clamp(min=0)
        logprobs = wide.gather(1, drawn[:, None])[:, 0] - wide.logsumexp(dim=-1)
        logprobs = logprobs.masked_fill(tokens == NO_TOKEN, torch.nan)
        return torch.stack((tokens.to(logprobs.dtype), logprobs))


def logits_alone(logits: torch.Tensor, uniform: torch.Tensor) -> torch.Tensor:
    """Return the logits alone: the end of a step whose tokens are drawn outside of it."""
    return logits


@dataclass(eq=False)
class Prompt:
    """A prompt of an engine, which rows may continue until it is released.

    Attributes:
        ids: token ids.
        released: True if it takes no more rows.
        place: its index among the engine's prompts.
    """

    ids: list[int]
    released: bool = False
    place: int = field(default=-1, repr=False)


@dataclass
class NumberBlock:
    """Random numbers of a row that were drawn together.

    Attributes:
        first: the draw that the first number is for, counted from 0.
        state: the generator's, before they were drawn.
        numbers: none while they are being drawn.
    """

    first: int
    state: torch.Tensor
    numbers: list[float] = field(default_factory=list)


@dataclass(eq=False)
class Row:
    """One text that grows by a token per step.

    Attributes:
        prompt: the prompt that it continues.
        max_new_tokens: it ends after this many tokens.
        stop_ids: it ends when one of these is drawn.
        generator: source of its random numbers, on the CPU.
        tokens: generated token ids, without the stop token.
        logprobs: natural log-probability of each drawn token under the model, the stop token's
            included, before any filter of the sampler.
        finish_reason: None while it runs, then "stop", "length" or "cancelled".
    """

    prompt: Prompt
    max_new_tokens: int
    stop_ids: frozenset[int]
    generator: torch.Generator
    tokens: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    finish_reason: str | None = None
    # the last two blocks of numbers: a draw that was started may be done again
    _blocks: list[NumberBlock] = field(default_factory=list, init=False, repr=False)

    def number(self, draw: int) -> float:
        """Return the random number of a draw, the row's next or the one after it.

        The generator gives many at a time.
        """
        # 1. Mostly it was drawn before.
        for block in self._blocks:
            if block.first <= draw < block.first + len(block.numbers):
                return block.numbers[draw - block.first]
        # 2. Draw a block; after an interruption the same again.
        whole = [block for block in self._blocks if block.numbers]
        if len(whole) < len(self._blocks):
            self.generator.set_state(self._blocks[-1].state)
        block = NumberBlock(draw, self.generator.get_state())
        self._blocks = [*whole[-1:], block]
        block.numbers = torch.rand(NUMBERS, generator=self.generator, dtype=torch.float64).tolist()
        return block.numbers[0]

    def return_numbers(self) -> None:
        """Set the generator back to the first number that was not used."""
        draws = len(self.logprobs)
        begun = [block for block in self._blocks if block.first <= draws]
        if begun:
            self.generator.set_state(begun[-1].state)
            torch.rand(draws - begun[-1].first, generator=self.generator, dtype=torch.float64)

    @property
    def finished(self) -> bool:
        """Return True if the row has left the batch."""
        return self.finish_reason is not None

    @property
    def last_token(self) -> int:
        """The newest token id, which the model has not read yet."""
        return self.tokens[-1] if self.tokens else self.prompt.ids[-1]


class Step(NamedTuple):
    """One row's new token, and its natural log-probability under the model.

    If it is a stop token, `row.finish_reason` is "stop".
    """

    row: Row
    token: int
    logprob: float


class StartedStep:
    """A step of the model that was started, and that a GPU may still be running.

    Args:
        rows: the rows for which it draws tokens.
        result: `(2, rows)` from `Draw`; whatever is replayed next may overwrite it.
    """

    def __init__(self, rows: Sequence[Row], result: torch.Tensor):
        self.place_of = {row: place for place, row in enumerate(rows)}
        # copies that are made behind the step, and before anything later: the memory of captured
        # steps is one pool, and prompts or another engine may come before the next step
        self.result = result.clone()
        self._on_host = self.result.to("cpu", non_blocking=True)
        self._copied = torch.cuda.Event() if result.is_cuda else None
        if self._copied is not None:
            self._copied.record()

    def newest_tokens(self, rows: Sequence[Row]) -> torch.Tensor:
        """Return the newest token of each row, `(rows,)` on the device, without waiting for it.

        Those of rows that took no part in the step are in the lists.
        """
        noted = [-1 if row in self.place_of else row.last_token for row in rows]
        places = [self.place_of.get(row, 0) for row in rows]
        noted_ids, columns = send(torch.tensor([noted, places]), self.result.device)
        drawn = self.result[0, columns].long().clamp(min=0)  # NO_TOKEN is no id: read it later
        return torch.where(noted_ids < 0, drawn, noted_ids)

    def read(self, rows: Iterable[Row]) -> list[Step]:
        """Wait for the step's end, and return the tokens of those of its rows that are given."""
        if self._copied is not None:
            self._copied.synchronize()
        tokens, logprobs = self._on_host.tolist()
        return [
            Step(row, int(tokens[place]), logprobs[place])
            for row in rows
            if (place := self.place_of.get(row)) is not None
        ]


class DecodingEngine:
    """A batch of texts, its rows, that grow by one token per step.

        engine = DecodingEngine(model)
        [prompt] = engine.add_prompts([tokenizer.encode("1 + 1 =")])
        rows = [engine.admit(prompt, max_new_tokens=5) for _ in range(3)]
        while engine.rows:
            engine.step()

    An exception in a call, such as a lack of memory, an error of the sampler, or Ctrl-C, leaves a
    step undone or done, and no other call begun: the next call goes on from there, with the tokens
    that would have been drawn without it. A step that was done is returned by the next `step`.

    Args:
        model: a `Qwen3Model`, compiled or not.
        sampler: draws the next tokens; see `Sampler`.
        use_cache: False recomputes every text from its start at every step: slow, and the baseline
            that a cache is measured against.
        share_prompts: True reads a prompt once for all rows that continue it. False lets each row
            read its prompt into its own place of the cache: less work per step for a prompt with
            one row, whose attention then reads one tensor instead of two.
        reuse_buffers: True takes over the buffers of an earlier engine, if the model is compiled
            for a GPU: the steps that were captured on them can be replayed. They are larger than
            this engine's texts need, if the earlier ones were longer.

    Attributes:
        read_together: number of positions that are read in one call of the model, at most.
        rows: rows that are growing, in the order of `row_cache`.
        prompts: prompts that were not released, in the order of `prompt_cache`.
        prompt_cache, row_cache: keys and values; one cache if prompts are not shared.
    """

    def __init__(
        self,
        model: Qwen3Model,
        *,
        sampler: Sampler = greedy,
        use_cache: bool = True,
        share_prompts: bool = True,
        reuse_buffers: bool = False,
    ):
        self.model = model
        self.sampler = sampler
        self.use_cache = use_cache
        self.share_prompts = share_prompts
        self.device = next(model.parameters()).device
        self.read_together = read_together(self.device)
        self.rows: list[Row] = []
        self.prompts: list[Prompt] = []
        self.steps = model.steps if use_cache and isinstance(model, CompiledModel) else None
        self.reuse_buffers = reuse_buffers and self.steps is not None
        self._interrupted = self._not_numbers = False
        # the step that was started ahead: in the cache its rows are one token longer than in the
        # lists
        self._started: StartedStep | None = None
        # the steps that were drawn, and the numbers of draws of their rows before; none if noted
        # and returned
        self._drawn: tuple[list[Step], list[int]] = [], []
        self.prompt_cache, self.row_cache = (
            self.steps.lend(self, share_prompts)
            if self.steps is not None and reuse_buffers
            else new_caches(share_prompts)
        )
        if isinstance(model, CompiledModel) and isinstance(self.row_cache, ForkedCache):
            self.row_cache.always_indexed = self.steps is None

    @torch.no_grad()
    def add_prompts(self, prompts: Sequence[Sequence[int]]) -> list[Prompt]:
        """Make prompts ready to be continued; if rows share them, read them (prefill).

        Those of similar length are read in one call of the model, so the memory that this takes
        does not grow with their number, nor because one of them is long.

        Raises:
            ValueError: a prompt is empty, too long for the model, or holds an id that is not in the
                vocabulary.
        """
        # 1. Check all before any is read.
        added = [Prompt(self.checked(ids)) for ids in prompts]
        with self._whole():
            # 2. Read them, in groups. Rows that do not share them read them later, in `admit`.
            in_order = added
            if self.use_cache and self.share_prompts:
                groups = similar_lengths([len(prompt.ids) for prompt in added], self.read_together)
                in_order = [added[index] for group in groups for index in group]
                for group in groups:
                    self._prefill([added[index] for index in group])
            # 3. Keep them in the order of the cache's rows.
            self.prompts = self._placed([*self.prompts, *in_order])
        return added

    @torch.no_grad()
    def admit(
        self,
        prompt: Prompt,
        max_new_tokens: int,
        *,
        stop_ids: Iterable[int] = (),
        generator: torch.Generator | None = None,
    ) -> Row:
        """Start one more continuation of a prompt.

        Args:
            prompt: from `add_prompts`.
            max_new_tokens: the row ends after this many.
            stop_ids: the row ends when one of these is drawn.
            generator: source of the row's random numbers, on the CPU; None: a new one with seed 0.

        Raises:
            ValueError: `max_new_tokens` is no integer or less than 1, prompt and answer together
                exceed the context length, the stop ids are no integers, the generator is none, or
                the prompt was released or is another engine's.
        """
        # 1. Refuse what could not be finished.
        max_new_tokens = self._check_room(prompt.ids, max_new_tokens)
        generator = torch.Generator().manual_seed(0) if generator is None else generator
        stops = frozenset(integers(stop_ids, "stop_ids"))
        row = Row(prompt, max_new_tokens, stops, checked_generator(generator))
        if not self._holds(prompt):
            raise ValueError("this prompt was released, or belongs to another engine; add it again")
        with self._whole():
            # 2. Give the row a place in the cache, behind the shared prompt or behind its own.
            if self.use_cache and isinstance(self.row_cache, ForkedCache):
                self.row_cache.continue_rows([prompt.place])
            elif self.use_cache:
                self._prefill([prompt])
            # 3. Let it take part in the next step.
            self.rows.append(row)
        return row

    @torch.no_grad()
    def step(self) -> list[Step]:
        """Give every row its next token; rows that end leave the batch.

        On a GPU the step after is then running already. Rows that are admitted meanwhile do not
        take part in it, and get their first token a call later.

        Raises:
            FloatingPointError: a row's logits are NaN or infinite.
        """
        with self._whole():
            steps, _ = self._drawn
            if not steps and self.rows:  # else a step was done, but not returned
                # 1. Run the model once for all rows, and draw a token for each, unless the last
                #    call has started that. Let a GPU begin the step after.
                started = self._started or self._start()
                self._started = self._start(started) if self._may_start_ahead() else None
                # 2. Wait for the tokens.
                steps = started.read(self.rows)
                if math.isnan(sum(step.logprob for step in steps)):
                    self._not_numbers = True
                    raise FloatingPointError(
                        "the model's logits are NaN or infinite: check the weights, or use a "
                        "wider dtype"
                    )
                # 3. Note them; rows that end leave.
                self._drawn = steps, [len(step.row.logprobs) for step in steps]
                self._note_drawn()
                self._remove_finished()
        self._drawn = [], []
        return steps

    @torch.no_grad()
    def cancel(self, row: Row) -> None:
        """Take a row out of the batch; what it has generated stays in `row.tokens`."""
        with self._whole():
            if not row.finished:
                row.finish_reason = "cancelled"
                self._remove_finished()
        self._interrupted = self._not_numbers  # then the caches are cleaned of what it left there

    @torch.no_grad()
    def release(self, *prompts: Prompt) -> None:
        """Forget prompts, if that has not been done yet; with the last one the memory of all
        prompts is given back.

        Raises:
            ValueError: rows still read one of them, or it is another engine's.
        """
        # 1. Refuse all if one cannot be released.
        leaving = [prompt for prompt in prompts if not prompt.released]
        if not all(map(self._holds, leaving)):
            raise ValueError("this prompt belongs to another engine")
        with self._whole():
            if self.share_prompts and {row.prompt for row in self.rows} & set(leaving):
                raise ValueError(
                    "rows still continue this prompt: cancel them or let them finish first"
                )
            # 2. Release them.
            for prompt in leaving:
                prompt.released = True
            self._remove_released()
        self._interrupted = self._not_numbers

    def give_back(self) -> None:
        """Give the memory of rows back, if there are none, and no captured steps stand on it."""
        if self.rows or not self.use_cache:
            return
        if self.steps is None or self.row_cache.nbytes > self.steps.idle_bytes:
            with self._whole():
                self.row_cache.clear()

    @contextmanager
    def _whole(self) -> Iterator[None]:
        """Let a call be done as a whole: if one was interrupted before, first tidy up after it."""
        self.settle()
        self._interrupted = True
        yield
        self._interrupted = False

    @torch.no_grad()
    def settle(self) -> None:
        """Make caches and lists agree, if a call was interrupted; every other call begins so.

        This may be interrupted itself.
        """
        if not self._interrupted:
            return
        # 1. Tokens that were drawn are noted.
        self._note_drawn()
        self._placed(self.prompts)
        # 2. Caches forget rows and prompts that did not reach the lists, and tokens that were read
        #    for nothing, such as those of a step that was started ahead.
        self._started = None
        if self.use_cache:
            self.row_cache.restore(self._lengths(self.rows))
            if isinstance(self.row_cache, ForkedCache):
                self.row_cache.parent_rows = [row.prompt.place for row in self.rows]
                self.prompt_cache.restore(
                    []
                    if all(prompt.released for prompt in self.prompts)  # it may be empty already
                    else [len(prompt.ids) - 1 for prompt in self.prompts]
                )
        # 3. Removals that were begun are completed.
        self._remove_finished()
        self._remove_released()
        self._interrupted = False

    def _note_drawn(self) -> None:
        """Append the tokens that were drawn; a row ends with a stop token, or with the last token
        that it may have. Done twice, it changes nothing.
        """
        for (row, token, logprob), before in zip(*self._drawn, strict=True):
            stops = token in row.stop_ids
            row.tokens[before:] = [] if stops else [token]
            row.logprobs[before:] = [logprob]
            if stops:
                row.finish_reason = "stop"
            elif len(row.tokens) == row.max_new_tokens:
                row.finish_reason = "length"

    def _remove_finished(self) -> None:
        """Take rows that have ended out of the batch and out of the cache."""
        places = [place for place, row in enumerate(self.rows) if row.finished]
        if not places:
            return
        for place in places:
            self.rows[place].return_numbers()
        stay = [self.rows[place] for place in places_without(len(self.rows), places)]
        if self._started is not None:  # it has read a token more of them, for nothing
            self.row_cache.wipe_newest(places)
        if self.use_cache:
            self.row_cache.remove_rows(places, max(self._lengths(stay), default=0))
        self.rows = stay
        if self._started is not None and self._started.place_of.keys().isdisjoint(stay):
            self._started = None

    def _lengths(self, rows: Iterable[Row]) -> list[int]:
        """Return the number of tokens that the cache of rows holds of each.

        These are the last token of its prompt, or all of them, and its new tokens without the
        newest; with it, where a step was started ahead.
        """
        ahead = () if self._started is None else self._started.place_of
        own_prompt = not self.share_prompts
        return [
            len(row.tokens) + (row in ahead) + own_prompt * (len(row.prompt.ids) - 1)
            for row in rows
        ]

    def _remove_released(self) -> None:
        """Take released prompts out of the list and out of the cache."""
        places = [place for place, prompt in enumerate(self.prompts) if prompt.released]
        if not places:
            return
        stay = [self.prompts[place] for place in places_without(len(self.prompts), places)]
        if self.use_cache and self.share_prompts:
            if stay:
                longest = max(len(prompt.ids) for prompt in stay) - 1
                self.prompt_cache.remove_rows(places, longest)
            elif self.reuse_buffers:
                self.prompt_cache.empty()
            else:
                self.prompt_cache.clear()
        self.prompts = self._placed(stay)

    def _placed(self, prompts: list[Prompt]) -> list[Prompt]:
        """Note each prompt's place in a list, and return the list."""
        for place, prompt in enumerate(prompts):
            prompt.place = place
        return prompts

    def _holds(self, prompt: Prompt) -> bool:
        """Return True if this is one of the engine's prompts."""
        return prompt in self.prompts[prompt.place : prompt.place + 1]

    def _may_start_ahead(self) -> bool:
        """Return True if a step may be started before the tokens of the last are read.

        Its rows must be known: none gets its last token now. Their tokens are on the device, where
        a static step can take them from.
        """
        return (
            self.steps is not None
            and is_capturable(self.sampler)
            and all(len(row.tokens) + 1 < row.max_new_tokens for row in self.rows)
        )

    def _start(self, last: StartedStep | None = None) -> StartedStep:
        """Run the model and draw each row's next token and its log-probability.

        Args:
            last: the step before, if its tokens were not read yet.
        """
        # 1. Take a random number of each row's own generator.
        unread = () if last is None else last.place_of
        uniform = torch.tensor(
            [row.number(len(row.logprobs) + (row in unread)) for row in self.rows],
            dtype=torch.float64,
        )
        if self.device.type == "mps":  # Apple's GPUs have no float64
            uniform = uniform.float()
        # 2. Run the model, or the static step for these rows, which may draw as well.
        draw = Draw(self.sampler)
        shape = None if self.steps is None else self.row_cache.step_shape()
        if self.steps is None or shape is None:
            return StartedStep(self.rows, draw(self._logits(), uniform.to(self.device)))
        within = is_capturable(self.sampler)
        ids = (
            torch.tensor([row.last_token for row in self.rows])
            if last is None
            else last.newest_tokens(self.rows)
        )
        result = self.steps.run(
            self.model,
            self.row_cache,
            shape,
            ids,
            uniform,
            draw if within else logits_alone,
        )
        # 3. Leave the idle places out.
        rows = len(self.rows)
        result = result[:, :rows] if within else draw(result[:rows], uniform.to(self.device))
        return StartedStep(self.rows, result)

    def _logits(self) -> torch.Tensor:
        """Run the model: logits of each row's next token, `(rows, vocab)`."""
        if self.use_cache:
            last_tokens = torch.tensor([[row.last_token] for row in self.rows], device=self.device)
            return self.model(last_tokens, cache=self.row_cache)[:, -1]
        texts = [row.prompt.ids + row.tokens for row in self.rows]
        logits: list[torch.Tensor] = [torch.empty(0)] * len(texts)
        for group in similar_lengths([len(text) for text in texts], self.read_together):
            input_ids, padding_mask = pad_right([texts[index] for index in group], self.device)
            read = self.model(input_ids, last_position_only=True, padding_mask=padding_mask)
            for index, row_logits in zip(group, read[:, -1], strict=True):
                logits[index] = row_logits
        return torch.stack(logits)

    def _prefill(self, prompts: list[Prompt]) -> None:
        """Read prompts, each without its last token, into new rows of the cache of prompts."""
        texts = [prompt.ids[:-1] for prompt in prompts]
        # 1. A GPU has a kept reading for few and short ones.
        cache = None if self.steps is None else self.steps.read(self.model, texts)
        # 2. Else an empty cache reads them itself; one in use has rows that must not be extended
        #    now.
        if cache is None:
            cache = KVCache() if self.prompt_cache.rows else self.prompt_cache
            if any(texts):
                ids, mask = pad_right(texts, self.device)
                self.model(ids, cache=cache, last_position_only=True, padding_mask=mask)
            else:  # prompts of one token leave nothing to read
                cache.add_rows(len(texts), self.device)
        # 3. What was read elsewhere is copied behind the rows in use.
        if cache is not self.prompt_cache:
            self.prompt_cache.append_rows_of(cache)

    def checked(self, ids: Sequence[int], max_new_tokens: int | None = None) -> list[int]:
        """Return a prompt as a list of ints, if the model can read and continue it.

        Args:
            ids: token ids.
            max_new_tokens: number of tokens that there must be room for; None: at least one.

        Raises:
            ValueError: as `add_prompts` and `admit` do.
        """
        # 1. There are ids, and all are in the vocabulary.
        ids = integers(ids, "the prompt")
        config = self.model.config
        vocab_size, context = config.vocab_size, config.max_position_embeddings
        if not ids:
            raise ValueError("the prompt is empty: the model needs at least one token to continue")
        if min(ids) < 0 or max(ids) >= vocab_size:
            wrong = next(token for token in ids if not 0 <= token < vocab_size)
            raise ValueError(
                f"token id {wrong} is not in the vocabulary of {vocab_size}: "
                "was another tokenizer used?"
            )
        # 2. The context has room for them and the answer.
        if len(ids) >= context:
            raise ValueError(
                f"the prompt has {len(ids)} tokens, "
                f"and the context of {context} leaves no room to answer"
            )
        if max_new_tokens is not None:
            self._check_room(ids, max_new_tokens)
        return ids

    def _check_room(self, ids: list[int], max_new_tokens: int) -> int:
        """Return the number of new tokens, if it is at least one and the context holds them."""
        context = self.model.config.max_position_embeddings
        max_new_tokens = integer(max_new_tokens, "max_new_tokens")
        if max_new_tokens < 1:
            raise ValueError(
                f"max_new_tokens is {max_new_tokens}: a row needs room for at least one token"
            )
        if len(ids) + max_new_tokens > context:
            raise ValueError(
                f"{len(ids)} prompt tokens and {max_new_tokens} new ones exceed the context of "
                f"{context}; at most {max(context - len(ids), 0)} new tokens fit"
            )
        return max_new_tokens


def integer(value: object, name: str) -> int:
    """Return an integer of Python, NumPy or PyTorch as an int.

    Args:
        value: what was given.
        name: what it stands for, for the message.

    Raises:
        ValueError: it is a float, a text, True or False, or anything else.
    """
    try:
        if isinstance(value, bool):
            raise TypeError
        return operator.index(value)  # type: ignore[arg-type]
    except (TypeError, RuntimeError):
        raise ValueError(f"{name} is {value!r}: expected an integer") from None


def integers(values: Iterable[int], name: str) -> list[int]:
    """Return token ids as a list of ints.

    Args:
        values: a list, a set, a tensor or the like.
        name: what they are, for the message.

    Raises:
        ValueError: they are a text, one number or None, or hold anything but integers.
    """
    listed = values.tolist() if isinstance(values, torch.Tensor) else values
    if isinstance(listed, str | bytes) or not isinstance(listed, Iterable):
        raise ValueError(
            f"{name} is {values!r}: expected a list of integers, as a tokenizer gives them"
        )
    return [integer(value, f"an id of {name}") for value in listed]


def checked_generator(generator: torch.Generator) -> torch.Generator:
    """Return a source of random numbers, if it is one on the CPU.

    Raises:
        ValueError: it is a seed, on another device, or anything else.
    """
    if not isinstance(generator, torch.Generator) or generator.device.type != "cpu":
        raise ValueError(
            f"the generator is {generator!r}: expected one on the CPU, such as "
            "torch.Generator().manual_seed(0)"
        )
    return generator


def read_together(device: torch.device) -> int:
    """Return the number of positions that a device reads at once without taking much memory."""
    return READ_TOGETHER if device.type == "cpu" else READ_TOGETHER_ON_GPU


def similar_lengths(
    lengths: Sequence[int],
    positions: int,
    positions_of: Callable[[int, int], int] = operator.mul,
) -> list[list[int]]:
    """Group texts so that little padding is read, and each group is small enough for one call.

    The longest text of a group is at most twice as long as its shortest, and 64 tokens.

    Args:
        lengths: of the texts, in tokens.
        positions: of a group, padding included, at most; a longer text is alone.
        positions_of: computes them from a group's number of texts and its longest text's length.

    Returns:
        Indices into `lengths`: the groups from short to long, each in the order given.

    >>> similar_lengths([3000, 1, 2, 1], positions=2048)
    [[1, 2, 3], [0]]
    """
    groups: list[list[int]] = []
    for index in sorted(range(len(lengths)), key=lengths.__getitem__):
        length = lengths[index]
        if (
            not groups
            or length > 2 * lengths[groups[-1][0]] + BLOCK
            or positions_of(len(groups[-1]) + 1, length) > positions
        ):
            groups.append([])
        groups[-1].append(index)
    return [sorted(group) for group in groups]


def pad_right(
    texts: Collection[list[int]], device: torch.device | str | None = None
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Put lists of ids of different lengths into one tensor.

    Returns:
        `input_ids (rows, longest)`, zeros behind each text, and the bool `padding_mask`, True for
        real tokens; `padding_mask` is None if all texts are equally long.

    >>> pad_right([[5, 6], [7]])
    (tensor([[5, 6],
            [7, 0]]), tensor([[ True,  True],
            [ True, False]]))
    """
    longest = max(map(len, texts))
    input_ids = torch.tensor([ids + [0] * (longest - len(ids)) for ids in texts], device=device)
    if all(len(ids) == longest for ids in texts):
        return input_ids, None
    lengths = torch.tensor([len(ids) for ids in texts], device=device)
    return input_ids, torch.arange(longest, device=device) < lengths[:, None]
