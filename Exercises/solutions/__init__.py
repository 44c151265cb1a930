"""The exercises, filled in: the same functions, one file a chapter."""
