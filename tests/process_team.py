"""Processes at a command line: forked after PyTorch was imported once, and killed; alone or as torchrun's."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from datetime import timedelta

import torch.distributed as dist

# For each line of JSON: forks a process for each environment, prints their ids, waits for all, prints how they ended.
FORK = """
import importlib, json, os, sys
for line in sys.stdin:
    module, arguments, environments = json.loads(line)
    main = importlib.import_module(module).main
    for environment in environments:
        child = os.fork()
        if child == 0:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            os.environ.update(environment)
            machine = environment.get("MACHINE", "")
            sys.argv = [module, *(argument.replace("{machine}", machine) for argument in arguments)]
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
    """The process that forks others; it imports each module once, and each process it forks has one thread."""

    def __init__(self):
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}  # counts only if it is there when PyTorch is imported
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
                os.kill(pid, signal.SIGKILL)
            self.last.statuses()


class Processes:
    """Processes at `python -m module arguments`; the next can be started when these have ended.

    Args:
        server: forks them.
        environments: what each process has in its environment besides.
    """

    def __init__(self, server: ForkServer, module: str, *arguments, environments: Sequence[dict] = ({},)):
        self.server, self.ended = server, False
        server.last = self
        texts = [{name: str(value) for name, value in one.items()} for one in environments]
        server.process.stdin.write(json.dumps([module, [str(argument) for argument in arguments], texts]) + "\n")
        server.process.stdin.flush()
        self.pids = [int(server.process.stdout.readline()) for _ in environments]

    def kill(self, number: int = 0) -> None:
        """Kill one, and then, as torchrun does, end the others."""
        os.kill(self.pids[number], signal.SIGKILL)
        for pid in self.pids:
            os.kill(pid, signal.SIGTERM)

    def statuses(self) -> list[int]:
        """Wait for all; 0 for each that ended well, the signal's number for each that one ended."""
        statuses = [int(self.server.process.stdout.readline().split()[1]) for _ in self.pids]
        self.ended = True
        return statuses


class Team(Processes):
    """Processes that share the work, as torchrun would start them. This process has their store, as torchrun has.

    Args:
        machines: where each process runs, by rank; the name replaces "{machine}" in the arguments.
    """

    def __init__(self, server: ForkServer, machines: str, module: str, *arguments):
        self.store = dist.TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False, timeout=timedelta(minutes=1))
        common = {"WORLD_SIZE": len(machines), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": self.store.port}
        common |= {"TORCHELASTIC_USE_AGENT_STORE": True, "TORCHELASTIC_RUN_ID": "team"}
        own = [
            {"RANK": rank, "LOCAL_RANK": machines[:rank].count(machine), "MACHINE": machine}
            for rank, machine in enumerate(machines)
        ]
        super().__init__(server, module, *arguments, environments=[{**common, **one} for one in own])
