"""RMSNorm at work: the vector (3, 4) by hand, scaling, half precision, and PyTorch's function.

python Appendixes/RMSNorm/main.py
python Appendixes/RMSNorm/main.py --plot rmsnorm.png    lengths of vectors before and after
"""

import torch
import torch.nn.functional as F
from matplotlib.figure import Figure

from Appendixes.command_line import argument_parser, run_main
from Appendixes.demonstration import largest_difference, numbers, report_difference, save_figure
from Appendixes.figure_style import BLUE, GREEN, ORANGE, new_picture
from Appendixes.RMSNorm import RMSNorm


def show_by_hand() -> None:
    """Normalise (3, 4) step by step."""
    x = torch.tensor([3.0, 4.0])
    mean_square = x.square().mean()
    norm = RMSNorm(2)
    print("1. Divide a vector by its root mean square, and the result has a mean square of one.")
    print(f"   x                        {numbers(x)}")
    print(f"   mean of the squares      ({x[0]:.0f}^2 + {x[1]:.0f}^2) / 2 = {mean_square:.4f}")
    print(f"   root mean square         {mean_square.sqrt():.4f}")
    mean_square = norm(x).square().mean()
    print(f"   RMSNorm(x)               {numbers(norm(x))}   mean square {mean_square:.4f}")

    norm.weight.copy_(torch.tensor([2.0, 0.5]))
    print("\n2. A learned weight then scales each coordinate by itself.")
    print(f"   weight                   {numbers(norm.weight)}")
    print(f"   RMSNorm(x)               {numbers(norm(x))}")


def show_scale() -> None:
    """Show that the length of the input does not matter, unless it is almost zero."""
    norm = RMSNorm(2)
    print(
        "\n3. The length of the input is forgotten; "
        "eps only matters to a vector that is almost zero."
    )
    for scale in (1000.0, 1.0, 1e-3, 0.0):
        x = scale * torch.tensor([3.0, 4.0])
        print(f"   {numbers(x):<26} -> {numbers(norm(x))}")
    print("   in the third line the mean square is 12.5e-6, to which eps adds 1e-6")


def show_half_precision() -> None:
    """Show that squares overflow in float16, so that they are computed in float32."""
    x = torch.tensor([300.0, 400.0], dtype=torch.float16)
    naive = x * torch.rsqrt(x.square().mean() + 1e-6)
    y = RMSNorm(2).half()(x)
    print("\n4. Squares are taken in float32: in float16 they are too large for the format.")
    print(f"   x in float16             {numbers(x)}, its squares in float16 {numbers(x.square())}")
    print(f"   all in float16           {numbers(naive)}")
    print(f"   RMSNorm                  {numbers(y)}, again {str(y.dtype).removeprefix('torch.')}")


def compare_with_pytorch() -> None:
    """Compare `RMSNorm` with `F.rms_norm` on random vectors with random weights."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(2, 16, 1024, generator=generator)
    norm = RMSNorm(1024)
    norm.weight.copy_(torch.randn(1024, generator=generator))
    print(f"\n5. PyTorch has the same function: random input {tuple(x.shape)}, random weights.")
    reference = F.rms_norm(x, (1024,), norm.weight, norm.eps)
    report_difference("RMSNorm and F.rms_norm", largest_difference(norm(x), reference), 1e-5)


def draw_lengths() -> Figure:
    """Draw the length after against the length before, for vectors of three sizes."""
    figure, axes = new_picture(
        "RMSNorm gives every vector the length sqrt(dim), unless it is almost zero",
        "length of the vector before (log scale)",
        "length after (log scale)",
    )
    before = torch.logspace(-5, 3, 81)
    for dim, color, style, marker in (
        (16, BLUE, "-", "o"),
        (64, ORANGE, "--", "s"),
        (256, GREEN, ":", "^"),
    ):
        direction = torch.randn(dim, generator=torch.Generator().manual_seed(dim))
        after = RMSNorm(dim)(before[:, None] * direction / direction.norm()).norm(dim=-1)
        label = f"dim = {dim}, sqrt(dim) = {dim**0.5:.0f}"
        axes.loglog(
            before, after, color=color, linestyle=style, marker=marker, markevery=8, label=label
        )
    axes.loglog(before, before, color="grey", linewidth=1, linestyle="-.", label="length unchanged")
    axes.set_ylim(1e-3, 1e2)
    axes.legend(loc="lower right")
    return figure


@torch.no_grad()
def main() -> None:
    """Print the worked example; draw the picture if asked to."""
    arguments = argument_parser(__doc__).parse_args()
    show_by_hand()
    show_scale()
    show_half_precision()
    compare_with_pytorch()
    if arguments.plot:
        save_figure(draw_lengths(), arguments.plot)


if __name__ == "__main__":
    run_main(main)
