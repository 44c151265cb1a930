"""Command lines of evaluations: their options, the run they ask for, and the ways it may end."""

import argparse
import errno
import os
import platform
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from Appendixes.command_line import first_line, parse_json, refuse
from Appendixes.QWEN3Model import Qwen3Model, find_checkpoint, load_qwen3
from Appendixes.QWEN3Tokenizer import Qwen3Tokenizer
from CH2.prompts import BARE, CHAIN_OF_THOUGHT, DIRECT, few_shot
from CH2.speed_ladder import find_rung
from CH3.evaluation import UnansweredError
from CH3.evaluation.results import WHOLE, Settings, Shard
from CH3.evaluation.writers import (
    EndpointRefusedError,
    ModelWriter,
    Writer,
    model_settings,
)
from CH3.problems import Problem, is_puzzle, load_problems

BUILD = Path(__file__).resolve().parents[2] / "build"
PROMPTS = {"direct": DIRECT, "chain-of-thought": CHAIN_OF_THOUGHT}
PROMPTS |= {"few-shot": few_shot(CHAIN_OF_THOUGHT), "bare": BARE}
THINKING = {"thinking": True, "no-thinking": False}
# those of the speed ladder that pay off in an evaluation
RUNGS = ("packed weights", "compiled", "int8", "int4")
# what happens to a disk in the middle of the work: the command itself was right
DISK = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EFBIG)
DTYPES = ("float32", "bfloat16", "float16", "float64")


@dataclass(frozen=True)
class Run(ABC):
    """Problems, settings and writers, as a command line asks for them.

    Attributes:
        problems: all of them.
        settings: what answers depend on by these options besides the problems and the prompt.
        shard: this process's part of the problems.
        shown: show a line of progress: one process per machine does.
        limits: `max_new_tokens` and `thinking`, as in `ModelWriter`.
        machine: what the texts are computed on, in words.
    """

    problems: list[Problem]
    settings: Settings
    shard: Shard
    shown: bool
    limits: dict[str, Any]
    machine: str

    @abstractmethod
    def writer(self, template: str, max_concurrent: int, **options: Any) -> Writer[str]:
        """Make a writer; without the options its texts are greedy.

        Args:
            template: of the prompt, from `CH2.prompts`.
            max_concurrent: number of texts that grow at the same time.
            options: how texts are drawn: `seed`; `sampler`, for a model of this process;
                `temperature` and `top_p`, for a server, which has a sampler of its own; and
                `on_step`, as in `ContinuousBatching`, for a model, or `on_wait`, as in
                `ServedWriter`, for a server.
        """


@dataclass(frozen=True)
class LocalRun(Run):
    """A run whose texts a model of this process writes."""

    model: Qwen3Model
    tokenizer: Qwen3Tokenizer
    max_cache_bytes: int | None

    def writer(self, template: str, max_concurrent: int, **options: Any) -> Writer[str]:
        """Make a writer; see `Run.writer`."""
        return ModelWriter(
            self.model,
            self.tokenizer,
            template,
            max_concurrent=max_concurrent,
            max_cache_bytes=self.max_cache_bytes,
            **self.limits,
            **_given(options, "sampler", "seed", "on_step"),
        )


@dataclass(frozen=True)
class ServedRun(Run):
    """A run whose texts a server writes; `server`: what `ServedWriter` must know about it."""

    server: dict[str, Any]

    def writer(self, template: str, max_concurrent: int, **options: Any) -> Writer[str]:
        """Make a writer; see `Run.writer`."""
        from CH3.evaluation.serving import ServedWriter  # needs the optional package openai

        own = _given(options, "temperature", "top_p", "seed", "on_wait")
        own |= self.limits | self.server
        return ServedWriter(template=template, max_concurrent=max_concurrent, **own)


def _given(options: dict[str, Any], *names: str) -> dict[str, Any]:
    """Return those of the named options that were given."""
    return {name: options[name] for name in names if name in options}


def load(arguments: argparse.Namespace) -> Run:
    """Load what the options of `add_options` ask for.

    Raises:
        ValueError, OSError: it cannot be had, and why.
        ImportError: a server is to be asked, and the package for it is missing.
    """
    # 1. Read what does not depend on who writes. Puzzles are for models that converse.
    problems = load_problems(arguments.data, arguments.limit)
    chat = arguments.chat or ("thinking" if all(map(is_puzzle, problems)) else None)
    thinking = THINKING[chat] if chat else None
    limits = {"max_new_tokens": arguments.max_new_tokens, "thinking": thinking}
    settings = {"data": Path(arguments.data).stem, "chat": chat}
    settings["max_new_tokens"] = arguments.max_new_tokens
    common: dict[str, Any] = {
        "problems": problems,
        "shard": arguments.shard or shard_of_torchrun(),
        # torchrun's processes write to one terminal
        "shown": not started_by_torchrun() or os.environ["LOCAL_RANK"] == "0",
        "limits": limits,
    }
    # 2. A server writes: its name is all that is known about its model.
    if arguments.endpoint:
        for name in ("device", "dtype", "max_cache_bytes", "rung"):
            if getattr(arguments, name):
                option = name.replace("_", "-")
                raise ValueError(f"--{option}: with --endpoint the server decides that")
        server = {"url": arguments.endpoint, "model": arguments.model, "timeout": arguments.timeout}
        server["key"] = os.environ.get("OPENAI_API_KEY") or None
        server["extra_body"] = arguments.extra_body
        settings |= {"model": Path(arguments.model).name, "served": arguments.model}
        settings["extra_body"] = arguments.extra_body
        served = ServedRun(settings=settings, machine="a server", server=server, **common)
        served.writer(DIRECT, 1)  # refuses an address that is none before the work begins
        return served
    if arguments.extra_body:
        raise ValueError("--extra-body: is for a server; give --endpoint, too")
    # 3. A model of this process writes: try the device, load, and make it fast.
    device = device_of_this_process(arguments.device)
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise ValueError(f"--device {device} cannot be used: {first_line(error)}") from None
    dtype = getattr(torch, arguments.dtype) if arguments.dtype else None
    model, tokenizer = load_qwen3(arguments.model, device=device, dtype=dtype)
    checkpoint = find_checkpoint(arguments.model)
    settings |= model_settings(arguments.model, model, tokenizer, checkpoint)
    machine = _machine(next(model.parameters()).device)
    if arguments.rung:
        settings["rung"], model = arguments.rung, find_rung(arguments.rung).prepare(model)
    own = {"model": model, "tokenizer": tokenizer, "max_cache_bytes": arguments.max_cache_bytes}
    return LocalRun(settings=settings, machine=machine, **own, **common)


def _machine(device: torch.device) -> str:
    """Describe a CPU or a GPU, and the number of threads."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.machine()
    return f"{device.type}, {name}, {torch.get_num_threads()} threads"


def started_by_torchrun() -> bool:
    """Return True if this process is one of torchrun's, which tells each its rank."""
    return "TORCHELASTIC_RUN_ID" in os.environ


def shard_of_torchrun() -> Shard:
    """Return the shard of one of torchrun's processes; all of the work for any other process."""
    if not started_by_torchrun():
        return WHOLE
    return Shard(int(os.environ["RANK"]) + 1, int(os.environ["WORLD_SIZE"]))


def device_of_this_process(device: str | None) -> str | None:
    """Choose a GPU for one of torchrun's processes where GPUs are wanted; return other devices.

    Args:
        device: as on the command line: None is a GPU if there is one.
    """
    wants_gpu = torch.cuda.is_available() if device is None else device == "cuda"
    if not wants_gpu or not started_by_torchrun():
        return device
    return f"cuda:{int(os.environ['LOCAL_RANK']) % torch.cuda.device_count()}"


@contextmanager
def ending_in_words(out: Path) -> Iterator[None]:
    """End the program with one line and an exit code, instead of a traceback, when a run stops.

    Args:
        out: file or folder of the answers.
    """
    try:
        yield
    except UnansweredError as error:
        message = f"{error}; the same command asks for the rest"
        if not started_by_torchrun():
            sys.exit(message)
        print(message, file=sys.stderr)  # a code other than 0 would end the other processes, too
    except OSError as error:
        if error.errno in DISK:
            sys.exit(f"error: {error}; the answers so far are in {out}")
        refuse(error)
    except (ValueError, ImportError, EndpointRefusedError) as error:
        refuse(error)
    except KeyboardInterrupt:
        print(
            f"stopped; the answers so far are in {out}, and the same command goes on from there",
            file=sys.stderr,
        )
        sys.exit(130)


def report_command(out: Path, shard: Shard) -> str:
    """Return the command that adds up the files of all shards."""
    names = Shard(0, shard.count).file(out)
    pattern = names.with_name(names.name.replace(".shard-0-of-", ".shard-*-of-"))
    return f'python -m CH3.evaluation.report "{pattern}"'


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that say which model or server answers which problems."""
    add = parser.add_argument
    add(
        "--model",
        default="tiny",
        help="'tiny' (default; ships with the repository), a folder, or a name on the Hub",
    )
    add(
        "--data",
        default="arithmetic500",
        help="'arithmetic500' (default), 'countdown500', 'math500', or a .json or .jsonl file",
    )
    add(
        "--chat",
        choices=THINKING,
        help="use Qwen3's chat format: for chat models, not for base models; default: not used, "
        "but 'thinking' for puzzles such as countdown500",
    )
    add("--limit", type=at_least_one, metavar="N", help="only the first N problems")
    add("--device", help="such as cpu, cuda or mps; default: cuda if there is one, else cpu")
    add("--dtype", choices=DTYPES, help="of the weights; default: as in the checkpoint")
    add(
        "--rung",
        choices=RUNGS,
        help="of chapter 2's ladder of speed; takes a minute to prepare, and pays off in long "
        "runs; all but 'compiled' are for CPUs; default: the model as it is",
    )
    add(
        "--max-cache-bytes",
        type=at_least_one,
        metavar="N",
        help="for keys and values; where they need more, fewer answers grow at the same time; "
        "default: no limit",
    )
    add(
        "--endpoint",
        metavar="URL",
        help="ask a server with OpenAI's interface, such as http://127.0.0.1:8000/v1; --model is "
        "then the name it knows, --batch the number of requests under way at the same time; a key "
        "is taken from the environment variable OPENAI_API_KEY",
    )
    add(
        "--timeout",
        type=float,
        default=900.0,
        metavar="SECONDS",
        help="for one request to a server (default 900)",
    )
    add(
        "--extra-body",
        type=_json_object,
        default={},
        metavar="JSON",
        help="further fields of each request to a server, such as '{\"repetition_penalty\": 1.0}'; "
        "what vLLM, SGLang and llama.cpp would change unasked is turned off without it",
    )
    add(
        "--shard",
        type=_shard,
        metavar="I/N",
        help="only the I-th of N parts of the problems, such as 3/8, into a file of its own; "
        "torchrun's processes choose theirs by themselves",
    )


def at_least_one(text: str) -> int:
    """Read a count on the command line; a `type=` for argparse."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not an integer from 1 on")
    return int(text)


def _json_object(text: str) -> dict[str, Any]:
    """Read a JSON object on the command line."""
    try:
        value = parse_json(text, repr(text))
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    if not isinstance(value, dict):
        raise argparse.ArgumentTypeError(f'{text!r} is not an object such as {{"top_k": 20}}')
    return value


def _shard(text: str) -> Shard:
    try:
        return Shard.parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
