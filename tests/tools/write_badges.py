"""Write README's badges: `make badges REPOSITORY=owner/name`, for a repository on GitHub.

Binder starts a machine with the whole repository and the requirements installed. Colab opens one
notebook alone, so a line says what to run in its first cell.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

ROOT = Path(__file__).resolve().parents[2]
BEGIN = "<!-- badges: `make badges REPOSITORY=owner/name` writes them here -->"
END = "<!-- end of badges -->"


def badges(repository: str) -> str:
    """Return Markdown with badges for the tests, Binder, and each notebook on Colab.

    Args:
        repository: owner and name on GitHub, such as "owner/name".

    Raises:
        ValueError: `repository` is no such name.
    """
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", repository, re.ASCII):
        raise ValueError(
            f"REPOSITORY is {repository!r}: expected the owner and the name on GitHub, as in "
            "owner/name"
        )
    return "\n".join(_lines(repository))


def _lines(repository: str) -> Iterator[str]:
    tests, name = (
        f"https://github.com/{repository}/actions/workflows/tests.yml",
        repository.rpartition("/")[2],
    )
    yield f"[![tests]({tests}/badge.svg)]({tests})"
    binder = f"https://mybinder.org/v2/gh/{repository}/main?urlpath=lab"
    yield f"[![Binder](https://mybinder.org/badge_logo.svg)]({binder})"
    for notebook in sorted(ROOT.glob("CH*/*.ipynb")):
        path = quote(notebook.relative_to(ROOT).as_posix())
        badge = f"https://img.shields.io/badge/Colab-{notebook.parent.name}-F9AB00?logo=googlecolab"
        link = f"https://colab.research.google.com/github/{repository}/blob/main/{path}"
        yield f"[![{notebook.parent.name} on Colab]({badge})]({link})"
    yield ""
    yield (
        f"On Colab, run `!git clone --depth 1 https://github.com/{repository} && cd {name} && "
        f"pip install -q -r requirements.txt` first, restart the session, and begin with "
        f"`%cd {name}/CH2`, the notebook's folder."
    )


def with_badges(readme: str, repository: str) -> str:
    """Return README's text with these badges between the two comments that mark their place.

    Raises:
        ValueError: the comments are missing.
    """
    before, begin, rest = readme.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(
            "README.md has no place for badges: put these two lines under its title\n"
            f"{BEGIN}\n{END}"
        )
    return f"{before}{BEGIN}\n{badges(repository)}\n{END}{after}"


if __name__ == "__main__":
    README = ROOT / "README.md"
    try:
        README.write_text(
            with_badges(README.read_text(encoding="utf-8"), " ".join(sys.argv[1:])),
            encoding="utf-8",
        )
    except ValueError as error:
        sys.exit(str(error))
