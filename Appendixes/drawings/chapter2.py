"""Drawings of chapter 2: tokens, the loop, attention, the cache, a batch, bytes and bandwidth."""

import math
import re
from collections.abc import Mapping, Sequence
from itertools import pairwise

from matplotlib.colors import LinearSegmentedColormap, to_hex

from Appendixes.drawings.canvas import FAINT, Canvas, visible
from Appendixes.figure_style import (
    BLUE,
    FONT,
    GREEN,
    ORANGE,
    PALE,
    PINK,
    RED,
    SKY,
    new_picture,
    show,
)

WEIGHTS = LinearSegmentedColormap.from_list("weight", ["whitesmoke", BLUE])


def show_tokens(texts: Sequence[Sequence[str]]) -> None:
    """Show texts as strips of tokens, with their spaces visible.

    Args:
        texts: tokens of each text.
    """
    canvas = Canvas(30, 1.7 * len(texts))
    for row, tokens in enumerate(texts):
        end = canvas.tokens(0.2, 1.7 * row + 0.2, tokens, SKY, height=1.3)
        canvas.text(
            end + 0.5, 1.7 * row + 0.85, f"{len(tokens)} tokens", colour=FAINT, align="left"
        )
    said = "; ".join(f"{len(one)} tokens, {' | '.join(map(visible, one))}" for one in texts)
    canvas.show(f"{len(texts)} texts cut into tokens: {said}.")


def show_shapes(positions: int, width: int, vocabulary: int, blocks: int) -> None:
    """Show how the numbers of a text flow through the model, with the shape at each place.

    Args:
        positions: tokens of the text.
        width: numbers of a vector.
        vocabulary: entries of the vocabulary.
        blocks: how many there are.
    """
    canvas = Canvas(26, 7)
    shapes = (
        f"({positions})", *[f"({positions}, {width})"] * 3, f"({positions}, {vocabulary})",
    )  # fmt: skip
    stations = (
        ("embedding", SKY, "takes a row of\nthe table for each"),
        (f"{blocks} blocks", ORANGE, "attention and feed-\nforward add to it"),
        ("norm", PALE, "brings it to a\ncommon size"),
        ("output\nlayer", SKY, "gives a score to\neach entry"),
    )
    for place, name in enumerate(("tokens", "vectors", "vectors", "vectors", "logits")):
        middle = 5.7 * place + 1.6
        canvas.text(middle, 0.6, name, size=10, colour=FAINT)
        canvas.text(middle, 1.4, shapes[place], size=10, bold=True)
        canvas.arrow((middle - 0.9, 3.2), (middle + 0.9, 3.2))
    for place, (name, colour, said) in enumerate(stations):
        canvas.box(5.7 * place + 2.6, 2.1, 3.7, 2.2, name, colour, size=10)
        canvas.text(5.7 * place + 4.45, 5.5, said, size=10, colour=FAINT)
    canvas.show(
        f"Four boxes from left to right, with the shape between them: {positions} token numbers "
        f"{shapes[0]}; embedding; vectors {shapes[1]}; {blocks} blocks, whose attention and "
        f"feed-forward layers add to them; vectors {shapes[2]}; norm; vectors {shapes[3]}; output "
        f"layer; logits {shapes[4]}."
    )


def show_loop(tokens: Sequence[str], shares: Mapping[str, float]) -> None:
    """Show the loop of generation: the chosen token is appended, and the model reads again.

    Args:
        tokens: the last ones of the text so far.
        shares: probability of each token that could come next, the likeliest first.
    """
    chosen, highest = next(iter(shares.items()))
    canvas = Canvas(20, 5.6)
    end = canvas.tokens(0.2, 2, tokens, PALE, height=1.4)
    canvas.text(end / 2, 1.4, "text so far")
    canvas.box(end, 2, 0.9, 1.4, chosen, ORANGE, dashed=True)
    canvas.arrow((end + 1, 2.7), (7.4, 2.7))
    canvas.box(7.4, 1.6, 3.6, 2.2, "model", BLUE, size=13)
    canvas.arrow((11, 2.7), (12.6, 2.7))
    for place, (token, share) in enumerate(shares.items()):
        y = 1.5 + 0.85 * place
        canvas.text(12.9, y + 0.35, token, align="left")
        canvas.box(13.8, y, 0.4 + 3.6 * share, 0.7, "", ORANGE if place == 0 else SKY)
        canvas.text(14.5 + 3.6 * share, y + 0.35, f"{share:.0%}", align="left", size=11)
    canvas.text(15, 0.8, "a probability for each token")
    canvas.line((16.2 + 3.6 * highest, 1.85), (19.4, 1.85))
    canvas.line((19.4, 1.85), (19.4, 5))
    canvas.line((19.4, 5), (end + 0.45, 5))
    canvas.arrow((end + 0.45, 5), (end + 0.45, 3.4))
    canvas.text(11, 4.5, "choose one token, and append it for the next round", colour=FAINT)
    canvas.show(
        "A loop of 3 stations: the text so far goes into the model; the model gives a probability "
        f"to each token, such as {highest:.0%} for {chosen}; one token is chosen and appended to "
        "the text."
    )


def show_recomputation(prompt: int, new: int, *, cached: bool = False) -> None:
    """Show which tokens the model reads at each step, without a cache or with one.

    Args:
        prompt: tokens of the prompt.
        new: steps.
        cached: True if the tokens of earlier steps are looked up instead of computed again.
    """
    columns, again = prompt + new - 1, 0
    canvas = Canvas(26, new + 2.4)
    left = (canvas.width - columns) / 2
    canvas.text(canvas.width / 2, 0.5, "tokens of the text", colour=FAINT, size=11)
    for step in range(new):
        for token in range(prompt + step):
            first_time = token == prompt + step - 1 or step == 0
            again += not (first_time or cached)
            colour = ORANGE if first_time else SKY if cached else RED
            canvas.box(left + token, 1 + step, 1, 1, "", colour)
    canvas.text(left - 1.4, 1 + new / 2, "steps", colour=FAINT, size=11)
    old = {"kept: looked up": SKY} if cached else {"computed again": RED}
    canvas.key(6, new + 1.7, {"read for the first time": ORANGE, **old})
    canvas.show(
        f"A triangle of squares, steps downwards, tokens to the right, for a prompt of {prompt} "
        f"and {new} steps {'with' if cached else 'without'} a cache: {columns} squares are read "
        f"for the first time, {again} are computed again."
    )


def show_attention(
    tokens: Sequence[str], weights: Sequence[Sequence[float]], title: str, *, first: int = 0
) -> None:
    """Show how much each token looks at those up to itself.

    Args:
        tokens: texts of the tokens.
        weights: of each query (a row) for each key (a column).
        title: a sentence that states the finding.
        first: number of the first query that is shown; its keys all are.
    """
    count = len(tokens)
    canvas = Canvas(2 * count + 6, count - first + 1.6, title)
    left = (canvas.width - count) / 2
    most = []
    for row, token in enumerate(tokens):
        canvas.text(left + row + 0.5, 0.6, visible(token), size=10)
        if row < first:
            continue
        y = row - first + 1.1
        canvas.text(left - 0.3, y + 0.5, visible(token), align="right", size=11)
        for column in range(row + 1):
            weight = weights[row][column]
            label = f"{weight:.1f}".removeprefix("0") if weight >= 0.05 else ""
            canvas.box(left + column, y, 1, 1, label, to_hex(WEIGHTS(weight)), size=10)
        best = max(range(row + 1), key=lambda column: weights[row][column])
        most.append(
            f"{token!r} looks most at {tokens[best]!r}, token {best + 1}, "
            f"with weight {weights[row][best]:.2f}"
        )
    canvas.text(left - 2.2, (count - first) / 2 + 1.1, "query\nof", colour=FAINT, size=11)
    canvas.text(left + count + 1.5, 0.6, "looks at", colour=FAINT, size=11)
    canvas.show(
        f"{count - first} rows of squares, the attention of tokens {first + 1} to {count} to those "
        f"up to themselves. {'; '.join(most)}."
    )


def show_rotation(pairs: Sequence[tuple[int, int]], angle: float, between: float) -> None:
    """Show a query and a key turned by their positions: the angle between them is what counts.

    Args:
        pairs: positions of query and key, for each circle.
        angle: by which one position turns, in radians.
        between: from the query to the key at one position, in radians.
    """
    canvas, said = Canvas(6 * len(pairs), 6.4), []
    for place, (query, key) in enumerate(pairs):
        x, y, radius = 6 * place + 3, 2.4, 1.9
        turns = {"query": angle * query, "key": between + angle * key}
        further = (turns["key"] - turns["query"]) % math.tau
        _draw_arc(canvas, (x, y), radius, 0, math.tau, PALE)
        _draw_arc(canvas, (x, y), 0.45 * radius, turns["query"], further, FAINT, tip=True)
        for (name, turn), colour in zip(turns.items(), (BLUE, RED), strict=True):
            tip = x + radius * math.cos(turn), y - radius * math.sin(turn)
            canvas.arrow((x, y), tip, colour=colour)
            canvas.text(
                x + 1.25 * (tip[0] - x), y + 1.2 * (tip[1] - y), name, colour=colour, size=11
            )
        canvas.text(x, 5.15, f"query at {query}, key at {key}:", size=11)
        canvas.text(
            x,
            5.85,
            f"{math.degrees(further):.0f}° from query to key",
            size=11,
            bold=True,
        )
        said.append(
            f"query at {query}, key at {key}, the key {math.degrees(further):.0f} degrees further"
        )
    canvas.show(
        f"{len(pairs)} circles with two arrows each, turned by their positions, and an arrow "
        f"from query to key, counterclockwise: {'; '.join(said)}."
    )


def _draw_arc(
    canvas: Canvas,
    middle: tuple[float, float],
    radius: float,
    start: float,
    turn: float,
    colour: str,
    *,
    tip: bool = False,
) -> None:
    """Draw a part of a circle, counterclockwise from an angle on, in radians.

    Args:
        canvas: where to draw.
        middle, radius: of the circle.
        start, turn: the first angle, and how far the arc goes on.
        colour: of the line.
        tip: True for an arrowhead at the end.
    """
    angles = [start + turn * step / 90 for step in range(91)]
    points = [
        (middle[0] + radius * math.cos(one), middle[1] - radius * math.sin(one)) for one in angles
    ]
    for one, other in pairwise(points):
        canvas.line(one, other, colour)
    if tip:
        canvas.arrow(points[-1 - round(90 * min(1, 0.3 / turn))], points[-1], colour=colour)


def show_shared_heads(heads: int, kv_heads: int) -> None:
    """Show which query heads share a key-value head.

    Args:
        heads, kv_heads: how many there are of each.
    """
    canvas, names = Canvas(2 * heads + 12, 4.4), ("query heads", "key-value heads")
    left = (canvas.width - 2 * heads + canvas.token_width(names[1])) / 2
    group = heads // kv_heads
    for head in range(heads):
        shared = head // group
        middle = left + 2 * (shared * group + (group - 1) / 2) + 0.9
        canvas.line((left + 2 * head + 0.9, 1.5), (middle, 2.9))
        canvas.box(left + 2 * head, 0.3, 1.8, 1.2, f"{head + 1}", SKY)
    for shared in range(kv_heads):
        middle = left + 2 * (shared * group + (group - 1) / 2) + 0.9
        canvas.box(middle - 1.3, 2.9, 2.6, 1.2, f"{shared + 1}", ORANGE)
    for y, name in zip((0.9, 3.5), names, strict=True):
        canvas.text(left - 0.4, y, name, align="right")
    canvas.show(
        f"{heads} query heads above {kv_heads} key-value heads; lines join each key-value head "
        f"with the {group} query heads that share it."
    )


def show_batch(prompts: Sequence[int], answers: Sequence[int]) -> None:
    """Show a padded batch: padding on the left, prompts, answers, and rows that have ended.

    Args:
        prompts: tokens of each prompt.
        answers: tokens of each answer.
    """
    longest, steps = max(prompts), max(answers)
    canvas = Canvas(24, 1.2 * len(prompts) + 2.6)
    unit = 21 / (longest + steps)
    for row, (prompt, answer) in enumerate(zip(prompts, answers, strict=True)):
        y, start = 1.2 * row + 1.1, 2 + unit * longest
        canvas.text(1.8, y + 0.5, f"row {row + 1}", align="right", size=11)
        if longest > prompt:
            canvas.box(2, y, unit * (longest - prompt), 1, "", PALE)
        canvas.box(start - unit * prompt, y, unit * prompt, 1, f"{prompt}", SKY)
        canvas.box(start, y, unit * answer, 1, f"{answer}", ORANGE)
        if unit * (steps - answer) > 0.5:  # a narrower box cannot be told from a fault
            canvas.box(start + unit * answer, y, unit * (steps - answer), 1, "", PALE, dashed=True)
    canvas.line((2 + unit * longest, 0.7), (2 + unit * longest, 1.2 * len(prompts) + 1.2), "black")
    canvas.text(2 + unit * longest, 0.4, "the first new token", size=11)
    meanings = {"padding": PALE, "prompt": SKY, "answer": ORANGE, "row has ended": None}
    canvas.key(2, 1.2 * len(prompts) + 1.9, meanings)
    said = "; ".join(
        f"row {row + 1}: {longest - prompt} of padding, {prompt} of prompt, {answer} of answer"
        for row, (prompt, answer) in enumerate(zip(prompts, answers, strict=True))
    )
    canvas.show(f"{len(prompts)} rows of a batch, in tokens. {said}.")


def show_rounding(
    weights: Sequence[float], above: tuple[str, Sequence[float]], below: tuple[str, Sequence[float]]
) -> None:
    """Show how weights on a line move to the nearest places that two numbers of bits can express.

    Args:
        weights: the numbers that are rounded.
        above, below: name of each form, such as "4 bits: 4 of 16 places", and the places.
    """
    figure, axes = new_picture(
        "A cutout: each weight moves to the nearest place", "weight", "", grid="x", height=2.9
    )
    said = []
    for row, (name, places) in ((1, above), (-1, below)):
        axes.vlines(places, row - 0.2, row + 0.2, color=ORANGE, linewidth=1.6)
        for weight in weights:
            _, nearest = min((abs(place - weight), place) for place in places)
            axes.plot([weight, nearest], [0.2 * row, 0.8 * row], color=FAINT, linewidth=1)
        said.append(" ".join(name.split()))
    axes.vlines(weights, -0.2, 0.2, color=BLUE, linewidth=1.6)
    axes.set_yticks([1, 0, -1], [above[0], "weights", below[0]], fontsize=FONT)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    show(
        figure,
        f"A cutout: {len(weights)} weights from {min(weights):.3f} to {max(weights):.3f}, and "
        f"lines to the nearest places: above, {said[0]}; below, {said[1]}.",
    )


def show_memory_limit(sizes: Mapping[str, float], bandwidth: float) -> None:
    """Show weights that pass from the memory to the processor once per token.

    Args:
        sizes: bytes of the weights in each form, by its name.
        bandwidth: bytes per second.
    """
    canvas = Canvas(24, 2 * len(sizes) + 1.6)
    largest = max(sizes.values())
    canvas.text(4.5, 0.6, "weights in memory", size=11, colour=FAINT)
    canvas.text(14.2, 0.6, "read once per token", size=11, colour=FAINT)
    canvas.text(20.8, 0.6, "at most", size=11, colour=FAINT)
    for row, (name, size) in enumerate(sizes.items()):
        y, width = 2 * row + 1.2, 9 * size / largest
        canvas.box(9.2 - width, y, width, 1.6, f"{name}\n{size / 1e9:.2f} GB", SKY)
        canvas.arrow((9.4, y + 0.8), (18.2, y + 0.8), f"at {bandwidth / 1e9:.1f} GB per second")
        canvas.box(18.3, y, 5.2, 1.6, f"{bandwidth / size:.0f} tokens/s", ORANGE)
    said = "; ".join(
        f"{name} {size / 1e9:.2f} GB, at most {bandwidth / size:.0f} tokens per second"
        for name, size in sizes.items()
    )
    canvas.show(
        f"Boxes as long as the weights, read at {bandwidth / 1e9:.1f} GB per second: {said}."
    )


def show_fusing(names: Sequence[str], program: str) -> None:
    """Show kernels that are started one by one, and the fewer ones that a compiler makes of them.

    Args:
        names: operations of the kernels in order, such as "mul".
        program: what the compiler has written.
    """
    groups = fused_groups(names, started_kernels(program))
    canvas = Canvas(24, 6.6)
    width, x = 23.6 / len(names), 0.2
    canvas.text(0.2, 0.5, f"as written: {len(names)} kernels", align="left", bold=True)
    canvas.text(0.2, 5.9, f"compiled: {len(groups)} kernels", align="left", bold=True)
    for group in groups:
        colour, wide = ORANGE if len(group) > 1 else SKY, width * max(len(group), 1)
        for place in group:
            left = 0.2 + place * width
            canvas.box(left, 1, width, 1.3, names[place], colour, size=10.5)
            end, line = (x + wide / 2, 3.9), ORANGE if len(group) > 1 else FAINT
            canvas.line((left + width / 2, 2.3), end, line)
        label = " · ".join(names[place] for place in group)
        canvas.box(x, 3.9, wide, 1.3, label, colour, size=10.5)
        x += wide
    canvas.key(9, 5.9, {"several operations fused": ORANGE, "one operation": SKY})
    said = "; ".join(" and ".join(names[n] for n in group) for group in groups if len(group) > 1)
    canvas.show(
        f"Above, {len(names)} boxes, one per kernel. Below, the {len(groups)} that are left when "
        f"neighbours are fused: {said}."
    )


def started_kernels(program: str) -> list[str]:
    """Find the kernels that a compiled program starts, in order.

    >>> started_kernels("    cpp_fused_mul_0(a, b)\\n    extern_kernels.mm(b, c, out=d)")
    ['cpp_fused_mul_0', 'extern_kernels.mm']
    """
    start = r"^ +(?:\w+ = )?(\w+_fused_\w+|extern_kernels\.\w+)[.(]"
    return re.findall(start, program, re.MULTILINE)


def fused_groups(names: Sequence[str], compiled: Sequence[str]) -> list[list[int]]:
    """Find the operations that each compiled kernel does, by its name.

    >>> fused_groups(["mul", "mean", "mm", "mul"], ["cpp_fused_mean_mul_0", "kernels.mm", "mul_1"])
    [[0, 1], [2], [3]]
    """
    left, groups = list(range(len(names))), []
    for kernel in compiled:
        parts, group = re.split(r"[._]", kernel), []
        for operation in dict.fromkeys(names):
            places = [place for place in left if names[place] == operation]
            if operation in parts and places:
                group.append(places[0])
        left = [place for place in left if place not in group]
        groups.append(sorted(group))
    return groups


def show_launches() -> None:
    """Show the time of one step on a GPU: kernels started one by one, and a captured step."""
    canvas = Canvas(24, 7.6)
    for y, name in ((0.8, "Python"), (2, "GPU"), (4.6, "Python"), (5.8, "GPU")):
        canvas.text(3.2, y + 0.45, name, align="right", size=11)
    canvas.text(0.2, 0.3, "one kernel at a time", align="left", bold=True)
    canvas.text(0.2, 4.1, "a captured step", align="left", bold=True)
    for kernel in range(7):
        canvas.box(3.5 + 2.6 * kernel, 0.8, 2.5, 0.9, "start", PALE, size=11)
        canvas.box(6.0 + 2.6 * kernel, 2, 0.75, 0.9, "", BLUE)
    canvas.text(12.9, 3.3, "idle in between", size=11, colour=FAINT)
    canvas.box(3.5, 4.6, 2.5, 0.9, "replay", ORANGE, size=11)
    for kernel in range(7):
        canvas.box(6.0 + 0.8 * kernel, 5.8, 0.75, 0.9, "", BLUE)
    canvas.arrow((3.5, 7.2), (23.5, 7.2))
    canvas.text(2.6, 7.2, "time", colour=FAINT, size=11)
    canvas.show(
        "Two timelines of the same 7 kernels. Above, Python starts them one by one, and the GPU is "
        "idle between them. Below, Python starts a replay once, and the kernels follow each other."
    )


def show_shares(title: str, shares: Mapping[str, int], what: str) -> None:
    """Show the parts of a whole as boxes in a row, as wide as their shares.

    Args:
        title: a sentence that states the finding.
        shares: number of each part, by its name.
        what: name of the numbers.
    """
    total, x = sum(shares.values()), 0.2
    canvas = Canvas(24, 3.5, title)
    for (name, number), colour in zip(
        shares.items(), (SKY, ORANGE, BLUE, GREEN, PINK), strict=False
    ):
        width = 23.6 * number / total
        wide = width > 3
        canvas.box(x, 0.8, width, 1.8, f"{name}\n{number / total:.0%}" if wide else "", colour)
        if not wide:
            canvas.text(x, 3, f"{name} {number / total:.0%}", align="left", size=11)
        x += width
    said = "; ".join(f"{name} {number:,} ({number / total:.0%})" for name, number in shares.items())
    canvas.show(f"A bar cut into {len(shares)} parts, {what}: {said}.")


def show_time_parts(title: str, parts: Mapping[str, tuple[float, float]]) -> None:
    """Show the time per token in two pieces: reading from memory, and the rest.

    Args:
        title: a sentence that states the finding.
        parts: milliseconds of the reading and of the rest, by the name of the form.
    """
    canvas = Canvas(24, 1.3 * len(parts) + 1.8, title)
    unit = 17 / max(map(sum, parts.values()))
    for row, (name, (reading, rest)) in enumerate(parts.items()):
        y = 1.3 * row + 0.2
        canvas.text(3.8, y + 0.55, name, align="right", size=11)
        canvas.box(4, y, unit * reading, 1.1, f"{reading:.0f}", SKY)
        canvas.box(4 + unit * reading, y, unit * rest, 1.1, f"{rest:.0f}", ORANGE)
        canvas.text(
            4.2 + unit * (reading + rest), y + 0.55, f"{reading + rest:.0f} ms", align="left"
        )
    meanings = {"reading from memory, at full speed": SKY, "everything else": ORANGE}
    canvas.key(3, 1.3 * len(parts) + 1, meanings)
    said = "; ".join(f"{name} {one:.0f} and {other:.0f}" for name, (one, other) in parts.items())
    canvas.show(
        f"Bars of two pieces, milliseconds per token: reading from memory, and the rest. {said}."
    )
