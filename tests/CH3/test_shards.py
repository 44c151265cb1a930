"""Several processes: each problem is answered once, whichever is killed, and when."""

import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from process_team import Processes, rank_of, wait_until

from CH3.evaluation import VERIFIER, evaluate, graded_again
from CH3.evaluation.answers import Answer
from CH3.evaluation.command_line import device_of_this_process, shard_of_torchrun
from CH3.evaluation.report import main as report
from CH3.evaluation.results import WHOLE, Gathered, ResultsFileError, Shard, shards_at_work
from CH3.evaluation.results import read_shards as read_shards_by
from CH3.evaluation.writers import Text
from CH3.problems import Problem, load_problems

SETTINGS = {"model": "a table"}


def read_shards(paths: list[Path]) -> Gathered:
    return read_shards_by(paths, VERIFIER, graded_again)


@pytest.fixture(scope="module")
def problems() -> list[Problem]:
    return load_problems("arithmetic500", limit=12)


@pytest.fixture
def files(problems, tmp_path) -> list[Path]:
    """Three shards' files; the second has answers to two of its four problems."""

    def answer_fn(some):
        for number, one in enumerate(some):
            if number == 2 and shard == Shard(2, 3):
                raise InterruptedError
            yield Answer(one, Text("?", "1", 3), 0.5, one["answer"])

    out = tmp_path / "[out].jsonl"
    for shard in (Shard(number, 3) for number in (1, 2, 3)):
        try:
            evaluate(answer_fn, problems, out, settings=SETTINGS, progress=False, shard=shard)
        except InterruptedError:
            assert shard.number == 2
    return [Shard(number, 3).file(out) for number in (1, 2, 3)]


@pytest.mark.parametrize("count", [1, 2, 3, 7, 12, 20])
def test_every_item_is_in_exactly_one_shard_and_shards_are_of_one_size(count):
    parts = [Shard(number, count).of(range(12)) for number in range(1, count + 1)]
    assert sorted(item for part in parts for item in part) == list(range(12))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1
    assert (
        len({Shard(number, count).file(Path("x.jsonl")) for number in range(1, count + 1)}) == count
    )


@pytest.mark.parametrize("text", ["", "3", "0/8", "9/8", "-1/8", "1/0", "a/b", "1/2/3", "1.0/2"])
def test_what_is_no_shard_is_refused(text):
    assert Shard.parse("3/8") == Shard(3, 8)
    with pytest.raises(ValueError, match="expected a number and a count such as 3/8"):
        Shard.parse(text)


def test_a_rank_of_torchrun_is_a_shard_and_any_other_rank_counts_for_nothing(monkeypatch):
    for name in ("RANK", "WORLD_SIZE"):  # as clusters set them, for programs of other kinds
        monkeypatch.setenv(name, "3")
    assert shard_of_torchrun() == WHOLE
    for name, value in rank_of(2, 8).items():
        monkeypatch.setenv(name, str(value))
    assert shard_of_torchrun() == Shard(3, 8)


def test_each_process_of_a_machine_has_a_gpu_of_its_own(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    monkeypatch.setenv("LOCAL_RANK", "6")
    devices = (None, "cuda", "cpu", "cuda:1")
    assert tuple(map(device_of_this_process, devices)) == devices
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "of torchrun")
    found = [device_of_this_process(device) for device in devices]
    assert found == ["cuda:2", "cuda:2", "cpu", "cuda:1"]
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert device_of_this_process(None) is None


def test_the_report_adds_files_up_and_names_what_is_missing(files, monkeypatch, capsys):
    def reported(*arguments) -> tuple[object, str]:
        monkeypatch.setattr(sys, "argv", ["report", *map(str, arguments)])
        try:
            report()
        except SystemExit as error:
            return error.code, capsys.readouterr().out
        return 0, capsys.readouterr().out

    found = read_shards(files[::-1])
    assert len(found.results) == 10
    assert found.missing == ["shard 2/3 (2 of 4 problems answered)"]
    code, shown = reported(*files)
    assert ("shard 2/3 (2 of 4" in code, "10 of 10" in shown) == (True, True)
    code, shown = reported(files[0])
    assert "shard 2/3 (0 of 4 problems answered), shard 3/3 (0 of 4" in code
    files[0].rename(files[0].with_name("a.jsonl"))
    files[1].rename(files[0].with_name("b.jsonl"))
    code, shown = reported(files[0].parent / "?.jsonl")
    assert ("shard 3/3 (0 of 4" in code, "6 of 6" in shown) == (True, True)


@pytest.mark.parametrize("option", [[], ["--wrong"]])
def test_the_report_lists_wrong_answers_on_request(files, monkeypatch, capsys, option):
    text = files[0].read_text().replace('"correct": true', '"correct": false', 1)
    files[0].write_text(text)
    wrong = json.loads(text.splitlines()[1])
    monkeypatch.setattr(sys, "argv", ["report", *map(str, files), *option])
    with pytest.raises(SystemExit, match="not all is there"):
        report()
    said = f"wrong: {wrong['unique_id']}: '{wrong['extracted']}', expected '{wrong['reference']}'"
    listed = [line for line in capsys.readouterr().out.splitlines() if line.startswith("wrong: ")]
    assert listed == [said] * len(option)


def test_a_shard_that_is_not_done_is_named_with_its_silence(files):
    out = files[0].with_name("[out].jsonl")
    assert shards_at_work(out, Shard(2, 3), 12) == []
    before = time.time() - 125
    os.utime(files[1], (before, before))
    [said] = shards_at_work(out, Shard(1, 3), 12)
    assert re.fullmatch(r"shard 2/3 \(2 of 4 problems answered, nothing for 12\d s\)", said)
    files[2].unlink()
    assert shards_at_work(out, Shard(1, 3), 12)[1:] == ["shard 3/3 (nothing here yet)"]


def test_shards_of_two_verifiers_are_graded_by_one(files):
    assert read_shards(files).graded_again == {}
    files[0].write_text(files[0].read_text().replace(VERIFIER, "an earlier one"))
    found = read_shards(files)
    assert found.graded_again == {files[0]: 4}  # the text "1" is right for none
    assert [result["correct"] for result in found.results.values()] == [False] * 4 + [True] * 6
    assert files[0].read_text().count("an earlier one") == 1  # it is left as it was


def test_files_that_do_not_belong_together_are_refused(files, problems, tmp_path):
    with pytest.raises(ResultsFileError, match="shard 1/3 is in another file, too"):
        read_shards([files[0], files[2], files[0]])
    # an answer of another shard
    files[2].write_bytes(files[2].read_bytes() + files[0].read_bytes().splitlines(True)[1])
    with pytest.raises(ResultsFileError, match="both have a result for problem"):
        read_shards(files)

    def answer_fn(some):
        return (Answer(one, Text("?", "1", 3), 0.5, "1") for one in some)

    others = {
        "model was 'another' and is": ({"model": "another"}, problems, Shard(2, 3)),
        "problems was": (SETTINGS, problems[::-1], Shard(2, 3)),
        "shards was 4 and is 3": (SETTINGS, problems, Shard(2, 4)),
    }
    for number, (words, (settings, asked, shard)) in enumerate(others.items()):
        out = tmp_path / f"{number}.jsonl"
        evaluate(answer_fn, asked, out, settings=settings, progress=False, shard=shard)
        with pytest.raises(ResultsFileError, match=words):
            read_shards([files[0], shard.file(out)])
    with pytest.raises(ResultsFileError, match="no results"):
        read_shards([])


# The command line, in processes that share the work


PROBLEMS = 150  # many more than are answered between two looks at the files
ARGUMENTS = ["CH3.evaluation", "--limit", PROBLEMS, "--prompt", "direct", "--max-new-tokens", 16]
# where a text does not depend on its neighbours at all
ARGUMENTS += ["--device", "cpu", "--dtype", "float64"]
SLOWLY = ["--batch", "2"]


def kept(path: Path) -> list[str]:
    """The results in a file that may not be there yet; a last line that is cut off is none."""
    content = path.read_text() if path.exists() else ""
    return content[: content.rfind("\n") + 1].splitlines()[1:]


def test_ten_times_some_ranks_are_killed_and_nothing_is_lost_or_doubled(
    forking, tmp_path, tiny_folder
):
    whole, out = tmp_path / "whole.jsonl", tmp_path / "out.jsonl"
    assert Processes(forking, *ARGUMENTS, "--out", whole).statuses() == [0]
    files = [Shard(number, 3).file(out) for number in (1, 2, 3)]
    seed = random.randrange(2**32)
    print(f"seed {seed}")  # shown when the test fails
    rng, before = random.Random(seed), [[], [], []]
    for _ in range(10):
        ranks = rng.sample(range(3), rng.randint(1, 3))  # the others' commands are given later
        environments = [rank_of(rank, 3) for rank in ranks]
        team = Processes(forking, *ARGUMENTS, *SLOWLY, "--out", out, environments=environments)
        watched = files[ranks[0]]
        wanted = len(before[ranks[0]]) + rng.randint(0, 3)
        wait_until(lambda watched=watched, wanted=wanted: len(kept(watched)) >= wanted)
        time.sleep(rng.uniform(0, 0.03))
        for number in range(len(ranks)):
            team.kill(number)
        assert set(team.statuses()) <= {0, signal.SIGKILL}
        after = [kept(file) for file in files]
        for one, other in zip(before, after, strict=True):
            assert other[: len(one)] == one  # what was finished stays, as it was
        before = after
    assert sum(map(len, before)) < PROBLEMS  # the kills came in the middle
    for rank in (2, 0, 1):  # each goes on alone, as torchrun's or by hand
        alone = ["--shard", f"{rank + 1}/3", "--out", out]
        assert Processes(forking, *ARGUMENTS, *alone).statuses() == [0]
    found = read_shards(files)
    assert found.missing == []
    assert found.settings == read_shards([whole]).settings
    results, wanted = found.results, read_shards([whole]).results
    assert len(results) == sum(len(kept(file)) for file in files) == PROBLEMS
    for result in (*results.values(), *wanted.values()):
        del result["seconds"]
    assert results == wanted


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="finds processes in /proc")
def test_torchrun_starts_ranks_and_restarts_them_when_one_is_killed(tmp_path, tiny_folder):
    out, count = tmp_path / "out.jsonl", 40
    files = [Shard(number, 2).file(out) for number in (1, 2)]
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"]
    command += ["--max-restarts", "1", "--monitor-interval", "0.1", "-m", *map(str, ARGUMENTS)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    environment.pop("MASTER_PORT", None)
    torchrun = subprocess.Popen(
        [*command, *SLOWLY, "--limit", str(count), "--out", str(out)],
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        wait_until(lambda: kept(files[1]) or torchrun.poll() is not None)
        assert torchrun.poll() is None, f"ended too early: {torchrun.communicate()[1]}"
        children = Path(f"/proc/{torchrun.pid}/task/{torchrun.pid}/children").read_text().split()
        os.kill(int(children[1]), signal.SIGKILL)
        shown, said = torchrun.communicate(timeout=300)
    finally:
        torchrun.terminate()  # and its processes, if something failed
    assert torchrun.returncode == 0, said
    assert "exitcode: -9" in said, said  # it noticed the kill
    for number, file in enumerate(files, start=1):
        assert f"Shard {number}/2: {count // 2} problems answered, in {file}." in shown
    # the last line says which command adds up
    command = [line for line in shown.splitlines() if "CH3.evaluation.report" in line][-1]
    assert command.endswith(f'python -m CH3.evaluation.report "{tmp_path}/out.shard-*-of-2.jsonl"')
    assert read_shards(files).missing == []
    assert f"{count // 2}/{count // 2}" in said and "rows busy" in said
    assert {json.loads(line)["unique_id"] for file in files for line in kept(file)} == {
        problem["unique_id"] for problem in load_problems("arithmetic500", limit=count)
    }
