"""Draws a turn while it runs, by polling Restate's tables. Polling never delays or fails the turn."""

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

POLL_INTERVAL = timedelta(milliseconds=100)
POLL_TIMEOUT = timedelta(seconds=2)
FINAL_POLL_TIMEOUT = timedelta(milliseconds=300)
"""Timeout for the last drawing, which stays on screen after the reply. If it fails, the previous drawing stays."""

MARGIN_COLUMNS = 4
"""Columns kept free for the ^C that a terminal echoes after the drawing. A wrapped line could not be erased."""

WAITING = "Waiting for the previous message: a session answers one message at a time."

DEPTH_MAX = 8
INVOCATIONS_MAX = 200

# Errors of a poll that we ignore: the admin API is unreachable or slow, or its answer has an unknown form.
POLL_ERRORS = (AdminError, aiohttp.ClientError, TimeoutError, ValidationError)


class TurnPoller:
    """Reads one turn from Restate's tables.

    It follows invocation ids from journal to journal, so the cost of a poll does not grow with the server's history.
    """

    def __init__(self, admin: Admin, root_id: str) -> None:
        self._admin = admin
        self._root_id = root_id
        self._ids = {root_id}

    async def poll(self) -> Span | None:
        """Return the current state of the turn, or None if it has no row yet. Raises one of POLL_ERRORS."""
        async with asyncio.timeout(POLL_TIMEOUT.total_seconds()):
            journal = await self._journal()
            rows = await self._admin.query(
                f"select {columns(InvocationRow)} from sys_invocation where id in ({quoted(self._ids)})"
            )
        return build(self._root_id, [InvocationRow.model_validate(row) for row in rows], journal)

    async def _journal(self) -> list[JournalRow]:
        """Return the journals of the turn's known invocations and of those that they call."""
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
    """Return the names as an SQL list. They are our constants or Restate's ids, which need no escaping."""
    return ", ".join(f"'{name}'" for name in sorted(names))


@asynccontextmanager
async def progress(admin: Admin, invocation_id: str, console: Console) -> AsyncIterator[None]:
    """Draw the turn while the block runs. Do nothing if the console is not a terminal."""
    if not on_terminal(console) or console.is_dumb_terminal:
        yield
        return
    poller = TurnPoller(admin, invocation_id)
    with Live(console=console, auto_refresh=False) as live:
        polling = asyncio.create_task(redraw_until_cancelled(poller, live))
        try:
            yield
            with suppress(*POLL_ERRORS):
                async with asyncio.timeout(FINAL_POLL_TIMEOUT.total_seconds()):
                    draw(live, await poller.poll(), running=False)
        finally:
            polling.cancel()
    console.print()


async def redraw_until_cancelled(poller: TurnPoller, live: Live) -> None:
    while live.is_started:
        with suppress(*POLL_ERRORS):
            draw(live, await poller.poll(), running=True)
        await asyncio.sleep(POLL_INTERVAL.total_seconds())


def draw(live: Live, turn: Span | None, running: bool) -> None:
    if turn is None:
        return
    if turn.state == "waiting":
        live.update(Text(WAITING, style="dim"), refresh=True)
    elif turn.children or turn.why:
        columns = width(live.console) - MARGIN_COLUMNS
        live.update(timeline(turn, datetime.now(UTC), columns, live=running), refresh=True)
