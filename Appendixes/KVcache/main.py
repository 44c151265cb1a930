"""Key-value caches at work: what they save, what they cost, and three ways to keep one (by
concatenation, in place, and with a shared prompt).

python Appendixes/KVcache/main.py
python Appendixes/KVcache/main.py --plot kvcache.png      memory for MHA, GQA and MQA
"""

import torch
import torch.nn.functional as F
from matplotlib.figure import Figure

from Appendixes.command_line import argument_parser, run_main
from Appendixes.demonstration import largest_difference, report_difference, save_figure
from Appendixes.figure_style import BLUE, GREEN, ORANGE, new_picture
from Appendixes.KVcache import KVCache, PromptCache, Segment, SimpleKVCache

LAYERS, HEADS, KV_HEADS, HEAD_DIM = 28, 16, 8, 128  # Qwen3-0.6B
BYTES = 2  # of one bfloat16 number
CONTEXT = 40_960  # tokens


def feed(
    cache: KVCache, keys: torch.Tensor, values: torch.Tensor | None = None, layers: int = 1
) -> list[Segment]:
    """Store keys `(rows, kv_heads, seq, head_dim)` in every layer, and as values too if there are
    no others; return what the last layer attends to.
    """
    extension = cache.extend(rows=len(keys), seq=keys.shape[2], device=keys.device)
    for layer in range(layers):
        segments = extension.layer(layer).append(keys, keys if values is None else values)
    extension.commit()
    return segments


def show_saving(prompt: int = 60) -> None:
    """Print how many positions a model computes to write an answer, without a cache and with one.

    The step that writes token i reads the prompt and the i - 1 tokens before it; with a cache, the
    first step reads the prompt, and every other step the one token that is new.
    """
    print(f"1. A cache saves the work of reading the text again (a prompt of {prompt} tokens).")
    print("   answer (tokens)   positions without a cache     with one        ratio")
    for answer in (1, 2, 10, 100, 1000):
        without = sum(prompt + written for written in range(answer))
        with_cache = prompt + answer - 1
        print(f"   {answer:<17,} {without:<29,} {with_cache:<15,} {without / with_cache:.1f}")
    print(f"   by hand, 2 tokens: {prompt} + {prompt + 1} = {2 * prompt + 1} and {prompt} + 1")


def show_growth(prompt: int = 60, shown: tuple[int, ...] = (60, 64, 65, 128, 129, 260)) -> None:
    """Store a prompt, then token by token, by concatenation and in place (2 heads of 8 float32)."""
    simple, cache = SimpleKVCache(), KVCache()
    copied = {"concatenated": 0, "in place": 0}
    print(
        "\n2. Concatenation copies all that is held for every token; a buffer only when it doubles."
    )
    print("            concatenated (SimpleKVCache)          in place (KVCache)")
    print("   tokens   bytes held   bytes copied in all      bytes held   bytes copied in all")
    for tokens in range(prompt, shown[-1] + 1):
        # 1. Store the prompt, or one more token.
        new = torch.ones(1, 2, prompt if tokens == prompt else 1, 8)
        old = list(simple.keys), list(cache.keys)
        held = simple.keys[0].nbytes if simple.keys else 0  # keys; values are as many
        simple.append(0, new, new)
        feed(cache, new)
        # 2. A tensor that is a new one got a copy of all that was held.
        for name, before, after in zip(copied, old, (simple.keys, cache.keys), strict=True):
            if before and before[0] is not after[0]:
                copied[name] += 2 * held
        # 3. Print some of the lines.
        if tokens in shown:
            print(
                f"   {tokens:<8} {2 * simple.keys[0].nbytes:<12,} {copied['concatenated']:<24,} "
                f"{cache.nbytes:<12,} {copied['in place']:,}"
            )


def show_cost_of_a_token() -> None:
    """Compare the bytes of one token in Qwen3-0.6B, by formula and by measurement."""
    formula = bytes_per_token(KV_HEADS)
    cache = KVCache()
    feed(cache, torch.zeros(1, KV_HEADS, 1, HEAD_DIM, dtype=torch.bfloat16), layers=LAYERS)
    measured = cache.nbytes / cache.capacity
    print(
        "\n3. A token of Qwen3-0.6B costs, in bfloat16: "
        "keys and values x layers x kv heads x head_dim x bytes."
    )
    print(f"   by formula     2 x {LAYERS} x {KV_HEADS} x {HEAD_DIM} x {BYTES} = {formula:,} bytes")
    print(
        f"   by nbytes      {cache.nbytes:,} bytes / room for {cache.capacity} tokens "
        f"= {measured:,.0f} bytes"
    )
    gibibytes = CONTEXT * formula / 2**30
    print(f"   full context   {CONTEXT:,} tokens x {formula:,} bytes = {gibibytes:.3f} GiB")
    report_difference("bytes by formula and by nbytes", abs(formula - measured), 0)


def bytes_per_token(kv_heads: int) -> int:
    """Return the bytes of one token in all layers of Qwen3-0.6B with so many key-value heads."""
    return 2 * LAYERS * kv_heads * HEAD_DIM * BYTES


def show_rows() -> None:
    """Store two texts of different lengths in one batch: padding takes no place in the cache."""
    cache = KVCache()
    padding_mask = torch.tensor([[True, True, True], [False, True, True]])
    extension = cache.extend(2, 3, "cpu", padding_mask)
    extension.layer(0).append(torch.ones(2, 1, 3, 4), torch.ones(2, 1, 3, 4))
    extension.commit()
    positions = extension.positions.tolist()
    print("\n4. Every row has a length of its own, so padding is not kept (0 marks padding).")
    print(f"   padding mask   {padding_mask.int().tolist()}")
    print(f"   positions      {positions}   padding counts as later than all real tokens")
    print(f"   lengths        {cache.lengths.tolist()}")


def show_shared_prompt(prompt: int = 448, answer: int = 64, samples: int = 8) -> None:
    """Continue one prompt many times, with the prompt stored once and stored in every row."""
    # 1. Once.
    prompts = PromptCache()
    feed(prompts, torch.zeros(1, 2, prompt, 8))
    fork = prompts.fork()
    fork.continue_rows([0] * samples)
    feed(fork, torch.zeros(samples, 2, answer, 8))
    # 2. In every row.
    separate = KVCache()
    feed(separate, torch.zeros(samples, 2, prompt, 8))
    feed(separate, torch.zeros(samples, 2, answer, 8))
    # 3. Compare.
    print(
        "\n5. A fork continues a text without copying it: "
        f"{samples} answers of {answer} tokens to a prompt of {prompt}."
    )
    print(f"   tokens in front of each answer's next one   {fork.context_lengths.tolist()}")
    print(
        f"   prompt stored in every row   {int(separate.lengths.sum()):>5,} tokens, "
        f"{separate.nbytes:>9,} bytes"
    )
    print(
        f"   prompt stored once           {int(prompts.lengths.sum() + fork.lengths.sum()):>5,} "
        f"tokens, {prompts.nbytes + fork.nbytes:>9,} bytes; "
        f"{prompt:,} of them shared by {samples} rows"
    )


def compare_caches(prompt: int = 70, answer: int = 5, samples: int = 3) -> None:
    """Store the same texts in all three caches: attention must be given the same, and give the
    same as on whole texts.
    """
    # 1. Texts that begin alike, each tensor (samples, heads, seq, head_dim).
    generator = torch.Generator().manual_seed(0)
    queries, keys, values = torch.randn(3, samples, 4, prompt + answer, 16, generator=generator)
    keys[:], values[:] = (
        torch.cat((x[:1, :, :prompt].expand(samples, -1, -1, -1), x[:, :, prompt:]), dim=2)
        for x in (keys, values)
    )
    # 2. The prompt first: to a fork once, to the others for every sample.
    simple, cache, prompts = SimpleKVCache(), KVCache(), PromptCache()
    simple.append(0, keys[:, :, :prompt], values[:, :, :prompt])
    feed(cache, keys[:, :, :prompt], values[:, :, :prompt])
    feed(prompts, keys[:1, :, :prompt], values[:1, :, :prompt])
    fork = prompts.fork()
    fork.continue_rows([0] * samples)
    # 3. Then token by token, and attention after each.
    whole = F.scaled_dot_product_attention(queries, keys, values, is_causal=True)
    inputs, outputs = {"in place": 0.0, "shared prompt": 0.0}, 0.0
    for token in range(prompt, prompt + answer):
        now = slice(token, token + 1)
        new_keys, new_values = keys[:, :, now], values[:, :, now]
        expected = simple.append(0, new_keys, new_values)
        out = F.scaled_dot_product_attention(queries[:, :, now], *expected)
        outputs = max(outputs, largest_difference(out, whole[:, :, now]))
        for name, other in zip(inputs, (cache, fork), strict=True):
            seen = seen_by_each_row(feed(other, new_keys, new_values))
            differences = map(largest_difference, seen, expected)
            inputs[name] = max(inputs[name], *differences)
    print(
        f"\n6. All three hand attention the same keys and values: {samples} samples, "
        f"{prompt} + {answer} tokens."
    )
    for name, difference in inputs.items():
        report_difference(f"keys and values, concatenated and {name}", difference, 0)
    report_difference("cached and recomputed attention", outputs, 1e-5)


def seen_by_each_row(segments: list[Segment]) -> tuple[torch.Tensor, torch.Tensor]:
    """Join the keys and values that each row's last query may see, in rows of equal lengths."""
    keys, values = [], []
    for segment in segments:
        rows = slice(None) if segment.sharing is None else segment.sharing.parent_of_row
        assert segment.mask is not None
        visible = segment.mask[0, -1]
        keys.append(segment.keys[rows][:, :, visible])
        values.append(segment.values[rows][:, :, visible])
    return torch.cat(keys, dim=2), torch.cat(values, dim=2)


def draw_memory() -> Figure:
    """Draw memory against context length: Qwen3-0.6B with as many key-value heads as query heads,
    with its own number, and with one.
    """
    # 1. The title's numbers.
    gibibytes = {
        kv_heads: CONTEXT * bytes_per_token(kv_heads) / 2**30 for kv_heads in (HEADS, KV_HEADS, 1)
    }
    figure, axes = new_picture(
        f"At {CONTEXT:,} tokens: {gibibytes[KV_HEADS]:.1f} GiB with Qwen3-0.6B's GQA, "
        f"{gibibytes[HEADS]:.1f} with MHA",
        "context length (tokens)",
        "KV cache of one text in bfloat16 (GiB)",
    )
    # 2. A line for each number of heads.
    contexts = torch.linspace(0, CONTEXT, 11)
    styles = (
        ("MHA", HEADS, BLUE, "--", "o"),
        ("GQA, as in Qwen3", KV_HEADS, ORANGE, "-", "s"),
        ("MQA", 1, GREEN, ":", "^"),
    )
    for name, kv_heads, color, style, marker in styles:
        heads = f"{kv_heads} kv head{'s' * (kv_heads > 1)}"
        label = f"{name}: {heads}, {bytes_per_token(kv_heads) / 2**10:.0f} KiB per token"
        memory = contexts * bytes_per_token(kv_heads) / 2**30
        axes.plot(contexts, memory, color=color, linestyle=style, marker=marker, label=label)
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.legend(loc="upper left")
    return figure


def main() -> None:
    """Print the worked examples; draw the picture if asked to."""
    arguments = argument_parser(__doc__).parse_args()
    show_saving()
    show_growth()
    show_cost_of_a_token()
    show_rows()
    show_shared_prompt()
    compare_caches()
    if arguments.plot:
        save_figure(draw_memory(), arguments.plot)


if __name__ == "__main__":
    run_main(main)
