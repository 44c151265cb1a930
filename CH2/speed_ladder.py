"""The speed ladder: from the plainest way to write text to the fastest, each rung one change on the
one before.

    for rung in RUNGS:
        model = rung.prepare(plain_model)
        engine = DecodingEngine(model, **rung.engine)

`python -m CH2.benchmark` climbs it with a clock. The rungs of 16 bits are for models of 16 bits:
float32 matrices stay as they are there, since they would have to be rounded."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch

from Appendixes.GroupedQueryAttention import GroupedQueryAttention, causal_mask
from Appendixes.KVcache import KVCache, Segment
from Appendixes.KVcache.kv_cache import BLOCK
from Appendixes.QWEN3Model import FAMILY, Qwen3Config, Qwen3Model
from Appendixes.QWEN3Model.checkpoint import CHAPTER_FOLDERS
from CH2.compilation import compile_model
from CH2.packed_weights import join_projections, pack_weights, shallow_copy

SPREAD = 6.0  # of a random model's logits: as peaked as a trained model's
# the shipped model's, and those of the family whose embeddings are tied
SHAPES = ("tiny", "0.6B", "1.7B", "4B")


@dataclass(frozen=True)
class Rung:
    """One step up.

    Attributes:
        name: short, for tables.
        what: what changes against the rung before.
        prepare: makes the model that is run from a plain one, which stays as it is.
        engine: arguments of `DecodingEngine`.
        exact: the same weights, so the same tokens as the plain model's but for the rounding of
            sums; False: weights have fewer bits.
    """

    name: str
    what: str
    prepare: Callable[[Qwen3Model], Qwen3Model]
    engine: Mapping = field(default_factory=dict)
    exact: bool = True


class GrowingCache(KVCache):
    """A cache that is copied into a larger one for every token, which is what concatenating tensors
    does.
    """

    def _reserve(self, rows: int, length: int) -> None:
        if length > self.max_length:
            # buffers are read in whole blocks
            self.capacity = max(self.capacity, -(-length // BLOCK) * BLOCK)
            self.keys, self.values = (
                [buffer.clone() for buffer in buffers] for buffers in (self.keys, self.values)
            )
        super()._reserve(rows, length)


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
            mask = causal_mask(seq, q.device) if segment.mask is None else segment.mask
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
    return lambda model: pack_weights(join_projections(model), form)


def _compiled(form: str) -> Callable[[Qwen3Model], Qwen3Model]:
    return lambda model: compile_model(_packed(form)(model))


RUNGS = (
    Rung(
        "no cache",
        "every token reads the whole text again",
        with_repeating_attention,
        {"use_cache": False},
    ),
    Rung(
        "growing cache",
        "keys and values are kept, in tensors that are copied for each new token",
        with_repeating_attention,
        {"cache_class": GrowingCache},
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
    Rung("packed weights", "16-bit matrices in the processor's own order", _packed("half")),
    Rung("compiled", "the small operations between the matrices are fused", _compiled("half")),
    Rung("int8", "eight bits a weight", _compiled("int8"), exact=False),
    Rung("int4", "four bits a weight", _compiled("int4"), exact=False),
)


def find_rung(name: str) -> Rung:
    """The rung of this name.

    Raises:
        ValueError: there is none.
    """
    rungs = {rung.name: rung for rung in RUNGS}
    if name not in rungs:
        raise ValueError(
            f"there is no rung {name!r} on the ladder: choose one of {', '.join(rungs)}"
        )
    return rungs[name]


def shape_config(shape: str) -> Qwen3Config:
    """The configuration of one of `SHAPES`.

    Raises:
        ValueError: no such shape.
    """
    if shape not in SHAPES:
        raise ValueError(f"shape is {shape!r}: choose one of {', '.join(SHAPES)}")
    return Qwen3Config.from_json(CHAPTER_FOLDERS[0] / "tiny") if shape == "tiny" else FAMILY[shape]


def random_model(
    shape: str, dtype: torch.dtype = torch.bfloat16, device: str | torch.device = "cpu"
) -> Qwen3Model:
    """A model of one of `SHAPES` with random weights: writes nonsense, at the speed of a trained
    one.

    Raises:
        ValueError: no such shape.
    """
    config = shape_config(shape)
    with torch.device("meta"):
        model = Qwen3Model(config)
    model = model.to(dtype).eval().requires_grad_(False)
    if torch.device(device).type == "meta":  # the shape alone
        return model
    model.to_empty(device=device)
    generator = torch.Generator(device).manual_seed(0)
    for name, parameter in model.named_parameters():
        parameter.fill_(1.0) if "norm" in name else parameter.normal_(std=0.02, generator=generator)
    model.norm.weight.fill_(SPREAD / (0.02 * config.hidden_size**0.5))
    model.lm_head.weight = model.embed_tokens.weight
    return model
