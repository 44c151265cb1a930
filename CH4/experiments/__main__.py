"""Compare all ways of answering of this chapter on the same problems, as one table.

    python -m CH4.experiments                              the shipped model on its 500 problems
    python -m CH4.experiments --limit 50 --samples 10      a first look: fewer problems and samples
    python -m CH4.experiments --fresh                      each vote draws its own samples

The real models, on a GPU; both are downloaded on first use:

    python -m CH4.experiments --model Qwen/Qwen3-0.6B-Base --data math500 \\
        --max-new-tokens 2048 --batch 64
    python -m CH4.experiments --model Qwen/Qwen3-0.6B --data math500 --chat thinking \\
        --max-new-tokens 8192 --batch 32

Puzzles, whose answers are checked, and a model that thinks: longer thoughts against more samples.
Thinking is off, on, or cut off by a budget of tokens:

    python -m CH4.experiments --model tiny-thinking --data countdown500

The rows elsewhere: greedy answers, direct and with chain of thought; one sample; majority votes of
3, 5, 10 and 20 samples, each beside the confidence-weighted vote and pass@n; and the largest vote
with each rule that stops it early.

All votes are replayed on one set of samples for each prompt, so that their differences are not
those of luck: a vote of fewer samples, or one that stops early, would have drawn the first samples
of the set. With --fresh each vote draws anew, with the same seed: the numbers must be the same, but
for samples that rounding changes.

A server can answer in the model's place, and several processes can share the problems, as in
CH3.evaluation; when all shards are done, the same command without --shard makes the table:

    python -m CH4.experiments --endpoint http://127.0.0.1:8000/v1 --model Qwen/Qwen3-0.6B-Base \\
        --data math500
    python -m CH4.experiments --model Qwen/Qwen3-0.6B-Base --data math500 --shard 3/8

Each problem's samples are written to a file the moment they are complete. A run that was stopped,
by Ctrl-C, kill or a crash, goes on where it was when the same command is given again.
"""

import argparse
import platform
import sys
import time
from dataclasses import dataclass, field
from datetime import datetime, timezone
from functools import partial
from glob import escape
from pathlib import Path
from typing import Any, NamedTuple

import torch
from matplotlib.figure import Figure

from Appendixes.command_line import run_main, write_any_character, write_json, write_whole
from CH2.decoding import Sampler
from CH2.prompts import CHAIN_OF_THOUGHT, DIRECT
from CH3.evaluation import VERIFIER, evaluate, say_graded_again
from CH3.evaluation.answers import AnswerFunction, answers
from CH3.evaluation.command_line import (
    BUILD,
    LocalRun,
    Run,
    add_options,
    at_least_one,
    ending_in_words,
    load,
)
from CH3.evaluation.progress import Progress
from CH3.evaluation.results import Result, ResultsFileError, Settings, digest, read_shards
from CH3.problems import is_puzzle, load_problems
from CH4.early_stopping import RULES
from CH4.experiments.comparison import TableRow, compare, replayed, vote_sizes
from CH4.experiments.draws import Draws, draws_of, voted_again, voted_answers
from CH4.experiments.report import (
    NOTES,
    markdown_table,
    notes_on_texts,
    plot_by_samples,
    plot_by_tokens,
    plot_savings,
)
from CH4.experiments.thinking import (
    NOTES as THINKING_NOTES,
)
from CH4.experiments.thinking import by_subject, plot_thinking, thinking_rows, thinking_table
from CH4.sampling import sampler, temperature, top_p

PROMPTS = {"direct": DIRECT, "chain-of-thought": CHAIN_OF_THOUGHT}
REPLAYED = "All votes are replayed on one set of {samples} samples for each problem and prompt."
FRESH = "Each vote drew its own samples, and the stopping rules really stopped."
BY_SAMPLES = "accuracy_by_samples.png"
PLOTS = {
    BY_SAMPLES: plot_by_samples,
    "accuracy_by_tokens.png": plot_by_tokens,
    "savings.png": plot_savings,
}


def main() -> None:
    """Run the experiments as the command line says, and report."""
    arguments = _parser().parse_args()
    with ending_in_words(arguments.out):
        arguments.out.mkdir(parents=True, exist_ok=True)
        experiments = Experiments.of(arguments)
        started = time.perf_counter()
        rows = experiments.rows(arguments.fresh)
        minutes = (time.perf_counter() - started) / 60
        if rows:
            _write(arguments.out, experiments, rows, arguments.fresh, minutes)
        else:
            print(
                f"Shard {experiments.run.shard} is done. When all are, the same command without "
                "--shard makes the table."
            )


@dataclass(frozen=True)
class Experiments:
    """A model and its problems, and the settings of the votes to compare.

    Attributes:
        run: problems, writers and settings, as `CH3.evaluation.command_line.load` gives them.
        num_samples: number of samples of the largest vote.
        max_concurrent: number of texts that grow at the same time in this process.
        sampling: `temperature`, `top_p` and `seed` of the samples.
        folder: folder of the results files.
        results: all results so far, by what they are called.
    """

    run: Run
    num_samples: int
    max_concurrent: int
    sampling: Settings
    folder: Path
    results: dict[str, list[Result]] = field(default_factory=dict)

    @classmethod
    def of(cls, arguments: argparse.Namespace) -> "Experiments":
        """Set up what the command line asks for.

        Raises:
            ValueError, OSError: an option is not valid, or the model or the problems cannot be
                read.
        """
        if arguments.samples < 2:
            raise ValueError(f"--samples {arguments.samples}: a vote needs at least 2")
        sampling = {name: getattr(arguments, name) for name in ("temperature", "top_p", "seed")}
        _sampler(sampling)
        puzzles = all(map(is_puzzle, load_problems(arguments.data, arguments.limit)))
        if arguments.max_new_tokens is None:
            arguments.max_new_tokens = 1000 if puzzles else 512
        for option in ("chat", "endpoint", "fresh"):
            if puzzles and getattr(arguments, option):
                raise ValueError(f"--{option}: not for puzzles, which a model here thinks about")
        run = load(arguments)
        folder = arguments.out / "answers"
        return cls(run, arguments.samples, arguments.batch, sampling, folder)

    def rows(self, fresh: bool) -> list[TableRow]:
        """Evaluate whatever is not in the results files yet, and make the table.

        Args:
            fresh: draw the samples of each vote anew.

        Returns:
            All rows; none if this process has only a shard of the problems.
        """
        if self.on_puzzles:
            return self._thinking_rows()
        # 1. Have all answers and samples written.
        votes: list[tuple[int, str | None]] = [(self.num_samples, None)]
        if fresh:
            votes = [(size, None) for size in vote_sizes(self.num_samples)]
            votes += [(self.num_samples, rule) for rule in RULES]
        greedy = {prompt: self.greedy(prompt) for prompt in PROMPTS}
        draws = {
            (prompt, size, rule): self.drawn(prompt, size, rule)
            for prompt in PROMPTS
            for size, rule in votes
        }
        if self.run.shard.count > 1:
            return []
        # 2. Vote on them.
        if fresh:
            return compare(greedy, lambda *vote: draws[vote], self.num_samples)
        full = {prompt: draws[prompt, self.num_samples, None] for prompt in PROMPTS}
        return compare(greedy, replayed(full), self.num_samples)

    @property
    def on_puzzles(self) -> bool:
        """Return True if answers are checked: thinking is compared then, not votes."""
        return all(map(is_puzzle, self.run.problems))

    def _thinking_rows(self) -> list[TableRow]:
        """Make the rows of `rows` for puzzles."""
        assert isinstance(self.run, LocalRun)
        rows = thinking_rows(
            self.run,
            self._evaluated,
            self.num_samples,
            self.max_concurrent,
            self.sampling,
            _sampler(self.sampling),
        )
        return rows if self.run.shard.count == 1 else []

    def greedy(self, prompt: str) -> list[Result]:
        """Return the results of greedy answers."""
        template, progress = PROMPTS[prompt], Progress(self.run.shown)
        watched = {"on_step": progress.step, "on_wait": progress.waiting}
        writer = self.run.writer(template, self.max_concurrent, **watched)
        settings = {"prompt": template, "sampling": "greedy"}
        return self._evaluated(f"{prompt}, greedy", partial(answers, writer), settings, progress)

    def drawn(self, prompt: str, size: int, rule: str | None) -> Draws:
        """Return the graded samples of a vote."""
        template, progress = PROMPTS[prompt], Progress(self.run.shown)
        writer = self.run.writer(
            template,
            self.max_concurrent,
            sampler=_sampler(self.sampling),
            on_step=progress.step,
            on_wait=progress.waiting,
            **self.sampling,
        )
        settings = {"prompt": template, "samples": size, "early_stopping": rule, **self.sampling}
        if rule:  # where it stops depends on which answers are the same
            settings["verifier"] = VERIFIER
        label = f"{prompt}, {size} samples" + (f", {rule}" if rule else "")
        answer_fn = voted_answers(writer, size, rule)
        return draws_of(self._evaluated(label, answer_fn, settings, progress))

    def _evaluated(
        self, label: str, answer_fn: AnswerFunction, settings: Settings, progress: Progress
    ) -> list[Result]:
        """Keep and return results from their file, which each set of settings has of its own."""
        settings, problems = {**self.run.settings, **settings}, self.run.problems
        parts = [settings["model"], settings["data"], label.replace(", ", "-").replace(" ", "-")]
        name = f"{'-'.join(parts)}-{digest([settings, problems])[:8]}"
        print(label, file=sys.stderr)
        shards = sorted(self.folder.glob(f"{escape(name)}.shard-*.jsonl"))
        if shards and self.run.shard.count == 1:
            gathered = read_shards(shards, VERIFIER, voted_again)
            for path, changed in gathered.graded_again.items():
                say_graded_again(path, changed)
            if gathered.missing:
                raise ResultsFileError(
                    f"{label}: not all shards in {self.folder} are done, {gathered.missing[0]}; "
                    "give their commands again"
                )
            results = [gathered.results[problem["unique_id"]] for problem in problems]
        else:
            results = evaluate(
                answer_fn,
                problems,
                self.folder / f"{name}.jsonl",
                settings=settings,
                progress=progress,
                shard=self.run.shard,
                regrade=voted_again,
            )
        self.results[label] = results
        return results


def _sampler(sampling: Settings) -> Sampler:
    """Make the sampler of these settings; raise ValueError if they are not valid."""
    return sampler(temperature(sampling["temperature"]), top_p(sampling["top_p"]))


def _write(
    out: Path, experiments: Experiments, rows: list[TableRow], fresh: bool, minutes: float
) -> None:
    """Write the table and the pictures, and print the table."""
    # 1. Settings of all results, and facts about this run alone if it went on from an earlier one.
    settings = {
        **experiments.run.settings,
        **experiments.sampling,
        "samples": experiments.num_samples,
        "fresh": fresh,
    }
    run = {
        "date": datetime.now(timezone.utc).date().isoformat(),
        "minutes_in_this_run": round(minutes, 1),
        "machine": experiments.run.machine,
        "python": platform.python_version(),
        "torch": torch.__version__,
    }
    # 2. The table as text, and its numbers.
    shown = (
        _puzzles_shown(experiments, rows)
        if experiments.on_puzzles
        else _shown(experiments, rows, fresh)
    )
    limit, temperature = settings["max_new_tokens"], settings["temperature"]
    texts = notes_on_texts(experiments.results, limit, temperature)
    notes = "\n".join([shown.notes, *(f"- {note}" for note in texts)])
    count = len(experiments.run.problems)
    title = (
        f"# Inference-time scaling: {settings['model']} on {count} problems of {settings['data']}"
    )
    listed = [
        f"- {name}: {value}" for name, value in {**settings, **run}.items() if value is not None
    ]
    text = "\n\n".join([title, "\n".join(listed), shown.table, notes])
    markdown, numbers = f"{shown.name}.md", f"{shown.name}.json"
    write_whole(out / markdown, lambda part: part.write_text(text, encoding="utf-8"))
    content = {"settings": settings, "run": run, "votes": shown.votes, "texts": texts}
    write_json(out / numbers, {**content, "rows": shown.rows})
    # 3. The pictures.
    for name, figure in shown.figures.items():
        figure.savefig(out / name)
    files = ", ".join([markdown, numbers, *shown.figures])
    print(f"{shown.table}\n\n{notes}\n\n{minutes:.1f} minutes in this run. In {out}: {files}.")


class Shown(NamedTuple):
    """What is shown of rows: names of files without their ending, table, notes, JSON, pictures."""

    name: str
    table: str
    votes: str
    notes: str
    rows: Any
    figures: dict[str, Figure]


def _shown(experiments: Experiments, rows: list[TableRow], fresh: bool) -> Shown:
    """Show rows; where a server did not count tokens, pictures about tokens are left out."""
    votes = FRESH if fresh else REPLAYED.format(samples=experiments.num_samples)
    plots = PLOTS if all(row.mean_tokens for row in rows) else {BY_SAMPLES: plot_by_samples}
    figures = {name: plot(rows) for name, plot in plots.items()}
    numbers = [row.numbers() for row in rows]
    return Shown("results", markdown_table(rows), votes, f"{votes}\n{NOTES}", numbers, figures)


def _puzzles_shown(experiments: Experiments, rows: list[TableRow]) -> Shown:
    """Show the rows of puzzles, by their subjects."""
    subjects = by_subject(rows, experiments.run.problems)
    votes = REPLAYED.format(samples=experiments.num_samples)
    notes = THINKING_NOTES.format(**experiments.run.limits)
    numbers = {subject: [row.numbers() for row in part] for subject, part in subjects.items()}
    figures = {"thinking.png": plot_thinking(subjects)}
    return Shown("thinking", thinking_table(subjects), votes, notes, numbers, figures)


def _parser() -> argparse.ArgumentParser:
    write_any_character()
    parser = argparse.ArgumentParser(
        prog="python -m CH4.experiments",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add_options(parser)
    add = parser.add_argument
    add("--samples", type=at_least_one, default=20, metavar="N",
        help="number of samples of the largest vote (default 20)")  # fmt: skip
    add("--temperature", type=float, default=0.8, metavar="T",
        help="of the samples; 0 is greedy (default 0.8)")  # fmt: skip
    add("--top-p", type=float, default=0.9, metavar="P",
        help="draw from the likeliest tokens only (default 0.9)")  # fmt: skip
    add("--seed", type=int, default=0, metavar="N",
        help="of the samples' random numbers (default 0)")  # fmt: skip
    add("--max-new-tokens", type=at_least_one, metavar="N",
        help="most tokens of a solution (default 512; 1000 for puzzles)")  # fmt: skip
    add("--batch", type=at_least_one, default=256, metavar="N",
        help="number of solutions that grow at the same time (default 256)")  # fmt: skip
    add("--fresh", action="store_true", help="draw the samples of each vote anew")
    add("--out", type=Path, default=BUILD / "experiments", metavar="FOLDER",
        help="default: build/experiments")  # fmt: skip
    return parser


if __name__ == "__main__":
    run_main(main)
