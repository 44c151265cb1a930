"""Check the reader's file in a separate process, so that nothing it does can harm this one."""

import hashlib
import importlib
import json
import multiprocessing
import signal
import sys
import tempfile
import traceback
from collections.abc import Iterator
from dataclasses import asdict
from multiprocessing.connection import Connection
from pathlib import Path

from Exercises.attempt import TRIES, examine
from Exercises.cases import FAILED, UNDECIDED, Verdict, reader_lines
from Exercises.chapters import FOLDER, STATE, Exercise, exercise_named, exercises
from Exercises.reader_file import parse, read_source
from Exercises.time_limit import OutOfTime, cpu_limit

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
        self.folder = tempfile.TemporaryDirectory()  # this process outlives the other
        arguments = (theirs, chapter, self.folder.name)
        self.process = context.Process(target=_serve, args=arguments, daemon=True)
        self.process.start()
        theirs.close()

    def close(self) -> None:
        """End the process, and remove what it has written."""
        self.process.kill()
        self.process.join()
        self.folder.cleanup()


def check(
    source: str, wanted: list[Exercise], checker: Checker | None = None, name: str = ""
) -> Iterator[Verdict]:
    """Yield verdicts on the functions of a text; a new process goes on when one has ended.

    Args:
        source: text of the reader's file.
        wanted: exercises of one chapter, in the order of the verdicts.
        checker: a process that was started in advance; None starts one.
        name: of a file that is not the reader's own, such as one that was handed in.

    Raises:
        RuntimeError: a check itself cannot run.
    """
    left = list(wanted)
    while left:
        checker = checker or Checker(left[0].chapter)
        try:
            checker.connection.send((source, left, name))
            while left and checker.connection.poll(SILENCE):
                answer = checker.connection.recv()
                if isinstance(answer, str):
                    raise RuntimeError(f"the check of {left[0].place} does not run:\n{answer}")
                left.pop(0)
                yield answer
            if left:
                yield Verdict(left.pop(0).name, UNDECIDED, f"no result in {SILENCE:g} seconds")
        except (EOFError, OSError):  # the exercise has ended the process
            checker.process.join(1)
            ended = f"the Python interpreter ended: exit status {checker.process.exitcode}"
            yield Verdict(left.pop(0).name, FAILED, ended)
        finally:
            checker.close()
        checker = None


def last_verdicts(chapter: str) -> list[Verdict]:
    """Check a chapter, or repeat the verdicts of last time if file and checks are the same.

    Raises:
        RuntimeError: a check itself cannot run, or the reader's file cannot be read.
    """
    source, kept = read_source(chapter), STATE / f"verdicts_{chapter}.json"
    checks = (FOLDER / "checks" / f"{chapter}.py").read_text(encoding="utf-8")
    judged = hashlib.sha256(f"{source}{checks}".encode()).hexdigest()
    if kept.is_file():
        last = json.loads(kept.read_text(encoding="utf-8"))
        if last["judged"] == judged:
            return [Verdict(**verdict) for verdict in last["verdicts"]]
    verdicts = list(check(source, exercises(chapter)))
    if UNDECIDED not in [verdict.state for verdict in verdicts]:
        kept.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps({"judged": judged, "verdicts": [asdict(one) for one in verdicts]})
        kept.write_text(text, encoding="utf-8")
    return verdicts


def _serve(connection: Connection, chapter: str, folder: str) -> None:
    """Import the checks, wait for one request, and send a verdict per function, or a traceback."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the other process, which ends this
    try:
        importlib.import_module(f"Exercises.checks.{chapter}")
        for verdict in _verdicts(folder, *connection.recv()):
            connection.send(verdict)
    except Exception:
        hint = "Are the requirements installed, for this Python? pip install -r requirements.txt"
        connection.send(traceback.format_exc() + hint)


def _verdicts(
    folder: str, source: str, wanted: list[Exercise], handed_in: str
) -> Iterator[Verdict]:
    # 1. Import what parses. An error in the imports, or in a helper, concerns all exercises.
    file, parsed, module = handed_in or f"{wanted[0].chapter}.py", parse(source), None
    shared = [error for name, error in parsed.errors.items() if exercise_named(name) is None]
    Path(folder, f"{MODULE}.py").write_text("\n".join(parsed.lines), encoding="utf-8")
    sys.path.insert(0, folder)
    state, told = UNDECIDED, ""
    for seconds in TRIES:  # an import that uses up its time gets one more, as an attempt does
        try:
            with cpu_limit(seconds):
                module = importlib.import_module(MODULE)
            break
        except (Exception, SystemExit, OutOfTime) as error:
            state = UNDECIDED if isinstance(error, OutOfTime) else FAILED
            told = "\n    ".join([f"{type(error).__name__}: {error}", *reader_lines(error, MODULE)])
        if state == FAILED:
            break
    # 2. Examine function by function.
    for exercise in wanted:
        name, function = exercise.name, getattr(module, exercise.name, None)
        problem = next(filter(None, [parsed.errors.get(name), *shared]), None)
        if problem:
            yield Verdict(name, FAILED, f"{file} cannot be read: {problem}")
        elif module is None:
            yield Verdict(name, state, f"{file} cannot be read: {told}")
        elif not callable(function):
            advice = "" if handed_in else " any more; --reset brings it back"
            yield Verdict(name, FAILED, f"{file} has no function {name}{advice}")
        else:
            yield examine(exercise, function)
