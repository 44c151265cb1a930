"""Print verdicts, tasks and progress."""

import os
import shutil
import sys
from pathlib import Path

from Exercises.cases import FAILED, NOT_DONE, PASSED, Verdict
from Exercises.chapters import STAR, Exercise
from Exercises.reader_file import effective_blocks, read_source, reader_file

WIDTH = 24  # characters of a progress bar
MARKS = {PASSED: "✓", NOT_DONE: "·", FAILED: "✗"}
COLOURS = {PASSED: "32", NOT_DONE: "2", FAILED: "31"}  # green, faint, red


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
    """Return the command that checks an exercise, with the Python that is running."""
    program = Path(sys.executable)
    python = program.relative_to(Path.cwd()) if program.is_relative_to(Path.cwd()) else program
    if shutil.which("python") == str(program):
        python = Path("python")
    return f"{python} -m Exercises {exercise.chapter} {exercise.number}"


def show_line(exercise: Exercise, verdict: Verdict) -> None:
    """Print one exercise and its state on one line."""
    stars = STAR * exercise.stars
    title = f"{exercise.number:>2}  {exercise.name:<26} {stars:<4} {verdict.state}"
    print(coloured(f"  {MARKS[verdict.state]} {title}", verdict.state), flush=True)


def show_progress(chapter: str, results: list[tuple[Exercise, Verdict]]) -> None:
    """Print how many of a chapter's exercises are done."""
    print(
        f"{chapter}  {bar(sum(verdict.state == PASSED for _, verdict in results), len(results))}",
        flush=True,
    )


def show_verdict(exercise: Exercise, verdict: Verdict) -> None:
    """Print an exercise's state, what went wrong and what the reader's function printed."""
    title = f"{exercise.chapter} {exercise.number}  {exercise.name} {STAR * exercise.stars}"
    print(coloured(f"{MARKS[verdict.state]} {title}: {verdict.state}", verdict.state))
    if verdict.message:
        print(indented(verdict.message))
    if verdict.printed:
        print(f"  it printed:\n{indented(verdict.printed.rstrip())}")
    sys.stdout.flush()


def show_next(exercise: Exercise, verdict: Verdict) -> None:
    """Print where to write and what to type; before, the task if the exercise was not begun."""
    if verdict.state == NOT_DONE:
        print(f"\n{indented(exercise.task.lstrip(STAR + ' '))}")
    print(f"\n  write in {_place(exercise)}")
    print(f"  check:   {command(exercise)}\n  stuck?   {command(exercise)} --hint", flush=True)


def _place(exercise: Exercise) -> str:
    source = read_source(reader_file(exercise.chapter))
    lines = [block.line for block in effective_blocks(source) if block.name == exercise.name]
    return f"Exercises/{exercise.chapter}.py" + (f", line {lines[0]}" if lines else "")
