"""Every rung of the speed ladder writes what the plain model writes, or nearly so."""

import pytest
import torch

from Appendixes.QWEN3Model import load_qwen3
from CH2.decoding import DecodingEngine
from CH2.speed_ladder import RUNGS, SHAPES, random_model

PROMPTS = [[5, 9, 3], [7] * 70, [1, 2, 3, 4, 5, 6, 7]]


def write(model, engine, tokens=40):
    engine = DecodingEngine(model, **engine)
    rows = [engine.admit(prompt, tokens) for prompt in engine.add_prompts(PROMPTS)]
    while engine.rows:
        engine.step()
    return [row.tokens for row in rows]


@pytest.fixture(scope="module")
def shipped():
    return load_qwen3("tiny", device="cpu")[0]


@pytest.fixture(autouse=True)
def traced_only(monkeypatch):
    """Compiling takes minutes; tracing shows that it can be done, and gives the same numbers."""
    compile_ = torch.compile
    monkeypatch.setattr(torch, "compile", lambda function, **options: compile_(function, backend="aot_eager"))


@pytest.mark.parametrize("rung", [rung for rung in RUNGS if rung.exact], ids=lambda rung: rung.name)
def test_exact_rungs_write_the_same_tokens(rung, shipped):
    model = shipped.bfloat16().float()  # weights that 16 bits hold exactly
    assert write(rung.prepare(model), rung.engine) == write(model, {})


@pytest.mark.parametrize("rung", [rung for rung in RUNGS if not rung.exact], ids=lambda rung: rung.name)
def test_quantised_rungs_give_nearly_the_same_scores(rung, shipped):
    ids = torch.randint(640, (2, 50), generator=torch.Generator().manual_seed(0))
    plain, quantised = shipped(ids).softmax(dim=-1), rung.prepare(shipped)(ids).softmax(dim=-1)
    assert (plain - quantised).abs().sum(dim=-1).mean() < {"int8": 0.1, "int4": 0.6}[rung.name]


def test_preparing_a_rung_leaves_the_plain_model_as_it_was(shipped):
    before = {name: value.clone() for name, value in shipped.state_dict().items()}
    tokens = write(shipped, {})
    for rung in RUNGS:
        rung.prepare(shipped)
    assert write(shipped, {}) == tokens
    assert all(torch.equal(value, before[name]) for name, value in shipped.state_dict().items())


def test_rungs_have_names_and_random_models_a_known_shape():
    assert len({rung.name for rung in RUNGS}) == len(RUNGS) == 9
    model = random_model("tiny", torch.float32)
    assert model.config == SHAPES["tiny"]
    assert torch.equal(random_model("tiny").embed_tokens.weight.float(), model.embed_tokens.weight.bfloat16().float())
    with pytest.raises(ValueError, match="choose one of tiny"):
        random_model("7B")
