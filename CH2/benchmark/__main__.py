"""Measure how fast the model writes, how fast it could, and how fast others are.

- the limit: a token reads every weight once, so the memory's speed is measured first, and every
  speed is set against it
- decode: the rungs of the speed ladder, one text at a time; prefill: a long prompt, and decoding
  after it; batch: samples of one prompt; load: from a checkpoint on disk to the first token;
  growth: a text that becomes long
- with --peers, the same is done with other packages that a reader might use
- all run the same shape with random weights, each package in a process of its own. They take turns,
  so that a busy machine slows all of them; a round gives one value, and the tables show medians
  (smallest to largest)
- tokens per second are those after the first token, whose time is the prompt's

python -m CH2.benchmark                         the 0.6B shape, every rung
python -m CH2.benchmark --peers --json all.json --plot speed.png
python -m CH2.benchmark --only growth           contexts up to 8,192 tokens
python -m CH2.benchmark --shape tiny            the shipped model's shape, in minutes
python -m CH2.benchmark --device cuda --peers   every task on a GPU; `make gpu` tests it before

Random checkpoints are kept in build/benchmark: 1.2 GB for the 0.6B shape, 3.5 GB with llama.cpp's
files.
"""

import argparse

import torch

from Appendixes.command_line import (
    argument_parser,
    first_line,
    output_file,
    refuse,
    run_main,
    write_json,
)
from Appendixes.demonstration import save_figure
from CH2.benchmark.peers import installed_peers
from CH2.benchmark.processes import Setting, Workers
from CH2.benchmark.random_models import SHAPES, shape_config
from CH2.benchmark.report import PRINTERS, draw_decode, print_machine
from CH2.benchmark.runners import plain_weight_bytes
from CH2.benchmark.tasks import AFTER_CONTEXT, Benchmark

# what is measured unless the command line says otherwise; a GPU writes more in a second
DEFAULTS = {
    "cpu": {"new_tokens": 48, "batch": [8], "rounds": 3},
    "cuda": {"new_tokens": 512, "batch": [1, 8, 64, 256], "rounds": 2},
}


def command_line() -> argparse.Namespace:
    """Read and check the command line."""
    parser = argument_parser(__doc__, prog="python -m CH2.benchmark")
    add = parser.add_argument
    add("--shape", choices=SHAPES, default="0.6B", help="the model's shape (default: 0.6B)")
    add("--peers", action="store_true", help="compare with the packages that are installed")
    add(
        "--only",
        nargs="+",
        choices=PRINTERS,
        metavar="TASK",
        help=f"of {', '.join(PRINTERS)} (default: all, on a CPU not growth)",
    )
    add("--prompt-tokens", type=int, default=32, metavar="N")
    add("--new-tokens", type=int, metavar="N", help="default: 48, on a GPU 512")
    add(
        "--context",
        type=int,
        default=2048,
        metavar="N",
        help="tokens of the long prompt (default: 2048)",
    )
    add(
        "--batch",
        type=int,
        nargs="+",
        metavar="N",
        help="numbers of samples of one prompt (default: 8, on a GPU 1 8 64 256)",
    )
    add(
        "--rounds",
        type=int,
        metavar="N",
        help="values for each median (default: 3, on a GPU 2)",
    )
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
    for name, value in DEFAULTS["cuda" if arguments.device.startswith("cuda") else "cpu"].items():
        if getattr(arguments, name) is None:
            setattr(arguments, name, value)
    check(arguments)
    return arguments


def check(arguments: argparse.Namespace) -> None:
    """Refuse arguments that cannot be measured; shorten a context that is too long."""
    # 1. Numbers that are too small.
    at_least_two = ("prompt_tokens", "new_tokens", "context")
    for name in (*at_least_two, "batch", "rounds", "threads"):
        value, least = getattr(arguments, name), 2 if name in at_least_two else 1
        value = min(value) if name == "batch" else value
        if value < least:
            refuse(f"--{name.replace('_', '-')} {value}: it must be at least {least}")
    # 2. Devices that are not here.
    try:
        torch.device(arguments.device)
    except RuntimeError as error:
        refuse(f"--device {arguments.device}: {first_line(error)}")
    if arguments.device.startswith("cuda") and not torch.cuda.is_available():
        refuse(f"--device {arguments.device}: PyTorch finds no GPU here")
    # 3. Texts that are too long.
    room = shape_config(arguments.shape).max_position_embeddings
    if arguments.prompt_tokens + arguments.new_tokens > room:
        length = f"{arguments.prompt_tokens} + {arguments.new_tokens}"
        refuse(f"{length} tokens exceed the shape's context of {room}")
    if arguments.context + AFTER_CONTEXT > room:
        arguments.context = room - AFTER_CONTEXT
        if not arguments.only or "prefill" in arguments.only:
            print(f"the shape's context is {room}: the long prompt has {arguments.context} tokens")


def main() -> None:
    """Measure, print, and write the files that were asked for."""
    # 1. Prepare.
    arguments = command_line()
    setting = Setting(arguments.shape, arguments.dtype, arguments.device, arguments.threads)
    others = installed_peers(arguments.device) if arguments.peers else []
    with Workers(setting, memory_needed=3 * plain_weight_bytes(setting)) as workers:
        benchmark = Benchmark(workers, arguments, others)
        print_machine(benchmark.results)
        # 2. Measure one task after another.
        tasks = arguments.only or [
            task for task in PRINTERS if task != "growth" or benchmark.on_gpu
        ]
        for task in PRINTERS:
            if task in tasks:
                benchmark.run(task)
                # after each task, so that a run that is stopped leaves its measurements
                if arguments.json:
                    write_json(arguments.json, benchmark.results, indent=1)
    # 3. Draw.
    if arguments.plot and benchmark.results.get("decode"):
        save_figure(draw_decode(benchmark.results), arguments.plot)


if __name__ == "__main__":
    run_main(main)
