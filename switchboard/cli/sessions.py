"""Lists the conversations of a mesh from outside: the sessions' own state, read through Restate's SQL."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import aiohttp
from pydantic import BaseModel
from rich.console import Console
from rich.table import Table
from rich.text import Text

from switchboard.client import MeshUnavailable
from switchboard.local.restate_server import Admin, AdminError
from switchboard.session.contract import SESSION

SHOWN_MAX = 200
ROWS_MAX = 2_000
"""A mesh may hold many more sessions; of those that are read, the ones that run or wait are shown first."""

QUERY = """
SELECT service_key, key, value_utf8 FROM state
WHERE service_name = '{service}' AND key IN ('head', 'running') ORDER BY service_key LIMIT {rows}
"""


class _HeldCall(BaseModel):
    question: str


class _Held(BaseModel):
    calls: tuple[_HeldCall, ...]
    expires_at: datetime


class _Head(BaseModel):
    """The part of a session's head that is shown."""

    customer_id: str
    active: str
    turns_total: int
    held: _Held | None = None


class _Running(BaseModel):
    """The part of a running message that is shown. A session has no head before its first message is answered."""

    customer_id: str
    since: datetime


@dataclass(frozen=True)
class Seen:
    """One session, as seen from outside."""

    session_id: str
    customer_id: str
    active: str
    turns_total: int
    running_since: datetime | None
    asked: tuple[str, ...]
    """What the customer is asked to confirm, and may still."""


async def all_sessions(admin: Admin) -> list[Seen]:
    """The sessions; those that run come first, then those that wait for a yes. Raises MeshUnavailable."""
    try:
        rows = await admin.query(QUERY.format(service=SESSION, rows=ROWS_MAX))
    except (AdminError, aiohttp.ClientError) as error:
        raise MeshUnavailable(f"No mesh answers at {admin.url} ({error}); start one with `switchboard up`.") from error
    return read_sessions(rows, datetime.now(UTC))


def read_sessions(rows: Sequence[dict[str, Any]], now: datetime) -> list[Seen]:
    """From the rows of the state table."""
    states: dict[str, dict[str, str]] = {}
    for row in rows:
        states.setdefault(row["service_key"], {})[row["key"]] = row["value_utf8"]
    seen = [read_session(session_id, state, now) for session_id, state in states.items()]
    return sorted(seen, key=lambda session: (session.running_since is None, not session.asked, session.session_id))


def read_session(session_id: str, state: dict[str, str], now: datetime) -> Seen:
    running = _Running.model_validate_json(state["running"]) if "running" in state else None
    head = _Head.model_validate_json(state["head"]) if "head" in state else None
    held = head.held if head and head.held and head.held.expires_at > now else None
    return Seen(
        session_id=session_id,
        customer_id=head.customer_id if head else running.customer_id if running else "",
        active=head.active if head else "",
        turns_total=head.turns_total if head else 0,
        running_since=running.since if running else None,
        asked=tuple(call.question for call in held.calls) if held else (),
    )


def show(sessions: Sequence[Seen], console: Console) -> None:
    if not sessions:
        console.print("There are no sessions.", style="dim")
        return
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    for column in ("session", "customer", "agent", "turns", "now"):
        table.add_column(column, justify="right" if column == "turns" else "left", overflow="fold")
    for session in sessions[:SHOWN_MAX]:
        names = (session.session_id, session.customer_id, session.active, str(session.turns_total))
        table.add_row(*(Text(name) for name in names), doing(session))
    console.print(table)
    if len(sessions) > SHOWN_MAX:
        console.print(f"{SHOWN_MAX} of {len(sessions)} sessions are shown.", style="dim")


def doing(session: Seen) -> Text:
    """What goes on in a session just now."""
    if session.running_since:
        return Text(f"answers since {session.running_since.astimezone():%H:%M:%S}", style="green")
    if session.asked:
        return Text(f"waits for a yes: {' '.join(session.asked)}", style="yellow")
    return Text("")
