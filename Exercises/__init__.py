"""Exercises on the three notebooks; `python -m Exercises` says where you are and what is next.

- `CH2.py`: the functions of chapter 2, for you to fill in
- `CH3.py`: the functions of chapter 3
- `CH4.py`: the functions of chapter 4
- `hints/`: up to three hints for each function
- `solutions/`: one way to write each function
- `checks/`: calls of each function, with the results that are expected
- `chapters.py`: finds an exercise's task, stub, solution and hints
- `cases.py`: calls a function case by case and compares the results
- `checking.py`: starts a process for a check, and says why it ended
- `check_process.py`: runs the check in that process, within a time limit
- `display.py`: prints verdicts, tasks and progress
- `reader_file.py`: cuts your file into functions, so that one syntax error spoils only one
- `hint_memory.py`: remembers how many hints were shown
"""
