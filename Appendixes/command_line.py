"""Command lines, tables and JSON files, made of the standard library only, so that importing this
takes no time.

- a command exits with code 0, with 1 if a check fails, with 2 if its command line cannot be
  followed; what is wrong is said in one line
- a file that is written appears whole or not at all; a file that is read is checked, and the error
  names it
- when whoever reads a command's output has seen enough, as `| head` has, it ends without a word
- characters that the terminal cannot write are shown by their numbers; Ctrl-C ends a command with
  one sentence and code 130, at any moment
"""

import argparse
import io
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn

BUILD = Path(__file__).resolve().parents[1] / "build"  # folder of generated files; git ignores it
PICTURE_FORMATS = (".png", ".svg", ".pdf")
BACKSLASH = r'in JSON a backslash is doubled, as in "\\frac{1}{2}"'


class _Parser(argparse.ArgumentParser):
    """A parser that refuses a wrong command line in one line; `--help` has the rest."""

    def error(self, message: str) -> NoReturn:
        refuse(message)


def argument_parser(description: str, **options: Any) -> argparse.ArgumentParser:
    """Make a command line with the option `--plot FILE`, to which the caller adds its own options.

    Args:
        description: the text that `--help` shows; usually a module's docstring.
        options: further arguments of `argparse.ArgumentParser`.
    """
    write_any_character()
    parser = _Parser(
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
        **options,
    )
    formats = ", ".join(PICTURE_FORMATS)
    parser.add_argument(
        "--plot",
        type=output_file(*PICTURE_FORMATS),
        metavar="FILE",
        help=f"also save a picture to this file ({formats})",
    )
    return parser


def output_file(*suffixes: str) -> Callable[[str], Path]:
    """Make a `type=` for argparse that accepts the name of a file to be written later.

    A name that cannot be written is refused before the program starts its work.

    Args:
        suffixes: the allowed endings, with their dot; without one, every ending is allowed.
    """

    def checked(name: str) -> Path:
        path = Path(name)
        if suffixes and path.suffix.lower() not in suffixes:
            raise argparse.ArgumentTypeError(
                f"{name}: the name must end in one of {', '.join(suffixes)}"
            )
        if path.is_dir():
            raise argparse.ArgumentTypeError(f"{name} is a folder; give the name of a file")
        if not path.parent.is_dir():
            raise argparse.ArgumentTypeError(
                f"{name}: there is no folder {path.parent}; make it first"
            )
        return path

    return checked


def write_any_character() -> None:
    r"""Have the terminal show a character that it cannot write by its number, such as `\u51e0`.

    So no report is lost where the output's encoding lacks a letter of it.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def stop_in_words() -> None:
    """Have Ctrl-C end a program with one sentence and code 130 wherever nothing else catches it.

    To be called before slow imports; it changes nothing unless the program is just being started
    with `python -m`.
    """
    if sys.argv[:1] != ["-m"]:  # while Python is still looking for the module
        return

    def hook(
        kind: type[BaseException], error: BaseException, traceback: TracebackType | None
    ) -> None:
        if not issubclass(kind, KeyboardInterrupt):
            return sys.__excepthook__(kind, error, traceback)
        print("stopped", file=sys.stderr, flush=True)
        os._exit(130)  # Python itself would end by the signal

    sys.excepthook = hook


def run_main(main: Callable[[], int | None]) -> None:
    """Run a command and end the program with the code that it returns; None is 0.

    When nobody reads its output any more, the code is 1, without a word. Source:
    https://docs.python.org/3/library/signal.html#note-on-sigpipe
    """
    try:
        try:
            code = main()
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        # what is left to be written goes nowhere, when Python closes the output
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 1
    if code:
        sys.exit(code)


def refuse(reason: str | Exception) -> NoReturn:
    """End the program with code 2 and one line that says what cannot be done; for `main` only.

    Raises:
        BrokenPipeError: this is the reason; `run_main` ends the program without a word.
    """
    if isinstance(reason, BrokenPipeError):
        raise reason
    print(f"error: {reason}", file=sys.stderr)
    sys.exit(2)


def first_line(error: BaseException) -> str:
    """Return the first line of an exception's message, or "no details" if it has none."""
    text = str(error).strip()
    return text.splitlines()[0] if text else "no details"


def table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Format a Markdown table whose columns also line up as plain text.

    The first column is aligned to the left, the others to the right.

    >>> print(table(["rung", "tokens/s"], [["no cache", "1.0"], ["int8", "18.2"]]))
    | rung     | tokens/s |
    | :------- | -------: |
    | no cache |      1.0 |
    | int8     |     18.2 |
    """
    widths = [max(3, *map(len, column)) for column in zip(titles, *rows, strict=True)]
    rule = [":" + "-" * (widths[0] - 1), *("-" * (width - 1) + ":" for width in widths[1:])]
    lines = []
    for cells in (titles, rule, *rows):
        first, *others = zip(cells, widths, strict=True)
        padded = [first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in others)]
        lines.append(f"| {' | '.join(padded)} |")
    return "\n".join(lines)


def write_whole(path: str | Path, write: Callable[[Path], object]) -> None:
    """Write a file so that it appears whole or not at all, also if several processes write it.

    Args:
        path: the file's final name; a file that is there already is replaced.
        write: a function that writes the file under the temporary name that it is given.
    """
    path = Path(path)
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        write(part)
        part.replace(path)
    except OSError as error:  # a full disk, say: the system does not tell which
        if error.errno is None or error.filename not in (None, str(part)):
            raise
        raise OSError(error.errno, os.strerror(error.errno), str(path)) from None
    finally:
        part.unlink(missing_ok=True)


def write_json(path: str | Path, value: Any, indent: int | None = 2) -> None:
    """Write a value as a JSON file, whole or not at all."""
    text = json.dumps(value, indent=indent, ensure_ascii=False) + "\n"
    write_whole(path, lambda part: part.write_text(text, encoding="utf-8"))


def read_json(path: str | Path, kind: type = dict) -> Any:
    """Read a JSON file that holds an object, or a value of another `kind`, such as `list`.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is not UTF-8 or not JSON, or its value is not a `kind`.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    value = parse_json(path.read_bytes(), str(path))
    if not isinstance(value, kind):
        raise ValueError(f"{path} holds a {type(value).__name__}, expected a {kind.__name__}")
    return value


def parse_json(text: str | bytes, place: str) -> Any:
    """Parse JSON from a text, or from bytes in UTF-8.

    Args:
        text: the JSON.
        place: the file, or the part of it, that the error names.

    Raises:
        ValueError: the text is not UTF-8 or not JSON, or is nested too deeply.
    """
    try:
        # "-sig": Windows' editors begin a file with a byte order mark
        return json.loads(text if isinstance(text, str) else text.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise ValueError(f"{place} is not text in UTF-8 ({error})") from None
    except (ValueError, RecursionError) as error:
        advice = f"; {BACKSLASH}" if "escape" in str(error) else ""
        raise ValueError(f"{place} is not valid JSON ({error}{advice})") from None
