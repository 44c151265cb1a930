"""Chapter 4: draw several solutions, let them vote, and stop when the vote is decided.

Begin with the notebook, `3_inference_time_scaling.ipynb`. Its sections lead to these modules:

- `sampling.py` (sections 1 to 5): temperature, top-k, top-p and min-p, and the draw of a token
- `voting.py` (sections 7 to 9): counts votes by meaning, and says how sure the winner is
- `inference_scaling.py` (sections 5, 7 and 10): self-consistency, for one prompt or many
- `early_stopping.py` (section 10): rules that end a vote before all samples are drawn
- `thinking.py` (sections 11 and 12): ends or prolongs thoughts, within a budget of tokens
- `experiments/` (sections 6 to 13): compares all these ways on the same problems
- `solve.py`: shows one problem being solved, from the shell; `python -m CH4.solve "..."`
- `results/` (sections 8 and 11 to 13): the experiments' numbers and pictures for both small models
"""
