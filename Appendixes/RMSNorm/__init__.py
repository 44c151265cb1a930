"""RMSNorm: every vector is scaled to one size before a layer reads it.

The vectors that pass through a deep model may grow or shrink from layer to layer. Each layer of
Qwen3 first divides its input by the input's root mean square. So it always reads numbers of about
the same size, and only their proportions count.

The idea, on a vector whose squares have the mean (9 + 16) / 2 = 12.5:

>>> import torch
>>> x, weight = torch.tensor([3.0, 4.0]), torch.tensor([2.0, 0.5])
>>> normalised = x / x.square().mean().sqrt()
>>> normalised
tensor([0.8485, 1.1314])
>>> weight * normalised  # a learned factor per coordinate
tensor([1.6971, 0.5657])

- `rmsnorm.py`: the layer; read it first
- `main.py`: the layer at work, by hand and beside PyTorch's own
"""

from Appendixes.RMSNorm.rmsnorm import RMSNorm

__all__ = ["RMSNorm"]
