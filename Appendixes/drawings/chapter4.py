"""Drawings of chapter 4: distributions, darts, votes as squares, curves, the tries of a thought."""

import math
import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from Appendixes.drawings.canvas import FAINT, Canvas, Node
from Appendixes.drawings.charts import COLOURS, LINE_STYLES, MARKERS, Interval
from Appendixes.figure_style import (
    BLUE,
    FONT,
    GREEN,
    ORANGE,
    PALE,
    RED,
    SKY,
    new_figure,
    new_picture,
    show,
    style_axes,
)


def show_temperatures(tokens: Sequence[str], shares: Mapping[float, Sequence[float]]) -> None:
    """Show the probabilities of a few tokens at several temperatures, a panel for each.

    Args:
        tokens: their texts.
        shares: probabilities of the tokens at each temperature.
    """
    figure = new_figure(height=2.8)
    said = []
    panels = figure.subplots(1, len(shares), sharey=True)
    for axes, (degree, values), colour in zip(panels, shares.items(), COLOURS, strict=False):
        places = range(len(tokens))
        axes.bar(places, list(values), color=colour)
        style_axes(axes, "next token", "", grid="y")
        axes.set_xticks(places, [token.strip() or repr(token) for token in tokens])
        axes.set_title(f"T = {degree:g}", fontsize=FONT + 1)
        listed = ", ".join(
            f"{token!r} {value:.0%}" for token, value in zip(tokens, values, strict=True)
        )
        said.append(f"T = {degree:g}: {listed}")
    panels[0].set_ylabel("probability", fontsize=FONT)
    show(figure, f"Bars at {len(shares)} temperatures. {'. '.join(said)}.")


def show_nucleus(tokens: Sequence[str], shares: Sequence[float], p: float) -> None:
    """Show sorted probabilities, their running sum, and where it crosses p.

    Args:
        tokens: texts of the most likely tokens, the likeliest first.
        shares: their probabilities.
        p: that the nucleus must reach.
    """
    sums = [math.fsum(shares[: n + 1]) for n in range(len(shares))]
    kept = next((n + 1 for n, total in enumerate(sums) if total >= p), len(sums))
    figure, axes = new_picture(
        f"The first {kept} tokens reach p = {p:g}; the others are cut off",
        "next token, the likeliest first", "probability", grid="y", height=3.6,
    )  # fmt: skip
    places = list(range(len(tokens)))
    axes.bar(places, list(shares), color=[BLUE if n < kept else PALE for n in places])
    axes.plot(places, sums, color=ORANGE, marker="o", label="running sum")
    axes.axhline(p, color=RED, linestyle="--", label=f"p = {p:g}")
    axes.plot([kept - 1], [sums[kept - 1]], marker="o", markersize=13, color=RED, fillstyle="none")
    axes.set_xticks(places, [token.strip() or repr(token) for token in tokens])
    axes.set_ylim(0, 1.08)
    axes.legend(frameon=False, fontsize=FONT, loc="center right")
    listed = ", ".join(
        f"{token!r} {share:.1%} (sum {total:.1%})"
        for token, share, total in zip(tokens, shares, sums, strict=True)
    )
    show(figure, f"Bars and a rising line: {listed}. The line crosses {p:g} at token {kept}.")


def show_darts(tokens: Sequence[str], shares: Sequence[float], darts: Sequence[float]) -> None:
    """Show tokens as pieces of a line from 0 to 1, and darts that hit it.

    Args:
        tokens: texts of the tokens, in the order of their pieces.
        shares: their probabilities, which sum to 1.
        darts: numbers from 0 to 1.
    """
    canvas = Canvas(100, 26)
    ends = [100 * math.fsum(shares[: n + 1]) for n in range(len(shares))]
    for place, (token, end) in enumerate(zip(tokens, ends, strict=True)):
        start = ends[place - 1] if place else 0.0
        canvas.box(start, 11, end - start, 8, token.strip() or token, COLOURS[place % len(COLOURS)])
    canvas.text(0, 22.5, "0", colour=FAINT, align="left")
    canvas.text(100, 22.5, "1", colour=FAINT, align="right")
    said = []
    for dart in darts:
        hit = next((n for n, end in enumerate(ends) if 100 * dart < end), len(ends) - 1)
        canvas.arrow((100 * dart, 4.5), (100 * dart, 11))
        canvas.text(min(max(100 * dart, 4), 96), 2.5, f"{dart:.2f}")
        said.append(f"{dart:.2f} hits {tokens[hit]!r}")
    pieces = ", ".join(f"{t!r} {share:.0%}" for t, share in zip(tokens, shares, strict=True))
    canvas.show(f"A line from 0 to 1, cut into pieces: {pieces}. Darts: {', '.join(said)}.")


def show_votes(
    answers: Sequence[str | None],
    stops: Mapping[str, int] | None = None,
    reference: str | None = None,
) -> None:
    """Show one square per sample, in order, with a colour per answer.

    Args:
        answers: of the samples; None for a sample without an answer.
        stops: number of samples after which each rule stops, under the rule's name.
        reference: the right answer, whose squares have a frame; None: no square has one.
    """
    names = [answer for answer, _ in Counter(answers).most_common()]
    stops = dict(sorted((stops or {}).items(), key=lambda stop: stop[1]))
    canvas = Canvas(max(len(answers), 8), 2.6 + 0.75 * len(stops))
    for place, answer in enumerate(answers):
        rank = names.index(answer)
        colour = COLOURS[rank] if rank < len(COLOURS) and answer is not None else PALE
        canvas.square(place, 0.6, "-" if answer is None else answer, colour)
        canvas.text(place + 0.5, 0.3, str(place + 1), size=8, colour=FAINT)
        if reference is not None and answer == reference:
            canvas.line((place + 0.12, 1.72), (place + 0.88, 1.72), colour="black")
    for line, (name, after) in enumerate(stops.items()):
        y = 2.45 + 0.75 * line
        canvas.arrow((after - 0.5, y - 0.1), (after - 0.5, 1.6))
        left = after > 6
        canvas.text(
            after - 0.75 if left else after - 0.25, y, f"{name}: stops after {after}",
            align="right" if left else "left",
        )  # fmt: skip
    said = "; ".join(f"{name or 'no answer'} {answers.count(name)} times" for name in names)
    if reference is not None:
        said += f". The right answer is {reference}"
    ends = "".join(f" {name} stops after {after}." for name, after in stops.items())
    canvas.show(f"{len(answers)} squares, one per sample: {said}.{ends}")


def show_beliefs(votes: Sequence[tuple[int, int]], certainty: float = 0.95) -> None:
    """Show what votes say about the leader's true share: the area beyond one half.

    Args:
        votes: pairs of votes, for the leader and for the runner-up; a panel for each.
        certainty: the area from which the rule stops.
    """
    figure = new_figure(height=2.8)
    xs = [n / 400 for n in range(401)]
    said = []
    panels = figure.subplots(1, len(votes), sharey=True)
    for axes, (a, b) in zip(panels, votes, strict=True):
        scale = math.factorial(a + b + 1) / (math.factorial(a) * math.factorial(b))
        density = [scale * x**a * (1 - x) ** b for x in xs]
        area = sum(math.comb(a + b + 1, k) for k in range(a + 1)) / 2 ** (a + b + 1)
        axes.plot(xs, density, color=BLUE)
        axes.fill_between(xs, density, where=[x >= 0.5 for x in xs], color=SKY, alpha=0.6)
        axes.axvline(0.5, color="grey", linestyle=":")
        style_axes(axes, "leader's true share x", "", grid="y")
        stop = "stop" if area > certainty else "go on"
        axes.set_title(f"{a} : {b}    {area:.1%}, {stop}", fontsize=FONT)
        said.append(f"{a} to {b}: {area:.1%} beyond one half, {stop}")
    panels[0].set_ylabel("density", fontsize=FONT)
    show(figure, f"{len(votes)} curves of the leader's true share. {'; '.join(said)}.")


def show_frontier(
    title: str,
    series: Mapping[str, Mapping[str, tuple[float, float, Interval]]],
    y_label: str = "correct",
) -> None:
    """Show accuracy against tokens: a line of points for each way of spending them.

    Args:
        title: a sentence that states the finding.
        series: under the way's name, its points: tokens per problem (at least 1), share of the
            problems that are right, and the share's 95 % interval, under a short name that is
            written beside the point; a name that begins with "_" is not written.
        y_label: the share's name.
    """
    figure, axes = new_picture(title, "tokens per problem (logarithmic)", y_label, height=4.2)
    said = []
    for place, (way, points) in enumerate(series.items()):
        tokens, shares, intervals = zip(*points.values(), strict=True)
        low = [share - interval[0] for share, interval in zip(shares, intervals, strict=True)]
        high = [interval[1] - share for share, interval in zip(shares, intervals, strict=True)]
        axes.errorbar(
            tokens, shares, (low, high), label=way, color=COLOURS[place], capsize=3,
            linestyle=LINE_STYLES[place], marker=MARKERS[place], elinewidth=0.8,
        )  # fmt: skip
        for name, at, share in zip(points, tokens, shares, strict=True):
            if not name.startswith("_"):
                axes.annotate(
                    name, (at, share), (5, -12), textcoords="offset points", fontsize=FONT - 2
                )
        listed = ", ".join(
            f"{name.lstrip('_')} {share:.0%} for {at:,.0f}"
            for name, at, share in zip(points, tokens, shares, strict=True)
        )
        said.append(f"{way}: {listed}")
    axes.set_xscale("log")
    axes.set_ylim(0, 1.02)
    axes.yaxis.set_major_formatter(lambda share, _: f"{share:.0%}")
    axes.legend(frameon=False, fontsize=FONT, loc="lower right")
    show(figure, f"Points, {y_label} against tokens per problem. {'. '.join(said)}.")


def show_tries(numbers: Sequence[int], target: int, tries: Sequence[tuple[str, str, bool]]) -> None:
    """Show a thought about three numbers as a tree, a branch for each try.

    Args:
        numbers, target: of the puzzle.
        tries: for each try its first step, what it leads to, and True if that is the target.
    """
    branches = [
        Node(step, [Node(results, colour=GREEN if fits else PALE)], GREEN if fits else SKY)
        for step, results, fits in tries
    ]
    root = Node(f"{', '.join(map(str, numbers))}\nmake {target}", branches, ORANGE)
    width = max(2.6 * len(tries), 8)
    canvas = Canvas(width, 6)
    canvas.tree(0, 0.1, width, root, level=2.1, box=(2.4, 1.2))
    told = "; ".join(
        f"{step} leads to {' or '.join(results.split())}{', which fits' if fits else ''}"
        for step, results, fits in tries
    )
    canvas.show(f"A tree with {len(tries)} branches, in the order of the thought: {told}.")


def explore(function: Callable[..., None], **ranges: tuple[float, float, float, float]) -> None:
    """Call a function with sliders in JupyterLab, and once with the first values on a page.

    Args:
        function: draws a picture of the sliders' values.
        ranges: first value, smallest, largest and step of each slider.
    """
    if os.environ.get("NOTEBOOK_PAGE"):  # set where the notebook is executed for a page
        function(**{name: first for name, (first, *_) in ranges.items()})
        return
    from ipywidgets import FloatSlider, interact

    sliders = {
        name: FloatSlider(value=first, min=low, max=high, step=step, continuous_update=False)
        for name, (first, low, high, step) in ranges.items()
    }
    interact(function, **sliders)
