"""Processes for contestants of a benchmark, so that their libraries, thread pools and memory do not
mix.

- a contestant lives in a process, its home, which is started when it is first asked and stays; only
  one works at a time
- what it is asked is a function of the model it opened; the function and its result travel through
  a pipe
- a contestant that raises, or whose process dies, says so and leaves the others alone
"""

import multiprocessing
import os
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any


class ContestantError(Exception):
    """A contestant could not do what it was asked to do."""


@dataclass(frozen=True)
class Setting:
    """What all contestants have in common.

    Attributes:
        shape: of the model, a name such as "0.6B".
        dtype: of weights that are not quantised, such as "bfloat16".
        device: "cpu" or "cuda".
        threads: processor threads each may use.
    """

    shape: str
    dtype: str
    device: str
    threads: int


@dataclass(frozen=True)
class Contestant:
    """One way to run a model.

    Attributes:
        name: unlike any other's.
        home: contestants with the same home share a process.
        open: called in that process with the setting; a function at the top level of a module, or a
            `partial` of one. What it returns is what later questions are about.
        weights: which weights it reads: "half" (as they are), "int8" or "int4". Ratios are between
            equals.
        new_tokens_at_most: fewer new tokens than others, for one so slow that nobody wants to wait.
        compiles: whether it builds code for lengths it has not met, so that only a whole run warms
            it up.
    """

    name: str
    home: str
    open: Callable[[Setting], Any]
    weights: str = "half"
    new_tokens_at_most: int | None = None
    compiles: bool = False


class Contestants:
    """The processes, one for each home; a context manager that ends them.

    Args:
        setting: given to every contestant.
        memory_needed: bytes to open one more contestant. When the machine has less, all processes
            are ended first, and whoever is asked again opens again.
    """

    def __init__(self, setting: Setting, memory_needed: int = 0):
        self.setting = setting
        self.memory_needed = memory_needed
        self._homes: dict[str, _Home] = {}

    def __enter__(self) -> "Contestants":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def ask(self, contestant: Contestant, question: Callable[..., Any], *arguments: Any) -> Any:
        """The result of `question(opened, *arguments)` in the contestant's process.

        Args:
            contestant: opened there, if it is not yet.
            question: a function at the top level of a module.
            arguments: and its result: anything that can be pickled.

        Raises:
            ContestantError: it raised, or its process died.
        """
        if not self.is_open(contestant) and free_memory() < self.memory_needed:
            self.close()
        home = self._homes.get(contestant.home)
        if home is None:
            home = self._homes[contestant.home] = _Home(self.setting)
        try:
            return home.ask(contestant, question, arguments)
        except (EOFError, OSError):  # nobody at the other end
            del self._homes[contestant.home]
            raise ContestantError(f"its process ended with exit code {home.close()}") from None

    def close(self) -> None:
        """End all processes."""
        while self._homes:
            self._homes.popitem()[1].close()

    def is_open(self, contestant: Contestant) -> bool:
        """Whether it has answered before, and its process still runs."""
        home = self._homes.get(contestant.home)
        return home is not None and contestant.name in home.open


class _Home:
    """One process, seen from outside."""

    def __init__(self, setting: Setting):
        # a fork would share the parent's thread pools
        context = multiprocessing.get_context("spawn")
        self.pipe, other_end = context.Pipe()
        self.process = context.Process(target=_serve, args=(other_end, setting))
        self.process.start()
        other_end.close()
        self.open: set[str] = set()

    def ask(self, contestant: Contestant, question: Callable, arguments: tuple) -> Any:
        self.pipe.send((contestant, question, arguments))
        result, error = self.pipe.recv()
        if error is not None:
            raise ContestantError(error)
        self.open.add(contestant.name)
        return result

    def close(self) -> int | None:
        """End the process; its exit code."""
        self.pipe.close()
        self.process.join(timeout=30)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
        return self.process.exitcode


def _serve(pipe: Connection, setting: Setting) -> None:
    """The life of a home: open contestants, answer questions, end when the pipe is closed."""
    os.environ["OMP_NUM_THREADS"] = str(setting.threads)  # read when a library starts its pool
    import torch

    torch.set_num_threads(setting.threads)
    torch.set_grad_enabled(False)
    opened: dict[str, Any] = {}
    while True:
        try:
            contestant, question, arguments = pipe.recv()
        except (EOFError, KeyboardInterrupt):
            return
        try:
            if contestant.name not in opened:
                opened[contestant.name] = contestant.open(setting)
            pipe.send((question(opened[contestant.name], *arguments), None))
        except KeyboardInterrupt:
            return
        except Exception as error:  # whatever a library raises, the others go on
            pipe.send((None, f"{type(error).__name__}: {error}"))


def free_memory() -> float:
    """Bytes that programs can still take from the machine's memory; infinity where the system does
    not say.
    """
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return float("inf")
    return next(
        (int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")),
        float("inf"),
    )
