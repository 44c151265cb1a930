"""The problems of an evaluation: ours, which ship with the repository, MATH-500, or your own file.

- every file has the fields of MATH-500 (Lightman et al., 2023, https://arxiv.org/abs/2305.20050);
  puzzles of Countdown have numbers and a target in the place of an answer
- MATH-500 is downloaded on first use, as its text is not ours to ship
- a file is checked as a whole before the first problem is answered
- importing this module takes no time: no torch, no matplotlib
"""

import difflib
import os
import re
from pathlib import Path
from typing import Any, TypedDict, cast

from Appendixes.command_line import BACKSLASH, first_line, parse_json, read_json, write_json

FOLDER = Path(__file__).resolve().parent
SHIPPED = {
    "arithmetic500": FOLDER / "arithmetic500_test.json",
    "countdown500": FOLDER / "countdown500_test.json",
}
MATH500_FILE = FOLDER / "math500_test.json"
MATH500_HUB_NAME, MATH500_HUB_FILE, MATH500_SIZE = "HuggingFaceH4/MATH-500", "test.jsonl", 500
HUB_TIMEOUT = 10  # seconds to wait for the Hub's first reply


class _Asked(TypedDict):
    problem: str
    solution: str
    subject: str
    level: int
    unique_id: str


class Puzzle(TypedDict):
    """Numbers, and the target that an answer must make with each of them once."""

    numbers: list[int]
    target: int


class Problem(_Asked, total=False):
    """One problem, with the fields of MATH-500; `solution` may be empty.

    It has an `answer` that others are compared with; or, where an answer can only be checked, the
    fields of a `Puzzle`.
    """

    answer: str
    numbers: list[int]
    target: int


Reference = str | Puzzle  # an answer to compare with, or what an answer is checked by
FIELDS = ("problem", "solution", "answer", "subject", "level", "unique_id")
PUZZLE_FIELDS = (*_Asked.__annotations__, *Puzzle.__annotations__)
# what a problem has whose file does not say; its unique_id is then its number
DEFAULTS = {"solution": "", "subject": "no subject", "level": 0}
LONG_TEXTS = ("problem", "solution")  # of several lines; the other texts are short
# Characters that a backslash makes in JSON if it is not doubled, as in "\frac" or "\text", and
# their like; the line breaks and tabs of a text of several lines are none of them.
CONTROL = re.compile(r"[\x00-\x1f\x7f]")
CONTROL_IN_LONG = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|\r(?!\n)")
EXPECTED = {"level": "an integer", "target": "an integer", "numbers": "a list of integers"}


def reference_of(problem: Problem) -> Reference:
    """Return what decides if an answer is right: the reference answer, or the puzzle to check."""
    if is_puzzle(problem):
        return {"numbers": problem["numbers"], "target": problem["target"]}
    return problem["answer"]


def is_puzzle(problem: Problem) -> bool:
    """Return True if answers are checked, as there is none to compare with."""
    return "target" in problem


def load_problems(name_or_path: str | Path, limit: int | None = None) -> list[Problem]:
    """Read the problems of an evaluation.

    Args:
        name_or_path: `"arithmetic500"` or `"countdown500"` (which ship with the repository),
            `"math500"`, or the path of a `.json` file that holds a list or a `.jsonl` file with one
            problem per line. `"math500"` is the file that the environment variable `MATH500_JSON`
            names; if that is not set, `CH3/math500_test.json`, downloaded when it is not there.
        limit: number of problems to keep, from the first on; None: all.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is not JSON or holds no problems; a problem lacks a field that has no
            default (`DEFAULTS`), is not valid Unicode or holds a control character, or two have the
            same `unique_id`; `limit` is less than 1.
        ConnectionError: MATH-500 is not on disk, and the Hub cannot be reached.
    """
    if limit is not None and limit < 1:
        raise ValueError(f"limit is {limit}: at least one problem is needed")
    return read_problems(_find(str(name_or_path)))[:limit]


def read_problems(path: Path) -> list[Problem]:
    """Read and check one file of problems; see `load_problems`."""
    rows = _read_rows(path)
    if not rows:
        raise ValueError(f"{path} holds no problems")
    first_number: dict[str, int] = {}
    problems = []
    for number, (place, row) in enumerate(rows, start=1):
        problem = _checked(row, place, number)
        _check_characters(problem, place)
        problems.append(problem)
        unique_id = problem["unique_id"]
        if (first := first_number.setdefault(unique_id, number)) != number:
            raise ValueError(
                f"{path}: problems {first} and {number} have one unique_id, {unique_id}"
            )
    return problems


def _find(name: str) -> Path:
    """Return the file of a set of problems; MATH-500 is downloaded if it is nowhere."""
    if name in SHIPPED:
        return SHIPPED[name]
    if name != "math500":
        return Path(name).expanduser()
    if os.environ.get("MATH500_JSON"):
        return Path(os.environ["MATH500_JSON"])
    if not MATH500_FILE.is_file():
        _download_math500()
    return MATH500_FILE


def _download_math500() -> None:
    """Fetch MATH-500 from the Hub; `MATH500_FILE` appears whole or not at all."""
    from huggingface_hub import HfApi, hf_hub_download  # takes half a second, and is rarely needed

    try:
        # one attempt to reach the Hub, where a download makes several
        HfApi().dataset_info(MATH500_HUB_NAME, timeout=HUB_TIMEOUT)
        downloaded = hf_hub_download(MATH500_HUB_NAME, MATH500_HUB_FILE, repo_type="dataset")
    # the library passes on its HTTP client's exceptions, which differ by version
    except Exception as error:
        raise ConnectionError(
            f"MATH-500 could not be downloaded from the Hub ({type(error).__name__}: "
            f"{first_line(error)}). Connect to a network and try again, or get {MATH500_HUB_FILE} "
            f"of the dataset {MATH500_HUB_NAME} by other means and set the environment variable "
            "MATH500_JSON to its path"
        ) from None
    problems = read_problems(Path(downloaded))
    if len(problems) != MATH500_SIZE:
        raise ValueError(
            f"{downloaded} has {len(problems)} problems, MATH-500 has {MATH500_SIZE}; delete it, "
            "try again"
        )
    write_json(MATH500_FILE, problems, indent=1)


def _read_rows(path: Path) -> list[tuple[str, Any]]:
    """Read the entries of a `.json` or `.jsonl` file, unchecked, each with its place."""
    if not path.is_file():
        raise FileNotFoundError(
            f"no file {path}: give 'arithmetic500', 'countdown500', 'math500', or a .json or "
            ".jsonl file"
        )
    if path.suffix.lower() != ".jsonl":
        rows = enumerate(read_json(path, list), start=1)
        return [(f"{path}, problem {number}", row) for number, row in rows]
    lines = enumerate(path.read_bytes().split(b"\n"), start=1)
    places = [(f"{path}, line {number}", line) for number, line in lines if line.strip()]
    return [(place, parse_json(line, place)) for place, line in places]


def _check_characters(problem: Problem, place: str) -> None:
    """Refuse what nobody means: half of a surrogate pair, as in `"\\ud83d"`; control characters."""
    for name, value in problem.items():
        try:
            str(value).encode()
        except UnicodeEncodeError as error:
            raise ValueError(f"{place}: {name} is not valid Unicode ({error})") from None
        control = CONTROL_IN_LONG if name in LONG_TEXTS else CONTROL
        if found := control.search(str(value)):
            near = str(value)[max(0, found.start() - 10) : found.end() + 10]
            raise ValueError(f"{place}: {name} holds a control character, {near!r}; {BACKSLASH}")


def _checked(row: Any, place: str, number: int) -> Problem:
    """Return the fields of a problem, if all that are needed are there and of the right type."""
    if not isinstance(row, dict):
        raise ValueError(
            f"{place} is a {type(row).__name__}, expected an object with problem and answer"
        )
    # 1. All fields are there; some have a default, unless their name is only misspelt.
    defaults = {**DEFAULTS, "unique_id": str(number)}
    for name in defaults.keys() - row.keys():
        for near in difflib.get_close_matches(name, row.keys() - {*FIELDS, *PUZZLE_FIELDS}, 1, 0.8):
            raise ValueError(f"{place} has {near!r}: is it {name!r} that is meant?")
    row = {**defaults, **row}
    fields = PUZZLE_FIELDS if "answer" not in row and "target" in row else FIELDS
    missing = [name for name in fields if name not in row]
    if missing:
        raise ValueError(f"{place} has no {', '.join(missing)}")
    # 2. Each is of its type; only a solution may be empty.
    for name in fields:
        expected = EXPECTED.get(name, "text")
        may_be_empty = name == "solution" and type(row[name]) is str
        if not (may_be_empty or _is(row[name], expected)):
            raise ValueError(f"{place}: {name} is {row[name]!r}, expected {expected}")
    return cast(Problem, {name: row[name] for name in fields})


def _is(value: Any, expected: str) -> bool:
    """Return True if a value read from JSON is a text that is not empty, or what else is named."""
    if expected == "a list of integers":
        return type(value) is list and value != [] and all(type(one) is int for one in value)
    if expected == "an integer":
        return type(value) is int
    return type(value) is str and value.strip() != ""
