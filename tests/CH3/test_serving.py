"""A serving engine that misbehaves: nothing is lost, nothing is asked or answered twice that need
not be.
"""

import json
import math
import shutil
import subprocess
import threading
import time
from email.utils import formatdate
from functools import partial
from pathlib import Path

import pytest
from process_team import wait_until
from stand_in_server import FAULTS, SLOW_FAULTS, stand_in

from CH2.prompts import CHAIN_OF_THOUGHT, DIRECT, render
from CH3.evaluation import UnansweredError, evaluate
from CH3.evaluation.serving import (
    Endpoint,
    EndpointError,
    EndpointRefusedError,
    Requests,
    _seconds,
    served_answers,
)
from CH3.problems import load_problems

QUICK = {"first_wait": 0.001}


@pytest.fixture(scope="module")
def problems() -> list[dict]:
    """Problems of which none is part of another."""
    return [
        {**one, "problem": f"[{number}] {one['problem']}"}
        for number, one in enumerate(load_problems("arithmetic500"))
    ]


def evaluated(endpoint: Endpoint, problems: list[dict], out, concurrency: int = 32) -> list[dict]:
    answer_fn = served_answers(endpoint, DIRECT, max_new_tokens=50, concurrency=concurrency)
    return evaluate(answer_fn, problems, out, settings={"model": "stand-in"}, progress=False)


def test_whatever_goes_wrong_each_problem_has_one_answer_in_the_end(problems, tmp_path):
    with stand_in(problems, fault_rate=0.4) as server:
        results = evaluated(
            Endpoint(server.url, "m", attempts=40, **QUICK), problems, tmp_path / "out.jsonl"
        )
    assert [result["unique_id"] for result in results] == [
        problem["unique_id"] for problem in problems
    ]
    assert all(result["correct"] for result in results)
    assert {result["tokens"] for result in results} == {11}
    assert len((tmp_path / "out.jsonl").read_text().splitlines()) == 1 + 500
    assert set(server.faults) == {*FAULTS, None}
    assert server.faults[None] == 500  # what was answered is not asked again


def test_what_stays_unanswered_is_asked_by_the_next_run_and_nothing_else(
    problems, tmp_path, capsys
):
    some, out = problems[:60], tmp_path / "out.jsonl"
    with stand_in(some) as server:
        broken = {
            problem["unique_id"]: fault
            for problem, fault in zip(some[::5], ["500", "drop", "text"] * 4, strict=True)
        }
        server.fault_of = dict(broken)
        with pytest.raises(UnansweredError, match="12 of 60 problems were not answered"):
            evaluated(Endpoint(server.url, "m", attempts=3, **QUICK), some, out)
        assert server.asked == {
            one["unique_id"]: 3 if one["unique_id"] in broken else 1 for one in some
        }
        said = capsys.readouterr().err
        assert all(
            f"problem {unique_id} is left for the next run: no answer in 3 attempts" in said
            for unique_id in broken
        )
        server.fault_of.clear()
        server.asked.clear()
        results = evaluated(Endpoint(server.url, "m", attempts=3, **QUICK), some, out)
        assert server.asked == dict.fromkeys(broken, 1)
    assert [result["unique_id"] for result in results] == [one["unique_id"] for one in some]


@pytest.mark.parametrize("fault", SLOW_FAULTS)
def test_a_request_has_a_time_limit_even_if_the_server_is_never_silent(fault, problems):
    with stand_in(problems[:1]) as server:
        server.fault_of = {problems[0]["unique_id"]: fault}
        endpoint = Endpoint(server.url, "m", attempts=1, timeout=0.2)
        started = time.monotonic()
        with pytest.raises(EndpointError, match="no answer in 1 attempts"):
            endpoint.complete(problems[0]["problem"], max_tokens=5)
        assert 0.15 < time.monotonic() - started < server.late / 2


def test_retry_after_is_honoured(problems):
    with stand_in(problems[:1]) as server:
        server.fault_of = {problems[0]["unique_id"]: "wait 1"}
        with pytest.raises(EndpointError, match="status 429"):
            Endpoint(server.url, "m", attempts=2, first_wait=0.001).complete(
                problems[0]["problem"], max_tokens=5
            )
        first, second = server.times
        assert second - first >= 1
    assert 40 < _seconds(formatdate(time.time() + 70, usegmt=True)) <= 70


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("1.5", 1.5),
        ("-5", 0),
        ("nan", 0),
        ("1e9", 0),
        ("Wed, 21 Oct 99999999999 07:28:00 GMT", 0),
        ("9" * 400, math.inf),
    ],
)
def test_any_retry_after_is_a_number_of_seconds(header, seconds):
    assert _seconds(header) == seconds


def test_waits_grow_and_are_random(monkeypatch):
    def refuse(*request):
        raise ConnectionRefusedError

    monkeypatch.setattr(Endpoint, "_exchange", refuse)
    waits = []
    endpoint = Endpoint("http://127.0.0.1:9", "m", attempts=11, first_wait=2.0)
    for _ in range(10):
        with pytest.raises(
            EndpointError, match="no answer in 11 attempts; at last: ConnectionRefusedError"
        ):
            endpoint.complete("?", pause=waits.append)
    rounds = [waits[start : start + 10] for start in range(0, 100, 10)]
    assert len(waits) == 100
    for number in range(10):
        longest = min(2.0 * 2**number, 300)
        some = [one[number] for one in rounds]
        assert all(0 <= wait <= longest for wait in some)
        assert len(set(some)) > 1
        assert max(some) > longest / 4


def test_a_long_wait_that_the_server_asks_for_has_a_limit_and_stays_random(problems):
    waits = []
    with stand_in(problems[:1]) as server:
        server.fault_of = {problems[0]["unique_id"]: "wait 100000"}
        with pytest.raises(EndpointError):
            Endpoint(server.url, "m", attempts=5).complete(
                problems[0]["problem"], pause=waits.append
            )
    assert all(300 <= wait <= 600 for wait in waits)
    assert len(set(waits)) == 4


def test_at_the_end_of_the_block_no_request_is_sent_again(problems):
    with stand_in(problems[:1]) as server:
        server.fault_of = {problems[0]["unique_id"]: "500"}
        with Requests(Endpoint(server.url, "m", attempts=9, first_wait=0.1), 2) as requests:
            requests.submit("first", problems[0]["problem"])
            wait_until(lambda: server.asked)
        key, outcome = requests.next_outcome()
        assert (key, type(outcome)) == ("first", EndpointError)
        assert server.asked.total() < 9


def test_a_server_that_refuses_everything_ends_the_run(problems, tmp_path):
    with stand_in(problems[:40]) as server:
        server.fault_of = {problems[3]["unique_id"]: "401"}
        with pytest.raises(EndpointRefusedError, match="status 401: 'not now'"):
            evaluated(
                Endpoint(server.url, "m", **QUICK),
                problems[:40],
                tmp_path / "out.jsonl",
                concurrency=2,
            )
        assert server.asked[problems[3]["unique_id"]] == 1
        assert sum(server.asked.values()) < 40
        # that request's own fault: too long, say
        server.fault_of = {problems[3]["unique_id"]: "400"}
        with pytest.raises(UnansweredError, match="1 of 40"):
            evaluated(Endpoint(server.url, "m", **QUICK), problems[:40], tmp_path / "out.jsonl")
        assert server.asked[problems[3]["unique_id"]] == 2


def test_requests_say_what_is_wanted_and_carry_the_key(problems):
    with stand_in(problems[:1]) as server:
        endpoint = Endpoint(server.url + "/", "some/model", key="secret")
        assert "secret" not in repr(endpoint)
        [plain] = served_answers(endpoint, DIRECT, max_new_tokens=9)(iter(problems[:1]))
        [chat] = served_answers(endpoint, CHAIN_OF_THOUGHT, max_new_tokens=9, thinking=False)(
            iter(problems[:1])
        )
    assert server.paths == ["/v1/completions", "/v1/chat/completions"]
    assert server.keys == ["Bearer secret"] * 2
    common = {"model": "some/model", "max_tokens": 9, "temperature": 0}
    prompts = [render(template, problems[0]["problem"]) for template in (DIRECT, CHAIN_OF_THOUGHT)]
    assert server.bodies[0] == {**common, "prompt": prompts[0]}
    assert server.bodies[1] == {
        **common,
        "messages": [{"role": "user", "content": prompts[1]}],
        "chat_template_kwargs": {"enable_thinking": False},
    }
    assert [plain.prompt, chat.prompt] == prompts
    assert plain.text == chat.text == f"We compute, and get \\boxed{{{problems[0]['answer']}}}."


def test_as_many_requests_as_allowed_are_under_way(problems):
    with stand_in(problems[:24]) as server:
        pause = partial(time.sleep, 0.05)  # with six at the gate, a seventh would come meanwhile
        server.gate = threading.Barrier(6, pause, timeout=30)
        answers = list(
            served_answers(Endpoint(server.url, "m", attempts=1), concurrency=6)(
                iter(problems[:24])
            )
        )
        assert len(answers) == 24  # six came together, each time
        assert server.most_at_once == 6


NO_ADDRESSES = [
    "",
    "127.0.0.1:8000",
    "ftp://127.0.0.1",
    "http://",
    "http://host:port/v1",
    "http://[/v1",
    "http://h:0/v1",
]
LEFT_OUT = [
    "http://127.0.0.1/v1?version=2",
    "http://me:secret@127.0.0.1/v1",
    "http://127.0.0.1/v1#part",
]


@pytest.mark.parametrize("url", NO_ADDRESSES + LEFT_OUT)
def test_an_address_that_is_none_is_refused(url):
    with pytest.raises(ValueError, match="expected an address such as"):
        Endpoint(url, "m")
    with pytest.raises(ValueError, match="concurrency is 0"):
        Requests(Endpoint("http://127.0.0.1", "m"), 0)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"timeout": 0.0}, "timeout is 0.0"),
        ({"timeout": -1.0}, "timeout is -1.0"),
        ({"timeout": math.nan}, "timeout is nan"),
        ({"timeout": math.inf}, "timeout is inf"),
        ({"attempts": 0}, "attempts is 0"),
        ({"first_wait": -1.0}, "first_wait -1.0"),
        ({"key": "a-secret\n"}, "the key holds"),
        ({"key": "ключ"}, "the key holds"),
    ],
)
def test_what_no_request_can_be_sent_with_is_refused(options, words):
    with pytest.raises(ValueError, match=words) as error:
        Endpoint("http://127.0.0.1", "m", **options)
    assert "secret" not in str(error.value)


@pytest.mark.parametrize("host", ["a" * 70, "a b"])
def test_a_name_that_no_host_can_have_ends_the_run(host, problems, tmp_path):
    with pytest.raises(EndpointRefusedError, match="cannot be asked"):
        evaluated(Endpoint(f"http://{host}/v1", "m"), problems[:4], tmp_path / "out.jsonl")


@pytest.fixture
def certificate(tmp_path) -> tuple[Path, Path]:
    """Files of a certificate for 127.0.0.1, and of its key."""
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl, to make a certificate")
    paths = tmp_path / "certificate.pem", tmp_path / "key.pem"
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=127.0.0.1",
    ]
    command += ["-addext", "subjectAltName=IP:127.0.0.1", "-out", paths[0], "-keyout", paths[1]]
    subprocess.run(command, check=True, capture_output=True)
    return paths


def test_https_asks_no_server_it_does_not_know_and_has_a_time_limit_too(
    certificate, problems, tmp_path, monkeypatch
):
    with stand_in(problems[:8], certificate=certificate) as server:
        endpoint = Endpoint(server.url, "m", attempts=1, timeout=3)
        with pytest.raises(EndpointRefusedError, match="cannot be asked: .*certificate"):
            evaluated(endpoint, problems[:8], tmp_path / "out.jsonl")
        assert not server.asked
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
        server.fault_of = {problems[0]["unique_id"]: "trickle", problems[1]["unique_id"]: "late"}
        started = time.monotonic()
        with pytest.raises(UnansweredError, match="2 of 8"):
            evaluated(endpoint, problems[:8], tmp_path / "out.jsonl")
        assert time.monotonic() - started < server.late / 2
        server.fault_of.clear()
        assert all(
            result["correct"]
            for result in evaluated(endpoint, problems[:8], tmp_path / "out.jsonl")
        )
        assert server.asked == {
            one["unique_id"]: 2 if one in problems[:2] else 1 for one in problems[:8]
        }


def test_the_command_asks_an_endpoint(problems, tmp_path, monkeypatch, command):
    data, out = tmp_path / "some.json", tmp_path / "out.jsonl"
    data.write_text(json.dumps(problems[:10]))
    command = partial(command, "--data", data, "--out", out)
    monkeypatch.setenv("OPENAI_API_KEY", "key-from-the-environment")
    with stand_in(problems[:10]) as server:
        server.fault_of = {problems[0]["unique_id"]: "422"}
        code, shown, said = command(
            "--endpoint", server.url, "--model", "Qwen/Qwen3-0.6B", "--batch", 3
        )
        assert "1 of 10 problems were not answered" in code and "asks for the rest" in code
        assert "left for the next run" in said
        assert "9 of 9" in shown and "That is of the 9 that were answered." in shown
        server.fault_of.clear()
        code, shown, _ = command(
            "--endpoint", server.url, "--model", "Qwen/Qwen3-0.6B", "--batch", 3
        )
        assert code == 0
        assert "100.0%" in shown
        assert sum(server.asked.values()) == 11
        assert set(server.keys) == {"Bearer key-from-the-environment"}
        assert json.loads(out.read_text().splitlines()[0])["settings"]["model"] == "Qwen3-0.6B"
        for other in ("other", "another/Qwen3-0.6B"):  # of one last part, and another model
            code, _, said = command("--endpoint", server.url, "--model", other)
            assert (code, "was made with other settings" in said) == (2, True)
    assert command("--endpoint", "nowhere")[0] == 2
    for options in (
        ["--device", "cpu"],
        ["--dtype", "float32"],
        ["--max-cache-bytes", 9],
        ["--rung", "int8"],
    ):
        code, _, said = command("--endpoint", "http://127.0.0.1:9", *options)
        assert (code, f"{options[0]}: with --endpoint the server decides that" in said) == (2, True)
    code, _, said = command("--endpoint", "http://127.0.0.1:9", "--timeout", 0)
    assert (code, "timeout is 0.0" in said) == (2, True)
