"""Votes on a serving engine: n samples a problem, each once, whatever goes wrong."""

import json
import sys

import pytest
from stand_in_server import stand_in

from CH2.prompts import DIRECT
from CH3.evaluation import UnansweredError, evaluate
from CH3.evaluation.serving import Endpoint
from CH3.problems import load_problems
from CH4 import experiments
from CH4.experiments.draws import draws_of, served_votes

QUICK = {"first_wait": 0.001}


@pytest.fixture(scope="module")
def problems() -> list[dict]:
    """Problems of which none is part of another."""
    some = load_problems("arithmetic500", limit=40)
    return [{**one, "problem": f"[{number}] {one['problem']}"} for number, one in enumerate(some)]


def voted(endpoint: Endpoint, problems: list[dict], out, **options) -> list[dict]:
    answer_fn = served_votes(endpoint, DIRECT, 10, concurrency=16, **options)
    return evaluate(answer_fn, problems, out, settings={"model": "stand-in"}, progress=False)


def test_every_vote_has_its_samples_whatever_goes_wrong(problems, tmp_path):
    with stand_in(problems) as server:
        undisturbed = voted(Endpoint(server.url, "m"), problems, tmp_path / "undisturbed.jsonl")
        seeds = {(body["prompt"], body["seed"]) for body in server.bodies}
        assert len(seeds) == len(server.bodies) == 400
        assert {body["temperature"] for body in server.bodies} == {0.8}
    with stand_in(problems, fault_rate=0.4) as server:
        disturbed = voted(
            Endpoint(server.url, "m", attempts=40, **QUICK), problems, tmp_path / "disturbed.jsonl"
        )
        assert {(body["prompt"], body["seed"]) for body in server.bodies} == seeds
    for result in undisturbed + disturbed:
        del result["seconds"]
    assert disturbed == undisturbed
    assert {(len(result["samples"]), result["tokens"]) for result in undisturbed} == {(10, 110)}
    assert {sample["logprob"] for result in undisturbed for sample in result["samples"]} == {-0.5}
    assert all(result["correct"] for result in undisturbed)
    right = [sample.right for samples in draws_of(undisturbed) for sample in samples]
    assert 300 < sum(right) < 400  # the stand-in's seeds that end in 7


def test_a_rule_that_stops_saves_samples_and_keeps_the_winner(problems, tmp_path):
    with stand_in(problems) as server:
        endpoint = Endpoint(server.url, "m")
        full = voted(endpoint, problems, tmp_path / "full.jsonl", thinking=True)
        decided = voted(
            endpoint, problems, tmp_path / "decided.jsonl", thinking=True, early_stopping="decided"
        )
        assert server.bodies[0]["logprobs"] is True
    for one, other in zip(full, decided, strict=True):
        assert one["extracted"] == other["extracted"]
        assert 6 <= len(other["samples"]) <= 10
        assert one["samples"][: len(other["samples"])] == other["samples"]
    assert sum(result["tokens"] for result in decided) == 11 * (sum(server.asked.values()) - 400)
    assert sum(result["tokens"] for result in decided) < 0.8 * 4400


def test_a_vote_that_lacks_a_sample_is_held_by_the_next_run(problems, tmp_path, capsys):
    with stand_in(problems) as server:
        server.fault_of = {problems[7]["unique_id"]: "500"}
        with pytest.raises(UnansweredError, match="1 of 40"):
            voted(Endpoint(server.url, "m", attempts=2, **QUICK), problems, tmp_path / "out.jsonl")
        assert capsys.readouterr().err.count("left for the next run") == 1
        server.fault_of.clear()
        server.asked.clear()
        assert len(voted(Endpoint(server.url, "m"), problems, tmp_path / "out.jsonl")) == 40
        assert server.asked == {problems[7]["unique_id"]: 10}
    with pytest.raises(ValueError, match="num_samples is 0"):
        served_votes(Endpoint(server.url, "m"), DIRECT, 0)


def test_the_experiments_ask_an_endpoint(problems, tmp_path, monkeypatch, capsys):
    data = tmp_path / "some.json"
    data.write_text(json.dumps(problems[:12]))
    with stand_in(problems[:12]) as server:
        arguments = [
            "--endpoint",
            server.url,
            "--model",
            "some/model",
            "--data",
            data,
            "--samples",
            6,
        ]
        monkeypatch.setattr(
            sys, "argv", ["experiments", *map(str, arguments), "--out", str(tmp_path / "out")]
        )
        experiments.main()
        assert len(server.bodies) == 2 * 12 * (1 + 6)
    assert "majority of 6" in capsys.readouterr().out
    numbers = json.loads((tmp_path / "out" / "results.json").read_text())
    assert numbers["run"]["machine"] == "a server"
    assert numbers["settings"]["model"] == "model"
    greedy = [row for row in numbers["rows"] if row["name"] == "greedy"]
    assert [row["accuracy"]["value"] for row in greedy] == [1, 1]


def test_a_server_that_counts_no_tokens_gives_the_table_without_them(
    problems, tmp_path, monkeypatch, capsys
):
    data, out = tmp_path / "some.json", tmp_path / "out"
    data.write_text(json.dumps(problems[:6]))
    with stand_in(problems[:6]) as server:
        server.counts_tokens = False
        arguments = [
            "--endpoint",
            server.url,
            "--model",
            "some/model",
            "--data",
            data,
            "--samples",
            6,
            "--out",
            out,
        ]
        monkeypatch.setattr(sys, "argv", ["experiments", *map(str, arguments)])
        experiments.main()
    assert "majority of 6, decided" in capsys.readouterr().out
    rows = json.loads((out / "results.json").read_text())["rows"]
    assert {row["tokens"] for row in rows} == {0}
    assert all(row["tokens_saved"] is None for row in rows)
    assert any(row["samples_saved"] for row in rows)
    # the others are about tokens
    assert [path.name for path in out.glob("*.png")] == ["accuracy_by_samples.png"]
