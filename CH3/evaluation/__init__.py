"""Evaluation: ask problems, grade the answers, keep each result in a file that outlives the run.

- `writers.py`: whatever generates texts; a model in this process. `serving.py`: a server
- `answers.py`: the loop from problems to answers
- `results.py`: the file of results, and the shards of several processes
- `report.py`: accuracy with its intervals. `progress.py`: the line that a run shows
- `command_line.py` and `__main__.py`: `python -m CH3.evaluation`
"""

# ruff: noqa: E402  # Ctrl-C is caught before the imports that take seconds
from Appendixes.command_line import stop_in_words

stop_in_words()

import hashlib
from collections.abc import Sequence
from pathlib import Path

from CH3 import countdown, math_verifier
from CH3.evaluation.answers import Answer, AnswerFunction, answer_in, is_right, say
from CH3.evaluation.progress import Progress
from CH3.evaluation.results import (
    WHOLE,
    Regrade,
    Result,
    ResultsFile,
    Settings,
    Shard,
    digest,
)
from CH3.evaluation.writers import ModelWriter
from CH3.problems import Problem, reference_of

__all__ = [
    "VERIFIER",
    "ModelWriter",
    "Shard",
    "UnansweredError",
    "evaluate",
    "graded",
    "graded_again",
    "say_graded_again",
]


def _fingerprint(*files: Path) -> str:
    """Compute a short fingerprint of the text of programs."""
    texts = sorted((path.name, path.read_text(encoding="utf-8")) for path in files)
    return hashlib.sha256(repr(texts).encode()).hexdigest()[:16]


# what gives the verdicts
VERIFIER = _fingerprint(*Path(math_verifier.__file__).parent.glob("*.py"), Path(countdown.__file__))


class UnansweredError(RuntimeError):
    """Problems were left without an answer; `results` holds the others, which the file keeps."""

    def __init__(self, message: str, results: list[Result]):
        super().__init__(message)
        self.results = results


def evaluate(
    answer_fn: AnswerFunction,
    problems: Sequence[Problem],
    out: str | Path,
    *,
    settings: Settings,
    progress: bool | Progress = True,
    shard: Shard = WHOLE,
    regrade: Regrade | None = None,
) -> list[Result]:
    """Have problems answered, grade the answers, and keep every result in a file.

    Interrupted at any moment and called again with the same arguments, it goes on where it stopped.

        writer = ModelWriter(model, tokenizer)
        settings = model_settings("tiny", model, tokenizer)
        results = evaluate(partial(answers, writer), problems, "out.jsonl", settings=settings)

    Args:
        answer_fn: takes an iterator of problems and yields their answers in any order; see
            `answers`.
        problems: as `load_problems` gives them; the answers to puzzles are checked
            (`CH3.countdown`), all others are compared with the problem's answer.
        out: the file of results, made or continued; see `CH3.evaluation.results`.
        settings: all that the answers depend on besides the problems, as JSON can hold it; see
            `model_settings`.
        progress: show the number of finished problems, the accuracy and the speed; and the rows
            busy, if it is a `Progress` that watches the batch.
        shard: this process's part of the problems, where several processes share them; its results
            are in `shard.file(out)`.
        regrade: gives a new verdict to results that the file has from another version of the
            verifier; None: `graded_again`.

    Returns:
        One result per problem of the shard, in their order.

    Raises:
        ResultsFileError: (a ValueError) the file cannot be continued by this run.
        ValueError: an answer to no open problem.
        UnansweredError: (a RuntimeError) `answer_fn` ended without answering all; the results it
            gave are kept.
    """
    settings = {**settings, "num_problems": len(problems), "problems": digest(problems)}
    if shard.count > 1:
        settings["shard"] = str(shard)
    progress = progress if isinstance(progress, Progress) else Progress(shown=progress)
    # 1. Take this process's part of the problems, and open its file.
    own, path = shard.of(problems), shard.file(Path(out))
    unique_ids = [problem["unique_id"] for problem in own]
    with ResultsFile(path, settings, unique_ids, VERIFIER) as file:
        # 2. Verdicts of two verifiers are not mixed.
        if file.graded_by != VERIFIER:
            changed = file.grade_again(regrade or graded_again)
            say_graded_again(path, changed)
        # 3. Ask what has no result yet; grade and keep each answer the moment it comes.
        right = sum(result["correct"] for result in file.results.values())
        open_problems = [problem for problem in own if problem["unique_id"] not in file.results]
        progress.begin(len(own), len(file.results), right)
        try:
            for answer in answer_fn(iter(open_problems)):
                result = graded(answer)
                file.append(result)
                progress.answered(result)
        finally:
            progress.end()
        # 4. Put the results into the order of the problems.
        results = [file.results[one] for one in unique_ids if one in file.results]
    if missing := len(own) - len(results):
        message = f"{missing} of {len(own)} problems were not answered; {path} keeps the others"
        raise UnansweredError(message, results)
    return results


def graded(answer: Answer) -> Result:
    """Grade an answer against its problem's reference, or check it where there is none."""
    problem, text, extracted = answer.problem, answer.text, answer.extracted
    reference = reference_of(problem)
    result: Result = {
        "unique_id": problem["unique_id"],
        "subject": problem["subject"],
        "level": problem["level"],
        "prompt": text.prompt,
        "text": text.text,
        "finish_reason": text.finish_reason,
        "extracted": extracted,
        "reference": reference,
        "correct": is_right(extracted, reference),
        "tokens": text.tokens,
        "seconds": round(answer.seconds, 3),
    }
    if answer.samples is not None:
        result["samples"] = answer.samples
    if text.refusal is not None:
        result["refusal"] = text.refusal
    if text.answered_by is not None:
        result["answered_by"] = text.answered_by
    return result


def graded_again(result: Result) -> Result:
    """Find and grade the answer in a result's text anew."""
    extracted = answer_in(result["text"], result["finish_reason"])
    correct = is_right(extracted, result["reference"])
    return {**result, "extracted": extracted, "correct": correct}


def say_graded_again(path: Path, changed: int) -> None:
    """Print that a file had verdicts of another verifier, above the line of progress."""
    say(
        f"{path}: another version of the verifier had graded these answers; they are graded again, "
        f"and {changed} of the verdicts changed"
    )
