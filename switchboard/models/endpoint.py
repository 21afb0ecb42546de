"""Sends one request to a model's endpoint, once, and says how it failed. Never retries.

The clients are imported in a thread, after a service has opened its port: their import takes longer than all others of
a service together. The tools and the gateway read settings of this package without ever calling a model.
"""

import asyncio
import email.utils
import json
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pydantic_core

from switchboard.models.event_decoder import QuickDecoder
from switchboard.models.model import RETRY_AFTER_MAX, ModelRejected, ModelUnavailable, RejectedFor
from switchboard.models.providers import Provider
from switchboard.models.reading import refuse_long
from switchboard.telemetry.metrics import MODEL_CALLS, MODEL_QUEUE, in_flight
from switchboard.telemetry.model_call import model_call_sent, model_call_waits

MODEL_CALL_TIMEOUT = timedelta(seconds=60)
"""For the whole call, from connecting to the last byte, unless a setting says otherwise."""

TRANSIENT_STATUS = frozenset({408, 409, 425, 429, 498})
"""Beside every 5xx, of which 529 is Anthropic's: the same request may succeed later."""

CONTENT_STATUS = frozenset({400, 403, 422})
"""The request itself was refused, so one of its texts may be the cause."""

USED_UP = frozenset({"insufficient_quota", "billing_hard_limit_reached", "credit_balance_too_low"})
"""Error codes of a 429 that must not be retried."""

FILTER_WORDS = (
    "content_filter",
    "content_policy",
    "content policy",
    "responsibleai",
    "safety",
    "moderation",
    "flagged",
)
TOO_LONG_WORDS = (
    "context_length",
    "context length",
    "context window",
    "context size",
    "maximum context",
    "too many tokens",
    "prompt is too long",
    "input is too long",
    "prompt too long",
    "reduce the length",
    "exceeds the available context",
    "string_above_max_length",
    "request_too_large",
)

if TYPE_CHECKING:
    import anthropic
    import httpx2
    import openai

    StatusError = openai.APIStatusError | anthropic.APIStatusError
    ConnectionFailed = openai.APIConnectionError | anthropic.APIConnectionError


@dataclass(frozen=True)
class Client:
    """One of the providers' clients, which are built alike, with its types: of a stream and the errors.

    `transport` is the HTTP client that it sends its requests with.
    """

    http: Any
    transport: Any
    status_error: "type[StatusError]"
    connection_error: "type[ConnectionFailed]"
    any_error: type[Exception]
    transport_error: "type[httpx2.HTTPError]"
    stream: Any
    _urls: dict[str, Any] = field(default_factory=dict)

    async def post(self, path: str, body: Mapping[str, Any]) -> bytes:
        """Send a request and return the answer's bytes. Raises the same errors as the client's own methods.

        The address and the headers are the client's own, but they are built once. Its own methods build them again for
        each request, which takes more CPU time than sending it (docs/operate/performance.md).
        """
        url, content = self._url(path), pydantic_core.to_json(body)
        try:
            response = await self.transport.post(url, content=content, headers=self._headers, timeout=self.http.timeout)
        except self.transport_error as error:
            raise self.connection_error(request=error.request) from error
        if not response.is_success:
            raise self._refusal(response)
        return bytes(response.content)

    def _url(self, path: str) -> Any:
        if path not in self._urls:
            base = self.http.base_url
            self._urls[path] = base.copy_with(raw_path=base.raw_path.rstrip(b"/") + path.encode())
        return self._urls[path]

    @cached_property
    def _headers(self) -> dict[str, str]:
        """The headers of every request: the key, the API's version, and what the client says about itself."""
        headers = {**self.http.default_headers, **self.http.auth_headers}
        # The others are marks of the client for a header that is not sent.
        return {name: value for name, value in headers.items() if isinstance(value, str)}

    def _refusal(self, response: Any) -> "StatusError":
        text = response.text.strip()
        try:
            body = json.loads(text)
        except (ValueError, RecursionError):
            body = text
        return self.status_error(text or f"Error code: {response.status_code}", response=response, body=body)


class Endpoint:
    """A provider's address with a key.

    `connect` returns its client; it is called once, in a thread. `host` is the address without a path and without a
    password. `queue` bounds the calls of this process at the same time.
    """

    def __init__(
        self,
        provider: Provider,
        connect: Callable[[], Client],
        base_url: str,
        queue: asyncio.Semaphore,
        call_timeout: timedelta = MODEL_CALL_TIMEOUT,
    ) -> None:
        self.provider = provider
        self.host = urlsplit(base_url).netloc.rpartition("@")[2]
        self._connect = connect
        self._connecting = threading.Lock()
        self._client: Client | None = None
        self._queue = queue
        self._call_timeout = call_timeout

    async def client(self) -> Client:
        """Return the client. The first call imports it, which takes about a second; others can go on meanwhile."""
        if self._client is not None:
            return self._client
        return await asyncio.to_thread(self._connect_once)

    def _connect_once(self) -> Client:
        with self._connecting:
            if self._client is None:
                self._client = self._connect()
            return self._client

    async def send(self, path: str, body: Mapping[str, Any]) -> bytes:
        """Return the answer's bytes. Raises ModelUnavailable or ModelRejected."""
        async with self._one_call() as client:
            content = await client.post(path, body)
        refuse_long(content)
        return content

    async def stream(self, path: str, body: Mapping[str, Any]) -> AsyncGenerator[dict[str, Any], None]:
        """Yield the events of a streamed answer. Raises ModelUnavailable or ModelRejected."""
        async with self._one_call() as client:
            events = await client.http.post(
                path,
                cast_to=object,
                body={**body, "stream": True},
                stream=True,
                stream_cls=client.stream[object],
            )
            size = 0
            async for event in events:
                size += 1
                refuse_stream(size)
                if isinstance(event, dict):
                    yield event

    async def watch(self, path: str, body: Mapping[str, Any], take: Callable[[dict[str, Any]], bool]) -> None:
        """Give each event of a streamed answer to `take`, until that returns True or the stream ends."""
        async with aclosing(self.stream(path, body)) as events:
            async for event in events:
                try:
                    if take(event):
                        return
                except (LookupError, TypeError, AttributeError, ValueError) as error:
                    raise ModelUnavailable(f"the model's stream is malformed: {error!r}", "malformed") from error

    @asynccontextmanager
    async def _one_call(self) -> AsyncIterator[Client]:
        """The client with a place in the queue and the time limit. Errors of either client are raised as ours.

        The time limit is for the call and not for the wait for a place.
        """
        model_call_waits()
        client = await self.client()
        with in_flight(MODEL_QUEUE):
            await self._queue.acquire()
        try:
            model_call_sent()
            with in_flight(MODEL_CALLS):
                async with asyncio.timeout(self._call_timeout.total_seconds()):
                    yield client
        except TimeoutError as error:
            raise ModelUnavailable(f"no answer within {self._call_timeout.total_seconds():.0f} s", "timeout") from error
        except client.status_error as error:
            raise classify(error) from error
        except client.connection_error as error:
            raise ModelUnavailable(f"cannot reach the model: {error.__cause__ or error}", "connection") from error
        except client.any_error as error:
            # An error inside of a stream has no status.
            raise ModelUnavailable(f"the model's answer broke off: {error}", "cut_off") from error
        except client.transport_error as error:
            raise ModelUnavailable(f"the model's answer broke off: {error}", "cut_off") from error
        except (ValueError, RecursionError) as error:
            raise ModelUnavailable(f"the model's answer is malformed: {type(error).__name__}", "malformed") from error
        finally:
            self._queue.release()


STREAM_EVENTS_MAX = 200_000
"""Of one answer, some ten times more than the longest has."""


def refuse_stream(size: int) -> None:
    if size > STREAM_EVENTS_MAX:
        raise ModelUnavailable(f"the model's stream has more than {STREAM_EVENTS_MAX} events", "malformed")


def connect_openai(api_key: str, base_url: str | None, call_timeout: timedelta = MODEL_CALL_TIMEOUT) -> Client:
    """Return a client that never retries. Restate does not see client-side retries, so they are disabled."""
    import openai  # noqa: PLC0415

    transport = openai.DefaultAioHttpClient()
    http = openai.AsyncOpenAI(
        api_key=api_key,
        base_url=base_url,
        max_retries=0,
        timeout=call_timeout.total_seconds(),
        http_client=transport,
    )
    return client_of(openai, http, transport)


def connect_anthropic(api_key: str, base_url: str | None, call_timeout: timedelta = MODEL_CALL_TIMEOUT) -> Client:
    """Return a client that never retries."""
    import anthropic  # noqa: PLC0415

    transport = anthropic.DefaultAioHttpClient()
    http = anthropic.AsyncAnthropic(
        api_key=api_key,
        base_url=base_url,
        max_retries=0,
        timeout=call_timeout.total_seconds(),
        http_client=transport,
    )
    return client_of(anthropic, http, transport)


def client_of(sdk: Any, http: Any, transport: Any) -> Client:
    """Return a client with the types of its package: both packages are generated and name them alike."""
    import httpx2  # noqa: PLC0415

    decode_quickly(sdk, http)
    return Client(
        http=http,
        transport=transport,
        status_error=sdk.APIStatusError,
        connection_error=sdk.APIConnectionError,
        any_error=sdk.APIError,
        transport_error=httpx2.HTTPError,
        stream=sdk.AsyncStream,
    )


def decode_quickly(sdk: Any, http: Any) -> None:
    """Let a client decode streams by QuickDecoder, unless its version lacks these names, which are not public."""
    streaming = getattr(sdk, "_streaming", None)
    own, event = getattr(streaming, "SSEDecoder", None), getattr(streaming, "ServerSentEvent", None)
    if hasattr(http, "_make_sse_decoder") and own is not None and event is not None:
        # Without the client's own method, which would keep the client alive until the next garbage collection.
        http._make_sse_decoder = lambda: QuickDecoder(own(), event)


def classify(error: "StatusError") -> ModelUnavailable | ModelRejected:
    """Return whether waiting may help, and otherwise what about the request was refused."""
    why = f"HTTP {error.status_code} from the model: {error.message}"
    kind = str(error.status_code)
    said = words_of(error)
    transient = error.status_code in TRANSIENT_STATUS or error.status_code >= 500
    if transient and not any(code in said for code in USED_UP):
        asked = parse_retry_after(error.response.headers)
        if asked is not None and asked > RETRY_AFTER_MAX:
            return ModelUnavailable(why, kind, give_up=True)
        return ModelUnavailable(why, kind, None if asked is None else max(asked, timedelta(0)))
    return ModelRejected(why, kind, reason_of(error.status_code, said))


def words_of(error: "StatusError") -> str:
    """The code, type and message of an error in lower case: providers differ in where they say why."""
    code, kind = getattr(error, "code", None), getattr(error, "type", None)
    return f"{code or ''} {kind or ''} {error.body if error.body is not None else ''} {error.message}".lower()


def reason_of(status: int, said: str) -> RejectedFor:
    """Return why a request was refused. Where that is not clear, the texts are suspected: a search finds out.

    An endpoint may quote the request in its error, so words that a customer could write do not make it a `setup`.
    """
    if status == 413 or any(words in said for words in TOO_LONG_WORDS):
        return "too_long"
    if status in CONTENT_STATUS or any(words in said for words in FILTER_WORDS) or "item with id" in said:
        return "content"
    return "setup"


def parse_retry_after(headers: Mapping[str, str]) -> timedelta | None:
    """Read `retry-after-ms`, or `retry-after` in seconds or as an HTTP date; None when neither can be read."""
    try:
        if milliseconds := headers.get("retry-after-ms"):
            return timedelta(milliseconds=float(milliseconds))
        if seconds := headers.get("retry-after"):
            return timedelta(seconds=float(seconds))
    except (ValueError, OverflowError):
        pass
    try:
        return email.utils.parsedate_to_datetime(headers.get("retry-after", "")) - datetime.now(UTC)
    except (ValueError, TypeError):
        return None
