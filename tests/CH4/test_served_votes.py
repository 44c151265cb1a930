"""Votes on a serving engine: n samples per problem, each once, whatever goes wrong."""

import json
import sys
from pathlib import Path

import pytest
from stand_in_server import stand_in

from CH2.prompts import DIRECT
from CH3.evaluation import UnansweredError, evaluate
from CH3.problems import load_problems
from CH4.experiments import __main__ as experiments
from CH4.experiments.draws import draws_of, voted_answers

serving = pytest.importorskip("CH3.evaluation.serving", reason="needs `pip install -e '.[serve]'`")


@pytest.fixture(autouse=True)
def _no_long_waits(monkeypatch):
    monkeypatch.setattr("openai._base_client.INITIAL_RETRY_DELAY", 0.001)
    monkeypatch.setattr("openai._base_client.MAX_RETRY_DELAY", 0.01)


@pytest.fixture(scope="module")
def problems() -> list[dict]:
    """Problems of which none is part of another."""
    some = load_problems("arithmetic500", limit=40)
    return [{**one, "problem": f"[{number}] {one['problem']}"} for number, one in enumerate(some)]


def voted(server, problems, out, rule=None, wave=None, **options) -> list[dict]:
    """Results of votes of ten samples."""
    options = {"temperature": 0.8, "top_p": 0.9, "seed": 0, "max_concurrent": 16, **options}
    writer = serving.ServedWriter(server.url, "m", DIRECT, **options)
    answer_fn = voted_answers(writer, 10, rule, wave)
    return evaluate(answer_fn, problems, out, settings={"model": "stand-in"}, progress=False)


def test_every_vote_has_its_samples_whatever_goes_wrong(problems, tmp_path):
    with stand_in(problems) as server:
        undisturbed = voted(server, problems, tmp_path / "undisturbed.jsonl")
        seeds = {(body["prompt"], body["seed"]) for body in server.bodies}
        assert len(seeds) == len(server.bodies) == 400
        assert {body["temperature"] for body in server.bodies} == {0.8}
    with stand_in(problems, fault_rate=0.4) as server:
        disturbed = voted(server, problems, tmp_path / "disturbed.jsonl", attempts=40)
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
        full = voted(server, problems, tmp_path / "full.jsonl", thinking=True)
        decided = voted(server, problems, tmp_path / "decided.jsonl", "decided", thinking=True)
        assert server.bodies[0]["logprobs"] is True
    for one, other in zip(full, decided, strict=True):
        assert one["extracted"] == other["extracted"]
        assert 6 <= len(other["samples"]) <= 10
        assert one["samples"][: len(other["samples"])] == other["samples"]
    assert sum(result["tokens"] for result in decided) == 11 * (sum(server.asked.values()) - 400)
    assert sum(result["tokens"] for result in decided) < 0.8 * 4400


def test_a_vote_that_is_decided_cancels_the_rest_of_its_wave(problems, tmp_path):
    with stand_in(problems) as server:
        in_waves = voted(server, problems, tmp_path / "waves.jsonl", "decided")
        server.asked.clear()
        at_once = voted(server, problems, tmp_path / "once.jsonl", "decided", 10, max_concurrent=1)
        asked = server.asked
    for one, other in zip(in_waves, at_once, strict=True):
        assert one["samples"] == other["samples"]
        assert len(other["samples"]) <= asked[one["unique_id"]]
    assert sum(asked.values()) < 0.9 * 400  # none is cut before it was sent, most are never sent


def test_a_vote_that_lacks_a_sample_is_held_by_the_next_run(problems, tmp_path, capsys):
    with stand_in(problems) as server:
        server.fault_of = {problems[7]["unique_id"]: "500"}
        with pytest.raises(UnansweredError, match="1 of 40"):
            voted(server, problems, tmp_path / "out.jsonl", attempts=2)
        assert capsys.readouterr().err.count("left for the next run") == 1
        server.fault_of.clear()
        server.asked.clear()
        assert len(voted(server, problems, tmp_path / "out.jsonl")) == 40
        assert server.asked == {problems[7]["unique_id"]: 10}


def test_a_refused_problem_is_a_vote_without_answers(problems, tmp_path, capsys):
    with stand_in(problems[:5]) as server:
        server.fault_of = {problems[2]["unique_id"]: "400"}
        results = voted(server, problems[:5], tmp_path / "out.jsonl", max_concurrent=4)
        assert len(voted(server, problems[:5], tmp_path / "out.jsonl")) == 5  # it is answered
    refused = results[2]
    assert (refused["finish_reason"], refused["refusal"]) == ("refused", "status 400: 'not now'")
    assert (refused["extracted"], refused["correct"]) == (None, False)
    endings = [one["finish_reason"] for one in refused["samples"]]
    assert endings == ["refused"] * 10
    assert capsys.readouterr().err.count("counts as wrong, as it was refused") == 1
    assert [len(samples) for samples in draws_of(results)] == [10] * 5


def experiment(server, problems: list[dict], folder: Path, monkeypatch) -> dict:
    """Numbers of the command line, asking a server for votes of six samples."""
    data = folder / "some.json"
    data.write_text(json.dumps(problems))
    arguments = ["--endpoint", server.url, "--model", "some/model", "--data", data, "--samples", 6]
    arguments = ["experiments", *map(str, arguments), "--out", str(folder / "out")]
    monkeypatch.setattr(sys, "argv", arguments)
    experiments.main()
    return json.loads((folder / "out" / "results.json").read_text())


def test_the_experiments_ask_an_endpoint(problems, tmp_path, monkeypatch, capsys):
    with stand_in(problems[:12]) as server:
        numbers = experiment(server, problems[:12], tmp_path, monkeypatch)
        assert len(server.bodies) == 2 * 12 * (1 + 6)
    assert "majority of 6" in capsys.readouterr().out
    assert numbers["run"]["machine"] == "a server"
    assert numbers["settings"]["model"] == "model"
    greedy = [row for row in numbers["rows"] if row["name"] == "greedy"]
    assert [row["accuracy"]["value"] for row in greedy] == [1, 1]


def test_a_server_that_does_not_sample_is_found_out(problems, tmp_path, monkeypatch, capsys):
    with stand_in(problems[:4]) as server:
        server.finish = ("stop", "It is 7.")
        server.refuses = {"logprobs": 400}
        server.named = "another"
        texts = experiment(server, problems[:4], tmp_path, monkeypatch)["texts"]
    for prompt in ("direct", "chain-of-thought"):
        start = f"warning: {prompt}, 6 samples: "
        assert [text.removeprefix(start)[:40] for text in texts if text.startswith(start)] == [
            "the server says that another model answe",
            "the samples of each problem are one and ",
            "no log-probability came with the samples",
        ]
    shown = capsys.readouterr().out
    assert all(text in shown for text in texts)
    assert all(text in (tmp_path / "out" / "results.md").read_text() for text in texts)


def test_a_server_that_counts_no_tokens_gives_the_table_without_them(
    problems, tmp_path, monkeypatch, capsys
):
    with stand_in(problems[:6]) as server:
        server.counts_tokens = False
        rows = experiment(server, problems[:6], tmp_path, monkeypatch)["rows"]
    assert "majority of 6, decided" in capsys.readouterr().out
    assert {row["tokens"] for row in rows} == {0}
    assert all(row["tokens_saved"] is None for row in rows)
    assert any(row["samples_saved"] for row in rows)
    # the others are about tokens
    assert [path.name for path in (tmp_path / "out").glob("*.png")] == ["accuracy_by_samples.png"]
