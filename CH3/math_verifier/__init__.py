"""Find a mathematical answer in a text and grade it by meaning, without running text as code."""

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
