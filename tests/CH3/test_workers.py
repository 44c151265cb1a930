"""Several processes at one evaluation: each problem answered once, whichever of them is killed, and
when.
"""

import json
import os
import random
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from process_team import Team, wait_until

from CH3.evaluation import evaluate
from CH3.evaluation.answers import Answer
from CH3.evaluation.results import ResultsFile, ResultsFileError
from CH3.evaluation.workers import (
    Workers,
    _name_of_this_start,
    device_of_this_process,
    handed_out,
    joined_workers,
)
from CH3.problems import load_problems

needs_linux = pytest.mark.skipif(
    not Path("/proc/self").exists(), reason="kills processes that it finds in /proc"
)


@pytest.fixture(scope="module")
def problems() -> list[dict]:
    return load_problems("arithmetic500", limit=12)


def backwards(problems):
    return (
        Answer(one, "?", f"\\boxed{{{one['answer']}}}", 3, 0.5) for one in reversed(list(problems))
    )


def test_items_are_handed_out_once_in_order_to_whoever_asks():
    counters = Workers().counters()
    first, second = (handed_out("abcdefg", counters) for _ in range(2))
    assert [next(first), next(second), next(second), next(first)] == list("abcd")
    assert list(second) == list("efg")
    assert list(first) == []


def test_counters_of_two_pieces_of_work_are_apart():
    workers = Workers()
    assert list(handed_out("abc", workers.counters())) == list("abc")
    assert list(handed_out("abc", workers.counters())) == list("abc")
    assert Workers(size=4).fair_share(10) == 3


def test_each_process_of_a_machine_has_a_gpu_of_its_own(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    monkeypatch.setenv("LOCAL_RANK", "6")
    assert [device_of_this_process(device) for device in (None, "cuda", "cpu")] == [
        None,
        "cuda",
        "cpu",
    ]
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "of torchrun")
    assert [device_of_this_process(device) for device in (None, "cuda")] == ["cuda:2"] * 2
    assert [device_of_this_process(device) for device in ("cpu", "cuda:1")] == ["cpu", "cuda:1"]
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert device_of_this_process(None) is None


def test_ranks_that_torchrun_did_not_give_count_for_nothing(monkeypatch):
    for name in ("RANK", "WORLD_SIZE"):  # as clusters set them, for programs of other kinds
        monkeypatch.setenv(name, "3")
    with joined_workers(None) as workers:
        assert (workers.rank, workers.size, workers.leads) == (0, 1, True)


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0, 2)])
def test_processes_agree_on_a_name_whatever_earlier_ones_left_in_the_store(order):
    store, names = dist.HashStore(), []
    for _ in range(3):
        with ThreadPoolExecutor(3) as pool:
            started = []
            for rank in order:
                started.append(pool.submit(_name_of_this_start, store, rank, 3))
                time.sleep(0.1)  # the first could take an old mark for a new one
            [name] = {one.result(timeout=30) for one in started}
        names.append(name)
    assert len(set(names)) == 3


def test_parts_that_a_killed_run_left_are_gathered_once(problems, tmp_path):
    out, settings = tmp_path / "[out].jsonl", {"model": "a table"}
    results = evaluate(
        backwards, problems, tmp_path / "whole.jsonl", settings=settings, progress=False
    )
    header = json.loads((tmp_path / "whole.jsonl").read_text().splitlines()[0])["settings"]
    ids = [problem["unique_id"] for problem in problems]
    # they overlap
    for name, some in {"": results[:4], ".rank1": results[2:6], ".rank7": results[5:9]}.items():
        with ResultsFile(f"{out}{name}", header, ids) as file:
            for result in some:
                file.append(result)
    with Path(f"{out}.rank7").open("a") as file:
        file.write('{"unique_id": "cut off')
    other = Path(f"{out}.rankings.txt")  # somebody's own
    other.write_text("first")
    asked = []

    def answer_fn(open_problems):
        asked.extend(open_problems)
        return backwards(asked)

    assert evaluate(answer_fn, problems, out, settings=settings, progress=False) == results
    assert asked == problems[9:]
    assert {path.name for path in tmp_path.iterdir()} == {"whole.jsonl", out.name, other.name}
    lines = [json.loads(line) for line in out.read_text().splitlines()[1:]]
    assert sorted(line["unique_id"] for line in lines) == sorted(ids)


def test_parts_of_other_settings_are_refused_and_stay(problems, tmp_path):
    out = tmp_path / "out.jsonl"
    with ResultsFile(f"{out}.rank1", {"model": "another"}, []):
        pass
    with pytest.raises(ResultsFileError, match="rank1 was made with other settings"):
        evaluate(backwards, problems, out, settings={"model": "a table"}, progress=False)
    assert Path(f"{out}.rank1").exists()


# The command line, in processes that share the work


PROBLEMS = 150  # many more than are answered between two looks at the files
ARGUMENTS = ["--limit", str(PROBLEMS), "--prompt", "direct", "--max-new-tokens", "16"]
# where a text does not depend on its neighbours at all
ARGUMENTS += ["--device", "cpu", "--dtype", "float64"]
SLOWLY = ["--batch", "3"]


def kept(out: Path) -> list[str]:
    """The results on disk, in the file and in its parts; a last line that is cut off is none."""
    contents = []
    for path in out.parent.glob(f"{out.name}*"):
        with suppress(FileNotFoundError):  # a part that was gathered just now
            contents.append(path.read_text())
    lines = [
        line for content in contents for line in content[: content.rfind("\n") + 1].splitlines()
    ]
    return [line for line in lines if '"unique_id"' in line[:20]]


def without_seconds(lines: list[str]) -> list[dict]:
    results = [json.loads(line) for line in lines]
    for result in results:
        del result["seconds"]
    return sorted(results, key=lambda result: result["unique_id"])


@needs_linux
def test_processes_killed_at_random_moments_lose_nothing_and_repeat_nothing(
    forking, tmp_path, tiny_folder
):
    whole, killed = tmp_path / "whole.jsonl", tmp_path / "killed.jsonl"
    assert Team(forking, "a", "CH3.evaluation", *ARGUMENTS, "--out", whole).statuses() == [0]
    seed = random.randrange(2**32)
    print(f"seed {seed}")  # shown when the test fails
    rng, before = random.Random(seed), []
    for _ in range(4):
        team = Team(
            forking,
            rng.choice(("aa", "aaa")),
            "CH3.evaluation",
            *ARGUMENTS,
            *SLOWLY,
            "--out",
            killed,
        )
        wanted = len(before) + rng.randint(1, 4)
        wait_until(lambda wanted=wanted: len(kept(killed)) >= wanted)
        time.sleep(rng.uniform(0, 0.03))
        team.kill(rng.randrange(len(team.pids)))
        assert any(team.statuses())
        after = kept(killed)
        assert {json.loads(line)["unique_id"] for line in before} <= {
            json.loads(line)["unique_id"] for line in after
        }
        # a result may be in its part still, and in the file already
        before = list(dict.fromkeys(after))
    assert Team(forking, "aa", "CH3.evaluation", *ARGUMENTS, "--out", killed).statuses() == [0, 0]
    assert [path.name for path in tmp_path.glob("killed*")] == ["killed.jsonl"]  # no parts
    assert set(before) <= set(kept(killed))  # with their seconds: they were not answered again
    assert without_seconds(kept(killed)) == without_seconds(kept(whole))
    assert len(kept(killed)) == PROBLEMS


@needs_linux
def test_machines_need_no_common_folder_and_may_change_their_ranks(forking, tmp_path, tiny_folder):
    arguments = [
        "CH3.evaluation",
        *ARGUMENTS,
        *SLOWLY,
        "--limit",
        "24",
        "--out",
        tmp_path / "{machine}" / "out.jsonl",
    ]
    a, b = (tmp_path / machine / "out.jsonl" for machine in "ab")
    team = Team(forking, "abb", *arguments)
    wait_until(lambda: len(kept(a)) >= 2 and len(kept(b)) >= 3)
    team.kill(2)
    assert any(team.statuses())
    before = {*kept(a), *kept(b)}
    assert Team(forking, "ba", *arguments).statuses() == [0, 0]  # now the other machine has rank 0
    assert before <= set(kept(b))
    assert len({json.loads(line)["unique_id"] for line in kept(b)}) == len(kept(b)) == 24
    assert [path.name for path in b.parent.iterdir()] == ["out.jsonl"]
    assert [path.name for path in a.parent.iterdir()] == ["out.jsonl"]


@needs_linux
def test_torchrun_restarts_the_processes_when_one_is_killed(tmp_path, tiny_folder):
    out = tmp_path / "out.jsonl"
    command = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--nproc-per-node",
        "2",
        "--max-restarts",
        "1",
    ]
    command += [
        "--monitor-interval",
        "0.1",
        "-m",
        "CH3.evaluation",
        *ARGUMENTS,
        *SLOWLY,
        "--out",
        str(out),
    ]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    environment.pop("MASTER_PORT", None)
    torchrun = subprocess.Popen(
        command, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    try:
        wait_until(lambda: len(kept(out)) >= 5 or torchrun.poll() is not None)
        assert torchrun.poll() is None, (
            f"ended before one could be killed: {torchrun.communicate()[1]}"
        )
        parts = [path.name for path in tmp_path.iterdir()]
        children = Path(f"/proc/{torchrun.pid}/task/{torchrun.pid}/children").read_text().split()
        os.kill(int(children[1]), signal.SIGKILL)
        shown, said = torchrun.communicate(timeout=300)
    finally:
        torchrun.terminate()  # and its processes, if something failed
    assert torchrun.returncode == 0, said
    assert "exitcode: -9" in said, said  # it noticed the kill
    assert sorted(parts) == ["out.jsonl", "out.jsonl.rank1"]
    assert [path.name for path in tmp_path.iterdir()] == ["out.jsonl"]
    assert shown.count("accuracy") == 1  # rank 0 reports, once
    assert len({json.loads(line)["unique_id"] for line in kept(out)}) == len(kept(out)) == PROBLEMS
    assert f"{PROBLEMS}/{PROBLEMS}" in said and "rows busy" in said
