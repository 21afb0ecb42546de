"""Handlers of loan applications: a service that accepts them, and an object with each customer's applications.

The service holds no lock. `LoanApplications` is one object per customer. It accepts a new application only if no other
is open, stores it and starts its workflow in one step, and stores the outcome and notifies the customer in one step. So
every stored application is processed, and the customer gets its outcome exactly once.
"""

import logging
from datetime import timedelta

import restate

from services.tools.bank.accounts.contract import UNDO_MOVE, MoveRef
from services.tools.bank.loan_applications import policy, records
from services.tools.bank.loan_applications.contract import (
    APPLY_FOR_LOAN,
    CHECK_OPEN_APPLICATION,
    CLOSE_APPLICATION,
    GET_LOAN_APPLICATION,
    LIST_LOAN_APPLICATIONS,
    LOAN_APPLICATION_SERVICE,
    LOAN_APPLICATIONS,
    MARK_WAITING,
    OPEN_APPLICATION,
    RUN_APPLICATION,
    TAKE_BACK,
    Acknowledgement,
    Application,
    ApplicationQuery,
    ApplicationRef,
    Closing,
    LoanApplication,
    LoanApplicationList,
    LoanFacts,
    LoanRequest,
)
from services.tools.bank.loan_applications.records import Records, loan_id_of
from services.tools.bank.loans.contract import REVOKE_LOAN, RevokeLoan
from services.tools.bank.lookups import BankRecords, known_customer
from services.tools.bank.records import Customer
from switchboard import NoInput, checks, implements
from switchboard.contract import PersonalInput
from switchboard.telemetry.logs import private
from switchboard.toolkit.clock import business_now
from switchboard.toolkit.declare import tool_object, tool_service
from switchboard.toolkit.journaled import journaled_setting
from switchboard.toolkit.policy import enforce_policy
from switchboard.toolkit.rpc import allowed, call_tool, notify_customer, send_tool

RECORDS = "records"

ID_DIGITS = 12
"""Hex digits of an application's id. The first twelve digits of a random UUID are all random."""

NOT_FINISHED = "Sorry, we could not process it. Nothing was paid out. Please apply again."

logger = logging.getLogger(__name__)

loan_applications = tool_object(LOAN_APPLICATIONS, "A customer's loan applications; the key is the customer's id.")


def loan_application_service(bank: BankRecords, decide_within: timedelta) -> restate.Service:
    """Build the service that accepts applications. `decide_within` is the deadline for decisions by staff."""
    service = tool_service(LOAN_APPLICATION_SERVICE, "Accepts applications for loans.")

    @checks(service, APPLY_FOR_LOAN)
    async def check_application(ctx: restate.Context, request: LoanRequest) -> LoanFacts:
        """Return the currency and the monthly payment. Raises the errors of `apply_for_loan`."""
        customer = await allowed_applicant(ctx, bank, request, checking=True)
        await call_tool(ctx, CHECK_OPEN_APPLICATION, NoInput(), request.customer_id)
        payment = policy.offer(request.amount, request.term_months).monthly_payment
        return LoanFacts(currency=customer.currency, monthly_payment=payment)

    @implements(service, APPLY_FOR_LOAN)
    async def apply_for_loan(ctx: restate.Context, request: LoanRequest) -> LoanApplication:
        """Accept an application and return immediately. Raises TerminalError 404, 409 or 422, with the reason."""
        return await accept_application(ctx, bank, request, decide_within)

    @implements(service, TAKE_BACK)
    async def take_back(ctx: restate.Context, application: Application) -> Closing:
        """Undo the steps of an application that failed, and close the application."""
        return await compensate(ctx, application)

    return service


async def compensate(ctx: restate.Context, application: Application) -> Closing:
    """Undo the payout and the loan. It is a separate invocation, so cancelling the workflow does not cancel it.

    Undoing a step that was not done has no effect. If the money has been spent, the loan stays.
    """
    loan_id = loan_id_of(application.application_id)
    payout = await call_tool(ctx, UNDO_MOVE, MoveRef(move_id=loan_id), application.customer_id)
    closing = Closing(
        application_id=application.application_id,
        approved=payout.stands,
        why="You have already used the money." if payout.stands else NOT_FINISHED,
        loan_id=loan_id if payout.stands else None,
    )
    if not payout.stands:
        send_tool(ctx, REVOKE_LOAN, RevokeLoan(loan_id=loan_id), application.customer_id)
    send_tool(ctx, CLOSE_APPLICATION, closing, application.customer_id)
    return closing


async def accept_application(
    ctx: restate.Context, bank: BankRecords, request: LoanRequest, decide_within: timedelta
) -> LoanApplication:
    customer = await allowed_applicant(ctx, bank, request)
    application = Application(
        application_id=f"LA-{ctx.uuid().hex[:ID_DIGITS].upper()}",
        currency=customer.currency,
        applied_at=await business_now(ctx),
        # Journaled, so that a deployment with another setting does not change this call on replay.
        decide_within_seconds=(await journaled_setting(ctx, "staff time", decide_within)).total_seconds(),
        **request.model_dump(exclude={"signed_in"}),
    )
    # If this handler is cancelled, the application is either stored and running, or neither. The result says which.
    return await call_tool(ctx, OPEN_APPLICATION, application, request.customer_id)


async def allowed_applicant(
    ctx: restate.Context, bank: BankRecords, request: LoanRequest, checking: bool = False
) -> Customer:
    """Return the customer who applies. Raises TerminalError if amount or term are outside the limits."""
    customer = await known_customer(ctx, bank, request.customer_id)
    refused = policy.refuse_request(request.amount, request.term_months, customer.currency)
    await enforce_policy(ctx, "apply_for_loan", refused, checking=checking)
    return customer


@implements(loan_applications, CHECK_OPEN_APPLICATION, kind="shared")
async def check_open_application(ctx: restate.ObjectSharedContext, _request: NoInput) -> Acknowledgement:
    """Raise TerminalError 409 while an application is open."""
    allowed(records.refuse_second(await read(ctx)))
    return Acknowledgement(changed=False)


@implements(loan_applications, OPEN_APPLICATION)
async def open_application(ctx: restate.ObjectContext, application: Application) -> LoanApplication:
    """Store an application and start its workflow. Raises TerminalError 409 while another one is open."""
    known = await read(ctx)
    allowed(records.refuse_second(known))
    new = records.opened(known, application)
    ctx.set(RECORDS, new)
    send_tool(ctx, RUN_APPLICATION, application, application.application_id)
    return records.view(new.records[-1])


@implements(loan_applications, MARK_WAITING)
async def mark_waiting(ctx: restate.ObjectContext, request: ApplicationRef) -> Acknowledgement:
    """Mark an application as waiting for staff."""
    known = await read(ctx)
    changed = records.waiting(known, request.application_id)
    ctx.set(RECORDS, changed)
    return Acknowledgement(changed=changed != known)


@implements(loan_applications, CLOSE_APPLICATION)
async def close_application(ctx: restate.ObjectContext, closing: Closing) -> Acknowledgement:
    """Store the outcome, and notify the customer in the session of the application. Only the first outcome counts."""
    now = await business_now(ctx)
    known = await read(ctx)
    changed = records.closed(known, closing, now)
    record = changed.find(closing.application_id)
    if record is None or changed == known:
        return Acknowledgement(changed=False)
    ctx.set(RECORDS, changed)
    notify_customer(ctx, record.application.session_id, ctx.key(), records.describe(record))
    return Acknowledgement(changed=True)


@implements(loan_applications, GET_LOAN_APPLICATION, kind="shared")
async def get_loan_application(ctx: restate.ObjectSharedContext, query: ApplicationQuery) -> LoanApplication:
    """Return one application. Raises TerminalError 404, with the same text for foreign and for unknown ids."""
    record = (await read(ctx)).find(query.application_id)
    if record is None:
        logger.warning(
            "refused: customer %s asked for application %s, not theirs", ctx.key(), private(query.application_id)
        )
        raise restate.TerminalError(records.UNKNOWN.format(id=query.application_id), status_code=404)
    return records.view(record)


@implements(loan_applications, LIST_LOAN_APPLICATIONS, kind="shared")
async def list_loan_applications(ctx: restate.ObjectSharedContext, _request: PersonalInput) -> LoanApplicationList:
    """Return all of the customer's applications, newest first."""
    return records.application_list(await read(ctx))


async def read(ctx: restate.ObjectContext | restate.ObjectSharedContext) -> Records:
    return await ctx.get(RECORDS, type_hint=Records) or Records()
