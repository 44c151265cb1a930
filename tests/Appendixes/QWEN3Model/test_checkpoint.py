"""Checkpoints: what is refused and how it is said, where folders are looked for, and what loading
costs.
"""

import errno
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from Appendixes.QWEN3Model import Qwen3Config, checkpoint, find_checkpoint, load_qwen3, save_qwen3

ROOT = Path(__file__).resolve().parents[3]
CONFIG = Qwen3Config(
    vocab_size=300,
    hidden_size=16,
    intermediate_size=24,
    num_hidden_layers=2,
    num_attention_heads=4,
    num_key_value_heads=2,
    head_dim=8,
    max_position_embeddings=64,
)
WEIGHTS = "model.safetensors"


@pytest.fixture
def folder(tmp_path, make_model, byte_tokenizer_folder):
    """A complete checkpoint that a test may damage."""
    save_qwen3(make_model(CONFIG, torch.float32), tmp_path / "checkpoint")
    shutil.copy(byte_tokenizer_folder / "tokenizer.json", tmp_path / "checkpoint")
    return tmp_path / "checkpoint"


@pytest.fixture
def chapters(tmp_path, monkeypatch):
    """Empty folders of checkpoints in place of the repository's."""
    folders = [tmp_path / chapter / "qwen3" for chapter in ("CH2", "CH3", "CH4")]
    monkeypatch.setattr(checkpoint, "CHAPTER_FOLDERS", folders)
    return folders


@pytest.fixture
def tiny(chapters, folder):
    """The same checkpoint under the name "tiny" in the first chapter's folder."""
    return Path(shutil.copytree(folder, chapters[0] / "tiny"))


def no_links(source, target):
    raise OSError(errno.EXDEV, "Invalid cross-device link")


def change_config(folder, **entries):
    path = folder / "config.json"
    raw = {**json.loads(path.read_text()), **entries}
    # ... deletes
    path.write_text(json.dumps({key: value for key, value in raw.items() if value is not ...}))


def change_weights(folder, change):
    tensors = load_file(folder / WEIGHTS)
    change(tensors)
    save_file(tensors, folder / WEIGHTS)


def shard(folder):
    """Split the weights into two files with an index, as large checkpoints come."""
    tensors = load_file(folder / WEIGHTS)
    (folder / WEIGHTS).unlink()
    names, weight_map = sorted(tensors), {}
    for number, part in enumerate((names[: len(names) // 2], names[len(names) // 2 :]), start=1):
        file = f"model-{number:05}-of-00002.safetensors"
        save_file({name: tensors[name] for name in part}, folder / file)
        weight_map |= dict.fromkeys(part, file)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))
    return weight_map


def load(folder, **options):
    return load_qwen3(folder, device="cpu", **options)


def some_logits(model):
    return model(torch.arange(20)[None])


# --- what loads ---


def test_saved_checkpoint_loads_with_the_same_weights_and_config(folder, make_model):
    model, tokenizer = load(folder)
    assert model.config == CONFIG and tokenizer.decode(tokenizer.encode("the end")) == "the end"
    assert torch.equal(some_logits(model), some_logits(make_model(CONFIG, torch.float32)))


def test_loaded_model_is_ready_for_inference(folder):
    model, _ = load(folder)
    assert not model.training and not any(
        parameter.requires_grad for parameter in model.parameters()
    )
    assert model.lm_head.weight is model.embed_tokens.weight  # tied: one tensor, not two


def test_asked_for_dtype_wins_over_the_stored_one(folder):
    assert load(folder)[0].norm.weight.dtype == torch.float32
    assert {
        parameter.dtype for parameter in load(folder, dtype=torch.bfloat16)[0].parameters()
    } == {torch.bfloat16}


def test_model_lands_on_the_device_asked_for(folder, device):
    model, _ = load_qwen3(folder, device=device)
    assert {parameter.device.type for parameter in model.parameters()} == {device.type}
    assert torch.allclose(
        model(torch.arange(9, device=device)[None]).cpu(),
        load(folder)[0](torch.arange(9)[None]),
        atol=1e-4,
    )


def test_shards_load_like_one_file(folder):
    whole = some_logits(load(folder)[0])
    assert len(set(shard(folder).values())) == 2
    assert torch.equal(some_logits(load(folder)[0]), whole)


def test_stored_copy_of_a_tied_output_layer_is_accepted(folder):
    whole = some_logits(load(folder)[0])
    change_weights(
        folder,
        lambda tensors: tensors.update(
            {"lm_head.weight": tensors["model.embed_tokens.weight"].clone()}
        ),
    )
    assert torch.equal(some_logits(load(folder)[0]), whole)


def test_another_output_layer_than_the_tied_one_is_used(folder):
    tied = some_logits(load(folder)[0])
    change_weights(
        folder,
        lambda tensors: tensors.update({"lm_head.weight": -tensors["model.embed_tokens.weight"]}),
    )
    model = load(folder)[0]
    assert torch.equal(some_logits(model), -tied)
    assert not model.config.tie_word_embeddings
    save_qwen3(model, folder)
    assert torch.equal(some_logits(load(folder)[0]), -tied)


@pytest.mark.parametrize("silence", [..., None])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32])
def test_a_config_that_names_no_dtype_means_that_of_the_file(folder, make_model, dtype, silence):
    save_qwen3(make_model(CONFIG, dtype), folder)
    change_config(folder, dtype=silence)
    model = load(folder)[0]
    assert {parameter.dtype for parameter in model.parameters()} == {dtype}
    assert model.config.dtype == str(dtype).removeprefix("torch.")
    assert load(folder, dtype=torch.float64)[0].norm.weight.dtype == torch.float64


def rename_tensors(folder, rename):
    change_weights(
        folder,
        lambda tensors: [tensors.update({rename(n): tensors.pop(n)}) for n in list(tensors)],
    )


@pytest.mark.parametrize(
    "rename",
    [
        lambda name: name.removeprefix("model."),  # embedding models
        lambda name: "_orig_mod." + name,  # a compiled model
        lambda name: "base_model.model." + name,  # a merged adapter
    ],
    ids=["none", "compiled", "merged"],
)
@pytest.mark.parametrize("tied", [True, False])
def test_whatever_stands_before_all_names_is_taken_off(folder, rename, tied):
    if not tied:
        change_config(folder, tie_word_embeddings=False)
        change_weights(
            folder,
            lambda tensors: tensors.update(
                {"lm_head.weight": tensors["model.embed_tokens.weight"] + 1}
            ),
        )
    before = some_logits(load(folder)[0])
    rename_tensors(folder, rename)
    assert torch.equal(some_logits(load(folder)[0]), before)


def test_stored_angles_of_older_files_are_passed_over(folder):
    before = some_logits(load(folder)[0])
    change_weights(
        folder,
        lambda tensors: tensors.update(
            {"model.layers.0.self_attn.rotary_emb.inv_freq": torch.ones(4)}
        ),
    )
    assert torch.equal(some_logits(load(folder)[0]), before)


def test_shards_of_any_name_load_through_the_index(folder):
    whole = some_logits(load(folder)[0])
    for file in set(shard(folder).values()):
        (folder / file).rename(folder / f"model.safetensors-{file[6:]}")
    index = folder / checkpoint.INDEX_FILE
    index.write_text(index.read_text().replace('"model-', '"model.safetensors-'))
    assert torch.equal(some_logits(load(folder)[0]), whole)


def test_first_device_of_its_kind_may_be_numbered(folder):
    assert torch.equal(
        some_logits(load_qwen3(folder, device="cpu:0")[0]), some_logits(load(folder)[0])
    )


def test_interrupted_save_leaves_the_old_checkpoint(folder, make_model, monkeypatch):
    before = some_logits(load(folder)[0])

    def broken(tensors, path, **_):
        Path(path).write_bytes(b"half a file")
        raise KeyboardInterrupt

    monkeypatch.setattr(checkpoint, "save_file", broken)
    with pytest.raises(KeyboardInterrupt):
        save_qwen3(make_model(CONFIG, torch.float32, seed=1), folder)
    assert torch.equal(some_logits(load(folder)[0]), before)


@pytest.mark.parametrize("change", ["joined", "packed", "untied"])
def test_a_model_whose_tensors_are_not_its_configs_is_not_saved_over_a_good_one(
    change, folder, make_model
):
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    model = make_model(CONFIG, torch.float32, seed=1)
    mlp = model.layers[0].mlp
    if change == "joined":
        mlp.gate_up_proj, mlp.up_proj, mlp.gate_proj = (
            torch.nn.Linear(16, 48, bias=False),
            None,
            None,
        )
        told = (
            r"lacks tensor layers.0.mlp.gate_proj.weight and 1 more "
            r"and has tensor layers.0.mlp.gate_up_proj.weight"
        )
    elif change == "packed":
        mlp.down_proj = torch.nn.Identity()
        told = r"lacks tensor layers.0.mlp.down_proj.weight"
    else:
        model.lm_head.weight = torch.nn.Parameter(model.embed_tokens.weight + 1)
        told = r"has tensor lm_head.weight, which its config does not know"
    with pytest.raises(ValueError, match=told + ".*save the model as it was loaded"):
        save_qwen3(model, folder)
    with pytest.raises(ValueError, match=told):
        save_qwen3(model, folder / "new")
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


# --- configs that are refused ---


@pytest.mark.parametrize(
    ("entries", "named"),
    [
        ({"model_type": "qwen3_moe", "num_experts": 128}, "mixture of experts (num_experts)"),
        ({"num_local_experts": 8}, "mixture of experts (num_local_experts)"),
        ({"model_type": "llama"}, "model_type 'llama'"),
        ({"model_type": ...}, "model_type None"),
        ({"use_sliding_window": True}, "sliding window"),
        ({"layer_types": ["full_attention", "sliding_attention"]}, "sliding_attention"),
        (
            {"rope_parameters": {"rope_type": "yarn", "rope_theta": 1e6, "factor": 4.0}},
            "rope type 'yarn'",
        ),
        (
            {"rope_parameters": ..., "rope_scaling": {"type": "yarn", "factor": 4.0}},
            "rope type 'yarn'",
        ),
        # beside rope_parameters
        ({"rope_scaling": {"type": "yarn", "factor": 4.0}}, "rope type 'yarn'"),
        ({"rope_parameters": {"rope_theta": 1e6, "partial_rotary_factor": 0.5}}, "partial rotary"),
        ({"attention_bias": True}, "attention_bias"),
        ({"hidden_act": "gelu"}, "'gelu'"),
        ({"rope_scaling": {"rope_type": "yarn", "type": "default"}}, "rope type 'yarn'"),
        ({"rope_scaling": {"type": "default", "rope_type": "yarn"}}, "rope type 'yarn'"),
        (
            {"quantization_config": {"quant_method": "gptq", "bits": 4}},
            "quantised weights (gptq, 4 bits): take the repository with 16 bits",
        ),
        ({"quantization_config": {"quant_method": "fp8"}}, "quantised weights (fp8)"),
        ({"quantization": {"group_size": 64, "bits": 8}}, "quantised weights (MLX, 8 bits)"),
    ],
)
def test_config_of_another_model_is_refused_by_name(folder, entries, named):
    change_config(folder, **entries)
    with pytest.raises(ValueError, match="does not implement") as error:
        load(folder)
    assert named in str(error.value) and "config.json" in str(error.value)


def test_config_names_all_that_is_wrong_with_it_at_once(folder):
    change_config(folder, attention_bias=True, use_sliding_window=True)
    with pytest.raises(ValueError, match="sliding window.*attention_bias"):
        load(folder)


@pytest.mark.parametrize(
    ("entries", "named"),
    [
        ({"head_dim": 7}, "head_dim is 7"),
        ({"hidden_size": ...}, "hidden_size is None"),
        ({"vocab_size": "300"}, "vocab_size is '300', expected int"),
        ({"num_hidden_layers": 2.0}, "num_hidden_layers is 2.0, expected int"),
        ({"num_hidden_layers": True}, "num_hidden_layers is True, expected int"),
        ({"num_hidden_layers": 0}, "num_hidden_layers is 0"),
        ({"num_attention_heads": -4}, "num_attention_heads is -4"),
        ({"num_key_value_heads": 3}, "num_key_value_heads (3)"),
        ({"num_attention_heads": "4", "head_dim": ...}, "num_attention_heads"),
        ({"num_attention_heads": 0, "head_dim": ...}, "num_attention_heads"),
        ({"rms_norm_eps": "small"}, "rms_norm_eps is 'small', expected float"),
        ({"tie_word_embeddings": "yes"}, "tie_word_embeddings is 'yes', expected bool"),
        ({"rope_theta": ..., "rope_parameters": ...}, "rope_theta is None"),
        ({"rope_parameters": "default"}, "rope_parameters"),
        ({"layer_types": 2}, "layer_types"),
        ({"dtype": "float99"}, "'float99'"),
        ({"dtype": "int8"}, "'int8'"),
        ({"dtype": "float8_e4m3fn"}, "'float8_e4m3fn'"),
        ({"rope_parameters": {"rope_theta": 0.0}}, "rope_theta is 0.0: it must be positive"),
        ({"rms_norm_eps": float("inf")}, "rms_norm_eps is inf"),
    ],
)
def test_config_with_a_bad_entry_says_which(folder, entries, named):
    change_config(folder, **entries)
    with pytest.raises(ValueError, match="config.json") as error:
        load(folder)
    assert named in str(error.value)


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        ({"hidden_size": 64.5}, "hidden_size is 64.5, expected int"),
        ({"hidden_size": "64"}, "hidden_size is '64', expected int"),
        ({"hidden_size": None}, "hidden_size is None, expected int"),
        ({"hidden_size": True}, "hidden_size is True, expected int"),
        ({"tie_word_embeddings": 1}, "tie_word_embeddings is 1, expected bool"),
        ({"rope_theta": -1.0}, "rope_theta is -1.0: it must be positive"),
        ({"rms_norm_eps": float("nan")}, "rms_norm_eps is nan: it must be positive"),
    ],
)
def test_a_config_made_by_hand_is_checked_like_a_file(entries, said):
    with pytest.raises(ValueError, match=said):
        Qwen3Config(**entries)


def test_a_whole_number_may_stand_for_a_fraction():
    assert Qwen3Config(rope_theta=10_000) == Qwen3Config(rope_theta=10_000.0)


@pytest.mark.parametrize("content", ["{", "[]", "3", "\udcff"])
def test_config_that_is_no_json_object_is_refused(folder, content):
    (folder / "config.json").write_text(content, errors="surrogateescape")
    with pytest.raises(ValueError, match="config.json"):
        load(folder)


def test_config_survives_being_written_and_read(tmp_path):
    CONFIG.to_json(tmp_path / "config.json", eos_token_id=[1, 2])
    assert Qwen3Config.from_json(tmp_path) == CONFIG
    assert json.loads((tmp_path / "config.json").read_text())["eos_token_id"] == [1, 2]


# --- arguments that are refused ---


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"device": "gpu"}, "device is 'gpu': expected 'cpu', 'cuda'"),
        ({"device": "auto"}, "device is 'auto': expected 'cpu', 'cuda'"),
        ({"device": "meta"}, "device is 'meta': expected 'cpu', 'cuda'"),
        ({"device": 2.5}, "device is 2.5: expected 'cpu', 'cuda'"),
        ({"dtype": "bfloat16"}, "dtype is 'bfloat16': expected one of torch.float32"),
        ({"dtype": "auto"}, "dtype is 'auto'"),
        ({"dtype": torch.int8}, "dtype is torch.int8"),
        ({"dtype": torch.float8_e4m3fn}, "dtype is torch.float8_e4m3fn"),
        ({"dtype": torch.complex64}, "dtype is torch.complex64"),
    ],
)
def test_a_device_or_dtype_that_cannot_be_used_is_refused_before_anything_is_read(options, said):
    with pytest.raises(ValueError, match=said):
        load_qwen3("someone/not-asked-for", **options)


def test_a_device_that_is_not_here_says_so(folder):
    name = "cuda" if not torch.cuda.is_available() else "mps"
    with pytest.raises(ValueError, match=f"device '{name}' cannot be used here"):
        load_qwen3(folder, device=name)


# --- weights that are refused ---


@pytest.mark.parametrize(
    ("name", "weights"),
    [
        ("model.layers.0.mlp.down_proj.qweight", torch.zeros(3, 16, dtype=torch.int32)),
        ("model.layers.0.mlp.down_proj.weight", torch.zeros(16, 24, dtype=torch.int8)),
        ("model.layers.0.mlp.down_proj.weight", torch.zeros(192, 1, dtype=torch.uint8)),
        ("model.layers.0.mlp.down_proj.weight", torch.zeros(16, 24).to(torch.float8_e4m3fn)),
    ],
    ids=["gptq", "integers", "bitsandbytes", "fp8"],
)
def test_quantised_weights_are_called_so_where_the_config_is_silent(folder, name, weights):
    change_weights(folder, lambda tensors: tensors.update({name: weights}))
    with pytest.raises(ValueError, match="so the weights are quantised: take the repo") as error:
        load(folder)
    assert name in str(error.value)


def test_a_missing_tensor_is_named_with_what_is_there_instead(folder):
    rename_tensors(folder, lambda name: name.replace("mlp", "feed_forward"))
    with pytest.raises(
        ValueError,
        match=r"down_proj.weight and 5 more missing .*, which has tensor"
        r" model.layers.0.feed_forward.down_proj.weight and 5 more instead",
    ):
        load(folder)


def test_a_pointer_of_git_lfs_is_called_so(folder):
    (folder / WEIGHTS).write_text("version https://git-lfs.github.com/spec/v1\noid sha256:ab\n")
    with pytest.raises(ValueError, match="model.safetensors is a pointer of Git LFS.*git lfs pull"):
        load(folder)


def test_a_file_that_must_not_be_read_is_not_called_damaged(folder, monkeypatch):
    opened = Path.open

    def forbidden(path, *arguments, **options):
        if path.name == WEIGHTS:
            raise PermissionError(13, "Permission denied", str(path))
        return opened(path, *arguments, **options)

    monkeypatch.setattr(Path, "open", forbidden)
    with pytest.raises(PermissionError, match="Permission denied.*model.safetensors"):
        load(folder)


def test_a_file_that_the_system_cannot_map_is_not_called_damaged(folder, monkeypatch):
    def no_memory(*arguments, **options):
        raise OSError("Cannot allocate memory (os error 12)")

    monkeypatch.setattr(checkpoint, "safe_open", no_memory)
    with pytest.raises(OSError, match="model.safetensors cannot be read: Cannot allocate memory"):
        load(folder)


def test_a_full_disk_is_named_with_the_file(folder, make_model, monkeypatch):
    def full(*arguments, **options):
        raise SafetensorError("I/O error: No space left on device (os error 28)")

    monkeypatch.setattr(checkpoint, "save_file", full)
    with pytest.raises(OSError, match="model.safetensors cannot be written: .*No space left"):
        save_qwen3(make_model(CONFIG, torch.float32), folder)


@pytest.mark.parametrize(
    ("gone", "there", "said"),
    [
        ([WEIGHTS], ["qwen3-q4.gguf"], "it has GGUF files, .* without GGUF"),
        (
            [WEIGHTS, "config.json"],
            ["adapter_config.json", "adapter_model.safetensors"],
            "it has a LoRA adapter: take its base model",
        ),
        ([WEIGHTS], ["pytorch_model.bin"], "it has pickled weights, which can run code"),
        ([WEIGHTS], ["other.safetensors"], "it has weights under other names: name a single"),
        ([WEIGHTS], ["model-00001-of-00002.safetensors"], "several need model.safetensors.index"),
        (["tokenizer.json"], ["vocab.json", "merges.txt"], "it has a tokenizer in older files"),
        (["tokenizer.json"], [], "it has weights alone: copy tokenizer.json"),
        ([WEIGHTS], ["README.md"], "model.safetensors missing$"),
    ],
)
def test_a_folder_of_another_kind_is_called_what_it_is(folder, gone, there, said):
    for file in gone:
        (folder / file).unlink()
    for file in there:
        (folder / file).write_bytes(b"")
    with pytest.raises(FileNotFoundError, match=said) as error:
        load(folder)
    assert all(file in str(error.value) for file in gone)


@pytest.mark.parametrize("file", ["config.json", "tokenizer.json", WEIGHTS])
def test_missing_file_is_named(folder, file):
    (folder / file).unlink()
    with pytest.raises(FileNotFoundError, match=file):
        load(folder)


def test_missing_shard_is_named(folder):
    shard(folder)
    (folder / "model-00002-of-00002.safetensors").unlink()
    with pytest.raises(FileNotFoundError, match="model-00002-of-00002.safetensors"):
        load(folder)


@pytest.mark.parametrize(
    "keep", [0, 5, 600, -1], ids=["empty", "in_the_length", "in_the_header", "last_byte_lost"]
)
@pytest.mark.parametrize("file", [WEIGHTS, "model-00002-of-00002.safetensors"])
def test_truncated_weights_are_named(folder, file, keep):
    if file != WEIGHTS:
        shard(folder)
    path = folder / file
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(ValueError, match="damaged or incomplete") as error:
        load(folder)
    assert file in str(error.value)


def test_missing_tensor_is_named(folder):
    change_weights(folder, lambda tensors: tensors.pop("model.layers.1.self_attn.q_norm.weight"))
    with pytest.raises(
        ValueError, match="model.layers.1.self_attn.q_norm.weight missing from model.safetensors"
    ):
        load(folder)


def test_misshapen_tensor_is_named_with_both_shapes(folder):
    change_weights(folder, lambda tensors: tensors.update({"model.norm.weight": torch.ones(17)}))
    with pytest.raises(
        ValueError,
        match=r"model.safetensors: model.norm.weight has shape \(17,\), the config says \(16,\)",
    ):
        load(folder)


def test_unknown_tensor_is_named(folder):
    change_weights(
        folder,
        lambda tensors: tensors.update({"model.layers.0.self_attn.q_proj.bias": torch.ones(32)}),
    )
    with pytest.raises(ValueError, match="model.layers.0.self_attn.q_proj.bias in the file"):
        load(folder)


def test_output_layer_of_an_untied_model_must_be_stored(folder):
    change_config(folder, tie_word_embeddings=False)
    with pytest.raises(ValueError, match="lm_head.weight missing"):
        load(folder)


@pytest.mark.parametrize(
    "name", ["../outside.safetensors", "sub/model.safetensors", "/etc/model.safetensors"]
)
def test_shard_named_with_a_path_is_refused(folder, name):
    shard(folder)
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"model.norm.weight": name}}))
    with pytest.raises(ValueError, match="not a plain file name") as error:
        load(folder)
    assert name in str(error.value) and index.name in str(error.value)


@pytest.mark.parametrize(
    "content", ["{", "{}", "[]", '{"weight_map": 3}', '{"weight_map": {"a": 3}}']
)
def test_damaged_index_is_named(folder, content):
    shard(folder)
    (folder / "model.safetensors.index.json").write_text(content)
    with pytest.raises(ValueError, match="model.safetensors.index.json"):
        load(folder)


def test_damaged_tokenizer_is_named(folder):
    (folder / "tokenizer.json").write_text('{"version": "1.0"}')
    with pytest.raises(ValueError, match="tokenizer.json"):
        load(folder)


def test_tokenizer_larger_than_the_model_is_refused(folder, make_model):
    save_qwen3(
        make_model(Qwen3Config(**{**CONFIG.__dict__, "vocab_size": 100}), torch.float32), folder
    )
    with pytest.raises(ValueError, match="the tokenizer has 269 tokens, the model only 100"):
        load(folder)


# --- where checkpoints are looked for ---


def test_unknown_name_says_what_would_do(chapters):
    with pytest.raises(FileNotFoundError, match="no checkpoint 'tinny': give 'tiny'"):
        load_qwen3("tinny")


def test_missing_folder_is_not_taken_for_a_hub_name(chapters, tmp_path):
    with pytest.raises(FileNotFoundError, match="no checkpoint"):
        load_qwen3(tmp_path / "nothing")


def test_tiny_loads_by_name_and_by_folder(tiny_folder):
    by_name, by_folder = (load_qwen3(name, device="cpu")[0] for name in ("tiny", tiny_folder))
    assert torch.equal(some_logits(by_name), some_logits(by_folder))


def test_name_is_found_in_the_first_chapter(tiny):
    assert find_checkpoint("tiny") == tiny


def test_incomplete_checkpoint_of_that_name_says_what_is_missing(tiny):
    (tiny / WEIGHTS).unlink()
    with pytest.raises(FileNotFoundError, match="model.safetensors missing"):
        find_checkpoint("tiny")


@pytest.mark.parametrize("name", ["tiny", "someone/tiny"])
def test_checkpoint_of_another_chapter_is_hard_linked(chapters, folder, name):
    shutil.copytree(folder, chapters[2] / "tiny")
    (chapters[2] / "tiny" / checkpoint.SOURCE_NOTE).write_text("someone/tiny\n")
    found = find_checkpoint(name, local_dir=chapters[1])
    assert found == chapters[1] / "tiny"
    for file in ("config.json", "tokenizer.json", WEIGHTS):
        assert (found / file).samefile(chapters[2] / "tiny" / file)
    assert torch.equal(some_logits(load(found)[0]), some_logits(load(folder)[0]))


def test_checkpoint_of_another_chapter_is_copied_where_links_fail(chapters, tiny, monkeypatch):
    monkeypatch.setattr(os, "link", no_links)
    found = find_checkpoint("tiny", local_dir=chapters[1])
    assert not (found / WEIGHTS).samefile(tiny / WEIGHTS)
    assert (found / WEIGHTS).read_bytes() == (tiny / WEIGHTS).read_bytes()


def test_hub_name_does_not_mean_a_folder_that_ends_in_the_same_word(chapters, tiny):
    for local_dir in chapters[:2]:
        with pytest.raises(FileNotFoundError, match="no folder runs/tiny"):
            find_checkpoint("runs/tiny", local_dir=local_dir)


def test_new_shipped_weights_reach_the_other_chapters(chapters, tiny, make_model):
    before = some_logits(load(find_checkpoint("tiny", local_dir=chapters[1]))[0])
    save_qwen3(make_model(CONFIG, torch.float32, seed=9), tiny)
    after = some_logits(load(find_checkpoint("tiny", local_dir=chapters[1]))[0])
    assert not torch.equal(before, after)


def test_single_file_counts_where_there_is_an_index_too(folder):
    (folder / checkpoint.INDEX_FILE).write_text(
        '{"weight_map": {"model.norm.weight": "old-shard.safetensors"}}'
    )
    assert checkpoint.missing_files(folder) == []
    load(folder)


def test_interrupted_copy_is_not_taken_for_a_checkpoint(chapters, tiny, monkeypatch):
    def break_off(source, target):
        Path(target).write_bytes(Path(source).read_bytes()[:1000])
        if Path(source).name == WEIGHTS:
            raise KeyboardInterrupt
        return shutil.copyfile(source, target)

    def weights_last(path):
        files = [Path(entry.path) for entry in os.scandir(path)]
        return iter(sorted(files, key=lambda file: file.name == WEIGHTS))

    with monkeypatch.context() as patch:
        patch.setattr(os, "link", no_links)
        patch.setattr(shutil, "copy2", break_off)
        patch.setattr(Path, "iterdir", weights_last)
        with pytest.raises(KeyboardInterrupt):
            find_checkpoint("tiny", local_dir=chapters[1])
    again = find_checkpoint("tiny", local_dir=chapters[1])
    assert (again / WEIGHTS).read_bytes() == (tiny / WEIGHTS).read_bytes()


def test_a_file_left_by_a_killed_process_of_the_same_number_is_in_nobodys_way(chapters, tiny):
    (chapters[1] / "tiny").mkdir(parents=True)
    os.link(tiny / WEIGHTS, chapters[1] / "tiny" / f"{WEIGHTS}.{os.getpid()}.part")
    linked = find_checkpoint("tiny", local_dir=chapters[1])
    assert {path.name for path in linked.iterdir()} == {path.name for path in tiny.iterdir()}


@pytest.mark.parametrize("rival_comes", ["before our link", "after our link"])
def test_another_process_may_link_the_same_checkpoint_at_the_same_time(
    rival_comes, chapters, tiny, monkeypatch
):
    link, own, rivals = os.link, os.getpid(), []

    def link_beside_a_rival(source, target):
        if rivals:
            return link(source, target)
        if rival_comes == "after our link":
            link(source, target)
        rivals.append(own + 1)
        monkeypatch.setattr(os, "getpid", lambda: own + 1)
        find_checkpoint("tiny", local_dir=chapters[1])
        monkeypatch.setattr(os, "getpid", lambda: own)
        if rival_comes == "before our link":
            link(source, target)
        return None

    monkeypatch.setattr(os, "link", link_beside_a_rival)
    linked = find_checkpoint("tiny", local_dir=chapters[1])
    assert rivals
    assert {path.name for path in linked.iterdir()} == {path.name for path in tiny.iterdir()}
    assert all(path.samefile(tiny / path.name) for path in linked.iterdir())


def test_unfinished_files_of_another_process_are_not_linked(chapters, folder, tiny):
    (tiny / f"{WEIGHTS}.part").write_bytes(b"half a file")
    linked = find_checkpoint("tiny", local_dir=chapters[1])
    assert {path.name for path in linked.iterdir()} == {path.name for path in folder.iterdir()}


def test_saving_into_a_linked_folder_leaves_the_other_chapter_alone(chapters, tiny, make_model):
    linked = find_checkpoint("tiny", local_dir=chapters[1])
    smaller = Qwen3Config(**{**CONFIG.__dict__, "num_hidden_layers": 1})
    save_qwen3(make_model(smaller, torch.float32), linked)
    assert load(linked)[0].config.num_hidden_layers == 1
    assert load(tiny)[0].config.num_hidden_layers == 2


def test_relative_folder_is_not_replaced_by_a_chapters_checkpoint_of_the_same_name(
    folder, tiny, tmp_path, monkeypatch
):
    shutil.copytree(folder, tmp_path / "runs" / "tiny")
    monkeypatch.chdir(tmp_path)
    assert find_checkpoint("runs/tiny").resolve() == (tmp_path / "runs" / "tiny").resolve()


@pytest.mark.parametrize("name", ["tiny", Path("tiny"), "./tiny"])
def test_a_checkpoint_in_this_folder_comes_before_a_chapters(
    name, folder, tiny, make_model, tmp_path, monkeypatch
):
    shutil.copytree(folder, tmp_path / "here" / "tiny")
    monkeypatch.chdir(tmp_path / "here")
    for local_dir in (None, tmp_path / "local"):
        found = find_checkpoint(name, local_dir=local_dir)
        assert found.resolve() == (tmp_path / "here" / "tiny").resolve()


def test_a_folder_without_a_checkpoint_hides_no_name(tiny, tmp_path, monkeypatch):
    (tmp_path / "here" / "tiny").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "here")
    assert find_checkpoint("tiny") == tiny
    with pytest.raises(FileNotFoundError, match="not a complete checkpoint"):
        find_checkpoint(Path("tiny"))


@pytest.mark.parametrize(
    "name",
    [
        "C:\\models\\tiny",
        "models\\tiny",
        "D:tiny",
        "\\\\server\\share\\tiny",
        Path("tiny"),
        Path("someone/tiny"),
    ],
)
def test_a_path_is_never_filled_with_another_checkpoint(chapters, tiny, name):
    with pytest.raises(FileNotFoundError, match="no checkpoint .* no such folder"):
        find_checkpoint(name, local_dir=chapters[1])
    assert not chapters[1].exists()


def test_a_file_in_place_of_a_folder_is_called_so(folder):
    for file in (folder / WEIGHTS, str(folder / WEIGHTS)):
        with pytest.raises(FileNotFoundError, match="is a file: give the folder"):
            find_checkpoint(file)


# --- memory ---


def test_loading_holds_the_weights_once():
    if not Path("/proc/self/status").is_file():
        pytest.skip("peak memory is read from /proc/self/status: Linux only")
    script = ROOT / "tests" / "measurements" / "measure_loading.py"
    done = subprocess.run(
        [sys.executable, script, "--shape", "300MB"], capture_output=True, text=True, check=True
    )
    measured = json.loads(done.stdout)
    assert measured["file_bytes"] > 300e6
    assert measured["ratio_after_loading"] < 1.25
    # the weights are there, and once
    assert 0.9 < measured["ratio_after_reading_all_weights"] < 1.25
