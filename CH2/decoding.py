"""The decoding engine: the one loop that turns logits into text, under everything in the chapters.

- it keeps *rows*: texts that grow by one token each time the model runs once for all of them
- rows may be admitted between any two steps (iteration-level scheduling: Yu et al., Orca, OSDI
  2022); all rows of a prompt share its keys and values, or each reads it for itself, which is
  faster for a single row
- a row has its own generator, so its random numbers do not depend on its neighbours
- the cache holds a prompt without its last token: that token is each row's first input, so every
  step treats all rows alike
"""

import math
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import torch

from Appendixes.KVcache import ForkedCache, KVCache, swap_remove
from Appendixes.QWEN3Model import Qwen3Model
from CH2.captured_steps import new_caches
from CH2.compilation import CompiledModel

NUMBERS = 64  # random numbers that a row takes from its generator at a time

# (logits (rows, vocab), uniform (rows,) in [0, 1)) -> ids (rows,)
Sampler = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def capturable(sampler: Sampler) -> Sampler:
    """Mark a sampler that may be captured with a step, and return it.

    It must compute the same way at every step, from its two arguments alone, and never ask for a
    number on the host: no `.item()`, no `if` on a tensor, no shape that depends on values.
    """
    sampler.capturable = True  # type: ignore[attr-defined]
    return sampler


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

        Args:
            logits: `(rows, vocab)`.
            uniform: `(rows,)` in [0, 1).
        """
        wide = logits.to(torch.promote_types(logits.dtype, torch.float32))
        tokens = self.sampler(wide, uniform)
        logprobs = wide.gather(1, tokens[:, None])[:, 0] - wide.logsumexp(dim=-1)
        return torch.stack((tokens.to(logprobs.dtype), logprobs))


def logits_alone(logits: torch.Tensor, uniform: torch.Tensor) -> torch.Tensor:
    """Return the logits alone: the end of a step whose tokens are drawn outside of it."""
    return logits


@dataclass(eq=False)
class Prompt:
    """A prompt of an engine, which rows may continue until it is released."""

    ids: list[int]
    released: bool = False


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
    # numbers drawn in advance, and the generator's state before them
    _numbers: list[float] = field(default_factory=list, init=False, repr=False)  # in reverse
    _state: torch.Tensor | None = field(default=None, init=False, repr=False)

    def next_number(self) -> float:
        """Return the next random number of the row's generator, which gives many at a time."""
        if not self._numbers:
            self._state = self.generator.get_state()
            numbers = torch.rand(NUMBERS, generator=self.generator, dtype=torch.float64)
            self._numbers = numbers.tolist()[::-1]
        return self._numbers.pop()

    def return_numbers(self) -> None:
        """Set the generator back to the first number that was not used."""
        if self._numbers and self._state is not None:
            self.generator.set_state(self._state)
            used = NUMBERS - len(self._numbers)
            torch.rand(used, generator=self.generator, dtype=torch.float64)
            self._numbers = []

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


class DecodingEngine:
    """A batch of texts, its rows, that grow by one token per step.

        engine = DecodingEngine(model)
        [prompt] = engine.add_prompts([tokenizer.encode("1 + 1 =")])
        rows = [engine.admit(prompt, max_new_tokens=5) for _ in range(3)]
        while engine.rows:
            engine.step()

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
        self.rows: list[Row] = []
        self.prompts: list[Prompt] = []
        self.steps = model.steps if use_cache and isinstance(model, CompiledModel) else None
        self.reuse_buffers = reuse_buffers and self.steps is not None
        self.prompt_cache, self.row_cache = (
            self.steps.lend(self, share_prompts)
            if self.steps is not None and reuse_buffers
            else new_caches(share_prompts)
        )

    @torch.no_grad()
    def add_prompts(self, prompts: Sequence[Sequence[int]]) -> list[Prompt]:
        """Make prompts ready to be continued; if rows share them, read all in one call of the
        model (prefill).

        Raises:
            ValueError: a prompt is empty, too long for the model, or holds an id that is not in the
                vocabulary.
        """
        # 1. Check all before any is read.
        added = [Prompt(self.checked(ids)) for ids in prompts]
        # 2. Read them together. Rows that do not share them read them later, in `admit`.
        if self.use_cache and self.share_prompts:
            self._prefill(added)
        # 3. Keep them in the order of the cache's rows.
        self.prompts += added
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
            ValueError: `max_new_tokens` is less than 1, prompt and answer together exceed the
                context length, or the prompt was released or is another engine's.
        """
        # 1. Refuse what could not be finished.
        self._check_room(prompt.ids, max_new_tokens)
        if prompt not in self.prompts:
            raise ValueError("this prompt was released, or belongs to another engine; add it again")
        # 2. Give the row a place in the cache, behind the shared prompt or behind its own.
        if self.use_cache and isinstance(self.row_cache, ForkedCache):
            self.row_cache.continue_rows([self.prompts.index(prompt)])
        elif self.use_cache:
            self._prefill([prompt])
        # 3. Let it take part in the next step.
        generator = torch.Generator().manual_seed(0) if generator is None else generator
        row = Row(prompt, max_new_tokens, frozenset(int(stop) for stop in stop_ids), generator)
        self.rows.append(row)
        return row

    @torch.no_grad()
    def step(self) -> list[Step]:
        """Give every row its next token; rows that end leave the batch.

        Raises:
            FloatingPointError: the model's logits are not numbers.
        """
        if not self.rows:
            return []
        # 1. Run the model once for all rows, and draw a token for each.
        tokens, logprobs = self._draw().tolist()
        if math.isnan(sum(logprobs)):
            raise FloatingPointError(
                "the model's logits are NaN: check the weights, or use a wider dtype"
            )
        # 2. Append them; a row ends with a stop token, or with the last token it may have.
        steps = [
            Step(row, int(token), logprob)
            for row, token, logprob in zip(self.rows, tokens, logprobs, strict=True)
        ]
        ended = []
        for row, token, logprob in steps:
            row.logprobs.append(logprob)
            if token in row.stop_ids:
                ended.append((row, "stop"))
                continue
            row.tokens.append(token)
            if len(row.tokens) == row.max_new_tokens:
                ended.append((row, "length"))
        # 3. Take out those that ended, the last first, so that none of them is moved before.
        for row, reason in reversed(ended):
            self._finish(row, reason)
        return steps

    def cancel(self, row: Row) -> None:
        """Take a row out of the batch; what it has generated stays in `row.tokens`."""
        if not row.finished:
            self._finish(row, "cancelled")

    def release(self, prompt: Prompt) -> None:
        """Forget a prompt, if that has not been done yet; with the last one the memory of all
        prompts is given back.

        Raises:
            ValueError: rows still read it, or it is another engine's.
        """
        if prompt.released:
            return
        if prompt not in self.prompts:
            raise ValueError("this prompt belongs to another engine")
        if self.share_prompts and any(row.prompt is prompt for row in self.rows):
            raise ValueError(
                "rows still continue this prompt: cancel them or let them finish first"
            )
        place = self.prompts.index(prompt)
        if self.use_cache and self.share_prompts and len(self.prompts) > 1:
            self.prompt_cache.remove_row(place)
        elif self.use_cache and self.share_prompts and self.reuse_buffers:
            self.prompt_cache.empty()
        elif self.use_cache and self.share_prompts:
            self.prompt_cache.clear()
        swap_remove(self.prompts, place)
        prompt.released = True

    def _finish(self, row: Row, reason: str) -> None:
        """Take a row out of the batch and out of the cache."""
        row.finish_reason = reason
        row.return_numbers()
        place = self.rows.index(row)
        if self.use_cache:
            self.row_cache.remove_row(place)
        swap_remove(self.rows, place)

    def _draw(self) -> torch.Tensor:
        """Run the model and draw: each row's next token and its log-probability, `(2, rows)`."""
        # 1. Take a random number of each row's own generator.
        uniform = torch.tensor([row.next_number() for row in self.rows], dtype=torch.float64)
        if self.device.type == "mps":  # Apple's GPUs have no float64
            uniform = uniform.float()
        # 2. Run the model, or the static step for these rows, which may draw as well.
        draw = Draw(self.sampler)
        shape = None if self.steps is None else self.row_cache.step_shape()
        if self.steps is None or shape is None:
            return draw(self._logits(), uniform.to(self.device))
        within = hasattr(self.sampler, "capturable")
        last_tokens = [row.last_token for row in self.rows]
        result = self.steps.run(
            self.model,
            self.row_cache,
            shape,
            last_tokens,
            uniform,
            draw if within else logits_alone,
        )
        # 3. Leave the idle places out.
        rows = len(last_tokens)
        return result[:, :rows] if within else draw(result[:rows], uniform.to(self.device))

    def _logits(self) -> torch.Tensor:
        """Run the model: logits of each row's next token, `(rows, vocab)`."""
        if self.use_cache:
            last_tokens = torch.tensor([[row.last_token] for row in self.rows], device=self.device)
            return self.model(last_tokens, cache=self.row_cache)[:, -1]
        texts = [row.prompt.ids + row.tokens for row in self.rows]
        input_ids, padding_mask = pad_right(texts, self.device)
        return self.model(input_ids, last_position_only=True, padding_mask=padding_mask)[:, -1]

    def _prefill(self, prompts: list[Prompt]) -> None:
        """Read prompts, each without its last token, into new rows of the cache of prompts."""
        texts = [prompt.ids[:-1] for prompt in prompts]
        # 1. An empty cache reads them itself; one in use has rows that must not be extended now.
        empty = self.prompt_cache.rows == 0
        cache = self.prompt_cache if empty else KVCache()
        try:
            if any(texts):
                input_ids, padding_mask = pad_right(texts, self.device)
                self.model(
                    input_ids, cache=cache, last_position_only=True, padding_mask=padding_mask
                )
            else:  # prompts of one token leave nothing to read
                cache.add_rows(len(texts), self.device)
        except BaseException:  # out of memory, or interrupted: as if it had not begun
            cache.clear()
            raise
        # 2. What was read elsewhere is copied behind the rows in use.
        if not empty:
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
        ids = [int(token) for token in ids]
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

    def _check_room(self, ids: list[int], max_new_tokens: int) -> None:
        """Raise a ValueError if this many new tokens are none, or more than the context holds."""
        context = self.model.config.max_position_embeddings
        if max_new_tokens < 1:
            raise ValueError(
                f"max_new_tokens is {max_new_tokens}: a row needs room for at least one token"
            )
        if len(ids) + max_new_tokens > context:
            raise ValueError(
                f"{len(ids)} prompt tokens and {max_new_tokens} new ones exceed the context of "
                f"{context}; at most {max(context - len(ids), 0)} new tokens fit"
            )


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
