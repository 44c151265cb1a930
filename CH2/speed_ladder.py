"""The speed ladder: from the plainest way to write text to the fastest, one change per rung.

    for rung in RUNGS:
        model = rung.prepare(plain_model)
        engine = rung.start(model)

`python -m CH2.benchmark` measures every rung. Those that pack 16-bit weights are for models of 16
bits: float32 matrices stay as they are, since they would have to be rounded.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from Appendixes.GroupedQueryAttention import GroupedQueryAttention, causal_mask
from Appendixes.KVcache import Segment
from Appendixes.QWEN3Model import Qwen3Model
from CH2.compilation import compile_model
from CH2.decoding import DecodingEngine, Step
from CH2.packed_weights import join_projections, pack_weights, shallow_copy


@dataclass(frozen=True)
class Rung:
    """One rung of the ladder: a way to write text, which differs from the rung before in one thing.

    Attributes:
        name: a short name, for tables.
        what: the change against the rung before.
        prepare: makes the model that is run from a plain one, which stays as it is.
        engine: the class of its decoding engine.
        use_cache: False reads the whole text again for every token.
        exact: True if the weights are the plain model's, so that it writes the same tokens but for
            the rounding of sums; False if they have fewer bits.
    """

    name: str
    what: str
    prepare: Callable[[Qwen3Model], Qwen3Model]
    engine: type[DecodingEngine] = DecodingEngine
    use_cache: bool = True
    exact: bool = True

    def start(self, model: Qwen3Model, **options: Any) -> DecodingEngine:
        """Make the rung's decoding engine for a prepared model.

        Args:
            model: from `prepare`.
            options: for `DecodingEngine`.
        """
        return self.engine(model, use_cache=self.use_cache, **options)


class GrowingEngine(DecodingEngine):
    """A decoding engine that copies its cache for every token, as concatenating tensors does."""

    def step(self) -> list[Step]:
        """Copy keys and values, then give every row its next token."""
        cache = self.row_cache
        cache.forget_steps()
        cache.keys = [buffer.clone() for buffer in cache.keys]
        cache.values = [buffer.clone() for buffer in cache.values]
        return super().step()


class RepeatingAttention(GroupedQueryAttention):
    """Grouped-query attention as it is written first: keys and values are repeated until every
    query head has its own.
    """

    def _attend(self, q: torch.Tensor, segments: list[Segment]) -> torch.Tensor:
        batch, heads, seq, head_dim = q.shape
        # 1. All segments as one, with the rows of a shared prompt copied for each text.
        keys, values, masks = [], [], []
        for segment in segments:
            rows = slice(None) if segment.sharing is None else segment.sharing.parent_of_row
            keys.append(segment.keys[rows])
            values.append(segment.values[rows])
            mask = causal_mask(seq, q.device) if segment.mask is None else segment.mask[rows]
            masks.append(mask.expand(batch, seq, segment.keys.shape[2]))
        # 2. One key-value head for each query head.
        repeats = heads // keys[0].shape[1]
        k, v = (
            torch.cat(parts, dim=2).repeat_interleave(repeats, dim=1) for parts in (keys, values)
        )
        # 3. Softmax attention.
        scores = q @ k.mT * head_dim**-0.5
        scores = scores.masked_fill(~torch.cat(masks, dim=2)[:, None], float("-inf"))
        return scores.float().softmax(dim=-1).to(q.dtype) @ v


def with_repeating_attention(model: Qwen3Model) -> Qwen3Model:
    """Return a model on the same weights that attends by `RepeatingAttention`."""
    model = shallow_copy(model)
    for block in model.layers:
        block.self_attn.__class__ = RepeatingAttention  # the same weights: one method differs
    return model


def _packed(form: str) -> Callable[[Qwen3Model], Qwen3Model]:
    """Make a `prepare` that joins and packs matrices; `form` as in `pack_weights`."""
    return lambda model: pack_weights(join_projections(model), form)


def _compiled(form: str) -> Callable[[Qwen3Model], Qwen3Model]:
    """Make a `prepare` that joins, packs and compiles."""
    return lambda model: compile_model(_packed(form)(model))


RUNGS = (
    Rung(
        "no cache",
        "every token reads the whole text again",
        with_repeating_attention,
        use_cache=False,
    ),
    Rung(
        "growing cache",
        "keys and values are kept, in tensors that are copied for each new token",
        with_repeating_attention,
        engine=GrowingEngine,
    ),
    Rung(
        "preallocated cache",
        "buffers have room for more tokens, and double",
        with_repeating_attention,
    ),
    Rung("fused attention", "one kernel, and no key or value is repeated", shallow_copy),
    Rung(
        "joined projections",
        "one matrix for query, key and value, one for gate and up",
        join_projections,
    ),
    Rung("packed weights", "16-bit matrices in the CPU's own order", _packed("half")),
    Rung("compiled", "the small operations between the matrices are fused", _compiled("half")),
    Rung("int8", "eight bits per weight", _compiled("int8"), exact=False),
    Rung("int4", "four bits per weight", _compiled("int4"), exact=False),
)


def find_rung(name: str) -> Rung:
    """Return the rung with this name.

    Raises:
        ValueError: no rung has it.
    """
    rungs = {rung.name: rung for rung in RUNGS}
    if name not in rungs:
        raise ValueError(
            f"there is no rung {name!r} on the ladder: choose one of {', '.join(rungs)}"
        )
    return rungs[name]
