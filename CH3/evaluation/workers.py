"""The processes that share an evaluation: those that `torchrun` started, on one machine or many; or
this one alone.

    torchrun --nproc-per-node 4 -m CH3.evaluation

- torchrun starts the processes, watches them, and starts all again when one dies (`--max-restarts`)
- what they agree on goes through its key-value store: counting up is atomic, so no problem is
  handed out twice
- what they exchange are Python objects, through PyTorch's collectives
"""

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import torch
import torch.distributed as dist


class Workers:
    """This process among those that share the work; `Workers()` is one alone.

    Args:
        rank: the number of this process, from 0; rank 0 writes and reports.
        size: how many there are.
        local_rank: the number of this process on its machine.
        store: of the process group, whose `add(key, amount)` counts for all of them.
    """

    def __init__(
        self, rank: int = 0, size: int = 1, local_rank: int = 0, store: dist.Store | None = None
    ):
        self.rank, self.size, self.local_rank = rank, size, local_rank
        self.store = dist.HashStore() if store is None else store
        self._shared = 0  # how many pieces of work were shared so far

    @property
    def leads(self) -> bool:
        """Whether this process writes and reports."""
        return self.rank == 0

    def fair_share(self, count: int) -> int:
        """So many of `count` things are enough for each process."""
        return -(-count // self.size)

    def counters(self) -> dist.Store:
        """Counters for the next piece of work, all zero. Every process must ask for them the same
        number of times.
        """
        self._shared += 1
        return dist.PrefixStore(f"work {self._shared}", self.store)

    def gather(self, value: Any) -> list:
        """Everybody's value, in the order of ranks, for rank 0; an empty list for the others."""
        if self.size == 1:
            return [value]
        values = [None] * self.size if self.leads else None
        dist.gather_object(value, values)
        return values or []

    def broadcast(self, value: Any) -> Any:
        """Rank 0's value, for everybody."""
        if self.size == 1:
            return value
        values = [value]
        dist.broadcast_object_list(values)
        return values[0]


@contextmanager
def joined_workers(model: object) -> Iterator[Workers]:
    """Join the processes that torchrun started; without it, be alone.

    Args:
        model: a `Qwen3Model`, on a GPU or not; or anything else. Collectives of tensors on GPUs go
            through NCCL, those on CPUs through gloo. Ours are of Python objects, and small.
    """
    if not dist.is_torchelastic_launched():
        yield Workers()
        return
    store, rank, size = next(dist.rendezvous("env://"))
    device = (
        next(model.parameters()).device
        if isinstance(model, torch.nn.Module)
        else torch.device("cpu")
    )
    on_gpu = device.type == "cuda"
    backend = "cpu:gloo,cuda:nccl" if on_gpu else "gloo"
    if on_gpu:
        torch.cuda.set_device(device)
    store = dist.PrefixStore(_name_of_this_start(store, rank, size), store)
    dist.init_process_group(backend, store=store, rank=rank, world_size=size)
    try:
        yield Workers(rank, size, int(os.environ["LOCAL_RANK"]), store)
    finally:
        dist.destroy_process_group()


def _name_of_this_start(store: dist.Store, rank: int, size: int) -> str:
    """A name that the processes agree on, and that no earlier start had.

    torchrun's store outlives the processes that torchrun restarts, and so do the addresses and
    counts that they left in it. (Its count of restarts tells no two starts apart: each machine
    counts its own.) So every process leaves a mark, and rank 0 answers to marks, also to old ones,
    until each of the others has found the answer to its own."""
    if rank > 0:
        mark = uuid4().hex
        store.set(f"mark of {rank}", mark)
        name = store.get(f"answer to {mark}").decode()  # waits for it
        store.set(f"{name} reached {rank}", "")
        return name
    name, missing = uuid4().hex, set(range(1, size))
    while missing:
        for other in missing:
            if store.check([f"mark of {other}"]):
                store.set(f"answer to {store.get(f'mark of {other}').decode()}", name)
        missing = {other for other in missing if not store.check([f"{name} reached {other}"])}
        time.sleep(0.05)
    return name


def device_of_this_process(device: str | None) -> str | None:
    """The GPU of a process that torchrun started, where GPUs are wanted; any other device as it was
    given.

    Args:
        device: as on the command line: None is a GPU if there is one.
    """
    wants_gpu = torch.cuda.is_available() if device is None else device == "cuda"
    if not wants_gpu or not dist.is_torchelastic_launched():
        return device
    return f"cuda:{int(os.environ['LOCAL_RANK']) % torch.cuda.device_count()}"


def handed_out(items: Sequence, counters: dist.Store) -> Iterator:
    """Items for this process: the next one that nobody has, each time one is asked for.

    A process that is done early takes more, so none waits for the slowest (self-scheduling).
    """
    while (number := counters.add("handed out", 1)) <= len(items):
        yield items[number - 1]
