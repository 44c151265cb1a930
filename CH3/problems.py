"""The problems of an evaluation: ours, which ship with the repository, MATH-500, or a file of your
own.

- every file has the fields of MATH-500 (Lightman et al., 2023, https://arxiv.org/abs/2305.20050)
- MATH-500 is downloaded on first use, as its text is not ours to ship
- a file is checked before the first problem is answered, not when the last one turns out to lack
  its answer
"""

import json
import os
from pathlib import Path
from typing import Any

from huggingface_hub import HfApi, hf_hub_download

from Appendixes.command_line import first_line

FOLDER = Path(__file__).resolve().parent
ARITHMETIC500_FILE = FOLDER / "arithmetic500_test.json"
MATH500_FILE = FOLDER / "math500_test.json"
MATH500_HUB_NAME, MATH500_HUB_FILE, MATH500_SIZE = "HuggingFaceH4/MATH-500", "test.jsonl", 500
TEXT_FIELDS = ("problem", "solution", "answer", "subject", "unique_id")
FIELDS = (*TEXT_FIELDS, "level")
HUB_TIMEOUT = 10  # seconds


def load_problems(name_or_path: str | Path, limit: int | None = None) -> list[dict]:
    """Read the problems of an evaluation.

    Args:
        name_or_path: `"arithmetic500"` (ships with the repository), `"math500"`, or the path of a
            `.json` file that holds a list or a `.jsonl` file with one problem a line. `"math500"`
            is the file that the environment variable `MATH500_JSON` names; if that is not set,
            `CH3/math500_test.json`, downloaded when it is not there.
        limit: only the first so many; None: all.

    Returns:
        Dictionaries with the texts `problem`, `solution`, `answer`, `subject` and `unique_id`, and
        the number `level`.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is not JSON or holds no problems; a problem lacks a field, or its
            `unique_id` is another's.
        ConnectionError: MATH-500 is not on disk, and the Hub cannot be reached.
    """
    if limit is not None and limit < 1:
        raise ValueError(f"limit is {limit}: at least one problem is needed")
    return read_problems(_find(str(name_or_path)))[:limit]


def read_problems(path: Path) -> list[dict]:
    """Read and check one file of problems; see `load_problems`."""
    rows = _read_rows(path)
    if not rows:
        raise ValueError(f"{path} holds no problems")
    problems = [
        _checked(row, f"{path}, problem {number}") for number, row in enumerate(rows, start=1)
    ]
    first_number: dict[str, int] = {}
    for number, problem in enumerate(problems, start=1):
        unique_id = problem["unique_id"]
        if first_number.setdefault(unique_id, number) != number:
            raise ValueError(
                f"{path}: problems {first_number[unique_id]} and {number} have one unique_id, {unique_id}"
            )
    return problems


def _find(name: str) -> Path:
    if name == "arithmetic500":
        return ARITHMETIC500_FILE
    if name != "math500":
        return Path(name).expanduser()
    if os.environ.get("MATH500_JSON"):
        return Path(os.environ["MATH500_JSON"])
    if not MATH500_FILE.is_file():
        _download_math500()
    return MATH500_FILE


def _download_math500() -> None:
    """Fetch MATH-500 from the Hub; `MATH500_FILE` appears at once and whole."""
    try:
        # asks once, where a download asks again and again
        HfApi().dataset_info(MATH500_HUB_NAME, timeout=HUB_TIMEOUT)
        downloaded = hf_hub_download(MATH500_HUB_NAME, MATH500_HUB_FILE, repo_type="dataset")
    # the library lets through what its HTTP client raises, which differs by version
    except Exception as error:
        raise ConnectionError(
            f"MATH-500 could not be downloaded from the Hub ({type(error).__name__}: {first_line(error)}). Connect to "
            f"a network and try again, or get {MATH500_HUB_FILE} of the dataset {MATH500_HUB_NAME} by other means and "
            "set the environment variable MATH500_JSON to its path"
        ) from None
    problems = read_problems(Path(downloaded))
    if len(problems) != MATH500_SIZE:
        raise ValueError(
            f"{downloaded} has {len(problems)} problems, MATH-500 has {MATH500_SIZE}; delete it, try again"
        )
    # several processes may start at once
    part = MATH500_FILE.with_name(f"{MATH500_FILE.name}.{os.getpid()}.part")
    part.write_text(json.dumps(problems, indent=1) + "\n", encoding="ascii")
    part.replace(MATH500_FILE)


def _read_rows(path: Path) -> list:
    """The entries of a `.json` or `.jsonl` file, whatever they are."""
    if not path.is_file():
        raise FileNotFoundError(
            f"no file {path}: give 'arithmetic500', 'math500', or a .json or .jsonl file"
        )
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not text in UTF-8 ({error})") from None
    if path.suffix == ".jsonl":
        lines = enumerate(text.split("\n"), start=1)
        return [_parsed(line, f"{path}, line {number}") for number, line in lines if line.strip()]
    rows = _parsed(text, str(path))
    if not isinstance(rows, list):
        raise ValueError(f"{path} holds a {type(rows).__name__}, expected a list of problems")
    return rows


def _parsed(text: str, place: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{place} is not valid JSON ({error})") from None


def _checked(row: Any, place: str) -> dict:
    """The fields of a problem, when all are there and of the right type."""
    if not isinstance(row, dict):
        raise ValueError(
            f"{place} is a {type(row).__name__}, expected an object with {', '.join(FIELDS)}"
        )
    missing = [name for name in FIELDS if name not in row]
    if missing:
        raise ValueError(f"{place} has no {', '.join(missing)}")
    for name in TEXT_FIELDS:
        if not isinstance(row[name], str) or not (row[name].strip() or name == "solution"):
            raise ValueError(f"{place}: {name} is {row[name]!r}, expected text")
    if type(row["level"]) is not int:
        raise ValueError(f"{place}: level is {row['level']!r}, expected a whole number")
    return {name: row[name] for name in FIELDS}
