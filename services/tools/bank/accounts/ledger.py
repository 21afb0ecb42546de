"""A customer's transactions and balances at an instant, from the records and what was moved since. Pure."""

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
"""Of a hash; among the few thousand transactions of a customer two are alike once in a hundred thousand customers."""


@dataclass(frozen=True)
class Ledger:
    """What the bank knows of one customer at `now`. `history` is newest first and may hold what is yet to come.

    `pinned_at` is the instant at which the customer was first seen; both instants are UTC. `moves` is what the mesh has
    done since, on top of the records, which begin on the day `records_from`.
    """

    customer: Customer
    history: tuple[Transaction, ...]
    records_from: date
    pinned_at: datetime
    now: datetime
    moves: Moves = NO_MOVES

    @property
    def booked(self) -> tuple[Transaction, ...]:
        """All transactions up to now, newest first."""
        known = (entry for entry in self.history if entry.booked_at <= self.now)
        moved = (self.moved(move) for move in reversed(self.moves.listed))
        return tuple(merge(known, moved, key=lambda entry: entry.booked_at, reverse=True))

    def balance(self, account: Account) -> Decimal:
        """What is on one account now: what was there at the pin, and all that was booked since."""
        since = [entry for entry in self.history if self.pinned_at < entry.booked_at <= self.now]
        recurred = sum((entry.amount for entry in since if entry.account == account.account), account.balance)
        return recurred + self.moves.total(account.account)

    def available(self, account: Account) -> Decimal:
        """What can be spent now, overdraft included; never negative."""
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
    """The debits of loans that were granted or repaid early; one entry for each loan."""

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
    """The ledger of a customer, with the debits of loans that were granted here or repaid early."""
    entries = history.transactions
    for debits in ended:
        granted = debits.first_on is not None
        entries = with_granted(entries, customer, debits, now) if granted else without_debits(entries, debits)
    return Ledger(customer, entries, history.begins_on, pinned_at, now, moves)


def without_debits(entries: tuple[Transaction, ...], ended: LoanDebits) -> tuple[Transaction, ...]:
    """The history of a customer who has repaid a loan early: its debits end, the last one may be smaller."""

    def as_it_is_now(entry: Transaction) -> Transaction | None:
        if entry.merchant != ended.debited_as or entry.booked_at.date() < ended.last_on:
            return entry
        if entry.booked_at.date() > ended.last_on or not ended.last_amount:
            return None
        return entry.model_copy(update={"amount": -ended.last_amount})

    return tuple(kept for kept in map(as_it_is_now, entries) if kept is not None)


def with_granted(
    entries: tuple[Transaction, ...], customer: Customer, debits: LoanDebits, now: datetime
) -> tuple[Transaction, ...]:
    """With the debits up to now of a loan that was granted here, each from the first hour of the day it is due."""
    granted = (debit(customer, debits, due_on) for due_on in due_days(debits, now.date()))
    return tuple(sorted((*entries, *granted), key=lambda entry: entry.booked_at, reverse=True))


def due_days(debits: LoanDebits, today: date) -> Iterator[date]:
    """The days up to today on which something is debited."""
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


def transaction_id(of: str) -> str:
    """A short id, always the same for the same words."""
    return f"TX-{sha256(of.encode()).hexdigest()[:TRANSACTION_ID_DIGITS].upper()}"


def at(month: date, day: int, clock: time) -> datetime:
    return datetime.combine(month.replace(day=day), clock, tzinfo=UTC)
