"""Work in processes of their own: one that hangs is stopped, and one that crashes takes nobody with
it (Unix).
"""

import multiprocessing
import os
import signal
import tempfile
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

# seconds of silence until a process is stopped: longer than all of Math-Verify's own timers
PATIENCE = 20.0
# bytes a process may ask for: a hostile answer should not take the machine with it
MEMORY_CAP = 4 << 30


class Failure(NamedTuple):
    """Why there is no result: "stopped" after too long a silence, "crashed", or the name of the
    exception.
    """

    reason: str


def supervised(work: Callable, items: Sequence) -> Iterator:
    """Yield `work(item)`, or a `Failure`, for each item in turn; after a failure a new process goes
    on.
    """
    done = 0
    while done < len(items):
        for result in one_process(work, items[done:]):
            done += 1
            yield result


def one_process(work: Callable, items: Sequence, processor_seconds: int | None = None) -> Iterator:
    """Yield the results of one process, up to the first item at which it was stopped or crashed.

    It is stopped after `processor_seconds` in all, or when it is silent for PATIENCE. Its folder is
    a temporary one."""
    context = multiprocessing.get_context("fork")  # the packages are imported once, in the parent
    receiver, sender = context.Pipe(duplex=False)
    with tempfile.TemporaryDirectory() as folder:
        process = context.Process(
            target=_work_quietly, args=(work, items, sender, folder, processor_seconds), daemon=True
        )
        process.start()
        sender.close()  # the child holds the only open end, so that its death is noticed
        try:
            for _ in items:
                result = _received(receiver, process)
                yield result
                if result in (Failure("stopped"), Failure("crashed")):
                    return
        finally:
            process.kill()
            process.join()
            receiver.close()


def _received(receiver: Connection, process: multiprocessing.process.BaseProcess) -> Any:
    """The next result, or why there is none."""
    if not receiver.poll(PATIENCE):
        return Failure("stopped")
    try:
        return receiver.recv()
    except EOFError:
        process.join()
        return Failure("stopped" if process.exitcode == -signal.SIGXCPU else "crashed")


def _work_quietly(
    work: Callable, items: Sequence, sender: Connection, folder: str, seconds: int | None
) -> None:
    """What the child process does; what a grader prints is nobody's business."""
    import resource  # Unix only, as fork is

    if seconds:
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_CAP, MEMORY_CAP))
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)
    os.chdir(folder)
    for item in items:
        try:
            result = work(item)
        except Exception as error:
            result = Failure(type(error).__name__)
        sender.send(result)
