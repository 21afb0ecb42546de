"""The real accounts in a process of their own, whose locks a test can hold: `python -m tests.chaos.held_accounts`.

While an account's lock is held, what is asked of it waits: so a transfer stands still exactly between two steps, for as
long as the test likes and over any kill. `Vault` lets the test in, as the ingress does not reach the accounts.
"""

import restate

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
from services.tools.bank.data.demo import DemoBank
from switchboard import serve
from switchboard.messages import WireModel
from switchboard.toolkit.rpc import call_tool

HELD_BY = "held_by"

accounts = accounts_object(DemoBank.read())
vault = restate.VirtualObject("Vault", description="For tests: an account's lock, and moves of money.")


class Go(WireModel):
    """Nothing to say."""


@accounts.handler()
async def hold(ctx: restate.ObjectContext, _: Go) -> None:
    """Keep the lock until the awakeable is resolved whose id is in the state."""
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
    serve(accounts, vault)
