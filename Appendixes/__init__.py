"""The parts of Qwen3, one folder each: begin with `RMSNorm`, and `python Appendixes/RMSNorm/main.py`
shows it at work; every folder has such a `main.py`.
"""
