"""Draw the picture of the README: one problem at once, step by step and by a vote; and a thought.

python -m CH4.experiments.one_problem      writes CH4/results/one_problem.png, prints its words
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from Appendixes.command_line import read_json, run_main
from Appendixes.drawings.canvas import FAINT, Canvas
from Appendixes.figure_style import GREEN, RED
from Appendixes.QWEN3Model import load_qwen3
from CH2.prompts import CHAIN_OF_THOUGHT, DIRECT
from CH3.countdown import solves_countdown
from CH3.evaluation.answers import answers
from CH3.evaluation.writers import ModelWriter
from CH3.math_verifier import extract_answer, grade_answer
from CH3.problems import load_problems
from CH4.experiments.draws import draw
from CH4.thinking import think
from CH4.voting import Sample, majority_vote

RESULTS = Path(__file__).resolve().parents[1] / "results"
SAMPLES = 20
LOOKED_AT = 250  # number of problems among which one is chosen
LONGEST = 5  # lines of a solution or a thought that fit into the picture


@dataclass(frozen=True)
class Story:
    """One problem, with what the model wrote about it in three ways."""

    question: str
    reference: str
    direct: str
    steps: str
    samples: Sequence[Sample]

    def fits(self) -> bool:
        """Return True if steps and a contested vote are right, and the direct answer is wrong."""
        vote = majority_vote(self.samples)
        return (
            not right(self.direct, self.reference)
            and right(self.steps, self.reference)
            and bool(vote.groups[0].samples[0].right)
            and len(vote.groups) > 2
            and len(vote.groups[0].samples) > SAMPLES // 2
            and 3 <= len(self.steps.strip().splitlines()) <= LONGEST
            and max(map(len, self.steps.splitlines())) < 44
            and all(sample.answer and len(sample.answer) < 6 for sample in self.samples)
        )


def right(text: str, reference: str) -> bool:
    """Return True if the answer in a text is the reference."""
    return grade_answer(extract_answer(text) or "", reference)


def stories() -> Iterator[Story]:
    """Let the shipped model answer short problems in three ways, and yield them in order."""
    # 1. Short questions, answered greedily with both prompts.
    model, tokenizer = load_qwen3("tiny")
    problems = [p for p in load_problems("arithmetic500", LOOKED_AT) if len(p["problem"]) < 45]
    texts = {}
    for template in (DIRECT, CHAIN_OF_THOUGHT):
        writer = ModelWriter(model, tokenizer, template, max_new_tokens=300)
        for answer in answers(writer, problems):
            texts[template, answer.problem["unique_id"]] = answer.text.text
    # 2. Twenty samples of each, and the story they make.
    drawn = draw(model, tokenizer, problems, CHAIN_OF_THOUGHT, SAMPLES, progress=False)
    for problem, samples in zip(problems, drawn, strict=True):
        name = problem["unique_id"]
        direct, steps = texts[DIRECT, name], texts[CHAIN_OF_THOUGHT, name]
        yield Story(problem["problem"], problem["answer"], direct, steps, samples)


def thought() -> tuple[str, str, str]:
    """Return a puzzle with a thought of a few tries, the thought, and the right answer it found."""
    model, tokenizer = load_qwen3("tiny-thinking")
    for problem in load_problems("countdown500", LOOKED_AT):
        text = think(model, tokenizer, problem["problem"])
        answer = extract_answer(text.answer)
        fits = len(text.thought.splitlines()) == LONGEST - 1
        if fits and solves_countdown(answer, problem["numbers"], problem["target"]):
            return problem["problem"], text.thought, str(answer)
    raise ValueError("no puzzle has a thought of the right length")


def accuracy(prompt: str, name: str) -> str:
    """Return the share of the 500 test problems that is right, from the kept results, in words."""
    rows = read_json(RESULTS / "results.json")["rows"]
    [row] = [row for row in rows if (row["prompt"], row["name"]) == (prompt, name)]
    return f"{row['accuracy']['value']:.0%} of 500 problems correct"


def panel(
    canvas: Canvas,
    x: float,
    y: float,
    title: str,
    lines: str,
    answer: str,
    correct: bool,
    note: str,
) -> None:
    """Draw a title, lines of a text, the answer with its verdict, and a note."""
    canvas.text(x, y, title, align="left", bold=True, size=12)
    for row, line in enumerate(lines.strip().splitlines()):
        canvas.text(x, y + 1.5 + 1.15 * row, line, align="left", size=9.5)
    verdict = "correct" if correct else "wrong"
    canvas.box(x, y + 7.6, 9, 1.6, f"{answer}  {verdict}", GREEN if correct else RED, size=10.5)
    canvas.text(x + 9.6, y + 8.4, note, align="left", size=9, colour=FAINT)


def main() -> None:
    """Find a problem that shows all three ways, draw the picture, and print its description."""
    # 1. Find what to show.
    story = next(story for story in stories() if story.fits())
    puzzle, tries, solution = thought()
    vote = majority_vote(story.samples)
    # 2. The same problem in three ways.
    canvas = Canvas(44, 23)
    canvas.text(0.5, 0.8, story.question, align="left", size=13, bold=True)
    direct = extract_answer(story.direct) or "-"
    panel(
        canvas, 0.5, 2.6, "At once", story.direct, direct, False, accuracy("direct", "greedy"),
    )  # fmt: skip
    panel(
        canvas, 22.5, 2.6, "Step by step", story.steps, story.reference, True,
        accuracy("chain-of-thought", "greedy"),
    )  # fmt: skip
    panel(
        canvas, 0.5, 13.3, "Twenty samples vote", "", story.reference, True,
        accuracy("chain-of-thought", f"majority of {SAMPLES}"),
    )  # fmt: skip
    names = [group.answer for group in vote.groups]
    for place, sample in enumerate(story.samples):
        rank = next(n for n, group in enumerate(vote.groups) if sample in group.samples)
        colour = GREEN if sample.right else RED
        canvas.box(
            0.5 + 2 * (place % 10), 14.8 + 2.2 * (place // 10), 1.9, 1.9, names[rank], colour
        )
    # 3. A puzzle, and a thought.
    shown = f"{puzzle.partition(', each')[0]}.\n{tries}"
    panel(
        canvas,
        22.5,
        13.3,
        "A thought",
        shown,
        solution,
        True,
        "",
    )
    path = RESULTS / "one_problem.png"
    canvas.figure.savefig(path, dpi=200)
    counts = Counter(sample.answer for sample in story.samples).most_common()
    voted = ", ".join(f"{count} for {answer}" for answer, count in counts)
    print(
        f"{story.question} Asked at once, the model answers {direct}, which is wrong; step by "
        f"step, {story.reference}, which is right. Twenty samples vote: {voted}. A thought on a "
        f"puzzle ({puzzle}) tries {len(tries.splitlines())} ways and finds {solution}."
    )


if __name__ == "__main__":
    run_main(main)
