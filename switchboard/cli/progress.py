"""Shows a turn while it runs: looks at Restate's tables and draws. It never delays a turn, and never fails one."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta

import aiohttp
from pydantic import ValidationError
from rich.console import Console
from rich.live import Live
from rich.text import Text

from switchboard.cli.console import on_terminal, width
from switchboard.cli.timeline import timeline
from switchboard.cli.trace import ENTRY_TYPES, InvocationRow, JournalRow, Span, build, called, columns
from switchboard.local.restate_server import Admin, AdminError

LOOK_INTERVAL = timedelta(milliseconds=100)
LOOK_TIMEOUT = timedelta(seconds=2)
LAST_LOOK_TIMEOUT = timedelta(milliseconds=300)
"""For the picture that stays when the reply is there; without it, the one before stays."""

MARGIN_COLUMNS = 4
"""Room for the ^C that a terminal writes behind the drawing; a line that it breaks would be left behind."""

WAITS = "Waits for the message before it: a session answers one after the other."

DEPTH_MAX = 8
INVOCATIONS_MAX = 200

# Why a look may come to nothing: the admin API is out of reach, slow, or says something that we do not know. The turn
# goes on all the same, and so do we.
NO_LOOK = (AdminError, aiohttp.ClientError, TimeoutError, ValidationError)


class Watch:
    """One turn under observation. It follows the ids from journal to journal: a look costs the same however much
    history a server has."""

    def __init__(self, admin: Admin, root_id: str) -> None:
        self._admin = admin
        self._root_id = root_id
        self._ids = {root_id}

    async def look(self) -> Span | None:
        """The turn as it stands; None when there is nothing to see yet. Raises what is in NO_LOOK."""
        async with asyncio.timeout(LOOK_TIMEOUT.total_seconds()):
            journal = await self._journal()
            rows = await self._admin.query(
                f"select {columns(InvocationRow)} from sys_invocation where id in ({quoted(self._ids)})"
            )
        return build(self._root_id, [InvocationRow.model_validate(row) for row in rows], journal)

    async def _journal(self) -> list[JournalRow]:
        """The journals of all that is known of the turn, and of what is found in them."""
        journal: list[JournalRow] = []
        new = set(self._ids)
        for _ in range(DEPTH_MAX):
            rows = await self._admin.query(
                f"select {columns(JournalRow)} from sys_journal where id in ({quoted(new)}) "
                f"and entry_type in ({quoted(ENTRY_TYPES)})"
            )
            journal += [JournalRow.model_validate(row) for row in rows]
            new = called(journal) - self._ids
            if not new or len(self._ids) + len(new) > INVOCATIONS_MAX:
                break
            self._ids |= new
        return journal


def quoted(names: Iterable[str]) -> str:
    """As SQL. They are our own, or ids as Restate makes them, and hold nothing that would have to be escaped."""
    return ", ".join(f"'{name}'" for name in sorted(names))


@asynccontextmanager
async def progress(admin: Admin, invocation_id: str, console: Console) -> AsyncIterator[None]:
    """Draw the turn on a terminal for as long as the block lasts; anywhere else do nothing."""
    if not on_terminal(console) or console.is_dumb_terminal:
        yield
        return
    watch = Watch(admin, invocation_id)
    with Live(console=console, auto_refresh=False) as live:
        looking = asyncio.create_task(keep_looking(watch, live))
        try:
            yield
            with suppress(*NO_LOOK):
                async with asyncio.timeout(LAST_LOOK_TIMEOUT.total_seconds()):
                    draw(live, await watch.look(), running=False)
        finally:
            looking.cancel()
    console.print()


async def keep_looking(watch: Watch, live: Live) -> None:
    """Until cancelled."""
    while live.is_started:
        with suppress(*NO_LOOK):
            draw(live, await watch.look(), running=True)
        await asyncio.sleep(LOOK_INTERVAL.total_seconds())


def draw(live: Live, turn: Span | None, running: bool) -> None:
    if turn is None:
        return
    if turn.state == "waiting":
        live.update(Text(WAITS, style="dim"), refresh=True)
    elif turn.children or turn.why:
        columns = width(live.console) - MARGIN_COLUMNS
        live.update(timeline(turn, datetime.now(UTC), columns, live=running), refresh=True)
