"""Hostile answers are graded in half a second, in 200 MB, without a word, and nothing in them is
run.

Run as a command, this file grades every second one, or those between, and prints a line of JSON for
each: the tests run it in two processes of their own, whose memory is their own, and read the lines.
"""

import contextlib
import itertools
import json
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from CH3 import math_verifier
from CH3.benchmark_verifier.hostile_answers import hostile_answers
from CH3.math_verifier import extract_answer, grade_answer, same_answer

resource = pytest.importorskip(
    "resource", reason="the peak of a process's memory is measured on Unix only"
)

SECONDS, MEGABYTES = 0.5, 200  # for one call, of CPU time and above the start
NAMES = [name for name, _ in hostile_answers()]
WARM_UP = Path(math_verifier.__file__).parents[1] / "graded_pairs.json"
# What Python reports when a text is run, or reaches for something outside; `compile` is for eval
# and lambdify too.
WATCHED = (
    "exec",
    "compile",
    "import",
    "open",
    "os.",
    "subprocess.",
    "socket.",
    "shutil.",
    "ctypes.",
    "pickle.",
    "code.",
)


def calls_on(text: str) -> dict:
    """What is asked of the verifier about one text."""
    # the longest way to find that two lists are the same
    backwards = ",".join(text.split(",")[::-1])
    return {
        "extract": lambda: extract_answer(text),
        "against itself": lambda: grade_answer(text, text),
        "against a near copy": lambda: grade_answer(text, f"{text} + 1"),
        "against itself backwards": lambda: grade_answer(text, backwards),
        "against 1": lambda: grade_answer(text, "1"),
        "as reference": lambda: grade_answer("1", text),
        "as a vote": lambda: same_answer(text, "1"),
    }


def peak_megabytes() -> float:
    """The most memory this process ever had (Linux counts in KiB, macOS in bytes)."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10


def grade_every_second(first: int) -> None:
    """Print name, seconds of each call, memory above the start, watched events and exceptions, a
    line an answer.
    """
    events: list[str] = []
    watching = False

    def watch(event: str, arguments: tuple) -> None:
        if watching and event.startswith(WATCHED):
            events.append(f"{event}{arguments[:2]!r}"[:200])

    sys.addaudithook(watch)
    # so that libraries have loaded what they load late
    for pair in json.loads(WARM_UP.read_text(encoding="utf-8")):
        with contextlib.suppress(Exception):  # which the test of the table reports
            grade_answer(pair["predicted"], pair["reference"])
    start = peak_megabytes()
    for name, text in itertools.islice(hostile_answers(), first, None, 2):
        seconds, errors = {}, {}
        events.clear()
        for call, function in calls_on(text).items():
            watching, began = True, time.process_time()
            try:
                function()
            except BaseException as error:  # SystemExit, too, is an error here
                errors[call] = repr(error)[:200]
            watching, seconds[call] = False, time.process_time() - began
            if seconds[call] >= SECONDS:  # or was the machine busy? Once more
                began = time.process_time()
                with contextlib.suppress(BaseException):
                    function()
                seconds[call] = min(seconds[call], time.process_time() - began)
        line = dict(
            name=name,
            seconds=seconds,
            megabytes=peak_megabytes() - start,
            events=events,
            errors=errors,
        )
        print(json.dumps(line), flush=True)


def measured(folder: Path) -> dict[str, dict]:
    """Grade all answers in a folder; return the lines, by name, without those after an answer that
    never returned.
    """

    def grade(first: int) -> list[str]:
        out = folder.parent / f"hostile_answers_{first}.jsonl"
        command = [sys.executable, str(Path(__file__).resolve()), str(first)]
        with out.open("w") as lines, contextlib.suppress(subprocess.TimeoutExpired):
            subprocess.run(command, stdout=lines, cwd=folder, timeout=600)
        return out.read_text().splitlines()

    with ThreadPoolExecutor() as pool:
        lines = itertools.chain.from_iterable(pool.map(grade, range(2)))
    return {line["name"]: line for line in map(json.loads, lines)}


def faults(line: dict | None) -> list[str]:
    """Return what is wrong with a line, or with an answer that has none."""
    if line is None:
        return ["never finished, or one before it did not"]
    found = [f"{what}: {line[what]}" for what in ("errors", "events") if line[what]]
    slow = {call: seconds for call, seconds in line["seconds"].items() if seconds >= SECONDS}
    found += [f"seconds: {slow}"] if slow else []
    found += [f"megabytes: {line['megabytes']}"] if line["megabytes"] >= MEGABYTES else []
    return found


@pytest.mark.long
def test_hostile_answers_are_graded_quietly_fast_and_small_and_leave_nothing_behind(tmp_path):
    """All in one test, as processes that run tests side by side would each grade all of them."""
    folder = tmp_path / "empty"  # a file here was written by a hostile answer
    folder.mkdir()
    lines = measured(folder)
    wrong = [f"{name}: {'; '.join(found)}" for name in NAMES if (found := faults(lines.get(name)))]
    assert not wrong, "\n".join(wrong)
    assert len(lines) == len(NAMES)
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({}, []),
        ({"errors": {"extract": "ValueError()"}}, ["errors: {'extract': 'ValueError()'}"]),
        ({"events": ["open('x',)"]}, ["events: [\"open('x',)\"]"]),
        ({"seconds": {"extract": 0.1, "as a vote": 0.6}}, ["seconds: {'as a vote': 0.6}"]),
        ({"megabytes": 250}, ["megabytes: 250"]),
    ],
)
def test_what_is_wrong_with_a_line_is_told(change, said):
    line = {"seconds": {"extract": 0.1}, "megabytes": 10, "events": [], "errors": {}}
    assert faults({**line, **change}) == said


def test_there_are_many_and_their_names_differ():
    assert len(set(NAMES)) == len(NAMES) >= 200


def test_the_watch_sees_what_is_run(tmp_path):
    """The hook above, on a verifier that evaluates its text."""
    script = (
        "import runpy, sys\n"
        f"names = runpy.run_path({str(Path(__file__).resolve())!r})\n"
        "test = names['grade_every_second'].__globals__\n"
        "test['hostile_answers'] = lambda: [('code', \"open('hostile_canary', 'w')\")]\n"
        "test['grade_answer'] = lambda predicted, reference: eval(predicted)\n"
        "test['WARM_UP'] = type(test['WARM_UP'])(sys.argv[1])\n"
        "test['grade_every_second'](0)\n"
    )
    empty = tmp_path / "empty.json"
    empty.write_text("[]")
    command = [sys.executable, "-c", script, str(empty)]
    line = json.loads(
        subprocess.run(command, capture_output=True, check=True, cwd=tmp_path, timeout=100).stdout
    )
    seen = {event.partition("(")[0] for event in line["events"]}
    assert {"compile", "exec", "open"} <= seen
    assert (tmp_path / "hostile_canary").exists()


if __name__ == "__main__":
    grade_every_second(int(sys.argv[1]))
