"""Tests of the reader's file: what stands where in it, and how stubs are restored."""

import re
from pathlib import Path

import pytest

from Exercises import reader_file
from Exercises.chapters import Exercise, exercises, stub_file
from Exercises.reader_file import line_of, parse, read_source, reset

STUB = "    raise NotImplementedError\n"


@pytest.fixture
def file(tmp_path, monkeypatch) -> Path:
    """Chapter 2's file of stubs, in a temporary folder."""
    monkeypatch.setattr(reader_file, "FOLDER", tmp_path)
    monkeypatch.setattr(reader_file, "STATE", tmp_path / "build")
    path = tmp_path / "CH2.py"
    path.write_text(stub_file("CH2"), encoding="utf-8")
    return path


@pytest.fixture
def second() -> Exercise:
    return exercises("CH2")[1]


def fill(file: Path, exercise: Exercise, body: str) -> str:
    """Replace a stub's body and return the whole new text."""
    text = file.read_text(encoding="utf-8")
    file.write_text(
        text.replace(exercise.stub, exercise.stub.removesuffix(STUB) + body), encoding="utf-8"
    )
    return file.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "body",
    [
        "    return x +\n",
        "    return (x\n",
        '    return """x\n',
        "    if x:\n    return 1\n",
        "    return x\nreturn x\n",
        "    x = 1\n     y = 2\n",
        "    break\n",
        "    return 'x\n",
        "    return x\0\n",
    ],
)
def test_a_syntax_error_is_found_in_its_own_function_and_the_others_stay(file, second, body):
    text = fill(file, second, body)
    parsed = parse(text)
    assert list(parsed.errors) == [second.name]
    line = int(re.match(r"line (\d+): ", parsed.errors[second.name])[1])
    start, end = parsed.places[second.name]
    assert start < line <= end
    assert text.splitlines()[start].startswith(f"def {second.name}(")
    # the others keep their lines
    rest = "\n".join(parsed.lines)
    assert rest.count("\n") == text.count("\n")
    assert parse(rest).errors == {}
    others = {exercise.name for exercise in exercises("CH2")} - {second.name}
    assert set(parse(rest).places) == others
    assert all(parse(rest).places[name] == parsed.places[name] for name in others)


def test_places_are_those_of_whole_functions_with_their_decorators():
    text = "import re\n\n\n@decorated\n@twice\ndef one(\n    x,\n):\n    pass\n\n\n"
    text += "class Two:\n    x = 1\n\n\ndef three(): '''\ndef four(): '''\n"
    assert parse(text).places == {"one": (3, 9), "three": (15, 17)}
    assert parse(text).errors == {}
    broken = parse(text + "\n\n@again\ndef five(:\n    pass\n")
    assert broken.places["one"] == (3, 9)
    assert broken.places["five"] == (19, 22)


def test_of_two_functions_with_one_name_the_last_counts():
    good, broken = "def one():\n    return 1\n", "def one(:\n    return 1\n"
    assert parse(good + good).places["one"] == (2, 4)
    assert parse(broken + good).errors == {}
    assert list(parse(good + broken).errors) == ["one"]


def test_an_error_in_an_async_function_is_its_own():
    parsed = parse("def one():\n    return 1\n\n\nasync def two(:\n    return 2\n")
    assert list(parsed.errors) == ["two"]
    assert parsed.places["one"] == (0, 2)


def test_a_doubtful_escape_is_no_error_and_no_warning(recwarn):
    assert parse('def one():\n    return "\\d"\n').places == {"one": (0, 2)}
    assert list(recwarn) == []


@pytest.mark.parametrize(
    "body", ["    return x\n", "    return (x\n", "    def own():\n        ..\n"]
)
def test_reset_restores_one_stub_and_keeps_the_attempt(file, second, body):
    fill(file, exercises("CH2")[2], "    return logits\n\n\ndef own_function():\n    return 1\n")
    before = file.read_text(encoding="utf-8")
    attempt = fill(file, second, body)
    backup = reset("CH2", second)
    assert file.read_text(encoding="utf-8") == before
    assert backup.read_text(encoding="utf-8") == attempt


def test_reset_brings_back_what_is_gone(file, second):
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace(second.stub, ""), encoding="utf-8")
    reset("CH2", second)
    after = file.read_text(encoding="utf-8")
    assert after.endswith(f"\n\n\n{second.stub}")
    assert set(parse(after).places) == {exercise.name for exercise in exercises("CH2")}


def test_of_functions_with_the_same_name_the_last_counts(file, second):
    text = file.read_text(encoding="utf-8")
    file.write_text(f"{text}\n\ndef {second.name}(x):\n    return x\n", encoding="utf-8")
    assert line_of(second) == text.count("\n") + 3
    spoilt = parse(f"{text}\n\ndef {second.name}(:\n    return x\n")
    assert list(spoilt.errors) == [second.name]


def test_errors_outside_of_functions_concern_all(file):
    source = "import (\n\n\nclass:\n    pass\n\n\n@\n\n\ndef one():\n    pass\n"
    assert set(parse(source).errors) == {""}
    assert "one" in parse(source).places


def test_a_byte_order_mark_is_no_part_of_the_text(file, second):
    file.write_text(stub_file("CH2"), encoding="utf-8-sig")
    assert read_source("CH2") == stub_file("CH2")
    reset("CH2", second)
    assert file.read_text(encoding="utf-8") == stub_file("CH2")


def test_a_file_that_cannot_be_read_says_why_and_what_to_do(file, second):
    file.write_bytes(b"# tr\xe8s bien\n")
    with pytest.raises(
        RuntimeError, match="Exercises/CH2.py cannot be read: 'utf-8' codec.*; .*CH2 --reset"
    ):
        reset("CH2", second)
    file.unlink()
    with pytest.raises(
        RuntimeError, match="Exercises/CH2.py cannot be read: No such file.*; .*CH2 --reset"
    ):
        reset("CH2", second)


def test_every_attempt_is_kept(file, second):
    assert len({reset("CH2", second) for _ in range(3)}) == 3


@pytest.mark.parametrize("content", [b"def own(): pass\n", b"# tr\xe8s bien\n", b""])
def test_a_chapter_is_reset_whatever_is_in_the_file(file, content):
    file.write_bytes(content)
    backup = reset("CH2")
    assert backup.read_bytes() == content
    assert file.read_text(encoding="utf-8") == stub_file("CH2")


def test_a_chapter_is_reset_when_its_file_is_gone(file):
    file.unlink()
    assert reset("CH2") is None
    assert file.read_text(encoding="utf-8") == stub_file("CH2")
