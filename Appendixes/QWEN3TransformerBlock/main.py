"""The transformer block at work: what the residual stream keeps, what each branch adds, and the
block from PyTorch's functions.

python Appendixes/QWEN3TransformerBlock/main.py
python Appendixes/QWEN3TransformerBlock/main.py --plot block.png      the stream layer by layer
"""

from types import SimpleNamespace

import torch
import torch.nn.functional as F
from matplotlib.figure import Figure

from Appendixes.command_line import argument_parser, run_main
from Appendixes.demonstration import (
    count_parameters,
    largest_difference,
    numbers,
    randomise,
    report_difference,
    save_figure,
)
from Appendixes.figure_style import BLUE, GREEN, ORANGE, new_picture
from Appendixes.KVcache import KVCache
from Appendixes.QWEN3TransformerBlock import TransformerBlock
from Appendixes.RoPE import rope_cos_sin

SEQ = 12  # tokens of the examples
SHAPE = SimpleNamespace(
    hidden_size=64,
    intermediate_size=192,
    num_attention_heads=4,
    num_key_value_heads=2,
    head_dim=32,
    rms_norm_eps=1e-6,
    rope_theta=1_000_000.0,
)


def random_stack(layers: int) -> list[TransformerBlock]:
    """Make blocks with random weights, all drawn from one seed."""
    generator = torch.Generator().manual_seed(0)
    blocks = [TransformerBlock(SHAPE) for _ in range(layers)]
    for block in blocks:
        randomise(block, generator)
    return blocks


def random_stream() -> torch.Tensor:
    """Draw a residual stream `(1, seq, hidden_size)`, as it may enter the first block."""
    return torch.randn(1, SEQ, SHAPE.hidden_size, generator=torch.Generator().manual_seed(1))


def angles() -> tuple[torch.Tensor, torch.Tensor]:
    """Return RoPE's cosines and sines for positions 0 ... seq - 1."""
    return rope_cos_sin(torch.arange(SEQ)[None], SHAPE.head_dim, SHAPE.rope_theta)


def show_free_passage() -> None:
    """Check that a block is the identity if both output projections are zero."""
    (block,) = random_stack(1)
    x = random_stream()
    block.self_attn.o_proj.weight.zero_()
    block.mlp.down_proj.weight.zero_()
    y = block(x, *angles())
    print(
        "1. Both branches only add to the stream: "
        "if they add nothing, it passes unchanged, to the last bit."
    )
    print(f"   x, first three numbers          {numbers(x[0, 0, :3])}")
    print(f"   block(x) with branches at zero  {numbers(y[0, 0, :3])}")
    report_difference("block(x) and x", largest_difference(y, x), 0)


def show_who_mixes() -> None:
    """Change one token, and print which positions each branch changes."""
    (block,) = random_stack(1)
    x = random_stream()
    changed = x.clone()
    changed[0, 5] += 1
    cos, sin = angles()
    attention = block.self_attn(changed, cos, sin) - block.self_attn(x, cos, sin)
    feed_forward = block.mlp(changed) - block.mlp(x)
    print(
        "\n2. Attention carries information to later positions; "
        "the feed-forward layer works on each by itself."
    )
    print(f"   changed position                {[5]} of 0 ... {SEQ - 1}")
    print(f"   attention changes               {positions_that_differ(attention)}")
    print(f"   feed-forward layer changes      {positions_that_differ(feed_forward)}")


def positions_that_differ(difference: torch.Tensor) -> list[int]:
    """Return the positions of `(1, seq, dim)` with any number other than zero."""
    return difference[0].abs().amax(dim=-1).nonzero().flatten().tolist()


def trace(blocks: list[TransformerBlock]) -> list[tuple[float, float, float]]:
    """Return for each block the mean length, over positions, of three vectors: what attention
    adds, what the feed-forward layer adds, and the stream after both.
    """
    x, lengths = random_stream(), []
    for block in blocks:
        attention = block.self_attn(block.input_layernorm(x), *angles())
        x = x + attention
        feed_forward = block.mlp(block.post_attention_layernorm(x))
        x = x + feed_forward
        lengths.append(
            tuple(part.norm(dim=-1).mean().item() for part in (attention, feed_forward, x))
        )
    return lengths


def show_stream() -> None:
    """Print the lengths of the stream and of both branches through six random blocks."""
    print(
        "\n3. The stream collects what every branch adds "
        "(mean length of the vectors; random weights)."
    )
    print("   block   attention adds   feed-forward adds   stream after")
    print(f"   {'-':<7} {'-':>14}   {'-':>17}   {random_stream().norm(dim=-1).mean():>12.3f}")
    for number, (attention, feed_forward, stream) in enumerate(trace(random_stack(6)), start=1):
        print(f"   {number:<7} {attention:>14.3f}   {feed_forward:>17.3f}   {stream:>12.3f}")


def show_size() -> None:
    """Print the parameters of one block of Qwen3-0.6B by part."""
    shape = SimpleNamespace(
        hidden_size=1024,
        intermediate_size=3072,
        num_attention_heads=16,
        num_key_value_heads=8,
        head_dim=128,
        rms_norm_eps=1e-6,
    )
    with torch.device("meta"):  # shapes without memory
        block = TransformerBlock(shape)
    print("\n4. Most of a block is its feed-forward layer (the shape of Qwen3-0.6B).")
    total = count_parameters(block)
    for name, part in block.named_children():
        count = count_parameters(part)
        print(f"   {name:<26} {count:>12,}   {count / total:>6.1%}")
    print(f"   {'one block':<26} {total:>12,}")


def block_from_functions(block: TransformerBlock, x: torch.Tensor) -> torch.Tensor:
    """Compute the block once more, with PyTorch's own functions and the block's weights."""
    weight = dict(block.named_parameters())
    dim, head_dim, eps = SHAPE.hidden_size, SHAPE.head_dim, SHAPE.rms_norm_eps
    cos, sin = angles()
    turns = torch.complex(cos, sin)[:, None]  # (1, 1, seq, head_dim / 2)

    def heads(name: str, x: torch.Tensor) -> torch.Tensor:
        return (
            F.linear(x, weight[f"self_attn.{name}_proj.weight"])
            .unflatten(-1, (-1, head_dim))
            .transpose(1, 2)
        )

    def normed_and_turned(name: str, x: torch.Tensor) -> torch.Tensor:
        normed = F.rms_norm(
            heads(name, x), (head_dim,), weight[f"self_attn.{name}_norm.weight"], eps
        )
        turned = torch.complex(*normed.chunk(2, dim=-1)) * turns
        return torch.cat((turned.real, turned.imag), dim=-1)

    # 1. x + attention(norm(x))
    h = F.rms_norm(x, (dim,), weight["input_layernorm.weight"], eps)
    q, k, v = normed_and_turned("q", h), normed_and_turned("k", h), heads("v", h)
    out = F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)
    x = x + F.linear(out.transpose(1, 2).flatten(2), weight["self_attn.o_proj.weight"])
    # 2. x + feed_forward(norm(x))
    h = F.rms_norm(x, (dim,), weight["post_attention_layernorm.weight"], eps)
    gate, up = (
        F.linear(h, weight["mlp.gate_proj.weight"]),
        F.linear(h, weight["mlp.up_proj.weight"]),
    )
    return x + F.linear(F.silu(gate) * up, weight["mlp.down_proj.weight"])


def compare() -> None:
    """Compare the block with PyTorch's functions, and token by token with all at once."""
    # 1. PyTorch's functions.
    (block,) = random_stack(1)
    x = random_stream()
    cos, sin = angles()
    whole = block(x, cos, sin)
    print(
        "\n5. PyTorch's functions give the same block, and so does a cache: "
        f"{tuple(x.shape)} -> {tuple(whole.shape)}."
    )
    report_difference(
        "the block and PyTorch's functions",
        largest_difference(whole, block_from_functions(block, x)),
        1e-5,
    )
    # 2. Token by token.
    cache, outputs = KVCache(), []
    for token in range(SEQ):
        now = slice(token, token + 1)
        extension = cache.extend(rows=1, seq=1, device="cpu")
        outputs.append(block(x[:, now], cos[:, now], sin[:, now], extension=extension.layer(0)))
        extension.commit()
    report_difference(
        "cached and recomputed block", largest_difference(torch.cat(outputs, 1), whole), 1e-5
    )


def draw_stream(layers: int = 16) -> Figure:
    """Draw the length of the residual stream and of what both branches add, block by block."""
    # 1. The numbers, and the finding as a title.
    attention, feed_forward, stream = zip(*trace(random_stack(layers)), strict=True)
    start = random_stream().norm(dim=-1).mean().item()
    figure, axes = new_picture(
        f"Branches only add: after {layers} random blocks "
        f"the stream is {stream[-1] / start:.1f} times as long",
        "block",
        "mean length of the vectors",
        grid="y",
    )
    # 2. What the branches add as bars, the stream as a line.
    numbered = torch.arange(1, layers + 1)
    axes.bar(
        numbered - 0.2,
        attention,
        0.4,
        color=BLUE,
        hatch="//",
        edgecolor="white",
        label="attention adds",
    )
    axes.bar(
        numbered + 0.2,
        feed_forward,
        0.4,
        color=ORANGE,
        edgecolor="white",
        label="feed-forward adds",
    )
    axes.plot(
        range(layers + 1),
        (start, *stream),
        color=GREEN,
        marker="o",
        label="stream after the block (0: before all)",
    )
    axes.set_xticks(range(0, layers + 1, 2))
    axes.set_ylim(bottom=0)
    axes.legend(loc="upper left")
    return figure


@torch.no_grad()
def main() -> None:
    """Print the worked examples; draw the picture if asked to."""
    arguments = argument_parser(__doc__).parse_args()
    show_free_passage()
    show_who_mixes()
    show_stream()
    show_size()
    compare()
    if arguments.plot:
        save_figure(draw_stream(), arguments.plot)


if __name__ == "__main__":
    run_main(main)
