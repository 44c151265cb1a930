"""The workshop at work: problems that the shipped checkpoints were trained on, and a test set.

python Appendixes/TinyQwen3/main.py
python Appendixes/TinyQwen3/main.py --plot lengths.png    lengths of solutions at each level
"""

from collections import Counter
from pathlib import Path
from random import Random
from textwrap import indent

from Appendixes.command_line import argument_parser, run_main
from Appendixes.demonstration import save_figure
from Appendixes.figure_style import BLUE, new_picture
from Appendixes.TinyQwen3.countdown import Puzzle, think
from Appendixes.TinyQwen3.families import FAMILIES
from Appendixes.TinyQwen3.problems import LEVELS, sample_problem, test_set


def main() -> None:
    """Print a problem of each level with its solution, and the subjects of the test set."""
    arguments = argument_parser(__doc__).parse_args()
    print(f"{len(FAMILIES)} families of problems; one of them at each level:\n")
    for level in LEVELS:
        sample = sample_problem(Random(level), "train", "arithmetic_sequence", level)
        print(f"level {level}: {sample.problem}\n{indent(sample.solution, '    ')}\n")
    subjects = Counter(problem["subject"] for problem in test_set())
    print("The test set, none of whose problems is ever trained on, in any wording:")
    for subject, count in sorted(subjects.items()):
        print(f"    {subject:28s} {count:3d}")
    print("\nThe other world, Countdown, with a thought that searches:\n")
    puzzle = Puzzle((3, 25, 7, 4), 58)
    thought, expression = think(Random(3), puzzle, foresight=0.3)
    print(f"{puzzle.question()}\n{indent(thought, '    ')}\n    \\boxed{{{expression}}}")
    if arguments.plot:
        plot_lengths(arguments.plot)


def plot_lengths(path: Path) -> None:
    """Save a picture of the lengths of solutions at each level."""
    rng = Random(0)
    lengths = [
        [len(sample_problem(rng, "train", None, level).solution) for _ in range(1000)]
        for level in LEVELS
    ]
    figure, axes = new_picture(
        "Harder levels need longer solutions", "level", "characters of a solution", grid="y"
    )
    boxes = axes.boxplot(
        lengths, showfliers=False, patch_artist=True, medianprops={"color": "black"}
    )
    for box in boxes["boxes"]:
        box.set_facecolor(BLUE)
    save_figure(figure, path)


if __name__ == "__main__":
    run_main(main)
