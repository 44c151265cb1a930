"""How often is a model right? Ask it problems, grade its answers, keep each result, report shares
with intervals.

    python -m CH3.evaluation                                           the shipped model on its 500
    problems python -m CH3.evaluation --prompt direct --limit 100               the first 100,
    answered at once python -m CH3.evaluation --plot accuracy.png --json accuracy.json  also a
    picture and the numbers

The real models, on a GPU; both are downloaded on first use:

    python -m CH3.evaluation --model Qwen/Qwen3-0.6B-Base --data math500 python -m CH3.evaluation
    --model Qwen/Qwen3-0.6B --data math500 --chat thinking --max-new-tokens 8192 --batch 16

Or on a processor, with chapter 2's speed; weights of fewer bits give other answers here and there:

    python -m CH3.evaluation --model Qwen/Qwen3-0.6B-Base --data math500 --limit 50 --batch 16
    --rung compiled python -m CH3.evaluation --model Qwen/Qwen3-0.6B-Base --data math500 --limit 50
    --batch 16 --rung int8

Several processes share the problems, on one machine or many; and a serving engine can answer in the
model's place:

    torchrun --nproc-per-node 4 -m CH3.evaluation --model Qwen/Qwen3-0.6B-Base --data math500
    torchrun --nnodes 2 --nproc-per-node 8 --rdzv-backend c10d --rdzv-endpoint HOST:29500 -m
    CH3.evaluation python -m CH3.evaluation --endpoint http://127.0.0.1:8000/v1 --model
    Qwen/Qwen3-0.6B-Base --data math500

Each answer is written to a file the moment it is graded. A run that was stopped, by Ctrl-C, kill or
a crash, goes on where it was when the same command is given again; what was answered is not asked
twice. Only the number of processes, --batch, --max-cache-bytes and --device may change in between,
as answers do not depend on them but for rounding."""

import argparse
import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from Appendixes.command_line import argument_parser, first_line, output_file, refuse
from Appendixes.demonstration import save_figure
from Appendixes.QWEN3Model import load_qwen3
from CH2.cache_budget import CacheLimitError
from CH2.prompts import CHAIN_OF_THOUGHT, DIRECT, few_shot
from CH2.speed_ladder import find_rung
from CH3.evaluation.answers import Answer, AnswerFunction, model_answers, model_settings
from CH3.evaluation.progress import Progress
from CH3.evaluation.report import Report, plot_report
from CH3.evaluation.results import ResultsFileError, digest
from CH3.evaluation.serving import Endpoint, EndpointRefusedError, served_answers
from CH3.evaluation.shared_results import SharedResults
from CH3.evaluation.workers import Workers, device_of_this_process, handed_out, joined_workers
from CH3.math_verifier import extract_answer, grade_answer
from CH3.problems import load_problems

BUILD = Path(__file__).resolve().parents[2] / "build"
PROMPTS = {
    "direct": DIRECT,
    "chain-of-thought": CHAIN_OF_THOUGHT,
    "few-shot": few_shot(CHAIN_OF_THOUGHT),
}
THINKING = {"thinking": True, "no-thinking": False}
# those of the speed ladder that pay off in an evaluation
RUNGS = ("packed weights", "compiled", "int8", "int4")
DTYPES = ("float32", "bfloat16", "float16", "float64")


class UnansweredError(RuntimeError):
    """Problems were left without an answer; the file keeps the other results, which are in
    `results`, too.
    """

    def __init__(self, message: str, results: list[dict]):
        super().__init__(message)
        self.results = results


def evaluate(
    answer_fn: AnswerFunction,
    problems: Sequence[dict],
    out: str | Path,
    *,
    settings: dict,
    progress: bool | Progress = True,
    workers: Workers | None = None,
) -> list[dict]:
    """Have problems answered, grade the answers, and keep every result in a file.

    Interrupted at any moment and called again with the same arguments, it goes on where it stopped.

    Args:
        answer_fn: see `model_answers` for one.
        problems: as `load_problems` gives them.
        out: the file of results, made or continued; see `CH3.evaluation.results`.
        settings: all that the answers depend on besides the problems, as JSON can hold it; see
            `model_settings`.
        progress: show how far it is, the accuracy so far, and the speed; and the rows busy, if it
            is a `Progress` that watches the batch.
        workers: the processes that share the problems, each of which must call this; see
            `CH3.evaluation.workers`. None: this one.

    Returns:
        One result a problem, in their order: `unique_id`, `subject`, `level`, `prompt`, `text`,
        `extracted`, `reference`, `correct`, `tokens` and `seconds`; and `samples`, where the answer
        has them.

    Raises:
        ResultsFileError: (a ValueError) the file cannot be continued by this run.
        ValueError: an answer to no open problem.
        UnansweredError: (a RuntimeError) `answer_fn` ended without answering all; the results it
            gave are kept.
    """
    workers = workers or Workers()
    progress = progress if isinstance(progress, Progress) else Progress(shown=progress)
    settings = {**settings, "problems": digest(problems)}
    unique_ids = [problem["unique_id"] for problem in problems]
    with SharedResults(out, settings, unique_ids, workers) as file:
        open_problems = [
            problem for problem in problems if problem["unique_id"] not in file.earlier
        ]
        right = sum(result["correct"] for result in file.earlier.values())
        counters = workers.counters()
        with progress.line(len(problems), len(file.earlier), right, counters, workers.leads):
            for answer in answer_fn(handed_out(open_problems, counters)):
                result = graded(answer)
                file.append(result)
                progress.answered(result)
            progress.wait_for_all(workers.size)
        results = file.gather()
    in_order = [results[unique_id] for unique_id in unique_ids if unique_id in results]
    if missing := len(problems) - len(in_order):
        message = f"{missing} of {len(problems)} problems were not answered; {out} keeps the others"
        raise UnansweredError(message, in_order)
    return in_order


def graded(answer: Answer) -> dict:
    """The result that an answer makes."""
    problem = answer.problem
    extracted = extract_answer(answer.text)
    samples = {} if answer.samples is None else {"samples": answer.samples}
    return {
        "unique_id": problem["unique_id"],
        "subject": problem["subject"],
        "level": problem["level"],
        "prompt": answer.prompt,
        "text": answer.text,
        "extracted": extracted,
        "reference": problem["answer"],
        "correct": extracted is not None and grade_answer(extracted, problem["answer"]),
        "tokens": answer.tokens,
        "seconds": round(answer.seconds, 3),
        **samples,
    }


def main() -> None:
    """Evaluate as the command line says, and report."""
    arguments = _parser().parse_args()
    problems, model, tokenizer, settings = load(arguments)
    settings |= {"prompt": PROMPTS[arguments.prompt], "sampling": "greedy"}
    out = arguments.out or _default_out(arguments.prompt, settings, problems)
    with workers_of_command(model, out) as workers:
        progress = Progress()
        batch = min(arguments.batch, workers.fair_share(len(problems)))
        answer_fn = _answer_function(arguments, model, tokenizer, batch, progress)
        try:
            results = evaluate(
                answer_fn, problems, out, settings=settings, progress=progress, workers=workers
            )
        except UnansweredError as error:
            if workers.leads and error.results:
                print(
                    f"{Report.of(error.results)}\n\nThat is of the {len(error.results)} that were answered."
                )
            raise
        if workers.leads:
            _report(Report.of(results), out, settings, arguments)


@contextmanager
def workers_of_command(model: Any, out: Path) -> Iterator[Workers]:
    """The processes that share a command's work; what stops it is said in words, not as a
    traceback.

    Args:
        model: as for `joined_workers`.
        out: where the answers are kept.
    """
    with joined_workers(model) as workers:
        try:
            yield workers
        except (ResultsFileError, CacheLimitError, EndpointRefusedError, OSError) as error:
            refuse(str(error))
        except UnansweredError as error:
            sys.exit(f"{error}; the same command asks for the rest" if workers.leads else 1)
        except KeyboardInterrupt:
            if workers.leads:
                message = f"stopped; the answers so far are in {out}, and the same command goes on from there"
                print(message, file=sys.stderr)
            sys.exit(130)


def _report(report: Report, out: Path, settings: dict, arguments: argparse.Namespace) -> None:
    """Print the report, and write it where the command line says."""
    print(f"{report}\n\nThe answers are in {out}.")
    if arguments.json is not None:
        numbers = json.dumps({"settings": settings, **report.numbers()}, indent=2)
        arguments.json.write_text(numbers + "\n", encoding="ascii")
    if arguments.plot is not None:
        save_figure(plot_report(report), arguments.plot)


def load(arguments: argparse.Namespace) -> tuple:
    """What `add_options` asks for; the program ends with code 2 where it cannot be had.

    Returns:
        The problems; the model, made fast; its tokenizer; and what answers depend on by these
        options, for a results file. With `--endpoint` the model is an `Endpoint`, and the
        tokenizer, which the server has, None.
    """
    if arguments.endpoint:
        for name in ("device", "dtype", "max_cache_bytes", "rung"):
            if getattr(arguments, name):
                refuse(f"--{name.replace('_', '-')}: with --endpoint the server decides that")
        try:
            key = os.environ.get("OPENAI_API_KEY") or None
            endpoint = Endpoint(arguments.endpoint, arguments.model, key, timeout=arguments.timeout)
            # a name is all that is known
            served = {"model": Path(arguments.model).name, "served": arguments.model}
            return (
                load_problems(arguments.data, arguments.limit),
                endpoint,
                None,
                served | _settings(arguments),
            )
        except (ValueError, OSError) as error:
            refuse(str(error))
    device = device_of_this_process(arguments.device)
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        refuse(f"--device {device} cannot be used: {first_line(error)}")
    try:
        problems = load_problems(arguments.data, arguments.limit)
        dtype = getattr(torch, arguments.dtype) if arguments.dtype else None
        model, tokenizer = load_qwen3(arguments.model, device=device, dtype=dtype)
        settings = model_settings(arguments.model, model, tokenizer)
        if arguments.rung:
            settings["rung"], model = arguments.rung, find_rung(arguments.rung).prepare(model)
        return problems, model, tokenizer, settings | _settings(arguments)
    except (ValueError, OSError) as error:
        refuse(str(error))


def _settings(arguments: argparse.Namespace) -> dict:
    """What answers depend on besides the model."""
    return {
        "data": Path(arguments.data).stem,
        "chat": arguments.chat,
        "max_new_tokens": arguments.max_new_tokens,
    }


def _answer_function(
    arguments: argparse.Namespace, model: Any, tokenizer: Any, batch: int, progress: Progress
) -> AnswerFunction:
    """Greedy answers, by the model or the endpoint of the command line."""
    template = PROMPTS[arguments.prompt]
    options = {"max_new_tokens": arguments.max_new_tokens, "thinking": THINKING.get(arguments.chat)}
    if isinstance(model, Endpoint):
        return served_answers(model, template, concurrency=batch, **options)
    return model_answers(
        model,
        tokenizer,
        template,
        batch=batch,
        max_cache_bytes=arguments.max_cache_bytes,
        on_step=progress.step,
        **options,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argument_parser(__doc__)
    parser.prog = "python -m CH3.evaluation"
    add_options(parser)
    add = parser.add_argument
    add(
        "--prompt",
        choices=PROMPTS,
        default="chain-of-thought",
        help="answer at once; explain first (default); or explain as in worked examples",
    )
    add(
        "--out",
        type=Path,
        metavar="FILE",
        help="the file of answers; default: one in build/ for each set of settings",
    )
    add(
        "--max-new-tokens",
        type=at_least_one,
        default=2048,
        metavar="N",
        help="an answer's length (default 2048)",
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


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options that say which model is asked which problems, and where; `load` follows them."""
    add = parser.add_argument
    add(
        "--model",
        default="tiny",
        help="'tiny' (default; ships with the repository), a folder, or a name on the Hub",
    )
    add(
        "--data",
        default="arithmetic500",
        help="'arithmetic500' (default), 'math500', or a .json or .jsonl file",
    )
    add(
        "--chat",
        choices=THINKING,
        help="use Qwen3's chat format: for chat models, not for base models",
    )
    add("--limit", type=at_least_one, metavar="N", help="only the first N problems")
    add("--device", help="such as cpu, cuda or mps; default: cuda if there is one, else cpu")
    add("--dtype", choices=DTYPES, help="of the weights; default: as in the checkpoint")
    add(
        "--rung",
        choices=RUNGS,
        help="of chapter 2's ladder of speed; takes a minute to prepare, and pays off in long runs; all but 'compiled' "
        "are for processors; default: the model as it is",
    )
    add(
        "--max-cache-bytes",
        type=at_least_one,
        metavar="N",
        help="for keys and values; where they need more, fewer answers grow at the same time; default: no limit",
    )
    add(
        "--endpoint",
        metavar="URL",
        help="ask a server with OpenAI's interface, such as http://127.0.0.1:8000/v1; --model is then the name it "
        "knows, --batch the requests under way at the same time; a key is taken from the environment's OPENAI_API_KEY",
    )
    add(
        "--timeout",
        type=float,
        default=900.0,
        metavar="SECONDS",
        help="for one request to a server (default 900)",
    )


def at_least_one(text: str) -> int:
    """A count on the command line."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 on")
    return int(text)


def _default_out(prompt: str, settings: dict, problems: list[dict]) -> Path:
    """A name of its own for each set of settings, so that the same command finds its file again."""
    name = (
        f"{settings['model']}-{settings['data']}-{prompt}-{digest([settings, problems])[:8]}.jsonl"
    )
    return BUILD / "evaluation" / name
