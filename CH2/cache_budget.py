"""How much memory the cache will take, known before a text begins: so that what began can always be
finished.

- a text is charged for its worst case, a prompt and `max_new_tokens` more, when it is admitted; to
  admit by what is in use now would mean to throw texts out later, when all have grown (vLLM does
  that, and computes them again: Kwon et al., 2023, https://arxiv.org/abs/2309.06180)
- the rules of growth are those of `KVCache`: its rows share one capacity, which doubles; so do the
  places for rows; nothing shrinks while a row is in use, and the prompts' buffers are given back
  with the last of them
- while a buffer grows, its old and its new copy exist; the model's activations are not the cache's
  and not counted here
"""

from collections.abc import Sequence

from Appendixes.KVcache import KVCache
from Appendixes.QWEN3Model import Qwen3Config, Qwen3Model
from CH2.decoding import DecodingEngine

# prompts are read together up to so many positions, padding included, or one by one
PREFILL_POSITIONS = 2048


class CacheLimitError(ValueError):
    """A text that would not fit into `max_cache_bytes` even alone."""


def cache_bytes_per_token(config: Qwen3Config, itemsize: int) -> int:
    """Bytes of the keys and values of one token in all layers.

    >>> cache_bytes_per_token(Qwen3Config(), itemsize=2)  # Qwen3-0.6B in bfloat16
    114688
    """
    return 2 * config.num_hidden_layers * config.num_key_value_heads * config.head_dim * itemsize


class CacheBudget:
    """Bytes that an engine's caches need, against a limit.

    Args:
        model: its shape and dtype say how large one position is.
        limit: bytes for the keys and values of prompts and rows; None: no limit.

    Raises:
        ValueError: the limit is less than 1.
    """

    def __init__(self, model: Qwen3Model, limit: int | None):
        if limit is not None and limit < 1:
            raise ValueError(
                f"max_cache_bytes is {limit}: expected a number of bytes, or None for no limit"
            )
        self.layers = model.config.num_hidden_layers
        self.bytes_per_position = cache_bytes_per_token(
            model.config, next(model.parameters()).itemsize
        )
        self.limit = limit
        self.prefill_positions = PREFILL_POSITIONS
        # what prompts take while they are read, before they are copied to the others
        if limit is not None:
            self.prefill_positions = min(PREFILL_POSITIONS, limit // self.bytes_per_position // 16)

    def check_alone(self, prompt_length: int, max_new_tokens: int) -> None:
        """Refuse what can never be admitted.

        Raises:
            CacheLimitError: the text does not fit, even alone.
        """
        needed = self._bytes(_grown(1, prompt_length), _grown(1, max_new_tokens), prompt_length)
        if self.limit is not None and needed > self.limit:
            raise CacheLimitError(
                f"a prompt of {prompt_length} tokens and {max_new_tokens} new ones need {needed:,} bytes of cache, "
                f"max_cache_bytes is {self.limit:,}: raise it to that, or ask for fewer new tokens"
            )

    def fits(
        self,
        engine: DecodingEngine,
        leaving: int,
        new_prompts: Sequence[int],
        new_answers: Sequence[int],
    ) -> bool:
        """Whether texts can be admitted so that they and those that run can all be finished.

        Args:
            engine: with the rows and prompts that it holds now.
            leaving: how many of these prompts are released before.
            new_prompts: lengths of the prompts that have to be read.
            new_answers: `max_new_tokens` of the texts.
        """
        if self.limit is None:
            return True
        longest_prompt = max(new_prompts, default=0)
        groups = [len(group) for group in self.prefill_groups(new_prompts)]
        prompts = self._after(
            engine.prompt_cache, len(engine.prompts) - leaving, groups, longest_prompt
        )
        longest = max([*new_answers, *(row.max_new_tokens for row in engine.rows)], default=0)
        new_rows = [1] * len(new_answers) if engine.row_cache.nbytes else [len(new_answers)]
        rows = self._after(engine.row_cache, len(engine.rows), new_rows, longest)
        return self._bytes(prompts, rows, longest_prompt) <= self.limit

    def prefill_groups(self, lengths: Sequence[int]) -> list[list[int]]:
        """Prompts in groups of similar length, each small enough to be read together: their places
        in `lengths`.
        """
        groups: list[list[int]] = []
        for place in sorted(range(len(lengths)), key=lengths.__getitem__):
            if not groups or _grown(len(groups[-1]) + 1, lengths[place]) > self.prefill_positions:
                groups.append([])
            groups[-1].append(place)
        return groups

    def _after(self, cache: KVCache, rows: int, added: Sequence[int], length: int) -> int:
        """Positions of a cache's buffers when rows were added, so many at a time, and have grown to
        that length.
        """
        places = cache.nbytes // (self.bytes_per_position * cache.capacity)
        for count in added:
            rows += count
            if places < rows:
                places = max(rows, 2 * places)
        return _grown(places, max(length, cache.capacity))

    def _bytes(self, prompts: int, rows: int, longest_new_prompt: int) -> int:
        """Bytes of so many positions, of reading prompts, and of the old copy beside a buffer's
        new, larger one.
        """
        reading = max(self.prefill_positions, _grown(1, longest_new_prompt))
        # old copies of keys and of values, of half the size at most
        copies = -(-max(prompts, rows) // self.layers)
        return (prompts + rows + reading + copies) * self.bytes_per_position


def _grown(rows: int, length: int) -> int:
    """Positions of a buffer for so many rows of that length."""
    capacity = KVCache().capacity
    while capacity < length:
        capacity *= 2
    return rows * capacity
