"""The cache's memory, computed before a text begins, so that every text that began can be finished.

- a text is charged for its worst case when it is admitted: its prompt and `max_new_tokens` more. If
  only the present use counted, texts would have to be thrown out when all have grown (vLLM does
  that, and computes them again: Kwon et al., 2023, https://arxiv.org/abs/2309.06180)
- buffers grow as `grown` of `KVcache` says: all rows share one capacity, which doubles, and so do
  the places for rows; nothing shrinks while a row is in use, and the prompts' buffers are given
  back with the last of them
- while a buffer grows, its old and its new copy exist; not counted are the model's activations, and
  the buffers that a compiled model keeps on a GPU to read short prompts into
"""

from collections.abc import Sequence

from Appendixes.KVcache import KVCache, buffer_positions
from Appendixes.KVcache.kv_cache import grown
from Appendixes.QWEN3Model import Qwen3Config, Qwen3Model
from CH2.decoding import DecodingEngine, integer, read_together, similar_lengths


class CacheLimitError(ValueError):
    """An error for a text that does not fit into `max_cache_bytes` even alone."""


def cache_bytes_per_token(config: Qwen3Config, itemsize: int) -> int:
    """Compute the bytes of one token's keys and values in all layers.

    Args:
        config: the model's shape.
        itemsize: bytes per number.

    >>> cache_bytes_per_token(Qwen3Config(), itemsize=2)  # Qwen3-0.6B in bfloat16
    114688
    """
    return 2 * config.num_hidden_layers * config.num_key_value_heads * config.head_dim * itemsize


class CacheBudget:
    """A limit on the bytes of an engine's caches, and the arithmetic to keep it.

    Args:
        model: its shape and dtype determine the bytes per position.
        limit: bytes for the keys and values of prompts and rows; None: no limit.

    Raises:
        ValueError: the limit is no integer, or less than 1.
    """

    def __init__(self, model: Qwen3Model, limit: int | None):
        if limit is not None and integer(limit, "max_cache_bytes") < 1:
            raise ValueError(
                f"max_cache_bytes is {limit}: expected a number of bytes, or None for no limit"
            )
        self.layers = model.config.num_hidden_layers
        self.bytes_per_position = cache_bytes_per_token(
            model.config, next(model.parameters()).itemsize
        )
        self.limit = limit
        # prompts are read into a cache of their own, before they are copied to the others
        self.prefill_positions = read_together(next(model.parameters()).device)
        if limit is not None:
            share = limit // self.bytes_per_position // 16
            self.prefill_positions = min(self.prefill_positions, share)

    def check_alone(self, prompt_length: int, max_new_tokens: int) -> None:
        """Refuse a text that can never be admitted.

        Raises:
            CacheLimitError: the text does not fit, even alone.
        """
        prompt, row = buffer_positions(1, prompt_length), buffer_positions(1, max_new_tokens)
        needed = self._bytes(prompt, row, prompt_length)
        if self.limit is not None and needed > self.limit:
            raise CacheLimitError(
                f"a prompt of {prompt_length} tokens and {max_new_tokens} new ones need "
                f"{needed:,} bytes of cache, max_cache_bytes is {self.limit:,}: "
                "raise it to that, or ask for fewer new tokens"
            )

    def fits(
        self,
        engine: DecodingEngine,
        leaving: int,
        new_prompts: Sequence[int],
        new_answers: Sequence[int],
    ) -> bool:
        """Return True if texts can be admitted so that they and all running ones can be finished.

        Args:
            engine: with the rows and prompts that it holds now.
            leaving: number of these prompts that are released before.
            new_prompts: lengths of the prompts that have to be read, in tokens.
            new_answers: `max_new_tokens` of the texts.
        """
        if self.limit is None:
            return True
        # 1. The prompts' buffers, when the new ones were read group by group.
        longest_prompt = max(new_prompts, default=0)
        groups = [len(group) for group in self.prefill_groups(new_prompts)]
        prompts = self._after(
            engine.prompt_cache, len(engine.prompts) - leaving, groups, longest_prompt
        )
        # 2. The rows' buffers, when all rows have become as long as they may.
        longest = max([*new_answers, *(row.max_new_tokens for row in engine.rows)], default=0)
        new_rows = [1] * len(new_answers) if engine.row_cache.nbytes else [len(new_answers)]
        rows = self._after(engine.row_cache, len(engine.rows), new_rows, longest)
        return self._bytes(prompts, rows, longest_prompt) <= self.limit

    def prefill_groups(self, lengths: Sequence[int]) -> list[list[int]]:
        """Group prompts of similar length, so that each group is small enough to be read together.

        Args:
            lengths: of the prompts, in tokens.

        Returns:
            Indices into `lengths`.
        """
        if self.limit is None:
            return similar_lengths(lengths, self.prefill_positions)
        return similar_lengths(lengths, self.prefill_positions, buffer_positions)

    def _after(self, cache: KVCache, rows: int, added: Sequence[int], length: int) -> int:
        """Compute the positions of a cache's buffers after rows were added and have grown.

        Args:
            cache: as it is now.
            rows: those of its rows that stay.
            added: numbers of rows that are added, one after another.
            length: of the longest row, in tokens.
        """
        capacity = cache.capacity
        places = cache.nbytes // (self.bytes_per_position * capacity)
        for count in added:
            rows += count
            places, _ = grown(places, capacity, rows, length)
        _, capacity = grown(places, capacity, rows, length)
        return places * capacity

    def _bytes(self, prompts: int, rows: int, longest_new_prompt: int) -> int:
        """Compute the bytes of positions, of reading prompts, and of a buffer's old copy.

        Args:
            prompts, rows: positions of the buffers of prompts and of rows.
            longest_new_prompt: tokens of the longest prompt that has to be read.
        """
        reading = max(self.prefill_positions, buffer_positions(1, longest_new_prompt))
        # old copies of keys and of values, of half the size at most
        copies = -(-max(prompts, rows) // self.layers)
        return (prompts + rows + reading + copies) * self.bytes_per_position
