r"""Think within a budget: `</think>` is forced when it is spent; "Wait" makes a thought go on.

    text = think(model, tokenizer, "Write 54 with 3, 25 and 7, each number once, and + - * /.", 50)
    print(text.thought, text.answer, text.ended, text.thinking_tokens)

- method: budget forcing (Muennighoff et al., 2025, "s1: Simple test-time scaling",
  https://arxiv.org/abs/2501.19393)
- for any model that thinks in Qwen3's chat template: `tiny-thinking`, `Qwen/Qwen3-0.6B`
- the engine decodes as always, many texts at a time. One whose budget is spent leaves the batch,
  and comes back as a prompt that ends in `</think>`; one that ends its thought goes on undisturbed
- the opening `<think>` is written for the model, which would begin with it anyway
"""

from collections.abc import Generator, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any

from Appendixes.QWEN3Model import Qwen3Model
from Appendixes.QWEN3Tokenizer import Qwen3Tokenizer
from CH2.continuous_batching import Task
from CH2.prompts import BARE
from CH3.evaluation.writers import ModelWriter, Text, prompt_ids

OPENING, ENDING = "<think>\n", "\n</think>\n\n"
BY_ITSELF, FORCED = "by itself", "forced"


@dataclass(frozen=True)
class ThinkingText(Text):
    """A text that begins with a thought.

    Attributes:
        thinking_tokens: number of tokens drawn for the thought, a `</think>` of the model's own
            included; what was put in is read, not drawn, and does not count.
        ended: how the thought ended: "by itself" or "forced"; None if the text ended within it.
        waits: number of times that it was made to go on.
    """

    thinking_tokens: int = 0
    ended: str | None = None
    waits: int = 0

    @property
    def thought(self) -> str:
        """The text between `<think>` and `</think>`."""
        return self.text.removeprefix(OPENING).partition("</think>")[0].strip("\n")

    @property
    def answer(self) -> str:
        """The text behind `</think>`; empty if the thought did not end."""
        return self.text.partition("</think>")[2].lstrip("\n")


@dataclass(eq=False)
class Draft:
    """A text under way: the ticket of a `ThinkingWriter`.

    Attributes:
        prompt: its token ids.
        settled: ids behind the prompt, drawn or put in, that the task reads as its own prompt.
        task: the text of the engine that goes on behind them.
        logprobs: of the tokens that were drawn before this task.
        thinking_tokens, ended, waits: as in `ThinkingText`.
    """

    prompt: list[int]
    settled: list[int]
    task: Task
    logprobs: list[float] = field(default_factory=list)
    thinking_tokens: int = 0
    ended: str | None = None
    waits: int = 0

    @property
    def ids(self) -> list[int]:
        """All ids behind the prompt, drawn or put in, without the stop token."""
        return self.settled + self.task.tokens

    @property
    def tokens(self) -> int:
        """Number of tokens drawn so far, the stop token included."""
        return len(self.logprobs) + len(self.task.logprobs)


class ThinkingWriter(ModelWriter):
    """A writer whose texts think before they answer, within a budget.

        writer = ThinkingWriter(model, tokenizer, budget=100, max_concurrent=64)
        for answer in answers(writer, load_problems("countdown500")):
            print(answer.extracted, answer.text.ended, answer.text.thinking_tokens)

    Args:
        model: compiled or not.
        tokenizer: the model's.
        budget: most tokens of a thought; then `</think>` is put in, if there is room to answer.
            None: no limit.
        waits: number of times that a thought which would end is made to go on, while its budget
            lasts.
        wait: the text that is put in the place of its `</think>` then.
        options: keyword arguments of `ModelWriter`; `max_new_tokens` is for thought and answer
            together. `template` is the problem alone if it is not given.

    Raises:
        ValueError: `budget` or `waits` is less than 0, the tokenizer has no `</think>`, or as
            `ModelWriter`.
    """

    def __init__(
        self,
        model: Qwen3Model,
        tokenizer: Qwen3Tokenizer,
        budget: int | None = None,
        *,
        waits: int = 0,
        wait: str = "Wait",
        **options: Any,
    ):
        for name, value in (("budget", budget), ("waits", waits)):
            if value is not None and value < 0:
                raise ValueError(f"{name} is {value}: expected at least 0")
        super().__init__(model, tokenizer, thinking=True, **{"template": BARE, **options})
        self.budget, self.waits = budget, waits
        self.end_of_thought = tokenizer.token_id("</think>")
        self.opening, self.ending = (
            tokenizer.encode(text, allow_special=True) for text in (OPENING, ENDING)
        )
        self.wait = tokenizer.encode(wait)
        self._drafts: dict[Task, Draft] = {}

    def begin(self, problem: str | Sequence[int], number: int) -> Hashable:
        """Queue a text; see `ModelWriter.begin`."""
        # 1. Open the thought; a budget of 0 closes it, too.
        if isinstance(problem, str):
            problem = prompt_ids(self.tokenizer, self.template, problem, self.thinking)
        prompt, settled = list(problem), self.opening
        if self.budget == 0:
            settled = self.opening + self.ending
        # 2. Queue it; where there is no room, the ticket is not of a task.
        ticket = super().begin(prompt + settled, number)
        if not isinstance(ticket, Task):
            return ticket
        draft = Draft(prompt, settled, ticket, ended=FORCED if self.budget == 0 else None)
        self._drafts[ticket] = draft
        return draft

    def step(self) -> list[tuple[Hashable, Text]]:
        """Give every text its next token, and put in what is due; return the texts that ended."""
        ended: list[tuple[Hashable, Text]] = list(self._without_room.items())
        self._without_room.clear()
        over = [self._drafts.pop(task) for task in self.batching.step()]
        for draft in [*over, *self._drafts.values()]:
            if draft.ended is None:
                self._watch(draft)
        return ended + [(draft, self._text_of(draft)) for draft in over]

    def finished(self) -> list[tuple[Hashable, Text]]:
        """Decode until at least one text has ended; see `Writer.finished`."""
        ended: list[tuple[Hashable, Text]] = []
        while self and not ended:
            ended = self.step()
        return ended

    def cancel(self, ticket: Hashable) -> Text | None:
        """Give up a text; see `Writer.cancel`."""
        if not isinstance(ticket, Draft):
            return super().cancel(ticket)
        self.batching.cancel(ticket.task)
        self._drafts.pop(ticket.task, None)
        return self._text_of(ticket) if ticket.tokens else None

    def _watch(self, draft: Draft) -> None:
        """See if a thought ends with its newest token; make it end, or go on, if that is due."""
        if not draft.task.logprobs:  # it waits for a row
            return
        tokens = draft.task.tokens
        draft.thinking_tokens = draft.tokens
        spent = draft.thinking_tokens == self.budget
        if tokens[-1:] == [self.end_of_thought]:
            may_wait = draft.waits < self.waits and not spent
            if may_wait and self._goes_on(draft, tokens[:-1] + self.wait):
                draft.waits += 1
            else:
                draft.ended = BY_ITSELF
        elif spent and self._goes_on(draft, tokens + self.ending):
            draft.ended = FORCED

    def _goes_on(self, draft: Draft, ids: list[int]) -> bool:
        """Let a draft go on behind these ids, in the place of its task's; False without room."""
        whole = draft.prompt + draft.settled + ids
        room = min(self.max_new_tokens - draft.tokens, self.context - len(whole))
        if room < 1 or draft.task not in self._drafts:
            return False
        # 1. Take it out of the batch, with all that it has.
        self.batching.cancel(draft.task)
        del self._drafts[draft.task]
        draft.settled, draft.logprobs = draft.settled + ids, draft.logprobs + draft.task.logprobs
        # 2. Queue the rest, which takes the random numbers that are left.
        draft.task = self.batching.submit(whole, room, generator=draft.task.generator)
        self._drafts[draft.task] = draft
        return True

    def _text_of(self, draft: Draft) -> ThinkingText:
        """Decode what a draft has so far."""
        logprobs = draft.logprobs + draft.task.logprobs
        return ThinkingText(
            self.tokenizer.decode(draft.prompt),
            self.tokenizer.decode(draft.ids),
            draft.tokens,
            sum(logprobs) / len(logprobs) if logprobs else None,
            None if draft.task.row is None else draft.task.row.finish_reason,
            thinking_tokens=draft.thinking_tokens,
            ended=draft.ended,
            waits=draft.waits,
        )


def think(
    model: Qwen3Model,
    tokenizer: Qwen3Tokenizer,
    question: str,
    budget: int | None = None,
    **settings: Any,
) -> ThinkingText:
    """Answer one question after a thought within a budget.

    Args:
        model, tokenizer, budget: as in `ThinkingWriter`.
        question: the user's message.
        settings: keyword arguments of `ThinkingWriter`, such as `waits`, `sampler` and `seed`.

    Raises:
        ValueError: as `ThinkingWriter`; or the question leaves no room in the model's context.
    """
    writer, _ = _begun(model, tokenizer, question, budget, settings)
    [(_, text)] = writer.finished()
    assert isinstance(text, ThinkingText)
    return text


def stream_thought(
    model: Qwen3Model,
    tokenizer: Qwen3Tokenizer,
    question: str,
    budget: int | None = None,
    **settings: Any,
) -> Generator[int, None, str | None]:
    """Yield the token ids of a thought and its answer the moment they are known, as `think` does.

    What is put in is yielded, too: joined, the ids are the whole text. The generator returns how
    the text ended: "stop" or "length".
    """
    writer, draft = _begun(model, tokenizer, question, budget, settings)

    def stream() -> Generator[int, None, str | None]:
        shown = 0
        while writer:
            writer.step()
            ids = draft.ids
            yield from ids[shown:]
            shown = len(ids)
        return None if draft.task.row is None else draft.task.row.finish_reason

    return stream()


def _begun(
    model: Qwen3Model,
    tokenizer: Qwen3Tokenizer,
    question: str,
    budget: int | None,
    settings: dict[str, Any],
) -> tuple[ThinkingWriter, Draft]:
    """Begin the only text of a writer."""
    writer = ThinkingWriter(model, tokenizer, budget, max_concurrent=1, **settings)
    draft = writer.begin(question, 0)
    if not isinstance(draft, Draft):
        raise ValueError(
            f"the question leaves no room to answer in the model's context of {writer.context}: "
            "shorten it"
        )
    return writer, draft
