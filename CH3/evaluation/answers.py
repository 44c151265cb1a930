"""Answers to problems by a model: what `evaluate` asks for, made by the decoding engine behind its
queue.
"""

import hashlib
import json
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from Appendixes.QWEN3Model import Qwen3Model
from Appendixes.QWEN3Tokenizer import Qwen3Tokenizer
from CH2.continuous_batching import ContinuousBatching, Task
from CH2.decoding import Sampler, greedy
from CH2.prompts import CHAIN_OF_THOUGHT, encode_chat_prompt, render
from CH3.evaluation.results import digest


@dataclass(frozen=True)
class Answer:
    """What a model wrote about a problem.

    Attributes:
        problem: as `load_problems` gives it.
        prompt: what the model read.
        text: what it wrote.
        tokens: how many it wrote, a stop token included.
        seconds: from the moment the problem was taken up; other answers grow in the same seconds.
        samples: where the answer won a vote, the solutions that voted, each as JSON can hold it;
            None elsewhere.
    """

    problem: dict
    prompt: str
    text: str
    tokens: int
    seconds: float
    samples: list[dict] | None = None


# Takes problems as it has room for them, and gives each one's answer when it is finished, in any
# order.
AnswerFunction = Callable[[Iterator[dict]], Iterable[Answer]]


def model_answers(
    model: Qwen3Model,
    tokenizer: Qwen3Tokenizer,
    template: str = CHAIN_OF_THOUGHT,
    *,
    max_new_tokens: int = 2048,
    batch: int = 64,
    max_cache_bytes: int | None = None,
    thinking: bool | None = None,
    sampler: Sampler = greedy,
    seed: int = 0,
    on_step: Callable[[ContinuousBatching], None] | None = None,
) -> AnswerFunction:
    """Answers by a model of this repository, many at a time; each is what the problem alone would
    give.

    Args:
        model: compiled or not.
        tokenizer: the model's.
        template: of the prompt, from `CH2.prompts`.
        max_new_tokens: an answer ends after this many, or at the end of the model's context.
        batch: answers that grow at the same time.
        max_cache_bytes, on_step: as in `ContinuousBatching`.
        thinking: see `prompt_ids`.
        sampler: draws the tokens; see `CH2.decoding.Sampler`.
        seed: of the sampler's random numbers. Each problem has its own, so an answer does not
            depend on the others.

    Returns:
        An `answer_fn` for `evaluate`. It takes a problem only when there is a free row for it. A
        problem that does not fit into the model's context gets an empty answer; for one that does
        not fit into `max_cache_bytes` alone it raises `CacheLimitError`.
    """
    context = model.config.max_position_embeddings

    def answer_fn(problems: Iterator[dict]) -> Iterator[Answer]:
        batching = ContinuousBatching(
            model,
            max_concurrent=batch,
            sampler=sampler,
            stop_ids=tokenizer.stop_ids,
            max_cache_bytes=max_cache_bytes,
            on_step=on_step,
        )
        growing: dict[Task, tuple[dict, float]] = {}
        while True:
            while batching.has_room and (problem := next(problems, None)) is not None:
                ids = prompt_ids(tokenizer, template, problem, thinking)
                room = min(max_new_tokens, context - len(ids))
                if room < 1:
                    yield Answer(problem, tokenizer.decode(ids), text="", tokens=0, seconds=0.0)
                    continue
                task = batching.submit(ids, room, generator=_generator(seed, problem))
                growing[task] = problem, time.perf_counter()
            if not batching:
                return
            for task in batching.step():
                problem, started = growing.pop(task)
                prompt, text = (
                    tokenizer.decode(task.prompt.ids),
                    tokenizer.decode(task.tokens),
                )
                yield Answer(
                    problem, prompt, text, len(task.logprobs), time.perf_counter() - started
                )

    return answer_fn


def prompt_ids(
    tokenizer: Qwen3Tokenizer, template: str, problem: dict, thinking: bool | None = None
) -> list[int]:
    """Token ids of the prompt for a problem.

    Args:
        tokenizer, template, problem: as in `model_answers`.
        thinking: None gives the prompt as plain text, for base models. True or False makes it a
            message in Qwen3's chat format, for chat models, which then think before they answer or
            do not.
    """
    if thinking is None:
        return tokenizer.encode(render(template, problem["problem"]))
    return encode_chat_prompt(tokenizer, template, problem["problem"], thinking=thinking)


def _generator(seed: int, problem: dict) -> torch.Generator:
    """A problem's own random numbers: the same whenever it is its turn."""
    return torch.Generator().manual_seed(int(digest([seed, problem["unique_id"]]), 16))


def model_settings(name: str | Path, model: Qwen3Model, tokenizer: Qwen3Tokenizer) -> dict:
    """What tells one model from another in a results file: name, fingerprint of all weights, dtype,
    stop tokens.

    Args:
        name: as given to `load_qwen3`; only its last part counts, so a folder may move.
        model, tokenizer: as it gave them.
    """
    weights = hashlib.sha256(json.dumps(asdict(model.config)).encode())
    for parameter in model.parameters():
        weights.update(parameter.detach().cpu().contiguous().view(torch.uint8).numpy().data)
    return {
        "model": Path(name).name,
        "weights": weights.hexdigest()[:16],
        "dtype": str(next(model.parameters()).dtype).removeprefix("torch."),
        "stop_ids": sorted(tokenizer.stop_ids),
    }
