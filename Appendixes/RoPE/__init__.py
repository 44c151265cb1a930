"""Rotary position embedding, which turns queries and keys by their position: begin with `rope.py`."""

from Appendixes.RoPE.rope import apply_rope, rope_cos_sin

__all__ = ["apply_rope", "rope_cos_sin"]
