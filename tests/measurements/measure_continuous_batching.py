"""Measure how much faster continuous batching is than fixed batches, and how much memory it takes.

The lengths of answers have a long tail (exponential, mean 100, at most 1,000), as those of
reasoning models have. The same prompts are answered in three ways, in turn, several times; medians
are printed:

- fixed batches: every row runs until the longest of its batch has ended, as in the book's batched
  script
- fixed batches whose rows leave when they end: the batch shrinks, and their places stay free
- continuous batching: the next prompt takes the place at once

Tokens that a row draws after its own end do not count. With `--max-cache-bytes` only the last way
runs, under each limit, and memory is measured: by the cache's own count and by the system's.

The shipped model's shape; and that of Qwen3-0.6B, which takes 31 minutes on two cores:

    python tests/measurements/measure_continuous_batching.py
    python tests/measurements/measure_continuous_batching.py --shape 0.6B --rung int8 --rounds 1
"""

import argparse
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import mean, median

import torch

from Appendixes.demonstration import randomise
from Appendixes.QWEN3Model import Qwen3Model
from CH2.benchmark.random_models import SHAPES, shape_config
from CH2.continuous_batching import ContinuousBatching
from CH2.decoding import DecodingEngine
from CH2.speed_ladder import RUNGS, find_rung

LONGEST_PROMPT = 80  # tokens


@dataclass
class Text:
    """A prompt and the number of tokens of its answer."""

    prompt: list[int]
    length: int


def texts(count: int, mean_length: float, longest: int, seed: int = 0) -> list[Text]:
    """Draw prompts of different lengths, and lengths of answers with a long tail."""
    rng = random.Random(seed)
    lengths = [min(max(round(rng.expovariate(1 / mean_length)), 1), longest) for _ in range(count)]
    return [
        Text([rng.randrange(600) for _ in range(rng.randint(20, LONGEST_PROMPT))], length)
        for length in lengths
    ]


def fixed_batches(model, work: list[Text], batch: int, rows_leave: bool = True) -> None:
    """Answer one batch after another."""
    for start in range(0, len(work), batch):
        some, engine = work[start : start + batch], DecodingEngine(model)
        longest = max(text.length for text in some)
        for prompt, text in zip(
            engine.add_prompts([text.prompt for text in some]), some, strict=True
        ):
            engine.admit(prompt, text.length if rows_leave else longest)
        while engine.rows:
            engine.step()


@dataclass
class Watch:
    """A record of the rows and bytes that continuous batching used, step by step.

    Attributes:
        rows: number of busy rows in each step.
        rows_while_waiting: the same, for the steps in which texts were waiting.
        cache_bytes: the most bytes that the caches held.
    """

    rows: list[int] = field(default_factory=list)
    rows_while_waiting: list[int] = field(default_factory=list)
    cache_bytes: int = 0

    def step(self, batching: ContinuousBatching) -> None:
        """Record one step."""
        self.rows.append(batching.rows_busy)
        if batching.waiting:
            self.rows_while_waiting.append(batching.rows_busy)
        caches = batching.engine.prompt_cache, batching.engine.row_cache
        self.cache_bytes = max(self.cache_bytes, sum(cache.nbytes for cache in caches))


def continuous(
    model,
    work: list[Text],
    batch: int,
    max_cache_bytes: int | None = None,
    watch: Watch | None = None,
) -> Watch:
    """Answer all texts from one queue."""
    watch = watch or Watch()
    batching = ContinuousBatching(
        model, max_concurrent=batch, max_cache_bytes=max_cache_bytes, on_step=watch.step
    )
    for text in work:
        batching.submit(text.prompt, text.length)
    while batching:
        batching.step()
    return watch


def seconds(function: Callable[[], object]) -> float:
    """Return the seconds that a call takes."""
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def compare(model, work: list[Text], batch: int, rounds: int) -> None:
    """Print tokens per second of the three ways."""
    watch = Watch()
    ways = {
        "fixed batches, to the end of the longest": lambda: fixed_batches(
            model, work, batch, rows_leave=False
        ),
        "fixed batches, rows leave": lambda: fixed_batches(model, work, batch, rows_leave=True),
        "continuous batching": lambda: continuous(model, work, batch, watch=watch),
    }
    for run in (fixed_batches, continuous):  # warms up: all numbers of rows, as they grow and leave
        run(
            model,
            [Text(text.prompt, 2 + place % batch) for place, text in enumerate(work[: 2 * batch])],
            batch,
        )
    times: dict[str, list[float]] = {way: [] for way in ways}
    for turn in range(rounds):
        for way, run in ways.items():
            times[way].append(seconds(run))
            print(f"round {turn + 1}, {way}: {times[way][-1]:,.1f} s", flush=True)
    tokens, last = sum(text.length for text in work), list(ways)[-1]
    for way in ways:
        ratio = median(before / now for before, now in zip(times[way], times[last], strict=True))
        print(
            f"{way:42s}{tokens / median(times[way]):9,.1f} tokens/s   "
            f"continuous batching is {ratio:.2f} x as fast"
        )
    busy = mean(watch.rows_while_waiting) / batch
    print(f"rows busy until the queue is empty: {busy:.1%} of {batch}")


def measure_memory(model, work: list[Text], batch: int, limit: int) -> None:
    """Print the memory that continuous batching takes under a limit."""
    continuous(model, work[:2], batch)  # what the libraries take once
    before = resident_bytes("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # from here on, VmHWM is the highest since now
    watch = continuous(model, work, batch, limit)
    grown = resident_bytes("VmHWM") - before
    print(
        f"max_cache_bytes {limit:,}: caches at most {watch.cache_bytes:,}; "
        f"resident memory grew by {grown:,}, which is {grown - limit:+,} to the limit; "
        f"at most {max(watch.rows)} of {batch} rows busy"
    )


def resident_bytes(name: str) -> int:
    """Return this process's bytes of memory by Linux: now (`VmRSS`) or at most (`VmHWM`)."""
    [line] = [
        line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(name)
    ]
    return int(line.split()[1]) << 10


def main() -> None:
    """Print speeds, or memory."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--shape", choices=SHAPES, default="tiny", help="of a model with random weights"
    )
    rungs = [rung.name for rung in RUNGS if rung.engine is DecodingEngine and rung.use_cache]
    parser.add_argument(
        "--rung", choices=rungs, default="fused attention", help="of the speed ladder"
    )
    parser.add_argument("--prompts", type=int, default=256)
    parser.add_argument("--batch", type=int, default=16, help="rows")
    parser.add_argument("--mean", type=float, default=100.0, help="length of an answer, in tokens")
    parser.add_argument("--longest", type=int, default=1000, help="answer")
    parser.add_argument("--rounds", type=int, default=3, help="of each timing; medians are printed")
    parser.add_argument(
        "--max-cache-bytes",
        type=int,
        nargs="+",
        help="measure memory under each of these limits (Linux), and nothing else",
    )
    arguments = parser.parse_args()
    config = replace(
        shape_config(arguments.shape), max_position_embeddings=arguments.longest + LONGEST_PROMPT
    )
    plain = Qwen3Model(config).eval().requires_grad_(False)
    randomise(plain, torch.Generator().manual_seed(0), std=0.02)
    model = find_rung(arguments.rung).prepare(
        plain.to(torch.float32 if arguments.shape == "tiny" else torch.bfloat16)
    )
    work = texts(arguments.prompts, arguments.mean, arguments.longest)
    lengths = [text.length for text in work]
    print(
        f"{arguments.shape}, {arguments.rung}, {torch.get_num_threads()} threads: "
        f"{len(work)} answers of {min(lengths)} to {max(lengths)} tokens, "
        f"{mean(lengths):.0f} in the mean"
    )
    if arguments.max_cache_bytes is None:
        compare(model, work, arguments.batch, arguments.rounds)
    else:
        for limit in arguments.max_cache_bytes:
            measure_memory(model, work, arguments.batch, limit)


if __name__ == "__main__":
    main()
