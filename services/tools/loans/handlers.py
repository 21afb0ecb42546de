"""The loans service: one Restate object a customer, whose reads run side by side."""

from datetime import date
from typing import NamedTuple

import restate

from services.tools.clock import business_now
from services.tools.demo_data.bank import Customer, customers
from services.tools.demo_data.pin import Pin, read_pin, write_pin
from services.tools.loans import book
from services.tools.loans.contract import (
    GrantLoan,
    LoanGranted,
    LoanOverview,
    LoanRevoked,
    LoanSchedule,
    RevokeLoan,
    ScheduleQuery,
)
from services.tools.loans.granted import Granted, grant, revoke, with_granted
from switchboard import NoInput
from switchboard.declare import tool_object

GRANTED = "granted"

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
async def grant_loan(ctx: restate.ObjectContext, request: GrantLoan) -> LoanGranted:
    """Add an approved loan; an id that was granted before is not granted again. TerminalError 404 for no customer."""
    known(ctx.key())
    granted, loan = grant(await ctx.get(GRANTED, type_hint=Granted) or Granted(), request)
    ctx.set(GRANTED, granted)
    return LoanGranted(loan_id=loan.loan_id, first_payment_on=loan.first_payment_on)


@loans.handler()
async def revoke_loan(ctx: restate.ObjectContext, request: RevokeLoan) -> LoanRevoked:
    """Take back a loan that could not be paid out. Does nothing when it was never granted."""
    granted = await ctx.get(GRANTED, type_hint=Granted) or Granted()
    ctx.set(GRANTED, revoke(granted, request.loan_id))
    return LoanRevoked(revoked=granted.find(request.loan_id) is not None)


@loans.handler()
async def pin(ctx: restate.ObjectContext, first_seen: Pin) -> None:
    """Not a tool: remembers when the customer was first seen."""
    await write_pin(ctx, first_seen)


async def look(ctx: restate.ObjectSharedContext) -> Seen:
    """What answers are worked out from. TerminalError 404 for somebody who is no customer."""
    customer = known(ctx.key())
    now = await business_now(ctx)
    pinned_on = (await read_pin(ctx, pin, now)).date()
    granted = await ctx.get(GRANTED, type_hint=Granted) or Granted()
    return Seen(with_granted(customer, granted, pinned_on), pinned_on, now.date())


def known(customer_id: str) -> Customer:
    customer = customers().get(customer_id)
    if customer is None:
        raise restate.TerminalError(f"There is no customer {customer_id!r} at this bank.", status_code=404)
    return customer
