"""Every rung of the speed ladder writes what the plain model writes, or nearly so."""

import pytest
import torch

from Appendixes.QWEN3Model import load_qwen3
from CH2 import packed_weights
from CH2.decoding import DecodingEngine, pad_right
from CH2.packed_weights import HalfLinear, can_pack
from CH2.prompts import CHAIN_OF_THOUGHT, render
from CH2.speed_ladder import RUNGS, find_rung
from CH3.problems import load_problems

# How much less likely the tokens of solutions become, in nats (Kullback-Leibler divergence from the
# plain model, the mean over tokens). It was 0.00007 with eight bits and 0.0020 with four, and 0.014
# with weights rounded to three: what has fewer bits than it says does not pass, a processor that
# sums in another order does.
NATS_AT_MOST = {"int8": 0.0005, "int4": 0.005}


def load(dtype=torch.float32):
    return load_qwen3("tiny", device="cpu", dtype=dtype)[0]


def write(engine, prompts, tokens=60):
    rows = [engine.admit(prompt, tokens) for prompt in engine.add_prompts(prompts)]
    while engine.rows:
        engine.step()
    return [row.tokens for row in rows]


@pytest.fixture(scope="module")
def shipped():
    return load()


@pytest.fixture(scope="module")
def solved():
    """Test problems as the model is asked them, and their solutions: lists of ids."""
    _, tokenizer = load_qwen3("tiny", device="cpu")
    problems = load_problems("arithmetic500")[3::10]
    prompts = [
        tokenizer.encode(render(CHAIN_OF_THOUGHT, problem["problem"])) for problem in problems
    ]
    return prompts, [tokenizer.encode(problem["solution"]) for problem in problems]


@pytest.fixture(scope="module")
def prompts(solved):
    return [*solved[0][:6], [7] * 70]  # and one that is longer than a block of the cache


@pytest.fixture(autouse=True)
def traced_only(monkeypatch):
    """Compiling takes minutes; tracing shows that it can be done, and gives the same numbers."""
    compile_ = torch.compile
    monkeypatch.setattr(
        torch, "compile", lambda function, **options: compile_(function, backend="aot_eager")
    )


@pytest.fixture(autouse=True)
def packed_by_fbgemm(monkeypatch):
    """It multiplies in float32, as the tests do; what is fastest differs between machines."""
    monkeypatch.setattr(packed_weights, "fastest_product", lambda weight: "fbgemm")


@pytest.fixture(scope="module", params=[torch.float32, torch.bfloat16], ids=str)
def plain(request, prompts):
    """A type of the weights, and what the model with these weights writes without a rung.

    It computes in float32, so that no text depends on where bfloat16 rounds between the weights.
    """
    return request.param, write(DecodingEngine(load(request.param).float()), prompts)


@pytest.mark.parametrize("rung", [rung for rung in RUNGS if rung.exact], ids=lambda rung: rung.name)
def test_exact_rungs_write_the_same_tokens(rung, plain, prompts):
    dtype, expected = plain
    prepared = rung.prepare(load(dtype)).float()
    assert write(rung.start(prepared), prompts) == expected


@pytest.mark.skipif(not can_pack(torch.zeros(1)), reason="FBGEMM runs on x86 processors only")
@pytest.mark.parametrize(
    ("dtype", "kind"), [(torch.float32, torch.nn.Linear), (torch.bfloat16, HalfLinear)]
)
def test_rungs_of_sixteen_bits_pack_what_they_can_hold(dtype, kind):
    model = load(dtype)
    for name in ("packed weights", "compiled"):
        assert type(find_rung(name).prepare(model).layers[0].mlp.down_proj) is kind


@pytest.mark.parametrize(
    "rung", [rung for rung in RUNGS if not rung.exact], ids=lambda rung: rung.name
)
def test_quantised_rungs_expect_nearly_the_same_tokens_of_solutions(rung, shipped, solved):
    ids, real = pad_right([prompt + solution for prompt, solution in zip(*solved, strict=True)])
    chosen = torch.zeros_like(real)
    for row, prompt, solution in zip(chosen, *solved, strict=True):
        row[len(prompt) - 1 :][: len(solution)] = True
    plain, quantised = (
        model(ids, padding_mask=real)[chosen].log_softmax(dim=-1)
        for model in (shipped, rung.prepare(shipped))
    )
    nats = (plain.exp() * (plain - quantised)).sum(dim=-1)  # for each token
    assert 0 < nats.mean() < NATS_AT_MOST[rung.name]


def test_preparing_a_rung_leaves_the_plain_model_as_it_was(shipped, prompts):
    before = {name: value.clone() for name, value in shipped.state_dict().items()}
    tokens = write(DecodingEngine(shipped), prompts)
    for rung in RUNGS:
        rung.prepare(shipped)
    assert write(DecodingEngine(shipped), prompts) == tokens
    assert all(torch.equal(value, before[name]) for name, value in shipped.state_dict().items())


def test_rungs_are_found_by_their_names():
    assert len({rung.name for rung in RUNGS}) == len(RUNGS) == 9
    assert all(find_rung(rung.name) is rung for rung in RUNGS)
    with pytest.raises(
        ValueError, match="no rung 'top' on the ladder: choose one of no cache, growing cache"
    ):
        find_rung("top")


def test_a_growing_cache_is_copied_for_every_token(shipped):
    rung = find_rung("growing cache")
    engine = rung.start(rung.prepare(shipped))
    engine.admit(engine.add_prompts([[7] * 10])[0], 5)
    seen = set()
    while engine.rows:
        engine.step()
        seen |= {buffer.data_ptr() for buffer in engine.row_cache.keys}
    assert len(seen) > len(shipped.layers)
