"""Answers from a serving engine: anything that speaks OpenAI's HTTP interface (vLLM, SGLang,
llama.cpp's server).

- so many requests are under way at the same time; the server batches them
- a request that fails in a way that may pass (status 408, 425, 429 or 5xx, a broken connection, an
  answer that is late, broken off or not JSON) is sent again after a while: longer each time, and at
  random, so that many clients do not come back together (back-off with jitter: Brooker, 2015,
  https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/)
- a request that fails for good leaves its problem unanswered, for the next run; the others go on
"""

import http.client
import json
import math
import queue
import random
import socket
import ssl
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

from tqdm import tqdm

from CH2.prompts import CHAIN_OF_THOUGHT, render
from CH3.evaluation.answers import Answer, AnswerFunction

# seconds between two attempts: by what the server asks for, and at random, each
LONGEST_WAIT = 300.0
LONGEST_TIMEOUT = 1e6  # seconds: more than a socket can count is an error deep in the system
# statuses of requests that came too slowly, too early or too often; all 5xx pass, too
PASSING = (408, 425, 429)
OF_THIS_REQUEST = (400, 413, 422)  # statuses that say nothing about other requests
BROKEN_OFF = ("abort", "error")  # what vLLM calls the end of a text that the server gave up
# has no seed: no two clients may wait alike, and no answer depends on it
JITTER = random.SystemRandom()


class EndpointError(RuntimeError):
    """A request that got no answer: all attempts failed, or the server refused it."""


class EndpointRefusedError(RuntimeError):
    """A refusal that all other requests would meet as well: a wrong address, key or name of a
    model.
    """


class PassingError(Exception):
    """A failure that may be gone the next time, and the seconds that the server asks to wait."""

    def __init__(self, reason: str, wait: float = 0.0):
        super().__init__(reason)
        self.wait = wait


@dataclass(frozen=True)
class Completion:
    """What the server wrote.

    Attributes:
        text: without the prompt.
        tokens: how many; 0 if the server does not say.
        logprob: their mean natural log-probability; None if the server does not say.
    """

    text: str
    tokens: int
    logprob: float | None


@dataclass(frozen=True)
class Endpoint:
    """A server, and how patient to be with it.

    Attributes:
        url: of the interface, such as `http://127.0.0.1:8000/v1`.
        model: the name that the server knows it by.
        key: sent as a bearer token; None: none is.
        timeout: seconds for one request, from the first byte sent to the last one read; connecting
            may take as long.
        attempts: how often a request is sent at most.
        first_wait: seconds before the second attempt, at most; it doubles with each one, up to
            `LONGEST_WAIT`.

    Raises:
        ValueError: the address is no HTTP address, the key cannot be sent in a header, or one of
            the numbers is not positive.
    """

    url: str
    model: str
    key: str | None = field(default=None, repr=False)
    timeout: float = 900.0
    attempts: int = 8
    first_wait: float = 1.0

    def __post_init__(self) -> None:
        if not _is_address(self.url):
            raise ValueError(
                f"endpoint {self.url!r}: expected an address such as http://127.0.0.1:8000/v1"
            )
        if self.key is not None and not all("!" <= character <= "~" for character in self.key):
            raise ValueError(
                "the key holds a space, a line's end or another character that no key has; set it again"
            )
        if not 0 < self.timeout <= LONGEST_TIMEOUT:
            raise ValueError(
                f"timeout is {self.timeout}: expected more than 0 and at most {LONGEST_TIMEOUT:,.0f} seconds"
            )
        if self.attempts < 1 or not self.first_wait > 0:
            raise ValueError(
                f"attempts is {self.attempts} and first_wait {self.first_wait}: expected more than 0"
            )

    def complete(
        self,
        prompt: str,
        *,
        thinking: bool | None = None,
        pause: Callable[[float], object] = time.sleep,
        **options: Any,
    ) -> Completion:
        """Have a text written.

        Args:
            prompt: the whole prompt; or the message, if `thinking` is not None.
            thinking: as in `CH3.evaluation.answers.prompt_ids`: the chat format, with or without
                thinking first.
            pause: waits for so many seconds; what it returns, if true, ends the attempts.
            options: of the interface, such as `max_tokens`, `temperature`, `top_p`, `seed` and
                `logprobs`.

        Raises:
            EndpointError: there is no answer, and why.
            EndpointRefusedError: there will be none to any request.
        """
        body = {"model": self.model, **options}
        if thinking is None:
            return self._until_answered(
                "completions", {**body, "prompt": prompt}, _read_completion, pause
            )
        messages = [{"role": "user", "content": prompt}]
        body |= {"messages": messages, "chat_template_kwargs": {"enable_thinking": thinking}}
        return self._until_answered("chat/completions", body, _read_chat_completion, pause)

    def _until_answered(
        self,
        path: str,
        body: dict,
        read: Callable[[Any], Completion],
        pause: Callable[[float], object],
    ) -> Completion:
        longest = self.first_wait
        for attempt in range(1, self.attempts + 1):
            try:
                return read(self._post(path, body))
            except PassingError as error:
                failure = error
            wait = min(failure.wait, LONGEST_WAIT) + JITTER.uniform(0, min(longest, LONGEST_WAIT))
            if attempt == self.attempts or pause(wait):
                break
            longest *= 2
        raise EndpointError(f"no answer in {attempt} attempts; at last: {failure}")

    def _post(self, path: str, body: dict) -> Any:
        """Send one request, once, and read the JSON that comes back."""
        try:
            status, retry_after, content = self._exchange(path, json.dumps(body).encode())
        # of a host's name
        except (ssl.SSLCertVerificationError, http.client.InvalidURL, UnicodeError) as error:
            raise EndpointRefusedError(f"{self.url} cannot be asked: {error}") from None
        except (OSError, http.client.HTTPException) as error:
            raise PassingError(f"{type(error).__name__}: {error}") from None
        if status in PASSING or status >= 500:
            raise PassingError(f"status {status}: {_excerpt(content)}", wait=_seconds(retry_after))
        if status != 200:
            kind = EndpointError if status in OF_THIS_REQUEST else EndpointRefusedError
            raise kind(
                f"{self.url}/{path} refused the request with status {status}: {_excerpt(content)}"
            )
        try:
            return json.loads(content)
        except (ValueError, RecursionError):
            raise PassingError(f"an answer that is not JSON: {_excerpt(content)}") from None

    def _exchange(self, path: str, content: bytes) -> tuple[int, str | None, bytes]:
        """Status, `Retry-After` and body of the response to one request; the connection is cut when
        time is up.
        """
        parts = urlsplit(self.url)
        kind = (
            http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        )
        headers = {"Content-Type": "application/json", "Connection": "close"}
        if self.key is not None:
            headers["Authorization"] = f"Bearer {self.key}"
        connection = kind(str(parts.hostname), parts.port, timeout=self.timeout)
        try:
            connection.connect()
            # the socket's own limit is for each read
            clock = threading.Timer(self.timeout, _cut, [connection.sock])
            clock.daemon = True
            clock.start()
            try:
                connection.request(
                    "POST", f"{parts.path.rstrip('/')}/{path}", body=content, headers=headers
                )
                response = connection.getresponse()
                return response.status, response.getheader("Retry-After"), response.read()
            finally:
                clock.cancel()
        finally:
            connection.close()


def _cut(sock: socket.socket) -> None:
    """End a connection under the thread that waits for it, which then reads its end."""
    with suppress(OSError):  # it ended by itself
        # not an SSL socket's own, which lets the other thread stumble
        socket.socket.shutdown(sock, socket.SHUT_RDWR)


def _is_address(url: str) -> bool:
    """Whether a URL says where an interface is, and nothing that would be left out of the requests."""
    try:
        parts = urlsplit(url)
        left_out = parts.username or parts.password or parts.query or parts.fragment
        return (
            parts.scheme in ("http", "https")
            and bool(parts.hostname)
            and parts.port != 0
            and not left_out
        )
    except ValueError:
        return False


def _excerpt(content: bytes) -> str:
    return repr(content[:200].decode("utf-8", "replace"))


def _seconds(retry_after: str | None) -> float:
    """What a `Retry-After` header asks for, which is a number of seconds or a date; 0 if it is
    neither.

    >>> _seconds("7"), _seconds("0.5"), _seconds(None), _seconds("Wed, 21 Oct 2015 07:28:00 GMT"), _seconds("soon")
    (7.0, 0.5, 0.0, 0.0, 0.0)
    """
    text = (retry_after or "").strip()
    try:
        # the standard knows whole seconds; not all servers do
        if text.replace(".", "", 1).isdecimal():
            return float(text)
        return max((parsedate_to_datetime(text) - datetime.now(timezone.utc)).total_seconds(), 0.0)
    except (ValueError, TypeError, OverflowError):
        return 0.0


def _read_completion(answer: Any) -> Completion:
    return _read(answer, lambda choice: choice["text"], lambda logprobs: logprobs["token_logprobs"])


def _read_chat_completion(answer: Any) -> Completion:
    return _read(
        answer,
        # None: the server holds back thoughts that did not end
        lambda choice: choice["message"]["content"] or "",
        lambda logprobs: [token["logprob"] for token in logprobs["content"]],
    )


def _read(
    answer: Any, text_of: Callable[[Any], str], logprobs_of: Callable[[Any], list]
) -> Completion:
    try:
        choice = answer["choices"][0]
        text = text_of(choice)
        if not isinstance(text, str):
            raise TypeError
        tokens = int((answer.get("usage") or {}).get("completion_tokens") or 0)
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, OverflowError):
        raise PassingError(
            f"an answer of an unknown kind: {_excerpt(json.dumps(answer).encode())}"
        ) from None
    if choice.get("finish_reason") in BROKEN_OFF:
        raise PassingError("a text that the server broke off")
    try:
        logprobs = [float(logprob) for logprob in logprobs_of(choice["logprobs"])]
        logprob = min(math.fsum(logprobs) / len(logprobs), 0.0)
    except (KeyError, TypeError, ValueError, ZeroDivisionError, OverflowError):
        logprob = None
    return Completion(
        text, tokens, logprob if logprob is not None and math.isfinite(logprob) else None
    )


class Requests:
    """Requests in the background, at most so many at a time.

        with Requests(endpoint, concurrency=32) as requests:
            requests.submit("first", prompt, max_tokens=100)
            while requests:
                key, outcome = requests.next_outcome()

    At the end of the block no request is sent any more, not even again; those under way end by
    themselves. The threads
    are daemons: when the program is stopped, it does not wait for the server.

    Raises:
        ValueError: `concurrency` is less than 1.
    """

    def __init__(self, endpoint: Endpoint, concurrency: int):
        if concurrency < 1:
            raise ValueError(f"concurrency is {concurrency}: at least one request must be possible")
        self.endpoint, self.concurrency = endpoint, concurrency
        self.under_way = 0
        self._closed = threading.Event()
        self._asked: queue.SimpleQueue = queue.SimpleQueue()
        self._answered: queue.SimpleQueue = queue.SimpleQueue()
        for _ in range(concurrency):
            threading.Thread(target=self._work, daemon=True).start()

    def __enter__(self) -> "Requests":
        return self

    def __exit__(self, *exception: object) -> None:
        self._closed.set()
        with suppress(queue.Empty):
            while True:
                self._asked.get_nowait()
        for _ in range(self.concurrency):
            self._asked.put(None)

    def __bool__(self) -> bool:
        """Whether outcomes are still to come."""
        return self.under_way > 0

    @property
    def has_room(self) -> bool:
        """Whether one more request would be sent at once."""
        return self.under_way < self.concurrency

    def submit(self, key: Any, prompt: str, **options: Any) -> None:
        """Send a request as soon as possible.

        Args:
            key: comes back with the outcome.
            prompt, options: of `Endpoint.complete`.
        """
        self.under_way += 1
        self._asked.put((key, prompt, options))

    def next_outcome(self) -> tuple[Any, Completion | EndpointError]:
        """Wait for the next request to end; its key, and what came of it.

        Raises:
            EndpointRefusedError: the server refuses all requests.
        """
        key, outcome = self._answered.get()
        self.under_way -= 1
        if isinstance(outcome, Exception) and not isinstance(outcome, EndpointError):
            raise outcome
        return key, outcome

    def _work(self) -> None:
        for key, prompt, options in iter(self._asked.get, None):
            outcome: Completion | Exception
            try:
                outcome = self.endpoint.complete(prompt, pause=self._closed.wait, **options)
            except Exception as error:  # raised where the outcome is taken
                outcome = error
            self._answered.put((key, outcome))


def served_answers(
    endpoint: Endpoint,
    template: str = CHAIN_OF_THOUGHT,
    *,
    max_new_tokens: int = 2048,
    concurrency: int = 64,
    thinking: bool | None = None,
) -> AnswerFunction:
    """Greedy answers by a server.

    Args:
        endpoint: the server.
        template, max_new_tokens, thinking: as in `CH3.evaluation.answers.model_answers`.
        concurrency: requests under way at the same time.

    Returns:
        An `answer_fn` for `evaluate`. A problem that gets no answer is left out, and the reason
        printed; it raises `EndpointRefusedError` if the server refuses everything.
    """

    def answer_fn(problems: Iterator[dict]) -> Iterator[Answer]:
        with Requests(endpoint, concurrency) as requests:
            while True:
                while requests.has_room and (problem := next(problems, None)) is not None:
                    prompt = render(template, problem["problem"])
                    key = problem, prompt, time.perf_counter()
                    requests.submit(
                        key, prompt, thinking=thinking, max_tokens=max_new_tokens, temperature=0
                    )
                if not requests:
                    return
                (problem, prompt, started), outcome = requests.next_outcome()
                if isinstance(outcome, EndpointError):
                    say_unanswered(problem, outcome)
                    continue
                yield Answer(
                    problem, prompt, outcome.text, outcome.tokens, time.perf_counter() - started
                )

    return answer_fn


def say_unanswered(problem: dict, error: EndpointError) -> None:
    """Print why a problem has no answer, above the line of progress."""
    tqdm.write(f"problem {problem['unique_id']} is left for the next run: {error}", file=sys.stderr)
