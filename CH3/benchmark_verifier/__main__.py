r"""How right, how fast and how safe is the verifier? `python -m CH3.benchmark_verifier` prints it.

- right: on MATH-500 (each reference against itself, against a plain-text rewriting of itself, and
  against the worked solution it was taken from; then against the answers of other problems), on the
  table CH3/graded_pairs.json, and on CH3/hard_answers.json, pairs and texts that were written after
  what public bug reports say that graders get wrong
- fast: grades per second on one core, on answers as models write them, most of them not the
  reference's own string
- safe: CPU time and memory on CH3/benchmark_verifier/hostile_answers.py, each answer in a process
  of its own

The same work is done with the graders of two packages, where they are installed: that of the book,
chapter 3 (https://pypi.org/project/reasoning-from-scratch), and Hugging Face's Math-Verify
(https://pypi.org/project/math-verify).
"""

import argparse
import importlib.util
import multiprocessing
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from Appendixes.command_line import output_file, read_json, run_main, table, write_json
from CH3.benchmark_verifier.answer_variants import real_looking_answers
from CH3.benchmark_verifier.graders import installed_graders
from CH3.benchmark_verifier.hostile_answers import hostile_answers
from CH3.benchmark_verifier.measures import (
    MEGABYTES_ALLOWED,
    SECONDS_ALLOWED,
    SECONDS_AT_MOST,
    measure_graded_pairs,
    measure_hostile,
    measure_math500,
    measure_rate,
    measure_texts,
)
from CH3.problems import load_problems

GRADED_PAIRS = Path(__file__).parents[1] / "graded_pairs.json"
HARD_ANSWERS = Path(__file__).parents[1] / "hard_answers.json"

Row = tuple[str, list[str]]  # a title, and a cell for each grader; a heading has no cells


def table_rows(results: dict, names: Sequence[str]) -> Iterator[Row]:
    """Yield the rows of the table of results, a cell for each grader in `names`."""
    for section, rows in (
        ("math500", _math500_rows),
        ("graded_pairs", _graded_pairs_rows),
        ("hard_pairs", _hard_pairs_rows),
        ("hard_texts", _hard_texts_rows),
        ("rate", _rate_rows),
        ("hostile", _hostile_rows),
    ):
        if section in results:
            yield from rows([results[section][name] for name in names], results)


def _row(title: str, found: Sequence[dict], show: Callable[[dict], object]) -> Row:
    return title, [str(show(one)) for one in found]


def _math500_rows(found: Sequence[dict], results: dict) -> Iterator[Row]:
    yield f"MATH-500, {found[0]['problems']} problems: recognised", []
    for title, key in (
        ("reference = itself", "itself"),
        ("reference = its plain notation", "plain"),
        ("reference = worked solution's answer", "solution"),
    ):
        yield title, [str(one["problems"] - len(one["missed"][key])) for one in found]
    title = f"{found[0]['pairs']:,} pairs of different answers: called equal"
    yield _row(title, found, lambda one: len(one["called_equal"]))


def _graded_pairs_rows(found: Sequence[dict], results: dict) -> Iterator[Row]:
    yield f"Graded pairs, {found[0]['pairs']}", []
    yield from _verdict_rows(found)


def _hard_pairs_rows(found: Sequence[dict], results: dict) -> Iterator[Row]:
    yield f"Hard pairs, {found[0]['pairs']}", []
    yield from _verdict_rows(found)


def _hard_texts_rows(found: Sequence[dict], results: dict) -> Iterator[Row]:
    yield f"Hard texts, {found[0]['pairs']}: answer found", []
    yield _row("right", found, lambda one: f"{share_right(one):.1%}")


def _verdict_rows(found: Sequence[dict]) -> Iterator[Row]:
    yield _row("right", found, lambda one: f"{share_right(one):.1%}")
    yield _row("called equal, but different", found, lambda one: len(one["false_positives"]))
    yield _row("called different, but equal", found, lambda one: len(one["false_negatives"]))


def share_right(found: dict) -> float:
    """Return the share of a table's pairs on which a grader is right."""
    return 1 - (len(found["false_positives"]) + len(found["false_negatives"])) / found["pairs"]


def _rate_rows(found: Sequence[dict], results: dict) -> Iterator[Row]:
    work = results["rate_work"]
    own = f"{work['same_string']:.0%} the reference's own string"
    yield f"Rate, {work['answers']:,} answers, {own}", []
    yield _row("grades per second, one core", found, lambda one: f"{one['rate']:,.0f}")
    if peer := results["rate"].get("math-verify"):
        yield _row(
            "times math-verify's rate", found, lambda one: f"{one['rate'] / peer['rate']:.1f}"
        )
    yield _row("called equal", found, lambda one: one["called_equal"])


def _hostile_rows(found: Sequence[dict], results: dict) -> Iterator[Row]:
    yield f"Hostile answers, {found[0]['answers']}", []
    for title, key in (
        (f"over {SECONDS_ALLOWED} s", "slow"),
        (f"of these stopped at {SECONDS_AT_MOST} s", "stopped"),
        (f"over {MEGABYTES_ALLOWED} MB, of those that finished", "large"),
        ("raised or crashed", "raised"),
        ("ran it as code", "executed"),
    ):
        yield title, [str(len(one[key])) for one in found]
    yield _row(
        "slowest that finished, seconds", found, lambda one: f"{one['slowest']['seconds']:.2f}"
    )
    yield _row(
        "most memory of those that finished, MB", found, lambda one: f"{one['most_megabytes']:.0f}"
    )


def print_details(results: dict) -> None:
    """Print the cases behind the counts: misses, pairs called equal, hostile answers that cost too
    much.
    """
    for section in ("math500", "graded_pairs", "hard_pairs", "hard_texts", "hostile"):
        for name, found in results.get(section, {}).items():
            cases = found | {
                f"missed, {key}": pairs for key, pairs in found.get("missed", {}).items()
            }
            for key, entries in cases.items():
                for entry in entries if isinstance(entries, list) else ():
                    print(f"{section}, {name}, {key}: {entry}")


def main() -> None:
    """Measure all graders that are installed, and print their table."""
    parser = argparse.ArgumentParser(
        description="Measure how right, how fast and how safe the verifier is, beside others where "
        "they are installed.",
        epilog="MATH-500 is the JSON file that the environment variable MATH500_JSON names; if it "
        "is not set, the test set is downloaded from the Hugging Face Hub on first use. Our "
        "verifier takes about three minutes; the others, if they are installed, about twenty, most "
        "of it for hostile answers on which they have to be stopped.",
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
            "the benchmark needs fork(), which this system does not have; it runs on Linux and "
            "macOS"
        )
    if importlib.util.find_spec("pebble") is None:
        parser.error("the benchmark stops graders that hang by pebble: pip install pebble")

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
    hard = read_json(HARD_ANSWERS)
    for section, pairs in (
        ("graded_pairs", read_json(GRADED_PAIRS, list)),
        ("hard_pairs", hard["pairs"]),
    ):
        results[section] = {grader.name: measure_graded_pairs(grader, pairs) for grader in graders}
    results["hard_texts"] = {
        grader.name: measure_texts(grader, hard["texts"]) for grader in graders
    }
    if not arguments.skip_hostile:
        results["hostile"] = {
            grader.name: measure_hostile(grader, hostile_answers()) for grader in graders
        }

    rows = [(title, *(cells or [""] * len(names))) for title, cells in table_rows(results, names)]
    print(table(["", *names], rows))
    if arguments.json:
        write_json(arguments.json, results, indent=1)
    if arguments.show:
        print_details(results)


if __name__ == "__main__":
    run_main(main)
