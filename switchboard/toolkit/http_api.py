"""Calls of HTTP APIs outside of the mesh, from tools: with a key, time-outs, retries, and errors for the model.

A write has the header `Idempotency-Key`. It stays the same in every attempt, also after a crash. An API that honours it
does the write once. For other APIs, `keyed=False` sends a write once; if the answer is lost, its outcome is unknown,
and the model and the customer are told so.

docs/build/http-apis.md shows how to use it.
"""

import asyncio
import json
import logging
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from string import Formatter
from typing import Literal, LiteralString, TypeVar
from urllib.parse import quote, urlsplit

import httpx2
import restate
from opentelemetry.trace import SpanKind, Status, StatusCode
from pydantic import BaseModel, ValidationError
from restate.exceptions import RetryableError

from switchboard.credentials import credentials_in, without_credentials
from switchboard.loop.call_report import OUTCOME_UNKNOWN, UNKNOWN
from switchboard.runtime.serve import Models, Served
from switchboard.runtime.settings import load
from switchboard.telemetry import spans
from switchboard.toolkit.rpc import last_word, outcome_unknown
from switchboard.toolkit.settings import HttpApiSettings, api_secret, api_url
from switchboard.words import QUOTES_OTHERS

Output = TypeVar("Output", bound=BaseModel)
Method = Literal["POST", "PUT", "PATCH", "DELETE"]
Headers = Callable[[], Awaitable[Mapping[str, str]]]

RETRY_PAUSE = timedelta(seconds=1)
"""Pause before the next attempt, unless the API's Retry-After names another one."""

RETRY_AFTER_MAX = timedelta(seconds=30)
"""A longer Retry-After ends the call: the customer does not wait for it."""

RETRIED_FOR = timedelta(seconds=60)
"""Time from the first attempt after which there is no further one."""

CONFLICT_PAUSES = (timedelta(milliseconds=250), timedelta(milliseconds=750), timedelta(seconds=2))
"""Pauses before a write with a key is sent again after a 409: the first request with this key may still be running."""

CONNECT_TIMEOUT = timedelta(seconds=3)

CONNECTIONS_MAX = 20
"""Connections of a process to one API."""

REFUSAL_MAX_CHARACTERS = 500
"""Maximum length of an API's own words in a refusal."""

REFUSAL_FIELDS = ("detail", "message", "title", "error_description", "error")
"""Fields with a sentence in the error of an API. `detail` and `title` are from RFC 9457."""

CHUNK_BYTES = 64 * 1024

NOT_SENT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout)
"""Errors before a request is sent, so that it cannot have done anything."""

PASSING = {408, 425, 429, 500, 502, 503, 504}
"""Statuses after which another attempt may succeed."""

CONFLICT, TOO_MANY, BAD_GATEWAY, UNAVAILABLE_STATUS, BROKEN = 409, 429, 502, 503, 500
OUR_FAULT = {401, 403, 407}
"""The API rejects our credentials. The model cannot help it."""

UNAVAILABLE = "The service behind this tool is unavailable. Nothing was changed. Please try again in a minute."
UNREADABLE = "The service behind this tool gave an answer that cannot be used."
MISCONFIGURED = "The service behind this tool rejects our credentials. Nothing was changed. Staff must correct them."
REFUSED = "The service behind this tool refused the request (HTTP {status})."

logger = logging.getLogger(__name__)


class ResponseTooLong(Exception):
    """A response exceeds the size limit."""


@dataclass
class Call:
    """One call of an API. `once`: it is sent at most once. `called_off`: its invocation was cancelled."""

    method: str
    template: str
    path: str
    query: Mapping[str, str]
    body: bytes | None
    key: str = ""
    once: bool = False
    called_off: bool = False

    @property
    def name(self) -> str:
        """The method with the path's template. It has no values."""
        return f"{self.method} {self.template}"

    @property
    def writes(self) -> bool:
        return self.method != "GET"

    def call_off(self) -> None:
        self.called_off = True


@dataclass(frozen=True)
class Response:
    status: int
    headers: Mapping[str, str]
    content: bytes


@dataclass
class HttpApi:
    """An HTTP API that exchanges JSON. Pass it to `serve`, which then checks at start that its address is set.

    ```python
    shipping = HttpApi("SHIPPING_URL", token_variable="SHIPPING_TOKEN")


    @orders.tool()
    async def send_parcel(ctx: ObjectContext, order_id: str) -> Label:
        \"\"\"Send an order.\"\"\"
        return await shipping.write(ctx, "POST", "/orders/{order_id}/labels", Label, {"order_id": order_id})
    ```

    Args:
        variable: Name of the environment variable with the API's address, which may have a path.
        token_variable: Name of the environment variable with a token, which is sent as `Authorization: Bearer`.
        headers: A coroutine function that returns further headers, such as those of a token that is short-lived. It is
            called before each attempt.

    Credentials are neither journaled nor in spans, because each attempt reads them anew.
    """

    variable: str
    token_variable: str = ""
    headers: Headers | None = None
    _client: httpx2.AsyncClient | None = field(default=None, repr=False)
    _may_be_sent: set[str] = field(default_factory=set, repr=False)

    def served(self, models: Models) -> Served:
        """Check the settings. Ends the process with a message if one is missing or invalid."""
        try:
            api_url(self.variable)
            if self.token_variable:
                api_secret(self.token_variable)
        except ValueError as error:
            sys.stderr.write(f"{error}.\n")
            raise SystemExit(1) from error
        load(HttpApiSettings)
        return Served(())

    async def read(
        self,
        ctx: restate.Context,
        path: LiteralString,
        output: type[Output],
        values: Mapping[str, str | int] | None = None,
        query: Mapping[str, str | int] | None = None,
    ) -> Output:
        """GET a path such as `/orders/{order_id}`, with `values` in it, and return the journaled answer.

        Retried for RETRIED_FOR. Raises TerminalError: the API's refusal with its status (4xx), 502 for an answer that
        is too long or is not an `output`, and 503 if the API is unavailable.
        """
        call = Call("GET", path, filled(path, values or {}), texts(query), None)
        return await self._journaled(ctx, call, output)

    async def write(
        self,
        ctx: restate.Context,
        method: Method,
        path: LiteralString,
        output: type[Output],
        values: Mapping[str, str | int] | None = None,
        body: BaseModel | None = None,
        keyed: bool = True,
    ) -> Output:
        """Send a request that changes something, and return the journaled answer.

        With `keyed`, each attempt has the same `Idempotency-Key`, and the request is retried for RETRIED_FOR. Without,
        it is retried only if it was not sent, or if the API has answered 429.

        Raises TerminalError: the API's refusal with its status (4xx), 503 if the request was not sent, and
        OUTCOME_UNKNOWN if it is not known whether the write was done.
        """
        content = None if body is None else body.model_dump_json().encode()
        call = Call(method, path, filled(path, values or {}), {}, content, str(ctx.uuid()), once=not keyed)
        if call.once:
            await self._permit(ctx, call)
        return await self._journaled(ctx, call, output)

    async def close(self) -> None:
        """Close all connections. The next use opens new ones."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def _permit(self, ctx: restate.Context, call: Call) -> None:
        """Journal that the call is about to be sent, and remember in this process that it has not been sent yet.

        A process without this memory, for example after a crash, must not send it.
        """

        async def permit() -> bool:
            self._may_be_sent.add(call.key)
            return True

        await ctx.run_typed(f"begin {call.name}", permit, restate.RunOptions(type_hint=bool))

    async def _journaled(self, ctx: restate.Context, call: Call, output: type[Output]) -> Output:
        parent = spans.current()

        async def attempt() -> Output:
            return await self._attempt(call, output, parent)

        options = restate.RunOptions(type_hint=output, max_duration=RETRIED_FOR)
        made = ctx.run_typed(call.name, attempt, options)
        if call.writes:
            await last_word(made, call.call_off)
        return await made

    async def _attempt(self, call: Call, output: type[Output], parent: spans.HandlerSpan | None) -> Output:
        """Make one attempt. Raises TerminalError, or RetryableError with the error of the last attempt."""
        if call.called_off or (call.once and call.key not in self._may_be_sent):
            # An earlier attempt may have been made, in another process.
            raise outcome_unknown()
        self._may_be_sent.discard(call.key)
        settings = load(HttpApiSettings)
        try:
            response = await self._send(call, settings, parent)
            for pause in CONFLICT_PAUSES:
                if response.status != CONFLICT or not call.writes or call.once:
                    break
                await asyncio.sleep(pause.total_seconds())
                response = await self._send(call, settings, parent)
        except NOT_SENT as error:
            raise self._later(call, f"{type(error).__name__}: not sent", sent=False) from None
        except ResponseTooLong:
            logger.error(
                "%s: %s: the answer is longer than %s bytes", self.variable, call.name, settings.response_max_bytes
            )
            raise unreadable(call) from None
        except (httpx2.HTTPError, TimeoutError) as error:
            raise self._later(call, type(error).__name__) from None
        return self._answer(call, response, output)

    def _answer(self, call: Call, response: Response, output: type[Output]) -> Output:
        status = response.status
        if 200 <= status < 300:
            try:
                return output.model_validate_json(response.content or b"{}")
            except ValidationError as error:
                # Without the error's text, which contains values.
                where = [".".join(map(str, one["loc"])) for one in error.errors(include_url=False, include_input=False)]
                logger.error("%s: %s: the answer is no %s: %s", self.variable, call.name, output.__name__, where[:5])
                raise unreadable(call) from None
        if status in PASSING:
            wait = retry_after(response.headers)
            if wait > RETRY_AFTER_MAX:
                raise given_up(call, sent=status != TOO_MANY or not call.once)
            raise self._later(call, f"HTTP {status}", wait, sent=status != TOO_MANY)
        if status in OUR_FAULT:
            logger.error("%s: %s: HTTP %s. Are the credentials right?", self.variable, call.name, status)
            raise restate.TerminalError(MISCONFIGURED, status_code=BROKEN)
        if 400 <= status < 500:
            raise refusal(response)
        # Redirects are not followed: the request, with its credentials, would go to another place.
        logger.error("%s: %s: HTTP %s is not expected", self.variable, call.name, status)
        raise unreadable(call)

    def _later(self, call: Call, why: str, wait: timedelta = RETRY_PAUSE, sent: bool = True) -> Exception:
        """Return the error after which the call is sent again, or ends if that is not safe."""
        logger.warning("%s: %s: %s", self.variable, call.name, why)
        if call.once and sent:
            return outcome_unknown()
        if call.once:
            self._may_be_sent.add(call.key)
        ending = given_up(call, sent or not call.once)
        # Restate raises this text and status if the time is up.
        return RetryableError(ending.message, ending.status_code, max(wait, RETRY_PAUSE))

    async def _send(self, call: Call, settings: HttpApiSettings, parent: spans.HandlerSpan | None) -> Response:
        base = api_url(self.variable)
        address = urlsplit(base)
        attributes: spans.Attributes = {
            "http.request.method": call.method,
            "server.address": address.hostname or "",
            "server.port": address.port or (443 if address.scheme == "https" else 80),
            "url.template": call.template,
        }
        credentials = await self._credentials()
        headers = {**self._headers(call), **credentials}
        with spans.child_span(parent, call.name, SpanKind.CLIENT, attributes) as span:
            limit = asyncio.timeout(settings.timeout.total_seconds())
            async with (
                limit,
                self._http(settings).stream(
                    call.method,
                    base.rstrip("/") + call.path,
                    params=dict(call.query),
                    content=call.body,
                    headers=headers,
                ) as response,
            ):
                span.set_attribute("http.response.status_code", response.status_code)
                if response.status_code >= 400:
                    span.set_attribute("error.type", str(response.status_code))
                    span.set_status(Status(StatusCode.ERROR))
                content = bytearray()
                async for chunk in response.aiter_raw(CHUNK_BYTES):
                    content += chunk
                    if len(content) > settings.response_max_bytes:
                        raise ResponseTooLong
                said = bytes(content)
                if response.status_code >= 400:
                    # A refusal is shown to the model, and journaled.
                    said = without_credentials(said, credentials_in(credentials.values()))
                return Response(response.status_code, response.headers, said)

    def _headers(self, call: Call) -> dict[str, str]:
        # Compressed bodies could become much longer than their limit.
        headers = {"accept": "application/json", "accept-encoding": "identity"}
        if call.body is not None:
            headers["content-type"] = "application/json"
        if call.key and not call.once:
            headers["idempotency-key"] = call.key
        return headers

    async def _credentials(self) -> dict[str, str]:
        token = {"authorization": f"Bearer {api_secret(self.token_variable)}"} if self.token_variable else {}
        return {**token, **(await self.headers() if self.headers else {})}

    def _http(self, settings: HttpApiSettings) -> httpx2.AsyncClient:
        if self._client is None:
            self._client = httpx2.AsyncClient(
                timeout=httpx2.Timeout(settings.timeout.total_seconds(), connect=CONNECT_TIMEOUT.total_seconds()),
                limits=httpx2.Limits(max_connections=CONNECTIONS_MAX),
                follow_redirects=False,
            )
        return self._client


def filled(path: str, values: Mapping[str, str | int]) -> str:
    """Return a path with its values, each as one segment. Raises TerminalError 400 for a value that is none."""
    names = [name for _, name, _, _ in Formatter().parse(path) if name is not None]
    if sorted(names) != sorted(values) or not path.startswith("/"):
        raise ValueError(f"the path {path} must begin with / and have a value for each of {sorted(names)}")
    for name, value in values.items():
        if str(value) in ("", ".", ".."):
            raise restate.TerminalError(f"{name} must not be {str(value)!r}.", status_code=400)
    return path.format_map({name: quote(str(value), safe="") for name, value in values.items()})


def texts(query: Mapping[str, str | int] | None) -> dict[str, str]:
    return {name: str(value) for name, value in (query or {}).items()}


def retry_after(headers: Mapping[str, str]) -> timedelta:
    """Return the seconds in Retry-After. A date is treated like none."""
    text = headers.get("retry-after", "")
    return timedelta(seconds=min(int(text), 10**6)) if text.isdecimal() and len(text) < 10 else RETRY_PAUSE


def given_up(call: Call, sent: bool) -> restate.TerminalError:
    """Return the error of a call that is not sent again. `sent`: an attempt may have changed something."""
    if call.writes and sent:
        return restate.TerminalError(UNKNOWN, status_code=OUTCOME_UNKNOWN)
    return restate.TerminalError(UNAVAILABLE, status_code=UNAVAILABLE_STATUS)


def unreadable(call: Call) -> restate.TerminalError:
    """Return the error for an answer that cannot be used. A write may have been done all the same."""
    return outcome_unknown() if call.writes else restate.TerminalError(UNREADABLE, status_code=BAD_GATEWAY)


def refusal(response: Response) -> restate.TerminalError:
    """Return an API's refusal, with its own words in marks for the model."""
    why, words = REFUSED.format(status=response.status), own_words(response.content)
    if not words:
        return restate.TerminalError(why, status_code=response.status)
    return restate.TerminalError(f"{why} It says: {words}", response.status, {QUOTES_OTHERS: "yes"})


def own_words(content: bytes) -> str:
    """Return the sentence in an error's body on one line, cut to REFUSAL_MAX_CHARACTERS; empty if there is none."""
    try:
        body = json.loads(content)
    except ValueError:
        return ""
    found = body.get("error") if isinstance(body, dict) and isinstance(body.get("error"), dict) else body
    if not isinstance(found, dict):
        return ""
    text = next((found[name] for name in REFUSAL_FIELDS if isinstance(found.get(name), str) and found[name]), "")
    return " ".join(text.split())[:REFUSAL_MAX_CHARACTERS]
