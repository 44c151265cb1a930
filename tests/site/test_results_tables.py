"""Tables of RESULTS.md whose numbers are kept in files say what the files say."""

import json
import re
from statistics import median

import pytest
from run_notebooks import REPOSITORY

from CH2.benchmark.report import decode_speeds, speeds
from CH3.evaluation.report import Estimate
from CH4.experiments.report import percent

OURS = ("packed weights", "int8", "int4")
LLAMA_CPP = ("llama.cpp BF16", "llama.cpp Q8_0", "llama.cpp Q4_0")
STOPPED = {"decided": "decided", "a block of five agrees": "window", "confident": "confident"}
CPU = {  # rows of the table of speeds, and what the kept file calls them
    "ours: no cache": ["no cache"],
    "ours: preallocated cache, fused attention": ["fused attention"],
    "ours: packed weights, compiled (`fast(model)`)": ["compiled"],
    "ours: 8 bits per weight (`fast(model, bits=8)`)": ["int8"],
    "ours: 4 bits per weight (`fast(model, bits=4)`)": ["int4"],
    "`reasoning-from-scratch` 0.2.0, with cache": ["book"],
    "`transformers` 5.23": ["transformers"],
    "`llama-cpp-python` 0.3.36: BF16, Q8_0, Q4_0": [*LLAMA_CPP],
}


def kept(file: str) -> dict:
    return json.loads((REPOSITORY / file).read_text(encoding="utf-8"))


def table(*titles: str) -> list[list[str]]:
    """Return the rows of the table in RESULTS.md that has these titles, as cells."""
    lines = (REPOSITORY / "RESULTS.md").read_text(encoding="utf-8").splitlines()
    [start] = [n for n, line in enumerate(lines) if cells(line) == [*titles]]
    rows = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        rows.append(cells(line))
    return rows


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().removeprefix("|").removesuffix("|").split("|")]


def share(row: dict) -> str:
    return percent(Estimate(**row["accuracy"]))


def as_told(told: str, values: list[float]) -> str:
    """Return values, each with as many digits behind the point as it is told with."""
    digits = [len(number.partition(".")[2]) for number in told.split(", ")]
    return ", ".join(f"{value:.{n}f}" for value, n in zip(values, digits, strict=True))


def test_tiny_is_as_often_right_and_as_brief_as_its_kept_results():
    found = {(row["prompt"], row["name"]): row for row in kept("CH4/results/results.json")["rows"]}
    titles = ("prompt", "method", "correct, %", "tokens per problem", "tokens saved")
    stated = table(*titles)
    assert len(stated) >= 12
    for prompt, method, correct, tokens, saved in stated:
        name = re.sub(r" \(.*\)$", "", method)
        name = re.sub("^any of ", "pass@", name)
        name = re.sub("stopped when (.+)", lambda match: STOPPED[match[1]], name)
        row = found[prompt.replace(" ", "-"), name]
        told = f"{100 * row['tokens_saved']['value']:.0f} %" if row["tokens_saved"] else ""
        assert (correct, tokens, saved) == (share(row), f"{row['tokens']:,.0f}", told), method


def test_tiny_thinking_is_as_often_right_and_as_brief_as_its_kept_results():
    rows = kept("CH4/results/thinking.json")["rows"]
    found = {
        subject: {(row["prompt"], row["name"]): row for row in some}
        for subject, some in rows.items()
    }
    titles = ("thought", "method", "three numbers, %", "tokens", "four numbers, %", "tokens")
    stated = table(*titles)
    assert len(stated) >= 11
    for thought, method, *told in stated:
        key = thought.removesuffix(" tokens"), method.removesuffix(", checked")
        three, four = (found[f"{count} numbers"][key] for count in ("three", "four"))
        expected = [
            f(row) for row in (three, four) for f in (share, lambda r: f"{r['tokens']:,.0f}")
        ]
        assert told == expected, (thought, method)


@pytest.mark.parametrize("file", ["results", "thinking"])
def test_minutes_threads_and_dates_of_the_kept_runs_are_told(file):
    run = kept(f"CH4/results/{file}.json")["run"]
    [threads] = re.findall(r"(\d+) threads", run["machine"])
    told = f"({run['minutes_in_this_run']:.0f} minutes on {threads} thread; {run['date']}"
    text = (REPOSITORY / "RESULTS.md").read_text(encoding="utf-8")
    assert len(re.findall(rf"`python -m CH4\.experiments[^`]*` {re.escape(told)}", text)) == 1


def test_speeds_on_a_cpu_are_those_of_the_kept_run():
    found = decode_speeds(kept("CH2/results/0.6B-two-cores.json"))
    stated = {name: told for name, *told in table("", "tokens per second", "times the book's")}
    assert stated.keys() == CPU.keys()
    for name, (speed, times) in stated.items():
        values = [found[peer] for peer in CPU[name]]
        assert speed == as_told(speed, values), name
        assert times == as_told(times, [value / found["book"] for value in values]), name


@pytest.mark.parametrize(
    ("words", "ours"),
    [
        ("reading 2,048 tokens, seconds", OURS),
        ("one text after them", OURS),
        ("eight samples of one prompt, all together", ("compiled", "int8")),
        ("loading a checkpoint, to the first token, after the imports, seconds", ("load_qwen3",)),
    ],
)
def test_long_prompts_batches_and_loading_on_a_cpu_are_those_of_the_kept_run(words, ours):
    results = kept("CH2/results/0.6B-two-cores.json")
    found = {
        "reading": {
            name: [pair["long"]["first_token"] for pair in pairs]
            for name, pairs in results["prefill"].items()
        },
        "one": {
            name: speeds([pair["long"] for pair in pairs])
            for name, pairs in results["prefill"].items()
        },
        "eight": {name: speeds(runs) for name, runs in results["batch"].items()},
        "loading": {name: [run["load"] for run in runs] for name, runs in results["load"].items()},
    }[words.split()[0]]
    rows = {
        name: told for name, *told in table("", "ours", "the book's", "`transformers`", "llama.cpp")
    }
    columns = (ours, ("book",), ("transformers",), LLAMA_CPP)
    for told, peers in zip(rows[words], columns, strict=True):
        values = [median(found[peer]) for peer in peers if peer in found]
        measured = re.match(r"[\d., ]*\d", told)
        assert bool(measured) == bool(values)
        if measured:
            assert measured[0] == as_told(measured[0], values)


def test_speeds_on_the_other_processor_are_those_of_its_kept_run_with_their_range():
    decode = kept("CH2/results/0.6B-two-cores-epyc.json")["decode"]

    def told(peer: str) -> str:
        low, middle, high = sorted(speeds(decode[peer]))
        return f"{middle:.1f} ({low:.1f} to {high:.1f})"

    def middle(peer: str) -> float:
        return median(speeds(decode[peer]))

    rows = table("bits", "ours", "llama.cpp", "ours as a share of it")
    assert [row[0] for row in rows] == ["16", "8", "4"]
    for (_, *row), ours, theirs in zip(rows, ("compiled", "int8", "int4"), LLAMA_CPP, strict=True):
        assert row == [told(ours), told(theirs), f"{middle(ours) / middle(theirs):.2f}"]
    text = (REPOSITORY / "RESULTS.md").read_text(encoding="utf-8")
    assert f"The book's package gave {told('book')}" in text
    assert f"{middle('compiled') / middle('book'):.2f} times as fast by the medians" in text
    assert f"`transformers` {told('transformers')}." in text


def test_the_books_measurements_are_those_that_chapter_4_draws():
    rows = table("model", "prompt", "method", "correct, %", "minutes")
    assert len(rows) == 12
    assert rows == [
        [one["model"], one["prompt"], one["method"], f"{one['correct']:.1f}", f"{one['minutes']}"]
        for one in kept("CH4/results/book.json")["rows"]
    ]


def test_the_cards_budgets_are_those_of_the_kept_run():
    card = (REPOSITORY / "CH2/qwen3/tiny-thinking/README.md").read_text(encoding="utf-8")
    told = re.findall(
        r"^\| (\d+) \| (.+?) \| (.+?) \| (.+?) \| (.+?) \| (.+?) \| (.+?) \|$", card, re.MULTILINE
    )
    assert [budget for budget, *_ in told] == ["0", "25", "50", "100", "200", "400", "800"]
    rows = kept("CH4/results/thinking.json")["rows"]
    for budget, *cells in told:
        expected = []
        for count in ("three", "four"):
            [row] = [
                row
                for row in rows[f"{count} numbers"]
                if (row["prompt"], row["name"]) == (f"at most {budget}", "greedy")
            ]
            value, between = share(row).removesuffix(")").split(" (")
            expected += [value, between, f"{row['tokens']:.0f}"]
        assert cells == expected, budget
