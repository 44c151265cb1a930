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
import textwrap
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
# a demonstration's heading, such as: 2. A learned weight then scales each coordinate by itself.
STEP = re.compile(r"^(\d+)\. (.+)$", re.MULTILINE)
# Break what is wider than a phone (addresses, names of files, commands), but no word in a table;
# let titles of pages wrap where the theme cuts them off, and code on paper; leave a wide screen's
# room to the text.
STYLE = """\
.bd-article { overflow-wrap: anywhere; }
.bd-article :is(td, th) { overflow-wrap: break-word; }
.bd-article :not(pre, td, th) > code span.pre { white-space: normal; }
.bd-article pre { font-size: 0.8rem; }
.bd-article .demonstration pre { font-size: 0.75rem; }
.prev-next-area a { min-width: 0; }
.prev-next-area .prev-next-info { min-width: 0; overflow-wrap: anywhere; }
.prev-next-area .prev-next-title { white-space: normal; }
@media print { .bd-article pre { white-space: pre-wrap; } }
@media (max-width: 600px) { .bd-article table, .prev-next-area { font-size: 0.85rem; } }
@media (min-width: 1200px) {
  .bd-sidebar-secondary { flex: 0 0 12rem; width: 12rem; }
  .bd-main .bd-content .bd-article-container { max-width: calc(100% - 12rem); }
}
"""

SETTINGS = {
    "project": "Reasoning models, from their parts",
    "author": "the authors of this repository",
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
            text = _idea(path) + _demonstration(path) + "## Files\n\n" + text
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
    """Return a page that lists a folder's files; a component's has no title (see `_idea`)."""
    if (REPOSITORY / path / "main.py").is_file():
        return _files(path)
    tasks = _exercises() if path == EXERCISES else ""
    return f"# {_escaped(_title(path))}\n\n{_summary(path)}\n\n{tasks}{_files(path)}"


def _idea(folder: PurePosixPath) -> str:
    """Return the top of a component's page: its name, and its idea in words and a few lines."""
    name, _, sentence = _summary(folder).partition(": ")
    parts = [part for part in _docstring(folder).split("\n\n")[1:] if not MAP_ENTRY.match(part)]
    fenced = [f"```python\n{part}\n```" if part.startswith(">>>") else part for part in parts]
    return "\n\n".join([f"# {name}", sentence[0].upper() + sentence[1:], *fenced, ""])


def _files(path: PurePosixPath) -> str:
    """List a folder's files with a sentence each, in the order of its map.

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
    return "\n".join(lines) + _toctree(pages, path)


def _exercises() -> str:
    """Return the exercises as tables, a chapter each, with their stars."""
    tables = []
    for chapter in chapters():
        rows = [
            f"| {one.number}\u00a0{one.marks} | `{one.name}`: {one.first_line} |"
            for one in exercises(chapter)
        ]
        [notebook] = (one for one in NOTEBOOKS if one.parent.name == chapter)
        head = (
            f"## {_summary(notebook)}\n\nFill in [`{chapter}.py`]({chapter}.py); "
            f"`python -m Exercises {chapter} 1` checks the first.\n\n| | task |\n| --- | --- |"
        )
        tables.append("\n".join([head, *rows]))
    return (
        "You fill in functions, in a file or in the notebook itself, and a command checks them: "
        "`python -m Exercises` says where you are and what is next. `--hint` helps.\n\n"
        "Stars say how hard an exercise is, from \u2605 to \u2605\u2605\u2605. \u25c6 marks the "
        "core path, the ones to do if you do few.\n\n" + "\n\n".join(tables) + "\n\n## Files\n\n"
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
    # 1. The picture, whose title is its alternative text; a break in the title is a space.
    said = PICTURE.search(done.stdout)
    titles = "; ".join(said["titles"].strip().split("\n   ")).replace("\n", " ") if said else ""
    shown = f"![{titles}]({picture.name})\n" if said else ""
    # 2. What is printed: a step's heading becomes text, which wraps on a phone.
    before, *steps = STEP.split(PICTURE.sub("", done.stdout))
    printed = [_preformatted(before)]
    for number, heading, lines in zip(steps[::3], steps[1::3], steps[2::3], strict=True):
        printed += [f"**{number}. {_escaped(heading)}**", _preformatted(lines)]
    return "\n\n".join(
        ["## At work", f"`python {folder}/main.py` prints:", *filter(None, printed), shown, ""]
    )


def _preformatted(lines: str) -> str:
    """Return lines as a block that keeps its columns; nothing for empty ones."""
    text = textwrap.dedent(lines.strip("\n")).rstrip()
    fence = "`" * 8
    return f"{fence}{{code-block}} text\n:class: demonstration\n\n{text}\n{fence}" if text else ""


def _escaped(text: str) -> str:
    """Return a text whose signs mean nothing in Markdown."""
    return re.sub(r"([\\`*_\[\]<>$])", r"\\\1", text)


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
    title = f"# {_escaped(_title(path))}\n\n`{path}`"
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
        # a component's page has a name of its own
        name = _summary(path).partition(": ")[0] if path in _parts() else path.name
        entries.append(document if path.suffix == ".ipynb" else f"{name} <{document}>")
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
