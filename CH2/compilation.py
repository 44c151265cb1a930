"""`torch.compile` for decoding, where the machine can do it."""

import copy
from collections.abc import Callable, Sequence
from types import FunctionType
from typing import Any

import torch

from Appendixes.command_line import first_line
from Appendixes.QWEN3Model import Qwen3Model

# of PyTorch's compiler; its default of 8 is soon reached by batches that shrink and grow
RECOMPILE_LIMIT = 64


def compile_model(model: Qwen3Model, **options: Any) -> Qwen3Model:
    """Let PyTorch fuse the small operations of a decoding step into few kernels, which it builds in
    the first steps.

    Only steps of one token a row are compiled: they are many and alike, while prompts are few and
    of all lengths. A compiled step serves until the text outgrows a block of 64 positions or the
    number of rows changes; from the second change on, PyTorch builds a step for any length or
    number.

    On a CPU one layer is compiled, and serves for all: that takes seconds where the whole model
    would take minutes. On a GPU the whole step becomes one CUDA graph, as starting its kernels one
    by one would take longer than they run.

    Before each call PyTorch would check everything the compiled code depends on, down to hooks of
    every module; with 28 layers a token, that takes as long as the kernels. Only what differs from
    step to step is checked here, the layer's arguments. So a compiled model must stay as it is: to
    change a layer, change the model and compile it again.

    The kernels are C++ on a CPU, which needs a compiler, and Triton on a GPU. Where they cannot be
    built, this says so and gives the model back as it is.

    Args:
        model: a `Qwen3Model`.
        options: for `torch.compile`.

    Returns:
        A model that shares the weights and is used in the same way; the given one stays uncompiled.
    """
    device = next(model.parameters()).device
    try:
        torch.compile(_probe, **options)(torch.ones(8, device=device))
    except Exception as error:  # whatever compiler is missing, and however it shows
        reason = f"{type(error).__name__}: {first_line(error)}"
        print(
            f"torch.compile does not work on this machine, so the model runs uncompiled ({reason})."
        )
        print(
            "On a CPU it needs a C++ compiler: g++ on Linux, Xcode's on macOS, Visual Studio's on Windows."
        )
        return model
    torch._dynamo.config.recompile_limit = max(
        torch._dynamo.config.recompile_limit, RECOMPILE_LIMIT
    )
    compiled = copy.copy(model)
    if device.type == "cuda":
        # one CUDA graph a step
        step = torch.compile(model.run_layers, **{"mode": "reduce-overhead", **options})
        compiled.run_layers = _for_single_tokens(step, model.run_layers)  # type: ignore[method-assign]  # its own
    else:
        checks = {"options": {"guard_filter_fn": _arguments_only}} if "mode" not in options else {}
        step = torch.compile(_own_code(Qwen3Model.run_layer), **{**checks, **options})
        compiled.run_layer = _for_single_tokens(step, model.run_layer, 1)  # type: ignore[method-assign]  # its own
    return compiled


def is_compiled(model: Qwen3Model) -> bool:
    """Whether a model is from `compile_model`: it has compiled steps of its own in the place of the
    class's.
    """
    return not vars(model).keys().isdisjoint(("run_layer", "run_layers"))


def _arguments_only(checks: Sequence[Any]) -> list[bool]:
    """Which of PyTorch's checks to keep: those of the step's arguments, and of settings such as
    `torch.no_grad`.

    Args:
        checks: with the attribute `name`, the expression that is checked, empty for a setting.
    """
    return [
        not check.name or check.name.startswith(("arguments", "L['arguments']")) for check in checks
    ]


def _own_code(function: Callable) -> Callable:
    """The same function with a code object of its own, to which PyTorch ties what it compiles:
    nothing is shared.
    """
    return FunctionType(function.__code__.replace(), function.__globals__, function.__name__)


def _for_single_tokens(step: Callable, otherwise: Callable, argument: int = 0) -> Callable:
    """`step` where that argument, `(rows, seq, ...)`, has one token a row."""
    return lambda *arguments: (step if arguments[argument].shape[1] == 1 else otherwise)(*arguments)


def _probe(x: torch.Tensor) -> torch.Tensor:
    """Something to compile, to see whether anything can be."""
    return x.sin() + x
