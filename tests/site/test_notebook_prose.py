"""Tests of the texts: descriptions of pictures, links, references, the glossary."""

import html
import re
from functools import cache
from html.parser import HTMLParser
from itertools import count, pairwise
from pathlib import Path
from urllib.parse import unquote

import nbformat
import pytest
from run_notebooks import CHAPTERS, NOTEBOOKS, REPOSITORY

NAMES = {path.parent.name: path for path in NOTEBOOKS}
ANCHOR = re.compile(r'<a id="([^"]+)"></a>')
LINK = re.compile(r"(?<!!)\[(?P<text>[^\]]*)\]\((?P<target>[^()\s]+)\)")
TARGET = re.compile(r"\]\((?P<target>[^()\s]+)\)")  # of a link, or of the picture in it
BLOCK = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`[^`\n]+`")
HEADING = re.compile(r"^#+ (?P<words>.+)$", re.MULTILINE)
PICTURE = re.compile(r"!\[(?P<words>[^\]]*)\]\(|<img\b(?P<attributes>[^>]*)>")
CITATION = re.compile(
    r"(?P<name>[A-Z][a-z]+)(?:'s)?(?: et al\.| and [A-Z][a-z]+)?(?:, | \()(?P<year>(?:19|20)\d\d)\b"
)
REFERENCE = re.compile(
    r"^- (?P<name>[A-Z][a-z]+)(?: et al\.| and [A-Z][a-z]+)? \((?P<year>\d{4})\), \*", re.MULTILINE
)
ROW = re.compile(  # of the glossary
    r"^\| (?P<word>[^|]+?) \| (?P<meaning>[^|]+?) "
    r"\| \[(?P<label>[\dA.]+)\]\((?P<target>[^()\s]+)\) \|$",
    re.MULTILINE,
)
WORDS_AT_LEAST = 6  # of a description

CARDS = REPOSITORY.glob("CH2/qwen3/tiny*/*.md")  # of the shipped models
DOCUMENTS = sorted([*REPOSITORY.glob("*.md"), *CARDS, REPOSITORY / "Appendixes" / "glossary.md"])

by_chapter = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.parent.name)


def read(path: Path) -> nbformat.NotebookNode:
    return nbformat.read(path, as_version=4)


def prose(path: Path) -> str:
    """Return the text of all Markdown cells of a notebook."""
    return "\n\n".join(cell.source for cell in read(path).cells if cell.cell_type == "markdown")


def pictures(path: Path) -> list[nbformat.NotebookNode]:
    """Return the outputs that are pictures."""
    outputs = [output for cell in read(path).cells for output in cell.get("outputs", [])]
    return [
        output
        for output in outputs
        if any(kind.startswith("image/") for kind in output.get("data", {}))
    ]


def descriptions(path: Path) -> list[str]:
    """Return the alternative texts of the pictures, empty where there is none."""
    return [output.metadata.get("image/png", {}).get("alt", "") for output in pictures(path)]


@cache
def sections(path: Path) -> dict[str, str]:
    """Return the text from each anchor to the next, with code and without outputs."""
    whole = "\n\n".join(cell.source for cell in read(path).cells)
    parts = ANCHOR.split(whole)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def anchors(path: Path) -> set[str]:
    """Return what a link to a notebook, or to a Markdown file on GitHub, may name after its #."""
    if path.suffix == ".ipynb":
        return set(sections(path))
    found: set[str] = set()
    for heading in HEADING.finditer(BLOCK.sub("", path.read_text(encoding="utf-8"))):
        name = re.sub(r"[^\w\- ]", "", heading["words"].lower()).replace(" ", "-")
        again = (f"{name}-{number}" for number in count(1))
        found.add(name if name not in found else next(one for one in again if one not in found))
    return found


def missing_targets(targets: list[str], path: Path) -> list[str]:
    """Return the targets of a file's links that lead to no file, or to no place in it."""
    missing = []
    for target in targets:
        file, _, anchor = target.partition("#")
        linked = (path.parent / unquote(file)).resolve() if file else path
        if not linked.exists() or (anchor and anchor not in anchors(linked)):
            missing.append(target)
    return missing


class Images(HTMLParser):
    """Parser that collects the alternative texts of a page's pictures, None where missing."""

    def __init__(self, page: str):
        super().__init__()
        self.alternatives: list[str | None] = []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        if tag == "img":
            self.alternatives.append(dict(attrs).get("alt"))


@by_chapter
def test_every_picture_says_in_words_what_it_shows(path):
    assert pictures(path)
    for text in descriptions(path):
        assert len(text.split()) >= WORDS_AT_LEAST, text
        assert re.search(r"\d", text), (
            f"a description with no number of what is to be seen: {text!r}"
        )
    assert len(set(descriptions(path))) == len(pictures(path))
    for picture in PICTURE.finditer(prose(path)):
        written = (
            picture["words"]
            if picture["words"] is not None
            else re.search(r'alt="([^"]*)"', picture["attributes"])
        )
        assert written, f"a picture without words: {picture[0]}"


@by_chapter
def test_pages_keep_the_descriptions(path, page):
    assert Images(page(path)).alternatives == descriptions(path)
    cells = [cell for cell in read(path).cells if "mystnb" in cell.metadata]
    # what MyST-NB reads
    assert [cell.metadata["mystnb"]["image"]["alt"] for cell in cells] == descriptions(path)


@by_chapter
def test_a_link_leads_to_a_file_and_to_an_anchor_that_are_there(path):
    links = [
        match["target"]
        for match in LINK.finditer(prose(path))
        if not match["target"].startswith("http")
    ]
    assert any(target.startswith("#") for target in links)
    assert missing_targets(links, path) == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_a_link_of_a_document_leads_to_a_file_and_to_a_heading_that_are_there(path):
    text = CODE.sub("", BLOCK.sub("", path.read_text(encoding="utf-8")))
    links = [match["target"] for match in TARGET.finditer(text)]
    assert missing_targets([link for link in links if not link.startswith("http")], path) == []


def test_a_link_that_leads_nowhere_is_seen(tmp_path):
    path = tmp_path / "text.md"
    path.write_text("# One: `two`, three\n# Same\n## Same\n```\n# no heading\n```\n")
    good = ["text.md", "#one-two-three", "text.md#same", "#same-1"]
    bad = ["other.md", "#one", "text.md#no-heading", "#same-2"]
    assert missing_targets(good + bad, path) == bad


@by_chapter
def test_links_of_pages_lead_where_they_lead_in_the_notebook(path, page):
    build = REPOSITORY / "build" / path.parent.name
    found = {html.unescape(one) for one in re.findall(r'href="([^"]+)"', page(path))}
    for target in {match["target"] for match in LINK.finditer(prose(path))}:
        file, _, anchor = unquote(target).partition("#")
        if not file or file.startswith("http"):
            assert target in found
            continue
        linked = (path.parent / file).resolve()
        if linked in NOTEBOOKS:
            linked = REPOSITORY / "build" / linked.parent.name / linked.with_suffix(".html").name
        reached = {
            ((build / unquote(one).partition("#")[0]).resolve(), one.partition("#")[2])
            for one in found
            if not one.startswith(("http", "#"))
        }
        assert (linked, anchor) in reached, target


@by_chapter
def test_works_that_are_cited_are_listed_and_the_other_way_round(path):
    text, _, rest = prose(path).partition("## References")
    text = " ".join(text.split())  # a citation may stand on two lines
    listed = {(match["name"], match["year"]) for match in REFERENCE.finditer(rest)}
    assert len(listed) == sum(line.startswith("- ") for line in rest.splitlines())
    assert {(match["name"], match["year"]) for match in CITATION.finditer(text)} == listed


def test_the_glossary_is_sorted_and_its_words_stand_in_the_sections_it_links_to():
    path = REPOSITORY / "Appendixes" / "glossary.md"
    rows = list(ROW.finditer(path.read_text(encoding="utf-8")))
    words = [row["word"] for row in rows if "$" not in row["word"]]
    assert words == sorted(words, key=str.lower)
    assert len(words) >= 50
    for row in rows:
        file, _, anchor = row["target"].partition("#")
        linked = (path.parent / file).resolve()
        chapter = linked.parent.name[-1] if linked in CHAPTERS else "A"  # or the appendix
        assert row["label"] == f"{chapter}.{anchor}"
        if "$" not in row["word"]:
            section = re.sub(r"[*`]", "", sections(linked)[anchor])
            section = re.sub(r"\s+", " ", section).lower().replace("-", " ")
            for word in row["word"].lower().replace("-", " ").split(", "):
                assert word in section, f"{word!r} is not in section {row['label']}"


def test_a_chapter_opens_with_the_one_before_it():
    for before, chapter in pairwise(CHAPTERS):
        opening = next(cell.source for cell in read(chapter).cells)
        assert f"../{before.parent.name}/{before.name}" in opening
        assert f"hapter {before.parent.name[-1]}" in opening.split("\n\n")[1]
