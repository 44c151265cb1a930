"""Tests of `check(my_function)` in a notebook: the command line's verdict, and a picture."""

import importlib

import pytest
import torch

from Exercises import check
from Exercises.cases import PASSED, Verdict
from Exercises.chapters import exercise_named
from Exercises.pictures import MEASURED, PICTURES, picture
from Exercises.solutions import CH3

ROWS = [(1, 0.5, 70.0), (3, 0.75, 210.0), (9, 0.75, 640.0)]


@pytest.fixture
def shown(monkeypatch) -> list:
    """Pictures that were shown."""
    pictures: list = []
    monkeypatch.setattr("Appendixes.figure_style.show", pictures.append)
    return pictures


def test_a_stub_is_told_its_task_in_one_line(capsys, shown):
    def with_temperature(logits, temperature): ...

    check(with_temperature)
    state, task, command = capsys.readouterr().out.splitlines()
    assert state == "· CH4 2  with_temperature ★: not done yet"
    assert task.startswith("    Temperature: make a distribution more peaked")
    assert "python -m Exercises CH4 2" in command
    assert shown == []


def test_a_wrong_function_is_shown_what_is_wrong_and_its_picture(capsys, shown):
    def with_temperature(logits, temperature):
        return (logits * temperature).softmax(dim=-1)

    check(with_temperature)
    assert "✗ CH4 2  with_temperature ★: failed" in capsys.readouterr().out
    assert len(shown) == 1


def test_a_right_function_passes(capsys, shown):
    def wilson(right, total, z=1.96):
        return CH3.wilson(right, total, z)

    check(wilson)
    assert capsys.readouterr().out == (
        "✓ CH3 18  wilson ★◆: passed\n    to have it counted, copy it to Exercises/CH3.py\n"
    )
    assert shown == []


def test_a_helper_that_is_not_done_is_named(capsys, monkeypatch):
    def stub(right, total, z=1.96): ...

    stub.__name__ = "wilson"
    monkeypatch.setitem(globals(), "wilson", stub)
    check(problems_needed)
    assert (
        "your code uses wilson, whose own check (CH3 18) says: not done yet"
        in capsys.readouterr().out
    )


def problems_needed(share, width):
    n = 1
    low, high = wilson(share * n, n)  # noqa: F821 (set by the test)
    return n if high - low <= width else 0


def test_a_name_of_no_exercise_says_which_was_meant():
    def wilsen(): ...

    with pytest.raises(ValueError, match="no exercise has the name wilsen; did you mean wilson?"):
        check(wilsen)


@pytest.mark.parametrize("name", PICTURES)
def test_every_picture_is_drawn_and_described(name):
    exercise = exercise_named(name)
    solutions = importlib.import_module(f"Exercises.solutions.{exercise.chapter}")
    verdict = Verdict(name, PASSED, rows=ROWS if name in MEASURED else None)
    figure = picture(name, getattr(solutions, name), verdict)
    assert len(figure.get_label()) > 20
    assert figure.axes[0].get_title()


def test_a_function_that_cannot_be_drawn_gives_no_picture():
    def keep_nucleus(logits, p):
        return torch.zeros(3)

    assert picture("keep_nucleus", keep_nucleus, Verdict("keep_nucleus", PASSED)) is None
    assert picture("wilson", keep_nucleus, Verdict("wilson", PASSED)) is None
