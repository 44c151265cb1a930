"""Decoding steps that are captured once as CUDA graphs, and replayed: why a GPU need not wait for
Python.

A step of a small model is hundreds of short kernels, which a GPU runs faster than Python starts
them. A CUDA graph is the record of all that a piece of code starts; one call replays it. The idea
is gpt-fast's (PyTorch, 2023, https://github.com/meta-pytorch/gpt-fast):

- a replay runs the same kernels on the same memory. So token ids, random numbers and lengths stand
  in tensors that are written in place, and the keys and values in buffers that stay
- a captured step belongs to the buffers that it was captured on: the cache keeps it
  (`KVCache.steps`), and forgets it when one of them is replaced
- sizes are rounded up, so that few steps serve many (`KVCache.step_shape`): rows that end leave
  idle places behind the others, and a growing text moves to the next window
- the token is drawn within the step, if the sampler asks for no number on the host (`capturable`;
  chapter 4's samplers are). The next step then takes it from the GPU, and may be started before the
  host has read it
- short prompts are read in the same way (`StaticReading`), into buffers of a few sizes, from which
  they are copied: the blocks are not compiled for each size, which takes seconds, but captured,
  which takes milliseconds and saves the starting of kernels all the same
- what is captured is an ordinary function, `compute`. Without a GPU it is called again instead, and
  gives the same tokens: only the capture itself needs a GPU to be tested. It has not yet run on
  one, nor have the copies to and from it that wait for nothing
"""

import weakref
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch

from Appendixes.KVcache import BLOCK, ForkedCache, KVCache, PromptCache, StepShape, send
from Appendixes.KVcache.kv_cache import bucket, grown
from Appendixes.QWEN3Model import Qwen3Model

KEPT_STEPS = 64  # per cache; the one that was not used for longest is dropped first
# positions of prompts that are read together by a kept reading, padding included; there are ten
# sizes of such readings, whose buffers take 3,136 positions
KEPT_POSITIONS = 512

# (logits (rows, vocab), uniform (rows,)) -> what a step gives, one column per row
Draw = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
Caches = tuple[KVCache, KVCache]  # of the prompts and of the rows; the same one, if not shared


class Static:
    """A computation whose inputs and results stay where they are.

    Attributes:
        has_run: True after its first run.
        captured: True from its second run on.
        graph: what was captured; None before that, and without a GPU.
        result: what it computed last.
    """

    has_run = captured = False
    graph: torch.cuda.CUDAGraph | None = None
    result: torch.Tensor


class StaticStep(Static):
    """A decoding step for one shape.

    Args:
        shape: from `KVCache.step_shape`.
        draw: takes the step's logits and random numbers; hashable, and the same at each step.
        device: of the model.

    Attributes:
        ids: `(rows, 1)`, the rows' newest tokens.
        uniform: `(rows,)`, their random numbers.
        sharing: groups of rows, for a fork.
    """

    def __init__(self, shape: StepShape, draw: Draw, device: torch.device):
        self.shape, self.draw = shape, draw
        self.ids = torch.zeros(shape.rows, 1, dtype=torch.long, device=device)
        self.uniform = torch.zeros(shape.rows, dtype=torch.float64, device=device)
        self.sharing: Any = None

    def compute(self, model: Qwen3Model, cache: KVCache) -> torch.Tensor:
        """Run the model on the static inputs, and draw. Never waits for the device."""
        extension = cache.extend_places(self.shape, self.sharing)
        logits = model.run_layers(self.ids, extension.positions, None, extension)
        return self.draw(logits[:, -1], self.uniform)


class StaticReading(Static):
    """A reading of texts of one size from their first token on, into buffers of its own.

    Args:
        rows: number of texts.
        seq: of their tokens, padding included.
        device: of the model.

    Attributes:
        ids: `(rows, seq)`, padded on the right, where no token of a text sees it.
        cache: what was read.
    """

    def __init__(self, rows: int, seq: int, device: torch.device):
        self.ids = torch.zeros(rows, seq, dtype=torch.long, device=device)
        self.cache = KVCache(seq)
        self.cache.add_rows(rows, device)

    def begin(self, texts: Sequence[list[int]]) -> None:
        """Write texts to where `compute` finds them, and empty the cache.

        What stands in the buffers stays there, as all of it is overwritten.
        """
        (rows, seq), device = self.ids.shape, self.ids.device
        padded = torch.tensor([ids + [0] * (seq - len(ids)) for ids in texts])
        self.ids[: len(texts)].copy_(send(padded, device))
        self.cache.rows, self.cache.max_length = rows, 0
        self.cache.lengths.zero_()

    def compute(self, model: Qwen3Model) -> torch.Tensor:
        """Run the model's blocks on the static ids, without the output layer, as nobody draws a
        token after the texts. Never waits for the device.
        """
        rows, seq = self.ids.shape
        extension = self.cache.extend(rows, seq, self.ids.device)
        return model.run_blocks(self.ids, extension.positions, None, extension)

    def end(self, texts: Sequence[list[int]]) -> None:
        """Leave padding and idle rows out of the cache."""
        lengths = list(map(len, texts))
        self.cache.rows, self.cache.max_length = len(texts), max(lengths)
        self.cache.lengths.copy_(send(torch.tensor(lengths), self.ids.device))


class CapturedSteps:
    """The static steps and readings of one model, and buffers that its next texts can use again.

    Args:
        capture: True replays steps as CUDA graphs; False calls them again, for tests on a CPU.
        idle_bytes: limit for buffers that no text uses.

    Attributes:
        captures: number of steps and readings that were captured so far, or would have been.
    """

    def __init__(self, capture: bool, idle_bytes: int):
        self.capture, self.idle_bytes = capture, idle_bytes
        self.captures = 0
        # one pool for the memory of all graphs, which never run at the same time
        self._pool = torch.cuda.graph_pool_handle() if capture else None
        self._readings: dict[tuple[int, int], StaticReading] = {}
        self._idle: list[Caches] = []

    def run(
        self,
        model: Qwen3Model,
        cache: KVCache,
        shape: StepShape,
        ids: torch.Tensor,
        uniform: torch.Tensor,
        draw: Draw,
    ) -> torch.Tensor:
        """Let each row of a cache read one token, and draw the next.

        Args:
            model: always the same one.
            cache: it has room, and `shape` is its latest `step_shape`.
            ids: `(rows,)`, each row's newest token; on the device, if the step before has just
                drawn them.
            uniform: `(rows,)` on the CPU, each row's random number.
            draw: see `StaticStep`.

        Returns:
            What `draw` returned, idle places included; the next replay may overwrite it.
        """
        # 1. Take the step for this shape, which becomes the latest used, or make it.
        key = shape, draw
        step = cache.steps.pop(key, None)
        if step is None:
            step = StaticStep(shape, draw, cache.lengths.device)
        cache.steps[key] = step
        if len(cache.steps) > KEPT_STEPS:
            del cache.steps[next(iter(cache.steps))]
        # 2. Write its inputs to where it finds them.
        step.ids[: len(ids), 0].copy_(send(ids, step.ids.device))
        step.uniform[: len(ids)].copy_(send(uniform, step.ids.device))
        if isinstance(cache, ForkedCache):
            step.sharing = cache.step_sharing(shape, step.sharing)
        self._compute(step, partial(step.compute, model, cache))
        # 3. The rows in use have got longer, the idle places have not.
        cache.advance(1)
        return step.result

    def read(self, model: Qwen3Model, texts: Sequence[list[int]]) -> KVCache | None:
        """Read texts from their first token on, if they are few and short.

        Args:
            model: always the same one.
            texts: token ids; a text may be empty.

        Returns:
            A cache of them, in order, to copy from: the next reading overwrites it. None if they
            take more than `KEPT_POSITIONS`, or all are empty.
        """
        # 1. Round their number up to a bucket, and their length to a doubling of 64.
        rows, seq = size = grown(0, BLOCK, bucket(len(texts)), max(map(len, texts)))
        if rows * seq > KEPT_POSITIONS or not any(texts):
            return None
        # 2. Take the reading for this size, or make it.
        reading = self._readings.get(size)
        if reading is None:
            reading = StaticReading(rows, seq, model.embed_tokens.weight.device)
            self._readings[size] = reading
        # 3. Run it.
        reading.begin(texts)
        self._compute(reading, partial(reading.compute, model))
        reading.end(texts)
        return reading.cache

    def _compute(self, static: Static, compute: Callable[[], torch.Tensor]) -> None:
        """Compute a static result: the first time as it is, so that what must be compiled is; the
        second time it is captured, and from then on replayed.
        """
        # 1. Record what it starts; nothing is computed by that.
        if static.has_run and not static.captured:
            static.captured = True
            self.captures += 1
            if self.capture:
                graph = torch.cuda.CUDAGraph()
                with torch.cuda.graph(graph, pool=self._pool):
                    static.result = compute()
                static.graph = graph
        # 2. Replay it, or call it again.
        if static.graph is not None:
            static.graph.replay()
        else:
            static.result = compute()
        static.has_run = True

    def lend(self, owner: object, share_prompts: bool) -> Caches:
        """Return empty caches, if possible with the buffers and steps of an owner that is gone.

        Args:
            owner: the caches come back at its end.
            share_prompts: True for a cache of prompts and a fork of it, False for one plain cache.
        """
        caches = next((idle for idle in self._idle if _shared(idle) == share_prompts), None)
        if caches is None:
            caches = new_caches(share_prompts)
        else:
            self._idle.remove(caches)
            for cache in reversed(caches):
                cache.empty()
        weakref.finalize(owner, self._take_back, caches).atexit = False
        return caches

    def _take_back(self, caches: Caches) -> None:
        """Keep buffers for the next owner, the latest first, as far as the limit allows."""
        self._idle.insert(0, caches)
        while sum(map(_nbytes, self._idle)) > self.idle_bytes:
            self._idle.pop()


def new_caches(share_prompts: bool) -> Caches:
    """Make a cache of prompts and a fork of it, or one plain cache that is both."""
    if share_prompts:
        prompts = PromptCache()
        return prompts, prompts.fork()
    plain = KVCache()
    return plain, plain


def _shared(caches: Caches) -> bool:
    return caches[0] is not caches[1]


def _nbytes(caches: Caches) -> int:
    return sum(cache.nbytes for cache in set(caches))
