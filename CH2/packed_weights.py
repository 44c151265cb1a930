"""The weights in the order, and with as few bits, as a processor reads them fastest.

Writing one token reads every matrix once, so the time of a token is bytes over bandwidth. Three
ways to read less, or better; each replaces the linear layers of a model and leaves everything else
as it is:

- *joined*: matrices that multiply the same vector become one (query, key and value; gate and up)
- *packed*: weights of 16 bits, ordered once for the processor's vector units instead of anew at
  every product. FBGEMM (Khudia et al., 2021, https://arxiv.org/abs/2101.05615) keeps them as
  float16, which holds every bfloat16 from 8e-6 to 65,504 exactly
- *quantised*: 8 or 4 bits a weight, rounded to nearest, and a scale for each row or group (Dettmers
  et al., 2022, https://arxiv.org/abs/2208.07339; Frantar et al., 2022,
  https://arxiv.org/abs/2210.17323, whose baseline this is)
"""

import copy
import itertools
import warnings
import weakref
from abc import ABC, abstractmethod

import torch
import torch.nn.functional as F
from torch import nn

from Appendixes.GLUFeedForwardNeuralNetwork import GLUFeedForward
from Appendixes.GroupedQueryAttention import GroupedQueryAttention
from Appendixes.QWEN3Model import Qwen3Model
from Appendixes.QWEN3TransformerBlock import TransformerBlock
from CH2.compilation import is_compiled

FORMS = ("half", "int8", "int4")
# weights of four bits that share a scale; what PyTorch's kernel knows
GROUP_SIZES = (32, 64, 128, 256)
GROUP_SIZE = 64


def join_projections(model: Qwen3Model) -> Qwen3Model:
    """Give a model one matrix for query, key and value, and one for gate and up: fewer and larger
    products.

    Returns:
        A model that gives the same numbers but for rounding. The joined matrices are copies,
        everything else is shared.

    Raises:
        ValueError: the model is joined, packed or compiled already.
    """
    _refuse_unless_plain(model)
    if any(isinstance(module, JoinedAttention | JoinedFeedForward) for module in model.modules()):
        raise ValueError(
            "this model's projections are joined already: join the model as it was loaded"
        )
    model = shallow_copy(model)
    for block in model.layers:
        assert isinstance(block, TransformerBlock)
        block.self_attn = JoinedAttention(block.self_attn)
        block.mlp = JoinedFeedForward(block.mlp)
    return model


class JoinedAttention(GroupedQueryAttention):
    """Grouped-query attention with one matrix for query, key and value.

    Args:
        attention: the layer whose matrices are joined; the others are shared.
    """

    def __init__(self, attention: GroupedQueryAttention):
        nn.Module.__init__(self)
        self.head_dim = attention.head_dim
        parts = attention.q_proj, attention.k_proj, attention.v_proj
        self.widths = [layer.out_features for layer in parts]
        self.qkv_proj = _joined(*parts)
        self.o_proj = attention.o_proj
        self.q_norm, self.k_norm = attention.q_norm, attention.k_norm

    def _project(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        return self.qkv_proj(x).split(self.widths, dim=-1)


class JoinedFeedForward(GLUFeedForward):
    """A gated feed-forward layer with one matrix for gate and values.

    Args:
        feed_forward: the layer whose two matrices are joined; the third is shared.
    """

    def __init__(self, feed_forward: GLUFeedForward):
        nn.Module.__init__(self)
        self.activation = feed_forward.activation
        self.gate_up_proj = _joined(feed_forward.gate_proj, feed_forward.up_proj)
        self.down_proj = feed_forward.down_proj

    def _project(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return self.gate_up_proj(x).chunk(2, dim=-1)


def _joined(*layers: nn.Linear) -> nn.Linear:
    """One layer whose outputs are theirs, one after another."""
    weight = torch.cat([layer.weight.detach() for layer in layers])
    with torch.device("meta"):
        joined = nn.Linear(weight.shape[1], weight.shape[0], bias=False)
    joined.weight = nn.Parameter(weight, requires_grad=False)
    return joined


def pack_weights(model: Qwen3Model, form: str = "half", group_size: int = GROUP_SIZE) -> Qwen3Model:
    """Replace every linear layer of a model by one that keeps its weights in another form.

    Args:
        model: a `Qwen3Model`, joined or not. It stays as it is; let go of it, and its memory is
            free.
        form: "half": bfloat16 and float16 matrices, packed, on a processor that FBGEMM knows (x86).
            Wider ones stay as they are, since 16 bits would round them; and all do elsewhere, as a
            GPU reads plain matrices at full speed. "int8": 8 bits, a scale for each output; FBGEMM
            rounds the inputs of a layer to 8 bits, too, a scale for each token. "int4": 4 bits, a
            scale and an offset for each group of inputs; the output layer, where errors meet no
            later layer, gets 8.
        group_size: weights in a group, for "int4": 32, 64, 128 or 256. A matrix whose inputs it
            does not divide gets the next smaller one that does.

    Returns:
        A model that is used in the same way.

    Raises:
        ValueError: the form or the group size is none of these, a matrix has no such groups, or the
            model is packed or compiled already.
    """
    if form not in FORMS:
        raise ValueError(f"form is {form!r}: choose one of {', '.join(FORMS)}")
    _refuse_unless_plain(model)
    packed = shallow_copy(model)
    for module in list(packed.modules()):
        for name, layer in list(module.named_children()):
            if not isinstance(layer, nn.Linear):
                continue
            if form == "half" and layer.weight.itemsize == 2 and can_pack(layer.weight):
                setattr(module, name, HalfLinear(layer.weight))
            elif form == "int8" or (form == "int4" and layer is packed.lm_head):
                setattr(module, name, Int8Linear(layer.weight))
            elif form == "int4":
                setattr(module, name, Int4Linear(layer.weight, group_size))
    return packed


def _refuse_unless_plain(model: Qwen3Model) -> None:
    """What joins or packs matrices needs a model that has them, and no compiled code that would run
    others.
    """
    if any(isinstance(module, PackedLinear) for module in model.modules()):
        raise ValueError(
            "this model's weights are packed already: join and pack the model as it was loaded"
        )
    _refuse_compiled(model)


def _refuse_compiled(model: Qwen3Model) -> None:
    if is_compiled(model):
        raise ValueError(
            "this model is compiled for the layers that it has: change the model first, compile it last"
        )


def shallow_copy(model: Qwen3Model) -> Qwen3Model:
    """A model of its own, on the same weights; packed layers are shared.

    Raises:
        ValueError: the model is compiled, so a change of the copy's layers would go unnoticed.
    """
    _refuse_compiled(model)
    return copy.deepcopy(model, {id(parameter): parameter for parameter in model.parameters()})


def on_cpu(tensor: torch.Tensor) -> bool:
    """Whether PyTorch's kernel for four bits runs where this tensor is."""
    return tensor.device.type == "cpu"


def can_pack(weight: torch.Tensor) -> bool:
    """Whether FBGEMM's layers run where this tensor is."""
    return weight.device.type == "cpu" and torch.backends.quantized.engine in (
        "fbgemm",
        "x86",
        "onednn",
    )


def weight_bytes(model: Qwen3Model) -> int:
    """Bytes that writing one token reads: all matrices, and one row of the embedding, which is too
    little to count.
    """
    layers = [layer for layer in model.modules() if isinstance(layer, nn.Linear | PackedLinear)]
    return sum(
        layer.weight.nbytes if isinstance(layer, nn.Linear) else layer.nbytes for layer in layers
    )


def weight_error(model: Qwen3Model, packed: Qwen3Model) -> float:
    """How far the packed matrices are from the model's: ||packed - plain|| / ||plain|| over all of
    them (Frobenius).
    """
    error = total = 0.0
    for name, layer in packed.named_modules():
        if isinstance(layer, PackedLinear):
            plain = model.get_parameter(f"{name}.weight").double()
            error += (layer.weight.double() - plain).square().sum().item()
            total += plain.square().sum().item()
    return (error / total) ** 0.5 if total else 0.0


class PackedLinear(nn.Module, ABC):
    """A linear layer without bias whose weights are not a plain matrix:
    `(..., in_features) -> (..., out_features)`.

    It never changes, so copies of a model share it.

    Attributes:
        nbytes: what one product reads.
    """

    nbytes: int

    def __init__(self, weight: torch.Tensor):
        super().__init__()
        self.out_features, self.in_features = weight.shape
        self.dtype = weight.dtype

    @property
    @abstractmethod
    def weight(self) -> torch.Tensor:
        """The matrix it stands for, `(out_features, in_features)`, unpacked anew."""

    @abstractmethod
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """`x @ weight.T`, in the input's dtype."""

    def __deepcopy__(self, memo: dict) -> "PackedLinear":
        """The layer itself: what FBGEMM packed is freed with the layer that packed it, whoever else
        has its number.
        """
        return self

    def extra_repr(self) -> str:
        """What `print(model)` shows between the brackets."""
        return f"{self.in_features}, {self.out_features}"


class HalfLinear(PackedLinear):
    """A bfloat16 or float16 matrix, packed by FBGEMM, which multiplies and adds in float32."""

    handle: torch.Tensor

    def __init__(self, weight: torch.Tensor):
        super().__init__(weight)
        self.packed = torch.ops.quantized.linear_prepack_fp16(weight.detach().float(), None)
        self.nbytes = 2 * weight.numel()
        self.register_buffer("handle", _handle_of(self, self.packed), persistent=False)

    @property
    def weight(self) -> torch.Tensor:  # noqa: D102 (as in the base class)
        return torch.ops.quantized.linear_unpack_fp16(self.packed)[0].to(self.dtype)

    def forward(self, x: torch.Tensor) -> torch.Tensor:  # noqa: D102
        return torch.ops.packed.half_linear(x.float(), self.handle, self.out_features).to(x.dtype)


class Int8Linear(PackedLinear):
    """8 bits a weight, `weight[o, i] = codes[o, i] * scales[o]`, with codes from -127 to 127.

    On a processor that FBGEMM knows, each token's vector is divided by its largest entry and
    rounded to 8 bits, too, and products of whole numbers are summed (LLM.int8's vector-wise
    quantisation). Elsewhere the codes are turned back into numbers first, which a compiler fuses
    with the product."""

    handle: torch.Tensor
    codes: torch.Tensor
    scales: torch.Tensor

    def __init__(self, weight: torch.Tensor):
        super().__init__(weight)
        wide = weight.detach().float()
        scales = wide.abs().amax(dim=1).clamp(min=torch.finfo(torch.float32).tiny) / 127
        codes = (wide / scales[:, None]).round().to(torch.int8)
        self.nbytes = codes.nbytes + scales.nbytes
        self.packed = None
        if can_pack(weight):
            zeros = torch.zeros(self.out_features, dtype=torch.long)
            # PyTorch would have new code use another package for this
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                quantised = torch._make_per_channel_quantized_tensor(
                    codes, scales.double(), zeros, 0
                )
            self.packed = torch.ops.quantized.linear_prepack(quantised, None)
            self.register_buffer("handle", _handle_of(self, self.packed), persistent=False)
        else:
            self.register_buffer("codes", codes)
            self.register_buffer("scales", scales)

    @property
    def weight(self) -> torch.Tensor:  # noqa: D102
        if self.packed is not None:
            return torch.ops.quantized.linear_unpack(self.packed)[0].dequantize().to(self.dtype)
        return (self.codes * self.scales[:, None]).to(self.dtype)

    def forward(self, x: torch.Tensor) -> torch.Tensor:  # noqa: D102
        if self.packed is None:
            return F.linear(x, self.codes.to(x.dtype)) * self.scales.to(x.dtype)
        wide = x.float()
        largest = wide.abs().amax(dim=-1, keepdim=True).clamp(min=torch.finfo(torch.float32).tiny)
        return (
            torch.ops.packed.int8_linear(wide / largest, self.handle, self.out_features) * largest
        ).to(x.dtype)


class Int4Linear(PackedLinear):
    """4 bits a weight: `weight[o, i] = (codes[o, i] - 8) * scales[o, g] + offsets[o, g]`, g the
    group of input i.

    A group's codes 0 to 15 reach from its smallest weight to its largest. PyTorch's kernel
    multiplies them on a CPU."""

    codes: torch.Tensor
    scales_and_offsets: torch.Tensor

    def __init__(self, weight: torch.Tensor, group_size: int):
        super().__init__(weight)
        if group_size not in GROUP_SIZES:
            raise ValueError(f"group_size is {group_size}: choose one of {GROUP_SIZES}")
        fitting = [
            size for size in GROUP_SIZES if size <= group_size and self.in_features % size == 0
        ]
        if not fitting or self.out_features % 16:
            raise ValueError(
                f"a matrix of {self.in_features} inputs and {self.out_features} outputs cannot have 4 bits a weight: "
                f"{GROUP_SIZES[0]} must divide the inputs, and 16 the outputs; use int8"
            )
        self.group_size = group_size = max(fitting)
        groups = weight.detach().float().unflatten(1, (-1, group_size))
        low, high = groups.amin(dim=-1), groups.amax(dim=-1)
        scales = ((high - low) / 15).clamp(min=1e-6).to(torch.bfloat16)
        offsets = (low + 8 * scales.float()).to(torch.bfloat16)
        codes = (groups - offsets.float()[..., None]) / scales.float()[..., None] + 8
        codes = codes.round().clamp(0, 15).to(torch.int32).flatten(1)
        self.register_buffer(
            "scales_and_offsets",
            torch.stack((scales, offsets), dim=-1).transpose(0, 1).contiguous(),
        )
        self.has_kernel = on_cpu(weight)
        if self.has_kernel:
            self.register_buffer(
                "codes", torch.ops.aten._convert_weight_to_int4pack_for_cpu(codes, 1)
            )
        else:  # two codes a byte
            self.register_buffer("codes", (codes[:, 0::2] | codes[:, 1::2] << 4).to(torch.uint8))
        self.nbytes = self.codes.nbytes + self.scales_and_offsets.nbytes

    @property
    def weight(self) -> torch.Tensor:  # noqa: D102
        if self.has_kernel:
            return self._multiply(torch.eye(self.in_features, dtype=torch.bfloat16)).T.to(
                self.dtype
            )
        codes = (
            torch.stack((self.codes & 15, self.codes >> 4), dim=-1)
            .flatten(1)
            .unflatten(1, (-1, self.group_size))
        )
        scales, offsets = self.scales_and_offsets.transpose(0, 1).unbind(dim=-1)
        return (
            ((codes.to(self.dtype) - 8) * scales[..., None] + offsets[..., None])
            .flatten(1)
            .to(self.dtype)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:  # noqa: D102
        if not self.has_kernel:
            return F.linear(x, self.weight.to(x.dtype))
        return (
            self._multiply(x.to(torch.bfloat16).flatten(0, -2))
            .unflatten(0, x.shape[:-1])
            .to(x.dtype)
        )

    def _multiply(self, x: torch.Tensor) -> torch.Tensor:
        return torch.ops.aten._weight_int4pack_mm_for_cpu(
            x, self.codes, self.group_size, self.scales_and_offsets
        )


# FBGEMM's packed matrices are no tensors, so torch.compile cannot pass them on. What it sees are
# operators of our own, which look the layer up; the number is a tensor, so that layers of one shape
# share their compiled code.
_fbgemm_half = torch._C._get_operation_overload("quantized::linear_dynamic_fp16", "")[0]
_fbgemm_int8 = torch._C._get_operation_overload(
    "quantized::linear_with_input_q_dq_qweight_dq_output_fp32", ""
)[0]
_packed: dict[int, torch.ScriptObject] = {}
_handles = itertools.count()
_library = torch.library.Library("packed", "DEF")
_library.define("half_linear(Tensor x, Tensor handle, int out_features) -> Tensor")
_library.define("int8_linear(Tensor x, Tensor handle, int out_features) -> Tensor")


def _handle_of(layer: PackedLinear, packed: torch.ScriptObject) -> torch.Tensor:
    """A number for a layer's packed matrix, which is forgotten together with the layer."""
    handle = next(_handles)
    _packed[handle] = packed
    weakref.finalize(layer, _packed.pop, handle)
    return torch.tensor(handle)


def _half_linear(x: torch.Tensor, handle: torch.Tensor, out_features: int) -> torch.Tensor:
    return _fbgemm_half(x, _packed[int(handle)])


def _int8_linear(x: torch.Tensor, handle: torch.Tensor, out_features: int) -> torch.Tensor:
    """The entries of x reach from -1 to 1: codes 1 to 255 stand for -127/127 to 127/127."""
    return _fbgemm_int8(x, 1 / 127, 128, _packed[int(handle)])


def _shape_only(x: torch.Tensor, handle: torch.Tensor, out_features: int) -> torch.Tensor:
    return x.new_empty((*x.shape[:-1], out_features))


for _name, _function in (("half_linear", _half_linear), ("int8_linear", _int8_linear)):
    _library.impl(_name, _function, "CPU")
    torch.library.register_fake(f"packed::{_name}", _shape_only)
