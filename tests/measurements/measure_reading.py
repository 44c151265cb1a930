"""Estimate the minutes that a class takes for each section of the chapters, without exercises.

python tests/measurements/measure_reading.py

An estimate by a rule; no class was watched:

- text, headings included: 175 words per minute, the slow end of the range in which most adults read
  English non-fiction (Brysbaert, 2019, https://doi.org/10.1016/j.jml.2019.104047)
- code that is shown, without empty lines: 300 lines per hour, up to which reviewers of code find
  most faults (Cohen, 2006, Best Kept Secrets of Peer Code Review)
- a prediction, with a look at what then comes out: a minute each, our own guess

Code that a page hides and the references are not counted.
"""

import re
from dataclasses import dataclass
from pathlib import Path

import nbformat

from Appendixes.command_line import run_main, table

REPOSITORY = Path(__file__).resolve().parents[2]
WORDS, LINES, PREDICTION = 175, 300 / 60, 1.0  # per minute; per minute; minutes
HEADING = re.compile(r"^## (.+)$", re.MULTILINE)
UNREAD = re.compile(r"\]\([^)]*\)|<[^>]+>")  # targets of links, and anchors
QUESTION = re.compile(r"\*\*Predict")


@dataclass
class Section:
    """Lengths of a section of a notebook."""

    words: int = 0
    lines: int = 0
    predictions: int = 0

    @property
    def minutes(self) -> float:
        """Return how long it takes to read the section, run it and predict, by the rule above."""
        return self.words / WORDS + self.lines / LINES + self.predictions * PREDICTION


def measure(chapter: str) -> dict[str, Section]:
    """Measure the sections of a chapter's notebook, by heading; "0." is what stands above them.

    Args:
        chapter: such as "CH2".
    """
    [path] = (REPOSITORY / chapter).glob("*.ipynb")
    section = Section()
    found = {"0. Head": section}
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "markdown":
            if heading := HEADING.search(cell.source):
                section = found[heading[1]] = Section()
            section.words += len(UNREAD.sub("", cell.source).split())
            section.predictions += len(QUESTION.findall(cell.source))
        elif "hide-input" not in cell.metadata.get("tags", []):
            section.lines += sum(bool(line.strip()) for line in cell.source.splitlines())
    found.pop("References")
    return found


def main() -> None:
    """Print a row for each section, and a sum for each chapter."""
    titles = ["section", "words", "lines", "predictions", "minutes"]
    for chapter in sorted(path.parent.name for path in REPOSITORY.glob("CH[0-9]/*.ipynb")):
        sections = measure(chapter)
        rows = [
            [heading, f"{one.words:,}", f"{one.lines}", f"{one.predictions}", f"{one.minutes:.1f}"]
            for heading, one in sections.items()
        ]
        total = sum(one.minutes for one in sections.values())
        print(f"{chapter}: {total:.0f} minutes\n\n{table(titles, rows)}\n")


if __name__ == "__main__":
    run_main(main)
