"""RoPE: positions as rotations of queries and keys."""

from Appendixes.RoPE.rope import apply_rope, rope_cos_sin

__all__ = ["apply_rope", "rope_cos_sin"]
