"""Attention to a context that lies in several pieces, such as a shared prompt and a row's own
tokens.

- attention to one piece alone gives outputs, and the logarithm of the sum of the exponentials of
  its scores (log-sum-exp), which is the piece's weight beside others: together they are enough to
  merge pieces exactly (Milakov & Gimelshein, 2018, https://arxiv.org/abs/1805.02867)
- a piece that several rows share is read once: their queries stand side by side, and meet its keys
  in one matrix product
- no key is repeated: heads that share a key-value head are more queries of it
"""

from functools import reduce

import torch
import torch.nn.functional as F

from Appendixes.KVcache import Segment, additive_bias
from Appendixes.torch_kernels import flash_attention_for_cpu


def grouped_attention(q: torch.Tensor, segments: list[Segment]) -> torch.Tensor:
    """Attend to all segments as if they were one context, without repeating a key or value.

    Args:
        q: `(batch, heads, seq, head_dim)`; query heads `i * group ... (i + 1) * group - 1` use
            key-value head `i`.
        segments: the keys and values, in one or more pieces.

    Returns:
        `(batch, heads, seq, head_dim)`: what `attention` gives for the joined pieces.
    """
    # 1. Many queries and one piece, as in prefill: PyTorch's fused kernel.
    if len(segments) == 1 and (q.shape[2] > 1 or segments[0].mask is None):
        [segment] = segments
        mask = segment.mask if segment.bias is None else segment.bias
        return F.scaled_dot_product_attention(
            q,
            segment.keys,
            segment.values,
            None if mask is None else mask[:, None],  # the same for all heads
            is_causal=mask is None,
            enable_gqa=True,
        )
    # 2. Let the heads of a group be more queries of their key-value head.
    batch, heads, seq, head_dim = q.shape
    kv_heads = segments[0].keys.shape[1]
    grouped = q.reshape(batch, kv_heads, heads // kv_heads * seq, head_dim)
    # 3. A CPU attends to each piece by a fused kernel, a GPU to all by one softmax.
    if q.device.type == "cpu":
        return merge([attend(grouped, segment) for segment in segments]).reshape(q.shape)
    return attend_to_all(grouped, segments).reshape(q.shape)


def attend(queries: torch.Tensor, segment: Segment) -> tuple[torch.Tensor, torch.Tensor]:
    """Attend to one segment alone.

    Args:
        queries: `(rows, kv_heads, n, head_dim)`, where n is group size times `seq`.
        segment: with a mask.

    Returns:
        Outputs `(rows, kv_heads, n, head_dim)`, and the log-sum-exp of the scores,
        `(rows, kv_heads, n)` in float32 or wider.
    """
    outputs, logsumexp = flash_attention_for_cpu(
        _gathered(queries, segment), segment.keys, segment.values, _bias(segment, queries)
    )
    return _scattered(outputs, segment), _scattered(logsumexp[..., None], segment)[..., 0]


def merge(attended: list[tuple[torch.Tensor, torch.Tensor]]) -> torch.Tensor:
    """Merge attention to several segments: the mean of the outputs, weighted by exp(log-sum-exp).

    Args:
        attended: for each segment, outputs `(batch, kv_heads, n, head_dim)` and log-sum-exp
            `(batch, kv_heads, n)`.

    Returns:
        `(batch, kv_heads, n, head_dim)`.
    """
    if len(attended) == 1:
        return attended[0][0]
    outputs, logsumexp = (torch.stack(parts) for parts in zip(*attended, strict=True))
    # (segments, batch, kv_heads, n, 1), in float32 or wider
    weights = logsumexp.softmax(dim=0)[..., None]
    return (weights * outputs).sum(dim=0).to(outputs.dtype)


def attend_to_all(queries: torch.Tensor, segments: list[Segment]) -> torch.Tensor:
    """Attend to all segments by one softmax over the scores of all.

    This takes fewer operations than to attend to each, and a GPU is slow to start them.

    Args:
        queries, segments: as for `attend`.

    Returns:
        `(rows, kv_heads, n, head_dim)`.
    """
    scaled = queries * queries.shape[-1] ** -0.5
    # 1. Scores of all keys, (rows, kv_heads, n, length of all).
    scores = []
    for segment in segments:
        products = _gathered(scaled, segment) @ segment.keys.mT
        scores.append(_scattered(products + _bias(segment, queries), segment))
    # 2. One softmax, in float32 or wider.
    wide = torch.promote_types(queries.dtype, torch.float32)
    weights = torch.cat(scores, dim=-1).softmax(dim=-1, dtype=wide).to(queries.dtype)
    # 3. Add up what the values of each segment contribute.
    pieces = weights.split([score.shape[-1] for score in scores], dim=-1)
    contributions = [
        _scattered(_gathered(piece, segment) @ segment.values, segment)
        for segment, piece in zip(segments, pieces, strict=True)
    ]
    return reduce(torch.add, contributions)


def _bias(segment: Segment, queries: torch.Tensor) -> torch.Tensor:
    """Return what is added to the scores, broadcastable to `(rows, kv_heads, n, length)`."""
    bias = segment.bias
    if bias is None:
        assert segment.mask is not None, "a causal segment stands alone: give it a mask"
        bias = additive_bias(segment.mask, queries.dtype)
    seq = bias.shape[1]
    # one line per query: the same lines for each head of the group
    return (bias if seq == 1 else bias.repeat(1, queries.shape[2] // seq, 1))[:, None]


def _gathered(x: torch.Tensor, segment: Segment) -> torch.Tensor:
    """Put rows that share the segment side by side, if any do."""
    return x if segment.sharing is None else segment.sharing.gather(x)


def _scattered(x: torch.Tensor, segment: Segment) -> torch.Tensor:
    """Give every row its own part again, undoing `_gathered`."""
    return x if segment.sharing is None else segment.sharing.scatter(x)
