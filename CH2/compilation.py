"""`torch.compile` for decoding, where the machine can do it."""

import copy
import shutil
import sys
import warnings

import torch

_COMPILERS = ("g++", "clang++", "c++", "cl")


def compile_model(model, **options):
    """Let PyTorch fuse a model's small operations into few kernels; the first steps take the time to build them.

    Shapes change only when the text outgrows a block of 64 positions or the batch changes, so a compiled step serves
    many tokens. On a CPU the kernels are C++, which needs a compiler: where there is none, this says so once and gives
    the model back as it is.

    Args:
        model: a `Qwen3Model`.
        options: for `torch.compile`.

    Returns:
        A model that shares the weights and is used in the same way; the given one stays uncompiled.
    """
    on_cpu = next(model.parameters()).device.type == "cpu"
    if on_cpu and not any(shutil.which(name) for name in _COMPILERS):
        warnings.warn(
            "torch.compile needs a C++ compiler on a CPU, and none was found "
            f"({'install Visual Studio Build Tools' if sys.platform == 'win32' else 'install g++ or clang++'}); "
            "the model runs uncompiled",
            stacklevel=2,
        )
        return model
    compiled = copy.copy(model)
    compiled.run_layers = torch.compile(model.run_layers, **options)  # the bookkeeping of the cache stays in Python
    return compiled
