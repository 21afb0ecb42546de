"""Loans on a real mesh: small ones are decided automatically and large ones by staff while the session continues."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal

from services.tools.bank.amortisation import monthly_payment
from switchboard.testing import Customer
from tests.laboratory import Laboratory
from tests.mesh.lending import (
    APPLY,
    LARGE,
    NEXT,
    SMALL,
    apply_for_loan,
    call_approvals,
    call_bank_tool,
    inbox_item,
    notices,
    outcome_notice,
    wait_for_inbox_item,
)
from tests.mesh.money import Teller, stored_state

PAYMENT = monthly_payment(Decimal(LARGE), Decimal("6.90"), 60)


async def test_small_loan_is_approved_automatically(laboratory: Laboratory) -> None:
    erin, application = await apply_for_loan(laboratory, "erin", SMALL, months=12)
    payment = monthly_payment(Decimal(SMALL), Decimal("6.90"), 12)
    notice = await outcome_notice(laboratory, erin)
    assert notice.startswith(
        f"Your loan application {application} for 1,000.00 GBP was approved: 12 monthly payments of"
    )
    assert f" {payment} GBP, at 6.90 % interest per year" in notice
    assert await inbox_item(laboratory, application) is None
    overview = json.loads((await call_bank_tool(laboratory, erin, "list_loans", {}))["content"])
    (loan,) = [loan for loan in overview["loans"] if loan["loan_id"] == application.replace("LA-", "LN-")]
    await Teller(laboratory).wait_until_idle()
    assert (loan["outstanding"], loan["monthly_payment"], loan["status"]) == ("1000.00", str(payment), "active")
    debits = (await stored_state(laboratory, "Accounts"))["erin/ended_debits"]["debits"]
    (mine,) = [entry for entry in debits if entry["debited_as"] == f"Harbour Bank loan {loan['loan_id']}"]
    assert (mine["first_on"], mine["monthly"], mine["account"]) == (loan["next_payment_on"], str(payment), "checking")


async def test_application_with_bad_figures_is_declined_with_the_reason(laboratory: Laboratory) -> None:
    dave, application = await apply_for_loan(laboratory, "dave", SMALL, months=12)
    notice = await outcome_notice(laboratory, dave)
    assert notice.startswith(
        f"Your loan application {application} for 1,000.00 EUR was declined. Payments of 381.04 EUR"
    )
    assert "overdue" in notice
    assert await inbox_item(laboratory, application) is None


async def test_customer_confirms_the_complete_application(laboratory: Laboratory) -> None:
    customer, _ = await apply_for_loan(laboratory, "dave", SMALL, months=12)
    asked = (await customer.asks("transcript")).body["turns"][0]["reply"]
    assert asked == (
        "Please confirm, with yes or no: Apply for a loan of 1,000.00 EUR over 12 months at 6.90 % interest per year,"
        " with payments of 86.48 EUR a month? If the loan is approved, the money is paid into your checking account"
        " without another confirmation. Purpose: “a kitchen”"
    )
    await outcome_notice(laboratory, customer)


async def test_large_loan_waits_for_staff_while_the_session_continues(laboratory: Laboratory) -> None:
    carol, application = await apply_for_loan(laboratory, "carol", LARGE)
    item = await wait_for_inbox_item(laboratory, application)
    assert (item["title"], item["customer_id"]) == ("Loan of 6,000.00 EUR over 60 months", "carol")
    facts = {fact["name"]: fact["value"] for fact in item["facts"]}
    assert facts["monthly payment"] == f"{PAYMENT} EUR"
    assert facts["monthly income"] == "5,460.00 EUR"
    assert (await carol.says(NEXT)).text == "nothing else"
    assert await notices(carol) == []
    decided = await call_approvals(
        laboratory, "approve", approval_id=application, by="Mia", why="Pays on time since 2019"
    )
    assert decided.status == 200
    assert decided.body["summary"].startswith(f"{application} was approved by Mia at ")
    notice = await outcome_notice(laboratory, carol)
    assert f"60 monthly payments of {PAYMENT} EUR" in notice
    assert "Pays on time since 2019. Your new loan is LN-" in notice
    assert await inbox_item(laboratory, application) is None
    await carol.says(NEXT)
    body = (await laboratory.model.requests(carol.session))[-1]["body"]
    # The staff's reason is marked as other people's words there.
    outcome = notice.partition("Pays on time")[0]
    assert any(outcome in str(item.get("content")) for item in body["input"])


async def test_rejection_notice_includes_the_reason(laboratory: Laboratory) -> None:
    carol, application = await apply_for_loan(laboratory, "carol", LARGE)
    await wait_for_inbox_item(laboratory, application)
    await call_approvals(laboratory, "reject", approval_id=application, by="Mia", why="The home loan comes first")
    notice = await outcome_notice(laboratory, carol)
    assert notice == (f"Your loan application {application} for 6,000.00 EUR was declined. The home loan comes first.")
    loans = await call_bank_tool(laboratory, carol, "list_loans", {})
    assert application.replace("LA-", "LN-") not in loans["content"]


async def test_second_decision_is_refused_and_names_the_first(laboratory: Laboratory) -> None:
    carol, application = await apply_for_loan(laboratory, "carol", LARGE)
    await wait_for_inbox_item(laboratory, application)
    await call_approvals(laboratory, "reject", approval_id=application, by="Mia", why="Too much")
    second = await call_approvals(laboratory, "approve", approval_id=application, by="Noah", why="Why not")
    assert second.status == 409
    assert second.text.startswith(f"Nothing was changed: {application} was rejected by Mia at ")
    assert second.text.endswith(": Too much.")
    assert "declined" in await outcome_notice(laboratory, carol)
    nothing = await call_approvals(laboratory, "approve", approval_id="LA-000000000000", by="Noah", why="Why not")
    assert (nothing.status, nothing.text.split(".")[0]) == (
        404,
        "There is no pending request with the id 'LA-000000000000'",
    )


async def test_only_one_of_two_simultaneous_decisions_wins(laboratory: Laboratory) -> None:
    carol, application = await apply_for_loan(laboratory, "carol", LARGE)
    await wait_for_inbox_item(laboratory, application)
    answers = await asyncio.gather(
        *(
            call_approvals(
                laboratory, "approve" if number % 2 else "reject", approval_id=application, by=f"S{number}", why="w"
            )
            for number in range(6)
        )
    )
    assert sorted(answer.status for answer in answers) == [200, 409, 409, 409, 409, 409]
    (winner,) = [answer.body["decision"] for answer in answers if answer.status == 200]
    assert all(f"by {winner['by']} at" in answer.text for answer in answers if answer.status == 409)
    assert ("was approved" in await outcome_notice(laboratory, carol)) == winner["approved"]


@asynccontextmanager
async def approval_deadline(laboratory: Laboratory, seconds: int) -> AsyncIterator[None]:
    """Restart the tools with another approval deadline until the end of the block."""
    tools = laboratory.mesh.services["tools"]
    before = tools.environment
    await tools.kill()
    tools.environment = {**before, "SWITCHBOARD_APPROVAL_DEADLINE": f"PT{seconds}S"}
    await tools.start()
    try:
        yield
    finally:
        await tools.kill()
        tools.environment = before
        await tools.start()


DEADLINES_S = (3, 12, 48)
"""Deadlines to try. On a busy machine the shortest is over before the reminders are seen."""


async def reminders_seen(laboratory: Laboratory, customer: Customer, application: str) -> bool:
    """Wait until staff see that they were reminded, or the application is decided. Returns whether they saw it."""
    found: list[bool] = []

    async def reminded_or_over() -> bool:
        item = await inbox_item(laboratory, application)
        found[:] = [item is not None and item["reminders"] > 0]
        return found[0] or bool(await notices(customer))

    await laboratory.until(reminded_or_over)
    return found[0]


async def test_staff_are_reminded_and_the_deadline_declines_the_application(laboratory: Laboratory) -> None:
    for seconds in DEADLINES_S:
        async with approval_deadline(laboratory, seconds):
            carol, application = await apply_for_loan(laboratory, "carol", LARGE)
            seen = await reminders_seen(laboratory, carol, application)
            notice = await outcome_notice(laboratory, carol)
        if seen:
            break
    assert seen
    sql = (
        "SELECT completion_result FROM sys_invocation WHERE target = 'ApprovalInbox/staff/remind' AND invoked_by_id IN"
        f" (SELECT id FROM sys_invocation WHERE target = 'LoanApplication/{application}/run')"
    )
    reminders = await laboratory.query(sql)
    assert [row["completion_result"] for row in reminders] == ["success", "success"]
    assert notice == (
        f"Your loan application {application} for 6,000.00 EUR was declined."
        f" Sorry, our staff could not decide within {seconds} seconds. Please apply again or contact our staff."
    )
    late = await call_approvals(laboratory, "approve", approval_id=application, by="Mia", why="Sorry, late")
    assert late.status == 409
    assert f"{application} was rejected by Switchboard at" in late.text


async def test_second_application_is_refused_while_one_is_open(laboratory: Laboratory) -> None:
    carol, application = await apply_for_loan(laboratory, "carol", LARGE)
    await wait_for_inbox_item(laboratory, application)
    await carol.says(APPLY)
    await carol.says("yes")
    refused = [message for message in await carol.messages() if message["kind"] == "tool"][-1]
    assert not refused["ok"]
    assert refused["content"].startswith(f"Your loan application {application} for 6,000.00 EUR is waiting")
    await call_approvals(laboratory, "reject", approval_id=application, by="Mia", why="A test")
    await outcome_notice(laboratory, carol)


async def test_customer_cannot_see_another_customers_application(laboratory: Laboratory) -> None:
    carol, application = await apply_for_loan(laboratory, "carol", LARGE)
    await wait_for_inbox_item(laboratory, application)
    own = await call_bank_tool(laboratory, carol, "get_loan_application", {"application_id": application})
    assert json.loads(own["content"])["status"] == "waiting_for_staff"
    mallory = laboratory.customer("bob")
    answers = [
        (await call_bank_tool(laboratory, mallory, "get_loan_application", {"application_id": asked}))
        for asked in (application, "LA-000000000000")
    ]
    assert [answer["ok"] for answer in answers] == [False, False]
    foreign, made_up = (answer["content"] for answer in answers)
    assert foreign.replace(application, "ID") == made_up.replace("LA-000000000000", "ID")
    assert application not in (await call_bank_tool(laboratory, mallory, "list_loan_applications", {}))["content"]
    await call_approvals(laboratory, "reject", approval_id=application, by="Mia", why="A test")
    await outcome_notice(laboratory, carol)
