"""Keeps the moves of the accounts in PostgreSQL. services/tools/bank/migrations has the tables.

Each booking is one transaction: the move, and the account's total. A constraint compares the totals with the moves. The
id of a move is unique, also of one that was called off, so that it can never be booked later.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal

import restate
from pydantic import AwareDatetime

from services.tools.bank.accounts import moves
from services.tools.bank.accounts.contract import AccountId
from services.tools.bank.accounts.move_store import AnyObjectContext, StateMoves
from services.tools.bank.accounts.moves import MOVES_LISTED, REMEMBERED_FOR, CalledOff, Move, Moves
from services.tools.bank.accounts.policy import CANCELLED
from switchboard.messages import WireModel
from switchboard.money import Money
from switchboard.toolkit.sql import Database, Refusals, Row, Transaction

REFUSALS: Refusals = {"bank_moves_pkey": CANCELLED}
"""A handler looks for a move before it books it. So an id that is there is that of a move that was called off."""


class OfCustomer(WireModel):
    customer_id: str
    remembered_for: timedelta = REMEMBERED_FOR
    listed: int = MOVES_LISTED


class Booking(WireModel):
    customer_id: str
    move: Move


class CallOff(WireModel):
    customer_id: str
    move_id: str
    at: AwareDatetime


class Total(WireModel):
    """The total of an account's moves after a change."""

    account: AccountId | None
    total: Money


class PostgresMoves:
    """Keeps new moves in the database. Moves that are still in the object's state count, too."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._state = StateMoves()

    async def read(self, ctx: AnyObjectContext) -> Moves:
        old = await self._state.read(ctx)
        return merged(old, await self._database.read(ctx, read_moves, OfCustomer(customer_id=ctx.key())))

    async def book(self, ctx: restate.ObjectContext, so_far: Moves, move: Move) -> Moves:
        await self._database.write(ctx, insert_move, Booking(customer_id=ctx.key(), move=move), REFUSALS)
        return moves.book(so_far, move)

    async def call_off(self, ctx: restate.ObjectContext, so_far: Moves, move_id: str, now: datetime) -> None:
        old = await self._state.read(ctx)
        if old.find(move_id):
            await self._state.call_off(ctx, old, move_id, now)
            return
        await self._database.write(ctx, remove_move, CallOff(customer_id=ctx.key(), move_id=move_id, at=now))


def merged(old: Moves, new: Moves) -> Moves:
    """Return the moves of the state, followed by those of the database."""
    accounts = {*old.totals, *new.totals}
    return Moves(
        totals={account: old.total(account) + new.total(account) for account in sorted(accounts)},
        listed=(*old.listed, *new.listed),
        called_off=(*old.called_off, *new.called_off),
    )


async def read_moves(transaction: Transaction, request: OfCustomer) -> Moves:
    """Return the totals, the latest moves, and the moves and cancellations that must be remembered."""
    customer = request.model_dump()
    totals = await transaction.rows(
        "SELECT account, total FROM bank_totals WHERE customer_id = %(customer_id)s ORDER BY account", customer
    )
    rows = await transaction.rows(
        "SELECT * FROM (SELECT *, row_number() OVER (ORDER BY number DESC) AS age FROM bank_moves"
        " WHERE customer_id = %(customer_id)s) AS numbered"
        " WHERE (called_off_at IS NULL AND (age <= %(listed)s OR booked_at > now() - %(remembered_for)s))"
        " OR called_off_at > now() - %(remembered_for)s ORDER BY number",
        customer,
    )
    return Moves(
        totals={row["account"]: row["total"] for row in totals},
        listed=tuple(listed(row for row in rows if row["called_off_at"] is None)),
        called_off=tuple(
            CalledOff(move_id=row["move_id"], at=row["called_off_at"]) for row in rows if row["called_off_at"]
        ),
    )


def listed(rows: Iterable[Row]) -> Iterable[Move]:
    for row in rows:
        yield Move(
            move_id=row["move_id"],
            at=row["booked_at"],
            account=row["account"],
            amount=row["amount"],
            counterparty=row["counterparty"],
            category=row["category"],
            reference=row["reference"],
            limited=row["limited"],
        )


async def insert_move(transaction: Transaction, request: Booking) -> Total:
    move, customer_id = request.move, request.customer_id
    await transaction.execute(
        "INSERT INTO bank_moves (customer_id, move_id, booked_at, account, amount, counterparty, category, reference,"
        " limited) VALUES (%(customer_id)s, %(move_id)s, %(at)s, %(account)s, %(amount)s, %(counterparty)s,"
        " %(category)s, %(reference)s, %(limited)s)",
        {**move.model_dump(), "customer_id": customer_id},
    )
    return await add_to_total(transaction, customer_id, move.account, move.amount)


async def remove_move(transaction: Transaction, request: CallOff) -> Total:
    row = await transaction.row(
        "UPDATE bank_moves SET called_off_at = %(at)s WHERE customer_id = %(customer_id)s AND move_id = %(move_id)s"
        " AND called_off_at IS NULL RETURNING account, amount",
        request.model_dump(),
    )
    if row is not None:
        return await add_to_total(transaction, request.customer_id, row["account"], -row["amount"])
    await transaction.execute(
        "INSERT INTO bank_moves (customer_id, move_id, called_off_at) VALUES (%(customer_id)s, %(move_id)s, %(at)s)"
        " ON CONFLICT DO NOTHING",
        request.model_dump(),
    )
    return Total(account=None, total=moves.ZERO)


async def add_to_total(transaction: Transaction, customer_id: str, account: AccountId, amount: Decimal) -> Total:
    row = await transaction.row(
        "INSERT INTO bank_totals (customer_id, account, total) VALUES (%(customer_id)s, %(account)s, %(amount)s)"
        " ON CONFLICT (customer_id, account) DO UPDATE SET total = bank_totals.total + excluded.total RETURNING total",
        {"customer_id": customer_id, "account": account, "amount": amount},
    )
    assert row is not None
    return Total(account=account, total=row["total"])
