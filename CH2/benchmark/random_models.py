"""Models and checkpoints with random weights: they write nonsense, at the speed of trained ones."""

from pathlib import Path

import torch
from tokenizers import Tokenizer, models

from Appendixes.QWEN3Model import FAMILY, Qwen3Config, Qwen3Model, save_qwen3
from Appendixes.QWEN3Model.checkpoint import CHAPTER_FOLDERS
from CH2.benchmark.processes import Setting

# standard deviation of the random model's logits, about a trained model's
SPREAD = 6.0
# the shipped model's shape, and those of the family whose embeddings are tied
SHAPES = ("tiny", "0.6B", "1.7B", "4B")


def shape_config(shape: str) -> Qwen3Config:
    """Return the configuration of one of `SHAPES`.

    Raises:
        ValueError: there is no such shape.
    """
    if shape not in SHAPES:
        raise ValueError(f"shape is {shape!r}: choose one of {', '.join(SHAPES)}")
    return Qwen3Config.from_json(CHAPTER_FOLDERS[0] / "tiny") if shape == "tiny" else FAMILY[shape]


def random_model(
    shape: str, dtype: torch.dtype = torch.bfloat16, device: str | torch.device = "cpu"
) -> Qwen3Model:
    """Make a model of one of `SHAPES` with random weights, the same ones at each call.

    Args:
        shape: one of `SHAPES`.
        dtype: of the weights.
        device: where the weights are made; "meta" makes the shapes alone.

    Raises:
        ValueError: there is no such shape.
    """
    # 1. The shapes, without memory.
    config = shape_config(shape)
    with torch.device("meta"):
        model = Qwen3Model(config)
    model = model.to(dtype).eval().requires_grad_(False)
    if torch.device(device).type == "meta":
        return model
    # 2. Random matrices; every norm multiplies by one.
    model.to_empty(device=device)
    generator = torch.Generator(device).manual_seed(0)
    for name, parameter in model.named_parameters():
        parameter.fill_(1.0) if "norm" in name else parameter.normal_(std=0.02, generator=generator)
    # 3. Logits as peaked as a trained model's; the output layer is the embedding.
    model.norm.weight.fill_(SPREAD / (0.02 * config.hidden_size**0.5))
    model.lm_head.weight = model.embed_tokens.weight
    return model


def random_checkpoint(setting: Setting) -> Path:
    """Return a folder with a random model, as `load_qwen3` and `transformers` open it.

    It is written into the setting's folder at the first call and kept.
    """
    folder = setting.folder / f"{setting.shape}-{setting.dtype}"
    done = folder / "tokenizer.json"  # written last
    if not done.is_file():
        save_qwen3(random_model(setting.shape, getattr(torch, setting.dtype)), folder)
        Tokenizer(models.BPE({"a": 0}, [])).save(str(done))
    return folder
