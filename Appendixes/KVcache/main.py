"""The KV cache at work: how it grows, what a token costs, texts that share a prompt, and cached
against recomputed.

python Appendixes/KVcache/main.py python Appendixes/KVcache/main.py --plot kvcache.png      memory
against context length, for MHA, GQA and MQA"""

import torch
import torch.nn.functional as F
from matplotlib.figure import Figure

from Appendixes.command_line import argument_parser
from Appendixes.demonstration import largest_difference, report_difference, save_figure
from Appendixes.figure_style import BLUE, GREEN, ORANGE, new_picture
from Appendixes.KVcache import KVCache

LAYERS, HEADS, KV_HEADS, HEAD_DIM = 28, 16, 8, 128  # Qwen3-0.6B
BYTES = 2  # of one bfloat16 number
CONTEXT = 40_960  # tokens


def feed(cache: KVCache, keys: torch.Tensor, layers: int = 1) -> None:
    """Put the same keys `(rows, kv_heads, seq, head_dim)`, and as many values, into every layer of
    a cache.
    """
    extension = cache.extend(rows=len(keys), seq=keys.shape[2], device=keys.device)
    for layer in range(layers):
        extension.layer(layer).append(keys, keys)
    extension.commit()


def show_growth() -> None:
    """A prompt of 60 tokens, then more, until the buffer has doubled twice (head_dim 8, float32)."""
    cache = KVCache(capacity=64)
    print("1. A cache stores keys and values token by token; a full buffer doubles.")
    print("   tokens given   tokens held   capacity   bytes = 2 x 2 kv heads x capacity x 8 x 4")
    for seq in (60, 4, 1, 63, 1):
        feed(cache, torch.ones(1, 2, seq, 8))
        print(f"   {seq:<14} {cache.max_length:<13} {cache.capacity:<10} {cache.nbytes:,}")


def show_cost_of_a_token() -> None:
    """Bytes of one token in Qwen3-0.6B, by formula and by measurement."""
    formula = bytes_per_token(KV_HEADS)
    cache = KVCache()
    feed(cache, torch.zeros(1, KV_HEADS, 1, HEAD_DIM, dtype=torch.bfloat16), layers=LAYERS)
    measured = cache.nbytes / cache.capacity
    print(
        "\n2. A token of Qwen3-0.6B costs, in bfloat16: keys and values x layers x kv heads x head_dim x bytes."
    )
    print(f"   by formula     2 x {LAYERS} x {KV_HEADS} x {HEAD_DIM} x {BYTES} = {formula:,} bytes")
    print(
        f"   by nbytes      {cache.nbytes:,} bytes / room for {cache.capacity} tokens = {measured:,.0f} bytes"
    )
    print(
        f"   full context   {CONTEXT:,} tokens x {formula:,} bytes = {CONTEXT * formula / 2**30:.3f} GiB"
    )
    report_difference("bytes by formula and by nbytes", abs(formula - measured), 0)


def bytes_per_token(kv_heads: int) -> int:
    """Bytes that one token takes in all layers of Qwen3-0.6B, if it had this number of key-value
    heads.
    """
    return 2 * LAYERS * kv_heads * HEAD_DIM * BYTES


def show_rows() -> None:
    """Two texts of different lengths in one batch: padding takes no place in the cache."""
    cache = KVCache()
    padding_mask = torch.tensor([[True, True, True], [False, True, True]])
    extension = cache.extend(2, 3, "cpu", padding_mask)
    extension.layer(0).append(torch.ones(2, 1, 3, 4), torch.ones(2, 1, 3, 4))
    extension.commit()
    print("\n3. Every row has a length of its own, so padding is not kept (0 marks padding).")
    print(f"   padding mask   {padding_mask.int().tolist()}")
    print(
        f"   positions      {extension.positions.tolist()}   padding counts as later than all real tokens"
    )
    print(f"   lengths        {cache.lengths.tolist()}")


def show_shared_prompt(prompt: int = 448, answer: int = 64, samples: int = 8) -> None:
    """Several answers to one prompt, with the prompt stored once and stored in every row."""
    parent = KVCache()
    feed(parent, torch.zeros(1, 2, prompt, 8))
    fork = parent.fork()
    fork.continue_rows([0] * samples)
    feed(fork, torch.zeros(samples, 2, answer, 8))
    separate = KVCache()
    feed(separate, torch.zeros(samples, 2, prompt, 8))
    feed(separate, torch.zeros(samples, 2, answer, 8))
    print(
        f"\n4. A fork continues a text without copying it: {samples} answers of {answer} tokens to {prompt} of prompt."
    )
    print(f"   tokens in front of each answer's next one   {fork.context_lengths.tolist()}")
    print(f"   prompt stored once                          {parent.nbytes + fork.nbytes:>9,} bytes")
    print(f"   prompt stored in every row                  {separate.nbytes:>9,} bytes")


def compare_with_recomputation(seq: int = 32) -> None:
    """Attention of each new token on the cache, against PyTorch's attention on the whole text."""
    generator = torch.Generator().manual_seed(0)
    # each (1, heads, seq, head_dim)
    queries, keys, values = torch.randn(3, 1, 4, seq, 16, generator=generator)
    cache, outputs = KVCache(), []
    for token in range(seq):
        now = slice(token, token + 1)
        extension = cache.extend(rows=1, seq=1, device="cpu")
        (segment,) = extension.layer(0).append(keys[:, :, now], values[:, :, now])
        extension.commit()
        scores = segment.scores(queries[:, :, now]) * 16**-0.5  # (1, heads, 1, length)
        if segment.mask is not None:  # room without a token yet
            scores = scores.masked_fill(~segment.mask[:, None], float("-inf"))
        outputs.append(segment.mix(scores.softmax(dim=-1)))
    reference = F.scaled_dot_product_attention(queries, keys, values, is_causal=True)
    again = sum(range(1, seq + 1))
    print(f"\n5. Cached equals recomputed: attention on {seq} tokens, one at a time.")
    print(f"   keys computed with the cache      {seq:>4}   one per token")
    print(f"   keys computed without a cache     {again:>4}   1 + 2 + ... + {seq}")
    report_difference(
        "cached and recomputed attention",
        largest_difference(torch.cat(outputs, 2), reference),
        1e-5,
    )


def draw_memory() -> Figure:
    """GiB against context length, if Qwen3-0.6B had as many kv heads as query heads, its own
    number, or one.
    """
    gigabytes = {
        kv_heads: CONTEXT * bytes_per_token(kv_heads) / 2**30 for kv_heads in (HEADS, KV_HEADS, 1)
    }
    figure, axes = new_picture(
        f"At {CONTEXT:,} tokens: {gigabytes[KV_HEADS]:.1f} GiB with Qwen3-0.6B's GQA, {gigabytes[HEADS]:.1f} with MHA",
        "context length (tokens)",
        "KV cache of one text in bfloat16 (GiB)",
    )
    contexts = torch.linspace(0, CONTEXT, 11)
    styles = (
        ("MHA", HEADS, BLUE, "--", "o"),
        ("GQA, as in Qwen3", KV_HEADS, ORANGE, "-", "s"),
        ("MQA", 1, GREEN, ":", "^"),
    )
    for name, kv_heads, color, style, marker in styles:
        label = f"{name}: {kv_heads} kv head{'s' * (kv_heads > 1)}, {bytes_per_token(kv_heads) / 2**10:.0f} KiB a token"
        memory = contexts * bytes_per_token(kv_heads) / 2**30
        axes.plot(contexts, memory, color=color, linestyle=style, marker=marker, label=label)
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.legend(loc="upper left")
    return figure


def main() -> None:
    """Print the worked example; draw the picture if asked to."""
    arguments = argument_parser(__doc__).parse_args()
    show_growth()
    show_cost_of_a_token()
    show_rows()
    show_shared_prompt()
    compare_with_recomputation()
    if arguments.plot:
        save_figure(draw_memory(), arguments.plot)


if __name__ == "__main__":
    main()
