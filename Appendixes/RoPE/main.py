"""RoPE at work: the vector (1, 0) turns with its position, slow and fast pairs, and distances.

python Appendixes/RoPE/main.py
python Appendixes/RoPE/main.py --plot rope.png    dot product against distance, by theta
"""

import math

import torch
from matplotlib.figure import Figure

from Appendixes.command_line import argument_parser, run_main
from Appendixes.demonstration import largest_difference, numbers, report_difference, save_figure
from Appendixes.figure_style import BLUE, GREEN, ORANGE, new_picture
from Appendixes.RoPE import apply_rope, rope_cos_sin


def show_one_pair() -> None:
    """Turn (1, 0) to positions 0 to 4: the angle of the first pair is the position, in radians."""
    print(
        "1. A pair of coordinates turns by one radian (57.3 degrees) a position; its length stays."
    )
    print("   position   angle in degrees   (1, 0) becomes       length")
    for position in range(5):
        turned = apply_rope(
            torch.tensor([1.0, 0.0]),
            *rope_cos_sin(torch.tensor(position), head_dim=2, theta=10_000.0),
        )
        degrees = math.degrees(position)
        print(
            f"   {position:<10} {degrees:>8.1f}           {numbers(turned):<20} {turned.norm():.4f}"
        )


def show_speeds(head_dim: int = 8, theta: float = 10_000.0) -> None:
    """Show the speed of each pair."""
    print(
        "\n2. Each pair has its own speed, theta ** (-2 j / head_dim): "
        f"head_dim {head_dim}, theta {theta:,.0f}."
    )
    print("   pair j   coordinates   radians per position   positions per full turn (6.28 / speed)")
    # at position 1 the angle is the speed
    cos, sin = rope_cos_sin(torch.tensor(1), head_dim, theta)
    for pair, speed in enumerate(torch.atan2(sin, cos).tolist()):
        coordinates = f"{pair} and {pair + head_dim // 2}"
        full_turn = 2 * math.pi / speed
        print(f"   {pair:<8} {coordinates:<13} {speed:>10.4f}             {full_turn:>10,.0f}")


def show_relative_position() -> None:
    """Show that the dot product of two turned vectors depends on their distance alone."""
    generator = torch.Generator().manual_seed(0)
    query, key = torch.randn(2, 8, generator=generator, dtype=torch.float64)
    print("\n3. Attention sees distances, not positions: equal distances give equal dot products.")
    print("   query at   key at   distance   dot product")
    products: dict[int, list[float]] = {}
    for query_at, key_at in ((5, 3), (105, 103), (1005, 1003), (5, 4), (105, 104)):
        positions = torch.tensor([query_at, key_at], dtype=torch.float64)
        turned = apply_rope(torch.stack((query, key)), *rope_cos_sin(positions, 8, 10_000.0))
        product = (turned[0] @ turned[1]).item()
        products.setdefault(query_at - key_at, []).append(product)
        print(f"   {query_at:<10} {key_at:<8} {query_at - key_at:<10} {product:.6f}")
    spread = max(max(same) - min(same) for same in products.values())
    report_difference("dot products at equal distance", spread, 1e-12)


def compare_with_complex_numbers() -> None:
    """Compare turning a pair with multiplying by a complex number of length one."""
    head_dim, theta = 128, 1_000_000.0  # Qwen3's
    positions = torch.arange(4096, dtype=torch.float64)
    x = torch.randn(
        len(positions), head_dim, generator=torch.Generator().manual_seed(0), dtype=torch.float64
    )
    ours = apply_rope(x, *rope_cos_sin(positions, head_dim, theta))

    speeds = torch.tensor(
        [theta ** (-2 * pair / head_dim) for pair in range(head_dim // 2)], dtype=torch.float64
    )
    # (positions, pairs), complex
    turns = torch.polar(torch.ones_like(speeds), torch.outer(positions, speeds))
    pairs = torch.view_as_complex(torch.stack(x.chunk(2, dim=-1), dim=-1))
    reference = torch.view_as_real(pairs * turns).mT.flatten(1)  # split halves again
    print(
        f"\n4. The same with complex numbers: vectors {tuple(x.shape)} in float64, "
        f"theta {theta:,.0f}."
    )
    report_difference(
        "apply_rope and torch.view_as_complex", largest_difference(ours, reference), 1e-10
    )


def draw_decay() -> Figure:
    """Draw the dot product of two equal vectors against their distance.

    Each point is the mean over distances from 10 % below to 10 % above.
    """
    figure, axes = new_picture(
        "The larger theta is, the farther two equal vectors still match",
        "distance between query and key (tokens, log scale; mean over -10 % to +10 %)",
        "dot product (1 at distance 0)",
    )
    head_dim = 128
    distances = torch.arange(110_001)
    ones = torch.full((head_dim,), head_dim**-0.5)
    shown = torch.logspace(0, 5, 61).round().long().unique()
    first, last = (0.9 * shown).ceil().long(), (1.1 * shown).floor().long()
    for theta, color, style, marker in (
        (1e2, BLUE, "-", "o"),
        (1e4, ORANGE, "--", "s"),
        (1e6, GREEN, "-.", "^"),
    ):
        cos, sin = rope_cos_sin(distances, head_dim, theta)
        products = apply_rope(ones, cos, sin) @ ones
        means = [products[i : j + 1].mean() for i, j in zip(first, last, strict=True)]
        label = f"theta = {theta:,.0f}" + (" (Qwen3)" if theta == 1e6 else "")
        axes.semilogx(
            shown, means, color=color, linestyle=style, marker=marker, markevery=6, label=label
        )
    axes.axhline(0, color="grey", linewidth=0.8)
    axes.legend()
    return figure


def main() -> None:
    """Print the worked example; draw the picture if asked to."""
    arguments = argument_parser(__doc__).parse_args()
    show_one_pair()
    show_speeds()
    show_relative_position()
    compare_with_complex_numbers()
    if arguments.plot:
        save_figure(draw_decay(), arguments.plot)


if __name__ == "__main__":
    run_main(main)
