"""`torch.compile` for decoding, where the machine can do it."""

from collections.abc import Callable, Sequence
from types import FunctionType
from typing import Any

import torch
from torch import nn

from Appendixes.command_line import first_line
from Appendixes.QWEN3Model import Qwen3Model
from Appendixes.QWEN3TransformerBlock import TransformerBlock

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
    return CompiledModel(model, options)


class CompiledModel(Qwen3Model):
    """A model on another one's weights whose steps of one token per row are compiled.

    Args:
        model: the model as it was loaded, joined or packed.
        options: for `torch.compile`.
    """

    def __init__(self, model: Qwen3Model, options: dict[str, Any]):
        nn.Module.__init__(self)
        self.__dict__.update(vars(model))
        self._modules = dict(self._modules)  # a list of its own, of the same layers
        self._compiled_step: Callable | None = None
        if next(model.parameters()).device.type == "cuda":
            # one CUDA graph a step
            step = torch.compile(model.run_layers, **{"mode": "reduce-overhead", **options})
            self._compiled_step = step
            return
        checks = {} if "mode" in options else {"options": {"guard_filter_fn": _arguments_only}}
        step = torch.compile(_own_code(_run_block), **{**checks, **options})
        self.layers = nn.ModuleList(CompiledBlock(layer, step) for layer in model.layers)

    def run_layers(self, input_ids: torch.Tensor, *arguments: Any) -> torch.Tensor:
        """As `Qwen3Model.run_layers`; on a GPU a step of one token per row is the compiled one."""
        if self._compiled_step is not None and input_ids.shape[1] == 1:
            return self._compiled_step(input_ids, *arguments)
        return super().run_layers(input_ids, *arguments)


class CompiledBlock(TransformerBlock):
    """A block on another one's layers that runs a compiled step where each row has one token.

    Args:
        block: the block whose layers it shares, under the same names.
        step: the compiled `_run_block`, one for all blocks.
    """

    def __init__(self, block: nn.Module, step: Callable):
        nn.Module.__init__(self)
        self.__dict__.update(vars(block))
        self._step = step

    def forward(self, x: torch.Tensor, *arguments: Any) -> torch.Tensor:
        """As `TransformerBlock.forward`."""
        return (self._step if x.shape[1] == 1 else _run_block)(self, x, *arguments)


def _run_block(block: TransformerBlock, *arguments: Any) -> torch.Tensor:
    """Run one block: the function that is compiled, once for all blocks."""
    return TransformerBlock.forward(block, *arguments)


def is_compiled(model: Qwen3Model) -> bool:
    """Return True if the model comes from `compile_model`."""
    return isinstance(model, CompiledModel)


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


def _probe(x: torch.Tensor) -> torch.Tensor:
    """Something to compile, to see whether anything can be."""
    return x.sin() + x
