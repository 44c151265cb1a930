"""A checkpoint as a GGUF file, the format of llama.cpp: a header, settings, names and shapes of
tensors, their bytes.

Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md, version 3, little-endian. There
is no tokenizer in the file ("no_vocab"): it is for ids alone."""

import struct
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

import torch
from safetensors import safe_open

from Appendixes.QWEN3Model import Qwen3Config

ALIGNMENT = 32  # bytes; each tensor begins at a multiple
UINT32, FLOAT32, STRING = 4, 6, 8  # types of settings
TENSOR_TYPES = {torch.float32: 0, torch.float16: 1, torch.bfloat16: 30}
OUTER_NAMES = {
    "model.embed_tokens": "token_embd",
    "model.norm": "output_norm",
    "lm_head": "output",
}
LAYER_NAMES = {
    "input_layernorm": "attn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "self_attn.q_norm": "attn_q_norm",
    "self_attn.k_norm": "attn_k_norm",
    "post_attention_layernorm": "ffn_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}


def write_gguf(checkpoint: Path, path: Path) -> None:
    """Write a checkpoint folder with one `model.safetensors` as a GGUF file, whole or not at all.

    Matrices keep their dtype; vectors become float32, as llama.cpp wants them.
    """
    settings = gguf_settings(Qwen3Config.from_json(checkpoint))
    part = path.with_name(path.name + ".part")
    with (
        safe_open(checkpoint / "model.safetensors", framework="pt") as stored,
        part.open("wb") as file,
    ):
        names = sorted(stored.keys())
        layout = [(gguf_name(name), *_stored_form(stored.get_tensor(name))) for name in names]
        _write_header(file, settings, layout)
        for name in names:
            tensor = stored.get_tensor(name)
            _pad(file)
            file.write(_as_stored(tensor).contiguous().view(torch.uint8).numpy().data)
        _pad(file)
    part.replace(path)


def gguf_settings(config: Qwen3Config) -> dict[str, int | float | str]:
    """The shape, under the names that GGUF has for it."""
    shape: dict[str, int | float | str] = {
        "block_count": config.num_hidden_layers,
        "context_length": config.max_position_embeddings,
        "embedding_length": config.hidden_size,
        "feed_forward_length": config.intermediate_size,
        "attention.head_count": config.num_attention_heads,
        "attention.head_count_kv": config.num_key_value_heads,
        "attention.key_length": config.head_dim,
        "attention.value_length": config.head_dim,
        "attention.layer_norm_rms_epsilon": config.rms_norm_eps,
        "rope.freq_base": config.rope_theta,
        "vocab_size": config.vocab_size,
    }
    fixed: dict[str, int | float | str] = {
        "general.architecture": "qwen3",
        "general.alignment": ALIGNMENT,
        "tokenizer.ggml.model": "no_vocab",
    }
    return {**fixed, **{f"qwen3.{name}": value for name, value in shape.items()}}


def gguf_name(name: str) -> str:
    """What GGUF calls a checkpoint's tensor.

    >>> gguf_name("model.layers.3.self_attn.q_proj.weight")
    'blk.3.attn_q.weight'
    """
    name = name.removesuffix(".weight")
    if name in OUTER_NAMES:
        return f"{OUTER_NAMES[name]}.weight"
    layer, part = name.removeprefix("model.layers.").split(".", 1)
    return f"blk.{layer}.{LAYER_NAMES[part]}.weight"


def _as_stored(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.float() if tensor.dim() == 1 else tensor


def _stored_form(tensor: torch.Tensor) -> tuple[torch.Size, torch.dtype]:
    return tensor.shape, torch.float32 if tensor.dim() == 1 else tensor.dtype


def _write_header(
    file: BinaryIO, settings: Mapping, layout: list[tuple[str, torch.Size, torch.dtype]]
) -> None:
    file.write(b"GGUF" + struct.pack("<IQQ", 3, len(layout), len(settings)))
    for name, value in settings.items():
        _write_string(file, name)
        if isinstance(value, str):
            file.write(struct.pack("<I", STRING))
            _write_string(file, value)
        else:
            number = ("<II", UINT32) if isinstance(value, int) else ("<If", FLOAT32)
            file.write(struct.pack(*number, value))
    offset = 0  # from the end of the header
    for name, shape, dtype in layout:
        _write_string(file, name)
        dimensions = tuple(reversed(shape))  # the innermost first
        file.write(
            struct.pack(f"<I{len(shape)}QIQ", len(shape), *dimensions, TENSOR_TYPES[dtype], offset)
        )
        offset += -(-shape.numel() * dtype.itemsize // ALIGNMENT) * ALIGNMENT


def _write_string(file: BinaryIO, text: str) -> None:
    data = text.encode("utf-8")
    file.write(struct.pack("<Q", len(data)) + data)


def _pad(file: BinaryIO) -> None:
    file.write(bytes(-file.tell() % ALIGNMENT))
