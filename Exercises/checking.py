"""Check the reader's file in a separate process, so that nothing it does can harm this one."""

import importlib
import multiprocessing
import sys
import tempfile
import traceback
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path

from Exercises.attempt import examine
from Exercises.cases import FAILED, UNDECIDED, Verdict
from Exercises.chapters import Exercise, exercise_named
from Exercises.reader_file import parse, read_source, reader_file

SILENCE = 900.0  # seconds of waiting for one verdict; only code that no limit stops takes as long
MODULE = "readers_code"


class Checker:
    """Process that has imported a chapter's checks and waits for one request.

    Args:
        chapter: such as "CH2".
    """

    def __init__(self, chapter: str):
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(theirs, chapter))
        self.process.start()
        theirs.close()

    def close(self) -> int | None:
        """End the process; return its exit status if it had ended before."""
        self.connection.close()
        self.process.join(0.5)
        status = self.process.exitcode
        self.process.kill()
        return status


def check(
    chapter: str, wanted: list[Exercise], checker: Checker | None = None
) -> Iterator[Verdict]:
    """Yield verdicts on exercises in the reader's file, in their order, each when it is known.

    Args:
        chapter: such as "CH2".
        wanted: exercises to check.
        checker: a process that was started in advance; None starts one.

    Raises:
        RuntimeError: a check itself cannot run, or the reader's file cannot be read.
    """
    source = read_source(reader_file(chapter))
    yield from run(chapter, source, [exercise.name for exercise in wanted], checker)


def run(
    chapter: str, source: str, names: list[str], checker: Checker | None = None
) -> Iterator[Verdict]:
    """Yield verdicts on functions of a text; a new process goes on when one has ended.

    Raises:
        RuntimeError: a check itself cannot run.
    """
    left = list(names)
    while left:
        checker = checker or Checker(chapter)
        try:
            checker.connection.send((source, left))
            while left:
                verdict = Verdict(left[0], UNDECIDED, f"no result in {SILENCE:g} seconds")
                silent = not checker.connection.poll(SILENCE)
                answer = verdict if silent else checker.connection.recv()
                if isinstance(answer, str):
                    raise RuntimeError(f"the check of {chapter} {left[0]} does not run:\n{answer}")
                left = left[1:]
                yield answer
                if silent:
                    break
        except (EOFError, OSError):  # the exercise has ended the process
            ended = f"the Python interpreter ended: exit status {checker.close()}"
            yield Verdict(left[0], FAILED, ended)
            left = left[1:]
        finally:
            checker.close()
        checker = None


def _serve(connection: Connection, chapter: str) -> None:
    """Import the checks, wait for one request, and send a verdict per function, or a traceback."""
    try:
        importlib.import_module(f"Exercises.checks.{chapter}")
        for verdict in _verdicts(f"{chapter}.py", *connection.recv()):
            connection.send(verdict)
    except EOFError:  # nobody asks any more
        return
    except Exception:
        hint = "Are the requirements installed, for this Python? pip install -r requirements.txt"
        connection.send(traceback.format_exc() + hint)


def _verdicts(file: str, source: str, names: list[str]) -> Iterator[Verdict]:
    # 1. Import what parses. An error in the imports, or in a helper, concerns all exercises.
    parsed, module = parse(source), None
    shared = [error for name, error in parsed.errors.items() if exercise_named(name) is None]
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, f"{MODULE}.py").write_text("".join(parsed.lines), encoding="utf-8")
        sys.path.insert(0, folder)
        try:
            module = importlib.import_module(MODULE)
        except (Exception, SystemExit) as error:
            shared.append(f"{type(error).__name__}: {error}")
        # 2. Examine function by function.
        for name in names:
            exercise, function = exercise_named(name), getattr(module, name, None)
            problem = next(filter(None, [parsed.errors.get(name), *shared]), None)
            if problem:
                yield Verdict(name, FAILED, f"{file} cannot be read: {problem}")
            elif exercise is None or not callable(function):
                told = f"{file} has no function {name} any more; --reset brings it back"
                yield Verdict(name, FAILED, told)
            else:
                yield examine(exercise, function)
