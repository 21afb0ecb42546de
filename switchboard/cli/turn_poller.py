"""Reads a turn from Restate's tables. This never delays or fails the turn."""

import asyncio
from collections.abc import Iterable
from datetime import timedelta

from switchboard.cli.trace import ENTRY_TYPES, InvocationRow, JournalRow, Span, build, called, columns
from switchboard.local.restate_server import Admin

POLL_TIMEOUT = timedelta(seconds=2)

DEPTH_MAX = 8
INVOCATIONS_MAX = 200


class TurnPoller:
    """Reads one turn from Restate's tables.

    It follows invocation ids from journal to journal, so the cost of a poll does not grow with the server's history.
    """

    def __init__(self, admin: Admin, root_id: str) -> None:
        self._admin = admin
        self._root_id = root_id
        self._ids = {root_id}

    async def poll(self) -> Span | None:
        """Return the current state of the turn, or None if it has no row yet."""
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
