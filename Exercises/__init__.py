"""Exercises on the three notebooks: fill in functions, and have them checked at once.

- `CH2.py`: the functions of chapter 2, for you to fill in
- `CH3.py`: the functions of chapter 3
- `CH4.py`: the functions of chapter 4
- `hints/`: up to three hints for each function
- `solutions/`: one way to write each function
- `checks/`: calls of each function, with the results that are expected
- `chapters.py`: finds an exercise's task, stub, solution and hints
- `cases.py`: calls a function case by case and compares the results
- `attempt.py`: judges one attempt, tries again if time runs out, names helpers that are not done
- `time_limit.py`: stops code that computes for too long
- `notebook.py`: `check(my_function)` in a notebook's cell
- `pictures.py`: draws what a function does
- `checking.py`: checks the reader's file in a process of its own
- `reader_file.py`: finds the functions of that file, and restores stubs
- `display.py`: prints verdicts, tasks and progress

`python -m Exercises` says where you are and what is next, `python -m Exercises CH2 --core` how far
you are on the core path, the exercises marked ◆; `--help` lists the rest. In a notebook:

    from Exercises import check
    check(my_function)
"""

from Exercises.notebook import check

__all__ = ["check"]
