"""What does more computation at answering time buy? Every way of this chapter on the same problems,
as one table.

    python -m CH4.experiments                                 the shipped model on its 500 problems
    python -m CH4.experiments --limit 50 --samples 10         fewer problems, smaller votes: a first
    look python -m CH4.experiments --fresh                         each vote draws its own samples;
    stopping really stops

The real models, on a GPU; both are downloaded on first use:

    python -m CH4.experiments --model Qwen/Qwen3-0.6B-Base --data math500 --max-new-tokens 2048
    --batch 64 python -m CH4.experiments --model Qwen/Qwen3-0.6B --data math500 --chat thinking
    --max-new-tokens 8192 --batch 32

The rows: greedy answers, direct and with chain of thought; one sample; majority votes of 3, 5, 10
and 20 samples, each beside the confidence-weighted vote and pass@n; and the largest vote with each
rule that stops it early.

All votes are replayed on one set of samples for each prompt, so that their differences are not
those of luck. What a vote of fewer samples or one that stops early would have drawn are the first
samples of the set. With --fresh each vote
draws anew, with the same seed: the numbers must be the same, but for samples that rounding changes.

Several processes share the problems, and a serving engine can answer in the model's place, as in
CH3.evaluation:

    torchrun --nproc-per-node 4 -m CH4.experiments --model Qwen/Qwen3-0.6B-Base --data math500
    python -m CH4.experiments --endpoint http://127.0.0.1:8000/v1 --model Qwen/Qwen3-0.6B-Base
    --data math500

Each problem's samples are written to a file the moment they are complete. A run that was stopped,
by Ctrl-C, kill or a crash, goes on where it was when the same command is given again."""

import argparse
import json
import platform
import sys
import time
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import torch

from Appendixes.command_line import refuse
from CH2.prompts import CHAIN_OF_THOUGHT, DIRECT
from CH3.evaluation import (
    BUILD,
    THINKING,
    add_options,
    at_least_one,
    evaluate,
    load,
    workers_of_command,
)
from CH3.evaluation.answers import AnswerFunction, model_answers, prompt_ids
from CH3.evaluation.progress import Progress
from CH3.evaluation.results import digest
from CH3.evaluation.serving import Endpoint, served_answers
from CH3.evaluation.workers import Workers
from CH4.experiments.comparison import Row, compare, replayed
from CH4.experiments.draws import Draws, draws_of, served_votes, voted_answers
from CH4.experiments.report import (
    NOTES,
    markdown_table,
    plot_by_samples,
    plot_by_tokens,
    plot_savings,
)
from CH4.sampling import sampler, temperature, top_p

PROMPTS = {"direct": DIRECT, "chain-of-thought": CHAIN_OF_THOUGHT}
REPLAYED = "All votes are replayed on one set of {samples} samples for each problem and prompt."
FRESH = "Each vote drew its own samples, and the stopping rules really stopped."


def main() -> None:
    """Run the experiments as the command line says, and report."""
    arguments = _parser().parse_args()
    if arguments.samples < 2:
        refuse(f"--samples {arguments.samples}: a vote needs at least 2")
    try:
        # refuses what it cannot do
        sampler(temperature(arguments.temperature), top_p(arguments.top_p))
        arguments.out.mkdir(parents=True, exist_ok=True)
    except (ValueError, OSError) as error:
        refuse(str(error))
    problems, model, tokenizer, settings = load(arguments)
    with workers_of_command(model, arguments.out) as workers:
        experiments = Experiments.of(arguments, problems, model, tokenizer, settings, workers)
        started = time.perf_counter()
        rows = experiments.rows(fresh=arguments.fresh)
        minutes = (time.perf_counter() - started) / 60
        if workers.leads:
            _write(arguments.out, experiments, rows, arguments.fresh, minutes)


@dataclass(frozen=True)
class Experiments:
    """A model, its problems, and how it is asked.

    Attributes:
        model, tokenizer: a `Qwen3Model` and its tokenizer, or an `Endpoint` and None.
        num_samples: of the largest vote.
        batch: answers that grow at the same time in each process, or requests to the endpoint.
        max_cache_bytes: see `CH2.continuous_batching`.
        settings: what all answers depend on besides the problems and the prompt, for the results
            files.
        sampling: what samples depend on in addition: `temperature`, `top_p` and `seed`.
        folder: of the results files.
        workers: the processes that share the problems.
    """

    model: Any
    tokenizer: Any
    problems: list[dict]
    num_samples: int
    batch: int
    max_cache_bytes: int | None
    settings: dict
    sampling: dict
    folder: Path
    workers: Workers

    @classmethod
    def of(
        cls,
        arguments: argparse.Namespace,
        problems: list[dict],
        model: Any,
        tokenizer: Any,
        settings: dict,
        workers: Workers,
    ) -> "Experiments":
        """What the command line asks for; the program ends with code 2 where it cannot be had."""
        experiments = cls(
            model,
            tokenizer,
            problems,
            arguments.samples,
            arguments.batch,
            arguments.max_cache_bytes,
            settings=settings,
            sampling={
                "temperature": arguments.temperature,
                "top_p": arguments.top_p,
                "seed": arguments.seed,
            },
            folder=arguments.out / "answers",
            workers=workers,
        )
        if not experiments.served:
            experiments.check_room()
        return experiments

    @property
    def served(self) -> bool:
        """Whether a server answers."""
        return isinstance(self.model, Endpoint)

    @property
    def thinking(self) -> bool | None:
        """See `CH3.evaluation.answers.prompt_ids`."""
        return THINKING.get(self.settings["chat"])

    def check_room(self) -> None:
        """End the program with code 2 if a prompt leaves no room for a solution in the model's
        context.
        """
        context = self.model.config.max_position_embeddings
        for template in PROMPTS.values():
            for problem in self.problems:
                length = len(prompt_ids(self.tokenizer, template, problem, self.thinking))
                if length >= context:
                    refuse(
                        f"problem {problem['unique_id']}: a prompt of {length} tokens leaves no room in the model's "
                        f"context of {context}"
                    )

    def rows(self, fresh: bool) -> list[Row]:
        """The whole table; `fresh` draws the samples of each vote anew."""
        greedy = {prompt: self.greedy(prompt) for prompt in PROMPTS}
        if fresh:
            return compare(greedy, self.drawn, self.num_samples)
        draws = {prompt: self.drawn(prompt, self.num_samples, None) for prompt in PROMPTS}
        return compare(greedy, replayed(draws), self.num_samples)

    def greedy(self, prompt: str) -> list[dict]:
        """Results of greedy answers."""
        template, progress = PROMPTS[prompt], Progress()
        options = {"max_new_tokens": self.settings["max_new_tokens"], "thinking": self.thinking}
        batch = self._batch(1)
        if self.served:
            answer_fn = served_answers(self.model, template, concurrency=batch, **options)
        else:
            options |= {"max_cache_bytes": self.max_cache_bytes, "on_step": progress.step}
            answer_fn = model_answers(self.model, self.tokenizer, template, batch=batch, **options)
        settings = {"prompt": template, "sampling": "greedy"}
        return self._evaluated(f"{prompt}, greedy", answer_fn, settings, progress)

    def drawn(self, prompt: str, size: int, rule: str | None) -> Draws:
        """Samples of a vote, graded."""
        template, progress = PROMPTS[prompt], Progress()
        options = {
            "max_new_tokens": self.settings["max_new_tokens"],
            "thinking": self.thinking,
            **self.sampling,
        }
        options["early_stopping"] = rule
        batch = self._batch(size)
        if self.served:
            answer_fn = served_votes(self.model, template, size, concurrency=batch, **options)
        else:
            options |= {"max_cache_bytes": self.max_cache_bytes, "on_step": progress.step}
            answer_fn = voted_answers(
                self.model, self.tokenizer, template, size, max_concurrent=batch, **options
            )
        settings = {"prompt": template, "samples": size, "early_stopping": rule, **self.sampling}
        label = f"{prompt}, {size} samples" + (f", {rule}" if rule else "")
        return draws_of(self._evaluated(label, answer_fn, settings, progress))

    def _batch(self, samples: int) -> int:
        """Texts that grow at the same time in this process; so many that each process has work."""
        return min(self.batch, samples * self.workers.fair_share(len(self.problems)))

    def _evaluated(
        self, label: str, answer_fn: AnswerFunction, settings: dict, progress: Progress
    ) -> list[dict]:
        """Evaluate into a file of its own for each set of settings, so that the same command finds
        it again.
        """
        settings = {**self.settings, **settings}
        name = (
            f"{settings['model']}-{settings['data']}-{label.replace(', ', '-').replace(' ', '-')}"
        )
        out = self.folder / f"{name}-{digest([settings, self.problems])[:8]}.jsonl"
        if self.workers.leads:
            print(label, file=sys.stderr)
        return evaluate(
            answer_fn,
            self.problems,
            out,
            settings=settings,
            progress=progress,
            workers=self.workers,
        )


def _write(
    out: Path, experiments: Experiments, rows: list[Row], fresh: bool, minutes: float
) -> None:
    """Write the table and the pictures, and print the table."""
    votes = FRESH if fresh else REPLAYED.format(samples=experiments.num_samples)
    settings = {
        **experiments.settings,
        **experiments.sampling,
        "samples": experiments.num_samples,
        "fresh": fresh,
    }
    run = _run(experiments.model, minutes)
    table = markdown_table(rows)
    title = f"# Inference-time scaling: {settings['model']} on {len(experiments.problems)} problems of {settings['data']}"
    text = "\n\n".join([title, _listed({**settings, **run}), table, f"{votes}\n{NOTES}"])
    (out / "results.md").write_text(text, encoding="utf-8")
    numbers = {
        "settings": settings,
        "run": run,
        "votes": votes,
        "rows": [row.numbers() for row in rows],
    }
    (out / "results.json").write_text(json.dumps(numbers, indent=2) + "\n", encoding="ascii")
    # tokens not counted
    plots = PLOTS if all(row.mean_tokens for row in rows) else {BY_SAMPLES: PLOTS[BY_SAMPLES]}
    for name, plot in plots.items():
        plot(rows).savefig(out / name)
    files = ", ".join(["results.md", "results.json", *plots])
    print(f"{table}\n\n{votes}\n{NOTES}\n{minutes:.1f} minutes in this run. In {out}: {files}.")


BY_SAMPLES = "accuracy_by_samples.png"
PLOTS = {
    BY_SAMPLES: plot_by_samples,
    "accuracy_by_tokens.png": plot_by_tokens,
    "savings.png": plot_savings,
}


def _run(model: Any, minutes: float) -> dict:
    """When, where, with what, and how long: of this run alone, if it went on from an earlier one."""
    run = {
        "date": datetime.now(timezone.utc).date().isoformat(),
        "minutes_in_this_run": round(minutes, 1),
    }
    if isinstance(model, Endpoint):
        return {**run, "machine": "a server"}
    device = next(model.parameters()).device
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.machine()
    return {
        **run,
        "machine": f"{device.type}, {name}, {torch.get_num_threads()} threads",
        "python": platform.python_version(),
        "torch": torch.__version__,
    }


def _listed(values: dict) -> str:
    return "\n".join(f"- {name}: {value}" for name, value in values.items() if value is not None)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m CH4.experiments",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add_options(parser)
    add = parser.add_argument
    add(
        "--samples",
        type=at_least_one,
        default=20,
        metavar="N",
        help="of the largest vote (default 20)",
    )
    add(
        "--temperature",
        type=float,
        default=0.8,
        metavar="T",
        help="of the samples; 0 is greedy (default 0.8)",
    )
    add(
        "--top-p",
        type=float,
        default=0.9,
        metavar="P",
        help="draw from the likeliest tokens only (default 0.9)",
    )
    add(
        "--seed",
        type=int,
        default=0,
        metavar="N",
        help="of the samples' random numbers (default 0)",
    )
    add(
        "--max-new-tokens",
        type=at_least_one,
        default=512,
        metavar="N",
        help="a solution's length (default 512)",
    )
    add(
        "--batch",
        type=at_least_one,
        default=256,
        metavar="N",
        help="solutions that grow at once (default 256)",
    )
    add("--fresh", action="store_true", help="draw the samples of each vote anew")
    add(
        "--out",
        type=Path,
        default=BUILD / "experiments",
        metavar="FOLDER",
        help="default: build/experiments",
    )
    return parser
