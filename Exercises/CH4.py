"""Chapter 4: fill in the functions, one by one; each says what to do.

python -m Exercises                 where you are, and what is next
python -m Exercises CH4             checks all of this file
python -m Exercises CH4 3           checks one; --hint helps
python -m Exercises CH4 --core      checks the core path

Stars say how hard one is, from ★ to ★★★; ◆ marks the core path: the exercises to do if you do few.
An exercise may use the functions before it. Each names the section of the notebook to read.
"""

from collections.abc import Callable, Iterator

import torch


def least_sure_step(logits: torch.Tensor) -> int:
    """★ Where a model hesitated: the step whose likeliest token has the smallest probability.

    Args:
        logits: `(steps, vocab)`, the scores that a text's tokens were chosen from, a row per step.

    Returns:
        The number of that step, from 0; of equal ones, the first.

    >>> least_sure_step(torch.tensor([[1.0, -2.0], [7.0, 7.0], [4.0, 1.0]]))  # 7, 7: a half each
    1

    Read: CH4/3_inference_time_scaling.ipynb, section "1. The scores of one step"
    """
    raise NotImplementedError


def with_temperature(logits: torch.Tensor, temperature: float) -> torch.Tensor:
    """★ Temperature: make a distribution more peaked (below 1) or flatter (above 1).

    p_i = exp(z_i / T) / sum over j of exp(z_j / T). Temperature 0 stands for greedy decoding: all
    of the probability goes to the largest score; of several equal ones, to the first.

    Args:
        logits: `(vocab,)`.
        temperature: T, 0 or more.

    Returns:
        Probabilities `(vocab,)`.

    >>> logits = torch.tensor([0.0, 1.0986])  # 1.0986 is log 3: odds of 1 to 3
    >>> with_temperature(logits, 1.0)
    tensor([0.2500, 0.7500])
    >>> with_temperature(logits, 0.5)  # the odds are squared: 1 to 9
    tensor([0.1000, 0.9000])
    >>> with_temperature(logits, 0.0)
    tensor([0., 1.])

    Read: CH4/3_inference_time_scaling.ipynb, section "2. Temperature"
    """
    raise NotImplementedError


def keep_top_k(logits: torch.Tensor, k: int) -> torch.Tensor:
    """★ Top-k: keep the k largest scores of each row and cut off the others.

    What is cut off gets the score -inf, and with it the probability 0. Exactly k scores stay, also
    when several are equal: of those, the ones with the lowest ids.

    Args:
        logits: `(rows, vocab)`.
        k: at least 1; if it is larger than the vocabulary, all stay.

    Returns:
        `(rows, vocab)`: the same scores at the same places, or -inf.

    >>> keep_top_k(torch.tensor([[1.0, 3.0, 2.0, 2.0]]), k=2)
    tensor([[-inf, 3., 2., -inf]])

    Read: CH4/3_inference_time_scaling.ipynb, section "3. The nucleus"
    """
    raise NotImplementedError


def keep_nucleus(logits: torch.Tensor, p: float) -> torch.Tensor:
    """★★◆ Top-p: keep the fewest tokens of each row whose probabilities sum to at least p.

    Take a row's tokens from the likeliest down until their sum reaches p: the token that reaches it
    stays, those after it get the score -inf. At least one token always stays. Equally likely tokens
    are taken in the order of their ids.

    Args:
        logits: `(rows, vocab)`.
        p: above 0 and below 1.

    Returns:
        `(rows, vocab)`: the same scores at the same places, or -inf.

    >>> logits = torch.tensor([[0.09, 0.5, 0.41]]).log()
    >>> keep_nucleus(logits, p=0.9).exp()  # 0.5 is too little, 0.5 + 0.41 is enough
    tensor([[0.0000, 0.5000, 0.4100]])
    >>> keep_nucleus(torch.tensor([[0.09, 0.5, 0.41]]).log(), p=0.2).exp()
    tensor([[0.0000, 0.5000, 0.0000]])

    Read: CH4/3_inference_time_scaling.ipynb, section "3. The nucleus"
    """
    raise NotImplementedError


def draw_tokens(weights: torch.Tensor, uniform: torch.Tensor) -> torch.Tensor:
    """★★◆ Draw by inverse CDF: one dart a row, and the token it hits.

    Lay the weights of a row end to end on a line, in the order of the ids. The dart lands at u
    times the line's length. A token covers its part of the line from where it begins up to, but not
    including, where it ends. So a token of weight 0 is never hit.

    Args:
        weights: float64 `(rows, vocab)`, none negative. They are what a cut has left of
            probabilities, so the sum of a row may be less than 1.
        uniform: float64 `(rows,)`, at least 0 and below 1; u for each row.

    Returns:
        Token ids, int64 `(rows,)`.

    >>> weights = torch.tensor([[0.5, 0.0, 0.25]] * 3, dtype=torch.float64)  # a line 0.75 long
    >>> uniform = torch.tensor([0.0, 0.6, 0.7], dtype=torch.float64)
    >>> draw_tokens(weights, uniform)  # the darts land at 0, 0.45 and 0.525
    tensor([0, 0, 2])

    Read: CH4/3_inference_time_scaling.ipynb, section "4. Drawing a token"
    """
    raise NotImplementedError


def sample_text(
    model,
    input_ids: torch.Tensor,
    max_new_tokens: int,
    stop_ids: tuple[int, ...],
    temperature: float,
    p: float,
    generator: torch.Generator,
) -> list[int]:
    """★★◆ A text drawn with temperature and top-p, which can be drawn again.

    At each step: divide the scores by the temperature, keep the nucleus of the distribution that
    this gives (the fewest tokens whose probabilities sum to at least p, and at least one), and draw
    from what is left, by inverse CDF in the order of the ids. The dart of each step is
    `torch.rand(1, generator=generator, dtype=torch.float64)`, one per token.

    Args:
        model: `model(ids (1, seq)) -> logits (1, seq, vocab)`.
        input_ids: the prompt, `(1, seq)`.
        max_new_tokens: end after so many.
        stop_ids: end, too, when one of these is drawn.
        temperature: above 0.
        p: above 0 and below 1.
        generator: where the darts come from.

    Returns:
        The new tokens, without the prompt and without the stop token.

    >>> counts_up = lambda ids: 9.0 * torch.nn.functional.one_hot(ids + 1, 10)  # 99.9 % sure
    >>> generator = torch.Generator().manual_seed(0)
    >>> sample_text(counts_up, torch.tensor([[3, 4]]), 9, (8,), 1.0, 0.9, generator)
    [5, 6, 7]

    Read: CH4/3_inference_time_scaling.ipynb, section "5. A whole text, drawn"
    """
    raise NotImplementedError


def sample_batch(
    step: Callable, seeds: list[int], max_new_tokens: int, stop_id: int
) -> list[list[int]]:
    """★★ A batch in which each row gets the darts it would get alone.

    Row r has a generator of its own, `torch.Generator().manual_seed(seeds[r])`. The rows grow
    together: at each step `step` is called once, with all rows that are still running. Then each of
    these rows takes one dart u from its own generator,
    `torch.rand(1, generator=..., dtype=torch.float64)`, and gets the token that covers u on the
    line of its probabilities, in the order of the ids. A row ends when it draws the stop token,
    which is not kept, or when it has `max_new_tokens`.

    Args:
        step: `step(rows) -> probabilities (len(rows), vocab)`, float64; `rows` is a list of lists,
            the tokens that each running row has so far. It must not be called without rows.
        seeds: one a row; rows with the same seed get the same text.
        max_new_tokens: at least 1.
        stop_id: ends a row.

    Returns:
        The tokens of each row, in the order of the seeds.

    >>> even = lambda rows: torch.full((len(rows), 4), 0.25, dtype=torch.float64)  # of four tokens
    >>> together = sample_batch(even, [7, 8, 7], max_new_tokens=6, stop_id=3)
    >>> alone = sample_batch(even, [8], max_new_tokens=6, stop_id=3)
    >>> together[0] == together[2], together[1:2] == alone
    (True, True)

    Read: CH4/3_inference_time_scaling.ipynb, section "5. A whole text, drawn"
    """
    raise NotImplementedError


def accuracy_by_prompt(
    templates: dict[str, str], problems: list[dict[str, str]], complete: Callable[[str], str]
) -> dict[str, float]:
    r"""★ Chain of thought on an evaluation: which prompt gets how many problems right?

    Put each problem into each template, let the model answer, read the answer from its text and
    grade it. The repository has the parts: `render(template, problem)` in `CH2.prompts`,
    `extract_answer(text)` and `grade_answer(predicted, reference)` in `CH3.math_verifier`. A text
    without an answer is a wrong one.

    Args:
        templates: a name for each template. A template marks the problem's place with `{problem}`,
            and writes braces that are to be seen as `{{}}`, as `str.format` has it.
        problems: at least one; each has its text in "problem" and the right answer in "answer".
        complete: the model: prompt in, text out.

    Returns:
        The share of problems that are right, 0 to 1, for each name.

    >>> templates = {"direct": "Q: {problem}\nA:", "steps": "Q: {problem}\nStep by step.\nA:"}
    >>> problems = [{"problem": "12 + 30?", "answer": "42"}]
    >>> problems += [{"problem": "1 - 0.5?", "answer": r"\frac{1}{2}"}]
    >>> complete = lambda prompt: r"\boxed{42}" if "12" in prompt and "Step" in prompt else "1/2"
    >>> accuracy_by_prompt(templates, problems, complete)
    {'direct': 0.5, 'steps': 1.0}

    Read: CH4/3_inference_time_scaling.ipynb, section "6. Think first"
    """
    raise NotImplementedError


def majority(answers: list[str | None]) -> str | None:
    """★ Self-consistency's vote: the answer that most samples gave.

    Args:
        answers: one per sample; None for a sample in which no answer was found: it does not vote.

    Returns:
        The most frequent answer; of equally frequent ones, the one that came first. None if nobody
        votes.

    >>> majority(["5", None, "6", "6", None, None])
    '6'

    Read: CH4/3_inference_time_scaling.ipynb, section "7. Self-consistency by hand"
    """
    raise NotImplementedError


def group_by_meaning(
    answers: list[str | None], same: Callable[[str, str], bool]
) -> list[tuple[str, int]]:
    """★★ Vote by meaning: 1/2 and 0.5 are one answer, not two.

    Args:
        answers: one per sample; None does not vote.
        same: whether two answers mean the same. If a is the same as b, and b as c, then a is the
            same as c.

    Returns:
        One pair a group: the answer as the first of the group writes it, and how many votes the
        group has. The group with most votes comes first; of equal ones, the one that began first.

    >>> from fractions import Fraction
    >>> same_number = lambda one, other: Fraction(one) == Fraction(other)
    >>> group_by_meaning(["3", "1/2", None, "0.5", "3.0", "2/4"], same_number)
    [('1/2', 3), ('3', 2)]

    Read: CH4/3_inference_time_scaling.ipynb, section "7. Self-consistency by hand"
    """
    raise NotImplementedError


def mean_logprob(logits: torch.Tensor, tokens: list[int]) -> float:
    """★ How sure a model was of a text: the mean of the natural logarithms of its tokens'
    probabilities.

    Args:
        logits: `(len(tokens), vocab)`, float32; row i has the scores that token i was drawn from.
            They may differ so much that the softmax of the smaller ones is 0; their logarithms are
            still ordinary numbers.
        tokens: at least one.

    Returns:
        The mean, 0 or less.

    >>> logits = torch.tensor([[0.5, 0.5], [0.125, 0.875]]).log()
    >>> round(mean_logprob(logits, [0, 0]), 4)  # (log 0.5 + log 0.125) / 2 = log 0.25
    -1.3863

    Read: CH4/3_inference_time_scaling.ipynb, section "7. Self-consistency by hand"
    """
    raise NotImplementedError


def break_tie(samples: list[tuple[str, float]]) -> str:
    """★ A majority vote whose ties the model's own confidence decides.

    The answer with most votes wins, however unsure its samples are. Of answers with equally many
    votes, the one wins whose samples have the larger mean of their log-probabilities.

    Args:
        samples: the answer of each, and its mean log-probability per token (0 or less); at least
            one sample.

    Returns:
        The winning answer.

    >>> samples = [("4", -0.1), ("5", -1.0), ("4", -3.0), ("5", -1.0), ("6", -0.01)]
    >>> break_tie(samples)  # two votes each; means -1.55 and -1.0
    '5'

    Read: CH4/3_inference_time_scaling.ipynb, section "7. Self-consistency by hand"
    """
    raise NotImplementedError


def weighted_vote(samples: list[tuple[str, float]]) -> tuple[str, float]:
    """★ A vote in which each sample counts with its probability.

    A sample's weight is exp(its mean log-probability per token), an answer's weight is the sum over
    its samples.

    Args:
        samples: the answer of each, and its mean log-probability per token (0 or less); at least
            one sample.

    Returns:
        The answer with the largest weight, and its share of the weights of all samples.

    >>> samples = [("4", -2.0), ("4", -2.0), ("5", -0.1)]
    >>> winner, share = weighted_vote(samples)  # 2 * 0.1353 against 0.9048
    >>> winner, round(share, 4)
    ('5', 0.7697)

    Read: CH4/3_inference_time_scaling.ipynb, section "7. Self-consistency by hand"
    """
    raise NotImplementedError


def replayed_votes(
    problems: list[tuple[str, list[tuple[str | None, int]]]], size: int
) -> tuple[float, float]:
    """★★◆ Self-consistency on an evaluation: what a vote of `size` gets right, and what it costs.

    The samples were drawn once. A vote of five is the vote of the first five; the others are not
    looked at. A problem is right if the answer with most votes is its reference; of equally
    frequent answers the one that came first wins.

    Args:
        problems: at least one; each its reference, and its samples in the order they were drawn:
            the answer (None does not vote) and the tokens it took.
        size: samples per vote, at least 1; every problem has as many.

    Returns:
        The share of problems that are right, 0 to 1, and the mean number of tokens that a problem's
        vote takes. Tokens of samples without an answer were spent, too.

    >>> one = ("7", [("8", 10), ("7", 30), ("7", 20), ("8", 10), ("8", 10)])
    >>> other = ("3", [("3", 20), (None, 40), ("4", 20), ("3", 10), ("3", 10)])
    >>> replayed_votes([one, other], size=3)  # 7 by two to one; 3 before 4
    (1.0, 70.0)
    >>> replayed_votes([one, other], size=5)  # 8 by three to two: wrong
    (0.5, 90.0)

    Read: CH4/3_inference_time_scaling.ipynb, section "8. What a vote can do"
    """
    raise NotImplementedError


def majority_accuracy(q: float, n: int) -> float:
    """★★ What a majority of n is worth, if each sample is right with probability q.

    Samples are independent, and all wrong ones give the same wrong answer: the worst case. The vote
    is right if more than half of the samples are; if exactly half are, a coin decides.

    Args:
        q: 0 to 1.
        n: at least 1.

    Returns:
        The probability that the vote is right, exactly: no simulation.

    >>> round(majority_accuracy(0.6, 3), 4)  # all three right: 0.216; two of three: 3 * 0.144
    0.648
    >>> round(majority_accuracy(0.6, 4), 4)  # the fourth sample bought nothing
    0.648

    Read: CH4/3_inference_time_scaling.ipynb, section "8. What a vote can do"
    """
    raise NotImplementedError


def plurality_accuracy(chances: list[float], n: int) -> float:
    """★★ Why a vote wins even when most samples are wrong: mistakes scatter.

    A sample gives the right answer with probability `chances[0]`, and each of several wrong answers
    with one of the others. The answer with most of n votes wins; if several share the lead, one of
    them is drawn, each with the same chance.

    Args:
        chances: sums to 1; at most four answers.
        n: samples, independent; at most 7.

    Returns:
        The probability that the right answer wins, exactly: no simulation.

    >>> round(plurality_accuracy([0.4, 0.6], 5), 4)  # all mistakes agree: worse than one
    0.3174
    >>> round(plurality_accuracy([0.4, 0.2, 0.2, 0.2], 5), 4)  # they scatter: it is better
    0.5094

    Read: CH4/3_inference_time_scaling.ipynb, section "8. What a vote can do"
    """
    raise NotImplementedError


def steps_or_luck(direct: list[bool], steps: list[bool]) -> tuple[int, int, float]:
    """★★ Did the steps help, or was it luck?

    Two prompts on the same problems: only the problems on which they differ tell them apart. If the
    prompts were equally good, each of these would go to either side like the toss of a coin (the
    sign test, or McNemar's test).

    Args:
        direct, steps: whether each problem was right with the one prompt and with the other; the
            same problems in the same order.

    Returns:
        gained: problems that only the steps got right.
        lost: problems that only the direct prompt got right.
        chance: probability of at least `gained` heads in `gained + lost` tosses of a fair coin;
            small: hardly luck.

    >>> direct, steps = [True, False, False, False, True], [True, True, True, True, False]
    >>> steps_or_luck(direct, steps)  # 4 or 3 heads: (1 + 4) / 16
    (3, 1, 0.3125)

    Read: CH4/3_inference_time_scaling.ipynb, section "8. What a vote can do"
    """
    raise NotImplementedError


def pass_at_n(drawn: int, correct: int, n: int) -> float:
    """★ pass@n: how often is at least one of n samples right?

    More samples were drawn than n. Of all ways to choose n of them, return the part that holds a
    right one: an estimate without bias. (1 - (1 - correct / drawn) ** n looks similar, and is too
    small: it would put each sample back before the next is chosen.)

    Args:
        drawn: samples of one problem.
        correct: how many of them are right, 0 to `drawn`.
        n: 1 to `drawn`.

    Returns:
        A probability.

    >>> pass_at_n(drawn=4, correct=2, n=2)  # of the six pairs, only one has no right sample: 5/6
    0.8333333333333334

    Read: CH4/3_inference_time_scaling.ipynb, section "9. How often at least one is right"
    """
    raise NotImplementedError


def is_decided(votes: list[int], left: int) -> bool:
    """★◆ Early stopping: can the samples that are left still change the outcome?

    A vote is decided when the leader has more votes than any other answer can still reach, one that
    nobody gave so far included. More, not equally many: ties may be decided either way.

    Args:
        votes: how many samples gave each of the answers so far, in any order; empty if there is no
            answer yet.
        left: samples still to come, at least 1.

    Returns:
        Whether the leader is certain to win.

    >>> is_decided([2, 6], left=3)  # 2 + 3 is less than 6
    True
    >>> is_decided([3], left=3)  # a new answer could reach 3 as well
    False

    Read: CH4/3_inference_time_scaling.ipynb, section "10. Stop when it is decided"
    """
    raise NotImplementedError


def leading_probability(leader: int, runner_up: int) -> float:
    """★★ Early stopping: how surely is the leader what the model prefers? (The Beta criterion.)

    Let x be the leader's share of all votes that the two answers would ever get. If every x from 0
    to 1 was equally likely before, then after a votes for the leader and b for the runner-up the
    density of x is proportional to x**a * (1 - x)**b, the distribution Beta(a + 1, b + 1). Return
    the probability that x is above 1/2: the part of the area under that curve that lies right of
    the middle.

    Args:
        leader: a, at most 30.
        runner_up: b, at most 30.

    Returns:
        The probability, right to five decimals.

    >>> leading_probability(0, 0), leading_probability(1, 0), leading_probability(4, 0)
    (0.5, 0.75, 0.96875)
    >>> round(leading_probability(4, 1), 4)
    0.8906

    Read: CH4/3_inference_time_scaling.ipynb, section "10. Stop when it is decided"
    """
    raise NotImplementedError


def stop_early(
    problems: list[tuple[str, Iterator[str | None]]],
    num_samples: int,
    stops: Callable[[list[int], int], bool],
) -> tuple[float, float]:
    """★★ Early stopping on an evaluation: draw no sample that is not needed.

    For each problem draw samples one by one. After each, ask the rule `stops(votes, left)` whether
    to stop; `votes` is how many samples gave each answer so far, most first, and `left` how many
    could still be drawn. Stop, too, after `num_samples`. Then the answer with most votes wins; of
    equally frequent ones, the one that came first.

    Args:
        problems: at least one; each its reference, and an iterator that draws a sample at each
            `next`: an answer, or None, which was drawn but does not vote. It could go on for ever.
        num_samples: of a full vote, at least 1.
        stops: the rule; it takes an empty list of votes, too.

    Returns:
        The share of problems that are right, 0 to 1, and the mean number of samples drawn per
        problem.

    >>> two_agree = lambda votes, left: max(votes, default=0) == 2
    >>> one, other = iter(["7", None, "7", "8", "8"]), iter(["1", "2", "3", "4", "5"])
    >>> stop_early([("7", one), ("2", other)], num_samples=4, stops=two_agree)  # 3 of 4; 4 of 4
    (0.5, 3.5)
    >>> next(one), next(other)  # what was not drawn is still there
    ('8', '5')

    Read: CH4/3_inference_time_scaling.ipynb, section "10. Stop when it is decided"
    """
    raise NotImplementedError


def think_within(
    next_token: Callable[[list[int]], int],
    prompt: list[int],
    budget: int,
    end_of_thought: int,
    closing: list[int],
    stop_ids: tuple[int, ...],
    max_answer: int,
) -> tuple[list[int], list[int]]:
    r"""★★★◆ A budget for thoughts: when it is spent, the thought is closed, and it answers.

    A thinking model writes its thought, then `</think>`, then its answer. Let it think token by
    token. If it writes `</think>` by itself, that token is appended to the text, and the answer
    begins. If it has not done so after `budget` tokens of thought, append `closing`, which says
    `</think>` in its place. Then let it answer, until a stop token or `max_answer` tokens. A stop
    token in the middle of the thought ends everything: there is no answer.

    Args:
        next_token: `next_token(ids) -> id`, the model's most likely token behind a text.
        prompt: the ids behind which the thought begins.
        budget: tokens of thought that are allowed, 0 or more; 0: the model is not asked to think.
        end_of_thought: the id of `</think>`.
        closing: the ids of "\n</think>\n\n".
        stop_ids: ids that end the answer.
        max_answer: tokens that an answer may have.

    Returns:
        The thought, without `</think>` and without `closing`; and the answer, without the stop
        token. The model is not called more often than needed.

    >>> counts_up = lambda ids: ids[-1] + 1  # let 9 be </think>, and 20 a stop token
    >>> think_within(counts_up, [4], 8, 9, [0, 9, 0], (20,), max_answer=3)
    ([5, 6, 7, 8], [10, 11, 12])
    >>> think_within(counts_up, [4], 2, 9, [0, 9, 0], (20,), max_answer=3)  # closed after 5 and 6
    ([5, 6], [1, 2, 3])

    Read: CH4/3_inference_time_scaling.ipynb, section "11. Think longer"
    """
    raise NotImplementedError


def frontier(ways: list[tuple[str, float, float]]) -> list[str]:
    """★★ Which ways of answering are worth their tokens?

    A way drops out if another one is better: at least as accurate for at most as many tokens, and
    not the same in both.

    Args:
        ways: name, accuracy and tokens per problem of each.

    Returns:
        The names of the ways that stay, the cheapest first; those that cost the same in the order
        they were given.

    >>> votes = [("vote of 5", 0.8, 500), ("vote of 3", 0.7, 300)]
    >>> frontier([*votes, ("greedy", 0.7, 100), ("direct", 0.2, 10)])
    ['direct', 'greedy', 'vote of 5']

    Read: CH4/3_inference_time_scaling.ipynb, section "12. Longer, or more often?"
    """
    raise NotImplementedError


def vote_curve(
    problems: list[tuple[str, str]],
    sizes: list[int],
    draw: Callable,
    temperature: float,
    p: float,
) -> list[tuple[int, float, float]]:
    """★★★◆ Capstone: your sampler and your vote, as accuracy against tokens.

    Make a sampler of your own functions: `sampler(logits, uniform) -> ids`. It gets logits
    `(rows, vocab)` and a dart for each row, float64 `(rows,)`. It divides the logits by the
    temperature, keeps each row's nucleus (your `keep_nucleus`), turns what is left into
    probabilities in float64, and draws (your `draw_tokens`). Give it to `draw` once for each
    problem, for as many samples as the largest vote needs. Then count the votes of each size: your
    `replayed_votes`.

    Args:
        problems: question and reference of each.
        sizes: how many samples vote, such as [1, 3, 5].
        draw: `draw(sampler, question, n)` lets the model answer a question n times with your
            sampler; a list of (answer or None, tokens), one for each sample.
        temperature, p: for the sampler.

    Returns:
        A row for each size: the size, the share of problems that are right, and the tokens per
        problem.

    Read: CH4/3_inference_time_scaling.ipynb, section "13. Spend your tokens"
    """
    raise NotImplementedError


def budget_curve(
    next_token: Callable[[list[int]], int],
    prompts: list[list[int]],
    right: Callable[[int, list[int]], bool],
    budgets: list[int],
    **thinking,
) -> list[tuple[int, float, float]]:
    """★★ Capstone: your thinking budget on the shipped model that thinks, `tiny-thinking`.

    For each budget, let the model answer each problem within it (your `think_within`), and count
    how many answers are right and how many tokens were written.

    Args:
        next_token: as for `think_within`.
        prompts: token ids of each problem.
        right: `right(number, answer)` says whether the answer's ids solve problem `number`, from 0.
        budgets: tokens of thought that are allowed, such as [16, 64, 256].
        thinking: the other arguments of `think_within`, by name: call
            `think_within(next_token, prompt, budget, **thinking)`.

    Returns:
        A row for each budget: the budget, the share of problems that are right, and the mean number
        of tokens per problem, those of the thought and those of the answer.

    Read: CH4/3_inference_time_scaling.ipynb, section "11. Think longer"
    """
    raise NotImplementedError
