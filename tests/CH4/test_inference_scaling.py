"""Self-consistency: one prefill, one copy of the prompt, samples that depend on nothing else, waves
in time.
"""

import json
import random
import types
from pathlib import Path

import pytest
import torch

from Appendixes.QWEN3Model import load_qwen3
from CH2.continuous_batching import ContinuousBatching
from CH2.generation import generate
from CH2.prompts import CHAIN_OF_THOUGHT, render
from CH3.math_verifier import grade_answer
from CH4 import inference_scaling
from CH4.early_stopping import Confident, Decided, StoppingRule, Window, samples_needed
from CH4.inference_scaling import self_consistency, self_consistency_many
from CH4.voting import Sample, majority_vote

RULES = [StoppingRule(), Decided(), Window(3), Confident(0.8)]
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

    monkeypatch.setattr(inference_scaling, "ContinuousBatching", make)
    return made


def texts(samples: list[Sample]) -> list[str]:
    """What samples are compared by: log-probabilities differ in the last bit with the rows beside
    them.
    """
    return [sample.text for sample in samples]


SETTINGS = types.MappingProxyType(
    {"temperature": 0.7, "top_p": 0.9, "max_new_tokens": 16, "seed": 5}
)


def test_a_sample_is_the_same_alone_and_in_a_batch_of_64(model64, problems):
    together = dict(
        self_consistency_many(
            model64, NumberTokenizer(), problems, 8, **SETTINGS, max_concurrent=64
        )
    )
    assert len(together) == 8
    for name, prompt in problems:
        alone = self_consistency(
            model64, NumberTokenizer(), prompt, 8, **SETTINGS, max_concurrent=1
        )
        assert texts(alone.samples) == texts(together[name].samples)
        assert alone.shares == together[name].shares
    different = {text for consensus in together.values() for text in texts(consensus.samples)}
    assert len(different) > 40  # no two samples have the same random numbers


@pytest.mark.parametrize("rule", RULES)
def test_early_stopping_counts_the_first_samples_of_the_full_vote(model64, problems, rule):
    full = dict(self_consistency_many(model64, NumberTokenizer(), problems, 9, **SETTINGS))
    stopped = dict(
        self_consistency_many(
            model64,
            NumberTokenizer(),
            problems,
            9,
            **SETTINGS,
            early_stopping=rule,
            max_concurrent=11,
        )
    )
    for name, consensus in stopped.items():
        drawn = full[name].samples
        needed = samples_needed(drawn, rule)
        assert texts(consensus.samples) == texts(drawn[:needed])
        assert consensus.winner == majority_vote(drawn[:needed]).winner
        # Waves are no longer than they must be, so nothing is drawn in vain.
        assert (consensus.drawn, consensus.samples_saved) == (needed, 9 - needed)
        assert consensus.tokens == sum(sample.tokens for sample in drawn[:needed])
    saved = sum(consensus.samples_saved for consensus in stopped.values())
    assert (saved > 0) == (type(rule) is not StoppingRule)


def test_all_samples_at_once_are_cancelled_when_the_vote_is_decided(model64, problems, batchings):
    full = dict(self_consistency_many(model64, NumberTokenizer(), problems, 9, **SETTINGS))
    cancelled = 0
    for name, prompt in problems:
        consensus = self_consistency(
            model64, NumberTokenizer(), prompt, 9, **SETTINGS, early_stopping="decided", wave=9
        )
        drawn = full[name].samples
        needed = samples_needed(drawn, Decided())
        assert texts(consensus.samples) == texts(drawn[:needed])
        assert consensus.drawn == 9
        counted, everything = (
            sum(sample.tokens for sample in part) for part in (drawn[:needed], drawn)
        )
        assert counted <= consensus.tokens <= everything
        cancelled += consensus.tokens < everything
        assert not batchings[-1]
    assert cancelled > 0


def test_a_wave_of_any_size_gives_the_same_vote(model64, problems):
    counted = []
    for wave in (None, 1, 2, 100):
        votes = self_consistency_many(
            model64,
            NumberTokenizer(),
            problems[:4],
            7,
            **SETTINGS,
            early_stopping=Confident(0.7),
            wave=wave,
        )
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
        self_consistency(
            model64,
            NumberTokenizer(),
            prompt,
            8,
            **SETTINGS,
            early_stopping=Window(2),
            max_concurrent=3,
        )
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
        self_consistency(model64, NumberTokenizer(), [7] * prompt_length, num_samples, **SETTINGS)
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
    results = self_consistency_many(
        model64,
        NumberTokenizer(),
        endless(),
        6,
        **SETTINGS,
        early_stopping="confident",
        max_concurrent=10,
    )
    assert not taken
    names = [next(results)[0] for _ in range(30)]
    hook.remove()
    assert len(set(names)) == 30
    assert len(taken) <= 30 + 10
    busy = [shape[0] for shape in rows if shape[1] == 1]
    assert set(busy[1:]) == {10}  # other calls read prompts


def test_temperature_zero_draws_the_greedy_text_only(model64, problems):
    _, prompt = problems[3]
    greedy = list(generate(model64, torch.tensor([prompt]), 16, stop_ids=NumberTokenizer.stop_ids))
    consensus = self_consistency(
        model64, NumberTokenizer(), prompt, 3, temperature=0, max_new_tokens=16
    )
    assert [sample.text for sample in consensus.samples] == [NumberTokenizer().decode(greedy)] * 3
    assert list(consensus.shares.values()) == [1.0]


def test_a_sample_holds_its_mean_log_probability_under_the_model(model64, problems):
    _, prompt = problems[2]
    tokenizer = NumberTokenizer()
    tokenizer.stop_ids = ()
    [sample] = self_consistency(model64, tokenizer, prompt, 1, **SETTINGS).samples
    tokens = NumberTokenizer().encode(sample.text.split(":")[0])
    with torch.no_grad():
        logprobs = model64(torch.tensor([prompt + tokens])).log_softmax(dim=-1)[
            0, len(prompt) - 1 :
        ]
    drawn = logprobs[: len(tokens)].gather(1, torch.tensor(tokens)[:, None])[:, 0]
    assert sample.tokens == len(tokens) == 16
    assert sample.logprob == pytest.approx(drawn.mean().item())


def test_a_text_and_its_ids_are_the_same_prompt(model64, problems):
    _, prompt = problems[3]
    text = " ".join(map(str, prompt))
    by_text, by_ids, by_tensor = (
        self_consistency(model64, NumberTokenizer(), given, 3, **SETTINGS)
        for given in (text, prompt, torch.tensor(prompt))
    )
    assert by_text == by_ids == by_tensor
    other = self_consistency(model64, NumberTokenizer(), prompt, 3, **{**SETTINGS, "seed": 6})
    assert other.samples != by_ids.samples


def test_every_filter_is_applied_that_is_given(model64, problems):
    _, prompt = problems[3]
    greedy = self_consistency(
        model64, NumberTokenizer(), prompt, 2, **{**SETTINGS, "temperature": 0}
    )
    plain = self_consistency(model64, NumberTokenizer(), prompt, 2, **SETTINGS)
    for one_token in ({"top_k": 1}, {"min_p": 1.0}, {"top_p": 1e-9}):
        drawn = self_consistency(model64, NumberTokenizer(), prompt, 2, **{**SETTINGS, **one_token})
        assert texts(drawn.samples) == texts(greedy.samples) != texts(plain.samples)
    everything = {"top_k": 50, "top_p": None, "min_p": None}
    unfiltered = self_consistency(
        model64, NumberTokenizer(), prompt, 2, **{**SETTINGS, **everything}
    )
    whole = self_consistency(model64, NumberTokenizer(), prompt, 2, **{**SETTINGS, "top_p": 1})
    assert texts(unfiltered.samples) == texts(whole.samples)


def test_a_sample_ends_at_the_end_of_the_context(model64):
    consensus = self_consistency(
        model64, SilentTokenizer(), [1] * 509, 4, **{**SETTINGS, "max_new_tokens": 100}
    )
    assert max(sample.tokens for sample in consensus.samples) == 3


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("wave", [None, 2])
def test_a_prompt_without_room_to_answer_gets_no_samples_and_the_others_theirs(
    model64, problems, rule, wave
):
    options = {**SETTINGS, "early_stopping": rule, "wave": wave, "max_concurrent": 4}
    usual = dict(self_consistency_many(model64, NumberTokenizer(), problems, 3, **options))
    too_long = [("too long", [1] * 512), *problems[:4], ("longer", [1] * 600), *problems[4:]]
    votes = dict(self_consistency_many(model64, NumberTokenizer(), too_long, 3, **options))
    for name in ("too long", "longer"):
        empty = votes.pop(name)
        assert (empty.winner, empty.samples, empty.drawn, empty.tokens, empty.samples_saved) == (
            None,
            [],
            0,
            0,
            0,
        )
    assert {name: texts(vote.samples) for name, vote in votes.items()} == {
        name: texts(vote.samples) for name, vote in usual.items()
    }


@pytest.mark.parametrize("rule", RULES)
def test_without_any_answer_there_is_no_winner(model64, problems, rule):
    _, prompt = problems[0]
    consensus = self_consistency(
        model64, SilentTokenizer(), prompt, 4, **SETTINGS, early_stopping=rule
    )
    assert (consensus.winner, consensus.tie, consensus.groups, consensus.shares) == (
        None,
        False,
        (),
        {},
    )
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
        ({"max_concurrent": 0}, "max_concurrent is 0"),
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
        self_consistency(model, NumberTokenizer(), [1, 2], 2, **SETTINGS)


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
