"""A server with OpenAI's interface on 127.0.0.1 that knows the answers, and misbehaves when it is
told to.
"""

import json
import random
import ssl
import threading
import time
from collections import Counter
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

CONTENTS = {  # of answers with status 200 that are none
    "text": b"<html>Gateway</html>",
    "empty list": b'{"choices": []}',
    "number": b"7",
    "infinite": b'{"choices": [{"text": "?"}], "usage": {"completion_tokens": 1e999}}',
    "broken off": b'{"choices": [{"text": "half of", "finish_reason": "abort"}]}',
}
FAULTS = ("500", "503", "429", "408", "drop", "half", *CONTENTS)  # that come at random, and at once
SLOW_FAULTS = ("late", "trickle")  # only a time limit ends them


class StandIn(ThreadingHTTPServer):
    """Answers each of some problems with its reference in a box, or wrongly for seeds that end in
    7.

    Args:
        certificate: files of a certificate and its key, for HTTPS.
        port: where it listens; 0: at any free one.

    Attributes:
        fault_rate: how often one of FAULTS happens, at random.
        fault_of: faults of certain problems, by `unique_id`, that come each time: also those of
            SLOW_FAULTS, a status, or "wait " and what `Retry-After` is to say.
        late: seconds that an answer takes which is late, or trickles.
        counts_tokens: whether answers say how many tokens they have.
        gate: where requests wait for each other before they are answered; None: they do not.
        bodies: the JSON of all requests, in the order of arrival; keys: their `Authorization`;
            paths; times.
        asked: how often each problem was asked.
        most_at_once: requests that were at the gate at the same time.
        models, owner: of its list of models; None: it has no list.
        named: the model that replies say they are from; None: they do not say.
        refuses: statuses for whatever request has a field, by the field's name.
        finish: finish reason of all texts, and their content; None: as they should be.
        looks: the JSON of requests about none of the problems, of which it is asked first.
    """

    daemon_threads = True
    request_queue_size = 128

    def __init__(
        self,
        problems: list[dict],
        fault_rate: float,
        seed: int,
        certificate: tuple[Path, Path] | None,
        port: int,
    ):
        super().__init__(("127.0.0.1", port), Handler)
        self.certificate = certificate
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            self.socket = context.wrap_socket(
                self.socket, server_side=True, do_handshake_on_connect=False
            )
        self.problems, self.fault_rate, self.rng = problems, fault_rate, random.Random(seed)
        self.fault_of: dict[str, str] = {}
        self.late = 60.0
        self.counts_tokens = True
        self.gate: threading.Barrier | None = None
        self.lock = threading.Lock()
        self.bodies: list[dict] = []
        self.paths: list[str] = []
        self.keys: list[str | None] = []
        self.times: list[float] = []
        self.asked: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()
        self.at_once = self.most_at_once = 0
        self.models: list[str] | None = None
        self.owner = "nobody"
        self.named: str | None = None
        self.refuses: dict[str, int] = {}
        self.finish: tuple[str, str] | None = None
        self.looks: list[dict] = []

    @property
    def url(self) -> str:
        return f"http{'s' if self.certificate else ''}://127.0.0.1:{self.server_port}/v1"

    def handle_error(self, request, client_address):
        """The client cut the connection, as it should when an answer is late."""


@contextmanager
def stand_in(
    problems: list[dict],
    fault_rate: float = 0.0,
    seed: int = 0,
    certificate: tuple[Path, Path] | None = None,
    port: int = 0,
):
    server = StandIn(problems, fault_rate, seed, certificate, port)
    thread = threading.Thread(
        target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
    )
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        server: StandIn = self.server
        if server.models is None or self.path != "/v1/models":
            self._reply(404, b"no list")
            return
        models = [{"id": name, "owned_by": server.owner} for name in server.models]
        self._reply(200, json.dumps({"data": models}).encode())

    def do_POST(self):
        server: StandIn = self.server
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        prompt = body["prompt"] if "prompt" in body else body["messages"][0]["content"]
        problem = max(
            (one for one in server.problems if one["problem"] in prompt),
            key=lambda one: len(one["problem"]),
            default=None,
        )
        if refused := [status for name, status in server.refuses.items() if name in body]:
            server.looks += [body] if problem is None else []
            self._reply(refused[0], b"this is not supported")
            return
        if problem is None:
            server.looks.append(body)
            self._reply(200, b'{"choices": [{"text": "2"}]}')
            return
        with server.lock:
            server.bodies.append(body)
            server.paths.append(self.path)
            server.keys.append(self.headers.get("Authorization"))
            server.times.append(time.monotonic())
            server.asked[problem["unique_id"]] += 1
            fault = server.rng.choice(FAULTS) if server.rng.random() < server.fault_rate else None
            fault = server.fault_of.get(problem["unique_id"], fault)
            server.faults[fault] += 1
        if server.gate is not None:
            self._wait_at_gate()
        self._misbehave(fault) if fault else self._reply(200, self._answer(problem, body))

    def _wait_at_gate(self) -> None:
        """Be counted, and leave before the answer: the client may send its next request before this
        thread ends.
        """
        server: StandIn = self.server
        with server.lock:
            server.at_once += 1
            server.most_at_once = max(server.most_at_once, server.at_once)
        server.gate.wait()
        with server.lock:
            server.at_once -= 1

    def _answer(self, problem: dict, body: dict) -> bytes:
        right = body.get("seed", 0) % 10 != 7
        text = f"We compute, and get \\boxed{{{problem['answer'] if right else '-12345'}}}."
        ended = "stop"
        if self.server.finish is not None:
            ended, text = self.server.finish
        logprobs = [-0.25, -0.75]
        if "prompt" in body:
            choice = {"text": text, "finish_reason": ended}
            if "logprobs" in body:
                choice["logprobs"] = {"token_logprobs": logprobs}
        else:
            message = {"role": "assistant", "content": text}
            choice = {"message": message, "finish_reason": ended}
            if body.get("logprobs"):
                choice["logprobs"] = {"content": [{"logprob": logprob} for logprob in logprobs]}
        usage = {"usage": {"completion_tokens": 11}} if self.server.counts_tokens else {}
        named = {"model": self.server.named} if self.server.named else {}
        return json.dumps({"choices": [choice], **usage, **named}).encode()

    def _misbehave(self, fault: str) -> None:
        if fault.isdecimal():
            self._reply(int(fault), b"not now", {"Retry-After": "0"} if fault == "429" else {})
        elif fault.startswith("wait "):
            self._reply(429, b"later", {"Retry-After": fault.split()[1]})
        elif fault == "half":
            self._reply(200, b'{"choices": [{"text": "half of', {"Content-Length": "9999"})
        elif fault in CONTENTS:
            self._reply(200, CONTENTS[fault])
        elif fault == "late":
            time.sleep(self.server.late)
            self._reply(200, b'{"choices": [{"text": "too late"}]}')
        elif fault == "trickle":  # never silent for long
            self._reply(200, b"", {"Content-Length": "9999"})
            for _ in range(int(self.server.late / 0.05)):
                self.wfile.write(b" ")
                self.wfile.flush()
                time.sleep(0.05)
        else:
            assert fault == "drop"

    def _reply(self, status: int, content: bytes, headers: dict | None = None) -> None:
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(content))} | (headers or {})).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        """Say nothing."""
