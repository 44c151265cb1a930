"""What the tests of the texts share."""

from collections.abc import Callable
from functools import cache
from pathlib import Path

import nbformat
import pytest
from run_notebooks import REPOSITORY, html_page


@pytest.fixture(scope="session")
def page() -> Callable[[Path], str]:
    """`page(path)`: a committed notebook's page, as it would stand in build/; converted once."""

    @cache
    def convert(path: Path) -> str:
        build = REPOSITORY / "build" / path.parent.name
        return html_page(nbformat.read(path, as_version=4), path.parent, build)

    return convert
