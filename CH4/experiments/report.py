"""The table of `CH4.experiments` as Markdown and as pictures, whose titles are computed from the
numbers.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from Appendixes.figure_style import BLUE, ORANGE, describe, new_picture
from CH3.evaluation.report import error_bars
from CH4.early_stopping import RULES
from CH4.experiments.comparison import ANY, GREEDY, MAJORITY, ONE_SAMPLE, Estimate, Row

HEADINGS = (
    "prompt",
    "way",
    "right, %",
    "samples",
    "tokens",
    "samples saved, %",
    "tokens saved, %",
    "gain, points",
    "compared with",
)
NOTES = """\
In brackets: 95 % intervals. Right: the share of the problems. One sample: the mean over all samples drawn (pass@1).
Pass@n: at least one of n samples is right, so what a perfect chooser would reach; estimated from all samples drawn.
Samples, tokens: drawn for a problem; its prompt, which is read once, is not counted. Saved: of the full vote. Gain: the
difference in the share of problems that are right, paired by problem (normal interval, after adding one problem won and
one lost; so it has a width even where no problem differs, as with the rule "decided", which never changes a winner).
"""
RULE_MARKERS = dict(zip(RULES, ("s", "^", "v"), strict=True))


class Look(NamedTuple):
    """How the rows of one prompt are drawn: a colour, the lines of votes and of pass@n, single
    points.
    """

    colour: str
    votes: str
    ceiling: str
    greedy: str
    inside: str


# two prompts differ in all
LOOKS = (Look(ORANGE, "d--", "+-.", "P", ORANGE), Look(BLUE, "o-", "x:", "D", "white"))


def markdown_table(rows: Sequence[Row]) -> str:
    """One line a row, with its intervals, in columns that line up as plain text too."""
    lines = [HEADINGS, *map(_cells, rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    lines.insert(1, ["-" * width for width in widths])
    padded = (
        [f"{cell:{width}s}" for cell, width in zip(line, widths, strict=True)] for line in lines
    )
    return "\n".join(f"| {' | '.join(line)} |" for line in padded)


def _cells(row: Row) -> list[str]:
    compared = row.baseline
    return [
        row.prompt,
        row.name,
        percent(row.accuracy),
        f"{row.mean_samples:.1f}",
        f"{row.mean_tokens:,.1f}",
        percent(row.samples_saved) if row.samples_saved else "",
        percent(row.tokens_saved) if row.tokens_saved else "",
        points(row.gain) if row.gain else "",
        ""
        if compared is None
        else compared.name
        if compared.prompt == row.prompt
        else compared.prompt,
    ]


def percent(estimate: Estimate) -> str:
    """A share with its interval.

    >>> percent(Estimate(0.7, 0.651, 0.75))
    '70.0 (65.1 to 75.0)'
    """
    value, low, high = (f"{100 * number:.1f}" for number in estimate)
    return f"{value} ({low} to {high})"


def points(estimate: Estimate) -> str:
    """A difference of shares with its interval, in percentage points.

    >>> points(Estimate(-0.0001, -0.012, 0.01))
    '+0.0 (-1.2 to +1.0)'
    """
    value, low, high = (f"{round(100 * number, 1) + 0.0:+.1f}" for number in estimate)
    return f"{value} ({low} to {high})"


def plot_by_samples(rows: Sequence[Row]) -> Figure:
    """Accuracy of the majority and of pass@n against the number of samples, greedy beside them."""
    prompts = _prompts(rows)
    vote = _of(rows, prompts[-1], MAJORITY)[-1]
    gain = _known(vote.gain)
    clear = "" if gain.low > 0 or gain.high < 0 else ", no clear difference"
    title = f"{_spoken(vote.prompt)}: the majority of {vote.size} against one sample,\n{points(gain)} points{clear}"
    figure, axes = new_picture(
        title, "samples a problem (bars: 95 % interval)", "problems answered rightly, %"
    )
    for look, prompt in zip(LOOKS, prompts, strict=False):
        _draw_prompt(
            axes, rows, prompt, look, lambda row: 0.85 if row.method == GREEDY else row.size
        )
    axes.set_xscale("log")
    sizes = sorted({row.size for row in rows})
    axes.set_xticks(sizes, [str(size) for size in sizes])
    axes.minorticks_off()
    ways = _in_words(rows, (GREEDY, ONE_SAMPLE, MAJORITY, ANY), _right)
    describe(figure, f"Lines, problems answered rightly, in %, by the samples of a problem. {ways}")
    return _finished(figure, axes)


def plot_by_tokens(rows: Sequence[Row]) -> Figure:
    """Accuracy against the tokens that were drawn for a problem: what each way of answering buys
    with them.
    """
    prompts = _prompts(rows)
    full = _of(rows, prompts[-1], MAJORITY)[-1]
    thriftiest = max(_of(rows, full.prompt, *RULES), key=lambda row: _known(row.tokens_saved).value)
    title = f"{_spoken(full.prompt)}, {full.size} votes: {_bought(full)};\n"
    title += f"stopped when {thriftiest.method}: {_bought(thriftiest)}"
    x_label = "tokens drawn for a problem (log scale; bars: 95 % interval)"
    figure, axes = new_picture(title, x_label, "problems answered rightly, %")
    for look, prompt in zip(LOOKS, prompts, strict=False):
        _draw_prompt(axes, rows, prompt, look, lambda row: row.mean_tokens)
        for row in _of(rows, prompt, *RULES):
            label = f"stopped early, {row.method}" if prompt == prompts[-1] else None
            style = {"color": look.colour, "fmt": RULE_MARKERS[row.method], "mfc": look.inside}
            _points(axes, [row.mean_tokens], [row], **style, label=label)
    axes.set_xscale("log")
    ways = _in_words(
        rows,
        (GREEDY, ONE_SAMPLE, MAJORITY, *RULES),
        lambda row: f"{_right(row)} for {row.mean_tokens:,.0f}",
    )
    describe(
        figure,
        f"Points, problems answered rightly, in %, by the tokens drawn for a problem. {ways}",
    )
    return _finished(figure, axes)


def plot_savings(rows: Sequence[Row]) -> Figure:
    """What each stopping rule saves of the full vote, and what that does to its accuracy."""
    prompt = _prompts(rows)[-1]
    stopped = sorted(_of(rows, prompt, *RULES), key=lambda row: -_known(row.tokens_saved).value)
    parts = ", ".join(
        f"{row.method} {100 * _known(row.tokens_saved).value:.0f} %" for row in stopped
    )
    title = f"{_spoken(prompt)}, at most {stopped[0].size} votes. Tokens saved:\n{parts}"
    figure, axes = new_picture(
        title, "saved, % of the full vote (bars: 95 % interval)", "", grid="x"
    )
    for shift, colour, name in ((-0.2, BLUE, "samples"), (0.2, ORANGE, "tokens")):
        estimates = [
            _known(row.samples_saved if name == "samples" else row.tokens_saved) for row in stopped
        ]
        places = [place + shift for place in range(len(stopped))]
        hatch = None if name == "samples" else "//"
        widths = [100 * estimate.value for estimate in estimates]
        bars = error_bars(estimates)
        axes.barh(
            places,
            widths,
            0.38,
            xerr=bars,
            color=colour,
            hatch=hatch,
            alpha=0.7,
            capsize=3,
            label=name,
        )
    names = [f"{row.method}; accuracy\n{points(_known(row.gain))} points" for row in stopped]
    axes.set_yticks(range(len(stopped)), names, fontsize=9)
    axes.invert_yaxis()
    axes.set_xlim(0, 100)
    axes.legend(fontsize=9)
    saved = "; ".join(_saved(row) for row in stopped)
    return describe(figure, f"Bars, what stopping early saves of {stopped[0].size} votes. {saved}.")


def _known(estimate: Estimate | None) -> Estimate:
    if estimate is None:
        raise ValueError(
            "a row to show has no estimate: votes need a baseline, and stopping rules a full vote"
        )
    return estimate


def _prompts(rows: Sequence[Row]) -> list[str]:
    return list(dict.fromkeys(row.prompt for row in rows))


def _spoken(prompt: str) -> str:
    return prompt.replace("-", " ").capitalize()


def _of(rows: Sequence[Row], prompt: str, *methods: str) -> list[Row]:
    return [row for row in rows if row.prompt == prompt and row.method in methods]


def _right(row: Row) -> str:
    return f"{100 * row.accuracy.value:.1f}"


def _bought(row: Row) -> str:
    return f"{_right(row)} % right for {row.mean_tokens:,.0f} tokens a problem"


def _saved(row: Row) -> str:
    samples, tokens = (
        f"{100 * _known(saved).value:.0f} %" for saved in (row.samples_saved, row.tokens_saved)
    )
    return f"{row.method}: {samples} of the samples, {tokens} of the tokens, accuracy {points(_known(row.gain))} points"


def _in_words(rows: Sequence[Row], methods: Sequence[str], say: Callable[[Row], str]) -> str:
    """The rows of these methods as sentences, one a prompt."""
    sentences = []
    for prompt in _prompts(rows):
        parts = ", ".join(f"{row.name} {say(row)}" for row in _of(rows, prompt, *methods))
        sentences.append(f"{_spoken(prompt)}: {parts}.")
    return " ".join(sentences)


def _draw_prompt(
    axes: Axes, rows: Sequence[Row], prompt: str, look: Look, place: Callable[[Row], float]
) -> None:
    """Votes, what a perfect chooser would reach, and the greedy answer of one prompt, each where
    `place` says.
    """
    for methods, fmt, name in (
        ((ONE_SAMPLE, MAJORITY), look.votes, "majority"),
        ((ANY,), look.ceiling, "any right"),
        ((GREEDY,), look.greedy, "greedy"),
    ):
        shown = _of(rows, prompt, *methods)
        style = {
            "color": look.colour,
            "fmt": fmt,
            "mfc": look.inside if name == "greedy" else look.colour,
        }
        _points(
            axes, [place(row) for row in shown], shown, **style, label=f"{_spoken(prompt)}, {name}"
        )


def _points(axes: Axes, places: Sequence[float], rows: Sequence[Row], **style: Any) -> None:
    """Accuracies with their intervals."""
    accuracies = [row.accuracy for row in rows]
    values = [100 * accuracy.value for accuracy in accuracies]
    axes.errorbar(
        places, values, yerr=error_bars(accuracies), capsize=3, markersize=5, elinewidth=1, **style
    )


def _finished(figure: Figure, axes: Axes) -> Figure:
    axes.set_ylim(-2, 102)
    figure.legend(fontsize=7, ncols=3, loc="outside lower center")  # beside the points, not on them
    return figure
