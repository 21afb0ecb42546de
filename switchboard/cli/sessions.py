"""Lists the sessions of a mesh: at the gateway with a staff member's token, or from a local Restate's tables."""

import os

from pydantic import ValidationError
from rich.console import Console
from rich.table import Table
from rich.text import Text

from switchboard.cli.staff import TOKEN
from switchboard.client import MeshUnavailable
from switchboard.local.problem import InvalidCommand
from switchboard.loop.decide import explain
from switchboard.runtime.settings import load
from switchboard.session.introspection import LOOKUP_FAILURES, Introspection
from switchboard.session.session_list import SessionList
from switchboard.session.settings import SessionSettings
from switchboard.session.staff_contract import SESSIONS_MAX, SessionPage, SessionQuery, SessionSummary
from switchboard.staff_api import StaffApi


def selected(customer: str | None, text: str | None) -> SessionQuery:
    """Return the query for the first page. Raises InvalidCommand for a filter that no id has."""
    try:
        return SessionQuery(customer_id=customer, text=text, limit=SESSIONS_MAX)
    except ValidationError as error:
        raise InvalidCommand(f"No session can match this filter: {explain(error)}.") from error


async def newest_sessions(gateway_url: str, admin_url: str, query: SessionQuery) -> SessionPage:
    """Return the newest sessions. Raises MeshUnavailable, and Refused for a token that is not a staff member's."""
    token = os.environ.get(TOKEN, "")
    if not token:
        return await local_sessions(admin_url, query)
    async with StaffApi(gateway_url, token) as staff:
        return await staff.get(SessionPage, "sessions", **query.model_dump(exclude_none=True))


async def local_sessions(admin_url: str, query: SessionQuery) -> SessionPage:
    """Return the newest sessions, read from Restate's tables. Raises MeshUnavailable."""
    try:
        return await SessionList(Introspection(admin_url), load(SessionSettings).currency).page(query)
    except LOOKUP_FAILURES as error:
        reason = str(error) or "no answer in time"
        raise MeshUnavailable(
            f"Cannot reach Restate at {admin_url} ({reason}). Is `switchboard up` running?"
        ) from error


def show(page: SessionPage, console: Console) -> None:
    """Print a page of the sessions as a table."""
    if not page.sessions:
        console.print("No sessions.", style="dim")
        return
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    for column in ("session", "customer", "agent", "turns", "cost", "last", "status"):
        table.add_column(column, justify="right" if column in ("turns", "cost") else "left", overflow="fold")
    for session in page.sessions:
        names = (session.session_id, session.customer_id, session.active_agent, str(session.turns_total))
        cost = Text(f"{session.cost:.2f} {page.currency}" if session.cost else "")
        table.add_row(*(Text(name) for name in names), cost, last(session), activity(session))
    console.print(table)
    if page.more:
        shown = f"The newest {len(page.sessions)} sessions are shown. Select others with --customer or --text."
        console.print(shown, style="dim")


def last(session: SessionSummary) -> Text:
    return Text(f"{session.last_at.astimezone():%m-%d %H:%M}" if session.last_at else "", style="dim")


def activity(session: SessionSummary) -> Text:
    if session.running_since:
        return Text(f"answering since {session.running_since.astimezone():%H:%M:%S}", style="green")
    if session.staff:
        return Text(f"answered by {session.staff}", style="magenta")
    if session.questions:
        return Text(f"needs confirmation: {' '.join(session.questions)}", style="yellow")
    if session.expired_at:
        return Text(f"expired on {session.expired_at.astimezone():%Y-%m-%d}", style="dim")
    return Text("")
