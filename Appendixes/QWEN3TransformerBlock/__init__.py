"""Transformer block: one layer of Qwen3, attention and feed-forward with residuals."""

from Appendixes.QWEN3TransformerBlock.transformer_block import TransformerBlock

__all__ = ["TransformerBlock"]
