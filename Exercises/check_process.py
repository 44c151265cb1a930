"""Run the reader's code in a process: `python -m Exercises.check_process CH2`, by `checking.py`.

- The process imports the chapter's checks, then waits for one line of JSON that says what to check.
- It writes one line of JSON per exercise begun and one per verdict. Standard output is kept for
  these lines; the beginning of what the reader's code prints is collected apart.
- A watchdog ends the process when an exercise takes too long, after dumping the stack to standard
  error. It is a Python timer thread: it holds the GIL, so the stack it dumps is consistent.
- A second watchdog, a little later, is for code that never releases the GIL (`faulthandler`, a
  thread that needs no GIL). A crash of the interpreter leaves a stack in the same form.
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
from Exercises.reader_file import effective_blocks, load

STANDARD_ERROR = 2
SECOND_WATCHDOG = 1.0  # seconds after the first
PRINTED = 2000  # characters of the reader's prints that are kept


class FirstPart(io.TextIOBase):
    """File that keeps the beginning of what is written, so that no endless print fills memory."""

    def __init__(self) -> None:
        self.text = ""

    def writable(self) -> bool:
        """Return True."""
        return True

    def write(self, text: str) -> int:
        """Keep what still fits."""
        self.text += text[: PRINTED - len(self.text)]
        return len(text)


def main(chapter: str) -> None:
    """Check the exercises that the line on standard input names.

    The line is `{"path": ..., "source": ..., "names": [...], "seconds": ...}`; the source is the
    text that was read from the path.
    """
    reports = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # prints from below Python go nowhere
    faulthandler.enable(STANDARD_ERROR)
    checks = importlib.import_module(f"Exercises.checks.{chapter}")

    def report(**message: Any) -> None:
        print(json.dumps(message), file=reports, flush=True)

    request = json.loads(sys.stdin.readline() or '{"names": []}')  # no line: nobody is waiting
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
    """Yield a verdict per function; before each call `report(begin=name)`, None for the import."""
    # 1. Import the file, without the functions that have syntax errors.
    report(begin=None)
    with _limit(seconds):
        found = {block.name: block.syntax_error for block in effective_blocks(source)}
        module, reason = _load(path, source)
    # 2. An error in the imports or in a helper of the reader's concerns all exercises.
    shared = [error for name, error in found.items() if not hasattr(checks, name or "")]
    # 3. Run the exercises, each within its time.
    for name in names:
        problem = next(filter(None, [found.get(name), *shared, reason]), None)
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
    """Import the reader's file; return the module and None, or None and the reason."""
    try:
        with contextlib.redirect_stdout(FirstPart()):
            return load(path, source), None
    except (Exception, SystemExit) as error:
        return None, "\n    ".join(
            [f"{type(error).__name__}: {error}", *reader_lines(error, str(path))]
        )


@contextlib.contextmanager
def _limit(seconds: float) -> Iterator[None]:
    """End the process if the block takes longer than this."""
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
    """Dump the stack and end the process, as `faulthandler` does when the time is up."""
    os.write(STANDARD_ERROR, b"Timeout (!)\n")
    faulthandler.dump_traceback(STANDARD_ERROR)
    os._exit(1)


if __name__ == "__main__":
    main(sys.argv[1])
