"""Build the book, a static site: `make book`, or `python tests/tools/build_book.py`. Open
build/book/index.html.

The notebooks are shown as they are committed, with their outputs: nothing is executed. Sphinx and
MyST-NB make the pages, sphinx-book-theme their looks. A copy of what is shown is first laid out
under build/book-source, with each link turned into the address of the page that it leads to:

- a notebook or a Markdown file is a page, and so is a Python file, with its source
- a folder is a page that lists its files, and they become pages too
- any other file (data, a picture) is copied as it is

A link to something that does not exist stops the build. The site needs no network, and no server:
formulas are set by a copy of MathJax in its own folder."""

import ast
import posixpath
import re
import shutil
import sys
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path, PurePosixPath
from urllib.parse import quote, unquote

import nbformat

REPOSITORY = Path(__file__).resolve().parents[2]
SOURCE = REPOSITORY / "build" / "book-source"
SITE = REPOSITORY / "build" / "book"

README = PurePosixPath("README.md")
NOTEBOOKS = sorted(
    PurePosixPath(path.relative_to(REPOSITORY)) for path in REPOSITORY.glob("CH[0-9]/*.ipynb")
)
PARTS = sorted(
    PurePosixPath(path.parent.relative_to(REPOSITORY))
    for path in REPOSITORY.glob("Appendixes/*/main.py")
)
CODE = [*(path.parent for path in NOTEBOOKS), PurePosixPath("Exercises")]

LINK = re.compile(r"(?<=\]\()[^()\s]+(?=\))")  # the target in [text](target)
# The addresses among the references are wider than a phone; narrow columns of tables should break
# no word, though.
STYLE = ".bd-article { overflow-wrap: anywhere; }\n.bd-article :is(td, th) { overflow-wrap: break-word; }\n"
ELSEWHERE = re.compile(r"#|[a-z]+:")  # on the same page, or on another site

SETTINGS = {
    "project": "Reasoning models, from their parts",
    "html_title": "Reasoning models, from their parts",
    "language": "en",
    "extensions": ["myst_nb", "sphinx.ext.mathjax"],
    "root_doc": "index",
    "suppress_warnings": ["toc.not_included"],  # some pages are reached by links alone
    "nb_execution_mode": "off",
    "myst_enable_extensions": ["dollarmath"],
    "myst_all_links_external": True,  # every link is an address already
    "myst_heading_anchors": 3,
    "html_theme": "sphinx_book_theme",
    "html_theme_options": {
        "navbar_persistent": [],
        "show_toc_level": 2,
        "use_fullscreen_button": False,
    },
    "html_context": {"default_mode": "auto"},  # light or dark, as the reader's system is
    "html_show_copyright": False,
    "html_show_sphinx": False,
    "html_static_path": ["_static"],
    "html_css_files": ["book.css"],
    "html_extra_path": ["_extra"],
    "mathjax_path": "mathjax/tex-chtml.js",
}


def build_book() -> Path:
    """Write the site.

    Returns:
        Its first page.

    Raises:
        ValueError: a link leads nowhere.
        RuntimeError: Sphinx warned of something, which is on the screen.
    """
    # `make book` installs it; `make test` imports this file without it
    from sphinx.application import Sphinx

    for folder in (SOURCE, SITE):
        shutil.rmtree(folder, ignore_errors=True)
    for folder in ("_static", "_extra"):
        (SOURCE / folder).mkdir(parents=True)
    (SOURCE / "_static" / "book.css").write_text(STYLE, encoding="utf-8")
    _copy_mathjax()
    _write_sources()
    sphinx = Sphinx(
        srcdir=SOURCE,
        confdir=None,
        outdir=SITE,
        doctreedir=SOURCE / ".doctrees",
        buildername="html",
        confoverrides=SETTINGS,
        status=None,
        warningiserror=True,
    )
    sphinx.build()
    if sphinx.statuscode:
        raise RuntimeError("Sphinx warned, see above: somewhere a page is not what it should be")
    return SITE / "index.html"


def _write_sources() -> None:
    """Write all that was asked for, and all that it links to."""
    waiting = [README, *NOTEBOOKS, *PARTS, *CODE]
    known = set(waiting)
    while waiting:
        path = waiting.pop()
        for linked in _write_source(path):
            if linked not in known:
                known.add(linked)
                waiting.append(linked)


def _write_source(path: PurePosixPath) -> set[PurePosixPath]:
    """Write what Sphinx reads for one file or folder, and return what it links to."""
    original, source = REPOSITORY / path, SOURCE / _source_name(path)
    source.parent.mkdir(parents=True, exist_ok=True)
    linked: set[PurePosixPath] = set()
    if original.is_dir():
        text = _with_addresses(_folder_page(path), path, linked)
    elif path.suffix == ".py":
        text = _code_page(path)
    elif path.suffix == ".md":
        text = _with_addresses(original.read_text(encoding="utf-8"), path.parent, linked)
    elif path.suffix == ".ipynb":
        notebook = nbformat.read(original, as_version=4)
        for cell in notebook.cells:
            if cell.cell_type == "markdown":
                cell.source = _with_addresses(cell.source, path.parent, linked)
        text = nbformat.writes(notebook)
    else:
        # a picture may be shown on one page, and linked from another
        for target in {source, SOURCE / "_extra" / path}:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(original, target)
        return linked
    if path == README:
        text += _table_of_contents()
    source.write_text(text, encoding="utf-8")
    return linked


def _source_name(path: PurePosixPath) -> PurePosixPath:
    """Where the source of a page is written: what Sphinx makes of it has the same name, with
    `.html` at the end.
    """
    if path == README:
        return PurePosixPath("index.md")
    if (REPOSITORY / path).is_dir():
        return path / "index.md"
    if path.suffix == ".py":
        return path.with_name(path.name + ".md")
    if path.suffix in (".md", ".ipynb", ".png"):  # Sphinx takes the pictures that a page shows
        return path
    return PurePosixPath("_extra") / path


def _document_name(path: PurePosixPath) -> str:
    """What Sphinx calls a page."""
    return _source_name(path).with_suffix("").as_posix()


def _with_addresses(text: str, folder: PurePosixPath, linked: set[PurePosixPath]) -> str:
    """A Markdown text in `folder`, with links to the pages; what it links to is added to `linked`."""

    def address(match: re.Match[str]) -> str:
        if ELSEWHERE.match(match[0]):
            return match[0]
        name, hash_sign, anchor = match[0].partition("#")
        path = PurePosixPath(posixpath.normpath(folder / unquote(name)))
        if ".." in path.parts or not (REPOSITORY / path).exists():
            raise ValueError(
                f"a text in the folder {folder} links to {match[0]}, which does not exist"
            )
        linked.add(path)
        is_page = _source_name(path).suffix in (".md", ".ipynb")
        target = _document_name(path) + ".html" if is_page else path.as_posix()
        return quote(posixpath.relpath(target, folder)) + hash_sign + anchor

    return LINK.sub(address, text)


def _folder_page(path: PurePosixPath) -> str:
    """A folder's files, each with the first line of its docstring."""
    entries = [
        path / entry.name for entry in sorted((REPOSITORY / path).iterdir()) if _is_shown(entry)
    ]
    lines = [
        f"- [`{entry.name}`]({quote(entry.name)}): {_summary(entry)}".removesuffix(": ")
        for entry in entries
    ]
    # notebooks stand under Chapters
    pages = [entry for entry in entries if _source_name(entry).suffix == ".md"]
    names = [posixpath.relpath(_document_name(entry), path) for entry in pages]
    return f"# {path.name}\n\n{_summary(path)}\n\n" + "\n".join(lines) + _toctree(names)


def _is_shown(entry: Path) -> bool:
    return not (
        entry.name.startswith((".", "_")) or entry.suffix == ".safetensors" or entry.name == "qwen3"
    )


def _summary(path: PurePosixPath) -> str:
    """The first paragraph of a module's or a package's docstring; nothing for other files."""
    module = (
        REPOSITORY / path / "__init__.py" if (REPOSITORY / path).is_dir() else REPOSITORY / path
    )
    if module.suffix != ".py" or not module.is_file():
        return ""
    docstring = ast.get_docstring(ast.parse(module.read_text(encoding="utf-8"))) or ""
    return docstring.split("\n\n")[0].replace("\n", " ")


def _code_page(path: PurePosixPath) -> str:
    code = (REPOSITORY / path).read_text(encoding="utf-8")
    fence = "`" * 8
    return (
        f"# {path.name}\n\n`{path}`\n\n{fence}{{code-block}} python\n:linenos:\n\n{code}\n{fence}\n"
    )


def _table_of_contents() -> str:
    """What the side of each page shows."""
    groups = {"Chapters": NOTEBOOKS, "Parts": PARTS, "Modules and exercises": CODE}
    return "".join(
        _toctree(map(_document_name, paths), f":caption: {title}")
        for title, paths in groups.items()
    )


def _toctree(names: Iterable[str], caption: str = "") -> str:
    return "\n".join(["", "", "```{toctree}", ":hidden:", caption, "", *names, "```", ""])


def _copy_mathjax() -> None:
    """Put MathJax and its fonts beside the pages: the files of the package sphinx-mathjax-offline
    that a page loads.
    """
    for file in metadata.files("sphinx-mathjax-offline") or ():
        inside = file.as_posix().partition("/static/")[2]
        if inside == "mathjax/tex-chtml.js" or inside.startswith(
            "mathjax/output/chtml/fonts/woff-v2/"
        ):
            target = SOURCE / "_static" / inside
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file.locate(), target)


if __name__ == "__main__":
    try:
        print(f"{build_book().relative_to(REPOSITORY)} is the first page")
    except (ValueError, RuntimeError) as error:
        sys.exit(str(error))
