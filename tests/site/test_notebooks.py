"""Tests that notebooks run from a new kernel, and that those committed were run in order."""

import nbformat
import pytest
from run_notebooks import NOTEBOOKS, REPOSITORY, run_notebook

WORDS_AT_LEAST = 1200


@pytest.mark.long
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.parent.name)
def test_notebook_runs_without_errors_or_warnings(path, tmp_path):
    outcome = run_notebook(path, tmp_path, progress=False)
    assert outcome.page.stat().st_size > 100_000
    assert outcome.figures >= 3
    assert outcome.results
    assert [output["text"] for output in outcome.outputs if output.get("name") == "stderr"] == []


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.parent.name)
def test_committed_notebook_was_run_top_to_bottom(path):
    notebook = nbformat.read(path, as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    outputs = [output for cell in code for output in cell.outputs]
    assert not [
        output
        for output in outputs
        if output.output_type == "error" or output.get("name") == "stderr"
    ]
    assert str(REPOSITORY) not in path.read_text(encoding="utf-8")
    prose = [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]
    assert sum(len(text.split()) for text in prose) >= WORDS_AT_LEAST
