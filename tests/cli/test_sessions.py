"""`switchboard sessions`: the list, built from rows of Restate's state table."""

from datetime import UTC, datetime, timedelta
from typing import Any

from rich.console import Console

from switchboard.cli.sessions import SHOWN_MAX, read_sessions, show
from switchboard.messages import HeldCall
from switchboard.session.state import Head, PendingConfirmation, Running

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
CALL = HeldCall(call_id="1", tool="pay", arguments="{}", body="{}", question="Pay 5 EUR to Carol?")


def held(expires_at: datetime) -> PendingConfirmation:
    return PendingConfirmation(held_id="h", agent="Bank", asked_by="inv_1", calls=(CALL,), expires_at=expires_at)


def row(session: str, key: str, value: Head | Running) -> dict[str, Any]:
    return {"service_key": session, "key": key, "value_utf8": value.model_dump_json()}


def running(customer_id: str) -> Running:
    return Running(customer_id=customer_id, invocation_id="inv_1", stop_id="s", since=NOW)


ROWS = [
    row("a", "head", Head(customer_id="alice", active="Bank", turns_total=3)),
    row("b", "head", Head(customer_id="bob", active="Bank", turns_total=1, held=held(NOW + timedelta(minutes=1)))),
    row("c", "head", Head(customer_id="carol", active="Triage", turns_total=2, held=held(NOW))),
    row("d", "head", Head(customer_id="dave", active="Airline", turns_total=7)),
    row("d", "running", running("dave")),
    row("e", "running", running("erin")),
]


def test_running_sessions_come_first_then_pending_confirmations() -> None:
    seen = read_sessions(ROWS, NOW)
    assert [(one.session_id, one.customer_id, one.active, one.turns_total) for one in seen] == [
        ("d", "dave", "Airline", 7),
        ("e", "erin", "", 0),
        ("b", "bob", "Bank", 1),
        ("a", "alice", "Bank", 3),
        ("c", "carol", "Triage", 2),
    ]
    assert [one.running_since is not None for one in seen] == [True, True, False, False, False]


def test_expired_question_is_not_pending() -> None:
    assert {one.session_id: one.questions for one in read_sessions(ROWS, NOW) if one.questions} == {
        "b": ("Pay 5 EUR to Carol?",)
    }


def test_sessions_list_shows_the_status() -> None:
    picture = drawn(ROWS)
    assert "answering since" in picture
    assert "needs confirmation: Pay 5 EUR to Carol?" in picture
    expired = Head(customer_id="alice", active="Bank", turns_total=3, expired_at=NOW)
    assert "expired on 2026-03-01" in drawn([row("a", "head", expired)])
    assert drawn([]) == "No sessions.\n"


def test_sessions_list_is_limited() -> None:
    many = [row(f"s{n}", "head", Head(customer_id="alice", active="Bank")) for n in range(SHOWN_MAX + 5)]
    assert f"{SHOWN_MAX} of {SHOWN_MAX + 5} sessions are shown." in drawn(many)


def drawn(rows: list[dict[str, Any]]) -> str:
    console = Console(width=100, color_system=None)
    with console.capture() as capture:
        show(read_sessions(rows, NOW), console)
    return capture.get()
