"""The workshop where the tiny Qwen3 checkpoint that ships with the repository was made."""
