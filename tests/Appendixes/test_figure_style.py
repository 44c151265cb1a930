"""One style for all pictures, whose colours differ for colour-blind readers too, and no picture
without words.
"""

import re

import matplotlib
import nbformat
import pytest
from run_notebooks import NOTEBOOKS, REPOSITORY

from Appendixes import figure_style
from Appendixes.figure_style import describe, new_figure, new_picture, show

OWN_STYLE = re.compile(r"rcParams|plt\.|pyplot|figsize|Figure\(|#[0-9A-Fa-f]{6}\b")


def test_colours_are_of_a_palette_made_for_colour_blind_readers():
    palette = matplotlib.color_sequences.get("okabe_ito")
    if palette is None:
        pytest.skip("needs matplotlib 3.11, which knows the palette")
    published = {matplotlib.colors.to_hex(colour).upper() for colour in palette}
    used = {value for value in vars(figure_style).values() if str(value).startswith("#")}
    assert len(used) == 7 and used - published == {figure_style.PALE}


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
        assert options == {"metadata": {"image/png": {"alt": text, "width": 700}}, "raw": True}
        assert output["text/plain"] == text
        assert output["image/png"].startswith(b"\x89PNG")
