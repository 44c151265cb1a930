"""Command lines refused in one line, tables, files written whole or not at all, light imports."""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from Appendixes.command_line import (
    argument_parser,
    first_line,
    output_file,
    parse_json,
    read_json,
    refuse,
    table,
    write_json,
    write_whole,
)

ROOT = Path(__file__).resolve().parents[2]

# --- command lines ---


@pytest.mark.parametrize("name", ["picture.png", "PICTURE.PNG", "a.b.svg"])
def test_a_file_that_can_be_written_is_accepted(tmp_path, name):
    assert output_file(".png", ".svg")(str(tmp_path / name)) == tmp_path / name


def test_without_endings_any_file_in_a_folder_is_accepted(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert str(output_file()("results")) == "results"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("picture.docx", "must end in one of .png, .svg"),
        ("picture", "must end in one of .png, .svg"),
        ("missing/picture.png", "there is no folder missing; make it first"),
    ],
)
def test_a_file_that_cannot_be_written_is_refused(tmp_path, monkeypatch, name, said):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(argparse.ArgumentTypeError, match=said) as error:
        output_file(".png", ".svg")(name)
    assert name in str(error.value)


@pytest.mark.parametrize("arguments", [["--plot", "x.doc"], ["--plt", "x.png"], ["--plot"]])
def test_a_wrong_command_line_ends_with_code_2_and_one_line(arguments, capsys):
    with pytest.raises(SystemExit) as end:
        argument_parser("A test.").parse_args(arguments)
    printed = capsys.readouterr()
    assert end.value.code == 2 and printed.out == ""
    assert printed.err.startswith("error: ") and printed.err.count("\n") == 1


def test_refusing_ends_the_program_with_code_2_and_the_reason(capsys):
    with pytest.raises(SystemExit) as end:
        refuse("no such model")
    assert end.value.code == 2
    assert capsys.readouterr() == ("", "error: no such model\n")


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such pipes")
@pytest.mark.parametrize(
    "body",
    [
        "print('x' * 1_000_000)",  # the pipe breaks while it prints
        "print('x')",  # it breaks when Python writes what is left, at its end
        "print('x'); sys.exit(2)",
        "print('x'); return 3",
        "try: print('x' * 1_000_000)\n    except OSError as error: refuse(error)",
    ],
)
def test_a_reader_who_has_seen_enough_ends_a_command_without_a_word(body):
    script = "import sys\nfrom Appendixes.command_line import refuse, run_main\n"
    script += f"def main():\n    sys.stdin.read()\n    {body}\nrun_main(main)"
    command = [sys.executable, "-c", script]
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    with subprocess.Popen(command, **pipes) as process:
        process.stdout.close()  # before it prints, as it waits for the end of its input
        process.stdin.close()
        assert process.stderr.read() == b""
    assert process.returncode == 1


@pytest.mark.parametrize(("returned", "code"), [("None", 0), ("0", 0), ("1", 1), ("130", 130)])
def test_a_command_ends_with_the_code_that_it_returns(returned, code):
    script = f"from Appendixes.command_line import run_main\nrun_main(lambda: {returned})"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == code


def test_every_command_is_run_so_that_a_broken_pipe_is_no_error():
    packages = ("Appendixes", "CH2", "CH3", "CH4", "Exercises")
    sources = [
        path.read_text(encoding="utf-8") for one in packages for path in (ROOT / one).rglob("*.py")
    ]
    commands = [text for text in sources if 'if __name__ == "__main__":' in text]
    assert len(commands) >= 20
    for text in commands:
        assert text.endswith('if __name__ == "__main__":\n    run_main(main)\n')


@pytest.mark.parametrize(
    ("message", "line"), [("one\ntwo", "one"), ("\n  three ", "three"), ("", "no details")]
)
def test_the_first_line_of_an_error_is_never_empty(message, line):
    assert first_line(ValueError(message)) == line


# --- tables ---


def test_a_table_lines_up_names_to_the_left_and_numbers_to_the_right():
    lines = table(["n", "accuracy"], [["a longer name", "7"], ["x", "12,345.6789"]]).splitlines()
    assert lines == [
        "| n             |    accuracy |",
        "| :------------ | ----------: |",
        "| a longer name |           7 |",
        "| x             | 12,345.6789 |",
    ]


def test_a_row_of_another_length_is_refused():
    with pytest.raises(ValueError):
        table(["one", "two"], [["only one"]])


# --- whole files ---


def test_a_file_is_replaced_whole_and_nothing_else_is_left(tmp_path):
    file = tmp_path / "file.txt"
    file.write_text("old")
    write_whole(file, lambda part: part.write_text("new"))
    assert file.read_text() == "new" and list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
@pytest.mark.parametrize("before", ["old", None])
def test_writing_that_raises_leaves_what_was_there(tmp_path, before, error):
    file = tmp_path / "file.txt"
    if before is not None:
        file.write_text(before)

    def break_off(part):
        part.write_text("half a fi")
        raise error

    with pytest.raises(error):
        write_whole(file, break_off)
    assert [path.read_text() for path in tmp_path.iterdir()] == [before] * (before is not None)


def test_a_reader_never_sees_half_a_file(tmp_path):
    file = tmp_path / "file.txt"

    def look_while_writing(part):
        part.write_text("half")
        assert file.read_text() == "old"
        part.write_text("half and half")

    file.write_text("old")
    write_whole(file, look_while_writing)
    assert file.read_text() == "half and half"


def test_processes_that_write_one_file_do_not_write_into_each_other(tmp_path, monkeypatch):
    file, own = tmp_path / "file.txt", os.getpid()

    def write_beside_a_rival(part):
        part.write_text("ours")
        monkeypatch.setattr(os, "getpid", lambda: own + 1)
        write_whole(file, lambda rival: rival.write_text("theirs"))
        assert part.read_text() == "ours"

    write_whole(file, write_beside_a_rival)
    assert file.read_text() == "ours" and list(tmp_path.iterdir()) == [file]


# --- JSON ---


def test_json_survives_being_written_and_read(tmp_path):
    value = {"text": "∑ ü 😀", "n": [1]}
    write_json(tmp_path / "file.json", value)
    assert read_json(tmp_path / "file.json") == value
    write_json(tmp_path / "list.json", [1, 2], indent=None)
    assert (tmp_path / "list.json").read_bytes() == b"[1, 2]\n"
    assert read_json(tmp_path / "list.json", list) == [1, 2]


def test_a_value_that_is_no_json_leaves_what_was_there(tmp_path):
    write_json(tmp_path / "file.json", {"a": 1})
    with pytest.raises(TypeError):
        write_json(tmp_path / "file.json", {"a": object()})
    assert read_json(tmp_path / "file.json") == {"a": 1}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is not valid JSON"),
        (b"{", "is not valid JSON"),
        (b"[" * 100_000, "is not valid JSON"),
        (b'{"a": "\xff"}', "is not text in UTF-8"),
        (b"[1]", "holds a list, expected a dict"),
        (b"null", "holds a NoneType, expected a dict"),
    ],
)
def test_a_damaged_file_is_named_with_its_fault(tmp_path, content, said):
    file = tmp_path / "file.json"
    file.write_bytes(content)
    with pytest.raises(ValueError, match=said) as error:
        read_json(file)
    assert str(file) in str(error.value)


@pytest.mark.parametrize("name", ["missing.json", "."])
def test_a_missing_file_is_named(tmp_path, name):
    with pytest.raises(FileNotFoundError, match="there is no file") as error:
        read_json(tmp_path / name)
    assert str(tmp_path / name) in str(error.value)


def test_text_that_is_no_json_is_named_by_its_place():
    assert parse_json('{"a": 1}', "line 7") == {"a": 1}
    with pytest.raises(ValueError, match="line 7 is not valid JSON"):
        parse_json("{a}", "line 7")
    for text in (r'"\sqrt{2}"', r'"\underline{2}"'):
        with pytest.raises(ValueError, match="line 7 is not valid JSON .*a backslash is doubled"):
            parse_json(text, "line 7")


# --- imports ---


@pytest.mark.parametrize(
    "module", ["Appendixes.command_line", "Appendixes.TinyQwen3.problems", "CH3.problems"]
)
def test_importing_what_reads_json_imports_no_torch_and_no_matplotlib(module):
    script = f"import json, sys, {module}; print(json.dumps(list(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    assert not {"torch", "matplotlib"} & set(json.loads(done.stdout))
