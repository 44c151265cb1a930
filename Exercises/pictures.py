"""Draw what a reader's function does, where a picture says more than a verdict.

Each picture calls the function on a small example, right or wrong, or shows the numbers that a
capstone's check has measured.
"""

from collections.abc import Callable
from typing import Any

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from Appendixes.figure_style import (
    BLUE,
    GREEN,
    ORANGE,
    PALE,
    RED,
    describe,
    new_figure,
    new_picture,
)
from Exercises.cases import Verdict

SCORES = torch.tensor([2.0, 0.5, 1.6, -1.0, 1.1, 0.2, -0.4, 1.9])  # of an example's eight tokens
Tree = Any  # a number, or (sign, operand) or (sign, left, right)


def picture(name: str, function: Callable, verdict: Verdict) -> Figure | None:
    """Draw the picture of an exercise.

    Args:
        name: name of the exercise.
        function: the reader's function.
        verdict: of the attempt; a capstone's holds what was measured.

    Returns:
        None if there is no picture, or if the function cannot be run on the example.
    """
    draw = PICTURES.get(name)
    if draw is None:
        return None
    try:
        return draw(verdict.rows) if name in MEASURED else draw(function)
    except Exception:  # the verdict has said already what is wrong with the function
        return None


def draw_probabilities(function: Callable) -> Figure:
    """Draw eight probabilities that a function makes of eight scores."""
    values = function(torch.stack((-SCORES, SCORES))[None])[0].tolist()
    figure, axes = new_picture(
        f"Your probabilities sum to {sum(values):.3f}", "token", "probability", grid="y"
    )
    axes.bar(range(len(values)), values, color=BLUE)
    heights = ", ".join(f"{value:.3f}" for value in values)
    return describe(figure, f"Bars: the probabilities of eight tokens, {heights}.")


def draw_temperatures(function: Callable) -> Figure:
    """Draw one distribution at three temperatures, side by side."""
    figure, axes = new_picture(
        "The same scores at three temperatures: yours", "token", "probability", grid="y"
    )
    parts = []
    looks = ((0.5, BLUE, ""), (1.0, ORANGE, "//"), (2.0, GREEN, ".."))
    for place, (temperature, colour, hatch) in enumerate(looks):
        values = function(SCORES, temperature).tolist()
        places = [token + 0.27 * (place - 1) for token in range(len(values))]
        label = f"T = {temperature}"
        axes.bar(places, values, 0.26, color=colour, hatch=hatch, edgecolor="white", label=label)
        parts.append(f"at {label} the largest is {max(values):.3f}")
    axes.legend()
    return describe(figure, f"Bars: eight probabilities; {'; '.join(parts)}.")


def draw_nucleus(function: Callable) -> Figure:
    """Draw sorted probabilities and their running sum, with what was cut in grey."""
    p = 0.8
    kept = function(SCORES[None], p)[0].isfinite()
    order = SCORES.argsort(descending=True)
    values = SCORES.softmax(dim=-1)[order].tolist()
    stays = kept[order].tolist()
    figure, axes = new_picture(
        f"Your nucleus for p = {p}: {sum(stays)} of {len(stays)} tokens stay",
        "tokens, from the likeliest down",
        "probability",
        grid="y",
    )
    colours = [BLUE if stay else PALE for stay in stays]
    hatches = ["" if stay else "//" for stay in stays]
    places = range(len(values))
    axes.bar(places, values, color=colours, hatch=hatches, edgecolor="white")
    running = torch.tensor(values).cumsum(0).tolist()
    axes.plot(places, running, color=RED, marker="o", label="sum so far")
    axes.axhline(p, color="grey", linestyle="--", label=f"p = {p}")
    axes.set_xticks(list(places), [str(token) for token in order.tolist()])
    axes.legend(loc="center right")
    names = ", ".join(str(t) for t, stay in zip(order.tolist(), stays, strict=True) if stay)
    return describe(figure, f"Bars with their running sum; the tokens {names} stay for p = {p}.")


def draw_attention(function: Callable) -> Figure:
    """Draw the weights with which each position looks at each, which values of 1 make visible."""
    seq = 6
    q, k = (torch.randn(1, seq, seq, generator=torch.Generator().manual_seed(n)) for n in (0, 1))
    weights = function(2 * q, k, torch.eye(seq)[None])[0]
    title = "Your weights: each row looks at itself and at what stands before it"
    figure, axes = _grid(weights, title)
    axes.set_xlabel("key at position")
    axes.set_ylabel("query at position")
    later = weights.triu(1).abs().max().item()
    told = f"Squares: {seq} queries by {seq} keys. The largest weight on a later key is {later:.3f}"
    return describe(figure, f"{told}.")


def _grid(values: torch.Tensor, title: str) -> tuple[Figure, Axes]:
    figure = new_figure()
    axes = figure.subplots()
    axes.set_title(title, fontsize=11)
    axes.imshow(values.detach().numpy(), cmap="Blues", vmin=0, vmax=1)
    axes.set_xticks(range(values.shape[1]))
    axes.set_yticks(range(values.shape[0]))
    return figure, axes


def draw_sums(function: Callable) -> Figure:
    """Draw the tree of a sum of products."""
    return _tree(function(["8", "-", "2", "*", "3", "-", "1"]), "8 - 2 * 3 - 1")


def draw_powers(function: Callable) -> Figure:
    """Draw the tree of an expression with brackets, a minus sign and powers."""
    tokens = ["-", "2", "^", "3", "^", "2", "*", "(", "1", "+", "5", ")"]
    return _tree(function(tokens), "-2^3^2 * (1 + 5)")


def _tree(tree: Tree, text: str) -> Figure:
    figure = new_figure()
    axes = figure.subplots()
    axes.set_title(f"Your tree of {text}: what is computed first stands lowest", fontsize=11)
    axes.axis("off")
    leaves = 0

    def place(node: Tree, depth: int) -> float:
        """Draw a node below those it belongs to, and return how far right it stands."""
        nonlocal leaves
        if not isinstance(node, tuple):
            leaves += 1
            _node(axes, leaves, depth, str(node), PALE)
            return leaves
        children = [place(child, depth + 1) for child in node[1:]]
        middle = sum(children) / len(children)
        for child in children:
            axes.plot((middle, child), (-depth, -depth - 1), color="grey", zorder=0)
        _node(axes, middle, depth, str(node[0]), ORANGE)
        return middle

    place(tree, 0)
    axes.margins(0.15)
    return describe(figure, f"A tree: {tree!r}.")


def _node(axes: Axes, x: float, depth: int, text: str, colour: str) -> None:
    box = {"boxstyle": "circle", "facecolor": colour, "edgecolor": "none"}
    axes.text(x, -depth, text, ha="center", va="center", fontsize=13, bbox=box)


def draw_leads(function: Callable) -> Figure:
    """Draw the Beta curves of three leads, with the probability that the reader computes."""
    figure, axes = new_picture(
        "How surely the leader leads: your probabilities",
        "share of the leader, in the long run",
        "density",
    )
    x = torch.linspace(0, 1, 201, dtype=torch.float64)
    parts = []
    for (a, b), colour, style in zip(
        ((3, 0), (4, 0), (4, 1)), (BLUE, ORANGE, GREEN), ("-", "--", "-."), strict=True
    ):
        density = x**a * (1 - x) ** b
        density = density / torch.trapezoid(density, x)
        label = f"{a} : {b}, {function(a, b):.3f} beyond 1/2"
        axes.plot(x, density, color=colour, linestyle=style, label=label)
        axes.fill_between(x[100:], density[100:], color=colour, alpha=0.12)
        parts.append(label)
    axes.axvline(0.5, color="grey", linewidth=0.8)
    axes.legend(loc="upper left")
    return describe(figure, f"Three curves over the leader's share: {'; '.join(parts)}.")


def draw_race(rows: list[tuple[int, int, int]]) -> Figure:
    """Draw the positions read, token by token, without a cache and with one."""
    tokens, without, within = zip(*rows, strict=True)
    figure, axes = new_picture(
        f"After {tokens[-1]} tokens your cache has saved {1 - within[-1] / without[-1]:.0%} "
        "of the reading",
        "tokens written",
        "positions read in all",
    )
    axes.plot(tokens, without, color=RED, linestyle="--", label="generate_by_hand")
    axes.plot(tokens, within, color=BLUE, label="stream_with_cache")
    axes.legend()
    told = f"{without[-1]:,} positions without a cache, {within[-1]:,} with one"
    return describe(figure, f"Two lines over tokens written: in the end {told}.")


def draw_votes(rows: list[tuple[int, float, float]]) -> Figure:
    """Draw accuracy against tokens per problem, a point per size of the vote."""
    return _accuracy(rows, "Your votes on linear systems: accuracy against tokens", "vote of {}")


def draw_budgets(rows: list[tuple[int, float, float]]) -> Figure:
    """Draw accuracy against tokens per problem, a point per thinking budget."""
    return _accuracy(rows, "Your thinking budget: accuracy against tokens", "budget {}")


def _accuracy(rows: list[tuple[int, float, float]], title: str, label: str) -> Figure:
    figure, axes = new_picture(title, "tokens per problem", "problems right (%)")
    axes.plot([row[2] for row in rows], [100 * row[1] for row in rows], color=BLUE, marker="o")
    for size, share, tokens in rows:
        name = label.format(size)
        axes.annotate(name, (tokens, 100 * share), (4, 5), textcoords="offset points")
    axes.set_ylim(0, 105)
    axes.margins(x=0.15)
    parts = [f"{label.format(size)}: {share:.0%} for {tokens:.0f}" for size, share, tokens in rows]
    return describe(figure, f"Points, accuracy for tokens per problem. {'; '.join(parts)}.")


PICTURES: dict[str, Callable[[Any], Figure]] = {
    "next_token_probabilities": draw_probabilities,
    "with_temperature": draw_temperatures,
    "keep_nucleus": draw_nucleus,
    "attend": draw_attention,
    "parse_sums": draw_sums,
    "parse_powers": draw_powers,
    "leading_probability": draw_leads,
    "race": draw_race,
    "vote_curve": draw_votes,
    "budget_curve": draw_budgets,
}
MEASURED = ("race", "vote_curve", "budget_curve")  # drawn from what their check has measured
