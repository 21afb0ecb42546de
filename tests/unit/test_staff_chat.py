"""The chat of `switchboard take-over` follows the events of its session, against a server that plays the gateway."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from switchboard.cli import take_over
from switchboard.cli.take_over import StaffChat, watch
from switchboard.events import SEQ_MAX
from switchboard.staff_api import StaffApi

AT = "2026-03-01T12:00:00Z"


class Session:
    """A session of which turns are added, and the requests that were made for it."""

    def __init__(self, streams: bool = True) -> None:
        self.turns = [self.turn("hello")]
        self.streams = streams
        self.added = asyncio.Event()
        self.transcripts = 0
        self.afters: list[str] = []

    def turn(self, text: str, **more: str) -> dict[str, object]:
        number = len(self.turns) + 1 if hasattr(self, "turns") else 1
        messages = [{"kind": "user", "text": text}]
        return {"turn": number, "at": AT, "agents": [], "messages": messages, "reply": "", **more}

    def add(self, text: str, **more: str) -> None:
        self.turns.append(self.turn(text, **more))
        self.added.set()

    async def transcript(self, request: web.Request) -> web.Response:
        self.transcripts += 1
        turns = self.turns[int(request.query["after"]) :]
        return web.json_response({"turns": turns, "turns_total": len(self.turns), "last": len(self.turns)})

    async def events(self, request: web.Request) -> web.StreamResponse:
        self.afters.append(request.headers["last-event-id"])
        if not self.streams:
            return web.json_response({"status": 429, "code": "too_many_viewers", "detail": "No."}, status=429)
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        seen = int(self.afters[-1].partition(".")[0])
        while True:
            for turn in self.turns[seen:]:
                seen += 1
                for seq, kind in ((1, "turn_started"), (SEQ_MAX, "reply")):
                    data = json.dumps({"turn": turn["turn"], "seq": seq, "at": AT, "text": ""})
                    await response.write(f"event: {kind}\nid: {turn['turn']}.{seq}\ndata: {data}\n\n".encode())
            self.added.clear()
            await self.added.wait()


@asynccontextmanager
async def chatting(session: Session) -> AsyncIterator[StaffChat]:
    app = web.Application()
    app.router.add_get("/v1/staff/sessions/s-1/transcript", session.transcript)
    app.router.add_get("/v1/staff/sessions/s-1/events", session.events)
    async with TestServer(app) as server, StaffApi(str(server.make_url("")).rstrip("/"), "token") as staff:
        chat = StaffChat(staff, "s-1", "alice", "sam")
        watching = asyncio.create_task(watch(chat))
        try:
            yield chat
        finally:
            watching.cancel()
            await asyncio.wait([watching])


async def shows(chat: StaffChat, turn: int) -> None:
    async with asyncio.timeout(60):
        while chat.seen < turn:
            await asyncio.sleep(0.01)


async def test_messages_are_shown_when_they_come_and_nothing_is_read_in_between(
    capsys: pytest.CaptureFixture[str],
) -> None:
    session = Session()
    async with chatting(session) as chat:
        await shows(chat, 1)
        while not session.afters:
            await asyncio.sleep(0.01)
        before = session.transcripts
        await asyncio.sleep(0.3)
        assert session.transcripts == before
        session.add("where is my card?")
        await shows(chat, 2)
        assert session.transcripts == before + 1
        session.add("", act="handed_back")
        await shows(chat, 3)
        assert chat.ended
    assert session.afters == [f"1.{SEQ_MAX}"]
    assert "where is my card?" in capsys.readouterr().out


async def test_messages_are_shown_although_the_gateway_refuses_the_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(take_over, "FOLLOW_PAUSE", timedelta(milliseconds=10))
    session = Session(streams=False)
    async with chatting(session) as chat:
        await shows(chat, 1)
        session.add("hello?")
        await shows(chat, 2)
