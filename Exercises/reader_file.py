"""Read, import and reset the file that the reader fills in, such as `Exercises/CH2.py`.

The file is cut into blocks at its functions. A syntax error in one function spoils that one only,
and a stub can be restored without touching its neighbours.

The file may be saved at any moment. A check reads it once (`read_source`) and uses that text to the
end.
"""

import ast
import importlib.util
import linecache
import re
import sys
from dataclasses import dataclass
from importlib.abc import InspectLoader
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import CodeType, ModuleType

from Exercises.chapters import FOLDER, NOT_DONE_LINE, STATE, Exercise, stub_file

BEGINNING = re.compile(r"(?:async def|def|class)\b|@")  # first line of a block, not indented
NAME = re.compile(r"^(?:async def|def|class) (\w+)", re.MULTILINE)


class UnreadableError(Exception):
    """The reader's file is missing or not UTF-8; the message, one line, says what to do."""


@dataclass(frozen=True)
class Block:
    """A function or class with the lines up to the next one, or the lines before the first one.

    Attributes:
        name: name of the function or class; None for the lines before the first one.
        line: number of the block's first line in the file, from 1.
        text: the block's lines.
    """

    name: str | None
    line: int
    text: str

    @property
    def syntax_error(self) -> str | None:
        """Return Python's complaint, as `line 40: expected ':'`, and the line; None if valid."""
        try:
            InspectLoader.source_to_code(self.text)
        except (SyntaxError, ValueError) as error:  # ValueError: a null byte
            line = self.line + (getattr(error, "lineno", None) or 1) - 1
            text = (getattr(error, "text", None) or "").strip()
            return f"line {line}: {getattr(error, 'msg', error)}" + (
                f"\n    {text}" if text else ""
            )
        return None

    @property
    def untouched(self) -> bool:
        """Return True if the block is a stub: a docstring and `raise NotImplementedError`."""
        if self.syntax_error:
            return False
        match ast.parse(self.text).body:
            case [ast.FunctionDef(body=[_, not_done])]:
                return ast.unparse(not_done) == NOT_DONE_LINE.strip()
        return False


def blocks(source: str) -> list[Block]:
    """Cut a file at its top-level functions and classes; a decorator belongs to what follows."""
    pieces: list[list[str]] = [[]]
    before = ""
    for line in source.splitlines(keepends=True):
        if BEGINNING.match(line) and not before.startswith("@"):
            pieces.append([])
        pieces[-1].append(line)
        before = line
    found, line_number = [], 1
    for piece in pieces:
        text = "".join(piece)
        name = NAME.search(text)
        found.append(Block(name[1] if name else None, line_number, text))
        line_number += len(piece)
    return found


def effective_blocks(source: str) -> list[Block]:
    """Return the blocks Python would use: the last of each name, and all unnamed ones."""
    pieces = blocks(source)
    last = {piece.name: piece for piece in pieces}
    return [piece for piece in pieces if piece.name is None or piece is last[piece.name]]


def reader_file(chapter: str) -> Path:
    """Return the path of a chapter's file of exercises."""
    return FOLDER / f"{chapter}.py"


def read_source(path: Path) -> str:
    """Return a file's text, without the byte-order mark that some Windows editors put before it.

    Raises:
        UnreadableError: there is no such file, or it is not UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UnreadableError(
            f"Exercises/{path.name} cannot be read: {reason}; put it back, in UTF-8, or write all "
            f"stubs anew: python -m Exercises {path.stem} --reset"
        ) from error


class _ReadableLoader(InspectLoader):
    """Loader that leaves out blocks with syntax errors; the other lines keep their numbers."""

    def __init__(self, path: Path, source: str):
        self.path, self.source = path, source

    def get_source(self, fullname: str) -> str:
        pieces = blocks(self.source)
        return "".join(
            "\n" * piece.text.count("\n") if piece.syntax_error else piece.text for piece in pieces
        )

    def get_code(self, fullname: str) -> CodeType:
        return self.source_to_code(self.get_source(fullname), str(self.path))


def load(path: Path, source: str) -> ModuleType:
    """Import a file of exercises, without the functions that have syntax errors.

    Args:
        path: the file's path, for tracebacks.
        source: the text that was read from it.
    """
    lines = [f"{line}\n" for line in source.split("\n")]
    # None as time of saving: tracebacks quote this text even after the file was saved again
    linecache.cache[str(path)] = (len(source), None, lines, str(path))
    loader = _ReadableLoader(path, source)
    module = importlib.util.module_from_spec(
        ModuleSpec(f"Exercises_{path.stem}", loader, origin=str(path))
    )
    sys.modules[module.__name__] = module
    loader.exec_module(module)
    return module


def reset(exercise: Exercise) -> Path:
    """Restore an exercise's stub in the reader's file; other exercises stay as they are.

    Returns:
        The file that holds the whole former text.

    Raises:
        UnreadableError: there is no such file, or it is not UTF-8; `reset_chapter` works then.
    """
    path, texts = reader_file(exercise.chapter), []
    pieces = blocks(read_source(path))
    backup = _save_attempt(path)
    stub = f"{exercise.stub}\n\n"
    for piece in pieces:
        if piece.name != exercise.name:
            texts.append(piece.text)
        elif stub not in texts:
            texts.append(stub)
    if stub not in texts:
        texts.append(f"\n\n{stub}")
    path.write_text("".join(texts).rstrip("\n") + "\n", encoding="utf-8")
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
    kept = (re.fullmatch(rf"{path.stem}_(\d+)", attempt.stem) for attempt in folder.glob("*.py"))
    # the highest number, not the count: some attempts may have been deleted
    number = 1 + max((int(found[1]) for found in kept if found), default=0)
    backup = folder / f"{path.stem}_{number:03d}.py"
    with backup.open("xb") as file:
        file.write(path.read_bytes())
    return backup
