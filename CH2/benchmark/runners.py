"""What the benchmark runs and times: the rungs of the speed ladder, and what they are measured
against.

- all that is timed is a *run*: a prompt is read, then tokens are written one by one; the clock is
  read as each is known
- the time to the first token is the prompt's (prefill), the time of the others is decoding's
- a GPU is waited for before the clock is read
"""

import functools
import random
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

import torch
import torch.nn.functional as F
from tokenizers import Tokenizer, models
from torch import nn

from Appendixes.QWEN3Model import Qwen3Config, Qwen3Model, save_qwen3
from CH2.benchmark.processes import Setting
from CH2.cache_budget import cache_bytes_per_token
from CH2.decoding import DecodingEngine, Prompt
from CH2.packed_weights import weight_bytes
from CH2.speed_ladder import Rung, find_rung, random_model

# random checkpoints, made once
FOLDER = Path(__file__).resolve().parents[2] / "build" / "benchmark"
# written without a cache, which takes so long that nobody wants to wait for more
UNCACHED_TOKENS = 12
BANDWIDTH_BYTES = {"cpu": 1 << 30, "cuda": 8 << 30}  # far more than any cache holds


class Runner(Protocol):
    """A model that a contestant opened.

    Attributes:
        device: where it runs.
        config: its shape.
        weight_bytes: bytes of weights that one step of decoding reads.
        cache_bytes: bytes of keys and values for one token of context; 0 if there is no cache.
    """

    device: str
    config: Qwen3Config
    weight_bytes: int
    cache_bytes: int

    def run(self, prompt: list[int], new_tokens: int, rows: int, tick: Callable[[], None]) -> None:
        """Continue `rows` copies of a prompt greedily; `tick` when ready to begin, and after each
        token of all rows.
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
    """A run after a short prompt and one after a long prompt, one right after the other so that
    they compare.
    """
    return {
        length: measure_run(runner, size, new_tokens)
        for length, size in (("short", short), ("long", long))
    }


def bytes_of(runner: Runner) -> dict:
    """What one step reads: `weight_bytes`, and `cache_bytes` for each token of context."""
    return {"weight_bytes": runner.weight_bytes, "cache_bytes": runner.cache_bytes}


def synchronise(device: str) -> None:
    """Wait until a GPU has done all it was given."""
    if device.startswith("cuda"):
        torch.cuda.synchronize(device)


def random_prompt(vocab_size: int, length: int) -> list[int]:
    """The same ids for all contestants."""
    return random.Random(0).choices(range(vocab_size), k=length)


def plain_weight_bytes(setting: Setting) -> int:
    """Bytes of weights that one step of an unquantised model reads, counted without making them."""
    return weight_bytes(random_model(setting.shape, getattr(torch, setting.dtype), "meta"))


@functools.cache
def plain_model(setting: Setting) -> Qwen3Model:
    """The random model that all rungs of one process start from."""
    return random_model(setting.shape, getattr(torch, setting.dtype), setting.device)


class LadderRunner:
    """A rung of the ladder.

    Args:
        name: of the rung.
        setting: shape, dtype, device.
    """

    def __init__(self, name: str, setting: Setting):
        self.rung = find_rung(name)
        self.device = setting.device
        self.model = self.rung.prepare(plain_model(setting))
        self.config = self.model.config
        self.weight_bytes = weight_bytes(self.model)
        itemsize = plain_model(setting).embed_tokens.weight.element_size()
        self.cache_bytes = (
            cache_bytes_per_token(self.config, itemsize) if uses_cache(self.rung) else 0
        )
        self.texts: dict[int, tuple[DecodingEngine, Prompt]] = {}

    def engine(self, share_prompts: bool) -> DecodingEngine:
        """A new engine of this rung, whose rows share their prompt or not."""
        return DecodingEngine(self.model, share_prompts=share_prompts, **self.rung.engine)

    def run(self, prompt: list[int], new_tokens: int, rows: int, tick: Callable[[], None]) -> None:
        """As in `Runner`; the rows share one reading of the prompt."""
        engine = self.engine(share_prompts=rows > 1)
        tick()
        [read] = engine.add_prompts([prompt])
        for _ in range(rows):
            engine.admit(read, new_tokens)
        while engine.rows:
            engine.step()
            tick()

    def text(self, length: int) -> tuple[DecodingEngine, Prompt]:
        """An engine that has read a prompt of this length, once."""
        if length not in self.texts:
            engine = self.engine(share_prompts=True)  # it is continued many times
            [prompt] = engine.add_prompts([random_prompt(self.config.vocab_size, length)])
            self.texts[length] = engine, prompt
        return self.texts[length]


def measure_growth(
    runner: LadderRunner, lengths: Sequence[int], new_tokens: int
) -> dict[int, dict]:
    """Continue prompts of many lengths, each read only once however often this is asked.

    Returns:
        For each length: `seconds` a token, `bytes_used` by keys and values, `bytes_held` by their
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


def uses_cache(rung: Rung) -> bool:
    """Whether the rung keeps keys and values, or reads its text again for every token."""
    return rung.engine.get("use_cache", True)


class BareLinears:
    """All matrices of the model and nothing between them: what `torch.nn.functional.linear` alone
    would reach.

    Args:
        setting: shape, dtype, device.
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
        """As in `Runner`, but what comes out is no text."""
        first = self.matrices[0]
        widest = max(matrix.shape[1] for matrix in self.matrices)
        x = torch.ones(rows, widest, dtype=first.dtype, device=first.device)
        tick()
        for _ in range(new_tokens):
            for matrix in self.matrices:
                F.linear(x[:, : matrix.shape[1]], matrix)
            tick()


class MemoryReader:
    """How fast the memory can be read.

    Args:
        setting: the device, and how many threads read.
    """

    def __init__(self, setting: Setting):
        self.device = setting.device
        size = BANDWIDTH_BYTES["cuda" if self.device.startswith("cuda") else "cpu"]
        self.numbers = torch.ones(size // 4, dtype=torch.float32, device=self.device)

    def ways(self) -> list[tuple[Callable[[], object], int]]:
        """What can be done as fast as the memory allows, and the bytes that it moves: a sum; a copy
        on a GPU.
        """
        summing = self.numbers.sum, self.numbers.nbytes
        if self.device == "cpu":
            return [summing]
        copy = torch.empty_like(self.numbers)
        return [summing, (lambda: copy.copy_(self.numbers), 2 * self.numbers.nbytes)]


def measure_bandwidth(reader: MemoryReader, repeats: int = 5) -> float:
    """Bytes a second, the best of several times through one large tensor."""
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


def random_checkpoint(setting: Setting) -> Path:
    """A folder with random weights of the shape, as `load_qwen3` and `transformers` open it; made
    once and kept.
    """
    folder = FOLDER / f"{setting.shape}-{setting.dtype}"
    done = folder / "tokenizer.json"  # written last
    if not done.is_file():
        save_qwen3(random_model(setting.shape, getattr(torch, setting.dtype), "cpu"), folder)
        Tokenizer(models.BPE({"a": 0}, [])).save(str(done))
    return folder
