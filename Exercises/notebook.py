"""Check an exercise from a cell of a notebook: `from Exercises import check`, `check(my_function)`.

The verdict is that of `python -m Exercises`. Where a picture says more, one is shown.
"""

import difflib
from collections.abc import Callable

from Exercises.attempt import examine
from Exercises.cases import NOT_DONE, PASSED
from Exercises.chapters import chapters, exercise_named, exercises
from Exercises.display import indented, show_verdict


def check(function: Callable) -> None:
    """Check a function against the exercise of its name; print the verdict, and show a picture.

    Args:
        function: your function, named as the exercise. It may be defined in a cell.

    Raises:
        ValueError: no exercise has the function's name.
    """
    name = getattr(function, "__name__", repr(function))
    exercise = exercise_named(name)
    if exercise is None:
        known = [one.name for chapter in chapters() for one in exercises(chapter)]
        near = difflib.get_close_matches(name, known, n=1)
        raise ValueError(
            f"no exercise has the name {name}" + (f"; did you mean {near[0]}?" if near else "")
        )
    verdict = examine(exercise, function)
    show_verdict(exercise, verdict)
    if verdict.state == PASSED:
        print(f"    to have it counted, copy it to Exercises/{exercise.chapter}.py")
    if verdict.state == NOT_DONE:
        print(indented(exercise.first_line))
        print(f"    whole task: python -m Exercises {exercise.place}; a hint: --hint")
        return
    from Appendixes.figure_style import show  # here, as they are slow to import
    from Exercises.pictures import picture

    figure = picture(exercise.name, function, verdict)
    if figure is not None:
        show(figure)
