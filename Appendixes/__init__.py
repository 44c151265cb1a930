"""The parts of Qwen3, one folder each, every one with a demonstration:
`python Appendixes/RoPE/main.py`.
"""
