"""Judge an exercise: call the reader's function case by case and compare the results.

A check (`Exercises/checks`) yields cases. A case holds the arguments of one call and the expected
result, which the check computes independently of the solution.
"""

import inspect
import math
import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

PASSED, NOT_DONE, FAILED = "passed", "not done", "failed"
LONGEST = 300  # characters of a value that are shown


@dataclass(frozen=True)
class Verdict:
    """Result of checking one exercise.

    Attributes:
        state: PASSED, NOT_DONE or FAILED.
        message: why it failed, ready to print; empty unless FAILED.
        printed: the beginning of what the reader's function printed.
    """

    name: str
    state: str
    message: str = ""
    printed: str = ""

    as_dict = asdict


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
        cases: yielded by the exercise's check.
    """
    path = _file_of(function)
    for case in cases:
        called = case.shown or _shown_call(name, function, case)
        if case.note:
            called += f"    ({case.note})"
        try:
            got = case.run(function, *copied(case.args), **copied(case.kwargs))
        except Mistake as mistake:
            return Verdict(name, FAILED, f"called:    {called}\n{mistake}")
        except (Exception, SystemExit) as error:
            if _says_not_done(error, path):
                return Verdict(name, NOT_DONE)
            lines = [
                f"called:    {called}",
                f"raised:    {_shown_error(error)}",
                *reader_lines(error, path),
            ]
            return Verdict(name, FAILED, "\n".join(lines))
        wrong = difference(got, case.expected, case.tolerance)
        if wrong is not None:
            message = (
                f"called:    {called}\ncame back: {shown(got)}\nexpected:  {shown(case.expected)}"
            )
            return Verdict(name, FAILED, message + (f"\n           {wrong}" if wrong else ""))
    return Verdict(name, PASSED)


def copied(value: Any) -> Any:
    """Copy a value, so that a function that changes its arguments spoils its own case only."""
    if _is_tensor(value):
        return value.clone()
    if type(value) in (list, tuple):
        return type(value)(copied(item) for item in value)
    if type(value) is dict:
        return {key: copied(item) for key, item in value.items()}
    return value


def reader_lines(error: BaseException, path: str) -> list[str]:
    """Return the last three lines of the reader's file that an exception passed through."""
    frames = [
        frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == path
    ]
    # a comprehension is two frames
    places = dict.fromkeys(f"line {frame.lineno}:  {frame.line}" for frame in frames)
    return list(places)[-3:]


def _says_not_done(error: BaseException, path: str) -> bool:
    """Return True if the error is a stub's own `raise NotImplementedError`.

    PyTorch raises the same class for operations that a device does not support.
    """
    last_place = traceback.extract_tb(error.__traceback__)[-1]
    return isinstance(error, NotImplementedError) and not error.args and last_place.filename == path


def _file_of(function: Callable) -> str:
    """Return the path of the file that defines a function, under decorators of other modules."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    return code.co_filename if code else ""


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
            return f"at [{index}]: {wrong}"
    return (
        None
        if len(got) == len(expected)
        else f"length {len(got)} came back, {len(expected)} was expected"
    )


def _dictionary_difference(got: Any, expected: dict, tolerance: float) -> str | None:
    if not isinstance(got, dict):
        return f"{type(got).__name__} came back, dict was expected"
    for key in expected:
        wrong = difference(got[key], expected[key], tolerance) if key in got else "missing"
        if wrong is not None:
            wrong = wrong or f"{shown(got[key])} came back, {shown(expected[key])} was expected"
            return f"at [{key!r}]: {wrong}"
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
