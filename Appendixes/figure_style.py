"""The style of every picture: colours, size, and a description for readers who do not see it.

- five colours that colour-blind readers can tell apart; lines, markers or hatches say the same a
  second time
- no picture opens a window, so that all can be drawn on a machine without a screen
- in a notebook, `show` puts a description beside each picture, as its alternative text
"""

import io
from typing import Literal

from matplotlib.axes import Axes
from matplotlib.figure import Figure

# Five of the eight colours of Okabe and Ito (2008), https://jfly.uni-koeln.de/color/.
BLUE, ORANGE, GREEN, RED, PINK = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7"
PALE = "#D3D3D3"  # grey, for a former state or a baseline


def new_figure() -> Figure:
    """Make an empty figure that fits a column of 700 pixels."""
    return Figure(figsize=(7, 4), dpi=100, layout="constrained")


def new_picture(
    title: str, x_label: str, y_label: str, grid: Literal["both", "x", "y"] = "both"
) -> tuple[Figure, Axes]:
    """Make a figure with one pair of axes, titled and labelled, to draw on.

    Args:
        title: a sentence that states the finding.
        x_label, y_label: names of the axes, with their units.
        grid: the axes whose values are marked by lines; bars need those of one axis only.
    """
    figure = new_figure()
    axes = figure.subplots()
    axes.set_title(title, fontsize=11)
    axes.set_xlabel(x_label)
    axes.set_ylabel(y_label)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis=grid, alpha=0.3)
    axes.set_axisbelow(True)
    return figure, axes


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
    figure.savefig(picture, format="png")
    output = {"image/png": picture.getvalue(), "text/plain": description}
    display(output, metadata={"image/png": {"alt": description}}, raw=True)
