"""The style of every picture: colours, size, and a description for readers who do not see it.

- six colours that colour-blind readers can tell apart; lines, markers or words say the same a
  second time
- a picture has its own light ground, so that it can be read on a light page and on a dark one
- no picture opens a window, so that all can be drawn on a machine without a screen
- in a notebook, `show` puts a description beside each picture, as its alternative text

Charts and drawings are made from this in `Appendixes/drawings`.
"""

import io
from typing import Literal

from matplotlib.axes import Axes
from matplotlib.figure import Figure

# Six of the eight colours of Okabe and Ito (2008), https://jfly.uni-koeln.de/color/.
BLUE, ORANGE, GREEN, RED, PINK = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7"
SKY = "#56B4E9"
PALE = "#D3D3D3"  # grey, for a former state or a baseline

FONT = 11  # points, which can still be read where a picture is 400 pixels wide
WIDTH = 700  # pixels of a column
SHARPNESS = 2  # pixels of the file per pixel of the column, for screens that have more


def new_figure(height: float = 4) -> Figure:
    """Make an empty figure that fits a column of 700 pixels.

    Args:
        height: in inches, of 100 pixels each.
    """
    return Figure(figsize=(WIDTH / 100, height), dpi=100, layout="constrained")


def new_picture(
    title: str,
    x_label: str,
    y_label: str,
    grid: Literal["both", "x", "y"] = "both",
    height: float = 4,
) -> tuple[Figure, Axes]:
    """Make a figure with one pair of axes, titled and labelled, to draw on.

    Args:
        title: a sentence that states the finding.
        x_label, y_label: names of the axes, with their units.
        grid: the axes whose values are marked by lines; bars need those of one axis only.
        height: in inches, of 100 pixels each.
    """
    figure = new_figure(height)
    axes = figure.subplots()
    style_axes(axes, x_label, y_label, grid)
    axes.set_title(title, fontsize=FONT + 1)
    return figure, axes


def style_axes(
    axes: Axes, x_label: str, y_label: str, grid: Literal["both", "x", "y"] = "both"
) -> None:
    """Label axes, and draw them with faint lines and without a frame."""
    axes.set_xlabel(x_label, fontsize=FONT)
    axes.set_ylabel(y_label, fontsize=FONT)
    axes.tick_params(labelsize=FONT)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis=grid, alpha=0.3)
    axes.set_axisbelow(True)


def describe(figure: Figure, text: str) -> Figure:
    """Describe a picture in words, which are kept as its label; matplotlib does not draw that.

    Args:
        figure: the finished picture.
        text: the kind of picture and what can be read from it, with its numbers; one to three
            sentences.

    Returns:
        The same figure.

    Raises:
        ValueError: the text is empty.
    """
    if not text.strip():
        raise ValueError("a picture was described by an empty text; say what it shows")
    figure.set_label(" ".join(text.split()))
    return figure


def show(figure: Figure, text: str = "") -> None:
    """Show a picture in a notebook, with its description as alternative text.

    The description is the metadata `alt` of the picture's output, which nbconvert writes into its
    pages. It is also the output's plain text, for front ends that show no pictures.

    Args:
        figure: the finished picture.
        text: its description; not needed if `describe` was called where it was drawn.

    Raises:
        ValueError: the picture has no description.
    """
    from IPython.display import display  # Jupyter brings it, and only a notebook shows pictures

    if text:
        describe(figure, text)
    description = figure.get_label()
    if not description:
        raise ValueError("a picture without a description; say what it shows: show(figure, text)")
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=SHARPNESS * figure.dpi)
    output = {"image/png": picture.getvalue(), "text/plain": description}
    display(output, metadata={"image/png": {"alt": description, "width": WIDTH}}, raw=True)
