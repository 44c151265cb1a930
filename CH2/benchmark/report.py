"""The benchmark's results as tables and a picture; all is computed from the dictionary that
`--json` writes.

- a number stands as its median with the smallest and the largest of the rounds
- ratios are of medians, and between contestants that keep their weights in as many bits
"""

from collections.abc import Iterable, Sequence
from statistics import median
from typing import Any

from matplotlib.figure import Figure

from Appendixes.figure_style import BLUE, GREEN, ORANGE, PINK, describe, new_picture
from CH2.benchmark.peers import BOOK, LLAMA_CPP, TRANSFORMERS

GB, MB = 1e9, 1e6
LINEARS = "bare linears"


def print_table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Columns as wide as they need to be: the first to the left, the others to the right; empty
    ones left out.
    """
    rows = list(rows)
    columns = [column for column in zip(titles, *rows, strict=True) if any(column[1:])]
    widths = [max(map(len, column)) for column in columns]
    for line in zip(*columns, strict=True):
        cells = [cell.rjust(width) for cell, width in zip(line, widths, strict=True)]
        print("  " + "  ".join([line[0].ljust(widths[0]), *cells[1:]]))


def spread(values: Sequence[float]) -> str:
    """Median, smallest and largest, with about three digits.

    >>> spread([3.0, 1.0, 2.0]), spread([30.0, 10.0, 20.0])
    ('2.00 (1.00 to 3.00)', '20.0 (10.0 to 30.0)')
    """
    middle = median(values)
    digits = 2 if middle < 10 else 1 if middle < 1000 else 0
    return f"{middle:,.{digits}f} ({min(values):,.{digits}f} to {max(values):,.{digits}f})"


def speeds(runs: Sequence[dict]) -> list[float]:
    """Tokens a second of all rows while decoding, in each run."""
    return [run["rows"] * run["steps"] / run["decode"] for run in runs]


def ratio(value: float, other: float | None) -> str:
    """How many times the other; nothing if there is no other."""
    return "" if other is None else f"{value / other:.2f}"


def step_bytes(contestant: dict, context: float) -> float:
    """Bytes that one step of decoding reads: the weights, and keys and values of so many tokens."""
    return contestant["weight_bytes"] + context * contestant["cache_bytes"]


def same_weights(results: dict, name: str) -> str:
    """llama.cpp's contestant with as many bits a weight as this one."""
    return LLAMA_CPP[results["contestants"][name]["weights"]]


def decode_speeds(results: dict) -> dict[str, float]:
    """Median tokens a second of every contestant that decoded one text."""
    return {name: median(speeds(runs)) for name, runs in results["decode"].items()}


def print_decode(results: dict) -> None:
    """Tokens a second, and how near they are to what the memory gives."""
    settings, bandwidth = results["settings"], results["bandwidth"]
    print(
        f"\nDecoding one text: {settings['prompt_tokens']} tokens read, {settings['new_tokens']} written "
        f"(the memory gave up to {bandwidth / GB:.1f} GB/s)"
    )
    medians, before, rows = decode_speeds(results), None, []
    for name, runs in results["decode"].items():
        contestant, speed = results["contestants"][name], medians[name]
        written = runs[0]["steps"] + 1
        rate = speed * step_bytes(contestant, settings["prompt_tokens"] + written / 2)
        rows.append(
            (
                name if written == settings["new_tokens"] else f"{name} ({written} written)",
                spread(speeds(runs)),
                f"{rate / GB:.1f}",
                f"{rate / bandwidth:.0%}",
                ratio(speed, before) if contestant["rung"] else "",
                ratio(speed, medians.get(BOOK)),
                ratio(speed, medians.get(TRANSFORMERS)),
                ratio(speed, medians.get(same_weights(results, name))),
            )
        )
        before = speed if contestant["rung"] else before
    titles = (
        "",
        "tokens/s",
        "GB/s",
        "of the memory's",
        "x rung before",
        "x book",
        "x transformers",
        "x llama.cpp",
    )
    print_table(titles, rows)


def print_prefill(results: dict) -> None:
    """Seconds to read a long prompt, and what decoding after it keeps of its speed."""
    settings, found = results["settings"], results["prefill"]
    print(f"\nReading a prompt of {settings['context']:,} tokens, up to the first new one")
    seconds = {
        name: [pair["long"]["first_token"] for pair in pairs] for name, pairs in found.items()
    }
    times = {name: median(values) for name, values in seconds.items()}
    rows: list[tuple] = [
        (
            name,
            spread(values),
            ratio(times[name], times.get(TRANSFORMERS)),
            ratio(times[name], times.get(BOOK)),
            ratio(times[name], times.get(same_weights(results, name))),
        )
        for name, values in seconds.items()
    ]
    print_table(("", "s", "/ transformers", "/ book", "/ llama.cpp"), rows)

    print(
        f"\nDecoding after these {settings['context']:,} tokens, and after {settings['prompt_tokens']}"
    )
    after = {name: speeds([pair["long"] for pair in pairs]) for name, pairs in found.items()}
    medians = {name: median(values) for name, values in after.items()}
    rows = []
    for name, pairs in found.items():
        start = speeds([pair["short"] for pair in pairs])
        kept = median(late / early for late, early in zip(after[name], start, strict=True))
        written = pairs[0]["long"]["steps"] / 2
        short, long = (
            step_bytes(results["contestants"][name], settings[length] + written)
            for length in ("prompt_tokens", "context")
        )
        rows.append(
            (
                name,
                spread(start),
                spread(after[name]),
                f"{kept:.2f}",
                ratio(short, long),
                ratio(kept, short / long),
                ratio(medians[name], medians.get(BOOK)),
                ratio(medians[name], medians.get(TRANSFORMERS)),
                ratio(medians[name], medians.get(same_weights(results, name))),
            )
        )
    titles = (
        "",
        "before",
        "tokens/s",
        "kept",
        "bytes allow",
        "of that",
        "x book",
        "x transformers",
        "x llama.cpp",
    )
    print_table(titles, rows)


def print_batch(results: dict) -> None:
    """Several samples of one prompt."""
    settings = results["settings"]
    print(
        f"\n{settings['batch']} samples of one prompt of {settings['prompt_tokens']} tokens, all samples together"
    )
    medians = {name: median(speeds(runs)) for name, runs in results["batch"].items()}
    alone = next(
        (medians[name] for name, runs in results["batch"].items() if runs[0]["rows"] == 1), None
    )
    rows = []
    for name, runs in results["batch"].items():
        turns = settings["batch"] / runs[0]["rows"]  # how often it has to be run for all samples
        rows.append(
            (
                name,
                spread(speeds(runs)),
                spread([turns * (run["first_token"] + run["decode"]) for run in runs]),
                ratio(medians[name], alone),
                ratio(medians[name], medians.get(LINEARS)),
                ratio(medians[name], medians.get(TRANSFORMERS)),
            )
        )
    print_table(
        ("", "tokens/s", "s with the prompt", "x one by one", "x bare linears", "x transformers"),
        rows,
    )


def print_load(results: dict) -> None:
    """From the file to the first token."""
    print("\nFrom a checkpoint in the page cache to the first token, in a fresh process")
    times = {name: median(run["load"] for run in runs) for name, runs in results["load"].items()}
    rows = [
        (
            name,
            spread([run["load"] for run in runs]),
            spread([run["all"] for run in runs]),
            ratio(times[name], times.get(TRANSFORMERS)),
        )
        for name, runs in results["load"].items()
    ]
    print_table(("", "s", "with imports, s", "/ transformers"), rows)


def print_growth(results: dict) -> None:
    """What a token costs as the text grows."""
    for name, rounds in results["growth"].items():
        print(f"\nThe cost of a token as the text grows: {name}")
        contestant, rows = results["contestants"][name], []
        for length in rounds[0]:
            seconds = [grown[length]["seconds"] for grown in rounds]
            read = step_bytes(contestant, int(length))
            used, held = (rounds[0][length][key] for key in ("bytes_used", "bytes_held"))
            rows.append(
                (
                    f"{int(length):,}",
                    spread([1000 * value for value in seconds]),
                    f"{read / GB:.2f}",
                    f"{1000 * median(seconds) / (read / GB):.1f}",
                    f"{used / MB:,.1f}",
                    f"{held / MB:,.1f}",
                )
            )
        titles = ("context", "ms a token", "GB read", "ms a GB", "cache used, MB", "cache held, MB")
        print_table(titles, rows)


PRINTERS = {
    "decode": print_decode,
    "prefill": print_prefill,
    "batch": print_batch,
    "load": print_load,
    "growth": print_growth,
}


def draw_decode(results: dict) -> Figure:
    """Tokens a second of every contestant, and for each the limit that its bytes and the memory's
    speed set.
    """
    settings, medians = results["settings"], decode_speeds(results)
    names, kinds = list(medians), results["contestants"]
    limits = [
        results["bandwidth"]
        / step_bytes(kinds[name], settings["prompt_tokens"] + settings["new_tokens"] / 2)
        for name in names
    ]
    best = max((name for name in names if kinds[name]["rung"]), key=lambda name: medians[name])
    share = medians[best] / limits[names.index(best)]
    figure, axes = new_picture(
        f"{best}: {medians[best]:,.1f} tokens/s, {share:.0%} of what the memory allows",
        "tokens per second, one text",
        f"Qwen3 {settings['shape']}, {settings['dtype']}",
        grid="x",
    )
    figure.set_size_inches(7, 1.4 + 0.3 * len(names))
    colours = [
        {"half": BLUE, "int8": GREEN, "int4": PINK}[kinds[name]["weights"]] for name in names
    ]
    hatches = ["" if kinds[name]["rung"] else "//" for name in names]
    bars = axes.barh(names, list(medians.values()), color=colours, hatch=hatches, edgecolor="white")
    bits = [
        {"half": "", "int8": " (8 bits)", "int4": " (4 bits)"}[kinds[name]["weights"]]
        for name in names
    ]
    speed_labels = [
        f"{speed:,.1f}{width}" for speed, width in zip(medians.values(), bits, strict=True)
    ]
    axes.bar_label(bars, speed_labels, padding=3, fontsize=9)
    places = range(len(names))
    axes.vlines(
        limits,
        [i - 0.4 for i in places],
        [i + 0.4 for i in places],
        ORANGE,
        linewidth=2,
        label="memory's limit",
    )
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.set_xlim(0, 1.15 * max(*limits, *medians.values()))
    handles: list[Any] = [axes.barh([0], [0], color=colour) for colour in (BLUE, GREEN, PINK)]
    others = (
        [axes.barh([0], [0], color="white", hatch="//", edgecolor="black")] if any(hatches) else []
    )
    labels = ["16 or 32 bits", "8 bits", "4 bits", *(["for comparison"] if others else [])]
    handles, labels = [*handles, *others, axes.collections[0]], [*labels, "memory's limit"]
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), fontsize=8)
    parts = [
        f"{name} {speed:,.1f} of at most {limit:,.1f}"
        for (name, speed), limit in zip(medians.items(), limits, strict=True)
    ]
    return describe(
        figure, f"Bars, tokens a second of one text, with the memory's limit: {'; '.join(parts)}."
    )
