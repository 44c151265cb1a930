"""Texts from a server with OpenAI's HTTP interface: vLLM, SGLang, llama.cpp's server and others.

- the `openai` client sends the requests, and sends one again that failed in a way that may pass
  (status 408, 409, 429 or 5xx, a broken connection): after a while that doubles each time and is
  random, so that many clients do not come back together
- it is made to do so, too, when a reply of status 200 holds no text or was broken off, and when a
  request takes too long as a whole
- many requests are under way at the same time; the server batches them
- before the first, the server is looked at: is it there, does it know the model, does it answer
- an engine has defaults of its own for what a request leaves out; of those that are known, the
  request says that they are to be off (`NEUTRAL`)
- a refusal of one request is that problem's result, if the server answers another one; if it does
  not, the run ends
"""

import asyncio
import math
import ssl
import threading
import time
from collections.abc import Callable, Hashable
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any
from urllib.parse import urlsplit

from CH2.prompts import CHAIN_OF_THOUGHT, render
from CH2.seeds import text_seed
from CH3.evaluation.answers import say
from CH3.evaluation.writers import REFUSED, EndpointRefusedError, Text

try:
    import httpx2  # the openai client's own
    import openai
except ImportError as error:
    raise ImportError(
        "to ask a server, install the openai package (Python 3.11 or newer): "
        "pip install -e '.[serve]' in the folder of this repository"
    ) from error

LONGEST_TIMEOUT = 1e6  # seconds: longer ones are errors deep in the system
LOOK_TIMEOUT = 10.0  # seconds at least, for the first look at a server
REFUSAL_TIMEOUT = 30.0  # seconds: a server that refuses says so sooner
PASSING = (408, 409, 429)  # 4xx statuses that may pass
NO_LIST = (404, 405, 501)  # statuses of servers that do not list their models
BROKEN_OFF = ("abort", "error")  # vLLM's finish reasons of a text that the server gave up
WORDS = {"content_filter": "filter", "max_tokens": "length"}  # finish reasons in our words
_OFF = {"repetition_penalty": 1.0, "top_k": -1, "min_p": 0.0}
_LLAMA_CPP_OFF = {"repeat_penalty": 1.0, "top_k": 0, "min_p": 0.0}
# What requests say to engines that would otherwise change the distribution: vLLM and SGLang take
# what is left out from a model's `generation_config.json`, llama.cpp penalises repetition or keeps
# the likeliest 40 tokens. Engines are known by what they call the owner of their models.
NEUTRAL: dict[str, dict[str, Any]] = {
    "vllm": _OFF,
    "sglang": _OFF,
    "llamacpp": _LLAMA_CPP_OFF,
    "me": _LLAMA_CPP_OFF,  # llama_cpp.server
}
ANSWER_ANY_NAME = ("sglang", "llamacpp", "me")  # engines that do not mind a wrong name
# fields without which a reply could not be read, or would be another model's
RESERVED = ("model", "prompt", "messages", "max_tokens", "stream", "n", "best_of", "echo")


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
        extra_body: further fields of each request; they come before those of `NEUTRAL`.
        max_concurrent: number of requests that are under way at the same time.
        key: sent as a bearer token; None: the word "none" is, which servers without keys ignore.
        timeout: seconds for one attempt as a whole.
        attempts: number of times that a request is sent at most.
        on_wait: is called about once per second while texts are waited for, with what is wrong with
            the server at present, in words; with None when nothing is.

    Raises:
        ValueError: the address is no HTTP address, the key cannot be sent in a header, a number is
            out of range, or a field of `extra_body` is one of `RESERVED`.
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
        extra_body: dict[str, Any] | None = None,
        max_concurrent: int = 64,
        key: str | None = None,
        timeout: float = 900.0,
        attempts: int = 12,
        on_wait: Callable[[str | None], None] | None = None,
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
        if reserved := [name for name in RESERVED if name in (extra_body or {})]:
            raise ValueError(f"the extra body holds {', '.join(reserved)}: requests set that")
        # 2. Say what every request asks for.
        self.model, self.extra_body, self.on_wait = model, extra_body or {}, on_wait
        self.timeout, self.logprobs, self._looked = timeout, seed is not None, False
        self.template, self.thinking, self.seed = template, thinking, seed
        self.max_concurrent, self.attempts = max_concurrent, attempts
        self.body: dict[str, Any] = {"model": model, "max_tokens": max_new_tokens}
        self.body["temperature"] = temperature
        self.body |= {} if top_p is None else {"top_p": top_p}
        self.body |= self.extra_body
        # 3. Make the client, which lives in the event loop of all requests.
        self._http = StrictClient(limits=httpx2.Limits(max_connections=None), timeout=timeout)
        self._client = openai.AsyncOpenAI(
            base_url=url.rstrip("/"),
            api_key=key or "none",
            timeout=timeout,
            max_retries=attempts - 1,
            http_client=self._http,
        )
        self._places, self._asking = asyncio.Semaphore(max_concurrent), asyncio.Lock()
        self._last_answer = time.monotonic()
        self._under_way: dict[Future[Text], Request] = {}

    @property
    def has_room(self) -> bool:
        """Return True if one more request would be sent at once."""
        return len(self._under_way) < self.max_concurrent

    def __bool__(self) -> bool:
        """Return True if texts are under way."""
        return bool(self._under_way)

    def begin(self, problem: str, number: int) -> Hashable:
        """Send a request as soon as there is room; see `Writer.begin`.

        Raises:
            EndpointRefusedError: at the first request: there is no such server or model.
        """
        if not self._looked:
            asyncio.run_coroutine_threadsafe(self._look(), event_loop()).result()
            self._looked = True
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
        done: set[Future[Text]] = set()
        while not done:
            done = wait(self._under_way, timeout=1, return_when=FIRST_COMPLETED).done
            if self.on_wait is not None:
                self.on_wait(self._http.trouble_in_words())
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

    async def _look(self) -> None:
        """Find out if the server is there, knows the model, and answers; turn its defaults off."""
        timeout = max(self.timeout, LOOK_TIMEOUT)
        client = self._client.with_options(max_retries=2, timeout=timeout)
        # 1. Ask for its models, whose owner tells which engine it is.
        names: list[str] = []
        engine: str | None = None
        try:
            names, engine = _models_in(await client.get("/models", cast_to=httpx2.Response))
        except openai.APIStatusError as error:
            if 400 <= error.status_code < 500 and error.status_code not in (*NO_LIST, *PASSING):
                raise self._refusal(error) from None
        except openai.APIConnectionError as error:
            raise self._refusal(error) from None
        if self.model not in names and engine in ANSWER_ANY_NAME:
            known = ", ".join(map(repr, names))
            raise EndpointRefusedError(f"the server has no model {self.model!r}; it has {known}")
        self.body = {**NEUTRAL.get(engine or "", {}), **self.body}
        # 2. Have one token written; without log-probabilities, if it has none to give.
        failure = await self._try_out(client, max_tokens=1)
        if failure is not None and self.logprobs:
            self.logprobs = False
            if await self._try_out(client, max_tokens=1) is None:
                reason = _in_words(failure)
                say(f"the server gives no log-probabilities, so none are asked for: {reason}")
                return
        if failure is not None and getattr(failure, "status_code", None) not in PASSING:
            raise self._refusal(failure)

    async def _try_out(self, client: openai.AsyncOpenAI, max_tokens: int) -> openai.APIError | None:
        """Ask for a text of no problem; return why there is none."""
        path, body = self._question(Request(render(self.template, "What is 1 + 1?"), 0))
        try:
            body = {**body, "max_tokens": max_tokens}
            await client.post(path, body=body, cast_to=httpx2.Response)
        except openai.APIError as error:
            return error
        return None

    def _refusal(self, error: openai.APIError) -> EndpointRefusedError:
        """Make the error that ends a run."""
        did = "refused" if isinstance(error, openai.APIStatusError) else "cannot be asked"
        return EndpointRefusedError(f"{error.request.url} {did}: {_in_words(error)}")

    async def _write(self, request: Request) -> Text:
        """Have one text written, and say in words what went wrong."""
        # 1. Wait for a place among the requests under way, and ask.
        async with self._places:
            request.sent, started = True, time.monotonic()
            try:
                path, body = self._question(request)
                reply = await self._client.post(path, body=body, cast_to=httpx2.Response)
                self._last_answer = time.monotonic()
                return self._text(request, reply.json())
            # 2. The server said no: to this request, or to all.
            except openai.APIStatusError as error:
                if error.status_code < 500 and error.status_code not in PASSING:
                    if await self._refuses_all(error.status_code):
                        raise self._refusal(error) from None
                    refusal = _in_words(error)
                    return Text(request.prompt, finish_reason=REFUSED, refusal=refusal)
                reason = _in_words(error)
            # 3. The server said nothing of use; or it is gone, and nobody has heard of it since.
            except openai.APIConnectionError as error:
                gone = isinstance(error.__cause__, httpx2.ConnectError)
                if _has_wrong_certificate(error) or (gone and self._last_answer < started):
                    raise self._refusal(error) from None
                reason = _in_words(error)
            reason = f"no answer in up to {self.attempts} attempts; at last: {reason}"
            return Text(request.prompt, error=EndpointError(reason))

    async def _refuses_all(self, status: int) -> bool:
        """Return True if a server that refused one request refuses another one, too."""
        if status == 401:  # the key
            return True
        async with self._asking:
            client = self._client.with_options(max_retries=0, timeout=REFUSAL_TIMEOUT)
            error = await self._try_out(client, self.body["max_tokens"])
        if not isinstance(error, openai.APIStatusError):
            return False
        return error.status_code < 500 and error.status_code not in PASSING

    def _text(self, request: Request, reply: Any) -> Text:
        """Make the text of a reply, and note what is not as it was asked for."""
        text, name = text_of(request.prompt, reply), reply.get("model")
        if text.finish_reason == "length" and 0 < text.tokens < self.body["max_tokens"]:
            text = replace(text, finish_reason="context")
        # transformers' server adds the revision
        if isinstance(name, str) and name not in (self.model, f"{self.model}@main"):
            text = replace(text, answered_by=name)
        return text

    def _question(self, request: Request) -> tuple[str, dict[str, Any]]:
        """Return a request's path and body."""
        body: dict[str, Any] = dict(self.body)
        plain = self.thinking is None
        if self.seed is not None:
            # 31 bits: any server's type holds them
            body["seed"] = text_seed(self.seed, request.prompt, request.number) % 2**31
        if self.logprobs:
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

    A request's time limit is for the reply as a whole. The client knows what has been wrong with
    the server since its last good reply.
    """

    _trouble: tuple[float, str] | None = None  # since when, and what

    def trouble_in_words(self) -> str | None:
        """Say what is wrong with the server, and for how long; None if nothing is."""
        if self._trouble is None:
            return None
        since, reason = self._trouble
        return f"no answer from the server for {time.monotonic() - since:.0f} s ({reason})"

    async def send(self, request: httpx2.Request, **options: Any) -> httpx2.Response:
        """Send a request and read the reply."""
        limit = request.extensions["timeout"]["read"]
        try:
            response = await asyncio.wait_for(super().send(request, **options), limit)
            if response.status_code == 200 and request.method == "POST":
                text_of("", response.json())
        except (asyncio.TimeoutError, httpx2.TimeoutException):
            reason = f"no whole reply within the time limit of {limit:g} seconds (--timeout)"
            self._note(reason)
            raise httpx2.ReadTimeout(reason) from None
        except (ValueError, RecursionError) as error:
            self._note("a reply without a text")
            reason = f"a reply without a text: {response.text[:200]!r} ({error})"
            raise httpx2.DecodingError(reason) from None
        except httpx2.TransportError as error:
            self._note(type(error).__name__)
            raise
        if response.status_code >= 500:
            self._note(f"status {response.status_code}")
        else:
            self._trouble = None
        return response

    def _note(self, reason: str) -> None:
        since = time.monotonic() if self._trouble is None else self._trouble[0]
        self._trouble = since, reason


def _models_in(response: httpx2.Response) -> tuple[list[str], str | None]:
    """Return the names in a list of models, and the owner of the first."""
    try:
        models = response.json()["data"]
        return [str(one["id"]) for one in models], models[0].get("owned_by") if models else None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return [], None


def _in_words(error: openai.APIError) -> str:
    """Say what a request met."""
    if isinstance(error, openai.APIStatusError):
        return f"status {error.status_code}: {error.response.text[:200]!r}"
    return f"{type(error.__cause__).__name__}: {error.__cause__}"


def text_of(prompt: str, reply: Any) -> Text:
    """Read a reply's JSON, of either interface.

    Raises:
        ValueError: there is no text in it, or the server broke it off.
    """
    try:
        choice = reply["choices"][0]
        text = choice["text"] if "text" in choice else _with_thoughts(choice["message"])
        tokens = int((reply.get("usage") or {}).get("completion_tokens") or 0)
        reason = choice.get("finish_reason")
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, OverflowError):
        raise ValueError("unknown form") from None
    if not isinstance(text, str) or reason in BROKEN_OFF:
        raise ValueError(f"finish reason {reason}")
    ended = WORDS.get(reason, reason) if isinstance(reason, str) else None
    return Text(prompt, text, tokens, _mean_logprob(choice.get("logprobs")), ended)


def _with_thoughts(message: dict[str, Any]) -> Any:
    """Return a message's content, behind the thoughts that the server took out of it.

    They are put between `<think>` and `</think>`, as the model wrote them; the end is left out
    where nothing follows, as they may not have ended.
    """
    if not {"content", "reasoning_content", "reasoning"} & message.keys():
        raise KeyError("content")
    content = message.get("content")
    thoughts = message.get("reasoning_content") or message.get("reasoning")
    if not isinstance(thoughts, str):
        return content or ""
    return f"<think>{thoughts}</think>{content}" if content else f"<think>{thoughts}"


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
