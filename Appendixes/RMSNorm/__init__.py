"""RMSNorm: the normalisation in front of every sub-layer of Qwen3."""

from Appendixes.RMSNorm.rmsnorm import RMSNorm

__all__ = ["RMSNorm"]
