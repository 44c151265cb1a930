"""RoPE: rotations, which only relative positions can see.

The reference values of this and all parts: tests/Appendixes/test_components_match_reference.py.
"""

import math

import pytest
import torch
from property_testing import given, st

from Appendixes.RoPE import apply_rope, rope_cos_sin

HEAD_DIM, THETA = 16, 10_000.0


def vector(seed):
    return torch.randn(HEAD_DIM, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def turned(x, position):
    return apply_rope(
        x, *rope_cos_sin(torch.tensor(position, dtype=torch.float64), HEAD_DIM, THETA)
    )


@given(
    seed=st.integers(0, 1000),
    m=st.integers(0, 5000),
    n=st.integers(0, 5000),
    shift=st.integers(-5000, 40_000),
)
def test_dot_products_depend_on_relative_positions_only(seed, m, n, shift):
    q, k = vector(seed), vector(seed + 1)
    assert math.isclose(
        turned(q, m) @ turned(k, n), turned(q, m + shift) @ turned(k, n + shift), abs_tol=1e-9
    )


def test_dot_products_do_depend_on_relative_positions():
    q, k = vector(0), vector(1)
    assert abs(turned(q, 5) @ turned(k, 3) - turned(q, 5) @ turned(k, 4)) > 1e-2


@given(seed=st.integers(0, 1000), position=st.integers(0, 100_000))
def test_lengths_are_preserved(seed, position):
    x = vector(seed)
    assert math.isclose(turned(x, position).norm(), x.norm(), rel_tol=1e-12)


@given(seed=st.integers(0, 1000), m=st.integers(0, 5000), n=st.integers(0, 5000))
def test_two_turns_are_one_turn_by_the_sum(seed, m, n):
    assert torch.allclose(
        turned(turned(vector(seed), m), n), turned(vector(seed), m + n), atol=1e-9
    )


def test_position_zero_changes_nothing():
    assert torch.equal(turned(vector(0), 0), vector(0))


def test_pairs_are_split_halves_and_the_first_turns_fastest():
    basis = torch.zeros(HEAD_DIM, dtype=torch.float64)
    basis[0] = 1
    expected = torch.zeros(HEAD_DIM, dtype=torch.float64)
    expected[0], expected[HEAD_DIM // 2] = math.cos(1), math.sin(1)  # one radian a position
    assert torch.allclose(turned(basis, 1), expected, atol=1e-12)


def test_shape_and_dtype_are_those_of_the_input(device):
    x = torch.ones(2, 3, 5, HEAD_DIM, dtype=torch.bfloat16, device=device)
    y = apply_rope(x, *rope_cos_sin(torch.arange(5, device=device), HEAD_DIM, THETA))
    assert y.shape == x.shape and y.dtype == x.dtype and y.device == x.device


@pytest.mark.parametrize("head_dim", [7, 0, -2])
def test_odd_or_empty_head_dim_is_refused(head_dim):
    with pytest.raises(ValueError, match=f"head_dim is {head_dim}"):
        rope_cos_sin(torch.arange(3), head_dim, THETA)


def test_angles_for_another_width_are_refused():
    with pytest.raises(ValueError, match="cos covers 8 pairs"):
        apply_rope(torch.ones(3, 12), *rope_cos_sin(torch.arange(3), HEAD_DIM, THETA))
