"""Chapter 4: more computation at answering time, and what it buys.

The notebook is `3_inference_time_scaling.ipynb`. Its modules, in the order of its sections:

- `sampling.py`: temperature, top-k, top-p and min-p, and the draw of a token (sections 1 to 5)
- `voting.py`: samples, and majority and confidence-weighted votes over their answers (7 and 8)
- `inference_scaling.py`: self-consistency, which draws the samples and holds the votes (7)
- `early_stopping.py`: rules that end a vote before all samples are drawn (10)
- `experiments/`: all of this compared on one set of problems (6, 8, 9 and 10);
  `python -m CH4.experiments`
"""
