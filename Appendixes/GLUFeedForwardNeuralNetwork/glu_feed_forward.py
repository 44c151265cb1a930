"""The gated feed-forward layer (gated linear units: Shazeer, 2020, https://arxiv.org/abs/2002.05202).

- one projection makes gates, another makes values; an activation of the gates says how much of each
  value passes
- one class is the whole family of the paper: only the activation differs; Qwen3 uses SwiGLU
  (`"silu"`)
- it has no biases, and the names of Qwen3 checkpoints: `gate_proj`, `up_proj`, `down_proj`
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import nn

# The activation's name in a config: the function of the gates. Behind it, the paper's name.
ACTIVATIONS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "sigmoid": torch.sigmoid,  # GLU
    "relu": F.relu,  # ReGLU
    "gelu": F.gelu,  # GEGLU
    "silu": F.silu,  # SwiGLU
    "identity": lambda gate: gate,  # bilinear
}


class GLUFeedForward(nn.Module):
    """A feed-forward layer, `down(activation(gate(x)) * up(x))` at each position by itself.

    Args:
        dim: width of the model.
        hidden_dim: width inside the layer, whose three matrices have `dim * hidden_dim` weights.
        activation: one of `sigmoid` (GLU), `relu` (ReGLU), `gelu` (GEGLU), `silu` (SwiGLU),
            `identity` (bilinear).

    Shapes: `(..., dim) -> (..., dim)`.

    Raises:
        ValueError: the activation is none of these.

    >>> swiglu = GLUFeedForward(dim=4, hidden_dim=6)
    >>> swiglu(torch.zeros(2, 3, 4)).shape
    torch.Size([2, 3, 4])
    >>> sum(weight.numel() for weight in swiglu.parameters())  # 3 * 4 * 6
    72
    """

    def __init__(self, dim: int, hidden_dim: int, activation: str = "silu"):
        super().__init__()
        if activation not in ACTIVATIONS:
            raise ValueError(
                f"unknown activation {activation!r}; choose one of {', '.join(ACTIVATIONS)}"
            )
        self.activation = activation
        self.gate_proj = nn.Linear(dim, hidden_dim, bias=False)
        self.up_proj = nn.Linear(dim, hidden_dim, bias=False)
        self.down_proj = nn.Linear(hidden_dim, dim, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Compute the layer's output, `(..., dim) -> (..., dim)`."""
        gate, up = self._project(x)  # each (..., hidden_dim)
        return self.down_proj(ACTIVATIONS[self.activation](gate) * up)

    def _project(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Project to gates and values, each `(..., hidden_dim)`."""
        return self.gate_proj(x), self.up_proj(x)
