"""How fast does the model write, how fast could it, and how fast do others?
`python -m CH2.benchmark` prints it.

- the limit: a token reads every weight once, so the memory's speed is measured first, and every
  speed is set against it
- decode: the rungs of the speed ladder, one text at a time; prefill: a long prompt, and decoding
  after it; batch: samples of one prompt; load: from a checkpoint on disk to the first token;
  growth: a text that becomes long
- with --peers, the same is done with what a reader would use instead
- all run the same shape with random weights, each package in a process of its own. They take turns,
  so that a busy machine slows all of them; a round gives one value, and the tables show medians
  (smallest to largest)
- tokens a second are those after the first token, whose time is the prompt's

python -m CH2.benchmark                                     the 0.6B shape, every rung python -m
CH2.benchmark --peers --json all.json --plot speed.png python -m CH2.benchmark --only growth
contexts up to 8,192 tokens python -m CH2.benchmark --device cuda --only decode batch --batch 256
--prompt-tokens 256 --new-tokens 256

Random checkpoints are kept in build/benchmark: 1.2 GB for the 0.6B shape, 3.5 GB with llama.cpp's
files."""

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

from Appendixes.command_line import argument_parser, first_line, output_file, refuse
from Appendixes.demonstration import save_figure
from CH2.benchmark.peers import TRANSFORMERS, installed_peers
from CH2.benchmark.processes import Contestant, ContestantError, Contestants, Setting
from CH2.benchmark.report import GB, LINEARS, PRINTERS, draw_decode
from CH2.benchmark.runners import (
    UNCACHED_TOKENS,
    BareLinears,
    LadderRunner,
    MemoryReader,
    bytes_of,
    measure_bandwidth,
    measure_growth,
    measure_lengths,
    measure_run,
    plain_weight_bytes,
    random_checkpoint,
    uses_cache,
)
from CH2.speed_ladder import RUNGS, SHAPES, shape_config

MEMORY = Contestant("memory", "memory", MemoryReader)
CHECKPOINT = Contestant("checkpoint", "checkpoint", random_checkpoint)
BARE_LINEARS = Contestant(LINEARS, "ours", BareLinears)
WARM_UP = (8, 3)  # tokens read and written before the first round
AFTER_CONTEXT = 17  # tokens written after a long prompt
LENGTHS = (128, 512, 1024, 2048, 4096, 8192)  # of a growing text
LONG_PROMPT_RUNGS = ("fused attention", "packed weights", "int8", "int4")
LOADED_RUNG = "packed weights"
PACKAGES = ("torch", "transformers", "reasoning-from-scratch", "llama-cpp-python")

# name: a measurement; given True, it warms up for the others
Jobs = dict[str, Callable[[bool], Any]]


def ladder() -> list[Contestant]:
    """The rungs, in order."""
    compiles = False
    contestants = []
    for rung in RUNGS:
        compiles = compiles or rung.name == "compiled"  # and so do all that stand on it
        weights = "half" if rung.exact else rung.name
        limit = None if uses_cache(rung) else UNCACHED_TOKENS
        opened = partial(LadderRunner, rung.name)
        contestants.append(Contestant(rung.name, "ours", opened, weights, limit, compiles))
    return contestants


def alternate(jobs: Jobs, rounds: int, title: str) -> tuple[dict[str, list], dict[str, str]]:
    """Let contestants take turns, after a round that does not count.

    Returns:
        The values of each, one a round; and what went wrong with those that failed, which have no
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
                    except ContestantError as error:
                        failed[name] = str(error)
                        del values[name]
                progress.update()
    return values, failed


class Benchmark:
    """The tasks, each as jobs that take turns, and what they gave.

    Args:
        contestants: their processes.
        arguments: of the command line.
        peers: who else takes part.

    Attributes:
        results: what `--json` writes; the tables and the picture are made from it.
    """

    def __init__(
        self, contestants: Contestants, arguments: argparse.Namespace, peers: list[Contestant]
    ):
        self.contestants, self.arguments, self.peers = contestants, arguments, peers
        self.rungs = ladder()
        self.best = [rung for rung in self.rungs if rung.weights == "half"][-1]
        settings = ("shape", "dtype", "prompt_tokens", "new_tokens", "context", "batch", "rounds")
        self.results: dict[str, Any] = {
            "date": time.strftime("%Y-%m-%d"),
            "machine": describe_machine(arguments.device, arguments.threads),
            "versions": installed_versions(),
            "settings": {name: getattr(arguments, name) for name in settings},
            "bandwidth": contestants.ask(MEMORY, measure_bandwidth),
            "contestants": {},
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
        """One text at a time; and the memory again, so that the limit is that of the same minutes."""
        jobs: Jobs = {MEMORY.name: lambda warming: self.contestants.ask(MEMORY, measure_bandwidth)}
        for contestant in (BARE_LINEARS, *self.rungs, *self.peers):
            tokens = min(
                self.arguments.new_tokens,
                contestant.new_tokens_at_most or self.arguments.new_tokens,
            )
            jobs[contestant.name] = self.job(
                contestant, measure_run, (self.arguments.prompt_tokens, tokens), WARM_UP
            )
        return jobs

    def prefill(self) -> Jobs:
        """A long prompt."""
        lengths = (self.arguments.prompt_tokens, self.arguments.context, AFTER_CONTEXT)
        rungs = [rung for rung in self.rungs if rung.name in LONG_PROMPT_RUNGS]
        peers = [peer for peer in self.peers if peer.new_tokens_at_most is None]
        read, written = WARM_UP
        return {
            contestant.name: self.job(contestant, measure_lengths, lengths, (read, read, written))
            for contestant in (*rungs, *peers)
        }

    def batch(self) -> Jobs:
        """Samples of one prompt: together, and one after another."""
        rows, length = (
            self.arguments.batch,
            (self.arguments.prompt_tokens, self.arguments.new_tokens),
        )
        together = [BARE_LINEARS, self.best, *(rung for rung in self.rungs if rung.name == "int8")]
        together += [peer for peer in self.peers if peer.name == TRANSFORMERS]
        jobs = {
            rung.name: self.job(rung, measure_run, (*length, rows), (*WARM_UP, rows))
            for rung in together
        }
        return jobs | {
            f"{self.best.name}, one by one": self.job(self.best, measure_run, length, WARM_UP)
        }

    def growth(self) -> Jobs:
        """A text that becomes long, with the best rung that gives the model's own tokens."""
        longest = shape_config(self.arguments.shape).max_position_embeddings - AFTER_CONTEXT
        lengths = [length for length in LENGTHS if length <= longest]
        growing = (lengths, AFTER_CONTEXT - 1)
        return {self.best.name: self.job(self.best, measure_growth, growing, growing)}

    def load(self) -> Jobs:
        """From a checkpoint to the first token, each time in a fresh process; the first round fills
        the page cache.
        """
        rung = ["--rung", LOADED_RUNG]
        ways = {"load_qwen3": ["ours"], f"load_qwen3, {LOADED_RUNG}": ["ours", *rung]}
        if any(peer.name == TRANSFORMERS for peer in self.peers):
            ways[TRANSFORMERS] = ["transformers"]
        return {name: partial(self.load_once, way) for name, way in ways.items()}

    def load_once(self, way: list[str], warming: bool) -> dict:
        """Seconds of one fresh process.

        Raises:
            ContestantError: the process failed.
        """
        folder = self.contestants.ask(CHECKPOINT, str)  # written the first time
        command = [
            sys.executable,
            "-m",
            "CH2.benchmark.loading",
            *way,
            folder,
            "--device",
            self.arguments.device,
        ]
        environment = {**os.environ, "OMP_NUM_THREADS": str(self.arguments.threads)}
        done = subprocess.run(command, capture_output=True, text=True, env=environment)
        if done.returncode:
            raise ContestantError(
                done.stderr.strip().splitlines()[-1] if done.stderr.strip() else "no message"
            )
        return json.loads(done.stdout.splitlines()[-1])

    def job(
        self, contestant: Contestant, question: Callable, arguments: tuple, warm_up: tuple
    ) -> Callable:
        """A measurement by a contestant's process."""

        def measure(warming: bool) -> Any:
            # it may have had to make room for another
            if warming or not self.contestants.is_open(contestant):
                self.contestants.ask(
                    contestant, question, *(arguments if contestant.compiles else warm_up)
                )
            if not warming:
                return self.contestants.ask(contestant, question, *arguments)
            self.results["contestants"][contestant.name] = {
                "rung": contestant in self.rungs,
                "weights": contestant.weights,
                **self.contestants.ask(contestant, bytes_of),
            }
            return None

        return measure


def describe_machine(device: str, threads: int) -> dict:
    """What the numbers were measured on."""
    machine = {
        "processor": processor_name(),
        "threads": threads,
        "system": f"{platform.system()} {platform.machine()}",
    }
    if device.startswith("cuda"):
        machine["gpu"] = torch.cuda.get_device_name(device)
    return machine


def processor_name() -> str:
    """As the system calls it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    named = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor() or platform.machine())


def installed_versions() -> dict[str, str]:
    """Of the packages that were compared, where they are installed."""
    versions = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions


def print_machine(results: dict) -> None:
    """The machine, and how fast its memory is."""
    machine, settings = results["machine"], results["settings"]
    print(
        f"{machine.get('gpu', machine['processor'])}, {machine['threads']} threads, {machine['system']}"
    )
    print(", ".join(f"{package} {version}" for package, version in results["versions"].items()))
    print(
        f"Qwen3 {settings['shape']} with random weights, {settings['dtype']}; {settings['rounds']} rounds"
    )
    print(f"memory is read at {results['bandwidth'] / GB:.1f} GB/s")


def command_line() -> argparse.Namespace:
    """Read and check the command line."""
    parser = argument_parser(__doc__)
    add = parser.add_argument
    add("--shape", choices=SHAPES, default="0.6B", help="of the model (default: 0.6B)")
    add("--peers", action="store_true", help="compare with those packages that are installed")
    add(
        "--only",
        nargs="+",
        choices=PRINTERS,
        metavar="TASK",
        help=f"of {', '.join(PRINTERS)} (default: not growth)",
    )
    add("--prompt-tokens", type=int, default=32, metavar="N")
    add("--new-tokens", type=int, default=48, metavar="N")
    add(
        "--context",
        type=int,
        default=2048,
        metavar="N",
        help="tokens of the long prompt (default: 2048)",
    )
    add("--batch", type=int, default=8, metavar="N", help="samples of one prompt (default: 8)")
    add("--rounds", type=int, default=3, metavar="N", help="values for each median (default: 3)")
    add(
        "--threads",
        type=int,
        default=torch.get_num_threads(),
        metavar="N",
        help="default: what PyTorch takes",
    )
    add("--device", default="cpu", help="cpu or cuda (default: cpu)")
    add("--dtype", choices=("bfloat16", "float16", "float32"), default="bfloat16")
    add("--json", type=output_file(), metavar="FILE", help="write every measured value to FILE")
    arguments = parser.parse_args()
    check(arguments)
    return arguments


def check(arguments: argparse.Namespace) -> None:
    """Refuse what cannot be measured, before minutes are spent on it."""
    for name, least in {
        "prompt_tokens": 2,
        "new_tokens": 2,
        "context": 2,
        "batch": 2,
        "rounds": 1,
        "threads": 1,
    }.items():
        if getattr(arguments, name) < least:
            refuse(
                f"--{name.replace('_', '-')} {getattr(arguments, name)}: it must be at least {least}"
            )
    try:
        torch.device(arguments.device)
    except RuntimeError as error:
        refuse(f"--device {arguments.device}: {first_line(error)}")
    if arguments.device.startswith("cuda") and not torch.cuda.is_available():
        refuse(f"--device {arguments.device}: PyTorch finds no GPU here")
    room = shape_config(arguments.shape).max_position_embeddings
    if arguments.prompt_tokens + arguments.new_tokens > room:
        refuse(
            f"{arguments.prompt_tokens} + {arguments.new_tokens} tokens exceed the shape's context of {room}"
        )
    if arguments.context + AFTER_CONTEXT > room:
        arguments.context = room - AFTER_CONTEXT
        print(f"the shape's context is {room}, so the long prompt has {arguments.context} tokens")


def main() -> None:
    """Measure, print, and write what was asked for."""
    arguments = command_line()
    setting = Setting(arguments.shape, arguments.dtype, arguments.device, arguments.threads)
    peers = installed_peers() if arguments.peers else []
    with Contestants(setting, memory_needed=3 * plain_weight_bytes(setting)) as contestants:
        benchmark = Benchmark(contestants, arguments, peers)
        print_machine(benchmark.results)
        tasks = arguments.only or [task for task in PRINTERS if task != "growth"]
        for task in PRINTERS:
            if task in tasks:
                benchmark.run(task)
                # after each task, so that a run that is stopped leaves what it measured
                if arguments.json:
                    arguments.json.write_text(
                        json.dumps(benchmark.results, indent=1) + "\n", encoding="utf-8"
                    )
    if arguments.plot and benchmark.results.get("decode"):
        save_figure(draw_decode(benchmark.results), arguments.plot)
