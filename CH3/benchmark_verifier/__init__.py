r"""How right, how fast and how safe is the verifier? `python -m CH3.benchmark_verifier` prints it.

- right: on MATH-500 (each reference against itself, against a plain-text rewriting of itself, and
  against the worked solution it was taken from; then all pairs of different references), and on the
  table CH3/graded_pairs.json
- fast: grades a second on one core, on answers as models write them, most of them not the
  reference's own string
- safe: processor time and memory on CH3/benchmark_verifier/hostile_answers.py, each answer in a
  process of its own

The same work is done with the graders of two packages, where they are installed: that of the book,
chapter 3 (https://pypi.org/project/reasoning-from-scratch), and Hugging Face's Math-Verify
(https://pypi.org/project/math-verify)."""

import argparse
import importlib
import importlib.util
import itertools
import json
import multiprocessing
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from sympy.core.cache import clear_cache
from tqdm import tqdm

from Appendixes.command_line import output_file
from CH3.benchmark_verifier.answer_variants import plain_notation, real_looking_answers
from CH3.benchmark_verifier.hostile_answers import hostile_answers
from CH3.benchmark_verifier.supervision import Failure, one_process, supervised
from CH3.math_verifier import extract_answer, grade_answer
from CH3.problems import load_problems

GRADED_PAIRS = Path(__file__).parents[1] / "graded_pairs.json"
SECONDS_ALLOWED = 0.5  # processor time for one hostile answer
MEGABYTES_ALLOWED = 200
SECONDS_AT_MOST = 2  # processor time until a process that grades a hostile answer is stopped
CANARY = Path("hostile_canary")  # what hostile code writes into its folder


class Grader(NamedTuple):
    """A package's grader behind one signature.

    Attributes:
        name: the column's title.
        grade: `(predicted, reference) -> bool`, on answers; the package's own parsing included.
        grade_text: the same on a whole generated text; the package's own extraction included.
    """

    name: str
    grade: Callable[[str, str], bool]
    grade_text: Callable[[str, str], bool]


def our_grader() -> Grader:
    """The verifier of this chapter."""
    return Grader(
        "ours", grade_answer, lambda text, reference: grade_answer(extract_answer(text), reference)
    )


def book_grader() -> Grader:
    """The book's grader, called as its chapter 3 calls it."""
    book = importlib.import_module("reasoning_from_scratch.ch03")

    def grade_text(text: str, reference: str) -> bool:
        return book.grade_answer(book.extract_final_candidate(text), reference)

    return Grader("reasoning-from-scratch", book.grade_answer, grade_text)


def math_verify_grader() -> Grader:
    """Math-Verify, called as its README says: LaTeX stands in a mathematics environment, and the
    reference comes first.

    Both sides are parsed with the package's default targets, LaTeX and plain expressions, and its
    default timers."""
    package = importlib.import_module("math_verify")

    def grade_text(text: str, reference: str) -> bool:
        return package.verify(package.parse(f"${reference}$"), package.parse(text))

    def grade(predicted: str, reference: str) -> bool:
        return grade_text(f"${predicted}$", reference)

    return Grader("math-verify", grade, grade_text)


PEERS = {
    "reasoning_from_scratch": (book_grader, "pip install reasoning-from-scratch"),
    "math_verify": (math_verify_grader, "pip install 'math-verify[antlr4_13_2]'"),
}


def installed_graders() -> list[Grader]:
    """Ours, and every peer that is installed; for the others it prints how to install them."""
    graders = [our_grader()]
    for module, (make, install) in PEERS.items():
        if importlib.util.find_spec(module):
            graders.append(make())
        else:
            print(
                f"{module} is not installed and left out; to compare with it: {install}",
                file=sys.stderr,
            )
    for grader in graders:
        # pays for imports and tables, once for all processes
        grader.grade_text("The answer is $\\boxed{1}$.", "2")
    return graders


def measure_math500(grader: Grader, problems: Sequence[dict]) -> dict:
    """Verdicts on MATH-500: how many references are recognised, and which different strings are
    called equal.

    Two problems with the same reference string say nothing that "reference = itself" does not, so
    each string stands once in the pairs. The direction alternates, so that both orders are seen.
    """
    references = [problem["answer"] for problem in problems]
    questions = {
        "itself": [(reference, reference) for reference in references],
        "plain": [(plain_notation(reference), reference) for reference in references],
    }
    found = {}
    for name, pairs in questions.items():
        verdicts = graded(grader, grader.grade, pairs, f"references, {name}")
        found[name] = [
            pair for pair, verdict in zip(pairs, verdicts, strict=True) if verdict is not True
        ]
    texts = [(problem["solution"], problem["answer"]) for problem in problems]
    verdicts = graded(grader, grader.grade_text, texts, "worked solutions")
    found["solution"] = [
        (problem["unique_id"], problem["answer"])
        for problem, verdict in zip(problems, verdicts, strict=True)
        if verdict is not True
    ]
    pairs = distinct_pairs(references)
    verdicts = graded(grader, grader.grade, pairs, "pairs of references")
    equal = [pair for pair, verdict in zip(pairs, verdicts, strict=True) if verdict is True]
    return {"problems": len(problems), "missed": found, "pairs": len(pairs), "called_equal": equal}


def distinct_pairs(references: Iterable[str]) -> list[tuple[str, str]]:
    """All pairs of different strings, each once, in alternating direction."""
    pairs = itertools.combinations(dict.fromkeys(references), 2)
    return [pair if number % 2 else pair[::-1] for number, pair in enumerate(pairs)]


def measure_graded_pairs(grader: Grader, table: Sequence[dict]) -> dict:
    """Verdicts on pairs whose verdict is known."""
    pairs = [(row["predicted"], row["reference"]) for row in table]
    verdicts = graded(grader, grader.grade, pairs, "graded pairs")
    # a grader that fails has not called them equal
    called_equal = [verdict is True for verdict in verdicts]
    wrong: dict[bool, list[tuple[str, str]]] = {True: [], False: []}
    for row, pair, equal in zip(table, pairs, called_equal, strict=True):
        if equal != row["same"]:
            wrong[equal].append(pair)
    return {"pairs": len(pairs), "false_positives": wrong[True], "false_negatives": wrong[False]}


def graded(
    grader: Grader, grade: Callable[[str, str], bool], pairs: Sequence[tuple], title: str
) -> list:
    """Verdicts (or failures) on pairs, under supervision, with a progress bar."""
    verdicts = supervised(lambda pair: bool(grade(*pair)), pairs)
    return list(
        tqdm(verdicts, desc=f"{grader.name}: {title}", total=len(pairs), leave=False, disable=None)
    )


def measure_rate(
    graders: Sequence[Grader], pairs: Sequence[tuple[str, str]], rounds: int = 5
) -> dict[str, dict]:
    """Grades a second of processor time, on one core: the median over rounds in which the graders
    take turns.

    Every call parses both sides. SymPy remembers results of its own; what it remembers is dropped
    before each turn."""
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
    """What a hostile answer cost.

    Attributes:
        seconds: processor time of the longest call.
        megabytes: memory added to what the process held before.
        raised: the exception's name, if a call raised one.
        executed: whether the answer was run as code, which leaves a file behind.
    """

    seconds: float
    megabytes: float
    raised: str | None
    executed: bool


def measure_hostile(grader: Grader, answers: Iterable[tuple[str, str]]) -> dict:
    """What hostile answers (name, text) cost, each in a process of its own."""
    costs = {}
    for name, text in tqdm(
        answers, desc=f"{grader.name}: hostile answers", leave=False, disable=None
    ):
        [costs[name]] = one_process(lambda text: _attack(grader, text), [text], SECONDS_AT_MOST)
    finished = {name: cost for name, cost in costs.items() if isinstance(cost, Cost)}
    failed = {name: cost.reason for name, cost in costs.items() if isinstance(cost, Failure)}
    stopped = [name for name, reason in failed.items() if reason == "stopped"]
    slowest = max(finished, key=lambda name: finished[name].seconds, default="")
    return {
        "answers": len(costs),
        "slow": stopped
        + [name for name, cost in finished.items() if cost.seconds > SECONDS_ALLOWED],
        "stopped": stopped,
        "large": [name for name, cost in finished.items() if cost.megabytes > MEGABYTES_ALLOWED],
        "raised": [f"{name}: {reason}" for name, reason in failed.items() if reason != "stopped"]
        + [f"{name}: {cost.raised}" for name, cost in finished.items() if cost.raised],
        "executed": [name for name, cost in finished.items() if cost.executed],
        "slowest": {"answer": slowest, "seconds": finished[slowest].seconds} if finished else None,
        "most_megabytes": max((cost.megabytes for cost in finished.values()), default=None),
    }


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
    """The most memory this process has held so far."""
    import resource

    unit = 1 if sys.platform == "darwin" else 1024  # bytes on macOS, kilobytes on Linux
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20


def _recognised(key: str, found: dict) -> int:
    return found["problems"] - len(found["missed"][key])


def table_rows(results: dict, names: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    """Rows (title, a cell for each grader); a row without cells is a heading."""

    def cells(section: str, show: Callable[[dict], object]) -> list[str]:
        return [str(show(results[section][name])) for name in names]

    if "math500" in results:
        first = results["math500"][names[0]]
        yield f"MATH-500, {first['problems']} problems: recognised", []
        for title, key in (
            ("reference = itself", "itself"),
            ("reference = its plain notation", "plain"),
            ("reference = worked solution's answer", "solution"),
        ):
            yield title, cells("math500", partial(_recognised, key))
        yield (
            f"{first['pairs']:,} pairs of references: called equal",
            cells("math500", lambda found: len(found["called_equal"])),
        )
    pairs = results["graded_pairs"][names[0]]["pairs"]
    yield f"Graded pairs, {pairs}", []
    yield (
        "right",
        cells(
            "graded_pairs",
            lambda found: (
                f"{1 - (len(found['false_positives']) + len(found['false_negatives'])) / pairs:.1%}"
            ),
        ),
    )
    yield (
        "called equal, but different",
        cells("graded_pairs", lambda found: len(found["false_positives"])),
    )
    yield (
        "called different, but equal",
        cells("graded_pairs", lambda found: len(found["false_negatives"])),
    )
    if "rate" in results:
        work = results["rate_work"]
        yield (
            f"Rate, {work['answers']:,} answers, {work['same_string']:.0%} the reference's own string",
            [],
        )
        yield "grades a second, one core", cells("rate", lambda found: f"{found['rate']:,.0f}")
        if "math-verify" in names:
            peer = results["rate"]["math-verify"]["rate"]
            yield (
                "times math-verify's rate",
                cells("rate", lambda found: f"{found['rate'] / peer:.1f}"),
            )
        yield "called equal", cells("rate", lambda found: found["called_equal"])
    if "hostile" in results:
        yield f"Hostile answers, {results['hostile'][names[0]]['answers']}", []
        yield f"over {SECONDS_ALLOWED} s", cells("hostile", lambda found: len(found["slow"]))
        yield (
            f"of these stopped at {SECONDS_AT_MOST} s",
            cells("hostile", lambda found: len(found["stopped"])),
        )
        yield (
            f"over {MEGABYTES_ALLOWED} MB, of those that finished",
            cells("hostile", lambda found: len(found["large"])),
        )
        yield "raised or crashed", cells("hostile", lambda found: len(found["raised"]))
        yield "ran it as code", cells("hostile", lambda found: len(found["executed"]))
        yield (
            "slowest that finished, seconds",
            cells("hostile", lambda found: f"{found['slowest']['seconds']:.2f}"),
        )
        yield (
            "most memory of those that finished, MB",
            cells("hostile", lambda found: f"{found['most_megabytes']:.0f}"),
        )


def print_table(results: dict, names: Sequence[str]) -> None:
    """The results, a column for each grader."""
    width = 44
    print(" " * width + "".join(f"{name:>24}" for name in names))
    for title, cells in table_rows(results, names):
        print(
            f"  {title:<{width - 2}}" + "".join(f"{cell:>24}" for cell in cells)
            if cells
            else f"\n{title}"
        )


def print_details(results: dict) -> None:
    """What stands behind the counts: the misses, the pairs called equal, the hostile answers that
    cost too much.
    """
    for section in ("math500", "graded_pairs", "hostile"):
        for name, found in results.get(section, {}).items():
            cases = found | {
                f"missed, {key}": pairs for key, pairs in found.get("missed", {}).items()
            }
            for key, entries in cases.items():
                for entry in entries if isinstance(entries, list) else ():
                    print(f"{section}, {name}, {key}: {entry}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description="Measure how right, how fast and how safe the verifier is, beside others where they are installed.",
        epilog="MATH-500 is the JSON file that the environment variable MATH500_JSON names; if it is not set, the test "
        "set is downloaded from the Hugging Face Hub on first use. Our verifier takes about a minute; the others, if "
        "they are installed, about twenty, most of it for hostile answers on which they have to be stopped.",
    )
    parser.add_argument(
        "--limit",
        type=int,
        metavar="N",
        help="only the first N problems of MATH-500 (default: all)",
    )
    parser.add_argument("--skip-hostile", action="store_true", help="leave the hostile answers out")
    parser.add_argument(
        "--show", action="store_true", help="print the misses and the pairs called equal as well"
    )
    parser.add_argument(
        "--json",
        type=output_file(),
        metavar="FILE",
        help="write all results, case by case, to FILE",
    )
    arguments = parser.parse_args()
    if "fork" not in multiprocessing.get_all_start_methods():
        parser.error(
            "the benchmark needs fork(), which this system does not have; it runs on Linux and macOS"
        )

    graders = installed_graders()
    names = [grader.name for grader in graders]
    results: dict = {}
    try:
        problems = load_problems("math500", arguments.limit)
    except ValueError as error:
        parser.error(str(error))
    except OSError as error:  # no such file, no network
        print(
            f"MATH-500 (HuggingFaceH4/MATH-500 on the Hugging Face Hub) is left out: {error}",
            file=sys.stderr,
        )
    else:
        results["math500"] = {grader.name: measure_math500(grader, problems) for grader in graders}
        answers = real_looking_answers(problems)
        same = sum(predicted == reference for predicted, reference in answers) / len(answers)
        results["rate_work"] = {"answers": len(answers), "same_string": same}
        results["rate"] = measure_rate(graders, answers)
    table = json.loads(GRADED_PAIRS.read_text(encoding="utf-8"))
    results["graded_pairs"] = {
        grader.name: measure_graded_pairs(grader, table) for grader in graders
    }
    if not arguments.skip_hostile:
        results["hostile"] = {
            grader.name: measure_hostile(grader, hostile_answers()) for grader in graders
        }

    print_table(results, names)
    if arguments.json:
        arguments.json.write_text(
            json.dumps(results, indent=1, ensure_ascii=False), encoding="utf-8"
        )
    if arguments.show:
        print_details(results)
