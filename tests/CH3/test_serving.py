"""A server that misbehaves: nothing is lost, nothing is asked twice that need not be."""

import json
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest
from stand_in_server import CONTENTS, FAULTS, SLOW_FAULTS, stand_in

from CH2.prompts import CHAIN_OF_THOUGHT, DIRECT, render
from CH2.seeds import text_seed
from CH3.evaluation import UnansweredError, evaluate
from CH3.evaluation.answers import answer_in, answers
from CH3.evaluation.progress import Progress
from CH3.evaluation.results import Result
from CH3.evaluation.writers import CUT_OFF, REFUSED, EndpointRefusedError, Text
from CH3.problems import Problem, load_problems

openai = pytest.importorskip("openai", reason="needs `pip install -e '.[serve]'`")

from CH3.evaluation.serving import (  # noqa: E402  # needs openai
    NEUTRAL,
    EndpointError,
    ServedWriter,
    text_of,
)


@pytest.fixture(scope="module")
def problems() -> list[Problem]:
    """Problems of which none is part of another."""
    return [
        {**one, "problem": f"[{number}] {one['problem']}"}
        for number, one in enumerate(load_problems("arithmetic500"))
    ]


@pytest.fixture
def impatient(monkeypatch) -> None:
    """Waits of milliseconds before a request is sent again."""
    monkeypatch.setattr(openai._base_client, "INITIAL_RETRY_DELAY", 0.002)
    monkeypatch.setattr(openai._base_client, "MAX_RETRY_DELAY", 0.01)


@pytest.fixture
def waits(monkeypatch) -> list[float]:
    """Seconds before each time that a request is sent again, which are counted and not waited."""
    seconds: list[float] = []

    async def sleep(wanted: float) -> None:
        seconds.append(wanted)

    monkeypatch.setattr(openai._base_client, "anyio", SimpleNamespace(sleep=sleep))
    return seconds


def evaluated(writer: ServedWriter, problems: list[Problem], out: Path) -> list[Result]:
    answer_fn = partial(answers, writer)
    return evaluate(answer_fn, problems, out, settings={"model": "stand-in"}, progress=False)


def one_text(writer: ServedWriter, problem: Problem) -> Text:
    ticket = writer.begin(problem["problem"], 0)
    [(finished, text)] = writer.finished()
    assert finished is ticket
    return text


def test_whatever_goes_wrong_each_problem_has_one_answer_in_the_end(impatient, problems, tmp_path):
    with stand_in(problems, fault_rate=0.4) as server:
        writer = ServedWriter(server.url, "m", DIRECT, attempts=40, max_concurrent=32)
        results = evaluated(writer, problems, tmp_path / "out.jsonl")
    unique_ids = [problem["unique_id"] for problem in problems]
    assert [result["unique_id"] for result in results] == unique_ids
    assert all(result["correct"] for result in results)
    assert {(result["tokens"], result["finish_reason"]) for result in results} == {(11, "stop")}
    assert len((tmp_path / "out.jsonl").read_text().splitlines()) == 1 + 500
    assert set(server.faults) == {*FAULTS, None}
    assert server.faults[None] == 500  # what was answered is not asked again


def test_what_stays_unanswered_is_asked_by_the_next_run_and_nothing_else(
    impatient, problems, tmp_path, capsys
):
    some, out = problems[:60], tmp_path / "out.jsonl"
    with stand_in(some) as server:
        faults = ["500", "drop", "text"] * 4
        broken = {one["unique_id"]: fault for one, fault in zip(some[::5], faults, strict=True)}
        server.fault_of = dict(broken)
        writer = ServedWriter(server.url, "m", DIRECT, attempts=3)
        with pytest.raises(UnansweredError, match="12 of 60 problems were not answered"):
            evaluated(writer, some, out)
        times = {one["unique_id"]: 3 if one["unique_id"] in broken else 1 for one in some}
        assert server.asked == times
        said = capsys.readouterr().err
        for unique_id in broken:
            words = f"problem {unique_id} is left for the next run: no answer in up to 3 attempts"
            assert words in said
        server.fault_of.clear()
        server.asked.clear()
        results = evaluated(writer, some, out)
        assert server.asked == dict.fromkeys(broken, 1)
    assert [result["unique_id"] for result in results] == [one["unique_id"] for one in some]


@pytest.mark.parametrize("fault", [*CONTENTS, *SLOW_FAULTS])
def test_a_reply_that_is_late_as_a_whole_or_holds_no_text_is_asked_for_again(
    fault, impatient, problems
):
    with stand_in(problems[:1]) as server:
        server.fault_of = {problems[0]["unique_id"]: fault}
        timeout = 0.2 if fault in SLOW_FAULTS else 30
        started = time.monotonic()
        text = one_text(ServedWriter(server.url, "m", attempts=2, timeout=timeout), problems[0])
        assert time.monotonic() - started < server.late / 2
        assert server.asked.total() == 2
    assert isinstance(text.error, EndpointError)
    late = "no whole reply within the time limit of 0.2 seconds (--timeout)"
    reason = late if fault in SLOW_FAULTS else "a reply without a text"
    assert reason in str(text.error)


def test_retry_after_is_honoured(impatient, problems):
    with stand_in(problems[:1]) as server:
        server.fault_of = {problems[0]["unique_id"]: "wait 1"}
        text = one_text(ServedWriter(server.url, "m", attempts=2), problems[0])
        assert "status 429" in str(text.error)
        first, second = server.times
        assert second - first >= 1


def test_a_cancelled_request_is_cut_and_not_sent_again(problems):
    with stand_in(problems[:3]) as server:
        server.fault_of = {one["unique_id"]: "late" for one in problems[:2]}
        writer = ServedWriter(server.url, "m", DIRECT, max_concurrent=2)
        late = [writer.begin(one["problem"], 0) for one in problems[:2]]
        waiting = writer.begin(problems[2]["problem"], 0)
        assert not writer.has_room
        while len(server.bodies) < 2:
            time.sleep(0.01)
        prompt = render(DIRECT, problems[0]["problem"])
        assert writer.cancel(late[0]) == Text(prompt, finish_reason="cancelled")
        [(ticket, text)] = writer.finished()  # in the place of the cancelled one
        assert (ticket, text.error) == (waiting, None)
        unsent = [writer.begin(problems[2]["problem"], number) for number in (1, 2, 3)]
        assert writer.cancel(unsent[-1]) is None
        for ticket in (late[1], *unsent[:-1]):
            writer.cancel(ticket)
        assert not writer
        assert server.asked[problems[0]["unique_id"]] == 1


def test_a_server_that_refuses_everything_ends_the_run(problems, tmp_path):
    some, out = problems[:40], tmp_path / "out.jsonl"
    with stand_in(some) as server:
        refused = some[3]["unique_id"]
        server.fault_of = {refused: "401"}
        writer = ServedWriter(server.url, "m", DIRECT, max_concurrent=2)
        with pytest.raises(EndpointRefusedError, match="status 401: 'not now'"):
            evaluated(writer, some, out)
        assert server.asked[refused] == 1
        assert server.asked.total() < 40


@pytest.mark.parametrize("status", ["400", "403", "404", "413", "422"])
@pytest.mark.parametrize("batch", [1, 8])
def test_a_refusal_of_one_problem_is_its_result_and_the_others_are_answered(
    status, batch, problems, tmp_path, capsys
):
    some, out = problems[:12], tmp_path / "out.jsonl"
    with stand_in(some) as server:
        refused = some[3]["unique_id"]
        server.fault_of = {refused: status}
        writer = ServedWriter(server.url, "m", DIRECT, max_concurrent=batch, max_new_tokens=99)
        results = evaluated(writer, some, out)
        assert server.asked == dict.fromkeys((one["unique_id"] for one in some), 1)
        # whether another request is refused, too, is tried with the same fields
        assert [body["max_tokens"] for body in server.looks] == [1, 99]
    assert [result["correct"] for result in results] == [one is not some[3] for one in some]
    assert results[3]["finish_reason"] == REFUSED
    assert results[3]["refusal"] == f"status {status}: 'not now'"
    words = f"problem {refused} counts as wrong, as it was refused: status {status}: 'not now'"
    assert words in capsys.readouterr().err


def test_what_every_request_is_refused_for_ends_the_run_before_the_first_problem(problems):
    with stand_in(problems[:3]) as server:
        server.refuses = {"top_p": 422}
        writer = ServedWriter(server.url, "m", DIRECT, top_p=0.9)
        with pytest.raises(EndpointRefusedError, match="refused: status 422: 'this is not supp"):
            writer.begin(problems[0]["problem"], 0)
        assert not server.bodies


def test_a_server_that_begins_to_refuse_everything_ends_the_run(problems, tmp_path):
    some, out = problems[:40], tmp_path / "out.jsonl"
    with stand_in(some) as server:
        writer = ServedWriter(server.url, "m", DIRECT, max_concurrent=1)
        first = one_text(writer, some[0])
        server.refuses = {"prompt": 403}  # the account is empty, say
        with pytest.raises(EndpointRefusedError, match="status 403"):
            evaluated(writer, some, out)
    assert first.error is None
    assert len(out.read_text().splitlines()) == 1


def test_where_nobody_answers_that_is_said_in_seconds(waits, problems, tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
    with pytest.raises(EndpointRefusedError, match=rf"{url}/models cannot be asked: ConnectError"):
        evaluated(ServedWriter(url, "m", DIRECT), problems, tmp_path / "out.jsonl")
    assert len(waits) == 2 and sum(waits) < 5


def test_https_where_http_is_spoken_is_said_in_seconds(waits, problems):
    with stand_in(problems[:1]) as server:
        url = server.url.replace("http:", "https:")
        with pytest.raises(EndpointRefusedError, match="cannot be asked"):
            ServedWriter(url, "m", DIRECT).begin(problems[0]["problem"], 0)
    assert len(waits) == 2 and sum(waits) < 5


def test_a_server_that_went_away_for_good_ends_the_run_and_one_that_comes_back_is_waited_for(
    impatient, problems, tmp_path
):
    some, out = problems[:6], tmp_path / "out.jsonl"
    with stand_in(some) as server:
        port = server.server_port
        writer = ServedWriter(server.url, "m", DIRECT, max_concurrent=1, attempts=3)
        assert one_text(writer, some[0]).error is None
    with pytest.raises(EndpointRefusedError, match="cannot be asked: ConnectError"):
        evaluated(writer, some, out)
    said: list[str | None] = []
    writer.on_wait, writer.attempts = said.append, 12
    writer._client.max_retries = 2000
    ticket = writer.begin(some[0]["problem"], 0)
    time.sleep(0.3)
    with stand_in(some, port=port):
        [(finished, text)] = writer.finished()
    assert (finished is ticket, text.error) == (True, None)
    assert said[-1] is None  # nothing is wrong any more


def test_while_a_server_is_away_the_bar_says_so(problems, capsys):
    progress = Progress()
    progress.begin(5, 0, 0)
    with stand_in(problems[:1]) as server:
        server.fault_of = {problems[0]["unique_id"]: "503"}
        writer = ServedWriter(server.url, "m", DIRECT, attempts=4, on_wait=progress.waiting)
        text = one_text(writer, problems[0])
    progress.end()
    assert isinstance(text.error, EndpointError)
    assert re.search(r"no answer from the server for \d+ s \(status 503\)", capsys.readouterr().err)


@pytest.mark.parametrize(("owner", "lax"), [("llamacpp", True), ("me", True), ("sglang", True),
                                            ("vllm", False), ("someone", False)])  # fmt: skip
def test_a_name_that_the_server_does_not_list_is_refused_where_any_is_answered(
    owner, lax, problems
):
    with stand_in(problems[:1]) as server:
        server.models, server.owner = ["tiny", "large"], owner
        assert one_text(ServedWriter(server.url, "large"), problems[0]).error is None
        writer = ServedWriter(server.url, "tinny")
        if lax:
            with pytest.raises(EndpointRefusedError, match="no model 'tinny'; it has 'tiny', 'la"):
                writer.begin(problems[0]["problem"], 0)
        else:  # it may load models when they are asked for, and refuses others itself
            assert one_text(writer, problems[0]).error is None


def test_engines_are_told_not_to_change_the_distribution_unless_it_is_asked_for(problems):
    with stand_in(problems[:1]) as server:
        server.models = ["m"]
        for owner in (*NEUTRAL, "someone"):
            server.owner = owner
            one_text(ServedWriter(server.url, "m", DIRECT), problems[0])
        server.owner = "vllm"
        asked = {"top_k": 20, "guided_regex": "[0-9]"}
        one_text(ServedWriter(server.url, "m", DIRECT, extra_body=asked), problems[0])
    plain = {"model": "m", "max_tokens": 2048, "temperature": 0.0}
    plain["prompt"] = render(DIRECT, problems[0]["problem"])
    *told, unknown, extra = server.bodies
    assert told == [{**off, **plain} for off in NEUTRAL.values()]
    assert unknown == plain
    assert extra == {**NEUTRAL["vllm"], **plain, **asked}


def test_log_probabilities_that_are_not_supported_are_asked_for_once(impatient, problems, capsys):
    some = problems[:5]
    for status in (400, 500):
        with stand_in(some) as server:
            server.refuses = {"logprobs": status}
            writer = ServedWriter(server.url, "m", DIRECT, temperature=0.8, seed=0)
            texts = [one.text for one in answers(writer, some)]
            assert all("logprobs" not in body for body in server.bodies)
        assert [text.logprob for text in texts] == [None] * 5
        assert all(text.error is None for text in texts)
        assert f"gives no log-probabilities, so none are asked for: status {status}" in (
            capsys.readouterr().err
        )


def test_a_reply_of_another_model_is_noted(problems):
    with stand_in(problems[:1]) as server:
        for named, noted in (("m", None), ("m@main", None), (None, None), ("other", "other")):
            server.named = named
            assert one_text(ServedWriter(server.url, "m"), problems[0]).answered_by == noted


@pytest.mark.parametrize(
    ("reason", "ended"),
    [("stop", "stop"), ("length", "length"), ("content_filter", "filter"), ("eos", "eos"),
     (None, None), ({"type": "stop"}, None)],
)  # fmt: skip
def test_how_a_text_ended_is_noted_and_a_cut_one_has_no_answer_but_in_a_box(
    reason, ended, problems
):
    with stand_in(problems[:1]) as server:
        server.finish = (reason, "we compute 12 + 7 = 19")
        [one] = answers(ServedWriter(server.url, "m", max_new_tokens=11), problems[:1])
        assert one.text.finish_reason == ended
        assert one.extracted == (None if ended in CUT_OFF else "19")
        if reason == "length":  # 11 tokens were not all that were allowed
            [one] = answers(ServedWriter(server.url, "m", max_new_tokens=20), problems[:1])
            assert one.text.finish_reason == "context"


@pytest.mark.parametrize(
    ("message", "text", "answer"),
    [
        ({"content": "so 5", "reasoning_content": "3?"}, "<think>3?</think>so 5", "5"),
        ({"content": None, "reasoning_content": r"\boxed{1}"}, r"<think>\boxed{1}", "1"),
        ({"content": "", "reasoning": r"\boxed{1}"}, r"<think>\boxed{1}", "1"),
        ({"reasoning": r"\boxed{1}"}, r"<think>\boxed{1}", "1"),
        ({"content": None}, "", None),
    ],
)
def test_thoughts_that_a_server_takes_out_are_kept(message, text, answer):
    reply = {"choices": [{"message": message, "finish_reason": "stop"}]}
    found = text_of("?", reply)
    assert (found.text, answer_in(found.text, found.finish_reason)) == (text, answer)


def test_the_shipped_folders_let_a_server_sample(tiny_folder):
    """`transformers serve` samples only if a folder says so, then as it is asked to; vLLM takes
    what is not sent from the folder.
    """
    files = list(tiny_folder.parent.glob("*/generation_config.json"))
    assert tiny_folder / "generation_config.json" in files
    for file in files:
        content = json.loads(file.read_text())
        assert content["do_sample"] is True
        neutral = {name: content[name] for name in ("temperature", "top_k", "top_p")}
        assert neutral == {"temperature": 1.0, "top_k": 0, "top_p": 1.0}


@pytest.mark.parametrize("name", ["model", "prompt", "messages", "stream", "n", "max_tokens"])
def test_fields_that_requests_set_themselves_are_refused(name):
    with pytest.raises(ValueError, match=f"the extra body holds {name}: requests set that"):
        ServedWriter("http://127.0.0.1", "m", extra_body={name: 1})


def test_requests_say_what_is_wanted_and_texts_what_came(problems):
    problem = problems[0]
    prompts = [render(template, problem["problem"]) for template in (DIRECT, CHAIN_OF_THOUGHT)]
    with stand_in(problems[:1]) as server:
        url, model = server.url + "/", "some/model"
        plain = ServedWriter(url, model, DIRECT, max_new_tokens=9, key="secret")
        drawn = {"temperature": 0.8, "top_p": 0.9, "seed": 2, "max_new_tokens": 9}
        chat = ServedWriter(url, model, thinking=False, key="secret", **drawn)
        texts = [one_text(writer, problem) for writer in (plain, chat)]
    assert server.paths == ["/v1/completions", "/v1/chat/completions"]
    assert server.keys == ["Bearer secret"] * 2
    common = {"model": model, "max_tokens": 9}
    assert server.bodies[0] == {**common, "temperature": 0, "prompt": prompts[0]}
    assert server.bodies[1] == {
        **common,
        "temperature": 0.8,
        "top_p": 0.9,
        "seed": text_seed(2, prompts[1], 0) % 2**31,
        "logprobs": True,
        "messages": [{"role": "user", "content": prompts[1]}],
        "chat_template_kwargs": {"enable_thinking": False},
    }
    written = f"We compute, and get \\boxed{{{problem['answer']}}}."
    assert texts == [
        Text(prompts[0], written, 11, None, "stop"),
        Text(prompts[1], written, 11, -0.5, "stop"),
    ]


def test_as_many_requests_as_allowed_are_under_way(problems):
    with stand_in(problems[:24]) as server:
        pause = partial(time.sleep, 0.05)  # with six at the gate, a seventh would come meanwhile
        server.gate = threading.Barrier(6, pause, timeout=30)
        writer = ServedWriter(server.url, "m", attempts=1, max_concurrent=6)
        assert len(list(answers(writer, problems[:24]))) == 24  # six came together, each time
        assert server.most_at_once == 6


@pytest.mark.parametrize(
    ("options", "words"),
    [
        *(
            ({"url": url}, "expected an address such as")
            for url in ("", "127.0.0.1:8000", "ftp://h", "http://", "http://h:port/v1", "http://[")
        ),
        # what requests would leave out
        ({"url": "http://127.0.0.1/v1?version=2"}, "expected an address"),
        ({"url": "http://me:secret@127.0.0.1/v1"}, "expected an address"),
        *(({"timeout": value}, "timeout is") for value in (0.0, -1.0, float("nan"), float("inf"))),
        ({"attempts": 0}, "attempts is 0"),
        ({"max_concurrent": 0}, "max_concurrent is 0"),
        ({"max_new_tokens": 0}, "max_new_tokens is 0"),
        ({"key": "a-key\n"}, "the key holds"),
        ({"key": "ключ"}, "the key holds"),
    ],
)
def test_what_no_request_can_be_sent_with_is_refused(options, words):
    with pytest.raises(ValueError, match=words):
        ServedWriter(**{"url": "http://127.0.0.1", "model": "m", **options})


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
    certificate, impatient, problems, tmp_path, monkeypatch
):
    some, out = problems[:8], tmp_path / "out.jsonl"
    with stand_in(some, certificate=certificate) as server:

        def writer() -> ServedWriter:
            return ServedWriter(server.url, "m", DIRECT, attempts=1, timeout=3)

        with pytest.raises(EndpointRefusedError, match=r"cannot be asked: .*certificate"):
            evaluated(writer(), some, out)
        assert not server.asked
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
        server.fault_of = {some[0]["unique_id"]: "trickle", some[1]["unique_id"]: "late"}
        started = time.monotonic()
        with pytest.raises(UnansweredError, match="2 of 8"):
            evaluated(writer(), some, out)
        assert time.monotonic() - started < server.late / 2
        server.fault_of.clear()
        assert all(result["correct"] for result in evaluated(writer(), some, out))
        assert server.asked == {one["unique_id"]: 2 if one in some[:2] else 1 for one in some}


def test_without_the_openai_package_the_command_says_what_to_install(monkeypatch, command):
    monkeypatch.delitem(sys.modules, "CH3.evaluation.serving")
    monkeypatch.setitem(sys.modules, "openai", None)
    code, _, said = command("--endpoint", "http://127.0.0.1:9")
    assert (code, "pip install -e '.[serve]'" in said) == (2, True)


def test_the_command_asks_an_endpoint(impatient, problems, tmp_path, monkeypatch, command):
    data, out = tmp_path / "some.json", tmp_path / "out.jsonl"
    data.write_text(json.dumps(problems[:10]))
    command = partial(command, "--data", data, "--out", out)
    monkeypatch.setenv("OPENAI_API_KEY", "key-from-the-environment")
    with stand_in(problems[:10]) as server:
        server.fault_of = {problems[0]["unique_id"]: "503"}
        asking = ("--endpoint", server.url, "--model", "Qwen/Qwen3-0.6B", "--batch", 3)
        code, shown, said = command(*asking)
        assert "1 of 10 problems were not answered" in code and "asks for the rest" in code
        assert "left for the next run" in said
        assert "9 of 9" in shown and "That is of those that were answered." in shown
        server.fault_of.clear()
        code, shown, _ = command(*asking)
        assert (code, "100.0%" in shown) == (0, True)
        assert server.asked.total() == 9 + 12 + 1
        assert set(server.keys) == {"Bearer key-from-the-environment"}
        assert json.loads(out.read_text().splitlines()[0])["settings"]["model"] == "Qwen3-0.6B"
        for other in ("other", "another/Qwen3-0.6B"):  # of one last part, and another model
            code, _, said = command("--endpoint", server.url, "--model", other)
            assert (code, "was made with other settings" in said) == (2, True)
        extra = ("--extra-body", '{"top_k": 7}', "--out", tmp_path / "extra.jsonl")
        assert command(*asking, *extra)[0] == 0
        assert server.bodies[-1]["top_k"] == 7
        header = json.loads((tmp_path / "extra.jsonl").read_text().splitlines()[0])
        assert header["settings"]["extra_body"] == {"top_k": 7}
    assert command("--endpoint", "nowhere")[0] == 2
    for option, value in {"device": "cpu", "dtype": "float32", "rung": "int8"}.items():
        code, _, said = command("--endpoint", "http://127.0.0.1:9", f"--{option}", value)
        assert (code, f"--{option}: with --endpoint the server decides" in said) == (2, True)
    code, _, said = command("--endpoint", "http://127.0.0.1:9", "--timeout", 0)
    assert (code, "timeout is 0.0" in said) == (2, True)
