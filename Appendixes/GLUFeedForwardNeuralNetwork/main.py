"""The gated feed-forward layer at work: one vector by hand, five gates, the cost of a third matrix.

python Appendixes/GLUFeedForwardNeuralNetwork/main.py
python Appendixes/GLUFeedForwardNeuralNetwork/main.py --plot glu.png      the curves of five gates
"""

import torch
import torch.nn.functional as F
from matplotlib.figure import Figure
from torch import nn

from Appendixes.command_line import argument_parser, run_main
from Appendixes.demonstration import (
    count_parameters,
    largest_difference,
    numbers,
    randomise,
    report_difference,
    save_figure,
)
from Appendixes.figure_style import BLUE, GREEN, ORANGE, PINK, RED, new_picture
from Appendixes.GLUFeedForwardNeuralNetwork import ACTIVATIONS, GLUFeedForward

UNIT_NAMES = {
    "sigmoid": "GLU",
    "relu": "ReGLU",
    "gelu": "GEGLU",
    "silu": "SwiGLU",
    "identity": "bilinear",
}


def small_layer(activation: str) -> GLUFeedForward:
    """Make a layer with two by two weights that are easy to multiply by hand."""
    layer = GLUFeedForward(2, 2, activation)
    layer.gate_proj.weight.copy_(torch.tensor([[1.0, 0.0], [0.0, -1.0]]))
    layer.up_proj.weight.copy_(torch.tensor([[1.0, 1.0], [1.0, -1.0]]))
    layer.down_proj.weight.copy_(torch.tensor([[1.0, 0.0], [1.0, 1.0]]))
    return layer


def show_by_hand() -> None:
    """Send one vector through the ReGLU layer, product by product, and then through all five."""
    x = torch.tensor([1.0, 2.0])
    layer = small_layer("relu")
    gate, up = layer.gate_proj(x), layer.up_proj(x)
    print(
        "1. One projection makes gates, another makes values; "
        "the third mixes the values that pass (ReGLU)."
    )
    for name in ("gate_proj", "up_proj", "down_proj"):
        print(f"   {name:<22} {getattr(layer, name).weight.tolist()}")
    print(f"   x                      {numbers(x)}")
    print(f"   gate_proj x            {numbers(gate)}")
    print(f"   relu(gate_proj x)      {numbers(gate.relu())}   a gate below zero is shut")
    print(f"   up_proj x              {numbers(up)}")
    print(f"   product                {numbers(gate.relu() * up)}")
    print(f"   down_proj product      {numbers(layer.down_proj(gate.relu() * up))}")
    print(f"   GLUFeedForward(x)      {numbers(layer(x))}")

    print("\n2. The family differs in one function only: same weights, same x.")
    print("   unit       activation   gates                output")
    for activation, function in ACTIVATIONS.items():
        gates, output = numbers(function(gate)), numbers(small_layer(activation)(x))
        print(f"   {UNIT_NAMES[activation]:<10} {activation:<12} {gates:<20} {output}")


def show_size(dim: int = 1024, hidden_dim: int = 3072) -> None:
    """Print the number of parameters of Qwen3-0.6B's layer, and of a layer without gates."""
    with torch.device("meta"):  # shapes without memory
        gated = GLUFeedForward(dim, hidden_dim)
        plain = nn.Sequential(
            nn.Linear(dim, 4 * dim, bias=False), nn.GELU(), nn.Linear(4 * dim, dim, bias=False)
        )
    print(
        "\n3. Three matrices instead of two: "
        f"the layer of Qwen3-0.6B, {dim} -> {hidden_dim} -> {dim}."
    )
    for name, matrices, width, layer in (
        ("GLUFeedForward", 3, hidden_dim, gated),
        ("without gates, 4 x dim", 2, 4 * dim, plain),
    ):
        count = count_parameters(layer)
        print(f"   {name:<23} {matrices} x {dim} x {width} = {count:>10,} parameters")


def compare_with_pytorch() -> None:
    """Compare the component with PyTorch's functions, for the sigmoid and for Qwen3's SiLU."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(3, 5, 64, generator=generator)
    print(
        f"\n4. The same from PyTorch's functions: random input {tuple(x.shape)}, hidden size 192."
    )
    layer = GLUFeedForward(64, 192, "sigmoid")
    randomise(layer, generator)
    # F.glu: first half * sigmoid(second half)
    halves = torch.cat((layer.up_proj(x), layer.gate_proj(x)), dim=-1)
    report_difference(
        "GLU and F.glu", largest_difference(layer(x), layer.down_proj(F.glu(halves))), 1e-6
    )
    layer.activation = "silu"
    gate_weight, up_weight, down_weight = layer.parameters()
    reference = (F.silu(x @ gate_weight.T) * (x @ up_weight.T)) @ down_weight.T
    report_difference("SwiGLU and F.silu", largest_difference(layer(x), reference), 1e-6)


def draw_gates() -> Figure:
    """Draw each activation as a function of the number that controls a gate."""
    figure, axes = new_picture(
        "Far below zero every gate closes, except the bilinear one",
        "number that controls the gate (gate_proj x)",
        "factor by which the value passes",
    )
    x = torch.linspace(-5, 5, 201)
    styles = (
        (BLUE, "-", "o"),
        (ORANGE, "--", "s"),
        (GREEN, "-.", "^"),
        (RED, ":", "D"),
        (PINK, (0, (5, 1, 1, 1)), "v"),
    )
    for place, ((activation, function), (color, style, marker)) in enumerate(
        zip(ACTIVATIONS.items(), styles, strict=True)
    ):
        label = f"{UNIT_NAMES[activation]} ({activation})"
        axes.plot(
            x,
            function(x),
            color=color,
            linestyle=style,
            marker=marker,
            markevery=(4 * place, 20),
            label=label,
        )
    axes.axhline(0, color="grey", linewidth=0.8)
    axes.axvline(0, color="grey", linewidth=0.8)
    axes.set_ylim(-2.2, 4.2)
    axes.legend(loc="upper left")
    return figure


@torch.no_grad()
def main() -> None:
    """Print the worked example; draw the picture if asked to."""
    arguments = argument_parser(__doc__).parse_args()
    show_by_hand()
    show_size()
    compare_with_pytorch()
    if arguments.plot:
        save_figure(draw_gates(), arguments.plot)


if __name__ == "__main__":
    run_main(main)
