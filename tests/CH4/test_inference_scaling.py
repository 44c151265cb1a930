"""Self-consistency: one prefill, one copy of the prompt, samples that depend on nothing else, waves
in time.
"""

import json
import random
import types
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from Appendixes.QWEN3Model import load_qwen3
from CH2.continuous_batching import ContinuousBatching
from CH2.generation import generate
from CH2.prompts import CHAIN_OF_THOUGHT, render
from CH3.evaluation import writers
from CH3.evaluation.writers import Text
from CH3.math_verifier import grade_answer
from CH4.early_stopping import Confident, Decided, DrawAll, Window, samples_needed
from CH4.inference_scaling import Consensus, self_consistency, self_consistency_many, votes
from CH4.voting import Sample, majority_vote

RULES = [DrawAll(), Decided(), Window(3), Confident(0.8)]
PROBLEMS = Path(__file__).parents[2] / "CH3" / "arithmetic500_test.json"


class NumberTokenizer:
    """Texts are lists of ids, and their answer is the number of ids modulo 3."""

    stop_ids = (3, 17, 29)

    def encode(self, text: str) -> list[int]:
        return [int(token) for token in text.split()]

    def decode(self, ids: list[int]) -> str:
        return f"{' '.join(map(str, ids))}: \\boxed{{{len(ids) % 3}}}"


class SilentTokenizer(NumberTokenizer):
    def decode(self, ids: list[int]) -> str:
        return "I do not know."


@pytest.fixture(scope="module")
def problems() -> list[tuple[str, list[int]]]:
    rng = random.Random(0)
    prompts = [
        [rng.randrange(50) for _ in range(length)] for length in (1, 2, 7, 30, 64, 65, 90, 12)
    ]
    return [(f"problem {number}", prompt) for number, prompt in enumerate(prompts)]


@pytest.fixture
def batchings(monkeypatch) -> list[ContinuousBatching]:
    """Every queue that self-consistency makes."""
    made = []

    def make(*arguments, **options):
        made.append(ContinuousBatching(*arguments, **options))
        return made[-1]

    monkeypatch.setattr(writers, "ContinuousBatching", make)
    return made


def texts(samples: list[Sample]) -> list[str]:
    """What samples are compared by: log-probabilities differ in the last bit with the rows beside
    them.
    """
    return [sample.text for sample in samples]


class ScriptedWriter:
    """A writer whose texts are given, and end in random order."""

    def __init__(self, texts: dict[tuple[str, int], Text], room: int, rng: random.Random):
        self.texts, self.room, self.rng, self.under_way = texts, room, rng, []

    @property
    def has_room(self) -> bool:
        return len(self.under_way) < self.room

    def begin(self, problem: str, number: int) -> tuple[str, int]:
        self.under_way.append((problem, number))
        return problem, number

    def finished(self) -> list[tuple]:
        self.rng.shuffle(self.under_way)
        ended = [self.under_way.pop() for _ in range(self.rng.randint(1, len(self.under_way)))]
        return [(ticket, self.texts[ticket]) for ticket in ended]

    def cancel(self, ticket: tuple[str, int]) -> None:
        self.under_way.remove(ticket)


@pytest.mark.parametrize("seed", range(40))
def test_votes_do_not_depend_on_the_order_in_which_texts_end(seed):
    """A vote counts the samples up to where its rule stops; a failure before that ends it."""
    rng = random.Random(seed)
    size, rule, wave = rng.randint(1, 9), rng.choice(RULES), rng.choice([None, 1, 3, 9])

    def text() -> Text:
        if rng.random() < 0.05:
            return Text("", error=RuntimeError("no answer"))
        return Text("", f"\\boxed{{{rng.choice('112')}}}", 5, -rng.random())

    texts = {(name, number): text() for name in "abcdef" for number in range(size)}
    writer = ScriptedWriter(texts, rng.randint(1, 20), rng)
    ballots = list(votes(writer, [(name, name) for name in "abcdef"], size, rule, wave))
    assert sorted(ballot.problem for ballot in ballots) == list("abcdef")
    assert not writer.under_way
    for ballot in ballots:
        samples, over = [], False
        for one in (texts[ballot.problem, number] for number in range(size)):
            if over or one.error is not None:
                break
            samples.append(Sample(one.text[7:-1], one.logprob, 5, one.text))
            over = len(samples) == size or rule.stops(samples, size)
        assert ballot.samples == samples
        assert (ballot.failure is None) == over


SETTINGS = types.MappingProxyType(
    {"temperature": 0.7, "top_p": 0.9, "max_new_tokens": 16, "seed": 5}
)


def alone(model, prompt, num_samples, tokenizer=NumberTokenizer, **options) -> Consensus:
    """One vote, with the usual settings but for these."""
    return self_consistency(model, tokenizer(), prompt, num_samples, **{**SETTINGS, **options})


def together(model, problems, num_samples, **options) -> Iterator[tuple[str, Consensus]]:
    """Many votes, with the usual settings but for these."""
    settings = {**SETTINGS, **options}
    return self_consistency_many(model, NumberTokenizer(), problems, num_samples, **settings)


def test_a_sample_is_the_same_alone_and_in_a_batch_of_64(model64, problems):
    in_a_batch = dict(together(model64, problems, 8, max_concurrent=64))
    assert len(in_a_batch) == 8
    for name, prompt in problems:
        by_itself = alone(model64, prompt, 8, max_concurrent=1)
        assert texts(by_itself.samples) == texts(in_a_batch[name].samples)
        assert by_itself.shares == in_a_batch[name].shares
    different = {text for consensus in in_a_batch.values() for text in texts(consensus.samples)}
    assert len(different) > 40  # no two samples have the same random numbers


@pytest.mark.parametrize("rule", RULES)
def test_early_stopping_counts_the_first_samples_of_the_full_vote(model64, problems, rule):
    full = dict(together(model64, problems, 9))
    stopped = dict(together(model64, problems, 9, early_stopping=rule, max_concurrent=11))
    for name, consensus in stopped.items():
        drawn = full[name].samples
        needed = samples_needed(drawn, rule)
        assert texts(consensus.samples) == texts(drawn[:needed])
        assert consensus.winner == majority_vote(drawn[:needed]).winner
        # Waves are no longer than they must be, so nothing is drawn in vain.
        assert (consensus.drawn, consensus.samples_saved) == (needed, 9 - needed)
        assert consensus.tokens == sum(sample.tokens for sample in drawn[:needed])
    saved = sum(consensus.samples_saved for consensus in stopped.values())
    assert (saved > 0) == (type(rule) is not DrawAll)


def test_all_samples_at_once_are_cancelled_when_the_vote_is_decided(model64, problems, batchings):
    full = dict(together(model64, problems, 9))
    cancelled = 0
    for name, prompt in problems:
        consensus = alone(model64, prompt, 9, early_stopping="decided", wave=9)
        drawn = full[name].samples
        needed = samples_needed(drawn, Decided())
        assert texts(consensus.samples) == texts(drawn[:needed])
        assert consensus.drawn == 9
        tokens = [sample.tokens for sample in drawn]
        counted, everything = sum(tokens[:needed]), sum(tokens)
        assert counted <= consensus.tokens <= everything
        cancelled += consensus.tokens < everything
        assert not batchings[-1]
    assert cancelled > 0


def test_a_wave_of_any_size_gives_the_same_vote(model64, problems):
    counted = []
    for wave in (None, 1, 2, 100):
        votes = together(model64, problems[:4], 7, early_stopping=Confident(0.7), wave=wave)
        counted.append(
            {name: (texts(consensus.samples), consensus.shares) for name, consensus in votes}
        )
    assert counted[0] == counted[1] == counted[2] == counted[3]


def test_the_prompt_is_read_once(model64, problems):
    lengths = []
    hook = model64.register_forward_pre_hook(
        lambda module, inputs: lengths.append(inputs[0].shape[1])
    )
    try:
        _, prompt = problems[6]
        alone(model64, prompt, 8, early_stopping=Window(2), max_concurrent=3)
    finally:
        hook.remove()
    assert lengths[0] == len(prompt) - 1  # its last token is every sample's first input
    assert set(lengths[1:]) == {1}


def test_cache_memory_grows_by_one_prompt_and_not_by_eight(model64, batchings):
    def peak(prompt_length: int, num_samples: int) -> tuple[int, int]:
        """Most bytes for prompts and for samples."""
        peaks = []

        def look(*_):
            engine = batchings[-1].engine
            peaks.append((engine.prompt_cache.nbytes, engine.row_cache.nbytes))

        hook = model64.register_forward_hook(look)
        alone(model64, [7] * prompt_length, num_samples)
        hook.remove()
        return tuple(map(max, zip(*peaks, strict=True)))

    short, long, one_sample = peak(33, 8), peak(257, 8), peak(257, 1)
    per_token = 2 * 2 * 2 * 8 * 8  # keys and values, layers, key-value heads, head_dim, bytes
    assert long[0] == one_sample[0] == 256 * per_token  # the prompt without its last token
    assert short[0] == 64 * per_token  # room for a block of 64
    assert long[1] == short[1] == 8 * one_sample[1]


def test_problems_are_taken_when_there_is_room_and_keep_the_batch_full(model64, batchings):
    rng, taken, rows = random.Random(3), [], []

    def endless():
        while True:
            taken.append([rng.randrange(50) for _ in range(rng.randrange(3, 40))])
            yield len(taken) - 1, taken[-1]

    hook = model64.register_forward_pre_hook(lambda module, inputs: rows.append(inputs[0].shape))
    results = together(model64, endless(), 6, early_stopping="confident", max_concurrent=10)
    assert not taken
    names = [next(results)[0] for _ in range(30)]
    hook.remove()
    assert len(set(names)) == 30
    assert len(taken) <= 30 + 10
    results.close()
    assert not batchings[-1]  # nobody reads on: all are cancelled
    busy = [shape[0] for shape in rows if shape[1] == 1]
    assert set(busy[1:]) == {10}  # other calls read prompts


def test_temperature_zero_draws_the_greedy_text_only(model64, problems):
    _, prompt = problems[3]
    greedy = list(generate(model64, torch.tensor([prompt]), 16, stop_ids=NumberTokenizer.stop_ids))
    consensus = alone(model64, prompt, 3, temperature=0, max_new_tokens=16)
    assert [sample.text for sample in consensus.samples] == [NumberTokenizer().decode(greedy)] * 3
    assert list(consensus.shares.values()) == [1.0]


def test_a_sample_holds_its_mean_log_probability_under_the_model(model64, problems):
    _, prompt = problems[2]
    tokenizer = NumberTokenizer()
    tokenizer.stop_ids = ()
    [sample] = self_consistency(model64, tokenizer, prompt, 1, **SETTINGS).samples
    tokens = NumberTokenizer().encode(sample.text.split(":")[0])
    with torch.no_grad():
        logprobs = model64(torch.tensor([prompt + tokens]))[0].log_softmax(dim=-1)
    drawn = logprobs[len(prompt) - 1 :][: len(tokens)].gather(1, torch.tensor(tokens)[:, None])[
        :, 0
    ]
    assert sample.tokens == len(tokens) == 16
    assert sample.logprob == pytest.approx(drawn.mean().item())


def test_a_text_and_its_ids_are_the_same_prompt(model64, problems):
    _, prompt = problems[3]
    text = " ".join(map(str, prompt))
    by_text, by_ids, by_tensor = (
        alone(model64, given, 3) for given in (text, prompt, torch.tensor(prompt))
    )
    assert by_text == by_ids == by_tensor
    other = alone(model64, prompt, 3, seed=6)
    assert other.samples != by_ids.samples


def test_every_filter_is_applied_that_is_given(model64, problems):
    _, prompt = problems[3]
    greedy = alone(model64, prompt, 2, temperature=0)
    plain = alone(model64, prompt, 2)
    for one_token in ({"top_k": 1}, {"min_p": 1.0}, {"top_p": 1e-9}):
        drawn = alone(model64, prompt, 2, **one_token)
        assert texts(drawn.samples) == texts(greedy.samples) != texts(plain.samples)
    everything = {"top_k": 50, "top_p": None, "min_p": None}
    unfiltered = alone(model64, prompt, 2, **everything)
    whole = alone(model64, prompt, 2, top_p=1)
    assert texts(unfiltered.samples) == texts(whole.samples)


def test_a_sample_ends_at_the_end_of_the_context(model64):
    consensus = alone(model64, [1] * 509, 4, max_new_tokens=100, tokenizer=SilentTokenizer)
    assert max(sample.tokens for sample in consensus.samples) == 3


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("wave", [None, 2])
def test_a_prompt_without_room_to_answer_gets_no_samples_and_the_others_theirs(
    model64, problems, rule, wave
):
    options = {"early_stopping": rule, "wave": wave, "max_concurrent": 4}
    usual = dict(together(model64, problems, 3, **options))
    too_long = [("too long", [1] * 512), *problems[:4], ("longer", [1] * 600), *problems[4:]]
    votes = dict(together(model64, too_long, 3, **options))
    for name in ("too long", "longer"):
        empty = votes.pop(name)
        assert (empty.winner, empty.samples) == (None, [])
        assert empty.drawn == empty.tokens == empty.samples_saved == 0
    assert {name: texts(vote.samples) for name, vote in votes.items()} == {
        name: texts(vote.samples) for name, vote in usual.items()
    }


@pytest.mark.parametrize("rule", RULES)
def test_without_any_answer_there_is_no_winner(model64, problems, rule):
    _, prompt = problems[0]
    consensus = alone(model64, prompt, 4, early_stopping=rule, tokenizer=SilentTokenizer)
    assert (consensus.winner, consensus.tie) == (None, False)
    assert (consensus.groups, consensus.shares) == ((), {})
    assert len(consensus.samples) == consensus.drawn == 4


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_samples": 0}, "num_samples is 0"),
        ({"temperature": -0.1}, "temperature is -0.1"),
        ({"top_p": 0}, "top_p is 0"),
        ({"top_p": 1.5}, "top_p is 1.5"),
        ({"top_k": 0}, "top_k is 0"),
        ({"min_p": 2}, "min_p is 2"),
        ({"max_new_tokens": 0}, "max_new_tokens is 0"),
        ({"early_stopping": "soon"}, "no stopping rule 'soon'"),
        ({"wave": 0}, "wave is 0"),
        ({"max_concurrent": 0}, "is 0: expected at least 1"),
        ({"prompt": ""}, "the prompt is empty"),
        ({"prompt": [1] * 600}, "the prompt has 600 tokens, and the context of 512 leaves no room"),
        ({"prompt": [50]}, "token id 50 is not in the vocabulary"),
    ],
)
def test_bad_input_is_refused_with_a_reason(model64, arguments, message):
    usual = {"prompt": [1, 2], "num_samples": 2, "max_new_tokens": 20}
    with pytest.raises(ValueError, match=message):
        self_consistency(model64, NumberTokenizer(), **{**usual, **arguments})


def test_bad_settings_are_refused_before_the_first_problem_is_taken(model64):
    with pytest.raises(ValueError, match="num_samples is -1"):
        self_consistency_many(model64, NumberTokenizer(), iter([]), -1)


def test_a_broken_model_is_refused(make_model, small_config):
    model = make_model(small_config)
    model.norm.weight.fill_(float("nan"))
    with pytest.raises(FloatingPointError, match="largest logit of a row is nan"):
        alone(model, [1, 2], 2)


def test_the_shipped_model_agrees_on_right_answers(tiny_folder):
    model, tokenizer = load_qwen3(tiny_folder)
    easy = [problem for problem in json.loads(PROBLEMS.read_text()) if problem["level"] == 1][::12]
    prompts = [
        (problem["answer"], render(CHAIN_OF_THOUGHT, problem["problem"])) for problem in easy
    ]
    votes = self_consistency_many(
        model, tokenizer, prompts, 5, max_new_tokens=100, early_stopping="decided"
    )
    right = [
        consensus.winner is not None and grade_answer(consensus.winner, answer)
        for answer, consensus in votes
    ]
    assert len(right) == len(easy)
    assert sum(right) > 0.6 * len(easy)
