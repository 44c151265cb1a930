"""Continuous batching: a queue before the decoding engine, so that no row of the batch idles while
texts are waiting.

- a fixed number of rows; the moment a text ends, the next one takes its row (iteration-level
  scheduling: Yu et al., Orca, OSDI 2022), and nothing that was read is read or padded again
- texts that continue equal prompts share one prefill and one copy of its keys and values
- memory has a limit if one is given: fewer texts grow at a time, and each that began can be
  finished
- each text is what its prompt gives alone: greedy by the engine's promise, sampled because its
  generator is its own
"""

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import torch

from Appendixes.QWEN3Model import Qwen3Model
from CH2.cache_budget import CacheBudget
from CH2.decoding import DecodingEngine, Prompt, Row, Sampler, greedy


@dataclass(eq=False)
class SharedPrompt:
    """A prompt and the number of unfinished texts that continue it; `read` holds its keys and
    values, once needed.
    """

    ids: list[int]
    users: int = 0
    read: Prompt | None = None


@dataclass(eq=False)
class Task:
    """One text to be written: waiting while `row` is None, then what the row says."""

    prompt: SharedPrompt
    max_new_tokens: int
    generator: torch.Generator | None
    row: Row | None = None

    @property
    def begun(self) -> Row:
        """The row of a text that does not wait any more.

        Raises:
            ValueError: it waits.
        """
        if self.row is None:
            raise ValueError("this text is still waiting: `step` begins it when there is room")
        return self.row


class ContinuousBatching:
    """A queue of texts, and the rows that work it off.

        batching = ContinuousBatching(model, max_rows=64, stop_ids=tokenizer.stop_ids)
        tasks = [batching.submit(ids, max_new_tokens=300) for ids in prompts]
        while batching:
            for task in batching.step():
                print(tokenizer.decode(task.begun.tokens))

    More may be submitted between any two steps: the next sample of a prompt, or the next problem of
    a long list while there is `has_room`.

    Args:
        model: compiled or not.
        max_rows: how many texts grow at the same time.
        sampler: draws the next tokens; see `CH2.decoding.Sampler`.
        stop_ids: a text ends when one of these is drawn, usually `tokenizer.stop_ids`.
        max_cache_bytes: for the keys and values of prompts and rows; where it is too little for
            `max_rows` texts, fewer grow at the same time. See `CH2.cache_budget` for what is
            counted. None: no limit.
        on_step: called with this object after each step; see `CH3.evaluation.progress` for one.

    Attributes:
        tokens: how many were drawn so far.
        rows_busy: how many rows the last step gave a token to.

    Raises:
        ValueError: `max_rows` or `max_cache_bytes` is less than 1.
    """

    def __init__(
        self,
        model: Qwen3Model,
        *,
        max_rows: int = 64,
        sampler: Sampler = greedy,
        stop_ids: Iterable[int] = (),
        max_cache_bytes: int | None = None,
        on_step: "Callable[[ContinuousBatching], None] | None" = None,
    ):
        if max_rows < 1:
            raise ValueError(f"max_rows is {max_rows}: at least one row is needed")
        self.engine = DecodingEngine(model, sampler=sampler)
        self.budget = CacheBudget(model, max_cache_bytes)
        self.max_rows = max_rows
        self.stop_ids = frozenset(stop_ids)
        self.on_step = on_step
        self.tokens = self.rows_busy = 0
        self.waiting: deque[Task] = deque()
        self.running: dict[Row, Task] = {}
        self.prompts: dict[tuple[int, ...], SharedPrompt] = {}
        self.unused: list[SharedPrompt] = []  # those that lost their last text since the last step

    def submit(
        self,
        prompt: Sequence[int],
        max_new_tokens: int,
        *,
        generator: torch.Generator | None = None,
    ) -> Task:
        """Put one text at the end of the queue.

        Args:
            prompt: token ids.
            max_new_tokens: the text ends after this many.
            generator: source of its random numbers, on the CPU; None: a new one with seed 0.

        Raises:
            ValueError: the prompt is empty or holds an id that is not in the vocabulary, or the
                context has no room for it and its answer.
            CacheLimitError: (a ValueError) `max_cache_bytes` is too little for this text alone.
        """
        ids = self.engine.checked(prompt, max_new_tokens)
        self.budget.check_alone(len(ids), max_new_tokens)
        shared = self.prompts.setdefault(tuple(ids), SharedPrompt(ids))
        shared.users += 1
        task = Task(shared, max_new_tokens, generator)
        self.waiting.append(task)
        return task

    def cancel(self, task: Task) -> None:
        """Stop a text that has not ended; what it has so far stays in `task.row`, which is None if
        it never began.
        """
        if task.row is not None and task.row in self.running:
            self.engine.cancel(task.row)
            del self.running[task.row]
        elif task in self.waiting:
            self.waiting.remove(task)
        else:
            return
        self._leave(task)

    def __bool__(self) -> bool:
        """Whether texts are waiting or growing."""
        return bool(self.waiting or self.running)

    @property
    def has_room(self) -> bool:
        """Whether one more text would start at once; or wait for memory, as the only one."""
        free = len(self.running) + len(self.waiting) < self.max_rows
        return free and (not self.waiting or self._fit(self.waiting))

    def step(self) -> list[Task]:
        """Fill the free rows, give every row its next token, and return the texts that ended by it."""
        self._release_prompts()
        self._admit()
        steps = self.engine.step()
        self.tokens, self.rows_busy = self.tokens + len(steps), len(steps)
        ended = [self.running.pop(step.row) for step in steps if step.row.finished]
        for task in ended:
            self._leave(task)
        if self.on_step is not None:
            self.on_step(self)
        return ended

    def _admit(self) -> None:
        """Start waiting texts in the free rows; prompts that are new are read together."""
        starting = self._next_texts()
        # buffers that grew for other texts take the memory
        if not starting and not self.running and self.waiting:
            self._forget_buffers()
            starting = self._next_texts()
        unread = list(dict.fromkeys(task.prompt for task in starting if task.prompt.read is None))
        read = {task.prompt: task.prompt.read for task in starting if task.prompt.read is not None}
        for group in self.budget.prefill_groups([len(shared.ids) for shared in unread]):
            for place, prompt in zip(
                group, self.engine.add_prompts([unread[n].ids for n in group]), strict=True
            ):
                unread[place].read = read[unread[place]] = prompt
        for task in starting:
            task.row = row = self.engine.admit(
                read[task.prompt],
                task.max_new_tokens,
                stop_ids=self.stop_ids,
                generator=task.generator,
            )
            self.running[row] = task

    def _next_texts(self) -> list[Task]:
        """Take from the queue, in its order, what there are rows and memory for."""
        taken: list[Task] = []
        while self.waiting and len(self.running) + len(taken) < self.max_rows:
            if not self._fit([*taken, self.waiting[0]]):
                break
            taken.append(self.waiting.popleft())
        return taken

    def _fit(self, tasks: Iterable[Task]) -> bool:
        """Whether there is memory for these texts, too."""
        leaving = sum(shared.users == 0 and shared.read is not None for shared in set(self.unused))
        unread = dict.fromkeys(task.prompt for task in tasks if task.prompt.read is None)
        lengths, new_tokens = (
            [len(shared.ids) for shared in unread],
            [task.max_new_tokens for task in tasks],
        )
        return self.budget.fits(self.engine, leaving, lengths, new_tokens)

    def _forget_buffers(self) -> None:
        """Go on with an empty cache; prompts that waiting texts need are read again."""
        self.engine = DecodingEngine(self.engine.model, sampler=self.engine.sampler)
        for shared in self.prompts.values():
            shared.read = None

    def _leave(self, task: Task) -> None:
        task.prompt.users -= 1
        if task.prompt.users == 0:
            self.unused.append(task.prompt)

    def _release_prompts(self) -> None:
        """Free the prompts that no text needs; not the moment the last one ends, as the next may be
        submitted then.
        """
        for shared in self.unused:
            if shared.users > 0 or self.prompts.pop(tuple(shared.ids), None) is None:
                continue
            if shared.read is not None:
                self.engine.release(shared.read)
        self.unused.clear()
