"""Client of the staff's HTTP API at the gateway. Its methods raise the errors of `switchboard.client`."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from types import TracebackType
from typing import Self, TypeVar
from urllib.parse import quote
from uuid import uuid4

import aiohttp
from pydantic import BaseModel, ValidationError

from switchboard.client import MeshUnavailable, Refused, TurnLost
from switchboard.retry import RetryPolicy, retry

CONNECT_TIMEOUT = timedelta(seconds=3)
REQUEST_TIMEOUT = timedelta(seconds=40)
"""Timeout of one attempt. Longer than the gateway waits for the mesh."""

RETRIES = RetryPolicy(pause=timedelta(milliseconds=500), attempts_max=5)

SERVER_ERROR = 500
UNAVAILABLE = (502, 503, 504)
"""Statuses after which the same request, with its key, is sent again."""

Answer = TypeVar("Answer", bound=BaseModel)


class _Unavailable(Exception):
    """The gateway did not answer, or answered that it cannot at the moment."""


class _Problem(BaseModel):
    """The fields that we use of a problem (RFC 9457)."""

    detail: str


class StaffApi:
    """The staff's API with one staff member's token. An async context manager."""

    def __init__(self, gateway_url: str, token: str) -> None:
        self.url = gateway_url.rstrip("/")
        self._headers = {"authorization": f"Bearer {token}"}

    async def __aenter__(self) -> Self:
        timeout = aiohttp.ClientTimeout(
            total=REQUEST_TIMEOUT.total_seconds(), sock_connect=CONNECT_TIMEOUT.total_seconds()
        )
        self._http = aiohttp.ClientSession(timeout=timeout, headers=self._headers)
        return self

    async def __aexit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        await self._http.close()

    async def get(self, answer: type[Answer], *path: str, **query: int) -> Answer:
        """Read `/v1/staff/…`; the parts of the path are quoted."""
        return await self._request("GET", path, answer, params=query)

    async def post(self, answer: type[Answer], *path: str, **body: object) -> Answer:
        """Send a request that acts once, also when it has to be sent again."""
        return await self._request("POST", path, answer, body, {"idempotency-key": uuid4().hex})

    async def _request(
        self,
        method: str,
        path: tuple[str, ...],
        answer: type[Answer],
        body: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, int] | None = None,
    ) -> Answer:
        url = "/".join((f"{self.url}/v1/staff", *(quote(part, safe="") for part in path)))

        async def attempt() -> tuple[int, bytes]:
            try:
                async with self._http.request(method, url, json=body, headers=headers, params=params) as response:
                    content = await response.read()
            except (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError, TimeoutError) as error:
                raise _Unavailable(str(error) or type(error).__name__) from error
            if response.status in UNAVAILABLE:
                raise _Unavailable(detail_of(content, response.status))
            return response.status, content

        with self._sentences():
            status, content = await retry(attempt, RETRIES, (_Unavailable,))
            if status >= SERVER_ERROR:
                raise TurnLost(detail_of(content, status))
            if status >= 300:
                raise Refused(detail_of(content, status), status)
            return answer.model_validate_json(content)

    @contextmanager
    def _sentences(self) -> Iterator[None]:
        try:
            yield
        except _Unavailable as error:
            raise MeshUnavailable(
                f"The gateway at {self.url} is unavailable ({error}). Is `switchboard up` running, or is"
                " SWITCHBOARD_GATEWAY_URL wrong?"
            ) from error
        except ValidationError as error:
            raise MeshUnavailable(
                f"The server at {self.url} is not a gateway of this version. Is the address right?"
            ) from error
        except (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError) as error:
            raise Refused(f"{self.url!r} is not an address; give one such as http://127.0.0.1:8000.") from error


def detail_of(content: bytes, status: int) -> str:
    """Return the sentence of an error response."""
    try:
        return _Problem.model_validate_json(content).detail
    except ValidationError:
        return f"the server answered HTTP {status}"
