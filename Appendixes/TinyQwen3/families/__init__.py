"""The families of problems, one module per subject; importing this package fills the registry."""

from . import (  # noqa: F401
    algebra,
    arithmetic,
    counting,
    fractions,
    geometry,
    number_theory,
    quadratics,
    sequences,
    word_problems,
)
from .registry import FAMILIES, Draft

__all__ = ["FAMILIES", "Draft"]
