"""Tests of every exercise: its solution passes, its stub is not done, wrong solutions fail."""

import ast
import doctest
import importlib
import importlib.util
import inspect
import json
import random
import subprocess
from pathlib import Path
from types import ModuleType

import pytest
from measure_exercises import busy_cores, solutions_file

from Exercises.cases import FAILED, NOT_DONE, PASSED, Case, copied, judge
from Exercises.chapters import FOLDER, ROOT, Exercise, chapters, exercises, stub_file
from Exercises.checking import check
from Exercises.reader_file import parse, read_source, reader_file

SEEDS = range(3)  # for capstones, which run the shipped model, the first of them
ALL = [exercise for chapter in chapters() for exercise in exercises(chapter)]
each_exercise = pytest.mark.parametrize(
    "exercise", ALL, ids=lambda exercise: f"{exercise.chapter}-{exercise.name}"
)
each_chapter = pytest.mark.parametrize("chapter", chapters())


def wrong_solutions(exercise: Exercise) -> dict:
    """Return the functions in `wrong_solutions/CH2.py` that are named after an exercise."""
    module = _module(Path(__file__).parent / "wrong_solutions" / f"{exercise.chapter}.py")
    return {
        name: value for name, value in vars(module).items() if name.startswith(f"{exercise.name}__")
    }


def _module(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"{path.parent.name}_{path.stem}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def cases(exercise: Exercise, seed: int):
    return getattr(importlib.import_module(f"Exercises.checks.{exercise.chapter}"), exercise.name)(
        random.Random(seed)
    )


def solution(exercise: Exercise):
    return getattr(
        importlib.import_module(f"Exercises.solutions.{exercise.chapter}"), exercise.name
    )


def seeds(exercise: Exercise) -> range:
    return SEEDS[:1] if exercise.capstone else SEEDS


@each_exercise
def test_the_solution_passes(exercise):
    for seed in seeds(exercise):
        verdict = judge(exercise.name, solution(exercise), cases(exercise, seed))
        assert verdict.state == PASSED, verdict.message


@each_exercise
def test_typical_wrong_solutions_fail(exercise):
    wrong = wrong_solutions(exercise)
    assert len(wrong) >= 2
    for name, function in wrong.items():
        for seed in seeds(exercise):
            verdict = judge(exercise.name, function, cases(exercise, seed))
            assert verdict.state == FAILED, f"{name} passes"
            assert verdict.message.startswith("called: ")


@pytest.mark.parametrize("factor", [0.5, 2])
def test_times_by_another_clock_are_refused_with_the_name_of_the_right_one(factor):
    """`process_time` runs slower where other programs run, and faster where threads do."""
    [race] = [exercise for exercise in ALL if exercise.name == "race"]

    def by_another_clock(*args):
        text, slow, fast = solution(race)(*args)
        return text, factor * slow, factor * fast

    verdict = judge(race.name, by_another_clock, cases(race, 0))
    assert verdict.state == FAILED
    assert "is the clock perf_counter()?" in verdict.message


@each_exercise
def test_returning_a_constant_fails(exercise):
    """A result that is right for one case, returned for all of them, fails."""
    drawn = list(cases(exercise, 0))
    assert len(drawn) >= 3
    constants = [None, 0, 1, True, "", [], *results_of(solution(exercise), drawn)]
    for constant in constants:
        functions = [lambda *_, constant=constant, **__: constant]
        if isinstance(constant, list):
            functions.append(lambda *_, constant=constant, **__: (item for item in constant))
        for function in functions:
            verdict = judge(exercise.name, function, cases(exercise, 0))
            assert verdict.state == FAILED, f"always returning {constant!r} passes"


def results_of(function, drawn: list[Case]) -> list:
    """Return a function's result in each of the cases; lists for generators."""
    results = []

    def recorded(*args, **kwargs):
        result = function(*args, **kwargs)
        results.append([])
        if not inspect.isgenerator(result):
            results[-1] = result
            return result
        return (results[at].append(item) or item for at in [len(results) - 1] for item in result)

    for case in drawn:
        case.run(recorded, *copied(case.args), **copied(case.kwargs))
    return results


@each_exercise
def test_some_cases_are_random(exercise):
    def seen(seed: int) -> list[str]:
        return [
            repr((case.args, case.kwargs, case.expected, case.shown))
            for case in cases(exercise, seed)
        ]

    assert any(seen(seed) != seen(0) for seed in (1, 2, 3))


@each_exercise
def test_an_exercise_is_complete(exercise):
    """An exercise has stars, hints, described arguments and a section that is in the notebook."""
    assert 1 <= exercise.stars <= 3
    assert 1 <= len(exercise.hints) <= 3
    assert exercise.task.count("Args:") == 1
    notebook, heading = exercise.section
    assert notebook.startswith(f"{exercise.chapter}/")
    cells = json.loads((ROOT / notebook).read_text(encoding="utf-8"))["cells"]
    assert f"## {heading}" in "".join("".join(cell["source"]) + "\n" for cell in cells).splitlines()


@each_chapter
def test_a_chapter_has_exercises_of_every_difficulty_and_nothing_else(chapter):
    assert len(exercises(chapter)) >= 10
    assert {exercise.stars for exercise in exercises(chapter)} == {1, 2, 3}
    names = {exercise.name for exercise in exercises(chapter)}
    assert set(importlib.import_module(f"Exercises.hints.{chapter}").HINTS) == names
    checks = importlib.import_module(f"Exercises.checks.{chapter}")
    public = {
        name
        for name, value in vars(checks).items()
        if inspect.isgeneratorfunction(value) and name[0] != "_"
    }
    assert public == names


@each_chapter
def test_examples_in_the_tasks_are_right(chapter):
    module = importlib.import_module(f"Exercises.solutions.{chapter}")
    result = doctest.testmod(module, optionflags=doctest.NORMALIZE_WHITESPACE)
    assert result.attempted >= len(exercises(chapter)) / 2
    assert result.failed == 0


@each_chapter
def test_an_exercise_uses_only_those_before_it(chapter):
    """A reader who goes in order has written whatever an exercise may need."""
    numbers = {exercise.name: exercise.number for exercise in exercises(chapter)}
    for exercise in exercises(chapter):
        used = {
            node.id for node in ast.walk(ast.parse(exercise.solution)) if isinstance(node, ast.Name)
        }
        later = {name for name in used & set(numbers) if numbers[name] > exercise.number}
        assert not later


@each_chapter
def test_the_core_path_needs_nothing_beside_it(chapter):
    """The solution of an exercise on the core path uses exercises on the core path only."""
    known = {exercise.name: exercise for exercise in exercises(chapter)}
    for exercise in exercises(chapter):
        if exercise.core:
            tree = ast.walk(ast.parse(exercise.solution))
            used = {node.id for node in tree if isinstance(node, ast.Name)} & set(known)
            assert [name for name in used if not known[name].core] == []


def test_there_is_a_core_path_of_about_twenty_and_a_capstone_in_each_chapter():
    assert 18 <= sum(exercise.core for exercise in ALL) <= 24
    assert {exercise.chapter for exercise in ALL if exercise.capstone} == set(chapters())


@each_chapter
def test_every_stub_is_not_done_yet(chapter, tmp_path):
    path = tmp_path / f"{chapter}.py"
    path.write_text(stub_file(chapter), encoding="utf-8")
    module = _module(path)
    for exercise in exercises(chapter):
        verdict = judge(exercise.name, getattr(module, exercise.name), cases(exercise, 0))
        assert (verdict.state, verdict.message) == (NOT_DONE, "")


@each_chapter
def test_stubs_and_solutions_agree(chapter):
    """Signatures and tasks are the same, even when a reader has filled in bodies."""

    def heads(source: str) -> dict:
        functions = [node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)]
        return {
            f.name: (
                ast.unparse(f.args),
                f.returns and ast.unparse(f.returns),
                ast.get_docstring(f),
            )
            for f in functions
        }

    theirs = heads((FOLDER / "solutions" / f"{chapter}.py").read_text(encoding="utf-8"))
    readable = "\n".join(parse(read_source(chapter)).lines)
    ours = {name: head for name, head in heads(readable).items() if name in theirs}
    assert ours == theirs


@each_chapter
def test_the_shipped_stubs_are_the_solutions_without_bodies(chapter):
    changed = subprocess.run(
        ["git", "diff", "--quiet", "HEAD", "--", reader_file(chapter)], cwd=ROOT, check=False
    )
    text = read_source(chapter)
    if changed.returncode and text != stub_file(chapter):
        pytest.skip(f"{reader_file(chapter).name} is being worked on")
    assert text == stub_file(chapter)


@each_chapter
def test_right_answers_pass_while_every_core_is_busy(chapter):
    """`measure_exercises.py` does the same ten times, capstones included."""
    wanted = [exercise for exercise in exercises(chapter) if not exercise.capstone]
    with busy_cores():
        verdicts = list(check(solutions_file(chapter), wanted))
    assert [verdict.message for verdict in verdicts if verdict.state != PASSED] == []
    assert [verdict.name for verdict in verdicts] == [exercise.name for exercise in wanted]
