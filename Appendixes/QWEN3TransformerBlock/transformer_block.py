"""The block that Qwen3 stacks: attention mixes positions, the feed-forward layer works on each by
itself.

- pre-norm (Xiong et al., 2020, https://arxiv.org/abs/2002.04745): each sub-layer reads a normalised
  copy, and its output is added to the untouched stream, so a signal can pass all blocks unchanged
- two lines: x = x + attention(norm(x)); x = x + feed_forward(norm(x))
"""

from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from Appendixes.GLUFeedForwardNeuralNetwork import GLUFeedForward
from Appendixes.GroupedQueryAttention import GroupedQueryAttention
from Appendixes.RMSNorm import RMSNorm

if TYPE_CHECKING:
    from Appendixes.KVcache import LayerExtension


class TransformerBlock(nn.Module):
    """One layer of Qwen3: attention and a feed-forward layer, each added to the residual stream.

    Args:
        config: as for `GroupedQueryAttention`, and with `intermediate_size`, the width inside the
            feed-forward layer.

    >>> from types import SimpleNamespace
    >>> from Appendixes.RoPE import rope_cos_sin
    >>> heads = {"num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 4}
    >>> config = SimpleNamespace(hidden_size=8, intermediate_size=16, rms_norm_eps=1e-6, **heads)
    >>> block = TransformerBlock(config)
    >>> cos, sin = rope_cos_sin(torch.arange(5)[None], head_dim=4, theta=10_000.0)
    >>> block(torch.randn(1, 5, 8), cos, sin).shape
    torch.Size([1, 5, 8])
    """

    def __init__(self, config: Any):
        super().__init__()
        self.input_layernorm = RMSNorm(config.hidden_size, config.rms_norm_eps)
        self.self_attn = GroupedQueryAttention(config)
        self.post_attention_layernorm = RMSNorm(config.hidden_size, config.rms_norm_eps)
        self.mlp = GLUFeedForward(config.hidden_size, config.intermediate_size)

    def forward(
        self,
        x: torch.Tensor,
        cos: torch.Tensor,
        sin: torch.Tensor,
        mask: torch.Tensor | None = None,
        extension: "LayerExtension | None" = None,
    ) -> torch.Tensor:
        """Let attention and then the feed-forward layer add to the residual stream.

        Args:
            x: the stream, `(batch, seq, hidden_size)`.
            cos, sin, mask, extension: for attention; see `GroupedQueryAttention.forward`.

        Returns:
            `(batch, seq, hidden_size)`.
        """
        x = x + self.self_attn(self.input_layernorm(x), cos, sin, mask, extension)
        return x + self.mlp(self.post_attention_layernorm(x))
