"""Private kernels of PyTorch: each is used where it works, and plain operations give the same."""

import platform

import pytest
import torch

from Appendixes import torch_kernels
from Appendixes.QWEN3Model import load_qwen3
from CH2.compilation import compile_model
from CH2.generation import generate_batch
from CH2.packed_weights import FORMS, PackedLinear, pack_weights

PROMPTS = [[5, 9, 3], [7] * 40, [1, 2, 3, 4, 5, 6, 7]]
X86 = platform.machine().lower() in ("x86_64", "amd64")


def attention_inputs(dtype):
    random = torch.Generator().manual_seed(0)
    q, k, v = (
        torch.randn(3, 2, n, 16, generator=random, dtype=torch.float64).to(dtype) for n in (4, 9, 9)
    )
    hidden = torch.rand(3, 1, 4, 9, generator=random) < 0.4
    hidden[1, :, 2] = True  # a query that sees nothing
    return q, k, v, torch.zeros(hidden.shape, dtype=dtype).masked_fill(hidden, float("-inf"))


@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 1e-5), (torch.bfloat16, 2e-2)]
)
def test_attention_without_the_kernel_gives_the_same(dtype, tolerance, monkeypatch):
    inputs = attention_inputs(dtype)
    assert torch_kernels.HAS_FLASH_ATTENTION
    out, logsumexp = torch_kernels.flash_attention_for_cpu(*inputs)
    monkeypatch.setattr(torch_kernels, "HAS_FLASH_ATTENTION", False)
    plain_out, plain_logsumexp = torch_kernels.flash_attention_for_cpu(*inputs)
    assert (plain_out.dtype, plain_logsumexp.dtype) == (out.dtype, logsumexp.dtype)
    assert torch.allclose(plain_out, out, rtol=0, atol=tolerance)
    seen = (inputs[3] == 0).any(dim=-1).expand(logsumexp.shape)
    assert torch.allclose(plain_logsumexp[seen], logsumexp[seen], rtol=0, atol=tolerance)
    assert not plain_out[~seen].any() and not out[~seen].any()


@pytest.mark.skipif(not X86, reason="FBGEMM runs on x86 CPUs only")
def test_the_kernels_are_used_on_this_machine():
    """A probe that fails for a reason of its own would cost speed, and nobody would notice."""
    assert torch_kernels.HAS_FBGEMM and torch_kernels.HAS_INT4
    assert torch_kernels.HAS_ONEDNN or not torch.ops.mkldnn._is_mkldnn_bf16_supported()


@pytest.mark.parametrize("form", FORMS)
def test_packed_models_without_any_kernel_write_nearly_what_they_write_with_them(form, monkeypatch):
    model = load_qwen3("tiny", device="cpu", dtype=torch.bfloat16)[0]
    ids = torch.randint(640, (4, 32), generator=torch.Generator().manual_seed(0))
    expected = pack_weights(model, form)(ids).float()
    for name in ("HAS_FLASH_ATTENTION", "HAS_FBGEMM", "HAS_ONEDNN", "HAS_INT4"):
        monkeypatch.setattr(torch_kernels, name, False)
    plain = pack_weights(model, form)
    if form == "half":
        assert not any(isinstance(module, PackedLinear) for module in plain.modules())
    assert (plain(ids).float() - expected).norm() < 0.05 * expected.norm()
    assert all(len(tokens) == 5 for tokens in generate_batch(plain, PROMPTS, 5))


def broken_probe(x, weight):
    raise RuntimeError("no such operator")


def wrong_probe(x, weight):
    return x + 0.2, x


@pytest.mark.parametrize("probe", [broken_probe, wrong_probe])
def test_a_kernel_that_is_missing_or_gives_other_numbers_is_not_used(probe):
    assert not torch_kernels._agrees(probe)


@pytest.fixture
def untried():
    """The compiler's checks as if they had not been tried yet, before and after a test."""
    torch_kernels.checks_of_arguments_only.cache_clear()
    torch._dynamo.reset()
    yield
    torch_kernels.checks_of_arguments_only.cache_clear()


def drop_all(checks):
    return [False for _ in checks]


def fail(checks):
    raise AttributeError("name")


@pytest.mark.parametrize("filter_checks", [drop_all, fail])
def test_a_filter_of_checks_that_drops_too_much_or_fails_is_not_used(
    filter_checks, untried, monkeypatch, model64
):
    assert torch_kernels.checks_of_arguments_only()
    torch_kernels.checks_of_arguments_only.cache_clear()
    torch._dynamo.reset()
    monkeypatch.setattr(torch_kernels, "_of_arguments", filter_checks)
    assert torch_kernels.checks_of_arguments_only() == {}
    compiled = compile_model(model64, backend="eager")
    assert generate_batch(compiled, PROMPTS, 10) == generate_batch(model64, PROMPTS, 10)


def test_a_higher_limit_of_recompilations_stays():
    config = torch._dynamo.config
    with config.patch(recompile_limit=100):
        torch_kernels.allow_recompilations(64)
        assert config.recompile_limit == 100
        torch_kernels.allow_recompilations(128)
        assert config.recompile_limit == 128


def test_4_bit_products_have_a_kernel_on_cuda_that_agrees_with_plain_ones():
    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
    assert torch_kernels.has_int4(torch.device("cuda"))


def test_4_bit_codes_for_a_gpu_stand_two_in_a_byte_in_as_many_tiles_as_fit(monkeypatch):
    packed = []

    def convert(pairs, tiles):
        packed.append((pairs, tiles))

    monkeypatch.setattr(torch.ops.aten, "_convert_weight_to_int4pack", convert)
    for inputs in (32, 64, 96, 128, 1024):
        torch_kernels.pack_int4(torch.ones(16, inputs, dtype=torch.int32, device="meta"))
    assert [tiles for _, tiles in packed] == [2, 4, 2, 8, 8]
    assert {(pairs.dtype, *pairs.shape) for pairs, _ in packed[:1]} == {(torch.uint8, 16, 16)}
