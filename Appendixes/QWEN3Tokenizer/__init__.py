"""The tokenizer, which turns text into token ids and back: begin with `byte_pair_encoding.py`."""

from Appendixes.QWEN3Tokenizer.byte_pair_encoding import BytePairEncoder
from Appendixes.QWEN3Tokenizer.qwen3_tokenizer import Qwen3Tokenizer

__all__ = ["BytePairEncoder", "Qwen3Tokenizer"]
