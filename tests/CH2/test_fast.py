"""`fast`: the same texts, or nearly so, and a line where something cannot be done."""

import pytest
import torch

from Appendixes import torch_kernels
from Appendixes.QWEN3Model import Qwen3Config, Qwen3Model, load_qwen3
from CH2 import fast as module
from CH2 import packed_weights
from CH2.compilation import CompiledModel, compile_model
from CH2.fast import fast
from CH2.generation import generate_batch
from CH2.packed_weights import (
    HalfLinear,
    Int4Linear,
    Int8Linear,
    can_pack,
    join_projections,
    weight_bytes,
)

PROMPTS = [[5, 9, 3], [7] * 40, [1, 2, 3, 4, 5, 6, 7]]
x86 = pytest.mark.skipif(not can_pack(torch.zeros(1)), reason="FBGEMM runs on x86 processors only")


@pytest.fixture(autouse=True)
def a_large_models_treatment(monkeypatch):
    """Every model is compiled, but traced only; FBGEMM packs, which multiplies in float32."""
    compile_ = torch.compile
    monkeypatch.setattr(
        torch, "compile", lambda function, **options: compile_(function, backend="aot_eager")
    )
    monkeypatch.setattr(module, "SMALL", 0)
    monkeypatch.setattr(packed_weights, "fastest_product", lambda weight: "fbgemm")


def load(dtype=torch.bfloat16, device="cpu"):
    return load_qwen3("tiny", device=device, dtype=dtype)[0]


def down_projection(model):
    return model.layers[0].mlp.down_proj


def told(capsys):
    return capsys.readouterr().out.splitlines()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_sixteen_bits_write_the_same_tokens(dtype, device):
    model = load(dtype, device)
    quick = fast(model)
    assert isinstance(quick, CompiledModel) and weight_bytes(quick) == weight_bytes(model)
    # no text depends on where bfloat16 rounds between the matrices
    assert generate_batch(quick.float(), PROMPTS, 40) == generate_batch(model.float(), PROMPTS, 40)


@x86
@pytest.mark.parametrize(("bits", "kind"), [(16, HalfLinear), (8, Int8Linear), (4, Int4Linear)])
def test_weights_have_the_bits_that_were_asked_for(bits, kind, capsys):
    model = load()
    quick = fast(model, bits)
    assert type(down_projection(quick)) is kind
    assert type(down_projection(model)) is torch.nn.Linear  # the given model stays as it is
    [line] = told(capsys)
    assert f"take {weight_bytes(quick) / 1e6:,.0f} MB (plain: 3), read for each token" in line
    assert "times the plain model's speed" in line and "for the compiler" in line


def test_what_packing_costs_is_said_before_it_begins(monkeypatch, capsys):
    monkeypatch.setattr(module, "_packing_seconds", lambda model, form: 40.4)
    fast(load(), 8)
    assert told(capsys)[0] == "fast: packing takes about 40 s."


def test_packing_is_estimated_from_one_matrix(monkeypatch):
    clock = iter((10.0, 10.5))
    monkeypatch.setattr(module.time, "perf_counter", lambda: next(clock))
    model = load()
    share = down_projection(model).weight.numel() * 2 / weight_bytes(model)
    assert module._packing_seconds(model, "int8") == pytest.approx(0.5 / share)


def test_a_small_model_is_not_compiled(monkeypatch, capsys):
    monkeypatch.undo()
    quick = fast(load(torch.float32))
    assert not isinstance(quick, CompiledModel)
    assert "so small a model is not compiled" in told(capsys)[-1]


@x86
def test_matrices_of_float32_stay_plain_and_the_rest_is_done(capsys):
    quick = fast(load(torch.float32))
    assert isinstance(quick, CompiledModel)
    assert type(down_projection(quick)) is torch.nn.Linear
    assert (
        "float32 matrices stay plain: load the model with dtype=torch.bfloat16" in told(capsys)[0]
    )


@pytest.mark.parametrize("bits", [16, 8, 4])
def test_where_a_processor_has_no_kernel_matrices_stay_plain(bits, monkeypatch, capsys):
    for name in ("HAS_FBGEMM", "HAS_ONEDNN", "HAS_INT4"):
        monkeypatch.setattr(torch_kernels, name, False)
    quick = fast(load(), bits)
    assert isinstance(quick, CompiledModel)
    assert type(down_projection(quick)) is torch.nn.Linear
    assert f"this release of PyTorch cannot pack matrices of {bits} bits" in told(capsys)[0]


def test_where_nothing_can_be_compiled_the_model_is_packed_all_the_same(monkeypatch, capsys):
    def broken(function, **options):
        raise RuntimeError("no compiler here")

    monkeypatch.setattr(torch, "compile", broken)
    quick = fast(load(), 8)
    assert type(down_projection(quick)) is Int8Linear
    assert not isinstance(quick, CompiledModel)
    lines = told(capsys)
    assert any("no compiler here" in line for line in lines)
    assert not any("for the compiler" in line or "speed" in line for line in lines)


@pytest.mark.parametrize("prepare", [fast, compile_model, join_projections])
def test_a_model_that_was_prepared_before_is_given_back(prepare, capsys):
    prepared = prepare(load())
    told(capsys)
    assert fast(prepared) is prepared
    [line] = told(capsys)
    assert line.startswith("fast: the model stays as it is: this model")


def test_a_model_whose_matrices_have_no_groups_is_given_back(capsys):
    model = Qwen3Model(Qwen3Config(128, 40, 96, 1, 4, 2, 32, 256)).eval().requires_grad_(False)
    assert fast(model, 4) is model
    [line] = told(capsys)
    assert "cannot have 4 bits per weight" in line and "use int8" in line


def test_other_bits_are_refused():
    with pytest.raises(ValueError, match="bits is 2: choose one of 16, 8, 4"):
        fast(load(), 2)
