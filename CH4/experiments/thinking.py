"""Longer or more often: what thinking tokens buy on puzzles, and what samples buy.

- longer: greedy answers after a thought, which a budget cuts off (`CH4.thinking`)
- more often: samples without a thought, the best of which a check finds (`best_of_n`)
- a vote is tried, too: it counts expressions as they are written, as all right ones have one value
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from Appendixes.command_line import table
from Appendixes.figure_style import BLUE, ORANGE, describe, new_picture
from CH2.prompts import BARE
from CH3.evaluation.answers import AnswerFunction, answers
from CH3.evaluation.command_line import LocalRun
from CH3.evaluation.progress import Progress
from CH3.evaluation.report import error_bars
from CH3.evaluation.results import Result, Settings
from CH3.evaluation.writers import ModelWriter
from CH3.math_verifier.lexer import UnreadableError
from CH3.math_verifier.parser import parse
from CH3.math_verifier.tree import Node, Tree, written
from CH3.problems import Problem
from CH4.experiments.comparison import (
    GREEDY,
    MAJORITY,
    ONE_SAMPLE,
    TableRow,
    any_row,
    vote_row,
    vote_sizes,
)
from CH4.experiments.draws import Draws, draws_of, voted_answers
from CH4.experiments.report import percent
from CH4.thinking import ThinkingWriter
from CH4.voting import Sample, majority_vote

BUDGETS = (0, 25, 50, 100, 200, 400, 800)  # most tokens of a thought
TICKS = [step * 10**power for power in range(5) for step in (1, 2, 5)]  # of the picture's tokens
THOUGHTS = 3  # largest number of samples that think
NO_THOUGHT, TO_ITS_END, BUDGET, BEST = "none", "to its end", "at most {}", "best"
NOTES = """\
In brackets: 95 % intervals. Right: share of the problems. Tokens: mean number drawn per problem,
thought and answer together; what is put in, such as a forced `</think>`, is read, not drawn. At
most n: after n tokens of thought `</think>` is forced; 0 opens a thought and closes it, and "none"
is the mode without thinking. To its end: at most {max_new_tokens} tokens of thought and answer.
One sample: mean over all samples (pass@1). Best of n: samples are drawn one after another until one
passes the check, or n are drawn; a problem is right if one of the n is. Majority of n: all n are
drawn, and the expression that most of them give is taken, without a look at its value.
"""

# (what it is called, answer function, settings, progress) -> results, from their file or new
Evaluated = Callable[[str, AnswerFunction, Settings, Progress], list[Result]]


@dataclass(frozen=True)
class Expression(Sample):
    """A sample whose answer is an expression: it votes for what is written, not for its value."""

    @property
    def key(self) -> str | None:
        """The expression with every bracket, and with the operands of + and * in order."""
        if self.answer is None:
            return None
        try:
            return written(_in_order(parse(self.answer)))
        except UnreadableError:
            return self.answer


def _in_order(tree: Tree) -> Tree:
    """Sort the operands of sums and products."""
    if not isinstance(tree, Node):
        return tree
    parts = tuple(map(_in_order, tree.parts))
    return Node(tree.op, tuple(sorted(parts, key=written)) if tree.op in ("+", "*") else parts)


def thinking_rows(
    run: LocalRun,
    evaluated: Evaluated,
    num_samples: int,
    max_concurrent: int,
    sampling: Settings,
    sampler: Any,
) -> list[TableRow]:
    """Evaluate whatever is not in the results files yet, and make the rows of all problems.

    Args:
        run: a model, and puzzles.
        evaluated: keeps results in a file for each set of settings.
        num_samples: number of samples without a thought; with one, at most `THOUGHTS`.
        max_concurrent: number of texts that grow at the same time.
        sampling: `temperature`, `top_p` and `seed` of the samples.
        sampler: made of them.
    """
    options = {
        "template": BARE,
        "max_concurrent": max_concurrent,
        "max_cache_bytes": run.max_cache_bytes,
        "max_new_tokens": run.limits["max_new_tokens"],
    }

    def writer(thought: str, budget: int | None, progress: Progress, **more: Any) -> ModelWriter:
        more |= {**options, "on_step": progress.step}
        if thought == NO_THOUGHT:
            return ModelWriter(run.model, run.tokenizer, thinking=False, **more)
        return ThinkingWriter(run.model, run.tokenizer, budget, **more)

    def greedy(thought: str, budget: int | None = None) -> TableRow:
        progress = Progress(run.shown)
        answer_fn = partial(answers, writer(thought, budget, progress))
        settings = {"prompt": BARE, "thought": thought, "budget": budget, "sampling": "greedy"}
        results = evaluated(f"thought {thought}, greedy", answer_fn, settings, progress)
        right = tuple(int(result["correct"]) for result in results)
        tokens = tuple(result["tokens"] for result in results)
        return TableRow(thought, GREEDY, 1, right, (1,) * len(results), tokens)

    def drawn(thought: str, count: int) -> list[TableRow]:
        progress = Progress(run.shown)
        own = writer(thought, None, progress, sampler=sampler, seed=sampling["seed"])
        settings = {"prompt": BARE, "thought": thought, "samples": count, **sampling}
        label = f"thought {thought}, {count} samples"
        results = evaluated(label, voted_answers(own, count), settings, progress)
        return rows_of_samples(thought, draws_of(results), vote_sizes(count))

    return [
        greedy(NO_THOUGHT),
        *drawn(NO_THOUGHT, num_samples),
        *(greedy(BUDGET.format(budget), budget) for budget in BUDGETS),
        greedy(TO_ITS_END),
        *drawn(TO_ITS_END, min(num_samples, THOUGHTS)),
    ]


def rows_of_samples(thought: str, draws: Draws, sizes: Sequence[int]) -> list[TableRow]:
    """Make the rows of one sample, and of votes and the best of each number of samples."""
    draws = [[Expression(**asdict(sample)) for sample in samples] for samples in draws]
    one_sample = any_row(thought, ONE_SAMPLE, 1, draws)
    rows = [one_sample]
    for size in sizes:
        first = [samples[:size] for samples in draws]
        rows.append(vote_row(thought, MAJORITY, size, first, majority_vote, one_sample))
        needed = [samples[: _until_right(samples)] for samples in first]
        right = tuple(int(any(sample.right for sample in samples)) for samples in needed)
        tokens = tuple(sum(sample.tokens for sample in samples) for samples in needed)
        rows.append(TableRow(thought, BEST, size, right, tuple(map(len, needed)), tokens))
    return rows


def _until_right(samples: Sequence[Sample]) -> int:
    """Return the number of samples up to the first right one; all, if there is none."""
    return next((n for n, sample in enumerate(samples, start=1) if sample.right), len(samples))


def by_subject(rows: Sequence[TableRow], problems: Sequence[Problem]) -> dict[str, list[TableRow]]:
    """Split rows by the subject of their problems: a row for each subject in the place of one."""
    subjects: dict[str, list[int]] = {}
    for place, problem in enumerate(problems):
        subjects.setdefault(problem["subject"], []).append(place)

    def part(row: TableRow, places: list[int]) -> TableRow:
        right, samples, tokens = (
            tuple(of_all[place] for place in places)
            for of_all in (row.right, row.samples, row.tokens)
        )
        return replace(row, right=right, samples=samples, tokens=tokens, baseline=None)

    return {subject: [part(row, places) for row in rows] for subject, places in subjects.items()}


def thinking_table(rows: dict[str, list[TableRow]]) -> str:
    """Format the rows of each subject side by side as a Markdown table."""
    headings = ["thought", "way"]
    for subject in rows:
        headings += [f"{subject}: right, %", "tokens"]
    lines = []
    for beside in zip(*rows.values(), strict=True):
        cells = [beside[0].prompt, beside[0].name]
        for row in beside:
            cells += [percent(row.accuracy), f"{row.mean_tokens:,.1f}"]
        lines.append(cells)
    return table(headings, lines)


def plot_thinking(rows: dict[str, list[TableRow]]) -> Figure:
    """Plot the accuracy against the mean tokens drawn: longer thoughts, and more samples."""
    # 1. The title compares the longest thought with the most samples, on the hardest problems.
    subject = list(rows)[-1]
    longer, often = _curves(rows[subject])
    title = f"{subject.capitalize()}: {_bought(longer[-1])} with a thought to its end,\n"
    title += f"{_bought(often[-1])} with the {often[-1].name} without one"
    x_label = "tokens drawn per problem (log scale; bars: 95 % interval)"
    figure, axes = new_picture(title, x_label, "puzzles solved, %")
    # 2. Two curves for each subject.
    words = []
    for subject, colour in zip(rows, (ORANGE, BLUE), strict=False):
        longer, often = _curves(rows[subject])
        _draw(axes, longer, f"{subject}, longer: one thought", colour, "o-")
        _draw(axes, often, f"{subject}, more often: best of n, no thought", colour, "s--")
        for name, curve in (("longer", longer), ("more often", often)):
            points = (f"{100 * row.accuracy.value:.1f} for {row.mean_tokens:,.0f}" for row in curve)
            words.append(f"{subject.capitalize()}, {name}: {', '.join(points)}.")
    # 3. Axes, and the picture in words.
    axes.set_xscale("log")
    shown = [row.mean_tokens for part in rows.values() for curve in _curves(part) for row in curve]
    ticks = [tick for tick in TICKS if min(shown) <= tick <= max(shown)]
    axes.set_xticks(ticks, [f"{tick:,}" for tick in ticks])
    axes.minorticks_off()
    axes.set_ylim(-2, 102)
    figure.legend(fontsize=8, ncols=2, loc="outside lower center")
    start = "Lines, puzzles solved, in %, by tokens drawn per problem."
    return describe(figure, " ".join([start, *words]))


def _curves(rows: Sequence[TableRow]) -> tuple[list[TableRow], list[TableRow]]:
    """Return the rows of greedy answers by length of thought, and those of the best of n."""
    thoughts = [row for row in rows if row.prompt != NO_THOUGHT and row.method == GREEDY]
    often = [row for row in rows if row.prompt == NO_THOUGHT and row.method in (ONE_SAMPLE, BEST)]
    return thoughts, often


def _bought(row: TableRow) -> str:
    return f"{100 * row.accuracy.value:.1f} % for {row.mean_tokens:,.0f} tokens"


def _draw(axes: Axes, rows: Sequence[TableRow], label: str, colour: str, fmt: str) -> None:
    """Draw the accuracies of rows with their intervals."""
    accuracies = [row.accuracy for row in rows]
    axes.errorbar(
        [row.mean_tokens for row in rows],
        [100 * accuracy.value for accuracy in accuracies],
        yerr=error_bars(accuracies),
        fmt=fmt,
        color=colour,
        label=label,
        capsize=3,
        markersize=5,
        elinewidth=1,
    )
