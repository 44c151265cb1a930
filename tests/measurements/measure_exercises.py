"""Check all solutions of the exercises while every core is busy: right answers must pass.

python tests/measurements/measure_exercises.py               ten rounds, capstones included
python tests/measurements/measure_exercises.py --rounds 1
"""

import argparse
import contextlib
import multiprocessing
import os
import sys
import time
from collections.abc import Iterator

from Exercises.cases import PASSED
from Exercises.chapters import FOLDER, chapters, exercises
from Exercises.checking import check


def _compute() -> None:
    parent = os.getppid()
    while os.getppid() == parent:  # nobody is left computing when the measurement is killed
        pass


@contextlib.contextmanager
def busy_cores() -> Iterator[None]:
    """Keep every core busy inside the block, with a process for each that only computes."""
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_compute, daemon=True) for _ in range(os.cpu_count() or 1)]
    for process in processes:
        process.start()
    try:
        yield
    finally:
        for process in processes:
            process.kill()


def solutions_file(chapter: str) -> str:
    """Return a chapter's solutions, as the text of a reader's file."""
    return (FOLDER / "solutions" / f"{chapter}.py").read_text(encoding="utf-8")


def main() -> int:
    """Print the verdicts that were not `passed`, round by round; return how many there were."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=10)
    rounds = parser.parse_args().rounds
    wrong = checked = 0
    for number in range(rounds):
        start = time.perf_counter()
        with busy_cores():
            for chapter in chapters():
                for verdict in check(solutions_file(chapter), exercises(chapter)):
                    checked += 1
                    if verdict.state != PASSED:
                        wrong += 1
                        print(f"{chapter} {verdict.name}: {verdict.state}\n{verdict.message}")
        seconds = time.perf_counter() - start
        print(f"round {number + 1}: {checked} checked, {wrong} wrong, {seconds:.0f} s", flush=True)
    return wrong


if __name__ == "__main__":
    sys.exit(bool(main()))
