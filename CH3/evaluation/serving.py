"""Texts from a server with OpenAI's HTTP interface: vLLM, SGLang, llama.cpp's server and others.

- the `openai` client sends the requests, and sends one again that failed in a way that may pass
  (status 408, 409, 429 or 5xx, a broken connection): after a while that doubles each time and is
  random, so that many clients do not come back together
- it is made to do so, too, when a reply of status 200 holds no text or was broken off, and when a
  request takes too long as a whole
- many requests are under way at the same time; the server batches them
"""

import asyncio
import math
import ssl
import threading
from collections.abc import Hashable
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from urllib.parse import urlsplit

from CH2.prompts import CHAIN_OF_THOUGHT, render
from CH2.seeds import text_seed
from CH3.evaluation.writers import EndpointRefusedError, Text

try:
    import httpx2  # the openai client's own
    import openai
except ImportError as error:
    raise ImportError(
        "to ask a server, install the openai package (Python 3.11 or newer): "
        "pip install -e '.[serve]' in the folder of this repository"
    ) from error

LONGEST_TIMEOUT = 1e6  # seconds: longer ones are errors deep in the system
OF_THIS_REQUEST = (400, 413, 422)  # statuses that say nothing about other requests
BROKEN_OFF = ("abort", "error")  # vLLM's finish reasons of a text that the server gave up


class EndpointError(RuntimeError):
    """A request that got no text: all attempts failed, or the server refused it."""


@dataclass(eq=False)
class Request:
    """One request, queued or under way: the ticket of its text."""

    prompt: str
    number: int
    sent: bool = False
    text: Future[Text] = field(init=False)


class ServedWriter:
    """A writer that asks a server; see `CH3.evaluation.writers.Writer`.

    A text whose request failed for good has an `error`, and the others go on.

    Args:
        url: of the interface, such as `http://127.0.0.1:8000/v1`.
        model: the name that the server knows it by.
        template, max_new_tokens, thinking: as in `CH3.evaluation.writers.ModelWriter`.
        temperature, top_p: sent with each request; temperature 0 is greedy.
        seed: from which each text gets its own (`CH2.seeds.text_seed`), and log-probabilities are
            asked for; whether the server writes the same text again is its own affair. None, for
            greedy texts: neither is sent.
        max_concurrent: number of requests that are under way at the same time.
        key: sent as a bearer token; None: the word "none" is, which servers without keys ignore.
        timeout: seconds for one attempt as a whole.
        attempts: number of times that a request is sent at most.

    Raises:
        ValueError: the address is no HTTP address, the key cannot be sent in a header, or a number
            is out of range.
    """

    def __init__(
        self,
        url: str,
        model: str,
        template: str = CHAIN_OF_THOUGHT,
        *,
        max_new_tokens: int = 2048,
        thinking: bool | None = None,
        temperature: float = 0.0,
        top_p: float | None = None,
        seed: int | None = None,
        max_concurrent: int = 64,
        key: str | None = None,
        timeout: float = 900.0,
        attempts: int = 12,
    ):
        # 1. Refuse what no request can be sent with.
        if not _is_address(url):
            raise ValueError(
                f"endpoint {url!r}: expected an address such as http://127.0.0.1:8000/v1"
            )
        if key is not None and not all("!" <= character <= "~" for character in key):
            raise ValueError("the key holds a space, a line's end or a letter that no key has")
        if not 0 < timeout <= LONGEST_TIMEOUT:
            raise ValueError(
                f"timeout is {timeout}: expected more than 0 and at most {LONGEST_TIMEOUT:,.0f} "
                "seconds"
            )
        numbers = {
            "max_new_tokens": max_new_tokens,
            "max_concurrent": max_concurrent,
            "attempts": attempts,
        }
        for name, value in numbers.items():
            if value < 1:
                raise ValueError(f"{name} is {value}: expected at least 1")
        # 2. Say what every request asks for.
        self.template, self.thinking, self.seed = template, thinking, seed
        self.max_concurrent, self.attempts = max_concurrent, attempts
        self.body = {"model": model, "max_tokens": max_new_tokens, "temperature": temperature}
        self.body |= {} if top_p is None else {"top_p": top_p}
        # 3. Make the client, which lives in the event loop of all requests.
        limits = httpx2.Limits(max_connections=None)
        self._client = openai.AsyncOpenAI(
            base_url=url,
            api_key=key or "none",
            timeout=timeout,
            max_retries=attempts - 1,
            http_client=StrictClient(timeout, limits),
        )
        self._places = asyncio.Semaphore(max_concurrent)
        self._under_way: dict[Future[Text], Request] = {}

    @property
    def has_room(self) -> bool:
        """Return True if one more request would be sent at once."""
        return len(self._under_way) < self.max_concurrent

    def __bool__(self) -> bool:
        """Return True if texts are under way."""
        return bool(self._under_way)

    def begin(self, problem: str, number: int) -> Hashable:
        """Send a request as soon as there is room; see `Writer.begin`."""
        request = Request(render(self.template, problem), number)
        request.text = asyncio.run_coroutine_threadsafe(self._write(request), event_loop())
        self._under_way[request.text] = request
        return request

    def finished(self) -> list[tuple[Hashable, Text]]:
        """Wait for at least one reply; see `Writer.finished`.

        Raises:
            EndpointRefusedError: the server refuses all requests.
        """
        if not self._under_way:
            return []
        done = wait(self._under_way, return_when=FIRST_COMPLETED).done
        texts = {future for future in done if future.exception() is None}
        # a refusal is raised when no text is left to return
        return [(self._under_way.pop(future), future.result()) for future in texts or done]

    def cancel(self, ticket: Hashable) -> Text | None:
        """Cut the connection of a request; see `Writer.cancel`."""
        if not isinstance(ticket, Request) or not self._under_way.pop(ticket.text, None):
            return None
        if ticket.text.cancel():
            return Text(ticket.prompt, finish_reason="cancelled") if ticket.sent else None
        return ticket.text.result() if ticket.text.exception() is None else None

    async def _write(self, request: Request) -> Text:
        """Have one text written, and say in words what went wrong."""
        # 1. Wait for a place among the requests under way, and ask.
        async with self._places:
            request.sent = True
            try:
                path, body = self._question(request)
                reply = await self._client.post(path, body=body, cast_to=httpx2.Response)
                return text_of(request.prompt, reply.json())
            # 2. The server said no: to this request, or to all.
            except openai.APIStatusError as error:
                reason = f"status {error.status_code}: {error.response.text[:200]!r}"
                if error.status_code in (408, 409, 429) or error.status_code >= 500:
                    reason = f"no answer in up to {self.attempts} attempts; at last: {reason}"
                elif error.status_code not in OF_THIS_REQUEST:
                    raise EndpointRefusedError(f"{error.request.url} refused: {reason}") from None
            # 3. The server said nothing of use.
            except openai.APIConnectionError as error:
                cause = error.__cause__
                reason = f"{type(cause).__name__}: {cause}"
                if _has_wrong_certificate(cause):
                    raise EndpointRefusedError(
                        f"{error.request.url} cannot be asked: {reason}"
                    ) from None
                reason = f"no answer in up to {self.attempts} attempts; at last: {reason}"
            return Text(request.prompt, error=EndpointError(reason))

    def _question(self, request: Request) -> tuple[str, dict[str, Any]]:
        """Return a request's path and body."""
        body: dict[str, Any] = dict(self.body)
        plain = self.thinking is None
        if self.seed is not None:
            # 31 bits: any server's type holds them
            body["seed"] = text_seed(self.seed, request.prompt, request.number) % 2**31
            # of plain text: the number of alternatives to list
            body["logprobs"] = 1 if plain else True
        if plain:
            return "/completions", {**body, "prompt": request.prompt}
        body["messages"] = [{"role": "user", "content": request.prompt}]
        body["chat_template_kwargs"] = {"enable_thinking": self.thinking}
        return "/chat/completions", body


@cache
def event_loop() -> asyncio.AbstractEventLoop:
    """Start the loop in which all requests live; its thread ends with the program."""
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, daemon=True).start()
    return loop


class StrictClient(httpx2.AsyncClient):
    """An HTTP client that fails, so that it is asked again, when a reply is late or holds no text.

    Args:
        limit: seconds for one reply as a whole, where `timeout` is for each read.
        limits: of the connections.
    """

    def __init__(self, limit: float, limits: httpx2.Limits):
        super().__init__(limits=limits, timeout=limit)
        self.limit = limit

    async def send(self, request: httpx2.Request, **options: Any) -> httpx2.Response:
        """Send a request and read the reply."""
        try:
            response = await asyncio.wait_for(super().send(request, **options), self.limit)
            if response.status_code == 200:
                text_of("", response.json())
        except asyncio.TimeoutError:
            raise httpx2.ReadTimeout(f"no whole reply in {self.limit:g} seconds") from None
        except (ValueError, RecursionError) as error:
            reason = f"a reply without a text: {response.text[:200]!r} ({error})"
            raise httpx2.DecodingError(reason) from None
        return response


def text_of(prompt: str, reply: Any) -> Text:
    """Read a reply's JSON, of either interface.

    Raises:
        ValueError: there is no text in it, or the server broke it off.
    """
    try:
        choice = reply["choices"][0]
        # content None: the server holds back thoughts that did not end
        text = choice["text"] if "text" in choice else choice["message"]["content"] or ""
        tokens = int((reply.get("usage") or {}).get("completion_tokens") or 0)
        reason = choice.get("finish_reason")
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, OverflowError):
        raise ValueError("unknown form") from None
    if not isinstance(text, str) or reason in BROKEN_OFF:
        raise ValueError(f"finish reason {reason}")
    return Text(prompt, text, tokens, _mean_logprob(choice.get("logprobs")), reason)


def _mean_logprob(logprobs: Any) -> float | None:
    """Compute the mean of a reply's log-probabilities; None if it has none that are numbers."""
    try:
        listed = logprobs.get("token_logprobs") or [one["logprob"] for one in logprobs["content"]]
        mean = math.fsum(map(float, listed)) / len(listed)
    except (AttributeError, KeyError, TypeError, ValueError, ZeroDivisionError, OverflowError):
        return None
    return min(mean, 0.0) if math.isfinite(mean) else None


def _is_address(url: str) -> bool:
    """Return True if a URL is an HTTP address without parts that requests would leave out."""
    try:
        parts = urlsplit(url)
        left_out = parts.username or parts.password or parts.query or parts.fragment
        is_http = parts.scheme in ("http", "https") and bool(parts.hostname)
        return is_http and parts.port != 0 and not left_out
    except ValueError:
        return False


def _has_wrong_certificate(error: BaseException | None) -> bool:
    """Return True if a connection failed because the server is not the one it says it is."""
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return True
        error = error.__cause__ or error.__context__
    return False
