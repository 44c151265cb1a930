"""How far an evaluation is, as it runs: problems finished and right, tokens per second, rows of the
batch busy.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import torch.distributed as dist
from tqdm import tqdm

from CH2.continuous_batching import ContinuousBatching

INTERVAL = 0.5  # seconds between two looks at the numbers of all processes


class Progress:
    """A line about all processes of an evaluation, which rank 0 shows.

        progress = Progress()
        answer_fn = model_answers(model, tokenizer, on_step=progress.step)
        evaluate(answer_fn, problems, "out.jsonl", settings=settings, progress=progress)

    Args:
        shown: False shows nothing.
    """

    def __init__(self, shown: bool = True):
        self.shown = shown
        self._running = False
        # while one runs, those that all processes share
        self._counters: dist.Store = dist.HashStore()
        self._batching: ContinuousBatching | None = None

    @contextmanager
    def line(
        self, total: int, finished: int, right: int, counters: dist.Store, leads: bool
    ) -> Iterator[None]:
        """Show a line while an evaluation runs.

        Args:
            total: of problems.
            finished, right: by earlier runs.
            counters: which all processes share; see `CH3.evaluation.workers.Workers.counters`.
            leads: whether this process is the one that shows.
        """
        self._running, self._finished, self._right, self._counters = True, finished, right, counters
        self._started = self._looked = time.perf_counter()
        self._batching, self._tokens, self._busy, self._idle = None, 0, 0, 0
        with tqdm(
            total=total, initial=finished, unit="problem", disable=not (self.shown and leads)
        ) as self._bar:
            try:
                yield
            finally:
                self._running = False

    def step(self, batching: ContinuousBatching) -> None:
        """Look at a batch: the `on_step` of continuous batching."""
        self._batching = batching
        if self._running and self._is_due():
            self._count_batch(
                batching, batching.rows_busy, batching.max_concurrent - batching.rows_busy
            )
            self._show()

    def answered(self, result: dict) -> None:
        """Count a result."""
        self._counters.add("finished", 1)
        self._counters.add("right", int(result["correct"]))
        if self._batching is None:  # tokens are counted with the answers, as nobody sees them drawn
            self._counters.add("tokens", result["tokens"])
        if self._is_due():
            self._show()

    def wait_for_all(self, processes: int) -> None:
        """This process has no more answers; go on showing the line until no other has."""
        if self._batching is not None:
            self._count_batch(self._batching, 0, 0)
        self._counters.add("ended", 1)
        while self._counters.add("ended", 0) < processes:
            time.sleep(INTERVAL)
            self._show()
        self._show()

    def _is_due(self) -> bool:
        return time.perf_counter() - self._looked > INTERVAL

    def _count_batch(self, batching: ContinuousBatching, busy: int, idle: int) -> None:
        """Add what changed since the last time to the counts of all processes."""
        self._counters.add("busy", busy - self._busy)
        self._counters.add("idle", idle - self._idle)
        self._counters.add("tokens", batching.tokens - self._tokens)
        self._busy, self._idle, self._tokens = busy, idle, batching.tokens

    def _show(self) -> None:
        self._looked = time.perf_counter()
        if self._bar.disable:
            return
        count = {
            name: self._counters.add(name, 0)
            for name in ("finished", "right", "tokens", "busy", "idle")
        }
        finished = self._finished + count["finished"]
        right = (self._right + count["right"]) / max(finished, 1)
        speed = count["tokens"] / (self._looked - self._started)
        rows = (
            f", {count['busy']} of {count['busy'] + count['idle']} rows busy"
            if count["busy"]
            else ""
        )
        self._bar.set_postfix_str(f"{right:.1%} right, {speed:,.0f} tokens/s{rows}", refresh=False)
        self._bar.update(finished - self._bar.n)
        self._bar.refresh()
