"""The loans service: one Restate object a customer, whose reads run side by side."""

from datetime import date
from typing import NamedTuple

import restate

from services.tools.call import allowed
from services.tools.clock import business_now
from services.tools.demo_data.bank import Customer, customers
from services.tools.demo_data.pin import Pin, keep_pin, read_pin, write_pin
from services.tools.identity.contract import PersonalInput
from services.tools.identity.guard import admit
from services.tools.judge import judge
from services.tools.loans import book, early, policy, repayment
from services.tools.loans.book import Standing
from services.tools.loans.contract import (
    EarlyTerms,
    GrantLoan,
    LoanChoice,
    LoanGranted,
    LoanOverview,
    LoanRevoked,
    LoanSchedule,
    Reduce,
    Reduced,
    ReductionUndone,
    RepayEarly,
    RepaymentQuery,
    RepaymentQuote,
    RepaymentRef,
    RevokeLoan,
    ScheduleQuery,
)
from services.tools.loans.early import Repayments
from services.tools.loans.granted import Granted, grant, revoke, with_granted
from switchboard.declare import tool_object

GRANTED = "granted"
REPAYMENTS = "repayments"

loans = tool_object("Loans", "Loans and credit lines of one customer, by customer id.")


class Seen(NamedTuple):
    """Who is asked about, since when the demo data counts for them, today, and what was repaid early."""

    customer: Customer
    pinned_on: date
    today: date
    early: Repayments

    def loan(self, choice: LoanChoice) -> Standing:
        """The loan that is meant. TerminalError 404 for one that is not this customer's."""
        return allowed(book.choose(self.customer, choice, self.pinned_on, self.today, self.early))


@loans.handler(kind="shared")
async def list_loans(ctx: restate.ObjectSharedContext, request: PersonalInput) -> LoanOverview:
    """Every loan and credit line, as of today."""
    await admit(ctx, ctx.key(), request)
    return book.overview(*await look(ctx))


@loans.handler(kind="shared")
async def get_loan_schedule(ctx: restate.ObjectSharedContext, query: ScheduleQuery) -> LoanSchedule:
    """The payments of one loan. TerminalError 404 for a loan that is not this customer's."""
    await admit(ctx, ctx.key(), query)
    seen = await look(ctx)
    return book.schedule(seen.loan(query), query, seen.customer.currency)


@loans.handler(kind="shared")
async def quote_early_repayment(ctx: restate.ObjectSharedContext, query: RepaymentQuery) -> RepaymentQuote:
    """What it would cost. TerminalError 404 and 409 when it cannot be, or may not be."""
    await admit(ctx, ctx.key(), query)
    seen = await look(ctx)
    at = seen.loan(query)
    quoted = allowed(repayment.terms(at, query.amount, seen.customer.currency)).quote
    await judge_early(ctx, at, quoted)
    return quoted


@loans.handler(kind="shared")
async def judge_early_repayment(ctx: restate.ObjectSharedContext, request: RepayEarly) -> EarlyTerms:
    """Not a tool: the terms, if they are those that were confirmed. TerminalError 404 and 409."""
    seen = await look(ctx)
    at = seen.loan(LoanChoice(loan_id=request.loan_id))
    terms = allowed(repayment.terms(at, request.amount, seen.customer.currency))
    refused = policy.refuse_other_terms(request, terms.quote.fee, terms.quote.currency)
    allowed(refused)
    await judge_early(ctx, at, terms.quote)
    return terms


@loans.handler()
async def reduce_loan(ctx: restate.ObjectContext, request: Reduce) -> Reduced:
    """Book an early repayment; an id that was booked before is not booked again. TerminalError 409 when it is late."""
    seen = await look_holding(ctx)
    choice = LoanChoice(loan_id=request.loan_id)
    if seen.early.find(request.repayment_id):
        return repayment.reduced_to(seen.loan(choice))
    at = seen.loan(choice)
    allowed(policy.refuse_impossible(request.amount, at.outstanding, seen.customer.currency))
    if request.repayment_id in seen.early.undone or request.after_payments != at.paid:
        why = "This loan has changed meanwhile. Ask for a quote, then again."
        raise restate.TerminalError(why, status_code=409)
    after = early.book(seen.early, request, seen.today)
    ctx.set(REPAYMENTS, after)
    return repayment.reduced_to(seen._replace(early=after).loan(choice))


@loans.handler()
async def undo_reduction(ctx: restate.ObjectContext, request: RepaymentRef) -> ReductionUndone:
    """Take an early repayment back, whether it has happened or not: what has not, never will."""
    repayments = await ctx.get(REPAYMENTS, type_hint=Repayments) or Repayments()
    ctx.set(REPAYMENTS, early.undo(repayments, request.repayment_id))
    return ReductionUndone(undone=repayments.find(request.repayment_id) is not None)


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


async def judge_early(ctx: restate.ObjectSharedContext, at: Standing, quote: RepaymentQuote) -> None:
    await judge(ctx, "repay_loan_early", policy.refuse_early(quote.amount, at.outstanding, at.overdue, quote.currency))


async def look(ctx: restate.ObjectSharedContext) -> Seen:
    """What answers are worked out from. TerminalError 404 for somebody who is no customer."""
    known(ctx.key())
    now = await business_now(ctx)
    pinned_on = (await read_pin(ctx, pin, now)).date()
    return await seen_on(ctx, pinned_on, now.date())


async def look_holding(ctx: restate.ObjectContext) -> Seen:
    """As `look`, for a handler that holds the object's lock."""
    known(ctx.key())
    now = await business_now(ctx)
    return await seen_on(ctx, (await keep_pin(ctx, now)).date(), now.date())


async def seen_on(ctx: restate.ObjectContext | restate.ObjectSharedContext, pinned_on: date, today: date) -> Seen:
    granted = await ctx.get(GRANTED, type_hint=Granted) or Granted()
    repayments = await ctx.get(REPAYMENTS, type_hint=Repayments) or Repayments()
    return Seen(with_granted(known(ctx.key()), granted, pinned_on), pinned_on, today, repayments)


def known(customer_id: str) -> Customer:
    customer = customers().get(customer_id)
    if customer is None:
        raise restate.TerminalError(f"There is no customer {customer_id!r} at this bank.", status_code=404)
    return customer
