"""Execute the notebooks, of chapters and of parts, from fresh kernels; `make run` calls this.

Executed copies and HTML pages are written to build/. The notebooks themselves are left unchanged,
unless --in-place asks for the new outputs in them. The environment variable QWEN3 names the model,
as in the notebooks.
"""

import argparse
import html
import os
import re
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote

import nbformat
from jinja2 import pass_context
from jinja2.runtime import Context
from latex2mathml.converter import convert
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbconvert import HTMLExporter
from tqdm import tqdm

REPOSITORY = Path(__file__).resolve().parents[2]
CHAPTERS = sorted(REPOSITORY.glob("CH[0-9]/*.ipynb"))
NOTEBOOKS = [*CHAPTERS, *sorted(REPOSITORY.glob("Appendixes/*/*.ipynb"))]
CELL_TIMEOUT = 900  # seconds per cell
# The template `lab` of nbconvert leaves out alternative texts, shows cells that are tagged
# `hide-input`, loads scripts from a network, cuts off code that is wider than a phone or a sheet of
# paper, and is as wide as any screen.
PAGE_TEMPLATE = """
{%- extends 'lab/index.html.j2' -%}
{%- block html_head_js_requirejs -%}{%- endblock -%}
{%- block html_head_js_mermaidjs -%}{%- endblock -%}
{%- block html_head_js_mathjax -%}{%- endblock -%}
{%- block html_head_css -%}{{ super() }}<style>
main { max-width: 60rem; margin: 0 auto; }
.jp-InputArea-editor, .jp-InputArea-editor pre, .jp-OutputArea-output { overflow-x: auto; }
@media print { main pre { white-space: pre-wrap !important; overflow-wrap: anywhere; } }
</style>{%- endblock -%}
{%- block data_latex scoped -%}
<div class="jp-RenderedLatex jp-OutputArea-output">{{ output.data['text/latex'] | formulas }}</div>
{%- endblock -%}
{%- block input_group -%}
{%- if 'hide-input' in cell.metadata.get('tags', []) -%}
<details><summary>Code</summary>{{ super() }}</details>
{%- else -%}{{ super() }}{%- endif -%}
{%- endblock -%}
{%- block data_png scoped -%}
{%- set alt = output.metadata.get('image/png', {}).get('alt', '') | escape_html -%}
{{ super() | replace('<img ', '<img alt="' ~ alt ~ '" ') }}
{%- endblock data_png -%}
"""
CODE = re.compile(r"(<(code|pre)\b.*?</\2>)", re.DOTALL)
FORMULA = re.compile(r"\$\$(?P<block>.+?)\$\$|\$(?P<inline>[^$]+)\$", re.DOTALL)
LINK = re.compile(r'(?<=href=")(?P<path>[^"#:]+)(?P<anchor>#[^"]*)?(?=")')  # not to another site


@dataclass
class Outcome:
    """Result of executing one notebook."""

    notebook: Path
    executed: nbformat.NotebookNode
    page: Path
    seconds: float

    @property
    def figures(self) -> int:
        """Return the number of pictures among the outputs."""
        return sum("image/png" in output.get("data", {}) for output in self.outputs)

    @property
    def outputs(self) -> list:
        """Return the outputs of all cells, in order."""
        return [output for cell in self.executed.cells for output in cell.get("outputs", [])]

    @property
    def results(self) -> list[str]:
        """Return the lines printed by cells tagged `result`: the chapter's findings."""
        tagged = [cell for cell in self.executed.cells if "result" in cell.metadata.get("tags", [])]
        texts = [
            output["text"]
            for cell in tagged
            for output in cell.outputs
            if output.output_type == "stream"
        ]
        return "".join(texts).splitlines()


def run_notebook(path: Path, build: Path, progress: bool = True) -> Outcome:
    """Execute one notebook in its own folder, and write the executed copy and a page under `build`.

    Raises:
        CellExecutionError: a cell failed; the copy is written, executed up to that cell.
    """
    notebook = nbformat.read(path, as_version=4)
    code_cells = sum(cell.cell_type == "code" for cell in notebook.cells)
    build.mkdir(parents=True, exist_ok=True)
    started = time.perf_counter()
    with tqdm(
        total=code_cells,
        desc=path.relative_to(REPOSITORY).as_posix(),
        unit="cell",
        disable=not progress,
    ) as bar:
        client = NotebookClient(
            notebook,
            timeout=CELL_TIMEOUT,
            extra_arguments=["--log-level=40"],  # errors only
            coalesce_streams=True,  # text that was printed piece by piece is one output
            resources={"metadata": {"path": str(path.parent)}},
            on_cell_complete=lambda cell, cell_index: bar.update(cell.cell_type == "code"),
        )
        try:
            client.execute(env={**os.environ, "NOTEBOOK_PAGE": "1"})  # no sliders
        finally:
            notebook.metadata.pop("widgets", None)
            copy_descriptions(notebook)
            nbformat.write(notebook, build / path.name)
    page = build / path.with_suffix(".html").name
    page.write_text(html_page(notebook, path.parent, build), encoding="utf-8")
    return Outcome(path, notebook, page, time.perf_counter() - started)


def copy_descriptions(notebook: nbformat.NotebookNode) -> None:
    """Copy the pictures' alternative texts to the cells' metadata, where MyST-NB looks for them."""
    for cell in notebook.cells:
        cell.metadata.pop("mystnb", None)
        for output in cell.get("outputs", []):
            if "alt" in output.get("metadata", {}).get("image/png", {}):
                cell.metadata["mystnb"] = {"image": {"alt": output.metadata["image/png"]["alt"]}}


def formulas(page: str) -> str:
    """Return a piece of HTML with its TeX formulas as MathML, which browsers show by themselves.

    Dollar signs in code are left alone. Source: https://www.w3.org/TR/mathml-core/
    """

    def mathml(formula: re.Match) -> str:
        display = "block" if formula["block"] else "inline"
        return convert(html.unescape(formula["block"] or formula["inline"]), display=display)

    pieces = CODE.split(page)  # text, code, the code's tag, text, ...
    pieces[::3] = [FORMULA.sub(mathml, text) for text in pieces[::3]]
    del pieces[2::3]
    return "".join(pieces)


class PageExporter(HTMLExporter):
    """nbconvert's exporter to HTML, with formulas that need neither a script nor a network."""

    @pass_context
    def markdown2html(self, context: Context, source: str) -> str:
        """Turn Markdown with formulas into HTML."""
        return formulas(super().markdown2html(context, source))


def html_page(notebook: nbformat.NotebookNode, folder: Path, build: Path) -> str:
    """Return a notebook as HTML, with alternative texts, and links that lead where Jupyter's do.

    Args:
        notebook: the executed notebook.
        folder: the notebook's folder.
        build: the page's folder, beside the folders of the other chapters' pages.
    """

    def from_the_page(link: re.Match) -> str:
        target = (folder / unquote(html.unescape(link["path"]))).resolve()
        if target in NOTEBOOKS:
            target = build.parent / target.parent.name / target.with_suffix(".html").name
        return quote(Path(os.path.relpath(target, build)).as_posix()) + (link["anchor"] or "")

    exporter = PageExporter(
        embed_images=True, raw_template=PAGE_TEMPLATE, filters={"formulas": formulas}
    )
    title = notebook.cells[0].source.partition("\n")[0].lstrip("# ")
    page, _ = exporter.from_notebook_node(notebook, {"metadata": {"name": title}})
    return LINK.sub(from_the_page, page)


def main() -> None:
    """Run all notebooks, or those whose path contains a given word, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "word", nargs="?", default="", help="only notebooks whose path contains this, such as CH2"
    )
    parser.add_argument(
        "--in-place", action="store_true", help="write the outputs into the notebooks themselves"
    )
    arguments = parser.parse_args()
    chosen = [
        path for path in NOTEBOOKS if arguments.word in path.relative_to(REPOSITORY).as_posix()
    ]
    if not chosen:
        parser.error(f"no notebook's path contains {arguments.word!r}")
    outcomes = []
    for path in chosen:
        build = REPOSITORY / "build" / path.parent.name
        try:
            outcomes.append(run_notebook(path, build))
        except CellExecutionError as error:
            sys.exit(
                f"{error}\n{path.name} failed; see {(build / path.name).relative_to(REPOSITORY)}"
            )
        if arguments.in_place:
            nbformat.write(_without_times(outcomes[-1].executed), path)
    print(f"\n{'notebook':60s} {'seconds':>8s} {'figures':>8s}  page")
    for outcome in outcomes:
        name = outcome.notebook.relative_to(REPOSITORY).as_posix()
        page = outcome.page.relative_to(REPOSITORY).as_posix()
        print(f"{name:60s} {outcome.seconds:8.0f} {outcome.figures:8d}  {page}")
    for outcome in outcomes:
        print("\n" + "\n".join(outcome.results))


def _without_times(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Remove the times at which cells ran, which change with every run."""
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
    return notebook


if __name__ == "__main__":
    main()
