"""Grouped-query attention at work: a softmax by hand, who shares whose keys, what it saves, and
PyTorch's attention.

python Appendixes/GroupedQueryAttention/main.py
python Appendixes/GroupedQueryAttention/main.py --plot gqa.png      heads that share, weights
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
from Appendixes.figure_style import BLUE, ORANGE, new_figure
from Appendixes.GroupedQueryAttention import (
    GroupedQueryAttention,
    attention,
    causal_mask,
    grouped_attention,
)
from Appendixes.KVcache import KVCache, PromptCache, Segment
from Appendixes.RoPE import rope_cos_sin


def shape(width: int, heads: int, kv_heads: int, head_dim: int) -> SimpleNamespace:
    """Make a configuration with all that `GroupedQueryAttention` reads."""
    return SimpleNamespace(
        hidden_size=width,
        num_attention_heads=heads,
        num_key_value_heads=kv_heads,
        head_dim=head_dim,
        rms_norm_eps=1e-6,
    )


def show_by_hand() -> None:
    """Attend with three tokens, one head of one number: weights 1 : 2 : 3 on values 1, 2, 3."""
    keys = torch.tensor([1.0, 2.0, 3.0]).log().view(1, 1, 3, 1)
    values = torch.tensor([1.0, 2.0, 3.0]).view(1, 1, 3, 1)
    queries = torch.ones(1, 1, 3, 1)
    out = attention(queries, keys, values)
    print("1. Each query averages the values up to its own, with weights as exp(query x key).")
    print(f"   queries                  {numbers(queries.flatten())}")
    print(
        f"   keys                     {numbers(keys.flatten())} = log 1, log 2, log 3: "
        "weights as 1 : 2 : 3"
    )
    print(f"   values                   {numbers(values.flatten())}")
    print(f"   output                   {numbers(out.flatten())}")
    print(
        f"   by hand                  1/1 = {1 / 1:.4f}, (1 + 4)/3 = {5 / 3:.4f}, "
        f"(1 + 4 + 9)/6 = {14 / 6:.4f}"
    )
    print(f"   causal mask              {causal_mask(3)[0].int().tolist()}")


def kv_head_of_each_head(heads: int, kv_heads: int) -> list[int]:
    """Find out by trial: the values of key-value head i are all i, so a head's output names the one
    that it reads.
    """
    values = torch.arange(float(kv_heads)).view(1, kv_heads, 1, 1)
    out = attention(torch.zeros(1, heads, 1, 1), torch.zeros_like(values), values)
    return out.flatten().int().tolist()


def show_sharing() -> None:
    """Print which query heads read which key-value head, in three sizes of groups."""
    print(
        "\n2. Query heads share key-value heads in order "
        "(kv head i holds value i, so outputs name it)."
    )
    for name, kv_heads in (("MHA", 4), ("GQA", 2), ("MQA", 1)):
        read = kv_head_of_each_head(4, kv_heads)
        plural = "s" if kv_heads > 1 else " "
        print(f"   {name}: 4 heads on {kv_heads} kv head{plural}   reads kv head {read}")


def show_size() -> None:
    """Print parameters and cache of one layer of Qwen3-0.6B, in groups of one, two and sixteen."""
    print(
        "\n3. Fewer key-value heads make smaller projections and a smaller cache "
        "(width 1024, 16 heads of 128)."
    )
    print("   kv heads   k_proj and v_proj     parameters of the layer   cache (numbers per token)")
    for kv_heads in (16, 8, 1):
        with torch.device("meta"):  # shapes without memory
            layer = GroupedQueryAttention(shape(1024, 16, kv_heads, 128))
        matrices = f"2 x {tuple(layer.k_proj.weight.shape)}"
        note = "   Qwen3-0.6B" if kv_heads == 8 else ""
        print(
            f"   {kv_heads:<10} {matrices:<21} {count_parameters(layer):<25,} "
            f"{2 * kv_heads * 128:,}{note}"
        )


def compare_segments() -> None:
    """Compare the formula with PyTorch's attention, and with attention to a context that is cut in
    two: a prompt, and tokens behind it.
    """
    # 1. Five queries that see all 7 keys of a prompt, and their own 5 as far as they stand before.
    generator = torch.Generator().manual_seed(0)
    q = torch.randn(2, 16, 5, 64, generator=generator)
    keys, values = torch.randn(2, 2, 8, 12, 64, generator=generator)
    prompt, own = slice(None, 7), slice(7, None)
    mask = torch.cat((torch.ones(1, 5, 7, dtype=torch.bool), causal_mask(5)), dim=-1)
    mask = mask.expand(2, 5, 12)
    # 2. The same three times.
    plain = attention(q, keys, values, mask)
    pytorch = F.scaled_dot_product_attention(q, keys, values, mask[:, None], enable_gqa=True)
    segments = [Segment(keys[:, :, x], values[:, :, x], mask[..., x]) for x in (prompt, own)]
    in_segments = grouped_attention(q, segments)
    print("\n4. The formula, PyTorch's attention and two merged segments agree.")
    print("   2 rows, 16 heads on 8 kv heads, 5 queries, 7 + 5 keys")
    report_difference(
        "attention and F.scaled_dot_product_attention", largest_difference(plain, pytorch), 1e-5
    )
    report_difference(
        "attention and grouped_attention", largest_difference(plain, in_segments), 1e-5
    )


def compare_cached() -> None:
    """Run the layer on six tokens at once, and one token at a time with two kinds of cache."""
    # 1. All at once.
    generator = torch.Generator().manual_seed(0)
    layer = GroupedQueryAttention(shape(64, 4, 2, 32))
    randomise(layer, generator)
    x = torch.randn(1, 6, 64, generator=generator)
    cos, sin = rope_cos_sin(torch.arange(6)[None], 32, 1_000_000.0)
    whole = layer(x, cos, sin)

    # 2. Token by token: with one cache, and with half the text as a shared prompt.
    def read(cache: KVCache, start: int, end: int) -> torch.Tensor:
        outputs = []
        for token in range(start, end):
            now = slice(token, token + 1)
            extension = cache.extend(rows=1, seq=1, device="cpu")
            outputs.append(layer(x[:, now], cos[:, now], sin[:, now], extension=extension.layer(0)))
            extension.commit()
        return torch.cat(outputs, dim=1)

    prompts = PromptCache()
    prompt = read(prompts, 0, 3)
    fork = prompts.fork()
    fork.continue_rows([0])
    forked = torch.cat((prompt, read(fork, 3, 6)), dim=1)
    # 3. Compare.
    print(
        "\n5. One token at a time with a cache gives what all at once give: "
        f"{tuple(x.shape)} -> {tuple(whole.shape)}."
    )
    report_difference(
        "cached and recomputed layer", largest_difference(read(KVCache(), 0, 6), whole), 1e-5
    )
    report_difference(
        "cached with a shared prompt and recomputed", largest_difference(forked, whole), 1e-5
    )


def attention_weights(seq: int = 10) -> torch.Tensor:
    """Return the weights `(seq, seq)` of one random head: with the unit matrix as values, the
    output is the weights.
    """
    generator = torch.Generator().manual_seed(3)
    q, k = torch.randn(2, 1, 1, seq, seq, generator=generator)
    return attention(q, k, torch.eye(seq)[None, None])[0, 0]


def draw_heads_and_weights(heads: int = 16, kv_heads: int = 8) -> Figure:
    """Draw which heads share keys and values, and attention weights under the causal mask."""
    figure = new_figure()
    sharing, heat = figure.subplots(1, 2, width_ratios=(1, 1.25))
    # 1. Which heads share.
    group = heads // kv_heads
    for head, kv_head in enumerate(kv_head_of_each_head(heads, kv_heads)):
        middle = kv_head * group + (group - 1) / 2
        color, style = (BLUE, "-") if kv_head % 2 == 0 else (ORANGE, "--")
        sharing.plot([0, 1], [head, middle], color=color, linestyle=style, linewidth=1.2)
        sharing.plot(0, head, "o", color=color, markersize=6)
        sharing.plot(1, middle, "s", color=color, markersize=9)
        sharing.text(-0.08, head, head, ha="right", va="center", fontsize=8)
        sharing.text(1.1, middle, kv_head, ha="left", va="center", fontsize=8)
    sharing.set_title(f"{heads} query heads share\n{kv_heads} key-value heads", fontsize=11)
    sharing.set_xlim(-0.3, 1.3)
    sharing.set_xticks([0, 1], ["query head", "key-value head"])
    sharing.set_yticks([])
    sharing.invert_yaxis()
    sharing.spines[:].set_visible(False)
    sharing.tick_params(length=0)
    # 2. What one head looks at.
    weights = attention_weights()
    hidden = causal_mask(len(weights))[0].logical_not()
    image = heat.imshow(
        weights.masked_fill(hidden, float("nan")).numpy(), cmap="cividis", vmin=0, vmax=1
    )
    heat.set_title("No query sees a later key;\neach row of weights sums to 1", fontsize=11)
    heat.set_xlabel("key position (tokens)")
    heat.set_ylabel("query position (tokens)")
    figure.colorbar(image, ax=heat, label="attention weight", shrink=0.85)
    return figure


@torch.no_grad()
def main() -> None:
    """Print the worked examples; draw the picture if asked to."""
    arguments = argument_parser(__doc__).parse_args()
    show_by_hand()
    show_sharing()
    show_size()
    compare_segments()
    compare_cached()
    if arguments.plot:
        save_figure(draw_heads_and_weights(), arguments.plot)


if __name__ == "__main__":
    run_main(main)
