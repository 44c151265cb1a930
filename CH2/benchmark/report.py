"""The benchmark's results as tables and a picture, made from the dictionary that `--json` writes.

- a number is the median of the rounds, with the smallest and the largest
- ratios are between medians, and between peers whose weights have as many bits
"""

from collections.abc import Sequence
from statistics import median
from typing import Any

from matplotlib.figure import Figure

from Appendixes.command_line import table
from Appendixes.figure_style import BLUE, GREEN, ORANGE, PINK, describe, new_picture
from CH2.benchmark.peers import BOOK, LLAMA_CPP, TRANSFORMERS

GB, MB = 1e9, 1e6
LINEARS = "bare linears"


def print_machine(results: dict) -> None:
    """Print the machine, the versions and the memory's speed."""
    machine, settings = results["machine"], results["settings"]
    processor = machine.get("gpu", machine["processor"])
    print(f"{processor}, {machine['threads']} threads, {machine['system']}")
    print(", ".join(f"{package} {version}" for package, version in results["versions"].items()))
    print(
        f"Qwen3 {settings['shape']} with random weights, {settings['dtype']}; "
        f"{settings['rounds']} rounds"
    )
    print(f"memory is read at {results['bandwidth'] / GB:.1f} GB/s")


def print_filled(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table without its empty columns."""
    columns = [column for column in zip(titles, *rows, strict=True) if any(column[1:])]
    first, *others = zip(*columns, strict=True)
    print(table(first, others))


def spread(values: Sequence[float]) -> str:
    """Format median, smallest and largest with about three digits.

    >>> spread([3.0, 1.0, 2.0]), spread([30.0, 10.0, 20.0])
    ('2.00 (1.00 to 3.00)', '20.0 (10.0 to 30.0)')
    """
    middle = median(values)
    digits = 2 if middle < 10 else 1 if middle < 1000 else 0
    return f"{middle:,.{digits}f} ({min(values):,.{digits}f} to {max(values):,.{digits}f})"


def speeds(runs: Sequence[dict]) -> list[float]:
    """Compute the tokens per second of all rows while decoding, for each run."""
    return [run["rows"] * run["steps"] / run["decode"] for run in runs]


def ratio(value: float, other: float | None) -> str:
    """Format `value / other`; an empty text if there is no other."""
    return "" if other is None else f"{value / other:.2f}"


def step_bytes(peer: dict, context: float) -> float:
    """Compute the bytes that one decoding step reads: weights, and keys and values of a context."""
    return peer["weight_bytes"] + context * peer["cache_bytes"]


def same_weights(results: dict, name: str) -> str:
    """Return the name of llama.cpp's peer with as many bits per weight as this one."""
    return LLAMA_CPP[results["peers"][name]["weights"]]


def decode_speeds(results: dict) -> dict[str, float]:
    """Compute the median tokens per second of every peer that decoded one text."""
    return {name: median(speeds(runs)) for name, runs in results["decode"].items()}


def print_decode(results: dict) -> None:
    """Print tokens per second, and their share of what the memory allows."""
    settings, bandwidth = results["settings"], results["bandwidth"]
    print(
        f"\nDecoding one text: {settings['prompt_tokens']} tokens read, "
        f"{settings['new_tokens']} written (the memory gave up to {bandwidth / GB:.1f} GB/s)"
    )
    medians, before, rows = decode_speeds(results), None, []
    for name, runs in results["decode"].items():
        peer, speed = results["peers"][name], medians[name]
        written = runs[0]["steps"] + 1
        rate = speed * step_bytes(peer, settings["prompt_tokens"] + written / 2)
        rows.append(
            (
                name if written == settings["new_tokens"] else f"{name} ({written} written)",
                spread(speeds(runs)),
                f"{rate / GB:.1f}",
                f"{rate / bandwidth:.0%}",
                ratio(speed, before) if peer["rung"] else "",
                ratio(speed, medians.get(BOOK)),
                ratio(speed, medians.get(TRANSFORMERS)),
                ratio(speed, medians.get(same_weights(results, name))),
            )
        )
        before = speed if peer["rung"] else before
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
    print_filled(titles, rows)


def print_prefill(results: dict) -> None:
    """Print the time to read a long and a short prompt, and the speed that decoding keeps after the
    long one.
    """
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
            spread([1000 * pair["short"]["first_token"] for pair in found[name]]),
        )
        for name, values in seconds.items()
    ]
    ms = f"ms for {settings['prompt_tokens']} tokens"
    print_filled(("", "s", "/ transformers", "/ book", "/ llama.cpp", ms), rows)

    print(
        f"\nDecoding after these {settings['context']:,} tokens, "
        f"and after {settings['prompt_tokens']}"
    )
    after = {name: speeds([pair["long"] for pair in pairs]) for name, pairs in found.items()}
    medians = {name: median(values) for name, values in after.items()}
    rows = []
    for name, pairs in found.items():
        start = speeds([pair["short"] for pair in pairs])
        kept = median(late / early for late, early in zip(after[name], start, strict=True))
        written = pairs[0]["long"]["steps"] / 2
        short, long = (
            step_bytes(results["peers"][name], settings[length] + written)
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
    print_filled(titles, rows)


def sized(name: str, rows: int) -> str:
    """Name a measurement of a peer with this number of rows.

    >>> sized("book", 1), sized("book", 8)
    ('book, 1 row', 'book, 8 rows')
    """
    return f"{name}, {rows} row{'' if rows == 1 else 's'}"


def print_batch(results: dict) -> None:
    """Print the speed of several samples of one prompt."""
    settings = results["settings"]
    print(f"\nSamples of one prompt of {settings['prompt_tokens']} tokens, together")
    medians = {name: median(speeds(runs)) for name, runs in results["batch"].items()}
    alone = next(
        (medians[name] for name, runs in results["batch"].items() if runs[0]["rows"] == 1), None
    )
    rows = []
    for name, runs in results["batch"].items():
        batch = runs[0]["rows"]
        rows.append(
            (
                name,
                spread(speeds(runs)),
                spread([run["first_token"] + run["decode"] for run in runs]),
                ratio(medians[name], alone),
                ratio(medians[name], medians.get(sized(LINEARS, batch))),
                ratio(medians[name], medians.get(sized(TRANSFORMERS, batch))),
            )
        )
    print_filled(
        ("", "tokens/s", "s with the prompt", "x one row", "x bare linears", "x transformers"),
        rows,
    )


def print_load(results: dict) -> None:
    """Print the seconds from the file to the first token."""
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
    print_filled(("", "s", "with imports, s", "/ transformers"), rows)


def print_growth(results: dict) -> None:
    """Print the time per token as the text grows."""
    for name, rounds in results["growth"].items():
        print(f"\nThe cost of a token as the text grows: {name}")
        peer, rows = results["peers"][name], []
        for length in rounds[0]:
            seconds = [grown[length]["seconds"] for grown in rounds]
            read = step_bytes(peer, int(length))
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
        titles = (
            "context",
            "ms per token",
            "GB read",
            "ms per GB",
            "cache used, MB",
            "cache held, MB",
        )
        print_filled(titles, rows)


PRINTERS = {
    "decode": print_decode,
    "prefill": print_prefill,
    "batch": print_batch,
    "load": print_load,
    "growth": print_growth,
}


def draw_decode(results: dict) -> Figure:
    """Draw every peer's tokens per second, with the limit that its bytes and the memory set."""
    settings, medians = results["settings"], decode_speeds(results)
    names, kinds = list(medians), results["peers"]
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
        {"plain": BLUE, "int8": GREEN, "int4": PINK}[kinds[name]["weights"]] for name in names
    ]
    hatches = ["" if kinds[name]["rung"] else "//" for name in names]
    bars = axes.barh(names, list(medians.values()), color=colours, hatch=hatches, edgecolor="white")
    bits = [
        {"plain": "", "int8": " (8 bits)", "int4": " (4 bits)"}[kinds[name]["weights"]]
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
        figure, f"Bars, tokens per second of one text, with the memory's limit: {'; '.join(parts)}."
    )
