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
PHONE, DESK = {"width": 390, "height": 844}, {"width": 1280, "height": 900}


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
    }


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


@pytest.mark.parametrize("viewport", [PHONE, DESK], ids=["phone", "desk"])
@pytest.mark.parametrize(
    "name", ["front", *(f"chapter {number}" for number in CHAPTERS), WORKSHOP, "source"]
)
def test_page_opens_without_complaint(chromium, pages, name, viewport):
    page = chromium.new_page(viewport=viewport)
    complaints, messages, requests = [], [], []
    page.on("console", lambda message: messages.append(message))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("requestfailed", lambda request: complaints.append(f"{request.url} was not there"))
    page.on("request", lambda request: requests.append(request.url))
    page.goto(pages[name].as_uri())
    page.wait_for_load_state("load")
    if name.startswith("chapter"):
        page.evaluate("MathJax.startup.promise")
        assert page.locator("mjx-container").count() > 0
        assert page.locator("mjx-merror").count() == 0
        assert page.locator(".cell_output img").count() >= 3
    shown = "image => !image.hidden && image.getClientRects().length && image.naturalWidth === 0"
    missing = f"Array.from(document.images).filter({shown}).map(image => image.src)"
    assert page.evaluate(missing) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"], (
        "wider than the screen"
    )
    complaints += [message.text for message in messages if message.type in ("error", "warning")]
    complaints += [f"{url} is on another machine" for url in requests if url.startswith("http")]
    assert complaints == []
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
