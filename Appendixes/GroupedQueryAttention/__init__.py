"""GroupedQueryAttention: many query heads on few key-value heads."""

from Appendixes.GroupedQueryAttention.grouped_query_attention import (
    GroupedQueryAttention,
    causal_mask,
    grouped_attention,
)

__all__ = ["GroupedQueryAttention", "causal_mask", "grouped_attention"]
