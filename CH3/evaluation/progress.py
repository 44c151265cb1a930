"""The line that shows how far an evaluation is: problems finished and right, tokens per second."""

import time

from tqdm import tqdm

from CH2.continuous_batching import ContinuousBatching
from CH3.evaluation.results import Result

INTERVAL = 0.5  # seconds between two looks at the batch


class Progress:
    """The line of one evaluation; it appears with the first call of `begin`.

        progress = Progress()
        writer = ModelWriter(model, tokenizer, on_step=progress.step)
        evaluate(partial(answers, writer), problems, "out.jsonl", settings={}, progress=progress)

    Args:
        shown: False shows nothing.
    """

    def __init__(self, shown: bool = True):
        self.shown = shown
        self._bar: tqdm | None = None
        self._finished = self._right = self._tokens = 0
        self._batching: ContinuousBatching | None = None
        self._trouble: str | None = None
        self._started = self._looked = time.perf_counter()

    def begin(self, total: int, finished: int, right: int) -> None:
        """Show the line.

        Args:
            total: number of problems.
            finished, right: number of problems answered, and answered rightly, by earlier runs.
        """
        self._finished, self._right = finished, right
        self._started = self._looked = time.perf_counter()
        self._bar = tqdm(total=total, initial=finished, unit="problem", disable=not self.shown)

    def step(self, batching: ContinuousBatching) -> None:
        """Look at a batch after one of its steps: the `on_step` of continuous batching."""
        self._batching = batching
        self._show_if_due()

    def waiting(self, trouble: str | None) -> None:
        """Show what is wrong with a server: the `on_wait` of a `ServedWriter`; None is nothing."""
        self._trouble = trouble
        self._show_if_due()

    def answered(self, result: Result) -> None:
        """Count one more result, and show the new accuracy and speed."""
        self._finished += 1
        self._right += result["correct"]
        self._tokens += result["tokens"]
        self._show_if_due()

    def end(self) -> None:
        """Show the final numbers and leave the line as it is."""
        if self._bar is not None:
            self._show()
            self._bar.close()
            self._bar = None

    def _show_if_due(self) -> None:
        if time.perf_counter() - self._looked > INTERVAL:
            self._show()

    def _show(self) -> None:
        self._looked = time.perf_counter()
        if self._bar is None or self._bar.disable:
            return
        # the batch knows the tokens of unfinished texts, too
        tokens = self._tokens if self._batching is None else self._batching.tokens
        shown = [
            f"{self._right / max(self._finished, 1):.1%} right",
            f"{tokens / (self._looked - self._started):,.0f} tokens/s",
        ]
        if self._batching is not None and self._batching.rows_busy:
            shown.append(f"{self._batching.rows_busy} of {self._batching.max_concurrent} rows busy")
        if self._trouble:
            shown.append(self._trouble)
        self._bar.set_postfix_str(", ".join(shown), refresh=False)
        self._bar.update(self._finished - self._bar.n)
        self._bar.refresh()
