"""Tests of `make lab`: in Chromium, JupyterLab runs all cells of each notebook without an error.

`make browser` runs these tests; a notebook takes one to three minutes.
"""

import json
import os
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

import nbformat
import pytest
from run_notebooks import NOTEBOOKS, REPOSITORY

pytestmark = pytest.mark.browser

START_SECONDS, RUN_SECONDS = 60, 600
MODEL = "jupyterapp.shell.currentWidget.context.model.toJSON()"
STATUS = "jupyterapp.shell.currentWidget?.sessionContext?.session?.kernel?.status"


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A copy of the notebooks' folders, for JupyterLab to save into, without outputs as yet."""
    copy = tmp_path_factory.mktemp("repository")
    for path in NOTEBOOKS:
        chapter = path.parent
        large = [entry.name for entry in chapter.glob("qwen3/*") if entry.name != "tiny"]
        shutil.copytree(
            chapter,
            copy / chapter.relative_to(REPOSITORY),
            ignore=shutil.ignore_patterns("__pycache__", *large),
        )
        notebook = nbformat.read(path, as_version=4)
        for cell in notebook.cells:
            if cell.cell_type == "code":
                cell.outputs, cell.execution_count = [], None
        nbformat.write(notebook, copy / path.relative_to(REPOSITORY))
    return copy


@pytest.fixture(scope="module")
def lab(folder, tmp_path_factory) -> Iterator[str]:
    """Address of a running JupyterLab with settings of its own."""
    folders = {name: tmp_path_factory.mktemp(name) for name in ("CONFIG", "DATA", "RUNTIME")}
    settings = {f"JUPYTER_{name}_DIR": str(path) for name, path in folders.items()}
    command = [
        sys.executable,
        "-m",
        "jupyterlab",
        "--no-browser",
        "--allow-root",
        f"--ServerApp.root_dir={folder}",
    ]
    command += ["--LabApp.expose_app_in_browser=True", "--IdentityProvider.token="]
    server = subprocess.Popen(
        command, env=os.environ | settings, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        yield _address(folders["RUNTIME"], server)
    finally:
        server.terminate()  # which ends its kernels too
        server.wait(timeout=30)


def _address(runtime: Path, server: subprocess.Popen) -> str:
    """Return a server's address: it takes a free port, writes it to a file, and then answers."""
    deadline = time.monotonic() + START_SECONDS
    while True:
        for file in runtime.glob("jpserver-*.json"):
            with suppress(ValueError, OSError):  # half a file; or the server does not answer yet
                address = json.loads(file.read_text())["url"].rstrip("/")
                urllib.request.urlopen(f"{address}/api").close()
                return address
        assert server.poll() is None, f"JupyterLab ended with {server.returncode}"
        assert time.monotonic() < deadline, f"JupyterLab did not answer within {START_SECONDS} s"
        time.sleep(0.2)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.parent.name)
def test_run_all_cells_without_an_error(chromium, lab, path):
    page, broken = _opened(chromium, lab, path)
    _choose(page, "Run", "Run All Cells")
    cells = _run(page)
    assert [
        output for cell in cells for output in cell["outputs"] if output["output_type"] == "error"
    ] == []
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    assert (
        sum("image/png" in output.get("data", {}) for cell in cells for output in cell["outputs"])
        >= 3
    )
    assert page.locator("mjx-merror").count() == 0
    assert broken == []
    _close(page)


def test_a_section_is_shown_live_as_teaching_says(chromium, lab):
    """TEACHING.md: run all above a cell; clear what the notebook shows."""
    page, broken = _opened(chromium, lab, NOTEBOOKS[0])
    page.wait_for_function(f"{MODEL}.cells.length")
    _choose(page, "Edit", "Clear Outputs of All Cells")  # of a test before, if they were saved
    cells = page.evaluate(MODEL)["cells"]
    live = [n for n, cell in enumerate(cells) if cell["cell_type"] == "code"][4]
    page.evaluate("cell => { jupyterapp.shell.currentWidget.content.activeCellIndex = cell }", live)
    _choose(page, "Run", "Run All Above Selected Cell")
    code = _run(page, 4)
    assert [cell["execution_count"] for cell in code] == [1, 2, 3, 4, *[None] * (len(code) - 4)]
    assert any(cell["outputs"] for cell in code)
    _choose(page, "Edit", "Clear Outputs of All Cells")
    assert not any(cell["outputs"] for cell in _code_cells(page))
    assert broken == []
    _close(page)


def _opened(chromium, lab: str, path: Path) -> tuple:
    """Return JupyterLab's page with a notebook open and its kernel idle, and its script errors."""
    page = chromium.new_page(viewport={"width": 1280, "height": 900})
    broken: list[str] = []
    page.on("pageerror", lambda error: broken.append(str(error)))
    name = path.relative_to(REPOSITORY).as_posix()
    page.goto(f"{lab}/lab/tree/{quote(name)}?reset")
    page.wait_for_function(f"window.jupyterapp && {STATUS} === 'idle'", timeout=60_000)
    return page, broken


def _close(page) -> None:
    """End the kernels, so that the next test begins with a new one, and close the page."""
    page.evaluate("jupyterapp.serviceManager.sessions.shutdownAll()")
    page.close()


def _choose(page, menu: str, entry: str) -> None:
    """Click an entry of one of JupyterLab's menus."""
    page.locator(".lm-MenuBar-itemLabel", has_text=menu).first.click()
    page.locator(".lm-Menu-itemLabel").get_by_text(entry, exact=True).click()


def _code_cells(page) -> list[dict]:
    return [cell for cell in page.evaluate(MODEL)["cells"] if cell["cell_type"] == "code"]


def _run(page, number: int | None = None) -> list[dict]:
    """Wait until the first cells, or all, have run or one has failed; return all code cells."""
    deadline = time.monotonic() + RUN_SECONDS
    while True:
        time.sleep(1)
        cells = _code_cells(page)
        failed = any(
            output["output_type"] == "error" for cell in cells for output in cell["outputs"]
        )
        done = all(cell["execution_count"] for cell in cells[:number])
        done = done and page.evaluate(STATUS) == "idle"
        if failed or done:
            return cells
        assert time.monotonic() < deadline, f"still running after {RUN_SECONDS} s"
