"""Exercises on the three notebooks; `python -m Exercises` says where you are and what is next.

- `CH2.py`, `CH3.py`, `CH4.py`: the functions that you fill in
- `solutions/`, `hints/`: one way to write each function, and up to three hints for it
- `checks/`: calls of each function, with the results that are expected
- `display.py`: prints verdicts, tasks and progress
- `chapters.py`: finds an exercise's task, stub, solution and hints
- `cases.py`: calls a function case by case and compares the results
- `checking.py`, `check_process.py`: check in a process of its own, within a time limit
- `reader_file.py`: cuts your file into functions, so that one syntax error spoils only one
- `hint_memory.py`: remembers how many hints were shown
"""
