"""Continuous batching: a queue before the decoding engine, so that no row of the batch idles while texts are waiting.

- a fixed number of rows; the moment a text ends, the next one takes its row (iteration-level scheduling: Yu et al.,
  Orca, OSDI 2022), and nothing that was read is read or padded again
- texts that continue equal prompts share one prefill and one copy of its keys and values
- each text is what its prompt gives alone: greedy by the engine's promise, sampled because its generator is its own
"""

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch

from CH2.decoding import DecodingEngine, Prompt, Row, Sampler, greedy


@dataclass(eq=False)
class SharedPrompt:
    """A prompt and the number of unfinished texts that continue it; `read` holds its keys and values, once needed."""

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


class ContinuousBatching:
    """A queue of texts, and the rows that work it off.

        batching = ContinuousBatching(model, max_rows=64, stop_ids=tokenizer.stop_ids)
        tasks = [batching.submit(ids, max_new_tokens=300) for ids in prompts]
        while batching:
            for task in batching.step():
                print(tokenizer.decode(task.row.tokens))

    More may be submitted between any two steps: the next sample of a prompt, or the next problem of a long list while
    there is `has_room`.

    Args:
        model: a `Qwen3Model`, compiled or not.
        max_rows: how many texts grow at the same time.
        sampler: draws the next tokens; see `CH2.decoding.Sampler`.
        stop_ids: a text ends when one of these is drawn, usually `tokenizer.stop_ids`.

    Raises:
        ValueError: `max_rows` is less than 1.
    """

    def __init__(self, model, *, max_rows: int = 64, sampler: Sampler = greedy, stop_ids: Iterable[int] = ()):
        if max_rows < 1:
            raise ValueError(f"max_rows is {max_rows}: at least one row is needed")
        self.engine = DecodingEngine(model, sampler=sampler)
        self.max_rows = max_rows
        self.stop_ids = frozenset(stop_ids)
        self.waiting: deque[Task] = deque()
        self.running: dict[Row, Task] = {}
        self.prompts: dict[tuple[int, ...], SharedPrompt] = {}
        self.unused: list[SharedPrompt] = []  # those that lost their last text since the last step

    def submit(self, prompt: Sequence[int], max_new_tokens: int, *, generator: torch.Generator | None = None) -> Task:
        """Put one text at the end of the queue.

        Args:
            prompt: token ids.
            max_new_tokens: the text ends after this many.
            generator: source of its random numbers, on the CPU; None: a new one with seed 0.

        Raises:
            ValueError: the prompt is empty or holds an id that is not in the vocabulary, or the context has no room
                for it and its answer.
        """
        ids = self.engine.checked(prompt, max_new_tokens)
        shared = self.prompts.setdefault(tuple(ids), SharedPrompt(ids))
        shared.users += 1
        task = Task(shared, max_new_tokens, generator)
        self.waiting.append(task)
        return task

    def cancel(self, task: Task) -> None:
        """Stop a text that has not ended; what it has so far stays in `task.row`, which is None if it never began."""
        if task.row in self.running:
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
        """Whether one more text would start at once."""
        return len(self.running) + len(self.waiting) < self.max_rows

    def step(self) -> list[Task]:
        """Fill the free rows, give every row its next token, and return the texts that ended by it."""
        self._release_prompts()
        self._admit()
        ended = [self.running.pop(step.row) for step in self.engine.step() if step.row.finished]
        for task in ended:
            self._leave(task)
        return ended

    def _admit(self) -> None:
        """Start waiting texts in the free rows; prompts that are new are read together."""
        free = self.max_rows - len(self.running)
        starting = [self.waiting.popleft() for _ in range(min(free, len(self.waiting)))]
        unread = list(dict.fromkeys(task.prompt for task in starting if task.prompt.read is None))
        for shared, read in zip(unread, self.engine.add_prompts([shared.ids for shared in unread]), strict=True):
            shared.read = read
        for task in starting:
            task.row = self.engine.admit(
                task.prompt.read, task.max_new_tokens, stop_ids=self.stop_ids, generator=task.generator
            )
            self.running[task.row] = task

    def _leave(self, task: Task) -> None:
        task.prompt.users -= 1
        if task.prompt.users == 0:
            self.unused.append(task.prompt)

    def _release_prompts(self) -> None:
        """Free the prompts that no text needs; not the moment the last one ends, as the next may be submitted then."""
        for shared in self.unused:
            if shared.users == 0 and self.prompts.pop(tuple(shared.ids), None) and shared.read is not None:
                self.engine.release(shared.read)
        self.unused.clear()
