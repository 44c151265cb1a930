"""What an exercise is, and where its parts lie.

- the list of exercises is the solutions file, `solutions/CH2.py`: its functions, in their order
- a stub is a solution without its body, so the two cannot drift apart
- checks and hints are found by the exercise's name, in `checks/CH2.py` and `hints/CH2.py`
"""

import ast
import importlib
import re
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
ROOT = FOLDER.parent
# what is remembered from call to call, and attempts that were reset
STATE = ROOT / "build" / "Exercises"
STAR = "★"
NOT_DONE_LINE = "    raise NotImplementedError\n"
SECTION = re.compile(r'Read: (?P<notebook>\S+\.ipynb), section "(?P<heading>[^"]+)"')

HEAD = '''"""Chapter {digit}: fill in the functions, one by one; each says what to do.

python -m Exercises                 where you are, and what is next
python -m Exercises {chapter} 3           checks one; --hint helps
python Exercises/{chapter}.py             checks all of this file
"""

if __name__ == "__main__":  # python Exercises/{chapter}.py
    import sys
    from pathlib import Path

    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # not this folder: {chapter}.py hides {chapter}/
    from Exercises.__main__ import main

    sys.exit(main(["{chapter}", *sys.argv[1:]]))
'''


@dataclass(frozen=True)
class Exercise:
    """One function that the reader fills in.

    Attributes:
        chapter: such as "CH2".
        number: from 1, in the order of the file.
        name: of the function.
        stars: 1 (warm-up) to 3 (hard).
        task: its docstring.
        stub, solution: its source without and with a body.
    """

    chapter: str
    number: int
    name: str
    stars: int
    task: str
    stub: str
    solution: str

    @property
    def section(self) -> tuple[str, str]:
        """The notebook, and the heading in it, that explain the idea."""
        found = SECTION.search(self.task)
        if found is None:
            raise ValueError(
                f"the task of {self.name} does not say which section of a notebook it belongs to"
            )
        return found["notebook"], found["heading"]

    @property
    def hints(self) -> tuple[str, ...]:
        """Each says more than the one before."""
        return importlib.import_module(f"Exercises.hints.{self.chapter}").HINTS[self.name]


def chapters() -> list[str]:
    """The chapters that have exercises."""
    return sorted(path.stem for path in (FOLDER / "solutions").glob("CH*.py"))


def exercises(chapter: str) -> list[Exercise]:
    """A chapter's exercises, as its solutions file lists them."""
    source = (FOLDER / "solutions" / f"{chapter}.py").read_text(encoding="utf-8")
    functions = [node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)]
    return [_exercise(chapter, number, node, source) for number, node in enumerate(functions, 1)]


def _exercise(chapter: str, number: int, function: ast.FunctionDef, source: str) -> Exercise:
    lines = source.splitlines(keepends=True)
    docstring = function.body[0]
    task = ast.get_docstring(function) or ""
    return Exercise(
        chapter=chapter,
        number=number,
        name=function.name,
        stars=len(task) - len(task.lstrip(STAR)),
        task=task,
        stub="".join(lines[function.lineno - 1 : docstring.end_lineno]) + NOT_DONE_LINE,
        solution="".join(lines[function.lineno - 1 : function.end_lineno]),
    )


def stub_file(chapter: str) -> str:
    """What the reader's file looked like at the beginning: the solutions file with another head and
    without bodies.
    """
    source = (FOLDER / "solutions" / f"{chapter}.py").read_text(encoding="utf-8")
    for exercise in exercises(chapter):
        source = source.replace(exercise.solution, exercise.stub)
    docstring = ast.parse(source).body[0]
    rest = source.splitlines(keepends=True)[docstring.end_lineno :]
    return HEAD.format(chapter=chapter, digit=chapter[-1]) + "".join(rest)
