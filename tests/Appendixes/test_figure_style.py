"""One style for all pictures, whose colours differ for colour-blind readers too, and no picture
without words.
"""

import itertools
import re

import nbformat
import pytest
import torch
from run_notebooks import NOTEBOOKS, REPOSITORY

from Appendixes import figure_style
from Appendixes.figure_style import describe, new_figure, new_picture, show

COLOURS = {name: value for name, value in vars(figure_style).items() if str(value).startswith("#")}
# What is left of a colour (linear RGB) for readers who lack one kind of cone: Machado, Oliveira and
# Fernandes (2009), https://doi.org/10.1109/TVCG.2009.113, severity 1.
SEEN = {
    "all cones": [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}
# of sRGB, white point D65
TO_XYZ = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
WHITE = [0.9505, 1.0, 1.0890]
CLEARLY = 10  # CIE 1976 units; about 2.3 are just noticeable
OWN_STYLE = re.compile(r"rcParams|plt\.|pyplot|figsize|Figure\(|#[0-9A-Fa-f]{6}\b")


def lab(colour: str, kind: str) -> torch.Tensor:
    """CIE L*a*b* of a colour as somebody sees it."""
    values = torch.tensor(
        [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)], dtype=torch.float64
    )
    linear = torch.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    seen = (torch.tensor(SEEN[kind], dtype=torch.float64) @ linear).clamp(0, 1)
    ratio = (
        torch.tensor(TO_XYZ, dtype=torch.float64) @ seen / torch.tensor(WHITE, dtype=torch.float64)
    )
    f = torch.where(ratio > (6 / 29) ** 3, ratio ** (1 / 3), ratio / (3 * (6 / 29) ** 2) + 4 / 29)
    return torch.stack((116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])))


@pytest.mark.parametrize("kind", SEEN)
def test_any_two_colours_can_be_told_apart(kind):
    assert len(COLOURS) == 7
    for (first, one), (second, other) in itertools.combinations(COLOURS.items(), 2):
        assert (lab(one, kind) - lab(other, kind)).norm() > CLEARLY, (first, second)


def test_all_pictures_are_drawn_in_the_one_style():
    style = REPOSITORY / "Appendixes" / "figure_style.py"
    files = [
        path
        for folder in ("Appendixes", "CH2", "CH3", "CH4")
        for path in (REPOSITORY / folder).rglob("*.py")
    ]
    sources = {path.name: path.read_text(encoding="utf-8") for path in files if path != style}
    assert OWN_STYLE.search(style.read_text(encoding="utf-8"))
    for path in NOTEBOOKS:
        cells = [
            cell.source
            for cell in nbformat.read(path, as_version=4).cells
            if cell.cell_type == "code"
        ]
        sources[path.name] = "\n".join(cells)
    assert {
        name: OWN_STYLE.findall(source)
        for name, source in sources.items()
        if OWN_STYLE.search(source)
    } == {}


def test_a_picture_fits_a_column_of_700_pixels_and_has_titles():
    figure, axes = new_picture("what is found", "x (units)", "y (units)", grid="x")
    assert (figure.get_size_inches() * figure.dpi).tolist() == [700, 400]
    assert [axes.get_title(), axes.get_xlabel(), axes.get_ylabel()] == [
        "what is found",
        "x (units)",
        "y (units)",
    ]
    assert (
        axes.xaxis.get_gridlines()[0].get_visible()
        and not axes.yaxis.get_gridlines()[0].get_visible()
    )


def test_a_picture_is_shown_with_its_words_only():
    with pytest.raises(ValueError, match="without a description"):
        show(new_figure())
    for text in ("", "  \n"):
        with pytest.raises(ValueError, match="empty text"):
            describe(new_figure(), text)


def test_words_reach_the_output_as_alternative_text(monkeypatch):
    shown = []
    monkeypatch.setattr(
        "IPython.display.display", lambda *data, **options: shown.append((data, options))
    )
    show(new_figure(), "A line\nfrom 1 to 2.")
    show(describe(new_figure(), "A line from 2 to 3."))
    for ((output,), options), text in zip(
        shown, ("A line from 1 to 2.", "A line from 2 to 3."), strict=True
    ):
        assert options == {"metadata": {"image/png": {"alt": text}}, "raw": True}
        assert output["text/plain"] == text
        assert output["image/png"].startswith(b"\x89PNG")
