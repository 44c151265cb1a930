"""The parts of Qwen3, one folder each: begin with `RMSNorm`, the shortest.

Every folder has a demonstration, such as `python Appendixes/RMSNorm/main.py`.
"""
