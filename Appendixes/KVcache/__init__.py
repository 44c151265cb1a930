"""KVCache: what was read stays read."""

from Appendixes.KVcache.kv_cache import Extension, KVCache, LayerExtension, Segment, token_offsets

__all__ = ["Extension", "KVCache", "LayerExtension", "Segment", "token_offsets"]
