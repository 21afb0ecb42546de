"""The workflow of one loan application, from the checks to the payout. It can wait for staff for days.

After a crash, it resumes from its journal: finished checks are not repeated, and timers keep running during downtime.
The loan is granted once, because its id is derived from the application's id. The workflow holds no lock.
"""

from datetime import datetime, timedelta

import restate

from services.tools.bank.accounts.contract import (
    DEPOSIT,
    LIST_TRANSACTIONS,
    SUMMARIZE_SPENDING,
    MoveMoney,
    SpendingQuery,
    TransactionQuery,
)
from services.tools.bank.loan_applications import policy
from services.tools.bank.loan_applications.contract import (
    ANNUAL_RATE_PERCENT,
    CLOSE_APPLICATION,
    DECIDED_BY_STAFF,
    LENT_PRODUCT,
    LOAN_APPLICATION,
    MARK_WAITING,
    RUN_APPLICATION,
    TAKE_BACK,
    Acknowledgement,
    Application,
    ApplicationRef,
    Closing,
)
from services.tools.bank.loan_applications.policy import Figures, Verdict
from services.tools.bank.loan_applications.records import loan_id_of
from services.tools.bank.loans.contract import GRANT_LOAN, LIST_LOANS, GrantLoan
from switchboard import implements
from switchboard.builtin.approvals.contract import (
    INBOX_KEY,
    WITHDRAW,
    ApprovalRef,
    ApprovalRequest,
    Callback,
    Decision,
    PendingApproval,
)
from switchboard.builtin.approvals.staff_decision import DECISION, await_staff_decision
from switchboard.contract import BY_THE_MESH
from switchboard.money import format_amount
from switchboard.toolkit.clock import business_now
from switchboard.toolkit.declare import tool_workflow
from switchboard.toolkit.policy import refusal_applies
from switchboard.toolkit.rpc import read, send_tool, start
from switchboard.toolkit.saga import Saga

DECIDED_AUTOMATICALLY = "Switchboard"
BANK = "Harbour Bank"
SALARY = TransactionQuery(category="salary", limit=50, signed_in=True)

loan_application = tool_workflow(LOAN_APPLICATION, "One application for a loan; the key is the application's id.")


@implements(loan_application, RUN_APPLICATION, kind="workflow")
async def run(ctx: restate.WorkflowContext, application: Application) -> Closing:
    """Check, decide and grant. `LoanApplications` receives the outcome and notifies the customer."""
    ref = application.application_id
    with Saga(ctx, f"application {ref}") as saga:
        # If a step fails permanently or an operator cancels this workflow, the customer has to be notified.
        saga.undo_by(TAKE_BACK, application)
        saga.undo_by(WITHDRAW, ApprovalRef(approval_id=ref), INBOX_KEY)
        decision = await decide(ctx, application)
        loan_id = await grant(ctx, saga, application) if decision.approved else None
    closing = Closing(
        application_id=ref, approved=decision.approved, why=decision.why, decided_at=decision.at, loan_id=loan_id
    )
    # A one-way send: from here on nothing can fail or be cancelled.
    send_tool(ctx, CLOSE_APPLICATION, closing, application.customer_id)
    return closing


@implements(loan_application, DECIDED_BY_STAFF)
async def decided(ctx: restate.WorkflowSharedContext, decision: Decision) -> Acknowledgement:
    """Receive the decision of staff. The inbox sends it once."""
    await ctx.promise(DECISION, type_hint=Decision).resolve(decision)
    return Acknowledgement(changed=True)


async def decide(ctx: restate.WorkflowContext, application: Application) -> Decision:
    """Decide from the figures if they are clear, or have staff decide."""
    found = await check(ctx, application)
    verdict = policy.assess(application.amount, found)
    refused = await refusal_applies(ctx, "grant a loan", verdict.refused)
    now = await business_now(ctx)
    # An application that violates a rule which POLICY does not enforce is not approved automatically: staff decide.
    if verdict.outcome == "refer" or (verdict.refused and not refused):
        return await refer(ctx, application, found, verdict, now)
    return Decision(
        approval_id=application.application_id,
        approved=verdict.outcome == "approve",
        by=DECIDED_AUTOMATICALLY,
        why=verdict.why,
        at=now,
    )


async def check(ctx: restate.WorkflowContext, application: Application) -> Figures:
    """Run the three checks in parallel: income, debt and spending."""
    customer = application.customer_id
    income = start(ctx, LIST_TRANSACTIONS, SALARY, customer)
    debt = start(ctx, LIST_LOANS, BY_THE_MESH, customer)
    spending = start(ctx, SUMMARIZE_SPENDING, SpendingQuery(signed_in=True), customer)
    await restate.gather(income, debt, spending)
    return policy.figures(
        await read(LIST_TRANSACTIONS, income),
        await read(LIST_LOANS, debt),
        await read(SUMMARIZE_SPENDING, spending),
        policy.offer(application.amount, application.term_months).monthly_payment,
    )


async def refer(
    ctx: restate.WorkflowContext, application: Application, found: Figures, verdict: Verdict, now: datetime
) -> Decision:
    """Have staff decide it."""
    within = timedelta(seconds=application.decide_within_seconds)
    send_tool(ctx, MARK_WAITING, ApplicationRef(application_id=application.application_id), application.customer_id)
    asked = question(application, found, verdict, now, within)
    return await await_staff_decision(ctx, asked, within, policy.undecided(within))


def question(
    application: Application, found: Figures, verdict: Verdict, now: datetime, within: timedelta
) -> ApprovalRequest:
    """Return the application as staff see it."""
    amount, months = format_amount(application.amount, application.currency), application.term_months
    cost = policy.offer(application.amount, months)
    return ApprovalRequest(
        waiting=PendingApproval(
            approval_id=application.application_id,
            title=f"Loan of {amount} over {months} months",
            customer_id=application.customer_id,
            since=now,
            until=now + within,
            facts=policy.facts(found, cost, application.purpose, verdict.why),
        ),
        tell=Callback(
            service=DECIDED_BY_STAFF.service, handler=DECIDED_BY_STAFF.handler, key=application.application_id
        ),
    )


async def grant(ctx: restate.WorkflowContext, saga: Saga, application: Application) -> str:
    """Add the loan to the customer's loans and pay out the money. Return the loan's id."""
    loan_id = loan_id_of(application.application_id)
    today = (await business_now(ctx)).date()
    loan = GrantLoan(
        loan_id=loan_id,
        product=LENT_PRODUCT,
        principal=application.amount,
        annual_rate_percent=ANNUAL_RATE_PERCENT,
        term_months=application.term_months,
        granted_on=today,
    )
    payout = MoveMoney(
        move_id=loan_id,
        account="checking",
        amount=application.amount,
        currency=application.currency,
        counterparty=BANK,
        category="loan_payments",
        reference=f"Loan {loan_id}",
    )
    await saga.step(GRANT_LOAN, loan, application.customer_id)
    await saga.step(DEPOSIT, payout, application.customer_id)
    return loan_id
