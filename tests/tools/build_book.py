"""Build the book, a static site, in build/book: `make book`, or `python tests/tools/build_book.py`.

The notebooks are shown as they are committed, with their outputs: nothing is executed. Sphinx and
MyST-NB make the pages, sphinx-book-theme styles them. The sources are first copied to
build/book-source, where each link is replaced by the address of the page that it leads to:

- a notebook, a Markdown file or a Python file becomes a page
- a folder becomes a page that lists its files, which become pages too
- any other file (data, a picture) is copied as it is

A link to something that does not exist stops the build. The site needs neither a network nor a
server: a copy of MathJax in its own folder sets the formulas.
"""

import ast
import posixpath
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path, PurePosixPath
from urllib.parse import quote, unquote

import nbformat

from Exercises.chapters import chapters, exercises

REPOSITORY = Path(__file__).resolve().parents[2]
SOURCE = REPOSITORY / "build" / "book-source"
SITE = REPOSITORY / "build" / "book"

NOTEBOOKS_OF_PARTS = sorted(
    PurePosixPath(path.relative_to(REPOSITORY)) for path in REPOSITORY.glob("Appendixes/*/*.ipynb")
)

README = PurePosixPath("README.md")
NOTEBOOKS = sorted(
    PurePosixPath(path.relative_to(REPOSITORY)) for path in REPOSITORY.glob("CH[0-9]/*.ipynb")
)
APPENDIXES = PurePosixPath("Appendixes")
EXERCISES = PurePosixPath("Exercises")
CODE = [*(path.parent for path in NOTEBOOKS), EXERCISES]

LINK = re.compile(r"(?<=\]\()[^()\s]+(?=\))")  # the target in [text](target)
ELSEWHERE = re.compile(r"#|[a-z]+:")  # a target on the same page, or on another site
# An entry of the map in a package's docstring, such as: - `voting.py` (section 7): counts votes
MAP_ENTRY = re.compile(r"^- `([^`]+?)/?`(.+?)(?=\n- |\n\n|\Z)", re.MULTILINE | re.DOTALL)
# a demonstration's last lines
PICTURE = re.compile(r"\nThe picture is in \S+:\n(?P<titles>.+)\Z", re.DOTALL)
# Break the addresses among the references, which are wider than a phone, but no word in a table.
STYLE = """\
.bd-article { overflow-wrap: anywhere; }
.bd-article :is(td, th) { overflow-wrap: break-word; }
"""

SETTINGS = {
    "project": "Reasoning models, from their parts",
    "author": "The authors of this repository",
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
    """Build the site.

    Returns:
        The site's first page.

    Raises:
        ValueError: a link leads nowhere.
        RuntimeError: Sphinx printed a warning.
    """
    # `make book` installs Sphinx; `make test` imports this file without it
    from sphinx.application import Sphinx

    # 1. Lay out the sources.
    for folder in (SOURCE, SITE):
        shutil.rmtree(folder, ignore_errors=True)
    for folder in ("_static", "_extra"):
        (SOURCE / folder).mkdir(parents=True)
    (SOURCE / "_static" / "book.css").write_text(STYLE, encoding="utf-8")
    _copy_mathjax()
    _write_sources()
    # 2. Make pages of them; any warning is an error.
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
        raise RuntimeError("Sphinx printed a warning, see above: repair the page that it names")
    return SITE / "index.html"


def _write_sources() -> None:
    """Write the sources of all pages, and of everything they link to."""
    waiting = [README, *NOTEBOOKS, *_parts(), *NOTEBOOKS_OF_PARTS, *CODE]
    known = set(waiting)
    while waiting:
        path = waiting.pop()
        for linked in _write_source(path):
            if linked not in known:
                known.add(linked)
                waiting.append(linked)


def _write_source(path: PurePosixPath) -> set[PurePosixPath]:
    """Write the source of one file's or folder's page, and return what it links to."""
    original, source = REPOSITORY / path, SOURCE / _source_name(path)
    source.parent.mkdir(parents=True, exist_ok=True)
    linked: set[PurePosixPath] = set()
    if original.is_dir():
        text = _with_addresses(_folder_page(path), path, linked)
        if (original / "main.py").is_file():
            text += _demonstration(path)
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
        # a picture may be shown on one page and linked from another
        for target in {source, SOURCE / "_extra" / path}:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(original, target)
        return linked
    if path == README:
        text += _table_of_contents()
    source.write_text(text, encoding="utf-8")
    return linked


def _source_name(path: PurePosixPath) -> PurePosixPath:
    """Return the path of a page's source; the page has the same name with the suffix `.html`."""
    if path == README:
        return PurePosixPath("index.md")
    if (REPOSITORY / path).is_dir():
        return path / "index.md"
    if path.suffix == ".py":
        return path.with_name(path.name + ".md")
    if path.suffix in (".md", ".ipynb", ".png"):  # Sphinx copies the pictures that a page shows
        return path
    return PurePosixPath("_extra") / path


def _document_name(path: PurePosixPath) -> str:
    """Return Sphinx's name of a page."""
    return _source_name(path).with_suffix("").as_posix()


def _with_addresses(text: str, folder: PurePosixPath, linked: set[PurePosixPath]) -> str:
    """Return a Markdown text in `folder` with links to pages; add their targets to `linked`."""

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
    """Return a page that lists a folder's files with a sentence each, in the order of its map.

    The sentence is the map's, in the package's docstring, or the first of the file's own docstring.
    """
    in_map = dict(MAP_ENTRY.findall(_docstring(path)))
    order = {name: place for place, name in enumerate(in_map)}
    shown = [entry.name for entry in sorted((REPOSITORY / path).iterdir()) if _is_shown(entry)]
    shown.sort(key=lambda name: order.get(name, len(order)))
    lines = []
    for name in shown:
        about = in_map.get(name) or f": {_summary(path / name)}"
        about = re.sub(r"\s+", " ", about).removesuffix(": ")
        lines.append(f"- [`{name}`]({quote(name)}){about}")
    # notebooks stand under Chapters and Parts
    pages = [path / name for name in shown if _source_name(path / name).suffix == ".md"]
    contents = _toctree(pages, path)
    tasks = _exercises() if path == EXERCISES else ""
    return f"# {_title(path)}\n\n{_summary(path)}\n\n{tasks}" + "\n".join(lines) + contents


def _exercises() -> str:
    """Return the exercises as tables, a chapter each, with their stars."""
    tables = []
    for chapter in chapters():
        rows = [
            f"| {one.number} | {one.marks} | `{one.name}` | {one.first_line} |"
            for one in exercises(chapter)
        ]
        head = (
            f"## [{chapter}]({chapter}.py)\n\n| | | function | task |\n| ---: | --- | --- | --- |"
        )
        tables.append("\n".join([head, *rows]))
    return (
        "Stars say how hard one is; \u25c6 marks the core path.\n\n"
        + "\n\n".join(tables)
        + "\n\n## Files\n\n"
    )


def _parts() -> list[PurePosixPath]:
    """Return the folders of the components in reading order, which is that of the map."""
    named = [APPENDIXES / name for name, _ in MAP_ENTRY.findall(_docstring(APPENDIXES))]
    return [path for path in named if (REPOSITORY / path / "main.py").is_file()]


def _demonstration(folder: PurePosixPath) -> str:
    """Run a component's demonstration, and return what it prints and draws, as Markdown.

    Raises:
        RuntimeError: the demonstration failed.
    """
    picture = SOURCE / folder / "demonstration.png"
    picture.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, folder / "main.py", "--plot", picture]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{folder}/main.py failed:\n{done.stdout}{done.stderr}")
    said = PICTURE.search(done.stdout)
    titles = "; ".join(said["titles"].split("\n   ")).strip() if said else ""
    shown = f"\n![{titles}]({picture.name})\n" if said else ""
    printed = PICTURE.sub("", done.stdout).rstrip()
    return f"## At work\n{shown}\n`python {folder}/main.py` prints:\n\n```text\n{printed}\n```\n"


def _is_shown(entry: Path) -> bool:
    """Return False for hidden files, weights, caches, and modules that define nothing."""
    if entry.name in ("__init__.py", "__main__.py"):
        body = ast.parse(entry.read_text(encoding="utf-8")).body
        return any(isinstance(node, (ast.FunctionDef, ast.ClassDef)) for node in body)
    return not (
        entry.name.startswith((".", "_")) or entry.suffix == ".safetensors" or entry.name == "qwen3"
    )


def _docstring(path: PurePosixPath) -> str:
    """Return a module's or a package's docstring; nothing for other files."""
    is_folder = (REPOSITORY / path).is_dir()
    module = REPOSITORY / path / "__init__.py" if is_folder else REPOSITORY / path
    if module.suffix != ".py" or not module.is_file():
        return ""
    return ast.get_docstring(ast.parse(module.read_text(encoding="utf-8"))) or ""


def _summary(path: PurePosixPath) -> str:
    """Return the first paragraph of a module's or a package's docstring, or a notebook's title."""
    if path.suffix == ".ipynb":
        first = nbformat.read(REPOSITORY / path, as_version=4).cells[0].source
        return first.partition("\n")[0].lstrip("# ")
    return _docstring(path).split("\n\n")[0].replace("\n", " ")


def _title(path: PurePosixPath) -> str:
    """Return a page's title, which tells one `report.py` from another: `evaluation/report.py`."""
    return "/".join(path.parts[-2:])


def _code_page(path: PurePosixPath) -> str:
    code = (REPOSITORY / path).read_text(encoding="utf-8")
    fence = "`" * 8
    title = f"# {_title(path)}\n\n`{path}`"
    return f"{title}\n\n{fence}{{code-block}} python\n:linenos:\n\n{code}\n{fence}\n"


def _table_of_contents() -> str:
    """Return the contents that stand beside every page."""
    groups = {
        "Chapters": NOTEBOOKS,
        "Parts": [*_parts(), *NOTEBOOKS_OF_PARTS],
        "Modules and exercises": CODE,
    }
    folder = PurePosixPath()
    return "".join(_toctree(paths, folder, f":caption: {title}") for title, paths in groups.items())


def _toctree(paths: Iterable[PurePosixPath], folder: PurePosixPath, caption: str = "") -> str:
    """Return a table of contents: notebooks under their titles, all else under its name."""
    entries = []
    for path in paths:
        document = posixpath.relpath(_document_name(path), folder)
        entries.append(document if path.suffix == ".ipynb" else f"{path.name} <{document}>")
    return "\n".join(["", "", "```{toctree}", ":hidden:", caption, "", *entries, "```", ""])


def _copy_mathjax() -> None:
    """Copy MathJax and the fonts that a page loads from the package sphinx-mathjax-offline."""
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
