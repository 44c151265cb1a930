"""Solutions drawn from a model for a list of problems, graded and kept: what votes and stopping rules are tried on.

- `voted_answers` makes self-consistency an `answer_fn` of CH3's `evaluate`, whose results file keeps every solution: a
  run that was killed goes on where it was
- solutions that were drawn once can be voted on in many ways, and a stopping rule replayed on them, without a model
"""

import time
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from CH3.answers import Answer, AnswerFunction, prompt_ids
from CH3.evaluation import evaluate
from CH3.math_verifier import grade_answer
from CH4.inference_scaling import Sample, self_consistency_many


@dataclass(frozen=True)
class GradedSample(Sample):
    """A drawn solution and whether its answer is right."""

    right: bool = False


Draws = list[list[GradedSample]]  # one list a problem, in the order of the problems


def voted_answers(
    model, tokenizer, template: str, num_samples: int, *, thinking: bool | None = None, **options
) -> AnswerFunction:
    """Answers that won a vote, many problems at a time.

    Args:
        model, tokenizer, template, thinking: as in `CH3.answers.model_answers`.
        num_samples: solutions that vote on a problem.
        options: `temperature`, `top_p`, `max_new_tokens`, `seed`, `early_stopping`, `wave` and `max_rows` of
            `self_consistency_many`.

    Returns:
        An `answer_fn` for `evaluate`. An answer's text is the first solution that has the winning answer, or nothing if
        no solution has any; its tokens are those of all solutions; its samples are the solutions that were counted.
        It raises what `self_consistency_many` raises.
    """

    def prompts(problems: Iterator[dict]) -> Iterator[tuple]:
        for problem in problems:
            ids = prompt_ids(tokenizer, template, problem, thinking)
            yield (problem, ids, time.perf_counter()), ids

    def answer_fn(problems: Iterator[dict]) -> Iterator[Answer]:
        votes = self_consistency_many(model, tokenizer, prompts(problems), num_samples, **options)
        for (problem, ids, started), consensus in votes:
            text = consensus.groups[0].samples[0].text if consensus.groups else ""
            samples = [asdict(sample) for sample in consensus.samples]
            seconds = time.perf_counter() - started
            yield Answer(problem, tokenizer.decode(ids), text, consensus.tokens, seconds, samples)

    return answer_fn


def draw(
    model, tokenizer, problems: Sequence[dict], template: str, num_samples: int, *, progress: bool = True, **options
) -> Draws:
    """Draw solutions of problems and grade them; nothing is kept on disk.

    Args:
        problems: as `CH3.problems.load_problems` gives them.
        progress: as in `evaluate`.
        model, tokenizer, template, num_samples, options: as in `voted_answers`, which says what is raised.
    """
    with TemporaryDirectory() as folder:
        answer_fn = voted_answers(model, tokenizer, template, num_samples, **options)
        return draws_of(evaluate(answer_fn, problems, Path(folder) / "draws.jsonl", settings={}, progress=progress))


def draws_of(results: Iterable[dict]) -> Draws:
    """The solutions that are kept in the results of an evaluation of `voted_answers`, graded."""
    return [graded_samples([Sample(**kept) for kept in result["samples"]], result["reference"]) for result in results]


def graded_samples(samples: Sequence[Sample], reference: str) -> list[GradedSample]:
    """Grade solutions; of those that vote together, the first is graded for all."""
    verdicts: dict[Hashable, bool] = {}
    for sample in samples:
        if sample.key not in verdicts:
            verdicts[sample.key] = grade_answer(sample.answer, reference)
    return [GradedSample(**asdict(sample), right=verdicts[sample.key]) for sample in samples]
