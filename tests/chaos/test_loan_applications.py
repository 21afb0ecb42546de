"""kill -9 while a loan is checked, waits for staff or is paid out: it continues, and no step happens twice."""

import asyncio
import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from switchboard.testing import JSON, Customer, calls, says, scene
from tests.chaos.bank_gates import Gates, gates
from tests.kills import restart
from tests.laboratory import Laboratory
from tests.mesh.lending import (
    AFTER_YES,
    APPLY,
    LARGE,
    NEXT,
    SMALL,
    TO_BANK,
    apply_for_loan,
    call_approvals,
    call_bank_tool,
    inbox_item,
    notices,
    outcome_notice,
    wait_for_inbox_item,
)
from tests.mesh.money import Teller, stored_state

CHECKS = ["Accounts/erin/list_transactions", "Accounts/erin/summarize_spending", "Loans/erin/list_loans"]


async def steps(laboratory: Laboratory, application: str) -> list[JSON]:
    """Return the calls of an application's workflow with their status."""
    rows = await laboratory.query(
        "SELECT target, status FROM sys_invocation WHERE invoked_by_id IN "
        f"(SELECT id FROM sys_invocation WHERE target = 'LoanApplication/{application}/run')"
    )
    return sorted(rows, key=lambda row: str(row["target"]))


async def booked(laboratory: Laboratory, customer: Customer, application: str) -> tuple[int, int]:
    """Return how many loans and how many deposits are booked for an application."""
    loan_id = application.replace("LA-", "LN-")
    loans = json.loads((await call_bank_tool(laboratory, customer, "list_loans", {}))["content"])["loans"]
    listed = await call_bank_tool(laboratory, customer, "list_transactions", {"limit": 50})
    moves = json.loads(listed["content"])["transactions"]
    return (
        sum(loan["loan_id"] == loan_id for loan in loans),
        sum(move["reference"] == f"Loan {loan_id}" for move in moves),
    )


async def test_completed_checks_are_not_repeated_when_tools_are_killed(laboratory: Laboratory, tmp_path: Path) -> None:
    """Two checks are completed and the third is blocked. After the kill only the third one still runs."""
    async with gates(laboratory, tmp_path) as gate:
        gate.shut("Loans.list_loans")
        erin, application = await apply_for_loan(laboratory, "erin", SMALL, months=12)

        async def one_is_left() -> bool:
            rows = await steps(laboratory, application)
            return [row["status"] == "completed" for row in rows] == [True, True, False]

        await laboratory.until(one_is_left)
        await restart(laboratory.mesh.services["tools"], gate.process)
        assert await one_is_left()
        gate.open("Loans.list_loans")
        assert "was approved" in await outcome_notice(laboratory, erin)
        rows = await steps(laboratory, application)
        assert [row["target"] for row in rows if row["target"] in CHECKS] == CHECKS
    assert await booked(laboratory, erin, application) == (1, 1)


async def test_application_survives_a_full_restart_while_waiting_for_staff(laboratory: Laboratory) -> None:
    carol, application = await apply_for_loan(laboratory, "carol", LARGE)
    before = await wait_for_inbox_item(laboratory, application)
    services = laboratory.mesh.services
    await restart(laboratory.mesh.restate, services["tools"], services["triage"], services["bank"])
    after = await wait_for_inbox_item(laboratory, application)
    assert after == before

    async def decided() -> bool:
        answer = await call_approvals(laboratory, "approve", approval_id=application, by="Mia", why="Good for it")
        return answer.status in (200, 409)

    await laboratory.until(decided)
    assert "was approved" in await outcome_notice(laboratory, carol)
    assert await booked(laboratory, carol, application) == (1, 1)
    await laboratory.model.plays(scene(NEXT, says("nothing else")))
    await carol.says(NEXT)
    assert len(await notices(carol)) == 1


async def test_loan_is_paid_out_once_when_tools_are_killed_after_the_grant(
    laboratory: Laboratory, tmp_path: Path
) -> None:
    async with gates(laboratory, tmp_path) as gate:
        carol, application = await apply_for_loan(laboratory, "carol", LARGE)
        await wait_for_inbox_item(laboratory, application)
        await approve_and_block_deposit(laboratory, gate, application)
        await restart(laboratory.mesh.services["tools"], gate.process)
        assert await notices(carol) == []
        gate.open("Accounts.deposit")
        assert "was approved" in await outcome_notice(laboratory, carol)
    assert await booked(laboratory, carol, application) == (1, 1)


async def test_loan_is_revoked_when_it_cannot_be_paid_out(laboratory: Laboratory, tmp_path: Path) -> None:
    """An operator cancels the workflow between the loan and its money."""
    async with gates(laboratory, tmp_path) as gate:
        carol, application = await apply_for_loan(laboratory, "carol", LARGE)
        await wait_for_inbox_item(laboratory, application)
        await approve_and_block_deposit(laboratory, gate, application)
        assert (await steps(laboratory, application))[-1]["target"].startswith("Loans/carol/")
        await cancel(laboratory, f"LoanApplication/{application}/run")
        gate.open("Accounts.deposit")
        notice = await outcome_notice(laboratory, carol)
    assert notice.endswith("was declined. Sorry, we could not process it. Nothing was paid out. Please apply again.")

    async def taken_back() -> bool:
        return await booked(laboratory, carol, application) == (0, 0)

    await laboratory.until(taken_back)
    await Teller(laboratory).wait_until_idle()
    debits = (await stored_state(laboratory, "Accounts"))["carol/ended_debits"]["debits"]
    (mine,) = [entry for entry in debits if entry["debited_as"].endswith(application.removeprefix("LA-"))]
    assert mine["last_on"] < mine["first_on"]


async def test_cancelled_application_notifies_customer_and_leaves_the_inbox(laboratory: Laboratory) -> None:
    carol, application = await apply_for_loan(laboratory, "carol", LARGE)
    await wait_for_inbox_item(laboratory, application)
    await cancel(laboratory, f"LoanApplication/{application}/run")
    assert "was declined. Sorry, we could not process it." in await outcome_notice(laboratory, carol)

    async def off_the_list() -> bool:
        return await inbox_item(laboratory, application) is None

    await laboratory.until(off_the_list)


async def approve_and_block_deposit(laboratory: Laboratory, gate: Gates, application: str) -> None:
    """Let staff approve. Returns when the loan is granted and its deposit is blocked."""
    gate.shut("Accounts.deposit")
    await call_approvals(laboratory, "approve", approval_id=application, by="Mia", why="Good for it")

    async def granted_and_not_paid() -> bool:
        rows = {row["target"].rsplit("/", 1)[-1]: row["status"] for row in await steps(laboratory, application)}
        return rows.get("grant_loan") == "completed" and rows.get("deposit", "completed") != "completed"

    await laboratory.until(granted_and_not_paid)


async def cancel(laboratory: Laboratory, target: str) -> None:
    (row,) = await laboratory.query(f"SELECT id FROM sys_invocation WHERE target = '{target}'")
    url = f"{laboratory.mesh.addresses.admin_url}/invocations/{row['id']}/cancel"
    async with laboratory.http.patch(url) as response:
        assert response.status == 202, await response.text()


DEADLINES_S = (1.5, 6, 24)
"""Deadlines to try. On a busy machine the shortest is over before staff see the request."""


async def item_before_the_outcome(laboratory: Laboratory, customer: Customer, application: str) -> JSON | None:
    """Return an approval from the staff inbox; None if it is decided before it is seen there."""
    found: list[JSON | None] = []

    async def there_or_over() -> bool:
        found[:] = [await inbox_item(laboratory, application)]
        return found[0] is not None or bool(await notices(customer))

    await laboratory.until(there_or_over)
    return found[0]


async def test_simultaneous_decision_and_deadline_have_one_outcome(laboratory: Laboratory) -> None:
    """Both arrive while the tools are down. Staff and the customer get the same outcome, whichever is first."""
    tools = laboratory.mesh.services["tools"]
    before = tools.environment
    try:
        for seconds in DEADLINES_S:
            tools.environment = {**before, "SWITCHBOARD_APPROVAL_DEADLINE": f"PT{seconds}S"}
            await restart(tools)
            carol, application = await apply_for_loan(laboratory, "carol", LARGE)
            item = await item_before_the_outcome(laboratory, carol, application)
            if item is not None:
                break
        assert item is not None
        deadline = datetime.fromisoformat(item["until"])
        await tools.kill()
        decision = asyncio.create_task(
            call_approvals(laboratory, "approve", approval_id=application, by="Mia", why="Good for it")
        )
        await laboratory.until(lambda: datetime.now(UTC) > deadline)
    finally:
        tools.environment = before
        await tools.start()
    decided = await decision
    assert decided.status in (200, 409)
    assert ("was approved" in await outcome_notice(laboratory, carol)) == (decided.status == 200)
    assert await booked(laboratory, carol, application) == ((1, 1) if decided.status == 200 else (0, 0))


async def applications_of_bob(laboratory: Laboratory) -> dict[str, str]:
    """Return the status of each application by id."""
    records = (await stored_state(laboratory, "LoanApplications")).get("bob/records", {"records": []})["records"]
    return {record["application"]["application_id"]: record["status"] for record in records}


async def test_parallel_applications_never_exceed_the_automatic_limit(laboratory: Laboratory) -> None:
    """Three loans of 1,500.00 are below the automatic limit of 5,000.00. The next one waits for staff.

    Only one application can be open at a time, so some of twenty at once are refused. Each further round adds one.
    """
    request = {"amount": "1500", "term_months": 60, "purpose": "a bike"}
    await laboratory.model.plays(scene(APPLY, TO_BANK, calls(("apply_for_loan", request))), scene("yes", *AFTER_YES))

    async def checked() -> bool:
        return "checking" not in (await applications_of_bob(laboratory)).values()

    for customers in (20, 5, 5, 5):
        bobs = [laboratory.customer("bob") for _ in range(customers)]
        await asyncio.gather(*(bob.says(APPLY) for bob in bobs))
        await asyncio.gather(*(bob.says("yes") for bob in bobs))
        await laboratory.until(checked)
    found = await applications_of_bob(laboratory)
    assert sorted(found.values()) == ["approved", "approved", "approved", "waiting_for_staff"]
    (last,) = [application for application, status in found.items() if status == "waiting_for_staff"]
    item = await wait_for_inbox_item(laboratory, last)
    facts = {fact["name"]: fact["value"] for fact in item["facts"]}
    assert facts["owed on personal loans"] == "4,500.00 EUR"
    loans = json.loads((await call_bank_tool(laboratory, bobs[0], "list_loans", {}))["content"])["loans"]
    assert sum(Decimal(loan["outstanding"]) for loan in loans) == 4_500
    await call_approvals(laboratory, "reject", approval_id=last, by="Mia", why="A test")
