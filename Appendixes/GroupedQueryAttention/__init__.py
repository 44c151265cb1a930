"""Grouped-query attention: each token collects what it needs from the tokens before it.

Every token has a query (what it looks for), a key (what it offers) and a value (what it tells). A
query is compared with all keys up to its own. Softmax turns the scores into weights that sum to 1,
and the result is the mean of the values with these weights. A layer has many query heads, and in
Qwen3 several of them share one key-value head, so that fewer keys and values are kept.

The idea, for one head, with keys chosen so that the last weights are as 1 : 2 : 3:

>>> import torch
>>> queries = torch.ones(3, 1)  # (tokens, head_dim)
>>> values = torch.tensor([[1.0], [2.0], [3.0]])
>>> keys = values.log()
>>> scores = queries @ keys.T / queries.shape[-1] ** 0.5
>>> later = torch.ones(3, 3, dtype=torch.bool).triu(diagonal=1)
>>> weights = scores.masked_fill(later, float("-inf")).softmax(dim=-1)
>>> weights
tensor([[1.0000, 0.0000, 0.0000],
        [0.3333, 0.6667, 0.0000],
        [0.1667, 0.3333, 0.5000]])
>>> (weights @ values).flatten()  # 1, (1 + 4) / 3, (1 + 4 + 9) / 6
tensor([1.0000, 1.6667, 2.3333])

- `grouped_query_attention.py`: the formula in a few lines, and the layer of Qwen3; read it first
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
