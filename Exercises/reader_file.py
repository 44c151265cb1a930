"""The file that the reader fills in, such as `Exercises/CH2.py`: read piece by piece, imported, reset.

It is cut into blocks at its functions. A slip of syntax in one of them spoils that one only, and a stub can be put back
without touching what stands around it.
"""

import ast
import importlib.util
import re
import sys
from dataclasses import dataclass
from importlib.abc import InspectLoader
from importlib.machinery import ModuleSpec, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType

from Exercises.chapters import FOLDER, NOT_DONE_LINE, STATE, Exercise

BEGINNING = re.compile(r"(?:async def|def|class)\b|@")  # of a block, at the left edge
NAME = re.compile(r"^(?:async def|def|class) (\w+)", re.MULTILINE)


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
        """What keeps Python from reading it: `line 40: expected ':'` and that line; None if it can be read."""
        try:
            InspectLoader.source_to_code(self.text)
        except (SyntaxError, ValueError) as error:  # ValueError: a null byte
            line = self.line + (getattr(error, "lineno", None) or 1) - 1
            text = (getattr(error, "text", None) or "").strip()
            return f"line {line}: {getattr(error, 'msg', error)}" + (f"\n    {text}" if text else "")
        return None

    @property
    def untouched(self) -> bool:
        """Whether it is a function that has a task and says that it is not done, and nothing else."""
        if self.slip:
            return False
        functions = [node for node in ast.parse(self.text).body if isinstance(node, ast.FunctionDef)]
        return bool(functions) and [ast.unparse(node) for node in functions[0].body[1:]] == [NOT_DONE_LINE.strip()]


def blocks(source: str) -> list[Block]:
    """Cut a file at the functions and classes at its left edge; decorators go with what they decorate."""
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


def reader_file(chapter: str) -> Path:
    """Where the reader writes."""
    return FOLDER / f"{chapter}.py"


def reader_blocks(chapter: str) -> list[Block]:
    """The pieces of the reader's file."""
    return blocks(reader_file(chapter).read_text(encoding="utf-8"))


class _ReadableLoader(SourceFileLoader):
    """Loads the blocks that can be read; lines keep their numbers."""

    def get_code(self, fullname: str) -> CodeType:
        pieces = blocks(Path(self.path).read_text(encoding="utf-8"))
        readable = "".join("\n" * piece.text.count("\n") if piece.slip else piece.text for piece in pieces)
        return self.source_to_code(readable, self.path)


def load(path: Path) -> ModuleType:
    """Import a file of exercises, without the functions that have slips of syntax in them."""
    loader = _ReadableLoader(f"Exercises_{path.stem}", str(path))
    module = importlib.util.module_from_spec(ModuleSpec(loader.name, loader, origin=str(path)))
    sys.modules[loader.name] = module
    loader.exec_module(module)
    return module


def reset(exercise: Exercise) -> Path:
    """Put an exercise's stub back into the reader's file; other exercises stay as they are.

    Returns:
        The file that the former text was saved to, all of it.
    """
    path, texts = reader_file(exercise.chapter), []
    pieces = reader_blocks(exercise.chapter)
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


def _save_attempt(path: Path) -> Path:
    folder = STATE / "attempts"
    folder.mkdir(parents=True, exist_ok=True)
    number = 1 + len(list(folder.glob(f"{path.stem}_*.py")))
    backup = folder / f"{path.stem}_{number:03d}.py"
    backup.write_bytes(path.read_bytes())
    return backup
