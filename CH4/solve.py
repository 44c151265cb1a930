r"""Watch a model solve one problem: step by step, at once, or by a vote of several solutions.

    python -m CH4.solve "What is 47 * 36?"                 step by step, as it is written
    python -m CH4.solve "What is 47 * 36?" --direct        the answer alone
    python -m CH4.solve "What is 47 * 36?" --samples 20    twenty solutions, and their vote

A model that was trained to converse thinks first; `--budget` limits its thought, in tokens:

    python -m CH4.solve --model tiny-thinking --budget 100 \
        "Write 54 with 25, 7 and 3, each number once, and + - * /."
    python -m CH4.solve --model Qwen/Qwen3-0.6B "What is 47 * 36?"
"""

import argparse
import re
import sys
from collections.abc import Iterator

import torch

from Appendixes.command_line import refuse, run_main
from Appendixes.QWEN3Model import Qwen3Model, load_qwen3
from Appendixes.QWEN3Tokenizer import Qwen3Tokenizer
from CH2.generation import generate
from CH2.prompts import CHAIN_OF_THOUGHT, DIRECT, render
from CH3.countdown import explain_countdown, has_solution
from CH3.evaluation.command_line import at_least_one
from CH3.math_verifier import extract_answer
from CH4.inference_scaling import Consensus, self_consistency
from CH4.thinking import stream_thought

# In problems of the kinds that it was trained on, a shipped model gives its tokens probabilities of
# 0.95 and more (the mean over a solution); elsewhere seldom. tests/CH4/test_solve.py measures it.
SURE = 0.95
UNSURE = (
    "and it was not sure here: it gave its tokens a probability of {:.1%} on average, where it "
    f"knows a problem mostly {SURE:.0%} or more"
)
WORLDS = {
    "tiny": "It knows 27 kinds of short problems, in the words and sizes of numbers that "
    "`python -m Appendixes.TinyQwen3.problems` shows. Of those it solves about 85 of 100 step "
    "by step, 17 at once. Elsewhere it errs, even where it is sure.",
    "tiny-thinking": "It knows puzzles (`python -m Appendixes.TinyQwen3.countdown` prints some) of "
    "three numbers up to 25 or four up to 12, with a target from 10 to 99, and nothing else. They "
    "are asked in these words: Write 54 with 25, 7 and 3, each number once, and + - * /.",
}
LARGEST = {3: 25, 4: 12}  # number in a puzzle of so many that tiny-thinking knows
TARGETS = range(10, 100)
SPLIT = "and its solutions disagree: the winner has {} of {} votes"

PUZZLE = re.compile(r"Write (?P<target>\d+) with (?P<numbers>[\d, and]+), each number once")
KNOWN_WORDS = re.compile(r"Write \d+ with (\d+, )+\d+ and \d+, each number once, and \+ - \* /\.")


def read_puzzle(problem: str) -> tuple[list[int], int | None]:
    """Return a puzzle's numbers and its target; none and None if the problem is no puzzle."""
    puzzle = PUZZLE.match(problem)
    if puzzle is None:
        return [], None
    return [int(number) for number in re.findall(r"\d+", puzzle["numbers"])], int(puzzle["target"])


def is_known(problem: str) -> bool:
    """Return True if a problem is a puzzle of the kind and in the words of tiny-thinking."""
    numbers, target = read_puzzle(problem)
    return (
        target in TARGETS
        and max(numbers) <= LARGEST.get(len(numbers), 0)
        and KNOWN_WORDS.fullmatch(problem.strip()) is not None
    )


def converses(tokenizer: Qwen3Tokenizer) -> bool:
    """Return True if a model was trained on conversations: the end of a turn ends a text."""
    return tokenizer.named_tokens.get("eos_token") == "<|im_end|>"


def show(tokens: Iterator[int], tokenizer: Qwen3Tokenizer) -> tuple[list[int], str | None]:
    """Print a text while its tokens arrive; return the tokens, and what their generator returns."""
    kept: list[int] = []
    returned = None

    def keep() -> Iterator[int]:
        nonlocal returned
        while True:
            try:
                kept.append(next(tokens))
            except StopIteration as end:
                returned = end.value
                return
            yield kept[-1]

    for piece in tokenizer.decode_stream(keep()):
        print(piece, end="", flush=True)
    print()
    return kept, returned


@torch.no_grad()
def mean_probability(model: Qwen3Model, prompt: list[int], tokens: list[int]) -> float:
    """Compute the geometric mean of the probabilities that a model gives the tokens of a text."""
    ids = torch.tensor([prompt + tokens], device=next(model.parameters()).device)
    logits = model(ids)[0, len(prompt) - 1 : -1].float()  # (tokens, vocab)
    return logits.log_softmax(dim=-1)[range(len(tokens)), tokens].mean().exp().item()


def show_vote(consensus: Consensus) -> None:
    """Print each answer of a vote with its votes, the winner first."""
    for group in consensus.groups:
        print(f"{'#' * len(group.samples):20s} {len(group.samples):2d}  {group.answer}")
    without = sum(sample.answer is None for sample in consensus.samples)
    if without:
        print(f"{'.' * without:20s} {without:2d}  (no answer)")
    print(f"{len(consensus.samples)} solutions, {consensus.tokens} tokens")


def solve(arguments: argparse.Namespace) -> None:
    """Print what a model writes about the problem, and the answer that is found in it.

    Raises:
        ValueError, OSError: the checkpoint cannot be loaded, or an option does not fit it.
    """
    # 1. Load the model, and find out how it is asked.
    name, problem = arguments.model, arguments.problem
    model, tokenizer = load_qwen3(name)
    thinks = converses(tokenizer)
    if thinks and (arguments.direct or arguments.samples):
        raise ValueError(
            f"{name} converses: it takes no --direct and no --samples; "
            "with --budget 0 it answers without a thought"
        )
    if arguments.budget is not None and not thinks:
        raise ValueError(
            f"--budget limits a thought, and {name} is asked for none: it does not converse, or "
            "its folder lacks the tokenizer_config.json that says so"
        )
    numbers, target = read_puzzle(problem)
    known = is_known(problem)
    if name == "tiny-thinking" and not known:
        print(f"This is no puzzle of its kind. {WORLDS[name]}\n", file=sys.stderr)
    if name == "tiny" and known:
        print("This is a puzzle, which --model tiny-thinking knows.\n", file=sys.stderr)
    prompt = tokenizer.encode(render(DIRECT if arguments.direct else CHAIN_OF_THOUGHT, problem))
    room = model.config.max_position_embeddings - len(prompt)
    limit, doubt = min(arguments.max_new_tokens, room), ""
    # 2. Let several solutions vote, or show one while it is written.
    if arguments.samples:
        consensus = self_consistency(
            model, tokenizer, prompt, arguments.samples, max_new_tokens=limit, seed=arguments.seed
        )
        show_vote(consensus)
        answer = consensus.winner
        votes = len(consensus.groups[0].samples) if consensus.groups else 0
        if 2 * votes <= arguments.samples:
            doubt = f", {SPLIT.format(votes, arguments.samples)}"
    elif thinks:
        thought = stream_thought(model, tokenizer, problem, arguments.budget, max_new_tokens=limit)
        tokens, reason = show(thought, tokenizer)
        finished = reason == "stop"
    else:
        ids = torch.tensor([prompt], device=next(model.parameters()).device)
        tokens, _ = show(generate(model, ids, limit, stop_ids=tokenizer.stop_ids), tokenizer)
        finished = len(tokens) < limit
        sure = mean_probability(model, prompt, tokens) if tokens else 0.0
        doubt = f", {UNSURE.format(sure)}" if sure < SURE else ""
    # 3. Say the answer, and what to think of it.
    if not arguments.samples:
        answer = extract_answer(tokenizer.decode(tokens), finished)
        if not finished:
            left = room - limit
            more = f"; --max-new-tokens allows {left} more" if left else ": the context is full"
            print(f"\ncut off after {limit} tokens{more}")
    print(f"\nanswer: {answer if answer is not None else 'none found'}")
    if target is not None and answer is None and len(numbers) <= max(LARGEST):
        print(f"the puzzle has {'a' if has_solution(numbers, target) else 'no'} solution")
    elif target is not None and answer is not None:
        print(f"checked: {explain_countdown(answer, numbers, target).rule}")
    elif name in WORLDS and not thinks:
        print(f"{name} is a small model{doubt}. {WORLDS[name]}")


def main() -> None:
    """Solve the problem of the command line; what cannot be done is said in one line."""
    parser = argparse.ArgumentParser(
        prog="python -m CH4.solve",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("problem", help="in words, in quotation marks")
    add("--model", default="tiny", help="'tiny' (default), 'tiny-thinking', a folder or a Hub name")
    add("--direct", action="store_true", help="ask for the answer alone")
    add("--samples", type=at_least_one, metavar="N", help="draw N solutions, which vote")
    add("--budget", type=int, metavar="N", help="end a thought after N tokens")
    add("--max-new-tokens", type=at_least_one, default=1000, metavar="N", help="default: 1000")
    add("--seed", type=int, default=0, help="of the samples; default: 0")
    try:
        solve(parser.parse_args())
    except (ValueError, OSError) as error:
        refuse(error)
    except KeyboardInterrupt:
        print("\nstopped", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    run_main(main)
