"""One process per package, so that libraries, thread pools and memory do not mix.

- a *peer* is one way to run a model; the peers of one package share a process, a *worker*, which
  starts at the first call and stays
- a call is a function of what the peer opened; function and result travel between the processes
- only one worker works at a time
- a peer that raises, or whose process dies, raises a `PeerError` here; the others go on
"""

import functools
import multiprocessing
import os
import signal
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parents[2] / "build" / "benchmark"


class PeerError(Exception):
    """A peer could not do what it was asked to do."""


@dataclass(frozen=True)
class Setting:
    """The conditions that all peers have in common.

    Attributes:
        shape: of the model, a name such as "0.6B".
        dtype: of weights that are not quantised, such as "bfloat16".
        device: "cpu" or "cuda".
        threads: number of CPU threads that each may use.
        folder: where random checkpoints are kept.
    """

    shape: str
    dtype: str
    device: str
    threads: int
    folder: Path = FOLDER


@dataclass(frozen=True)
class Peer:
    """One way to run a model.

    Attributes:
        name: unlike any other's.
        package: peers of one package share a process.
        open: a function or class at the top level of a module, which is called in that process.
        arguments: of `open`, in front of the setting; they must be hashable.
        weights: "plain" (the model's own), "int8" or "int4". Ratios are between equals.
        new_tokens_at_most: a limit for one that is so slow that nobody wants to wait for more.
        compiles: True if it builds code for lengths it has not met, so that only a whole run warms
            it up.
    """

    name: str
    package: str
    open: Callable[..., Any]
    arguments: tuple = ()
    weights: str = "plain"
    new_tokens_at_most: int | None = None
    compiles: bool = False


class Workers:
    """The processes, one per package, as a context manager that ends them.

    Args:
        setting: given to every peer.
        memory_needed: bytes to open one more peer. When the machine has less, all processes are
            ended first, and a peer that is called again opens again.
    """

    def __init__(self, setting: Setting, memory_needed: float = 0):
        self.setting = setting
        self.memory_needed = memory_needed
        self._workers: dict[str, Worker] = {}

    def __enter__(self) -> "Workers":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def call(self, peer: Peer, function: Callable[..., Any], *arguments: Any) -> Any:
        """Return `function(opened, *arguments)`, computed in the peer's process.

        Args:
            peer: opened there, if it is not yet.
            function: a function at the top level of a module.
            arguments: and the result: anything that can be pickled.

        Raises:
            PeerError: the function raised, or the process died.
        """
        # 1. Make room for one more.
        if not self.is_open(peer) and free_memory() < self.memory_needed:
            self.close()
        # 2. Call it in its package's process, which may have to be started.
        worker = self._workers.get(peer.package)
        if worker is None:
            worker = self._workers[peer.package] = Worker(self.setting)
        try:
            return worker.call(peer, function, arguments)
        except BrokenProcessPool:
            # 3. A process that died is replaced at the next call.
            del self._workers[peer.package]
            worker.close()
            raise PeerError(f"its process ended with {worker.ending()}") from None

    def is_open(self, peer: Peer) -> bool:
        """Return True if the peer has answered before and its process still runs."""
        worker = self._workers.get(peer.package)
        return worker is not None and peer in worker.opened

    def close(self) -> None:
        """End the worker processes of all packages."""
        while self._workers:
            self._workers.popitem()[1].close()


class Worker:
    """One process.

    Args:
        setting: given to every peer that it opens.
    """

    def __init__(self, setting: Setting):
        self.setting = setting
        self.opened: set[Peer] = set()
        # a fork would share the parent's thread pools
        context = multiprocessing.get_context("spawn")
        self._pool = ProcessPoolExecutor(
            1, mp_context=context, initializer=_begin, initargs=(setting.threads,)
        )
        number = self._pool.submit(os.getpid).result()
        [self._process] = [
            process for process in multiprocessing.active_children() if process.pid == number
        ]

    def call(self, peer: Peer, function: Callable[..., Any], arguments: tuple) -> Any:
        """Return the result of `Workers.call`.

        Raises:
            PeerError: the function raised.
            BrokenProcessPool: the process died.
        """
        result = self._pool.submit(_call, peer, self.setting, function, arguments).result()
        self.opened.add(peer)
        return result

    def ending(self) -> str:
        """Say how the process ended: its exit code, or the signal that killed it."""
        self._process.join()
        code = self._process.exitcode or 0
        if code < 0 and -code in list(signal.Signals):
            return f"{signal.Signals(-code).name} (exit code {code})"
        return f"exit code {code}"

    def close(self) -> None:
        """End the process when its present call is done."""
        self._pool.shutdown(cancel_futures=True)


def _begin(threads: int) -> None:
    """Prepare a new process: the number of threads, no gradients, a quiet end by Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.environ["OMP_NUM_THREADS"] = str(threads)  # read when a library starts its pool
    import torch

    torch.set_num_threads(threads)
    torch.set_grad_enabled(False)


def _call(peer: Peer, setting: Setting, function: Callable[..., Any], arguments: tuple) -> Any:
    """Call a function of an opened peer; what it raises becomes a `PeerError`, also if it cannot be
    pickled.
    """
    try:
        return function(_opened(peer, setting), *arguments)
    except Exception as error:  # whatever a library raises, the others go on
        raise PeerError(f"{type(error).__name__}: {error}") from None


@functools.cache
def _opened(peer: Peer, setting: Setting) -> Any:
    """Open a peer, once per process."""
    return peer.open(*peer.arguments, setting)


def free_memory() -> float:
    """Return the bytes of memory that programs can still take; infinity if that is unknown."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return float("inf")
    return next(
        (int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")),
        float("inf"),
    )
