"""Read and reset the file that the reader fills in, such as `Exercises/CH2.py`.

`ast` says where each function stands. In a file with a syntax error it cannot: then the file is cut
where functions begin, and those that do not parse are left out.
"""

import ast
import re
import warnings
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from Exercises.chapters import FOLDER, STATE, Exercise, stub_file

BEGINNING = re.compile(r"^(?:@.*\n)*(?:(?:async )?def|class) (\w+)", re.MULTILINE)


@dataclass
class Parsed:
    """Text of a reader's file, and what stands where."""

    lines: list[str]  # those of functions that do not parse are empty
    places: dict[str, tuple[int, int]]  # a function's first line, from 0, and the one behind it
    errors: dict[str, str]  # why a function does not parse; under "", what concerns all of them


def reader_file(chapter: str) -> Path:
    """Return the path of a chapter's file of exercises."""
    return FOLDER / f"{chapter}.py"


def read_source(chapter: str, elsewhere: Path | None = None) -> str:
    """Return the reader's text, without the byte-order mark that some Windows editors write.

    Args:
        chapter: such as "CH2".
        elsewhere: another file with the chapter's functions; None: `Exercises/CH2.py`.

    Raises:
        RuntimeError: there is no such file, or it is not UTF-8.
    """
    try:
        return (elsewhere or reader_file(chapter)).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        if elsewhere:
            raise RuntimeError(f"{elsewhere} cannot be read: {reason}") from error
        raise RuntimeError(
            f"Exercises/{chapter}.py cannot be read: {reason}; put it back, in UTF-8, or write all "
            f"stubs anew: python -m Exercises {chapter} --reset"
        ) from error


def parse(source: str) -> Parsed:
    """Find the functions of a file, and those that do not parse; of two with one name, the last."""
    lines = source.split("\n")
    try:
        return Parsed(lines, _places(source), {})
    except SyntaxError:
        found = Parsed(lines, {}, {})
    # Cut the file: a piece is a function with what follows it, up to the next one.
    cuts = [(0, ""), *((begins.start(), begins[1]) for begins in BEGINNING.finditer(source))]
    for (at, name), (end, _) in zip(cuts, [*cuts[1:], (len(source), "")], strict=True):
        start, piece = source.count("\n", 0, at), source[at:end].rstrip().split("\n")
        found.errors.pop(name, None)
        try:
            found.places |= _places("\n".join([""] * start + piece))
        except SyntaxError as error:
            stop, quoted = start + len(piece), (error.text or "").strip()
            found.places[name] = (start, stop)
            found.errors[name] = f"line {error.lineno}: {error.msg}\n    {quoted}".rstrip()
            lines[start:stop] = [""] * len(piece)
    return found


def _places(text: str) -> dict[str, tuple[int, int]]:
    if "\0" in text:  # Python 3.10 raises a ValueError, without the line
        line = 1 + text[: text.index("\0")].count("\n")
        raise SyntaxError("a null byte, an invisible character", ("", line, None, None))
    with warnings.catch_warnings():
        # An escape such as "\d" is told when the file is imported; once is enough.
        warnings.simplefilter("ignore")
        compile(text, "text", "exec")  # finds what `ast` does not: a `return` outside of a function
        tree = ast.parse(text)
    places = {}
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
            places[node.name] = (first - 1, node.end_lineno or first)
    return places


def line_of(exercise: Exercise) -> int | None:
    """Return the number of the line where the reader's function begins; None if it is gone."""
    place = parse(read_source(exercise.chapter)).places.get(exercise.name)
    return place and place[0] + 1


def reset(chapter: str, exercise: Exercise | None = None) -> Path | None:
    """Restore the stub of an exercise in the reader's file, or write the whole file anew.

    Returns:
        The file that now holds the former text; None if there was none.

    Raises:
        RuntimeError: one stub is wanted in a file that is missing or not UTF-8.
    """
    path, text, backup = reader_file(chapter), stub_file(chapter), None
    if exercise:
        text = _with_stub(read_source(chapter), exercise)
    if path.exists():
        backup = STATE / "attempts" / f"{chapter}_{datetime.now():%Y-%m-%d_%H.%M.%S.%f}.py"
        backup.parent.mkdir(parents=True, exist_ok=True)
        backup.write_bytes(path.read_bytes())
    path.write_text(text, encoding="utf-8")
    return backup


def _with_stub(source: str, exercise: Exercise) -> str:
    lines, places = source.rstrip().split("\n"), parse(source).places
    if exercise.name not in places:  # then it goes to the end
        lines += ["", ""]
    start, end = places.get(exercise.name, (len(lines), len(lines)))
    return "\n".join([*lines[:start], exercise.stub.rstrip(), *lines[end:], ""])
