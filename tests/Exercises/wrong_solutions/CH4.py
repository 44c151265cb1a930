"""Typical wrong solutions of chapter 4, named `<exercise>__<mistake>`; the checks reject each."""

import itertools
import math
import random
from collections import Counter

import torch

from Exercises.solutions import CH4 as solutions  # noqa: N811


def least_sure_step__compares_scores(logits):
    return int(logits.amax(dim=-1).argmin())


def least_sure_step__most_sure(logits):
    return int(logits.softmax(dim=-1).amax(dim=-1).argmax())


def with_temperature__multiplies(logits, temperature):
    return (logits * temperature).softmax(dim=-1)


def with_temperature__divides_by_zero(logits, temperature):
    return (logits / temperature).softmax(dim=-1)


def with_temperature__overflows(logits, temperature):
    odds = (logits / max(temperature, 1e-3)).exp()
    return odds / odds.sum()


def keep_top_k__keeps_equal_ones(logits, k):
    smallest = logits.topk(min(k, logits.shape[-1])).values[:, -1:]
    return logits.masked_fill(logits < smallest, -torch.inf)


def keep_top_k__zero_for_what_is_cut(logits, k):
    ids = logits.sort(dim=-1, descending=True, stable=True).indices[:, :k]
    return torch.zeros_like(logits).scatter(-1, ids, logits.gather(-1, ids))


def keep_top_k__of_the_whole_batch(logits, k):
    ids = logits.flatten().sort(descending=True, stable=True).indices[:k]
    cut = torch.full_like(logits, -torch.inf).flatten()
    cut[ids] = logits.flatten()[ids]
    return cut.view_as(logits)


def keep_nucleus__drops_the_token_that_reaches_p(logits, p):
    probabilities, ids = logits.softmax(dim=-1).sort(dim=-1, descending=True, stable=True)
    kept = torch.zeros_like(logits, dtype=torch.bool).scatter(
        -1, ids, probabilities.cumsum(dim=-1) <= p
    )
    return logits.masked_fill(~kept, -torch.inf)


def keep_nucleus__forgets_to_undo_the_sorting(logits, p):
    probabilities = logits.softmax(dim=-1).sort(dim=-1, descending=True, stable=True).values
    return logits.masked_fill(probabilities.cumsum(dim=-1) - probabilities >= p, -torch.inf)


def keep_nucleus__returns_probabilities(logits, p):
    probabilities, ids = logits.softmax(dim=-1).sort(dim=-1, descending=True, stable=True)
    mass_before = probabilities.cumsum(dim=-1) - probabilities
    kept = torch.zeros_like(logits, dtype=torch.bool).scatter(-1, ids, mass_before < p)
    return logits.masked_fill(~kept, -torch.inf).softmax(dim=-1)


def draw_tokens__the_likeliest(weights, uniform):
    return weights.argmax(dim=-1)


def draw_tokens__hits_weight_0(weights, uniform):
    ends = weights.cumsum(dim=-1)
    return (ends < uniform[:, None] * ends[:, -1:]).sum(dim=-1)


def draw_tokens__with_darts_of_its_own(weights, uniform):
    return torch.multinomial(weights, 1)[:, 0]


def _sample_text(weigh, model, input_ids, max_new_tokens, stop_ids, draw):
    new_tokens, ids = [], input_ids
    for _ in range(max_new_tokens):
        ends = weigh(model(ids)[0, -1].double()).cumsum(dim=-1)
        token = (ends <= draw() * ends[-1]).sum()
        if token.item() in stop_ids:
            break
        new_tokens.append(token.item())
        ids = torch.cat((ids, token.view(1, 1)), dim=1)
    return new_tokens


def _cut(probabilities, p):
    in_order, order = probabilities.sort(descending=True)
    kept = order[in_order.cumsum(dim=-1) - in_order < p]
    return torch.zeros_like(probabilities).index_copy(0, kept, probabilities[kept])


def _dart(generator):
    return torch.rand(1, generator=generator, dtype=torch.float64)


def sample_text__nucleus_before_temperature(
    model, input_ids, max_new_tokens, stop_ids, temperature, p, generator
):
    def weigh(scores):
        return (_cut(scores.softmax(dim=-1), p).log() / temperature).softmax(dim=-1)

    return _sample_text(weigh, model, input_ids, max_new_tokens, stop_ids, lambda: _dart(generator))


def sample_text__the_same_dart_each_time(
    model, input_ids, max_new_tokens, stop_ids, temperature, p, generator
):
    def weigh(scores):
        return _cut((scores / temperature).softmax(dim=-1), p)

    dart = _dart(generator)
    return _sample_text(weigh, model, input_ids, max_new_tokens, stop_ids, lambda: dart)


def sample_text__darts_from_a_hidden_generator(
    model, input_ids, max_new_tokens, stop_ids, temperature, p, generator
):
    def weigh(scores):
        return _cut((scores / temperature).softmax(dim=-1), p)

    return _sample_text(weigh, model, input_ids, max_new_tokens, stop_ids, lambda: _dart(None))


def _sample_batch(step, seeds, max_new_tokens, stop_id, generators, running_only=True):
    rows, running = [[] for _ in seeds], list(range(len(seeds)))
    for _ in range(max_new_tokens):
        if not running:
            break
        asked = running if running_only else range(len(seeds))
        for row, ends in zip(asked, step([rows[row] for row in asked]).cumsum(dim=-1), strict=True):
            token = int((ends <= _dart(generators[row])).sum())
            if row in running and token == stop_id:
                running = [other for other in running if other != row]
            elif row in running:
                rows[row].append(token)
    return rows


def sample_batch__one_generator_for_all(step, seeds, max_new_tokens, stop_id):
    shared = torch.Generator().manual_seed(seeds[0])
    return _sample_batch(step, seeds, max_new_tokens, stop_id, [shared] * len(seeds))


def sample_batch__asks_for_ended_rows_too(step, seeds, max_new_tokens, stop_id):
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    return _sample_batch(step, seeds, max_new_tokens, stop_id, generators, running_only=False)


def sample_batch__one_row_after_the_other(step, seeds, max_new_tokens, stop_id):
    rows = []
    for seed in seeds:
        rows += _sample_batch(
            step, [seed], max_new_tokens, stop_id, [torch.Generator().manual_seed(seed)]
        )
    return rows


def accuracy_by_prompt__leaves_double_braces(templates, problems, complete):
    from CH3.math_verifier import extract_answer, grade_answer

    def right(template, problem):
        text = complete(template.replace("{problem}", problem["problem"]))
        return grade_answer(extract_answer(text), problem["answer"])

    return {
        name: sum(right(t, one) for one in problems) / len(problems)
        for name, t in templates.items()
    }


def accuracy_by_prompt__compares_strings(templates, problems, complete):
    from CH2.prompts import render
    from CH3.math_verifier import extract_answer

    def right(template, problem):
        return extract_answer(complete(render(template, problem["problem"]))) == problem["answer"]

    return {
        name: sum(right(t, one) for one in problems) / len(problems)
        for name, t in templates.items()
    }


def accuracy_by_prompt__leaves_out_texts_without_answer(templates, problems, complete):
    from CH2.prompts import render
    from CH3.math_verifier import extract_answer, grade_answer

    accuracies = {}
    for name, template in templates.items():
        found = [
            (extract_answer(complete(render(template, one["problem"]))), one["answer"])
            for one in problems
        ]
        graded = [
            grade_answer(answer, reference) for answer, reference in found if answer is not None
        ]
        accuracies[name] = sum(graded) / max(1, len(graded))
    return accuracies


def majority__none_votes(answers):
    return Counter(answers).most_common(1)[0][0]


def majority__the_last_of_equal_ones(answers):
    votes = [answer for answer in reversed(answers) if answer is not None]
    return max(votes, key=votes.count, default=None)


def majority__nobody_votes_is_an_error(answers):
    return Counter(answer for answer in answers if answer is not None).most_common(1)[0][0]


def group_by_meaning__by_string(answers, same):
    return Counter(answer for answer in answers if answer is not None).most_common()


def group_by_meaning__neighbours_only(answers, same):
    groups = []
    for answer in answers:
        if answer is not None and groups and same(groups[-1][0], answer):
            groups[-1] = (groups[-1][0], groups[-1][1] + 1)
        elif answer is not None:
            groups.append((answer, 1))
    return sorted(groups, key=lambda group: -group[1])


def group_by_meaning__in_order_of_appearance(answers, same):
    votes = {}
    for answer in answers:
        if answer is not None:
            name = next((name for name in votes if same(name, answer)), answer)
            votes[name] = votes.get(name, 0) + 1
    return list(votes.items())


def mean_logprob__sum(logits, tokens):
    return logits.log_softmax(dim=-1)[range(len(tokens)), tokens].sum().item()


def mean_logprob__logarithm_of_the_mean(logits, tokens):
    return logits.softmax(dim=-1)[range(len(tokens)), tokens].mean().log().item()


def mean_logprob__softmax_first(logits, tokens):
    return logits.softmax(dim=-1).log()[range(len(tokens)), tokens].mean().item()


def break_tie__the_first(samples):
    answers = [answer for answer, _ in samples]
    return max(answers, key=answers.count)


def break_tie__the_best_single_sample(samples):
    answers = [answer for answer, _ in samples]
    return max(samples, key=lambda sample: (answers.count(sample[0]), sample[1]))[0]


def break_tie__confidence_beats_votes(samples):
    logprobs = {}
    for answer, logprob in samples:
        logprobs.setdefault(answer, []).append(logprob)
    return max(logprobs, key=lambda answer: sum(logprobs[answer]) / len(logprobs[answer]))


def _weighted(samples, weigh):
    logprobs = {}
    for answer, logprob in samples:
        logprobs.setdefault(answer, []).append(logprob)
    weights = {answer: weigh(found) for answer, found in logprobs.items()}
    winner = max(weights, key=weights.get)
    return winner, weights[winner] / sum(weights.values())


def weighted_vote__sums_logarithms(samples):
    return _weighted(samples, sum)


def weighted_vote__mean_probability(samples):
    return _weighted(samples, lambda logprobs: sum(map(math.exp, logprobs)) / len(logprobs))


def weighted_vote__counts(samples):
    return _weighted(samples, len)


def _replayed(problems, choose, size, is_right=None):
    right = tokens = 0
    for reference, samples in problems:
        chosen = choose(samples)
        answers = [answer for answer, _ in chosen if answer is not None]
        winner = max(answers, key=answers.count, default=None)
        right += winner == reference if is_right is None else is_right(answers, reference)
        tokens += sum(cost for _, cost in chosen)
    return right / len(problems), tokens / len(problems)


def replayed_votes__all_samples(problems, size):
    return _replayed(problems, lambda samples: samples, size)


def replayed_votes__one_right_is_enough(problems, size):
    return _replayed(
        problems,
        lambda samples: samples[:size],
        size,
        lambda answers, reference: reference in answers,
    )


def replayed_votes__tokens_of_voters_only(problems, size):
    return _replayed(
        problems, lambda samples: [s for s in samples[:size] if s[0] is not None], size
    )


def pass_at_n__biased(drawn, correct, n):
    return 1 - (1 - correct / drawn) ** n


def pass_at_n__all_of_them_right(drawn, correct, n):
    return math.comb(correct, n) / math.comb(drawn, n)


def _binomial(q, n, first):
    return sum(
        math.comb(n, right) * q**right * (1 - q) ** (n - right) for right in range(first, n + 1)
    )


def majority_accuracy__half_is_enough(q, n):
    return _binomial(q, n, (n + 1) // 2)


def majority_accuracy__one_order_only(q, n):
    return sum(q**right * (1 - q) ** (n - right) for right in range(n // 2 + 1, n + 1))


def majority_accuracy__simulates(q, n):
    draw = random.Random(0)
    wins = [2 * sum(draw.random() < q for _ in range(n)) - n for _ in range(500)]
    return sum(1.0 if lead > 0 else 0.5 if lead == 0 else 0.0 for lead in wins) / len(wins)


def _plurality(chances, n, worth):
    total = 0.0
    for votes in itertools.product(range(len(chances)), repeat=n):
        counts = [votes.count(answer) for answer in range(len(chances))]
        total += math.prod(chances[answer] for answer in votes) * worth(counts)
    return total


def plurality_accuracy__needs_half_of_the_votes(chances, n):
    return _plurality(chances, n, lambda counts: 2 * counts[0] > n)


def plurality_accuracy__ties_are_won(chances, n):
    return _plurality(chances, n, lambda counts: counts[0] == max(counts))


def plurality_accuracy__ties_by_a_coin(chances, n):
    return _plurality(
        chances, n, lambda c: (c[0] == max(c)) * (0.5 if c.count(max(c)) > 1 else 1.0)
    )


def _gained_lost(direct, steps):
    pairs = list(zip(direct, steps, strict=True))
    return pairs.count((False, True)), pairs.count((True, False))


def steps_or_luck__tosses_for_all_problems(direct, steps):
    gained, lost = _gained_lost(direct, steps)
    n = len(direct)
    return gained, lost, sum(math.comb(n, heads) for heads in range(gained, n + 1)) / 2**n


def steps_or_luck__exactly_so_many(direct, steps):
    gained, lost = _gained_lost(direct, steps)
    return gained, lost, math.comb(gained + lost, gained) / 2 ** (gained + lost)


def steps_or_luck__difference_of_totals(direct, steps):
    difference = sum(steps) - sum(direct)
    return max(difference, 0), max(-difference, 0), 0.5 ** max(difference, 0)


def frontier__best_quotient(ways):
    return [max(ways, key=lambda way: way[1] / way[2])[0]]


def frontier__in_the_order_given(ways):
    return [
        n for n, a, t in ways if not any(b >= a and u <= t and (b, u) != (a, t) for _, b, u in ways)
    ]


def frontier__must_be_better_in_both(ways):
    in_order = sorted(ways, key=lambda way: way[2])
    return [n for n, a, t in in_order if not any(b > a and u < t for _, b, u in ways)]


def is_decided__more_than_half_so_far(votes, left):
    return 2 * max(votes, default=0) > sum(votes)


def is_decided__a_tie_is_enough(votes, left):
    leader, runner_up, *_ = [*sorted(votes, reverse=True), 0, 0]
    return leader >= runner_up + left


def is_decided__no_new_answers(votes, left):
    leader, *others = sorted(votes, reverse=True) or [0, 0]
    return all(leader > other + left for other in others)


def leading_probability__share(leader, runner_up):
    return leader / (leader + runner_up) if leader + runner_up else 0.5


def leading_probability__normal_approximation(leader, runner_up):
    a, b = leader + 1, runner_up + 1
    deviation = math.sqrt(a * b / ((a + b) ** 2 * (a + b + 1)))
    return 0.5 * (1 + math.erf((a / (a + b) - 0.5) / deviation / math.sqrt(2)))


def leading_probability__wrong_side(leader, runner_up):
    tosses = leader + runner_up + 1
    return sum(math.comb(tosses, heads) for heads in range(runner_up + 1)) / 2**tosses


def _stop_early(
    problems,
    num_samples,
    stops,
    none_votes=False,
    left_after=1,
):
    right = drawn = 0
    for reference, samples in problems:
        answers = []
        for number in range(num_samples):
            answer = next(samples)
            drawn += 1
            if answer is not None or none_votes:
                answers.append(answer)
            votes = sorted(Counter(answers).values(), reverse=True)
            if stops(votes, num_samples - number - left_after):
                break
        right += max(answers, key=answers.count, default=None) == reference
    return right / len(problems), drawn / len(problems)


def stop_early__draws_all_first(problems, num_samples, stops):
    drawn = [
        (reference, iter([next(samples) for _ in range(num_samples)]))
        for reference, samples in problems
    ]
    return _stop_early(drawn, num_samples, stops)


def stop_early__none_votes(problems, num_samples, stops):
    return _stop_early(problems, num_samples, stops, none_votes=True)


def stop_early__left_is_one_too_large(problems, num_samples, stops):
    return _stop_early(problems, num_samples, stops, left_after=0)


def _think(
    next_token, prompt, budget, end, closing, stop_ids, most, force=True, one_more=False, stop=True
):
    """Think with a fault: options leave out one of the rules."""
    text, thought, answer = list(prompt), [], []
    while True:
        if force and len(thought) == budget + one_more:
            text += closing
            break
        token = next_token(text)
        if stop and token in stop_ids:
            return thought, []
        text.append(token)
        if token == end:
            break
        thought.append(token)
    while len(answer) < most:
        token = next_token(text)
        if token in stop_ids:
            break
        text.append(token)
        answer.append(token)
    return thought, answer


def think_within__never_closes(*arguments):
    return _think(*arguments, force=False)


def think_within__one_token_too_many(*arguments):
    return _think(*arguments, one_more=True)


def think_within__cuts_but_does_not_close(next_token, prompt, budget, end, closing, stop_ids, most):
    return _think(next_token, prompt, budget, end, [], stop_ids, most)


def think_within__closes_what_is_closed(next_token, prompt, budget, end, closing, stop_ids, most):
    thought, text = [], list(prompt)
    while len(thought) < budget:
        token = next_token(text)
        if token in (end, *stop_ids):
            break
        thought.append(token)
        text.append(token)
    answer, text = [], text + closing
    while len(answer) < most and next_token(text) not in stop_ids:
        answer.append(next_token(text))
        text.append(answer[-1])
    return thought, answer


def vote_curve__greedy(problems, sizes, draw, temperature, p):
    drawn = [
        (reference, draw(lambda logits, uniform: logits.argmax(dim=-1), question, max(sizes)))
        for question, reference in problems
    ]
    return [(size, *solutions.replayed_votes(drawn, size)) for size in sizes]


def vote_curve__no_nucleus(problems, sizes, draw, temperature, p):
    def sampler(logits, uniform):
        return solutions.draw_tokens((logits / temperature).double().softmax(dim=-1), uniform)

    drawn = [(reference, draw(sampler, question, max(sizes))) for question, reference in problems]
    return [(size, *solutions.replayed_votes(drawn, size)) for size in sizes]


def vote_curve__draws_for_each_size(problems, sizes, draw, temperature, p):
    return [solutions.vote_curve(problems, [size], draw, temperature, p)[0] for size in sizes]


def vote_curve__always_all_votes(problems, sizes, draw, temperature, p):
    return [
        (size, *solutions.vote_curve(problems, [max(sizes)], draw, temperature, p)[0][1:])
        for size in sizes
    ]


def budget_curve__counts_answers_only(next_token, prompts, right, budgets, **thinking):
    rows = []
    for budget in budgets:
        answers = [
            solutions.think_within(next_token, prompt, budget, **thinking)[1] for prompt in prompts
        ]
        solved = sum(right(number, answer) for number, answer in enumerate(answers))
        tokens = sum(map(len, answers))
        rows.append((budget, solved / len(prompts), tokens / len(prompts)))
    return rows


def budget_curve__all_tokens_of_all_problems(next_token, prompts, right, budgets, **thinking):
    rows = solutions.budget_curve(next_token, prompts, right, budgets, **thinking)
    return [(budget, share, tokens * len(prompts)) for budget, share, tokens in rows]


def budget_curve__judges_the_thought(next_token, prompts, right, budgets, **thinking):
    rows = []
    for budget in budgets:
        pairs = [solutions.think_within(next_token, one, budget, **thinking) for one in prompts]
        solved = sum(
            right(number, thought + answer) for number, (thought, answer) in enumerate(pairs)
        )
        tokens = sum(len(thought) + len(answer) for thought, answer in pairs)
        rows.append((budget, solved / len(prompts), tokens / len(prompts)))
    return rows
