"""The benchmark's tasks: what is measured, by which peers, and how they take turns."""

import argparse
import importlib.metadata
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from CH2.benchmark.peers import TRANSFORMERS
from CH2.benchmark.processes import Peer, PeerError, Workers
from CH2.benchmark.random_models import random_checkpoint, shape_config
from CH2.benchmark.report import LINEARS, PRINTERS, sized
from CH2.benchmark.runners import (
    UNCACHED_TOKENS,
    BareLinears,
    LadderRunner,
    MemoryReader,
    bytes_of,
    measure_bandwidth,
    measure_growth,
    measure_lengths,
    measure_prompts,
    measure_run,
)
from CH2.speed_ladder import RUNGS

MEMORY = Peer("memory", "memory", MemoryReader)
CHECKPOINT = Peer("checkpoint", "checkpoint", random_checkpoint)
BARE_LINEARS = Peer(LINEARS, "ours", BareLinears)
WARM_UP = (8, 3)  # tokens read and written before the first round
AFTER_CONTEXT = 17  # tokens written after a long prompt
LENGTHS = (128, 512, 1024, 2048, 4096, 8192)  # tokens of a growing text
# new tokens, at most, of what a GPU runs no faster than Python starts it
GPU_TOKENS = 96
LONG_PROMPT_RUNGS = ("fused attention", "packed weights", "int8", "int4")
LOADED_RUNG = "packed weights"
PACKAGES = ("torch", "transformers", "reasoning-from-scratch", "llama-cpp-python")

# name: a measurement; given True, it warms up for the others
Jobs = dict[str, Callable[[bool], Any]]


def ladder() -> list[Peer]:
    """List the rungs of the speed ladder as peers, in order."""
    compiles = False
    peers = []
    for rung in RUNGS:
        compiles = compiles or rung.name == "compiled"  # and so do all rungs after it
        weights = "plain" if rung.exact else rung.name
        limit = None if rung.use_cache else UNCACHED_TOKENS
        peers.append(Peer(rung.name, "ours", LadderRunner, (rung.name,), weights, limit, compiles))
    return peers


def alternate(jobs: Jobs, rounds: int, title: str) -> tuple[dict[str, list], dict[str, str]]:
    """Let measurements take turns, after a round that does not count.

    Returns:
        The values of each, one per round; and the errors of those that failed, which have no
        values.
    """
    values: dict[str, list] = {name: [] for name in jobs}
    failed: dict[str, str] = {}
    with tqdm(total=len(jobs) * (rounds + 1), desc=title, leave=False, disable=None) as progress:
        for number in range(rounds + 1):
            for name, measure in jobs.items():
                progress.set_postfix_str(name)
                if name not in failed:
                    try:
                        value = measure(number == 0)
                        if number:
                            values[name].append(value)
                    except PeerError as error:
                        failed[name] = str(error)
                        del values[name]
                progress.update()
    return values, failed


class Benchmark:
    """The tasks, each a set of measurements that take turns, and their results.

    Args:
        workers: the processes of all peers.
        arguments: of the command line.
        others: the peers that are compared with the rungs.

    Attributes:
        results: the dictionary that `--json` writes; tables and picture are made from it.
    """

    def __init__(self, workers: Workers, arguments: argparse.Namespace, others: list[Peer]):
        self.workers, self.arguments, self.others = workers, arguments, others
        self.on_gpu = arguments.device.startswith("cuda")
        self.rungs = ladder()
        self.best = [rung for rung in self.rungs if rung.weights == "plain"][-1]
        settings = ("shape", "dtype", "prompt_tokens", "new_tokens", "context", "batch", "rounds")
        self.results: dict[str, Any] = {
            "date": time.strftime("%Y-%m-%d"),
            "machine": describe_machine(arguments.device, arguments.threads),
            "versions": installed_versions(),
            "settings": {name: getattr(arguments, name) for name in settings},
            "bandwidth": workers.call(MEMORY, measure_bandwidth),
            "peers": {},
            "failed": {},
        }
        self.tasks = {
            "decode": self.decode,
            "prefill": self.prefill,
            "batch": self.batch,
            "load": self.load,
            "growth": self.growth,
        }

    def run(self, task: str) -> None:
        """Measure one task and print its table."""
        values, failed = alternate(self.tasks[task](), self.arguments.rounds, task)
        self.results["bandwidth"] = max([self.results["bandwidth"], *values.pop(MEMORY.name, [])])
        self.results[task], self.results["failed"][task] = values, failed
        if values:
            PRINTERS[task](self.results)
        for name, error in failed.items():
            print(f"  {name} failed: {error}")

    def decode(self) -> Jobs:
        """Measure one text at a time; and the memory again, for a limit of the same minutes."""
        jobs: Jobs = {MEMORY.name: lambda warming: self.workers.call(MEMORY, measure_bandwidth)}
        for peer in (BARE_LINEARS, *self.rungs, *self.others):
            jobs[peer.name] = self.job(peer, measure_run, self.length(peer), WARM_UP)
        return jobs

    def length(self, peer: Peer) -> tuple[int, int]:
        """Return the numbers of tokens that a peer reads and writes."""
        limits = [self.arguments.new_tokens]
        if peer.new_tokens_at_most is not None:
            limits.append(peer.new_tokens_at_most)
        if self.on_gpu and not peer.compiles:
            limits.append(GPU_TOKENS)
        return self.arguments.prompt_tokens, min(limits)

    def prefill(self) -> Jobs:
        """Measure a long prompt, and decoding after it."""
        lengths = (self.arguments.prompt_tokens, self.arguments.context, AFTER_CONTEXT)
        rungs = [rung for rung in self.rungs if rung.name in LONG_PROMPT_RUNGS]
        rungs += [self.best] if self.on_gpu else []
        others = [peer for peer in self.others if peer.new_tokens_at_most is None]
        read, written = WARM_UP
        return {
            peer.name: self.job(peer, measure_lengths, lengths, (read, read, written))
            for peer in (*rungs, *others)
        }

    def batch(self) -> Jobs:
        """Measure samples of one prompt, together and one after another; and different prompts."""
        # 1. Samples of one prompt, in batches of each size, and a single text.
        together = [BARE_LINEARS, self.best, *(rung for rung in self.rungs if rung.name == "int8")]
        together += [peer for peer in self.others if peer.name == TRANSFORMERS]
        jobs = {
            sized(peer.name, rows): self.job(
                peer, measure_run, (*self.length(peer), rows), (*WARM_UP, rows)
            )
            for rows in self.arguments.batch
            for peer in together
        }
        alone = sized(self.best.name, 1)
        jobs[alone] = self.job(self.best, measure_run, self.length(self.best), WARM_UP)
        # 2. As many different prompts as the largest batch has rows.
        most = max(self.arguments.batch)
        jobs[f"{self.best.name}, {most} prompts, in all"] = self.job(
            self.best, measure_prompts, (*self.length(self.best), most), (*WARM_UP, most)
        )
        return jobs

    def growth(self) -> Jobs:
        """Measure a text that becomes long, with the best rung that keeps the model's weights."""
        longest = shape_config(self.arguments.shape).max_position_embeddings - AFTER_CONTEXT
        lengths = [length for length in LENGTHS if length <= longest]
        growing = (lengths, AFTER_CONTEXT - 1)
        return {self.best.name: self.job(self.best, measure_growth, growing, growing)}

    def load(self) -> Jobs:
        """Measure the time from a checkpoint to the first token, each time in a fresh process.

        The first round fills the page cache.
        """
        loaded = self.best.name if self.on_gpu else LOADED_RUNG
        ways = {"load_qwen3": ["ours"], f"load_qwen3, {loaded}": ["ours", "--rung", loaded]}
        if any(peer.name == TRANSFORMERS for peer in self.others):
            ways[TRANSFORMERS] = ["transformers"]
        return {name: partial(self.load_once, way) for name, way in ways.items()}

    def load_once(self, way: list[str], warming: bool) -> dict:
        """Run `CH2.benchmark.loading` and return the seconds that it prints.

        Args:
            way: the first of its arguments.
            warming: not used; every process is a fresh one.

        Raises:
            PeerError: the process failed.
        """
        folder = self.workers.call(CHECKPOINT, str)  # written at the first call
        command = [sys.executable, "-m", "CH2.benchmark.loading", *way, folder]
        command += ["--device", self.arguments.device]
        environment = {**os.environ, "OMP_NUM_THREADS": str(self.arguments.threads)}
        done = subprocess.run(command, capture_output=True, text=True, env=environment)
        if done.returncode:
            lines = done.stderr.strip().splitlines()
            raise PeerError(lines[-1] if lines else f"exit code {done.returncode}")
        return json.loads(done.stdout.splitlines()[-1])

    def job(self, peer: Peer, function: Callable, arguments: tuple, warm_up: tuple) -> Callable:
        """Make a measurement for `alternate` of a function that runs in a peer's process.

        Args:
            peer: whose process it is.
            function: for `Workers.call`.
            arguments: of the function.
            warm_up: its arguments when a peer warms up that does not compile.
        """

        def measure(warming: bool) -> Any:
            # 1. Warm up, also a peer that had to make room for another and opens again.
            if warming or not self.workers.is_open(peer):
                self.workers.call(peer, function, *(arguments if peer.compiles else warm_up))
            # 2. Measure.
            if not warming:
                return self.workers.call(peer, function, *arguments)
            # 3. Or note, once, what the peer reads.
            self.results["peers"][peer.name] = {
                "rung": peer in self.rungs,
                "weights": peer.weights,
                **self.workers.call(peer, bytes_of),
            }
            return None

        return measure


def describe_machine(device: str, threads: int) -> dict:
    """Describe the machine: CPU, number of threads, system, and GPU if there is one."""
    machine = {
        "processor": processor_name(),
        "threads": threads,
        "system": f"{platform.system()} {platform.machine()}",
    }
    if device.startswith("cuda"):
        machine["gpu"] = torch.cuda.get_device_name(device)
    return machine


def processor_name() -> str:
    """Return the CPU's name as the system gives it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    named = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor() or platform.machine())


def installed_versions() -> dict[str, str]:
    """Return the versions of Python and of the compared packages that are installed."""
    versions = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions
