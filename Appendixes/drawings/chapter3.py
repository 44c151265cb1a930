"""Drawings of chapter 3: who gets an operand, a tree, curves that meet, intervals."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from Appendixes.drawings.canvas import FAINT, Canvas, Node, leaves
from Appendixes.drawings.charts import COLOURS, LINE_STYLES, Interval
from Appendixes.figure_style import BLUE, FONT, GREEN, ORANGE, PALE, RED, SKY, new_picture, show

KINDS = {"operator": SKY, "number": PALE, "letter": ORANGE}  # of a tree's nodes


def show_strengths(symbols: Sequence[str], strengths: Mapping[str, int]) -> None:
    """Show how operators take their operands, the strongest first: one row for each step.

    Args:
        symbols: operands and operators in turn, beginning and ending with an operand.
        strengths: of the operators; of equally strong ones the left one is first.
    """
    box, gap, level = 2.2, 0.9, 2.3
    whole = len(symbols) * (box + gap) - gap
    row = [(symbol, place * (box + gap), box) for place, symbol in enumerate(symbols)]
    canvas = Canvas(whole + 4, level * (len(symbols) // 2))
    top, said = 0.1, []
    while len(row) > 1:
        # 1. Draw the row, its strengths, and who gets each operand (crossed out: who does not).
        for symbol, x, width in row:
            canvas.box(x + 2, top, width, 1.1, symbol, SKY if symbol in strengths else PALE)
            if symbol in strengths:
                name = f"strength {strengths[symbol]}"
                canvas.text(x + 2 + width / 2, top + 1.5, name, size=FONT - 2, colour=FAINT)
        for place in range(0, len(row), 2):
            symbol, x, width = row[place]
            left, right = (
                strengths[row[near][0]] if 0 <= near < len(row) else 0
                for near in (place - 1, place + 1)
            )
            sides = [(place - 1, x + 2, -gap), (place + 1, x + 2 + width, gap)]
            taker, loser = sides[::-1] if right > left else sides
            for (_, edge, way), won in ((taker, True), (loser, False)):
                if won or (left and right):
                    canvas.arrow((edge, top + 0.55), (edge + way, top + 0.55))
                if not won and left and right:
                    canvas.text(edge + way / 2, top + 0.6, "×", size=FONT + 10, colour=RED)
            not_to = f" and not to {row[loser[0]][0]}" if left and right else ""
            said.append(f"{symbol} goes to {row[taker[0]][0]}{not_to}")
        # 2. The strongest operator and its two operands become one operand.
        best = max(range(1, len(row), 2), key=lambda place: strengths[row[place][0]])
        texts, starts, widths = zip(*row[best - 1 : best + 2], strict=True)
        width = starts[-1] + widths[-1] - starts[0]
        row[best - 1 : best + 2] = [("".join(texts), starts[0], width)]
        top += level
    steps = "; ".join(f"{symbol} has strength {n}" for symbol, n in strengths.items())
    canvas.show(f"Boxes in rows, {' '.join(symbols)}: {steps}. {', '.join(said)}.")


def show_tree(text: str, tree: Any) -> None:
    """Show an expression as a tree: operators above what they work on.

    Args:
        text: the expression, as it was written.
        tree: a number, a letter, or `(sign, left, right)`.
    """

    def node(part: Any) -> Node:
        if isinstance(part, tuple):
            sign, *sides = part
            return Node(sign, [node(side) for side in sides], KINDS["operator"])
        return Node(str(part), [], KINDS["letter" if isinstance(part, str) else "number"])

    def depth(part: Any) -> int:
        return 1 + max(map(depth, part[1:])) if isinstance(part, tuple) else 1

    def spoken(part: Any) -> str:
        if not isinstance(part, tuple):
            return str(part)
        return f"{part[0]} above ({' and '.join(spoken(side) for side in part[1:])})"

    root = node(tree)
    width = 2.4 * leaves(root)
    canvas = Canvas(max(width + 6, 18), max(1.7 * depth(tree) - 0.5, 4.4))
    canvas.text(0.1, 0.5, text, align="left", size=FONT + 1, bold=True)
    for place, (kind, colour) in enumerate(KINDS.items()):
        canvas.box(0.1, 1.4 + place, 2.6, 0.8, kind, colour, size=FONT - 1)
    canvas.tree((canvas.width + 3 - width) / 2, 0.2, width, root, level=1.7)  # beside the kinds
    canvas.show(f"The tree of {text}, its root at the top: {spoken(tree)}.")


def show_curves(
    title: str,
    curves: Mapping[str, Callable[[float], float]],
    meetings: Sequence[float],
    *,
    reach: float = 3,
) -> None:
    """Show functions of x as curves, with a dot where they meet.

    Args:
        title: a sentence that states the finding.
        curves: each function under its name.
        meetings: the places at which all have the same value.
        reach: x goes from minus this to this.
    """
    figure, axes = new_picture(title, "x", "value", height=3)
    places = [reach * n / 50 for n in range(-50, 51)]
    said = []
    for place, (name, curve) in enumerate(curves.items()):
        values = [curve(x) for x in places]
        axes.plot(places, values, LINE_STYLES[place], color=COLOURS[place], linewidth=2, label=name)
        said.append(f"{name} from {values[0]:g} at {-reach:g} to {values[-1]:g} at {reach:g}")
    curve = next(iter(curves.values()))
    axes.plot(meetings, [curve(x) for x in meetings], "o", color="black", markersize=9, zorder=3)
    axes.legend(frameon=False, fontsize=FONT)
    met = ", ".join(f"{x:g}" for x in meetings)
    dots = "A dot" if len(meetings) == 1 else "Dots"
    show(figure, f"{len(curves)} curves: {'; '.join(said)}. {dots} where they meet, at x = {met}.")


def show_wilson(
    title: str, total: int, intervals: Mapping[int, Interval], *, z: float = 1.96
) -> None:
    """Show which true rates a measured share keeps: those whose band of usual shares it meets.

    Args:
        title: a sentence that states the finding.
        total: number of problems.
        intervals: the kept rates, from the lowest to the highest, for each number of right answers.
        z: half the width of the band, in standard deviations.
    """
    figure, axes = new_picture(title, "true rate", "share seen", height=3.6)
    rates = [n / 200 for n in range(201)]
    spread = [z * (rate * (1 - rate) / total) ** 0.5 for rate in rates]
    low = [max(0, rate - one) for rate, one in zip(rates, spread, strict=True)]
    high = [min(1, rate + one) for rate, one in zip(rates, spread, strict=True)]
    axes.fill_between(rates, low, high, color=PALE)
    axes.text(0.3, 0.3, "no surprise", ha="center", va="center", fontsize=FONT)
    said = []
    for place, (right, ends) in enumerate(intervals.items()):
        colour, share = COLOURS[place], right / total
        axes.plot(ends, [share, share], "o-", color=colour, linewidth=3, clip_on=False, zorder=3)
        axes.vlines(ends, 0, share, color=colour, linestyle=":")
        words = f"{right} of {total}: {ends[0]:.0%} to {ends[1]:.0%}"
        axes.text(ends[0] - 0.02, share, words, ha="right", va="center", fontsize=FONT)
        said.append(words)
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1.1)  # room for a name at 100%
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(lambda share, _: f"{share:.0%}")
    show(
        figure,
        f"A band along the diagonal: for each true rate, the shares of {total} that are no "
        f"surprise. Level lines show where a share is in the band. {'; '.join(said)}.",
    )


def show_intervals(title: str, shares: Mapping[str, tuple[float, Interval]]) -> None:
    """Show measured shares as points on lines from 0 to 1, each with its interval.

    Args:
        title: a sentence that states the finding.
        shares: under its name, each measured share and its 95 % interval. The last one is what the
            others estimate, and is drawn as a vertical line.
    """
    last, (truth, _) = list(shares.items())[-1]
    figure, axes = new_picture(title, "share right", "", grid="x", height=1.6 + 0.4 * len(shares))
    said = []
    for place, (name, (share, (low, high))) in enumerate(shares.items()):
        holds = low <= truth <= high
        axes.hlines(place, low, high, color=BLUE if holds else RED, linewidth=4, alpha=0.6)
        axes.plot([share], [place], "o", color=BLUE if holds else RED, markersize=8, clip_on=False)
        miss = "" if holds else ", which misses"
        if not holds:
            axes.text(share, place - 0.15, "misses", ha="center", va="bottom", fontsize=FONT - 1)
        said.append(f"{name} {share:.0%}, from {low:.0%} to {high:.0%}{miss}")
    axes.axvline(truth, color="black", linestyle=":")
    side = "right" if truth > 0.5 else "left"  # which end of the text is at the line
    axes.text(truth, -0.55, f" {last}: {truth:.0%} ", ha=side, fontsize=FONT - 1)
    axes.set_yticks(range(len(shares)), list(shares), fontsize=FONT)
    axes.set_xlim(0, 1)
    axes.xaxis.set_major_formatter(lambda share, _: f"{share:.0%}")
    axes.set_ylim(len(shares) - 0.5, -1.1)  # the first row on top, and room for the line's name
    show(figure, f"Lines around points: {'; '.join(said)}. A dotted line stands at {truth:.0%}.")


def show_levels(title: str, shares: Mapping[str, Sequence[tuple[float, Interval]]]) -> None:
    """Show the share of right answers at each level, for several ways of asking.

    Args:
        title: a sentence that states the finding.
        shares: under each way's name, the share and its 95 % interval at the levels 1, 2, ...
    """
    figure, axes = new_picture(title, "level (bars: 95% intervals)", "share right", height=3.4)
    looks = {0: (BLUE, "o-"), 1: (ORANGE, "s--"), 2: (GREEN, "^-.")}
    said = []
    for place, (name, values) in enumerate(shares.items()):
        colour, style = looks[place]
        levels = range(1, len(values) + 1)
        low = [share - interval[0] for share, interval in values]
        high = [interval[1] - share for share, interval in values]
        points = [share for share, _ in values]
        axes.errorbar(levels, points, (low, high), fmt=style, color=colour, capsize=3, label=name)
        said.append(f"{name}: {', '.join(f'{share:.0%}' for share in points)}")
    axes.set_xticks(list(levels))
    axes.set_ylim(0, 1)
    axes.yaxis.set_major_formatter(lambda share, _: f"{share:.0%}")
    axes.legend(frameon=False, fontsize=FONT)
    show(figure, f"Lines, share right at levels 1 to {len(points)}. {'; '.join(said)}.")


def show_braces(text: str, depths: Sequence[int]) -> None:
    """Show a text with the depth of its braces under each character.

    Args:
        text: short.
        depths: how many braces are open behind each character.
    """
    label = 4  # units for the name of the second row
    canvas = Canvas(label + len(text) + 0.5, 2.4)
    canvas.text(label - 0.3, 1.8, "braces open", size=FONT - 1, colour=FAINT, align="right")
    for place, (sign, depth) in enumerate(zip(text, depths, strict=True), start=label):
        colour = ORANGE if sign in "{}" else PALE
        canvas.square(place, 0.2, sign, colour)
        canvas.text(place + 0.5, 1.8, str(depth), size=FONT - 1, colour=FAINT)
    listed = ", ".join(map(str, depths))
    canvas.show(f"The text {text} in squares; below, how many braces are open: {listed}.")
