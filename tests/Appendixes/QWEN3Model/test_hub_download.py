"""Downloading from the Hub, played by a small server on this machine that can break off, refuse and
vanish.

The loader runs in a process of its own, since huggingface_hub reads HF_ENDPOINT when it is
imported."""

import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors

from Appendixes.QWEN3Model import Qwen3Config, save_qwen3
from Appendixes.QWEN3Model.checkpoint import SOURCE_NOTE

REPO, COMMIT, WEIGHTS = "someone/some-model", "a" * 40, "model.safetensors"
OLD_NAME = "someone-else/some-model"  # the Hub sends who asks for it to REPO
INDEX = "model.safetensors.index.json"
NEEDED = {"config.json", "generation_config.json", "tokenizer.json", WEIGHTS}
UNNEEDED = {"README.md", "pytorch_model.bin", "vocab.json", "original/consolidated.safetensors"}
CONFIG = Qwen3Config(
    vocab_size=2000,
    hidden_size=64,
    intermediate_size=96,
    num_hidden_layers=2,
    num_attention_heads=4,
    num_key_value_heads=2,
    head_dim=16,
    max_position_embeddings=64,
)
# Reads one request a line and answers in one line, so that PyTorch is imported once for all tests
# of this file.
LOADER = """
import errno, hashlib, json, signal, sys, time
import huggingface_hub
from Appendixes.QWEN3Model import checkpoint, load_qwen3
from pathlib import Path

def full_disk(*_, **__):
    raise OSError(errno.ENOSPC, "No space left on device")

signal.signal(signal.SIGINT, signal.default_int_handler)  # in the background too
sleep = time.sleep
huggingface_hub.constants.DOWNLOAD_CHUNK_SIZE = 4096  # 10 MB is more than the whole checkpoint
time.sleep = lambda seconds: sleep(min(seconds, 0.05))  # it waits a second between two tries
for line in sys.stdin:
    request = json.loads(line)
    checkpoint.CHAPTER_FOLDERS = [Path(request["folder"])]
    checkpoint.hf_hub_download = huggingface_hub.hf_hub_download
    if request["task"] == "load on a full disk":
        checkpoint.hf_hub_download = full_disk
    try:
        if request["task"] == "fill the shared cache":
            huggingface_hub.snapshot_download(request["name"])
            answer = {}
        else:
            folder = request["folder"]
            model, tokenizer = load_qwen3(request["name"], local_dir=folder, device="cpu")
            weight = model.layers[1].mlp.up_proj.weight.numpy()
            digest = hashlib.sha256(weight.tobytes()).hexdigest()
            answer = {"digest": digest, "tokens": tokenizer.vocab_size}
    except BaseException as error:
        answer = {"error": type(error).__name__, "message": str(error)}
    print(json.dumps(answer), file=sys.__stdout__, flush=True)
"""


class StandIn:
    """As much of the Hub as a download needs, with a record of what was asked for."""

    def __init__(self, files: dict[str, bytes]):
        self.files = files
        self.requests: list[tuple[str, str, str | None]] = []  # method, file, Range
        self.breaks = 0  # this many downloads of the weights break off half-way
        self.weights_status = 200
        self.held: threading.Event | None = None  # ends a wait in the middle of the weights
        self.refusal: tuple[int, str] | None = None  # status and code for all files
        stand_in = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_HEAD(self):
                stand_in.answer(self, "HEAD")

            def do_GET(self):
                stand_in.answer(self, "GET")

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def answer(self, handler, method):
        path = handler.path.split("?")[0]
        if OLD_NAME in path:
            return self.send(handler, 307, b"", {"Location": path.replace(OLD_NAME, REPO)})
        if path == f"/api/models/{REPO}/revision/main":
            siblings = [{"rfilename": name} for name in self.files]
            return self.send_json(
                handler, {"id": REPO, "modelId": REPO, "sha": COMMIT, "siblings": siblings}
            )
        if path.startswith(f"/api/models/{REPO}/tree/"):
            listing = [
                {"type": "file", "path": name, "size": len(content), "oid": etag(content)}
                for name, content in self.files.items()
            ]
            return self.send_json(handler, listing)
        match = re.fullmatch(rf"/{REPO}/resolve/(?:main|{COMMIT})/(.+)", path)
        if match is None or match[1] not in self.files:
            code = "EntryNotFound" if match else "RepoNotFound"
            return self.send(
                handler, 404, b"", {"X-Error-Code": code, "X-Error-Message": "not here"}
            )
        if self.refusal is not None:
            status, code = self.refusal
            return self.send(
                handler, status, b"", {"X-Error-Code": code, "X-Error-Message": "restricted"}
            )
        self.requests.append((method, match[1], handler.headers.get("Range")))
        return self.send_file(handler, method, match[1])

    def send_file(self, handler, method, name):
        content, status, wanted = self.files[name], 200, handler.headers.get("Range")
        headers = {"ETag": f'"{etag(content)}"', "X-Repo-Commit": COMMIT, "Accept-Ranges": "bytes"}
        if name == WEIGHTS and method == "GET" and self.weights_status != 200:
            self.send(handler, self.weights_status, b"", {})
            return
        if wanted and method == "GET":
            start = int(re.fullmatch(r"bytes=(\d+)-\d*", wanted)[1])
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
            content, status = content[start:], 206
        if self.held is not None and name == WEIGHTS and method == "GET":
            self.send(handler, status, content[:5000], {**headers, "Content-Length": "9999"})
            if not self.held.wait(30):
                self.held.set()  # whoever waits for the end of the file has waited too long
            handler.close_connection = True
            return
        broken = name == WEIGHTS and method == "GET" and self.breaks > 0
        if broken:
            self.breaks -= 1
        sent = b"" if method == "HEAD" else content[: len(content) // 2] if broken else content
        self.send(handler, status, sent, {**headers, "Content-Length": str(len(content))})
        if broken:
            handler.wfile.flush()
            handler.close_connection = True

    def send_json(self, handler, value):
        self.send(handler, 200, json.dumps(value).encode(), {"Content-Type": "application/json"})

    def send(self, handler, status, content, headers):
        handler.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **headers}.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(content)

    def downloaded(self):
        """Names of the files whose content was asked for, in order."""
        return [name for method, name, _ in self.requests if method == "GET"]


def etag(content: bytes) -> str:
    return hashlib.sha1(content, usedforsecurity=False).hexdigest()


@pytest.fixture(scope="module")
def checkpoint_files(tmp_path_factory, make_model, byte_tokenizer_folder):
    """Files of the repository on the stand-in, and what a loader says of them."""
    folder = tmp_path_factory.mktemp("repository")
    model = make_model(CONFIG, torch.float32)
    save_qwen3(model, folder)
    shutil.copy(byte_tokenizer_folder / "tokenizer.json", folder)
    files = {
        name: (folder / name).read_bytes() for name in ("config.json", "tokenizer.json", WEIGHTS)
    }
    files["generation_config.json"] = b'{"eos_token_id": 1}'
    files |= dict.fromkeys(UNNEEDED, b"not needed")
    weight = model.layers[1].mlp.up_proj.weight.numpy()
    return files, {"digest": hashlib.sha256(weight.tobytes()).hexdigest(), "tokens": 269}


@pytest.fixture(scope="module")
def hub(checkpoint_files):
    """The stand-in, up and running."""
    with closing(StandIn(checkpoint_files[0])) as server:
        yield server


class Loader:
    """A process that loads checkpoints from the Hub at `endpoint`."""

    def __init__(self, endpoint, home):
        environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("HF_", "HUGGINGFACE"))
        }
        environment |= {"HF_ENDPOINT": endpoint, "HF_HOME": str(home), "no_proxy": "127.0.0.1"}
        for part in ("XET", "PROGRESS_BARS", "TELEMETRY"):
            environment[f"HF_HUB_DISABLE_{part}"] = "1"
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        self.process = subprocess.Popen(
            [sys.executable, "-c", LOADER], env=environment, text=True, **pipes
        )

    def __call__(self, folder, task="load", name=REPO):
        self.ask(folder, task, name)
        return self.answer()

    def ask(self, folder, task="load", name=REPO):
        self.process.stdin.write(
            json.dumps({"task": task, "folder": str(folder), "name": name}) + "\n"
        )
        self.process.stdin.flush()

    def answer(self):
        return json.loads(self.process.stdout.readline())

    def close(self):
        self.process.stdin.close()
        self.process.wait(timeout=20)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """The cache that all Hugging Face libraries share."""
    return tmp_path_factory.mktemp("hf_home")


@pytest.fixture(scope="module")
def online(hub, home):
    with closing(Loader(hub.url, home)) as loader:
        yield loader


@pytest.fixture(scope="module")
def offline(checkpoint_files, home):
    """A loader whose Hub has vanished: nobody answers at its address any more."""
    with closing(StandIn(checkpoint_files[0])) as vanished:
        pass
    with closing(Loader(vanished.url, home)) as loader:
        yield loader


@pytest.fixture(autouse=True)
def healthy(hub, home):
    """Every test starts with a server that works and an empty shared cache."""
    hub.requests, hub.breaks, hub.weights_status, hub.refusal = [], 0, 200, None
    hub.held = None
    for entry in home.iterdir():
        shutil.rmtree(entry) if entry.is_dir() else entry.unlink()


@pytest.fixture
def loaded(checkpoint_files):
    """What a loader says when it has loaded the stand-in's checkpoint."""
    return checkpoint_files[1]


def test_download_fetches_the_needed_files_and_no_others(hub, online, tmp_path, loaded):
    assert online(tmp_path) == loaded
    assert set(hub.downloaded()) == NEEDED and len(hub.downloaded()) == len(NEEDED)
    assert not {name for _, name, _ in hub.requests} & UNNEEDED
    files = {file.name for file in (tmp_path / "some-model").iterdir() if file.is_file()}
    assert files == NEEDED | {SOURCE_NOTE}


def test_download_broken_in_the_middle_goes_on_where_it_stopped(
    hub, online, tmp_path, checkpoint_files, loaded
):
    hub.breaks = 1
    assert online(tmp_path) == loaded
    ranges = [wanted for method, name, wanted in hub.requests if (method, name) == ("GET", WEIGHTS)]
    assert ranges[0] is None and len(ranges) == 2
    assert int(re.match(r"bytes=(\d+)-", ranges[1])[1]) > 0
    assert (tmp_path / "some-model" / WEIGHTS).read_bytes() == checkpoint_files[0][WEIGHTS]


def test_failed_download_keeps_what_arrived_and_the_next_try_fetches_the_rest(
    hub, online, tmp_path, loaded
):
    hub.weights_status = 500
    failed = online(tmp_path)
    assert failed["error"] == "ConnectionError" and REPO in failed["message"]
    assert not (tmp_path / "some-model" / WEIGHTS).exists()
    arrived = NEEDED - {WEIGHTS}
    assert all((tmp_path / "some-model" / name).is_file() for name in arrived)

    hub.weights_status, hub.requests = 200, []
    assert online(tmp_path) == loaded
    assert hub.downloaded() == [WEIGHTS]


@pytest.mark.skipif(os.name == "nt", reason="Windows sends Ctrl-C to the whole console")
def test_an_interrupt_ends_a_download_at_once(hub, home, tmp_path, loaded):
    hub.held = threading.Event()
    with closing(Loader(hub.url, home)) as loader:
        loader.ask(tmp_path)
        for _ in range(3000):  # a minute
            if ("GET", WEIGHTS, None) in hub.requests:
                break
            time.sleep(0.02)
        loader.process.send_signal(signal.SIGINT)
        answer = loader.answer()
        waiting = not hub.held.is_set()
        hub.held.set()
        assert answer["error"] == "KeyboardInterrupt" and waiting
        hub.held = None
        assert loader(tmp_path) == loaded


def test_files_copied_by_hand_load_as_the_failed_download_says(
    offline, tmp_path, loaded, checkpoint_files
):
    message = offline(tmp_path)["message"]
    folder, name = re.search(r"weights to (.+), and give the name '(.+?)'", message).groups()
    for file, content in checkpoint_files[0].items():
        (Path(folder) / file).parent.mkdir(exist_ok=True)
        (Path(folder) / file).write_bytes(content)
    assert offline(tmp_path, name=name) == loaded


def test_connection_that_keeps_breaking_is_a_connection_error(hub, online, tmp_path):
    hub.breaks = 10**6
    assert online(tmp_path)["error"] == "ConnectionError"


def test_second_load_asks_the_hub_for_nothing(hub, online, tmp_path):
    first = online(tmp_path)
    hub.requests = []
    assert online(tmp_path) == first and hub.requests == []


def test_second_load_works_when_the_hub_is_gone(online, offline, tmp_path, loaded):
    online(tmp_path)
    assert offline(tmp_path) == loaded


def test_checkpoint_in_the_shared_cache_serves_when_the_hub_is_gone(
    online, offline, tmp_path, loaded
):
    online(tmp_path, task="fill the shared cache")
    assert not (tmp_path / "some-model").exists()
    assert offline(tmp_path) == loaded


def test_unreachable_hub_is_one_clear_connection_error(offline, tmp_path):
    answer = offline(tmp_path)
    assert answer["error"] == "ConnectionError"
    assert REPO in answer["message"] and "check the name and the network" in answer["message"]
    assert "\n" not in answer["message"]


def test_incomplete_folder_and_unreachable_hub_is_a_connection_error(
    offline, tmp_path, checkpoint_files
):
    (tmp_path / "some-model").mkdir()
    (tmp_path / "some-model" / "config.json").write_bytes(checkpoint_files[0]["config.json"])
    assert offline(tmp_path)["error"] == "ConnectionError"


def test_name_the_hub_does_not_know_is_named(online, tmp_path):
    answer = online(tmp_path, name="someone/no-such-model")
    assert answer["error"] == "ConnectionError" and "someone/no-such-model" in answer["message"]
    assert "the Hub has no such repository, or it is private" in answer["message"]


@pytest.mark.parametrize("status", [401, 403])
def test_a_gated_repository_says_where_to_ask_and_how_to_log_in(hub, online, tmp_path, status):
    hub.refusal = status, "GatedRepo"
    answer = online(tmp_path)
    assert answer["error"] == "ConnectionError"
    for words in (f"https://huggingface.co/{REPO}", "access to it is restricted", "HF_TOKEN"):
        assert words in answer["message"]
    hub.refusal = None
    assert "error" not in online(tmp_path)  # as soon as it is granted


def test_a_renamed_repository_is_found_under_its_old_name(hub, online, tmp_path, loaded):
    assert online(tmp_path, name=OLD_NAME) == loaded
    hub.requests = []
    assert online(tmp_path, name=OLD_NAME) == loaded and hub.requests == []


@pytest.fixture
def files(hub, monkeypatch):
    """The files of the repository, as a test may change them."""
    monkeypatch.setattr(hub, "files", dict(hub.files))
    return hub.files


def test_shards_of_any_name_are_fetched_as_the_index_names_them(
    hub, online, files, tmp_path, loaded
):
    weights = load_tensors(files.pop(WEIGHTS))
    names = sorted(weights)
    shards = {
        f"{WEIGHTS}-{number:05}-of-00002.safetensors": {name: weights[name] for name in part}
        for number, part in enumerate((names[:9], names[9:]), start=1)
    }
    files |= {file: save_tensors(part) for file, part in shards.items()}
    files["model-00001-of-00009.safetensors"] = b"of another model"
    weight_map = {name: file for file, part in shards.items() for name in part}
    files[INDEX] = json.dumps({"weight_map": weight_map}).encode()
    assert online(tmp_path) == loaded
    assert "model-00001-of-00009.safetensors" not in hub.downloaded()


@pytest.mark.parametrize(
    ("gone", "there", "said"),
    [
        (WEIGHTS, "some-model-q4_k_m.gguf", "it has GGUF files"),
        (WEIGHTS, "adapter_config.json", "it has a LoRA adapter"),
        (WEIGHTS, "pytorch_model.bin", "it has pickled weights"),
        ("tokenizer.json", "vocab.json", "it has a tokenizer in older files"),
    ],
)
def test_a_repository_of_another_kind_is_called_what_it_is(
    online, files, tmp_path, gone, there, said
):
    del files[gone]
    files.pop("pytorch_model.bin"), files.update({there: b"x"})
    answer = online(tmp_path)
    assert answer["error"] == "FileNotFoundError"
    assert f"{REPO} on the Hub is not a checkpoint" in answer["message"]
    assert f"{gone} missing; {said}" in answer["message"]
    assert "network" not in answer["message"]


def test_a_full_disk_is_named_with_the_folder(online, tmp_path):
    answer = online(tmp_path, task="load on a full disk")
    assert answer["error"] == "OSError" and "network" not in answer["message"]
    assert "No space left on device" in answer["message"]
    assert str(tmp_path / "some-model") in answer["message"]
