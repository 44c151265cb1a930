"""KVCache: what was read stays read."""

from Appendixes.KVcache.kv_cache import Extension, KVCache, Segment, token_offsets

__all__ = ["Extension", "KVCache", "Segment", "token_offsets"]
