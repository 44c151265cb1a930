"""How often is a model right? Ask it problems, grade its answers, keep each result, report shares with intervals.

    python -m CH3.evaluation                                           the shipped model on its 500 problems
    python -m CH3.evaluation --prompt direct --limit 100               the first 100, answered at once
    python -m CH3.evaluation --plot accuracy.png --json accuracy.json  also a picture and the numbers

The real models, on a GPU; both are downloaded on first use:

    python -m CH3.evaluation --model Qwen/Qwen3-0.6B-Base --data math500
    python -m CH3.evaluation --model Qwen/Qwen3-0.6B --data math500 --chat thinking --max-new-tokens 8192 --batch 16

Each answer is written to a file the moment it is graded. A run that was stopped, by Ctrl-C, kill or a crash, goes on
where it was when the same command is given again; what was answered is not asked twice. Only --batch, --device and
--compile may change in between, as answers do not depend on them but for rounding.
"""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import torch
from tqdm import tqdm

from Appendixes.demonstration import argument_parser, parse, refuse, save_figure
from Appendixes.QWEN3Model import load_qwen3
from CH2.compilation import compile_model
from CH3.answers import Answer, AnswerFunction, model_answers, model_settings
from CH3.math_verifier import extract_answer, grade_answer
from CH3.problems import load_problems
from CH3.prompts import CHAIN_OF_THOUGHT, DIRECT, few_shot
from CH3.report import Report, plot_report
from CH3.results import ResultsFile, ResultsFileError, digest

BUILD = Path(__file__).resolve().parents[1] / "build"
PROMPTS = {"direct": DIRECT, "chain-of-thought": CHAIN_OF_THOUGHT, "few-shot": few_shot(CHAIN_OF_THOUGHT)}
THINKING = {"thinking": True, "no-thinking": False}
DTYPES = ("float32", "bfloat16", "float16", "float64")


def evaluate(
    answer_fn: AnswerFunction, problems: Sequence[dict], out: str | Path, *, settings: dict, progress: bool = True
) -> list[dict]:
    """Have problems answered, grade the answers, and keep every result in a file.

    Interrupted at any moment and called again with the same arguments, it goes on where it stopped.

    Args:
        answer_fn: see `model_answers` for one.
        problems: as `load_problems` gives them.
        out: the file of results, made or continued; see `CH3.results`.
        settings: all that the answers depend on besides the problems, as JSON can hold it; see `model_settings`.
        progress: show how far it is, the accuracy so far, and the speed.

    Returns:
        One result a problem, in their order: `unique_id`, `subject`, `level`, `prompt`, `text`, `extracted`,
        `reference`, `correct`, `tokens` and `seconds`; and `samples`, where the answer has them.

    Raises:
        ResultsFileError: (a ValueError) the file cannot be continued by this run.
        ValueError: an answer to no open problem.
        RuntimeError: `answer_fn` ended without answering all; the results it gave are kept.
    """
    settings = {**settings, "problems": digest(problems)}
    unique_ids = [problem["unique_id"] for problem in problems]
    with ResultsFile(out, settings, unique_ids) as file:
        open_problems = [problem for problem in problems if problem["unique_id"] not in file.results]
        right, tokens, started = sum(result["correct"] for result in file.results.values()), 0, time.perf_counter()
        with tqdm(total=len(problems), initial=len(file.results), unit="problem", disable=not progress) as bar:
            for answer in answer_fn(iter(open_problems)):
                result = graded(answer)
                file.append(result)
                right, tokens = right + result["correct"], tokens + answer.tokens
                speed = tokens / (time.perf_counter() - started)
                bar.set_postfix_str(f"{right / len(file.results):.1%} right, {speed:,.0f} tokens/s", refresh=False)
                bar.update()
        missing = len(problems) - len(file.results)
        if missing:
            raise RuntimeError(f"{missing} of {len(problems)} problems were not answered; {out} keeps the others")
        return [file.results[unique_id] for unique_id in unique_ids]


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
    arguments = parse(_parser())
    if arguments.json is not None and not arguments.json.parent.is_dir():
        refuse(f"--json {arguments.json}: there is no folder {arguments.json.parent}; make it first")
    problems, model, tokenizer = load(arguments)
    settings = _settings(arguments, model, tokenizer)
    out = arguments.out or _default_out(arguments.prompt, settings, problems)
    answer_fn = model_answers(
        compile_model(model) if arguments.compile else model,
        tokenizer,
        PROMPTS[arguments.prompt],
        max_new_tokens=arguments.max_new_tokens,
        batch=arguments.batch,
        thinking=THINKING.get(arguments.chat),
    )
    try:
        report = Report.of(evaluate(answer_fn, problems, out, settings=settings))
        print(f"{report}\n\nThe answers are in {out}.")
        if arguments.json is not None:
            numbers = json.dumps({"settings": settings, **report.numbers()}, indent=2)
            arguments.json.write_text(numbers + "\n", encoding="ascii")
    except (ResultsFileError, OSError) as error:
        refuse(str(error))
    except KeyboardInterrupt:
        print(f"stopped; the answers so far are in {out}, and the same command goes on from there", file=sys.stderr)
        sys.exit(130)
    if arguments.plot is not None:
        save_figure(plot_report(report), arguments.plot)


def load(arguments: argparse.Namespace) -> tuple:
    """The problems, model and tokenizer of `add_options`; the program ends with code 2 where one cannot be had."""
    try:
        torch.empty(0, device=arguments.device)
    except (RuntimeError, AssertionError) as error:
        refuse(f"--device {arguments.device} cannot be used: {str(error).splitlines()[0]}")
    try:
        problems = load_problems(arguments.data, arguments.limit)
        dtype = getattr(torch, arguments.dtype) if arguments.dtype else None
        return problems, *load_qwen3(arguments.model, device=arguments.device, dtype=dtype)
    except (ValueError, OSError) as error:
        refuse(str(error))


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
    add("--out", type=Path, metavar="FILE", help="the file of answers; default: one in build/ for each set of settings")
    add("--max-new-tokens", type=at_least_one, default=2048, metavar="N", help="an answer's length (default 2048)")
    add("--batch", type=at_least_one, default=64, metavar="N", help="answers in memory at the same time (default 64)")
    add("--compile", action="store_true", help="compile the model first: pays off in long runs")
    add("--json", type=Path, metavar="FILE", help="also write the report's numbers to this file")
    return parser


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options that say which model is asked which problems, and where; `load` follows them."""
    add = parser.add_argument
    add("--model", default="tiny", help="'tiny' (default; ships with the repository), a folder, or a name on the Hub")
    add("--data", default="arithmetic500", help="'arithmetic500' (default), 'math500', or a .json or .jsonl file")
    add("--chat", choices=THINKING, help="use Qwen3's chat format: for chat models, not for base models")
    add("--limit", type=at_least_one, metavar="N", help="only the first N problems")
    add("--device", help="such as cpu, cuda or mps; default: cuda if there is one, else cpu")
    add("--dtype", choices=DTYPES, help="of the weights; default: as in the checkpoint")


def at_least_one(text: str) -> int:
    """A count on the command line."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 on")
    return int(text)


def _settings(arguments: argparse.Namespace, model, tokenizer) -> dict:
    """What the answers depend on; for a results file, and for its name."""
    return {
        **model_settings(arguments.model, model, tokenizer),
        "data": Path(arguments.data).stem,
        "prompt": PROMPTS[arguments.prompt],
        "chat": arguments.chat,
        "max_new_tokens": arguments.max_new_tokens,
        "sampling": "greedy",
    }


def _default_out(prompt: str, settings: dict, problems: list[dict]) -> Path:
    """A name of its own for each set of settings, so that the same command finds its file again."""
    name = f"{settings['model']}-{settings['data']}-{prompt}-{digest([settings, problems])[:8]}.jsonl"
    return BUILD / "evaluation" / name


if __name__ == "__main__":
    main()
