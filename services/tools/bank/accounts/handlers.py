"""The accounts service: one Restate object a customer, whose reads run side by side and whose moves of money do not.

A move is booked in one write, after everything that could fail: a handler that ends badly has booked nothing. What
spans two accounts is for a saga, whose undoing may arrive whether its move was booked or not.
"""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime
from typing import TypeVar

import restate

from services.tools.bank.accounts import moves, policy, reports
from services.tools.bank.accounts.contract import (
    COMPARE_MONTHS,
    DEPOSIT,
    END_DEBITS,
    FIND_TRANSACTION,
    GET_BALANCE,
    LIST_TRANSACTIONS,
    SUMMARIZE_SPENDING,
    UNDO_MOVE,
    WITHDRAW,
    Balances,
    DebitsEnd,
    FindTransaction,
    LoanDebits,
    MonthsQuery,
    MonthTable,
    Moved,
    MoveMoney,
    MoveRef,
    Spending,
    SpendingQuery,
    Transaction,
    TransactionList,
    TransactionQuery,
    Undone,
    Withdraw,
)
from services.tools.bank.accounts.ledger import EndedDebits, Ledger, open_ledger, with_debits
from services.tools.bank.accounts.month_table import month_table
from services.tools.bank.accounts.moves import Move, Moves
from services.tools.bank.accounts.periods import PeriodRefused
from services.tools.bank.lookups import BankRecords, known_customer
from services.tools.bank.pin import Pin, keep_pin, read_pin, write_pin
from switchboard import implements
from switchboard.contract import PersonalInput
from switchboard.toolkit.clock import business_now
from switchboard.toolkit.declare import tool_object
from switchboard.toolkit.policy import enforce_policy
from switchboard.toolkit.refusal import NOT_FOUND
from switchboard.toolkit.rpc import allowed

MOVES = "moves"
ENDED_DEBITS = "ended_debits"

Report = TypeVar("Report")

AnyObjectContext = restate.ObjectContext | restate.ObjectSharedContext
ReadLedger = Callable[[restate.ObjectSharedContext], Awaitable[Ledger]]
WritableLedger = Callable[[restate.ObjectContext], Awaitable[Ledger]]


def accounts_object(records: BankRecords) -> restate.VirtualObject:
    """Build the object; `records` has the customers and what was theirs before any move made here."""
    accounts = tool_object("Accounts", "Balances and transactions of one customer, by customer id.")

    @accounts.handler()
    async def pin(ctx: restate.ObjectContext, first_seen: Pin) -> None:
        """Not a tool: remembers when the customer was first seen."""
        await write_pin(ctx, first_seen)

    @implements(accounts, END_DEBITS)
    async def end_debits(ctx: restate.ObjectContext, request: LoanDebits) -> DebitsEnd:
        """Note when the debits of a loan end. Whoever says it twice says the same; the latest counts."""
        await known_customer(ctx, records, ctx.key())
        ctx.set(ENDED_DEBITS, EndedDebits(debits=with_debits((await read_ended(ctx)).debits, request)))
        return DebitsEnd(debited_as=request.debited_as, last_on=request.last_on)

    async def open_at(ctx: AnyObjectContext, pinned: Callable[[datetime], Awaitable[datetime]]) -> Ledger:
        """Return the ledger as of now. Raises TerminalError 404 for an unknown customer."""
        customer = await known_customer(ctx, records, ctx.key())
        now = await business_now(ctx)
        moves_so_far = await ctx.get(MOVES, type_hint=Moves) or Moves()
        ended = (await read_ended(ctx)).debits
        pinned_at = await pinned(now)
        history = await records.history(ctx, customer, pinned_at, now)
        return open_ledger(customer, history, pinned_at, now, moves_so_far, ended)

    async def read_ledger(ctx: restate.ObjectSharedContext) -> Ledger:
        return await open_at(ctx, lambda now: read_pin(ctx, pin, now))

    async def writable_ledger(ctx: restate.ObjectContext) -> Ledger:
        """As `read_ledger`, for a handler that holds the object's lock."""
        return await open_at(ctx, lambda now: keep_pin(ctx, now))

    add_reports(accounts, read_ledger)
    add_moves(accounts, writable_ledger)
    return accounts


def add_reports(accounts: restate.VirtualObject, read_ledger: ReadLedger) -> None:
    """Add the handlers that only read, which run side by side."""

    @implements(accounts, GET_BALANCE, kind="shared")
    async def get_balance(ctx: restate.ObjectSharedContext, _request: PersonalInput) -> Balances:
        """Every account with its balance, as of now."""
        return reports.balances(await read_ledger(ctx))

    @implements(accounts, LIST_TRANSACTIONS, kind="shared")
    async def list_transactions(ctx: restate.ObjectSharedContext, query: TransactionQuery) -> TransactionList:
        """The newest transactions that match. TerminalError 400 for a period without records, 404 for no account."""
        ledger = await read_ledger(ctx)
        return answered(lambda: reports.transactions(ledger, query))

    @implements(accounts, SUMMARIZE_SPENDING, kind="shared")
    async def summarize_spending(ctx: restate.ObjectSharedContext, query: SpendingQuery) -> Spending:
        """What was spent, added up. TerminalError 400 for a period without records."""
        ledger = await read_ledger(ctx)
        return answered(lambda: reports.spending(ledger, query))

    @implements(accounts, COMPARE_MONTHS, kind="shared")
    async def compare_months(ctx: restate.ObjectSharedContext, query: MonthsQuery) -> MonthTable:
        """What was spent, by category and month."""
        return month_table(await read_ledger(ctx), query)

    @implements(accounts, FIND_TRANSACTION, kind="shared")
    async def find_transaction(ctx: restate.ObjectSharedContext, request: FindTransaction) -> Transaction:
        """One booked transaction. TerminalError 404 when it is not this customer's."""
        found = (await read_ledger(ctx)).find(request.transaction_id)
        if found is None:
            why = f"There is no transaction {request.transaction_id} among yours. List them first."
            raise restate.TerminalError(why, status_code=NOT_FOUND)
        return found


def add_moves(accounts: restate.VirtualObject, writable_ledger: WritableLedger) -> None:
    """Add the handlers that move money, which run one after the other."""

    @implements(accounts, WITHDRAW)
    async def withdraw(ctx: restate.ObjectContext, request: Withdraw) -> Moved:
        """Take money from an account. TerminalError 404, 409 or 429 when the account does not give it."""
        ledger = await writable_ledger(ctx)
        if move := ledger.moves.find(request.move_id):
            return moved(ledger, move)
        allowed(policy.judge_withdrawal(ledger, request))
        if request.day_limit is not None:
            await enforce_policy(ctx, "withdraw", policy.refuse_over_day_limit(ledger, request))
        return booked(ctx, ledger, moves.withdrawal(request, ledger.now))

    @implements(accounts, DEPOSIT)
    async def deposit(ctx: restate.ObjectContext, request: MoveMoney) -> Moved:
        """Put money on an account. TerminalError 404, 409 or 429 when the account does not take it."""
        ledger = await writable_ledger(ctx)
        if move := ledger.moves.find(request.move_id):
            return moved(ledger, move)
        allowed(policy.judge_move(ledger, request))
        return booked(ctx, ledger, moves.deposit(request, ledger.now))

    @implements(accounts, UNDO_MOVE)
    async def undo(ctx: restate.ObjectContext, request: MoveRef) -> Undone:
        """Undo a move, whether it has happened or not: what has not, never will."""
        ledger = await writable_ledger(ctx)
        if policy.stands(ledger, request.move_id):
            return Undone(stands=True)
        ctx.set(MOVES, moves.call_off(ledger.moves, request.move_id, ledger.now))
        return Undone(stands=False)


def answered(report: Callable[[], Report]) -> Report:
    try:
        return report()
    except PeriodRefused as error:
        raise restate.TerminalError(str(error), status_code=400) from error
    except reports.AccountUnknown as error:
        raise restate.TerminalError(str(error), status_code=NOT_FOUND) from error


def booked(ctx: restate.ObjectContext, ledger: Ledger, move: Move) -> Moved:
    """Write the move, the last thing that its handler does."""
    after = replace(ledger, moves=moves.book(ledger.moves, move))
    ctx.set(MOVES, after.moves)
    return moved(after, move)


def moved(ledger: Ledger, move: Move) -> Moved:
    account = allowed(policy.named_account(ledger, move.account))
    return Moved(account=move.account, balance=ledger.balance(account), currency=account.currency)


async def read_ended(ctx: restate.ObjectContext | restate.ObjectSharedContext) -> EndedDebits:
    return await ctx.get(ENDED_DEBITS, type_hint=EndedDebits) or EndedDebits()
