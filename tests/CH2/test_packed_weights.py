"""Joined, packed and quantised weights: the same model, or one that differs by a bounded amount."""

import gc
import io
import pickle

import pytest
import torch
import torch.nn.functional as F

from Appendixes import torch_kernels
from Appendixes.QWEN3Model import Qwen3Config, Qwen3Model, load_qwen3
from CH2 import packed_weights
from CH2.compilation import compile_model
from CH2.generation import generate, generate_batch
from CH2.packed_weights import (
    FORMS,
    GROUP_SIZES,
    BFloat16Linear,
    HalfLinear,
    Int4Linear,
    Int8Linear,
    PackedLinear,
    can_pack,
    fastest_product,
    join_projections,
    pack_weights,
    shallow_copy,
    weight_bytes,
    weight_error,
)
from CH2.prompts import CHAIN_OF_THOUGHT, render
from CH3.problems import load_problems

fbgemm = pytest.mark.skipif(
    not can_pack(torch.zeros(1)), reason="FBGEMM runs on x86 processors only"
)
onednn = pytest.mark.skipif(
    not torch_kernels.HAS_ONEDNN, reason="oneDNN has no products of bfloat16 on this processor"
)
half_products = pytest.mark.parametrize(
    ("product", "kind"),
    [
        pytest.param("fbgemm", HalfLinear, marks=fbgemm),
        pytest.param("onednn", BFloat16Linear, marks=onednn),
    ],
)
PROMPTS = [[5, 9, 3], [7] * 40, [1, 2, 3, 4, 5, 6, 7]]


@pytest.fixture(scope="module")
def tiny():
    return load_qwen3("tiny", device="cpu")[0]


def tiny16():
    """The shipped model with weights of 16 bits. A new one each time: `.float()` changes a model in
    its place.
    """
    return load_qwen3("tiny", device="cpu", dtype=torch.bfloat16)[0]


def packed_in_float32(model16, form):
    """Packed from 16 bits where these are enough; the rest in float32: no text depends on where
    bfloat16 rounds.
    """
    if form == "half":
        return pack_weights(model16, form, product="fbgemm").float()
    return pack_weights(model16.float(), form)


def small_model():
    torch.manual_seed(0)
    return Qwen3Model(Qwen3Config(128, 64, 96, 2, 4, 2, 32, 256)).eval().requires_grad_(False)


def random_weight(out_features=48, in_features=96, seed=0):
    return (
        torch.randn(out_features, in_features, generator=torch.Generator().manual_seed(seed)) * 0.02
    )


def relative(difference, reference):
    return (difference.double().norm() / reference.double().norm()).item()


def test_joined_projections_write_the_same_tokens(model64):
    joined = join_projections(model64)
    assert generate_batch(joined, PROMPTS, 30) == generate_batch(model64, PROMPTS, 30)
    assert weight_bytes(joined) == weight_bytes(model64)
    assert hasattr(model64.layers[0].self_attn.q_proj, "weight")  # the given model stays as it is


@fbgemm
def test_packed_half_precision_holds_bfloat16_weights_exactly():
    weight = random_weight().bfloat16()
    weight[0, :4] = torch.tensor([65_280.0, -65_280.0, 2**-17, -(2**-14)])
    assert torch.equal(HalfLinear(weight).weight, weight)


@fbgemm
def test_packed_half_precision_writes_the_same_tokens_as_the_same_weights_in_float32():
    model = tiny16()
    packed = pack_weights(join_projections(model), "half", product="fbgemm")
    assert weight_error(join_projections(model), packed) < 1e-6
    assert weight_bytes(packed) == weight_bytes(model)
    packed.float(), model.float()  # what lies between the matrices
    assert generate_batch(packed, PROMPTS, 60) == generate_batch(model, PROMPTS, 60)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_half_leaves_wider_weights_as_they_are(dtype):
    model = small_model().to(dtype)
    packed = pack_weights(model, "half")
    assert not any(isinstance(module, PackedLinear) for module in packed.modules())
    assert all(
        torch.equal(weight, model.get_parameter(name)) for name, weight in packed.named_parameters()
    )


@half_products
def test_half_packs_every_matrix_of_sixteen_bits(product, kind):
    model = small_model().bfloat16()
    packed = pack_weights(model, "half", product=product)
    assert isinstance(packed.lm_head, kind)
    assert not any(isinstance(module, torch.nn.Linear) for module in packed.modules())
    assert weight_bytes(packed) == weight_bytes(model)
    assert weight_error(model, packed) < 1e-6


@fbgemm
def test_half_packs_float16_by_fbgemm_alone():
    model = small_model().half()
    assert isinstance(pack_weights(model, "half", product="fbgemm").lm_head, HalfLinear)
    assert isinstance(pack_weights(model, "half", product="onednn").lm_head, torch.nn.Linear)


@half_products
@pytest.mark.parametrize("rows", [(1, 1), (3, 1), (2, 5), (64,)])
def test_packed_products_of_sixteen_bits_are_those_of_linear(product, kind, rows):
    weight = random_weight().bfloat16()
    x = torch.randn(*rows, 96, generator=torch.Generator().manual_seed(1)).bfloat16()
    expected = F.linear(x.double(), weight.double())
    for inputs in (x, x.float()):
        out = kind(weight)(inputs)
        assert (out.shape, out.dtype) == (expected.shape, inputs.dtype)
        assert relative(out - expected, expected) < 2**-8  # half a step of bfloat16


@half_products
def test_packed_products_of_sixteen_bits_compile(product, kind):
    packed = pack_weights(small_model().bfloat16(), "half", product=product)
    compiled = compile_model(packed, backend="aot_eager")
    assert generate_batch(compiled, PROMPTS, 10) == generate_batch(packed, PROMPTS, 10)


@pytest.mark.parametrize(
    ("one_row", "prompt", "fastest"),
    [
        (
            {"fbgemm": 2, "onednn": 3, "plain": 4},
            {"fbgemm": 20, "onednn": 10, "plain": 10},
            "fbgemm",
        ),
        # a text has one prompt and 256 tokens
        (
            {"fbgemm": 2, "onednn": 3, "plain": 4},
            {"fbgemm": 300, "onednn": 10, "plain": 10},
            "onednn",
        ),
        (
            {"fbgemm": 2, "onednn": 3, "plain": 1},
            {"fbgemm": 10, "onednn": 10, "plain": 20},
            "plain",
        ),
    ],
)
def test_the_product_that_writes_a_text_in_the_least_time_is_chosen_once_per_size(
    one_row, prompt, fastest, monkeypatch
):
    clock, calls = [0.0], []

    def taking(name):
        def multiply(x, weight=None):
            calls.append(name)
            clock[0] += (one_row if len(x) == 1 else prompt)[name]

        return multiply

    kinds = {name: lambda weight, name=name: taking(name) for name in ("fbgemm", "onednn")}
    monkeypatch.setattr(packed_weights, "half_kinds", lambda weight: kinds)
    monkeypatch.setattr(packed_weights, "_fastest", {})
    monkeypatch.setattr(packed_weights.F, "linear", taking("plain"))
    monkeypatch.setattr(packed_weights.time, "perf_counter", lambda: clock[0])
    assert fastest_product(random_weight().bfloat16()) == fastest
    timed = len(calls)
    assert fastest_product(random_weight(40, 104).bfloat16()) == fastest
    assert len(calls) == timed > 0
    fastest_product(random_weight(16, 96).bfloat16())
    assert len(calls) == 2 * timed


def test_the_fastest_product_of_matrices_that_cannot_be_packed_is_the_plain_one():
    assert fastest_product(random_weight()) == "plain"
    assert fastest_product(torch.empty(4, 4, dtype=torch.bfloat16, device="meta")) == "plain"


@pytest.mark.parametrize("shape", [(48, 96), (16, 256)])
def test_int8_weights_are_within_half_a_step(shape):
    weight = random_weight(*shape)
    step = weight.abs().amax(dim=1, keepdim=True) / 127
    assert ((Int8Linear(weight).weight - weight).abs() <= step * 0.5001).all()


@pytest.mark.parametrize("group_size", GROUP_SIZES)
def test_int4_weights_are_within_half_a_step_of_their_group(group_size):
    weight = random_weight(32, 512)
    layer = Int4Linear(weight, group_size)
    groups = weight.unflatten(1, (-1, group_size))
    step = (groups.amax(dim=-1) - groups.amin(dim=-1)) / 15
    error = (layer.weight - weight).unflatten(1, (-1, group_size)).abs().amax(dim=-1)
    largest = groups.abs().amax(dim=-1)  # scale and offset are bfloat16, the codes' sums too
    assert (error <= 0.5 * step + largest * 2**-6).all()
    assert relative(layer.weight - weight, weight) < 0.12


@pytest.mark.parametrize(
    "make", [Int8Linear, lambda weight: Int4Linear(weight, 32)], ids=["int8", "int4"]
)
@pytest.mark.parametrize("rows", [(1, 1), (3, 1), (2, 5)])
def test_quantised_products_are_those_of_the_matrix_they_stand_for(make, rows):
    layer = make(random_weight())
    x = torch.randn(*rows, 96, generator=torch.Generator().manual_seed(1))
    out = layer(x)
    assert out.shape == (*rows, 48)
    assert out.dtype == x.dtype
    assert relative(out - x @ layer.weight.T, out) < 0.015  # inputs of 8 bits, or bfloat16


@pytest.mark.parametrize("form", ["int8", "int4"])
def test_where_the_kernels_are_not_plain_operations_give_the_same(form, monkeypatch):
    """As on a GPU: the codes without FBGEMM, and without PyTorch's kernel for CPUs."""
    weight = random_weight()
    x = torch.randn(2, 96, generator=torch.Generator().manual_seed(1))
    kernel = Int8Linear(weight) if form == "int8" else Int4Linear(weight, 32)
    monkeypatch.setattr(torch_kernels, "HAS_FBGEMM", False)
    monkeypatch.setattr(torch_kernels, "HAS_INT4", False)
    plain = Int8Linear(weight) if form == "int8" else Int4Linear(weight, 32)
    assert torch.allclose(plain.weight, kernel.weight, atol=2e-4)
    assert relative(plain(x) - x @ plain.weight.T, plain(x)) < 1e-5
    assert plain.nbytes <= kernel.nbytes


def test_a_text_in_a_batch_is_the_text_alone_with_every_form():
    """On real problems: after senseless tokens, tokens can be as likely as each other, and inputs
    that are rounded to 8 bits decide between them."""
    _, tokenizer = load_qwen3("tiny", device="cpu")
    prompts = [
        tokenizer.encode(render(CHAIN_OF_THOUGHT, one["problem"]))
        for one in load_problems("arithmetic500", limit=8)
    ]
    for form in FORMS:
        packed = packed_in_float32(tiny16(), form)
        alone = [list(generate(packed, torch.tensor([prompt]), 25)) for prompt in prompts]
        assert generate_batch(packed, prompts, 25) == alone, form


def test_quantised_models_stay_close(tiny):
    ids = torch.randint(640, (4, 64), generator=torch.Generator().manual_seed(0))
    plain = tiny(ids).log_softmax(dim=-1)
    for form, bytes_share, error, divergence in (
        ("int8", 0.26, 0.01, 0.01),
        ("int4", 0.2, 0.12, 0.5),
    ):
        packed = pack_weights(tiny, form)
        assert weight_bytes(packed) < bytes_share * weight_bytes(tiny)
        assert 0 < weight_error(tiny, packed) < error
        kl = (plain.exp() * (plain - packed(ids).log_softmax(dim=-1))).sum(dim=-1).mean()
        assert 0 < kl < divergence


@pytest.mark.parametrize("form", FORMS)
def test_packed_models_compile_and_give_the_same_logits(form):
    packed = packed_in_float32(join_projections(small_model().bfloat16()), form)
    compiled = compile_model(packed, backend="aot_eager")  # traced with shapes only, then run
    assert generate_batch(compiled, PROMPTS, 10) == generate_batch(packed, PROMPTS, 10)


@fbgemm
@pytest.mark.parametrize(("form", "product"), [("int8", None), ("half", "fbgemm")])
def test_packed_matrices_are_freed_with_their_model(form, product):
    gc.collect()
    before = len(torch_kernels._packed)
    packed = pack_weights(small_model().bfloat16(), form, product=product)
    assert len(torch_kernels._packed) > before
    del packed
    gc.collect()
    assert len(torch_kernels._packed) == before


@fbgemm
@pytest.mark.parametrize(
    ("form", "product"),
    [("half", "fbgemm"), pytest.param("half", "onednn", marks=onednn), ("int8", None)],
)
@pytest.mark.parametrize(
    "make", [shallow_copy, lambda model: compile_model(model, backend="eager")]
)
def test_a_copy_of_a_packed_model_outlives_it(make, form, product):
    packed = pack_weights(small_model().bfloat16(), form, product=product)
    expected, copy = generate_batch(packed, PROMPTS, 10), make(packed)
    del packed
    gc.collect()
    assert generate_batch(copy, PROMPTS, 10) == expected


packed_forms = pytest.mark.parametrize(
    ("form", "product"),
    [pytest.param("half", "fbgemm", marks=fbgemm), ("int8", None), ("int4", None)],
)


@packed_forms
def test_what_is_packed_stays_on_its_device(form, product):
    with pytest.raises(ValueError, match="save or move the model as it was loaded, and pack it"):
        pack_weights(small_model().bfloat16(), form, product=product).to("meta")


@packed_forms
@pytest.mark.parametrize(
    "save",
    [
        pickle.dumps,
        lambda model: torch.save(model, io.BytesIO()),
        lambda model: torch.save(model.state_dict(), io.BytesIO()),
        lambda model: pickle.dumps(compile_model(model, backend="eager").layers[0].mlp.down_proj),
    ],
    ids=["pickle", "save", "state dict", "compiled"],
)
def test_what_is_packed_stays_in_its_process(save, form, product):
    """Another process would read other matrices under the same numbers."""
    packed = pack_weights(small_model().bfloat16(), form, product=product)
    expected = generate_batch(packed, PROMPTS, 10)
    with pytest.raises(ValueError, match="save or move the model as it was loaded, and pack it"):
        save(packed)
    assert generate_batch(packed, PROMPTS, 10) == expected


@pytest.mark.parametrize("form", ["int8", "int4"])
@pytest.mark.parametrize("cast", [torch.float32, torch.float64, torch.float16])
def test_a_cast_leaves_what_is_packed_as_it_is(form, cast):
    packed = pack_weights(small_model().bfloat16(), form)
    before = packed.lm_head.weight, packed.layers[0].mlp.down_proj.weight
    packed = packed.to(cast)
    after = packed.lm_head.weight, packed.layers[0].mlp.down_proj.weight
    assert all(map(torch.equal, before, after))
    assert packed.norm.weight.dtype == cast
    assert len(generate_batch(packed, PROMPTS, 5)[0]) == 5


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize(
    ("form", "product"),
    [("half", "fbgemm"), ("half", "onednn"), ("half", None), ("int8", None), ("int4", None)],
)
def test_a_weight_that_is_no_number_is_complained_of_with_every_form(value, form, product):
    model = small_model().bfloat16()
    model.layers[1].mlp.down_proj.weight[3, 5] = value
    with pytest.raises(FloatingPointError, match="logits are NaN"):
        generate_batch(pack_weights(model, form, product=product), PROMPTS, 3)


def test_half_leaves_a_matrix_beyond_float16_to_others(monkeypatch):
    monkeypatch.setattr(torch_kernels, "HAS_ONEDNN", False)
    model = small_model().bfloat16()
    model.layers[1].mlp.down_proj.weight[3, 5] = 1e5
    packed = pack_weights(model, "half", product="fbgemm")
    assert isinstance(packed.layers[1].mlp.down_proj, torch.nn.Linear)
    assert isinstance(packed.layers[0].mlp.down_proj, HalfLinear) or not can_pack(torch.zeros(1))


@pytest.mark.parametrize("form", ["int8", "int4"])
def test_the_error_of_a_joined_model_is_that_of_its_matrices(form):
    model = small_model()
    joined = pack_weights(join_projections(model), form)
    assert weight_error(model, joined) == weight_error(join_projections(model), joined)
    assert weight_error(model, joined) == pytest.approx(
        weight_error(model, pack_weights(model, form)), rel=1e-6
    )


@pytest.mark.parametrize(
    "change", [join_projections, pack_weights, lambda model: pack_weights(model, "int8")]
)
def test_packed_models_are_not_joined_or_packed_again(change):
    model = small_model().bfloat16()
    with pytest.raises(
        ValueError, match="packed already: join and pack the model as it was loaded"
    ):
        change(pack_weights(model, "int8"))


@pytest.mark.parametrize(
    "change",
    [join_projections, pack_weights, lambda model: pack_weights(model, "int8"), shallow_copy],
)
def test_what_is_compiled_is_not_changed_any_more(change):
    model = small_model()
    compiled = compile_model(model, backend="eager")
    assert compiled is not model
    with pytest.raises(ValueError, match="is compiled .* compile it last"):
        change(compiled)


def test_projections_are_joined_once(model64):
    with pytest.raises(ValueError, match="joined already"):
        join_projections(join_projections(model64))


def test_bad_input_is_refused(tiny):
    with pytest.raises(ValueError, match="choose one of half, int8, int4"):
        pack_weights(tiny, "int2")
    with pytest.raises(ValueError, match="product is 'blas': choose one of fbgemm, onednn, plain"):
        pack_weights(tiny, "half", product="blas")
    with pytest.raises(ValueError, match="group_size is 48"):
        pack_weights(tiny, "int4", group_size=48)
    with pytest.raises(ValueError, match="use int8"):
        Int4Linear(random_weight(48, 40), 32)
