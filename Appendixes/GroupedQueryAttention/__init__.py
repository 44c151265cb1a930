"""Grouped-query attention: many query heads on few key-value heads.

- `grouped_query_attention.py`: the formula in five lines, and the layer of Qwen3; read it first
- `segments.py`: the same on a context in several pieces, as a cache hands it over
- `main.py`: both at work, and checks that they agree
"""

from Appendixes.GroupedQueryAttention.grouped_query_attention import (
    GroupedQueryAttention,
    attention,
    causal_mask,
)
from Appendixes.GroupedQueryAttention.segments import grouped_attention

__all__ = ["GroupedQueryAttention", "attention", "causal_mask", "grouped_attention"]
