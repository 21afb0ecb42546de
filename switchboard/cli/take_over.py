"""A chat of a staff member with a customer, in the agents' place: `switchboard take-over`."""

import asyncio
import contextlib
import sys
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import timedelta

from switchboard.builtin.cases.contract import Case
from switchboard.cli.console import err, note, out
from switchboard.cli.staff import StaffDesk
from switchboard.cli.transcript import show
from switchboard.client import MeshError
from switchboard.events import SEQ_MAX, Numbered
from switchboard.session.contract import SessionStatus, TurnRecord
from switchboard.session.staff_contract import StaffTurn
from switchboard.staff_api import StaffApi

# Importing readline gives input() line editing and a history. Some platforms lack it; the chat works without it.
with contextlib.suppress(ImportError):
    import readline  # noqa: F401

HELP = "/note TEXT  /back TEXT  /quit"
SHOWN_TURNS = 10
"""Turns of the conversation that are shown at the beginning."""

FOLLOW_PAUSE = timedelta(seconds=3)
"""Pause before the events are followed again, after the gateway has refused that or was away for long."""

ENDED = "The conversation went back to the agents because the customer had waited too long."
GIVEN_AWAY = "{by} has taken the conversation over from you."
STILL_YOURS = "The conversation is still yours. Hand it back with `switchboard take-over {session}` and /back."


@dataclass
class StaffChat:
    """One staff member's chat in one session. `seen` is the last turn that is shown."""

    staff: StaffApi
    session: str
    customer: str = ""
    by: str = ""
    seen: int = 0
    ended: bool = False
    showing: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def begin(self, taken_from: str) -> None:
        """Take the session over and show the end of its conversation. Raises MeshError."""
        turn = await self._act("take-over", **{"from": taken_from})
        assert turn.staff is not None
        self.by = turn.staff.by
        status = await self.staff.get(SessionStatus, "sessions", self.session, "status")
        self.customer = status.customer_id
        self.seen = max(status.turns_total - SHOWN_TURNS, 0)
        note(f"You answer {self.customer} in session {self.session} · {HELP}")
        await self.show_new()

    async def show_new(self) -> None:
        """Show the turns that were not shown yet, and notice the end of the take-over."""
        # Reading a line and watching show turns at the same time.
        async with self.showing:
            turns = await self.staff.turns(self.session, self.seen)
            self.seen = turns[-1].turn if turns else self.seen
            show(turns, self.customer, out)
            self.notice_end(turns)

    def notice_end(self, turns: Sequence[TurnRecord]) -> None:
        for turn in turns:
            if turn.act == "handed_back":
                self.ended = True
                if not turn.by:
                    note(ENDED)
            elif turn.act == "taken_over":
                self.ended = turn.by != self.by
                if self.ended:
                    note(GIVEN_AWAY.format(by=turn.by))

    async def run_line(self, line: str) -> None:
        """Write a line to the customer, or carry out a command. Raises MeshError."""
        command, _, text = line.partition(" ")
        match command:
            case "/back":
                await self._act("hand-back", note=text.strip())
            case "/note":
                await self._act("notes", text=text.strip())
            case _ if line.startswith("/"):
                note(HELP)
            case _:
                await self._act("messages", text=line)
        await self.show_new()

    async def _act(self, path: str, **body: object) -> StaffTurn:
        return await self.staff.post(StaffTurn, "sessions", self.session, path, **body)


async def take_over(desk: StaffDesk, session: str, case_id: str, taken_from: str) -> None:
    """Chat until the conversation is handed back, /quit, or the end of the input. Raises MeshError before that."""
    async with desk.api() as staff:
        if case_id:
            session = (await staff.get(Case, "cases", case_id)).session_id
        chat = StaffChat(staff, session)
        await chat.begin(taken_from)
        watching = asyncio.create_task(watch(chat)) if sys.stdin.isatty() else None
        try:
            await answer_lines(chat)
        finally:
            if watching is not None:
                watching.cancel()
        if not chat.ended:
            note(STILL_YOURS.format(session=session))


async def answer_lines(chat: StaffChat) -> None:
    """Carry out each line of the input. An error does not end the chat."""
    while not chat.ended:
        line = await asyncio.to_thread(read_line)
        if line is None or line == "/quit":
            return
        if line:
            try:
                await chat.run_line(line)
            except MeshError as problem:
                err.print(str(problem), style="red", markup=False, highlight=False)


async def watch(chat: StaffChat) -> None:
    """Show new messages of the customer while the staff member writes."""
    while not chat.ended:
        with contextlib.suppress(MeshError):
            await follow(chat)
        await asyncio.sleep(FOLLOW_PAUSE.total_seconds())


async def follow(chat: StaffChat) -> None:
    """Show each turn when the gateway says that it has ended. Raises MeshError if the gateway does not say that."""
    await chat.show_new()
    async with aclosing(chat.staff.events(chat.session, f"{chat.seen}.{SEQ_MAX}")) as events:
        async for event in events:
            if isinstance(event, Numbered) and event.seq == SEQ_MAX:
                await chat.show_new()
            if chat.ended:
                return


def read_line() -> str | None:
    """Return the typed line, or None at the end of the input."""
    try:
        return input().strip()
    except EOFError:
        return None
