"""Experiments: what more computation at answering time buys, measured on the same problems.

- `draws.py`: samples of many problems, graded and kept in a results file
- `comparison.py`: rows of the table, with intervals; votes replayed on samples drawn before
- `thinking.py`: longer thoughts against more samples, on puzzles
- `report.py`: the table as Markdown and as pictures
- `__main__.py`: `python -m CH4.experiments`
"""

from Appendixes.command_line import stop_in_words

stop_in_words()  # before the imports that take seconds
