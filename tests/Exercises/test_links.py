"""Tests that each notebook section ends with links to its exercises, under their titles."""

import re
from collections import Counter
from dataclasses import dataclass

import nbformat
import pytest
from run_notebooks import NOTEBOOKS, REPOSITORY

from Exercises.chapters import STAR, chapters, exercises

HEADING = re.compile(r"^## (?P<heading>.+)$")
LINK = re.compile(
    r"`(?:python -m Exercises )?(?P<chapter>CH\d) (?P<number>\d+)` "
    r"\[(?P<title>[^\]]+)\]\(\.\./Exercises/(?P<file>CH\d)\.py\) (?P<marks>★+◆?)(?: · |$)"
)
PRACTISE = "*Practise:* "


@dataclass(frozen=True)
class Section:
    """A notebook section: its heading and its text, without code."""

    notebook: str
    heading: str
    lines: tuple[str, ...]

    @property
    def links(self) -> list[re.Match]:
        """Return the links to exercises in the last line."""
        return list(LINK.finditer(self.lines[-1]))


def sections(path) -> list[Section]:
    """Return a notebook's sections, without the text before the first heading."""
    cells = nbformat.read(path, as_version=4).cells
    lines = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown").splitlines()
    starts = [index for index, line in enumerate(lines) if HEADING.match(line)]
    name = path.relative_to(REPOSITORY).as_posix()
    found = []
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        text = [
            line
            for line in lines[start + 1 : end]
            if line.strip() and not line.startswith("<a id=")
        ]
        found.append(Section(name, HEADING.match(lines[start])["heading"], tuple(text)))
    return found


SECTIONS = [section for path in NOTEBOOKS for section in sections(path)]
EXERCISES = {(one.chapter, one.number): one for chapter in chapters() for one in exercises(chapter)}


@pytest.mark.parametrize("key", EXERCISES, ids=lambda key: f"{key[0]}-{key[1]}")
def test_exercise_is_linked_at_the_end_of_its_section_and_nowhere_else(key):
    found = [
        section
        for section in SECTIONS
        if key in {(one["chapter"], int(one["number"])) for one in section.links}
    ]
    assert [(section.notebook, section.heading) for section in found] == [EXERCISES[key].section]


def test_every_link_names_an_exercise_with_its_title_and_its_stars():
    links = [link for section in SECTIONS for link in section.links]
    assert Counter((link["chapter"], int(link["number"])) for link in links) == Counter(
        EXERCISES.keys()
    )
    for link in links:
        exercise = EXERCISES[link["chapter"], int(link["number"])]
        assert link["file"] == link["chapter"]
        assert link["marks"] == exercise.marks
        assert " ".join(exercise.task.lstrip(f"{STAR} ").split()).startswith(link["title"])


def test_no_line_of_practice_is_elsewhere_or_unread():
    for section in SECTIONS:
        assert not [
            line
            for line in section.lines[:-1]
            if line.startswith(PRACTISE) or "../Exercises/" in line
        ]
        last = section.lines[-1]
        if last.startswith(PRACTISE):
            assert LINK.sub("", last) == PRACTISE, "some of this line is no link to an exercise"
        else:
            assert "../Exercises/" not in last
