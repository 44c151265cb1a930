"""Judge an exercise: call the reader's function case by case and compare the results.

A check (`Exercises/checks`) yields cases. A case holds the arguments of one call and the expected
result, which the check computes independently of the solution. A check may return a text at its
end, which is shown when all cases pass.
"""

import inspect
import linecache
import math
import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from Exercises.time_limit import OutOfTime

PASSED, NOT_DONE, FAILED, UNDECIDED = "passed", "not done yet", "failed", "undecided"
LONGEST = 300  # characters of a value that are shown


@dataclass
class Verdict:
    """Result of checking one exercise.

    Attributes:
        name: name of the exercise.
        state: PASSED, NOT_DONE, FAILED or UNDECIDED.
        message: why it did not pass, or what was seen when it did; ready to print, may be empty.
        printed: the beginning of what the reader's function printed.
        rows: numbers that were measured, for a picture.
    """

    name: str
    state: str
    message: str = ""
    printed: str = ""
    rows: list | None = None


@dataclass(frozen=True)
class Seen:
    """Report of a check whose cases all passed: what its last line returns.

    Attributes:
        message: what the reader's functions did, ready to print.
        rows: numbers for a picture.
    """

    message: str
    rows: list | None = None


class Mistake(Exception):  # noqa: N818 (the reader's mistake, not an error of this program)
    """Raised by a check's `run` to say in words what is wrong with a result."""


@dataclass(frozen=True)
class Satisfies:
    """Condition to be met, in place of one expected value, when many values are right.

    Attributes:
        description: completes "expected: ...".
        test: returns True for a right value; an exception counts as False.
    """

    description: str
    test: Callable[[object], bool]

    def __repr__(self) -> str:
        return self.description


def call(function: Callable, *args: Any, **kwargs: Any) -> Any:
    """Call the function with the arguments: how a case is run unless its check says otherwise."""
    return function(*args, **kwargs)


@dataclass(frozen=True)
class Case:
    """One call of the reader's function and its expected result.

    Attributes:
        args, kwargs: arguments; the function gets copies of tensors, lists and dictionaries.
        expected: a value or `Satisfies`. Floats and tensors may differ by `tolerance`, relative or
            absolute.
        run: `run(function, *args, **kwargs)` returns the value that is compared; it runs through a
            generator, for example.
        note: what is special about this case, shown when it fails.
        shown: the call as it is printed; None: the function's name and its arguments.
    """

    args: tuple
    expected: object
    kwargs: dict = field(default_factory=dict)
    run: Callable = call
    tolerance: float = 1e-5
    note: str = ""
    shown: str | None = None


def judge(name: str, function: Callable, cases: Iterable[Case]) -> Verdict:
    """Run the cases in order, up to the first that fails.

    Args:
        name: name of the exercise.
        function: the reader's function.
        cases: yielded by the exercise's check; what the check returns is reported.
    """
    if is_stub(function):
        return Verdict(name, NOT_DONE)
    left = iter(cases)
    while True:
        # 1. The next case; at the end of the check, everything passed.
        try:
            case = next(left)
        except StopIteration as end:
            seen = end.value or Seen("")
            return Verdict(name, PASSED, seen.message, rows=seen.rows)
        called = case.shown or _shown_call(name, function, case)
        called = f"called:    {called}" + (f"\nnote:      {case.note}" if case.note else "")
        # 2. The call.
        try:
            got = case.run(function, *copied(case.args), **copied(case.kwargs))
        except Mistake as mistake:
            return Verdict(name, FAILED, f"{called}\n{mistake}")
        except OutOfTime as limit:
            return Verdict(name, UNDECIDED, _lines(called, f"{limit}", error=limit, of=function))
        except (Exception, SystemExit) as error:
            stub = stub_that_raised(error, function)
            if stub == function.__name__:
                return Verdict(name, NOT_DONE)
            raised = f"raised:    {_shown_error(error)}"
            return Verdict(name, FAILED, _lines(called, raised, error=error, of=function))
        # 3. The comparison.
        wrong = difference(got, case.expected, case.tolerance)
        if wrong is not None:
            told = f"{called}\ncame back: {shown(got)}\nexpected:  {shown(case.expected)}"
            return Verdict(name, FAILED, told + (f"\n           {wrong}" if wrong else ""))


def _lines(*parts: str, error: BaseException, of: Callable) -> str:
    return "\n".join([*parts, *reader_lines(error, of.__module__)])


def is_stub(function: Callable) -> bool:
    """Return True if a body, but for its docstring, is `...` or `raise NotImplementedError`.

    The compiled code is compared: a function of a notebook may have no source.
    """
    return _shape(function) in [_shape(stub) for stub in _STUBS]


def _shape(function: Callable) -> tuple | None:
    function = inspect.unwrap(function)
    code, text = getattr(function, "__code__", None), function.__doc__ or ""
    if code is None:
        return None
    return code.co_code, code.co_names, [one for one in code.co_consts if one != text]


def _dots() -> None: ...


def _described_dots() -> None:
    """Do nothing."""
    ...


def _raises() -> None:
    raise NotImplementedError


def _described_raises() -> None:
    """Raise what a stub raises."""
    raise NotImplementedError


_STUBS = (_dots, _described_dots, _raises, _described_raises)


def stub_that_raised(error: BaseException, function: Callable) -> str | None:
    """Return the name of the reader's function that raised a bare `NotImplementedError`, or None.

    PyTorch raises the same class for operations that a device does not support, with a text.
    """
    if not isinstance(error, NotImplementedError) or error.args:
        return None
    *_, (frame, _) = traceback.walk_tb(error.__traceback__)
    inside = frame.f_globals.get("__name__") == function.__module__
    return frame.f_code.co_name if inside else None


def copied(value: Any) -> Any:
    """Copy a value, so that a function that changes its arguments spoils its own case only."""
    if _is_tensor(value):
        return value.clone()
    if type(value) in (list, tuple):
        return type(value)(copied(item) for item in value)
    if type(value) is dict:
        return {key: copied(item) for key, item in value.items()}
    return value


def reader_lines(error: BaseException, module: str) -> list[str]:
    """Return the last three lines of the reader's module that an exception passed through."""
    places: dict[str, None] = {}
    for frame, number in traceback.walk_tb(error.__traceback__):
        if frame.f_globals.get("__name__") == module:
            text = linecache.getline(frame.f_code.co_filename, number).strip()
            places[f"line {number}:  {text}"] = None  # once: a comprehension is two frames
    return list(places)[-3:]


def _shown_error(error: BaseException) -> str:
    text = str(error)
    return f"{type(error).__name__}: {text[:LONGEST]}" if text else type(error).__name__


def _shown_call(name: str, function: Callable, case: Case) -> str:
    names: list[str | None]
    try:
        names = list(inspect.signature(function).parameters)
    except (TypeError, ValueError):
        names = []
    names += [None] * len(case.args)
    parts = [
        f"{key}={shown(value)}" if key else shown(value)
        for key, value in zip(names, case.args, strict=False)
    ]
    parts += [f"{key}={shown(value)}" for key, value in case.kwargs.items()]
    return f"{name}({', '.join(parts)})"


def shown(value: Any) -> str:
    """Return a value as one line of text, cut when it is long."""
    if _is_tensor(value):
        return _shown_tensor(value)
    if type(value) in (list, tuple) and any(map(_is_tensor, value)):
        inside = ", ".join(map(shown, value))
        return f"[{inside}]" if type(value) is list else f"({inside})"
    if type(value) is dict and any(map(_is_tensor, value.values())):
        return "{" + ", ".join(f"{key!r}: {shown(item)}" for key, item in value.items()) + "}"
    text = repr(value)
    if "\n" in text or text.startswith("<"):  # a model, a function, an iterator
        return getattr(value, "__name__", None) or f"<{type(value).__name__}>"
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}... ({len(text)} characters)"


def _shown_tensor(tensor: Any) -> str:
    kind = str(tensor.dtype).removeprefix("torch.")
    about = f"shape {tuple(tensor.shape)}, {kind}"
    if tensor.device.type != "cpu":
        return f"tensor of {about}, on {tensor.device}"
    flat = [
        round(x, 4) if isinstance(x, float) else x for x in tensor.detach().flatten().tolist()[:13]
    ]
    if tensor.numel() > len(flat) or tensor.numel() > 12:
        return f"tensor of {about}: {', '.join(map(str, flat[:6]))}, ..."
    values = _nested(iter(flat), list(tensor.shape))
    return (
        f"tensor({values})" if kind in ("float32", "int64", "bool") else f"tensor({values}, {kind})"
    )


def _nested(flat: Iterator, shape: list[int]) -> Any:
    return next(flat) if not shape else [_nested(flat, shape[1:]) for _ in range(shape[0])]


def difference(got: Any, expected: Any, tolerance: float) -> str | None:
    """Return None if two values agree, else where they differ; "" if printing both says enough."""
    if isinstance(expected, Satisfies):
        try:
            return None if expected.test(got) else ""
        except Exception:  # a value of a type that the test does not expect
            return ""
    if _is_tensor(expected):
        return _tensor_difference(got, expected, tolerance)
    if isinstance(expected, list | tuple):
        return _sequence_difference(got, expected, tolerance)
    if isinstance(expected, dict):
        return _dictionary_difference(got, expected, tolerance)
    if isinstance(expected, float):
        if not isinstance(got, int | float) or isinstance(got, bool):
            return f"{type(got).__name__} came back, a number was expected"
        close = math.isclose(got, expected, rel_tol=tolerance, abs_tol=tolerance)
        return None if close or (math.isnan(got) and math.isnan(expected)) else ""
    if type(got) is not type(expected):
        return f"{type(got).__name__} came back, {type(expected).__name__} was expected"
    return None if got == expected else ""


def _sequence_difference(got: Any, expected: Any, tolerance: float) -> str | None:
    if not isinstance(got, list | tuple):
        return f"{type(got).__name__} came back, {type(expected).__name__} was expected"
    for index, (one, other) in enumerate(zip(got, expected, strict=False)):
        wrong = difference(one, other, tolerance)
        if wrong is not None:
            wrong = wrong or f"{shown(one)} came back, {shown(other)} was expected"
            return _at(f"[{index}]", wrong)
    return (
        None
        if len(got) == len(expected)
        else f"length {len(got)} came back, {len(expected)} was expected"
    )


def _at(place: str, wrong: str) -> str:
    """Say where a difference is, as `at [0][1]: ...` when it lies deeper."""
    return (
        f"at {place}{wrong.removeprefix('at ')}"
        if wrong.startswith("at ")
        else f"at {place}: {wrong}"
    )


def _dictionary_difference(got: Any, expected: dict, tolerance: float) -> str | None:
    if not isinstance(got, dict):
        return f"{type(got).__name__} came back, dict was expected"
    for key in expected:
        wrong = difference(got[key], expected[key], tolerance) if key in got else "missing"
        if wrong is not None:
            wrong = wrong or f"{shown(got[key])} came back, {shown(expected[key])} was expected"
            return _at(f"[{key!r}]", wrong)
    return (
        None
        if len(got) == len(expected)
        else f"{sorted(set(got) - set(expected), key=str)} should not be there"
    )


def _tensor_difference(got: Any, expected: Any, tolerance: float) -> str | None:
    if not _is_tensor(got):
        return f"{type(got).__name__} came back, a tensor was expected"
    for what in ("shape", "dtype", "device"):
        one, other = getattr(got, what), getattr(expected, what)
        if one != other:
            return f"its {what} is {_plain(one)}, expected {_plain(other)}"
    if expected.is_meta or expected.numel() == 0:
        return None
    agree = got.isclose(expected, rtol=tolerance, atol=tolerance, equal_nan=True)
    if agree.all():
        return None
    place = (~agree).nonzero()[0].tolist()
    one, other = got[tuple(place)], expected[tuple(place)]
    return f"first difference at {place}: {one:.6g} came back, {other:.6g} was expected"


def _plain(value: Any) -> str:
    return str(tuple(value)) if isinstance(value, tuple) else str(value)


def _is_tensor(value: Any) -> bool:
    # torch is slow to import, so it is recognised by name
    return type(value).__module__ == "torch" and hasattr(value, "isclose")
