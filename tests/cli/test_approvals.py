"""`switchboard approvals`: the list, decisions, and errors."""

import asyncio
from datetime import UTC, datetime, timedelta
from subprocess import CompletedProcess

import pytest
from rich.console import Console

from switchboard.builtin.approvals.contract import Fact, InboxPage, PendingApproval
from switchboard.cli.approvals import show
from tests.cli.conftest import run
from tests.gateway.desk import staff_token
from tests.gateway.front import Gateway
from tests.mesh.lending import LARGE, apply_for_loan, outcome_notice, wait_for_inbox_item

SINCE = datetime(2026, 3, 1, 12, tzinfo=UTC)
ITEM = PendingApproval(
    approval_id="LA-3F9A1C07B2D4",
    title="Loan of 6,000.00 EUR over 60 months",
    customer_id="carol",
    since=SINCE,
    until=SINCE + timedelta(hours=72),
    facts=(Fact(name="monthly income", value="5,460.00 EUR"),),
)


def drawn(*waiting: PendingApproval, total: int | None = None) -> str:
    console = Console(width=110, color_system=None)
    page = InboxPage(
        summary="No requests are waiting for approval.", waiting=waiting, waiting_total=total or len(waiting)
    )
    with console.capture() as capture:
        show(page, console)
    return capture.get()


def test_approvals_list_shows_the_facts_for_the_decision() -> None:
    picture = drawn(ITEM)
    for text in ("LA-3F9A1C07B2D4", "Loan of 6,000.00 EUR over 60 months", "carol", "monthly income: 5,460.00 EUR"):
        assert text in picture


@pytest.mark.parametrize(("reminders", "said"), [(1, "once"), (2, "twice"), (3, "3 times")])
def test_approvals_list_shows_the_number_of_reminders(reminders: int, said: str) -> None:
    assert said in drawn(ITEM.model_copy(update={"reminders": reminders}))


def test_approvals_list_reports_empty_inbox_and_further_pages() -> None:
    assert drawn() == "No requests are waiting for approval.\n"
    assert "1 of 70 requests are shown" in drawn(ITEM, total=70)


async def test_staff_decide_in_the_terminal_and_sessions_are_listed(gateway: Gateway) -> None:
    laboratory = gateway.laboratory
    carol, application = await apply_for_loan(laboratory, "carol", LARGE)
    await wait_for_inbox_item(laboratory, application)

    async def switchboard(*arguments: str) -> CompletedProcess[str]:
        urls = {"SWITCHBOARD_GATEWAY_URL": gateway.ports.url, "RESTATE_ADMIN_URL": laboratory.mesh.addresses.admin_url}
        return await asyncio.to_thread(run, *arguments, **urls, SWITCHBOARD_STAFF_TOKEN=staff_token("mia"))

    def decide(verdict: str, why: str, approval_id: str = application) -> list[str]:
        return ["approvals", verdict, approval_id, "--why", why]

    listed = await switchboard("approvals", "list")
    assert application in listed.stdout
    assert "monthly income: 5,460.00 EUR" in listed.stdout
    without_reason = await switchboard(*decide("reject", " "))
    assert (without_reason.returncode, without_reason.stdout) == (2, "")
    assert "why: " in without_reason.stderr
    named = await switchboard(*decide("reject", "Too much"), "--by", "noah")
    assert (named.returncode, named.stdout) == (2, "")
    assert "Your token in SWITCHBOARD_STAFF_TOKEN says who you are." in named.stderr
    unknown = await switchboard(*decide("approve", "Fine", "LA-000000000000"))
    assert (unknown.returncode, unknown.stderr.split(".")[0]) == (
        2,
        "There is no pending request with the id 'LA-000000000000'",
    )
    first = await switchboard(*decide("reject", "Too much"))
    assert (first.returncode, first.stderr) == (0, "")
    assert first.stdout.startswith(f"{application} was rejected by mia at ")
    second = await switchboard(*decide("approve", "Why not"))
    assert (second.returncode, second.stdout) == (2, "")
    assert f"{application} was rejected by mia at" in second.stderr
    assert "was declined. Too much." in await outcome_notice(laboratory, carol)
    sessions = await switchboard("sessions")
    assert sessions.returncode == 0
    assert "customer" in sessions.stdout.splitlines()[0]
