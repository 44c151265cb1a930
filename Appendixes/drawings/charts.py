"""Bars and lines that describe themselves: each function shows a picture and writes its words.

show_bars("Steps cost tokens", {"direct": 6, "steps": 72}, "tokens per answer")
"""

from collections.abc import Mapping, Sequence

from matplotlib.ticker import MaxNLocator

from Appendixes.figure_style import (
    BLUE,
    FONT,
    GREEN,
    ORANGE,
    PINK,
    RED,
    SKY,
    new_figure,
    new_picture,
    show,
    style_axes,
)

Interval = tuple[float, float]
COLOURS = (BLUE, ORANGE, GREEN, PINK, RED, SKY)
LINE_STYLES = ("-", "--", "-.", ":", (0, (5, 1)), (0, (1, 1)))
MARKERS = ("o", "s", "^", "D", "v", "P")
LONG = 30  # points of a line that are too many to be marked one by one


def show_bars(
    title: str,
    values: Mapping[str, float],
    x_label: str,
    *,
    form: str = "{:,.0f}",
    intervals: Mapping[str, Interval] | None = None,
    strong: Sequence[str] = (),
) -> None:
    """Show horizontal bars, the first on top, each with its number.

    Args:
        title: a sentence that states the finding.
        values: number of each name.
        x_label: the quantity, with its unit.
        form: format of the numbers, such as "{:.0%}".
        intervals: lowest and highest value of a name, drawn as an error bar.
        strong: names whose bars have another colour than the rest.
    """
    names, numbers = list(values), list(values.values())
    intervals = intervals or {}
    figure, axes = new_picture(title, x_label, "", grid="x", height=1.2 + 0.42 * len(names))
    # 1. Bars, with error bars.
    axes.barh(names, numbers, color=[ORANGE if name in strong else BLUE for name in names])
    for place, name in enumerate(names):
        if name in intervals:
            axes.hlines(place, *intervals[name], color="black", linewidth=1.5)
        end = max(numbers[place], intervals.get(name, (0, 0))[1])
        axes.text(end, place, "  " + form.format(numbers[place]), va="center", fontsize=FONT)
    axes.margins(x=0.16)
    axes.set_xlim(left=0)
    axes.invert_yaxis()
    # 2. The same in words.
    said = []
    for name, number in values.items():
        text = f"{name} {form.format(number)}"
        if name in intervals:
            text += " ({} to {})".format(*map(form.format, intervals[name]))
        said.append(text)
    show(figure, f"Bars, {x_label}: {'; '.join(said)}.")


def show_lines(
    title: str,
    x: Sequence[float],
    lines: Mapping[str, Sequence[float]],
    x_label: str,
    y_label: str,
    *,
    form: str = "{:,.1f}",
    bands: Mapping[str, tuple[Sequence[float], Sequence[float]]] | None = None,
    levels: Mapping[str, float] | None = None,
    log: str = "",
    from_zero: bool = True,
) -> None:
    """Show lines over one axis, with a legend where there are several.

    Args:
        title: a sentence that states the finding.
        x: positions of the points.
        lines: values of each name, as many as `x` has; the rest of a shorter line is left out.
        x_label, y_label: names of the axes, with their units.
        form: format of the numbers in the description.
        bands: lowest and highest values of a name, shaded.
        levels: level lines, with a name each.
        log: axes with a logarithmic scale: "x", "y" or "xy".
        from_zero: False lets the vertical axis begin elsewhere.
    """
    figure, axes = new_picture(title, x_label, y_label, height=3.6)
    said = []
    # 1. Lines and their bands.
    for place, (name, values) in enumerate(lines.items()):
        colour, places = COLOURS[place % len(COLOURS)], list(x)[: len(values)]
        marker = MARKERS[place % len(MARKERS)] if len(places) <= LONG else ""
        style = LINE_STYLES[place % len(LINE_STYLES)]
        axes.plot(places, list(values), linestyle=style, color=colour, marker=marker, label=name)
        if bands and name in bands:
            low, high = (list(edge) for edge in bands[name])
            axes.fill_between(places, low, high, color=colour, alpha=0.2, linewidth=0)
        stations = sorted({0, len(places) // 2, len(places) - 1})  # first, middle, last
        path = " to ".join(f"{form.format(values[n])} at {places[n]:g}" for n in stations)
        said.append(f"{name} from {path}")
    # 2. Level lines.
    for name, value in (levels or {}).items():
        axes.axhline(value, color="grey", linestyle=(0, (4, 2)), label=name)
        said.append(f"{name}, a level line at {form.format(value)}")
    # 3. Scales and names.
    for letter in log:
        getattr(axes, f"set_{letter}scale")("log")
    if "x" not in log and all(isinstance(place, int) for place in x):
        whole = MaxNLocator(integer=True, steps=[1, 2, 5, 10])  # no half samples
        axes.xaxis.set_major_locator(whole)
    if from_zero and "y" not in log:
        axes.set_ylim(bottom=0)
    if len(said) > 1:
        axes.legend(frameon=False, fontsize=FONT)
    show(figure, f"Lines, {y_label} against {x_label}: {'; '.join(said)}.")


def show_line_panels(
    title: str,
    x: Sequence[float],
    panels: Mapping[str, Sequence[float]],
    x_label: str,
    *,
    form: str = "{:,.1f}",
    log: str = "",
) -> None:
    """Show one line per panel, side by side over the same axis.

    With logarithmic vertical axes, a doubling is equally high in all panels.

    Args:
        title: a sentence that states the finding.
        x: positions of the points.
        panels: values under the name of their quantity, with its unit.
        x_label, form, log: as in `show_lines`.
    """
    figure = new_figure(height=3)
    figure.suptitle(title, fontsize=FONT + 1)
    figure.set_layout_engine("constrained", w_pad=0.12)  # inches, for the last number of an axis
    said = []
    steepest = max(max(values) / min(values) for values in panels.values()) if "y" in log else 0
    for place, (name, values) in enumerate(panels.items()):
        axes = figure.add_subplot(1, len(panels), place + 1)
        # a marker that stands on the frame is shown whole
        colour, marker = COLOURS[place], MARKERS[place]
        axes.plot(list(x), list(values), color=colour, marker=marker, clip_on="y" in log)
        style_axes(axes, x_label, "")
        axes.set_title(name, fontsize=FONT)
        for letter in log:
            getattr(axes, f"set_{letter}scale")("log", base=2)
        if "x" in log:
            axes.set_xticks(list(x), [f"{value:g}" for value in x])
        if "y" in log:
            axes.set_ylim(min(values) / 1.3, 1.3 * min(values) * steepest)
            axes.yaxis.set_major_formatter("{x:,.0f}")
        else:
            axes.set_ylim(bottom=0)
        axes.minorticks_off()
        points = [f"{form.format(y)} at {at:g}" for at, y in zip(x, values, strict=True)]
        said.append(f"{name}: {', '.join(points)}")
    show(figure, f"{len(panels)} panels against {x_label}. {'. '.join(said)}.")
