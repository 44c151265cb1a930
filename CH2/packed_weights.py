"""Joined, packed and quantised weight matrices, which a CPU reads faster than plain ones.

Writing one token reads every matrix once, so the time per token is bytes over bandwidth. There are
three ways to read less, or faster. Each replaces the linear layers of a model and leaves everything
else as it is:

- *joined*: matrices that multiply the same vector become one (query, key and value; gate and up)
- *packed*: 16-bit weights are put in the order of the CPU's vector units once, instead of at every
  product. FBGEMM (Khudia et al., 2021, https://arxiv.org/abs/2101.05615) keeps them as float16,
  which holds every bfloat16 from 8e-6 to 65,504 exactly; oneDNN, Intel's library of kernels, keeps
  bfloat16. Which is faster depends on the CPU, so both are timed
- *quantised*: 8 or 4 bits per weight, rounded to nearest, and a scale per row or group (Dettmers et
  al., 2022, https://arxiv.org/abs/2208.07339; Frantar et al., 2022,
  https://arxiv.org/abs/2210.17323, whose baseline this is)
"""

import copy
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, NoReturn

import torch
import torch.nn.functional as F
from torch import nn

from Appendixes import torch_kernels
from Appendixes.GLUFeedForwardNeuralNetwork import GLUFeedForward
from Appendixes.GroupedQueryAttention import GroupedQueryAttention
from Appendixes.QWEN3Model import Qwen3Model
from Appendixes.QWEN3TransformerBlock import TransformerBlock
from CH2.compilation import CompiledModel

FORMS = ("half", "int8", "int4")
PRODUCTS = ("fbgemm", "onednn", "plain")  # what may multiply by a matrix of 16 bits
# the text whose time decides between products, the part of a matrix that is timed, and how often
PROMPT_TOKENS, NEW_TOKENS = 64, 256
SAMPLE_WEIGHTS = 1 << 21
ROUNDS = 7
# numbers of 4-bit weights that share a scale; those that PyTorch's kernel knows
GROUP_SIZES = (32, 64, 128, 256)
GROUP_SIZE = 64
LARGEST_HALF = torch.finfo(torch.float16).max


def join_projections(model: Qwen3Model) -> Qwen3Model:
    """Join a model's matrices for query, key and value into one, and those for gate and up.

    Returns:
        A model that gives the same numbers but for rounding, with fewer and larger products. The
        joined matrices are copies, everything else is shared.

    Raises:
        ValueError: the model is joined, packed or compiled already.
    """
    _refuse_unless_plain(model)
    if _is_joined(model):
        raise ValueError(
            "this model's projections are joined already: join the model as it was loaded"
        )
    model = shallow_copy(model)
    for block in model.layers:
        assert isinstance(block, TransformerBlock)
        block.self_attn = JoinedAttention(block.self_attn)
        block.mlp = JoinedFeedForward(block.mlp)
    return model


def _is_joined(model: Qwen3Model) -> bool:
    return any(
        isinstance(module, JoinedAttention | JoinedFeedForward) for module in model.modules()
    )


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
    """Make one linear layer whose output is the layers' outputs, one after another."""
    weight = torch.cat([layer.weight.detach() for layer in layers])
    with torch.device("meta"):
        joined = nn.Linear(weight.shape[1], weight.shape[0], bias=False)
    joined.weight = nn.Parameter(weight, requires_grad=False)
    return joined


def pack_weights(
    model: Qwen3Model,
    form: str = "half",
    group_size: int = GROUP_SIZE,
    product: str | None = None,
) -> Qwen3Model:
    """Replace every linear layer of a model by one that keeps its weights in another form.

    Args:
        model: a `Qwen3Model`, joined or not. It stays as it is; its matrices are freed with it.
        form: "half", "int8" or "int4".
            "half": matrices in bfloat16 or float16 are packed, on a CPU that FBGEMM or oneDNN knows
            (x86). Float32 matrices stay as they are, since 16 bits would round them; on other
            devices all do, as a GPU reads plain matrices at full speed.
            "int8": 8 bits per weight and a scale per output. FBGEMM also rounds a layer's inputs to
            8 bits, with a scale per token.
            "int4": 4 bits per weight, a scale and an offset per group of inputs. The output layer
            gets 8 bits: no later layer evens out its errors.
        group_size: weights per group, for "int4": 32, 64, 128 or 256. A matrix with a number of
            inputs that it does not divide gets the largest smaller one that does.
        product: for "half": "fbgemm", "onednn", or "plain", which packs nothing; a matrix that the
            first two cannot pack stays plain, too. None: the fastest here, by `fastest_product`.

    Returns:
        A model that is used in the same way, in this process only: it cannot be saved, pickled or
        moved to another device.

    Raises:
        ValueError: the form, the group size or the product is none of these, a matrix has no such
            groups, or the model is packed or compiled already.
    """
    for name, given, known in (("form", form, FORMS), ("product", product, (*PRODUCTS, None))):
        if given not in known:
            choices = ", ".join(filter(None, known))
            raise ValueError(f"{name} is {given!r}: choose one of {choices}")
    _refuse_unless_plain(model)
    packed = shallow_copy(model)
    for module in list(packed.modules()):
        for name, layer in list(module.named_children()):
            if isinstance(layer, nn.Linear):
                bits = "int8" if form == "int4" and layer is packed.lm_head else form
                setattr(module, name, pack_layer(layer, bits, group_size, product))
    return packed


def pack_layer(
    layer: nn.Linear, form: str, group_size: int = GROUP_SIZE, product: str | None = None
) -> nn.Module:
    """Make the layer that replaces a linear layer in `pack_weights`, whose arguments these are."""
    if form == "int8":
        return Int8Linear(layer.weight)
    if form == "int4":
        return Int4Linear(layer.weight, group_size)
    kinds = half_kinds(layer.weight)
    name = fastest_product(layer.weight) if product is None else product
    return kinds[name](layer.weight) if name in kinds else layer


def half_kinds(weight: torch.Tensor) -> "dict[str, type[PackedLinear]]":
    """List the layers that can pack a matrix of 16 bits where it is, by their products' names.

    FBGEMM would round NaN and whatever float16 cannot hold to its largest number, 65,504; such a
    matrix it does not get.
    """
    kinds: dict[str, type[PackedLinear]] = {}
    if weight.itemsize == 2 and can_pack(weight):
        low, high = weight.detach().aminmax()
        if low >= -LARGEST_HALF and high <= LARGEST_HALF:  # False for NaN
            kinds["fbgemm"] = HalfLinear
    if weight.dtype == torch.bfloat16 and weight.device.type == "cpu" and torch_kernels.HAS_ONEDNN:
        kinds["onednn"] = BFloat16Linear
    return kinds


_fastest: dict[tuple, str] = {}  # by the size, to a power of two, and the dtype of a sample


def fastest_product(weight: torch.Tensor) -> str:
    """Return the product of `PRODUCTS` that is fastest on this machine for a matrix like this one.

    Each is timed on a part of the matrix, in turns, once per process for all matrices of about its
    size. What counts is the time of a text: a prompt of 64 tokens at once, then 256 tokens one by
    one. Before each product another tensor is read, so that the matrix comes from memory, as it
    does in a large model.
    """
    kinds = half_kinds(weight)
    if not kinds:
        return "plain"
    # 1. A part of the matrix, in every form that can be had here.
    sample = weight.detach()[: max(1, SAMPLE_WEIGHTS // weight.shape[1])]
    key = ((sample.numel() - 1).bit_length(), sample.dtype)
    if key in _fastest:
        return _fastest[key]
    layers = {name: kind(sample) for name, kind in kinds.items()}
    products: dict[str, Callable] = {**layers, "plain": lambda x: F.linear(x, sample)}
    # 2. Seconds of the text. The products take turns, and the best of the rounds counts: whatever
    # else runs on the machine only adds time.
    other = torch.ones(1 << 23)  # 32 MB
    seconds = dict.fromkeys(products, 0.0)
    for rows, calls in ((1, NEW_TOKENS), (PROMPT_TOKENS, 1)):
        x = torch.ones(rows, sample.shape[1], dtype=sample.dtype)
        times: dict[str, list[float]] = {name: [] for name in products}
        for _ in range(ROUNDS):
            for name, multiply in products.items():
                other.sum()
                start = time.perf_counter()
                multiply(x)
                times[name].append(time.perf_counter() - start)
        for name, measured in times.items():
            seconds[name] += calls * min(measured)
    # 3. The fastest, for all matrices of this size.
    _fastest[key] = min(seconds, key=lambda name: seconds[name])
    return _fastest[key]


def _refuse_unless_plain(model: Qwen3Model) -> None:
    """Refuse a model that is packed or compiled already."""
    if any(isinstance(module, PackedLinear) for module in model.modules()):
        raise ValueError(
            "this model's weights are packed already: join and pack the model as it was loaded"
        )
    _refuse_compiled(model)


def _refuse_compiled(model: Qwen3Model) -> None:
    """Refuse a model whose compiled code would go on with the layers that it was compiled for."""
    if isinstance(model, CompiledModel):
        raise ValueError(
            "this model is compiled for the layers that it has: "
            "change the model first, compile it last"
        )


def shallow_copy(model: Qwen3Model) -> Qwen3Model:
    """Copy a model's modules but not its weights, which both models share; packed layers too.

    Raises:
        ValueError: the model is compiled, so a change of the copy's layers would go unnoticed.
    """
    _refuse_compiled(model)
    return copy.deepcopy(model, {id(parameter): parameter for parameter in model.parameters()})


def can_pack(weight: torch.Tensor) -> bool:
    """Return True if FBGEMM's kernels run where this matrix is: on an x86 CPU."""
    return weight.device.type == "cpu" and torch_kernels.HAS_FBGEMM


def weight_bytes(model: Qwen3Model) -> int:
    """Count the bytes of all matrices, which writing one token reads.

    It also reads one row of the embedding, which is too little to count.
    """
    layers = [layer for layer in model.modules() if isinstance(layer, nn.Linear | PackedLinear)]
    return sum(
        layer.weight.nbytes if isinstance(layer, nn.Linear) else layer.nbytes for layer in layers
    )


def weight_error(model: Qwen3Model, packed: Qwen3Model) -> float:
    """Compute the relative error of all packed matrices: ||packed - plain|| / ||plain||.

    The norms are Frobenius norms over all matrices together. A model without packed layers has 0.

    Args:
        model: as it was loaded, or joined.
        packed: made of it by `pack_weights`, joined before or not.
    """
    if _is_joined(packed) and not _is_joined(model):
        model = join_projections(model)
    error = total = 0.0
    for name, layer in packed.named_modules():
        if isinstance(layer, PackedLinear):
            plain = model.get_parameter(f"{name}.weight").double()
            error += (layer.weight.double() - plain).square().sum().item()
            total += plain.square().sum().item()
    return (error / total) ** 0.5 if total else 0.0


_PACKED_STAYS = (
    "packed weights stay in the process and on the device that packed them: save or move the model "
    "as it was loaded, and pack it there"
)


class PackedLinear(nn.Module, ABC):
    """A linear layer without bias that does not keep its weights as a plain matrix.

    It never changes, so copies of a model share it, and a cast of the model leaves it as it is.
    Shapes: `(..., in_features) -> (..., out_features)`.

    Attributes:
        nbytes: bytes that one product reads.
    """

    nbytes: int
    handle: torch.Tensor

    def __init__(self, weight: torch.Tensor):
        super().__init__()
        self.out_features, self.in_features = weight.shape
        self.dtype = weight.dtype
        self.packed: Any = None

    def _keep(self, packed: torch_kernels.Packed) -> None:
        """Keep a library's own matrix, and its number for the operators that multiply by it."""
        self.packed = packed
        handle = torch_kernels.handle_of(self, packed)
        self.register_buffer("handle", handle, persistent=False)

    @property
    @abstractmethod
    def weight(self) -> torch.Tensor:
        """Unpack the matrix, `(out_features, in_features)`, anew at each call."""

    @abstractmethod
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Compute `x @ weight.T`, in the input's dtype."""

    def __deepcopy__(self, memo: dict) -> "PackedLinear":
        """Return self: copies share one packed buffer, which is freed with this layer."""
        return self

    def __reduce__(self) -> NoReturn:
        """Refuse to be pickled: what is packed is known to this process alone."""
        raise ValueError(_PACKED_STAYS)

    def _save_to_state_dict(self, *arguments: Any) -> NoReturn:
        """Refuse to be saved, for the same reason."""
        raise ValueError(_PACKED_STAYS)

    def _apply(
        self, fn: Callable[[torch.Tensor], torch.Tensor], recurse: bool = True
    ) -> "PackedLinear":
        """Stay as it is when the model is cast; refuse to move to another device."""
        for tensor in self.buffers():
            if fn(tensor).device != tensor.device:
                raise ValueError(_PACKED_STAYS)
        return self

    def extra_repr(self) -> str:
        """Return what `print(model)` shows between the brackets: both widths."""
        return f"{self.in_features}, {self.out_features}"


class HalfLinear(PackedLinear):
    """A bfloat16 or float16 matrix, packed by FBGEMM, which multiplies and adds in float32."""

    def __init__(self, weight: torch.Tensor):
        super().__init__(weight)
        self.nbytes = 2 * weight.numel()
        self._keep(torch_kernels.pack_half(weight))

    @property
    def weight(self) -> torch.Tensor:  # noqa: D102 (as in the base class)
        return torch_kernels.unpack_half(self.packed).to(self.dtype)

    def forward(self, x: torch.Tensor) -> torch.Tensor:  # noqa: D102
        return torch_kernels.half_linear(x.float(), self.handle, self.out_features).to(x.dtype)


class BFloat16Linear(PackedLinear):
    """A bfloat16 matrix, packed by oneDNN, which multiplies bfloat16 and adds in float32."""

    def __init__(self, weight: torch.Tensor):
        super().__init__(weight)
        self.nbytes = 2 * weight.numel()
        self._keep(torch_kernels.pack_bfloat16(weight))

    @property
    def weight(self) -> torch.Tensor:  # noqa: D102
        return torch_kernels.unpack_bfloat16(self.packed)

    def forward(self, x: torch.Tensor) -> torch.Tensor:  # noqa: D102
        half = x.to(torch.bfloat16)
        return torch_kernels.bfloat16_linear(half, self.handle, self.out_features).to(x.dtype)


class Int8Linear(PackedLinear):
    """A matrix of 8 bits per weight: `weight[o, i] = codes[o, i] * scales[o]`.

    The codes are integers from -127 to 127. On a CPU that FBGEMM knows, each token's vector is
    divided by its largest entry and rounded to 8 bits, too, and products of integers are summed
    (vector-wise quantisation of LLM.int8). Elsewhere the codes become floating-point numbers first.
    On a GPU, `compile_model` is meant to fuse that with the product of a single row, which then
    reads the codes alone; with many rows it costs more than it saves. That has not yet run on one.
    """

    codes: torch.Tensor
    scales: torch.Tensor

    def __init__(self, weight: torch.Tensor):
        super().__init__(weight)
        wide = weight.detach().float()
        scales = wide.abs().amax(dim=1).clamp(min=torch.finfo(torch.float32).tiny) / 127
        codes = (wide / scales[:, None]).round().to(torch.int8)
        self.nbytes = codes.nbytes + scales.nbytes
        if can_pack(weight):
            self._keep(torch_kernels.pack_int8(codes, scales))
        else:
            self.register_buffer("codes", codes)
            self.register_buffer("scales", scales)

    @property
    def weight(self) -> torch.Tensor:  # noqa: D102
        if self.packed is not None:
            return torch_kernels.unpack_int8(self.packed).to(self.dtype)
        return (self.codes * self.scales[:, None]).to(self.dtype)

    def forward(self, x: torch.Tensor) -> torch.Tensor:  # noqa: D102
        if self.packed is None:
            return F.linear(x, self.codes.to(x.dtype)) * self.scales.to(x.dtype)
        wide = x.float()
        largest = wide.abs().amax(dim=-1, keepdim=True).clamp(min=torch.finfo(torch.float32).tiny)
        out = torch_kernels.int8_linear(wide / largest, self.handle, self.out_features)
        return (out * largest).to(x.dtype)


class Int4Linear(PackedLinear):
    """A matrix of 4 bits per weight.

    `weight[o, i] = (codes[o, i] - 8) * scales[o, g] + offsets[o, g]`, where g is the group of
    input i. A group's codes 0 to 15 reach from its smallest weight to its largest, so an offset is
    the weight of code 8. They are multiplied by PyTorch's kernel for the device, where there is
    one; a GPU's has not been tried.

    Attributes:
        codes: two per byte. Without a kernel uint8 `(out_features, in_features / 2)`, the even
            input's code in the low 4 bits; else in the kernel's own order (`pack_int4` of
            `Appendixes/torch_kernels.py` tells it), which `weight` undoes.
        scales_and_offsets: bfloat16 `(in_features / group_size, out_features, 2)`.
    """

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
                f"a matrix of {self.in_features} inputs and {self.out_features} outputs cannot "
                f"have 4 bits per weight: {GROUP_SIZES[0]} must divide the inputs, and 16 the "
                "outputs; use int8"
            )
        # 1. A scale and an offset per group, rounded to bfloat16, as the kernel wants them.
        self.group_size = group_size = max(fitting)
        groups = weight.detach().float().unflatten(1, (-1, group_size))
        low, high = groups.amin(dim=-1), groups.amax(dim=-1)
        scales = ((high - low) / 15).clamp(min=1e-6).to(torch.bfloat16)
        offsets = (low + 8 * scales.float()).to(torch.bfloat16)
        # 2. The nearest codes, for the rounded scale and offset.
        codes = (groups - offsets.float()[..., None]) / scales.float()[..., None] + 8
        codes = codes.round().clamp(0, 15).to(torch.int32).flatten(1)
        # 3. Both in the order of PyTorch's kernel, or two codes per byte.
        scales_and_offsets = torch.stack((scales, offsets), dim=-1).transpose(0, 1).contiguous()
        self.register_buffer("scales_and_offsets", scales_and_offsets)
        self.has_kernel = torch_kernels.has_int4(weight.device)
        if self.has_kernel:
            self.register_buffer("codes", torch_kernels.pack_int4(codes))
        else:
            self.register_buffer("codes", (codes[:, 0::2] | codes[:, 1::2] << 4).to(torch.uint8))
        self.nbytes = self.codes.nbytes + self.scales_and_offsets.nbytes

    @property
    def weight(self) -> torch.Tensor:  # noqa: D102
        if self.has_kernel:
            unit = torch.eye(self.in_features, dtype=torch.bfloat16, device=self.codes.device)
            return self._multiply(unit).T.to(self.dtype)
        codes = torch.stack((self.codes & 15, self.codes >> 4), dim=-1).flatten(1)
        groups = codes.unflatten(1, (-1, self.group_size)).to(self.dtype)
        scales, offsets = self.scales_and_offsets.transpose(0, 1).unbind(dim=-1)
        matrix = (groups - 8) * scales[..., None] + offsets[..., None]
        return matrix.flatten(1).to(self.dtype)

    def forward(self, x: torch.Tensor) -> torch.Tensor:  # noqa: D102
        if not self.has_kernel:
            return F.linear(x, self.weight.to(x.dtype))
        out = self._multiply(x.to(torch.bfloat16).flatten(0, -2))
        return out.unflatten(0, x.shape[:-1]).to(x.dtype)

    def _multiply(self, x: torch.Tensor) -> torch.Tensor:
        """Compute `x @ weight.T` by PyTorch's kernel, for `x (rows, in_features)` in bfloat16."""
        return torch_kernels.int4_linear(x, self.codes, self.group_size, self.scales_and_offsets)
