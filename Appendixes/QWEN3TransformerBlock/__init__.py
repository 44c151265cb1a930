"""TransformerBlock: one layer of Qwen3."""

from Appendixes.QWEN3TransformerBlock.transformer_block import TransformerBlock

__all__ = ["TransformerBlock"]
