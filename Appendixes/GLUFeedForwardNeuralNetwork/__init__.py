"""Gated feed-forward layer: a gate decides for each value how much of it passes.

Attention moves information between tokens; this layer then works on each token by itself. One
matrix makes values, another makes a gate for each value, and a third mixes what has passed.
Qwen3's gates use the function SiLU, and the layer is then called SwiGLU (GLU: gated linear unit).

The idea, on two numbers: the second gate is below zero, so little of the second value passes.

>>> import torch
>>> import torch.nn.functional as F
>>> x = torch.tensor([1.0, 2.0])
>>> gates = torch.tensor([[1.0, 0.0], [0.0, -1.0]]) @ x
>>> values = torch.tensor([[1.0, 1.0], [1.0, -1.0]]) @ x
>>> gates, values
(tensor([ 1., -2.]), tensor([ 3., -1.]))
>>> passed = F.silu(gates) * values
>>> passed
tensor([2.1932, 0.2384])
>>> torch.tensor([[1.0, 0.0], [1.0, 1.0]]) @ passed
tensor([2.1932, 2.4316])

- `glu_feed_forward.py`: the layer, with the gates of the whole family; read it first
- `main.py`: the layer at work, five gates on one vector, and the cost of a third matrix
"""

from Appendixes.GLUFeedForwardNeuralNetwork.glu_feed_forward import ACTIVATIONS, GLUFeedForward

__all__ = ["ACTIVATIONS", "GLUFeedForward"]
