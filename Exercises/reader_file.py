"""Read and reset the file that the reader fills in, such as `Exercises/CH2.py`.

`ast` says where each function stands. In a file with a syntax error it cannot: then the file is cut
at the lines that begin a function, and the functions that do not parse are left out.
"""

import ast
import re
from dataclasses import dataclass, field
from pathlib import Path

from Exercises.chapters import FOLDER, STATE, Exercise, stub_file

BEGINNING = re.compile(r"(?:(?:async )?def|class) (\w+)|@")  # of a function, not indented


@dataclass
class Parsed:
    """Text of a reader's file, and what stands where.

    Attributes:
        lines: the file's lines; those of functions that do not parse are empty.
        places: for each function, its first line and the one behind its last, counted from 0.
        errors: for each function that does not parse, why; under "", what concerns all of them.
    """

    lines: list[str]
    places: dict[str, tuple[int, int]] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)


def reader_file(chapter: str) -> Path:
    """Return the path of a chapter's file of exercises."""
    return FOLDER / f"{chapter}.py"


def read_source(path: Path) -> str:
    """Return a file's text, without the byte-order mark that some Windows editors put before it.

    Raises:
        RuntimeError: there is no such file, or it is not UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise RuntimeError(
            f"Exercises/{path.name} cannot be read: {reason}; put it back, in UTF-8, or write all "
            f"stubs anew: python -m Exercises {path.stem} --reset"
        ) from error


def parse(source: str) -> Parsed:
    """Find the functions of a file, and those that do not parse; of two with one name, the last."""
    found = Parsed(source.splitlines(keepends=True))
    starts = [at for at, line in enumerate(found.lines) if BEGINNING.match(line)]
    starts = [at for at in starts if at == 0 or not found.lines[at - 1].startswith("@")]
    if _error(source) is None:  # all in one piece
        starts = []
    for start, end in zip([0, *starts], [*starts, len(found.lines)], strict=True):
        text = "".join(found.lines[start:end])
        matches = [BEGINNING.match(line) for line in found.lines[start:end]]
        name = next((match[1] for match in matches if match and match[1]), "")
        error = _error("\n" * start + text)
        if error is None:
            found.errors.pop(name, None)
            for node in ast.parse(text).body:
                if isinstance(node, ast.FunctionDef):
                    first = min([node.lineno, *(one.lineno for one in node.decorator_list)])
                    last = node.end_lineno or first
                    found.places[node.name] = (start + first - 1, start + last)
        else:
            found.errors[name] = error
            found.places[name] = (start, start + len(text.rstrip().splitlines()))
            found.lines[start:end] = ["\n"] * (end - start)
    return found


def _error(text: str) -> str | None:
    """Return Python's complaint about a text, as `line 40: expected ':'`; None if it is valid."""
    try:
        compile(text, "text", "exec")
    except (SyntaxError, ValueError) as error:  # ValueError: a null byte
        line = getattr(error, "lineno", None) or len(text) - len(text.lstrip("\n")) + 1
        quoted = (getattr(error, "text", None) or "").strip()
        return f"line {line}: {getattr(error, 'msg', error)}\n    {quoted}".rstrip()
    return None


def line_of(exercise: Exercise) -> int | None:
    """Return the number of the line where the reader's function begins; None if it is gone."""
    place = parse(read_source(reader_file(exercise.chapter))).places.get(exercise.name)
    return place and place[0] + 1


def reset(exercise: Exercise) -> Path:
    """Restore an exercise's stub in the reader's file; the rest stays as it is.

    Returns:
        The file that holds the whole former text.

    Raises:
        RuntimeError: there is no such file, or it is not UTF-8; `reset_chapter` works then.
    """
    path = reader_file(exercise.chapter)
    source = read_source(path).rstrip() + "\n"
    lines, backup = source.splitlines(keepends=True), _save_attempt(path)
    start, end = parse(source).places.get(exercise.name, (len(lines), len(lines)))
    lines[start:end] = [exercise.stub if start < len(lines) else f"\n\n{exercise.stub}"]
    path.write_text("".join(lines), encoding="utf-8")
    return backup


def reset_chapter(chapter: str) -> Path | None:
    """Write the reader's file anew, all stubs, whatever it holds now.

    Returns:
        The file that holds the former text; None if there was none.
    """
    path = reader_file(chapter)
    backup = _save_attempt(path) if path.exists() else None
    path.write_text(stub_file(chapter), encoding="utf-8")
    return backup


def _save_attempt(path: Path) -> Path:
    folder = STATE / "attempts"
    folder.mkdir(parents=True, exist_ok=True)
    # the highest number, not the count: some attempts may have been deleted
    kept = [int(attempt.stem[-3:]) for attempt in folder.glob(f"{path.stem}_[0-9][0-9][0-9].py")]
    backup = folder / f"{path.stem}_{1 + max(kept, default=0):03d}.py"
    backup.write_bytes(path.read_bytes())
    return backup
