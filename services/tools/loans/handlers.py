"""The loans service: one Restate object a customer, whose reads run side by side."""

from datetime import date
from typing import NamedTuple

import restate

from services.tools.clock import business_now
from services.tools.demo_data.bank import Customer, customers
from services.tools.demo_data.pin import Pin, read_pin, write_pin
from services.tools.loans import book
from services.tools.loans.contract import LoanOverview, LoanSchedule, ScheduleQuery
from switchboard import NoInput
from switchboard.declare import tool_object

loans = tool_object("Loans", "Loans and credit lines of one customer, by customer id.")


class Seen(NamedTuple):
    """Who is asked about, since when the demo data counts for them, and today."""

    customer: Customer
    pinned_on: date
    today: date


@loans.handler(kind="shared")
async def list_loans(ctx: restate.ObjectSharedContext, _: NoInput) -> LoanOverview:
    """Every loan and credit line, as of today."""
    return book.overview(*await look(ctx))


@loans.handler(kind="shared")
async def get_loan_schedule(ctx: restate.ObjectSharedContext, query: ScheduleQuery) -> LoanSchedule:
    """The next payments of one loan. TerminalError 404 for a loan that is not this customer's."""
    seen = await look(ctx)
    try:
        return book.schedule(seen.customer, query.loan_id, seen.pinned_on, seen.today)
    except book.NoSuchLoan as error:
        raise restate.TerminalError(str(error), status_code=404) from error


@loans.handler()
async def pin(ctx: restate.ObjectContext, first_seen: Pin) -> None:
    """Not a tool: remembers when the customer was first seen."""
    await write_pin(ctx, first_seen)


async def look(ctx: restate.ObjectSharedContext) -> Seen:
    """What answers are worked out from. TerminalError 404 for somebody who is no customer."""
    customer = customers().get(ctx.key())
    if customer is None:
        raise restate.TerminalError(f"There is no customer {ctx.key()!r} at this bank.", status_code=404)
    now = await business_now(ctx)
    return Seen(customer, (await read_pin(ctx, pin, now)).date(), now.date())
