"""Make the reference outputs that the tests compare with:
`python tests/reference/make_references.py`.

- small Qwen3 models with random weights, run by `transformers` in float32 (plain "eager" attention)
  and in bfloat16 (its default, fused attention), so a test can ask: is our bfloat16 as close to
  float32 as the library's own?
- every weight and input is a bfloat16 number, so the bfloat16 runs differ from float32 by their
  arithmetic alone
- weights are larger than a fresh model's, norm weights are not one: attention is peaked, logits are
  spread
- one file with the components, one for each whole model; versions and the model's config stand in
  the metadata
"""

import json
from pathlib import Path

import torch
from safetensors.torch import save_file

HERE = Path(__file__).parent
BASE = {
    "vocab_size": 96,
    "num_hidden_layers": 2,
    "max_position_embeddings": 256,
    "rms_norm_eps": 1e-6,
    "hidden_act": "silu",
    "attention_bias": False,
}
# head_dim * heads is never hidden_size; the number at the end is query heads per key-value head
MODELS = {
    "tied_group2": {
        **{
            "hidden_size": 32,
            "intermediate_size": 48,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
        },
        **{"head_dim": 16, "tie_word_embeddings": True, "rope_theta": 1_000_000.0},
    },
    "untied_group1": {
        **{
            "hidden_size": 40,
            "intermediate_size": 64,
            "num_attention_heads": 2,
            "num_key_value_heads": 2,
        },
        **{"head_dim": 24, "tie_word_embeddings": False, "rope_theta": 10_000.0},
    },
    "untied_group4": {
        **{
            "hidden_size": 32,
            "intermediate_size": 56,
            "num_attention_heads": 4,
            "num_key_value_heads": 1,
        },
        **{"head_dim": 12, "tie_word_embeddings": False, "rope_theta": 1_000_000.0},
    },
    "tied_group4": {
        **{
            "hidden_size": 48,
            "intermediate_size": 40,
            "num_attention_heads": 8,
            "num_key_value_heads": 2,
        },
        **{"head_dim": 8, "tie_word_embeddings": True, "rope_theta": 500.0},
    },
}
PROMPTS, PROMPT_LENGTH, NEW_TOKENS = 3, 14, 64
LENGTHS = [14, 9, 4]  # real tokens a row, where padding is asked for


def main() -> None:
    """Write all files beside this script."""
    import safetensors
    import transformers

    versions = {
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "safetensors": safetensors.__version__,
    }
    torch.set_num_threads(1)
    write("components", *component_references(), versions)
    for name, config in MODELS.items():
        write(f"model_{name}", *model_references({**BASE, **config}), versions)


def write(name: str, tensors: dict, metadata: dict, versions: dict) -> None:
    """One safetensors file; metadata values are JSON."""
    tensors = {key: value.detach().contiguous().clone() for key, value in tensors.items()}
    metadata = {key: json.dumps(value) for key, value in {**metadata, "versions": versions}.items()}
    path = HERE / f"{name}.safetensors"
    save_file(tensors, path, metadata=metadata)
    path.chmod(0o644)  # safetensors leaves it private
    print(f"{path.name}: {len(tensors)} tensors, {path.stat().st_size:,} bytes")


def reference_model(config: dict, seed: int, attention: str, dtype: torch.dtype):
    """A transformers model whose weights are the same bfloat16 numbers, whatever `dtype` it
    computes in.
    """
    from transformers import Qwen3Config, Qwen3ForCausalLM

    settings = {
        **config,
        "rope_parameters": {"rope_type": "default", "rope_theta": config["rope_theta"]},
    }
    del settings["rope_theta"]
    model = Qwen3ForCausalLM._from_config(Qwen3Config(**settings), attn_implementation=attention)
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in model.named_parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        if parameter.dim() == 1:
            # queries and keys so long that the softmax prefers few positions
            values = noise.mul(0.25).add(
                2.0 if name.endswith(("q_norm.weight", "k_norm.weight")) else 1.0
            )
        elif "embed_tokens" in name:
            # small beside the layers' outputs: tied models would otherwise repeat their input
            values = noise * 0.2
        else:
            values = noise * 1.6 / parameter.shape[1] ** 0.5
        parameter.data = bfloat16_number(values)
    if config["tie_word_embeddings"]:
        model.tie_weights()
    return model.to(dtype).eval()


def bfloat16_number(values: torch.Tensor) -> torch.Tensor:
    """Float32 values that bfloat16 holds exactly."""
    return values.bfloat16().float()


@torch.no_grad()
def component_references() -> tuple[dict, dict]:
    """Inputs, weights and outputs of each part of one decoder layer."""
    from transformers.models.qwen3.modeling_qwen3 import apply_rotary_pos_emb

    config, batch, seq = {**BASE, **MODELS["tied_group2"]}, 2, 11
    generator = torch.Generator().manual_seed(7)
    x = bfloat16_number(torch.randn(batch, seq, config["hidden_size"], generator=generator) * 1.5)
    heads = bfloat16_number(torch.randn(batch, 4, seq, config["head_dim"], generator=generator))
    positions = torch.tensor([list(range(seq)), [0, 1, 5, 17, 40, 99, 100, 101, 150, 200, 255]])
    tensors = {"x": x, "rope.x": heads, "positions": positions}
    for label, attention, dtype in (
        ("float32", "eager", torch.float32),
        ("bfloat16", "sdpa", torch.bfloat16),
    ):
        model = reference_model(config, 7, attention, dtype)
        layer, inputs = model.model.layers[0], x.to(dtype)
        cos, sin = model.model.rotary_emb(inputs, positions)
        mask = (
            torch.full((seq, seq), torch.finfo(dtype).min, dtype=dtype)
            .triu(1)[None, None]
            .expand(batch, 1, -1, -1)
        )
        if dtype == torch.float32:
            tensors |= {f"layer.{name}": value for name, value in layer.state_dict().items()}
        tensors |= {
            f"rope.cos.{label}": cos,
            f"rope.sin.{label}": sin,
            f"rope.{label}": apply_rotary_pos_emb(heads.to(dtype), heads.to(dtype), cos, sin)[0],
            f"rmsnorm.{label}": layer.input_layernorm(inputs),
            f"mlp.{label}": layer.mlp(inputs),
            f"attention.{label}": layer.self_attn(inputs, (cos, sin), mask)[0],
            f"block.{label}": layer(inputs, mask, positions, position_embeddings=(cos, sin)),
        }
    return tensors, {"config": config}


@torch.no_grad()
def model_references(config: dict) -> tuple[dict, dict]:
    """Weights, logits without and with padding on either side, and greedy continuations of one
    whole model.
    """
    generator = torch.Generator().manual_seed(11)
    input_ids = torch.randint(
        0, config["vocab_size"], (PROMPTS, PROMPT_LENGTH), generator=generator
    )
    columns, lengths = torch.arange(PROMPT_LENGTH), torch.tensor(LENGTHS)[:, None]
    masks = {"left": columns >= PROMPT_LENGTH - lengths, "right": columns < lengths}
    tensors = {"input_ids": input_ids, **{f"mask.{side}": mask for side, mask in masks.items()}}

    seed, continuation, margin = clear_continuation(config, input_ids)
    tensors["greedy"] = continuation
    for label, attention, dtype in (
        ("float32", "eager", torch.float32),
        ("bfloat16", "sdpa", torch.bfloat16),
    ):
        model = reference_model(config, seed, attention, dtype)
        if dtype == torch.float32:
            tied = {"lm_head.weight"} if config["tie_word_embeddings"] else set()
            tensors |= {
                f"weights.{name}": w for name, w in model.state_dict().items() if name not in tied
            }
        tensors[f"logits.{label}"] = model(input_ids).logits
        for side, mask in masks.items():
            positions = (mask.cumsum(1) - 1).clamp(min=0)
            padded = model(input_ids, attention_mask=mask.long(), position_ids=positions).logits
            tensors[f"logits.{side}.{label}"] = padded
    return tensors, {"config": config, "seed": seed, "smallest_margin": margin}


def clear_continuation(config: dict, input_ids: torch.Tensor) -> tuple[int, torch.Tensor, float]:
    """The first seed whose greedy continuations are varied and never a close call, so that rounding
    cannot change them.

    Returns:
        Seed, continuations `(prompts, new tokens)`, and the smallest gap between the best and the
        second-best logit.
    """
    for seed in range(200):
        model = reference_model(config, seed, "eager", torch.float32)
        ids, margins = input_ids, []
        for _ in range(NEW_TOKENS):
            best = model(ids, use_cache=False).logits[:, -1].topk(2)
            margins.append((best.values[:, 0] - best.values[:, 1]).min().item())
            ids = torch.cat((ids, best.indices[:, :1]), dim=1)
        continuation = ids[:, input_ids.shape[1] :]
        if min(margins) > 2e-3 and all(len(row.unique()) >= 16 for row in continuation):
            made = model.generate(
                input_ids,
                attention_mask=torch.ones_like(input_ids),
                max_new_tokens=NEW_TOKENS,
                do_sample=False,
            )
            if not torch.equal(made[:, input_ids.shape[1] :], continuation):
                raise SystemExit("transformers' own generate() disagrees with its forward pass")
            return seed, continuation, min(margins)
    raise SystemExit("no seed gives clear continuations: change the scale of the weights")


if __name__ == "__main__":
    main()
