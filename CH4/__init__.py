"""Chapter 4: draw several solutions, let them vote, and stop when the vote is decided.

Begin with the notebook, `3_inference_time_scaling.ipynb`. Its sections lead to these modules:

- `sampling.py` (sections 1 to 5): temperature, top-k, top-p and min-p, and the draw of a token
- `voting.py` (sections 7 and 8): counts votes by meaning, and says how sure the winner is
- `inference_scaling.py` (sections 7 and 8): self-consistency, for one prompt or many
- `early_stopping.py` (section 10): rules that end a vote before all samples are drawn
- `thinking.py`: thoughts within a budget of tokens, which ends or prolongs them
- `experiments/` (sections 6 and 8 to 10): compares all these ways on the same problems
- `solve.py`: shows one problem being solved, from the shell; `python -m CH4.solve "..."`
- `results/` (section 10): the experiments' numbers and picture for the shipped model
"""
