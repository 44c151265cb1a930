"""Rotary position embedding (Su et al., 2021, https://arxiv.org/abs/2104.09864).

- a query or key is cut into pairs of coordinates, and each pair is turned by an angle that is
  proportional to the position
- the dot product of two turned vectors depends on their positions only through the difference
- pair `j` is made of coordinates `j` and `j + head_dim / 2` ("split halves", the layout of Qwen3
  checkpoints), not of neighbours as in the paper: a permutation of the rows of the projections,
  with the same mathematics
"""

import torch


def rope_cos_sin(
    positions: torch.Tensor, head_dim: int, theta: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """Compute the cosines and sines of the angles by which positions turn pairs of coordinates.

    The angle of pair `j`, from 0 to `head_dim / 2 - 1`, is `position * theta ** (-2 j / head_dim)`
    in radians.

    Args:
        positions: `(...)`, any numbers. Angles are computed in float32, or in float64 if
            `positions` are float64.
        head_dim: size of one query or key vector; an even number.
        theta: the base; the slowest pair needs about `2 pi theta` positions for one full turn.

    Returns:
        `cos, sin`, each `(..., head_dim / 2)`.

    Raises:
        ValueError: `head_dim` is not a positive even number.
    """
    if head_dim < 2 or head_dim % 2:
        raise ValueError(
            f"head_dim is {head_dim}: RoPE turns pairs of coordinates, "
            "so it must be even and positive"
        )
    dtype = torch.float64 if positions.dtype == torch.float64 else torch.float32
    exponents = torch.arange(0, head_dim, 2, device=positions.device).to(dtype) / head_dim
    angles = positions.to(dtype)[..., None] * (1.0 / theta**exponents)
    return angles.cos(), angles.sin()


def apply_rope(x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    """Turn pairs of coordinates: (a, b) becomes (a cos - b sin, b cos + a sin).

    Pair `j` is `(x[j], x[j + head_dim / 2])`.

    Args:
        x: `(..., head_dim)`.
        cos, sin: `(..., head_dim / 2)`, broadcast against `x`.

    Returns:
        The turned vectors, in the shape and dtype of `x`; their lengths are unchanged.

    Raises:
        ValueError: `cos` is not half as wide as `x`.

    At position 0 nothing turns; at position 1 the only pair turns by one radian:

    >>> cos, sin = rope_cos_sin(torch.tensor([0, 1]), head_dim=2, theta=10_000.0)
    >>> apply_rope(torch.tensor([1.0, 0.0]), cos, sin)
    tensor([[1.0000, 0.0000],
            [0.5403, 0.8415]])
    """
    if cos.shape[-1] * 2 != x.shape[-1]:
        raise ValueError(
            f"cos covers {cos.shape[-1]} pairs, but x {tuple(x.shape)} has {x.shape[-1] / 2:g}"
        )
    cos, sin = cos.to(x.dtype), sin.to(x.dtype)
    # split halves: the partner of coordinate j is j + head_dim / 2
    first, second = x.chunk(2, dim=-1)
    return torch.cat((first * cos - second * sin, second * cos + first * sin), dim=-1)
