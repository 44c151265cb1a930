"""Work in a process of its own, on `pebble`: an item that hangs, crashes or hoards memory costs its
own result and no other's (Unix: the limits are those of `resource`).
"""

import multiprocessing
import os
import signal
import tempfile
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import TimeoutError
from typing import Any, NamedTuple

# seconds for one item, then its process is killed: longer than all of Math-Verify's own timers
PATIENCE = 20.0
# bytes that a process may ask for: a hostile answer should not take the machine with it
MEMORY_CAP = 4 << 30


class Failure(NamedTuple):
    """A result that is missing.

    Attributes:
        reason: "stopped" after too long a time, "crashed", or the name of the exception.
    """

    reason: str


def supervised(
    work: Callable, items: Iterable, cpu_seconds: int | None = None, one_each: bool = False
) -> Iterator:
    """Yield `work(item)`, or a `Failure`, for each item in turn.

    Args:
        work: called in a forked process, in a temporary folder; what it prints is dropped.
        items: what it is called with.
        cpu_seconds: CPU time after which a process is stopped, in all; None: only PATIENCE counts.
        one_each: start a new process for each item, so that memory and time are the item's own.
    """
    from pebble import ProcessExpired, ProcessPool  # of the extras `dev` and `peers`

    with (
        tempfile.TemporaryDirectory() as folder,
        ProcessPool(
            max_workers=1,
            max_tasks=int(one_each),
            initializer=_limit_this_process,
            initargs=(work, folder, cpu_seconds),
            context=multiprocessing.get_context(
                "fork"
            ),  # packages are imported once, in the parent
        ) as pool,
    ):
        for item in items:
            try:
                yield pool.schedule(_work_on, args=(item,), timeout=PATIENCE).result()
            except TimeoutError:
                yield Failure("stopped")
            except ProcessExpired as error:
                yield Failure("stopped" if error.exitcode == -signal.SIGXCPU else "crashed")
            except Exception as error:
                yield Failure(type(error).__name__)


_work: Callable | None = None  # of this process: a function need not be picklable to be inherited


def _limit_this_process(work: Callable, folder: str, cpu_seconds: int | None) -> None:
    """Set the limits in a child process, and turn its folder and its streams away from ours."""
    import resource  # Unix only, as fork is

    global _work
    _work = work
    if cpu_seconds:
        resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds + 1))
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_CAP, MEMORY_CAP))
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)
    os.chdir(folder)


def _work_on(item: Any) -> Any:
    assert _work is not None
    return _work(item)
