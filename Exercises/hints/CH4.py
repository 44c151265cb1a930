"""Hints of chapter 4: up to three an exercise, each saying more than the one before."""

HINTS = {
    "least_sure_step": (
        "Scores of two steps cannot be compared: 7 may be the largest of two equal ones. Probabilities can.",
        "`softmax(dim=-1)` makes each row sum to 1; `amax(dim=-1)` is the likeliest token's.",
        "`argmin()` finds the step; `int(...)` makes a number of it.",
    ),
    "with_temperature": (
        "The scores are divided, before the softmax. Dividing probabilities would only rescale them.",
        "`(logits / temperature).softmax(dim=-1)`. And 0 has to be asked for first.",
        "For 0: `torch.zeros_like(logits)`, with 1 at `logits.argmax()`.",
    ),
    "keep_top_k": (
        "Comparing with the k-th largest score keeps too many when several equal it. Choose places, not scores.",
        "`logits.sort(dim=-1, descending=True, stable=True).indices[:, :k]` are the places that stay.",
        "Begin with -inf everywhere (`torch.full_like`), and `scatter(-1, ids, logits.gather(-1, ids))`.",
    ),
    "keep_nucleus": (
        "Sort the probabilities of each row, largest first, and look at their running sum (`cumsum`).",
        "A token stays if those before it do not reach p yet. What is before it: `cumsum - probabilities`.",
        "Back from sorted order to the ids: `torch.zeros_like(logits, dtype=torch.bool).scatter(-1, ids, stays)`.",
    ),
    "draw_tokens": (
        "`cumsum(dim=-1)` gives where each token ends; the last one is the length of the line.",
        "Stretch the dart, not the line: `uniform[:, None] * ends[:, -1:]` is where it lands in each row.",
        "The token that is hit has as many tokens before it as end at or before the dart: count them with `sum`.",
    ),
    "sample_text": (
        "Greedy generation with another choice: ask the model, reshape, cut, draw, append.",
        "The nucleus is that of `(logits / temperature).softmax(dim=-1)`. Set the other probabilities to 0, in place.",
        "The line is shorter than 1 then: token = (ends <= dart * ends[-1]).sum(). A stop token is not appended.",
    ),
    "sample_batch": (
        "Keep a list of generators, made once, and a list of the numbers of the rows that are running.",
        "Each step: probabilities = step([rows[r] for r in running]); row i of them belongs to rows[running[i]].",
        "For each: a dart from generators[r]; token = int((probabilities[i].cumsum(0) <= dart).sum()).",
    ),
    "accuracy_by_prompt": (
        "For one template and one problem: render, complete, extract, grade. The rest is a loop in a loop.",
        "Import the parts inside the function: `from CH2.prompts import render`.",
        "`grade_answer(extract_answer(text), problem['answer'])` is False for a text without an answer, without an if.",
    ),
    "majority": (
        "First leave out None, which may be the most frequent of all.",
        "`collections.Counter` counts, and keeps the order of first appearance; so does a dictionary.",
        "max(votes, key=votes.get, default=None): `max` gives the first of several.",
    ),
    "group_by_meaning": (
        "Compare each answer with the first of every group that is there already.",
        "A dictionary from the first writing to the number of votes keeps the order in which groups began.",
        "`sorted` leaves equal ones in their order: sorted(votes.items(), key=lambda group: -group[1]).",
    ),
    "mean_logprob": (
        "One number per step: the log-probability of the token that was chosen there.",
        "The logarithm of a softmax that is 0 is -inf. `log_softmax` never makes the 0.",
        "logits.log_softmax(dim=-1)[range(len(tokens)), tokens] takes one of each row.",
    ),
    "break_tie": (
        "Collect the log-probabilities of each answer in a list: its length is the votes.",
        "Python compares tuples from the left: (votes, mean) needs no if.",
        "max(logprobs, key=lambda answer: (len(logprobs[answer]), mean of logprobs[answer]))",
    ),
    "weighted_vote": (
        "Add probabilities, not their logarithms: these are negative, so each vote would count against its answer.",
        "weights[answer] = weights.get(answer, 0.0) + math.exp(logprob)",
        "The share is the winner's weight divided by `sum(weights.values())`.",
    ),
    "replayed_votes": (
        "Cut first, `samples[:size]`; then leave out None. The other way round would let later samples vote.",
        "`max(answers, key=answers.count, default=None)` is the winner, the first of equal ones.",
        "Add up the tokens of all `size` samples, and divide both sums by the number of problems.",
    ),
    "steps_or_luck": (
        "Go through the pairs with `zip`. Problems that both get right, or both wrong, say nothing.",
        "Of 2**n sequences of tosses, `math.comb(n, heads)` have so many heads.",
        "Sum them for heads from gained to gained + lost. Without any difference, that is 1 of 1.",
    ),
    "pass_at_n": (
        "Count the opposite: choices without any right sample.",
        "Such a choice takes all n from the `drawn - correct` wrong ones.",
        "`math.comb(wrong, n)` is how many there are, 0 if n is more than wrong; of `math.comb(drawn, n)` in all.",
    ),
    "majority_accuracy": (
        "How likely are exactly r right samples of n? That is the binomial distribution.",
        "math.comb(n, r) * q**r * (1 - q) ** (n - r)",
        "Sum it for all r with 2 * r > n; for 2 * r == n, add half of it.",
    ),
    "plurality_accuracy": (
        "With few answers and few samples, all possible votes can be listed: `itertools.product(answers, repeat=n)`.",
        "The probability of one such list is the product of its answers' chances.",
        "If the right answer has the largest count, add the probability, divided by how many answers have that count.",
    ),
    "frontier": (
        "A way is out if any other way is as accurate or more, and as cheap or cheaper.",
        "It must not beat itself, nor its equal: (accuracy, tokens) of the two must differ.",
        "`any(...)` over all ways inside a list comprehension over `sorted(ways, key=lambda way: way[2])`.",
    ),
    "is_decided": (
        "Who is the most dangerous rival? The runner-up, if all samples left go to it.",
        "If there is no runner-up, a new answer may come; it starts from 0.",
        "Append two zeros, sort, and compare: leader > runner_up + left.",
    ),
    "leading_probability": (
        "The area right of 1/2 divided by the whole area. Add up many thin strips, or find an exact sum.",
        "By strips: the heights at x = (i + 0.5) / 10000 are enough; those above 1/2, divided by all.",
        "Exactly: the probability of at most a heads in a + b + 1 tosses of a fair coin; `math.comb` counts them.",
    ),
    "stop_early": (
        "`next(samples)` draws one. A `for` loop over the samples would draw one too many, unless it ends by `break`.",
        "Count votes in a dictionary. None is drawn, so `left` falls, but nothing is counted.",
        "for left in reversed(range(num_samples)): draw, count, and break if stops(sorted(..., reverse=True), left).",
    ),
    "think_within": (
        "Two loops: one for the thought, one for the answer. Between them, the text ends in `</think>`, whoever wrote it.",
        "Ask whether the budget is spent before you call the model, so that a budget of 0 never calls it.",
        "In the thought, look in this order: a stop token (return at once), `end_of_thought` (append it to the text, not to the thought, and go on to the answer), any other token.",
    ),
    "vote_curve": (
        "The sampler is a function inside your function: it knows temperature and p.",
        "`keep_nucleus(logits / temperature, p)` has -inf where it has cut; the softmax of that is 0 there: `.double().softmax(dim=-1)`.",
        "drawn = [(reference, draw(sampler, question, max(sizes))) for ...] is what `replayed_votes` takes; it returns two of the three numbers of a row.",
    ),
    "budget_curve": (
        "A loop over budgets, a loop over prompts, three numbers for each budget.",
        "`think_within` returns two lists: `right` wants the second; the tokens are the lengths of both.",
        "solved += right(number, answer); `enumerate(prompts)` gives the number.",
    ),
}
