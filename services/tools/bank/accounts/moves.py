"""Moves: the bookings that the mesh made on a customer's accounts, each at most once. Pure."""

from collections.abc import Collection
from datetime import datetime, timedelta
from decimal import Decimal

from pydantic import AwareDatetime, Field

from services.tools.bank.accounts.contract import AccountId, Category, MoveMoney, Withdraw
from switchboard.messages import WireModel
from switchboard.money import Money

MOVES_LISTED = 300
"""Latest moves of a customer that are always kept. Of older ones only the total is kept."""

REMEMBERED_FOR = timedelta(days=1)
"""Minimum time that a move's id is kept, to recognise its retry or undo. Those arrive within minutes."""

MOVES_MAX = 3_000
"""Maximum moves of a customer within REMEMBERED_FOR. More are refused, so that no id is forgotten and booked twice."""

ZERO = Decimal("0.00")


class Move(WireModel):
    """One booked move. `amount` is negative for a withdrawal. `limited` moves count towards the daily limit."""

    move_id: str
    at: AwareDatetime
    account: AccountId
    amount: Money
    counterparty: str
    category: Category
    reference: str = ""
    limited: bool = False


class CalledOff(WireModel):
    """A move that must not be booked: it was undone, or cancelled before it was booked."""

    move_id: str
    at: AwareDatetime


class Moves(WireModel):
    """A customer's moves, oldest first. `totals` is the sum per account, including moves that are no longer listed."""

    totals: dict[AccountId, Money] = Field(default_factory=dict)
    listed: tuple[Move, ...] = ()
    called_off: tuple[CalledOff, ...] = ()

    def find(self, move_id: str) -> Move | None:
        return next((move for move in self.listed if move.move_id == move_id), None)

    def is_called_off(self, move_id: str) -> bool:
        return any(off.move_id == move_id for off in self.called_off)

    def total(self, account: AccountId) -> Decimal:
        return self.totals.get(account, ZERO)

    def limited_on(self, day: datetime, accounts: Collection[AccountId]) -> Decimal:
        """Return how much was withdrawn from the accounts on that day (UTC) by moves that count towards the limit."""
        limited = (move for move in self.listed if move.limited and move.account in accounts)
        return -sum((move.amount for move in limited if move.at.date() == day.date()), ZERO)

    def full(self, now: datetime) -> bool:
        """Return whether the maximum number of recent moves is reached."""
        times = [*(move.at for move in self.listed), *(off.at for off in self.called_off)]
        return sum(now - at < REMEMBERED_FOR for at in times) >= MOVES_MAX


def withdrawal(request: Withdraw, now: datetime) -> Move:
    return entry(request, -request.amount, now, limited=request.day_limit is not None)


def deposit(request: MoveMoney, now: datetime) -> Move:
    return entry(request, request.amount, now)


def entry(request: MoveMoney, amount: Decimal, now: datetime, limited: bool = False) -> Move:
    return Move(
        move_id=request.move_id,
        at=now,
        account=request.account,
        amount=amount,
        counterparty=request.counterparty,
        category=request.category,
        reference=request.reference,
        limited=limited,
    )


def book(moves: Moves, move: Move) -> Moves:
    """Add a move, and drop the moves that no longer need to be kept."""
    listed = (*moves.listed, move)
    surplus = len(listed) - MOVES_LISTED
    kept = tuple(old for index, old in enumerate(listed) if index >= surplus or move.at - old.at < REMEMBERED_FOR)
    return Moves(totals=with_total(moves, move.account, move.amount), listed=kept, called_off=moves.called_off)


def call_off(moves: Moves, move_id: str, now: datetime) -> Moves:
    """Remove the move if it is booked, and block its id from being booked later."""
    if moves.is_called_off(move_id):
        return moves
    move = moves.find(move_id)
    totals = with_total(moves, move.account, -move.amount) if move else moves.totals
    recent = tuple(off for off in moves.called_off if now - off.at < REMEMBERED_FOR)
    return Moves(
        totals=totals,
        listed=tuple(other for other in moves.listed if other.move_id != move_id),
        called_off=(*recent, CalledOff(move_id=move_id, at=now)),
    )


def with_total(moves: Moves, account: AccountId, amount: Decimal) -> dict[AccountId, Money]:
    return {**moves.totals, account: moves.total(account) + amount}
