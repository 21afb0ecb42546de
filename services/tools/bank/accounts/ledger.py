"""A customer's transactions and balances at a point in time, from the records and the moves since. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from hashlib import sha256
from heapq import merge

from services.tools.bank.accounts.contract import LoanDebits, Transaction
from services.tools.bank.accounts.moves import ZERO, Move, Moves
from services.tools.bank.months import add_months
from services.tools.bank.records import Account, Customer, History
from switchboard.messages import WireModel

NO_MOVES = Moves()

TRANSACTION_ID_DIGITS = 10
"""Hex digits of a hash that form a transaction's id.

With a few thousand transactions per customer, about one customer in a hundred thousand gets a collision.
"""


@dataclass(frozen=True)
class Ledger:
    """The bank's view of one customer at `now`.

    `history` is newest first and may contain future transactions. `records_from` is the first day of the records.
    `pinned_at` is when the customer was first seen. Both times are UTC. `moves` are the mesh's own bookings since then,
    which the records do not contain.
    """

    customer: Customer
    history: tuple[Transaction, ...]
    records_from: date
    pinned_at: datetime
    now: datetime
    moves: Moves = NO_MOVES

    @property
    def booked(self) -> tuple[Transaction, ...]:
        """Return all transactions up to now, newest first."""
        known = (entry for entry in self.history if entry.booked_at <= self.now)
        moved = (self.moved(move) for move in reversed(self.moves.listed))
        return tuple(merge(known, moved, key=lambda entry: entry.booked_at, reverse=True))

    def balance(self, account: Account) -> Decimal:
        """Return the account's current balance: the one in the records plus everything booked since."""
        known_at = account.balance_at or self.pinned_at
        since = [entry for entry in self.history if known_at < entry.booked_at <= self.now]
        recurred = sum((entry.amount for entry in since if entry.account == account.account), account.balance)
        return recurred + self.moves.total(account.account)

    def available(self, account: Account) -> Decimal:
        """Return what can be spent now, including the overdraft. Never negative."""
        return max(self.balance(account) + (account.overdraft_limit or ZERO), ZERO)

    def find(self, transaction_id: str) -> Transaction | None:
        return next((entry for entry in self.booked if entry.transaction_id == transaction_id), None)

    def moved(self, move: Move) -> Transaction:
        return Transaction(
            transaction_id=transaction_id(move.move_id),
            booked_at=move.at,
            account=move.account,
            merchant=move.counterparty,
            category=move.category,
            amount=move.amount,
            currency=self.customer.currency_of(move.account),
            reference=move.reference,
        )


class EndedDebits(WireModel):
    """Debits of loans that were granted or repaid early, one entry per loan."""

    debits: tuple[LoanDebits, ...] = ()


def with_debits(ended: tuple[LoanDebits, ...], latest: LoanDebits) -> tuple[LoanDebits, ...]:
    return (*(debits for debits in ended if debits.debited_as != latest.debited_as), latest)


def open_ledger(
    customer: Customer,
    history: History,
    pinned_at: datetime,
    now: datetime,
    moves: Moves = NO_MOVES,
    ended: tuple[LoanDebits, ...] = (),
) -> Ledger:
    """Return a customer's ledger, adjusted for the debits of granted loans and early repayments."""
    entries = history.transactions
    for debits in ended:
        granted = debits.first_on is not None
        entries = with_granted(entries, customer, debits, now) if granted else without_debits(entries, debits)
    return Ledger(customer, entries, history.begins_on, pinned_at, now, moves)


def without_debits(entries: tuple[Transaction, ...], ended: LoanDebits) -> tuple[Transaction, ...]:
    """Remove a loan's debits after its early repayment. The last remaining debit may be smaller."""

    def adjusted(entry: Transaction) -> Transaction | None:
        if entry.merchant != ended.debited_as or entry.booked_at.date() < ended.last_on:
            return entry
        if entry.booked_at.date() > ended.last_on or not ended.last_amount:
            return None
        return entry.model_copy(update={"amount": -ended.last_amount})

    return tuple(kept for kept in map(adjusted, entries) if kept is not None)


def with_granted(
    entries: tuple[Transaction, ...], customer: Customer, debits: LoanDebits, now: datetime
) -> tuple[Transaction, ...]:
    """Add the debits of a granted loan up to now. Each is booked at 00:00 UTC on its due date."""
    granted = (debit(customer, debits, due_on) for due_on in due_days(debits, now.date()))
    return tuple(sorted((*entries, *granted), key=lambda entry: entry.booked_at, reverse=True))


def due_days(debits: LoanDebits, today: date) -> Iterator[date]:
    """Return the days up to today on which a debit is booked."""
    due_on = debits.first_on
    while due_on is not None and due_on <= min(debits.last_on, today):
        if due_on < debits.last_on or debits.last_amount:
            yield due_on
        due_on = add_months(due_on, 1)


def debit(customer: Customer, debits: LoanDebits, due_on: date) -> Transaction:
    return Transaction(
        transaction_id=transaction_id(f"{customer.customer_id} {debits.debited_as} {due_on}"),
        booked_at=at(due_on, due_on.day, time.min),
        account=debits.account,
        merchant=debits.debited_as,
        category="loan_payments",
        amount=-(debits.last_amount if due_on == debits.last_on else debits.monthly),
        currency=customer.currency_of(debits.account),
    )


def transaction_id(seed: str) -> str:
    """Return a short id that is always the same for the same seed."""
    return f"TX-{sha256(seed.encode()).hexdigest()[:TRANSACTION_ID_DIGITS].upper()}"


def at(month: date, day: int, clock: time) -> datetime:
    return datetime.combine(month.replace(day=day), clock, tzinfo=UTC)
