"""The process that runs the reader's code: `python -m Exercises.check_process CH2`, started by
`checking.py`.

- it imports the chapter's checks, then waits for one line of JSON that says what to check
- it writes one line of JSON for each exercise that it begins, and one for each verdict; standard
  output is kept for these lines, and what the reader's code prints is collected, the first part of
  it
- a watchdog ends the process when an exercise takes too long, and leaves behind where the code was;
  it is a thread of Python, because only who holds the interpreter's lock sees the other thread's
  calls at rest. For code that never gives the lock back there is a second one, a little later
  (`faulthandler`, a thread that needs no Python). A crash of the interpreter leaves its traces in
  the same form
"""

import contextlib
import faulthandler
import importlib
import io
import json
import os
import random
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from Exercises.cases import FAILED, Verdict, judge, reader_lines
from Exercises.reader_file import in_force, load

STANDARD_ERROR = 2
SECOND_WATCHDOG = 1.0  # seconds after the first
PRINTED = 2000  # characters of the reader's prints that are kept


class FirstPart(io.TextIOBase):
    """A file that keeps the beginning of what is written to it, so that an endless print fills no
    memory.
    """

    def __init__(self) -> None:
        self.text = ""

    def writable(self) -> bool:
        """Always."""
        return True

    def write(self, text: str) -> int:
        """Keep what still fits."""
        self.text += text[: PRINTED - len(self.text)]
        return len(text)


def main(chapter: str) -> None:
    """Check what the line on standard input asks for.

    It is `{"path": ..., "source": ..., "names": [...], "seconds": ...}`; the source is what was
    read from the path."""
    reports = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # prints from below Python go nowhere
    faulthandler.enable(STANDARD_ERROR)
    checks = importlib.import_module(f"Exercises.checks.{chapter}")

    def report(**message: Any) -> None:
        print(json.dumps(message), file=reports, flush=True)

    request = json.loads(sys.stdin.readline() or '{"names": []}')  # no line: nobody waits any more
    if request["names"]:
        path = Path(request["path"])
        for verdict in verdicts(
            path, request["source"], checks, request["names"], request["seconds"], report
        ):
            report(verdict=verdict.as_dict())


def verdicts(
    path: Path,
    source: str,
    checks: ModuleType,
    names: list[str],
    seconds: float,
    report: Callable[..., None],
) -> Iterator[Verdict]:
    """A verdict on each of the functions; before, `report(begin=name)`, with None for reading the
    file.
    """
    report(begin=None)
    with _limit(seconds):
        slips = {piece.name: piece.slip for piece in in_force(source) if piece.slip}
        module, reason = _load(path, source)
    shared = [
        slip for name, slip in slips.items() if not hasattr(checks, name or "")
    ]  # of imports, the reader's helpers
    for name in names:
        problem = next(filter(None, [slips.get(name), *shared, reason]), None)
        if problem:
            yield Verdict(name, FAILED, f"{path.name} cannot be read: {problem}")
            continue
        if not callable(getattr(module, name, None)):
            yield Verdict(
                name, FAILED, f"{path.name} has no function {name} any more; --reset brings it back"
            )
            continue
        report(begin=name)
        printed = FirstPart()
        with (
            _limit(seconds),
            contextlib.redirect_stdout(printed),
            contextlib.redirect_stderr(printed),
        ):
            verdict = judge(name, getattr(module, name), getattr(checks, name)(random.Random()))
        yield Verdict(name, verdict.state, verdict.message, printed.text)


def _load(path: Path, source: str) -> tuple[ModuleType | None, str | None]:
    """The reader's module, or why there is none."""
    try:
        with contextlib.redirect_stdout(FirstPart()):
            return load(path, source), None
    except (Exception, SystemExit) as error:
        return None, "\n    ".join(
            [f"{type(error).__name__}: {error}", *reader_lines(error, str(path))]
        )


@contextlib.contextmanager
def _limit(seconds: float) -> Iterator[None]:
    watchdog = threading.Timer(seconds, _end)
    watchdog.daemon = True
    watchdog.start()
    faulthandler.dump_traceback_later(seconds + SECOND_WATCHDOG, exit=True, file=STANDARD_ERROR)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()
        watchdog.cancel()


def _end() -> None:
    """End the process as `faulthandler` does when the time is up."""
    os.write(STANDARD_ERROR, b"Timeout (!)\n")
    faulthandler.dump_traceback(STANDARD_ERROR)
    os._exit(1)


if __name__ == "__main__":
    main(sys.argv[1])
