"""RMSNorm: length one, direction kept, small numbers not lost."""

import pytest
import torch
from property_testing import given, st

from Appendixes.RMSNorm import RMSNorm


def vectors(seed, dim=12):
    return torch.randn(
        5, 3, dim, generator=torch.Generator().manual_seed(seed), dtype=torch.float64
    )


@given(seed=st.integers(0, 1000), scale=st.floats(1e-3, 1e6))
def test_scaling_the_input_changes_nothing(seed, scale):
    norm, x = RMSNorm(12, eps=0.0).double(), vectors(seed)
    assert torch.allclose(norm(x * scale), norm(x), rtol=1e-12, atol=0)


@given(seed=st.integers(0, 1000))
def test_result_has_root_mean_square_one_and_the_same_direction(seed):
    x = vectors(seed)
    y = RMSNorm(12, eps=0.0).double()(x)
    assert torch.allclose(y.square().mean(-1), torch.ones(5, 3, dtype=torch.float64), rtol=1e-12)
    assert torch.allclose(
        torch.cosine_similarity(x, y, dim=-1), torch.ones(5, 3, dtype=torch.float64), rtol=1e-12
    )


def test_weight_scales_each_coordinate():
    norm = RMSNorm(3)
    norm.weight.data = torch.tensor([0.0, 1.0, -2.0])
    assert torch.allclose(
        norm(torch.tensor([2.0, 2.0, 2.0])), torch.tensor([0.0, 1.0, -2.0]), rtol=1e-5
    )


def test_zeros_stay_zeros():
    assert torch.equal(RMSNorm(4)(torch.zeros(2, 4)), torch.zeros(2, 4))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_result_has_the_dtype_of_the_input(device, dtype):
    assert RMSNorm(8).to(device, dtype)(torch.ones(2, 8, dtype=dtype, device=device)).dtype == dtype


def test_squares_are_summed_in_float32(device):
    # squares of 300 overflow in float16, and 1 + 4096 times 1/4096 stays 1 when summed in bfloat16
    norm = RMSNorm(2).to(device, torch.float16)
    assert torch.allclose(
        norm(torch.full((2,), 300.0, device=device).half()).float(), torch.ones(2, device=device)
    )
    x = torch.cat((torch.ones(1), torch.full((4096,), 1 / 64))).bfloat16().to(device)
    assert RMSNorm(4097).to(device, torch.bfloat16)(x)[0].item() == pytest.approx(
        (4097 / 2) ** 0.5, rel=5e-3
    )


def test_wrong_size_is_named():
    with pytest.raises(ValueError, match=r"RMSNorm\(8\) was given shape \(2, 7\)"):
        RMSNorm(8)(torch.ones(2, 7))
