"""Grouped-query attention (Ainslie et al., 2023, https://arxiv.org/abs/2305.13245) as Qwen3 uses
it.

- `attention` is the formula; `GroupedQueryAttention` is the layer around it; `segments.py` computes
  the same faster, and with a cache
- several query heads share one key-value head: the cache shrinks by that factor
- queries and keys are normalised per head, then turned by RoPE (QK-norm: Henry et al., 2020, arXiv
  2010.04245)
- `head_dim` is free: heads * head_dim need not be the model's width (Qwen3-0.6B: 16 * 128 = 2048 at
  width 1024)
"""

from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from Appendixes.GroupedQueryAttention.segments import grouped_attention
from Appendixes.KVcache import Segment
from Appendixes.RMSNorm import RMSNorm
from Appendixes.RoPE import apply_rope

if TYPE_CHECKING:
    from Appendixes.KVcache import LayerExtension


def attention(
    q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, mask: torch.Tensor | None = None
) -> torch.Tensor:
    """Average the values, weighted by how well each key answers the query.

        scores[i, j] = q[i] . k[j] / sqrt(head_dim), or -inf where query i may not see key j
        weights[i]   = softmax(scores[i])
        out[i]       = sum over j of weights[i, j] * v[j]

    Args:
        q: queries, `(batch, heads, seq, head_dim)`.
        k, v: keys and values, `(batch, kv_heads, length, head_dim)`; each key-value head serves
            `heads / kv_heads` query heads in turn.
        mask: bool `(batch or 1, seq, length)`, True where a query may look; None: causal.

    Returns:
        `(batch, heads, seq, head_dim)`.
    """
    k, v = (x.repeat_interleave(q.shape[1] // x.shape[1], dim=1) for x in (k, v))
    mask = causal_mask(q.shape[2], q.device) if mask is None else mask
    scores = (q @ k.mT / q.shape[-1] ** 0.5).masked_fill(~mask[:, None], float("-inf"))
    return scores.softmax(dim=-1) @ v


def causal_mask(seq: int, device: torch.device | str | None = None) -> torch.Tensor:
    """Bool `(1, seq, seq)`: query i may look at keys 0 ... i.

    >>> causal_mask(3)[0].int()
    tensor([[1, 0, 0],
            [1, 1, 0],
            [1, 1, 1]], dtype=torch.int32)
    """
    return torch.ones(1, seq, seq, dtype=torch.bool, device=device).tril()


class GroupedQueryAttention(nn.Module):
    """Causal self-attention whose query heads share key-value heads in groups.

    Args:
        config: anything with `hidden_size`, `num_attention_heads`, `num_key_value_heads`,
            `head_dim` and `rms_norm_eps`, as `Qwen3Config` has.

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
        extension: "LayerExtension | None" = None,
    ) -> torch.Tensor:
        """Let each position look at itself and the positions before it.

        Args:
            x: `(batch, seq, hidden_size)`.
            cos, sin: `(batch or 1, seq, head_dim / 2)`, from `rope_cos_sin` at the tokens'
                positions.
            mask: bool `(batch, seq, seq)`, True where a query may look; None: causal. Not used
                with a cache, which knows what each token may see.
            extension: this layer's part of a cache that was made ready for these tokens
                (`KVCache.extend`); None: attend to these tokens alone.

        Returns:
            `(batch, seq, hidden_size)`.
        """
        # 1. Make queries, keys and values, and normalise queries and keys of each head.
        split = (*x.shape[:2], -1, self.head_dim)
        q, k, v = self._project(x)
        q = self.q_norm(q.view(split)).transpose(1, 2)  # (batch, heads, seq, head_dim)
        k = self.k_norm(k.view(split)).transpose(1, 2)  # (batch, kv_heads, seq, head_dim)
        v = v.view(split).transpose(1, 2)
        # 2. Turn queries and keys by their positions, all heads by the same angles.
        cos, sin = cos[:, None], sin[:, None]
        q, k = apply_rope(q, cos, sin), apply_rope(k, cos, sin)
        # 3. Attend: to these tokens alone, or to all that the cache holds.
        context = [Segment(k, v, mask)] if extension is None else extension.append(k, v)
        out = self._attend(q, context)  # (batch, heads, seq, head_dim)
        # 4. Join the heads and project back.
        return self.o_proj(out.transpose(1, 2).flatten(2))

    def _project(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Make queries, keys and values of all heads, each `(batch, seq, heads * head_dim)`."""
        return self.q_proj(x), self.k_proj(x), self.v_proj(x)

    def _attend(self, q: torch.Tensor, segments: list[Segment]) -> torch.Tensor:
        """Compute `attention` by `grouped_attention`, whose arguments and result these are."""
        return grouped_attention(q, segments)
