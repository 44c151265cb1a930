"""Fixtures that several tests share: devices, small models, reference files, tokenizers."""

import copy
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from process_team import ForkServer
from safetensors.torch import load_file, safe_open
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers

from Appendixes.QWEN3Model import Qwen3Config, Qwen3Model
from CH2.compilation import compile_model

ROOT = Path(__file__).resolve().parents[1]
REFERENCES = ROOT / "tests" / "reference"
TINY = ROOT / "CH2" / "qwen3" / "tiny"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Begin each worker's share with its part of the long tests, so that none is left for the end.

    pytest-xdist's `worksteal` cuts the list into as many runs of equal length as there are workers;
    a worker that has done its own takes half of what is left at the end of the longest other one.
    """
    workers = getattr(config, "workerinput", {}).get("workercount")
    if workers is None:
        return
    long = [item for item in items if item.get_closest_marker("long")]
    short = [item for item in items if not item.get_closest_marker("long")]
    left, whole = len(items), set(items)
    items.clear()
    for worker in range(workers):
        size, own = left // (workers - worker), long[worker::workers]
        others = max(0, size - len(own))
        items += own + short[:others]
        del short[:others]
        left -= size
    items += short
    assert set(items) == whole and len(items) == len(whole)


@pytest.fixture(params=["cpu", "cuda"])
def device(request) -> torch.device:
    """Each device in turn; without a GPU the second is skipped."""
    if request.param == "cuda" and not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
    return torch.device(request.param)


@pytest.fixture(scope="session")
def fork_server() -> Iterator[ForkServer]:
    """A server that forks processes, as importing PyTorch anew takes seconds."""
    if not hasattr(os, "fork"):
        pytest.skip("this system has no fork")
    server = ForkServer()
    yield server
    server.close()


@pytest.fixture
def forking(fork_server) -> Iterator[ForkServer]:
    """The fork server, with all its processes ended after the test."""
    yield fork_server
    fork_server.finish()


@pytest.fixture(scope="session")
def small_config() -> Qwen3Config:
    """A model of two layers, with two query heads per key-value head and wide heads."""
    return Qwen3Config(
        vocab_size=50,
        hidden_size=16,
        intermediate_size=24,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=8,
        max_position_embeddings=512,
        rope_theta=10_000.0,
    )


@pytest.fixture(scope="session")
def make_model() -> Callable[..., Qwen3Model]:
    """`make_model(config, dtype, seed)`: a model whose random weights give peaked attention."""

    def make(config: Qwen3Config, dtype: torch.dtype = torch.float64, seed: int = 0) -> Qwen3Model:
        model = Qwen3Model(config).to(dtype).eval().requires_grad_(False)
        generator = torch.Generator().manual_seed(seed)
        for parameter in model.parameters():
            noise = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
            scaled = (
                1.5 + 0.3 * noise
                if parameter.dim() == 1
                else noise * 1.6 / parameter.shape[1] ** 0.5
            )
            parameter.copy_(scaled)
        return model

    return make


@pytest.fixture(scope="session")
def model64(small_config, make_model) -> Qwen3Model:
    """A small model in float64, where only a real difference is larger than rounding."""
    return make_model(small_config)


@pytest.fixture
def uncompiled(monkeypatch) -> None:
    """`torch.compile` gives functions back as they are, for tests that ask about what is around."""
    monkeypatch.setattr(torch, "compile", lambda function, **options: function)


@pytest.fixture
def plain_and_static(model64, device, uncompiled) -> tuple[Qwen3Model, Qwen3Model]:
    """A model, and the same with static steps: in float64, where only real differences show."""
    plain = copy.deepcopy(model64).to(device)
    return plain, compile_model(plain, static_steps=True)


@pytest.fixture(scope="session")
def reference() -> Callable[[str], tuple[dict, dict]]:
    """`reference(name)`: tensors and metadata of a file in tests/reference."""

    def read(name: str) -> tuple[dict, dict]:
        path = REFERENCES / f"{name}.safetensors"
        with safe_open(path, framework="pt") as file:
            metadata = {key: json.loads(value) for key, value in file.metadata().items()}
        return load_file(path), metadata

    return read


@pytest.fixture(scope="session")
def tiny_folder() -> Path:
    """The checkpoint that ships with the repository."""
    return TINY


@pytest.fixture(scope="session")
def real_tokenizer_folder() -> Path:
    """Folder of the real Qwen3 tokenizer, if this machine has one."""
    folder = os.environ.get("QWEN3_TOKENIZER_DIR")
    if not folder:
        pytest.skip("QWEN3_TOKENIZER_DIR names no folder with the real Qwen3 tokenizer")
    return Path(folder)


@pytest.fixture(scope="session")
def byte_tokenizer_folder(tmp_path_factory) -> Path:
    """A tokenizer of single bytes, a few words and control tokens: characters come in pieces."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    merges = [("t", "h"), ("th", "e"), ("a", "n"), ("an", "d"), ("Ġ", "the"), ("Ġ", "and")]
    vocab = {token: index for index, token in enumerate(alphabet + [a + b for a, b in merges])}
    tokenizer = Tokenizer(models.BPE(vocab, merges))
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    control = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    tokenizer.add_special_tokens(
        [AddedToken(token, special=True, normalized=False) for token in control]
    )
    tags = ["<think>", "</think>", "<tool_response>", "</tool_response>"]
    tokenizer.add_tokens([AddedToken(token, normalized=False) for token in tags])
    folder = tmp_path_factory.mktemp("byte_tokenizer")
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "eos_token": "<|im_end|>",
        "pad_token": "<|endoftext|>",
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    return folder


@pytest.fixture(scope="session", params=["bytes", "tiny", "real"])
def tokenizer_folder(request) -> Path:
    """Three tokenizers in turn: single bytes, the shipped one, the real one if there is one."""
    if request.param == "bytes":
        return request.getfixturevalue("byte_tokenizer_folder")
    if request.param == "real":
        return request.getfixturevalue("real_tokenizer_folder")
    return TINY


@pytest.fixture(scope="module")
def chromium() -> Iterator:
    """A headless Chromium, as a Playwright browser, that sends no requests of its own."""
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="needs `pip install -e '.[browser]'`"
    )
    names = ("chromium", "chromium-browser", "google-chrome", "chrome")
    program = next(filter(None, map(shutil.which, names)), None)
    if program is None:
        pytest.skip("no Chromium on this machine; Debian and Ubuntu: apt-get install chromium")
    quiet = ["background-networking", "component-update", "sync", "quic", "gpu"]
    flags = ["--no-sandbox", "--no-first-run", *(f"--disable-{name}" for name in quiet)]
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program, args=flags)
        yield browser
        browser.close()
