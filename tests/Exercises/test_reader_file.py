"""The reader's file in pieces: what is spoilt, what still loads, what a reset changes. And remembered hints."""

import re
from pathlib import Path

import pytest

from Exercises import hint_memory, reader_file
from Exercises.chapters import Exercise, exercises, stub_file
from Exercises.reader_file import blocks, load, reset

STUB = "    raise NotImplementedError\n"


@pytest.fixture
def file(tmp_path, monkeypatch) -> Path:
    """Chapter 2's file, as it is at the beginning, in a folder of its own."""
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
    """Replace a stub's body; the whole new text."""
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace(exercise.stub, exercise.stub.removesuffix(STUB) + body), encoding="utf-8")
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
def test_a_slip_of_syntax_is_found_in_its_own_function_and_the_others_load(file, second, body):
    text = fill(file, second, body)
    spoilt = [block for block in blocks(text) if block.slip]
    if body:  # without a body, a function that has a docstring is still one
        assert [block.name for block in spoilt] == [second.name]
        line = int(re.match(r"line (\d+): ", spoilt[0].slip)[1])
        first = 1 + text[: text.index(f"def {second.name}(")].count("\n")
        assert first <= line <= first + spoilt[0].text.count("\n")
    module = load(file)
    assert all(hasattr(module, exercise.name) for exercise in exercises("CH2") if exercise != second)


def test_blocks_are_the_whole_file_and_know_their_lines(file):
    text = "import re\n\n\n@decorated\n@twice\ndef one(\n    x,\n):\n    pass\n\n\nclass Two:\n    x = 1\n"
    found = blocks(text)
    assert [(block.name, block.line) for block in found] == [(None, 1), ("one", 4), ("Two", 12)]
    assert "".join(block.text for block in found) == text
    assert "".join(block.text for block in blocks(stub_file("CH2"))) == stub_file("CH2")


def test_stubs_are_recognised_without_running_them(file, second):
    untouched = [block.name for block in blocks(file.read_text(encoding="utf-8")) if block.untouched]
    assert untouched == [exercise.name for exercise in exercises("CH2")]
    text = fill(file, second, "    x = 1\n" + STUB)
    assert second.name not in [block.name for block in blocks(text) if block.untouched]


@pytest.mark.parametrize("body", ["    return x\n", "    return (x\n", "    def own(y):\n        return y\n"])
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


def test_every_attempt_is_kept(file, second):
    assert len({reset(second) for _ in range(3)}) == 3


def test_hints_grow_with_each_call(file, second):
    other = exercises("CH2")[0]
    for count in (1, 2, 3, 3):
        assert hint_memory.next_hints(second) == list(second.hints[:count])
    assert hint_memory.next_hints(other) == list(other.hints[:1])
