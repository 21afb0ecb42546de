"""The loans service: one Restate object a customer, whose reads run side by side.

Whatever changes what the account is debited for a loan, the object itself tells the account in the same breath. So the
account hears it in the order in which the loan came to it.
"""

from collections.abc import Awaitable, Callable
from datetime import date, datetime
from typing import NamedTuple

import restate

from services.tools.bank.accounts.contract import END_DEBITS
from services.tools.bank.loans import book, early, policy, repayment_terms
from services.tools.bank.loans.book import Standing
from services.tools.bank.loans.contract import (
    GET_LOAN_SCHEDULE,
    GRANT_LOAN,
    JUDGE_EARLY_REPAYMENT,
    LIST_LOANS,
    QUOTE_EARLY_REPAYMENT,
    REDUCE_LOAN,
    REVOKE_LOAN,
    UNDO_REDUCTION,
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
from services.tools.bank.loans.early import Repayments
from services.tools.bank.loans.granted import Granted, grant, revoke, with_granted
from services.tools.bank.lookups import BankRecords, known_customer
from services.tools.bank.pin import Pin, keep_pin, read_pin, write_pin
from services.tools.bank.records import Borrowing, Customer
from switchboard import implements
from switchboard.contract import PersonalInput
from switchboard.toolkit.clock import business_now
from switchboard.toolkit.declare import tool_object
from switchboard.toolkit.policy import enforce_policy
from switchboard.toolkit.refusal import Refusal
from switchboard.toolkit.rpc import allowed, tell

GRANTED = "granted"
REPAYMENTS = "repayments"


class Seen(NamedTuple):
    """A customer's loans as they are today: those on record, those granted here, and the early repayments of either."""

    customer: Customer
    on_record: Borrowing
    today: date
    granted: Granted
    early: Repayments

    @property
    def borrowing(self) -> Borrowing:
        """The loans and credit lines on record, and the loans that were granted here."""
        return with_granted(self.on_record, self.granted)

    def find(self, choice: LoanChoice) -> Standing | Refusal:
        return book.choose(self.borrowing, choice, self.today, self.early)

    def loan(self, choice: LoanChoice) -> Standing:
        """The loan that is meant. TerminalError 404 for one that is not this customer's."""
        return allowed(self.find(choice))


AnyObjectContext = restate.ObjectContext | restate.ObjectSharedContext
Look = Callable[[restate.ObjectSharedContext], Awaitable[Seen]]
LookHolding = Callable[[restate.ObjectContext], Awaitable[Seen]]


def loans_object(records: BankRecords) -> restate.VirtualObject:
    """Build the object; `records` has the customers and the loans that were not granted here."""
    loans = tool_object("Loans", "Loans and credit lines of one customer, by customer id.")

    @loans.handler()
    async def pin(ctx: restate.ObjectContext, first_seen: Pin) -> None:
        """Not a tool: remembers when the customer was first seen."""
        await write_pin(ctx, first_seen)

    async def look_at(ctx: AnyObjectContext, pinned: Callable[[datetime], Awaitable[datetime]]) -> Seen:
        """Return what answers are worked out from. Raises TerminalError 404 for an unknown customer."""
        customer = await known_customer(ctx, records, ctx.key())
        now = await business_now(ctx)
        pinned_on = (await pinned(now)).date()
        granted = await ctx.get(GRANTED, type_hint=Granted) or Granted()
        repayments = await ctx.get(REPAYMENTS, type_hint=Repayments) or Repayments()
        return Seen(customer, await records.borrowing(ctx, customer, pinned_on), now.date(), granted, repayments)

    async def look(ctx: restate.ObjectSharedContext) -> Seen:
        return await look_at(ctx, lambda now: read_pin(ctx, pin, now))

    async def look_holding(ctx: restate.ObjectContext) -> Seen:
        """As `look`, for a handler that holds the object's lock."""
        return await look_at(ctx, lambda now: keep_pin(ctx, now))

    add_reads(loans, look)
    add_early_repayment(loans, look_holding)
    add_granting(loans, look_holding)
    return loans


def add_reads(loans: restate.VirtualObject, look: Look) -> None:
    """Add the handlers that only read, which run side by side."""

    @implements(loans, LIST_LOANS, kind="shared")
    async def list_loans(ctx: restate.ObjectSharedContext, _request: PersonalInput) -> LoanOverview:
        """Every loan and credit line, as of today."""
        seen = await look(ctx)
        return book.overview(seen.borrowing, seen.customer.currency, seen.today, seen.early)

    @implements(loans, GET_LOAN_SCHEDULE, kind="shared")
    async def get_loan_schedule(ctx: restate.ObjectSharedContext, query: ScheduleQuery) -> LoanSchedule:
        """The payments of one loan. TerminalError 404 for a loan that is not this customer's."""
        seen = await look(ctx)
        return book.schedule(seen.loan(query), query, seen.customer.currency)

    @implements(loans, QUOTE_EARLY_REPAYMENT, kind="shared")
    async def quote_early_repayment(ctx: restate.ObjectSharedContext, query: RepaymentQuery) -> RepaymentQuote:
        """What it would cost. TerminalError 404 and 409 when it cannot be, or may not be."""
        seen = await look(ctx)
        at = seen.loan(query)
        quoted = allowed(repayment_terms.terms(at, query.amount, seen.customer.currency)).quote
        await judge_early(ctx, at, quoted)
        return quoted

    @implements(loans, JUDGE_EARLY_REPAYMENT, kind="shared")
    async def judge_early_repayment(ctx: restate.ObjectSharedContext, request: RepayEarly) -> EarlyTerms:
        """Not a tool: the terms, if they are those that were confirmed. TerminalError 404 and 409."""
        seen = await look(ctx)
        at = seen.loan(LoanChoice(loan_id=request.loan_id))
        terms = allowed(repayment_terms.terms(at, request.amount, seen.customer.currency))
        refused = policy.refuse_other_terms(request, terms.quote.fee, terms.quote.currency)
        allowed(refused)
        await judge_early(ctx, at, terms.quote)
        return terms


def add_early_repayment(loans: restate.VirtualObject, look_holding: LookHolding) -> None:
    """Add the two sides of an early repayment: book it, take it back."""

    @implements(loans, REDUCE_LOAN)
    async def reduce_loan(ctx: restate.ObjectContext, request: Reduce) -> Reduced:
        """Book an early repayment, once for each id. TerminalError 409 when the loan has changed since the quote."""
        seen = await look_holding(ctx)
        choice = LoanChoice(loan_id=request.loan_id)
        if seen.early.find(request.repayment_id):
            return repayment_terms.reduced_to(seen.loan(choice))
        at = seen.loan(choice)
        allowed(policy.refuse_impossible(request.amount, at.outstanding, seen.customer.currency))
        if request.repayment_id in seen.early.undone or request.after_payments != at.paid:
            why = "This loan has changed meanwhile. Ask for a quote, then again."
            raise restate.TerminalError(why, status_code=409)
        seen = seen._replace(early=early.book(seen.early, request, seen.today))
        ctx.set(REPAYMENTS, seen.early)
        tell_debits(ctx, seen, request.loan_id)
        return repayment_terms.reduced_to(seen.loan(choice))

    @implements(loans, UNDO_REDUCTION)
    async def undo_reduction(ctx: restate.ObjectContext, request: RepaymentRef) -> ReductionUndone:
        """Take an early repayment back, whether it has happened or not: what has not, never will."""
        seen = await look_holding(ctx)
        made = seen.early.find(request.repayment_id)
        seen = seen._replace(early=early.undo(seen.early, request.repayment_id))
        ctx.set(REPAYMENTS, seen.early)
        if made is not None:
            tell_debits(ctx, seen, made.loan_id)
        return ReductionUndone(undone=made is not None)


def add_granting(loans: restate.VirtualObject, look_holding: LookHolding) -> None:
    """Add the two sides of a new loan: grant it, take it back."""

    @implements(loans, GRANT_LOAN)
    async def grant_loan(ctx: restate.ObjectContext, request: GrantLoan) -> LoanGranted:
        """Add an approved loan, once for each id. TerminalError 404 for an unknown customer."""
        seen = await look_holding(ctx)
        granted, loan = grant(seen.granted, request)
        if granted != seen.granted:
            ctx.set(GRANTED, granted)
            tell_debits(ctx, seen._replace(granted=granted), loan.loan_id)
        return LoanGranted(loan_id=loan.loan_id, first_payment_on=loan.first_payment_on)

    @implements(loans, REVOKE_LOAN)
    async def revoke_loan(ctx: restate.ObjectContext, request: RevokeLoan) -> LoanRevoked:
        """Take back a loan that could not be paid out. Does nothing when it was never granted."""
        seen = await look_holding(ctx)
        if seen.granted.find(request.loan_id) is None:
            return LoanRevoked(revoked=False)
        ctx.set(GRANTED, revoke(seen.granted, request.loan_id))
        tell(ctx, END_DEBITS, repayment_terms.no_debits(seen.loan(LoanChoice(loan_id=request.loan_id))), ctx.key())
        return LoanRevoked(revoked=True)


def tell_debits(ctx: restate.ObjectContext, seen: Seen, loan_id: str) -> None:
    """Tell the account what it is debited for the loan from now on, if the loan is there and the account is."""
    at = seen.find(LoanChoice(loan_id=loan_id))
    if isinstance(at, Refusal):
        return
    debits = repayment_terms.debits(at, granted=seen.granted.find(loan_id) is not None)
    if debits is not None:
        tell(ctx, END_DEBITS, debits, ctx.key())


async def judge_early(ctx: restate.ObjectSharedContext, at: Standing, quote: RepaymentQuote) -> None:
    await enforce_policy(
        ctx, "repay_loan_early", policy.refuse_early(quote.amount, at.outstanding, at.overdue, quote.currency)
    )
