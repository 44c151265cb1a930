"""Runs and their times: the rungs of the speed ladder, and what they are measured against.

- in a *run* a prompt is read, then tokens are written one by one; the clock is read as each token
  becomes known
- the time to the first token is that of reading the prompt (prefill), the time of the others that
  of decoding
- a GPU has finished before the clock is read
"""

import functools
import random
import time
from collections.abc import Callable, Sequence
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import nn

from Appendixes.QWEN3Model import Qwen3Config, Qwen3Model
from CH2.benchmark.processes import Setting
from CH2.benchmark.random_models import random_model
from CH2.cache_budget import cache_bytes_per_token
from CH2.decoding import DecodingEngine, Prompt
from CH2.generation import generate_batch
from CH2.packed_weights import weight_bytes
from CH2.speed_ladder import find_rung

# new tokens of a run without a cache, which is so slow that nobody wants to wait for more
UNCACHED_TOKENS = 12
# size of the tensor that is read to measure the memory's speed, far more than a CPU's cache holds
BANDWIDTH_BYTES = {"cpu": 1 << 30, "cuda": 8 << 30}


class Runner(Protocol):
    """A model that a peer opened.

    Attributes:
        device: where it runs, "cpu" or "cuda".
        config: the model's shape.
        weight_bytes: bytes of weights that one step of decoding reads.
        cache_bytes: bytes of keys and values per token of context; 0 if there is no cache.
    """

    device: str
    config: Qwen3Config
    weight_bytes: int
    cache_bytes: int

    def run(self, prompt: list[int], new_tokens: int, rows: int, tick: Callable[[], None]) -> None:
        """Continue `rows` copies of a prompt greedily.

        Args:
            prompt: token ids.
            new_tokens: per row.
            rows: number of copies.
            tick: called when all is ready to begin, and after each token of all rows.
        """


def measure_run(runner: Runner, prompt_tokens: int, new_tokens: int, rows: int = 1) -> dict:
    """Time one run.

    Returns:
        `first_token`: seconds to the first token of all `rows`. `decode`: seconds for the `steps`
            tokens after it.

    Raises:
        RuntimeError: the runner did not make as many tokens as it should have.
    """
    times: list[float] = []

    def tick() -> None:
        synchronise(runner.device)
        times.append(time.perf_counter())

    runner.run(random_prompt(runner.config.vocab_size, prompt_tokens), new_tokens, rows, tick)
    if len(times) != new_tokens + 1:
        raise RuntimeError(f"{len(times) - 1} tokens were made, {new_tokens} were asked for")
    return {
        "first_token": times[1] - times[0],
        "decode": times[-1] - times[1],
        "steps": new_tokens - 1,
        "rows": rows,
    }


def measure_lengths(runner: Runner, short: int, long: int, new_tokens: int) -> dict:
    """Time a run with a short prompt and right after it one with a long prompt.

    Returns:
        Two results of `measure_run`: `short` and `long`.
    """
    return {
        length: measure_run(runner, size, new_tokens)
        for length, size in (("short", short), ("long", long))
    }


def measure_prompts(runner: "LadderRunner", prompt_tokens: int, new_tokens: int, rows: int) -> dict:
    """Time `generate_batch` for different prompts, from the first call to the last token.

    Returns:
        As `measure_run`; all is counted as decoding.
    """
    prompts = [random_prompt(runner.config.vocab_size, prompt_tokens, seed) for seed in range(rows)]
    synchronise(runner.device)
    start = time.perf_counter()
    texts = generate_batch(runner.model, prompts, new_tokens)
    seconds = time.perf_counter() - start
    assert {len(text) for text in texts} == {new_tokens}
    return {"first_token": 0.0, "decode": seconds, "steps": new_tokens, "rows": rows}


def bytes_of(runner: Runner) -> dict:
    """Return what one step reads: `weight_bytes`, and `cache_bytes` per token of context."""
    return {"weight_bytes": runner.weight_bytes, "cache_bytes": runner.cache_bytes}


def synchronise(device: str) -> None:
    """Wait until a GPU has done all that it was given."""
    if device.startswith("cuda"):
        torch.cuda.synchronize(device)


def random_prompt(vocab_size: int, length: int, seed: int = 0) -> list[int]:
    """Draw token ids, the same ones at each call."""
    return random.Random(seed).choices(range(vocab_size), k=length)


def plain_weight_bytes(setting: Setting) -> int:
    """Count the bytes of weights that one step of a plain model reads, without making them."""
    return weight_bytes(random_model(setting.shape, getattr(torch, setting.dtype), "meta"))


@functools.cache
def plain_model(setting: Setting) -> Qwen3Model:
    """Make the random model that all rungs start from, once per process."""
    return random_model(setting.shape, getattr(torch, setting.dtype), setting.device)


class LadderRunner:
    """A runner for one rung of the ladder.

    Args:
        name: of the rung.
        setting: the shape, dtype and device are used.
    """

    def __init__(self, name: str, setting: Setting):
        self.rung = find_rung(name)
        self.device = setting.device
        self.model = self.rung.prepare(plain_model(setting))
        self.config = self.model.config
        self.weight_bytes = weight_bytes(self.model)
        itemsize = plain_model(setting).embed_tokens.weight.element_size()
        per_token = cache_bytes_per_token(self.config, itemsize)
        self.cache_bytes = per_token if self.rung.use_cache else 0
        self.texts: dict[int, tuple[DecodingEngine, Prompt]] = {}

    def run(self, prompt: list[int], new_tokens: int, rows: int, tick: Callable[[], None]) -> None:
        """Do a run as `Runner.run`; the rows share one reading of the prompt."""
        engine = self.rung.start(self.model, share_prompts=rows > 1, reuse_buffers=True)
        tick()
        [read] = engine.add_prompts([prompt])
        for _ in range(rows):
            engine.admit(read, new_tokens)
        while engine.rows:
            engine.step()
            tick()

    def text(self, length: int) -> tuple[DecodingEngine, Prompt]:
        """Return an engine that has read a prompt of this length, once; it may be continued."""
        if length not in self.texts:
            engine = self.rung.start(self.model)
            [prompt] = engine.add_prompts([random_prompt(self.config.vocab_size, length)])
            self.texts[length] = engine, prompt
        return self.texts[length]


def measure_growth(
    runner: LadderRunner, lengths: Sequence[int], new_tokens: int
) -> dict[int, dict]:
    """Time decoding after prompts of many lengths; each prompt is read at the first call only.

    Returns:
        For each length: `seconds` per token, `bytes_used` by keys and values, `bytes_held` by their
            buffers.
    """
    grown = {}
    for length in lengths:
        engine, prompt = runner.text(length)
        engine.admit(prompt, new_tokens + 1)
        engine.step()  # makes the row's buffers
        synchronise(runner.device)
        start = time.perf_counter()
        for _ in range(new_tokens):
            held = engine.prompt_cache.nbytes + engine.row_cache.nbytes
            engine.step()
        synchronise(runner.device)
        seconds = (time.perf_counter() - start) / new_tokens
        used = (length + new_tokens) * runner.cache_bytes
        grown[length] = {"seconds": seconds, "bytes_used": used, "bytes_held": held}
    return grown


class BareLinears:
    """A runner that multiplies by all matrices of the model and does nothing between them.

    Its speed is what `torch.nn.functional.linear` alone would reach.

    Args:
        setting: the shape, dtype and device are used.
    """

    cache_bytes = 0

    def __init__(self, setting: Setting):
        model = plain_model(setting)
        self.device, self.config = setting.device, model.config
        self.matrices = [
            module.weight for module in model.modules() if isinstance(module, nn.Linear)
        ]
        self.weight_bytes = sum(matrix.nbytes for matrix in self.matrices)

    def run(self, prompt: list[int], new_tokens: int, rows: int, tick: Callable[[], None]) -> None:
        """Do a run as `Runner.run`, but without making a text."""
        first = self.matrices[0]
        widest = max(matrix.shape[1] for matrix in self.matrices)
        x = torch.ones(rows, widest, dtype=first.dtype, device=first.device)
        tick()
        for _ in range(new_tokens):
            for matrix in self.matrices:
                F.linear(x[:, : matrix.shape[1]], matrix)
            tick()


class MemoryReader:
    """A large tensor in the memory whose speed is measured.

    Args:
        setting: the device is used.
    """

    def __init__(self, setting: Setting):
        self.device = setting.device
        size = BANDWIDTH_BYTES["cuda" if self.device.startswith("cuda") else "cpu"]
        self.numbers = torch.ones(size // 4, dtype=torch.float32, device=self.device)

    def ways(self) -> list[tuple[Callable[[], object], int]]:
        """Return operations as fast as the memory, each with the bytes that it moves.

        On a CPU it is a sum, on a GPU also a copy.
        """
        summing = self.numbers.sum, self.numbers.nbytes
        if self.device == "cpu":
            return [summing]
        copy = torch.empty_like(self.numbers)
        return [summing, (lambda: copy.copy_(self.numbers), 2 * self.numbers.nbytes)]


def measure_bandwidth(reader: MemoryReader, repeats: int = 5) -> float:
    """Measure the memory's speed in bytes per second: the best of several passes."""
    best = 0.0
    for move, moved in reader.ways():
        move()
        for _ in range(repeats):
            synchronise(reader.device)
            start = time.perf_counter()
            move()
            synchronise(reader.device)
            best = max(best, moved / (time.perf_counter() - start))
    return best
