"""The file of an evaluation's results: one line per problem, which outlives the program.

- the first line holds the settings: a file of another model, other data or another setting is
  refused, not mixed
- each result is one line, handed to the operating system as it is made, so `kill -9` loses none
  that was finished
- a last line that was cut off is dropped, and its problem answered again
- several processes share the problems by `Shard`: each has a file of its own, and `read_shards`
  puts them together
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict, TypeVar, cast

from filelock import FileLock, Timeout

from CH3.problems import Reference

HEADER_START = b'{"settings": '
Settings = dict[str, Any]  # all that results depend on besides the problems, as JSON can hold it
T = TypeVar("T")


class SampleRecord(TypedDict):
    """One solution that took part in a vote, as a results file keeps it."""

    answer: str | None
    logprob: float
    tokens: int
    text: str


class _Graded(TypedDict):
    unique_id: str
    subject: str
    level: int
    prompt: str
    text: str
    finish_reason: str | None
    extracted: str | None
    reference: Reference
    correct: bool
    tokens: int
    seconds: float


class Result(_Graded, total=False):
    """One answer and its verdict; `samples` only where the answer won a vote.

    `finish_reason`: see `CH3.evaluation.writers.Text`. `extracted`: the answer found in the text,
    None if there is none. `reference`: what it was compared with, or checked by. `tokens`:
    generated for this problem, by all samples of a vote together.
    """

    samples: list[SampleRecord]


FIELDS = tuple(_Graded.__annotations__)
OPTIONAL_FIELDS = ("samples",)


class ResultsFileError(ValueError):
    """A results file that cannot be continued or read, and why."""


@dataclass(frozen=True)
class Shard:
    """One process's part of the work, "3/8" in words: every eighth item from the third on."""

    number: int = 1  # from 1
    count: int = 1

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"

    @classmethod
    def parse(cls, text: str) -> "Shard":
        """Read a shard such as "3/8".

        Raises:
            ValueError: the text is of another form, or there is no such shard.
        """
        number, slash, count = text.partition("/")
        if slash and number.isdecimal() and count.isdecimal() and 1 <= int(number) <= int(count):
            return cls(int(number), int(count))
        raise ValueError(f"shard {text!r}: expected a number and a count such as 3/8, from 1/8 on")

    def of(self, items: Sequence[T]) -> Sequence[T]:
        """Return the items of this shard.

        >>> Shard(2, 3).of("abcdefgh")
        'beh'
        """
        return items[self.number - 1 :: self.count]

    def file(self, path: Path) -> Path:
        """Return the name of this shard's results file; that of a shard 1/1 is the path itself.

        >>> Shard(3, 8).file(Path("out.jsonl")).name
        'out.shard-3-of-8.jsonl'
        """
        if self.count == 1:
            return path
        return path.with_name(f"{path.stem}.shard-{self.number}-of-{self.count}{path.suffix}")


WHOLE = Shard()  # all of the work


class ResultsFile:
    """A results file on disk, open for more results and locked against other programs.

        with ResultsFile("results.jsonl", {"model": "tiny"}, unique_ids) as file:
            file.append({"unique_id": ..., "correct": True, ...})

    Args:
        path: of a new file, whose folder is made if need be, or of one to continue. A file with
            `.lock` added to this name lies beside it.
        settings: all that the results depend on, as JSON can hold it.
        unique_ids: of the problems that the file may hold.

    Attributes:
        results: what the file holds, by `unique_id`.

    Raises:
        ResultsFileError: the file was made with other settings, is no results file, is damaged in
            the middle, or is being written by another program.
    """

    def __init__(self, path: str | Path, settings: Settings, unique_ids: Iterable[str]):
        self.path = Path(path)
        self.settings = json.loads(json.dumps(settings))  # as they will be read back
        self.unique_ids = frozenset(unique_ids)
        self.results: dict[str, Result] = {}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._file = self.path.open("a+b")
        self._lock = FileLock(f"{self.path}.lock", blocking=False, thread_local=False)
        try:
            self._take_lock()
            self._resume()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> "ResultsFile":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the writing; other programs may continue the file."""
        self._file.close()
        self._lock.release()

    def append(self, result: Result) -> None:
        """Write one result.

        Raises:
            ValueError: its problem is not one of the file's, or has a result already.
        """
        unique_id = result["unique_id"]
        if unique_id not in self.unique_ids or unique_id in self.results:
            known = unique_id in self.results
            reason = "was answered before" if known else "is not among the problems"
            raise ValueError(f"an answer to problem {unique_id!r}, which {reason}")
        names = (*FIELDS, *OPTIONAL_FIELDS)
        fields = cast(dict[str, Any], result)
        self._write({name: fields[name] for name in names if name in fields})
        self.results[unique_id] = result

    def _write(self, entry: dict[str, Any]) -> None:
        """Append one JSON line and flush.

        No fsync: a killed process loses nothing, a power cut may.
        """
        self._file.write(json.dumps(entry).encode("ascii") + b"\n")
        self._file.flush()

    def _take_lock(self) -> None:
        """Keep other programs out until this one ends, however it ends."""
        try:
            self._lock.acquire()
        except Timeout:
            raise ResultsFileError(
                f"{self.path} is being written by another program; wait until it ends"
            ) from None
        except (OSError, NotImplementedError):  # a file system without locks: go on without
            return

    def _resume(self) -> None:
        """Read what is there and drop a line that was cut off; a new file gets its first line."""
        self._file.seek(0)
        settings, self.results, whole = _parsed(self._file.read(), self.path)
        if whole:
            _check_settings(settings, self.settings, self.path)
        for number, unique_id in enumerate(self.results, start=2):
            if unique_id not in self.unique_ids:
                raise _damaged(self.path, number)
        self._file.truncate(whole)
        if not whole:
            self._write({"settings": self.settings})


@dataclass(frozen=True)
class Gathered:
    """The results of all shards of an evaluation.

    Attributes:
        settings: of all of them; without the shard.
        results: by `unique_id`.
        missing: what is not there yet, such as "shard 3/8 (40 of 62 problems answered)".
    """

    settings: Settings
    results: dict[str, Result]
    missing: list[str]


def read_shards(paths: Sequence[str | Path]) -> Gathered:
    """Read the results files of an evaluation's shards, or the one file of a whole evaluation.

    Raises:
        FileNotFoundError: there is no such file.
        ResultsFileError: a file is damaged; or the files do not belong together: their settings
            differ, or two have a result for the same problem; or there are no results.
    """
    together: Settings = {}
    results: dict[str, Result] = {}
    place: dict[str, Path] = {}
    answered: dict[int, int] = {}
    for path in map(Path, paths):
        settings, own, whole = _parsed(path.read_bytes(), path)
        if not whole:  # its program was killed before it could write the first line
            continue
        # 1. Every file must have the settings of the first, but for the number of its shard.
        shard = Shard.parse(settings.pop("shard", "1/1"))
        settings["shards"] = shard.count
        together = together or settings
        _check_settings(settings, together, path)
        # 2. No shard may come twice, and no problem may have two results.
        if shard.number in answered:
            raise ResultsFileError(f"{path}: shard {shard} is in another file, too; give one")
        for unique_id in own:
            if unique_id in place:
                raise ResultsFileError(
                    f"{path} and {place[unique_id]} both have a result for problem {unique_id}"
                )
            place[unique_id] = path
        results |= own
        answered[shard.number] = len(own)
    if not together:
        raise ResultsFileError("there are no results in the files, nothing to read")
    # 3. Compare the number of each shard's results with that of its problems.
    count, total = together.pop("shards"), together.get("num_problems", len(results))
    missing = []
    for shard in (Shard(number, count) for number in range(1, count + 1)):
        there, wanted = answered.get(shard.number, 0), len(shard.of(range(total)))
        if there < wanted:
            missing.append(f"shard {shard} ({there} of {wanted} problems answered)")
    return Gathered(together, results, missing)


def _parsed(content: bytes, path: Path) -> tuple[Settings, dict[str, Result], int]:
    """Return a file's settings, its results by `unique_id`, and the length of its whole lines."""
    # 1. Read the settings in the first line.
    if content[: len(HEADER_START)] != HEADER_START[: len(content)]:
        raise ResultsFileError(f"{path} is not a file of results; give another name")
    header, *lines = content.split(b"\n")
    if not lines:  # not even the first line is whole
        return {}, {}, 0
    try:
        settings = dict(json.loads(header)["settings"])
    except (ValueError, TypeError):
        raise ResultsFileError(f"{path}: the first line is damaged; give another name") from None
    # 2. Read the results; the last line is empty, or was cut off.
    results: dict[str, Result] = {}
    for number, line in enumerate(lines[:-1], start=2):
        result = _read_result(line)
        if result is None:
            raise _damaged(path, number)
        unique_id = result["unique_id"]
        if unique_id in results:
            raise ResultsFileError(
                f"{path}: line {number} answers problem {unique_id} again; delete the line"
            )
        results[unique_id] = result
    return settings, results, len(content) - len(lines[-1])


def _read_result(line: bytes) -> Result | None:
    """Parse one line; None if it is no result."""
    with suppress(ValueError, TypeError, AttributeError):
        result = json.loads(line)
        if result.keys() - set(OPTIONAL_FIELDS) == set(FIELDS):
            return result if isinstance(result["unique_id"], str) else None
    return None


def _damaged(path: Path, number: int) -> ResultsFileError:
    return ResultsFileError(
        f"{path}: line {number} is damaged; delete the line, and its problem is answered again"
    )


def _check_settings(there: Settings, now: Settings, path: Path) -> None:
    """Raise if a file's settings are not those of this run, or of the other files."""
    different = [name for name in {**there, **now} if there.get(name) != now.get(name)]
    if different:
        details = "; ".join(
            f"{name} was {there.get(name)!r} and is {now.get(name)!r}" for name in different
        )
        raise ResultsFileError(f"{path} was made with other settings: {details}. Give another name")


def digest(value: Any) -> str:
    """Compute a short fingerprint of anything that JSON can hold.

    >>> digest({"level": 1, "subject": "Algebra"}) == digest({"subject": "Algebra", "level": 1})
    True
    """
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]
