"""Root mean square layer normalisation (Zhang and Sennrich, 2019,
https://arxiv.org/abs/1910.07467).

- no mean is subtracted and no bias is added: only the length of the vector is set
- squares are summed in float32 even if the model runs in bfloat16, whose eight bits of mantissa
  lose small terms
- the result returns to the input's dtype *before* it is multiplied by the weight, as in the
  reference implementation of Qwen3
"""

import torch
from torch import nn


class RMSNorm(nn.Module):
    """A layer that scales each vector to a root mean square of one, then each coordinate by a
    learned weight.

    y = x / sqrt(mean(x^2) + eps) * weight

    Args:
        dim: size of the last dimension.
        eps: added to the mean square, so that a vector of zeros stays zeros.

    Shapes: `(..., dim) -> (..., dim)`, in the input's dtype.

    Raises:
        ValueError: the last dimension of the input is not `dim`.

    The root mean square of (3, 4) is sqrt(12.5):

    >>> RMSNorm(2, eps=0.0)(torch.tensor([3.0, 4.0])) * 12.5 ** 0.5
    tensor([3., 4.], grad_fn=<MulBackward0>)
    """

    def __init__(self, dim: int, eps: float = 1e-6):
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(dim))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Normalise the last dimension."""
        if x.shape[-1] != len(self.weight):
            raise ValueError(
                f"RMSNorm({len(self.weight)}) was given shape {tuple(x.shape)}: "
                f"the last size must be {len(self.weight)}"
            )
        wide = x.to(torch.promote_types(x.dtype, torch.float32))  # float64 stays float64
        normalised = wide * torch.rsqrt(wide.square().mean(dim=-1, keepdim=True) + self.eps)
        return self.weight * normalised.to(x.dtype)

    def extra_repr(self) -> str:
        """Return the text that `print(module)` shows between the brackets."""
        return f"{len(self.weight)}, eps={self.eps}"
