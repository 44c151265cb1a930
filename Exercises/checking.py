"""Check the reader's code in a separate process, so that nothing it does can harm this one."""

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
from Exercises.reader_file import effective_blocks, read_source, reader_file

SECONDS = 5.0  # time limit per exercise


class CheckProcess:
    """Process that has imported a chapter's checks and waits for one request.

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
        """Send the request and yield the messages until the process ends.

        Nothing is yielded if the process died before the request.
        """
        # BrokenPipeError; on Windows OSError: invalid argument
        with contextlib.suppress(OSError), self._input:
            self._input.write(json.dumps(request) + "\n")
        for line in self._output:
            yield json.loads(line)
        self._process.wait()

    def stderr(self) -> str:
        """Return what the process wrote on standard error."""
        self._errors.seek(0)
        return self._errors.read().decode(errors="replace")

    @property
    def status(self) -> int | None:
        """Return the exit status; None while the process runs."""
        return self._process.poll()

    def close(self) -> None:
        """End the process."""
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
    """Yield verdicts on exercises of a chapter, in their order, each as soon as it is known.

    Untouched stubs are recognised without being run.

    Args:
        chapter: such as "CH2".
        wanted: exercises to check.
        seconds: time limit per exercise.
        process: a process that was started in advance; None starts one.

    Raises:
        UnreadableError: the reader's file is gone, or is not UTF-8.
        RuntimeError: a check itself cannot run.
    """
    path = reader_file(chapter)
    source = read_source(path)
    untouched = {block.name for block in effective_blocks(source) if block.untouched}
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
    """Yield verdicts on functions of a file, in their order.

    When an exercise ends the process, a new process checks the rest.

    Args:
        path, source: the file, and the text that was read from it: this text runs, even if the file
            has changed since.
        chapter, seconds, process: as for `check`.
        names: names of the functions.

    Raises:
        RuntimeError: a check itself cannot run.
    """
    left = list(names)
    while left:
        # A process that waited for hours may have died.
        if process is None or process.status is not None:
            process = CheckProcess(chapter)
        begun = ""  # the exercise under way; None: importing the file; "": neither
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
                    raise RuntimeError(
                        f"{what} does not run:\n{process.stderr()}Are the requirements installed, "
                        "for this Python? pip install -r requirements.txt"
                    )
                ended, left = (left, []) if begun is None else (left[:1], left[1:])
                yield from (Verdict(name, FAILED, reason) for name in ended)
        finally:
            process.close()
        process = None


def _why_it_ended(process: CheckProcess, path: Path, source: str, seconds: float) -> str | None:
    """Say that time ran out or the interpreter crashed, with the reader's lines that were running.

    Returns:
        None for an exception outside the reader's code: the check itself is broken.
    """
    trace = process.stderr()
    if "Timeout (" in trace:
        reason = f"stopped: not finished after {seconds:g} seconds (an endless loop?)"
    elif "Traceback (most recent call last)" in trace:
        return None
    else:
        fatal = re.search(r"Fatal Python error: (.+)", trace)
        cause = fatal[1] if fatal else f"exit status {process.status}"
        reason = f"the Python interpreter ended: {cause}"
    lines = dict(enumerate(source.split("\n"), 1))
    written = str(path).encode("ascii", "backslashreplace").decode()  # as `faulthandler` writes it
    numbers = [
        int(number) for number in re.findall(rf'File "{re.escape(written)}", line (\d+)', trace)[:3]
    ]
    return "\n".join(
        [reason, *(f"line {number}:  {lines.get(number, '').strip()}" for number in numbers[::-1])]
    )
