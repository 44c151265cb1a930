"""Checkpoints go from transformers to us and from us to transformers, and the logits stay."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from Appendixes.QWEN3Model import Qwen3Config, find_checkpoint, load_qwen3, save_qwen3
from Appendixes.QWEN3Model.checkpoint import SHIPPED
from Appendixes.QWEN3Tokenizer import Qwen3Tokenizer

transformers = pytest.importorskip("transformers", reason="needs `pip install -e '.[dev]'`")

TEXTS = [
    "What is 12 + 30?",
    "Ünïcödé, 中文, العربية, 👩‍🔬",
    "  a\n\n\tb  ",
    "<|im_start|>user\nhi<|im_end|>\n",
    "x" * 60,
]


@pytest.fixture(params=[True, False], ids=["tied", "untied"])
def theirs(request):
    """A model of transformers with weights that make attention and logits vary."""
    config = transformers.Qwen3Config(
        vocab_size=700,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=16,
        max_position_embeddings=128,
        initializer_range=0.25,
        tie_word_embeddings=request.param,
        rope_parameters={"rope_type": "default", "rope_theta": 5_000.0},
    )
    torch.manual_seed(3)
    model = transformers.Qwen3ForCausalLM(config).eval()
    for name, parameter in model.named_parameters():
        if "norm" in name:
            parameter.data += 0.3 * torch.randn_like(parameter)
    return model


@pytest.fixture
def folder(theirs, tmp_path, byte_tokenizer_folder):
    theirs.save_pretrained(tmp_path / "checkpoint")
    shutil.copy(byte_tokenizer_folder / "tokenizer.json", tmp_path / "checkpoint")
    return tmp_path / "checkpoint"


def some_ids(vocab_size):
    return torch.randint(0, vocab_size, (2, 40), generator=torch.Generator().manual_seed(5))


@torch.no_grad()
def relative_difference(ours, theirs):
    ids = some_ids(theirs.config.vocab_size)
    expected = theirs(ids).logits
    assert expected.std() > 0.3
    return ((ours(ids) - expected).abs().max() / expected.abs().max()).item()


def rewrite_config(folder, change):
    path = folder / "config.json"
    raw = json.loads(path.read_text())
    change(raw)
    path.write_text(json.dumps(raw))


def test_checkpoint_of_transformers_loads_with_the_same_logits(theirs, folder):
    model, _ = load_qwen3(folder, device="cpu")
    assert model.embed_tokens.weight.dtype == torch.float32
    assert relative_difference(model, theirs) < 1e-4


def test_sharded_checkpoint_equals_unsharded(theirs, folder, tmp_path):
    theirs.save_pretrained(tmp_path / "sharded", max_shard_size="40KB")
    shutil.copy(folder / "tokenizer.json", tmp_path / "sharded")
    assert len(list((tmp_path / "sharded").glob("model-*-of-*.safetensors"))) > 2
    whole, sharded = (
        load_qwen3(folder, device="cpu")[0],
        load_qwen3(tmp_path / "sharded", device="cpu")[0],
    )
    assert torch.equal(whole(some_ids(700)), sharded(some_ids(700)))


def test_our_checkpoint_opens_in_transformers_with_the_same_logits(theirs, folder, tmp_path):
    model, _ = load_qwen3(folder, device="cpu")
    save_qwen3(model, tmp_path / "ours", eos_token_id=[1, 2])
    opened, loading = transformers.AutoModelForCausalLM.from_pretrained(
        tmp_path / "ours", output_loading_info=True
    )
    assert (
        not loading["missing_keys"]
        and not loading["unexpected_keys"]
        and not loading["mismatched_keys"]
    )
    assert type(opened).__name__ == "Qwen3ForCausalLM" and opened.config.eos_token_id == [1, 2]
    assert opened.config.tie_word_embeddings == theirs.config.tie_word_embeddings
    assert relative_difference(model, opened) < 1e-4
    assert relative_difference(model, theirs) < 1e-4


def test_bfloat16_checkpoint_keeps_its_dtype_and_bits_through_both(theirs, folder, tmp_path):
    theirs.bfloat16().save_pretrained(folder)
    model, _ = load_qwen3(folder, device="cpu")
    save_qwen3(model, tmp_path / "ours")
    opened = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "ours")
    original = theirs.state_dict()
    assert opened.dtype == model.lm_head.weight.dtype == torch.bfloat16
    assert all(torch.equal(weight, original[name]) for name, weight in opened.state_dict().items())


@pytest.mark.parametrize("form", ["top_level", "rope_parameters"])
def test_both_forms_of_rope_theta_give_the_logits_of_transformers(theirs, folder, form):
    def change(raw):
        raw.pop("rope_theta", None), raw.pop("rope_parameters", None), raw.pop("rope_scaling", None)
        if form == "top_level":  # as transformers 4 wrote it
            raw |= {"rope_theta": 5_000.0, "rope_scaling": None, "torch_dtype": raw.pop("dtype")}
        else:
            raw["rope_parameters"] = {"rope_theta": 5_000.0, "rope_type": "default"}

    rewrite_config(folder, change)
    assert Qwen3Config.from_json(folder).rope_theta == 5_000.0
    opened = transformers.AutoModelForCausalLM.from_pretrained(folder)
    model, _ = load_qwen3(folder, device="cpu")
    assert relative_difference(model, opened) < 1e-4

    rewrite_config(
        folder, lambda raw: raw.update(rope_theta=50.0, rope_parameters={"rope_theta": 50.0})
    )
    changed, _ = load_qwen3(folder, device="cpu")
    # theta matters at these positions: the test can fail
    assert relative_difference(changed, theirs) > 1e-3


def rewrite_weights(folder, change):
    weights = load_file(folder / "model.safetensors")
    save_file(change(weights), folder / "model.safetensors", metadata={"format": "pt"})


@pytest.mark.parametrize("theirs", [True], indirect=True, ids=["tied"])
@pytest.mark.parametrize(
    "change",
    [
        # another output layer in the file of a tied model
        lambda weights: {**weights, "lm_head.weight": 2 - weights["model.embed_tokens.weight"]},
        # a copy of the tied one
        lambda weights: {**weights, "lm_head.weight": weights["model.embed_tokens.weight"].clone()},
        # names as in embedding models
        lambda weights: {name.removeprefix("model."): w for name, w in weights.items()},
        # RoPE's angles, as older files have them
        lambda weights: {**weights, "model.layers.0.self_attn.rotary_emb.inv_freq": torch.ones(8)},
    ],
    ids=["other_head", "copied_head", "no_prefix", "angles"],
)
def test_unusual_files_load_as_in_transformers(theirs, folder, change):
    rewrite_weights(folder, change)
    opened = transformers.AutoModelForCausalLM.from_pretrained(folder).eval()
    assert relative_difference(load_qwen3(folder, device="cpu")[0], opened) < 1e-4


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_config_without_a_dtype_means_the_files_as_in_transformers(theirs, folder, dtype):
    theirs.to(dtype).save_pretrained(folder)
    rewrite_config(folder, lambda raw: raw.pop("dtype"))
    opened = transformers.AutoModelForCausalLM.from_pretrained(folder)
    assert load_qwen3(folder, device="cpu")[0].norm.weight.dtype == opened.dtype == dtype


@pytest.mark.parametrize("silent_about", ["tie_word_embeddings", "head_dim"])
def test_config_silent_about_a_setting_means_what_transformers_takes_it_for(silent_about, tmp_path):
    raw = {
        "model_type": "qwen3",
        "vocab_size": 50,
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 1,
    }
    raw |= {
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 16,
        "rope_theta": 1e4,
        "rms_norm_eps": 1e-6,
    }
    raw |= {"max_position_embeddings": 64, "tie_word_embeddings": True}
    del raw[silent_about]
    (tmp_path / "config.json").write_text(json.dumps(raw))
    assumed = getattr(transformers.AutoConfig.from_pretrained(tmp_path), silent_about)
    assert getattr(Qwen3Config.from_json(tmp_path), silent_about) == assumed


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_checkpoint_opens_in_transformers_with_the_same_logits(name):
    model, _ = load_qwen3(name, device="cpu", dtype=torch.float32)
    opened = transformers.AutoModelForCausalLM.from_pretrained(
        find_checkpoint(name), dtype=torch.float32
    ).eval()
    assert relative_difference(model, opened) < 1e-4


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_tokenizer_gives_the_same_ids_in_transformers(name):
    folder = find_checkpoint(name)
    ours = Qwen3Tokenizer.from_file(folder)
    theirs = transformers.AutoTokenizer.from_pretrained(folder)
    for text in TEXTS:
        assert ours.encode(text, allow_special=True) == theirs.encode(
            text, add_special_tokens=False
        )
        assert ours.encode(text) == theirs.encode(
            text, add_special_tokens=False, split_special_tokens=True
        )
    assert theirs.eos_token_id in ours.stop_ids and theirs.pad_token_id == ours.pad_id


@pytest.mark.parametrize("thinking", [True, False])
def test_the_thinking_checkpoint_is_asked_with_the_same_ids_in_transformers(thinking):
    folder = find_checkpoint("tiny-thinking")
    puzzle = {"role": "user", "content": "Write 54 with 3, 25 and 7."}
    answer = {"role": "assistant", "content": "<think>\n25 * 3 - 7 * 3\n</think>\n\n25*3-7*3"}
    messages = [puzzle, answer, puzzle]
    theirs = transformers.AutoTokenizer.from_pretrained(folder)
    text = theirs.apply_chat_template(
        messages, add_generation_prompt=True, enable_thinking=thinking, tokenize=False
    )
    ours = Qwen3Tokenizer.from_file(folder)
    assert text == ours.apply_chat_template(messages, enable_thinking=thinking)
    ids = theirs.encode(text, add_special_tokens=False)
    assert ids == ours.encode_chat(messages, enable_thinking=thinking)
