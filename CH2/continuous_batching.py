"""Continuous batching: a queue before the decoding engine, so that no row idles while texts wait.

- the moment a text ends, the next one takes its row (iteration-level scheduling: Yu et al., Orca,
  OSDI 2022), and nothing that was read is read or padded again
- texts that continue equal prompts share one prefill and one copy of its keys and values
- a limit on the cache's memory lets fewer texts grow at a time; each that began can be finished
- each text is the one that its prompt gives alone: the engine promises that for greedy decoding,
  and a sampled text has a generator of its own
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
    problem of a long list while `has_room` is True.

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
        ValueError: `max_concurrent` or `max_cache_bytes` is less than 1.
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
        if max_concurrent < 1:
            raise ValueError(f"max_concurrent is {max_concurrent}: expected at least 1")
        self.engine = DecodingEngine(model, sampler=sampler)
        self.budget = CacheBudget(model, max_cache_bytes)
        self.max_concurrent = max_concurrent
        self.stop_ids = frozenset(stop_ids)
        self.on_step = on_step
        self.tokens = self.rows_busy = 0
        self.waiting: deque[Task] = deque()
        self.running: dict[Row, Task] = {}
        self.prompts: dict[tuple[int, ...], SharedPrompt] = {}
        self.unused: list[SharedPrompt] = []  # prompts that lost their last text in this step

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
        """Stop a text that has not ended; the tokens that it has stay in `task.tokens`."""
        if task.row is not None and task.row in self.running:
            self.engine.cancel(task.row)
            del self.running[task.row]
        elif task in self.waiting:
            self.waiting.remove(task)
        else:
            return
        self._leave(task)

    def __bool__(self) -> bool:
        """Return True if texts are waiting or growing."""
        return bool(self.waiting or self.running)

    @property
    def has_room(self) -> bool:
        """True if one more text would start at once, or be the only one that waits for memory."""
        free = len(self.running) + len(self.waiting) < self.max_concurrent
        return free and (not self.waiting or self._fit(self.waiting))

    def step(self) -> list[Task]:
        """Fill the free rows, give every row its next token, and return the texts that ended."""
        # 1. Fill the free rows.
        self._release_prompts()
        self._admit()
        # 2. Give every row a token.
        steps = self.engine.step()
        self.tokens, self.rows_busy = self.tokens + len(steps), len(steps)
        # 3. Take out the texts that ended by it.
        ended = [self.running.pop(step.row) for step in steps if step.row.finished]
        for task in ended:
            self._leave(task)
        if self.on_step is not None:
            self.on_step(self)
        return ended

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
        read = {task.prompt: task.prompt.read for task in starting if task.prompt.read is not None}
        for group in self.budget.prefill_groups([len(shared.ids) for shared in unread]):
            for place, prompt in zip(
                group, self.engine.add_prompts([unread[n].ids for n in group]), strict=True
            ):
                unread[place].read = read[unread[place]] = prompt
        # 3. Give each text a row.
        for task in starting:
            task.row = row = self.engine.admit(
                read[task.prompt],
                task.max_new_tokens,
                stop_ids=self.stop_ids,
                generator=task.generator,
            )
            self.running[row] = task

    def _next_texts(self) -> list[Task]:
        """Take the first texts of the queue, as many as there are rows and memory for."""
        taken: list[Task] = []
        while self.waiting and len(self.running) + len(taken) < self.max_concurrent:
            if not self._fit([*taken, self.waiting[0]]):
                break
            taken.append(self.waiting.popleft())
        return taken

    def _fit(self, tasks: Iterable[Task]) -> bool:
        """Return True if there is memory for these texts, beside those that grow."""
        leaving = sum(shared.users == 0 and shared.read is not None for shared in set(self.unused))
        unread = dict.fromkeys(task.prompt for task in tasks if task.prompt.read is None)
        lengths, new_tokens = (
            [len(shared.ids) for shared in unread],
            [task.max_new_tokens for task in tasks],
        )
        return self.budget.fits(self.engine, leaving, lengths, new_tokens)

    def _forget_buffers(self) -> None:
        """Start a new engine with empty caches; prompts that waiting texts need are read again."""
        self.engine = DecodingEngine(self.engine.model, sampler=self.engine.sampler)
        for shared in self.prompts.values():
            shared.read = None

    def _leave(self, task: Task) -> None:
        """Note that a text does not need its prompt any more."""
        task.prompt.users -= 1
        if task.prompt.users == 0:
            self.unused.append(task.prompt)

    def _release_prompts(self) -> None:
        """Free the prompts that no text needs.

        Not the moment that a prompt's last text ends: the caller may submit its next one then.
        """
        for shared in self.unused:
            if shared.users > 0 or self.prompts.pop(tuple(shared.ids), None) is None:
                continue
            if shared.read is not None:
                self.engine.release(shared.read)
        self.unused.clear()
