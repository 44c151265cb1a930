"""The file of an evaluation's results: one line per problem, which outlives the program.

- the first line holds the settings: a file of another model, other data or another setting is
  refused, not mixed
- it also says which verifier gave the verdicts: texts and references are there, so a file of
  another one is graded again, as a whole
- each result is one line, handed to the operating system as it is made, so `kill -9` loses none
  that was finished
- a last line that was cut off is dropped, and its problem answered again
- several processes share the problems by `Shard`: each has a file of its own, and `read_shards`
  puts them together
"""

import hashlib
import json
import math
import os
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict, TypeVar, cast

from filelock import FileLock, Timeout

from Appendixes.command_line import write_whole
from CH3.problems import Reference

HEADER_START = b'{"settings": '
Settings = dict[str, Any]  # all that results depend on besides the problems, as JSON can hold it
T = TypeVar("T")


class _Sample(TypedDict):
    answer: str | None
    logprob: float
    tokens: int
    text: str


class SampleRecord(_Sample, total=False):
    """One solution that took part in a vote, as a results file keeps it.

    `finish_reason`: see `CH3.evaluation.writers.Text`; files of earlier versions have none.
    """

    finish_reason: str | None


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

    `finish_reason`, `refusal`, `answered_by`: see `CH3.evaluation.writers.Text`; the last two only
    where there is something to say. `extracted`: the answer found in the text, None if there is
    none. `reference`: what it was compared with, or checked by. `tokens`: generated for this
    problem, by all samples of a vote together.
    """

    samples: list[SampleRecord]
    refusal: str
    answered_by: str


FIELDS = tuple(_Graded.__annotations__)
OPTIONAL_FIELDS = ("samples", "refusal", "answered_by")
# the values that a field may have, where it is not text
OF_FIELD: dict[str, Callable[[Any], bool]] = {
    "level": lambda value: type(value) is int,
    "finish_reason": lambda value: value is None or isinstance(value, str),
    "extracted": lambda value: value is None or isinstance(value, str),
    "answer": lambda value: value is None or isinstance(value, str),
    "reference": lambda value: isinstance(value, (str, dict)),
    "correct": lambda value: isinstance(value, bool),
    "tokens": lambda value: type(value) is int and value >= 0,
    "seconds": lambda value: type(value) in (int, float) and 0 <= value < math.inf,
    "logprob": lambda value: type(value) in (int, float) and -math.inf < value <= 0,
    "samples": lambda value: isinstance(value, list) and all(map(_is_sample, value)),
}
Regrade = Callable[[Result], Result]  # gives a result a new verdict


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
        verifier: fingerprint of what gives the verdicts.

    Attributes:
        results: what the file holds, by `unique_id`.
        graded_by: fingerprint of what gave the verdicts that it holds; see `grade_again`.

    Raises:
        ResultsFileError: the file was made with other settings, is no results file, is damaged in
            the middle, or is being written by another program.
        OSError: it cannot be written; the error names it.
    """

    def __init__(
        self, path: str | Path, settings: Settings, unique_ids: Iterable[str], verifier: str = ""
    ):
        self.path, self.verifier = Path(path), verifier
        self.settings = json.loads(json.dumps(settings))  # as they will be read back
        self.unique_ids = frozenset(unique_ids)
        self.results: dict[str, Result] = {}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if self.path.exists() and not (self.path.is_file() or self.path.is_dir()):
            raise ResultsFileError(f"{self.path} is no ordinary file; give another name")
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
        with suppress(OSError):  # of a line that could not be written, which was said before
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

    def grade_again(self, regrade: Regrade) -> int:
        """Give all results a new verdict, and write the file anew; return how many have another.

        The file appears whole or not at all: killed in between, it is as it was.
        """
        before = self.results
        self.results = {unique_id: regrade(result) for unique_id, result in before.items()}
        lines = b"".join(map(_line, [self._header(), *self.results.values()]))
        self._file.close()
        write_whole(self.path, lambda part: part.write_bytes(lines))
        self._file = self.path.open("a+b")
        self.graded_by = self.verifier
        return changed_verdicts(before, self.results)

    def _header(self) -> dict[str, Any]:
        return {"settings": self.settings, "verifier": self.verifier}

    def _write(self, entry: Any) -> None:
        """Append one JSON line and flush.

        No fsync: a killed process loses nothing, a power cut may.
        """
        try:
            self._file.write(_line(entry))
            self._file.flush()
        except OSError as error:  # a full disk, say: the system does not tell which
            raise OSError(error.errno, os.strerror(error.errno or 0), str(self.path)) from None

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
        header, self.results, whole = _parsed(self._file.read(), self.path)
        self.graded_by = header.get("verifier", "") if self.results else self.verifier
        if whole:
            _check_settings(header["settings"], self.settings, self.path)
        for number, unique_id in enumerate(self.results, start=2):
            if unique_id not in self.unique_ids:
                raise _damaged(self.path, number)
        self._file.truncate(whole if self.results else 0)
        if not self.results:
            self._write(self._header())


@dataclass(frozen=True)
class Gathered:
    """The results of all shards of an evaluation.

    Attributes:
        settings: of all of them; without the shard.
        results: by `unique_id`.
        missing: what is not there yet, such as "shard 3/8 (40 of 62 problems answered)".
        graded_again: files whose verdicts another verifier had given, with the number of results
            whose verdict is another now.
    """

    settings: Settings
    results: dict[str, Result]
    missing: list[str]
    graded_again: dict[Path, int]


def read_shards(paths: Sequence[str | Path], verifier: str, regrade: Regrade) -> Gathered:
    """Read the results files of an evaluation's shards, or the one file of a whole evaluation.

    Args:
        paths: of the files, which are left as they are.
        verifier: fingerprint of what is to have given the verdicts.
        regrade: gives a result of another verifier a new verdict.

    Raises:
        FileNotFoundError: there is no such file.
        ResultsFileError: a file is damaged; or the files do not belong together: their settings
            differ, or two have a result for the same problem; or there are no results.
    """
    together: Settings = {}
    results: dict[str, Result] = {}
    place: dict[str, Path] = {}
    answered: dict[int, int] = {}
    graded_again: dict[Path, int] = {}
    for path in map(Path, paths):
        header, own, whole = _parsed(path.read_bytes(), path)
        if not whole:  # its program was killed before it could write the first line
            continue
        settings = header["settings"]
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
        # 3. All verdicts must be of one verifier.
        if own and header.get("verifier") != verifier:
            before, own = own, {unique_id: regrade(result) for unique_id, result in own.items()}
            graded_again[path] = changed_verdicts(before, own)
        results |= own
        answered[shard.number] = len(own)
    if not together:
        raise ResultsFileError("there are no results in the files, nothing to read")
    # 4. Compare the number of each shard's results with that of its problems.
    count, total = together.pop("shards"), together.get("num_problems", len(results))
    missing = []
    for shard in (Shard(number, count) for number in range(1, count + 1)):
        there, wanted = answered.get(shard.number, 0), len(shard.of(range(total)))
        if there < wanted:
            missing.append(f"shard {shard} ({there} of {wanted} problems answered)")
    return Gathered(together, results, missing, graded_again)


def shards_at_work(path: Path, own: Shard, num_problems: int) -> list[str]:
    """Say which other shards are not done yet, and for how long nothing came from each.

    >>> shards_at_work(Path("nowhere.jsonl"), Shard(1, 2), 150)
    ['shard 2/2 (nothing here yet)']
    """
    said = []
    for number in range(1, own.count + 1):
        shard = Shard(number, own.count)
        file, total = shard.file(path), len(shard.of(range(num_problems)))
        if number == own.number:
            continue
        if not file.is_file():
            said.append(f"shard {shard} (nothing here yet)")
        elif (answered := file.read_bytes().count(b"\n") - 1) < total:
            silent = time.time() - file.stat().st_mtime
            said.append(
                f"shard {shard} ({max(answered, 0)} of {total} problems answered, nothing for "
                f"{silent:.0f} s)"
            )
    return said


def changed_verdicts(before: dict[str, Result], after: dict[str, Result]) -> int:
    """Return how many results, of the same problems, have another verdict than before."""
    return sum(before[one]["correct"] != after[one]["correct"] for one in before)


def _line(entry: Any) -> bytes:
    return json.dumps(entry).encode("ascii") + b"\n"


def _parsed(content: bytes, path: Path) -> tuple[dict[str, Any], dict[str, Result], int]:
    """Return a file's first line, its results by `unique_id`, and the length of its whole lines."""
    # 1. Read the settings in the first line.
    if content[: len(HEADER_START)] != HEADER_START[: len(content)]:
        raise ResultsFileError(f"{path} is not a file of results; give another name")
    first, *lines = content.split(b"\n")
    if not lines:  # not even the first line is whole
        return {}, {}, 0
    try:
        header = json.loads(first)
        header["settings"] = dict(header["settings"])
    except (ValueError, TypeError, RecursionError):
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
    return header, results, len(content) - len(lines[-1])


def _read_result(line: bytes) -> Result | None:
    """Parse one line; None if it is no result."""
    with suppress(ValueError, RecursionError):
        result = json.loads(line)
        return result if _has_fields(result, FIELDS, OPTIONAL_FIELDS) else None
    return None


def _is_sample(record: Any) -> bool:
    return _has_fields(record, tuple(_Sample.__annotations__), ("finish_reason",))


def _has_fields(value: Any, names: tuple[str, ...], optional: tuple[str, ...]) -> bool:
    """Return True for an object with these fields, whose values are of their kind."""
    return (
        isinstance(value, dict)
        and value.keys() - set(optional) == set(names)
        and all(OF_FIELD.get(name, _is_text)(value[name]) for name in value)
    )


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


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
