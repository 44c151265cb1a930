"""Other packages on the same shape with random weights, each called as its users call it.

- Hugging Face `transformers` (https://pypi.org/project/transformers): `generate`, with its own
  cache and attention
- the book's package, `reasoning-from-scratch`: its plain and its cached generator, chapter 2
- llama.cpp through `llama-cpp-python`: in `CH2/benchmark/llama_cpp.py`
"""

import functools
import importlib.util
import sys
from collections.abc import Callable
from dataclasses import asdict

import torch

from CH2.benchmark.llama_cpp import LlamaCpp
from CH2.benchmark.processes import Peer, Setting
from CH2.benchmark.random_models import shape_config
from CH2.benchmark.runners import UNCACHED_TOKENS, plain_weight_bytes
from CH2.cache_budget import cache_bytes_per_token


class Transformers:
    """A runner for `generate` of Hugging Face's model, greedy.

    Args:
        setting: the shape, dtype and device are used.
    """

    def __init__(self, setting: Setting):
        import transformers

        transformers.logging.set_verbosity_error()
        self.device, self.config = setting.device, shape_config(setting.shape)
        config = transformers.Qwen3Config(**{**asdict(self.config), "dtype": setting.dtype})
        model = transformers.AutoModelForCausalLM.from_config(
            config, dtype=getattr(torch, setting.dtype)
        )
        self.model = model.to(self.device).eval()
        self.weight_bytes = plain_weight_bytes(setting)
        self.cache_bytes = cache_bytes_per_token(self.config, model.dtype.itemsize)

    def run(self, prompt: list[int], new_tokens: int, rows: int, tick: Callable[[], None]) -> None:
        """Do a run as `Runner.run`; the rows are a batch of equal prompts."""
        input_ids = torch.tensor([prompt] * rows, device=self.device)
        self.model.generate(
            input_ids,
            attention_mask=torch.ones_like(input_ids),
            do_sample=False,
            use_cache=True,
            min_new_tokens=new_tokens,
            max_new_tokens=new_tokens,
            streamer=Ticker(tick),
        )


class Ticker:
    """A streamer for `generate`, which gives it the prompt first, then each token of all rows.

    Args:
        tick: called for each.
    """

    def __init__(self, tick: Callable[[], None]):
        self.tick = tick

    def put(self, value: object) -> None:
        """Note that a token was made, or that the prompt is about to be read."""
        self.tick()

    def end(self) -> None:
        """Note that all is written."""


@functools.cache
def book_model(setting: Setting) -> torch.nn.Module:
    """Make the book's model of the shape, one for both of its generators."""
    from reasoning_from_scratch.qwen3 import Qwen3Model

    config = shape_config(setting.shape)
    settings = {
        "vocab_size": config.vocab_size,
        "context_length": config.max_position_embeddings,
        "emb_dim": config.hidden_size,
        "n_heads": config.num_attention_heads,
        "n_layers": config.num_hidden_layers,
        "hidden_dim": config.intermediate_size,
        "head_dim": config.head_dim,
        "qk_norm": True,
        "n_kv_groups": config.num_key_value_heads,
        "rope_base": config.rope_theta,
        "dtype": getattr(torch, setting.dtype),
    }
    return Qwen3Model(settings).to(setting.device).eval()


class Book:
    """A runner for the book's model with one of its generators.

    Args:
        cached: True for the generator with a key-value cache.
        compiled: True compiles the model as the book's second chapter does.
        setting: the shape, dtype and device are used.
    """

    def __init__(self, cached: bool, compiled: bool, setting: Setting):
        from reasoning_from_scratch import ch02

        self.device, self.config = setting.device, shape_config(setting.shape)
        self.model: Callable = book_model(setting)
        if compiled:
            # the book's own setting: its model counts positions in an attribute
            torch._dynamo.config.allow_unspec_int_on_nn_module = True
            self.model = torch.compile(self.model)
        self.stream = (
            ch02.generate_text_basic_stream_cache if cached else ch02.generate_text_basic_stream
        )
        self.weight_bytes = plain_weight_bytes(setting)
        itemsize = getattr(torch, setting.dtype).itemsize
        self.cache_bytes = cache_bytes_per_token(self.config, itemsize) if cached else 0

    def run(self, prompt: list[int], new_tokens: int, rows: int, tick: Callable[[], None]) -> None:
        """Do a run as `Runner.run`; the rows are a batch of equal prompts."""
        input_ids = torch.tensor([prompt] * rows, device=self.device)
        tick()
        for _ in self.stream(self.model, input_ids, new_tokens):
            tick()


TRANSFORMERS, BOOK, BOOK_UNCACHED = "transformers", "book", "book, no cache"
BOOK_COMPILED = "book, compiled"  # on a GPU: on a CPU it takes minutes to compile
LLAMA_CPP = {"plain": "llama.cpp BF16", "int8": "llama.cpp Q8_0", "int4": "llama.cpp Q4_0"}
PEERS = (
    Peer(TRANSFORMERS, "transformers", Transformers),
    Peer(BOOK_UNCACHED, "book", Book, (False, False), new_tokens_at_most=UNCACHED_TOKENS),
    Peer(BOOK, "book", Book, (True, False)),
    Peer(BOOK_COMPILED, "book", Book, (True, True), new_tokens_at_most=96, compiles=True),
    *(
        Peer(name, "llama.cpp", LlamaCpp, (name.split()[-1],), weights)
        for weights, name in LLAMA_CPP.items()
    ),
)
# package: its modules, and what installs them
PACKAGES = {
    "transformers": (["transformers"], "pip install transformers"),
    "book": (["reasoning_from_scratch"], "pip install --no-deps reasoning-from-scratch==0.2.0"),
    "llama.cpp": (["llama_cpp", "gguf"], "pip install llama-cpp-python gguf"),
}


def missing_modules(package: str) -> list[str]:
    """List the modules of one of `PACKAGES` that are not installed."""
    return [module for module in PACKAGES[package][0] if not importlib.util.find_spec(module)]


def installed_peers(device: str) -> list[Peer]:
    """List the peers whose packages are installed; for the others, print how to install them.

    Args:
        device: "cpu" or "cuda".
    """
    for package in PACKAGES:
        if missing := missing_modules(package):
            print(
                f"{' and '.join(missing)} not installed, {package} is left out; "
                f"to compare with it: {PACKAGES[package][1]}",
                file=sys.stderr,
            )
    left_out = set() if device.startswith("cuda") else {BOOK_COMPILED}
    return [
        peer for peer in PEERS if peer.name not in left_out and not missing_modules(peer.package)
    ]
