"""The gateway's client of Restate's ingress: what is sent there is taken once, over broken connections and restarts."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import quote

import aiohttp
from pydantic import BaseModel, ValidationError
from yarl import URL

from switchboard.gateway.metrics import RECONNECTS
from switchboard.gateway.spans import trace_headers
from switchboard.messages import Wire
from switchboard.session.contract import SESSION, ClaimedKey

CONNECT_TIMEOUT = timedelta(seconds=2)
TAKEN_WITHIN = timedelta(seconds=5)
"""For handing a message in, with everything that is tried again meanwhile."""

ANSWERED_WITHIN = timedelta(seconds=10)
"""For what answers at once, also while a turn runs."""

READY_WITHIN = timedelta(seconds=2)

ATTACHED_FOR = timedelta(seconds=60)
"""Then a reply is asked for anew: a connection to a machine that is lost would else be waited on to the end."""

PAUSE = timedelta(milliseconds=250)
AWAY_MAX = 120
"""Pauses in a row: half a minute, in which a Restate server is back from a restart."""

HANDLERS_OWN = "invocation"
"""What Restate calls the source of an error that a handler raised."""

PREVIOUSLY_ACCEPTED = "PreviouslyAccepted"
"""What Restate says of a key that it knows."""

TOO_MANY_REQUESTS = 429
SERVER_ERROR = 500


class RestateAway(Exception):
    """Nobody answers at the ingress. Whether a message was taken is not known, unless the id of its invocation is."""


class NoMesh(Exception):
    """Restate answers, and has no sessions: they are not deployed, or the address is another's."""


class Refused(Exception):
    """A handler said no, in a sentence for the customer, or broke off with a status of 500 and more."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


@dataclass(frozen=True)
class Submitted:
    """A message that Restate has: the id of its invocation, and whether it had it before."""

    invocation_id: str
    before: bool


class _Broken(Exception):
    """The connection broke, or the server is just coming up: the same may be sent again."""


class _Accepted(BaseModel):
    """Restate's answer to a message that it has taken."""

    invocationId: str  # noqa: N815  # Restate's name for it
    status: str = ""


class _Refusal(BaseModel):
    """Restate's answer when it, or a handler, says no."""

    message: str
    source: str = ""


class Ingress:
    """The sessions behind one Restate ingress."""

    def __init__(self, url: str, http: aiohttp.ClientSession) -> None:
        self._url = url.rstrip("/")
        self._http = http

    async def claim(self, session_id: str, key: ClaimedKey, idempotency_key: str) -> bool:
        """Whether the key is for this request alone; False when it was claimed for another one before."""
        content = await self._insist(session_path(session_id, "claim"), key, TAKEN_WITHIN, idempotency_key)
        try:
            return ClaimedKey.model_validate_json(content) == key
        except ValidationError as error:
            raise NoMesh from error

    async def submit(self, session_id: str, handler: str, request: Wire, idempotency_key: str) -> Submitted:
        """Hand a message in. The same key again is the same message, not a second one."""
        path = f"{session_path(session_id, handler)}/send"
        content = await self._insist(path, request, TAKEN_WITHIN, idempotency_key)
        try:
            accepted = _Accepted.model_validate_json(content)
        except ValidationError as error:
            raise NoMesh from error
        return Submitted(accepted.invocationId, accepted.status == PREVIOUSLY_ACCEPTED)

    async def call(self, session_id: str, handler: str, request: Wire, idempotency_key: str = "") -> bytes:
        """What a handler answers at once, as JSON. Without a key it may be asked twice."""
        return await self._insist(session_path(session_id, handler), request, ANSWERED_WITHIN, idempotency_key)

    async def reply(self, invocation_id: str) -> bytes:
        """Wait for what a message that was handed in leads to, as JSON. The caller sets the time-out."""
        path = f"/restate/invocation/{quote(invocation_id, safe='')}/attach"
        away = 0
        while away < AWAY_MAX:
            try:
                async with asyncio.timeout(ATTACHED_FOR.total_seconds()):
                    return await self._request("GET", path)
            except TimeoutError:
                away = 0
            except _Broken:
                away += 1
                RECONNECTS.inc()
                await asyncio.sleep(PAUSE.total_seconds())
        raise RestateAway

    async def answers(self) -> bool:
        """Whether somebody answers at the ingress."""
        try:
            async with asyncio.timeout(READY_WITHIN.total_seconds()):
                await self._request("GET", "/restate/health")
        except (_Broken, NoMesh, Refused, TimeoutError):
            return False
        return True

    async def _insist(self, path: str, request: Wire, within: timedelta, idempotency_key: str) -> bytes:
        """Send what may be sent twice until it is answered, or the time is up.

        A Restate that has just come back knows no services for a moment: that is waited for as well.
        """
        body = request.model_dump_json().encode()
        headers = {"idempotency-key": idempotency_key} if idempotency_key else {}
        last: Exception = RestateAway()
        try:
            async with asyncio.timeout(within.total_seconds()):
                for _ in range(AWAY_MAX):
                    try:
                        return await self._request("POST", path, body, headers)
                    except (_Broken, NoMesh) as error:
                        last = error if isinstance(error, NoMesh) else RestateAway()
                        RECONNECTS.inc()
                        await asyncio.sleep(PAUSE.total_seconds())
        except TimeoutError as error:
            raise last from error
        raise last

    async def _request(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> bytes:
        sent = {"content-type": "application/json", **trace_headers(), **(headers or {})} if body else {}
        url = URL(self._url + path, encoded=True)
        try:
            async with self._http.request(method, url, data=body, headers=sent) as response:
                content = await response.read()
                status = response.status
        except (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError) as error:
            raise _Broken from error
        if status < 300:
            return content
        raise refusal(status, content)


def refusal(status: int, content: bytes) -> Exception:
    """Who said no."""
    try:
        said = _Refusal.model_validate_json(content)
    except ValidationError:
        return _Broken() if status >= SERVER_ERROR else NoMesh()
    if said.source == HANDLERS_OWN:
        return Refused(status, said.message)
    return _Broken() if status >= SERVER_ERROR or status == TOO_MANY_REQUESTS else NoMesh()


def session_path(session_id: str, handler: str) -> str:
    return f"/{SESSION}/{quote(session_id, safe='')}/{handler}"
