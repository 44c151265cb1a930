"""The decoding engine: the one loop that turns logits into text, under everything in the chapters.

- it keeps *rows*: texts that grow by one token each time the model runs once for all of them
- rows may be admitted between any two steps (iteration-level scheduling: Yu et al., Orca, OSDI
  2022), from prompts that were read once; all rows of a prompt share its keys and values, or each
  has a copy, which is faster for a single row
- a row has its own generator, so its random numbers do not depend on its neighbours
- a prompt is stored without its last token: that token is each row's first input, so every step
  treats all rows alike
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import torch

from Appendixes.KVcache import KVCache
from Appendixes.QWEN3Model import Qwen3Model

# (logits (rows, vocab), uniform (rows,) in [0, 1)) -> ids (rows,)
Sampler = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def greedy(logits: torch.Tensor, uniform: torch.Tensor) -> torch.Tensor:
    """The most likely token of each row: `(rows, vocab) -> (rows,)`. The random numbers are not
    used.
    """
    return logits.argmax(dim=-1)


@dataclass(eq=False)
class Prompt:
    """A prompt that the engine has read; rows continue it until it is released."""

    ids: list[int]
    place: int | None  # its row in the cache of prompts; None when it was released


@dataclass(eq=False)
class Row:
    """One text in the making.

    Attributes:
        tokens: what was generated, without the stop token.
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

    @property
    def finished(self) -> bool:
        """Whether the row has left the batch."""
        return self.finish_reason is not None

    @property
    def last_token(self) -> int:
        """The newest token, which the model has not read yet."""
        return self.tokens[-1] if self.tokens else self.prompt.ids[-1]


class Step(NamedTuple):
    """What one step gave one row; `row.finish_reason` is "stop" if the token is a stop token."""

    row: Row
    token: int
    logprob: float


class DecodingEngine:
    """Rows of text that grow together.

        engine = DecodingEngine(model)
        [prompt] = engine.add_prompts([tokenizer.encode("1 + 1 =")])
        rows = [engine.admit(prompt, max_new_tokens=5) for _ in range(3)]
        while engine.rows:
            engine.step()

    Args:
        model: a `Qwen3Model`, compiled or not.
        sampler: draws the next tokens; see `Sampler`.
        use_cache: False recomputes every text from its start at every step: slow, and what a cache
            is measured against.
        share_prompts: False gives each row a copy of its prompt's keys and values: more memory if a
            prompt has many rows; but less work in each step if it has one, whose attention then
            reads one tensor instead of two.
        cache_class: of the caches, for comparisons.
    """

    def __init__(
        self,
        model: Qwen3Model,
        *,
        sampler: Sampler = greedy,
        use_cache: bool = True,
        share_prompts: bool = True,
        cache_class: type[KVCache] = KVCache,
    ):
        self.model = model
        self.sampler = sampler
        self.use_cache = use_cache
        self.share_prompts = share_prompts
        self.device = next(model.parameters()).device
        self.rows: list[Row] = []  # in the order of the cache's rows
        self.prompts: list[Prompt] = []
        self.prompt_cache = cache_class()
        self.row_cache = self.prompt_cache.fork() if share_prompts else cache_class()

    @torch.no_grad()
    def add_prompts(self, prompts: Sequence[Sequence[int]]) -> list[Prompt]:
        """Read prompts (prefill), all in one call of the model.

        Raises:
            ValueError: a prompt is empty, too long for the model, or holds an id that is not in the
                vocabulary.
        """
        texts = [self.checked(ids) for ids in prompts]
        if self.use_cache and texts:
            self.prompt_cache.append_rows_of(self._prefill([ids[:-1] for ids in texts]))
        added = [Prompt(ids, len(self.prompts) + i) for i, ids in enumerate(texts)]
        self.prompts += added
        return added

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
        self._check_room(prompt.ids, max_new_tokens)
        if prompt.place is None or not self._holds(prompt):
            raise ValueError("this prompt was released, or belongs to another engine; add it again")
        generator = torch.Generator().manual_seed(0) if generator is None else generator
        row = Row(prompt, max_new_tokens, frozenset(int(stop) for stop in stop_ids), generator)
        if self.use_cache and self.share_prompts:
            self.row_cache.continue_rows([prompt.place])
        elif self.use_cache:
            self.row_cache.append_rows_of(self.prompt_cache, [prompt.place])
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
        logits = self._logits()  # (rows, vocab)
        uniform = torch.cat(
            [torch.rand(1, generator=row.generator, dtype=torch.float64) for row in self.rows]
        )
        if self.device.type == "mps":  # Apple's GPUs have no float64
            uniform = uniform.float()
        wide = logits.to(torch.promote_types(logits.dtype, torch.float32))
        tokens = self.sampler(wide, uniform.to(self.device))
        logprobs = wide.gather(1, tokens[:, None])[:, 0] - wide.logsumexp(dim=-1)
        if logprobs.isnan().any():
            raise FloatingPointError(
                "the model's logits are NaN: check the weights, or use a wider dtype"
            )
        steps = [
            Step(*drawn)
            for drawn in zip(self.rows, tokens.tolist(), logprobs.tolist(), strict=True)
        ]
        for row, token, logprob in steps:
            row.logprobs.append(logprob)
            if token in row.stop_ids:
                self._finish(row, "stop")
                continue
            row.tokens.append(token)
            if len(row.tokens) == row.max_new_tokens:
                self._finish(row, "length")
        return steps

    def cancel(self, row: Row) -> None:
        """Take a row out of the batch; what it has generated stays in `row.tokens`."""
        if not row.finished:
            self._finish(row, "cancelled")

    def release(self, prompt: Prompt) -> None:
        """Forget a prompt; the next one takes its place, and with the last one all prompts' memory
        is given back.

        Raises:
            ValueError: rows still read them, or it is another engine's.
        """
        if prompt.place is None:
            return
        if not self._holds(prompt):
            raise ValueError("this prompt belongs to another engine")
        if self.share_prompts and any(row.prompt is prompt for row in self.rows):
            raise ValueError(
                "rows still continue this prompt: cancel them or let them finish first"
            )
        if len(self.prompts) == 1:
            self.prompt_cache.clear()
        elif self.use_cache:
            self.prompt_cache.remove_row(prompt.place)
        last = self.prompts.pop()
        if last is not prompt:  # as in the cache, the last one takes the free place
            last.place = prompt.place
            self.prompts[last.place] = last
        prompt.place = None

    def _holds(self, prompt: Prompt) -> bool:
        return (
            prompt.place is not None
            and prompt.place < len(self.prompts)
            and self.prompts[prompt.place] is prompt
        )

    def _finish(self, row: Row, reason: str) -> None:
        row.finish_reason = reason
        place = self.rows.index(row)
        if self.use_cache:
            self.row_cache.remove_row(place)
        last = self.rows.pop()
        if last is not row:
            self.rows[place] = last

    def _logits(self) -> torch.Tensor:
        """Logits of each row's next token, `(rows, vocab)`."""
        if self.use_cache:
            last_tokens = torch.tensor([[row.last_token] for row in self.rows], device=self.device)
            return self.model(last_tokens, cache=self.row_cache)[:, -1]
        texts = [row.prompt.ids + row.tokens for row in self.rows]
        input_ids, padding_mask = pad_right(texts, self.device)
        return self.model(input_ids, last_position_only=True, padding_mask=padding_mask)[:, -1]

    def _prefill(self, texts: list[list[int]]) -> KVCache:
        """Keys and values of texts of different lengths, in a cache of their own."""
        cache = KVCache()
        if not any(texts):  # prompts of one token leave nothing to read
            cache.add_rows(len(texts), self.device)
            return cache
        input_ids, padding_mask = pad_right(texts, self.device)
        self.model(input_ids, cache=cache, last_position_only=True, padding_mask=padding_mask)
        return cache

    def checked(self, ids: Sequence[int], max_new_tokens: int = 1) -> list[int]:
        """A prompt as a list of ints, when it can be read and continued by so many tokens.

        Raises:
            ValueError: as `add_prompts` and `admit` do.
        """
        ids = [int(token) for token in ids]
        vocab_size, context = (
            self.model.config.vocab_size,
            self.model.config.max_position_embeddings,
        )
        if not ids:
            raise ValueError("the prompt is empty: the model needs at least one token to continue")
        if min(ids) < 0 or max(ids) >= vocab_size:
            wrong = next(token for token in ids if not 0 <= token < vocab_size)
            raise ValueError(
                f"token id {wrong} is not in the vocabulary of {vocab_size}: was another tokenizer used?"
            )
        if len(ids) >= context:
            raise ValueError(
                f"the prompt has {len(ids)} tokens, and the context of {context} leaves no room to answer"
            )
        self._check_room(ids, max_new_tokens)
        return ids

    def _check_room(self, ids: list[int], max_new_tokens: int) -> None:
        context = self.model.config.max_position_embeddings
        if max_new_tokens < 1:
            raise ValueError(
                f"max_new_tokens is {max_new_tokens}: a row needs room for at least one token"
            )
        if len(ids) + max_new_tokens > context:
            raise ValueError(
                f"{len(ids)} prompt tokens and {max_new_tokens} new ones exceed the context of {context}; "
                f"at most {max(context - len(ids), 0)} new tokens fit"
            )


def pad_right(
    texts: Collection[list[int]], device: torch.device | str | None = None
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Lists of ids as one tensor.

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
