"""The real accounts in a separate process, with locks that a test can hold: `python -m tests.chaos.held_accounts`.

While an account's lock is held, calls to it wait. So a test can block a transfer exactly between two steps, for any
time and across kills. Tests call the accounts through `Vault`, because they are not reachable through the ingress.
"""

import restate

from services.tools.__main__ import bank_accounts
from services.tools.bank.accounts.contract import (
    DEPOSIT,
    UNDO_MOVE,
    WITHDRAW,
    Moved,
    MoveMoney,
    MoveRef,
    Undone,
    Withdraw,
)
from services.tools.bank.accounts.handlers import accounts_object
from switchboard import serve
from switchboard.messages import WireModel
from switchboard.toolkit.rpc import call_tool

HELD_BY = "held_by"

records, moves, parts = bank_accounts()
accounts = accounts_object(records, moves)
vault = restate.VirtualObject("Vault", description="For tests: an account's lock, and moves of money.")


class Go(WireModel):
    """An empty request."""


@accounts.handler()
async def hold(ctx: restate.ObjectContext, _: Go) -> None:
    """Hold the lock until the awakeable is resolved. Its id is in the state."""
    held_by, released = ctx.awakeable(type_hint=str)
    ctx.set(HELD_BY, held_by)
    await released
    ctx.clear(HELD_BY)


@vault.handler(kind="shared")
async def lock(ctx: restate.ObjectSharedContext, request: Go) -> None:
    ctx.object_send(hold, ctx.key(), request)


@vault.handler(kind="shared")
async def withdraw(ctx: restate.ObjectSharedContext, request: Withdraw) -> Moved:
    return await call_tool(ctx, WITHDRAW, request, ctx.key())


@vault.handler(kind="shared")
async def deposit(ctx: restate.ObjectSharedContext, request: MoveMoney) -> Moved:
    return await call_tool(ctx, DEPOSIT, request, ctx.key())


@vault.handler(kind="shared")
async def undo(ctx: restate.ObjectSharedContext, request: MoveRef) -> Undone:
    return await call_tool(ctx, UNDO_MOVE, request, ctx.key())


if __name__ == "__main__":
    serve(accounts, vault, *parts)
