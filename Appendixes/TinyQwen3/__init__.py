"""The workshop that made the tiny Qwen3 checkpoint of this repository: begin with `problems.py`."""
