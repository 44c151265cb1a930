"""How an exercise is judged: call the reader's function case by case, and compare what comes back.

A check (`Exercises/checks`) yields cases. A case is the arguments of one call and what should come
back, which the check has worked out by itself."""

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
    """What came of checking one exercise.

    Attributes:
        state: PASSED, NOT_DONE or FAILED.
        message: why it failed, ready to print.
        printed: what the reader's function printed, the first part of it.
    """

    name: str
    state: str
    message: str = ""
    printed: str = ""

    as_dict = asdict


class Mistake(Exception):  # noqa: N818 (the reader's, no error of ours)
    """Raised by a check's `run` to say in words what is wrong with what came back."""


@dataclass(frozen=True)
class Where:
    """Stands for an expected value when many are right.

    Attributes:
        description: completes "expected: ...".
        test: whether a value is right; an exception counts as no.
    """

    description: str
    test: Callable[[object], bool]

    def __repr__(self) -> str:
        return self.description


def call(function: Callable, *args: Any, **kwargs: Any) -> Any:
    """The usual way to run a case."""
    return function(*args, **kwargs)


@dataclass(frozen=True)
class Case:
    """One call and what should come back.

    Attributes:
        args, kwargs: of the reader's function, which gets copies of tensors, lists and
            dictionaries.
        expected: a value, or `Where`. Floats and tensors may differ by `tolerance`, relative or
            absolute.
        run: `run(function, *args, **kwargs)` gives the value that is compared; a generator, say,
            must be run through.
        note: what is special here, shown when the case fails.
        shown: the call as the reader should see it; None: the function's name and its arguments.
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
        name: of the exercise.
        function: the reader's.
        cases: from the check.
    """
    path = _file_of(function)
    for case in cases:
        called = case.shown or _shown_call(name, function, case)
        if case.note:
            called += f"    ({case.note})"
        try:
            got = case.run(function, *fresh(case.args), **fresh(case.kwargs))
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


def fresh(value: Any) -> Any:
    """A copy, so that a function that changes its arguments spoils nothing but its own case."""
    if _is_tensor(value):
        return value.clone()
    if type(value) in (list, tuple):
        return type(value)(fresh(item) for item in value)
    if type(value) is dict:
        return {key: fresh(item) for key, item in value.items()}
    return value


def reader_lines(error: BaseException, path: str) -> list[str]:
    """Where in the reader's file an exception passed, the last three places."""
    frames = [
        frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == path
    ]
    # a comprehension is two frames
    places = dict.fromkeys(f"line {frame.lineno}:  {frame.line}" for frame in frames)
    return list(places)[-3:]


def _says_not_done(error: BaseException, path: str) -> bool:
    """Whether it is a stub's `raise NotImplementedError`; PyTorch raises the same for what a device
    cannot do.
    """
    last_place = traceback.extract_tb(error.__traceback__)[-1]
    return isinstance(error, NotImplementedError) and not error.args and last_place.filename == path


def _file_of(function: Callable) -> str:
    """The reader's file; a decorator, such as `@torch.no_grad()`, stands elsewhere."""
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
    """A value on one line, cut when it is long."""
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
    """None when they agree; else where they do not, or "" when looking at both says enough."""
    if isinstance(expected, Where):
        try:
            return None if expected.test(got) else ""
        except Exception:  # a value of another kind than the test is for
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
            return (
                f"at [{index}]: {wrong or f'{shown(one)} came back, {shown(other)} was expected'}"
            )
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
            return f"at [{key!r}]: {wrong or f'{shown(got[key])} came back, {shown(expected[key])} was expected'}"
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
    return f"first difference at {place}: {got[tuple(place)]:.6g} came back, {expected[tuple(place)]:.6g} was expected"


def _plain(value: Any) -> str:
    return str(tuple(value)) if isinstance(value, tuple) else str(value)


def _is_tensor(value: Any) -> bool:
    # without importing torch, which is slow
    return type(value).__module__ == "torch" and hasattr(value, "isclose")
