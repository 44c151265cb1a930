"""Other people's engines serve the shipped model: its texts, its samples, and a server that dies.

pip install -e '.[serve-tests]'
pytest -m engines
"""

import importlib.util
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from Appendixes.QWEN3Model import load_qwen3
from CH2.prompts import CHAIN_OF_THOUGHT
from CH3.evaluation import ModelWriter, evaluate
from CH3.evaluation.answers import answers
from CH3.problems import Problem, load_problems
from CH4.experiments.draws import voted_answers
from CH4.experiments.report import notes_on_texts

pytestmark = pytest.mark.engines
serving = pytest.importorskip("CH3.evaluation.serving", reason="needs `pip install -e '.[serve]'`")

START = 300  # seconds that an engine may take until it listens
COUNT, MAX_NEW_TOKENS = 16, 160
NEEDED = {
    "transformers serve": ("transformers", "fastapi", "uvicorn", "accelerate"),
    "llama_cpp.server": ("llama_cpp", "gguf", "uvicorn", "starlette_context"),
}


class Server:
    """An engine in a process of its own, on a port that it keeps when it is started again."""

    def __init__(self, command: list[str], name: str, log: Path):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.command = [*command, "--host", "127.0.0.1", "--port", str(self.port)]
        self.url, self.name, self.log = f"http://127.0.0.1:{self.port}/v1", name, log
        self.start()

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(self.command, stdout=log, stderr=log)

    def wait(self) -> None:
        """Wait until it listens."""
        end = time.monotonic() + START
        while time.monotonic() < end:
            assert self.process.poll() is None, self.log.read_text()[-2000:]
            try:
                with urllib.request.urlopen(f"{self.url}/models", timeout=5):
                    return
            except OSError:
                time.sleep(0.5)
        pytest.fail(f"no server after {START} s: {self.log.read_text()[-2000:]}")

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def writer(self, **options) -> "serving.ServedWriter":
        given = {"max_new_tokens": MAX_NEW_TOKENS, "max_concurrent": 4, **options}
        return serving.ServedWriter(self.url, self.name, CHAIN_OF_THOUGHT, **given)


def write_gguf_with_tokens(folder: Path, path: Path) -> None:
    """Write a checkpoint for llama.cpp, with a list of tokens that tells it how many there are and
    which of them end a text. Its own tokenizers cannot split texts as ours does; the server is told
    to take ours.
    """
    gguf = pytest.importorskip("gguf")
    from CH2.benchmark import llama_cpp

    config = json.loads((folder / "config.json").read_text())
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    named = {**tokenizer["model"]["vocab"]}
    named |= {token["content"]: token["id"] for token in tokenizer["added_tokens"]}
    name_of = {index: name for name, index in named.items()}
    tokens = [name_of.get(index, f"[unused {index}]") for index in range(config["vocab_size"])]
    special = {token["id"] for token in tokenizer["added_tokens"] if token["special"]}
    merges = [" ".join(pair) for pair in tokenizer["model"]["merges"]]

    class Writer(gguf.GGUFWriter):
        def add_tokenizer_model(self, _: str) -> None:
            super().add_tokenizer_model("gpt2")
            self.add_tokenizer_pre("qwen2")
            self.add_token_list(tokens)
            self.add_token_types([3 if index in special else 1 for index in range(len(tokens))])
            self.add_token_merges(merges)
            end, turn_end = config["eos_token_id"]
            self.add_eos_token_id(end)
            self.add_eot_token_id(turn_end)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gguf, "GGUFWriter", Writer)
        llama_cpp.write_gguf(folder, path)


@pytest.fixture(scope="module", params=list(NEEDED))
def server(request, tiny_folder, tmp_path_factory) -> Iterator[Server]:
    """Each engine in turn, with the shipped model."""
    missing = [name for name in NEEDED[request.param] if importlib.util.find_spec(name) is None]
    if missing:
        pytest.skip(f"no {', '.join(missing)}: needs `pip install -e '.[serve-tests]'`")
    folder = tmp_path_factory.mktemp("engine")
    if request.param == "transformers serve":
        program = "from transformers.cli.transformers import main; main()"
        command = [sys.executable, "-c", program, "serve", str(tiny_folder)]
        name = str(tiny_folder)
    else:
        write_gguf_with_tokens(tiny_folder, folder / "tiny.gguf")
        command = [sys.executable, "-m", "llama_cpp.server", "--model", str(folder / "tiny.gguf")]
        command += ["--hf_pretrained_model_name_or_path", str(tiny_folder), "--n_ctx", "1024"]
        command += ["--model_alias", "tiny", "--logits_all", "True", "--n_threads", "1"]
        name = "tiny"
    server = Server(command, name, folder / "log")
    try:
        server.wait()
        yield server
    finally:
        server.kill()


@pytest.fixture(scope="module")
def problems() -> list[Problem]:
    return load_problems("arithmetic500", COUNT)


@pytest.fixture(scope="module")
def local(tiny_folder, problems) -> dict[str, str]:
    """The shipped model's greedy texts, by problem."""
    model, tokenizer = load_qwen3(tiny_folder, device="cpu")
    writer = ModelWriter(model, tokenizer, CHAIN_OF_THOUGHT, max_new_tokens=MAX_NEW_TOKENS)
    return {one.problem["unique_id"]: one.text.text for one in answers(writer, problems)}


def test_greedy_texts_are_the_local_ones(server, problems, local, tmp_path):
    answer_fn = partial(answers, server.writer())
    results = evaluate(answer_fn, problems, tmp_path / "x.jsonl", settings={}, progress=False)
    assert {result["unique_id"]: result["text"] for result in results} == local
    assert not any("answered_by" in result for result in results)


def test_a_text_that_is_cut_off_is_known(server, problems):
    [one] = answers(server.writer(max_new_tokens=5), problems[:1])
    assert (one.text.finish_reason, one.extracted) == ("length", None)


def test_samples_differ_from_one_to_the_next(server, problems, tmp_path, capsys):
    writer = server.writer(temperature=1.0, top_p=0.95, seed=0)
    votes = voted_answers(writer, 5)
    results = evaluate(votes, problems[:6], tmp_path / "x.jsonl", settings={}, progress=False)
    texts = [len({one["text"] for one in result["samples"]}) for result in results]
    assert max(texts) > 1, texts
    assert [len(result["samples"]) for result in results] == [5] * 6
    notes = notes_on_texts({"x": results}, MAX_NEW_TOKENS, 1.0)
    assert not any("one and the same text" in note for note in notes)
    without_logprobs = any("no log-probability" in note for note in notes)
    assert without_logprobs == ("transformers" in " ".join(server.command))


def test_a_wrong_name_is_refused(server, problems):
    server_of_another = serving.ServedWriter(server.url, "no-such-model", CHAIN_OF_THOUGHT)
    with pytest.raises(serving.EndpointRefusedError, match="no-such-model"):
        server_of_another.begin(problems[0]["problem"], 0)


def test_a_server_that_is_killed_and_started_again_loses_nothing(server, problems, local, tmp_path):
    def answer_fn(some):
        for number, one in enumerate(answers(server.writer(attempts=60), some)):
            if number == 3:
                server.kill()
                time.sleep(2)
                server.start()  # and is waited for
            yield one

    path = tmp_path / "x.jsonl"
    results = evaluate(answer_fn, problems, path, settings={}, progress=False)
    assert {result["unique_id"]: result["text"] for result in results} == local
    assert len(path.read_text().splitlines()) == 1 + COUNT
    assert os.getpgid(server.process.pid)
