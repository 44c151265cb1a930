"""Every component, and whole models, give what the Hugging Face implementation gave
(tests/reference).
"""

import pytest
import torch

from Appendixes.GLUFeedForwardNeuralNetwork import GLUFeedForward
from Appendixes.GroupedQueryAttention import GroupedQueryAttention
from Appendixes.QWEN3Model import Qwen3Config, Qwen3Model
from Appendixes.QWEN3TransformerBlock import TransformerBlock
from Appendixes.RMSNorm import RMSNorm
from Appendixes.RoPE import apply_rope, rope_cos_sin
from CH2.generation import generate, generate_batch

MODELS = ["tied_group2", "untied_group1", "untied_group4", "tied_group4"]
DTYPES = [pytest.param(torch.float32, id="float32"), pytest.param(torch.bfloat16, id="bfloat16")]


def assert_close(ours, expected, tolerance):
    """The largest difference is small beside the largest value."""
    assert ours.dtype == expected.dtype and ours.shape == expected.shape
    difference = (ours.cpu() - expected).abs().max() / expected.abs().max()
    assert difference <= tolerance, f"relative difference {difference:.2e}, allowed {tolerance:.0e}"


def assert_as_good_in_bfloat16(ours, reference, theirs):
    """Our bfloat16 is at most twice as far from float32 as the library's, at the worst place and on
    average.
    """
    assert ours.dtype == torch.bfloat16 and ours.shape == reference.shape
    our_error, their_error = ours.cpu().float() - reference, theirs.float() - reference
    assert their_error.abs().max() > 0, (
        "the reference shows no rounding: it cannot serve as a yardstick"
    )
    assert our_error.abs().max() <= 2 * their_error.abs().max()
    assert our_error.square().mean().sqrt() <= 2 * their_error.square().mean().sqrt()


def compare(ours, tensors, name, tolerance=1e-5):
    if ours.dtype == torch.float32:
        assert_close(ours, tensors[f"{name}.float32"], tolerance)
    else:
        assert_as_good_in_bfloat16(ours, tensors[f"{name}.float32"], tensors[f"{name}.bfloat16"])


@pytest.fixture(scope="module")
def components(reference):
    tensors, metadata = reference("components")
    return tensors, from_reference_config(metadata["config"])


def from_reference_config(raw):
    fields = Qwen3Config.__dataclass_fields__
    return Qwen3Config(**{name: value for name, value in raw.items() if name in fields})


def layer_weights(tensors, prefix):
    return {
        name.removeprefix(prefix): value
        for name, value in tensors.items()
        if name.startswith(prefix)
    }


def loaded(module, weights, device, dtype):
    module.load_state_dict(weights)
    return module.to(device, dtype).requires_grad_(False)


@pytest.mark.parametrize("dtype", DTYPES)
def test_rmsnorm_matches_reference(components, device, dtype):
    tensors, config = components
    weights = layer_weights(tensors, "layer.input_layernorm.")
    norm = loaded(RMSNorm(config.hidden_size, config.rms_norm_eps), weights, device, dtype)
    compare(norm(tensors["x"].to(device, dtype)), tensors, "rmsnorm")


def test_rmsnorm_rounds_to_bfloat16_where_the_reference_does(components, device):
    tensors, config = components
    weights = layer_weights(tensors, "layer.input_layernorm.")
    norm = loaded(RMSNorm(config.hidden_size, config.rms_norm_eps), weights, device, torch.bfloat16)
    # before the weight, not after: else a quarter differs
    ours = norm(tensors["x"].to(device, torch.bfloat16)).cpu()
    assert (ours == tensors["rmsnorm.bfloat16"]).float().mean() > 0.98


def test_rope_tables_match_reference(components, device):
    tensors, config = components
    cos, sin = rope_cos_sin(tensors["positions"].to(device), config.head_dim, config.rope_theta)
    # the reference stores both halves
    assert_close(torch.cat((cos, cos), dim=-1), tensors["rope.cos.float32"], 1e-5)
    assert_close(torch.cat((sin, sin), dim=-1), tensors["rope.sin.float32"], 1e-5)


@pytest.mark.parametrize("dtype", DTYPES)
def test_rope_rotation_matches_reference(components, device, dtype):
    tensors, config = components
    cos, sin = rope_cos_sin(tensors["positions"].to(device), config.head_dim, config.rope_theta)
    compare(
        apply_rope(tensors["rope.x"].to(device, dtype), cos[:, None], sin[:, None]), tensors, "rope"
    )


@pytest.mark.parametrize("dtype", DTYPES)
def test_feed_forward_matches_reference(components, device, dtype):
    tensors, config = components
    weights = layer_weights(tensors, "layer.mlp.")
    mlp = loaded(
        GLUFeedForward(config.hidden_size, config.intermediate_size), weights, device, dtype
    )
    compare(mlp(tensors["x"].to(device, dtype)), tensors, "mlp")


@pytest.mark.parametrize("dtype", DTYPES)
def test_attention_matches_reference(components, device, dtype):
    tensors, config = components
    attention = loaded(
        GroupedQueryAttention(config), layer_weights(tensors, "layer.self_attn."), device, dtype
    )
    angles = rope_cos_sin(tensors["positions"].to(device), config.head_dim, config.rope_theta)
    compare(attention(tensors["x"].to(device, dtype), *angles), tensors, "attention")


@pytest.mark.parametrize("dtype", DTYPES)
def test_block_matches_reference(components, device, dtype):
    tensors, config = components
    block = loaded(TransformerBlock(config), layer_weights(tensors, "layer."), device, dtype)
    angles = rope_cos_sin(tensors["positions"].to(device), config.head_dim, config.rope_theta)
    compare(block(tensors["x"].to(device, dtype), *angles), tensors, "block")


@pytest.fixture(scope="module", params=MODELS)
def whole(request, reference):
    tensors, metadata = reference(f"model_{request.param}")
    return tensors, metadata["config"]


def reference_model(whole, device, dtype=torch.float32):
    tensors, raw = whole
    model = Qwen3Model(from_reference_config(raw))
    weights = {
        name.removeprefix("model."): value
        for name, value in layer_weights(tensors, "weights.").items()
    }
    if raw["tie_word_embeddings"]:
        weights["lm_head.weight"] = weights["embed_tokens.weight"]
    return loaded(model, weights, device, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
def test_model_logits_match_reference(whole, device, dtype):
    tensors, model = whole[0], reference_model(whole, device, dtype)
    compare(model(tensors["input_ids"].to(device)), tensors, "logits", 1e-4)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("side", ["left", "right"])
def test_padded_logits_match_reference_at_real_tokens(whole, device, dtype, side):
    tensors, model = whole[0], reference_model(whole, device, dtype)
    mask = tensors[f"mask.{side}"]
    ours = model(tensors["input_ids"].to(device), padding_mask=mask.to(device))
    real = {
        f"padded.{kind}": tensors[f"logits.{side}.{kind}"][mask] for kind in ("float32", "bfloat16")
    }
    compare(ours[mask.to(device)], real, "padded", 1e-4)


@pytest.mark.parametrize("use_cache", [True, False], ids=["cache", "recomputed"])
def test_greedy_continuations_match_reference(whole, device, use_cache):
    tensors, model = whole[0], reference_model(whole, device)
    prompts, expected = tensors["input_ids"].to(device), tensors["greedy"].tolist()
    assert expected[0] != expected[1]  # the file has something to tell apart
    for prompt, continuation in zip(prompts[:, None], expected, strict=True):
        assert list(generate(model, prompt, 64, use_cache=use_cache)) == continuation


def test_batched_greedy_continuations_match_reference(whole, device):
    tensors, model = whole[0], reference_model(whole, device)
    assert generate_batch(model, tensors["input_ids"].tolist(), 64) == tensors["greedy"].tolist()


def test_reference_files_hold_what_the_tests_need(reference):
    groups = set()
    for name in MODELS:
        tensors, metadata = reference(f"model_{name}")
        config = metadata["config"]
        groups.add(
            (
                config["tie_word_embeddings"],
                config["num_attention_heads"] // config["num_key_value_heads"],
            )
        )
        assert config["head_dim"] * config["num_attention_heads"] != config["hidden_size"]
        assert tensors["greedy"].shape == (3, 64) and tensors["logits.float32"].std() > 1
        assert set(metadata["versions"]) == {"torch", "transformers", "safetensors"}
    assert groups == {(True, 2), (False, 1), (False, 4), (True, 4)}
