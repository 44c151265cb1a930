"""Tests that README's badges lead to files that exist."""

import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from write_badges import BEGIN, END, badges, with_badges

ROOT = Path(__file__).resolve().parents[2]


def test_each_notebook_and_the_workflow_are_where_the_badges_say():
    text = badges("owner/name.py")
    links = re.findall(r"\]\((https://[^\s)]+)\)", text)
    paths = [
        unquote(urlsplit(link).path).partition("/blob/main/")[2]
        for link in links
        if "colab.research" in link
    ]
    assert sorted(paths) == sorted(
        path.relative_to(ROOT).as_posix() for path in ROOT.glob("CH*/*.ipynb")
    )
    assert len(paths) == 3
    [workflow] = {link.rpartition("/")[2] for link in links if link.endswith(".yml")}
    assert (ROOT / ".github" / "workflows" / workflow).is_file()
    assert "https://mybinder.org/v2/gh/owner/name.py/main?urlpath=lab" in links
    assert "%cd name.py" in text


def test_badges_are_written_in_their_place_and_only_once():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    once = with_badges(readme, "owner/name")
    assert once.count(BEGIN) == once.count(END) == 1
    assert once.startswith(readme.partition(BEGIN)[0])
    assert once.endswith(readme.partition(END)[2])
    assert with_badges(with_badges(readme, "some/other"), "owner/name") == once


def test_without_their_place_nothing_is_changed():
    with pytest.raises(ValueError, match="no place for badges"):
        with_badges("# Title\n\ntext", "owner/name")


@pytest.mark.parametrize("repository", ["", "name", "a/b/c", "a/b)[x](y", "https://github.com/a/b"])
def test_what_is_no_repository_is_refused(repository):
    with pytest.raises(ValueError, match="expected the owner and the name"):
        badges(repository)
