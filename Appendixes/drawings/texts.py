"""A text whose tokens are shaded by a number each, such as the probability of each token."""

from collections.abc import Sequence

from matplotlib.colors import LinearSegmentedColormap, to_hex

from Appendixes.drawings.canvas import FAINT, Canvas
from Appendixes.figure_style import BLUE, ORANGE

WIDTH = 70  # units of the canvas
SHADES = LinearSegmentedColormap.from_list("probability", [ORANGE, "white", BLUE])


def show_shaded_text(
    title: str, tokens: Sequence[str], values: Sequence[float], *, what: str = "probability"
) -> None:
    """Show a text whose tokens have a ground from orange (0) over white (½) to blue (1).

    Args:
        title: a sentence that states the finding.
        tokens: texts of the tokens, in order; a line of the picture ends where one ends a line.
        values: a number from 0 to 1 for each.
        what: the number's name.
    """
    # 1. Break the text into lines.
    measure = Canvas(WIDTH, 1)
    lines: list[list[tuple[str, float]]] = [[]]
    x = 0.0
    for token, value in zip(tokens, values, strict=True):
        x += measure.token_width(token)
        if x > WIDTH or (lines[-1] and lines[-1][-1][0].endswith("\n")):
            lines.append([])
            x = measure.token_width(token)
        lines[-1].append((token, value))
    # 2. Draw them, and a scale.
    canvas = Canvas(WIDTH, 2.6 * (len(lines) + 1) + 0.6, title)
    for row, line in enumerate(lines):
        texts, numbers = zip(*line, strict=True)
        colours = [to_hex(SHADES(float(value))) for value in numbers]
        canvas.tokens(0, 2.6 * row, texts, colours, height=2.4)
    bottom = 2.6 * len(lines) + 0.6
    canvas.text(1, bottom + 1.1, what, colour=FAINT, align="left")
    for place, number in enumerate((0.0, 0.25, 0.5, 0.75, 1.0)):
        canvas.box(6 * place + 13, bottom, 5.5, 2.2, f"{number:g}", to_hex(SHADES(number)))
    # 3. Say which tokens are least sure.
    least = sorted(zip(values, tokens, strict=True), key=lambda pair: pair[0])[:3]
    lowest = ", ".join(f"{token!r} {value:.2f}" for value, token in least)
    canvas.show(
        f"A text of {len(tokens)} tokens, each shaded by its {what}. "
        f"The lowest: {lowest}; the mean: {sum(values) / len(values):.2f}."
    )
