"""One style for every picture of the book: colours, size, and the words that stand for a picture
where it is not seen.

- six colours that colour-blind readers can tell apart; lines, markers or hatches say the same a
  second time
- pictures never open a window, so they work on a machine without a screen
- in a notebook, `show` puts a description beside each picture: pages give it to those who do not
  see the picture
"""

import io
from typing import Literal

from matplotlib.axes import Axes
from matplotlib.figure import Figure

# Okabe and Ito (2008), https://jfly.uni-koeln.de/color/: the palette without its yellow, too pale
# on white, and black.
BLUE, ORANGE, GREEN, RED, PINK, SKY = (
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#D55E00",
    "#CC79A7",
    "#56B4E9",
)
PALE = "#D3D3D3"  # what something was before, or is compared with


def new_figure() -> Figure:
    """An empty figure that a column of 700 pixels can show."""
    return Figure(figsize=(7, 4), dpi=100, layout="constrained")


def new_picture(
    title: str, x_label: str, y_label: str, grid: Literal["both", "x", "y"] = "both"
) -> tuple[Figure, Axes]:
    """An empty picture.

    Args:
        title: states the finding.
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
    """Say in words what a picture shows; the words are kept as its label, which matplotlib draws
    nowhere.

    Args:
        figure: as it was drawn.
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
    pages. It is the output's plain text too, for front ends that show no pictures.

    Args:
        figure: as it was drawn.
        text: its description; none is needed if `describe` was called where it was drawn.

    Raises:
        ValueError: nobody said what the picture shows.
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
