"""The normalisation in front of every sub-layer of Qwen3: begin with `rmsnorm.py`."""

from Appendixes.RMSNorm.rmsnorm import RMSNorm

__all__ = ["RMSNorm"]
