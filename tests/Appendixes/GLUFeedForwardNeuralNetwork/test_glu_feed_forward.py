"""GLUFeedForward: the family of Shazeer (2020), one activation each."""

import pytest
import torch

from Appendixes.GLUFeedForwardNeuralNetwork import ACTIVATIONS, GLUFeedForward

FORMULAS = {
    "sigmoid": lambda g: 1 / (1 + (-g).exp()),
    "relu": lambda g: g.clamp(min=0),
    "gelu": lambda g: g * (1 + torch.erf(g / 2**0.5)) / 2,
    "silu": lambda g: g / (1 + (-g).exp()),
    "identity": lambda g: g,
}


def test_every_activation_has_its_formula_here():
    assert set(ACTIVATIONS) == set(FORMULAS)


@pytest.mark.parametrize("activation", FORMULAS)
def test_result_is_the_gated_product_of_the_paper(activation):
    torch.manual_seed(0)
    layer, x = (
        GLUFeedForward(6, 10, activation).double(),
        3 * torch.randn(2, 4, 6, dtype=torch.float64),
    )
    gate, up, down = (getattr(layer, f"{name}_proj").weight for name in ("gate", "up", "down"))
    expected = (FORMULAS[activation](x @ gate.T) * (x @ up.T)) @ down.T
    assert torch.allclose(layer(x), expected, rtol=1e-12, atol=1e-12)


def test_qwen3s_activation_is_the_default():
    assert GLUFeedForward(2, 2).activation == "silu"


def test_positions_do_not_mix():
    layer, x = (
        GLUFeedForward(6, 10),
        torch.randn(1, 4, 6, generator=torch.Generator().manual_seed(0)),
    )
    changed = x.clone()
    changed[0, 2] += 1
    same = (layer(x) == layer(changed)).all(dim=-1)[0]
    assert same.tolist() == [True, True, False, True]


def test_unknown_activation_is_refused_with_the_known_ones():
    with pytest.raises(
        ValueError,
        match="unknown activation 'tanh'; choose one of sigmoid, relu, gelu, silu, identity",
    ):
        GLUFeedForward(2, 2, "tanh")
