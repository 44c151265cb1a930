"""`torch.compile` for decoding, where the machine can do it."""

import copy

import torch

RECOMPILE_LIMIT = 64  # of PyTorch's compiler; its default of 8 is soon reached by batches that shrink and grow


def compile_model(model, **options):
    """Let PyTorch fuse the small operations of a decoding step into few kernels, which it builds in the first steps.

    Only steps of one token a row are compiled: they are many and alike, while prompts are few and of all lengths. A
    compiled step serves until the text outgrows a block of 64 positions or the number of rows changes; from the second
    change on, PyTorch builds a step for any length or number.

    On a CPU one layer is compiled, and serves for all: that takes seconds where the whole model would take minutes. On
    a GPU the whole step becomes one CUDA graph, as starting its kernels one by one would take longer than they run.

    The kernels are C++ on a CPU, which needs a compiler, and Triton on a GPU. Where they cannot be built, this says so
    and gives the model back as it is.

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
        reason = str(error).strip().splitlines()[0]
        print(f"torch.compile does not work on this machine, so the model runs uncompiled ({reason}).")
        print("On a CPU it needs a C++ compiler: g++ on Linux, Xcode's on macOS, Visual Studio's on Windows.")
        return model
    torch._dynamo.config.recompile_limit = max(torch._dynamo.config.recompile_limit, RECOMPILE_LIMIT)
    compiled = copy.copy(model)
    if device.type == "cuda":
        step = torch.compile(model.run_layers, **{"mode": "reduce-overhead", **options})  # one CUDA graph a step
        compiled.run_layers = _for_single_tokens(step, model.run_layers)
    else:
        step = torch.compile(model.run_layer, **options)
        compiled.run_layer = _for_single_tokens(step, model.run_layer, argument=1)
    return compiled


def _for_single_tokens(step, otherwise, argument: int = 0):
    """`step` where that argument, `(rows, seq, ...)`, has one token a row."""
    return lambda *arguments: (step if arguments[argument].shape[1] == 1 else otherwise)(*arguments)


def _probe(x: torch.Tensor) -> torch.Tensor:
    """Something to compile, to see whether anything can be."""
    return x.sin() + x
