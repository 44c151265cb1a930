"""Gated linear units as feed-forward layer (Shazeer, 2020, https://arxiv.org/abs/2002.05202).

- two projections instead of one: the first, through an activation, decides how much of the second
  passes
- one class is the whole family of the paper: only the activation differs; Qwen3 uses SwiGLU
  (`"silu"`)
- no biases, and the names of Qwen3 checkpoints: `gate_proj`, `up_proj`, `down_proj`
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import nn

# Config name of the activation -> the function on the gate, with the paper's name of the unit it
# makes.
ACTIVATIONS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "sigmoid": torch.sigmoid,  # GLU
    "relu": F.relu,  # ReGLU
    "gelu": F.gelu,  # GEGLU
    "silu": F.silu,  # SwiGLU
    "identity": lambda gate: gate,  # bilinear
}


class GLUFeedForward(nn.Module):
    """down(activation(gate(x)) * up(x)), applied to each position by itself.

    Args:
        dim: width of the model.
        hidden_dim: width inside; three matrices of `dim * hidden_dim` weights each.
        activation: one of `sigmoid` (GLU), `relu` (ReGLU), `gelu` (GEGLU), `silu` (SwiGLU),
            `identity` (bilinear).

    Shapes: `(..., dim) -> (..., dim)`.

    Raises:
        ValueError: the activation is none of these.

    >>> swiglu = GLUFeedForward(dim=4, hidden_dim=6)
    >>> swiglu(torch.zeros(2, 3, 4)).shape, sum(weight.numel() for weight in swiglu.parameters())    # 3 * 4 * 6
    (torch.Size([2, 3, 4]), 72)
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
        """Gate, multiply, project back."""
        gate, up = self._project(x)  # each (..., hidden_dim)
        return self.down_proj(ACTIVATIONS[self.activation](gate) * up)

    def _project(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Make the gate's numbers and the values, each `(..., hidden_dim)`."""
        return self.gate_proj(x), self.up_proj(x)
