"""Drawings of chapter 4: distributions, darts, votes as squares, curves, the tries of a thought."""

import math
import os
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.colors import to_rgb

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

FRACTION = re.compile(r"\\frac\{([^{}]*)\}\{([^{}]*)\}")


def show_temperatures(tokens: Sequence[str], shares: Mapping[float, Sequence[float]]) -> None:
    """Show the probabilities of a few tokens, in per cent, at several temperatures.

    Args:
        tokens: their texts.
        shares: probabilities of the tokens at each temperature.
    """
    figure = new_figure(height=2.8)
    said = []
    panels = figure.subplots(1, len(shares), sharey=True)
    for axes, (degree, values), colour in zip(panels, shares.items(), COLOURS, strict=False):
        places = range(len(tokens))
        bars = axes.bar(places, [100 * value for value in values], color=colour)
        axes.bar_label(bars, fmt="%.0f", fontsize=FONT - 2)
        style_axes(axes, "next token", "", grid="y")
        axes.set_xticks(places, [token.strip() or repr(token) for token in tokens])
        axes.set_title(f"T = {degree:g}", fontsize=FONT + 1)
        listed = ", ".join(
            f"{token!r} {value:.0%}" for token, value in zip(tokens, values, strict=True)
        )
        said.append(f"T = {degree:g}: {listed}")
    panels[0].set_ylabel("probability, %", fontsize=FONT)
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
        f"How many tokens does it take to reach p = {p:g}?",
        "next token, the likeliest first", "probability", grid="y", height=4,
    )  # fmt: skip
    places = list(range(len(tokens)))
    for label, colour, some in (("kept", BLUE, places[:kept]), ("cut off", PALE, places[kept:])):
        axes.bar(some, [shares[n] for n in some], color=colour, label=label)
    axes.plot(places, sums, color=ORANGE, marker="o", label="running sum")
    axes.axhline(p, color=RED, linestyle="--", label=f"p = {p:g}")
    axes.plot(
        [kept - 1], [sums[kept - 1]], color=RED, linestyle="", marker="o", markersize=13,
        fillstyle="none", label="the last one kept",
    )  # fmt: skip
    names = [token.strip() or repr(token) for token in tokens]
    under = [f"{name}\n{share:.1%}" for name, share in zip(names, shares, strict=True)]
    axes.set_xticks(places, under)
    axes.set_ylim(0, 1.08)
    figure.legend(loc="outside lower center", ncols=3, frameon=False, fontsize=FONT)
    listed = ", ".join(
        f"{token!r} {share:.1%} (sum {total:.1%})"
        for token, share, total in zip(tokens, shares, sums, strict=True)
    )
    show(
        figure, f"Bars and a rising line: {listed}. The line reaches {p:g} at {tokens[kept - 1]!r}."
    )


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
        label = f"{token.strip() or token}\n{shares[place]:.0%}"
        colour = COLOURS[place] if place < len(COLOURS) else PALE
        canvas.box(start, 11, end - start, 8, label, colour)
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

    Answers that are long stand beside letters, below the squares.

    Args:
        answers: of the samples; None for a sample without an answer.
        stops: number of samples after which each rule stops, under the rule's name.
        reference: the right answer, whose squares are blue and marked; None: the answer with most
            votes is blue, and no square is marked.
    """
    # 1. Name the answers, most votes first, and give each a text that fits into a square.
    names = [answer for answer, _ in Counter(answers).most_common()]
    plain = ["-" if name is None else FRACTION.sub(r"\1/\2", name) for name in names]
    letters = max(map(len, plain)) * max(len(answers), 8)  # that a row must have room for
    long = letters > 80
    size = FONT - 3 if 60 < letters <= 80 else FONT
    labels = [chr(ord("A") + rank) for rank in range(len(names))] if long else plain
    coloured = [reference, *(name for name in names if name != reference)]
    colours = dict(zip((name for name in coloured if name is not None), COLOURS, strict=False))
    stops = dict(sorted((stops or {}).items(), key=lambda stop: stop[1]))
    squares_end = 1.6 + 0.5 * (reference is not None)
    width = max(len(answers), 8)
    below = 0.75 * len(stops) + long * width / 24 * math.ceil(len(names) / 3)
    canvas = Canvas(width, squares_end + below + 0.2)
    # 2. The squares; right ones are marked.
    for place, answer in enumerate(answers):
        colour = PALE if answer is None else colours.get(answer, PALE)
        canvas.box(place, 0.6, 1, 1, labels[names.index(answer)], colour, size=size)
        canvas.text(place + 0.5, 0.3, str(place + 1), size=8, colour=FAINT)
        if reference is not None and answer == reference:
            canvas.text(place + 0.5, 1.85, "right", size=9)
    # 3. What the letters stand for, or where the rules stop.
    if long:
        for rank, name in enumerate(plain):
            x, y = width / 3 * (rank % 3), squares_end + width / 24 * (rank // 3 + 0.5)
            canvas.text(x + 0.1, y, f"{labels[rank]}: {name}", align="left", size=FONT - 1)
    for line, (name, after) in enumerate(stops.items()):
        y = squares_end + 0.65 + 0.75 * line
        canvas.arrow((after - 0.5, y + 0.1), (after - 0.5, squares_end))
        left = after * 24 / width > 3  # room for a short name
        canvas.text(
            after - 0.7 if left else after - 0.3, y, f"{name}: {after}",
            align="right" if left else "left",
        )  # fmt: skip
    # 4. The same in words.
    counted = [(name, answers.count(name)) for name in names]
    said = "; ".join(
        f"{'no answer' if name is None else f'answer {name}'}: {count} sample{'s' * (count > 1)}"
        for name, count in counted
    )
    if reference is not None:
        said += f". The right answer is {reference}"
    ends = "".join(f" {name} stops after {after}." for name, after in stops.items())
    canvas.show(f"{len(answers)} squares, one per sample: {said}.{ends}")


def show_won_votes(rights: Sequence[int], won: Sequence[bool], size: int) -> None:
    """Show a square per problem above its number of right samples, coloured by its vote.

    Problems whose samples are all right have a broken column where it would be the highest.

    Args:
        rights: number of right samples of each problem.
        won: True for a problem whose vote is right.
        size: number of samples of each problem.
    """
    rest = sorted((count, not win) for count, win in zip(rights, won, strict=True) if count < size)
    all_right = len(rights) - len(rest)
    together = f"{all_right} problem{'s' * (all_right != 1)}"
    heights = Counter(count for count, _ in rest)
    top = max([*heights.values(), 3])
    title = "A square per problem: vote right (blue) or wrong (orange)"
    canvas = Canvas(size + 1, top + 2.9, title)
    # 1. The squares, one half above the squares of its column, and the column of those all right.
    stacked: Counter[int] = Counter()
    for count, lost in rest:
        canvas.box(count, top - stacked[count] - 0.5, 1, 1, "", ORANGE if lost else BLUE)
        stacked[count] += 1
    beneath = top + 0.5 - heights[size // 2] * (size % 2 == 0)
    canvas.line((size / 2 + 0.5, 0.1), (size / 2 + 0.5, beneath))
    canvas.text(size / 2 + 0.3, 0.4, "one half", align="right", colour=FAINT)
    for place in range(min(all_right, top)):
        if all_right <= top or place in (0, top - 1):
            canvas.box(size, top - place - 0.5, 1, 1, "", BLUE)
    if all_right > top:
        canvas.text(size + 0.5, 0.5 + top / 2, str(all_right), size=FONT + 2)
        for middle in (1.75, top - 0.75) if top > 4 else ():
            canvas.text(size + 0.5, middle, "\N{VERTICAL ELLIPSIS}", size=FONT + 3)
    # 2. The axis.
    for count in range(size + 1):
        canvas.text(count + 0.5, top + 1.1, str(count), size=FONT - 1, colour=FAINT)
    canvas.text((size + 1) / 2, top + 2.2, f"right samples of {size} ({together} with all {size})")
    # 3. The same in words.
    said = [
        f"{below} of {total} {words}"
        for words, low, high in (
            ("below one half", 0, size / 2),
            ("on it", size / 2, size / 2 + 0.5),
            ("above", size / 2 + 0.5, size),
        )
        for total in [sum(low <= count < high for count, _ in rest)]
        for below in [sum(low <= count < high and not lost for count, lost in rest)]
    ]
    canvas.show(
        f"{len(rest)} squares, one per problem, by its right samples of {size}. "
        f"Votes that are right: {'; '.join(said)}. "
        f"One more column: {together}, each with {size} right samples."
    )


def show_beliefs(
    elections: Mapping[tuple[int, int], Sequence[float]], certainty: float = 0.95
) -> None:
    """Show what is known of the leader's true share after some votes, and if a rule stops there.

    Bars are the elections that were held, the line is the exact distribution.

    Args:
        elections: under the votes for the leader and for the runner-up, the leader's true shares
            in elections that ended so; a panel for each.
        certainty: the part beyond one half from which the rule stops.
    """
    figure = new_figure(height=3)
    bins = 20
    xs = [n / 400 for n in range(401)]
    said = []
    panels = figure.subplots(1, len(elections), sharey=True)
    for axes, ((a, b), shares) in zip(panels, elections.items(), strict=True):
        # 1. Bars whose areas sum to 1, and the density of Beta(a + 1, b + 1).
        counted = Counter(min(int(bins * share), bins - 1) for share in shares)
        middles = [(n + 0.5) / bins for n in range(bins)]
        heights = [bins * counted[n] / len(shares) for n in range(bins)]
        colours = [SKY if middle > 0.5 else PALE for middle in middles]
        axes.bar(middles, heights, width=1 / bins, color=colours, edgecolor="white", linewidth=0.5)
        scale = math.factorial(a + b + 1) / (math.factorial(a) * math.factorial(b))
        axes.plot(xs, [scale * x**a * (1 - x) ** b for x in xs], color=BLUE)
        axes.axvline(0.5, color="grey", linestyle=":")
        # 2. The exact part beyond one half, and what the rule makes of it.
        area = sum(math.comb(a + b + 1, k) for k in range(a + 1)) / 2 ** (a + b + 1)
        sign, stop = (">", "stop") if area > certainty else ("<", "go on")
        style_axes(axes, "leader's true share x", "", grid="y")
        axes.set_title(f"{a} : {b}\n{area:.1%} {sign} {certainty:.0%}: {stop}", fontsize=FONT)
        axes.set_xticks([0, 0.5, 1], ["0", "½", "1"])  # short: the panels stand close
        axes.set_yticks([])
        said.append(f"{a} to {b}: {area:.1%} beyond one half, {stop}")
    panels[0].set_ylabel("how often", fontsize=FONT)
    show(figure, f"{len(elections)} curves of the leader's true share. {'; '.join(said)}.")


Points = Mapping[str, tuple[float, float, Interval]]
Ways = Mapping[str, Points]


def show_frontier(
    panels: Mapping[str, Ways],
    cost: str = "tokens per problem",
    limits: tuple[float, float] = (0, 1.06),
    band: tuple[float, float, str] | None = None,
) -> None:
    """Show accuracy against cost: a line of points for each way of spending tokens, or time.

    Args:
        panels: under its title, the ways of each panel; they stand one below the other. Under the
            way's name its points: cost (at least 1), share of the problems that are right, and the
            share's 95 % interval, under a short name that is written beside the point. A point
            named "greedy" is not joined to the others.
        cost: the quantity, which begins with its unit.
        limits: lowest and highest share on the vertical axis.
        band: lowest and highest cost of a grey band, and the words in it.
    """
    figure = new_figure(height=1.4 + 3.3 * len(panels))
    said: list[str] = []
    drawn: list[tuple[Axes, list[tuple[Points, str]]]] = []  # each panel's ways, with their colours
    # 1. A line for each way.
    rows = figure.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0]
    for axes, (title, series) in zip(rows, panels.items(), strict=True):
        style_axes(axes, "", f"correct{f' (axis begins at {limits[0]:.0%})' if limits[0] else ''}")
        axes.set_title(title, fontsize=FONT + 1)
        ways = []
        for way, points in series.items():
            ways.append((points, COLOURS[len(said)]))
            _draw_way(axes, way, points, place=len(said))
            listed = ", ".join(
                f"{name}: {share:.0%} for {at:,.0f} {cost.partition(' ')[0]}"
                for name, (at, share, _) in points.items()
            )
            said.append(f"{way} ({listed})")
        drawn.append((axes, ways))
    # 2. Scales whose ticks do not collide, and the names of the lines below the picture.
    every = [points for series in panels.values() for points in series.values()]
    spent = [at for points in every for at, _, _ in points.values()]
    for axes in rows:
        axes.set_xscale("log")
        axes.margins(x=0.2)
        axes.set_ylim(*limits)
        axes.yaxis.set_major_formatter(lambda share, _: f"{share:.0%}")
        if band:
            axes.axvspan(*band[:2], color=PALE, alpha=0.5, linewidth=0, zorder=0)
            middle = math.sqrt(band[0] * band[1])  # of a logarithmic scale
            low = limits[0] + 0.02 * (limits[1] - limits[0])
            axes.text(middle, low, band[2], ha="center", va="bottom", fontsize=FONT)
    round_ones = (10, 30, 100, 300, 1000, 3000, 10000)
    ticks = [at for at in round_ones if 0.6 * min(spent) < at < 1.6 * max(spent)]
    rows[-1].set_xticks(ticks, [f"{at:,}" for at in ticks])
    rows[-1].minorticks_off()
    rows[-1].set_xlabel(f"{cost} (log scale; bars: 95 % intervals)", fontsize=FONT)
    columns = 2 if len(every) > 1 else 1
    figure.legend(loc="outside lower center", ncols=columns, frameon=False, fontsize=FONT)
    # 3. The points' names, where the layout leaves room.
    figure.draw_without_rendering()
    for axes, ways in drawn:
        _name_points(axes, ways)
    if band:
        said.append("A band from {:,.0f} to {:,.0f}: {}".format(*band).replace("\n", " "))
    show(figure, f"Points, correct against {cost}. {'. '.join(said)}.")


def _draw_way(axes: Axes, way: str, points: Points, place: int) -> None:
    tokens, shares, intervals = zip(*points.values(), strict=True)
    low = [share - interval[0] for share, interval in zip(shares, intervals, strict=True)]
    high = [interval[1] - share for share, interval in zip(shares, intervals, strict=True)]
    style, colour = LINE_STYLES[place], COLOURS[place]
    axes.errorbar(
        tokens, shares, (low, high), color=colour, capsize=2, linestyle="", marker=MARKERS[place],
        elinewidth=0.7,
    )  # fmt: skip
    at, joined = _joined(points)
    axes.plot(at, joined, color=colour, linestyle=style)
    in_legend = style if len(at) > 1 else ""
    axes.plot([], [], color=colour, linestyle=in_legend, marker=MARKERS[place], label=way)


def _joined(points: Points) -> tuple[list[float], list[float]]:
    """List costs and shares of the points that a line joins."""
    joined = [(at, share) for name, (at, share, _) in points.items() if name != "greedy"]
    return [at for at, _ in joined], [share for _, share in joined]


def _name_points(axes: Axes, series: Sequence[tuple[Points, str]]) -> None:
    """Write each point's name on the side of it where it hides least."""
    # 1. Places, in pixels, that a name should not cover: of lines and bars, later of other names.
    taken = []
    for points, _ in series:
        at, shares = _joined(points)
        for x, y, x_next, y_next in zip(at, shares, at[1:], shares[1:], strict=False):
            ends = axes.transData.transform([(x, y), (x_next, y_next)])
            taken += [ends[0] + (ends[1] - ends[0]) * n / 40 for n in range(41)]
        for x, y, (low, high) in points.values():
            heights = [low + (high - low) * n / 20 for n in range(21)]
            taken += [*axes.transData.transform([(x, height) for height in (y, *heights)])]
    # 2. Of eight sides of each point take the one where the name covers fewest of them.
    pixels = axes.figure.dpi / 72  # of a typographic point
    for points, colour in series:
        darker = [0.75 * part for part in to_rgb(colour)]
        for name, (x, y, _) in points.items():
            centre = axes.transData.transform((x, y))
            width, height = 0.62 * FONT * len(name) * pixels, 1.1 * FONT * pixels
            found: list[tuple[int, int, int, float, float]] = []  # the least hidden comes first
            for right, up in ((1, -1), (-1, 1), (1, 1), (-1, -1), (1, 0), (-1, 0), (0, 1), (0, -1)):
                aside, above = right * 7 * pixels, up * 9 * pixels
                left = centre[0] + aside - width * (1 - right) / 2
                bottom = centre[1] + above - height / 2
                inside = axes.bbox.x0 < left and left + width < axes.bbox.x1
                hidden = sum(
                    left - 3 < px < left + width + 3 and bottom - 2 < py < bottom + height + 2
                    for px, py in taken
                )
                found.append((hidden + 1000 * (not inside), len(found), right, left, bottom))
            _, _, right, left, bottom = min(found)
            taken += [(left + width * n / 6, bottom + height / 2) for n in range(7)]
            anchor = (left + width * (1 - right) / 2, bottom + height / 2)
            x_part, y_part = axes.transAxes.inverted().transform(anchor)
            axes.annotate(
                name, (x_part, y_part), xycoords="axes fraction",
                fontsize=FONT - 1, color=darker, weight="bold",
                ha=("center", "left", "right")[right], va="center",
            ).set_in_layout(False)  # fmt: skip


def show_tries(numbers: Sequence[int], target: int, tries: Sequence[tuple[str, str, bool]]) -> None:
    """Show a thought about three numbers as a tree, a branch for each try.

    Args:
        numbers, target: of the puzzle.
        tries: for each try its first step, what it leads to, and True if that is the target.
    """
    branches = [
        Node(
            step,
            [Node(results.replace(" ", " or "), colour=GREEN if fits else PALE)],
            GREEN if fits else SKY,
        )
        for step, results, fits in tries
    ]
    root = Node(f"{', '.join(map(str, numbers))}\nmake {target}", branches, ORANGE)
    width = max(2.6 * len(tries), 8)
    canvas = Canvas(width, 5.6)
    canvas.tree(0, 0.1, width, root, level=2.1, box=(2.4, 1.2))
    told = "; ".join(
        f"{step} leads to {results.replace(' ', ' or ')}{', which fits' if fits else ''}"
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
