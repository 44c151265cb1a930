"""What is measured: right verdicts, grades per second, and the cost of hostile answers."""

import itertools
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from sympy.core.cache import clear_cache
from tqdm import tqdm

from CH3.benchmark_verifier.answer_variants import plain_notation
from CH3.benchmark_verifier.graders import Grader
from CH3.benchmark_verifier.supervision import Failure, supervised
from CH3.problems import Problem

SECONDS_ALLOWED = 0.5  # CPU time for one hostile answer
MEGABYTES_ALLOWED = 200
SECONDS_AT_MOST = 2  # CPU time until a process that grades a hostile answer is stopped
CANARY = Path("hostile_canary")  # what hostile code writes into its folder
# References of MATH-500 that are written differently and are the same, found by reading all 301
# strings. Units, currency and degrees are not compared, nor is the name of the unknown. The last
# class is lenient, not equal: 40 is how the answer is written in base nine, and a prediction may
# leave the base out.
SAME_REFERENCES = (
    {"5", "x=5"},
    {"15", r"15\mbox{ cm}^2"},
    {"30", r"30^\circ"},
    {"36", r"36^\circ", r"\$36"},
    {"90", r"90^\circ"},
    {"120", r"120^\circ"},
    {"10080", r"10,\!080"},
    {r"\frac14", r"\frac{1}{4}"},
    {r"2\sqrt{5}", r"2 \sqrt{5}"},
    {"1,-2", "-2,1"},
    {"40", "40_9"},
)


def measure_math500(grader: Grader, problems: Sequence[Problem]) -> dict:
    """Count the references of MATH-500 that are recognised, and the pairs wrongly called equal.

    Each reference is graded against itself, against its plain notation and against its worked
    solution; then against the references of other problems that have another answer. Two problems
    with the same reference say nothing that "reference = itself" does not, so each string stands
    once in the pairs.
    """
    references = [problem["answer"] for problem in problems]
    questions = {
        "itself": (grader.grade, references),
        "plain": (grader.grade, [plain_notation(reference) for reference in references]),
        "solution": (grader.grade_text, [problem["solution"] for problem in problems]),
    }
    missed = {}
    for name, (grade, predicted) in questions.items():
        asked = list(zip(predicted, references, strict=True))
        missed[name] = [
            (problem["unique_id"], problem["answer"])
            for problem, verdict in zip(problems, graded(grader, grade, asked, name), strict=True)
            if verdict is not True
        ]
    pairs = [
        pair
        for pair in distinct_pairs(references)
        if not any(same.issuperset(pair) for same in SAME_REFERENCES)
    ]
    verdicts = graded(grader, grader.grade, pairs, "pairs of references")
    equal = [pair for pair, verdict in zip(pairs, verdicts, strict=True) if verdict is True]
    return {"problems": len(problems), "missed": missed, "pairs": len(pairs), "called_equal": equal}


def distinct_pairs(references: Iterable[str]) -> list[tuple[str, str]]:
    """List all pairs of different strings, each once, in alternating direction."""
    pairs = itertools.combinations(dict.fromkeys(references), 2)
    return [pair if number % 2 else pair[::-1] for number, pair in enumerate(pairs)]


def measure_graded_pairs(grader: Grader, table: Sequence[dict]) -> dict:
    """List the pairs of a table of known verdicts on which a grader is wrong.

    A grader that fails on a pair has not called it equal.
    """
    pairs = [(row["predicted"], row["reference"]) for row in table]
    verdicts = graded(grader, grader.grade, pairs, "graded pairs")
    wrong: dict[bool, list[tuple[str, str]]] = {True: [], False: []}
    for row, pair, verdict in zip(table, pairs, verdicts, strict=True):
        called_equal = verdict is True
        if called_equal != row["same"]:
            wrong[called_equal].append(pair)
    return {"pairs": len(pairs), "false_positives": wrong[True], "false_negatives": wrong[False]}


def measure_texts(grader: Grader, table: Sequence[dict]) -> dict:
    """List the texts in which a grader does not find the answer that is known.

    Texts without an answer are left out: only ours can be asked for what it finds.
    """
    texts = [(row["text"], row["answer"]) for row in table if row["answer"] is not None]
    verdicts = graded(grader, grader.grade_text, texts, "hard texts")
    missed = [text for text, verdict in zip(texts, verdicts, strict=True) if verdict is not True]
    return {"pairs": len(texts), "false_positives": [], "false_negatives": missed}


def graded(
    grader: Grader, grade: Callable[[str, str], bool], pairs: Sequence[tuple], title: str
) -> list:
    """Grade pairs in a supervised process, with a progress bar: verdicts, or failures."""
    verdicts = supervised(lambda pair: bool(grade(*pair)), pairs)
    return list(tqdm(verdicts, f"{grader.name}: {title}", len(pairs), leave=False, disable=None))


def measure_rate(
    graders: Sequence[Grader], pairs: Sequence[tuple[str, str]], rounds: int = 5
) -> dict[str, dict]:
    """Measure grades per second of CPU time, on one core.

    The median over rounds in which the graders take turns. Every call parses both sides. SymPy, on
    which a peer stands, remembers results; what it remembers is dropped before each turn.
    """
    seconds: dict[str, list[float]] = {grader.name: [] for grader in graders}
    equal = {}
    for _ in tqdm(range(rounds), desc="rate", leave=False, disable=None):
        for grader in graders:
            clear_cache()
            start = time.process_time()
            equal[grader.name] = sum(_is_equal(grader, *pair) for pair in pairs)
            seconds[grader.name].append(time.process_time() - start)
    return {
        name: {"rate": len(pairs) / statistics.median(times), "called_equal": equal[name]}
        for name, times in seconds.items()
    }


def _is_equal(grader: Grader, predicted: str, reference: str) -> bool:
    try:
        return bool(grader.grade(predicted, reference))
    except Exception:
        return False


class Cost(NamedTuple):
    """CPU time and memory that a hostile answer cost.

    Attributes:
        seconds: CPU time of the longest call.
        megabytes: memory added to what the process held before.
        raised: the exception's name, if a call raised one, or "crashed".
        executed: the answer was run as code, which leaves a file behind.
        stopped: it was stopped after SECONDS_AT_MOST, so seconds and megabytes are not known.
    """

    seconds: float = 0.0
    megabytes: float = 0.0
    raised: str | None = None
    executed: bool = False
    stopped: bool = False

    @property
    def slow(self) -> bool:
        """Return True if it took more than SECONDS_ALLOWED."""
        return self.stopped or self.seconds > SECONDS_ALLOWED

    @property
    def large(self) -> bool:
        """Return True if it took more than MEGABYTES_ALLOWED."""
        return self.megabytes > MEGABYTES_ALLOWED


def measure_hostile(grader: Grader, answers: Iterable[tuple[str, str]]) -> dict:
    """Measure what hostile answers (name, text) cost, each in a process of its own.

    Returns:
        the number of answers, the names of those that were slow, stopped, large, raised or
        executed, and the most seconds and megabytes of those that finished.
    """
    bar = tqdm(answers, f"{grader.name}: hostile answers", leave=False, disable=None)
    ours, theirs = itertools.tee(
        bar
    )  # texts are made one at a time: some have a million characters
    found = supervised(
        lambda answer: _attack(grader, answer[1]), ours, SECONDS_AT_MOST, one_each=True
    )
    costs = {name: _cost_of(cost) for cost, (name, _) in zip(found, theirs, strict=True)}
    slowest = max(costs, key=lambda name: costs[name].seconds)
    return {
        "answers": len(costs),
        "slow": [name for name, cost in costs.items() if cost.slow],
        "stopped": [name for name, cost in costs.items() if cost.stopped],
        "large": [name for name, cost in costs.items() if cost.large],
        "raised": [f"{name}: {cost.raised}" for name, cost in costs.items() if cost.raised],
        "executed": [name for name, cost in costs.items() if cost.executed],
        "slowest": {"answer": slowest, "seconds": costs[slowest].seconds},
        "most_megabytes": max(cost.megabytes for cost in costs.values()),
    }


def _cost_of(result: Cost | Failure) -> Cost:
    if isinstance(result, Cost):
        return result
    stopped = result.reason == "stopped"
    return Cost(stopped=stopped, raised=None if stopped else result.reason)


def _attack(grader: Grader, text: str) -> Cost:
    """Grade a hostile answer against 1, against itself plus one, and as the box in a sentence."""
    memory, longest, raised = _peak_megabytes(), 0.0, None
    for grade, predicted, reference in (
        (grader.grade, text, "1"),
        (grader.grade, text, f"{text} + 1"),
        (grader.grade_text, f"The answer is $\\boxed{{{text}}}$.", "1"),
    ):
        start = time.process_time()
        try:
            grade(predicted, reference)
        except Exception as error:
            raised = type(error).__name__
        longest = max(longest, time.process_time() - start)
    return Cost(longest, _peak_megabytes() - memory, raised, CANARY.exists())


def _peak_megabytes() -> float:
    """Return the most memory that this process has held so far, in MiB."""
    import resource  # Unix only

    unit = 1 if sys.platform == "darwin" else 1024  # bytes on macOS, kilobytes on Linux
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20
