"""Handlers of the accounts service: one Restate object per customer.

Reads run concurrently, bookings one at a time. A handler books a move in a single write, after all steps that can fail,
so a handler that fails has booked nothing. Transfers between two accounts use a saga. Its undo request is accepted
whether or not the move was booked.
"""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime
from typing import TypeVar

import restate

from services.tools.bank.accounts import moves, policy, reports
from services.tools.bank.accounts.contract import (
    CHECK_WITHDRAWAL,
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
    Withdrawable,
)
from services.tools.bank.accounts.ledger import EndedDebits, Ledger, open_ledger, with_debits
from services.tools.bank.accounts.month_table import month_table
from services.tools.bank.accounts.move_store import AnyObjectContext, MoveStore, StateMoves
from services.tools.bank.accounts.moves import Move
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

ENDED_DEBITS = "ended_debits"

Report = TypeVar("Report")

ReadLedger = Callable[[restate.ObjectSharedContext], Awaitable[Ledger]]
WritableLedger = Callable[[restate.ObjectContext], Awaitable[Ledger]]


def accounts_object(records: BankRecords, store: MoveStore | None = None) -> restate.VirtualObject:
    """Build the object. `records` has the customers, and their balances and transactions without the mesh's moves.

    `store` keeps these moves, by default in the object's state.
    """
    store = store or StateMoves()
    accounts = tool_object("Accounts", "Balances and transactions of one customer. The key is the customer's id.")

    @accounts.handler()
    async def pin(ctx: restate.ObjectContext, first_seen: Pin) -> None:
        """Store when the customer was first seen. Not a tool."""
        await write_pin(ctx, first_seen)

    @implements(accounts, END_DEBITS)
    async def end_debits(ctx: restate.ObjectContext, request: LoanDebits) -> DebitsEnd:
        """Store the debits of a loan. The latest call for a loan replaces earlier ones, so retries are safe."""
        await known_customer(ctx, records, ctx.key())
        ctx.set(ENDED_DEBITS, EndedDebits(debits=with_debits((await read_ended(ctx)).debits, request)))
        return DebitsEnd(debited_as=request.debited_as, last_on=request.last_on)

    async def open_at(ctx: AnyObjectContext, pinned: Callable[[datetime], Awaitable[datetime]]) -> Ledger:
        """Return the ledger as of now. `pinned` returns when the customer was first seen.

        Raises TerminalError 404 for an unknown customer.
        """
        customer = await known_customer(ctx, records, ctx.key())
        now = await business_now(ctx)
        moves_so_far = await store.read(ctx)
        ended = (await read_ended(ctx)).debits
        pinned_at = await pinned(now)
        history = await records.history(ctx, customer, pinned_at, now)
        return open_ledger(customer, history, pinned_at, now, moves_so_far, ended)

    async def read_ledger(ctx: restate.ObjectSharedContext) -> Ledger:
        return await open_at(ctx, lambda now: read_pin(ctx, pin, now))

    async def writable_ledger(ctx: restate.ObjectContext) -> Ledger:
        """Return the ledger as of now, in a handler that holds the object's lock."""
        return await open_at(ctx, lambda now: keep_pin(ctx, now))

    add_reports(accounts, read_ledger)
    add_moves(accounts, writable_ledger, store)
    return accounts


def add_reports(accounts: restate.VirtualObject, read_ledger: ReadLedger) -> None:
    """Add the shared handlers: they only read and run concurrently."""

    @implements(accounts, GET_BALANCE, kind="shared")
    async def get_balance(ctx: restate.ObjectSharedContext, _request: PersonalInput) -> Balances:
        """Return all accounts with their current balances."""
        return reports.balances(await read_ledger(ctx))

    @implements(accounts, LIST_TRANSACTIONS, kind="shared")
    async def list_transactions(ctx: restate.ObjectSharedContext, query: TransactionQuery) -> TransactionList:
        """Return the newest matching transactions.

        Raises TerminalError 400 for a period without records, and 404 for an unknown account.
        """
        ledger = await read_ledger(ctx)
        return answered(lambda: reports.transactions(ledger, query))

    @implements(accounts, SUMMARIZE_SPENDING, kind="shared")
    async def summarize_spending(ctx: restate.ObjectSharedContext, query: SpendingQuery) -> Spending:
        """Return the total spending. Raises TerminalError 400 for a period without records."""
        ledger = await read_ledger(ctx)
        return answered(lambda: reports.spending(ledger, query))

    @implements(accounts, COMPARE_MONTHS, kind="shared")
    async def compare_months(ctx: restate.ObjectSharedContext, query: MonthsQuery) -> MonthTable:
        """Return the spending by category and month."""
        return month_table(await read_ledger(ctx), query)

    @implements(accounts, FIND_TRANSACTION, kind="shared")
    async def find_transaction(ctx: restate.ObjectSharedContext, request: FindTransaction) -> Transaction:
        """Return one booked transaction. Raises TerminalError 404 if the customer has no such transaction."""
        found = (await read_ledger(ctx)).find(request.transaction_id)
        if found is None:
            why = f"You have no transaction {request.transaction_id}. List your transactions to find the right id."
            raise restate.TerminalError(why, status_code=NOT_FOUND)
        return found

    @implements(accounts, CHECK_WITHDRAWAL, kind="shared")
    async def check_withdrawal(ctx: restate.ObjectSharedContext, request: Withdraw) -> Withdrawable:
        """Return the account if `withdraw` would be possible now. Raises the same errors as `withdraw`."""
        ledger = await read_ledger(ctx)
        account = allowed(policy.validate_withdrawal(ledger, request))
        if request.day_limit is not None:
            refused = policy.refuse_over_day_limit(ledger, request)
            await enforce_policy(ctx, "withdraw", refused, checking=True)
        return Withdrawable(account=account.account)


def add_moves(accounts: restate.VirtualObject, writable_ledger: WritableLedger, store: MoveStore) -> None:
    """Add the exclusive handlers: they book money and run one at a time."""

    @implements(accounts, WITHDRAW)
    async def withdraw(ctx: restate.ObjectContext, request: Withdraw) -> Moved:
        """Withdraw money. Raises TerminalError 404, 409 or 429, with the reason, if nothing was booked."""
        ledger = await writable_ledger(ctx)
        if move := ledger.moves.find(request.move_id):
            return moved(ledger, move)
        allowed(policy.validate_withdrawal(ledger, request))
        if request.day_limit is not None:
            await enforce_policy(ctx, "withdraw", policy.refuse_over_day_limit(ledger, request))
        return await booked(ctx, store, ledger, moves.withdrawal(request, ledger.now))

    @implements(accounts, DEPOSIT)
    async def deposit(ctx: restate.ObjectContext, request: MoveMoney) -> Moved:
        """Deposit money. Raises TerminalError 404, 409 or 429, with the reason, if nothing was booked."""
        ledger = await writable_ledger(ctx)
        if move := ledger.moves.find(request.move_id):
            return moved(ledger, move)
        allowed(policy.validate_move(ledger, request))
        return await booked(ctx, store, ledger, moves.deposit(request, ledger.now))

    @implements(accounts, UNDO_MOVE)
    async def undo(ctx: restate.ObjectContext, request: MoveRef) -> Undone:
        """Undo a move. A move that has not been booked yet can never be booked afterwards."""
        ledger = await writable_ledger(ctx)
        if policy.is_spent(ledger, request.move_id):
            return Undone(stands=True)
        await store.call_off(ctx, ledger.moves, request.move_id, ledger.now)
        return Undone(stands=False)


def answered(report: Callable[[], Report]) -> Report:
    try:
        return report()
    except PeriodRefused as error:
        raise restate.TerminalError(str(error), status_code=400) from error
    except reports.AccountUnknown as error:
        raise restate.TerminalError(str(error), status_code=NOT_FOUND) from error


async def booked(ctx: restate.ObjectContext, store: MoveStore, ledger: Ledger, move: Move) -> Moved:
    """Store the move. This must be the last step of a handler."""
    return moved(replace(ledger, moves=await store.book(ctx, ledger.moves, move)), move)


def moved(ledger: Ledger, move: Move) -> Moved:
    account = allowed(policy.named_account(ledger, move.account))
    return Moved(account=move.account, balance=ledger.balance(account), currency=account.currency)


async def read_ended(ctx: restate.ObjectContext | restate.ObjectSharedContext) -> EndedDebits:
    return await ctx.get(ENDED_DEBITS, type_hint=EndedDebits) or EndedDebits()
