"""A canvas to draw ideas on: boxes, arrows, squares, token strips and trees.

    canvas = Canvas(12, 3)
    canvas.box(0, 1, 3, 1, "prompt", BLUE)
    canvas.arrow((3, 1.5), (5, 1.5))
    canvas.tokens(5, 1, ["4", "7", " * "])
    canvas.show("A box with a prompt; an arrow leads to 3 tokens.")

Lengths are units of the canvas, from its upper left corner: x to the right, y down, as on a page.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from matplotlib.colors import to_rgb
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch
from matplotlib.textpath import TextPath

from Appendixes.figure_style import FONT, PALE, WIDTH, new_figure, show

INK, FAINT = "black", "dimgrey"
POINTS_WIDE = 0.72 * WIDTH  # of a picture


def ink_on(colour: str) -> str:
    """Return the colour of text that is read best on a ground: black or white.

    >>> ink_on("white"), ink_on("navy")
    ('black', 'white')
    """
    red, green, blue = (part**2.2 for part in to_rgb(colour))
    luminance = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    return "black" if luminance > 0.18 else "white"


@dataclass
class Node:
    """A node of a tree, with the nodes below it.

    Attributes:
        text: stands in its box.
        children: from left to right.
        colour: of its box.
        edge: stands beside the line that leads to it.
    """

    text: str
    children: "list[Node]" = field(default_factory=list)
    colour: str = PALE
    edge: str = ""


class Canvas:
    """A picture without axes, as wide as a column.

    Args:
        width, height: in units; the column's 700 pixels are `width` units.
        title: a sentence above it.
    """

    def __init__(self, width: float, height: float, title: str = ""):
        self.width = width
        inches = 7 * height / width + (0.3 if title else 0)
        self.figure = new_figure(inches)
        self.figure.set_layout_engine("none")
        self.axes = self.figure.add_axes((0, 0, 1, 7 * height / width / inches))
        self.axes.set_axis_off()
        self.axes.set_xlim(0, width)
        self.axes.set_ylim(height, 0)
        if title:
            self.figure.suptitle(title, fontsize=FONT, y=1 - 0.05 / inches, va="top")

    def text(
        self,
        x: float,
        y: float,
        text: str,
        *,
        size: float = FONT,
        colour: str = INK,
        align: str = "center",
        bold: bool = False,
    ) -> None:
        """Write a text around a point.

        Args:
            x, y: the middle of its height; of its width too, if it is centred.
            text: one line or several.
            size: in points.
            colour: of the letters.
            align: "left", "center" or "right": where x is.
            bold: True for emphasis.
        """
        self.axes.text(
            x, y, _plain(text), size=size, color=colour, ha=align, va="center",
            weight="bold" if bold else "normal",
        )  # fmt: skip

    def box(
        self,
        x: float,
        y: float,
        width: float,
        height: float,
        text: str = "",
        colour: str = PALE,
        *,
        size: float = FONT,
        dashed: bool = False,
        bold: bool = False,
    ) -> None:
        """Draw a box with a text in it, whose font shrinks where the box is too narrow for it.

        Args:
            x, y: its upper left corner.
            width, height: of the box.
            text: in its middle.
            colour: of its ground.
            size: of the text at most, in points.
            dashed: True for what is not there yet: an outline alone.
            bold: True for emphasis.
        """
        unit = POINTS_WIDE / self.width
        gap = min(0.06 * min(width, height), 0.06)
        self.axes.add_patch(
            FancyBboxPatch(
                (x + gap, y + gap), width - 2 * gap, height - 2 * gap,
                boxstyle=f"round,pad=0,rounding_size={0.12 * min(width, height)}",
                facecolor="white" if dashed else colour, edgecolor=colour if dashed else "none",
                linestyle="--" if dashed else "-", linewidth=1.5 if dashed else 0,
            )
        )  # fmt: skip
        if text:
            fitting = 0.88 * width * unit / max(map(text_width, text.splitlines()))
            colour = INK if dashed else ink_on(colour)
            self.text(
                x + width / 2, y + height / 2, text,
                size=min(size, fitting), colour=colour, bold=bold,
            )  # fmt: skip

    def square(self, x: float, y: float, text: str = "", colour: str = PALE) -> None:
        """Draw a box of one unit."""
        self.box(x, y, 1, 1, text, colour)

    def grid(
        self, x: float, y: float, colours: Sequence[Sequence[str | None]], size: float = 1
    ) -> None:
        """Draw rows of squares.

        Args:
            x, y: the upper left corner.
            colours: of each square, row by row; None leaves a square out.
            size: length of a square's side.
        """
        for down, row in enumerate(colours):
            for right, colour in enumerate(row):
                if colour is not None:
                    self.box(x + right * size, y + down * size, size, size, "", colour)

    def tokens(
        self,
        x: float,
        y: float,
        texts: Sequence[str],
        colours: Sequence[str] | str = PALE,
        *,
        height: float = 1,
        size: float = FONT,
    ) -> float:
        """Draw a strip of tokens, each as wide as its text, with its spaces and line ends visible.

        Args:
            x, y: the upper left corner of the first.
            texts: of the tokens.
            colours: of each, or one for all.
            height: of the strip.
            size: of the text, in points.

        Returns:
            The strip's right end.
        """
        for place, text in enumerate(texts):
            width = self.token_width(text, size)
            colour = colours if isinstance(colours, str) else colours[place]
            self.box(x, y, width, height, visible(text), colour, size=size)
            x += width
        return x

    def token_width(self, text: str, size: float = FONT) -> float:
        """Compute the width of a token in a strip."""
        return max(size * text_width(visible(text)) + 9, 16) * self.width / POINTS_WIDE

    def arrow(
        self,
        start: tuple[float, float],
        end: tuple[float, float],
        text: str = "",
        *,
        colour: str = FAINT,
        bend: float = 0,
        size: float = FONT - 1,
    ) -> None:
        """Draw an arrow, with a text above its middle.

        Args:
            start, end: points.
            text: what the arrow does.
            colour: of both.
            bend: 0 for a straight line; 0.3 is a strong curve, negative to the other side.
            size: of the text, in points.
        """
        self.axes.add_patch(
            FancyArrowPatch(
                start, end, arrowstyle="-|>", mutation_scale=13, color=colour, linewidth=1.6,
                connectionstyle=f"arc3,rad={bend}", shrinkA=2, shrinkB=2,
            )
        )  # fmt: skip
        if text:
            middle = (start[0] + end[0]) / 2, (start[1] + end[1]) / 2
            above = 0.9 * size * len(text.splitlines()) * self.width / POINTS_WIDE
            self.text(middle[0], middle[1] - above, text, size=size, colour=colour)

    def line(
        self, start: tuple[float, float], end: tuple[float, float], colour: str = FAINT
    ) -> None:
        """Draw a straight line."""
        self.axes.plot(*zip(start, end, strict=True), color=colour, linewidth=1.4, zorder=0.5)

    def key(self, x: float, y: float, meanings: Mapping[str, str | None]) -> float:
        """Draw a key: a small box for each colour, side by side, with its meaning behind it.

        Args:
            x, y: the left end and the middle of its height.
            meanings: colour by its meaning; None stands for a dashed outline.

        Returns:
            The place of one more entry.
        """
        unit = self.width / POINTS_WIDE  # of a point
        for meaning, colour in meanings.items():
            self.box(
                x, y - 8 * unit, 18 * unit, 16 * unit, "", colour or PALE, dashed=colour is None
            )
            self.text(x + 24 * unit, y, meaning, align="left")
            x += (24 + FONT * text_width(meaning) + 24) * unit
        return x

    def tree(
        self,
        x: float,
        y: float,
        width: float,
        root: Node,
        *,
        level: float = 1.8,
        box: tuple[float, float] = (1.4, 0.9),
    ) -> None:
        """Draw a tree, its root on top, its leaves side by side.

        Args:
            x, y: the upper left corner of the tree.
            width: of the whole tree.
            root: with its children.
            level: distance from a node to those below it.
            box: width and height of a node.
        """
        step = width / leaves(root)

        def draw(node: Node, left: float, depth: int) -> float:
            """Draw a part of the tree, and return the middle of its root."""
            if node.children:
                below, start = [], left
                for child in node.children:
                    below.append(draw(child, start, depth + 1))
                    start += step * leaves(child)
                middle = (below[0] + below[-1]) / 2
            else:
                below, middle = [], left + step / 2
            top = y + depth * level
            for child, place in zip(node.children, below, strict=True):
                self.line((middle, top + box[1]), (place, top + level))
                if child.edge:
                    self.text(
                        (middle + place) / 2, top + (box[1] + level) / 2, child.edge,
                        size=FONT - 2, colour=FAINT,
                    )  # fmt: skip
            self.box(middle - box[0] / 2, top, *box, node.text, node.colour)
            return middle

        draw(root, x, 0)

    def show(self, description: str) -> None:
        """Show the drawing in a notebook.

        Args:
            description: its alternative text, with the numbers that are to be seen.
        """
        show(self.figure, description)


def leaves(node: Node) -> int:
    """Count the nodes of a tree that have none below them.

    >>> leaves(Node("+", [Node("1"), Node("*", [Node("2"), Node("3")])]))
    3
    """
    return sum(map(leaves, node.children)) or 1


def visible(text: str) -> str:
    r"""Return a token's text with its spaces and line ends as signs.

    >>> visible(" * ") == "\u00b7*\u00b7", visible("\n") == "\u21b5"
    (True, True)
    """
    return text.replace(" ", "\u00b7").replace("\n", "\u21b5")


def text_width(text: str) -> float:
    """Compute the width of a line of text, as a multiple of its font's size."""
    return TextPath((0, 0), _plain(text), size=1).get_extents().width if text.strip() else 0.3


def _plain(text: str) -> str:
    """Escape the dollar signs that matplotlib would read as mathematics."""
    return text.replace("$", r"\$")
