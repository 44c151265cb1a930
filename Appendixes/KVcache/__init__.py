"""Key-value cache: keys and values of past tokens, kept so that they are computed once.

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
