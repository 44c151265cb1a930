"""The way from a prompt to a graded answer, which the chapters build piece by piece."""

from Appendixes.drawings.canvas import FAINT, Canvas
from Appendixes.figure_style import BLUE, ORANGE, PALE

# Station, what stands in its box, and the chapter that builds it.
STATIONS = (
    ("prompt", "What is\n47 * 36?", 2),
    ("tokens", "What, is,\n4, 7, ...", 2),
    ("model", "a score for\neach token", 2),
    ("samples", "text 1\ntext 2\ntext 3", 4),
    ("answers", "1692\n1852\n1692", 3),
    ("vote", "1692: 2\n1852: 1", 4),
    ("grade", "right:\n1692", 3),
)


def show_map(chapter: int) -> None:
    """Show the way from a prompt to a graded answer, with the present chapter's part marked.

    Args:
        chapter: 2, 3 or 4.

    Raises:
        ValueError: the chapter is none of these.
    """
    built = [name for name, _, built_in in STATIONS if built_in == chapter]
    if not built:
        raise ValueError(f"chapter is {chapter!r}: expected 2, 3 or 4")
    canvas = Canvas(3 * len(STATIONS), 4.6)
    for place, (name, text, built_in) in enumerate(STATIONS):
        x, here = 3 * place, built_in == chapter
        canvas.text(x + 1.5, 0.5, name, bold=here, size=11.5)
        canvas.box(x + 0.25, 1, 2.5, 2.2, text, ORANGE if here else PALE, size=10.5)
        if place < len(STATIONS) - 1:
            canvas.arrow((x + 2.7, 2.1), (x + 3.3, 2.1))
        canvas.text(
            x + 1.5, 3.6, f"chapter {built_in}", size=10.5, bold=here,
            colour=BLUE if here else FAINT,
        )  # fmt: skip
        if here:
            canvas.text(x + 1.5, 4.2, "you are here", size=10, colour=BLUE)
    way = ", ".join(f"{name} (chapter {built_in})" for name, _, built_in in STATIONS)
    canvas.show(
        f"The map of the whole, {len(STATIONS)} boxes from left to right: {way}. "
        f"You are in chapter {chapter}, which builds "
        f"{', '.join(built[:-1])} and {built[-1]}."
    )
