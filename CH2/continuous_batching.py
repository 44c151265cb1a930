"""Continuous batching: a queue before the decoding engine, so that no row idles while texts wait.

- the moment a text ends, the next one takes its row (iteration-level scheduling: Yu et al., Orca,
  OSDI 2022), and nothing that was read is read or padded again
- texts that continue equal prompts share one prefill and one copy of its keys and values
- a limit on the cache's memory lets fewer texts grow at a time; each that began can be finished
- each text is the one that its prompt gives alone: the engine promises that for greedy decoding,
  and a sampled text has a generator of its own
- after an exception at any moment, or Ctrl-C, the next call goes on, and no text is lost
"""

from bisect import bisect_left
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice

import torch

from Appendixes.QWEN3Model import Qwen3Model
from CH2.cache_budget import CacheBudget
from CH2.decoding import (
    DecodingEngine,
    Prompt,
    Row,
    Sampler,
    checked_generator,
    greedy,
    integer,
    integers,
)


@dataclass(eq=False)
class SharedPrompt:
    """A prompt that any number of texts continue.

    Attributes:
        ids: token ids.
        users: number of unfinished texts that continue it.
        read: the engine's prompt, which holds the keys and values; None until it is read.
    """

    ids: list[int]
    users: int = 0
    read: Prompt | None = None


@dataclass(eq=False)
class Task:
    """One text to be written.

    Attributes:
        prompt: the prompt that it continues.
        max_new_tokens: it ends after this many tokens.
        generator: source of its random numbers, on the CPU; None: a new one with seed 0.
        row: its row of the decoding engine; None until it is started.
    """

    prompt: SharedPrompt
    max_new_tokens: int
    generator: torch.Generator | None
    row: Row | None = None

    @property
    def tokens(self) -> list[int]:
        """The generated token ids, without the stop token; none until the text is started."""
        return [] if self.row is None else self.row.tokens

    @property
    def logprobs(self) -> list[float]:
        """The drawn tokens' natural log-probabilities, as those of `CH2.decoding.Row`."""
        return [] if self.row is None else self.row.logprobs


class ContinuousBatching:
    """A queue of texts and the rows of a decoding engine that write them.

        batching = ContinuousBatching(model, max_concurrent=64, stop_ids=tokenizer.stop_ids)
        tasks = [batching.submit(ids, max_new_tokens=300) for ids in prompts]
        while batching:
            for task in batching.step():
                print(tokenizer.decode(task.tokens))

    More texts may be submitted between any two steps: the next sample of a prompt, or the next
    problem of a long list while `has_room` is True. When the last text has ended, the memory of
    rows is given back, unless a GPU's captured steps stand on it; that of a prompt without texts is
    given back by the next `step`, as its next text may come before.

    An exception in a call leaves it undone, or done: a text that was to begin still waits, and a
    text that has ended is returned by the next `step`.

    Args:
        model: compiled or not.
        max_concurrent: number of texts that grow at the same time, at most.
        sampler: draws the next tokens; see `CH2.decoding.Sampler`.
        stop_ids: a text ends when one of these is drawn, usually `tokenizer.stop_ids`.
        max_cache_bytes: limit for the keys and values of prompts and rows; where it is too little
            for `max_concurrent` texts, fewer grow at the same time. `CH2.cache_budget` says what is
            counted. None: no limit.
        on_step: called with this object after each step, to show progress for example.

    Attributes:
        tokens: number of tokens drawn so far.
        rows_busy: number of rows to which the last step gave a token.

    Raises:
        ValueError: `max_concurrent` or `max_cache_bytes` is no integer or less than 1, or the stop
            ids are no integers.
    """

    def __init__(
        self,
        model: Qwen3Model,
        *,
        max_concurrent: int = 64,
        sampler: Sampler = greedy,
        stop_ids: Iterable[int] = (),
        max_cache_bytes: int | None = None,
        on_step: "Callable[[ContinuousBatching], None] | None" = None,
    ):
        if integer(max_concurrent, "max_concurrent") < 1:
            raise ValueError(f"max_concurrent is {max_concurrent}: expected at least 1")
        self.engine = DecodingEngine(model, sampler=sampler)
        self.budget = CacheBudget(model, max_cache_bytes)
        self.max_concurrent = max_concurrent
        self.stop_ids = frozenset(integers(stop_ids, "stop_ids"))
        self.on_step = on_step
        self.tokens = self.rows_busy = 0
        self.waiting: deque[Task] = deque()
        self.running: dict[Row, Task] = {}
        self.prompts: dict[tuple[int, ...], SharedPrompt] = {}
        self.unused: list[SharedPrompt] = []  # prompts that lost their last text in this step
        self.ended: list[Task] = []  # texts that were not returned yet
        self._interrupted = False

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
            ValueError: the prompt is empty or holds an id that is not in the vocabulary, the
                context has no room for it and its answer, a number is no integer, or the generator
                is none.
            CacheLimitError: (a ValueError) `max_cache_bytes` is too little for this text alone.
        """
        # 1. Refuse what could not be written.
        max_new_tokens = integer(max_new_tokens, "max_new_tokens")
        ids = self.engine.checked(prompt, max_new_tokens)
        self.budget.check_alone(len(ids), max_new_tokens)
        if generator is not None:
            checked_generator(generator)
        # 2. Queue it.
        with self._whole():
            shared = self.prompts.setdefault(tuple(ids), SharedPrompt(ids))
            shared.users += 1
            task = Task(shared, max_new_tokens, generator)
            self.waiting.append(task)
        return task

    def cancel(self, task: Task) -> None:
        """Stop a text that has not ended; the tokens that it has stay in `task.tokens`."""
        with self._whole():
            if task.row is not None and task.row in self.running:
                self.engine.cancel(task.row)
                del self.running[task.row]
            elif task in self.waiting:
                self.waiting.remove(task)
            else:
                return
            self._leave(task)

    def __bool__(self) -> bool:
        """Return True if texts are waiting or growing, or have ended and were not returned."""
        return bool(self.waiting or self.running or self.ended)

    @property
    def has_room(self) -> bool:
        """True if one more text would start at once, or be the only one that waits for memory."""
        free = len(self.running) + len(self.waiting) < self.max_concurrent
        return free and (not self.waiting or self._fit(self.waiting))

    def step(self) -> list[Task]:
        """Fill the free rows, give every row its next token, and return the texts that ended."""
        with self._whole():
            # 1. Fill the free rows.
            self._release_prompts()
            self._admit()
            # 2. Give every row a token.
            steps = self.engine.step()
            self.tokens, self.rows_busy = self.tokens + len(steps), len(steps)
            # 3. Take out the texts that ended by it.
            for row in (step.row for step in steps if step.row.finished):
                task = self.running.get(row)
                if task is not None:  # else it was taken out after an interruption
                    self.ended.append(task)
                    del self.running[row]
                    self._leave(task)
        if self.on_step is not None:
            self.on_step(self)
        ended, self.ended = self.ended, []
        return ended

    @contextmanager
    def _whole(self) -> Iterator[None]:
        """Let a call be done as a whole: if one was interrupted before, first tidy up after it."""
        if self._interrupted:
            self._settle()
        self._interrupted = True
        yield
        self._interrupted = False

    def _settle(self) -> None:
        """Make queue and engine agree after an interrupted call; may itself be interrupted."""
        # 1. A row without a text is taken out before it draws anything.
        self.engine.settle()
        for row in [row for row in self.engine.rows if row not in self.running]:
            self.engine.cancel(row)
        # 2. A text waits, grows or has ended.
        for row, task in self.running.items():
            task.row = row
            if row.finished and task not in self.ended and row.finish_reason != "cancelled":
                self.ended.append(task)
        self.running = {
            row: task
            for row, task in self.running.items()
            if not row.finished and task not in self.ended
        }
        self.waiting = deque(task for task in self.waiting if task.row is None)
        # 3. A prompt that the engine has read is that of a text, or is released.
        kept = {shared.read for shared in self.prompts.values()}
        self.engine.release(*(prompt for prompt in self.engine.prompts if prompt not in kept))
        users = Counter(task.prompt for task in (*self.waiting, *self.running.values()))
        for shared in self.prompts.values():
            shared.users = users[shared]
        self.unused = [shared for shared in self.prompts.values() if not shared.users]

    def _admit(self) -> None:
        """Start waiting texts in the free rows; prompts that are new are read together."""
        # 1. Choose texts that there are rows and memory for. If there are none though no text
        #    grows, buffers that grew for earlier texts take the memory: begin with new ones.
        starting = self._next_texts()
        if not starting and not self.running and self.waiting:
            self._forget_buffers()
            starting = self._next_texts()
        # 2. Read their prompts, each once, in groups of similar length.
        unread = list(dict.fromkeys(task.prompt for task in starting if task.prompt.read is None))
        for group in self.budget.prefill_groups([len(shared.ids) for shared in unread]):
            read = self.engine.add_prompts([unread[place].ids for place in group])
            for place, prompt in zip(group, read, strict=True):
                unread[place].read = prompt
        # 3. Give each text a row. It waits until it has one.
        for task in starting:
            assert task.prompt.read is not None
            row = self.engine.admit(
                task.prompt.read,
                task.max_new_tokens,
                stop_ids=self.stop_ids,
                generator=task.generator,
            )
            self.running[row] = task
            task.row = row
            self.waiting.popleft()

    def _next_texts(self) -> list[Task]:
        """List the first texts of the queue, as many as there are rows and memory for."""
        free = self.max_concurrent - len(self.running)
        first = list(islice(self.waiting, free))
        if self._fit(first):
            return first
        fewer = range(1, len(first) + 1)
        return first[: bisect_left(fewer, True, key=lambda count: not self._fit(first[:count]))]

    def _fit(self, tasks: Iterable[Task]) -> bool:
        """Return True if there is memory for these texts, beside those that grow."""
        if self.budget.limit is None:
            return True
        leaving = sum(shared.users == 0 and shared.read is not None for shared in set(self.unused))
        unread = dict.fromkeys(task.prompt for task in tasks if task.prompt.read is None)
        lengths, new_tokens = (
            [len(shared.ids) for shared in unread],
            [task.max_new_tokens for task in tasks],
        )
        return self.budget.fits(self.engine, leaving, lengths, new_tokens)

    def _forget_buffers(self) -> None:
        """Start a new engine with empty caches; prompts that waiting texts need are read again."""
        for shared in self.prompts.values():
            shared.read = None
        self.engine = DecodingEngine(self.engine.model, sampler=self.engine.sampler)

    def _leave(self, task: Task) -> None:
        """Note that a text does not need its prompt any more."""
        task.prompt.users -= 1
        if task.prompt.users == 0:
            self.unused.append(task.prompt)
        if not self.waiting and not self.running:
            self.engine.give_back()

    def _release_prompts(self) -> None:
        """Free the prompts that no text needs.

        Not the moment that a prompt's last text ends: the caller may submit its next one then.
        """
        leaving = [
            shared.read
            for shared in self.unused
            if shared.users == 0 and self.prompts.pop(tuple(shared.ids), None) is not None
        ]
        self.engine.release(*(prompt for prompt in leaving if prompt is not None))
        self.unused.clear()
