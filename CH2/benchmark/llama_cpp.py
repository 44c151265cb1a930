"""llama.cpp (https://github.com/ggml-org/llama.cpp) as a contestant, through `llama-cpp-python`.

- our random checkpoint is written as a GGUF file, and llama.cpp itself quantises that file
- ids go in and come out through the C functions, so no Python stands between two tokens but one
  call
- its defaults are kept, but for the number of threads and a context as long as the run
"""

import ctypes
import importlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from Appendixes.QWEN3Model import Qwen3Config
from CH2.benchmark.gguf_file import write_gguf
from CH2.benchmark.processes import Setting
from CH2.benchmark.runners import random_checkpoint
from CH2.cache_budget import cache_bytes_per_token

CACHE_ITEMSIZE = 2  # bytes: llama.cpp keeps keys and values in float16
LAST = -1  # index of the last logits


class LlamaCpp:
    """A random model of the shape in llama.cpp.

    Args:
        kind: of the file: BF16, Q8_0 or Q4_0.
        setting: shape, dtype, device, threads.

    Raises:
        RuntimeError: llama.cpp cannot open or quantise the file.
    """

    def __init__(self, kind: str, setting: Setting):
        self.library = library = importlib.import_module("llama_cpp")
        # failures come back as codes
        self.silence = library.llama_log_callback(lambda level, text, user_data: None)
        library.llama_log_set(self.silence, ctypes.c_void_p(0))
        library.llama_backend_init()
        self.device, self.threads = setting.device, setting.threads
        checkpoint = random_checkpoint(replace(setting, dtype="bfloat16"))
        self.config = Qwen3Config.from_json(checkpoint)
        path = self._gguf_file(checkpoint, kind)
        parameters = library.llama_model_default_params()
        parameters.n_gpu_layers = -1 if setting.device.startswith("cuda") else 0  # -1: all
        self.model = library.llama_model_load_from_file(str(path).encode(), parameters)
        if not self.model:
            raise RuntimeError(
                f"llama.cpp cannot open {path}; delete the file to have it written again"
            )
        self.sampler = library.llama_sampler_init_greedy()
        # All is read for each token: the embedding is the output layer in all shapes that are
        #     measured.
        self.weight_bytes = library.llama_model_size(self.model)
        self.cache_bytes = cache_bytes_per_token(self.config, CACHE_ITEMSIZE)

    def run(self, prompt: list[int], new_tokens: int, rows: int, tick: Callable[[], None]) -> None:
        """As in `Runner`, for one row."""
        if rows != 1:
            raise ValueError(f"{rows} rows: llama.cpp is measured with one")
        context = self._new_context(len(prompt) + new_tokens)
        try:
            tick()
            for start in range(0, len(prompt), batch := self.library.llama_n_batch(context)):
                self._read(context, prompt[start : start + batch])
            for _ in range(new_tokens - 1):
                token = self.library.llama_sampler_sample(self.sampler, context, LAST)
                tick()
                self._read(context, [token])
            self.library.llama_sampler_sample(self.sampler, context, LAST)
            tick()
        finally:
            self.library.llama_free(context)

    def _new_context(self, length: int) -> Any:
        parameters = self.library.llama_context_default_params()
        parameters.n_ctx = length
        parameters.n_threads = parameters.n_threads_batch = self.threads
        context = self.library.llama_init_from_model(self.model, parameters)
        if not context:
            raise RuntimeError(f"llama.cpp cannot make a context of {length} tokens")
        return context

    def _read(self, context: Any, tokens: list[int]) -> None:
        array = (self.library.llama_token * len(tokens))(*tokens)
        code = self.library.llama_decode(
            context, self.library.llama_batch_get_one(array, len(tokens))
        )
        if code:
            raise RuntimeError(f"llama_decode returned {code}")

    def _gguf_file(self, checkpoint: Path, kind: str) -> Path:
        """The checkpoint as a GGUF file of this kind beside it; made once and kept."""
        path, plain = checkpoint / f"{kind}.gguf", checkpoint / "BF16.gguf"
        if path.is_file():
            return path
        if not plain.is_file():
            write_gguf(checkpoint, plain)
        if kind != "BF16":
            parameters = self.library.llama_model_quantize_default_params()
            parameters.ftype = getattr(self.library, f"LLAMA_FTYPE_MOSTLY_{kind}")
            part = path.with_name(path.name + ".part")
            code = self.library.llama_model_quantize(
                str(plain).encode(), str(part).encode(), ctypes.byref(parameters)
            )
            if code:
                raise RuntimeError(f"llama_model_quantize returned {code} for {plain}")
            part.replace(path)
        return path
