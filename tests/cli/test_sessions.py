"""`switchboard sessions`: the table, its filters, and where it comes from."""

import asyncio
from datetime import UTC, datetime
from decimal import Decimal
from subprocess import CompletedProcess
from typing import Any
from uuid import uuid4

from rich.console import Console

from switchboard.cli.sessions import show
from switchboard.session.staff_contract import SessionPage, SessionSummary
from switchboard.testing import says, scene
from tests.cli.conftest import run
from tests.gateway.desk import staff_token
from tests.gateway.front import Gateway

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
NOWHERE = "http://127.0.0.1:1"


def summary(**more: Any) -> SessionSummary:
    known = {"session_id": "s-1", "customer_id": "alice", "signed_in": True, "active_agent": "Bank", "turns_total": 3}
    rest = {"last_at": NOW, "running_since": None, "questions": (), "cost": Decimal(0), "expired_at": None}
    return SessionSummary.model_validate({**known, **rest, **more})


def drawn(*sessions: SessionSummary, more: bool = False) -> str:
    console = Console(width=120, color_system=None)
    with console.capture() as capture:
        show(SessionPage(sessions=sessions, more=more, currency="USD"), console)
    return capture.get()


def test_sessions_list_shows_the_status() -> None:
    assert "answering since" in drawn(summary(running_since=NOW))
    assert "needs confirmation: Pay 5 EUR to Carol?" in drawn(summary(questions=("Pay 5 EUR to Carol?",)))
    assert "expired on 2026-03-01" in drawn(summary(expired_at=NOW))
    assert "1.24 USD" in drawn(summary(cost=Decimal("1.237")))
    assert drawn() == "No sessions.\n"


def test_sessions_list_says_that_there_are_more() -> None:
    assert "The newest 1 sessions are shown." not in drawn(summary())
    assert "The newest 2 sessions are shown. Select others" in drawn(summary(), summary(), more=True)


async def test_list_comes_from_the_gateway_with_a_staff_token_and_else_from_restate(gateway: Gateway) -> None:
    await gateway.laboratory.model.plays(scene("hi", says("hello")))
    name = f"dora-{uuid4().hex[:8]}"
    visitor = gateway.visitor(name, session=f"{name}.first")
    assert (await visitor.says("hi")).status == 200
    admin_url = gateway.laboratory.mesh.addresses.admin_url

    async def sessions(*arguments: str, **urls: str) -> CompletedProcess[str]:
        return await asyncio.to_thread(run, "sessions", *arguments, **urls)

    at_gateway = {"SWITCHBOARD_GATEWAY_URL": gateway.ports.url, "RESTATE_ADMIN_URL": NOWHERE}
    at_restate = {"SWITCHBOARD_GATEWAY_URL": NOWHERE, "RESTATE_ADMIN_URL": admin_url}
    for urls in ({**at_gateway, "SWITCHBOARD_STAFF_TOKEN": staff_token()}, at_restate):
        listed = await sessions("--customer", name, **urls)
        assert (listed.returncode, listed.stderr) == (0, ""), listed
        heading, row = listed.stdout.splitlines()
        assert heading.split() == ["session", "customer", "agent", "turns", "cost", "last", "status"]
        assert row.split()[:4] == [visitor.session, name, "Triage", "1"]
        assert (await sessions("--text", f"{name}.second", **urls)).stdout == "No sessions.\n"
    refused = await sessions(**at_gateway, SWITCHBOARD_STAFF_TOKEN=visitor.token)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "This API is for staff." in refused.stderr
    away = await sessions(**{**at_restate, "RESTATE_ADMIN_URL": NOWHERE})
    assert (away.returncode, away.stdout) == (1, "")
    assert f"Cannot reach Restate at {NOWHERE}" in away.stderr
    wrong = await sessions("--customer", "no body", **at_restate)
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert "No session can match this filter" in wrong.stderr
