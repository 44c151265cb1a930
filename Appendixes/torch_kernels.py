"""PyTorch's private kernels and settings, each with a way to do without it.

- private entry points may change or vanish with any release of PyTorch, so they are used in this
  file only
- each kernel is tried when this module is imported, on a few numbers: where it is missing, fails or
  gives other numbers than plain operations, the plain operations are used
- so a new PyTorch can cost speed, but not correctness

| private | used for | without it |
| :-- | :-- | :-- |
| `aten::_scaled_dot_product_flash_attention_for_cpu` | attention and its log-sum-exp | plain sums |
| `quantized::linear_dynamic_fp16` and its packing | 16-bit matrices | `nn.Linear` |
| `mkldnn::_linear_pointwise` and its packing | bfloat16 matrices | `nn.Linear` |
| `quantized::linear_with_input_q_dq_qweight_dq_output_fp32` | 8-bit matrices | plain products |
| `aten::_weight_int4pack_mm_for_cpu` and its packing | 4-bit matrices | plain products |
| `aten::_weight_int4pack_mm` and its packing | the same on an NVIDIA GPU | plain products |
| `torch._dynamo.config`, `guard_filter_fn` | fewer compilations and checks | PyTorch's defaults |
| `torch.fx.experimental._config` | fewer compilations | PyTorch's default |

On a CPU, plain products of 8 or 4 bits save memory and cost time, so `CH2.fast` leaves the weights
as they are where their kernel is missing; `CH2.packed_weights.pack_weights` packs them.
"""

import contextlib
import functools
import importlib
import itertools
import warnings
import weakref
from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F

# Attention


def flash_attention_for_cpu(
    q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, bias: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Compute softmax attention and the log-sum-exp of its scores, on a CPU with a fused kernel.

    Args:
        q: queries, `(batch, heads, n, head_dim)`, on the CPU.
        k, v: keys and values, `(batch, heads, length, head_dim)`.
        bias: added to the scores, broadcastable to `(batch, heads, n, length)`; -inf hides a key.

    Returns:
        Outputs `(batch, heads, n, head_dim)` in the dtype of `q`; log-sum-exp `(batch, heads, n)`
        in float32, or float64 for queries in float64. Where all keys are hidden the output is 0 and
        the log-sum-exp means nothing.
    """
    if HAS_FLASH_ATTENTION:
        return torch.ops.aten._scaled_dot_product_flash_attention_for_cpu(q, k, v, attn_mask=bias)
    return plain_attention(q, k, v, bias)


def plain_attention(
    q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, bias: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Compute what `flash_attention_for_cpu` computes, by plain operations."""
    wide = torch.promote_types(q.dtype, torch.float32)
    scores = q.to(wide) @ k.to(wide).mT * q.shape[-1] ** -0.5 + bias.to(wide)
    logsumexp = scores.logsumexp(dim=-1)
    # -inf - -inf would be NaN
    lowest = logsumexp.clamp(min=torch.finfo(wide).min)
    weights = (scores - lowest[..., None]).exp()
    return (weights @ v.to(wide)).to(q.dtype), logsumexp


# Packed matrices

# FBGEMM's packed matrices are no tensors, and oneDNN's are tensors without memory that PyTorch can
# see, so torch.compile cannot pass them on. What it sees are operators of our own, which look a
# matrix up by its number; the number is a tensor, so that layers of one shape share their compiled
# code.
Packed = torch.ScriptObject | torch.Tensor
_packed: dict[int, Packed] = {}
_handles = itertools.count()


def pack_half(weight: torch.Tensor) -> torch.ScriptObject:
    """Pack a matrix `(out_features, in_features)` as float16 in FBGEMM's order."""
    return torch.ops.quantized.linear_prepack_fp16(weight.detach().float(), None)


def unpack_half(packed: torch.ScriptObject) -> torch.Tensor:
    """Return the matrix that was packed by `pack_half`, in float32."""
    return torch.ops.quantized.linear_unpack_fp16(packed)[0]


def pack_bfloat16(weight: torch.Tensor) -> torch.Tensor:
    """Pack a bfloat16 matrix `(out_features, in_features)` in oneDNN's order."""
    return torch.ops.mkldnn._reorder_linear_weight(weight.detach().contiguous(), 1)


def unpack_bfloat16(packed: torch.Tensor) -> torch.Tensor:
    """Return the matrix that was packed by `pack_bfloat16`."""
    return packed.to_dense()


def pack_int8(codes: torch.Tensor, scales: torch.Tensor) -> torch.ScriptObject:
    """Pack the matrix `codes * scales[:, None]` in FBGEMM's order.

    Args:
        codes: int8 `(out_features, in_features)`.
        scales: `(out_features,)`.
    """
    zeros = torch.zeros(len(codes), dtype=torch.long)
    with warnings.catch_warnings():  # PyTorch would have new code use another package for this
        warnings.simplefilter("ignore")
        quantised = torch._make_per_channel_quantized_tensor(codes, scales.double(), zeros, 0)
    return torch.ops.quantized.linear_prepack(quantised, None)


def unpack_int8(packed: torch.ScriptObject) -> torch.Tensor:
    """Return the matrix that was packed by `pack_int8`, in float32."""
    return torch.ops.quantized.linear_unpack(packed)[0].dequantize()


def handle_of(owner: object, packed: Packed) -> torch.Tensor:
    """Register a packed matrix for `half_linear`, `bfloat16_linear` or `int8_linear`.

    Args:
        owner: the object whose end is also the matrix's.
        packed: from `pack_half`, `pack_bfloat16` or `pack_int8`.

    Returns:
        The matrix's number, a tensor of shape `()`; it is valid in this process only.
    """
    handle = next(_handles)
    _packed[handle] = packed
    weakref.finalize(owner, _packed.pop, handle)
    return torch.tensor(handle)


def half_linear(x: torch.Tensor, handle: torch.Tensor, out_features: int) -> torch.Tensor:
    """Multiply `x (..., in_features)` in float32 by a matrix from `pack_half`."""
    return torch.ops.packed.half_linear(x, handle, out_features)


def bfloat16_linear(x: torch.Tensor, handle: torch.Tensor, out_features: int) -> torch.Tensor:
    """Multiply `x (..., in_features)` in bfloat16 by a matrix from `pack_bfloat16`."""
    return torch.ops.packed.bfloat16_linear(x, handle, out_features)


def int8_linear(x: torch.Tensor, handle: torch.Tensor, out_features: int) -> torch.Tensor:
    """Multiply `x (..., in_features)`, float32 from -1 to 1, by a matrix from `pack_int8`.

    The entries of `x` are rounded to multiples of 1/127.
    """
    return torch.ops.packed.int8_linear(x, handle, out_features)


def _operator(name: str) -> Any:
    """Look up an operator of FBGEMM in the way whose calls cost least; None if it is missing."""
    try:
        return torch._C._get_operation_overload(f"quantized::{name}", "")[0]
    except Exception:
        return getattr(torch.ops.quantized, name, None)


_fbgemm_half = _operator("linear_dynamic_fp16")
_fbgemm_int8 = _operator("linear_with_input_q_dq_qweight_dq_output_fp32")


def _half_linear(x: torch.Tensor, handle: torch.Tensor, out_features: int) -> torch.Tensor:
    return _fbgemm_half(x, _packed[int(handle)])


def _bfloat16_linear(x: torch.Tensor, handle: torch.Tensor, out_features: int) -> torch.Tensor:
    return torch.ops.mkldnn._linear_pointwise(x, _packed[int(handle)], None, "none", [], "")


def _int8_linear(x: torch.Tensor, handle: torch.Tensor, out_features: int) -> torch.Tensor:
    # codes 1 to 255 stand for -127/127 to 127/127
    return _fbgemm_int8(x, 1 / 127, 128, _packed[int(handle)])


def _shape_only(x: torch.Tensor, handle: torch.Tensor, out_features: int) -> torch.Tensor:
    return x.new_empty((*x.shape[:-1], out_features))


_library = torch.library.Library("packed", "DEF")
for _name, _function in (
    ("half_linear", _half_linear),
    ("bfloat16_linear", _bfloat16_linear),
    ("int8_linear", _int8_linear),
):
    _library.define(f"{_name}(Tensor x, Tensor handle, int out_features) -> Tensor")
    _library.impl(_name, _function, "CPU")
    torch.library.register_fake(f"packed::{_name}", _shape_only)


def pack_int4(codes: torch.Tensor) -> torch.Tensor:
    """Pack codes 0 to 15, int32 `(out_features, in_features)`, in the order of PyTorch's kernel.

    It is the kernel of the codes' device, and the order is its own; a byte has two codes.

    - a CPU's takes two outputs of one input, as its vector instructions want them. With AVX-512,
      64 outputs are a block of 32 bytes per input: byte o has output o in its low bits, o + 32 in
      its high ones
    - a GPU's takes two inputs of one output, the even one in the high bits, and as many tiles of 16
      inputs side by side as fit: 8, 4 or 2
    """
    if codes.device.type == "cpu":
        return torch.ops.aten._convert_weight_to_int4pack_for_cpu(codes, 1)
    pairs = (codes[:, 0::2] << 4 | codes[:, 1::2]).to(torch.uint8)
    tiles = next(tiles for tiles in (8, 4, 2) if codes.shape[1] % (16 * tiles) == 0)
    return torch.ops.aten._convert_weight_to_int4pack(pairs, tiles)


def int4_linear(
    x: torch.Tensor, packed: torch.Tensor, group_size: int, scales_and_offsets: torch.Tensor
) -> torch.Tensor:
    """Multiply by the matrix `(codes - 8) * scale + offset` of each group of inputs.

    Args:
        x: bfloat16 `(rows, in_features)`.
        packed: from `pack_int4`.
        group_size: inputs that share a scale and an offset.
        scales_and_offsets: bfloat16 `(in_features / group_size, out_features, 2)`.

    Returns:
        bfloat16 `(rows, out_features)`.
    """
    if x.device.type == "cpu":
        return torch.ops.aten._weight_int4pack_mm_for_cpu(x, packed, group_size, scales_and_offsets)
    return torch.ops.aten._weight_int4pack_mm(x, packed, group_size, scales_and_offsets)


# The compiler


def allow_recompilations(limit: int) -> None:
    """Let `torch.compile` build up to `limit` versions of a function before it runs uncompiled.

    A higher limit that was set before stays. PyTorch's default of 8 is soon reached by batches that
    shrink and grow; where the setting is missing, the default stays.
    """
    config = torch._dynamo.config
    if hasattr(config, "recompile_limit"):
        config.recompile_limit = max(config.recompile_limit, limit)


def tell_equal_sizes_apart() -> None:
    """Let `torch.compile` take sizes for different numbers even if they are equal the first time.

    By default a step that was first compiled for 8 rows in buffers of 8 places is compiled again
    when 7 rows are left. Where the setting is missing, that default stays.
    """
    with contextlib.suppress(ImportError):
        config: Any = importlib.import_module("torch.fx.experimental._config")
        if hasattr(config, "use_duck_shape"):
            config.use_duck_shape = False


@functools.cache
def checks_of_arguments_only() -> dict[str, Any]:
    """Return options for `torch.compile` that check a function's `*arguments` and nothing else.

    PyTorch calls a filter with all checks that a piece of compiled code depends on. This one keeps
    those of the tuple called `arguments` and of settings such as `torch.no_grad`. It is tried on a
    small function, whose code must not be reused for an argument of another shape.

    Returns:
        What belongs into `options=`; empty where PyTorch knows no such filter, or names its checks
        otherwise.
    """
    try:
        compiled = torch.compile(
            _plus_rows, backend="eager", options={"guard_filter_fn": _of_arguments}
        )
        right = all(compiled(torch.zeros(rows, 2)).eq(rows).all() for rows in (2, 3, 5))
    except Exception:  # whatever has changed, and however it shows
        right = False
    return {"guard_filter_fn": _of_arguments} if right else {}


def _of_arguments(checks: Sequence[Any]) -> list[bool]:
    """Return for each check True if it is kept.

    Args:
        checks: with the attribute `name`, the expression that is checked, empty for a setting.
    """
    return [
        not check.name or check.name.startswith(("arguments", "L['arguments']")) for check in checks
    ]


def _plus_rows(*arguments: torch.Tensor) -> torch.Tensor:
    """Compute something whose compiled code depends on the argument's shape."""
    return arguments[0] + arguments[0].shape[0]


# What works here

Results = tuple[torch.Tensor, torch.Tensor]  # a kernel's, and that of plain operations


def _agrees(
    probe: Callable[[torch.Tensor, torch.Tensor], Results], device: torch.device | str = "cpu"
) -> bool:
    """Return True if a kernel runs on this device and gives what plain operations give.

    Args:
        probe: is given `x (2, 64)` and `weight (32, 64)`, random numbers from -1 to 1.
        device: where the kernel runs.
    """
    random = torch.rand(34, 64, generator=torch.Generator().manual_seed(0), device="cpu")
    try:
        with torch.no_grad(), torch.device(device):
            kernel, plain = probe(*(2 * random.float() - 1).to(device).split((2, 32)))
            return torch.allclose(kernel.float(), plain, rtol=0, atol=0.1)
    except Exception:  # whatever has changed, and however it shows
        return False


def _probe_attention(x: torch.Tensor, weight: torch.Tensor) -> Results:
    q, k = x[None, None], weight[None, None]
    bias = torch.zeros(1, 1, 2, 32)
    bias[..., 7:] = float("-inf")
    kernel = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu(q, k, k, attn_mask=bias)
    plain = plain_attention(q, k, k, bias)
    parts = [torch.cat((out, logsumexp[..., None]), dim=-1) for out, logsumexp in (kernel, plain)]
    return parts[0], parts[1]


def _probe_half(x: torch.Tensor, weight: torch.Tensor) -> Results:
    return half_linear(x, handle_of(x, pack_half(weight)), 32), F.linear(x, weight)


def _probe_bfloat16(x: torch.Tensor, weight: torch.Tensor) -> Results:
    packed = handle_of(x, pack_bfloat16(weight.bfloat16()))
    return bfloat16_linear(x.bfloat16(), packed, 32), F.linear(x, weight)


def _probe_int8(x: torch.Tensor, weight: torch.Tensor) -> Results:
    codes, scales = (127 * weight).round().to(torch.int8), torch.full((32,), 1 / 127)
    packed = handle_of(x, pack_int8(codes, scales))
    return int8_linear(x, packed, 32), F.linear(x, codes / 127)


def _probe_int4(x: torch.Tensor, weight: torch.Tensor) -> Results:
    codes = (7 * weight + 8).round().int()
    scales_and_offsets = torch.tensor([1 / 8, 1]).bfloat16().expand(1, 32, 2).contiguous()
    kernel = int4_linear(x.bfloat16(), pack_int4(codes), 64, scales_and_offsets)
    return kernel, F.linear(x, (codes - 8) / 8 + 1)


HAS_FLASH_ATTENTION = _agrees(_probe_attention)
HAS_FBGEMM = _agrees(_probe_half) and _agrees(_probe_int8)  # on x86 processors
HAS_ONEDNN = _agrees(_probe_bfloat16)  # on x86 processors with products of 16 bits
HAS_INT4 = _agrees(_probe_int4)


def has_int4(device: torch.device) -> bool:
    """Return True if there is a kernel for 4-bit matrices on this device.

    A GPU's is tried when it is first asked for: nothing is started on a GPU that nobody uses.
    """
    if device.type == "cpu":
        return HAS_INT4
    return device.type == "cuda" and _has_int4_on_gpu(device)


@functools.cache
def _has_int4_on_gpu(device: torch.device) -> bool:
    return _agrees(_probe_int4, device)
