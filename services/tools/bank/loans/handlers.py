"""Handlers of the loans service: one Restate object per customer, with concurrent reads.

A handler that changes a loan's debits sends the change to the account itself, in the same invocation. So the account
receives the changes in the order in which they were made.
"""

from collections.abc import Awaitable, Callable
from datetime import date, datetime
from typing import NamedTuple

import restate

from services.tools.bank.accounts.contract import END_DEBITS
from services.tools.bank.loans import book, early_repayments, policy, repayment_terms
from services.tools.bank.loans.book import LoanState
from services.tools.bank.loans.contract import (
    CHECK_EARLY_REPAYMENT,
    GET_LOAN_SCHEDULE,
    GRANT_LOAN,
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
    ReducedLoan,
    ReduceLoan,
    ReductionUndone,
    RepayEarly,
    RepaymentQuery,
    RepaymentQuote,
    RepaymentRef,
    RevokeLoan,
    ScheduleQuery,
)
from services.tools.bank.loans.early_repayments import EarlyRepayments
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
from switchboard.toolkit.rpc import allowed, send_tool

GRANTED = "granted"
REPAYMENTS = "repayments"


class CustomerLoans(NamedTuple):
    """A customer's loans today: those on record, those granted through the mesh, and the early repayments of both."""

    customer: Customer
    on_record: Borrowing
    today: date
    granted: Granted
    early: EarlyRepayments

    @property
    def borrowing(self) -> Borrowing:
        """The loans and credit lines on record, and the granted loans."""
        return with_granted(self.on_record, self.granted)

    def find(self, choice: LoanChoice) -> LoanState | Refusal:
        return book.find_loan(self.borrowing, choice, self.today, self.early)

    def loan(self, choice: LoanChoice) -> LoanState:
        """Return the loan that the customer means. Raises TerminalError 404 if none or several match."""
        return allowed(self.find(choice))


AnyObjectContext = restate.ObjectContext | restate.ObjectSharedContext
ReadLoans = Callable[[restate.ObjectSharedContext], Awaitable[CustomerLoans]]
ReadLoansForUpdate = Callable[[restate.ObjectContext], Awaitable[CustomerLoans]]


def loans_object(records: BankRecords) -> restate.VirtualObject:
    """Build the object. `records` has the customers and the loans that were not granted through the mesh."""
    loans = tool_object("Loans", "Loans and credit lines of one customer. The key is the customer's id.")

    @loans.handler()
    async def pin(ctx: restate.ObjectContext, first_seen: Pin) -> None:
        """Store when the customer was first seen. Not a tool."""
        await write_pin(ctx, first_seen)

    async def read_at(ctx: AnyObjectContext, pinned: Callable[[datetime], Awaitable[datetime]]) -> CustomerLoans:
        """Return the customer's loans. `pinned` returns when the customer was first seen.

        Raises TerminalError 404 for an unknown customer.
        """
        customer = await known_customer(ctx, records, ctx.key())
        now = await business_now(ctx)
        pinned_on = (await pinned(now)).date()
        granted = await ctx.get(GRANTED, type_hint=Granted) or Granted()
        repayments = await ctx.get(REPAYMENTS, type_hint=EarlyRepayments) or EarlyRepayments()
        return CustomerLoans(
            customer, await records.borrowing(ctx, customer, pinned_on), now.date(), granted, repayments
        )

    async def read_loans(ctx: restate.ObjectSharedContext) -> CustomerLoans:
        return await read_at(ctx, lambda now: read_pin(ctx, pin, now))

    async def read_loans_for_update(ctx: restate.ObjectContext) -> CustomerLoans:
        """Return the customer's loans, in a handler that holds the object's lock."""
        return await read_at(ctx, lambda now: keep_pin(ctx, now))

    add_reads(loans, read_loans)
    add_early_repayment(loans, read_loans_for_update)
    add_granting(loans, read_loans_for_update)
    return loans


def add_reads(loans: restate.VirtualObject, read_loans: ReadLoans) -> None:
    """Add the shared handlers: they only read and run concurrently."""

    @implements(loans, LIST_LOANS, kind="shared")
    async def list_loans(ctx: restate.ObjectSharedContext, _request: PersonalInput) -> LoanOverview:
        """Return all loans and credit lines, as of today."""
        customer_loans = await read_loans(ctx)
        return book.overview(
            customer_loans.borrowing, customer_loans.customer.currency, customer_loans.today, customer_loans.early
        )

    @implements(loans, GET_LOAN_SCHEDULE, kind="shared")
    async def get_loan_schedule(ctx: restate.ObjectSharedContext, query: ScheduleQuery) -> LoanSchedule:
        """Return the payments of one loan. Raises TerminalError 404 if none or several loans match."""
        customer_loans = await read_loans(ctx)
        return book.schedule(customer_loans.loan(query), query, customer_loans.customer.currency)

    @implements(loans, QUOTE_EARLY_REPAYMENT, kind="shared")
    async def quote_early_repayment(ctx: restate.ObjectSharedContext, query: RepaymentQuery) -> RepaymentQuote:
        """Return the cost of an early repayment. Raises TerminalError 404 or 409 if it is not possible or allowed."""
        customer_loans = await read_loans(ctx)
        at = customer_loans.loan(query)
        quoted = allowed(repayment_terms.terms(at, query.amount, customer_loans.customer.currency)).quote
        await enforce_repayment_rules(ctx, at, quoted)
        return quoted

    @implements(loans, CHECK_EARLY_REPAYMENT, kind="shared")
    async def check_early_repayment(ctx: restate.ObjectSharedContext, request: RepayEarly) -> EarlyTerms:
        """Return the terms if they match the confirmed ones. Raises TerminalError 404 or 409."""
        customer_loans = await read_loans(ctx)
        at = customer_loans.loan(LoanChoice(loan_id=request.loan_id))
        terms = allowed(repayment_terms.terms(at, request.amount, customer_loans.customer.currency))
        allowed(policy.refuse_other_terms(request, terms.quote.fee, terms.quote.currency))
        account = allowed(policy.paying_account(customer_loans.customer, request))
        await enforce_repayment_rules(ctx, at, terms.quote)
        return terms.model_copy(update={"account": account.account, "product": at.loan.product})


def add_early_repayment(loans: restate.VirtualObject, read_loans_for_update: ReadLoansForUpdate) -> None:
    """Add the handlers that book and undo an early repayment."""

    @implements(loans, REDUCE_LOAN)
    async def reduce_loan(ctx: restate.ObjectContext, request: ReduceLoan) -> ReducedLoan:
        """Book an early repayment, once per id. Raises TerminalError 409 if the loan has changed since the quote."""
        customer_loans = await read_loans_for_update(ctx)
        choice = LoanChoice(loan_id=request.loan_id)
        if customer_loans.early.find(request.repayment_id):
            return repayment_terms.reduced_loan(customer_loans.loan(choice))
        at = customer_loans.loan(choice)
        allowed(policy.refuse_impossible(request.amount, at.outstanding, customer_loans.customer.currency))
        if request.repayment_id in customer_loans.early.undone or request.after_payments != at.paid:
            why = "This loan has changed in the meantime. Please request a new quote."
            raise restate.TerminalError(why, status_code=409)
        customer_loans = customer_loans._replace(
            early=early_repayments.book(customer_loans.early, request, customer_loans.today)
        )
        ctx.set(REPAYMENTS, customer_loans.early)
        send_debits(ctx, customer_loans, request.loan_id)
        return repayment_terms.reduced_loan(customer_loans.loan(choice))

    @implements(loans, UNDO_REDUCTION)
    async def undo_reduction(ctx: restate.ObjectContext, request: RepaymentRef) -> ReductionUndone:
        """Undo an early repayment. If it has not been booked yet, it can never be booked afterwards."""
        customer_loans = await read_loans_for_update(ctx)
        made = customer_loans.early.find(request.repayment_id)
        customer_loans = customer_loans._replace(
            early=early_repayments.undo(customer_loans.early, request.repayment_id)
        )
        ctx.set(REPAYMENTS, customer_loans.early)
        if made is not None:
            send_debits(ctx, customer_loans, made.loan_id)
        return ReductionUndone(undone=made is not None)


def add_granting(loans: restate.VirtualObject, read_loans_for_update: ReadLoansForUpdate) -> None:
    """Add the handlers that grant and revoke a loan."""

    @implements(loans, GRANT_LOAN)
    async def grant_loan(ctx: restate.ObjectContext, request: GrantLoan) -> LoanGranted:
        """Add an approved loan, once per id. Raises TerminalError 404 for an unknown customer."""
        customer_loans = await read_loans_for_update(ctx)
        granted, loan = grant(customer_loans.granted, request)
        if granted != customer_loans.granted:
            ctx.set(GRANTED, granted)
            send_debits(ctx, customer_loans._replace(granted=granted), loan.loan_id)
        return LoanGranted(loan_id=loan.loan_id, first_payment_on=loan.first_payment_on)

    @implements(loans, REVOKE_LOAN)
    async def revoke_loan(ctx: restate.ObjectContext, request: RevokeLoan) -> LoanRevoked:
        """Revoke a loan that could not be paid out. Has no effect if it was never granted."""
        customer_loans = await read_loans_for_update(ctx)
        if customer_loans.granted.find(request.loan_id) is None:
            return LoanRevoked(revoked=False)
        ctx.set(GRANTED, revoke(customer_loans.granted, request.loan_id))
        send_tool(
            ctx,
            END_DEBITS,
            repayment_terms.no_debits(customer_loans.loan(LoanChoice(loan_id=request.loan_id))),
            ctx.key(),
        )
        return LoanRevoked(revoked=True)


def send_debits(ctx: restate.ObjectContext, customer_loans: CustomerLoans, loan_id: str) -> None:
    """Send the loan's new debits to the account, if the loan exists and is debited from the account."""
    at = customer_loans.find(LoanChoice(loan_id=loan_id))
    if isinstance(at, Refusal):
        return
    debits = repayment_terms.debits(at, granted=customer_loans.granted.find(loan_id) is not None)
    if debits is not None:
        send_tool(ctx, END_DEBITS, debits, ctx.key())


async def enforce_repayment_rules(ctx: restate.ObjectSharedContext, at: LoanState, quote: RepaymentQuote) -> None:
    await enforce_policy(
        ctx, "repay_loan_early", policy.refuse_early(quote.amount, at.outstanding, at.overdue, quote.currency)
    )
