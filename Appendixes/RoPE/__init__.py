"""Rotary position embedding: positions as rotations of queries and keys; begin with `rope.py`."""

from Appendixes.RoPE.rope import apply_rope, rope_cos_sin

__all__ = ["apply_rope", "rope_cos_sin"]
