"""Key-value cache: keys and values of past tokens, computed once and kept.

No token sees a later one, so the keys and values of a text do not change when it goes on. A model
that writes keeps them. Each step then computes those of one new token, instead of those of the
whole text again.

The idea, with a key that is easy to compute:

>>> import torch
>>> keys = torch.empty(0, 2)  # (tokens so far, head_dim)
>>> for token in (1.0, 2.0, 3.0):
...     new = torch.tensor([[token, token**2]])
...     keys = torch.cat((keys, new))
...     print(f"computed {len(new)}, kept {len(keys)}")
computed 1, kept 1
computed 1, kept 2
computed 1, kept 3
>>> sum(range(1, 101)), 100  # for 100 tokens, without a cache and with one
(5050, 100)

- `simple_kv_cache.py`: the idea, in a class of ten lines; read it first
- `kv_cache.py`: buffers that grow by doubling, rows with lengths of their own
- `prefix_sharing.py`: many samples of one prompt, which is stored once
- `main.py`: the three at work, and a check that they agree
"""

from Appendixes.KVcache.kv_cache import (
    BLOCK,
    Extension,
    KVCache,
    LayerExtension,
    Segment,
    StepShape,
    additive_bias,
    buffer_positions,
    places_without,
    send,
    token_offsets,
)
from Appendixes.KVcache.prefix_sharing import ForkedCache, PromptCache
from Appendixes.KVcache.simple_kv_cache import SimpleKVCache

__all__ = [
    "BLOCK",
    "Extension",
    "ForkedCache",
    "KVCache",
    "LayerExtension",
    "PromptCache",
    "Segment",
    "SimpleKVCache",
    "StepShape",
    "additive_bias",
    "buffer_positions",
    "places_without",
    "send",
    "token_offsets",
]
