"""Rotary position embedding: queries and keys turn with their positions, like hands of a clock.

Attention by itself does not notice in which order the tokens stand. Rotary position embedding
(RoPE) turns each pair of coordinates of a query or key by an angle that grows with the position.
If both move on by the same number of positions, both turn by the same angle, and their dot product
stays. So attention sees how far apart two tokens stand, wherever they are in the text.

The idea, for the pair (3, 4) of a query and the pair (2, -1) of a key, two positions apart:

>>> from math import cos, sin
>>> def turned(a, b, position):
...     angle = 1.0 * position  # other pairs turn more slowly
...     return a * cos(angle) - b * sin(angle), b * cos(angle) + a * sin(angle)
>>> for position in (0, 5, 1000):
...     (a, b), (c, d) = turned(3, 4, position + 2), turned(2, -1, position)
...     print(f"{a * c + b * d:.4f}")
-10.8346
-10.8346
-10.8346

- `rope.py`: two functions, one for the angles and one that turns; read it first
- `main.py`: turning at work, slow and fast pairs, and the same with complex numbers
"""

from Appendixes.RoPE.rope import apply_rope, rope_cos_sin

__all__ = ["apply_rope", "rope_cos_sin"]
