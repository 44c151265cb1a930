"""Draw solutions of many problems, grade and keep them: the material that votes are tried on.

- `voted_answers` makes votes an `answer_fn` of CH3's `evaluate`, whose results file keeps every
  sample: a run that was killed goes on where it was
- samples drawn once can be voted on in many ways, and stopping rules replayed on them, without a
  model
"""

import time
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from Appendixes.QWEN3Model import Qwen3Model
from Appendixes.QWEN3Tokenizer import Qwen3Tokenizer
from CH3.evaluation import evaluate, graded_again
from CH3.evaluation.answers import (
    Answer,
    AnswerFunction,
    answer_in,
    is_right,
    say_refused,
    say_unanswered,
)
from CH3.evaluation.results import Result, SampleRecord
from CH3.evaluation.writers import REFUSED, ModelWriter, Writer
from CH3.math_verifier import answer_key
from CH3.problems import Problem, Reference, reference_of
from CH4 import sampling
from CH4.early_stopping import StoppingRule
from CH4.inference_scaling import Ballot, votes
from CH4.voting import Sample, best_of_n, majority_vote

Draws = list[list[Sample]]  # graded samples: one list per problem, in the order of the problems
# takes the place of the samples of a problem that was refused
REFUSED_SAMPLE = Sample(None, 0.0, 0, finish_reason=REFUSED)


def voted_answers(
    writer: Writer[str],
    num_samples: int,
    rule: str | StoppingRule | None = None,
    wave: int | None = None,
) -> AnswerFunction:
    """Make an `answer_fn` for `evaluate` that answers each problem by a vote.

    An answer's text is the first sample that has the winning answer, or empty if no sample has an
    answer; its tokens are those of all samples; its samples are those that were counted. Puzzles
    are not voted on: the first sample that passes the check wins. A problem of which a sample
    failed is left out, and the reason printed. One that was refused counts as if all of its samples
    had no answer.

    Args:
        writer: draws the samples.
        num_samples, rule, wave: as in `CH4.inference_scaling.votes`, which says what is raised.
    """

    def answer_fn(problems: Iterator[Problem]) -> Iterator[Answer]:
        asked = ((problem, problem["problem"]) for problem in problems)
        for ballot in votes(writer, asked, num_samples, rule, wave):
            if ballot.failure is not None and ballot.failure.error is not None:
                say_unanswered(ballot.problem, ballot.failure.error)
                continue
            if ballot.failure is not None:
                say_refused(ballot.problem, ballot.failure)
                ballot.samples = [REFUSED_SAMPLE] * num_samples
            yield _answer(ballot)

    return answer_fn


def _answer(ballot: Ballot[Problem]) -> Answer:
    """Make the answer that a vote, or a check, gives."""
    winner = _winner(ballot.samples, reference_of(ballot.problem))
    text = replace(
        ballot.failure or ballot.drawn[0],
        text=winner.text,
        tokens=ballot.tokens,
        logprob=winner.logprob,
        finish_reason=winner.finish_reason,
        answered_by=next(filter(None, (text.answered_by for text in ballot.drawn)), None),
    )
    seconds = time.perf_counter() - ballot.started
    samples = list(map(_record, ballot.samples))
    return Answer(ballot.problem, text, seconds, winner.answer, samples)


def _winner(samples: Sequence[Sample], reference: Reference) -> Sample:
    """Return the sample that stands for all; an empty one if there is none.

    Args:
        samples: of one problem.
        reference: a puzzle, by which answers are checked; or a text, with which they are compared
            later, after a vote.
    """
    if isinstance(reference, str):
        groups = majority_vote(samples).groups
        winner = groups[0].samples[0] if groups else None
    else:
        winner = best_of_n(samples, lambda answer: is_right(answer, reference))
    if winner is not None:
        return winner
    return REFUSED_SAMPLE if REFUSED_SAMPLE in samples else Sample(None, 0.0, 0)


def _record(sample: Sample) -> SampleRecord:
    return {
        "answer": sample.answer,
        "logprob": sample.logprob,
        "tokens": sample.tokens,
        "text": sample.text,
        "finish_reason": sample.finish_reason,
    }


def voted_again(result: Result) -> Result:
    """Find the answer in a result anew, by a vote if it has samples, and grade it."""
    if "samples" not in result:
        return graded_again(result)
    samples = [
        replace(sample, answer=answer_in(sample.text, sample.finish_reason))
        for sample in (Sample(**record) for record in result["samples"])
    ]
    winner = _winner(samples, result["reference"])
    return {
        **result,
        "text": winner.text,
        "finish_reason": winner.finish_reason,
        "extracted": winner.answer,
        "correct": is_right(winner.answer, result["reference"]),
        "samples": list(map(_record, samples)),
    }


def draw(
    model: Qwen3Model,
    tokenizer: Qwen3Tokenizer,
    problems: Sequence[Problem],
    template: str,
    num_samples: int,
    *,
    temperature: float = 0.8,
    top_p: float = 0.9,
    max_new_tokens: int = 512,
    seed: int = 0,
    progress: bool = True,
) -> Draws:
    """Draw samples for each problem and grade them; nothing stays on disk.

    Args:
        model: compiled or not.
        tokenizer: the model's.
        problems: as `CH3.problems.load_problems` gives them.
        template: of the prompt, from `CH2.prompts`.
        num_samples: number of samples per problem.
        temperature, top_p, max_new_tokens, seed: as in
            `CH4.inference_scaling.self_consistency_many`.
        progress: show how far it is.

    Raises:
        ValueError, FloatingPointError: as `self_consistency_many`.
    """
    writer = ModelWriter(
        model,
        tokenizer,
        template,
        max_new_tokens=max_new_tokens,
        sampler=sampling.sampler(sampling.temperature(temperature), sampling.top_p(top_p)),
        seed=seed,
    )
    answer_fn = voted_answers(writer, num_samples)
    with TemporaryDirectory() as folder:
        out = Path(folder) / "draws.jsonl"
        return draws_of(evaluate(answer_fn, problems, out, settings={}, progress=progress))


def draws_of(results: Iterable[Result]) -> Draws:
    """Return the graded samples of each result of `voted_answers`."""
    return [graded_samples(result) for result in results]


def graded_samples(result: Result) -> list[Sample]:
    """Return the samples of one result, graded: one sample of each answer, the winner not again.

    To puzzles each answer is checked: of two with one value, one may use other numbers.
    """
    samples, reference = [Sample(**record) for record in result["samples"]], result["reference"]
    if not isinstance(reference, str):
        return [replace(sample, right=is_right(sample.answer, reference)) for sample in samples]
    verdicts: dict[Hashable, bool] = {None: False}
    if result["extracted"] is not None:
        verdicts[answer_key(result["extracted"])] = result["correct"]
    for sample in samples:
        if sample.key not in verdicts:
            verdicts[sample.key] = is_right(sample.answer, reference)
    return [replace(sample, right=verdicts[sample.key]) for sample in samples]
