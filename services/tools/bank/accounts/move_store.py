"""Where a customer's moves are kept: in the state of the Accounts object, or in another store with this interface."""

from datetime import datetime
from typing import Protocol

import restate

from services.tools.bank.accounts import moves
from services.tools.bank.accounts.moves import Move, Moves

MOVES = "moves"

AnyObjectContext = restate.ObjectContext | restate.ObjectSharedContext


class MoveStore(Protocol):
    """Keeps the moves of the customer whose id is the object's key. Handlers that write hold the object's lock."""

    async def read(self, ctx: AnyObjectContext) -> Moves:
        """Return the moves so far. Older ones than those that `moves.book` keeps may be missing in the list."""

    async def book(self, ctx: restate.ObjectContext, so_far: Moves, move: Move) -> Moves:
        """Book a move, and return the moves with it. This must be the last step of a handler.

        Raises TerminalError if nothing was booked.
        """

    async def call_off(self, ctx: restate.ObjectContext, so_far: Moves, move_id: str, now: datetime) -> None:
        """Remove a move if it is booked, and block its id from being booked later."""


class StateMoves:
    """Keeps the moves in the object's state, which Restate changes together with the handler's outcome."""

    async def read(self, ctx: AnyObjectContext) -> Moves:
        return await ctx.get(MOVES, type_hint=Moves) or Moves()

    async def book(self, ctx: restate.ObjectContext, so_far: Moves, move: Move) -> Moves:
        after = moves.book(so_far, move)
        ctx.set(MOVES, after)
        return after

    async def call_off(self, ctx: restate.ObjectContext, so_far: Moves, move_id: str, now: datetime) -> None:
        ctx.set(MOVES, moves.call_off(so_far, move_id, now))
