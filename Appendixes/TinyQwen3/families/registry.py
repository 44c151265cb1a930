"""The form of a family of problems, and the table of all families.

A family is a function `(rng, level) -> Draft`. It draws parameters, writes the question in one of
several wordings and works the answer out in small steps, by one of several methods where there are
several.
"""

from collections.abc import Callable
from random import Random
from typing import NamedTuple


class Draft(NamedTuple):
    """A problem as its family wrote it, before it is assigned to a split."""

    key: tuple  # the parameters, in an order that does not depend on wording or method
    problem: str
    lines: list[str]  # the worked steps, without the final box
    answer: str  # exactly as it stands in the box


Drafter = Callable[[Random, int], Draft]  # a source of randomness, a level


class Family(NamedTuple):
    """A registered family: its subject, and the function that drafts its problems."""

    subject: str
    draft: Drafter


FAMILIES: dict[str, Family] = {}


def family(subject: str) -> Callable[[Drafter], Drafter]:
    """Register the decorated function under its own name as a family of `subject`."""

    def register(draft: Drafter) -> Drafter:
        FAMILIES[draft.__name__] = Family(subject, draft)
        return draft

    return register
