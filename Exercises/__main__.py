"""Exercises: fill in functions and have them checked at once.

python -m Exercises                     show where you are, and the next open exercise
python -m Exercises CH2                 check a chapter
python -m Exercises CH2 4               check one exercise
python -m Exercises CH2 1 5 8           check several
python -m Exercises CH2 --core          check those of the core path, marked ◆
python -m Exercises CH2 4 --hint        show a hint; each call shows one more
python -m Exercises CH2 4 --solution    show a solution
python -m Exercises CH2 4 --reset       restore the stub; your file goes to build/Exercises/attempts
python -m Exercises CH2 --reset         restore all stubs of a chapter; the attempts stay there too
python -m Exercises CH2 4 --watch       check whenever the file is saved, until Ctrl-C
python -m Exercises CH2 --file her.py   check another file instead, such as a student's; or several

--watch and --file go with one exercise, several, the core path or a chapter; --hint and --solution
with one exercise, --reset with one or a chapter.

The exit status is 0 if all that was checked is done, 1 if not, 2 if nothing could be checked.
"""

import argparse
import json
import sys
import time
from io import TextIOWrapper
from pathlib import Path

from Appendixes.command_line import run_main
from Exercises.cases import PASSED, Verdict
from Exercises.chapters import ROOT, STATE, Exercise, chapters, exercises
from Exercises.checking import Checker, check, last_verdicts
from Exercises.display import (
    clear,
    command,
    show_line,
    show_marks,
    show_next,
    show_progress,
    show_verdict,
)
from Exercises.reader_file import parse, read_source, reader_file, reset

HINTS_SHOWN = STATE / "hints.json"
ACTIONS = ("hint", "solution", "reset", "watch", "file")  # options that say what to do
CHECKPOINTS = ".ipynb_checkpoints"  # where JupyterLab keeps older copies of files
PAUSE = 0.1  # seconds between two looks at a file that is watched


def main(arguments: list[str] | None = None) -> int:
    """Run the command that the arguments describe.

    Returns:
        0 if every exercise that was checked is done, else 1; 2 if nothing could be checked; 130
        after Ctrl-C.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")  # a console without ★ shows a question mark
    parser = _parser()
    options = parser.parse_intermixed_args(arguments)
    chapter, wanted = options.chapter, _wanted(parser, options)
    try:
        if options.reset:
            return start_anew(chapter, wanted[0] if options.numbers else None)
        if options.watch:
            return watch(wanted)
        if options.file:
            return check_files(options.file, wanted)
        if options.hint:
            return show_hints(wanted[0])
        if options.solution:
            print(wanted[0].solution, end="")
            return 0
        if chapter is None:
            return overview()
        return check_one(wanted[0]) if len(wanted) == 1 else check_several(wanted)
    except KeyboardInterrupt:
        print()
        return 130
    except BrokenPipeError:  # `run_main` ends the program
        raise
    except (RuntimeError, OSError) as error:  # a check cannot run, or a file cannot be read
        print(error, file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m Exercises",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "chapter", nargs="?", choices=chapters(), type=str.upper, help="such as CH2"
    )
    numbers = "numbers of exercises of the chapter; without one: all"
    parser.add_argument("numbers", nargs="*", type=int, metavar="number", help=numbers)
    parser.add_argument("--core", action="store_true", help="the exercises marked ◆ alone")
    action = parser.add_mutually_exclusive_group()
    action.add_argument("--hint", action="store_true", help="show one hint more than last time")
    action.add_argument("--solution", action="store_true", help="show a solution")
    action.add_argument(
        "--reset",
        action="store_true",
        help="restore the stub, or all of a chapter; your file is kept",
    )
    action.add_argument("--watch", action="store_true", help="check whenever the file is saved")
    files = "check these files, or those of a folder and below, not the one in Exercises"
    action.add_argument("--file", nargs="+", type=Path, help=files)
    return parser


def _wanted(parser: argparse.ArgumentParser, options: argparse.Namespace) -> list[Exercise]:
    """Return the exercises that a command names, in their order; end with code 2 if it is wrong."""
    chapter, numbers, core = options.chapter, options.numbers, options.core
    given = " ".join([*map(str, numbers), *["--core"] * core])
    action = next((name for name in ACTIONS if getattr(options, name)), "core" if core else "")
    # 1. Refuse what does not go together.
    if action in ("hint", "solution") and (len(numbers) != 1 or core):
        but = f", not {given}" if given else ""
        parser.error(f"name one exercise, such as: CH2 4 --{action}{but}")
    if action == "reset" and (len(numbers) > 1 or core):
        parser.error(f"--reset restores one exercise or a chapter, not {given}")
    if numbers and core:
        parser.error(f"give numbers or --core, not both: {given}")
    if chapter is None and action:
        option = "file FILE" if action == "file" else action
        parser.error(f"name a chapter, such as: CH2 --{option}")
    # 2. Find the exercises.
    every = exercises(chapter) if chapter else []
    for number in numbers:
        if not 1 <= number <= len(every):
            parser.error(f"{chapter} has the exercises 1 to {len(every)}, not {number}")
    return [one for one in every if (one.number in numbers if numbers else one.core or not core)]


def show_hints(exercise: Exercise) -> int:
    """Print the hints of earlier calls and one more; a file remembers how many were shown."""
    seen = _hints_shown()
    before = seen.get(exercise.name, 0)
    for number, hint in enumerate(exercise.hints[: before + 1], 1):
        print(f"{number}. {hint}")
    if before == len(exercise.hints):
        print(f"No more hints; {command(exercise)} --solution shows one way.")
    _remember_hints(seen | {exercise.name: min(before + 1, len(exercise.hints))})
    return 0


def _hints_shown() -> dict[str, int]:
    """Return how many hints of each exercise were shown."""
    return json.loads(HINTS_SHOWN.read_text(encoding="utf-8")) if HINTS_SHOWN.is_file() else {}


def _remember_hints(seen: dict[str, int]) -> None:
    HINTS_SHOWN.parent.mkdir(parents=True, exist_ok=True)
    HINTS_SHOWN.write_text(json.dumps(seen, indent=2) + "\n", encoding="utf-8")


def start_anew(chapter: str, exercise: Exercise | None) -> int:
    """Restore one stub of a chapter, or all, and begin their hints again; say where the file as it
    was is kept.
    """
    backup = reset(chapter, exercise)
    anew = {one.name for one in ([exercise] if exercise else exercises(chapter))}
    _remember_hints({name: count for name, count in _hints_shown().items() if name not in anew})
    restored = f"the stub of {exercise.name} is" if exercise else f"all stubs of {chapter} are"
    print(f"{restored} back" + (f"; your file as it was: {backup}" if backup else ""))
    return 0


def check_one(exercise: Exercise, checker: Checker | None = None) -> int:
    """Check one exercise; print the verdict, then the task if it is not done, else the next one."""
    [verdict] = check(read_source(exercise.chapter), [exercise], checker)
    show_verdict(exercise, verdict)
    save_picture(exercise, verdict)
    every = [one for chapter in chapters() for one in exercises(chapter)]
    following = every[every.index(exercise) + 1 :]
    if verdict.state != PASSED:
        show_next(exercise, verdict)
    elif following:
        print(f"\nNext: {command(following[0])}    {following[0].name}")
    return int(verdict.state != PASSED)


def save_picture(exercise: Exercise, verdict: Verdict) -> None:
    """Draw what a capstone's check has measured into a file, and say where it is."""
    if verdict.rows:
        from Exercises.pictures import picture  # here, as it is slow to import

        figure, path = picture(exercise.name, save_picture, verdict), STATE / f"{exercise.name}.png"
        if figure is not None:
            STATE.mkdir(parents=True, exist_ok=True)
            figure.savefig(path)
            print(f"    picture:   {path.relative_to(ROOT)}")


def check_several(wanted: list[Exercise], checker: Checker | None = None) -> int:
    """Check exercises of one chapter; print a line for each, the progress and the next open one."""
    chapter, results = wanted[0].chapter, []
    verdicts = check(read_source(chapter), wanted, checker)
    for exercise, verdict in zip(wanted, verdicts, strict=True):
        show_line(exercise, verdict)
        results.append((exercise, verdict))
    show_progress(chapter, results)
    return _finish(results)


def check_files(paths: list[Path], wanted: list[Exercise]) -> int:
    """Check exercises of one chapter in files elsewhere, or folders of them; print each verdict.

    A file with none of the chapter's functions is left out, and said at the end.

    Returns:
        0 if all are done in every file that was checked, else 1.

    Raises:
        RuntimeError: a file cannot be read, a folder holds none, or none is of this chapter.
    """
    chapter, marks = wanted[0].chapter, {}
    # 1. Find the files; one that cannot be read is told before the first is checked.
    files: list[Path] = []
    for path in paths:
        found = sorted(path.rglob("*.py")) if path.is_dir() else [path]
        found = [file for file in found if CHECKPOINTS not in file.relative_to(path).parts]
        if not found:
            raise RuntimeError(f"no .py file in {path}")
        files += found
    sources = {file: read_source(chapter, file) for file in files}
    # 2. Leave out the files of another chapter.
    functions = {one.name for one in exercises(chapter)}
    others = [file for file, text in sources.items() if not functions & parse(text).places.keys()]
    left_out = "\n".join(f"{file}: none of {chapter}'s functions, not checked" for file in others)
    if len(others) == len(sources):
        raise RuntimeError(left_out)
    # 3. Check the rest.
    for file in [file for file in sources if file not in others]:
        results, verdicts = [], check(sources[file], wanted, name=file.name)
        for exercise, verdict in zip(wanted, verdicts, strict=True):
            show_verdict(exercise, verdict)
            results.append((exercise, verdict))
        show_progress(f"{file}: {chapter}", results)
        marks[str(file)] = [verdict.state for _, verdict in results]
    if len(marks) > 1:
        show_marks(wanted, marks)
    if left_out:
        print(left_out)
    return int(any(state != PASSED for states in marks.values() for state in states))


def overview() -> int:
    """Check the chapters that have changed; print the progress of each and what is open next."""
    results = []
    for chapter in chapters():
        in_chapter = list(zip(exercises(chapter), last_verdicts(chapter), strict=True))
        show_progress(chapter, in_chapter)
        results += in_chapter
    return _finish(results)


def _finish(results: list) -> int:
    """Show the next open exercise: the first that fails, else the first that is not begun.

    Returns:
        0 if all are done, else 1.
    """
    still_open = [result for result in results if result[1].state != PASSED]
    if not still_open:
        print("\nAll done.")
        return 0
    exercise, verdict = min(still_open, key=lambda result: not result[1].message)
    print("\nNext:")
    show_verdict(exercise, verdict)
    show_next(exercise, verdict)
    return 1


def watch(wanted: list[Exercise]) -> int:
    """Check exercises of one chapter now and whenever the file is saved, until Ctrl-C."""
    chapter = wanted[0].chapter
    file, checker = reader_file(chapter), Checker(chapter)
    while True:
        saved = _saved(file)
        clear()
        try:
            check_one(wanted[0], checker) if len(wanted) == 1 else check_several(wanted, checker)
        except RuntimeError as error:  # the file cannot be read; the next save may repair it
            print(error)
        if not checker.process.is_alive():
            checker = Checker(chapter)  # in advance, so that the next verdict comes at once
        print(f"\nwatching {file.name}: save it to check again, Ctrl-C ends", flush=True)
        while _saved(file) == saved:
            time.sleep(PAUSE)


def _saved(file: Path) -> tuple[int, int] | None:
    """Return the time when a file was saved and its size; None while there is no such file."""
    try:
        return file.stat().st_mtime_ns, file.stat().st_size
    except OSError:
        return None


if __name__ == "__main__":
    run_main(main)
