"""Judge one attempt at an exercise within a limit: the same in a notebook and on the command line.

An attempt that uses up its CPU time gets one more try, with more; if that is not enough either, the
verdict is `undecided`.
"""

import contextlib
import importlib
import inspect
import io
import random
from collections.abc import Callable
from types import CodeType

from Exercises.cases import FAILED, PASSED, UNDECIDED, Verdict, judge
from Exercises.chapters import Exercise, exercise_named
from Exercises.time_limit import OutOfTime, cpu_limit

TRIES = (3.0, 12.0)  # seconds of CPU time; a capstone gets PATIENCE times as much
PATIENCE = 10
PRINTED = 500  # characters of the reader's prints that are kept


class FirstPart(io.StringIO):
    """File that keeps the beginning of what is written, so that no endless print fills memory."""

    def write(self, text: str) -> int:
        """Keep what still fits."""
        return super().write(text[: PRINTED - self.tell()])


def examine(exercise: Exercise, function: Callable) -> Verdict:
    """Judge a function as an attempt at an exercise; what is wrong may be another of the reader's.

    Args:
        exercise: whose check is run.
        function: the reader's function.
    """
    for seconds in TRIES:
        verdict = _try(exercise, function, seconds)
        if verdict.state != UNDECIDED:
            break
    if verdict.state in (FAILED, UNDECIDED):
        for other, helper in exercises_used(function):
            state = _try(other, helper, TRIES[0]).state
            if state != PASSED:
                uses = f"your code uses {other.name}, whose own check ({other.place}) says: {state}"
                verdict.message = f"{uses}\n{verdict.message}"
                break
    return verdict


def _try(exercise: Exercise, function: Callable, seconds: float) -> Verdict:
    checks = importlib.import_module(f"Exercises.checks.{exercise.chapter}")
    printed = FirstPart()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        try:
            with cpu_limit(seconds * (PATIENCE if exercise.capstone else 1)):
                cases = getattr(checks, exercise.name)(random.Random())
                verdict = judge(exercise.name, function, cases)
        except OutOfTime as limit:  # between two calls of the reader's function
            verdict = Verdict(exercise.name, UNDECIDED, str(limit))
    verdict.printed = printed.getvalue()
    return verdict


def exercises_used(function: Callable) -> list[tuple[Exercise, Callable]]:
    """Return the other exercises whose functions a function names, in order, and these functions.

    What is not done in an early one may be all that is wrong with a later one.
    """
    function = inspect.unwrap(function)
    code, known = getattr(function, "__code__", None), getattr(function, "__globals__", {})
    found = []
    for name in _names(code) if code else ():
        other, helper = exercise_named(name), known.get(name)
        if other and helper is not function and inspect.isfunction(helper):
            found.append((other, helper))
    return sorted(found, key=lambda used: (used[0].chapter, used[0].number))


def _names(code: CodeType) -> set[str]:
    inner = [_names(constant) for constant in code.co_consts if isinstance(constant, CodeType)]
    return {*code.co_names}.union(*inner)
