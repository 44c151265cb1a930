"""The benchmark counts, takes turns, survives failures and reports what it measured; no test asks
how fast it is.
"""

import argparse
import dataclasses
import json
import math
import struct
import sys
from statistics import median
from typing import ClassVar

import pytest
import torch
from safetensors.torch import load_file

from Appendixes.QWEN3Model import load_qwen3
from CH2 import benchmark
from CH2.benchmark import loading as benchmark_loading
from CH2.benchmark import peers as benchmark_peers
from CH2.benchmark import processes as benchmark_workers
from CH2.benchmark import report as benchmark_report
from CH2.benchmark import runners as benchmark_runs
from CH2.benchmark.gguf_file import gguf_name, write_gguf
from CH2.benchmark.processes import Contestant, ContestantError, Contestants, Setting
from CH2.benchmark.runners import (
    BareLinears,
    LadderRunner,
    measure_growth,
    measure_run,
    plain_model,
    plain_weight_bytes,
    random_checkpoint,
)
from CH2.generation import generate
from CH2.packed_weights import weight_bytes
from CH2.speed_ladder import RUNGS, shape_config

TINY = Setting("tiny", "float32", "cpu", threads=1)
EAGER = [rung.name for rung in RUNGS[: [rung.name for rung in RUNGS].index("compiled")]]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """A random checkpoint of the tiny shape, where the benchmark will look for it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(benchmark_runs, "FOLDER", tmp_path_factory.mktemp("benchmark"))
        yield random_checkpoint(TINY)


class InThisProcess:
    """Stands in for `Contestants`: the same questions, without processes."""

    def __init__(self, setting, memory_needed=0):
        self.setting, self.opened = setting, {}

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        pass

    def ask(self, contestant, question, *arguments):
        if contestant.name not in self.opened:
            self.opened[contestant.name] = contestant.open(self.setting)
        return question(self.opened[contestant.name], *arguments)

    def is_open(self, contestant):
        return contestant.name in self.opened


# Processes


PEER = """
import os

class Peer:
    def __init__(self, setting):
        self.setting = setting

def threads(peer):
    import torch
    return os.getpid(), peer.setting.shape, torch.get_num_threads()

def fail(peer):
    raise ValueError("no such tensor")

def die(peer):
    os._exit(3)
"""


def test_a_contestant_that_fails_or_dies_leaves_the_others_alone(tmp_path, monkeypatch):
    (tmp_path / "peer_of_a_test.py").write_text(PEER)
    monkeypatch.syspath_prepend(tmp_path)
    import peer_of_a_test as module

    one, other = Contestant("one", "home", module.Peer), Contestant("other", "home", module.Peer)
    with Contestants(TINY) as processes:
        process, *rest = processes.ask(one, module.threads)
        assert rest == ["tiny", 1]
        with pytest.raises(ContestantError, match="ValueError: no such tensor"):
            processes.ask(other, module.fail)
        assert processes.ask(other, module.threads)[0] == process  # one home, one process
        with pytest.raises(ContestantError, match="exit code 3"):
            processes.ask(one, module.die)
        assert processes.ask(one, module.threads)[0] != process
    assert not processes._homes


def test_when_memory_is_short_all_others_end_before_one_more_opens(monkeypatch):
    closed = []

    class Home:
        def __init__(self, setting):
            self.open = set()

        def ask(self, contestant, question, arguments):
            self.open.add(contestant.name)

        def close(self):
            closed.append(sorted(self.open))

    monkeypatch.setattr(benchmark_workers, "_Home", Home)
    free = [10, 10, 3]
    monkeypatch.setattr(benchmark_workers, "free_memory", lambda: free.pop(0))
    processes = Contestants(TINY, memory_needed=5)
    contestants = [
        Contestant(name, home, None)
        for name, home in (("a", "x"), ("b", "y"), ("a", "x"), ("c", "x"))
    ]
    for contestant in contestants:
        processes.ask(contestant, None)
    assert sorted(closed) == [["a"], ["b"]]
    assert not free


# Runs


class Counter:
    """A runner that makes as many tokens as it is told."""

    device, config = "cpu", shape_config("tiny")
    weight_bytes = cache_bytes = 0

    def __init__(self, made):
        self.made = made

    def run(self, prompt, new_tokens, rows, tick):
        for _ in range(self.made + 1):
            tick()


def test_a_run_times_the_first_token_and_the_others():
    run = measure_run(Counter(5), prompt_tokens=3, new_tokens=5, rows=2)
    assert run.keys() == {"first_token", "decode", "steps", "rows"}
    assert (run["steps"], run["rows"]) == (4, 2)
    assert run["first_token"] >= 0 and run["decode"] > 0
    with pytest.raises(RuntimeError, match="4 tokens were made, 5 were asked for"):
        measure_run(Counter(4), 3, 5)


@pytest.mark.parametrize("name", EAGER)
@pytest.mark.parametrize("rows", [1, 3])
def test_every_rung_makes_the_tokens_it_is_timed_for(name, rows):
    runner = LadderRunner(name, TINY)
    assert measure_run(runner, 5, 4, rows)["steps"] == 3
    assert runner.weight_bytes == weight_bytes(runner.model)
    # keys and values, layers, kv_heads, head_dim, float32
    per_token = 2 * 5 * 2 * 32 * 4 if name != "no cache" else 0
    assert runner.cache_bytes == per_token


def test_bare_linears_and_formulas_count_the_bytes_that_the_model_counts():
    model = plain_model(TINY)
    expected = weight_bytes(model)
    linears = BareLinears(TINY)
    assert linears.weight_bytes == expected
    assert measure_run(linears, 5, 4, rows=2)["steps"] == 3
    assert plain_weight_bytes(TINY) == expected


def test_growth_reads_each_prompt_once_and_counts_its_memory(monkeypatch):
    runner = LadderRunner("fused attention", TINY)
    prefills = []
    monkeypatch.setattr(
        "CH2.decoding.DecodingEngine._prefill",
        lambda engine, texts, real=benchmark_runs.DecodingEngine._prefill: (
            prefills.append(1) or real(engine, texts)
        ),
    )
    for _ in range(2):
        grown = measure_growth(runner, [16, 200], new_tokens=3)
    assert len(prefills) == 2
    for length, found in grown.items():
        assert found["bytes_used"] == (length + 3) * runner.cache_bytes
        assert (
            found["bytes_used"]
            <= found["bytes_held"]
            <= 2 * (length + 64 + 64) * runner.cache_bytes
        )
        assert found["seconds"] > 0


def test_contestants_take_turns_and_the_first_round_does_not_count():
    calls = []

    def job(name, broken_at=None):
        def measure(warming):
            calls.append((name, warming))
            if len([call for call in calls if call[0] == name]) == broken_at:
                raise ContestantError("out of memory")
            return len(calls)

        return measure

    values, failed = benchmark.alternate(
        {"a": job("a"), "b": job("b", broken_at=2), "c": job("c")}, 2, "test"
    )
    assert calls == [
        *(("a", True), ("b", True), ("c", True)),
        *(("a", False), ("b", False), ("c", False)),
        *(("a", False), ("c", False)),
    ]
    assert values == {"a": [4, 7], "c": [6, 8]}
    assert failed == {"b": "out of memory"}


# Peers


def test_peers_that_are_not_installed_are_named_with_the_command_that_installs_them(
    monkeypatch, capsys
):
    monkeypatch.setattr(
        "importlib.util.find_spec", lambda name: name if name == "transformers" else None
    )
    assert [peer.name for peer in benchmark_peers.installed_peers()] == ["transformers"]
    told = capsys.readouterr().err
    assert "pip install llama-cpp-python" in told and "pip install reasoning-from-scratch" in told
    assert "pip install transformers" not in told


@pytest.mark.parametrize("peer", benchmark_peers.PEERS, ids=lambda peer: peer.name)
def test_every_installed_peer_makes_the_tokens_it_is_timed_for(peer, checkpoint):
    pytest.importorskip(benchmark_peers.PACKAGES[peer.home][0])
    setting = dataclasses.replace(TINY, dtype="bfloat16")
    runner = peer.open(setting)
    assert measure_run(runner, 5, 4)["steps"] == 3
    half = plain_weight_bytes(setting)
    bits = {"half": 16, "int8": 8.5, "int4": 4.5}[peer.weights]
    assert 0.99 * half * bits / 16 <= runner.weight_bytes <= half * (bits / 16 + 0.1)
    if peer.name == benchmark_peers.TRANSFORMERS:
        assert measure_run(runner, 5, 4, rows=3)["rows"] == 3


def test_a_gguf_file_holds_every_tensor_of_the_checkpoint(checkpoint, tmp_path):
    path = tmp_path / "model.gguf"
    write_gguf(checkpoint, path)
    settings, tensors = read_gguf(path)
    config = shape_config("tiny")
    assert settings["general.architecture"] == "qwen3"
    assert settings["qwen3.block_count"] == config.num_hidden_layers
    assert settings["qwen3.rope.freq_base"] == config.rope_theta
    expected = {
        gguf_name(name): tensor
        for name, tensor in load_file(checkpoint / "model.safetensors").items()
    }
    assert tensors.keys() == expected.keys()
    for name, tensor in expected.items():
        assert torch.equal(tensors[name], tensor), name


def read_gguf(path):
    """Settings and float32 tensors of a GGUF file, read as its documentation describes it."""
    data, at = path.read_bytes(), 0

    def take(form):
        nonlocal at
        values = struct.unpack_from("<" + form, data, at)
        at += struct.calcsize("<" + form)
        return values if len(values) > 1 else values[0]

    def text():
        return take(f"{take('Q')}s").decode()

    assert take("4s") == b"GGUF"
    version, tensor_count, setting_count = take("IQQ")
    assert version == 3
    settings = {}
    for _ in range(setting_count):
        name = text()
        settings[name] = {4: lambda: take("I"), 6: lambda: take("f"), 8: text}[take("I")]()
    layout = {}
    for _ in range(tensor_count):
        name = text()
        shape = [take("Q") for _ in range(take("I"))][::-1]
        assert take("I") == 0  # float32
        layout[name] = shape, take("Q")
    start = math.ceil(at / settings["general.alignment"]) * settings["general.alignment"]
    return settings, {
        name: torch.frombuffer(
            bytearray(data), dtype=torch.float32, count=math.prod(shape), offset=start + offset
        )
        .clone()
        .view(shape)
        for name, (shape, offset) in layout.items()
    }


def test_loading_gives_the_first_token_of_the_checkpoint(checkpoint, monkeypatch, capsys):
    model, _ = load_qwen3(checkpoint, device="cpu")
    expected = next(generate(model, torch.tensor([benchmark_loading.PROMPT]), 1))
    assert benchmark_loading.first_token_ours(str(checkpoint), "cpu")[1] == expected
    assert (
        benchmark_loading.first_token_ours(str(checkpoint), "cpu", benchmark.LOADED_RUNG)[1]
        == expected
    )
    monkeypatch.setattr(sys, "argv", ["benchmark_loading", "ours", str(checkpoint)])
    benchmark_loading.main()
    seconds = json.loads(capsys.readouterr().out)
    assert 0 < seconds["load"] < seconds["all"]


# The command

OPTIONS = {
    **{"shape": "tiny", "dtype": "float32", "device": "cpu", "threads": 1, "json": None},
    **{"prompt_tokens": 32, "new_tokens": 48, "context": 64, "batch": 8, "rounds": 3},
}


@pytest.fixture
def short_ladder(monkeypatch, checkpoint):
    """The whole command on the tiny shape, in this process, without rungs that are compiled."""
    monkeypatch.setattr(benchmark, "RUNGS", [rung for rung in RUNGS if rung.name in EAGER])
    monkeypatch.setattr(benchmark, "Contestants", InThisProcess)
    monkeypatch.setattr(benchmark_runs, "BANDWIDTH_BYTES", {"cpu": 1 << 20})
    monkeypatch.setattr(benchmark, "LENGTHS", (16, 128, 2048))
    monkeypatch.setattr(benchmark, "AFTER_CONTEXT", 4)
    monkeypatch.setattr(benchmark, "UNCACHED_TOKENS", 3)

    def command(*options):
        fixed = ("--shape", "tiny", "--dtype", "float32", "--threads", str(torch.get_num_threads()))
        fixed += (
            "--prompt-tokens",
            "4",
            "--new-tokens",
            "5",
            "--context",
            "20",
            "--batch",
            "3",
            "--rounds",
            "2",
        )
        monkeypatch.setattr(sys, "argv", ["benchmark", *fixed, *options])
        benchmark.main()

    return command


def test_the_command_measures_every_rung_prints_tables_and_writes_what_it_measured(
    short_ladder, tmp_path, capsys
):
    short_ladder(
        "--only", "decode", "prefill", "batch", "growth", "--json", str(tmp_path / "found.json")
    )
    printed = capsys.readouterr().out
    results = json.loads((tmp_path / "found.json").read_text())
    assert list(results["decode"]) == ["bare linears", *EAGER]
    assert {name: len(runs) for name, runs in results["decode"].items()} == dict.fromkeys(
        results["decode"], 2
    )
    assert results["decode"]["no cache"][0]["steps"] == 2  # fewer, and the table says so
    assert "no cache (3 written)" in printed
    assert list(results["prefill"]) == [
        name for name in EAGER if name in benchmark.LONG_PROMPT_RUNGS
    ]
    assert [runs[0]["rows"] for runs in results["batch"].values()] == [3, 3, 1]
    # the tiny shape has no room for more
    assert list(results["growth"][EAGER[-1]][0]) == ["16", "128"]
    for task, print_task in benchmark_report.PRINTERS.items():  # the file says all that was printed
        if task in results:
            print_task(results)
            assert capsys.readouterr().out in printed


def test_the_picture_shows_every_contestant_and_its_limit(short_ladder, tmp_path):
    short_ladder(
        "--only",
        "decode",
        "--json",
        str(tmp_path / "found.json"),
        "--plot",
        str(tmp_path / "found.png"),
    )
    results = json.loads((tmp_path / "found.json").read_text())
    [axes] = benchmark_report.draw_decode(results).axes
    assert [label.get_text() for label in axes.get_yticklabels()] == list(results["decode"])
    speeds = [bar.get_width() for bar in axes.patches[: len(results["decode"])]]
    assert speeds == pytest.approx(
        [median(benchmark_report.speeds(runs)) for runs in results["decode"].values()]
    )
    [limits] = axes.collections
    assert len(limits.get_segments()) == len(results["decode"])
    assert (tmp_path / "found.png").stat().st_size > 0


def test_a_failure_is_printed_under_the_table(short_ladder, monkeypatch, capsys):
    def ask(self, contestant, question, *arguments):
        if contestant.name == EAGER[1]:
            raise ContestantError("out of memory")
        return real(self, contestant, question, *arguments)

    real = InThisProcess.ask
    monkeypatch.setattr(InThisProcess, "ask", ask)
    short_ladder("--only", "decode")
    assert f"{EAGER[1]} failed: out of memory" in capsys.readouterr().out


def test_a_contestant_that_had_to_make_room_warms_up_again_when_it_returns(monkeypatch):
    class Recorder(InThisProcess):
        asked: ClassVar[list] = []

        def ask(self, contestant, question, *arguments):
            self.asked.append((question.__name__, *arguments))
            return super().ask(contestant, question, *arguments)

    monkeypatch.setattr(benchmark_runs, "BANDWIDTH_BYTES", {"cpu": 1 << 20})
    recorder = Recorder(TINY)
    bench = benchmark.Benchmark(recorder, argparse.Namespace(**OPTIONS), peers=[])
    lazy = Contestant("counter", "home", lambda setting: Counter(2))
    compiling = dataclasses.replace(lazy, name="compiling", compiles=True)
    for contestant, warm_up in ((lazy, ("measure_run", 1, 2)), (compiling, ("measure_run", 9, 2))):
        measure = bench.job(contestant, measure_run, (9, 2), (1, 2))
        recorder.asked.clear()
        assert measure(True) is None
        assert recorder.asked == [warm_up, ("bytes_of",)]
        recorder.asked.clear()
        assert measure(False)["steps"] == 1
        assert recorder.asked == [("measure_run", 9, 2)]
        recorder.opened.clear()  # as when memory was short
        recorder.asked.clear()
        measure(False)
        assert recorder.asked == [warm_up, ("measure_run", 9, 2)]


def test_ratios_are_between_contestants_with_as_many_bits_a_weight(capsys):
    def runs(*seconds):
        return [
            {"first_token": 1.0, "decode": second, "steps": 10, "rows": 1} for second in seconds
        ]

    def contestant(weights="half", rung=False, weight_bytes=10**9):
        return {"rung": rung, "weights": weights, "weight_bytes": weight_bytes, "cache_bytes": 0}

    results = {
        "settings": {"prompt_tokens": 4, "new_tokens": 11},
        "bandwidth": 10e9,
        "contestants": {
            "fused attention": contestant(rung=True),
            "int4": contestant("int4", rung=True, weight_bytes=10**8),
            "book": contestant(),
            "transformers": contestant(),
            "llama.cpp BF16": contestant(),
            "llama.cpp Q4_0": contestant("int4"),
        },
        "decode": {
            "fused attention": runs(2.0, 1.0, 3.0),  # 5 tokens/s
            "int4": runs(0.5),  # 20
            "book": runs(4.0),  # 2.5
            "transformers": runs(10.0),  # 1
            "llama.cpp BF16": runs(1.0),  # 10
            "llama.cpp Q4_0": runs(0.25),  # 40
        },
    }
    benchmark_report.print_decode(results)
    lines = {
        line[2:18].strip(): line[18:].split() for line in capsys.readouterr().out.splitlines()[3:]
    }
    assert lines["fused attention"] == [
        "5.00",
        "(3.33",
        "to",
        "10.00)",
        "5.0",
        "50%",
        "2.00",
        "5.00",
        "0.50",
    ]
    assert lines["int4"] == [
        "20.0",
        "(20.0",
        "to",
        "20.0)",
        "2.0",
        "20%",
        "4.00",
        "8.00",
        "20.00",
        "0.50",
    ]
    assert lines["book"] == ["2.50", "(2.50", "to", "2.50)", "2.5", "25%", "1.00", "2.50", "0.25"]


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"rounds": 0}, "--rounds 0: it must be at least 1"),
        ({"new_tokens": 1}, "--new-tokens 1: it must be at least 2"),
        ({"device": "abacus"}, "--device abacus: Expected one of cpu, cuda"),
        ({"device": "cpu:x"}, "--device cpu:x: Invalid device string"),
        ({"prompt_tokens": 1020}, "exceed the shape's context of 1024"),
    ],
)
def test_what_cannot_be_measured_is_refused_at_once(changed, reason, capsys):
    arguments = argparse.Namespace(**{**OPTIONS, **changed})
    with pytest.raises(SystemExit) as ended:
        benchmark.check(arguments)
    assert ended.value.code == 2
    told = capsys.readouterr().err
    assert reason in told and told.count("\n") == 1
