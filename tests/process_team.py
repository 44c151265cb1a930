"""Processes that share the work of a command line, started and killed as torchrun would, only faster."""

import json
import os
import signal
import subprocess
import sys
from datetime import timedelta

import torch.distributed as dist

# Forks processes after PyTorch was imported once.
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
            sys.argv = [module, *(argument.replace("{machine}", environment["MACHINE"]) for argument in arguments)]
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


def forking_process() -> subprocess.Popen:
    """The process that forks teams; close its standard input to end it."""
    return subprocess.Popen([sys.executable, "-c", FORK], text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


class Team:
    """Processes at `python -m module arguments`. This process has their store, as torchrun has.

    Args:
        forking: from `forking_process`.
        machines: where each process runs, by rank; the name replaces "{machine}" in the arguments.
    """

    def __init__(self, forking: subprocess.Popen, machines: str, module: str, *arguments):
        self.forking = forking
        self.store = dist.TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False, timeout=timedelta(minutes=1))
        size = len(machines)
        common = {"WORLD_SIZE": size, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": self.store.port}
        common |= {"TORCHELASTIC_USE_AGENT_STORE": True, "OMP_NUM_THREADS": 1}
        own = [
            {"RANK": rank, "LOCAL_RANK": machines[:rank].count(machine), "MACHINE": machine}
            for rank, machine in enumerate(machines)
        ]
        environments = [{name: str(value) for name, value in {**common, **one}.items()} for one in own]
        forking.stdin.write(json.dumps([module, [str(argument) for argument in arguments], environments]) + "\n")
        forking.stdin.flush()
        self.pids = [int(forking.stdout.readline()) for _ in range(size)]

    def kill(self, rank: int) -> None:
        """Kill one, and then, as torchrun does, end the others."""
        os.kill(self.pids[rank], signal.SIGKILL)
        for pid in self.pids:
            os.kill(pid, signal.SIGTERM)

    def statuses(self) -> list[int]:
        """Wait for all; 0 for each that ended well."""
        return [int(self.forking.stdout.readline().split()[1]) for _ in self.pids]
