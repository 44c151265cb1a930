"""Processes at a command line: forked after PyTorch was imported once, and killed."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

# For each line of JSON: forks a process for each environment, prints their ids, waits for all,
#     prints how they ended.
# KILLED_AFTER in an environment: the process kills itself right after writing so many results.
FORK = """
import importlib, itertools, json, os, signal, sys
from CH3.evaluation.results import ResultsFile

def kill_after(count):
    append, written = ResultsFile.append, itertools.count(1)

    def append_and_die(file, result):
        append(file, result)
        if next(written) == count:
            os.kill(os.getpid(), signal.SIGKILL)

    ResultsFile.append = append_and_die

for line in sys.stdin:
    module, arguments, environments = json.loads(line)
    main = importlib.import_module(module + ".__main__").main
    for environment in environments:
        child = os.fork()
        if child == 0:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            if "KILLED_AFTER" in environment:
                kill_after(int(environment["KILLED_AFTER"]))
            os.environ.update(environment)
            sys.argv = [module, *arguments]
            code = 1
            try:
                main()
                code = 0
            finally:
                os._exit(code)
        print(child, flush=True)
    for _ in environments:
        print(*os.wait(), flush=True)
"""


class ForkServer:
    """A process that forks others: it imports each module once, and its forks have one thread."""

    def __init__(self):
        # counts only if it is there when PyTorch is imported
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        command = [sys.executable, "-c", FORK]
        self.process = subprocess.Popen(
            command, env=environment, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self.last: Processes | None = None

    def close(self) -> None:
        self.process.stdin.close()
        assert self.process.wait(timeout=60) == 0

    def finish(self) -> None:
        """End what a test that failed has left running."""
        if self.last is not None and not self.last.ended:
            for pid in self.last.pids:
                _send(pid, signal.SIGKILL)
            self.last.statuses()


class Processes:
    """Processes at `python -m module arguments`; the next can be started when these have ended.

    Args:
        server: forks them.
        environments: what each process has in its environment besides; `KILLED_AFTER`: it kills
            itself right after writing so many results.
    """

    def __init__(
        self, server: ForkServer, module: str, *arguments, environments: Sequence[dict] = ({},)
    ):
        self.server, self.ended = server, False
        server.last = self
        texts = [{name: str(value) for name, value in one.items()} for one in environments]
        server.process.stdin.write(
            json.dumps([module, [str(argument) for argument in arguments], texts]) + "\n"
        )
        server.process.stdin.flush()
        self.pids = [int(server.process.stdout.readline()) for _ in environments]

    def kill(self, number: int = 0) -> None:
        """Kill one, if it has not ended by itself; `statuses` tells."""
        _send(self.pids[number], signal.SIGKILL)

    def statuses(self) -> list[int]:
        """Wait for all; 0 for each that ended well, the signal's number for each that one ended."""
        statuses = [int(self.server.process.stdout.readline().split()[1]) for _ in self.pids]
        self.ended = True
        return statuses


def rank_of(rank: int, size: int) -> dict:
    """Environment variables that torchrun sets for one of its processes."""
    return {
        "TORCHELASTIC_RUN_ID": "team",
        "RANK": rank,
        "LOCAL_RANK": rank,
        "WORLD_SIZE": size,
    }


def _send(pid: int, number: signal.Signals) -> None:
    """Send a signal to a process, if there is one still."""
    with suppress(ProcessLookupError):
        os.kill(pid, number)


def wait_until(condition: Callable[[], object]) -> None:
    """Return as soon as a condition holds, such as lines in a file; fail after two minutes."""
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline, "what a test waits for did not come within two minutes"
        time.sleep(0.002)
