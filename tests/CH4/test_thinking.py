"""Thinking within a budget: `</think>` comes exactly when the budget is spent, a thought that ends
by itself is left alone, "Wait" makes it go on; and a batch gives what each text gives alone.
"""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from Appendixes.QWEN3Model import load_qwen3
from Appendixes.QWEN3Tokenizer import Qwen3Tokenizer
from CH2.generation import generate
from CH2.seeds import sample_generator
from CH3.evaluation.answers import answers, is_right
from CH3.problems import load_problems, reference_of
from CH4.inference_scaling import votes
from CH4.sampling import sampler, temperature
from CH4.thinking import ThinkingText, ThinkingWriter, stream_thought, think
from CH4.voting import best_of_n

ENDING = "\n</think>\n\n"
QUESTION = "Write 54 with 3, 25 and 7, each number once, and + - * /."


@pytest.fixture(scope="module")
def thinker():
    return load_qwen3("tiny-thinking", device="cpu", dtype=torch.float64)


@pytest.fixture(scope="module")
def long_thought(thinker) -> tuple[str, ThinkingText]:
    """A question that the shipped model thinks about for a while, and its text."""
    for puzzle in load_problems("countdown500")[250::10]:
        text = think(*thinker, puzzle["problem"], max_new_tokens=300)
        if text.finish_reason == "stop" and text.thinking_tokens > 60:
            return puzzle["problem"], text
    raise AssertionError("every thought is short, or long")


@pytest.fixture(scope="module", params=["tiny's tokenizer", "the real tokenizer"])
def stand_in(request, small_config, make_model):
    """A small random model with a tokenizer that has Qwen3's template and control tokens."""
    name = "tiny_folder" if request.param == "tiny's tokenizer" else "real_tokenizer_folder"
    tokenizer = Qwen3Tokenizer.from_file(request.getfixturevalue(name))
    return make_model(replace(small_config, vocab_size=tokenizer.vocab_size)), tokenizer


def few_tokens(tokenizer):
    """A sampler that draws a few tokens alone: digits, the end of a thought, the end of a turn."""
    ids = [tokenizer.encode(digit)[0] for digit in "0123456789"]
    ids += [tokenizer.token_id("</think>"), tokenizer.token_id("<|im_end|>")]
    keep = torch.tensor(ids)

    def draw(logits: torch.Tensor, uniform: torch.Tensor) -> torch.Tensor:
        shares = (logits[:, keep] / 8).softmax(dim=-1).cumsum(dim=-1)
        return keep[(shares <= uniform[:, None]).sum(dim=-1).clamp(max=len(ids) - 1)]

    return draw


def alone(model, tokenizer, problem, number, *, budget, waits, sampler, most=40, wait="Wait"):
    """One text by a plain loop that reads the whole text again for every token."""
    prompt = tokenizer.encode_chat([{"role": "user", "content": problem}])
    ids = tokenizer.encode("<think>\n", allow_special=True)
    begun = prompt + ids
    if budget == 0:
        begun = begun + tokenizer.encode(ENDING, allow_special=True)
    generator = sample_generator(0, begun, number)
    drawn, thought, waited, ended = 0, 0, 0, None
    while True:
        if ended is None:
            thought = drawn
            if drawn == budget:
                ids, ended = ids + tokenizer.encode(ENDING, allow_special=True), "forced"
        uniform = torch.rand(1, generator=generator, dtype=torch.float64)
        logits = model(torch.tensor([prompt + ids]), last_position_only=True)[:, -1]
        [token] = sampler(logits, uniform).tolist()
        drawn += 1
        thought += ended is None
        stopped = token in tokenizer.stop_ids
        if ended is None and token == tokenizer.token_id("</think>"):
            if waited < waits and drawn not in (budget, most):
                ids, waited = ids + tokenizer.encode(wait), waited + 1
                continue
            ended = "by itself"
        ids = ids if stopped else [*ids, token]
        if stopped or drawn == most:
            return tokenizer.decode(ids), drawn, thought, ended, waited


def facts(text: ThinkingText) -> tuple:
    return text.text, text.tokens, text.thinking_tokens, text.ended, text.waits


@pytest.mark.parametrize(("budget", "waits"), [(None, 0), (0, 0), (1, 0), (6, 0), (6, 2), (30, 3)])
def test_each_text_is_what_it_gives_alone(stand_in, budget, waits):
    model, tokenizer = stand_in
    options = {"budget": budget, "waits": waits, "sampler": few_tokens(tokenizer)}
    asked = [(problem, number) for problem in ("Why?", "What is 1 + 1?") for number in range(5)]
    expected = [alone(model, tokenizer, *one, **options) for one in asked]
    for max_concurrent in (4, 50):
        writer = ThinkingWriter(
            model, tokenizer, max_new_tokens=40, max_concurrent=max_concurrent, **options
        )
        tickets = [writer.begin(*one) for one in asked]
        found = {}
        while writer:
            found |= dict(writer.finished())
        assert [facts(found[ticket]) for ticket in tickets] == expected


def test_the_stand_in_ends_its_thoughts_in_every_way(stand_in):
    """Else the test above would not say much."""
    model, tokenizer = stand_in
    options = {"budget": 9, "sampler": few_tokens(tokenizer)}
    at_once, patient = (
        [alone(model, tokenizer, "Why?", number, waits=waits, **options) for number in range(20)]
        for waits in (0, 2)
    )
    assert {ended for _, _, _, ended, _ in at_once + patient} == {"by itself", "forced", None}
    assert {waits for *_, waits in patient} == {0, 1, 2}


@pytest.mark.parametrize("budget", [0, 1, 2, 17, 50])
def test_a_thought_is_cut_off_at_exactly_the_budget(thinker, long_thought, budget):
    model, tokenizer = thinker
    question, whole = long_thought
    cut = think(model, tokenizer, question, budget)
    assert (cut.ended, cut.thinking_tokens, cut.finish_reason) == ("forced", budget, "stop")
    ids = tokenizer.encode(whole.text, allow_special=True)
    begun, put_in = ids[: 2 + budget], tokenizer.encode(ENDING, allow_special=True)
    prompt = tokenizer.encode_chat([{"role": "user", "content": question}])
    rest = generate(model, torch.tensor([prompt + begun + put_in]), 60, stop_ids=tokenizer.stop_ids)
    answer = list(rest)
    assert cut.text == tokenizer.decode(begun + put_in + answer)
    assert cut.answer == tokenizer.decode(answer)
    assert cut.tokens == budget + len(answer) + 1  # the stop token
    assert whole.thought.startswith(cut.thought)


def test_without_a_budget_the_text_is_plain_generation(thinker):
    model, tokenizer = thinker
    prompt = tokenizer.encode_chat([{"role": "user", "content": QUESTION}])
    plain = list(generate(model, torch.tensor([prompt]), 900, stop_ids=tokenizer.stop_ids))
    text = think(model, tokenizer, QUESTION)
    assert text.text == tokenizer.decode(plain)
    assert text.prompt == tokenizer.decode(prompt)
    assert (text.ended, text.finish_reason) == ("by itself", "stop")
    end = plain.index(tokenizer.token_id("</think>"))
    assert text.thinking_tokens == end + 1 - 2  # the two of `<think>\n` are not drawn
    assert text.tokens == len(plain) + 1 - 2
    before, _, behind = tokenizer.decode(plain).partition("</think>")
    assert (text.thought, text.answer) == (before[8:].strip("\n"), behind.strip("\n"))
    assert text.logprob < 0


def test_a_thought_that_ends_by_itself_is_not_forced(thinker):
    model, tokenizer = thinker
    whole = think(model, tokenizer, QUESTION)
    for budget in (whole.thinking_tokens, whole.thinking_tokens + 1, 900):
        assert facts(think(model, tokenizer, QUESTION, budget)) == facts(whole)
    short = think(model, tokenizer, QUESTION, whole.thinking_tokens - 1)
    assert short.ended == "forced"


def test_a_thought_that_must_wait_goes_on(thinker):
    model, tokenizer = thinker
    whole = think(model, tokenizer, QUESTION)
    for wait in ("Wait", "\n"):
        longer = think(model, tokenizer, QUESTION, waits=1, wait=wait, max_new_tokens=150)
        assert longer.waits == 1
        assert longer.text.startswith(f"<think>\n{whole.thought}\n{wait}")
    spent = think(model, tokenizer, QUESTION, whole.thinking_tokens, waits=1)
    assert facts(spent) == facts(whole)


def test_a_stream_is_the_text(thinker):
    model, tokenizer = thinker
    draw = sampler(temperature(0.9))
    for settings in ({}, {"budget": 20}, {"budget": 0}, {"waits": 1, "sampler": draw, "seed": 5}):
        pieces = list(stream_thought(model, tokenizer, QUESTION, **settings))
        assert tokenizer.decode(pieces) == think(model, tokenizer, QUESTION, **settings).text
    stream = stream_thought(model, tokenizer, QUESTION, 20)
    assert [next(stream) for _ in range(2)] == tokenizer.encode("<think>\n", allow_special=True)


def test_the_budget_decides_between_a_guess_and_a_search(thinker):
    model, tokenizer = thinker
    puzzles = load_problems("countdown500")[:250:25]
    right = {}
    for budget in (0, 200):
        writer = ThinkingWriter(model, tokenizer, budget)
        found = list(answers(writer, puzzles))
        assert all(isinstance(one.text, ThinkingText) for one in found)
        assert max(one.text.thinking_tokens for one in found) <= budget
        right[budget] = sum(is_right(one.extracted, reference_of(one.problem)) for one in found)
    assert right[0] + 3 <= right[200]


def test_samples_think_too_and_the_best_is_found_by_a_check(thinker):
    model, tokenizer = thinker
    draw, [puzzle] = sampler(temperature(0.8)), load_problems("countdown500")[301:302]
    writer = ThinkingWriter(model, tokenizer, 60, sampler=draw, seed=5, max_concurrent=8)
    [ballot] = votes(writer, [(puzzle, puzzle["problem"])], 6)
    assert len({sample.text for sample in ballot.samples}) > 3
    reference = reference_of(puzzle)
    best = best_of_n(ballot.samples, lambda answer: is_right(answer, reference))
    rights = [sample for sample in ballot.samples if is_right(sample.answer, reference)]
    assert rights and rights[0] is not ballot.samples[0]  # so that taking the first would show
    assert best is rights[0]


def test_a_cancelled_text_gives_what_there_is_of_it(thinker):
    model, tokenizer = thinker
    writer = ThinkingWriter(model, tokenizer, 5, max_concurrent=2)
    first, second, waiting = (writer.begin(QUESTION, number) for number in range(3))
    writer.step()
    assert writer.cancel(waiting) is None
    for _ in range(6):
        writer.step()
    text = writer.cancel(first)
    assert (text.tokens, text.thinking_tokens, text.ended) == (7, 5, "forced")
    assert text.finish_reason == "cancelled"
    assert list(dict(writer.finished())) == [second]
    assert not writer


def test_the_context_ends_a_thought_that_is_not_over(stand_in):
    model, tokenizer = stand_in
    context = model.config.max_position_embeddings
    empty = len(tokenizer.encode_chat([{"role": "user", "content": ""}]))
    digits = torch.tensor([tokenizer.encode("7")[0]])

    def sevens(logits, uniform):
        return digits.expand(len(logits))

    question = "7" * (context - empty - 12)  # room for the opening and ten tokens
    for budget in (None, 9, 100):  # no room for `</think>`
        text = think(model, tokenizer, question, budget, sampler=sevens)
        assert (text.ended, text.finish_reason) == (None, "length")
        assert (text.tokens, text.thinking_tokens, text.answer) == (10, 10, "")
    with pytest.raises(ValueError, match=f"leaves no room to answer .* context of {context}"):
        think(model, tokenizer, "7" * (context - empty - 2))
    with pytest.raises(ValueError, match="leaves no room"):
        stream_thought(model, tokenizer, "7" * context)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"budget": -1}, "budget is -1: expected at least 0"),
        ({"waits": -2}, "waits is -2: expected at least 0"),
        ({"max_new_tokens": 0}, "max_new_tokens is 0"),
    ],
)
def test_wrong_numbers_are_refused(thinker, settings, words):
    with pytest.raises(ValueError, match=words):
        think(*thinker, QUESTION, **settings)


def test_a_tokenizer_without_thoughts_is_refused(stand_in, tmp_path, tiny_folder: Path):
    text = (tiny_folder / "tokenizer.json").read_text(encoding="utf-8")
    (tmp_path / "tokenizer.json").write_text(text.replace("</think>", "</idea>"))
    with pytest.raises(ValueError, match="no token '</think>'"):
        think(stand_in[0], Qwen3Tokenizer.from_file(tmp_path), QUESTION)
