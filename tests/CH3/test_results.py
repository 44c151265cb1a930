"""The results file: cut, damaged, shared or foreign, nothing is lost and nothing is mixed."""

import errno
import json
import subprocess
import sys
from pathlib import Path

import filelock
import pytest

from CH3.evaluation.results import FIELDS, ResultsFile, ResultsFileError

SETTINGS = {"model": "tiny", "stop_ids": (1, 2), "chat": None}
IDS = ("a", "b", "c", "d")
SAMPLE = {"answer": "1/2", "logprob": -0.25, "tokens": 3, "text": "so 1/2"}


def result(unique_id: str) -> dict:
    text = f"π is not {unique_id}\n\ud800"  # half a surrogate pair: not even this may hurt the file
    return {
        **dict.fromkeys(FIELDS, "?"),
        "unique_id": unique_id,
        "text": text,
        "level": 1,
        "correct": True,
        "extracted": None,
        "tokens": 1,
        "seconds": 0.5,
    }


def write(path, *unique_ids) -> bytes:
    with ResultsFile(path, SETTINGS, IDS) as file:
        for unique_id in unique_ids:
            file.append(result(unique_id))
    return path.read_bytes()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "new folder" / "results.jsonl"


def test_results_are_there_again(path):
    content = write(path, "b", "a")
    assert content.count(b"\n") == 3
    with ResultsFile(path, SETTINGS, IDS) as file:
        assert file.results == {"a": result("a"), "b": result("b")}
        file.append(result("d"))
    assert path.read_bytes().startswith(content)
    assert json.loads(path.read_bytes().splitlines()[-1]) == result("d")


def test_the_samples_of_a_vote_are_kept(path):
    samples = [SAMPLE, {**SAMPLE, "answer": None, "finish_reason": "length"}]
    voted = {**result("a"), "samples": samples}
    with ResultsFile(path, SETTINGS, IDS) as file:
        file.append(voted)
        file.append(result("b"))
    with ResultsFile(path, SETTINGS, IDS) as file:
        assert file.results == {"a": voted, "b": result("b")}


def test_a_result_is_on_file_as_soon_as_it_is_appended(path):
    with ResultsFile(path, SETTINGS, IDS) as file:
        for number, unique_id in enumerate(IDS, start=1):
            file.append(result(unique_id))
            assert path.read_bytes().count(b"\n") == 1 + number


def test_a_file_cut_anywhere_in_its_last_line_goes_on_without_that_line(path):
    whole, longer = write(path, "a", "b"), write(path, "c")
    for end in range(len(whole), len(longer)):
        path.write_bytes(longer[:end])
        with ResultsFile(path, SETTINGS, IDS) as file:
            assert list(file.results) == ["a", "b"]
            assert path.read_bytes() == whole
            file.append(result("c"))
        assert path.read_bytes() == longer


def test_a_file_cut_anywhere_in_its_first_line_begins_anew(path):
    header = write(path)
    for end in range(len(header)):
        path.write_bytes(header[:end])
        assert write(path) == header


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"model": "0.6B"}, "model was 'tiny' and is '0.6B'"),
        ({"stop_ids": [1]}, r"stop_ids was \[1, 2\] and is \[1\]"),
        (
            {"chat": "thinking", "model": "big"},
            "model was 'tiny' and is 'big'; chat was None and is 'thinking'",
        ),
        ({"seed": 0}, "seed was None and is 0"),
    ],
)
def test_other_settings_are_refused_by_name(changes, words, path):
    content = write(path, "a")
    with pytest.raises(ResultsFileError, match=words) as error:
        ResultsFile(path, {**SETTINGS, **changes}, IDS)
    assert str(path) in str(error.value)
    assert path.read_bytes() == content


@pytest.mark.parametrize(
    "damage", [b"", b"\0\0\0", b'{"unique_id": "a"}', b"[]", b"7", b'{"unique_id": ["a"]}', b"\xff"]
)
def test_a_damaged_line_in_the_middle_is_named_and_deleting_it_helps(damage, path):
    lines = write(path, "a", "b", "c").splitlines()
    lines[2] = damage
    path.write_bytes(b"\n".join(lines) + b"\n")
    with pytest.raises(ResultsFileError, match="line 3 is damaged; delete the line"):
        ResultsFile(path, SETTINGS, IDS)
    del lines[2]
    path.write_bytes(b"\n".join(lines) + b"\n")
    with ResultsFile(path, SETTINGS, IDS) as file:
        assert list(file.results) == ["a", "c"]


def test_a_line_of_an_unknown_problem_is_damage(path):
    write(path, "a", "b")
    with pytest.raises(ResultsFileError, match="line 3 is damaged"):
        ResultsFile(path, SETTINGS, ["a"])


def test_a_problem_with_two_results_is_refused(path):
    content = write(path, "a", "b")
    path.write_bytes(content + content.splitlines(keepends=True)[1])
    with pytest.raises(ResultsFileError, match="line 4 answers problem a again"):
        ResultsFile(path, SETTINGS, IDS)


@pytest.mark.parametrize(
    "changes",
    [
        *({"correct": value} for value in ("yes", 1, None)),
        *({"tokens": value} for value in (None, "3", 1.5, float("nan"), -1, True)),
        *({"seconds": value} for value in (None, "1", float("inf"), -1)),
        *({"level": value} for value in ("1", None, 1.5)),
        *({name: 5} for name in ("extracted", "finish_reason", "text", "reference", "subject")),
        *({"samples": value} for value in (None, 3, "none", [3], [None], [{}])),
        *({"samples": [{**SAMPLE, "logprob": value}]} for value in (1, None, float("nan"), "0")),
        {"samples": [{**SAMPLE, "answer": 5}]},
        {"samples": [{**SAMPLE, "extra": 5}]},
        {"samples": [{**SAMPLE, "tokens": None}]},
        {"refusal": None},
        {"extra": 1},
    ],
)
def test_a_value_of_the_wrong_type_is_damage(changes, path):
    lines = write(path, "a", "b").splitlines()
    lines[1] = json.dumps({**result("a"), **changes}).encode()
    path.write_bytes(b"\n".join(lines) + b"\n")
    with pytest.raises(ResultsFileError, match="line 2 is damaged; delete the line"):
        ResultsFile(path, SETTINGS, IDS)


def test_verdicts_of_another_verifier_are_given_again_and_the_file_is_written_as_a_whole(path):
    write(path, "a", "b")  # by the verifier ""

    def regrade(result):
        return {**result, "correct": result["unique_id"] == "b"}

    with ResultsFile(path, SETTINGS, IDS, "new") as file:
        assert file.graded_by == ""
        assert file.grade_again(regrade) == 1
        file.append(result("c"))
        with pytest.raises(ResultsFileError, match="being written by another program"):
            ResultsFile(path, SETTINGS, IDS, "new")
    with ResultsFile(path, SETTINGS, IDS, "new") as file:
        assert file.graded_by == "new"
        verdicts = {name: one["correct"] for name, one in file.results.items()}
        assert verdicts == {"a": False, "b": True, "c": True}
    assert [one.name for one in path.parent.iterdir() if one.suffix == ".part"] == []


def test_a_file_without_results_has_the_verifier_of_those_that_come(path):
    write(path)
    with ResultsFile(path, SETTINGS, IDS, "new") as file:
        assert file.graded_by == "new"
    assert json.loads(path.read_bytes())["verifier"] == "new"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_is_named_with_the_file(path, monkeypatch):
    with ResultsFile(path, SETTINGS, IDS) as file:
        file._file.close()
        file._file = Path("/dev/full").open("wb")  # noqa: SIM115
        with pytest.raises(OSError, match="No space left on device") as error:
            file.append(result("a"))
        assert error.value.filename == str(path)
        assert "a" not in file.results


@pytest.mark.skipif(not Path("/dev/null").exists(), reason="needs a device")
def test_a_device_is_no_file_of_results():
    with pytest.raises(ResultsFileError, match="/dev/null is no ordinary file"):
        ResultsFile("/dev/null", SETTINGS, IDS)


@pytest.mark.parametrize(
    "content",
    [
        b"# A README\n\nwithout results\n",
        b"no line end",
        b"\n",
        b'{"settings": 3}\n',
        b'{"settings": {"a\n',
    ],
)
def test_a_foreign_file_is_refused_and_left_alone(content, tmp_path):
    (tmp_path / "README").write_bytes(content)
    with pytest.raises(ResultsFileError, match="give another name"):
        ResultsFile(tmp_path / "README", SETTINGS, IDS)
    assert (tmp_path / "README").read_bytes() == content


def test_two_programs_cannot_write_one_file(path):
    with ResultsFile(path, SETTINGS, IDS) as file:
        with pytest.raises(ResultsFileError, match="being written by another program"):
            ResultsFile(path, SETTINGS, IDS)
        file.append(result("a"))
    write(path, "b")  # the first has ended


def test_a_program_that_is_killed_leaves_no_lock(path):
    code = f"""
from CH3.evaluation.results import ResultsFile
file = ResultsFile({str(path)!r}, {SETTINGS}, {IDS})
input("open")
"""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", code], **pipes) as program:
        assert program.stdout.read(4) == "open"
        with pytest.raises(ResultsFileError, match="being written by another program"):
            write(path)
        program.kill()
    write(path, "a")


def test_a_file_system_without_locks_is_written_all_the_same(path, monkeypatch):
    def no_lock(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(filelock.FileLock, "acquire", no_lock)
    assert write(path, "a").count(b"\n") == 2


@pytest.mark.parametrize(
    ("unique_id", "words"),
    [("a", "'a', which was answered before"), ("z", "not among the problems")],
)
def test_a_result_of_no_open_problem_is_refused_and_not_written(unique_id, words, path):
    content = write(path, "a")
    with ResultsFile(path, SETTINGS, IDS) as file, pytest.raises(ValueError, match=words):
        file.append(result(unique_id))
    assert path.read_bytes() == content
