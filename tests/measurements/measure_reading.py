"""Estimate the minutes that a class takes for each section of the chapters, and each session.

python tests/measurements/measure_reading.py            print them
python tests/measurements/measure_reading.py --write    also write the sessions into TEACHING.md

An estimate by a rule; no class was watched:

- text, headings included: 175 words per minute, the slow end of the range in which most adults read
  English non-fiction (Brysbaert, 2019, https://doi.org/10.1016/j.jml.2019.104047)
- code that is shown, without empty lines: 300 lines per hour, up to which reviewers of code find
  most faults (Cohen, 2006, Best Kept Secrets of Peer Code Review)
- a prediction, with a look at what then comes out: a minute each, our own guess
- an exercise, by its stars: 10, 20 or 40 minutes, our own guess

Code that a page hides and the references are not counted. A session's reading is rounded to five.
"""

import argparse
import re
from dataclasses import dataclass
from pathlib import Path

import nbformat

from Appendixes.command_line import run_main, table
from Exercises.chapters import Exercise, exercises

REPOSITORY = Path(__file__).resolve().parents[2]
WORDS, LINES, PREDICTION = 175, 300 / 60, 1.0  # per minute; per minute; minutes
EXERCISE = {1: 10, 2: 20, 3: 40}  # minutes, by stars
SECOND = {"CH2": 7, "CH3": 6, "CH4": 9}  # the section with which a chapter's second session begins
TEACHING = REPOSITORY / "TEACHING.md"
TITLES = ["session", "notebook", "reading", "◆ exercises", "doing them", "minutes"]
TABLE = re.compile(r"^\| session \|.+\n(?:\|.+\n)+", re.MULTILINE)
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


@dataclass
class Session:
    """A share of a chapter that a class does in three hours: sections, and their core exercises."""

    sections: str
    reading: int  # minutes, rounded to five
    core: list[Exercise]

    @property
    def doing(self) -> int:
        """Return the minutes of the exercises."""
        return sum(EXERCISE[one.stars] for one in self.core)

    @property
    def cells(self) -> list[str]:
        """Return the cells of TEACHING's table, but for the session's number."""
        core = ", ".join(str(one.number) for one in self.core)
        minutes = self.reading + self.doing
        return [self.sections, f"{self.reading}", core, f"{self.doing}", f"{minutes}"]


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


def sessions(chapter: str) -> list[Session]:
    """Divide a chapter: its head counts in the first session, its end in the second.

    Args:
        chapter: such as "CH2".
    """
    measured = measure(chapter)
    headings = list(measured)
    last = len(headings) - 2  # the number of the last section, between the head and the end
    begins = next(at for at, one in enumerate(headings) if one.startswith(f"{SECOND[chapter]}. "))
    halves = {
        f"{chapter}, sections 1 to {SECOND[chapter] - 1}": headings[:begins],
        f"{chapter}, sections {SECOND[chapter]} to {last}, and the end": headings[begins:],
    }
    return [
        Session(
            name,
            5 * round(sum(measured[heading].minutes for heading in half) / 5),
            [one for one in exercises(chapter) if one.core and one.section[1] in half],
        )
        for name, half in halves.items()
    ]


def sessions_table() -> str:
    """Return TEACHING's table of sessions."""
    every = [session for chapter in SECOND for session in sessions(chapter)]
    rows = [[str(number), *session.cells] for number, session in enumerate(every, start=1)]
    return "".join(f"| {' | '.join(row)} |\n" for row in [TITLES, ["---"] * len(TITLES), *rows])


def main() -> None:
    """Print a row for each section, a sum for each chapter, and the sessions."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help="write the sessions into TEACHING.md")
    arguments = parser.parse_args()
    titles = ["section", "words", "lines", "predictions", "minutes"]
    for chapter in SECOND:
        sections = measure(chapter)
        rows = [
            [heading, f"{one.words:,}", f"{one.lines}", f"{one.predictions}", f"{one.minutes:.1f}"]
            for heading, one in sections.items()
        ]
        total = sum(one.minutes for one in sections.values())
        print(f"{chapter}: {total:.0f} minutes\n\n{table(titles, rows)}\n")
    print(sessions_table(), end="")
    if arguments.write:
        text = TABLE.sub(lambda _: sessions_table(), TEACHING.read_text(encoding="utf-8"))
        TEACHING.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    run_main(main)
