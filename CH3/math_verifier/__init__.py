r"""Find a mathematical answer in a text and grade it by meaning, without running text as code.

>>> grade_answer(r"\frac{1}{2}", "0.5")
True
>>> explain_grade("[0,1)", r"0 \le x < 1").rule  # why
'the same set of real numbers'
>>> extract_answer(r"So the answer is \boxed{42}.")
'42'

- `grading.py`: decides whether two answers are the same; read it first
- `extraction.py`: finds the answer in what a model wrote
- `lexer.py`, `notation.py`: cut mathematical text into tokens, by tables of what signs mean
- `parser.py`, `words.py`, `tree.py`: make a tree of them
- `arithmetic.py`, `matrices.py`: compute a tree's value at one place, and refuse what is too
  expensive
- `values.py`, `modular.py`: compare expressions by values at several places, and numbers that are
  too large to compute, such as 9^{9^9}, by remainders
- `keys.py`, `canonical.py`: what is left of an answer when spelling is gone; equal keys, same
  answer
- `readings.py`, `real_sets.py`: other ways to take an answer; intervals, unions, inequalities

The Ruff rules S102 and S307, and its list of banned functions, keep `eval`, `exec` and their like
out of the repository, and `tests/CH3/test_no_text_is_run.py` the two that Ruff cannot ban.
`tests/CH3/test_hostile_answers.py` grades hostile answers and watches that nothing in them is run.
"""

from CH3.math_verifier.extraction import extract_answer, last_box
from CH3.math_verifier.grading import Grade, answer_key, explain_grade, grade_answer, same_answer

__all__ = [
    "Grade",
    "answer_key",
    "explain_grade",
    "extract_answer",
    "grade_answer",
    "last_box",
    "same_answer",
]
