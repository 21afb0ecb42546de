"""Serves loan applications: the desk that takes them in, and a customer's record of them.

The desk holds no lock. `LoanApplications` is one object for one customer: it takes a new application only when no other
is open, notes it and sets its workflow going in one breath, and in one breath notes the outcome and tells the customer.
So an application that is on record runs, one that ran is on record, and its outcome is told once.
"""

import logging
from datetime import timedelta

import restate

from services.tools.bank.accounts.contract import UNDO_MOVE, MoveRef
from services.tools.bank.loan_applications import policy, records
from services.tools.bank.loan_applications.contract import (
    APPLY_FOR_LOAN,
    CLOSE_APPLICATION,
    GET_LOAN_APPLICATION,
    LIST_LOAN_APPLICATIONS,
    LOAN_APPLICATIONS,
    LOAN_DESK,
    MARK_WAITING,
    OPEN_APPLICATION,
    RUN_APPLICATION,
    TAKE_BACK,
    Application,
    ApplicationQuery,
    ApplicationRef,
    Closing,
    Done,
    LoanApplication,
    LoanApplicationList,
    LoanRequest,
)
from services.tools.bank.loan_applications.records import Records, loan_id_of
from services.tools.bank.loans.contract import REVOKE_LOAN, RevokeLoan
from services.tools.bank.lookups import BankRecords, known_customer
from switchboard import implements
from switchboard.contract import PersonalInput
from switchboard.telemetry.logs import private
from switchboard.toolkit.clock import business_now
from switchboard.toolkit.declare import tool_object, tool_service
from switchboard.toolkit.journaled import journaled_setting
from switchboard.toolkit.policy import enforce_policy
from switchboard.toolkit.rpc import allowed, call_tool, notify_customer, send_tool

RECORDS = "records"

ID_DIGITS = 12
"""Of an application's id; the first twelve of a random UUID are all random."""

NOT_FINISHED = "It could not be finished on our side, and nothing was paid out. Please apply again."

logger = logging.getLogger(__name__)

loan_applications = tool_object(LOAN_APPLICATIONS, "A customer's loan applications; the key is the customer's id.")


def loan_desk(bank: BankRecords, decide_within: timedelta) -> restate.Service:
    """The service that takes applications in. `decide_within` is the time that staff have for one."""
    desk = tool_service(LOAN_DESK, "Takes in applications for loans.")

    @implements(desk, APPLY_FOR_LOAN)
    async def apply_for_loan(ctx: restate.Context, request: LoanRequest) -> LoanApplication:
        """Take an application in and answer at once. TerminalError 404, 409 or 422 when it cannot be taken."""
        return await take_in(ctx, bank, request, decide_within)

    @implements(desk, TAKE_BACK)
    async def take_back(ctx: restate.Context, application: Application) -> Closing:
        """Undo what was done for an application that could not be finished, and close it."""
        return await undo(ctx, application)

    return desk


async def undo(ctx: restate.Context, application: Application) -> Closing:
    """The compensation, an invocation of its own: a cancellation of the workflow does not reach into it.

    By ids, so undoing what was not done does nothing. Where the money was spent already, the loan stands.
    """
    loan_id = loan_id_of(application.application_id)
    payout = await call_tool(ctx, UNDO_MOVE, MoveRef(move_id=loan_id), application.customer_id)
    closing = Closing(
        application_id=application.application_id,
        approved=payout.stands,
        why="You have used the money already." if payout.stands else NOT_FINISHED,
        loan_id=loan_id if payout.stands else None,
    )
    if not payout.stands:
        send_tool(ctx, REVOKE_LOAN, RevokeLoan(loan_id=loan_id), application.customer_id)
    send_tool(ctx, CLOSE_APPLICATION, closing, application.customer_id)
    return closing


async def take_in(
    ctx: restate.Context, bank: BankRecords, request: LoanRequest, decide_within: timedelta
) -> LoanApplication:
    customer = await known_customer(ctx, bank, request.customer_id)
    await enforce_policy(
        ctx, "apply_for_loan", policy.judge_request(request.amount, request.term_months, customer.currency)
    )
    application = Application(
        application_id=f"LA-{ctx.uuid().hex[:ID_DIGITS].upper()}",
        currency=customer.currency,
        applied_at=await business_now(ctx),
        # Journaled: a deploy with another setting in the middle of this must not change what was sent.
        decide_within_seconds=(await journaled_setting(ctx, "staff time", decide_within)).total_seconds(),
        **request.model_dump(exclude={"signed_in"}),
    )
    # Should this be cancelled while it waits, the application is either on record and under way, or it is neither.
    return await call_tool(ctx, OPEN_APPLICATION, application, request.customer_id)


@implements(loan_applications, OPEN_APPLICATION)
async def open_application(ctx: restate.ObjectContext, application: Application) -> LoanApplication:
    """Note an application and set it going. TerminalError 409 while another one of the customer's is open."""
    known = await read(ctx)
    allowed(records.refuse_second(known))
    new = records.opened(known, application)
    ctx.set(RECORDS, new)
    send_tool(ctx, RUN_APPLICATION, application, application.application_id)
    return records.view(new.records[-1])


@implements(loan_applications, MARK_WAITING)
async def mark_waiting(ctx: restate.ObjectContext, request: ApplicationRef) -> Done:
    """Note that it is before staff now."""
    known = await read(ctx)
    changed = records.waiting(known, request.application_id)
    ctx.set(RECORDS, changed)
    return Done(changed=changed != known)


@implements(loan_applications, CLOSE_APPLICATION)
async def close_application(ctx: restate.ObjectContext, closing: Closing) -> Done:
    """Note how it ended, and notify the customer in the session in which they applied. Only the first end counts."""
    now = await business_now(ctx)
    known = await read(ctx)
    changed = records.closed(known, closing, now)
    record = changed.find(closing.application_id)
    if record is None or changed == known:
        return Done(changed=False)
    ctx.set(RECORDS, changed)
    notify_customer(ctx, record.application.session_id, ctx.key(), records.sentence(record))
    return Done(changed=True)


@implements(loan_applications, GET_LOAN_APPLICATION, kind="shared")
async def get_loan_application(ctx: restate.ObjectSharedContext, query: ApplicationQuery) -> LoanApplication:
    """One application. TerminalError 404, in the same words, for another customer's and for one that is nobody's."""
    record = (await read(ctx)).find(query.application_id)
    if record is None:
        logger.warning(
            "refused: customer %s asked for application %s, not theirs", ctx.key(), private(query.application_id)
        )
        raise restate.TerminalError(records.UNKNOWN.format(id=query.application_id), status_code=404)
    return records.view(record)


@implements(loan_applications, LIST_LOAN_APPLICATIONS, kind="shared")
async def list_loan_applications(ctx: restate.ObjectSharedContext, _request: PersonalInput) -> LoanApplicationList:
    """All applications of the customer, newest first."""
    return records.views(await read(ctx))


async def read(ctx: restate.ObjectContext | restate.ObjectSharedContext) -> Records:
    return await ctx.get(RECORDS, type_hint=Records) or Records()
