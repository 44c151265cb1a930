"""Tests of `python -m Exercises`, on a copy with a small chapter whose checks need no torch, so
that it starts at once.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

from Exercises import __main__ as program
from Exercises.__main__ import main
from Exercises.chapters import FOLDER

SOLUTIONS = '''"""Solved."""

from collections.abc import Iterator

from CH2 import WORD  # the package, not this file


def double(number: int) -> int:
    """★ Twice a number.

    >>> double(4)
    8
    """
    return 2 * number


def countdown(number: int) -> Iterator[int]:
    """★★ From a number down to 1."""
    while number:
        yield number
        number -= 1


def join(words: list[str]) -> str:
    """★★★ Words with spaces between."""
    return " ".join(words)
'''
CHECKS = '''"""Checks."""

from Exercises.cases import Case


def double(rng):
    for number in (4, 0, rng.randint(10, 99)):
        yield Case((number,), number + number)


def countdown(rng):
    for number in (3, 1, rng.randint(5, 9)):
        run = lambda function, *args: list(function(*args))
        yield Case((number,), list(range(number, 0, -1)), run=run)


def join(rng):
    for words in (["a", "b"], [], [str(rng.random())]):
        yield Case((words,), " ".join(words))
'''
HINTS = """HINTS = {
    "double": ("Twice.", "Use *.", "2 * number"),
    "countdown": ("Yield.",),
    "join": ("Join.",),
}
"""
IMPORT = "from CH2 import WORD  # the package, not this file\n"
STUB = "    raise NotImplementedError\n"
SHORT = 0.5  # seconds of CPU time where an exercise is meant to take too long
OUT_OF_TIME = f"stopped:   not finished after {SHORT} seconds of CPU time (an endless loop?)"


class Copy:
    """Copy of the package Exercises with one small chapter."""

    def __init__(self, folder: Path, stubs: str = ""):
        self.folder, self.file = folder, folder / "Exercises" / "CH2.py"
        shutil.copytree(
            FOLDER, folder / "Exercises", ignore=shutil.ignore_patterns("CH*.py", "__pycache__")
        )
        shared = folder / "Appendixes" / "command_line.py"
        shared.parent.mkdir()
        shutil.copy(FOLDER.parent / "Appendixes" / shared.name, shared)
        for part, text in {"solutions": SOLUTIONS, "checks": CHECKS, "hints": HINTS}.items():
            (folder / "Exercises" / part / "CH2.py").write_text(text, encoding="utf-8")
        (folder / "CH2").mkdir()
        (folder / "CH2" / "__init__.py").write_text("WORD = 'package'\n")
        print_stubs = "from Exercises.chapters import stub_file; print(stub_file('CH2'), end='')"
        self.stubs = stubs or self.python("-c", print_stubs).stdout
        self.file.write_text(self.stubs, encoding="utf-8")

    def fill(self, **bodies: str) -> None:
        """Replace stubs by bodies, given without their indentation."""
        head, *pieces = re.split(r"^(?=def )", self.stubs, flags=re.MULTILINE)
        for name, body in bodies.items():
            lines = "".join(f"    {line}\n" for line in body.splitlines())
            pieces = [
                piece.replace(STUB, lines) if piece.startswith(f"def {name}(") else piece
                for piece in pieces
            ]
        self.save(head + "".join(pieces))

    def save(self, text: str, tick: int | None = None) -> None:
        """Replace the reader's file, as some editors do; `tick`: its time in nanoseconds."""
        new = self.file.with_suffix(".new")
        new.write_text(text, encoding="utf-8")
        if tick is not None:
            os.utime(new, ns=(tick, tick))
        new.replace(self.file)

    def limit(self, seconds: float) -> None:
        """Set the limit of CPU time of the last try."""
        path = self.folder / "Exercises" / "attempt.py"
        text = path.read_text(encoding="utf-8")
        limited = re.sub(r"(?m)^TRIES = \(\S+ \S+\)", f"TRIES = ({seconds / 2}, {seconds})", text)
        assert limited != text
        path.write_text(limited, encoding="utf-8")

    def python(self, *arguments: str, folder: Path | None = None) -> subprocess.CompletedProcess:
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=folder or self.folder,
            env=self.environment,
            capture_output=True,
            encoding="utf-8",
            timeout=600,  # a busy machine takes its time
            check=False,
        )

    @property
    def environment(self) -> dict:
        return {**os.environ, "PYTHONIOENCODING": "utf-8", "PYTHONPATH": str(self.folder)}

    def exercises(self, *arguments: str) -> str:
        """Return what the command prints; it must print no error."""
        ran = self.python("-m", "Exercises", *arguments)
        assert ran.stderr == ""
        return ran.stdout

    def mark_core(self, *marked: str) -> None:
        """Put exercises on the core path, given the beginnings of their tasks, stars included."""
        path = self.folder / "Exercises" / "solutions" / "CH2.py"
        text = SOLUTIONS
        for task in marked:
            assert f'"""{task}' in text
            text = text.replace(f'"""{task}', f'"""{task.replace(" ", "◆ ", 1)}')
        path.write_text(text, encoding="utf-8")

    def line_of(self, text: str) -> int:
        return 1 + self.file.read_text(encoding="utf-8").splitlines().index(text)


@pytest.fixture(scope="module")
def stubs(tmp_path_factory) -> str:
    return Copy(tmp_path_factory.mktemp("stubs")).stubs


@pytest.fixture
def copy(tmp_path, stubs) -> Copy:
    return Copy(tmp_path / "Zoë", stubs)  # a name as a reader's home may have it


def test_at_the_beginning_nothing_is_done_and_the_first_task_is_shown(copy):
    shown = copy.exercises()
    assert "CH2  ░░░░░░░░░░░░░░░░░░░░░░░░  0 of 3" in shown
    assert "CH2 1  double ★: not done yet" in shown
    assert "Twice a number." in shown
    assert "-m Exercises CH2 1 --hint" in shown
    assert f"Exercises/CH2.py, line {copy.line_of('def double(number: int) -> int:')}" in shown


def test_progress_moves_on_as_exercises_are_solved(copy):
    copy.fill(double="return number + number")
    solved = copy.python("-m", "Exercises", "CH2", "1")
    assert "✓ CH2 1  double ★: passed" in solved.stdout
    assert "Next: python -m Exercises CH2 2    countdown" in solved.stdout
    overview = copy.python("-m", "Exercises")
    assert "████████░░░░░░░░░░░░░░░░  1 of 3" in overview.stdout
    assert "CH2 2  countdown" in overview.stdout
    assert (solved.returncode, overview.returncode) == (0, 1)

    copy.fill(
        double="return number + number",
        countdown="yield from range(number, 0, -1)",
        join="return ' '.join(words)",
    )
    finished = copy.exercises("ch2")
    assert "3 of 3" in finished
    assert "All done." in finished


def test_the_overview_checks_again_only_what_has_changed(copy):
    looked = copy.folder / "looked"
    copy.fill(double=f"open({str(looked)!r}, 'a').write('x')\nreturn 2 * number")
    first = copy.exercises()
    calls = looked.read_text()
    assert "1 of 3" in first
    assert copy.exercises() == first
    assert looked.read_text() == calls
    copy.exercises("CH2")  # what is asked for by name is always checked
    assert len(looked.read_text()) > len(calls)
    copy.fill(double="return 3 * number")
    assert "0 of 3" in copy.exercises()
    checks = copy.folder / "Exercises" / "checks" / "CH2.py"
    checks.write_text(CHECKS.replace("number + number", "3 * number"), encoding="utf-8")
    assert "1 of 3" in copy.exercises()


def test_what_is_undecided_is_checked_again(copy):
    copy.limit(SHORT)
    copy.fill(double="while True: pass")
    assert OUT_OF_TIME in copy.exercises()
    copy.limit(2 * SHORT)
    assert OUT_OF_TIME.replace(str(SHORT), f"{2 * SHORT:g}") in copy.exercises()


def test_a_chapter_shows_a_line_for_each_exercise(copy):
    copy.fill(double="return number + number", join="return ''.join(words)")
    lines = copy.exercises("CH2").splitlines()
    assert [line.split() for line in lines[:3]] == [
        ["✓", "1", "double", "★", "passed"],
        ["·", "2", "countdown", "★★", "not", "done", "yet"],
        ["✗", "3", "join", "★★★", "failed"],
    ]
    assert "✗ CH2 3  join ★★★: failed" in lines  # what was begun comes before what was not


def test_a_failed_check_says_what_was_called_what_came_back_and_what_was_expected(copy):
    copy.fill(double="print('number is', number)\nreturn number * number")
    shown = copy.exercises("CH2", "1")
    for line in (
        "called:    double(number=4)",
        "came back: 16",
        "expected:  8",
        "it printed:",
        "number is 4",
    ):
        assert line in shown


def test_an_exception_shows_the_readers_own_lines_only(copy):
    copy.fill(double="def inner(number):\n    return number / 0\nreturn inner(number)")
    shown = copy.exercises("CH2", "1")
    assert "raised:    ZeroDivisionError: division by zero" in shown
    assert f"line {copy.line_of('    return inner(number)')}:  return inner(number)" in shown
    assert f"line {copy.line_of('        return number / 0')}:  return number / 0" in shown
    assert "Traceback" not in shown
    assert "cases.py" not in shown


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("while True:\n    pass", OUT_OF_TIME),
        ("while True:\n    print('again')", OUT_OF_TIME),
        # exponentially many tries, in C code that keeps the interpreter's lock
        ("import re\nre.match('(a+)+$', 'a' * 50 + 'b')", OUT_OF_TIME),
        ("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)", "exit status -11"),
        ("import os\nos._exit(3)", "the Python interpreter ended: exit status 3"),
    ],
    ids=["loop", "print", "lock", "crash", "exit"],
)
def test_nothing_in_an_exercise_harms_the_others(copy, body, reason):
    copy.limit(SHORT)
    copy.fill(double=body, join="return ' '.join(words)")
    shown = copy.exercises("CH2")
    assert reason in shown
    # where it was
    assert re.search(rf"{re.escape(reason)}.*\n    line \d+:  ", shown) or "status" in reason
    assert "✓  3  join" in shown


def test_nothing_is_left_in_the_folder_for_temporary_files(copy, monkeypatch, tmp_path):
    (tmp_path / "temporary").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    copy.fill(double="import os\nos._exit(3)", join="return ' '.join(words)")
    assert "✓  3  join" in copy.exercises("CH2")
    assert list((tmp_path / "temporary").iterdir()) == []


def test_of_two_functions_with_the_same_name_the_last_is_checked(copy):
    second = "\n\ndef double(number):\n    return {body}\n"
    copy.save(copy.stubs + second.format(body="2 * number"))
    assert "✓ CH2 1  double ★: passed" in copy.exercises("CH2", "1")
    copy.save(copy.stubs + second.format(body="3 * number"))
    shown = copy.exercises("CH2", "1")
    assert "came back: 12" in shown
    assert f"Exercises/CH2.py, line {copy.line_of('def double(number):')}" in shown
    copy.save(copy.stubs + second.format(body="(number"))
    assert "'(' was never closed" in copy.exercises("CH2", "1")


def test_a_byte_order_mark_does_no_harm(copy):
    copy.fill(double="return 2 * number")
    copy.file.write_text(copy.file.read_text(encoding="utf-8"), encoding="utf-8-sig")
    assert "✓ CH2 1  double ★: passed" in copy.exercises("CH2", "1")


@pytest.mark.parametrize(
    ("content", "reason"),
    [(None, "No such file"), (b"# tr\xe8s bien\n", "'utf-8' codec can't decode byte 0xe8")],
)
def test_a_file_that_cannot_be_read_is_told_in_one_line_and_written_anew(copy, content, reason):
    copy.file.unlink()
    if content:
        copy.file.write_bytes(content)
    for arguments in ((), ("CH2",), ("CH2", "1"), ("CH2", "1", "--reset")):
        ran = copy.python("-m", "Exercises", *arguments)
        assert (ran.returncode, ran.stdout, ran.stderr.count("\n")) == (2, "", 1)
        assert ran.stderr.startswith(f"Exercises/CH2.py cannot be read: {reason}")
        assert "python -m Exercises CH2 --reset" in ran.stderr

    before, _, backup = (
        copy.exercises("CH2", "--reset").rstrip().partition("; your file as it was: ")
    )
    assert before == "all stubs of CH2 are back"
    assert backup == "" if content is None else Path(backup).read_bytes() == content
    assert copy.file.read_text(encoding="utf-8") == copy.stubs


def test_a_syntax_error_spoils_its_own_exercise_only(copy):
    copy.fill(double="return (number", join="return ' '.join(words)")
    shown = copy.exercises("CH2")
    assert (
        f"CH2.py cannot be read: line {copy.line_of('    return (number')}: '(' was never closed"
        in shown
    )
    assert "✓  3  join" in shown
    assert "·  2  countdown" in shown


@pytest.mark.parametrize("head", ["import nothing_of_this_name\n", "def own(:\n    return 1\n\n\n"])
def test_what_all_exercises_share_is_reported_for_all(copy, head):
    copy.fill(double="return number + number")
    copy.file.write_text(
        copy.file.read_text(encoding="utf-8").replace(IMPORT, head), encoding="utf-8"
    )
    assert "CH2.py cannot be read: " in copy.exercises("CH2", "1")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("print(1 / 0)", "ZeroDivisionError: division by zero"),
        ("while True: pass", OUT_OF_TIME),
    ],
)
def test_what_stops_the_import_is_told_with_its_line(copy, line, reason):
    copy.limit(SHORT)
    copy.save(f"{copy.stubs}\n\n{line}\n")
    shown = copy.exercises("CH2")
    assert re.search(rf"CH2.py cannot be read: .*{re.escape(reason)}", shown)
    assert f"line {copy.line_of(line)}:  {line}" in shown
    assert ("undecided" in shown) == (reason == OUT_OF_TIME)


def test_a_function_that_is_gone_can_be_brought_back(copy):
    text = copy.stubs.replace("def join(", "def joined(")
    copy.file.write_text(text, encoding="utf-8")
    assert "CH2.py has no function join any more; --reset brings it back" in copy.exercises(
        "CH2", "3"
    )
    copy.exercises("CH2", "3", "--reset")
    assert "CH2 3  join ★★★: not done yet" in copy.exercises("CH2", "3")


def test_a_hint_is_shown_on_request_and_more_on_the_next(copy):
    assert copy.exercises("CH2", "1", "--hint") == "1. Twice.\n"
    assert copy.exercises("CH2", "1", "--hint") == "1. Twice.\n2. Use *.\n"
    copy.exercises("CH2", "1", "--hint")
    shown = copy.exercises("CH2", "1", "--hint")
    assert shown.endswith("No more hints; python -m Exercises CH2 1 --solution shows one way.\n")
    copy.exercises("CH2", "2", "--hint")
    copy.exercises("CH2", "1", "--reset")  # begins the hints of this one again, and of no other
    assert copy.exercises("CH2", "1", "--hint") == "1. Twice.\n"
    assert "No more hints" in copy.exercises("CH2", "2", "--hint")


def test_a_solution_is_shown_on_request(copy):
    assert copy.exercises("CH2", "1", "--solution").endswith("    return 2 * number\n")


def test_reset_puts_the_stub_back_and_says_where_the_attempt_is(copy):
    copy.fill(double="return number", join="return ' '.join(words)")
    attempt = copy.file.read_text(encoding="utf-8")
    shown = copy.exercises("--reset", "CH2", "1")
    assert Path(shown.rstrip().rpartition(": ")[2]).read_text(encoding="utf-8") == attempt
    after = copy.file.read_text(encoding="utf-8")
    copy.fill(join="return ' '.join(words)")
    assert after == copy.file.read_text(encoding="utf-8")


def test_a_file_elsewhere_is_checked_and_the_readers_stays_as_it_is(copy, tmp_path):
    before = copy.file.read_text(encoding="utf-8")
    copy.fill(double="return 2 * number", join="return words")
    handed_in = tmp_path / "her.py"
    copy.file.replace(handed_in)
    copy.file.write_text(before, encoding="utf-8")
    ran = copy.python("-m", "Exercises", "CH2", "--file", str(handed_in))
    assert ran.returncode == 1
    assert "double ★: passed" in ran.stdout and "her.py: CH2" in ran.stdout
    assert "1 of 3" in ran.stdout and "list came back" in ran.stdout
    one = copy.python("-m", "Exercises", "CH2", "1", "--file", str(handed_in))
    assert one.returncode == 0 and "1 of 1" in one.stdout
    assert copy.file.read_text(encoding="utf-8") == before
    missing = copy.python("-m", "Exercises", "CH2", "--file", str(tmp_path / "his.py"))
    assert missing.returncode == 2 and "his.py cannot be read: No such file" in missing.stderr


def test_several_files_or_a_folder_of_them_end_in_a_table_of_marks(copy, tmp_path):
    (tmp_path / "in" / "bert").mkdir(parents=True)
    files = [tmp_path / "in" / "anna.py", tmp_path / "in" / "bert" / "CH2.py"]
    copy.fill(double="return 2 * number", join="return words")
    shutil.copy(copy.file, files[0])
    files[1].write_text(copy.stubs.replace("def join(", "def joined("), encoding="utf-8")
    older = tmp_path / "in" / ".ipynb_checkpoints"  # JupyterLab's, no hand-in
    older.mkdir()
    shutil.copy(copy.file, older / "anna-checkpoint.py")
    width = len(str(files[1]))
    table = [
        f"{'':{width}}  1  2  3",
        f"{'':{width}}         ",  # none of the three is on the core path
        f"{files[0]!s:{width}}  ✓  ·  ✗  1 of 3",
        f"{files[1]!s:{width}}  ·  ·  ✗  0 of 3",
    ]
    for given in (files, [tmp_path / "in"]):
        ran = copy.python("-m", "Exercises", "CH2", "--file", *map(str, given))
        assert ran.stdout.splitlines()[-4:] == table
        assert ran.returncode == 1
    # a file that was handed in has its own name, and is no file that could be reset
    assert "    CH2.py has no function join\n" in ran.stdout and "--reset" not in ran.stdout
    files[0].write_text("def double(:", encoding="utf-8")
    one = copy.python("-m", "Exercises", "CH2", "1", "--file", str(files[0]), str(files[1]))
    assert "anna.py cannot be read: line 1" in one.stdout
    assert one.stdout.endswith(f"{files[1]}  ·  0 of 1\n")
    files[1].write_bytes(b"\xff")  # told at once, not behind the verdicts on the first
    unread = copy.python("-m", "Exercises", "CH2", "--file", *map(str, files))
    assert (unread.returncode, unread.stdout) == (2, "")
    assert "CH2.py cannot be read: 'utf-8' codec" in unread.stderr


def test_a_file_of_another_chapter_is_named_and_not_marked(copy, tmp_path):
    folder = tmp_path / "in"
    (folder / "anna").mkdir(parents=True)
    other = folder / "anna" / "CH3.py"
    other.write_text("def grade():\n    return 1\n", encoding="utf-8")
    left_out = f"{other}: none of CH2's functions, not checked\n"
    alone = copy.python("-m", "Exercises", "CH2", "--file", str(folder))
    assert (alone.returncode, alone.stdout, alone.stderr) == (2, "", left_out)
    copy.fill(double="return 2 * number")
    shutil.copy(copy.file, folder / "anna" / "CH2.py")
    ran = copy.python("-m", "Exercises", "CH2", "1", "--file", str(folder))
    assert (ran.returncode, ran.stdout.splitlines(keepends=True)[-1]) == (0, left_out)
    assert f"{other}: CH2" not in ran.stdout and "failed" not in ran.stdout
    (folder / "anna" / "CH2.py").write_text("def double(:", encoding="utf-8")  # is of this chapter
    assert copy.python("-m", "Exercises", "CH2", "1", "--file", str(folder)).returncode == 1


def test_a_folder_without_files_is_said_to_have_none(copy, tmp_path):
    (tmp_path / "empty").mkdir()
    ran = copy.python("-m", "Exercises", "CH2", "--file", str(tmp_path / "empty"))
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr == f"no .py file in {tmp_path / 'empty'}\n"


def test_the_core_path_alone_is_checked_and_its_exit_status_is_its_own(copy, tmp_path):
    copy.mark_core("★ Twice", "★★★ Words")
    copy.fill(double="return 2 * number", join="return ' '.join(words)")  # all but what is beside
    anna = str(shutil.copy(copy.file, tmp_path / "anna.py"))
    ran = copy.python("-m", "Exercises", "CH2", "--core", "--file", anna)
    assert ran.returncode == 0
    assert ran.stdout.splitlines()[-1] == f"{anna}: CH2  {'█' * 24}  2 of 2"
    assert "countdown" not in ran.stdout
    copy.fill(double="return 2 * number", join="return words")
    bert = str(shutil.copy(copy.file, tmp_path / "bert.py"))
    ran = copy.python("-m", "Exercises", "CH2", "--core", "--file", anna, bert)
    assert ran.returncode == 1
    assert ran.stdout.splitlines()[-4:] == [
        f"{'':{len(anna)}}  1  3",
        f"{'':{len(anna)}}  ◆  ◆",
        f"{anna}  ✓  ✓  2 of 2",
        f"{bert}  ✓  ✗  1 of 2",
    ]


def test_the_readers_own_core_path_ends_in_what_is_open_on_it(copy):
    copy.mark_core("★ Twice", "★★★ Words")
    copy.fill(double="return 2 * number")
    ran = copy.python("-m", "Exercises", "--core", "CH2")
    assert ran.returncode == 1
    assert [line.split()[1:3] for line in ran.stdout.splitlines()[:2]] == [
        ["1", "double"],
        ["3", "join"],
    ]
    assert "1 of 2\n\nNext:\n· CH2 3  join ★★★◆: not done yet" in ran.stdout
    copy.fill(double="return 2 * number", join="return ' '.join(words)")
    assert copy.exercises("CH2", "--core").endswith("2 of 2\n\nAll done.\n")


def test_several_exercises_are_checked_in_the_order_of_the_file_each_once(copy, tmp_path):
    copy.fill(double="return 2 * number", join="return ' '.join(words)")
    ran = copy.python("-m", "Exercises", "CH2", "3", "1", "3")
    assert ran.returncode == 0
    assert [line.split()[:3] for line in ran.stdout.splitlines()[:2]] == [
        ["✓", "1", "double"],
        ["✓", "3", "join"],
    ]
    anna = str(shutil.copy(copy.file, tmp_path / "anna.py"))
    handed_in = copy.python("-m", "Exercises", "CH2", "1", "2", "--file", anna)
    assert handed_in.returncode == 1 and "1 of 2" in handed_in.stdout


def test_an_unfinished_or_wrong_helper_is_named(copy):
    copy.fill(countdown="return double(number) / 2")
    shown = copy.exercises("CH2", "2")
    assert (
        "CH2 2  countdown ★★: failed\n"
        "    your code uses double, whose own check (CH2 1) says: not done yet" in shown
    )
    copy.fill(double="return number", countdown="yield double(number)")
    shown = copy.exercises("CH2", "2")
    assert "your code uses double, whose own check (CH2 1) says: failed" in shown
    copy.fill(join="return [countdown(1), double(1)][0]")
    assert "uses double" in copy.exercises("CH2", "3")  # the first of the two that are not done
    copy.fill(double="return 2 * number", countdown="yield double(number)")
    assert "your code uses" not in copy.exercises("CH2", "2")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["CH2", "0"], "CH2 has the exercises 1 to"),
        (["CH2", "1", "99"], "CH2 has the exercises 1 to 23, not 99"),
        (["CH2", "--hint"], "name one exercise, such as: CH2 4 --hint"),
        (["CH2", "1", "5", "--hint"], "name one exercise, such as: CH2 4 --hint, not 1 5"),
        (["CH2", "--core", "--solution"], "such as: CH2 4 --solution, not --core"),
        (["CH2", "1", "5", "--reset"], "--reset restores one exercise or a chapter, not 1 5"),
        (["CH2", "--core", "--reset"], "--reset restores one exercise or a chapter, not --core"),
        (["CH2", "1", "5", "--core"], "give numbers or --core, not both: 1 5 --core"),
        (["--core"], "name a chapter, such as: CH2 --core"),
        (["--watch"], "name a chapter, such as: CH2 --watch"),
        (["--reset"], "name a chapter, such as: CH2 --reset"),
        (["--file", "her.py"], "name a chapter, such as: CH2 --file FILE"),
        (["CH7"], "invalid choice"),
    ],
)
def test_a_wrong_command_says_what_would_be_right(capsys, arguments, complaint):
    with pytest.raises(SystemExit, match="2"):
        main(arguments)
    assert complaint in capsys.readouterr().err


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such pipes")
def test_a_reader_who_has_seen_enough_is_no_error(copy):
    command = f"{sys.executable} -m Exercises | true"
    ran = subprocess.run(
        ["sh", "-c", command],
        cwd=copy.folder,
        env=copy.environment,
        capture_output=True,
        check=False,
    )
    assert ran.stderr == b""


def test_a_broken_check_is_not_blamed_on_the_reader(copy):
    (copy.folder / "Exercises" / "checks" / "CH2.py").write_text(
        "def double(rng):\n    yield 1 / 0\n"
    )
    copy.fill(double="return number + number")
    ran = copy.python("-m", "Exercises", "CH2", "1")
    assert ran.stderr.startswith("the check of CH2 1 does not run:")
    assert "ZeroDivisionError" in ran.stderr
    assert ran.returncode == 2


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT for one process")
def test_watch_checks_again_when_the_file_is_saved(copy):
    watching = subprocess.Popen(
        [sys.executable, "-m", "Exercises", "CH2", "1", "--watch"],
        cwd=copy.folder,
        env=copy.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        # which background jobs ignore
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    stop = threading.Timer(600, watching.kill)
    stop.start()
    try:
        assert "not done" in _until_watching(watching)
        copy.fill(double="return number")
        assert "came back: 4" in _until_watching(watching)
        tick = copy.file.stat().st_mtime_ns
        copy.save(
            copy.file.read_text(encoding="utf-8").replace("return number", "return number * 2"),
            tick,
        )
        assert "passed" in _until_watching(watching)
        copy.save(copy.file.read_text(encoding="utf-8"), tick + 1_000_000_000)
        assert "passed" in _until_watching(watching)  # saved, though nothing has changed
        copy.file.unlink()
        assert "Exercises/CH2.py cannot be read: No such file" in _until_watching(watching)
        copy.fill(double="return number * 3")
        assert "came back: 12" in _until_watching(watching)
        watching.send_signal(signal.SIGINT)
        _, errors = watching.communicate()
        assert (watching.returncode, errors) == (130, "")
    finally:
        stop.cancel()
        watching.kill()


def test_watch_checks_again_what_it_read_while_it_was_being_saved(monkeypatch):
    looks = [(1, 9), (1, 9), (2, 0), (3, 9), (3, 9), None, (4, 9)]
    seen, checked = [], []

    def look(file: Path) -> tuple[int, int] | None:
        if len(seen) == len(looks):
            raise KeyboardInterrupt
        seen.append(looks[len(seen)])
        return seen[-1]

    process = SimpleNamespace(is_alive=lambda: False)
    monkeypatch.setattr(program, "PAUSE", 0)
    monkeypatch.setattr(program, "_saved", look)
    monkeypatch.setattr(program, "Checker", lambda chapter: SimpleNamespace(process=process))
    monkeypatch.setattr(program, "check_one", lambda exercise, checker: checked.append(seen[-1]))
    assert main(["CH2", "1", "--watch"]) == 130
    assert checked == [(1, 9), (3, 9), (4, 9)]


def _until_watching(process: subprocess.Popen) -> str:
    lines = []
    for line in process.stdout:
        lines.append(line)
        if line.startswith("watching"):
            break
    return "".join(lines)
