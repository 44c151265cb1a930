"""Checks and pictures for the components' demonstrations, which are their `main.py`.

- a check that fails ends the demonstration with code 1
- pictures are drawn in the style of `figure_style`, and saved only where `--plot` asks for one
"""

import sys
from pathlib import Path

import torch
from matplotlib.figure import Figure
from torch import nn

from Appendixes.command_line import refuse


def save_figure(figure: Figure, path: Path) -> None:
    """Write a picture and print its path and title; end with code 2 if it cannot be written."""
    try:
        figure.savefig(path)
    except OSError as error:
        refuse(f"--plot {path}: {error.strerror or error}")
    titles = [axes.get_title() for axes in figure.axes if axes.get_title()]
    print(f"\nThe picture is in {path}:", *titles, sep="\n   ")


def report_difference(name: str, difference: float, tolerance: float) -> None:
    """Print a difference that should be almost zero; end the program with code 1 if it is not.

    Args:
        name: the two quantities that are compared, in the plural.
        difference: the largest difference between them.
        tolerance: the largest difference that is allowed.
    """
    found = f"{difference:.1e}" if difference else "0"
    allowed = f"{tolerance:.0e}" if tolerance else "0"
    print(f"   {name}: largest difference {found} (allowed: {allowed})")
    if not difference <= tolerance:  # "not <=": a NaN fails too
        sys.exit(f"check failed: {name} differ by {difference:.3g}, more than {tolerance:.3g}")


def report_count(name: str, count: int, total: int) -> None:
    """Print how many of several things are as they should be; end with code 1 unless all are."""
    print(f"   {name}: {count} of {total}")
    if count != total:
        sys.exit(f"check failed: {name}: {count} of {total}")


def largest_difference(first: torch.Tensor, second: torch.Tensor) -> float:
    """Return the largest absolute difference between two tensors of the same shape."""
    if first.shape != second.shape:
        raise ValueError(
            f"shapes {tuple(first.shape)} and {tuple(second.shape)} cannot be compared"
        )
    return (first - second).abs().max().item()


def count_parameters(module: nn.Module) -> int:
    """Count a module's parameters; one that two of its parts share counts once."""
    return sum(parameter.numel() for parameter in module.parameters())


def randomise(module: nn.Module, generator: torch.Generator, std: float = 0.1) -> None:
    """Draw every matrix of a module from a normal distribution; vectors stay as they are."""
    with torch.no_grad():
        for parameter in module.parameters():
            if parameter.dim() > 1:
                parameter.normal_(std=std, generator=generator)


def numbers(values: torch.Tensor, digits: int = 4) -> str:
    """Format a vector so that it is easy to compare with a calculation by hand.

    >>> numbers(torch.tensor([3.0, -4.5]), digits=1)
    '(3.0, -4.5)'
    """
    return "(" + ", ".join(f"{value + 0.0:.{digits}f}" for value in values.tolist()) + ")"
