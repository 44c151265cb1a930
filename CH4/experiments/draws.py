"""Solutions drawn from a model for a list of problems, graded and kept: what votes and stopping
rules are tried on.

- `voted_answers` makes self-consistency an `answer_fn` of CH3's `evaluate`, whose results file
  keeps every solution: a run that was killed goes on where it was; `served_votes` does so with the
  solutions of a serving engine
- solutions that were drawn once can be voted on in many ways, and a stopping rule replayed on them,
  without a model
"""

import time
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from Appendixes.QWEN3Model import Qwen3Model
from Appendixes.QWEN3Tokenizer import Qwen3Tokenizer
from CH2.prompts import render
from CH3.evaluation import evaluate
from CH3.evaluation.answers import Answer, AnswerFunction, prompt_ids
from CH3.evaluation.results import digest
from CH3.evaluation.serving import Completion, Endpoint, EndpointError, Requests, say_unanswered
from CH3.math_verifier import extract_answer, grade_answer
from CH4.early_stopping import StoppingRule, stopping_rule
from CH4.inference_scaling import Sample, majority_vote, self_consistency_many


@dataclass(frozen=True)
class GradedSample(Sample):
    """A drawn solution and whether its answer is right."""

    right: bool = False


Draws = list[list[GradedSample]]  # one list a problem, in the order of the problems


def voted_answers(
    model: Qwen3Model,
    tokenizer: Qwen3Tokenizer,
    template: str,
    num_samples: int,
    *,
    thinking: bool | None = None,
    **options: Any,
) -> AnswerFunction:
    """Answers that won a vote, many problems at a time.

    Args:
        model, tokenizer, template, thinking: as in `CH3.evaluation.answers.model_answers`.
        num_samples: solutions that vote on a problem.
        options: how they are drawn, and when that ends: the keyword arguments of
            `self_consistency_many`.

    Returns:
        An `answer_fn` for `evaluate`. An answer's text is the first solution that has the winning
        answer, or nothing if no solution has any; its tokens are those of all solutions; its
        samples are the solutions that were counted. It raises what `self_consistency_many` raises.
    """

    def prompts(problems: Iterator[dict]) -> Iterator[tuple]:
        for problem in problems:
            ids = prompt_ids(tokenizer, template, problem, thinking)
            yield (problem, ids, time.perf_counter()), ids

    def answer_fn(problems: Iterator[dict]) -> Iterator[Answer]:
        votes = self_consistency_many(model, tokenizer, prompts(problems), num_samples, **options)
        for (problem, ids, started), consensus in votes:
            yield _answer(
                problem, tokenizer.decode(ids), consensus.samples, consensus.tokens, started
            )

    return answer_fn


def served_votes(
    endpoint: Endpoint,
    template: str,
    num_samples: int,
    *,
    thinking: bool | None = None,
    temperature: float = 0.8,
    top_p: float = 0.9,
    max_new_tokens: int = 512,
    seed: int = 0,
    early_stopping: str | StoppingRule | None = None,
    concurrency: int = 64,
) -> AnswerFunction:
    """Answers that won a vote among a server's solutions, many problems at a time.

    Args:
        endpoint, thinking, concurrency: as in `CH3.evaluation.serving.served_answers`.
        template, num_samples, temperature, ...: as in `voted_answers`. The seed fixes each
            request's; whether the server then gives the same solution again is its own affair.

    Returns:
        An `answer_fn` like that of `voted_answers`. Samples are asked for in the rule's waves.
        Where the server gives no log-probabilities, all samples count as equally likely (0). A
        problem of which a sample gets no answer is left out, and the reason printed; it raises
        `EndpointRefusedError` if the server refuses everything.
    """
    if num_samples < 1:
        raise ValueError(f"num_samples is {num_samples}: a vote needs at least one sample")
    rule = stopping_rule(early_stopping)
    options: dict[str, Any] = {"thinking": thinking, "max_tokens": max_new_tokens}
    options |= {"temperature": temperature, "top_p": top_p}
    # of plain text: how many alternatives to list
    options["logprobs"] = 1 if thinking is None else True

    def begin_wave(vote: ServedVote, requests: Requests) -> None:
        wave = min(rule.wave(vote.drawn, num_samples), num_samples - vote.begun)
        for number in range(vote.begun, vote.begun + wave):
            # 28 bits: any server's type holds it
            seed_of_sample = int(digest([seed, vote.prompt, number])[:7], 16)
            requests.submit((vote, number), vote.prompt, seed=seed_of_sample, **options)
        vote.begun += wave

    def answer_fn(problems: Iterator[dict]) -> Iterator[Answer]:
        with Requests(endpoint, concurrency) as requests:
            while True:
                while requests.has_room and (problem := next(problems, None)) is not None:
                    begin_wave(ServedVote(problem, render(template, problem["problem"])), requests)
                if not requests:
                    return
                (vote, number), outcome = requests.next_outcome()
                if isinstance(outcome, EndpointError):
                    if not vote.failed:
                        say_unanswered(vote.problem, outcome)
                    vote.failed = True
                    continue
                vote.samples[number] = _sample(outcome)
                if vote.failed or len(vote.samples) < vote.begun:
                    continue
                if vote.begun == num_samples or rule.stops(vote.drawn, num_samples):
                    yield vote.answer()
                else:
                    begin_wave(vote, requests)

    return answer_fn


def _sample(completion: Completion) -> Sample:
    logprob = 0.0 if completion.logprob is None else completion.logprob
    return Sample(extract_answer(completion.text), logprob, completion.tokens, completion.text)


@dataclass(eq=False)
class ServedVote:
    """The vote on one problem, while a server writes: how many samples were begun, and those that
    it has finished.
    """

    problem: dict
    prompt: str
    started: float = field(default_factory=time.perf_counter)
    begun: int = 0
    samples: dict[int, Sample] = field(default_factory=dict)
    failed: bool = False

    @property
    def drawn(self) -> list[Sample]:
        """The samples that are there, in the order in which they were begun."""
        return [self.samples[number] for number in sorted(self.samples)]

    def answer(self) -> Answer:
        """The outcome, when all samples are there."""
        tokens = sum(sample.tokens for sample in self.drawn)
        return _answer(self.problem, self.prompt, self.drawn, tokens, self.started)


def _answer(
    problem: dict, prompt: str, samples: Sequence[Sample], tokens: int, started: float
) -> Answer:
    """The answer that won the vote of these samples; `started` by `time.perf_counter`."""
    groups = majority_vote(samples).groups
    text = groups[0].samples[0].text if groups else ""
    return Answer(
        problem,
        prompt,
        text,
        tokens,
        time.perf_counter() - started,
        [asdict(one) for one in samples],
    )


def draw(
    model: Qwen3Model,
    tokenizer: Qwen3Tokenizer,
    problems: Sequence[dict],
    template: str,
    num_samples: int,
    *,
    progress: bool = True,
    **options: Any,
) -> Draws:
    """Draw solutions of problems and grade them; nothing is kept on disk.

    Args:
        problems: as `CH3.problems.load_problems` gives them.
        progress: as in `evaluate`. model, tokenizer, template, num_samples, options: as in
        `voted_answers`, which says what is raised.
    """
    with TemporaryDirectory() as folder:
        answer_fn = voted_answers(model, tokenizer, template, num_samples, **options)
        return draws_of(
            evaluate(
                answer_fn, problems, Path(folder) / "draws.jsonl", settings={}, progress=progress
            )
        )


def draws_of(results: Iterable[dict]) -> Draws:
    """The solutions that are kept in the results of an evaluation of `voted_answers`, graded."""
    return [
        graded_samples([Sample(**kept) for kept in result["samples"]], result["reference"])
        for result in results
    ]


def graded_samples(samples: Sequence[Sample], reference: str) -> list[GradedSample]:
    """Grade solutions; of those that vote together, the first is graded for all."""
    verdicts: dict[Hashable, bool] = {}
    for sample in samples:
        if sample.key not in verdicts:
            verdicts[sample.key] = grade_answer(sample.answer, reference)
    return [GradedSample(**asdict(sample), right=verdicts[sample.key]) for sample in samples]
