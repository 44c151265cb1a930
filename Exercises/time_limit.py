"""Stop code that computes for too long: a limit on CPU time, so that a busy machine does not count.

Nothing is stopped where the system has no such clock (Windows).
"""

import contextlib
import signal
import sys
from collections.abc import Iterator

AGAIN = 1.0  # seconds until the code is stopped once more, if it has caught the first exception


class OutOfTime(BaseException):
    """Raised inside code that has used up its CPU time; no `Exception`, which readers may catch."""


@contextlib.contextmanager
def cpu_limit(seconds: float) -> Iterator[None]:
    """Raise `OutOfTime` inside the block after so many seconds of this process's CPU time.

    PyTorch computes in one thread meanwhile, as the time of all threads counts.
    """

    def stop(*_: object) -> None:
        raise OutOfTime(
            f"stopped:   not finished after {seconds:g} seconds of CPU time (an endless loop?)"
        )

    with contextlib.ExitStack() as afterwards:
        if torch := sys.modules.get("torch"):
            afterwards.callback(torch.set_num_threads, torch.get_num_threads())
            torch.set_num_threads(1)
        if hasattr(signal, "setitimer"):
            afterwards.callback(signal.signal, signal.SIGPROF, signal.signal(signal.SIGPROF, stop))
            afterwards.callback(signal.setitimer, signal.ITIMER_PROF, 0)
            signal.setitimer(signal.ITIMER_PROF, seconds, AGAIN)
        yield
