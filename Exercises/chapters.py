"""List a chapter's exercises, each with its task, stub, solution and hints.

- the exercises are the functions of the solutions file, `solutions/CH2.py`, in their order
- a stub is a solution without its body, so the two cannot drift apart
- checks and hints are found by the exercise's name, in `checks/CH2.py` and `hints/CH2.py`
"""

import ast
import importlib
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
ROOT = FOLDER.parent
STATE = ROOT / "build" / "Exercises"  # hints that were shown, attempts that were reset
STAR, CORE = "★", "◆"
NOT_DONE_LINE = "    raise NotImplementedError\n"
SECTION = re.compile(r'Read: (?P<notebook>\S+\.ipynb), section "(?P<heading>[^"]+)"')

HEAD = '''"""Chapter {digit}: fill in the functions, one by one; each says what to do.

python -m Exercises                 where you are, and what is next
python -m Exercises {chapter}             checks all of this file
python -m Exercises {chapter} 3           checks one; --hint helps
python -m Exercises {chapter} --core      checks the core path

Stars say how hard one is, from ★ to ★★★; ◆ marks the core path: the exercises to do if you do few.
An exercise may use the functions before it. Each names the section of the notebook to read.
"""
'''


@dataclass(frozen=True)
class Exercise:
    """A function that the reader fills in.

    Attributes:
        chapter: such as "CH2".
        number: from 1, in the order of the file.
        name: the function's name.
        stars: difficulty, from 1 (warm-up) to 3 (hard).
        core: whether it is on the core path.
        task: the function's docstring, without its stars.
        stub, solution: the function's source without and with a body.
    """

    chapter: str
    number: int
    name: str
    stars: int
    core: bool
    task: str
    stub: str
    solution: str

    @property
    def place(self) -> str:
        """Return chapter and number, as they are typed: `CH2 8`."""
        return f"{self.chapter} {self.number}"

    @property
    def marks(self) -> str:
        """Return the stars, and the mark of the core path."""
        return STAR * self.stars + CORE * self.core

    @property
    def first_line(self) -> str:
        """Return the task's first sentence or line."""
        return self.task.split("\n\n")[0].replace("\n", " ")

    @property
    def capstone(self) -> bool:
        """Return True if the exercise puts others together, on the shipped model."""
        return "Capstone" in self.first_line

    @property
    def section(self) -> tuple[str, str]:
        """Return the notebook and the heading in it that explain the idea."""
        found = SECTION.search(self.task)
        if found is None:
            raise ValueError(
                f"the task of {self.name} does not say which section of a notebook it belongs to"
            )
        return found["notebook"], found["heading"]

    @property
    def hints(self) -> tuple[str, ...]:
        """Return the hints, each saying more than the one before."""
        return importlib.import_module(f"Exercises.hints.{self.chapter}").HINTS[self.name]


def chapters() -> list[str]:
    """Return the chapters that have exercises, such as "CH2"."""
    return sorted(path.stem for path in (FOLDER / "solutions").glob("CH*.py"))


@cache
def exercises(chapter: str) -> list[Exercise]:
    """Return a chapter's exercises in the order of its solutions file."""
    source = (FOLDER / "solutions" / f"{chapter}.py").read_text(encoding="utf-8")
    functions = [node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)]
    return [_exercise(chapter, number, node, source) for number, node in enumerate(functions, 1)]


@cache
def exercise_named(name: str) -> Exercise | None:
    """Find the exercise whose function has this name; None if there is none."""
    every = (exercise for chapter in chapters() for exercise in exercises(chapter))
    return next((exercise for exercise in every if exercise.name == name), None)


def _exercise(chapter: str, number: int, function: ast.FunctionDef, source: str) -> Exercise:
    lines = source.splitlines(keepends=True)
    docstring = function.body[0]
    marked = ast.get_docstring(function) or ""
    task = marked.lstrip(STAR + CORE)
    marks = marked[: len(marked) - len(task)]
    return Exercise(
        chapter=chapter,
        number=number,
        name=function.name,
        stars=marks.count(STAR),
        core=CORE in marks,
        task=task.lstrip(),
        stub="".join(lines[function.lineno - 1 : docstring.end_lineno]) + NOT_DONE_LINE,
        solution="".join(lines[function.lineno - 1 : function.end_lineno]),
    )


def stub_file(chapter: str) -> str:
    """Return the text of a file of stubs: the solutions file with another head, without bodies."""
    source = (FOLDER / "solutions" / f"{chapter}.py").read_text(encoding="utf-8")
    for exercise in exercises(chapter):
        source = source.replace(exercise.solution, exercise.stub)
    docstring = ast.parse(source).body[0]
    rest = source.splitlines(keepends=True)[docstring.end_lineno :]
    return HEAD.format(chapter=chapter, digit=chapter[-1]) + "".join(rest)
