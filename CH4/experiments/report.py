"""Show the table of `CH4.experiments` as Markdown and as pictures, with computed titles."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from Appendixes.command_line import table
from Appendixes.figure_style import BLUE, ORANGE, describe, new_picture
from CH3.evaluation.report import Estimate, cut_short_in_words, endings_of, error_bars
from CH3.evaluation.results import Result
from CH4.early_stopping import RULES
from CH4.experiments.comparison import ANY, GREEDY, MAJORITY, ONE_SAMPLE, TableRow

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
In brackets: 95 % intervals. Right: share of the problems. One sample: mean over all samples drawn
(pass@1). Pass@n: at least one of n samples is right, which a perfect chooser would reach; estimated
from all samples drawn. Samples, tokens: mean numbers drawn per problem; its prompt, which is read
once, is not counted. Saved: share of the full vote (normal interval of a ratio, after adding one
problem that saved all and one that saved nothing). Gain: difference in the share of problems that
are right, paired by problem (normal interval, after adding one problem won and one lost; so it has
a width even where no problem differs, as with the rule "decided", which never changes a winner).
"""
RULE_MARKERS = dict(zip(RULES, ("s", "^", "v"), strict=True))


class Look(NamedTuple):
    """Colour and matplotlib formats for the rows of one prompt."""

    colour: str
    votes: str  # line and markers of the votes
    ceiling: str  # of pass@n
    greedy: str  # marker of the greedy answer
    inside: str  # colour inside single markers


# two prompts differ in all of them
LOOKS = (Look(ORANGE, "d--", "+-.", "P", ORANGE), Look(BLUE, "o-", "x:", "D", "white"))


def markdown_table(rows: Sequence[TableRow]) -> str:
    """Format the rows, with their intervals, as a Markdown table."""
    return table(HEADINGS, [_cells(row) for row in rows])


def _cells(row: TableRow) -> list[str]:
    compared_with = ""
    if row.baseline is not None:
        same_prompt = row.baseline.prompt == row.prompt
        compared_with = row.baseline.name if same_prompt else row.baseline.prompt
    return [
        row.prompt,
        row.name,
        percent(row.accuracy),
        f"{row.mean_samples:.1f}",
        f"{row.mean_tokens:,.1f}",
        percent(row.samples_saved) if row.samples_saved else "",
        percent(row.tokens_saved) if row.tokens_saved else "",
        points(row.gain) if row.gain else "",
        compared_with,
    ]


def percent(estimate: Estimate) -> str:
    """Format a share and its interval in per cent.

    >>> percent(Estimate(0.7, 0.651, 0.75))
    '70.0 (65.1 to 75.0)'
    """
    value, low, high = estimate.value, estimate.low, estimate.high
    return f"{100 * value:.1f} ({100 * low:.1f} to {100 * high:.1f})"


def points(estimate: Estimate) -> str:
    """Format a difference of shares and its interval in percentage points.

    >>> points(Estimate(-0.0001, -0.012, 0.01))
    '+0.0 (-1.2 to +1.0)'
    """
    value, low, high = (
        f"{round(100 * number, 1) + 0.0:+.1f}"  # + 0.0 makes -0.0 positive
        for number in (estimate.value, estimate.low, estimate.high)
    )
    return f"{value} ({low} to {high})"


def notes_on_texts(
    results: Mapping[str, Sequence[Result]], max_new_tokens: int, temperature: float
) -> list[str]:
    """Say which texts are not whole, and warn of what a server did not do.

    Args:
        results: those of greedy answers and of votes, by what they are called.
        max_new_tokens: most tokens of a text.
        temperature: of the samples.
    """
    notes = []
    for label, some in results.items():
        # 1. Texts that are not whole, and problems without any.
        if cut_short := cut_short_in_words(endings_of(some), max_new_tokens):
            notes.append(f"{label}: {cut_short}; without a box, such a text has no answer")
        for result in some:
            if "refusal" in result:
                name, why = result["unique_id"], result["refusal"]
                notes.append(f"{label}: problem {name} counts as wrong, as it was refused: {why}")
        # 2. Texts of another model.
        others = Counter(one["answered_by"] for one in some if "answered_by" in one)
        for name, count in others.items():
            notes.append(
                f"warning: {label}: the server says that another model answered {count} of "
                f"{len(some)} problems: "
                f"{name}"
            )
        # 3. Samples that are none, or whose probability is not known.
        votes = [result["samples"] for result in some if "samples" in result]
        written = [[one for one in samples if one["text"]] for samples in votes]
        written = [samples for samples in written if len(samples) > 1]
        if not written:
            continue
        if temperature > 0 and all(
            len({one["text"] for one in samples}) == 1 for samples in written
        ):
            notes.append(
                f"warning: {label}: the samples of each problem are one and the same text, at "
                f"temperature {temperature}. Unless the model is certain each time, whatever wrote "
                "them did not sample, and the votes and their savings say nothing"
            )
        if all(one["logprob"] == 0 for samples in written for one in samples):
            notes.append(
                f"warning: {label}: no log-probability came with the samples, so the "
                "confidence-weighted votes weigh all of them alike"
            )
    return notes


def plot_by_samples(rows: Sequence[TableRow]) -> Figure:
    """Plot the accuracy of the majority and of pass@n against the number of samples."""
    # 1. The title states the gain of the largest vote.
    prompts = _prompts(rows)
    vote = _of(rows, prompts[-1], MAJORITY)[-1]
    gain = _known(vote.gain)
    clear = "" if gain.low > 0 or gain.high < 0 else ", no clear difference"
    title = f"{_spoken(vote.prompt)}: the majority of {vote.size} against one sample,\n"
    title += f"{points(gain)} points{clear}"
    x_label = "samples per problem (bars: 95 % interval)"
    figure, axes = new_picture(title, x_label, "problems answered rightly, %")
    # 2. Lines and points of each prompt; greedy stands a little to the left of one sample.
    for look, prompt in zip(LOOKS, prompts, strict=False):
        _draw_prompt(
            axes, rows, prompt, look, lambda row: 0.85 if row.method == GREEDY else row.size
        )
    # 3. Axes, and the picture in words.
    axes.set_xscale("log")
    sizes = sorted({row.size for row in rows})
    axes.set_xticks(sizes, [str(size) for size in sizes])
    axes.minorticks_off()
    ways = _in_words(rows, (GREEDY, ONE_SAMPLE, MAJORITY, ANY), _right)
    describe(figure, f"Lines, problems answered rightly, in %, by samples per problem. {ways}")
    return _finished(figure, axes)


def plot_by_tokens(rows: Sequence[TableRow]) -> Figure:
    """Plot the accuracy of each way of answering against the mean tokens drawn per problem."""
    # 1. The title compares the largest vote with the rule that saves most.
    prompts = _prompts(rows)
    full = _of(rows, prompts[-1], MAJORITY)[-1]
    thriftiest = max(_of(rows, full.prompt, *RULES), key=lambda row: _known(row.tokens_saved).value)
    title = f"{_spoken(full.prompt)}, {full.size} votes: {_bought(full)};\n"
    title += f"stopped when {thriftiest.method}: {_bought(thriftiest)}"
    x_label = "tokens drawn per problem (log scale; bars: 95 % interval)"
    figure, axes = new_picture(title, x_label, "problems answered rightly, %")
    # 2. Lines and points of each prompt, and a marker for each rule.
    for look, prompt in zip(LOOKS, prompts, strict=False):
        _draw_prompt(axes, rows, prompt, look, lambda row: row.mean_tokens)
        for row in _of(rows, prompt, *RULES):
            label = f"stopped early, {row.method}" if prompt == prompts[-1] else None
            style = {"color": look.colour, "fmt": RULE_MARKERS[row.method], "mfc": look.inside}
            _points(axes, [row.mean_tokens], [row], **style, label=label)
    axes.set_xscale("log")
    # 3. The picture in words.
    methods = (GREEDY, ONE_SAMPLE, MAJORITY, *RULES)
    ways = _in_words(rows, methods, lambda row: f"{_right(row)} for {row.mean_tokens:,.0f}")
    describe(figure, f"Points, problems answered rightly, in %, by tokens per problem. {ways}")
    return _finished(figure, axes)


def plot_savings(rows: Sequence[TableRow]) -> Figure:
    """Plot the share of samples and tokens that each stopping rule saves of the full vote."""
    # 1. The title names the rules, that which saves most first.
    prompt = _prompts(rows)[-1]
    stopped = sorted(_of(rows, prompt, *RULES), key=lambda row: -_known(row.tokens_saved).value)
    parts = ", ".join(
        f"{row.method} {100 * _known(row.tokens_saved).value:.0f} %" for row in stopped
    )
    title = f"{_spoken(prompt)}, at most {stopped[0].size} votes. Tokens saved:\n{parts}"
    x_label = "saved, % of the full vote (bars: 95 % interval)"
    figure, axes = new_picture(title, x_label, "", grid="x")
    # 2. Two bars for each rule: samples above, tokens below.
    looks: list[tuple[float, list[Estimate | None], dict[str, Any]]] = [
        (-0.2, [row.samples_saved for row in stopped], {"color": BLUE, "label": "samples"}),
        (0.2, [row.tokens_saved for row in stopped], {"color": ORANGE, "label": "tokens"}),
    ]
    for (shift, saved, look), hatch in zip(looks, (None, "//"), strict=True):
        estimates = [_known(estimate) for estimate in saved]
        places = [place + shift for place in range(len(stopped))]
        widths, bars = [100 * estimate.value for estimate in estimates], error_bars(estimates)
        axes.barh(places, widths, 0.38, xerr=bars, hatch=hatch, alpha=0.7, capsize=3, **look)
    # 3. Axes, and the picture in words.
    names = [f"{row.method}; accuracy\n{points(_known(row.gain))} points" for row in stopped]
    axes.set_yticks(range(len(stopped)), names, fontsize=9)
    axes.invert_yaxis()
    axes.set_xlim(0, 100)
    axes.legend(fontsize=9)
    said = "; ".join(_saved(row) for row in stopped)
    return describe(figure, f"Bars, what stopping early saves of {stopped[0].size} votes. {said}.")


def _known(estimate: Estimate | None) -> Estimate:
    """Return an estimate that a row to show must have."""
    if estimate is None:
        raise ValueError(
            "a row to show has no estimate: votes need a baseline, and stopping rules a full vote"
        )
    return estimate


def _prompts(rows: Sequence[TableRow]) -> list[str]:
    return list(dict.fromkeys(row.prompt for row in rows))


def _spoken(prompt: str) -> str:
    return prompt.replace("-", " ").capitalize()


def _of(rows: Sequence[TableRow], prompt: str, *methods: str) -> list[TableRow]:
    return [row for row in rows if row.prompt == prompt and row.method in methods]


def _right(row: TableRow) -> str:
    return f"{100 * row.accuracy.value:.1f}"


def _bought(row: TableRow) -> str:
    return f"{_right(row)} % right for {row.mean_tokens:,.0f} tokens per problem"


def _saved(row: TableRow) -> str:
    samples, tokens = (
        f"{100 * _known(saved).value:.0f} %" for saved in (row.samples_saved, row.tokens_saved)
    )
    gain = points(_known(row.gain))
    return f"{row.method}: {samples} of the samples, {tokens} of the tokens, accuracy {gain} points"


def _in_words(
    rows: Sequence[TableRow], methods: Sequence[str], say: Callable[[TableRow], str]
) -> str:
    """Describe the rows of these methods, in one sentence per prompt."""
    sentences = []
    for prompt in _prompts(rows):
        parts = ", ".join(f"{row.name} {say(row)}" for row in _of(rows, prompt, *methods))
        sentences.append(f"{_spoken(prompt)}: {parts}.")
    return " ".join(sentences)


def _draw_prompt(
    axes: Axes,
    rows: Sequence[TableRow],
    prompt: str,
    look: Look,
    place: Callable[[TableRow], float],
) -> None:
    """Draw one prompt's votes, pass@n and greedy answer, each at the x value that `place` gives."""
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


def _points(axes: Axes, places: Sequence[float], rows: Sequence[TableRow], **style: Any) -> None:
    """Draw the accuracies of rows with their intervals."""
    accuracies = [row.accuracy for row in rows]
    values = [100 * accuracy.value for accuracy in accuracies]
    axes.errorbar(
        places, values, yerr=error_bars(accuracies), capsize=3, markersize=5, elinewidth=1, **style
    )


def _finished(figure: Figure, axes: Axes) -> Figure:
    axes.set_ylim(-2, 102)
    figure.legend(fontsize=7, ncols=3, loc="outside lower center")  # beside the points, not on them
    return figure
