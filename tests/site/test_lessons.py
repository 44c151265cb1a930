"""Tests of the lessons' form: short cells, a question before each result, a conclusion after it.

A chapter is tested from the day that it is written in this form; see `CHAPTERS`.
"""

import ast
import re

import nbformat
import pytest
from run_notebooks import NOTEBOOKS

CHAPTERS = ["CH2", "CH3", "CH4"]
LINES = 15  # of a cell of code that a page shows
COLUMNS = 100
QUESTION = re.compile(r"\*\*Predict[^*]*\*\*[^?]*\?", re.DOTALL)
CONCLUSION = ("**What you see", "**Why:**", "**What it does not show")
BUILT = re.compile(r"^\*\*You will build\*\* (?P<text>.+?)(?:\n\n|\Z)", re.MULTILINE | re.DOTALL)
HEADING = re.compile(r"^## (?P<heading>\d+\. .+)$", re.MULTILINE)
FORBIDDEN = {
    "an address in memory": r"\bat 0x[0-9a-f]{6,}",
    "a failed connection": r"urlopen|Connection|Name or service|could not be downloaded",
    "a warning": r"[A-Z]\w*Warning\b",
    "a path of a machine": r"(?<![\w.])/(?:home|root|tmp|work|Users)/\w+",
    "a progress bar": r"\d+%\|",
}

by_chapter = pytest.mark.parametrize(
    "path",
    [path for path in NOTEBOOKS if path.parent.name in CHAPTERS],
    ids=lambda path: path.parent.name,
)


def read(path) -> list:
    return nbformat.read(path, as_version=4).cells


def hidden(cell) -> bool:
    return "hide-input" in cell.metadata.get("tags", [])


def numbered_sections(path) -> dict[str, list]:
    """Return the cells of each numbered section, by its heading."""
    found: dict[str, list] = {}
    current = None
    for cell in read(path):
        heading = cell.cell_type == "markdown" and re.search(
            r"^## (.+)$", cell.source, re.MULTILINE
        )
        if heading:
            current = heading[1] if HEADING.search(cell.source) else None
        if current is not None:
            found.setdefault(current, []).append(cell)
    return found


def words(cells) -> str:
    return "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")


def outputs(path) -> str:
    """Return all that cells have printed, and the results that they have shown as text."""
    texts = [
        output.get("text") or output.get("data", {}).get("text/plain", "")
        for cell in read(path)
        for output in cell.get("outputs", [])
    ]
    return "\n".join(texts)


def test_the_chapters_are_there():
    assert set(CHAPTERS) <= {path.parent.name for path in NOTEBOOKS}


@by_chapter
def test_a_section_asks_before_it_shows_and_concludes_after(path):
    sections = numbered_sections(path)
    assert len(sections) >= 8
    for heading, cells in sections.items():
        text = " ".join(words(cells).split())
        questions = len(QUESTION.findall(text))
        assert questions >= 1, f"no question before a result in {heading!r}"
        for part in CONCLUSION:
            assert part in text, f"{heading!r} has no {part!r}"


@by_chapter
def test_a_section_ends_with_something_to_do(path):
    for heading, cells in numbered_sections(path).items():
        assert "**Your turn.**" in words(cells), heading


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.parent.name)
def test_a_cell_that_a_page_folds_is_folded_in_jupyterlab_too(path):
    """The text calls it folded; and it may hold the answer to a prediction, as a title does."""
    for cell in read(path):
        if cell.cell_type == "code":
            folded = cell.metadata.get("jupyter", {}).get("source_hidden", False)
            assert folded == hidden(cell), cell.source


@by_chapter
def test_cells_that_a_page_shows_are_short_and_narrow(path):
    code = [cell.source for cell in read(path) if cell.cell_type == "code" and not hidden(cell)]
    assert [text for text in code if len(text.splitlines()) > LINES] == []
    lines = [line for text in code for line in text.splitlines()]
    assert [line for line in lines if len(line) > COLUMNS] == []


@by_chapter
def test_what_you_will_build_is_defined_in_cells(path):
    cells = read(path)
    promise = BUILT.search(words(cells))
    assert promise, "the chapter does not say what you will build"
    names = re.findall(r"`(\w+)`", promise["text"])
    assert len(names) >= 5
    trees = [ast.parse(cell.source) for cell in cells if cell.cell_type == "code"]
    defined = {
        node.name for tree in trees for node in tree.body if isinstance(node, ast.FunctionDef)
    }
    assert set(names) - defined == set()


@by_chapter
def test_code_that_a_page_hides_builds_nothing_that_was_promised(path):
    cells = read(path)
    names = set(re.findall(r"`(\w+)`", BUILT.search(words(cells))["text"]))
    for cell in cells:
        if cell.cell_type == "code" and hidden(cell):
            tree = ast.parse(cell.source)
            assert not names & {getattr(node, "name", "") for node in tree.body}


@by_chapter
def test_grown_up_modules_are_compared_with_what_was_built(path):
    text = words(read(path))
    compared = sum("assert" in cell.source for cell in read(path) if cell.cell_type == "code")
    assert text.count("**The same, grown up.**") >= 6
    assert compared >= text.count("**The same, grown up.**")


@by_chapter
@pytest.mark.parametrize("kind", FORBIDDEN)
def test_no_output_depends_on_the_machine_or_a_network(path, kind):
    assert re.findall(FORBIDDEN[kind], outputs(path)) == []


@by_chapter
def test_pages_fold_the_code_that_is_tagged_and_no_other(path, page):
    assert page(path).count("<details><summary>Code</summary>") == sum(map(hidden, read(path)))


def test_the_example_of_the_form_is_what_the_patterns_find():
    assert QUESTION.search("**Predict, then run.** Which is longer?")
    assert not QUESTION.search("**Predict, then run.** It is longer.")
    assert re.search(FORBIDDEN["an address in memory"], "<object at 0x7f0011223344>")
    assert re.search(FORBIDDEN["a path of a machine"], "see " + "/".join(["", "home", "me", "x"]))
    assert not re.search(FORBIDDEN["a path of a machine"], "CH2/tmp/x")
