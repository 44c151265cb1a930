"""Checking the reader's code from outside: in a process of its own, so that nothing it does can
harm this one.
"""

import contextlib
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, cast

from Exercises.cases import FAILED, NOT_DONE, Verdict
from Exercises.chapters import ROOT, Exercise
from Exercises.reader_file import in_force, read_source, reader_file

SECONDS = 5.0  # that one exercise may take


class CheckProcess:
    """A process that has a chapter's checks imported, and waits for what to check; it is asked
    once.

    Args:
        chapter: such as "CH2".
    """

    def __init__(self, chapter: str):
        self.chapter = chapter
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 (closed in `close`)
        process = subprocess.Popen(
            [sys.executable, "-m", "Exercises.check_process", chapter],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            encoding="utf-8",
        )
        self._process, self._input, self._output = (
            process,
            cast(IO[str], process.stdin),
            cast(IO[str], process.stdout),
        )

    def messages(self, **request: Any) -> Iterator[dict]:
        """What it has to say, message by message, until it ends; nothing if it has died before it
        could be asked.
        """
        # BrokenPipeError; on Windows OSError: invalid argument
        with contextlib.suppress(OSError), self._input:
            self._input.write(json.dumps(request) + "\n")
        for line in self._output:
            yield json.loads(line)
        self._process.wait()

    def last_words(self) -> str:
        """What it wrote on standard error."""
        self._errors.seek(0)
        return self._errors.read().decode(errors="replace")

    @property
    def status(self) -> int | None:
        """Its exit status, when it has ended."""
        return self._process.poll()

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()
        self._input.close()
        self._output.close()
        self._errors.close()


def check(
    chapter: str,
    wanted: list[Exercise],
    seconds: float = SECONDS,
    process: CheckProcess | None = None,
) -> Iterator[Verdict]:
    """Verdicts on exercises of a chapter, in their order, each as soon as it is known.

    What was not touched yet is recognised without being run.

    Args:
        chapter: such as "CH2".
        wanted: the exercises.
        seconds: that each may take.
        process: one that was started before it was needed, to save its starting time.

    Raises:
        UnreadableError: the reader's file is gone, or is not UTF-8.
        RuntimeError: a check itself cannot run.
    """
    path = reader_file(chapter)
    source = read_source(path)
    untouched = {block.name for block in in_force(source) if block.untouched}
    names = [exercise.name for exercise in wanted if exercise.name not in untouched]
    ran = run(path, source, chapter, names, seconds, process)
    for exercise in wanted:
        yield Verdict(exercise.name, NOT_DONE) if exercise.name in untouched else next(ran)


def run(
    path: Path,
    source: str,
    chapter: str,
    names: list[str],
    seconds: float = SECONDS,
    process: CheckProcess | None = None,
) -> Iterator[Verdict]:
    """Verdicts on functions of a file, in their order; a process that an exercise ends is followed
    by another.

    Args:
        path, source: the file, and what was read from it, which is what runs whatever becomes of
            the file.
        chapter, seconds, process: as for `check`.
        names: of the functions.

    Raises:
        RuntimeError: a check itself cannot run.
    """
    left = list(names)
    while left:
        # one that has waited for hours may have died
        if process is None or process.status is not None:
            process = CheckProcess(chapter)
        begun = ""  # what the process was at; None: reading the file
        try:
            for message in process.messages(
                path=str(path), source=source, names=left, seconds=seconds
            ):
                if "verdict" in message:
                    left = left[1:]
                    yield Verdict(**message["verdict"])
                else:
                    begun = message["begin"]
            if left:
                reason = None if begun == "" else _why_it_ended(process, path, source, seconds)
                if reason is None:
                    what = f"the check of {chapter} {begun or ''}".rstrip()
                    advice = "Are the requirements installed, for this Python? pip install -r requirements.txt"
                    raise RuntimeError(f"{what} does not run:\n{process.last_words()}{advice}")
                ended, left = (left, []) if begun is None else (left[:1], left[1:])
                yield from (Verdict(name, FAILED, reason) for name in ended)
        finally:
            process.close()
        process = None


def _why_it_ended(process: CheckProcess, path: Path, source: str, seconds: float) -> str | None:
    """Out of time, or a crash, and the reader's lines that were running; None: an error that cannot
    be the reader's.
    """
    trace = process.last_words()
    if "Timeout (" in trace:
        reason = f"stopped: not finished after {seconds:g} seconds (an endless loop?)"
    elif "Traceback (most recent call last)" in trace:
        return None
    else:
        fatal = re.search(r"Fatal Python error: (.+)", trace)
        reason = f"the Python interpreter ended: {fatal[1] if fatal else f'exit status {process.status}'}"
    lines = dict(enumerate(source.split("\n"), 1))
    written = str(path).encode("ascii", "backslashreplace").decode()  # as `faulthandler` writes it
    numbers = [
        int(number) for number in re.findall(rf'File "{re.escape(written)}", line (\d+)', trace)[:3]
    ]
    return "\n".join(
        [reason, *(f"line {number}:  {lines.get(number, '').strip()}" for number in numbers[::-1])]
    )
