"""Client of the staff's HTTP API at the gateway. Its methods raise the errors of `switchboard.client`."""

from collections.abc import AsyncGenerator
from types import TracebackType
from typing import Self, TypeVar
from urllib.parse import quote
from uuid import uuid4

from pydantic import BaseModel

from switchboard.events import Shown
from switchboard.session.contract import TurnRecord
from switchboard.transport import Transport

Answer = TypeVar("Answer", bound=BaseModel)


class StaffApi:
    """The staff's API with one staff member's token. An async context manager."""

    def __init__(self, gateway_url: str, token: str) -> None:
        self._transport = Transport(gateway_url, token)

    async def __aenter__(self) -> Self:
        await self._transport.open()
        return self

    async def __aexit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        await self._transport.close()

    async def get(self, answer: type[Answer], *path: str, **query: int | str) -> Answer:
        """Read `/v1/staff/…`; the parts of the path are quoted."""
        return await self._transport.request("GET", staff_path(path), answer, params=query)

    async def turns(self, session_id: str, after: int = 0) -> list[TurnRecord]:
        """Return a session's transcript behind turn number `after`, oldest turn first."""
        return await self._transport.turns(staff_path(("sessions", session_id, "transcript")), after)

    def events(self, session_id: str, after: str) -> AsyncGenerator[Shown, None]:
        """Yield a session's events behind the event with this id, as they happen, without end."""
        return self._transport.shown(staff_path(("sessions", session_id, "events")), after)

    async def post(self, answer: type[Answer], *path: str, **body: object) -> Answer:
        """Send a request that acts once, also when it has to be sent again."""
        return await self._transport.request("POST", staff_path(path), answer, body, uuid4().hex)


def staff_path(parts: tuple[str, ...]) -> str:
    return "/".join(("/v1/staff", *(quote(part, safe="") for part in parts)))
