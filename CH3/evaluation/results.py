"""The file of an evaluation's results: one line a problem, which outlives the program that writes
it.

- the first line holds the settings: a file of another model, other data or another setting is
  refused, not mixed
- each result is one line, handed to the operating system as it is made, so `kill -9` loses none
  that was finished
- a last line that was cut off in the writing is dropped, and its problem answered again
"""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

try:
    import fcntl
except ImportError:  # Windows: there, two runs at once are not noticed
    fcntl = None  # type: ignore[assignment]  # there is no optional module type

FIELDS = (
    "unique_id",
    "subject",
    "level",
    "prompt",
    "text",
    "extracted",
    "reference",
    "correct",
    "tokens",
    "seconds",
)
OPTIONAL_FIELDS = ("samples",)  # the solutions that voted, where an answer is a vote's
HEADER_START = b'{"settings": '


class ResultsFileError(ValueError):
    """A results file that this run cannot continue, and why."""


class ResultsFile:
    """Results on disk, open for more.

        with ResultsFile("results.jsonl", {"model": "tiny"}, unique_ids) as file:
            file.append({"unique_id": ..., "correct": True, ...})

    Args:
        path: of a new file, whose folder is made if need be, or of one to continue.
        settings: all that the results depend on, as JSON can hold it.
        unique_ids: of the problems that the file may hold.

    Attributes:
        results: what the file holds, by `unique_id`.

    Raises:
        ResultsFileError: the file was made with other settings, is no results file, is damaged in
            the middle, or is being written by another program.
    """

    def __init__(self, path: str | Path, settings: dict, unique_ids: Iterable[str]):
        self.path = Path(path)
        self.settings = json.loads(json.dumps(settings))  # as they will be read back
        self.unique_ids = frozenset(unique_ids)
        self.results: dict[str, dict] = {}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._file = self.path.open("a+b")
        try:
            self._lock()
            self._resume()
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> "ResultsFile":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the writing; other programs may continue the file."""
        self._file.close()

    def append(self, result: dict) -> None:
        """Write one result.

        Raises:
            ValueError: it is of no problem that is to be answered, or of one that was.
        """
        unique_id = result["unique_id"]
        if unique_id not in self.unique_ids or unique_id in self.results:
            reason = (
                "was answered before" if unique_id in self.results else "is not among the problems"
            )
            raise ValueError(f"an answer to problem {unique_id!r}, which {reason}")
        optional = [name for name in OPTIONAL_FIELDS if name in result]
        self._write({name: result[name] for name in (*FIELDS, *optional)})
        self.results[unique_id] = result

    def _write(self, entry: dict) -> None:
        """One line, which the operating system has at once; forcing it onto the disk helps only if
        the power fails.
        """
        self._file.write(json.dumps(entry).encode("ascii") + b"\n")
        self._file.flush()

    def _lock(self) -> None:
        """Keep other programs out until this one ends, however it ends."""
        if fcntl is None:
            return
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):  # the second on some network file systems
            raise ResultsFileError(
                f"{self.path} is being written by another program; wait until it ends"
            ) from None
        except OSError:  # a file system without locks
            return

    def _resume(self) -> None:
        """Read what is there; a new file gets its first line."""
        self._file.seek(0)
        content = self._file.read()
        self.results, whole = _parsed(content, self.path, self.settings, self.unique_ids)
        self._file.truncate(whole)
        if not whole:
            self._write({"settings": self.settings})


def read_results(path: str | Path, settings: dict, unique_ids: Iterable[str]) -> dict[str, dict]:
    """What a results file holds, by `unique_id`; the file stays as it is.

    Args:
        path, settings, unique_ids: as for `ResultsFile`, which says what is raised.
    """
    settings = json.loads(json.dumps(settings))
    return _parsed(Path(path).read_bytes(), Path(path), settings, frozenset(unique_ids))[0]


def _parsed(
    content: bytes, path: Path, settings: dict, unique_ids: frozenset[str]
) -> tuple[dict[str, dict], int]:
    """The results in a file's content, and how many bytes of it are whole lines."""
    if content[: len(HEADER_START)] != HEADER_START[: len(content)]:
        raise ResultsFileError(f"{path} is not a file of results; give another name")
    header, *lines = content.split(b"\n")
    if not lines:  # not even the first line is whole
        return {}, 0
    _check_settings(header, path, settings)
    results: dict[str, dict] = {}
    for number, line in enumerate(lines[:-1], start=2):
        result = _read_result(line, f"{path}: line {number}", unique_ids)
        unique_id = result["unique_id"]
        if unique_id in results:
            raise ResultsFileError(
                f"{path}: line {number} answers problem {unique_id} again; delete the line"
            )
        results[unique_id] = result
    return results, len(content) - len(lines[-1])


def _check_settings(header: bytes, path: Path, now: dict) -> None:
    try:
        there = dict(json.loads(header)["settings"])
    except (ValueError, TypeError):
        raise ResultsFileError(f"{path}: the first line is damaged; give another name") from None
    different = [name for name in {**there, **now} if there.get(name) != now.get(name)]
    if different:
        details = "; ".join(
            f"{name} was {there.get(name)!r} and is {now.get(name)!r}" for name in different
        )
        raise ResultsFileError(f"{path} was made with other settings: {details}. Give another name")


def _read_result(line: bytes, place: str, unique_ids: frozenset[str]) -> dict:
    try:
        result = json.loads(line)
        damaged = (
            result.keys() - set(OPTIONAL_FIELDS) != set(FIELDS)
            or result["unique_id"] not in unique_ids
        )
    except (ValueError, TypeError, KeyError, AttributeError):
        damaged = True
    if damaged:
        raise ResultsFileError(
            f"{place} is damaged; delete the line, and its problem is answered again"
        )
    return result


def digest(value: Any) -> str:
    """A short fingerprint of anything that JSON can hold.

    >>> digest({"level": 1, "subject": "Algebra"}) == digest({"subject": "Algebra", "level": 1})
    True
    """
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]
