"""The file that the reader fills in, such as `Exercises/CH2.py`: read piece by piece, imported,
reset.

It is cut into blocks at its functions. A slip of syntax in one of them spoils that one only, and a
stub can be put back without touching what stands around it.

The file may be saved at any moment. A check reads it once (`read_source`) and stays with that text
to its end."""

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

BEGINNING = re.compile(r"(?:async def|def|class)\b|@")  # of a block, at the left edge
NAME = re.compile(r"^(?:async def|def|class) (\w+)", re.MULTILINE)


class UnreadableError(Exception):
    """The reader's file is gone, or is no text in UTF-8; says so in one line, with a way out."""


@dataclass(frozen=True)
class Block:
    """What stands before the first function, or a function with what follows it.

    Attributes:
        name: of the function or class; None for what stands before.
        line: number of its first line.
        text: its lines.
    """

    name: str | None
    line: int
    text: str

    @property
    def slip(self) -> str | None:
        """What keeps Python from reading it: `line 40: expected ':'` and that line; None if it can
        be read.
        """
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
        """Whether it is a function that has a task and says that it is not done, and nothing else."""
        if self.slip:
            return False
        match ast.parse(self.text).body:
            case [ast.FunctionDef(body=[_, not_done])]:
                return ast.unparse(not_done) == NOT_DONE_LINE.strip()
        return False


def blocks(source: str) -> list[Block]:
    """Cut a file at the functions and classes at its left edge; decorators go with what they
    decorate.
    """
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


def in_force(source: str) -> list[Block]:
    """The blocks that count: of those with the same name the last, as for Python; all that have no
    name.
    """
    pieces = blocks(source)
    last = {piece.name: piece for piece in pieces}
    return [piece for piece in pieces if piece.name is None or piece is last[piece.name]]


def reader_file(chapter: str) -> Path:
    """Where the reader writes."""
    return FOLDER / f"{chapter}.py"


def read_source(path: Path) -> str:
    """The text of a reader's file, without the byte-order mark that editors on Windows may put
    before it.

    Raises:
        UnreadableError: there is no such file, or it is not UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        advice = f"put it back, in UTF-8, or write all stubs anew: python -m Exercises {path.stem} --reset"
        raise UnreadableError(
            f"Exercises/{path.name} cannot be read: {reason}; {advice}"
        ) from error


class _ReadableLoader(InspectLoader):
    """Loads the blocks that can be read; lines keep their numbers."""

    def __init__(self, path: Path, source: str):
        self.path, self.source = path, source

    def get_source(self, fullname: str) -> str:
        pieces = blocks(self.source)
        return "".join(
            "\n" * piece.text.count("\n") if piece.slip else piece.text for piece in pieces
        )

    def get_code(self, fullname: str) -> CodeType:
        return self.source_to_code(self.get_source(fullname), str(self.path))


def load(path: Path, source: str) -> ModuleType:
    """Import a file of exercises, without the functions that have slips of syntax in them.

    Args:
        path: of the file, for tracebacks.
        source: what was read from it.
    """
    lines = [f"{line}\n" for line in source.split("\n")]
    # None: stays, also when the file is saved again
    linecache.cache[str(path)] = (len(source), None, lines, str(path))
    loader = _ReadableLoader(path, source)
    module = importlib.util.module_from_spec(
        ModuleSpec(f"Exercises_{path.stem}", loader, origin=str(path))
    )
    sys.modules[module.__name__] = module
    loader.exec_module(module)
    return module


def reset(exercise: Exercise) -> Path:
    """Put an exercise's stub back into the reader's file; other exercises stay as they are.

    Returns:
        The file that the former text was saved to, all of it.

    Raises:
        UnreadableError: there is no such file, or it is not UTF-8; `reset_chapter` needs neither.
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
    """Write the reader's file anew, all stubs, whatever is there now.

    Returns:
        The file that the former text was saved to; None if there was no file.
    """
    path = reader_file(chapter)
    backup = _save_attempt(path) if path.exists() else None
    path.write_text(stub_file(chapter), encoding="utf-8")
    return backup


def _save_attempt(path: Path) -> Path:
    folder = STATE / "attempts"
    folder.mkdir(parents=True, exist_ok=True)
    kept = (re.fullmatch(rf"{path.stem}_(\d+)", attempt.stem) for attempt in folder.glob("*.py"))
    # not the count: some may be deleted
    number = 1 + max((int(found[1]) for found in kept if found), default=0)
    backup = folder / f"{path.stem}_{number:03d}.py"
    with backup.open("xb") as file:
        file.write(path.read_bytes())
    return backup
