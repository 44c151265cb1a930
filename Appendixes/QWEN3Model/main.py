"""The whole model at work: its parameters, ids to logits, causality, the cache, and training.

python Appendixes/QWEN3Model/main.py
python Appendixes/QWEN3Model/main.py --plot model.png    parameters by part, for all six sizes
"""

import math

import torch
import torch.nn.functional as F
from matplotlib.figure import Figure

from Appendixes.command_line import argument_parser, run_main
from Appendixes.demonstration import (
    count_parameters,
    largest_difference,
    randomise,
    report_difference,
    save_figure,
)
from Appendixes.figure_style import BLUE, GREEN, ORANGE, PINK, new_picture
from Appendixes.KVcache import KVCache
from Appendixes.QWEN3Model import FAMILY, Qwen3Config, Qwen3Model, load_qwen3

SMALL = Qwen3Config(
    vocab_size=100,
    hidden_size=32,
    intermediate_size=96,
    num_hidden_layers=3,
    num_attention_heads=4,
    num_key_value_heads=2,
    head_dim=16,
    max_position_embeddings=64,
)
QUESTION = "What is 23 + 48?"
PROMPT = (
    "Answer the question and put the final result in \\boxed{}.\n\n"
    f"Question: {QUESTION}\n\nExplain step by step.\n\nAnswer:\n"
)
ANSWER_TOKENS = 16


def parameters_by_part(config: Qwen3Config) -> dict[str, int]:
    """Count the parameters of each part of a model; a tied output layer adds none."""
    with torch.device("meta"):  # shapes without memory
        model = Qwen3Model(config)
    parts = {"embedding": count_parameters(model.embed_tokens), "attention": 0, "feed-forward": 0}
    for layer in model.layers:
        parts["attention"] += count_parameters(layer.get_submodule("self_attn"))
        parts["feed-forward"] += count_parameters(layer.get_submodule("mlp"))
    parts["output layer"] = 0 if config.tie_word_embeddings else count_parameters(model.lm_head)
    # q_norm and k_norm were counted with attention
    parts["normalisation"] = count_parameters(model) - sum(parts.values())
    return parts


def show_parameters() -> None:
    """Print the number of parameters in each part of Qwen3-0.6B."""
    config = FAMILY["0.6B"]
    parts = parameters_by_part(config)
    total = sum(parts.values())
    print(
        "1. Count the parameters of Qwen3-0.6B by part, "
        "without memory for a single one (the meta device)."
    )
    for name, size in parts.items():
        note = "   (is the embedding: tied)" if name == "output layer" else ""
        print(f"   {name:<20} {size:>13,}   {size / total:>6.1%}{note}")
    print(f"   {'total':<20} {total:>13,}")
    by_hand = config.vocab_size * config.hidden_size
    print(f"   By hand: embedding = {config.vocab_size:,} x {config.hidden_size:,} = {by_hand:,}")
    report_difference("embedding by hand and counted", abs(by_hand - parts["embedding"]), 0)


def small_model() -> tuple[Qwen3Model, torch.Tensor]:
    """Make a small random model in float64, and two rows of eight ids."""
    generator = torch.Generator().manual_seed(0)
    model = Qwen3Model(SMALL)
    randomise(model, generator, std=0.02)
    return model.double(), torch.randint(SMALL.vocab_size, (2, 8), generator=generator)


def show_logits() -> None:
    """Turn ids into logits: an untrained model finds all tokens about equally likely."""
    model, ids = small_model()
    logits = model(ids)
    print(
        f"\n2. Ids become logits: one score for each of {SMALL.vocab_size} tokens, "
        "at every position (small, random)."
    )
    print(f"   input_ids                     {tuple(ids.shape)}   (batch, seq)")
    print(f"   logits                        {tuple(logits.shape)}   (batch, seq, vocab)")
    print(f"   with last_position_only       {tuple(model(ids, last_position_only=True).shape)}")
    expected = math.log(SMALL.vocab_size)
    print(f"   loss on these random ids      {loss(model, ids):.3f}", end="")
    print(f"   log({SMALL.vocab_size}) = {expected:.3f}")


def loss(model: Qwen3Model, ids: torch.Tensor, prompt: torch.Tensor | None = None) -> float:
    """Return the mean of -log(probability) of the next token, in nats.

    Args:
        model: the model that gives the probabilities.
        ids: `(batch, seq)`.
        prompt: `(batch, prompt_seq)`, ids to read first, whose loss does not count.
    """
    whole = ids if prompt is None else torch.cat((prompt, ids), dim=1)
    first = 1 if prompt is None else prompt.shape[1]  # the first token that counts
    logits = model(whole[:, :-1])[:, first - 1 :]
    return F.cross_entropy(logits.flatten(0, 1), whole[:, first:].flatten()).item()


def check_causality() -> None:
    """Check that a change of one id moves no logits before it."""
    model, ids = small_model()
    changed = ids.clone()
    changed[:, 5] = (ids[:, 5] + 1) % SMALL.vocab_size
    moved = (model(changed) - model(ids)).abs().amax(dim=(0, 2))  # (seq,)
    print(
        "\n3. No position sees the future: change the id at position 5, and look where logits move."
    )
    print("   position         " + "".join(f"{position:>9}" for position in range(len(moved))))
    print("   largest change   " + "".join(f"{change:>9.4f}" for change in moved.tolist()))
    report_difference("logits before the changed id", moved[:5].max().item(), 1e-12)


def check_cache() -> None:
    """Compare a prompt of five ids and then one id at a time with the whole text at once."""
    model, ids = small_model()
    cache = KVCache()
    pieces = [model(ids[:, :5], cache)] + [model(ids[:, at : at + 1], cache) for at in range(5, 8)]
    print(
        "\n4. With a cache the model reads only new ids: "
        "5 ids, then 1, 1 and 1, give the logits of all 8."
    )
    report_difference(
        "cached and recomputed logits",
        largest_difference(torch.cat(pieces, dim=1), model(ids)),
        1e-12,
    )


def show_checkpoint() -> None:
    """Compare the checkpoint that ships with the repository with an untrained model."""
    # 1. A question in the words that the checkpoint was trained with.
    model, tokenizer = load_qwen3("tiny", device="cpu", dtype=torch.float32)
    prompt = torch.tensor([tokenizer.encode(PROMPT)])
    untrained = Qwen3Model(model.config)
    randomise(untrained, torch.Generator().manual_seed(0), std=0.02)
    print(
        "\n5. Training makes the right token likely: the checkpoint 'tiny', "
        f"{count_parameters(model):,} parameters."
    )
    print(f"   question                      {QUESTION!r}, asked to explain step by step")
    # 2. Always the most likely token, from both.
    texts = {}
    for name, each in (("an untrained model writes", untrained), ("the checkpoint writes", model)):
        texts[name] = ids = most_likely(each, prompt, ANSWER_TOKENS)
        print(f"   {name:<29} {quoted(tokenizer.decode(ids[0].tolist()))}")
    # 3. The loss of both on what the checkpoint wrote.
    ids, vocab = texts["the checkpoint writes"], model.config.vocab_size
    print(f"   loss before training          {loss(untrained, ids, prompt):.3f}", end="")
    print(f"   log({vocab}) = {math.log(vocab):.3f}: all {vocab} tokens about equally likely")
    print(f"   loss of the checkpoint        {loss(model, ids, prompt):.3f}")


def most_likely(model: Qwen3Model, ids: torch.Tensor, count: int) -> torch.Tensor:
    """Append the most likely token `count` times, and return the new ids `(1, count)`."""
    start = ids.shape[1]
    for _ in range(count):
        ids = torch.cat((ids, model(ids)[:, -1:].argmax(dim=-1)), dim=1)
    return ids[:, start:]


def quoted(text: str, longest: int = 40) -> str:
    """Quote the beginning of a text, in ASCII; `?` stands for a part of a character."""
    start = text[:longest].replace("\ufffd", "?")
    return ascii(start) + (" ..." if len(text) > longest else "")


def draw_family() -> Figure:
    """Draw the share of each part in the parameters, for the six sizes of the family."""
    # 1. Count.
    parts = {size: parameters_by_part(config) for size, config in FAMILY.items()}
    totals = {size: sum(counts.values()) for size, counts in parts.items()}
    vocabulary = {
        size: (c["embedding"] + c["output layer"]) / totals[size] for size, c in parts.items()
    }
    # 2. Stack one bar of each part on the bars before it, with its share written on it.
    small, *_, large = FAMILY
    figure, axes = new_picture(
        f"The vocabulary takes {vocabulary[small]:.0%} of Qwen3-{small}, "
        f"but {vocabulary[large]:.0%} of Qwen3-{large}",
        "share of the parameters (%)",
        "model (parameters)",
        grid="x",
    )
    left = dict.fromkeys(FAMILY, 0.0)
    styles = (
        ("embedding", BLUE, ""),
        ("output layer", PINK, "xx"),
        ("attention", ORANGE, "//"),
        ("feed-forward", GREEN, ""),
    )
    for part, color, hatch in styles:
        shares = {size: 100 * parts[size][part] / totals[size] for size in FAMILY}
        bars = axes.barh(
            list(FAMILY),
            list(shares.values()),
            left=list(left.values()),
            color=color,
            hatch=hatch,
            edgecolor="white",
            label=part,
        )
        labels = [f"{share:.0f}" if share >= 1 else "" for share in shares.values()]
        background = {"facecolor": "white", "edgecolor": "none", "pad": 1}
        for text in axes.bar_label(bars, labels, label_type="center", fontsize=9):
            if text.get_text():
                text.set_bbox(background)
        left = {size: left[size] + shares[size] for size in FAMILY}
    # 3. Label the models, the smallest at the top.
    axes.set_yticks(
        range(len(FAMILY)), [f"{size}\n{total / 1e9:.2f} bn" for size, total in totals.items()]
    )
    axes.invert_yaxis()
    axes.set_xlim(0, 100)
    figure.legend(loc="outside lower center", ncols=4)
    return figure


@torch.no_grad()
def main() -> None:
    """Print the worked example; draw the picture if asked to."""
    arguments = argument_parser(__doc__).parse_args()
    show_parameters()
    show_logits()
    check_causality()
    check_cache()
    show_checkpoint()
    if arguments.plot:
        save_figure(draw_family(), arguments.plot)


if __name__ == "__main__":
    run_main(main)
