"""Client of a mesh, over the gateway's HTTP API: sends messages, and shows what happens until the reply.

    async with AsyncClient("https://agents.example.com", token) as mesh:
        session = await mesh.new_session()
        async for event in mesh.stream(session, "how much is my balance?"):
            ...
        reply = await mesh.send(session, "thank you")

`Client` has the same methods for programs without asyncio. Every message has an idempotency key: when the connection
breaks, the client sends it again with the same key, so it acts once. The methods raise:

MeshError            the message is one sentence for a person, with what to do
├─ MeshUnavailable  no mesh answers at the address, or the mesh did not answer in time
├─ TurnLost         the mesh accepted the message, but it failed or its reply did not come in time
└─ Refused          the mesh rejected the request; the same request will be rejected again
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import quote
from uuid import uuid4

from pydantic import BaseModel

from switchboard.events import (
    AgentStarted,
    Delta,
    HandedBack,
    HandedOff,
    MessageReceived,
    ModelStep,
    Numbered,
    Reset,
    Shown,
    TakenOver,
    ToolFinished,
    ToolReturned,
    ToolStarted,
    TurnFinished,
    TurnStarted,
)
from switchboard.session.contract import Interruption, SendReply, SessionStatus, TurnRecord
from switchboard.transport import (
    MeshError,
    MeshUnavailable,
    Refused,
    Replied,
    Token,
    Transport,
    TurnLost,
)

__all__ = [
    "AgentStarted",
    "AsyncClient",
    "Client",
    "Delta",
    "HandedBack",
    "HandedOff",
    "LiveText",
    "MeshError",
    "MeshUnavailable",
    "MessageReceived",
    "ModelStep",
    "Numbered",
    "Refused",
    "Replied",
    "Reset",
    "Shown",
    "TakenOver",
    "ToolFinished",
    "ToolReturned",
    "ToolStarted",
    "TurnFinished",
    "TurnLost",
    "TurnStarted",
]

Result = TypeVar("Result")


@dataclass
class LiveText:
    """The text that a model writes at the moment, put together from its deltas; empty once it is complete or void.

    A gap means that deltas were lost. Then the text stays as it is until the event with the whole text arrives.
    """

    text: str = ""
    _writer: str = field(default="", repr=False)

    def take(self, event: Shown) -> None:
        """Change the text as the event says."""
        match event:
            case Delta(offset=0, text=text, writer=writer):
                self.text, self._writer = text, writer
            case Delta(offset=offset, text=text, writer=writer):
                if writer == self._writer and offset == len(self.text):
                    self.text += text
            case Reset(writer=writer) if writer == self._writer:
                self.text = ""
            case Numbered():
                self.text, self._writer = "", ""
            case _:
                pass


class _NewSession(BaseModel):
    session_id: str


class AsyncClient:
    """One customer's client of a mesh. An async context manager; its methods raise MeshError.

    `url` is the gateway's address, and `token` says who the customer is. `notify` receives a sentence when the
    connection breaks and the client waits for the mesh to come back. Without `wait_for_mesh`, the client raises
    MeshUnavailable at once if no gateway answers its first request, for people who may have mistyped the address.
    """

    def __init__(
        self, url: str, token: Token, notify: Callable[[str], None] = lambda _: None, wait_for_mesh: bool = True
    ) -> None:
        self._transport = Transport(url, token, notify, wait_for_mesh)

    async def __aenter__(self) -> Self:
        await self._transport.open()
        return self

    async def __aexit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        await self._transport.close()

    async def new_session(self) -> str:
        """Return the id of a new session. Its first message starts it."""
        return (await self._transport.request("POST", "/v1/sessions", _NewSession, {})).session_id

    async def send(
        self, session_id: str, text: str, *, interrupt: bool = False, seen: int | None = None, key: str = ""
    ) -> SendReply:
        """Send a message and return the reply.

        `interrupt` stops the running turn instead of waiting for it. `seen` is the last turn that the customer had
        seen. With the `key` of an earlier call, the message is not sent a second time: its reply is returned.
        """
        return await self._sent(session_id, "messages", message(text, interrupt, seen), key)

    async def confirm(self, session_id: str, held_id: str, *, key: str = "") -> SendReply:
        """Say yes to the question with this id, which is in the `confirmation` of a reply."""
        return await self._sent(session_id, "confirm", {"held_id": held_id}, key)

    async def decline(self, session_id: str, held_id: str, *, key: str = "") -> SendReply:
        """Say no to the question with this id."""
        return await self._sent(session_id, "decline", {"held_id": held_id}, key)

    def stream(
        self, session_id: str, text: str, *, interrupt: bool = False, seen: int | None = None, key: str = ""
    ) -> AsyncIterator[Shown | Replied]:
        """Send a message and yield what happens until the reply; the last event is `Replied`.

        The caller may stop at any time: the turn goes on, and the same `key` gets its reply later.
        """
        return self._streamed(session_id, "messages", message(text, interrupt, seen), key)

    def stream_confirm(self, session_id: str, held_id: str, *, key: str = "") -> AsyncIterator[Shown | Replied]:
        """Say yes to a question, and yield what happens until the reply."""
        return self._streamed(session_id, "confirm", {"held_id": held_id}, key)

    def stream_decline(self, session_id: str, held_id: str, *, key: str = "") -> AsyncIterator[Shown | Replied]:
        """Say no to a question, and yield what happens until the reply."""
        return self._streamed(session_id, "decline", {"held_id": held_id}, key)

    def events(self, session_id: str, after: str = "") -> AsyncIterator[Shown]:
        """Yield a session's events as they happen, without end; also those of other devices and of staff.

        `after` is the id of the last event that was seen, `turn.seq`; without it, the events from now on.
        """
        return self._transport.shown(session_path(session_id, "events"), after)

    async def interrupt(self, session_id: str) -> bool:
        """Stop the running turn; return False if no turn is running."""
        # Without a key, a retry after a lost answer could stop the next turn as well.
        path = session_path(session_id, "interrupt")
        return (await self._transport.request("POST", path, Interruption, {}, uuid4().hex)).interrupted

    async def status(self, session_id: str) -> SessionStatus:
        """Return who answers, the running turn, the open question and the cost."""
        return await self._transport.request("GET", session_path(session_id, "status"), SessionStatus)

    async def turns(self, session_id: str, after: int = 0) -> list[TurnRecord]:
        """Return the transcript behind turn number `after`, oldest turn first."""
        return await self._transport.turns(session_path(session_id, "transcript"), after)

    async def _sent(self, session_id: str, action: str, body: Mapping[str, object], key: str) -> SendReply:
        path = session_path(session_id, action)
        return await self._transport.request("POST", path, SendReply, body, key or uuid4().hex, waits=True)

    def _streamed(
        self, session_id: str, action: str, body: Mapping[str, object], key: str
    ) -> AsyncIterator[Shown | Replied]:
        path = session_path(session_id, action)
        return self._transport.shown_until_reply(path, body, key or uuid4().hex)


class Client:
    """One customer's client of a mesh, for programs without asyncio. A context manager; its methods raise MeshError.

    Its methods are those of AsyncClient. It works in one thread at a time.
    """

    def __init__(
        self, url: str, token: Token, notify: Callable[[str], None] = lambda _: None, wait_for_mesh: bool = True
    ) -> None:
        self._client = AsyncClient(url, token, notify, wait_for_mesh)
        self._runner = asyncio.Runner()

    def __enter__(self) -> Self:
        self._runner.run(self._client.__aenter__())
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        try:
            self._runner.run(self._client.__aexit__())
        finally:
            self._runner.close()

    def new_session(self) -> str:
        """Return the id of a new session."""
        return self._runner.run(self._client.new_session())

    def send(
        self, session_id: str, text: str, *, interrupt: bool = False, seen: int | None = None, key: str = ""
    ) -> SendReply:
        """Send a message and return the reply."""
        return self._runner.run(self._client.send(session_id, text, interrupt=interrupt, seen=seen, key=key))

    def confirm(self, session_id: str, held_id: str, *, key: str = "") -> SendReply:
        """Say yes to a question."""
        return self._runner.run(self._client.confirm(session_id, held_id, key=key))

    def decline(self, session_id: str, held_id: str, *, key: str = "") -> SendReply:
        """Say no to a question."""
        return self._runner.run(self._client.decline(session_id, held_id, key=key))

    def stream(
        self, session_id: str, text: str, *, interrupt: bool = False, seen: int | None = None, key: str = ""
    ) -> Iterator[Shown | Replied]:
        """Send a message and yield what happens until the reply; the last event is `Replied`."""
        return self._each(self._client.stream(session_id, text, interrupt=interrupt, seen=seen, key=key))

    def stream_confirm(self, session_id: str, held_id: str, *, key: str = "") -> Iterator[Shown | Replied]:
        """Say yes to a question, and yield what happens until the reply."""
        return self._each(self._client.stream_confirm(session_id, held_id, key=key))

    def stream_decline(self, session_id: str, held_id: str, *, key: str = "") -> Iterator[Shown | Replied]:
        """Say no to a question, and yield what happens until the reply."""
        return self._each(self._client.stream_decline(session_id, held_id, key=key))

    def events(self, session_id: str, after: str = "") -> Iterator[Shown]:
        """Yield a session's events as they happen, without end."""
        return self._each(self._client.events(session_id, after))

    def interrupt(self, session_id: str) -> bool:
        """Stop the running turn; return False if no turn is running."""
        return self._runner.run(self._client.interrupt(session_id))

    def status(self, session_id: str) -> SessionStatus:
        """Return who answers, the running turn, the open question and the cost."""
        return self._runner.run(self._client.status(session_id))

    def turns(self, session_id: str, after: int = 0) -> list[TurnRecord]:
        """Return the transcript behind turn number `after`, oldest turn first."""
        return self._runner.run(self._client.turns(session_id, after))

    def _each(self, events: AsyncIterator[Result]) -> Iterator[Result]:
        async def following() -> tuple[Result, ...]:
            try:
                return (await anext(events),)
            except StopAsyncIteration:
                return ()

        try:
            while event := self._runner.run(following()):
                yield event[0]
        finally:
            self._runner.run(closed(events))


async def closed(events: AsyncIterator[Any]) -> None:
    if isinstance(events, AsyncGenerator):
        await events.aclose()


def message(text: str, interrupt: bool, seen: int | None) -> dict[str, object]:
    body: dict[str, object] = {"text": text}
    if interrupt:
        body["interrupt"] = True
    if seen is not None:
        body["seen"] = seen
    return body


def session_path(session_id: str, action: str) -> str:
    return f"/v1/sessions/{quote(session_id, safe='')}/{action}"
