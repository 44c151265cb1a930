"""The benchmark counts, takes turns, survives failures and reports what it measured; no test asks
how fast it is.
"""

import argparse
import dataclasses
import json
import sys
from statistics import median
from typing import ClassVar

import pytest
import torch
from safetensors.torch import load_file, save_file

from Appendixes.QWEN3Model import Qwen3Config, load_qwen3
from CH2.benchmark import __main__ as command_line
from CH2.benchmark import loading, peers, processes, report, runners, tasks
from CH2.benchmark.llama_cpp import write_gguf
from CH2.benchmark.processes import Peer, PeerError, Setting, Workers
from CH2.benchmark.random_models import (
    SHAPES,
    SPREAD,
    random_checkpoint,
    random_model,
    shape_config,
)
from CH2.benchmark.runners import (
    BareLinears,
    LadderRunner,
    bytes_of,
    measure_growth,
    measure_run,
    plain_model,
    plain_weight_bytes,
)
from CH2.generation import generate
from CH2.packed_weights import weight_bytes
from CH2.speed_ladder import RUNGS

TINY = Setting("tiny", "float32", "cpu", threads=1)
EAGER = [rung.name for rung in RUNGS[: [rung.name for rung in RUNGS].index("compiled")]]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """A random checkpoint of the tiny shape."""
    return random_checkpoint(dataclasses.replace(TINY, folder=tmp_path_factory.mktemp("benchmark")))


class InThisProcess:
    """Stands in for `Workers`: the same calls, without processes."""

    def __init__(self, setting, memory_needed=0):
        self.setting, self.opened = setting, {}

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        pass

    def call(self, peer, function, *arguments):
        if peer not in self.opened:
            self.opened[peer] = peer.open(*peer.arguments, self.setting)
        return function(self.opened[peer], *arguments)

    def is_open(self, peer):
        return peer in self.opened


# Random models


def test_random_models_have_a_known_shape_the_same_weights_each_time_and_peaked_logits():
    for dtype in (torch.float32, torch.bfloat16):
        model, again = random_model("tiny", dtype), random_model("tiny", dtype)
        assert model.config == shape_config("tiny")
        assert {weight.dtype for weight in model.parameters()} == {dtype}
        for name, weight in model.named_parameters():
            assert torch.equal(weight, again.get_parameter(name)), name
        ids = torch.randint(640, (4, 32), generator=torch.Generator().manual_seed(0))
        assert model(ids).float().std().item() == pytest.approx(SPREAD, rel=0.1)
    # as random models have them
    assert all(shape_config(shape).tie_word_embeddings for shape in SHAPES)
    with pytest.raises(ValueError, match="choose one of tiny"):
        random_model("7B")


def test_the_shipped_models_shape_is_read_when_it_is_asked_for(monkeypatch, tmp_path):
    (tmp_path / "tiny").mkdir()
    Qwen3Config(num_hidden_layers=3).to_json(tmp_path / "tiny" / "config.json")
    monkeypatch.setattr("CH2.benchmark.random_models.CHAPTER_FOLDERS", [tmp_path])
    assert shape_config("tiny").num_hidden_layers == 3
    assert shape_config("0.6B") == Qwen3Config()


# Processes


PEER = """
import os
import signal

class Opened:
    count = 0

    def __init__(self, name, setting):
        Opened.count += 1
        self.name, self.setting = name, setting

def look(peer):
    import torch
    return os.getpid(), Opened.count, peer.name, peer.setting.shape, torch.get_num_threads()

def fail(peer):
    raise ValueError("no such tensor")

class Odd(Exception):
    def __init__(self, one, two):
        super().__init__(f"{one} and {two}")

def fail_oddly(peer):
    raise Odd(1, 2)

def die(peer):
    os._exit(3)

def run_an_unknown_instruction(peer):
    os.kill(os.getpid(), signal.SIGILL)
"""


@pytest.fixture
def opened(tmp_path, monkeypatch):
    """A module with something to open and to call, which other processes can import."""
    (tmp_path / "peer_of_a_test.py").write_text(PEER)
    monkeypatch.syspath_prepend(tmp_path)
    import peer_of_a_test

    return peer_of_a_test


def test_a_peer_that_fails_or_dies_leaves_the_others_alone(opened):
    one = Peer("one", "package", opened.Opened, ("first",))
    other = Peer("other", "package", opened.Opened, ("second",))
    with Workers(TINY) as workers:
        process, *rest = workers.call(one, opened.look)
        assert rest == [1, "first", "tiny", 1]
        for function, told in (
            (opened.fail, "ValueError: no such tensor"),
            (opened.fail_oddly, "Odd: 1 and 2"),  # which cannot be pickled
        ):
            with pytest.raises(PeerError, match=told):
                workers.call(other, function)
        # one package, one process, and each peer is opened once
        assert workers.call(other, opened.look)[:3] == (process, 2, "second")
        with pytest.raises(PeerError, match="its process ended with exit code 3"):
            workers.call(one, opened.die)
        assert not workers.is_open(one)
        again, opened_again, *_ = workers.call(one, opened.look)
        assert again != process and opened_again == 1
        if sys.platform != "win32":
            with pytest.raises(PeerError, match="its process ended with SIGILL"):
                workers.call(one, opened.run_an_unknown_instruction)
    assert not workers.is_open(other)


def test_when_memory_is_short_all_others_end_before_one_more_opens(opened):
    one, other = (Peer(name, name, opened.Opened, (name,)) for name in ("one", "other"))
    with Workers(TINY, memory_needed=float("inf")) as workers:
        process = workers.call(one, opened.look)[0]
        assert workers.call(one, opened.look)[0] == process
        workers.call(other, opened.look)
        assert workers.is_open(other) and not workers.is_open(one)
    if sys.platform == "linux":
        assert 0 < processes.free_memory() < float("inf")


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
        lambda engine, texts, real=runners.DecodingEngine._prefill: (
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


def test_peers_take_turns_and_the_first_round_does_not_count():
    calls = []

    def job(name, broken_at=None):
        def measure(warming):
            calls.append((name, warming))
            if len([call for call in calls if call[0] == name]) == broken_at:
                raise PeerError("out of memory")
            return len(calls)

        return measure

    values, failed = tasks.alternate(
        {"a": job("a"), "b": job("b", broken_at=2), "c": job("c")}, 2, "test"
    )
    assert calls == [
        *(("a", True), ("b", True), ("c", True)),
        *(("a", False), ("b", False), ("c", False)),
        *(("a", False), ("c", False)),
    ]
    assert values == {"a": [4, 7], "c": [6, 8]}
    assert failed == {"b": "out of memory"}


# Other packages


def test_peers_that_are_not_installed_are_named_with_the_command_that_installs_them(
    monkeypatch, capsys
):
    there = ("transformers", "llama_cpp")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: name if name in there else None)
    assert [peer.name for peer in peers.installed_peers("cpu")] == ["transformers"]
    told = capsys.readouterr().err
    assert "gguf not installed, llama.cpp is left out" in told
    assert "pip install llama-cpp-python gguf" in told
    assert "pip install --no-deps reasoning-from-scratch" in told
    assert "pip install transformers" not in told


@pytest.fixture(scope="module")
def workers(checkpoint):
    """Processes for other packages: one that dies there does not end the tests."""
    setting = dataclasses.replace(TINY, dtype="bfloat16", folder=checkpoint.parent)
    with Workers(setting) as workers:
        yield workers


@pytest.mark.parametrize("peer", peers.PEERS, ids=lambda peer: peer.name)
def test_every_installed_peer_makes_the_tokens_it_is_timed_for(peer, workers):
    if missing := peers.missing_modules(peer.package):
        pytest.skip(f"{' and '.join(missing)} not installed")
    try:
        assert workers.call(peer, measure_run, 5, 4)["steps"] == 3
    except PeerError as error:
        if peer.package == "llama.cpp" and "SIGILL" in str(error):
            pytest.skip(f"{peer.name} was built for another processor: {error}")
        raise
    plain = plain_weight_bytes(workers.setting)
    bits = {"plain": 16, "int8": 8.5, "int4": 4.5}[peer.weights]
    read = workers.call(peer, bytes_of)["weight_bytes"]
    assert 0.99 * plain * bits / 16 <= read <= plain * (bits / 16 + 0.1)
    if peer.name == peers.TRANSFORMERS:
        assert workers.call(peer, measure_run, 5, 4, 3)["rows"] == 3


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_gguf_file_holds_every_tensor_of_the_checkpoint(dtype, checkpoint, tmp_path):
    gguf = pytest.importorskip("gguf", reason="gguf is not installed")
    source = tmp_path / "checkpoint"
    source.mkdir()
    (source / "config.json").write_bytes((checkpoint / "config.json").read_bytes())
    stored = load_file(checkpoint / "model.safetensors")
    stored = {name: tensor.to(dtype) for name, tensor in stored.items()}
    save_file(stored, source / "model.safetensors")
    write_gguf(source, tmp_path / "model.gguf")

    file, config = gguf.GGUFReader(tmp_path / "model.gguf"), shape_config("tiny")
    settings = {name: field.contents() for name, field in file.fields.items()}
    assert settings["general.architecture"] == "qwen3"
    assert settings["tokenizer.ggml.model"] == "no_vocab"
    for name, expected in {
        "block_count": config.num_hidden_layers,
        "context_length": config.max_position_embeddings,
        "embedding_length": config.hidden_size,
        "feed_forward_length": config.intermediate_size,
        "attention.head_count": config.num_attention_heads,
        "attention.head_count_kv": config.num_key_value_heads,
        "attention.key_length": config.head_dim,
        "attention.value_length": config.head_dim,
        "attention.layer_norm_rms_epsilon": pytest.approx(config.rms_norm_eps),
        "rope.freq_base": config.rope_theta,
        "vocab_size": config.vocab_size,
    }.items():
        assert settings[f"qwen3.{name}"] == expected, name
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.QWEN3, config.num_hidden_layers)
    written = {tensor.name: tensor for tensor in file.tensors}
    assert len(written) == len(stored)
    for name, tensor in stored.items():
        data = torch.from_numpy(written[names.get_name(name, (".weight",))].data.copy())
        if tensor.dim() == 1:  # llama.cpp wants vectors in float32
            tensor = tensor.float()
        assert torch.equal(data.view(tensor.dtype).view(tensor.shape), tensor), name


def test_loading_gives_the_first_token_of_the_checkpoint(checkpoint, monkeypatch, capsys):
    model, _ = load_qwen3(checkpoint, device="cpu")
    expected = next(generate(model, torch.tensor([loading.PROMPT]), 1))
    assert loading.first_token_ours(str(checkpoint), "cpu")[1] == expected
    assert loading.first_token_ours(str(checkpoint), "cpu", tasks.LOADED_RUNG)[1] == expected
    monkeypatch.setattr(sys, "argv", ["loading", "ours", str(checkpoint)])
    loading.main()
    seconds = json.loads(capsys.readouterr().out)
    assert 0 < seconds["load"] < seconds["all"]


# The command

OPTIONS = {
    **{"shape": "tiny", "dtype": "float32", "device": "cpu", "threads": 1, "json": None},
    **{"prompt_tokens": 32, "new_tokens": 48, "context": 64, "batch": [8], "rounds": 3},
}


@pytest.fixture
def short_ladder(monkeypatch, checkpoint):
    """The whole command on the tiny shape, in this process, without rungs that are compiled."""
    monkeypatch.setattr(tasks, "RUNGS", [rung for rung in RUNGS if rung.name in EAGER])
    monkeypatch.setattr(command_line, "Workers", InThisProcess)
    monkeypatch.setattr(runners, "BANDWIDTH_BYTES", {"cpu": 1 << 20})
    monkeypatch.setattr(tasks, "LENGTHS", (16, 128, 2048))
    monkeypatch.setattr(tasks, "AFTER_CONTEXT", 4)
    monkeypatch.setattr(tasks, "UNCACHED_TOKENS", 3)

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
            "2",
            "--rounds",
            "2",
        )
        monkeypatch.setattr(sys, "argv", ["benchmark", *fixed, *options])
        command_line.main()

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
    assert list(results["prefill"]) == [name for name in EAGER if name in tasks.LONG_PROMPT_RUNGS]
    best = EAGER[-1]
    assert {name: runs[0]["rows"] for name, runs in results["batch"].items()} == {
        "bare linears, 3 rows": 3,
        f"{best}, 3 rows": 3,
        "bare linears, 2 rows": 2,
        f"{best}, 2 rows": 2,
        f"{best}, 1 row": 1,
        f"{best}, 3 prompts, in all": 3,
    }
    # the tiny shape has no room for more
    assert list(results["growth"][EAGER[-1]][0]) == ["16", "128"]
    for task, print_task in report.PRINTERS.items():  # the file says all that was printed
        if task in results:
            print_task(results)
            assert capsys.readouterr().out in printed


def test_the_picture_shows_every_peer_and_its_limit(short_ladder, tmp_path):
    short_ladder(
        "--only",
        "decode",
        "--json",
        str(tmp_path / "found.json"),
        "--plot",
        str(tmp_path / "found.png"),
    )
    results = json.loads((tmp_path / "found.json").read_text())
    [axes] = report.draw_decode(results).axes
    assert [label.get_text() for label in axes.get_yticklabels()] == list(results["decode"])
    speeds = [bar.get_width() for bar in axes.patches[: len(results["decode"])]]
    assert speeds == pytest.approx(
        [median(report.speeds(runs)) for runs in results["decode"].values()]
    )
    [limits] = axes.collections
    assert len(limits.get_segments()) == len(results["decode"])
    assert (tmp_path / "found.png").stat().st_size > 0


def test_a_failure_is_printed_under_the_table(short_ladder, monkeypatch, capsys):
    def call(self, peer, function, *arguments):
        if peer.name == EAGER[1]:
            raise PeerError("out of memory")
        return real(self, peer, function, *arguments)

    real = InThisProcess.call
    monkeypatch.setattr(InThisProcess, "call", call)
    short_ladder("--only", "decode")
    assert f"{EAGER[1]} failed: out of memory" in capsys.readouterr().out


def test_a_peer_that_had_to_make_room_warms_up_again_when_it_returns(monkeypatch):
    class Recorder(InThisProcess):
        called: ClassVar[list] = []

        def call(self, peer, function, *arguments):
            self.called.append((function.__name__, *arguments))
            return super().call(peer, function, *arguments)

    monkeypatch.setattr(runners, "BANDWIDTH_BYTES", {"cpu": 1 << 20})
    recorder = Recorder(TINY)
    bench = tasks.Benchmark(recorder, argparse.Namespace(**OPTIONS), others=[])
    lazy = Peer("counter", "package", lambda setting: Counter(2))
    compiling = dataclasses.replace(lazy, name="compiling", compiles=True)
    for peer, warm_up in ((lazy, ("measure_run", 1, 2)), (compiling, ("measure_run", 9, 2))):
        measure = bench.job(peer, measure_run, (9, 2), (1, 2))
        recorder.called.clear()
        assert measure(True) is None
        assert recorder.called == [warm_up, ("bytes_of",)]
        recorder.called.clear()
        assert measure(False)["steps"] == 1
        assert recorder.called == [("measure_run", 9, 2)]
        recorder.opened.clear()  # as when memory was short
        recorder.called.clear()
        measure(False)
        assert recorder.called == [warm_up, ("measure_run", 9, 2)]


def test_ratios_are_between_peers_with_as_many_bits_per_weight(capsys):
    def runs(*seconds):
        return [
            {"first_token": 1.0, "decode": second, "steps": 10, "rows": 1} for second in seconds
        ]

    def peer(weights="plain", rung=False, weight_bytes=10**9):
        return {"rung": rung, "weights": weights, "weight_bytes": weight_bytes, "cache_bytes": 0}

    results = {
        "settings": {"prompt_tokens": 4, "new_tokens": 11},
        "bandwidth": 10e9,
        "peers": {
            "fused attention": peer(rung=True),
            "int4": peer("int4", rung=True, weight_bytes=10**8),
            "book": peer(),
            "transformers": peer(),
            "llama.cpp BF16": peer(),
            "llama.cpp Q4_0": peer("int4"),
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
    report.print_decode(results)
    lines = [line.strip("|").split("|") for line in capsys.readouterr().out.splitlines()[2:]]
    cells = {name.strip(): [cell.strip() for cell in others] for name, *others in lines}
    assert cells["fused attention"] == [
        *("5.00 (3.33 to 10.00)", "5.0", "50%", "", "2.00", "5.00", "0.50")
    ]
    assert cells["int4"] == [
        *("20.0 (20.0 to 20.0)", "2.0", "20%", "4.00", "8.00", "20.00", "0.50")
    ]
    assert cells["book"] == ["2.50 (2.50 to 2.50)", "2.5", "25%", "", "1.00", "2.50", "0.25"]


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"rounds": 0}, "--rounds 0: it must be at least 1"),
        ({"batch": [8, 0]}, "--batch 0: it must be at least 1"),
        ({"new_tokens": 1}, "--new-tokens 1: it must be at least 2"),
        ({"device": "abacus"}, "--device abacus: Expected one of cpu, cuda"),
        ({"device": "cpu:x"}, "--device cpu:x: Invalid device string"),
        ({"prompt_tokens": 1020}, "exceed the shape's context of 1024"),
    ],
)
def test_what_cannot_be_measured_is_refused_at_once(changed, reason, capsys):
    arguments = argparse.Namespace(**{**OPTIONS, **changed})
    with pytest.raises(SystemExit) as ended:
        command_line.check(arguments)
    assert ended.value.code == 2
    told = capsys.readouterr().err
    assert reason in told and told.count("\n") == 1
