"""Chapter 3: find an answer in a text, grade it by meaning, and evaluate a model.

Begin with the notebook, `2_math_verifier.ipynb`. Its sections lead to these modules:

- `problems.py` (sections 1 and 12): reads the problems of a data set: ours, MATH-500 or your own
- `math_verifier/` (sections 2 to 7): extracts an answer, parses it, and compares it by meaning
- `benchmark_verifier/` (sections 7 and 8): measures how right, fast and safe verifiers are
- `countdown.py` (section 12): checks answers of which many are right, by their numbers and value
- `evaluation/` (sections 9 to 13): asks a model or a server all problems and reports the accuracy
- `arithmetic500_test.json` (section 1): 500 problems that `tiny` was not trained on
- `countdown500_test.json` (section 12): 500 puzzles that `tiny-thinking` was not trained on
- `graded_pairs.json` (section 8): 702 pairs of answers, graded by hand
- `hard_answers.json` (section 8): hard pairs and texts by kind, after public bug reports
"""
