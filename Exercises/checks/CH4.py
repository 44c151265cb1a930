"""Checks of chapter 4's exercises, with reference values computed apart from the solutions.

Each exercise has a function of its name, `(rng) -> cases`. `rng` has a new seed at each run.
"""

import itertools
import json
import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from random import Random

import torch

from Appendixes.KVcache import KVCache
from Appendixes.QWEN3Model import load_qwen3
from CH2.generation import generate, generate_batch
from CH2.prompts import CHAIN_OF_THOUGHT, DIRECT, render
from CH3.math_verifier import extract_answer, same_answer
from CH3.problems import load_problems
from CH4.sampling import sampler, temperature, top_p
from Exercises.cases import Case, Mistake, Seen
from Exercises.chapters import ROOT
from Exercises.solutions.CH3 import countdown_answer

WRITINGS = ("1/2", "0.5", "2/4", "3", "3.0", "6/2", "-1", "-1.0", "0.75")


def _randn(rng: Random, *shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(rng.getrandbits(32)))


def _softmax(scores: Iterable[float]) -> list[float]:
    scores = list(scores)
    odds = [math.exp(score - max(scores)) for score in scores]
    return [odd / sum(odds) for odd in odds]


def _nucleus(probabilities: list[float], p: float) -> set[int]:
    """Return the ids from the likeliest down, until their sum reaches p."""
    kept, mass = set(), 0.0
    for token in sorted(range(len(probabilities)), key=lambda token: -probabilities[token]):
        if mass < p:
            kept.add(token)
            mass += probabilities[token]
    return kept


def _hit(weights: Iterable[float], u: float) -> int:
    ends = list(itertools.accumulate(weights))
    return bisect_right(ends, u * ends[-1])


def least_sure_step(rng: Random) -> Iterator[Case]:
    """Check against exponentials in Python floats."""
    fixed = [
        [[1.0, -2.0], [7.0, 7.0], [4.0, 1.0]],
        [[0.0, 2.0, 0.0], [5.0, 1.0, 5.0]],
        [[1.0, 2.0, 4.0]],
    ]
    # a larger entropy than the next, and more sure
    tail = [math.log(p) for p in (0.52, 0.12, 0.12, 0.12, 0.12)]
    fixed.append([tail, [math.log(p) for p in (0.5, 0.4997, 0.0001, 0.0001, 0.0001)]])
    drawn = [(2 * _randn(rng, steps, 5)).tolist() for steps in (4, 6, 9, 12)]
    for logits in fixed + drawn:
        largest = [max(_softmax(row)) for row in logits]
        note = "of two sevens, each has half of the probability" if logits is fixed[0] else ""
        yield Case((torch.tensor(logits),), largest.index(min(largest)), note=note)


def with_temperature(rng: Random) -> Iterator[Case]:
    """Check against exponentials in Python floats; temperature 0 by hand."""
    odds = torch.tensor([0.0, math.log(3)])
    for degree, expected, note in (
        (1.0, [0.25, 0.75], "odds of 1 to 3"),
        (0.5, [0.1, 0.9], "the odds are squared"),
        (0.0, [0.0, 1.0], "0: greedy"),
    ):
        yield Case((odds, degree), torch.tensor(expected), note=note)
    yield Case(
        (torch.tensor([2.0, 5.0, 5.0, 1.0]), 0.0),
        torch.tensor([0.0, 1.0, 0.0, 0.0]),
        note="two are largest",
    )
    for degree in (0.01, 100.0, rng.uniform(0.3, 0.8), rng.uniform(1.2, 3.0)):
        logits = 3 * _randn(rng, 6)
        expected = _softmax([score / degree for score in logits.tolist()])
        yield Case((logits, degree), torch.tensor(expected), tolerance=1e-4)


def keep_top_k(rng: Random) -> Iterator[Case]:
    """Check against Python's sort, which leaves equal ones in their order."""
    fixed = [
        ([[1.0, 3.0, 2.0, 2.0]], 2),
        ([[0.0, 5.0, -1.0], [9.0, 8.0, 7.0]], 1),
        ([[4.0, 4.0, 4.0, 4.0]], 3),
    ]
    drawn = [(_randn(rng, rows, 7).tolist(), rng.randint(2, 5)) for rows in (1, 3, 4)]
    for logits, k in [*fixed, ([[2.0, 1.0]], 5), *drawn]:
        expected = []
        for row in logits:
            kept = sorted(range(len(row)), key=lambda token, row=row: -row[token])[:k]
            expected.append(
                [score if token in kept else -math.inf for token, score in enumerate(row)]
            )
        equal = any(len(set(row)) < len(row) for row in logits)
        note = "of equal scores, those with the lowest ids stay" if equal else ""
        note = "more than there are" if k > len(logits[0]) else note
        yield Case((torch.tensor(logits), k), torch.tensor(expected), note=note)


def keep_nucleus(rng: Random) -> Iterator[Case]:
    """Check against sums in Python floats; p lies between two sums, or equals one."""
    three, quarters = torch.tensor([[0.09, 0.5, 0.41]]).log(), torch.zeros(1, 4)
    inf = math.inf
    yield Case(
        (three, 0.9),
        three.masked_fill(torch.tensor([[True, False, False]]), -inf),
        note="probabilities 0.09, 0.5, 0.41: the last two reach 0.9",
    )
    yield Case(
        (three, 0.2),
        three.masked_fill(torch.tensor([[True, False, True]]), -inf),
        note="one is enough",
    )
    yield Case((three, 0.95), three, note="all are needed")
    yield Case(
        (quarters, 0.5), torch.tensor([[0, 0, -inf, -inf]]), note="each 0.25: two reach 0.5 exactly"
    )
    rows = torch.tensor([[0.6, 0.3, 0.1], [0.2, 0.45, 0.35]]).log()
    yield Case(
        (rows, 0.5),
        rows.masked_fill(torch.tensor([[False, True, True], [True, False, False]]), -inf),
    )
    for vocab in (5, 8, 12):
        logits = 2 * _randn(rng, 3, vocab)
        probabilities = [_softmax(row) for row in logits.tolist()]
        sums = [
            total
            for row in probabilities
            for total in itertools.accumulate(sorted(row, reverse=True))
        ]
        borders = sorted(total for total in [0.3, *sums, 0.97] if 0.3 <= total <= 0.97)
        low, high = max(
            itertools.pairwise(borders), key=lambda gap: (gap[1] - gap[0]) * rng.uniform(0.8, 1)
        )
        p = round((low + high) / 2, 3)
        kept = [_nucleus(row, p) for row in probabilities]
        cut = torch.tensor([[token not in row for token in range(vocab)] for row in kept])
        yield Case((logits, p), logits.masked_fill(cut, -inf))


def draw_tokens(rng: Random) -> Iterator[Case]:
    """Check against cumulative sums and a binary search by the standard library."""
    fixed = [
        ([[0.5, 0.0, 0.25]] * 3, [0.0, 0.6, 0.7], "the line is 0.75 long"),
        ([[0.5, 0.25, 0.25]] * 4, [0.0, 0.5, 0.75, 0.49], ""),
        ([[0.0, 0.5, 0.0, 0.5]] * 3, [0.0, 0.25, 0.5], "tokens of weight 0 are never hit"),
        ([[0.25, 0.0, 0.0]], [0.99], "the line is 0.25 long"),
    ]
    for count in (3, 5, 40):
        weights = [
            [rng.choice([0.0, rng.random()]) for _ in range(7)] + [0.3] for _ in range(count)
        ]
        fixed.append(
            (
                [[weight / 8 for weight in row] for row in weights],
                [rng.random() for _ in weights],
                "",
            )
        )
    for weights, uniform, note in fixed:
        expected = torch.tensor([_hit(row, u) for row, u in zip(weights, uniform, strict=True)])
        arguments = (
            torch.tensor(weights, dtype=torch.float64),
            torch.tensor(uniform, dtype=torch.float64),
        )
        yield Case(arguments, expected, note=note)


class _ToyModel:
    """A model whose next scores are waves that depend on the sum of the tokens so far."""

    def __init__(self, vocab: int, phase: int):
        self.vocab, self.phase = vocab, phase

    def scores(self, ids: list[int]) -> list[float]:
        total = sum(place * (token + 1) for place, token in enumerate(ids, 1)) + self.phase
        return [2 * math.sin(total * (token + 2)) for token in range(self.vocab)]

    def __call__(self, input_ids: torch.Tensor) -> torch.Tensor:
        if input_ids.dim() != 2 or len(input_ids) != 1:
            raise ValueError(f"the model needs ids of shape (1, seq), not {tuple(input_ids.shape)}")
        ids = input_ids[0].tolist()
        return torch.tensor([[self.scores(ids[:end]) for end in range(1, len(ids) + 1)]])

    def sample(self, prompt, max_new_tokens, stop_ids, degree, p, seed) -> list[int]:
        """Return the tokens to be drawn, computed in Python floats."""
        ids, generator = list(prompt), torch.Generator().manual_seed(seed)
        for _ in range(max_new_tokens):
            probabilities = _softmax(score / degree for score in self.scores(ids))
            kept = _nucleus(probabilities, p)
            weights = [
                probability if token in kept else 0.0
                for token, probability in enumerate(probabilities)
            ]
            token = _hit(weights, torch.rand(1, generator=generator, dtype=torch.float64).item())
            if token in stop_ids:
                break
            ids.append(token)
        return ids[len(prompt) :]


def sample_text(rng: Random) -> Iterator[Case]:
    """Check toy models in Python floats, and the shipped model against `generate`."""
    settings = [
        (1.0, 0.05, 5),
        (1.0, 0.9, 12),
        (0.6, 0.7, 20),
        (1.8, 0.6, 20),
        (0.3, 0.95, 20),
        (2.5, 0.75, 20),
    ]
    for number, (degree, p, most) in enumerate(settings):
        model = _ToyModel(rng.randint(9, 15), rng.randint(1, 1000))
        prompt, seed = [rng.randrange(9) for _ in range(rng.randint(2, 5))], rng.getrandbits(31)
        whole = model.sample(prompt, most, (), degree, p, seed)
        stop_ids = () if number < 3 else (whole[rng.randint(3, 9)], 99)
        expected = model.sample(prompt, most, stop_ids, degree, p, seed)
        arguments = (model, torch.tensor([prompt]), most, stop_ids, degree, p, seed)
        shown = (
            f"sample_text(model, tensor([{prompt}]), max_new_tokens={most}, stop_ids={stop_ids}, "
        )
        shown += f"temperature={degree}, p={p}, generator with seed {seed})"
        note = {
            (1.0, 0.05): "p is so small that one token stays",
            (1.0, 0.9): "a new dart for each token, from the generator given",
        }.get((degree, p), "the nucleus is that of the scores divided by the temperature")
        yield Case(arguments, expected, run=_run_sample_text, note=note, shown=shown)
    model, tokenizer = load_qwen3("tiny")
    ids = torch.tensor(
        [tokenizer.encode(f"What is {rng.randint(10, 99)} + {rng.randint(10, 99)}?")]
    )
    seed, draws = rng.getrandbits(31), sampler(temperature(1.5), top_p(0.9))
    repeated = torch.Generator().manual_seed(seed)
    expected = list(
        generate(
            model,
            ids,
            8,
            sampler=draws,
            stop_ids=tokenizer.stop_ids,
            use_cache=False,
            generator=repeated,
        )
    )
    shown = (
        "sample_text(tiny, input_ids, 8, tokenizer.stop_ids, temperature=1.5, p=0.9, "
        f"generator with seed {seed})"
    )
    yield Case(
        (model, ids, 8, tokenizer.stop_ids, 1.5, 0.9, seed),
        expected,
        run=_run_sample_text,
        shown=shown,
    )


def _run_sample_text(sample_text: Callable, *arguments) -> list[int]:
    *arguments, seed = arguments
    return sample_text(*arguments, torch.Generator().manual_seed(seed))


def _toy_probabilities(tokens: list[int], phase: int, vocab: int = 6) -> list[float]:
    """Return probabilities of a row's next token; the stop token, the last, grows likelier."""
    scores = [math.sin((sum(tokens) + phase) * (token + 2)) for token in range(vocab - 1)]
    return _softmax([*scores, 0.4 * len(tokens) - 1])


def _alone(seed: int, phase: int, max_new_tokens: int, stop_id: int) -> list[int]:
    """Draw one row without neighbours."""
    generator, tokens = torch.Generator().manual_seed(seed), []
    while len(tokens) < max_new_tokens:
        dart = torch.rand(1, generator=generator, dtype=torch.float64).item()
        token = _hit(_toy_probabilities(tokens, phase), dart)
        if token == stop_id:
            break
        tokens.append(token)
    return tokens


def sample_batch(rng: Random) -> Iterator[Case]:
    """Check against rows drawn alone; `step` records how many rows each call has."""
    drawn = [([rng.getrandbits(31) for _ in range(rows)], rng.randint(8, 12)) for rows in (4, 6, 8)]
    for seeds, most in [
        ([7, 8, 7], 6),
        ([0], 9),
        ([5, 4, 3, 2, 1], 1),
        (list(range(8)), 12),
        *drawn,
    ]:
        phase = rng.randrange(1, 1000)
        expected = [_alone(seed, phase, most, 5) for seed in seeds]
        shown = f"sample_batch(step, seeds={seeds}, max_new_tokens={most}, stop_id=5)"
        yield Case((seeds, most, phase), expected, run=_run_sample_batch, shown=shown)


def _run_sample_batch(
    sample_batch: Callable, seeds: list[int], most: int, phase: int
) -> list[list[int]]:
    calls: list[int] = []

    def step(rows: list[list[int]]) -> torch.Tensor:
        calls.append(len(rows))
        if not rows:
            raise Mistake(
                "step was called without rows: when all have ended, there is nothing to ask for"
            )
        return torch.tensor(
            [_toy_probabilities(list(row), phase) for row in rows], dtype=torch.float64
        )

    rows = sample_batch(step, seeds, most, 5)
    alone = [_alone(seed, phase, most, 5) for seed in seeds]
    steps = [min(len(row) + 1, most) for row in alone]  # with the one that gave the stop token
    running = [sum(number < count for count in steps) for number in range(max(steps))]
    if rows == alone and calls != running:
        raise Mistake(
            f"the rows are right, but step was given {calls} rows at its calls\n"
            f"expected:  {running}, those running"
        )
    return rows


def accuracy_by_prompt(rng: Random) -> Iterator[Case]:
    """Check with a model that looks up its texts in a list whose verdicts are known."""
    problems = [
        {"problem": "12 + 30?", "answer": "42"},
        {"problem": "1 - 0.5?", "answer": r"\frac{1}{2}"},
    ]
    templates = {"direct": "Q: {problem}\nA:", "steps": "Q: {problem}\nExplain step by step.\nA:"}
    direct = [(r"\boxed{32}", False), (r"\boxed{0.5}", True)]
    steps = [(r"12 + 30 = 42, \boxed{42}", True), (r"\boxed{1/2}", True)]
    yield _prompt_case(templates, problems, {"direct": direct, "steps": steps})
    silent = {
        "direct": [("I do not know.", False), ("", False)],
        "steps": [("Hard to say.", False), steps[1]],
    }
    yield _prompt_case(templates, problems, silent, "some texts have no answer")
    templates = {"direct": DIRECT, "chain-of-thought": CHAIN_OF_THOUGHT}
    for count in (3, 5, 8):
        fractions = rng.sample([(a, b) for a in range(1, 20) for b in range(2, 20)], count)
        problems = [
            {"problem": rf"Simplify \frac{{{a}}}{{{b}}}.", "answer": rf"\frac{{{a}}}{{{b}}}"}
            for a, b in fractions
        ]
        texts = {name: [_solution(rng, a, b) for a, b in fractions] for name in templates}
        yield _prompt_case(templates, problems, texts)


def _solution(rng: Random, a: int, b: int) -> tuple[str, bool]:
    """Return a text with or without the answer a/b, in a random notation, and its verdict."""
    right = [
        rf"\boxed{{{a}/{b}}}",
        rf"So it is \boxed{{\frac{{{2 * a}}}{{{2 * b}}}}}.",
        rf"\boxed{{\dfrac{{{a}}}{{{b}}}}}",
    ]
    wrong = [rf"\boxed{{{a + 1}/{b}}}", "I cannot say."]
    return rng.choice([*((text, True) for text in right), *((text, False) for text in wrong)])


def _prompt_case(
    templates: dict, problems: list[dict], texts: dict[str, list[tuple[str, bool]]], note: str = ""
) -> Case:
    scripted = {
        template.replace("{problem}", problem["problem"]).replace("{{}}", "{}"): text
        for name, template in templates.items()
        for problem, (text, _) in zip(problems, texts[name], strict=True)
    }
    expected = {
        name: sum(right for _, right in solved) / len(problems) for name, solved in texts.items()
    }
    answered = {name: [text for text, _ in solved] for name, solved in texts.items()}
    shown = f"accuracy_by_prompt({templates}, {problems}, a model that answers {answered})"
    return Case(
        (templates, problems, scripted),
        expected,
        run=_run_accuracy_by_prompt,
        note=note,
        shown=shown,
    )


def _run_accuracy_by_prompt(
    accuracy_by_prompt: Callable, templates: dict, problems: list[dict], scripted: dict
):
    def complete(prompt: str) -> str:
        if prompt not in scripted:
            raise Mistake(
                f"the model was asked: {prompt!r}\nexpected, for one: {next(iter(scripted))!r}"
            )
        return scripted[prompt]

    return accuracy_by_prompt(templates, problems, complete)


def majority(rng: Random) -> Iterator[Case]:
    """Check against `Counter`, which lists equal counts in order of first appearance."""
    yield Case((["5", None, "6", "6", None, None],), "6", note="None does not vote")
    yield Case((["9", "10", "9", "10"],), "9", note="a tie")
    yield Case(([None, None],), None, note="nobody votes")
    for _ in range(4):
        answers = [rng.choice(["1", "2", "3", None, None]) for _ in range(8)] + ["2"]
        yield Case((answers,), Counter(filter(None, answers)).most_common(1)[0][0])


def group_by_meaning(rng: Random) -> Iterator[Case]:
    """Check against counts by value as a fraction; words that differ in case by hand."""

    def same_number(one: str, other: str) -> bool:
        return Fraction(one) == Fraction(other)

    def same_word(one: str, other: str) -> bool:
        return one.lower() == other.lower()

    yield Case(
        (["3", "1/2", None, "0.5", "3.0", "2/4"], same_number),
        [("1/2", 3), ("3", 2)],
        note="None does not vote",
    )
    yield Case(
        (["Yes", "NO", "no", "yes", None, "Maybe"], same_word),
        [("Yes", 2), ("NO", 2), ("Maybe", 1)],
    )
    yield Case(([None], same_number), [], note="nobody votes")
    for count in (6, 10, 14):
        answers = [rng.choice([*WRITINGS, None]) for _ in range(count)]
        voted = [answer for answer in answers if answer is not None]
        groups = Counter(map(Fraction, voted)).most_common()
        expected = [
            (next(name for name in voted if Fraction(name) == value), votes)
            for value, votes in groups
        ]
        yield Case((answers, same_number), expected)


def mean_logprob(rng: Random) -> Iterator[Case]:
    """Check against logarithms in Python floats."""
    yield Case((torch.tensor([[0.5, 0.5], [0.125, 0.875]]).log(), [0, 0]), math.log(0.25))
    yield Case(
        (torch.tensor([[0.0, 300.0], [0.0, 0.0]]), [0, 1]),
        (-300 - math.log(2)) / 2,
        note="a very unlikely token",
    )
    for steps in (1, 4, 9):
        logits, tokens = 3 * _randn(rng, steps, 6), [rng.randrange(6) for _ in range(steps)]
        chosen = [_softmax(row)[token] for row, token in zip(logits.tolist(), tokens, strict=True)]
        yield Case((logits, tokens), sum(map(math.log, chosen)) / steps)


def _samples(rng: Random, count: int) -> list[tuple[str, float]]:
    return [(rng.choice(["12", "13", "21"]), -rng.uniform(0.05, 3)) for _ in range(count)]


def break_tie(rng: Random) -> Iterator[Case]:
    """Check by hand, and against votes first and mean log-probability, in fractions, second."""
    yield Case(([("4", -0.1), ("5", -1.0), ("4", -3.0), ("5", -1.0), ("6", -0.01)],), "5")
    yield Case(([("8", -0.05), ("7", -2.0), ("7", -2.5)],), "7", note="no tie")
    yield Case(([("2", -0.9), ("3", -0.4)],), "3", note="one vote each")
    yield Case(([("2", -0.4), ("3", -0.9)],), "2", note="one vote each")
    for _ in range(3):
        samples = [
            (answer, -rng.uniform(0.05, 3)) for answer in ("12", "13", "21") for _ in range(3)
        ]
        samples.append(("99", -0.01))
        rng.shuffle(samples)
        means = {
            name: sum(Fraction(logprob) for answer, logprob in samples if answer == name) / 3
            for name in ("12", "13", "21")
        }
        yield Case((samples,), max(means, key=means.get))


def weighted_vote(rng: Random) -> Iterator[Case]:
    """Check by hand, and against exponentials summed answer by answer."""
    one, other = 2 * math.exp(-2), math.exp(-0.1)
    yield Case(([("4", -2.0), ("4", -2.0), ("5", -0.1)],), ("5", other / (one + other)))
    one, other = 3 * math.exp(-0.7), math.exp(-0.3)
    yield Case(([("5", -0.3), ("4", -0.7), ("4", -0.7), ("4", -0.7)],), ("4", one / (one + other)))
    yield Case(([("1", -5.0), ("1", -4.0)],), ("1", 1.0), note="all agree")
    for count in (3, 6, 9):
        samples = _samples(rng, count)
        weights = {
            name: math.fsum(math.exp(logprob) for answer, logprob in samples if answer == name)
            for name, _ in samples
        }
        share, winner = max(
            (weight / math.fsum(weights.values()), name) for name, weight in weights.items()
        )
        yield Case((samples,), (winner, share))


def replayed_votes(rng: Random) -> Iterator[Case]:
    """Check against `Counter` on the first samples; equal counts in order of first appearance."""
    one = ("7", [("8", 10), ("7", 30), ("7", 20), ("8", 10), ("8", 10)])
    other = ("3", [("3", 20), (None, 40), ("4", 20), ("3", 10), ("3", 10)])
    silent = ("3", [(None, 50), (None, 60), ("3", 20), ("3", 20), ("3", 10)])
    fixed = [([one, other], 3), ([one, other], 5), ([one, other], 1), ([silent, one, other], 2)]
    drawn = []
    for size in (3, 4, 7):
        problems = []
        for _ in range(4):
            reference, wrong = rng.sample(["10", "11", "12"], 2)
            pool = [reference, reference, wrong, "99", None]
            problems.append((reference, [(rng.choice(pool), rng.randint(5, 60)) for _ in range(8)]))
        drawn.append((problems, size))
    for problems, size in fixed + drawn:
        right, tokens = 0, []
        for reference, samples in problems:
            answers, costs = zip(*samples[:size], strict=True)
            right += [reference] == [
                winner for winner, _ in Counter(filter(None, answers)).most_common(1)
            ]
            tokens.append(sum(costs))
        note = f"the first {size} of each problem are drawn, and cost; None does not vote"
        share, cost = right / len(problems), sum(tokens) / len(problems)
        yield Case((problems, size), (share, cost), note=note)


def pass_at_n(rng: Random) -> Iterator[Case]:
    """Check against an enumeration of all choices."""
    drawn = [(total, rng.randint(0, total), rng.randint(1, total)) for total in (6, 7, 8, 9, 10)]
    fixed = [(4, 2, 2), (3, 1, 2), (5, 0, 3), (5, 3, 3), (10, 1, 1)]
    for total, correct, n in fixed + drawn:
        choices = list(itertools.combinations([True] * correct + [False] * (total - correct), n))
        good = sum(map(any, choices))
        note = f"{good} of {len(choices)} choices hold a right sample"
        yield Case((total, correct, n), good / len(choices), note=note)


def majority_accuracy(rng: Random) -> Iterator[Case]:
    """Check against an enumeration of all outcomes, in fractions."""
    drawn = [(rng.randint(5, 95) / 100, rng.randint(2, 9)) for _ in range(4)]
    for q, n in [(0.6, 3), (0.6, 4), (0.3, 5), (0.7, 1), (1.0, 2), (0.0, 3), *drawn]:
        chance, total = Fraction(str(q)), Fraction(0)
        for outcome in itertools.product((True, False), repeat=n):
            lead = 2 * sum(outcome) - n
            worth = Fraction(1, 2) if lead == 0 else int(lead > 0)
            total += worth * math.prod(chance if right else 1 - chance for right in outcome)
        note = "a tie is possible: a coin decides it" if n % 2 == 0 else ""
        yield Case((q, n), float(total), note=note)


def plurality_accuracy(rng: Random) -> Iterator[Case]:
    """Check against the multinomial distribution of the votes per answer, in fractions."""
    fixed = [
        ([0.4, 0.6], 5),
        ([0.4, 0.2, 0.2, 0.2], 5),
        ([0.4, 0.3, 0.3], 2),
        ([0.4, 0.3, 0.3], 3),
        ([0.2, 0.5, 0.3], 4),
    ]
    drawn = []
    for n in (3, 5, 6):
        parts = [rng.randint(2, 9) for _ in range(rng.randint(2, 4))]
        drawn.append(([part / sum(parts) for part in parts], n))
    for chances, n in fixed + drawn:
        exact, total = [Fraction(chance) for chance in chances], Fraction(0)
        for counts in itertools.product(range(n + 1), repeat=len(chances)):
            if sum(counts) == n and counts[0] == max(counts):
                ways = math.factorial(n) // math.prod(map(math.factorial, counts))
                happens = math.prod(
                    chance**count for chance, count in zip(exact, counts, strict=True)
                )
                total += ways * happens / counts.count(max(counts))
        yield Case((chances, n), float(total), note="exactly, not by drawing")


def steps_or_luck(rng: Random) -> Iterator[Case]:
    """Check against an enumeration of all sequences of tosses."""
    hand = ([True, False, False, False, True], [True, True, True, True, False])
    alike = ([True, False], [True, False])
    worse = ([True, True, False], [False, False, True])
    drawn = [
        [[rng.random() < q for _ in range(14)] for q in (0.3, better)] for better in (0.4, 0.6, 0.8)
    ]
    for direct, steps in (hand, alike, worse, *drawn):
        gained = sum(one < other for one, other in zip(direct, steps, strict=True))
        lost = sum(one > other for one, other in zip(direct, steps, strict=True))
        heads = [sum(tosses) for tosses in itertools.product((0, 1), repeat=gained + lost)]
        expected = (gained, lost, sum(count >= gained for count in heads) / len(heads))
        note = f"the chance of {gained} or more heads in {gained + lost} tosses"
        note = "they never differ" if gained + lost == 0 else note
        yield Case((direct, steps), expected, note=note)


def frontier(rng: Random) -> Iterator[Case]:
    """Check against a pass from cheapest to dearest that keeps what beats all before."""
    hand = [
        ("vote of 5", 0.8, 500),
        ("greedy", 0.7, 100),
        ("vote of 3", 0.7, 300),
        ("direct", 0.2, 10),
    ]
    yield Case((hand,), ["direct", "greedy", "vote of 5"])
    yield Case(([("a", 0.5, 100), ("b", 0.5, 100), ("c", 0.6, 100)],), ["c"], note="same price")
    yield Case(
        ([("b", 0.5, 100), ("a", 0.5, 100), ("c", 0.4, 120)],),
        ["b", "a"],
        note="two are the same in both",
    )
    yield Case(
        ([("a", 0.1, 10), ("b", 0.15, 100), ("c", 0.9, 1000)],),
        ["a", "b", "c"],
        note="each is worth it",
    )
    for count in (5, 8, 12):
        ways = [
            (f"way {i}", rng.randint(10, 90) / 100, rng.randint(1, 60) * 10) for i in range(count)
        ]
        expected, best = [], -1.0
        for _, same_price in itertools.groupby(
            sorted(ways, key=lambda way: way[2]), key=lambda way: way[2]
        ):
            same_price = list(same_price)
            top = max(accuracy for _, accuracy, _ in same_price)
            if top > best:
                expected += [name for name, accuracy, _ in same_price if accuracy == top]
                best = top
        yield Case((ways,), expected)


def is_decided(rng: Random) -> Iterator[Case]:
    """Check against all ways to vote with the samples left, new answers included."""
    fixed = [
        ([2, 6], 3),
        ([3], 3),
        ([3], 2),
        ([], 1),
        ([6, 3], 3),
        ([1, 5, 1, 1], 3),
        ([4, 4], 1),
        ([1, 1, 4], 4),
    ]
    drawn = [
        ([rng.randint(1, 7) for _ in range(rng.randint(1, 3))], rng.randint(1, 4)) for _ in range(8)
    ]
    for votes, left in fixed + drawn:
        leader = votes.index(max(votes)) if votes else 0
        outcomes = []
        for added in itertools.combinations_with_replacement(range(len(votes) + 2), left):
            final = [count + added.count(answer) for answer, count in enumerate([*votes, 0, 0])]
            outcomes.append(final[leader] == max(final) and final.count(max(final)) == 1)
        note = f"all {left} could go to one answer, or to a new one" if votes else "no vote yet"
        yield Case((votes, left), bool(votes) and all(outcomes), note=note)


def leading_probability(rng: Random) -> Iterator[Case]:
    """Check against the integral of x**a * (1 - x)**b, multiplied out in fractions."""

    def area(a: int, b: int, start: Fraction) -> Fraction:
        def term(power: int) -> Fraction:
            degree = a + power + 1
            return Fraction((-1) ** power * math.comb(b, power), degree) * (1 - start**degree)

        return sum((term(power) for power in range(b + 1)), Fraction(0))

    drawn = [(rng.randint(1, 12), rng.randint(0, 8)) for _ in range(4)]
    for a, b in [(0, 0), (1, 0), (4, 0), (4, 1), (10, 5), (2, 6), (30, 25), *drawn]:
        yield Case((a, b), float(area(a, b, Fraction(1, 2)) / area(a, b, Fraction(0))))


def stop_early(rng: Random) -> Iterator[Case]:
    """Check against the shortest prefix of samples after which the rule stops, by `Counter`."""

    def two_agree(votes: list[int], left: int) -> bool:
        return max(votes, default=0) == 2

    def certain(votes: list[int], left: int) -> bool:
        first, second, *_ = [*votes, 0, 0]
        return first > second + left

    def never(votes: list[int], left: int) -> bool:
        return False

    one, other = ("7", ["7", None, "7", "8", "8", "8"]), ("2", ["1", "2", "3", "4", "5", "6"])
    late, silent = ("8", ["7", "8", "8", "7", "8", "8"]), ("5", [None, None, None, "5", "5", "5"])
    sure = ("9", ["9"] * 6)  # certain after three of five
    fixed = [
        ([one, other], 4, two_agree),
        ([one, late], 5, never),
        ([silent, one], 3, certain),
        ([sure], 5, certain),
    ]
    drawn = []
    for size in (5, 8, 11):
        problems = []
        for _ in range(4):
            reference = rng.choice(["10", "11", "12"])
            pool = [reference] * 4 + ["10", "12", None]
            problems.append((reference, [rng.choice(pool) for _ in range(size + 3)]))
        drawn.append((problems, size, rng.choice([two_agree, certain])))
    for problems, size, rule in fixed + drawn:
        right, lengths = 0, []
        for reference, samples in problems:
            ranks = [
                Counter(filter(None, samples[:length])).most_common() for length in range(size + 1)
            ]
            stopped = (
                n for n in range(1, size) if rule([votes for _, votes in ranks[n]], size - n)
            )
            lengths.append(next(stopped, size))
            right += [reference] == [winner for winner, _ in ranks[lengths[-1]][:1]]
        expected = {
            "result": (right / len(problems), sum(lengths) / len(problems)),
            "samples drawn, by problem": lengths,
        }
        shown = f"stop_early({problems}, num_samples={size}, stops={rule.__name__})"
        yield Case((problems, size, rule), expected, run=_run_stop_early, shown=shown)


def _run_stop_early(
    stop_early: Callable, problems: list[tuple[str, list]], size: int, rule: Callable
) -> dict:
    drawn = [0] * len(problems)

    def draw(number: int, samples: list) -> Iterator[str | None]:
        for sample in samples:
            drawn[number] += 1
            yield sample

    streams = [
        (reference, draw(number, samples)) for number, (reference, samples) in enumerate(problems)
    ]
    result = stop_early(streams, size, rule)
    return {"result": result, "samples drawn, by problem": drawn}


END_OF_THOUGHT, STOP = 90, 91


def _scripted(script: list[int], prompt: int, closing: list[int]) -> Callable[[list[int]], int]:
    """Return a `next_token` that thinks by a script, and answers with numbers that count up.

    It thinks script[0], script[1], ... behind the prompt. Behind `closing`, or END_OF_THOUGHT, it
    answers 50, 51, ... and stops after as many tokens as the thought was long.
    """

    def next_token(ids: list[int]) -> int:
        written = ids[prompt:]
        if END_OF_THOUGHT not in written:
            return script[len(written)]
        at = written.index(END_OF_THOUGHT)
        forced = written[max(0, at - 1) : at + 2] == closing
        begun = len(written) - at - 1 - (len(closing) - 2 if forced else 0)
        thought = at - (1 if forced else 0)
        return 50 + begun if begun < thought else STOP

    return next_token


def think_within(rng: Random) -> Iterator[Case]:
    """Check with scripts of thoughts that end by themselves, are cut, or end the text."""
    closing = [80, END_OF_THOUGHT, 81]
    for budget, length, most in (
        (8, 4, 9),
        (2, 4, 9),
        (4, 4, 9),
        (5, 4, 2),
        (0, 4, 9),
        (9, 3, 9),
        (rng.randint(1, 6), 7, 5),
        (rng.randint(7, 9), 6, 5),
    ):
        thought = [rng.randrange(50) for _ in range(length)]
        prompt = [rng.randrange(50) for _ in range(rng.randint(1, 4))]
        kept = thought[:budget]
        answer = [50 + number for number in range(min(len(kept), most))]
        ends = "is cut" if budget <= length else "ends by itself"
        shown = f"think_within(a model whose thought is {thought}, budget={budget}, {most=})"
        script = [*thought, END_OF_THOUGHT]
        yield Case(
            (script, prompt, budget, closing, most),
            (kept, answer),
            run=_run_think_within,
            shown=shown,
            note=f"the thought {ends}",
        )
    yield Case(
        ([7, 8, STOP], [1], 5, closing, 5),
        ([7, 8], []),
        run=_run_think_within,
        shown="think_within(a model that thinks 7, 8 and stops, budget=5)",
        note="a stop token in the thought",
    )


def _run_think_within(think_within: Callable, script, prompt, budget, closing, most) -> tuple:
    calls: list[list[int]] = []
    answers = _scripted(script, len(prompt), closing)

    def next_token(ids: list[int]) -> int:
        calls.append(list(ids))
        if len(calls) > len(script) + most + 2:
            raise Mistake("the model was called again and again: what has ended is not asked for")
        try:
            return answers(ids)
        except IndexError:
            raise Mistake(f"the model was asked to think on, behind {ids[len(prompt) :]}") from None

    got = think_within(next_token, list(prompt), budget, END_OF_THOUGHT, closing, (STOP, 92), most)
    thought, answer = got
    if budget == 0 and calls and END_OF_THOUGHT not in calls[0]:
        raise Mistake(
            f"came back: {got!r}\nbut the model was asked to think; the budget is 0: close first"
        )
    asked = len(calls) - len(answer) - (len(answer) < most)
    if list(thought) == script[: len(thought)] and len(thought) == budget < asked:
        raise Mistake(f"came back: {got!r}\nbut the model was called once more than needed")
    return got


def _draw_by_script(answers: dict[str, list[tuple[str | None, int]]], seen: list) -> Callable:
    """Return a `draw` that answers by a list, and tries the sampler that it is given."""

    def draw(sampler: Callable, question: str, n: int) -> list[tuple[str | None, int]]:
        seen.append((question, n))
        _try_sampler(sampler, 0.7, 0.8)
        return answers[question][:n]

    return draw


def _try_sampler(sampler: Callable, degree: float, p: float) -> None:
    """Compare a reader's sampler with one in Python floats."""
    generator = torch.Generator().manual_seed(0)
    logits = 2 * torch.randn(40, 8, generator=generator)
    uniform = torch.rand(40, generator=generator, dtype=torch.float64)
    got, expected = sampler(logits, uniform), []
    for row, u in zip(logits.tolist(), uniform.tolist(), strict=True):
        probabilities = _softmax(score / degree for score in row)
        kept = _nucleus(probabilities, p)
        expected.append(
            _hit((q if token in kept else 0.0 for token, q in enumerate(probabilities)), u)
        )
    if not isinstance(got, torch.Tensor) or got.tolist() != expected:
        first = got.tolist()[:8] if isinstance(got, torch.Tensor) else got
        raise Mistake(
            f"your sampler, at temperature {degree} and p {p}, draws {first!r} ...\n"
            f"expected:  {expected[:8]} ... for the same logits and darts"
        )


def vote_curve(rng: Random) -> Iterator[Case]:
    """Check with scripted samples, then count the votes of the shipped model's samples again."""
    for sizes, count in (([1, 3], 2), ([1, 2, 5], 3), ([4], 4)):
        problems = [(f"question {number}", str(number)) for number in range(count)]
        answers = {
            question: [
                (rng.choice([reference, reference, "99", None]), rng.randint(5, 60))
                for _ in range(max(sizes) + 2)
            ]
            for question, reference in problems
        }
        shown = f"vote_curve({problems}, {sizes}, draw, 0.7, 0.8), with samples {answers}"
        expected = _curve([(r, answers[q]) for q, r in problems], sizes)

        def run(vote_curve, problems, sizes, answers=answers):
            seen: list = []
            rows = vote_curve(problems, sizes, _draw_by_script(answers, seen), 0.7, 0.8)
            if seen != [(question, max(sizes)) for question, _ in problems]:
                raise Mistake(
                    f"draw was called for {seen}\n"
                    f"expected:  once for each question, with n = {max(sizes)}"
                )
            return rows

        yield Case((problems, sizes), expected, run=run, shown=shown)
    # The shipped model. Votes change little where one sample is mostly right, as in most problems;
    # of linear systems, one sample in four is wrong, and votes put much of that right.
    tests = load_problems("arithmetic500")
    systems = [test for test in tests if "/linear_system/" in test["unique_id"]]
    chosen = [(test["problem"], test["answer"]) for test in rng.sample(systems, 10)]
    drawn: list[tuple[str, list]] = []
    sizes, rows = [1, 3, 5, 9], []

    def real(vote_curve):
        drawn.clear()
        references = dict(chosen)

        def draw(sampler, question, n):
            samples = _draw_with_tiny(sampler, question, n, references[question])
            drawn.append((references[question], samples))
            return samples

        rows[:] = vote_curve(chosen, sizes, draw, 0.8, 0.9)
        wanted = _curve(drawn, sizes)
        if [tuple(row) for row in rows] != wanted:
            raise Mistake(f"came back: {rows!r}\nexpected:  {wanted!r}, of the samples drawn")
        return "counted"

    shown = "vote_curve(10 linear systems, sizes, draw with tiny, 0.8, 0.9)"
    yield Case((), "counted", run=real, shown=shown)
    chosen_as = "10 linear systems, chosen as votes help there; on other kinds, they help less"
    return Seen(f"{_table(rows, 'votes of')}\n{chosen_as}", rows)


def _curve(drawn: list[tuple[str, list]], sizes: list[int]) -> list[tuple[int, float, float]]:
    rows = []
    for size in sizes:
        right, tokens = 0, 0
        for reference, samples in drawn:
            answers, costs = zip(*samples[:size], strict=True)
            ranked = Counter(answer for answer in answers if answer is not None).most_common(1)
            right += [reference] == [winner for winner, _ in ranked]
            tokens += sum(costs)
        rows.append((size, right / len(drawn), tokens / len(drawn)))
    return rows


def _draw_with_tiny(sampler, question: str, n: int, reference: str) -> list[tuple]:
    """Draw n samples of tiny; an answer that means the reference is written like it."""
    model, tokenizer = load_qwen3("tiny")
    prompt = tokenizer.encode(render(CHAIN_OF_THOUGHT, question))
    generators = [torch.Generator().manual_seed(seed) for seed in range(n)]
    texts = generate_batch(
        model,
        [prompt] * n,
        200,
        sampler=sampler,
        stop_ids=tokenizer.stop_ids,
        generators=generators,
    )
    samples = []
    for ids in texts:
        answer = extract_answer(tokenizer.decode(ids))
        if answer is not None and same_answer(answer, reference):
            answer = reference
        samples.append((answer, len(ids)))
    return samples


def _table(rows: list[tuple[int, float, float]], name: str) -> str:
    lines = [
        f"{name} {size:>4}: {share:4.0%} right, {tokens:6.0f} tokens"
        for size, share, tokens in rows
    ]
    return "\n".join(lines)


def budget_curve(rng: Random) -> Iterator[Case]:
    """Check with scripts, then let the shipped thinking model play Countdown."""
    closing = [80, END_OF_THOUGHT, 81]
    for budgets, count in (([2, 4], 2), ([1, 3, 9], 3), ([5], 4)):
        lengths = [rng.randint(1, 7) for _ in range(count)]
        shown = f"budget_curve(a model whose thoughts have {lengths} tokens, budgets={budgets})"
        expected = []
        for budget in budgets:
            kept = [min(budget, length) for length in lengths]
            right = sum(k % 2 for k in kept)  # an answer of an odd number of tokens is right
            expected.append((budget, right / count, sum(2 * k for k in kept) / count))
        yield Case((lengths, budgets, closing), expected, run=_run_budget_curve, shown=shown)
    rows: list[tuple[int, float, float]] = []
    path = ROOT / "CH3" / "countdown500_test.json"
    puzzles = rng.sample(json.loads(path.read_text(encoding="utf-8")), 8)

    def real(budget_curve: Callable) -> str:
        model, tokenizer = load_qwen3("tiny-thinking")
        begin = tokenizer.encode("<think>\n", allow_special=True)
        prompts = [
            tokenizer.encode_chat([{"role": "user", "content": puzzle["problem"]}]) + begin
            for puzzle in puzzles
        ]

        def right(number: int, answer: list[int]) -> bool:
            puzzle = puzzles[number]
            box = extract_answer(tokenizer.decode(answer)) or ""
            return countdown_answer(puzzle["numbers"], puzzle["target"], box)

        rows[:] = budget_curve(
            _Continued(model),
            prompts,
            right,
            [16, 64, 256],
            end_of_thought=tokenizer.token_id("</think>"),
            closing=tokenizer.encode("\n</think>\n\n", allow_special=True),
            stop_ids=tokenizer.stop_ids,
            max_answer=60,
        )
        sound = [budget for budget, *_ in rows] == [16, 64, 256]
        if not sound or not all(0 <= share <= 1 and tokens > 0 for _, share, tokens in rows):
            raise Mistake(f"came back: {rows!r}\nexpected:  a row for each budget: 16, 64, 256")
        return "counted"

    yield Case(
        (), "counted", run=real, shown="budget_curve(tiny-thinking, 8 puzzles, [16, 64, 256])"
    )
    return Seen(_table(rows, "budget"), rows)


def _run_budget_curve(budget_curve: Callable, lengths, budgets, closing) -> list[tuple]:
    """The prompt of problem n is [n]: the model thinks as many tokens as its length says."""

    def next_token(ids: list[int]) -> int:
        return _scripted([7] * lengths[ids[0]] + [END_OF_THOUGHT], 1, closing)(ids)

    prompts = [[number] for number in range(len(lengths))]
    return budget_curve(
        next_token,
        prompts,
        lambda number, answer: len(answer) % 2 == 1,
        budgets,
        end_of_thought=END_OF_THOUGHT,
        closing=closing,
        stop_ids=(STOP,),
        max_answer=20,
    )


class _Continued:
    """A model's most likely next token; a text that continues the one before is not read again."""

    def __init__(self, model):
        self.model, self.cache, self.read = model, KVCache(), []

    @torch.no_grad()
    def __call__(self, ids: list[int]) -> int:
        if ids[: len(self.read)] != self.read or len(ids) == len(self.read):
            self.cache, self.read = KVCache(), []
        new = torch.tensor([ids[len(self.read) :]])
        self.read = list(ids)
        return int(self.model(new, self.cache, last_position_only=True)[0, -1].argmax())
