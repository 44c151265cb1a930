"""Exercises on the three notebooks; `python -m Exercises` says where you are and what is next.

- CH2.py, CH3.py, CH4.py     the functions that you fill in
- solutions/  hints/         one way to write each function, and up to three hints for it
- checks/                    for each function, calls with the results that are expected
- __main__.py, display.py    the command line, and what it prints
- chapters.py                finds an exercise's parts: task, stub, solution, hints
- cases.py                   calls a function case by case and compares the results
- checking.py                checks in a process of its own (check_process.py), with a time limit
- reader_file.py             cuts your file into functions, so that one syntax error spoils only one
- hint_memory.py             remembers the hints that were shown
"""
