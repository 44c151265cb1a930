"""Writers: whatever generates texts, many at a time; here a model in this process.

- `Writer` says what a writer does, and `Text` what comes out; votes and evaluations know no more
- `ModelWriter` is the decoding engine behind its queue; `CH3.evaluation.serving.ServedWriter` asks
  a server
- the random numbers of a text depend on the seed, its prompt and its number alone
"""

import hashlib
import json
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol, TypeVar

import torch

from Appendixes.QWEN3Model import Qwen3Model
from Appendixes.QWEN3Tokenizer import Qwen3Tokenizer
from CH2.continuous_batching import ContinuousBatching, Task
from CH2.decoding import Sampler, greedy
from CH2.prompts import CHAIN_OF_THOUGHT, encode_chat_prompt, render
from CH2.seeds import sample_generator
from CH3.evaluation.results import Settings

# what a writer is asked: the text of a problem; a model also takes the token ids of a prompt
Asked = TypeVar("Asked", contravariant=True)

SAMPLED_BLOCKS, BLOCK_SIZE = 64, 4096  # what is read of a file of weights for its fingerprint
REFUSED = "refused"  # the finish reason of a prompt that got no text
# finish reasons of texts that are not whole
CUT_OFF = ("length", "context", "filter", "cancelled", REFUSED)


@dataclass(frozen=True)
class Text:
    """One generated text.

    Attributes:
        prompt: what the model read.
        text: what it wrote.
        tokens: number of tokens that were generated, a stop token included, which llama.cpp's
            server leaves out; 0 where a server does not say.
        logprob: mean natural log-probability per token under the model, before any filter of the
            sampler; None where it is not known.
        finish_reason: how the text ended: "stop" (a stop token), "length" (`max_new_tokens` are
            used up), "context" (the model's context is), "filter" (a server held it back),
            "cancelled", `REFUSED`, or another word of a server; None where it does not say.
        refusal: why the prompt got no text and never will; None where the finish reason is not
            `REFUSED`.
        answered_by: name of the model that a server says wrote the text, where it is not the one
            that was asked for; None elsewhere.
        error: why there is no text yet; None where there is one.
    """

    prompt: str
    text: str = ""
    tokens: int = 0
    logprob: float | None = None
    finish_reason: str | None = None
    refusal: str | None = None
    answered_by: str | None = None
    error: Exception | None = None


class EndpointRefusedError(RuntimeError):
    """A server's refusal that all other requests would meet, too: a wrong address, key or name."""


class Writer(Protocol[Asked]):
    """Generates texts, many at a time: a model in this process, or a server."""

    @property
    def has_room(self) -> bool:
        """Return True if one more text would start at once."""

    def __bool__(self) -> bool:
        """Return True if texts are under way."""

    def begin(self, problem: Asked, number: int) -> Hashable:
        """Start a text about a problem, or queue it where there is no room.

        Args:
            problem: its text, which the writer puts into its prompt template.
            number: of the text among those of its problem, from 0; samples with different numbers
                have different random numbers.

        Returns:
            A ticket, which comes back with the text.
        """

    def finished(self) -> list[tuple[Hashable, Text]]:
        """Wait until at least one text has ended or failed; return those texts by their tickets."""

    def cancel(self, ticket: Hashable) -> Text | None:
        """Give up a text that is under way; return what there is of it, None if it never began."""


class ModelWriter:
    """A writer on a model of this repository; each text is what its prompt would give alone.

        writer = ModelWriter(model, tokenizer, max_new_tokens=300)
        ticket = writer.begin("What is 1 + 1?", number=0)
        while writer:
            for ticket, text in writer.finished():
                print(text.text)

    Args:
        model: compiled or not.
        tokenizer: the model's.
        template: of the prompt, from `CH2.prompts`.
        max_new_tokens: a text ends after this many tokens, or at the end of the model's context.
        sampler: draws the tokens; see `CH2.decoding.Sampler`.
        seed: fixes the random numbers of all texts.
        thinking: see `prompt_ids`.
        max_concurrent: number of texts that grow at the same time.
        max_cache_bytes, on_step: as in `ContinuousBatching`.

    Raises:
        ValueError: `max_new_tokens`, `max_concurrent` or `max_cache_bytes` is less than 1.
    """

    def __init__(
        self,
        model: Qwen3Model,
        tokenizer: Qwen3Tokenizer,
        template: str = CHAIN_OF_THOUGHT,
        *,
        max_new_tokens: int = 2048,
        sampler: Sampler = greedy,
        seed: int = 0,
        thinking: bool | None = None,
        max_concurrent: int = 64,
        max_cache_bytes: int | None = None,
        on_step: Callable[[ContinuousBatching], None] | None = None,
    ):
        if max_new_tokens < 1:
            raise ValueError(f"max_new_tokens is {max_new_tokens}: expected at least 1")
        self.batching = ContinuousBatching(
            model,
            max_concurrent=max_concurrent,
            sampler=sampler,
            stop_ids=tokenizer.stop_ids,
            max_cache_bytes=max_cache_bytes,
            on_step=on_step,
        )
        self.tokenizer, self.template, self.thinking = tokenizer, template, thinking
        self.max_new_tokens, self.seed = max_new_tokens, seed
        self.context = model.config.max_position_embeddings
        self._without_room: dict[Hashable, Text] = {}

    @property
    def has_room(self) -> bool:
        """Return True if one more text would start at once."""
        return self.batching.has_room

    def __bool__(self) -> bool:
        """Return True if texts are under way."""
        return bool(self.batching) or bool(self._without_room)

    def begin(self, problem: str | Sequence[int], number: int) -> Hashable:
        """Queue a text; see `Writer.begin`.

        Args:
            problem: its text; or the token ids of a whole prompt, which are taken as they are.
            number: as in `Writer.begin`.

        Raises:
            ValueError: an id is not in the vocabulary, or there is none.
            CacheLimitError: (a ValueError) `max_cache_bytes` is too little for this text alone.
        """
        # 1. Encode the prompt.
        if isinstance(problem, str):
            ids = prompt_ids(self.tokenizer, self.template, problem, self.thinking)
        else:
            ids = [int(token) for token in problem]
        # 2. Where the context has no room, the text has ended before it began.
        room = min(self.max_new_tokens, self.context - len(ids))
        if room < 1:
            ticket = object()
            refusal = f"a prompt of {len(ids):,} tokens leaves no room in the model's context of "
            refusal += f"{self.context:,}"
            prompt = self.tokenizer.decode(ids)
            self._without_room[ticket] = Text(prompt, finish_reason=REFUSED, refusal=refusal)
            return ticket
        # 3. Queue the text, with random numbers of its own.
        generator = sample_generator(self.seed, ids, number)
        return self.batching.submit(ids, room, generator=generator)

    def finished(self) -> list[tuple[Hashable, Text]]:
        """Decode until at least one text has ended; see `Writer.finished`."""
        ended: list[tuple[Hashable, Text]] = list(self._without_room.items())
        self._without_room.clear()
        while self.batching and not ended:
            ended += [(task, self._text(task)) for task in self.batching.step()]
        return ended

    def cancel(self, ticket: Hashable) -> Text | None:
        """Take a text out of the batch or the queue; see `Writer.cancel`."""
        if not isinstance(ticket, Task):
            return self._without_room.pop(ticket, None)
        self.batching.cancel(ticket)
        return None if ticket.row is None else self._text(ticket)

    def _text(self, task: Task) -> Text:
        """Decode what a task's row has generated so far; nothing, if its first step failed."""
        logprobs = task.logprobs
        reason = None if task.row is None else task.row.finish_reason
        if reason == "length" and len(logprobs) < self.max_new_tokens:
            reason = "context"
        return Text(
            self.tokenizer.decode(task.prompt.ids),
            self.tokenizer.decode(task.tokens),
            len(logprobs),
            sum(logprobs) / len(logprobs) if logprobs else None,
            reason,
        )


def prompt_ids(
    tokenizer: Qwen3Tokenizer, template: str, problem: str, thinking: bool | None = None
) -> list[int]:
    """Encode the prompt of a problem.

    Args:
        tokenizer: the model's.
        template: of the prompt, from `CH2.prompts`.
        problem: its text.
        thinking: None gives the prompt as plain text, for base models. True or False makes it a
            message in Qwen3's chat format, for chat models, which then think before they answer or
            do not.
    """
    if thinking is None:
        return tokenizer.encode(render(template, problem))
    return encode_chat_prompt(tokenizer, template, problem, thinking=thinking)


def model_settings(
    name: str | Path,
    model: Qwen3Model,
    tokenizer: Qwen3Tokenizer,
    checkpoint: str | Path | None = None,
) -> Settings:
    """Describe a model for a results file: its name, weights, dtype and stop tokens.

    Args:
        name: as given to `load_qwen3`; only its last part counts, so a folder may move.
        model, tokenizer: as it gave them.
        checkpoint: the folder that the model was loaded from. Of its weights not all are hashed,
            which would take a minute for 32 billion parameters, but names, sizes and samples of
            the files: training changes all weights, but a change by hand of a few may go unnoticed.
            None, for a model that is not on disk: all weights are hashed.
    """
    fingerprint = hashlib.sha256(json.dumps(asdict(model.config)).encode())
    for part in _all_weights(model) if checkpoint is None else _samples(Path(checkpoint)):
        fingerprint.update(part)
    return {
        "model": Path(name).name,
        "weights": fingerprint.hexdigest()[:16],
        "dtype": str(next(model.parameters()).dtype).removeprefix("torch."),
        "stop_ids": sorted(tokenizer.stop_ids),
    }


def _all_weights(model: Qwen3Model) -> Iterator[memoryview]:
    for parameter in model.parameters():
        yield parameter.detach().cpu().contiguous().view(torch.uint8).numpy().data


def _samples(checkpoint: Path) -> Iterator[bytes]:
    """Yield name, size, header and evenly spaced blocks of each file of weights in a folder."""
    for path in sorted(checkpoint.glob("*.safetensors")):
        size = path.stat().st_size
        yield f"{path.name} {size}".encode()
        with path.open("rb") as file:
            yield file.read(int.from_bytes(file.read(8), "little"))  # the header, by its length
            start = file.tell()
            for block in range(SAMPLED_BLOCKS):
                file.seek(start + (size - start) * block // SAMPLED_BLOCKS)
                yield file.read(BLOCK_SIZE)
