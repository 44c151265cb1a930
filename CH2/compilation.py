"""`torch.compile` for decoding steps, where the machine has a compiler."""

from collections.abc import Callable
from types import FunctionType
from typing import Any

import torch
from torch import nn

from Appendixes import torch_kernels
from Appendixes.command_line import first_line
from Appendixes.QWEN3Model import Qwen3Model
from Appendixes.QWEN3TransformerBlock import TransformerBlock
from CH2.captured_steps import CapturedSteps

# Inductor tries variants of each kernel and takes the fastest; only then does it fuse the product
# of a single row with what makes the matrix
GPU_OPTIONS = {"coordinate_descent_tuning": True}
RECOMPILE_LIMIT = 64  # versions of a step that are compiled before it runs uncompiled


def compile_model(
    model: Qwen3Model, *, static_steps: bool | None = None, **options: Any
) -> Qwen3Model:
    """Fuse the small operations of a decoding step into few kernels, with `torch.compile`.

    Only steps of one token per row are compiled: they are many and alike, while prompts are few and
    of all lengths. PyTorch builds the kernels during the first steps. The step of a single text
    serves until that outgrows a block of 64 positions; then PyTorch builds one for any length.
    Batches have, on a CPU, a step that is built for any length and number of rows at once, which a
    small model of one row would feel; a queue then meets four builds at most. On a GPU they are
    built as for a single text, and rounded sizes keep them few.

    One block is compiled and serves for all: that takes seconds, the whole model would take
    minutes. On a GPU a decoding engine then captures whole steps as CUDA graphs and replays them,
    as starting their kernels one by one takes longer than they run (`CH2/captured_steps.py`). Short
    prompts are read in the same way, uncompiled. This code has not yet run on a GPU; `make gpu`
    tests and measures it, and RESULTS.md has the numbers of a prototype. In particular, Inductor's
    tuning (`coordinate_descent_tuning`) is on, as 8-bit products need it; whether the first token
    then comes within the 20 seconds that are wished for is not known.
    `options={"coordinate_descent_tuning": False}` turns it off.

    Before each call PyTorch would check everything that the compiled code depends on, down to the
    hooks of every module; with 28 blocks per token, that takes as long as the kernels. So only the
    block's arguments are checked, which differ from step to step. A compiled model must therefore
    stay as it is: to change a layer, change the model and compile it again.

    The kernels are C++ on a CPU, which needs a compiler, and Triton on a GPU. Where they cannot be
    built, a message is printed and the model is returned as it is.

    Args:
        model: a `Qwen3Model`.
        static_steps: True lets decoding engines run steps, and read short prompts, in rounded
            sizes, which a GPU captures; None: on a GPU. On a CPU they are only called again, which
            tests what a GPU would do.
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
            "On a CPU it needs a C++ compiler: "
            "g++ on Linux, Xcode's on macOS, Visual Studio's on Windows."
        )
        return model
    torch_kernels.allow_recompilations(RECOMPILE_LIMIT)
    on_gpu = device.type == "cuda"
    torch_kernels.tell_equal_sizes_apart()
    steps = None
    if on_gpu if static_steps is None else static_steps:
        steps = CapturedSteps(capture=on_gpu, idle_bytes=_idle_bytes(device))
    return CompiledModel(model, options, steps)


class CompiledModel(Qwen3Model):
    """A model on another one's weights whose steps of one token per row are compiled.

    Args:
        model: the model as it was loaded, joined or packed.
        options: for `torch.compile`.
        steps: where a decoding engine finds whole steps; None: it runs the model step by step.
    """

    def __init__(self, model: Qwen3Model, options: dict[str, Any], steps: CapturedSteps | None):
        nn.Module.__init__(self)
        self.__dict__.update(vars(model))
        self._modules = dict(self._modules)  # a list of its own, of the same layers
        on_gpu = model.embed_tokens.weight.device.type == "cuda"
        # 1. One block is compiled, for all.
        if "mode" not in options:  # `torch.compile` takes either a mode or options
            defaults = torch_kernels.checks_of_arguments_only() | (GPU_OPTIONS if on_gpu else {})
            options = {**options, "options": defaults | options.get("options", {})}
        step = batch_step = torch.compile(own_code(_run_block), **options)
        if not on_gpu:
            batch_step = torch.compile(own_code(_run_block), **{"dynamic": True, **options})
        self.layers = nn.ModuleList(
            CompiledBlock(layer, step, batch_step) for layer in model.layers
        )
        # 2. On a GPU, whole steps are captured, and the output layer is compiled as well: a layer
        #    of 8 bits is fast only if its numbers are made within the product.
        self.steps = steps
        self._compiled_head = None
        if steps is not None:
            self._compiled_head = torch.compile(own_code(_run_head), **options)

    def _head(self, x: torch.Tensor) -> torch.Tensor:
        """Compute logits, by the compiled step if it fits."""
        if self._compiled_head is not None and x.shape[1] == 1:
            return self._compiled_head(self, x.contiguous())  # a prompt's last position is a view
        return super()._head(x)


class CompiledBlock(TransformerBlock):
    """A block on another one's layers, compiled for inputs of one token per row.

    Args:
        block: the block whose layers it shares, under the same names.
        step: the compiled `_run_block`, one for all blocks.
        batch_step: the same, for rows that may be any number, and may share a prompt.
    """

    def __init__(self, block: nn.Module, step: Callable, batch_step: Callable):
        nn.Module.__init__(self)
        self.__dict__.update(vars(block))
        self._step, self._batch_step = step, batch_step

    def forward(self, x: torch.Tensor, *arguments: Any) -> torch.Tensor:
        """Compute what `TransformerBlock.forward` computes, by the compiled step if it fits: for
        one token per row, behind others in a cache.
        """
        extension = arguments[-1]
        if x.shape[1] > 1 or extension is None or extension.buffers is None:
            return _run_block(self, x, *arguments)
        alone = x.shape[0] == 1 and extension.extension.cache.holds_whole_rows
        return (self._step if alone else self._batch_step)(self, x, *arguments)


def _run_head(model: Qwen3Model, *arguments: Any) -> torch.Tensor:
    """Run what follows the last block."""
    return Qwen3Model._head(model, *arguments)


def _idle_bytes(device: torch.device) -> int:
    """Choose the memory that buffers may hold between two texts: a quarter of a GPU's."""
    if device.type != "cuda":
        return 1 << 30
    return torch.cuda.get_device_properties(device).total_memory // 4


def _run_block(block: TransformerBlock, *arguments: Any) -> torch.Tensor:
    """Run one block: the function that is compiled, once for all blocks."""
    return TransformerBlock.forward(block, *arguments)


def own_code(function: Callable) -> Callable:
    """Copy a function with its code object, to which PyTorch ties the code that it compiles.

    So the compiled code of one model is never used for another.
    """
    return FunctionType(function.__code__.replace(), function.__globals__, function.__name__)


def _probe(x: torch.Tensor) -> torch.Tensor:
    """Compute something, so that it shows if anything can be compiled."""
    return x.sin() + x
