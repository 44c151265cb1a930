"""Measure how often a model is right: ask it problems, grade its answers, report with intervals.

    python -m CH3.evaluation                              the shipped model on its 500 problems
    python -m CH3.evaluation --prompt direct --limit 100  the first 100, answered at once
    python -m CH3.evaluation --plot accuracy.png --json accuracy.json
                                                          also a picture and the numbers

Puzzles, whose answers are checked, and a model that thinks first, or does not:

    python -m CH3.evaluation --model tiny-thinking --data countdown500
    python -m CH3.evaluation --model tiny-thinking --data countdown500 --chat no-thinking

The real models, on a GPU; both are downloaded on first use:

    python -m CH3.evaluation --model Qwen/Qwen3-0.6B-Base --data math500
    python -m CH3.evaluation --model Qwen/Qwen3-0.6B --data math500 --chat thinking \\
        --max-new-tokens 8192 --batch 16

Or on a CPU, with chapter 2's speed; weights of fewer bits give other answers here and there:

    python -m CH3.evaluation --model Qwen/Qwen3-0.6B-Base --data math500 --limit 50 \\
        --batch 16 --rung int8

A server can answer in the model's place:

    python -m CH3.evaluation --endpoint http://127.0.0.1:8000/v1 --model Qwen/Qwen3-0.6B-Base \\
        --data math500

Several processes share the problems, on one machine or many. Each writes a file of its own, whose
name it prints, and the report adds the files up:

    torchrun --nproc-per-node 8 -m CH3.evaluation --model Qwen/Qwen3-0.6B-Base --data math500
    python -m CH3.evaluation --shard 3/8 --out out.jsonl          the third of eight, by hand
    python -m CH3.evaluation.report "out.shard-*-of-8.jsonl"

Each answer is written to a file the moment it is graded. A run that was stopped, by Ctrl-C, kill or
a crash, goes on where it was when the same command is given again: what was answered is not asked
twice, and the texts under way, at most --batch, begin again. Only --batch, --max-cache-bytes and
--device may change in between, as answers do not depend on them but for rounding."""

import argparse
from functools import partial
from pathlib import Path

from Appendixes.command_line import argument_parser, output_file, run_main
from CH2.prompts import read_template
from CH3.evaluation import UnansweredError, evaluate
from CH3.evaluation.answers import answers
from CH3.evaluation.command_line import (
    BUILD,
    PROMPTS,
    Run,
    add_options,
    at_least_one,
    ending_in_words,
    load,
    report_command,
    started_by_torchrun,
)
from CH3.evaluation.progress import Progress
from CH3.evaluation.report import Report, write_report
from CH3.evaluation.results import Result, Settings, digest, shards_at_work
from CH3.problems import is_puzzle

FOLDER = BUILD / "evaluation"  # of the results files that have no other name


def main() -> None:
    """Evaluate as the command line says, and report."""
    arguments = _parser().parse_args()
    with ending_in_words(arguments.out or FOLDER):
        # 1. Load what is asked for.
        run = load(arguments)
        if run.shard.count > 1 and (arguments.json or arguments.plot):
            raise ValueError(
                "--json and --plot: one of several processes has no report; give them to "
                "python -m CH3.evaluation.report when all have ended"
            )
        name, template = _prompt(arguments, run)
        settings = {**run.settings, "prompt": template, "sampling": "greedy"}
        out = arguments.out or _default_out(name, template, run)
        # 2. Ask and grade.
        results = _results(run, settings, out, arguments.batch)
        # 3. Report; one of several processes says which command does.
        if run.shard.count == 1:
            report = Report.of(results, arguments.max_new_tokens)
            write_report(report, settings, arguments.json, arguments.plot)
            print(f"\nThe answers are in {out}.")
        else:
            print(f"Shard {run.shard}: {len(results)} problems answered, in {run.shard.file(out)}.")
            if started_by_torchrun() and (
                others := shards_at_work(out, run.shard, len(run.problems))
            ):
                print(f"torchrun waits for those that are not done: {', '.join(others)}.")
            print(f"When all are: {report_command(out, run.shard)}")


def _results(run: Run, settings: Settings, out: Path, batch: int) -> list[Result]:
    """Evaluate greedy answers; where some are missing, report the others before it is raised."""
    progress = Progress(shown=run.shown)
    max_concurrent = max(1, min(batch, len(run.shard.of(run.problems))))
    watched = {"on_step": progress.step, "on_wait": progress.waiting}
    writer = run.writer(settings["prompt"], max_concurrent, **watched)
    try:
        return evaluate(
            partial(answers, writer),
            run.problems,
            out,
            settings=settings,
            progress=progress,
            shard=run.shard,
        )
    except UnansweredError as error:
        if error.results:
            report = Report.of(error.results, run.limits["max_new_tokens"])
            print(f"{report}\n\nThat is of those that were answered.")
        raise


def _parser() -> argparse.ArgumentParser:
    parser = argument_parser(__doc__, prog="python -m CH3.evaluation")
    add_options(parser)
    add = parser.add_argument
    add(
        "--prompt",
        choices=PROMPTS,
        help="answer at once; explain first; explain as in worked examples; or the problem alone; "
        "default: explain first, but for puzzles the problem alone",
    )
    add(
        "--prompt-file",
        type=Path,
        metavar="FILE",
        help="take the prompt from a text file, with {problem} where the problem goes; other "
        "braces are doubled, as in \\boxed{{}}; a line break at its end counts",
    )
    add(
        "--out",
        type=Path,
        metavar="FILE",
        help="the file of answers; default: one in the repository's build/evaluation for each set "
        "of settings",
    )
    add(
        "--max-new-tokens",
        type=at_least_one,
        default=2048,
        metavar="N",
        help="length of an answer in tokens (default 2048)",
    )
    add(
        "--batch",
        type=at_least_one,
        default=64,
        metavar="N",
        help="answers that grow at the same time (default 64)",
    )
    add(
        "--json",
        type=output_file(),
        metavar="FILE",
        help="also write the report's numbers to this file",
    )
    return parser


def _prompt(arguments: argparse.Namespace, run: Run) -> tuple[str, str]:
    """Return the name and the template of the prompt that the command line asks for.

    Raises:
        ValueError, OSError: the file of a prompt cannot be read, or is no template.
    """
    if arguments.prompt_file is None:
        # puzzles say themselves what is to be done
        puzzles = all(map(is_puzzle, run.problems))
        name = arguments.prompt or ("bare" if puzzles else "chain-of-thought")
        return name, PROMPTS[name]
    if arguments.prompt:
        raise ValueError("--prompt and --prompt-file: give one of them")
    return arguments.prompt_file.stem, read_template(arguments.prompt_file)


def _default_out(name: str, template: str, run: Run) -> Path:
    """Name a file for each set of settings, so that the same command finds its file again."""
    fingerprint = digest([run.settings, template, run.problems])[:8]
    return FOLDER / f"{run.settings['model']}-{run.settings['data']}-{name}-{fingerprint}.jsonl"


if __name__ == "__main__":
    run_main(main)
