"""Grouped-query attention (Ainslie et al., 2023, https://arxiv.org/abs/2305.13245) as Qwen3 uses
it.

- several query heads share one key-value head: the cache shrinks by that factor, and no key is ever
  repeated in memory
- queries and keys are normalised per head, then turned by RoPE (QK-norm: Henry et al., 2020, arXiv
  2010.04245)
- `head_dim` is free: heads * head_dim need not be the model's width (Qwen3-0.6B: 16 * 128 = 2048 at
  width 1024)
- many queries at once (prefill) run on PyTorch's fused kernel; one query a row (decode) attends to
  a list of segments
"""

from functools import reduce
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from Appendixes.KVcache import LayerExtension, Segment
from Appendixes.RMSNorm import RMSNorm
from Appendixes.RoPE import apply_rope


class GroupedQueryAttention(nn.Module):
    """Causal self-attention with `num_attention_heads` query heads on `num_key_value_heads`
    key-value heads.

    Args:
        config: anything with
            `hidden_size, num_attention_heads, num_key_value_heads, head_dim, rms_norm_eps`.

    Raises:
        ValueError: the key-value heads do not divide the query heads.
    """

    def __init__(self, config: Any):
        super().__init__()
        if config.num_attention_heads % config.num_key_value_heads:
            raise ValueError(
                f"{config.num_key_value_heads} key-value heads cannot be shared evenly by "
                f"{config.num_attention_heads} query heads"
            )
        self.head_dim = config.head_dim
        query_width = config.num_attention_heads * config.head_dim
        key_width = config.num_key_value_heads * config.head_dim
        self.q_proj = nn.Linear(config.hidden_size, query_width, bias=False)
        self.k_proj = nn.Linear(config.hidden_size, key_width, bias=False)
        self.v_proj = nn.Linear(config.hidden_size, key_width, bias=False)
        self.o_proj = nn.Linear(query_width, config.hidden_size, bias=False)
        self.q_norm = RMSNorm(config.head_dim, config.rms_norm_eps)
        self.k_norm = RMSNorm(config.head_dim, config.rms_norm_eps)

    def forward(
        self,
        x: torch.Tensor,
        cos: torch.Tensor,
        sin: torch.Tensor,
        mask: torch.Tensor | None = None,
        extension: LayerExtension | None = None,
    ) -> torch.Tensor:
        """Let each position look at itself and the positions before it.

        Args:
            x: `(batch, seq, hidden_size)`.
            cos, sin: `(batch or 1, seq, head_dim / 2)`, from `rope_cos_sin` at the tokens'
                positions.
            mask: bool `(batch, seq, seq)`, True where a query may look; None: causal. Without a
                cache only.
            extension: this layer's part of the cache, made ready for these tokens
                (`KVCache.extend`), if there is one.

        Returns:
            `(batch, seq, hidden_size)`.
        """
        split = (*x.shape[:2], -1, self.head_dim)
        q, k, v = self._project(x)
        q = self.q_norm(q.view(split)).transpose(1, 2)  # (batch, heads, seq, head_dim)
        k = self.k_norm(k.view(split)).transpose(1, 2)  # (batch, kv_heads, seq, head_dim)
        v = v.view(split).transpose(1, 2)
        cos, sin = cos[:, None], sin[:, None]  # the same angles for all heads
        q, k = apply_rope(q, cos, sin), apply_rope(k, cos, sin)
        segments = [Segment(k, v, mask)] if extension is None else extension.append(k, v)
        out = self._attend(q, segments)  # (batch, heads, seq, head_dim)
        return self.o_proj(out.transpose(1, 2).flatten(2))

    def _project(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Make queries, keys and values of all heads, each `(batch, seq, heads * head_dim)`."""
        return self.q_proj(x), self.k_proj(x), self.v_proj(x)

    def _attend(self, q: torch.Tensor, segments: list[Segment]) -> torch.Tensor:
        """Attend to all segments; arguments and result as those of `grouped_attention`."""
        return grouped_attention(q, segments)


def grouped_attention(q: torch.Tensor, segments: list[Segment]) -> torch.Tensor:
    """Softmax attention over all segments together, each group of query heads on its own key-value
    head.

    Args:
        q: `(batch, heads, seq, head_dim)`; query heads `i * group ... (i + 1) * group - 1` use
            key-value head `i`.
        segments: the keys and values, in any number of pieces.

    Returns:
        `(batch, heads, seq, head_dim)`.
    """
    batch, heads, seq, head_dim = q.shape
    if len(segments) == 1 and (seq > 1 or segments[0].mask is None):
        keys, values, mask = segments[0].keys, segments[0].values, segments[0].mask
        if mask is not None:
            mask = mask[:, None]  # the same for all heads
        return F.scaled_dot_product_attention(
            q, keys, values, mask, is_causal=mask is None, enable_gqa=True
        )

    kv_heads = segments[0].keys.shape[1]
    group = heads // kv_heads
    grouped = q.reshape(batch, kv_heads, group * seq, head_dim)
    if seq == 1 and q.device.type == "cpu":
        return merge([segment.attend(grouped) for segment in segments]).reshape(q.shape)
    grouped = grouped * head_dim**-0.5
    scores = []
    for segment in segments:
        # (batch, kv_heads, group, seq, length)
        score = segment.scores(grouped).unflatten(2, (group, seq))
        mask = causal_mask(seq, q.device) if segment.mask is None else segment.mask
        scores.append(score.masked_fill(~mask[:, None, None], float("-inf")))
    wide = torch.promote_types(q.dtype, torch.float32)
    weights = torch.cat(scores, dim=-1).softmax(dim=-1, dtype=wide).to(q.dtype).flatten(2, 3)
    pieces = weights.split([score.shape[-1] for score in scores], dim=-1)
    out = reduce(
        torch.add, (segment.mix(piece) for segment, piece in zip(segments, pieces, strict=True))
    )
    return out.reshape(batch, heads, seq, head_dim)


def merge(attended: list[tuple[torch.Tensor, torch.Tensor]]) -> torch.Tensor:
    """Attention to several segments from attention to each: a mean of the outputs, weighted by
    exp(log-sum-exp).

    Args:
        attended: outputs `(batch, kv_heads, n, head_dim)` and log-sum-exp `(batch, kv_heads, n)` of
            each segment.
    """
    if len(attended) == 1:
        return attended[0][0]
    outputs, lse = (torch.stack(parts) for parts in zip(*attended, strict=True))
    # (segments, batch, kv_heads, n, 1), in float32 or wider
    weights = lse.softmax(dim=0)[..., None]
    return (weights * outputs).sum(dim=0).to(outputs.dtype)


def causal_mask(seq: int, device: torch.device | str | None = None) -> torch.Tensor:
    """Bool `(1, seq, seq)`: query i may look at keys 0 ... i.

    >>> causal_mask(3)[0].int()
    tensor([[1, 0, 0],
            [1, 1, 0],
            [1, 1, 1]], dtype=torch.int32)
    """
    return torch.ones(1, seq, seq, dtype=torch.bool, device=device).tril()
