"""What a training learns and what it only reads: documents, batches, and where models come from."""

from collections.abc import Mapping, Sequence
from itertools import groupby, islice

from Appendixes.drawings.canvas import FAINT, PALE, Canvas
from Appendixes.drawings.texts import WIDTH, broken_lines
from Appendixes.figure_style import BLUE, FONT, SKY

READ, LEARNT = PALE, BLUE


def show_documents(title: str, documents: Sequence[tuple[Sequence[str], Sequence[bool]]]) -> None:
    """Show documents, each token on a blue ground if it is learnt, on a grey one if it is not.

    Args:
        title: a sentence that states the finding.
        documents: texts of the tokens, and whether each is learnt.
    """
    # 1. Break each document into lines; an empty line stands between two.
    lines: list[tuple[list[str], list[bool]]] = []
    for texts, learnt in documents:
        flags = iter(learnt)
        lines += [([], [])] if lines else []
        lines += [(line, list(islice(flags, len(line)))) for line in broken_lines(texts)]
    # 2. Draw them, and the meaning of the colours.
    canvas = Canvas(WIDTH, 2.6 * (len(lines) + 1) + 0.6, title)
    for row, (line, learnt) in enumerate(lines):
        colours = [LEARNT if flag else READ for flag in learnt]
        canvas.tokens(0, 2.6 * row, line, colours, height=2.4)
    _legend(canvas, 2.6 * len(lines) + 0.6, ("read", READ), ("learnt", LEARNT))
    # 3. Say how many tokens are learnt.
    counts = [f"{sum(learnt)} of {len(texts)} tokens" for texts, learnt in documents]
    whole = "A document" if len(counts) == 1 else f"{len(counts)} documents"
    canvas.show(f"{whole}, token by token. Learnt: {', '.join(counts)}.")


def show_rows(
    title: str, documents: Sequence[Sequence[int]], learnt: Sequence[Sequence[bool]]
) -> None:
    """Show the rows of a batch: grey what is read, blue what is learnt, white what is empty.

    Args:
        title: a sentence that states the finding.
        documents: number of each token's document, row by row; padding is the last one.
        learnt: whether the token is learnt.
    """
    length = len(documents[0])
    unit = length / WIDTH
    canvas = Canvas(length, unit * (3.4 * (len(documents) + 1) + 0.6), title)
    counts = {"learnt": 0, "read": 0, "empty": 0}
    for row, (numbers, flags) in enumerate(zip(documents, learnt, strict=True)):
        start = 0
        for _, tokens in groupby(zip(numbers, flags, strict=True), key=lambda pair: pair[0]):
            document = [flag for _, flag in tokens]
            for flag, run in groupby(document):
                size = len(list(run))
                kind = "learnt" if flag else "read" if any(document) else "empty"
                counts[kind] += size
                colour = LEARNT if flag else READ
                canvas.box(
                    start, 3.4 * unit * row, size, 3 * unit, "", colour, dashed=kind == "empty"
                )
                start += size
    bottom = unit * (3.4 * len(documents) + 0.6)
    _legend(canvas, bottom, ("read", READ), ("learnt", LEARNT), unit=unit)
    canvas.box(33 * unit, bottom, 3 * unit, 2.2 * unit, "", READ, dashed=True)
    canvas.text(37 * unit, bottom + 1.1 * unit, "empty", colour=FAINT, align="left")
    total = sum(counts.values())
    shares = ", ".join(f"{count / total:.0%} {kind}" for kind, count in counts.items())
    canvas.show(f"{len(documents)} rows of {length} tokens: {shares}.")


def show_origins(title: str, first: float, later: Mapping[str, float]) -> None:
    """Show how models grew from random weights by way of a first edition.

    Args:
        title: a sentence that states the finding.
        first: tokens that the first edition learnt from, in millions.
        later: tokens that each model learnt from afterwards, in millions.
    """
    height = 2.0 * len(later)
    canvas = Canvas(14, height, title)
    middle = height / 2
    canvas.box(0, middle - 0.6, 2.6, 1.2, "random\nweights", PALE)
    canvas.arrow((2.7, middle), (5.2, middle), f"{first:.1f} million\ntokens")
    canvas.box(5.3, middle - 0.6, 2.6, 1.2, "first\nedition", SKY)
    for place, (name, tokens) in enumerate(later.items()):
        y = 2.0 * place + 1
        canvas.arrow((8, middle), (10.9, y))
        canvas.box(11, y - 0.6, 2.9, 1.2, name, BLUE)
        beside = middle + 0.85 * (y - middle)
        canvas.text(8.9, beside, f"{tokens:.1f} million", size=FONT - 1, colour=FAINT)
    grown = ", ".join(f"{name} by {tokens:.1f} million" for name, tokens in later.items())
    canvas.show(
        f"Arrows lead from random weights to a first edition by {first:.1f} million tokens, "
        f"and from there to {grown}."
    )


def _legend(canvas: Canvas, y: float, *entries: tuple[str, str], unit: float = 1) -> None:
    """Draw a box per colour with its meaning beside it."""
    for place, (text, colour) in enumerate(entries):
        x = unit * (1 + 16 * place)
        canvas.box(x, y, 3 * unit, 2.2 * unit, "", colour)
        canvas.text(x + 4 * unit, y + 1.1 * unit, text, colour=FAINT, align="left")
