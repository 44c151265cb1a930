"""Tests of the book in Chromium, opened from the disk without a server or a network.

`make browser` runs these tests.
"""

from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

pytestmark = pytest.mark.browser

REPOSITORY = Path(__file__).resolve().parents[2]
CHAPTERS = [2, 3, 4]
WORKSHOP = "chapter of the workshop"
PHONE, DESK = {"width": 360, "height": 780}, {"width": 1200, "height": 900}
PAPER = {"width": 718, "height": 1000}  # A4 upright, within Chromium's margins
# Elements of the text that end beyond the screen, where nothing lets a reader scroll to them.
CUT_OFF = """() => Array.from(document.querySelectorAll("article *, main *")).filter(element => {
  const box = element.getBoundingClientRect();
  if (!box.width || box.right <= document.documentElement.clientWidth + 1) return false;
  if (element.closest(".bd-sidebar-secondary, mjx-assistive-mml, svg")) return false;
  for (let above = element; above; above = above.parentElement)
    if (["auto", "scroll"].includes(getComputedStyle(above).overflowX)) return false;
  return true;
}).map(element => `${element.tagName} is cut off: ${element.textContent.trim().slice(0, 60)}`)"""
# Code and outputs that paper cuts off, as nobody can scroll it.
CUT_OFF_ON_PAPER = """() => Array.from(document.querySelectorAll("pre")).filter(
  block => block.scrollWidth > block.clientWidth + 1
).map(block => block.textContent.trim().slice(0, 60))"""
SHOWN_WITHOUT_PIXELS = """() => Array.from(document.images).filter(image =>
  !image.hidden && image.getClientRects().length && image.naturalWidth === 0
).map(image => `${image.src} was not there`)"""


@pytest.fixture(scope="module")
def site() -> Path:
    """Folder of a newly built site."""
    pytest.importorskip("myst_nb", reason="building the book needs `pip install -e '.[book]'`")
    pytest.importorskip(
        "sphinx_book_theme", reason="building the book needs `pip install -e '.[book]'`"
    )
    from build_book import build_book

    return build_book().parent


@pytest.fixture(scope="module")
def pages(site) -> dict[str, Path]:
    """The front page, each chapter, the notebook of the workshop, and a page of source."""
    chapters = {
        f"chapter {number}": next((site / f"CH{number}").glob("[0-9]*.html")) for number in CHAPTERS
    }
    return {
        "front": site / "index.html",
        **chapters,
        WORKSHOP: next((site / "Appendixes" / "TinyQwen3").glob("how_*.html")),
        "source": site / "Appendixes" / "RoPE" / "rope.py.html",
        "part": site / "Appendixes" / "KVcache" / "index.html",
        "exercises": site / "Exercises" / "index.html",
    }


@pytest.fixture(scope="module")
def executed_pages(tmp_path_factory) -> list[Path]:
    """The pages that `make run` makes, of the notebooks as they are committed."""
    import nbformat
    from run_notebooks import NOTEBOOKS, html_page

    build = tmp_path_factory.mktemp("build")
    pages = []
    for path in NOTEBOOKS:
        page = build / path.parent.name / path.with_suffix(".html").name
        page.parent.mkdir()
        notebook = nbformat.read(path, as_version=4)
        page.write_text(html_page(notebook, path.parent, page.parent), encoding="utf-8")
        pages.append(page)
    return pages


def complaints_about(page, path: Path) -> list[str]:
    """Open a file in a browser's page; return what the browser or a reader would complain about."""
    said: list[str] = []
    handlers = {
        "console": lambda m: m.type in ("error", "warning") and said.append(m.text),
        "pageerror": lambda error: said.append(str(error)),
        "requestfailed": lambda request: said.append(f"{request.url} was not there"),
        "request": lambda r: r.url.startswith("http") and said.append(f"{r.url} is elsewhere"),
    }
    for event, handler in handlers.items():
        page.on(event, handler)
    page.goto(path.as_uri())
    page.wait_for_load_state("load")
    page.evaluate("window.MathJax && MathJax.startup.promise")
    width, screen = page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
    if width > screen:
        said.append(f"{width} pixels wide on a screen of {screen}")
    said += page.evaluate(CUT_OFF) + page.evaluate(SHOWN_WITHOUT_PIXELS)
    if page.locator("mjx-merror").count():
        said.append("a formula is not TeX")
    for event, handler in handlers.items():
        page.remove_listener(event, handler)
    return said


class _Page(HTMLParser):
    """A page's links and the places on it that links can lead to."""

    def __init__(self, path: Path):
        super().__init__()
        self.ids: set[str] = set()
        self.links: set[str] = set()
        self.loads: set[str] = set()  # what a browser fetches by itself
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.ids.update(attributes[name] for name in ("id", "name") if attributes.get(name))
        if tag == "a" and attributes.get("href"):
            self.links.add(attributes["href"])
        if tag != "a":
            self.loads.update(attributes[name] for name in ("src", "href") if attributes.get(name))


def test_every_link_leads_somewhere_and_nothing_is_loaded_from_elsewhere(site):
    pages = {path: _Page(path) for path in site.rglob("*.html") if "_static" not in path.parts}
    broken = []
    for path, page in pages.items():
        broken += [f"{path}: loads {target}" for target in page.loads if urlsplit(target).netloc]
        for link in page.links | page.loads:
            parts = urlsplit(link)
            if parts.scheme in ("http", "https", "data", "mailto"):
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if not target.is_file():
                broken.append(f"{path}: {link}: no such file")
            elif (
                target in pages
                and parts.fragment
                and unquote(parts.fragment) not in pages[target].ids
            ):
                broken.append(f"{path}: {link}: no such place on the page")
    assert broken == []
    assert len(pages) > 100


@pytest.mark.parametrize("package", ["CH2/benchmark", "CH3/math_verifier", "CH3/evaluation"])
def test_a_package_has_a_page_that_leads_to_its_modules(site, package):
    page = _Page(site / package / "index.html")
    folder = REPOSITORY / package
    modules = {f"{path.name}.html" for path in folder.glob("[!_]*.py")}
    assert modules <= page.links
    assert f"<h1>{package}<" in (site / package / "index.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_complains_or_cuts_anything_off_on_a_phone(chromium, site, executed_pages, scheme):
    page = chromium.new_page(viewport=PHONE, color_scheme=scheme)
    of_the_site = [path for path in site.rglob("*.html") if "_static" not in path.parts]
    complaints = {
        path.name: said
        for path in [*of_the_site, *executed_pages]
        if (said := complaints_about(page, path))
    }
    assert complaints == {}
    page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_main_pages_open_without_complaint_on_a_desk(chromium, pages, executed_pages, scheme):
    page = chromium.new_page(viewport=DESK, color_scheme=scheme)
    for path in [*pages.values(), *executed_pages]:
        assert complaints_about(page, path) == [], path.name
    page.close()


def test_paper_cuts_off_no_code(chromium, pages, executed_pages):
    page = chromium.new_page(viewport=PAPER)
    page.emulate_media(media="print")
    for path in [*pages.values(), *executed_pages]:
        page.goto(path.as_uri())
        assert page.locator("pre").count() or path == pages["exercises"]
        assert page.evaluate(CUT_OFF_ON_PAPER) == [], path


@pytest.mark.parametrize("number", CHAPTERS)
def test_chapter_sets_its_formulas_and_shows_its_pictures(chromium, pages, number):
    page = chromium.new_page(viewport=DESK)
    assert complaints_about(page, pages[f"chapter {number}"]) == []
    assert page.locator("mjx-container").count() > 0
    assert page.locator(".cell_output img").count() >= 3
    page.close()


def test_a_part_shows_its_idea_then_its_output_and_picture_then_its_files(chromium, pages):
    page = chromium.new_page(viewport=DESK)
    page.goto(pages["part"].as_uri())
    article = page.locator("article.bd-article")
    text = article.inner_text()
    landmarks = ["Key-value cache", ">>> ", "At work", "1. ", "Files", "simple_kv_cache.py"]
    places = [text.index(landmark) for landmark in landmarks]
    assert places == sorted(places)
    [picture] = article.locator("img").all()
    assert "GiB" in picture.get_attribute("alt")
    page.close()


@pytest.mark.parametrize(
    ("words", "found"),
    [("nucleus", "Chapter 4"), ("perplexity", "Chapter 2"), ("apply_rope", "rope.py")],
)
def test_search_finds(chromium, site, words, found):
    page = chromium.new_page()
    page.goto(f"{(site / 'search.html').as_uri()}?q={words}")
    page.locator("#search-results li a", has_text=found).first.wait_for(timeout=10_000)
    page.close()


@pytest.mark.parametrize(("system", "other"), [("light", "dark"), ("dark", "light")])
def test_page_is_as_the_system_is_and_can_be_switched(chromium, pages, system, other):
    page = chromium.new_page(viewport=DESK, color_scheme=system)
    page.goto(pages["chapter 2"].as_uri())
    theme, colour = (
        "document.documentElement.dataset.theme",
        "getComputedStyle(document.body).backgroundColor",
    )
    before = page.evaluate(colour)
    assert page.evaluate(theme) == system
    page.locator(".theme-switch-button:visible").first.click()
    page.locator(f".theme-change-button[data-mode={other}]:visible").first.click()
    assert page.evaluate(theme) == other
    page.wait_for_function(f"{colour} !== '{before}'")
    page.close()
