"""A text whose tokens are shaded by a number each, such as the probability of each token."""

from collections.abc import Sequence
from itertools import islice

from matplotlib.colors import LinearSegmentedColormap, to_hex

from Appendixes.drawings.canvas import FAINT, Canvas
from Appendixes.figure_style import ORANGE, RED

WIDTH = 70  # units of the canvas
SHADES = LinearSegmentedColormap.from_list("probability", [RED, ORANGE, "white"])


def broken_lines(tokens: Sequence[str]) -> list[list[str]]:
    r"""Break a text into the lines of a picture, also where a token ends a line.

    >>> broken_lines(["47", " + 36", "\n", "= 83"])
    [['47', ' + 36', '\n'], ['= 83']]
    """
    measure = Canvas(WIDTH, 1)
    lines: list[list[str]] = [[]]
    x = 0.0
    for token in tokens:
        x += measure.token_width(token)
        if x > WIDTH or (lines[-1] and lines[-1][-1].endswith("\n")):
            lines.append([])
            x = measure.token_width(token)
        lines[-1].append(token)
    return lines


def show_shaded_text(
    title: str, tokens: Sequence[str], values: Sequence[float], *, what: str = "probability"
) -> None:
    """Show a text whose tokens have a ground from red (0) over orange (½) to none (1).

    Args:
        title: a sentence that states the finding.
        tokens: texts of the tokens, in order; a line of the picture ends where one ends a line.
        values: a number from 0 to 1 for each.
        what: the number's name.
    """
    # 1. Draw the lines, and a scale.
    lines, left = broken_lines(tokens), iter(values)
    canvas = Canvas(WIDTH, 2.6 * (len(lines) + 1) + 0.6, title)
    for row, line in enumerate(lines):
        colours = [to_hex(SHADES(float(value))) for value in islice(left, len(line))]
        canvas.tokens(0, 2.6 * row, line, colours, height=2.4)
    bottom = 2.6 * len(lines) + 0.6
    canvas.text(1, bottom + 1.1, what, colour=FAINT, align="left")
    for place, number in enumerate((0.0, 0.25, 0.5, 0.75, 1.0)):
        canvas.box(6 * place + 13, bottom, 5.5, 2.2, f"{number:g}", to_hex(SHADES(number)))
    # 2. Say which tokens are least sure.
    least = sorted(zip(values, tokens, strict=True), key=lambda pair: pair[0])[:3]
    lowest = ", ".join(f"{token!r} {value:.2f}" for value, token in least)
    canvas.show(
        f"A text of {len(tokens)} tokens, each shaded by its {what}. "
        f"The lowest: {lowest}; the mean: {sum(values) / len(values):.2f}."
    )
