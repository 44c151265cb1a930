"""Chapter 2: load a language model, generate text with it, and make that fast.

Begin with the notebook, `1_load_LLM&speedup_inference.ipynb`. Its sections lead to these modules:

- `prompts.py` (section 4): puts a problem into a prompt, for a direct answer or for steps
- `generation.py` (sections 4 and 10): generates one text as a stream, or many at once
- `decoding.py` (section 10): runs the one decoding loop, whose rows come, go and share prompts;
  pads prompts of several lengths
- `continuous_batching.py` (chapter 3, section 9): admits waiting prompts as rows get free
- `cache_budget.py` (section 8): predicts the memory of a cache, so that no text runs out of it
- `compilation.py` (section 9): compiles a decoding step with `torch.compile`
- `captured_steps.py` (section 13): captures decoding steps as CUDA graphs, which a GPU replays
- `packed_weights.py` (section 12): packs weights in 16, 8 or 4 bits, most of all for a CPU
- `fast.py` (section 11): joins, packs and compiles a model, as far as it pays here
- `speed_ladder.py` (section 11): all these changes one on the other, slowest to fastest
- `benchmark/` (section 11): times the ladder beside other packages; `python -m CH2.benchmark`
- `seeds.py` (chapter 4, section 5): gives each sample a random generator of its own
- `qwen3/` (section 1): checkpoints; `tiny` and `tiny-thinking` ship with the repository
- `results/` (section 11): the benchmark's numbers on one machine
"""
