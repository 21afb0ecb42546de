"""Lists the sessions of a mesh, read from their state through Restate's SQL."""

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
"""Limit of state rows to read. A mesh may hold many more sessions; of those read, active ones are shown first."""

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
    """The fields of a session's head that we show."""

    customer_id: str
    active: str
    turns_total: int
    held: _Held | None = None
    expired_at: datetime | None = None


class _Running(BaseModel):
    """The fields of a running message that we show. Before its first reply, a session has no head."""

    customer_id: str
    since: datetime


@dataclass(frozen=True)
class SessionSummary:
    """One session, as the list shows it."""

    session_id: str
    customer_id: str
    active: str
    turns_total: int
    running_since: datetime | None
    questions: tuple[str, ...]
    """Questions of consent that wait for the customer's yes and have not expired."""

    expired_at: datetime | None = None


async def all_sessions(admin: Admin) -> list[SessionSummary]:
    """Return the sessions: running ones first, then those with a pending confirmation. Raises MeshUnavailable."""
    try:
        rows = await admin.query(QUERY.format(service=SESSION, rows=ROWS_MAX))
    except (AdminError, aiohttp.ClientError) as error:
        raise MeshUnavailable(f"Cannot reach Restate at {admin.url} ({error}). Is `switchboard up` running?") from error
    return read_sessions(rows, datetime.now(UTC))


def read_sessions(rows: Sequence[dict[str, Any]], now: datetime) -> list[SessionSummary]:
    """Build the sorted summaries from rows of Restate's state table."""
    states: dict[str, dict[str, str]] = {}
    for row in rows:
        states.setdefault(row["service_key"], {})[row["key"]] = row["value_utf8"]
    sessions = [read_session(session_id, state, now) for session_id, state in states.items()]
    return sorted(sessions, key=lambda one: (one.running_since is None, not one.questions, one.session_id))


def read_session(session_id: str, state: dict[str, str], now: datetime) -> SessionSummary:
    running = _Running.model_validate_json(state["running"]) if "running" in state else None
    head = _Head.model_validate_json(state["head"]) if "head" in state else None
    held = head.held if head and head.held and head.held.expires_at > now else None
    return SessionSummary(
        session_id=session_id,
        customer_id=head.customer_id if head else running.customer_id if running else "",
        active=head.active if head else "",
        turns_total=head.turns_total if head else 0,
        running_since=running.since if running else None,
        questions=tuple(call.question for call in held.calls) if held else (),
        expired_at=head.expired_at if head else None,
    )


def show(sessions: Sequence[SessionSummary], console: Console) -> None:
    if not sessions:
        console.print("No sessions.", style="dim")
        return
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    for column in ("session", "customer", "agent", "turns", "status"):
        table.add_column(column, justify="right" if column == "turns" else "left", overflow="fold")
    for session in sessions[:SHOWN_MAX]:
        names = (session.session_id, session.customer_id, session.active, str(session.turns_total))
        table.add_row(*(Text(name) for name in names), activity(session))
    console.print(table)
    if len(sessions) > SHOWN_MAX:
        console.print(f"{SHOWN_MAX} of {len(sessions)} sessions are shown.", style="dim")


def activity(session: SessionSummary) -> Text:
    if session.running_since:
        return Text(f"answering since {session.running_since.astimezone():%H:%M:%S}", style="green")
    if session.questions:
        return Text(f"needs confirmation: {' '.join(session.questions)}", style="yellow")
    if session.expired_at:
        return Text(f"expired on {session.expired_at.astimezone():%Y-%m-%d}", style="dim")
    return Text("")
