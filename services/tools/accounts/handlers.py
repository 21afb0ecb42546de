"""The accounts service: one Restate object a customer, whose reads run side by side."""

import restate

from services.tools.accounts import reports
from services.tools.accounts.contract import Balances, Spending, SpendingQuery, TransactionList, TransactionQuery
from services.tools.accounts.ledger import Ledger, open_ledger
from services.tools.accounts.periods import PeriodRefused
from services.tools.clock import business_now
from services.tools.demo_data.bank import customers
from services.tools.demo_data.pin import Pin, read_pin, write_pin
from switchboard import NoInput
from switchboard.declare import tool_object

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


async def read_ledger(ctx: restate.ObjectSharedContext) -> Ledger:
    """The customer's ledger as of now. TerminalError 404 for somebody who is no customer."""
    if ctx.key() not in customers():
        raise restate.TerminalError(f"There is no customer {ctx.key()!r} at this bank.", status_code=404)
    now = await business_now(ctx)
    return open_ledger(ctx.key(), await read_pin(ctx, pin, now), now)
