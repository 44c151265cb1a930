"""Tests of the reader's file, cut into blocks, loaded and reset; and of the hints remembered."""

import re
from pathlib import Path

import pytest

from Exercises import hint_memory, reader_file
from Exercises.cases import reader_lines
from Exercises.chapters import Exercise, exercises, stub_file
from Exercises.reader_file import (
    UnreadableError,
    blocks,
    effective_blocks,
    load,
    read_source,
    reset,
    reset_chapter,
)

STUB = "    raise NotImplementedError\n"


@pytest.fixture
def file(tmp_path, monkeypatch) -> Path:
    """Chapter 2's file of stubs, in a temporary folder."""
    monkeypatch.setattr(reader_file, "FOLDER", tmp_path)
    monkeypatch.setattr(reader_file, "STATE", tmp_path / "build")
    monkeypatch.setattr(hint_memory, "MEMORY", tmp_path / "build" / "hints.json")
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
        "",
        "    return x\0\n",
    ],
)
def test_a_syntax_error_is_found_in_its_own_function_and_the_others_load(file, second, body):
    text = fill(file, second, body)
    spoilt = [block for block in blocks(text) if block.syntax_error]
    if body:  # without a body, a function that has a docstring is still one
        assert [block.name for block in spoilt] == [second.name]
        line = int(re.match(r"line (\d+): ", spoilt[0].syntax_error)[1])
        first = 1 + text[: text.index(f"def {second.name}(")].count("\n")
        assert first <= line <= first + spoilt[0].text.count("\n")
    module = load(file, text)
    assert all(
        hasattr(module, exercise.name) for exercise in exercises("CH2") if exercise != second
    )


def test_blocks_are_the_whole_file_and_know_their_lines():
    text = "import re\n\n\n@decorated\n@twice\ndef one(\n    x,\n):\n    pass\n\n\n"
    text += "class Two:\n    x = 1\n"
    found = blocks(text)
    assert [(block.name, block.line) for block in found] == [(None, 1), ("one", 4), ("Two", 12)]
    assert "".join(block.text for block in found) == text
    assert "".join(block.text for block in blocks(stub_file("CH2"))) == stub_file("CH2")


def test_stubs_are_recognised_without_running_them(file, second):
    untouched = [
        block.name for block in blocks(file.read_text(encoding="utf-8")) if block.untouched
    ]
    assert untouched == [exercise.name for exercise in exercises("CH2")]
    text = fill(file, second, "    x = 1\n" + STUB)
    assert second.name not in [block.name for block in blocks(text) if block.untouched]


@pytest.mark.parametrize(
    "body", ["    return x\n", "    return (x\n", "    def own(y):\n        return y\n"]
)
def test_reset_restores_one_stub_and_keeps_the_attempt(file, second, body):
    fill(file, exercises("CH2")[2], "    return logits\n\n\ndef own_function():\n    return 1\n")
    before = file.read_text(encoding="utf-8")
    attempt = fill(file, second, body)
    backup = reset(second)
    assert file.read_text(encoding="utf-8") == before
    assert backup.read_text(encoding="utf-8") == attempt


def test_reset_brings_back_what_is_gone_and_drops_what_is_there_twice(file, second):
    text = file.read_text(encoding="utf-8")
    for changed in (text.replace(second.stub, ""), text + "\n\n" + second.stub):
        file.write_text(changed, encoding="utf-8")
        reset(second)
        names = [block.name for block in blocks(file.read_text(encoding="utf-8"))]
        assert names.count(second.name) == 1
        assert sorted(names[1:]) == sorted(exercise.name for exercise in exercises("CH2"))


def test_of_functions_with_the_same_name_the_last_counts(file, second):
    text = file.read_text(encoding="utf-8")
    spoilt = "def broken(:\n    pass\n\n\n"
    found = effective_blocks(f"{spoilt}{text}\n\ndef {second.name}(x):\n    return x\n")
    [block] = [block for block in found if block.name == second.name]
    assert not block.untouched
    assert block.line > text.count("\n")
    assert len(found) == 2 + len(exercises("CH2"))


def test_blocks_without_a_name_all_count():
    source = "import (\n\n\nclass:\n    pass\n\n\n@\n\n\ndef one():\n    pass\n"
    assert [(block.name, bool(block.syntax_error)) for block in effective_blocks(source)] == [
        (None, True),
        (None, True),
        (None, True),
        ("one", False),
    ]


def test_a_stub_with_more_below_it_may_be_done_there(file, second):
    text = fill(file, second, f"{STUB}\n\n{second.name} = print\n")
    assert second.name not in [block.name for block in effective_blocks(text) if block.untouched]


def test_a_byte_order_mark_is_no_part_of_the_text(file, second):
    file.write_text(stub_file("CH2"), encoding="utf-8-sig")
    assert read_source(file) == stub_file("CH2")
    reset(second)
    assert file.read_text(encoding="utf-8") == stub_file("CH2")


def test_a_file_that_cannot_be_read_says_why_and_what_to_do(file, second):
    file.write_bytes(b"# tr\xe8s bien\n")
    with pytest.raises(
        UnreadableError, match="Exercises/CH2.py cannot be read: 'utf-8' codec.*; .*CH2 --reset"
    ):
        reset(second)
    file.unlink()
    with pytest.raises(
        UnreadableError, match="Exercises/CH2.py cannot be read: No such file.*; .*CH2 --reset"
    ):
        reset(second)


def test_lines_of_an_exception_are_those_that_ran(file, second):
    module = load(file, fill(file, second, "    return 1 / 0\n"))
    file.write_text("saved again\n" * 1000, encoding="utf-8")
    with pytest.raises(ZeroDivisionError) as caught:
        getattr(module, second.name)(*[None] * getattr(module, second.name).__code__.co_argcount)
    [line] = reader_lines(caught.value, str(file))
    assert line.endswith("return 1 / 0")


def test_every_attempt_is_kept(file, second):
    assert len({reset(second) for _ in range(3)}) == 3


def test_an_attempt_takes_no_number_that_is_in_use(file, second):
    kept = [reset(second) for _ in range(3)]
    kept[0].unlink()
    file.write_text(stub_file("CH2") + "\n# later\n", encoding="utf-8")
    assert "# later" in reset(second).read_text(encoding="utf-8")
    assert "# later" not in kept[2].read_text(encoding="utf-8")


@pytest.mark.parametrize("content", [b"def own(): pass\n", b"# tr\xe8s bien\n", b""])
def test_a_chapter_is_reset_whatever_is_in_the_file(file, content):
    file.write_bytes(content)
    backup = reset_chapter("CH2")
    assert backup.read_bytes() == content
    assert file.read_text(encoding="utf-8") == stub_file("CH2")


def test_a_chapter_is_reset_when_its_file_is_gone(file):
    file.unlink()
    assert reset_chapter("CH2") is None
    assert file.read_text(encoding="utf-8") == stub_file("CH2")


def test_hints_grow_with_each_call(file, second):
    other = exercises("CH2")[0]
    for count in (1, 2, 3, 3):
        assert hint_memory.next_hints(second) == list(second.hints[:count])
    assert hint_memory.next_hints(other) == list(other.hints[:1])
