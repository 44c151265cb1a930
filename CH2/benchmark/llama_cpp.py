"""llama.cpp (https://github.com/ggml-org/llama.cpp) as a peer, through `llama-cpp-python`.

- the random checkpoint is written as a GGUF file by the package `gguf`, and llama.cpp itself
  quantises that file
- token ids go in and come out through the C functions, so that between two tokens there is one call
  from Python
- llama.cpp's defaults are kept, but for the number of threads and a context as long as the run
"""

import ctypes
import importlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open

from Appendixes.command_line import write_whole
from Appendixes.QWEN3Model import Qwen3Config
from CH2.benchmark.processes import Setting
from CH2.benchmark.random_models import random_checkpoint
from CH2.cache_budget import cache_bytes_per_token

CACHE_ITEMSIZE = 2  # bytes: llama.cpp keeps keys and values in float16
LAST = -1  # index of the last logits


class LlamaCpp:
    """A runner for a random model of the shape in llama.cpp.

    Args:
        kind: of the file's weights: BF16, Q8_0 or Q4_0.
        setting: the shape, device, threads and folder are used.

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
        # All is read for each token: in every measured shape the embedding is the output layer.
        self.weight_bytes = library.llama_model_size(self.model)
        self.cache_bytes = cache_bytes_per_token(self.config, CACHE_ITEMSIZE)

    def run(self, prompt: list[int], new_tokens: int, rows: int, tick: Callable[[], None]) -> None:
        """Do a run as `Runner.run`, for one row."""
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
        """Make a key-value cache for a text of this length."""
        parameters = self.library.llama_context_default_params()
        parameters.n_ctx = length
        parameters.n_threads = parameters.n_threads_batch = self.threads
        context = self.library.llama_init_from_model(self.model, parameters)
        if not context:
            raise RuntimeError(f"llama.cpp cannot make a context of {length} tokens")
        return context

    def _read(self, context: Any, tokens: list[int]) -> None:
        """Let the model read tokens behind those it has read."""
        array = (self.library.llama_token * len(tokens))(*tokens)
        code = self.library.llama_decode(
            context, self.library.llama_batch_get_one(array, len(tokens))
        )
        if code:
            raise RuntimeError(f"llama_decode returned {code}")

    def _gguf_file(self, checkpoint: Path, kind: str) -> Path:
        """Return the checkpoint as a GGUF file of this kind beside it; made once and kept."""
        path, plain = checkpoint / f"{kind}.gguf", checkpoint / "BF16.gguf"
        if not plain.is_file():
            write_whole(plain, lambda part: write_gguf(checkpoint, part))
        if not path.is_file():
            write_whole(path, lambda part: self._quantise(plain, part, kind))
        return path

    def _quantise(self, plain: Path, path: Path, kind: str) -> None:
        """Write a GGUF file of this kind from a plain one."""
        parameters = self.library.llama_model_quantize_default_params()
        parameters.ftype = getattr(self.library, f"LLAMA_FTYPE_MOSTLY_{kind}")
        files = str(plain).encode(), str(path).encode()
        code = self.library.llama_model_quantize(*files, ctypes.byref(parameters))
        if code:
            raise RuntimeError(f"llama_model_quantize returned {code} for {plain}")


def write_gguf(checkpoint: Path, path: Path) -> None:
    """Write a checkpoint folder with one `model.safetensors` as a GGUF file, without a tokenizer.

    Matrices keep their dtype; vectors become float32, as llama.cpp wants them. Format:
    https://github.com/ggml-org/ggml/blob/master/docs/gguf.md.
    """
    import gguf

    # 1. The shape.
    config = Qwen3Config.from_json(checkpoint)
    writer = gguf.GGUFWriter(path, "qwen3")
    writer.add_tokenizer_model("no_vocab")
    writer.add_vocab_size(config.vocab_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_key_length(config.head_dim)
    writer.add_value_length(config.head_dim)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(config.rope_theta)
    # 2. The tensors, under the names that llama.cpp has for them.
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.QWEN3, config.num_hidden_layers)
    with safe_open(checkpoint / "model.safetensors", framework="pt") as stored:
        for name in sorted(stored.keys()):
            tensor, new_name = stored.get_tensor(name), names.get_name(name, (".weight",))
            if tensor.dim() == 1:
                writer.add_tensor(new_name, tensor.float().numpy())
            elif tensor.dtype == torch.bfloat16:  # which numpy does not know
                data = tensor.view(torch.uint8).numpy()
                writer.add_tensor(new_name, data, raw_dtype=gguf.GGMLQuantizationType.BF16)
            else:
                writer.add_tensor(new_name, tensor.numpy())
    # 3. The file.
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
