"""Print verdicts, tasks and progress."""

import os
import sys

from Exercises.cases import FAILED, NOT_DONE, PASSED, UNDECIDED, Verdict
from Exercises.chapters import CORE, Exercise
from Exercises.reader_file import line_of

WIDTH = 24  # characters of a progress bar
MARKS = {PASSED: "✓", NOT_DONE: "·", FAILED: "✗", UNDECIDED: "?"}
COLOURS = {PASSED: "32", NOT_DONE: "2", FAILED: "31", UNDECIDED: "33"}  # green, faint, red, yellow


def coloured(text: str, state: str) -> str:
    """Colour a text by state if the output is a terminal, unless NO_COLOR is set (no-color.org)."""
    if not sys.stdout.isatty() or "NO_COLOR" in os.environ:
        return text
    return f"\033[{COLOURS[state]}m{text}\033[0m"


def clear() -> None:
    """Clear the screen if the output is a terminal, else print an empty line."""
    print("\033[2J\033[H" if sys.stdout.isatty() else "", end="")


def bar(done: int, total: int) -> str:
    """Draw a progress bar.

    >>> bar(4, 16)
    '██████░░░░░░░░░░░░░░░░░░  4 of 16'
    """
    full = WIDTH * done // total
    return f"{'█' * full}{'░' * (WIDTH - full)}  {done} of {total}"


def indented(text: str, by: str = "    ") -> str:
    """Indent every line that is not empty."""
    return "\n".join(by + line if line.strip() else "" for line in text.splitlines())


def command(exercise: Exercise) -> str:
    """Return the command that checks an exercise."""
    return f"python -m Exercises {exercise.place}"


def show_line(exercise: Exercise, verdict: Verdict) -> None:
    """Print one exercise and its state on one line."""
    title = f"{exercise.number:>2}  {exercise.name:<26} {exercise.marks:<5} {verdict.state}"
    print(coloured(f"  {MARKS[verdict.state]} {title}", verdict.state), flush=True)


def show_progress(chapter: str, results: list[tuple[Exercise, Verdict]]) -> None:
    """Print how many of some exercises are done, and of those on the core path among them."""
    done = [exercise for exercise, verdict in results if verdict.state == PASSED]
    core = [exercise for exercise, _ in results if exercise.core]
    path = f", core path ◆ {len(set(core) & set(done))} of {len(core)}"
    beside = path if 0 < len(core) < len(results) else ""  # where it is all or none, no more to say
    print(f"{chapter}  {bar(len(done), len(results))}{beside}", flush=True)


def show_marks(wanted: list[Exercise], states: dict[str, list[str]]) -> None:
    """Print a table of several files: a mark per exercise, and how many are done."""
    width = max(map(len, states))
    for head in ([str(one.number) for one in wanted], [CORE * one.core for one in wanted]):
        print(" " * width + "".join(f"{cell:>3}" for cell in head))
    for file, row in states.items():
        marks = "".join(f"{MARKS[state]:>3}" for state in row)
        print(f"{file:<{width}}{marks}  {row.count(PASSED)} of {len(row)}")


def show_verdict(exercise: Exercise, verdict: Verdict) -> None:
    """Print an exercise's state, what went wrong and what the reader's function printed."""
    title = f"{exercise.place}  {exercise.name} {exercise.marks}"
    print(coloured(f"{MARKS[verdict.state]} {title}: {verdict.state}", verdict.state))
    if verdict.message:
        print(indented(verdict.message))
    if verdict.printed:
        print(f"  it printed:\n{indented(verdict.printed.rstrip())}")
    sys.stdout.flush()


def show_next(exercise: Exercise, verdict: Verdict) -> None:
    """Print where to write and what to type; before, the task if the exercise was not begun."""
    if verdict.state == NOT_DONE:
        print(f"\n{indented(exercise.task)}")
    line = line_of(exercise)
    print(f"\n  write in Exercises/{exercise.chapter}.py" + (f", line {line}" if line else ""))
    print(f"  check:   {command(exercise)}\n  stuck?   {command(exercise)} --hint", flush=True)
