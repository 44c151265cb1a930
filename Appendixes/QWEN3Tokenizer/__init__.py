"""Qwen3Tokenizer: text to ids, ids to text, conversations to ids that no message can break."""

from Appendixes.QWEN3Tokenizer.qwen3_tokenizer import Qwen3Tokenizer

__all__ = ["Qwen3Tokenizer"]
