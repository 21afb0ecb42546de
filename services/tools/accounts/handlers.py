"""The accounts service: one Restate object a customer, whose reads run side by side and whose moves of money do not.

A move is booked in one write, after everything that could fail: a handler that ends badly has booked nothing. What
spans two accounts is for a saga, whose undoing may arrive whether its move was booked or not.
"""

from dataclasses import replace

import restate

from services.tools.accounts import moves, policy, reports
from services.tools.accounts.contract import (
    Balances,
    Moved,
    MoveMoney,
    MoveRef,
    Spending,
    SpendingQuery,
    TransactionList,
    TransactionQuery,
    Undone,
    Withdraw,
)
from services.tools.accounts.ledger import Ledger, open_ledger
from services.tools.accounts.moves import Move, Moves
from services.tools.accounts.periods import PeriodRefused
from services.tools.call import allowed
from services.tools.clock import business_now
from services.tools.demo_data.bank import customers
from services.tools.demo_data.pin import Pin, keep_pin, read_pin, write_pin
from switchboard import NoInput
from switchboard.declare import tool_object

MOVES = "moves"

accounts = tool_object("Accounts", "Balances and transactions of one customer, by customer id.")


@accounts.handler(kind="shared")
async def get_balance(ctx: restate.ObjectSharedContext, _: NoInput) -> Balances:
    """Every account with its balance, as of now."""
    return reports.balances(await read_ledger(ctx))


@accounts.handler(kind="shared")
async def list_transactions(ctx: restate.ObjectSharedContext, query: TransactionQuery) -> TransactionList:
    """The newest transactions that match. TerminalError 400 for a period without records."""
    ledger = await read_ledger(ctx)
    try:
        return reports.transactions(ledger, query)
    except PeriodRefused as error:
        raise restate.TerminalError(str(error), status_code=400) from error


@accounts.handler(kind="shared")
async def summarize_spending(ctx: restate.ObjectSharedContext, query: SpendingQuery) -> Spending:
    """What was spent, added up. TerminalError 400 for a period without records."""
    ledger = await read_ledger(ctx)
    try:
        return reports.spending(ledger, query)
    except PeriodRefused as error:
        raise restate.TerminalError(str(error), status_code=400) from error


@accounts.handler()
async def pin(ctx: restate.ObjectContext, first_seen: Pin) -> None:
    """Not a tool: remembers when the customer was first seen."""
    await write_pin(ctx, first_seen)


@accounts.handler()
async def withdraw(ctx: restate.ObjectContext, request: Withdraw) -> Moved:
    """Take money from an account. TerminalError 404, 409 or 429 when the account does not give it."""
    ledger = await writable_ledger(ctx)
    if move := ledger.moves.find(request.move_id):
        return moved(ledger, move)
    allowed(policy.judge_withdrawal(ledger, request))
    return booked(ctx, ledger, moves.withdrawal(request, ledger.now))


@accounts.handler()
async def deposit(ctx: restate.ObjectContext, request: MoveMoney) -> Moved:
    """Put money on an account. TerminalError 404, 409 or 429 when the account does not take it."""
    ledger = await writable_ledger(ctx)
    if move := ledger.moves.find(request.move_id):
        return moved(ledger, move)
    allowed(policy.judge_move(ledger, request))
    return booked(ctx, ledger, moves.deposit(request, ledger.now))


@accounts.handler()
async def undo(ctx: restate.ObjectContext, request: MoveRef) -> Undone:
    """Undo a move, whether it has happened or not: what has not, never will."""
    ledger = await writable_ledger(ctx)
    if policy.stands(ledger, request.move_id):
        return Undone(stands=True)
    ctx.set(MOVES, moves.call_off(ledger.moves, request.move_id, ledger.now))
    return Undone(stands=False)


def booked(ctx: restate.ObjectContext, ledger: Ledger, move: Move) -> Moved:
    """Write the move, the last thing that its handler does."""
    after = replace(ledger, moves=moves.book(ledger.moves, move))
    ctx.set(MOVES, after.moves)
    return moved(after, move)


def moved(ledger: Ledger, move: Move) -> Moved:
    account = allowed(policy.named_account(ledger, move.account))
    return Moved(account=move.account, balance=ledger.balance(account), currency=ledger.customer.currency)


async def read_ledger(ctx: restate.ObjectSharedContext) -> Ledger:
    """The customer's ledger as of now. TerminalError 404 for somebody who is no customer."""
    refuse_stranger(ctx.key())
    now = await business_now(ctx)
    moves_so_far = await ctx.get(MOVES, type_hint=Moves) or Moves()
    return open_ledger(ctx.key(), await read_pin(ctx, pin, now), now, moves_so_far)


async def writable_ledger(ctx: restate.ObjectContext) -> Ledger:
    """As `read_ledger`, for a handler that holds the object's lock."""
    refuse_stranger(ctx.key())
    now = await business_now(ctx)
    moves_so_far = await ctx.get(MOVES, type_hint=Moves) or Moves()
    return open_ledger(ctx.key(), await keep_pin(ctx, now), now, moves_so_far)


def refuse_stranger(customer_id: str) -> None:
    if customer_id not in customers():
        raise restate.TerminalError(f"There is no customer {customer_id!r} at this bank.", status_code=404)
