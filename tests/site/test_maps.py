"""Tests of the maps: README's tree, TEACHING's sessions, and the docstrings of the chapters and of
Exercises.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from build_book import SETTINGS
from measure_reading import TABLE, measure, sessions, sessions_table

from Exercises.chapters import exercises

ROOT = Path(__file__).resolve().parents[2]
CHAPTERS = ["CH2", "CH3", "CH4"]
PARTS = [  # in reading order
    "RMSNorm",
    "RoPE",
    "GLUFeedForwardNeuralNetwork",
    "GroupedQueryAttention",
    "KVcache",
    "QWEN3TransformerBlock",
    "QWEN3Model",
    "QWEN3Tokenizer",
]
# A docstring's line, such as: - `voting.py` (sections 7 and 8): counts votes by meaning
ENTRY = re.compile(
    r"^- `(?P<name>[^`]+)`"
    r"(?: \((?:chapter (?P<chapter>\d), )?sections? (?P<sections>[^)]+)\))?: \S.+$",
    re.MULTILINE,
)
LONGEST = 180  # minutes of a session
# A line of README's tree, such as: │   ├── rope.py    positions as rotations
BRANCH = re.compile(r"^(?P<indent>(?:│   |    )*)[├└]── (?P<name>\S+)(?P<comment>  +\S.*)?$")


def entries(folder: str) -> list[re.Match]:
    """Return the entries of the map in a package's docstring."""
    return list(ENTRY.finditer(docstring(folder)))


def names(folder: str) -> list[str]:
    """Return the files and folders that a package's map names."""
    return [entry["name"] for entry in entries(folder)]


def tree() -> Iterator[tuple[str, str | None]]:
    """Yield each path of README's tree with its comment."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    [block] = re.findall(r"^```\n\.\n(.+?)\n```$", readme, re.MULTILINE | re.DOTALL)
    folders: list[str] = []
    for line in block.splitlines():
        branch = BRANCH.match(line)
        assert branch, f"not a line of a tree: {line!r}"
        folders[len(branch["indent"]) // 4 :] = [branch["name"]]
        yield "/".join(folders), branch["comment"]


def modules(folder: Path) -> set[str]:
    """Return a folder's modules and packages, as they are named in a map."""
    files = {path.name for path in folder.glob("[!_]*.py")}
    return files | {f"{path.parent.name}/" for path in folder.glob("*/__init__.py")}


def docstring(folder: str) -> str:
    """Return a package's docstring."""
    source = (ROOT / folder / "__init__.py").read_text(encoding="utf-8")
    return ast.get_docstring(ast.parse(source))


def test_parts_stand_in_reading_order():
    assert [name.rstrip("/") for name in names("Appendixes")][: len(PARTS)] == PARTS


@pytest.mark.parametrize("part", PARTS)
def test_a_part_says_what_it_is_runs_its_idea_and_names_the_file_to_read_first(part):
    text = docstring(f"Appendixes/{part}")
    name, colon, sentence = text.splitlines()[0].partition(": ")
    assert name and colon and sentence.endswith(".")
    assert 3 <= len(re.findall(r"^(?:>>>|\.\.\.) ", text, re.MULTILINE)) <= 12
    assert entries(f"Appendixes/{part}")[0][0].endswith("read it first")
    assert (ROOT / "Appendixes" / part / "main.py").is_file()  # its demonstration


@pytest.mark.parametrize(
    "folder", ["Appendixes", *CHAPTERS, "Exercises", *(f"Appendixes/{part}" for part in PARTS)]
)
def test_a_map_names_what_there_is_and_every_module(folder):
    missing = [name for name in names(folder) if not (ROOT / folder / name).exists()]
    assert missing == []
    assert modules(ROOT / folder) - set(names(folder)) == set()


def sections(chapter: str) -> dict[str, str]:
    """Return the text of each section of a chapter's notebook, with its code; first the "head"."""
    [notebook] = (ROOT / chapter).glob("*.ipynb")
    cells = nbformat.read(notebook, as_version=4).cells
    text = "\n".join(cell.source for cell in cells)
    parts = ["head", *re.split(r"^## (\d+)\.", text, flags=re.MULTILINE)]
    return dict(zip(parts[::2], parts[1::2], strict=True))


@pytest.mark.parametrize("folder", CHAPTERS)
def test_the_sections_that_a_map_names_lead_to_the_module(folder):
    """By its file's name in one of them, or in the notebook's head and imports."""
    for entry in entries(folder):
        chapter = f"CH{entry['chapter']}" if entry["chapter"] else folder
        texts, name = sections(chapter), entry["name"]
        named = re.findall(r"\d+", entry["sections"] or "")  # a file that no notebook uses has none
        assert set(named) <= texts.keys(), entry[0]
        if named and name.endswith(".py"):
            shown = "\n".join(texts[number] for number in ["head", *named])
            assert name in shown or f"{folder}.{name.removesuffix('.py')} import" in shown, entry[0]


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_sessions_of_a_class_fit_and_hold_each_section_and_core_exercise_once(chapter):
    first, second = sessions(chapter)
    numbers = [int(one) for half in (first, second) for one in re.findall(r" (\d+)", half.sections)]
    start, end, begin, last = numbers
    assert (start, begin) == (1, end + 1)
    assert [str(number) for number in range(1, last + 1)] == list(sections(chapter))[1:]
    assert first.core + second.core == [one for one in exercises(chapter) if one.core]
    exact = sum(section.minutes for section in measure(chapter).values())
    assert abs(first.reading + second.reading - exact) <= 5  # each is rounded to five
    for session in (first, second):
        assert session.reading % 5 == 0
        assert session.reading + session.doing <= LONGEST


def test_teaching_has_the_sessions_as_the_command_prints_them():
    [shown] = TABLE.finditer((ROOT / "TEACHING.md").read_text(encoding="utf-8"))
    update = "to update it: python tests/measurements/measure_reading.py --write"
    assert shown[0] == sessions_table(), update


def test_teachings_search_finds_what_is_imported_and_in_the_stubs_the_two_lines_it_names():
    teaching = (ROOT / "TEACHING.md").read_text(encoding="utf-8")
    [pattern] = re.findall(r'^grep -rnE "(.+)" handin$', teaching, re.MULTILINE)
    for line in (
        "from Exercises.solutions.CH2 import attention",
        "from Exercises.solutions import CH2",
        "from Exercises import solutions",
        "from Exercises import (",
        "    import Exercises.solutions.CH2 as mine",
        "import Exercises",
        'importlib.import_module("Exercises.solutions.CH2")',
        '__import__("Exercises.solutions.CH2")',
        'Path("Exercises/solutions/CH2.py").read_text()',
        "    from Appendixes.RMSNorm import RMSNorm",
        "import math, CH3.math_verifier as m",
        'import_module("CH4.sampling")',
    ):
        assert re.search(pattern, line), line
    for chapter in CHAPTERS:
        lines = (ROOT / "Exercises" / f"{chapter}.py").read_text("utf-8").splitlines()
        found = [line.split()[1] for line in lines if re.search(pattern, line)]
        assert found == (["Appendixes.KVcache", "CH2.prompts"] if chapter == "CH2" else [])


def test_the_authors_and_the_version_are_the_same_everywhere():
    files = ("LICENSE", "CITATION.cff", "pyproject.toml", "README.md", "TEACHING.md")
    texts = {file: (ROOT / file).read_text(encoding="utf-8") for file in files}
    [authors] = re.findall(r"^Copyright \(c\) \d+ (.+)$", texts["LICENSE"], re.MULTILINE)
    for file, text in texts.items():
        assert authors.lower() in text.lower(), file
    [version] = re.findall(r"^version: (.+)$", texts["CITATION.cff"], re.MULTILINE)
    assert f'version = "{version}"' in texts["pyproject.toml"]
    assert f"(version {version})" in texts["TEACHING.md"]
    [date] = re.findall(r"^date-released: (.+)$", texts["CITATION.cff"], re.MULTILINE)
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    released = re.findall(r"^## (\d.+)$", changes, re.MULTILINE)
    assert released[0] == f"{version} - {date}"
    assert SETTINGS["author"] == authors


def test_readme_tree_names_what_there_is_with_a_word_about_it():
    listed = list(tree())
    assert [path for path, _ in listed if not (ROOT / path).exists()] == []
    assert [path for path, comment in listed if not comment] == []
