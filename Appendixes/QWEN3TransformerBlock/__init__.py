"""Transformer block: attention, then a feed-forward layer, each adding to the token's vector.

A token is a vector that passes all blocks of the model, the residual stream. In each block,
attention adds what other tokens have to say, and the feed-forward layer adds what follows from it.
Both read a normalised copy and only add, so what is in the stream stays in it.

The idea is in the two lines that make y:

>>> import torch
>>> from types import SimpleNamespace
>>> from Appendixes.RoPE import rope_cos_sin
>>> heads = {"num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 4}
>>> config = SimpleNamespace(hidden_size=8, intermediate_size=16, rms_norm_eps=1e-6, **heads)
>>> block, x = TransformerBlock(config), torch.randn(1, 5, 8)  # (batch, tokens, width)
>>> cos, sin = rope_cos_sin(torch.arange(5)[None], head_dim=4, theta=10_000.0)
>>> y = x + block.self_attn(block.input_layernorm(x), cos, sin)
>>> y = y + block.mlp(block.post_attention_layernorm(y))
>>> torch.equal(y, block(x, cos, sin))
True

- `transformer_block.py`: the block; read it first
- `main.py`: what the stream keeps, what each branch adds, and the block from PyTorch's functions
"""

from Appendixes.QWEN3TransformerBlock.transformer_block import TransformerBlock

__all__ = ["TransformerBlock"]
