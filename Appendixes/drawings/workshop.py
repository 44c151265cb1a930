"""What a training learns and what it only reads: documents, batches and their masks."""

from collections.abc import Mapping, Sequence
from itertools import groupby, islice

from matplotlib.colors import to_rgb
from matplotlib.patches import Rectangle

from Appendixes.drawings.canvas import FAINT, PALE, Canvas, visible
from Appendixes.drawings.texts import WIDTH, broken_lines
from Appendixes.figure_style import BLUE, ORANGE

READ, LEARNT = PALE, BLUE
BEGINNING, BEFORE = 2, 5  # tokens drawn of a long text: the first ones, those before the frame


def show_documents(
    title: str,
    documents: Mapping[str, tuple[Sequence[str], Sequence[bool]]],
    *,
    framed: str = "",
) -> None:
    """Show documents, each token on a blue ground if it is learnt, on a grey one if it is not.

    Args:
        title: a sentence that states the finding.
        documents: texts of the tokens, and whether each is learnt, by a name. A document with a
            name runs on where it has a line end; one whose name is empty breaks there.
        framed: text of the tokens that have a frame. A long text before it is drawn as dots.
    """
    # 1. Break each document into lines.
    lines: list[tuple[str, list[str], list[bool]]] = []
    for name, (texts, learnt) in documents.items():
        texts, learnt = _shortened(texts, learnt, framed)
        flags = iter(learnt)
        lines += [(name, [], [])] if name else []
        shown = list(map(visible, texts)) if name else texts
        lines += [("", line, list(islice(flags, len(line)))) for line in broken_lines(shown)]
    # 2. Draw them, and the meaning of the colours.
    canvas = Canvas(WIDTH, 2.6 * (len(lines) + 1) + 0.6, title)
    for row, (name, line, learnt) in enumerate(lines):
        canvas.text(0.3, 2.6 * row + 1.5, name, colour=FAINT, align="left", bold=True)
        x = 0.0
        for text, flag in zip(line, learnt, strict=True):
            end = canvas.tokens(x, 2.6 * row, [text], LEARNT if flag else READ, height=2.4)
            if text == framed:
                _frame(canvas, x + 0.1, 2.6 * row, end - x - 0.2, 2.4, ORANGE, 3)
            x = end
    bottom = 2.6 * len(lines) + 0.6
    x = canvas.key(1, bottom + 1.1, {"read": READ, "learnt": LEARNT})
    if framed:
        _frame(canvas, x, bottom, 2.5, 2.2, ORANGE, 3)
        canvas.text(x + 3.3, bottom + 1.1, framed, align="left")
    # 3. Say how many tokens are learnt, and whether the framed ones are.
    counts = []
    for name, (texts, learnt) in documents.items():
        of = f" of {name}" if name else ""
        marks = [flag for text, flag in zip(texts, learnt, strict=True) if text == framed]
        words = [f" ({framed} is {'learnt' if flag else 'not learnt'})" for flag in marks]
        counts.append(f"{sum(learnt)} of {len(texts)} tokens{of}{''.join(words)}")
    canvas.show(f"Text, token by token. Learnt: {', '.join(counts)}.")


def show_rows(
    title: str, documents: Sequence[Sequence[int]], learnt: Sequence[Sequence[bool]]
) -> None:
    """Show the rows of a batch: grey what is read, blue what is learnt, white what is empty.

    In a document's first piece stands its number.

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
        for number, tokens in groupby(zip(numbers, flags, strict=True), key=lambda pair: pair[0]):
            document = [flag for _, flag in tokens]
            name = str(number) if any(document) else ""
            for flag, run in groupby(document):
                size = len(list(run))
                kind = "learnt" if flag else "read" if any(document) else "empty"
                counts[kind] += size
                colour = LEARNT if flag else READ
                canvas.box(
                    start, 3.4 * unit * row, size, 3 * unit, name, colour, dashed=kind == "empty"
                )
                start, name = start + size, ""
    bottom = unit * (3.4 * len(documents) + 0.6)
    meanings = {"read, with the document's number": READ, "learnt": LEARNT, "empty": None}
    canvas.key(unit, bottom + 1.1 * unit, meanings)
    total = sum(counts.values())
    shares = ", ".join(f"{count / total:.0%} {kind}" for kind, count in counts.items())
    canvas.show(f"{len(documents)} rows of {length} tokens: {shares}.")


def show_mask(title: str, mask: Sequence[Sequence[bool]]) -> None:
    """Show which tokens of a row see which others: a line of the picture is what one token sees.

    Args:
        title: a sentence that states the finding.
        mask: for each token, whether it sees each token of the row; none sees a later one.
    """
    # 1. Shade what is seen, and what a text of one document would have shown besides.
    length, side = len(mask), 0.5 * WIDTH
    canvas = Canvas(WIDTH, side + 4, title)
    shades = [
        [to_rgb(LEARNT if seen else READ if key <= query else "white") for key, seen in line]
        for query, line in enumerate(map(enumerate, mask))
    ]
    canvas.axes.imshow(
        shades, extent=(6, 6 + side, side + 1, 1), aspect="auto", interpolation="nearest"
    )
    _frame(canvas, 6, 1, side, side, FAINT, 0.8)
    # 2. Name the sides and the colours.
    canvas.text(5, 1.8, "first\ntoken", colour=FAINT, align="right")
    canvas.text(5, side + 0.2, "last\ntoken", colour=FAINT, align="right")
    canvas.text(6 + side / 2, side + 2.6, "token that is seen", colour=FAINT)
    canvas.text(5, side / 2 + 1, "token\nthat\nsees", colour=FAINT, align="right")
    share = sum(map(sum, mask)) / (length * (length + 1) / 2)
    meanings = {
        "its own document: seen": LEARNT,
        "another document: hidden": READ,
        "a later token: hidden": "white",
    }
    for place, (text, colour) in enumerate(meanings.items()):
        canvas.key(side + 8, 5.1 + 4 * place, {text: colour})
    _frame(canvas, side + 8, 12.2, 2.5, 1.8, FAINT, 0.8)  # white on white has no edge
    canvas.text(side + 8, 17.1, f"blue: {share:.0%} of blue and grey", align="left")
    # 3. Say how much is seen; a document's first token sees itself alone.
    blocks = sum(sum(line) == 1 for line in mask)
    canvas.show(
        f"A mask of {length} x {length} tokens: {blocks} triangles along the diagonal, one for "
        f"each document and one for the empty end, if there is one; they are {share:.0%} of what "
        "one document of this length would see."
    )


def _shortened(
    texts: Sequence[str], learnt: Sequence[bool], framed: str
) -> tuple[Sequence[str], Sequence[bool]]:
    """Put dots for the tokens between the first ones and those before the framed one.

    Tokens of which only some are learnt stay.
    """
    end = texts.index(framed) - BEFORE if framed in texts else 0
    if end <= BEGINNING + 1 or len(set(learnt[BEGINNING:end])) > 1:
        return texts, learnt
    return (
        [*texts[:BEGINNING], "...", *texts[end:]],
        [*learnt[:BEGINNING], learnt[BEGINNING], *learnt[end:]],
    )


def _frame(
    canvas: Canvas, x: float, y: float, width: float, height: float, colour: str, line: float
) -> None:
    """Draw a frame, with a line of so many points, around what is there."""
    canvas.axes.add_patch(
        Rectangle((x, y), width, height, fill=False, edgecolor=colour, linewidth=line)
    )
