"""One call for speed: `model = fast(model)` joins, packs and compiles, as far as it pays here.

    model, tokenizer = load_qwen3("Qwen/Qwen3-0.6B-Base")
    model = fast(model)  # or fast(model, bits=8), or bits=4

What it does is explained, step by step, in `packed_weights.py`, `compilation.py` and
`speed_ladder.py`.
"""

import time

import torch
from torch import nn

from Appendixes import torch_kernels
from Appendixes.QWEN3Model import Qwen3Model
from Appendixes.QWEN3TransformerBlock import TransformerBlock
from CH2.compilation import compile_model
from CH2.packed_weights import (
    PackedLinear,
    half_kinds,
    join_projections,
    pack_layer,
    pack_weights,
    weight_bytes,
)

FORMS = {16: "half", 8: "int8", 4: "int4"}
# tokens per second against the plain model's, as measured: the 0.6B shape on two cores of a Xeon at
# 2.5 GHz (RESULTS.md); on two cores of an EPYC it was more
GAINS = {16: 1.6, 8: 2.4, 4: 3.2}
COMPILATION = 15  # seconds on a core or two, at the first tokens; less when kept from another run
SMALL = 1 << 26  # bytes of weights below which a text is written before its step is compiled


def fast(model: Qwen3Model, bits: int = 16) -> Qwen3Model:
    """Make a model write fast: join and pack its matrices, and compile its step, where that pays.

    A line says what packing will cost before it begins, another what it gave and what compiling
    will cost. Where something cannot be done, a line says why, and the rest is done without it.

    - on a CPU, matrices are packed, and models of 64 MB or more are compiled
    - on a GPU, plain matrices are fast, so 16 bits are only joined; every model is compiled

    Args:
        model: a `Qwen3Model` as it was loaded, which stays as it is. Drop it (`model =
            fast(model)`) and its memory is freed; until then both need theirs.
        bits: per weight. 16 keeps the weights, so the texts are the same but for rounding; 8 and
            4 round them (see `pack_weights`).

    Returns:
        A model that is used in the same way; the given one if it was prepared before.

    Raises:
        ValueError: `bits` is not 16, 8 or 4.
    """
    if bits not in FORMS:
        raise ValueError(f"bits is {bits!r}: choose one of {', '.join(map(str, FORMS))}")
    table = model.embed_tokens.weight
    on_cpu = table.device.type == "cpu"
    # 1. Join and pack.
    gains: list[str] = []
    try:
        prepared = join_projections(model)
        obstacle = _obstacle(table, bits)
        if obstacle:
            _tell(obstacle)
        elif bits < 16 or on_cpu:
            seconds = _packing_seconds(prepared, FORMS[bits])
            if seconds >= 1:
                _tell(f"packing takes about {seconds:.0f} s")
            prepared = pack_weights(prepared, FORMS[bits])
        if any(isinstance(module, PackedLinear) for module in prepared.modules()):
            packed, plain = (weight_bytes(each) / 1e6 for each in (prepared, model))
            gains.append(
                f"packed matrices take {packed:,.0f} MB (plain: {plain:,.0f}), read for each token"
            )
    except ValueError as error:
        _tell(f"the model stays as it is: {error}")
        return model
    # 2. Compile, and say what it gave and costs.
    if on_cpu and weight_bytes(model) < SMALL:
        gains.append("so small a model is not compiled, as its texts are done before that is")
        _tell("; ".join(gains))
        return prepared
    compiled = compile_model(prepared)
    if compiled is not prepared:
        if on_cpu and gains:
            gains.append(f"{GAINS[bits]} times the plain model's speed on a Xeon of two cores")
        gains.append(f"the first tokens wait about {COMPILATION} s for the compiler")
    _tell("; ".join(gains or ["the matrices that read the same vector are joined"]))
    return compiled


def _obstacle(weight: torch.Tensor, bits: int) -> str | None:
    """Say why matrices like this one cannot be packed on this CPU; None if they can."""
    if weight.device.type != "cpu":
        return None
    if bits == 16 and weight.itemsize > 2:
        return (
            f"{str(weight.dtype).removeprefix('torch.')} matrices stay plain: load the model with "
            "dtype=torch.bfloat16 to pack them, or choose 8 or 4 bits"
        )
    has_kernel = {
        16: bool(half_kinds(weight)),
        8: torch_kernels.HAS_FBGEMM,
        4: torch_kernels.HAS_FBGEMM and torch_kernels.HAS_INT4,  # the output layer has 8 bits
    }
    if not has_kernel[bits]:
        return (
            f"this release of PyTorch cannot pack matrices of {bits} bits on this processor: "
            "they stay plain"
        )
    return None


def _packing_seconds(model: Qwen3Model, form: str) -> float:
    """Estimate the seconds of `pack_weights`, from one matrix."""
    block = model.layers[0]
    assert isinstance(block, TransformerBlock)
    layer = block.mlp.down_proj
    pack_layer(layer, form)  # chooses the product
    start = time.perf_counter()
    pack_layer(layer, form)
    seconds = time.perf_counter() - start
    matrices = [module.weight for module in model.modules() if isinstance(module, nn.Linear)]
    return seconds * sum(matrix.numel() for matrix in matrices) / layer.weight.numel()


def _tell(text: str) -> None:
    """Print one line that says it comes from `fast`."""
    print(f"fast: {text}.")
