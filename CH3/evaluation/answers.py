"""Answers to problems by a writer: one loop, whoever writes."""

import sys
import time
from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass

from tqdm import tqdm

from CH3.countdown import solves_countdown
from CH3.evaluation.results import SampleRecord
from CH3.evaluation.writers import CUT_OFF, Text, Writer
from CH3.math_verifier import extract_answer, grade_answer
from CH3.problems import Problem, Reference


@dataclass(frozen=True)
class Answer:
    """A text about a problem, and the answer that was found in it.

    Attributes:
        problem: as `load_problems` gives it.
        text: what was written; its `tokens` are those of all samples where it won a vote.
        seconds: from the moment the problem was taken up; other texts grow in the same seconds.
        extracted: the answer found in the text; None if there is none.
        samples: where the text won a vote, the solutions that voted; None elsewhere.
    """

    problem: Problem
    text: Text
    seconds: float
    extracted: str | None
    samples: list[SampleRecord] | None = None


# Takes problems as it has room for them, and gives each one's answer when it is finished, in any
# order.
AnswerFunction = Callable[[Iterator[Problem]], Iterable[Answer]]


def answer_in(text: str, finish_reason: str | None) -> str | None:
    """Return the answer in a text that ended so; None if there is none.

    In a text that was cut off only a complete box is an answer (`extract_answer`).
    """
    return extract_answer(text, finished=finish_reason not in CUT_OFF)


def answers(writer: Writer[str], problems: Iterable[Problem]) -> Iterator[Answer]:
    """Have one text written about each problem; `partial(answers, writer)` is for `evaluate`.

    A problem is taken from the iterable only when the writer has room for it. One whose text
    failed is left out, and the reason printed.

    Yields:
        The answers, in the order in which they are finished.
    """
    waiting = iter(problems)
    asked: dict[Hashable, tuple[Problem, float]] = {}
    try:
        while True:
            # 1. Begin as many texts as there is room for.
            while writer.has_room and (problem := next(waiting, None)) is not None:
                asked[writer.begin(problem["problem"], 0)] = problem, time.perf_counter()
            if not asked:
                return
            # 2. Hand on those that have ended.
            for ticket, text in writer.finished():
                problem, started = asked.pop(ticket)
                if text.error is not None:
                    say_unanswered(problem, text.error)
                    continue
                if text.refusal is not None:
                    say_refused(problem, text)
                seconds = time.perf_counter() - started
                yield Answer(problem, text, seconds, answer_in(text.text, text.finish_reason))
    finally:
        # 3. When the reader stops early, nobody waits for the others.
        for ticket in asked:
            writer.cancel(ticket)


def say_unanswered(problem: Problem, error: Exception) -> None:
    """Print why a problem has no answer, above the line of progress."""
    say(f"problem {problem['unique_id']} is left for the next run: {error}")


def say_refused(problem: Problem, text: Text) -> None:
    """Print why a problem was refused, and so counts as wrong, above the line of progress."""
    say(f"problem {problem['unique_id']} counts as wrong, as it was refused: {text.refusal}")


def say(message: str) -> None:
    """Print a message above the line of progress."""
    tqdm.write(message, file=sys.stderr)


def is_right(extracted: str | None, reference: Reference) -> bool:
    """Return True if an answer means the same as the reference, or passes the puzzle's check.

    Args:
        extracted: the answer found in a text; None if there is none.
        reference: as `CH3.problems.reference_of` gives it.
    """
    if isinstance(reference, str):
        return grade_answer(extracted, reference)
    return solves_countdown(extracted, **reference)
