"""Stop code that computes for too long: a limit on CPU time, so that a busy machine does not count.

Nothing is stopped where the system has no such clock (Windows), nor outside the main thread.
"""

import contextlib
import signal
import sys
import threading
from collections.abc import Iterator
from typing import Any

AGAIN = 1.0  # seconds until the code is stopped once more, if it has caught the first exception


class OutOfTime(BaseException):
    """Raised inside code that has used up its CPU time; no `Exception`, which readers may catch."""


@contextlib.contextmanager
def cpu_limit(seconds: float) -> Iterator[None]:
    """Raise `OutOfTime` inside the block after so many seconds of CPU time; PyTorch has one thread.

    Args:
        seconds: CPU time of this process.
    """

    def stop(*_: Any) -> None:
        raise OutOfTime(
            f"stopped:   not finished after {seconds:g} seconds of CPU time (an endless loop?)"
        )

    torch = sys.modules.get("torch")
    threads = torch.get_num_threads() if torch else 0
    if torch:
        torch.set_num_threads(1)
    in_main_thread = threading.current_thread() is threading.main_thread()
    watched = hasattr(signal, "setitimer") and in_main_thread
    if watched:
        former = signal.signal(signal.SIGPROF, stop)
        signal.setitimer(signal.ITIMER_PROF, seconds, AGAIN)
    try:
        yield
    finally:
        if watched:
            signal.setitimer(signal.ITIMER_PROF, 0)
            signal.signal(signal.SIGPROF, former)
        if torch:
            torch.set_num_threads(threads)
