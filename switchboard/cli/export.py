"""Writes conversations as JSON lines, for evaluations: `switchboard sessions export`.

The list of sessions is read in pages, newest activity first. Sessions that are written in meanwhile move to its
beginning and push others to later pages. So each session is written once, and the list is read again until a whole
pass finds no new one.
"""

import json
from collections.abc import AsyncIterator, Sequence
from decimal import Decimal
from typing import Literal

from switchboard.cli.console import note, out
from switchboard.cli.staff import StaffDesk
from switchboard.client import Refused
from switchboard.messages import WireModel
from switchboard.session.contract import AgentSpending, SessionStatus, TurnRecord
from switchboard.session.staff_contract import OFFSET_MAX, SESSIONS_MAX, SessionPage, SessionQuery, SessionSummary
from switchboard.staff_api import StaffApi

NOT_FOUND, GONE = 404, 410

PASSES_MAX = 5
"""Passes over the list. A mesh in which sessions are started all the time never has a pass without a new one."""

Outcome = Literal["staff", "question", "failed", "interrupted", "answered"]


class ExportedSession(WireModel):
    """One line of the export. The turns are the staff's records of them, with the customer's ratings.

    `outcome` is `staff` if a member of staff took the session over. Otherwise it is how the last turn of an agent
    ended: with an open `question`, `failed` (an apology), `interrupted` or `answered`; `answered` also without any.
    """

    session_id: str
    customer_id: str
    signed_in: bool
    outcome: Outcome
    ratings_up: int
    ratings_down: int
    cost: Decimal
    currency: str
    spending: tuple[AgentSpending, ...]
    turns: tuple[TurnRecord, ...]


async def export(desk: StaffDesk, query: SessionQuery) -> None:
    """Print each selected session as one line of JSON. Raises MeshError."""
    count = 0
    async with desk.api() as staff:
        async for session in exported_sessions(
            staff, query.model_dump(include={"customer_id", "text"}, exclude_none=True)
        ):
            out.out(line(session), highlight=False)
            count += 1
    note(f"{count} {'session' if count == 1 else 'sessions'} exported.")


def line(session: ExportedSession) -> str:
    """Return the session as JSON in plain ASCII: the console would replace characters that steer a terminal."""
    return json.dumps(session.model_dump(mode="json"), separators=(",", ":"))


async def exported_sessions(staff: StaffApi, selected: dict[str, str]) -> AsyncIterator[ExportedSession]:
    """Yield the sessions with their conversations. Expired ones have none and are left out. Raises MeshError."""
    seen = set[str]()
    for _ in range(PASSES_MAX):
        before = len(seen)
        async for summary in listed(staff, selected):
            if summary.session_id in seen:
                continue
            seen.add(summary.session_id)
            found = await exported(staff, summary)
            if found is not None:
                yield found
        if len(seen) == before:
            return


async def listed(staff: StaffApi, selected: dict[str, str]) -> AsyncIterator[SessionSummary]:
    for offset in range(0, OFFSET_MAX, SESSIONS_MAX):
        page = await staff.get(SessionPage, "sessions", offset=offset, limit=SESSIONS_MAX, **selected)
        for summary in page.sessions:
            yield summary
        if not page.more:
            return


async def exported(staff: StaffApi, summary: SessionSummary) -> ExportedSession | None:
    """Return a session's line; None if it has no conversation, or has expired since it was listed."""
    if summary.expired_at is not None or not summary.turns_total:
        return None
    try:
        turns = await staff.turns(summary.session_id)
        status = await staff.get(SessionStatus, "sessions", summary.session_id, "status")
    except Refused as refusal:
        if refusal.status in (NOT_FOUND, GONE):
            return None
        raise
    ratings = [turn.rating.rating for turn in turns if turn.rating is not None]
    return ExportedSession(
        session_id=summary.session_id,
        customer_id=status.customer_id,
        signed_in=status.signed_in,
        outcome=outcome_of(turns, status),
        ratings_up=ratings.count("up"),
        ratings_down=ratings.count("down"),
        cost=status.cost,
        currency=status.currency,
        spending=status.spending,
        turns=tuple(turns),
    )


def outcome_of(turns: Sequence[TurnRecord], status: SessionStatus) -> Outcome:
    """Return how a conversation ended."""
    if any(turn.act == "taken_over" for turn in turns):
        return "staff"
    last = next((turn for turn in reversed(turns) if turn.agents), None)
    if status.confirmation is not None:
        return "question"
    if last is None or not (last.failed or last.interrupted):
        return "answered"
    return "interrupted" if last.interrupted else "failed"
