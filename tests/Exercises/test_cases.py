"""Tests of how results are compared, shown and judged."""

import re
import time
from fractions import Fraction

import pytest
import torch

from Exercises.cases import (
    FAILED,
    NOT_DONE,
    PASSED,
    UNDECIDED,
    Case,
    Mistake,
    Satisfies,
    Seen,
    difference,
    is_stub,
    judge,
    reader_lines,
    shown,
)
from Exercises.time_limit import cpu_limit

AGREE = [
    (1.0, 1.0 + 1e-9),
    (1.0, 1),
    (float("nan"), float("nan")),
    ([1, (2.0, "a")], (1, [2.0, "a"])),
    ({"a": [1.0]}, {"a": [1.0 + 1e-9]}),
    (Fraction(1, 2), Fraction(2, 4)),
    (torch.tensor([1.0, 2.0]), torch.tensor([1.0, 2.0 + 1e-7])),
    (Satisfies("more than 3", lambda got: got > 3), 4),
]
DIFFER = [
    (1.0, 1.1, ""),
    (1.0, True, "bool came back, a number was expected"),
    (1.0, None, "NoneType came back, a number was expected"),
    (1, 1.0, "float came back, int was expected"),
    (1, True, "bool came back, int was expected"),
    (True, 1, "int came back, bool was expected"),
    ("a", "b", ""),
    (Fraction(1, 2), 0.5, "float came back, Fraction was expected"),
    ([1, 2], [1, 2, 3], "length 3 came back, 2 was expected"),
    ([1, 2], [1, 3], "at [1]: 3 came back, 2 was expected"),
    ([1, 2], None, "NoneType came back, list was expected"),
    ([{"a": (1, 2)}], [{"a": (1, 3)}], "at [0]['a'][1]: 3 came back, 2 was expected"),
    ({"a": 1}, {"a": 1, "b": 2}, "['b'] should not be there"),
    ({"a": 1, "b": 2}, {"a": 1}, "at ['b']: missing"),
    (torch.tensor([1.0]), [1.0], "list came back, a tensor was expected"),
    (torch.tensor([1.0]), torch.tensor([[1.0]]), "its shape is (1, 1), expected (1,)"),
    (torch.tensor([1.0]), torch.tensor([1]), "its dtype is torch.int64, expected torch.float32"),
    (
        torch.tensor([1.0, 2.0]),
        torch.tensor([1.0, 2.5]),
        "first difference at [1]: 2.5 came back, 2 was expected",
    ),
    (torch.tensor([1]), torch.tensor([1], device="meta"), "its device is meta, expected cpu"),
    (Satisfies("more than 3", lambda got: got > 3), 3, ""),
    (Satisfies("more than 3", lambda got: got > 3), "text", ""),
]


@pytest.mark.parametrize(("expected", "got"), AGREE)
def test_values_that_agree(expected, got):
    assert difference(got, expected, 1e-5) is None


@pytest.mark.parametrize(("expected", "got", "where"), DIFFER)
def test_values_that_differ(expected, got, where):
    assert difference(got, expected, 1e-5) == where


def test_a_function_that_changes_its_arguments_spoils_no_other_case():
    def spoil(numbers, tensor):
        numbers.append(tensor.zero_())
        return len(numbers)

    numbers, tensor = [1], torch.ones(2)
    assert judge("spoil", spoil, [Case((numbers, tensor), 2)] * 2).state == PASSED
    assert (numbers, tensor.tolist()) == ([1], [1.0, 1.0])


def test_not_implemented_by_pytorch_is_a_failure_and_no_stub():
    def uses_what_is_missing(x):
        return torch.ops.aten.nonzero_static(x, size=1).to("meta").tolist()

    verdict = judge("f", uses_what_is_missing, [Case((torch.ones(1, device="meta"),), 1)])
    assert verdict.state == FAILED


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda: exit(), "called:    f()\nraised:    SystemExit"),
        (
            lambda: endless(1),
            "called:    f()\nraised:    RecursionError: maximum recursion depth exceeded",
        ),
        (lambda wanted: 1, "missing 1 required positional argument: 'wanted'"),
        (lambda: 1 / 0, "lambda: 1 / 0"),
    ],
    ids=["exit", "recursion", "arguments", "line"],
)
def test_what_is_raised_is_shown(function, message):
    verdict = judge("f", function, [Case((), 1)])
    assert verdict.state == FAILED
    assert message in verdict.message
    assert len(verdict.message) < 400


def endless(number: int) -> int:
    return endless(number)


def raises():
    raise NotImplementedError


def dots(): ...


def described():
    """Say what to do."""
    ...


def passes():
    pass


def computes_first():
    number = 1 + len("a")
    raise NotImplementedError(*[] * number)


@pytest.mark.parametrize("stub", [raises, dots, described, passes, computes_first])
def test_a_stub_is_not_done(stub):
    assert judge(stub.__name__, stub, [Case((), 1)]).state == NOT_DONE
    assert judge(stub.__name__, torch.no_grad()(stub), [Case((), 1)]).state == NOT_DONE


def test_a_function_of_a_notebook_cell_without_source_is_judged_all_the_same():
    cell = {"__name__": "__main__"}
    exec("def one(): return 1\ndef stub(): ...\ndef wrong(): return 1 / 0", cell)  # noqa: S102
    assert judge("one", cell["one"], [Case((), 1)]).state == PASSED
    assert judge("stub", cell["stub"], [Case((), 1)]).state == NOT_DONE
    assert "line 3:" in judge("wrong", cell["wrong"], [Case((), 1)]).message


@pytest.mark.parametrize("body", [lambda: 5, lambda: "...", lambda: print(), lambda: raises()])
def test_what_does_something_is_no_stub(body):
    assert not is_stub(body)


def test_an_attempt_that_runs_out_of_time_is_undecided_and_says_where_it_was():
    def endless():
        while True:
            pass

    with cpu_limit(0.1):
        verdict = judge("endless", endless, [Case((), 1)])
    assert verdict.state == UNDECIDED
    assert "not finished after 0.1 seconds of CPU time" in verdict.message
    assert re.search(r"line \d+:  (while True:|pass)", verdict.message)


def test_waiting_is_not_computing():
    def waits():
        time.sleep(0.5)
        return 1

    with cpu_limit(0.2):
        assert judge("waits", waits, [Case((), 1)]).state == PASSED


def test_an_except_that_catches_everything_is_stopped_in_the_end():
    def stubborn():
        for _ in range(2):
            try:
                while True:
                    pass
            except:  # noqa: E722
                continue

    with cpu_limit(0.1), pytest.MonkeyPatch.context() as patch:
        patch.setattr("Exercises.time_limit.AGAIN", 0.1)
        assert judge("stubborn", stubborn, [Case((), 1)]).state == FAILED


def test_a_report_is_shown_when_everything_passed():
    def check():
        yield Case((), 1)
        return Seen("it wrote 7 tokens", [(1, 2)])

    verdict = judge("f", lambda: 1, check())
    assert (verdict.state, verdict.message, verdict.rows) == (PASSED, "it wrote 7 tokens", [(1, 2)])


def test_a_function_of_a_library_is_a_solution_as_well():
    assert judge("size", len, [Case(([1],), 1)]).state == PASSED
    assert "raised:    TypeError" in judge("size", len, [Case((1,), 1)]).message


def test_a_mistake_is_shown_in_the_words_of_the_check():
    def run(function):
        raise Mistake("nothing was handed out")

    verdict = judge(
        "f", lambda: 1, [Case((), 1, run=run, shown="f on a stream", note="an empty one")]
    )
    assert (
        verdict.message
        == "called:    f on a stream\nnote:      an empty one\nnothing was handed out"
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (torch.tensor([[1.0, 2.00004]]), "tensor([[1.0, 2.0]])"),
        (torch.tensor(3), "tensor(3)"),
        (torch.zeros(2, dtype=torch.bfloat16), "tensor([0.0, 0.0], bfloat16)"),
        (
            torch.zeros(20, 20),
            "tensor of shape (20, 20), float32: 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, ...",
        ),
        (torch.zeros(2, device="meta"), "tensor of shape (2,), float32, on meta"),
        ((torch.tensor([1]), [2]), "(tensor([1]), [2])"),
        ({"keys": torch.tensor([1])}, "{'keys': tensor([1])}"),
        (torch.nn.Linear(1, 1), "Linear(in_features=1, out_features=1, bias=True)"),
        (torch.nn.Sequential(torch.nn.Linear(1, 1)), "<Sequential>"),
        (iter([1]), "<list_iterator>"),
        (len, "len"),
        ("a" * 1000, "'" + "a" * 299 + "... (1002 characters)"),
    ],
)
def test_values_are_shown_on_one_line(value, text):
    assert shown(value) == text


def test_a_line_that_is_two_frames_is_shown_once():
    def inner():
        return [1 / value for value in (1, 0)]  # before Python 3.12 a frame of its own

    def outer():
        return inner()

    with pytest.raises(ZeroDivisionError) as caught:
        outer()
    lines = reader_lines(caught.value, __name__)
    assert len(lines) == len(set(lines)) == 3
    assert "outer()" in lines[0]
    assert "return inner()" in lines[1]
    assert "1 / value" in lines[2]
