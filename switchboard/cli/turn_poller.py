"""Reads a turn from Restate's tables. This never delays or fails the turn."""

import asyncio
from datetime import timedelta

from switchboard.local.restate_server import Admin
from switchboard.session.turn_trace import Span, read_turn

POLL_TIMEOUT = timedelta(seconds=2)


class TurnPoller:
    """Reads one turn from Restate's tables."""

    def __init__(self, admin: Admin, root_id: str) -> None:
        self._admin = admin
        self._root_id = root_id
        self._ids = {root_id}

    async def poll(self) -> Span | None:
        """Return the current state of the turn, or None if it has no row yet."""
        async with asyncio.timeout(POLL_TIMEOUT.total_seconds()):
            return await read_turn(self._admin.query, self._root_id, self._ids)
