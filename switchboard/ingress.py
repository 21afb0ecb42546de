"""Requests to Restate's ingress: paths, headers, classification of errors, retries.

`MeshClient` and the gateway are built on this. A failed request raises one of:

IngressError
├─ IngressUnavailable   no server answers, or Restate is starting or overloaded; the same request can be retried
│  ├─ IngressTimeout    the request was sent but not answered in time
│  └─ OutOfFiles        this process has no free file for a connection
├─ NotAMesh             a server answers but has no such handler: services are not registered, or wrong address
├─ NotReady             the invocation that was looked up has not ended
├─ InvocationUnknown    there is no invocation with the key that was looked up
└─ HandlerFailed        the handler itself answered with an error
"""

import asyncio
import errno
import itertools
import json
import math
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import NoReturn
from urllib.parse import quote

import aiohttp
from pydantic import BaseModel, ValidationError
from yarl import URL

from switchboard.addresses import ATTEMPT_TIMEOUT, Addresses
from switchboard.retry import Errors, OnFailure, RetryPolicy, ignore_failure, retry
from switchboard.session.contract import SESSION, ClaimedKey
from switchboard.speaker import SpeakerKeys, target_of

HEALTH_PATH = "/restate/health"

ATTACHED_FOR = timedelta(seconds=60)
"""Reconnect after this long, so that a dead peer does not block until the overall timeout."""

HEALTH_INTERVAL = timedelta(seconds=1)
"""How often an address is checked while requests wait at it, where there are several."""

SOURCE_HANDLER = "invocation"
"""Restate's name for the source of an error that a handler raised."""

PREVIOUSLY_ACCEPTED = "PreviouslyAccepted"
"""Restate's status of a request whose idempotency key it has seen before."""

TOO_MANY_REQUESTS = 429
NOT_READY = 470
"""Restate's status of an invocation that has not ended."""

INVOCATION_NOT_FOUND = "invocation not found"
SERVER_ERROR = 500

Request = BaseModel | Mapping[str, object]


class IngressError(Exception):
    """A request to the ingress failed."""


class IngressUnavailable(IngressError):
    """No server answers, or Restate is starting or overloaded. The same request can be retried.

    `connected` is False if nothing shows that Restate runs at the address.
    """

    def __init__(self, reason: str, connected: bool = True) -> None:
        super().__init__(reason)
        self.connected = connected


class OutOfFiles(IngressUnavailable):
    """This process has no free file for a connection. Restate may be well."""


class IngressTimeout(IngressUnavailable):
    """The request was sent but not answered in time."""


class NotAMesh(IngressError):
    """A server answers at the address, but it has no such handler."""


class NotReady(IngressError):
    """The invocation has not ended yet."""


class InvocationUnknown(IngressError):
    """Restate has no invocation with this idempotency key, or no longer."""


class HandlerFailed(IngressError):
    """The handler answered with an error. If the status is below 500, the message is for the customer."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


@dataclass(frozen=True)
class Response:
    """An HTTP response, whatever its status."""

    status: int
    content: bytes


@dataclass(frozen=True)
class Submitted:
    """A message that Restate has accepted. `repeated` says that Restate already knew its idempotency key."""

    invocation_id: str
    repeated: bool


class _Accepted(BaseModel):
    """Restate's answer when it accepts a message."""

    invocationId: str  # noqa: N815  # Restate's name for it
    status: str = ""


class _Error(BaseModel):
    """Restate's answer when it or a handler refuses a request."""

    message: str
    source: str = ""


class RestateIngress:
    """Client of one Restate ingress. Retries requests that are safe to repeat: reads and calls with a key.

    `urls` are its addresses, separated by commas; after a failure, the next one is used. `retried` are the errors that
    are retried; `on_failure` receives each of them. `headers` returns headers for every request that has a body.
    `speaker` signs requests; without it they are not signed. With `short_attempts`, an address that does not answer a
    retried request soon counts as failed (see Addresses.timeout).
    """

    def __init__(
        self,
        urls: str,
        http: aiohttp.ClientSession,
        policy: RetryPolicy,
        retried: Errors = (IngressUnavailable,),
        on_failure: OnFailure = ignore_failure,
        headers: Callable[[], Mapping[str, str]] = dict,
        speaker: SpeakerKeys | None = None,
        short_attempts: bool = False,
    ) -> None:
        self.addresses = Addresses(urls)
        self._short_attempts = short_attempts
        self._health = HealthChecks(http)
        self._http = http
        self._policy = policy
        self._retried = retried
        self._on_failure = on_failure
        self._headers = headers
        self._speaker = speaker

    async def call(
        self,
        path: str,
        request: Request,
        within: timedelta,
        idempotency_key: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> bytes:
        """Call a handler and return its answer as JSON. Without a key it is not retried: a retry could act twice."""
        return await self._post(path, path, request, within, idempotency_key, headers)

    async def read(self, path: str, request: Request, within: timedelta) -> bytes:
        """Call a handler that changes nothing and return its answer as JSON. Retried without a key."""
        body = encode(request)
        return await self._retry(lambda limit: self.request("POST", path, body, self._proof(path, body), limit), within)

    async def submit(
        self,
        path: str,
        request: Request,
        within: timedelta,
        idempotency_key: str,
        headers: Mapping[str, str] | None = None,
    ) -> Submitted:
        """Submit a request to the handler at `path` without waiting for its answer. A key is submitted only once."""
        content = await self._post(f"{path}/send", path, request, within, idempotency_key, headers)
        try:
            accepted = _Accepted.model_validate_json(content)
        except ValidationError as error:
            raise NotAMesh("its answer does not come from Restate") from error
        return Submitted(accepted.invocationId, accepted.status == PREVIOUSLY_ACCEPTED)

    async def claim(self, path: str, claimed: ClaimedKey, within: timedelta, idempotency_key: str) -> bool:
        """Claim a key for a request at the handler at `path`. Return False if it was claimed for another request.

        Restate answers a repeated claim before a handler could check its signature. So a claim is made under a secret
        key. While keys of the mesh are replaced, it is made under one for each of them, because another gateway may not
        have all of them.
        """
        for key in self._secret_keys(idempotency_key):
            content = await self.call(path, claimed, within, key)
            try:
                first = ClaimedKey.model_validate_json(content)
            except ValidationError as error:
                raise NotAMesh("its answer does not come from this mesh") from error
            if first != claimed:
                return False
        return True

    async def reply(self, invocation_id: str) -> bytes:
        """Wait for the answer to a submitted request, as JSON. The caller sets the timeout."""
        path = f"/restate/invocation/{quote(invocation_id, safe='')}/attach"
        answer: bytes | None = None
        while answer is None:
            answer = await retry(
                lambda: self._attach(path), self._policy, (IngressUnavailable,), on_failure=self._on_failure
            )
        return answer

    async def output(self, target: str, idempotency_key: str, within: timedelta) -> bytes:
        """Return the answer to a request that was sent under a key, as JSON.

        `target` is the path of the handler. Restate reads the key from the path as it is, so it may contain only
        characters that a path can. Raises NotReady, InvocationUnknown or HandlerFailed.
        """
        path = f"/restate/invocation{target}/{idempotency_key}/output"
        return await self._retry(lambda limit: self.request("GET", path, within=limit), within)

    async def health(self, within: timedelta) -> None:
        """Wait until Restate answers."""
        await self._retry(lambda limit: self.request("GET", HEALTH_PATH, within=limit), within)

    async def healthy(self, within: timedelta) -> bool:
        """Return whether any address answers, without retries."""
        found = [asyncio.ensure_future(self._health.check(url, within)) for url in self.addresses.urls]
        try:
            for each in asyncio.as_completed(found):
                if await each:
                    return True
        finally:
            for task in found:
                task.cancel()
        return False

    async def request(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        within: timedelta | None = None,
    ) -> bytes:
        """Send a request once, to the current address. Raises IngressError."""
        url = self.addresses.current
        try:
            async with asyncio.timeout(None if within is None else within.total_seconds()) as limit:
                return await self._request(method, url + path, body, headers)
        except IngressUnavailable:
            self.addresses.failed(url)
            raise
        except TimeoutError as error:
            if not limit.expired():
                raise
            self.addresses.failed(url)
            raise IngressUnavailable(f"no answer within {within}") from error

    async def _request(
        self, method: str, url: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> bytes:
        sent = {"content-type": "application/json", **self._headers(), **(headers or {})} if body else {}
        try:
            response = await exchange(self._http, method, url, body, sent)
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            refuse_out_of_files(error)
            raise IngressUnavailable(str(error), connected=False) from error
        except (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError) as error:
            raise IngressUnavailable(str(error)) from error
        except aiohttp.ClientResponseError as error:  # Not HTTP, or too many redirects.
            raise NotAMesh("it does not answer as Restate does") from error
        if response.status >= 300:
            raise_for_error(response)
        return response.content

    async def _post(
        self,
        path: str,
        target: str,
        request: Request,
        within: timedelta,
        key: str,
        headers: Mapping[str, str] | None,
    ) -> bytes:
        """Send a request to the handler at the path `target`. Each attempt has a signature of its own."""
        body = encode(request)
        fixed = {**idempotency_header(key), **(headers or {})}

        def attempt(limit: timedelta | None) -> Awaitable[bytes]:
            return self.request("POST", path, body, {**fixed, **self._proof(target, body, key)}, limit)

        if key:
            return await self._retry(attempt, within)
        return await answer_within(within, attempt(None))

    def _proof(self, path: str, body: bytes, key: str = "") -> Mapping[str, str]:
        return self._speaker.sign(target_of(path), body, key) if self._speaker else {}

    def _secret_keys(self, key: str) -> tuple[str, ...]:
        """Return idempotency keys that only holders of the mesh's keys can make from `key`."""
        return tuple(f"{key} {tag}" for tag in self._speaker.tags(key)) if self._speaker else (key,)

    async def _attach(self, path: str) -> bytes | None:
        """Return the answer, or None when it is time to reconnect. Raises IngressUnavailable if the address hangs."""
        url = self.addresses.current
        waiting = asyncio.ensure_future(self.request("GET", path))
        try:
            async with asyncio.timeout(ATTACHED_FOR.total_seconds()):
                while not waiting.done() and await self._answers(url):
                    await asyncio.wait({waiting}, timeout=HEALTH_INTERVAL.total_seconds())
                if waiting.done():
                    return waiting.result()
                self.addresses.failed(url)
                raise IngressUnavailable("the address has stopped answering")
        except TimeoutError:
            return None
        finally:
            waiting.cancel()

    async def _answers(self, url: str) -> bool:
        """Return whether an address can be waited for. The only address always is."""
        return len(self.addresses.urls) == 1 or await self._health.check(url, ATTEMPT_TIMEOUT)

    async def _retry(self, attempt: Callable[[timedelta | None], Awaitable[bytes]], within: timedelta) -> bytes:
        attempts = itertools.count()

        async def limited() -> bytes:
            number = next(attempts)
            return await attempt(self.addresses.timeout(number) if self._short_attempts else None)

        try:
            return await retry(limited, self._policy, self._retried, within, self._on_failure)
        except TimeoutError as error:
            raise IngressTimeout(f"no answer within {within}") from error


class HealthChecks:
    """Checks of Restate's addresses. Requests that wait at the same address share them."""

    def __init__(self, http: aiohttp.ClientSession) -> None:
        self._http = http
        self._checks: dict[str, _Check] = {}

    async def check(self, url: str, within: timedelta) -> bool:
        """Return whether the address answers, as seen within the last HEALTH_INTERVAL."""
        check = self._checks.setdefault(url, _Check())
        async with check.running:
            now = time.monotonic()
            if now - check.at >= HEALTH_INTERVAL.total_seconds():
                check.healthy, check.at = await self._ask(url, within), now
        return check.healthy

    async def _ask(self, url: str, within: timedelta) -> bool:
        try:
            async with asyncio.timeout(within.total_seconds()):
                return (await exchange(self._http, "GET", url + HEALTH_PATH, None, {})).status < 300
        except (aiohttp.ClientError, TimeoutError) as error:
            refuse_out_of_files(error)
            return False


@dataclass
class _Check:
    running: asyncio.Lock = field(default_factory=asyncio.Lock)
    healthy: bool = False
    at: float = -math.inf


def refuse_out_of_files(error: Exception) -> None:
    """Raise OutOfFiles if a connection failed because this process has no free file for it."""
    cause = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else None
    if cause is not None and cause.errno in (errno.EMFILE, errno.ENFILE):
        raise OutOfFiles(str(cause)) from error


async def answer_within(within: timedelta, request: Awaitable[bytes]) -> bytes:
    """Wait for the answer to a request. Raises IngressTimeout."""
    try:
        async with asyncio.timeout(within.total_seconds()):
            return await request
    except TimeoutError as error:
        raise IngressTimeout(f"no answer within {within}") from error


async def exchange(
    http: aiohttp.ClientSession, method: str, url: str, body: bytes | None, headers: Mapping[str, str]
) -> Response:
    """Send one HTTP request without normalising its URL. Raises aiohttp's errors."""
    try:
        URL(url)  # `encoded=True` defers parsing until the URL is used, so check it here.
    except ValueError as error:
        raise aiohttp.InvalidURL(url) from error
    async with http.request(method, URL(url, encoded=True), data=body, headers=headers) as response:
        return Response(response.status, await response.read())


def encode(request: Request) -> bytes:
    """Return a request as JSON."""
    return (request.model_dump_json() if isinstance(request, BaseModel) else json.dumps(request)).encode()


def raise_for_error(response: Response) -> NoReturn:
    """Raise the IngressError for an error response, by its source: the handler, Restate, or another server."""
    try:
        error = _Error.model_validate_json(response.content)
    except ValidationError:
        reason = f"HTTP {response.status}"
        if response.status >= SERVER_ERROR:
            raise IngressUnavailable(reason, connected=False) from None
        raise NotAMesh(reason) from None
    if error.source == SOURCE_HANDLER:
        raise HandlerFailed(response.status, error.message)
    if response.status == NOT_READY:
        raise NotReady(error.message)
    if error.message == INVOCATION_NOT_FOUND:
        raise InvocationUnknown(error.message)
    if response.status >= SERVER_ERROR or response.status == TOO_MANY_REQUESTS:
        raise IngressUnavailable(error.message)
    raise NotAMesh(error.message)


def idempotency_header(key: str) -> dict[str, str]:
    """Return the header that makes a request with this key run once; no header without a key."""
    return {"idempotency-key": key} if key else {}


def session_path(session_id: str, handler: str) -> str:
    """Return the path of a session's handler."""
    return f"/{SESSION}/{quote(session_id, safe='')}/{handler}"
