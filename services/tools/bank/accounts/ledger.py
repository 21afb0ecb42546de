"""A customer's transactions and balances at an instant, from the demo data and what was moved since. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from functools import lru_cache
from hashlib import sha256
from heapq import merge

from services.tools.bank.accounts.contract import LoanDebits, Transaction
from services.tools.bank.accounts.moves import ZERO, Move, Moves
from services.tools.bank.data.bank import HISTORY_MONTHS, Account, Customer, OneOff, Recurring, customers
from services.tools.bank.data.months import add_months, first_of_month, months_between
from switchboard.messages import Wire

HISTORIES_KEPT = 64
"""One for each customer and month in which they were first seen."""

NO_MOVES = Moves()

TRANSACTION_ID_DIGITS = 10
"""Of a hash; among the few thousand transactions of a customer two are alike once in a hundred thousand customers."""


@dataclass(frozen=True)
class Ledger:
    """What the bank knows of one customer at `now`. `history` is newest first and may hold what is yet to come.

    `pinned_at` is the instant to which the demo data is relative; both instants are UTC. `moves` is what was really
    done since, on top of the demo data.
    """

    customer: Customer
    history: tuple[Transaction, ...]
    pinned_at: datetime
    now: datetime
    moves: Moves = NO_MOVES

    @property
    def records_from(self) -> date:
        return first_month(self.pinned_at.date())

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


class EndedDebits(Wire):
    """The debits of loans that were granted or repaid early; one entry for each loan."""

    debits: tuple[LoanDebits, ...] = ()


def with_debits(ended: tuple[LoanDebits, ...], latest: LoanDebits) -> tuple[LoanDebits, ...]:
    return (*(debits for debits in ended if debits.debited_as != latest.debited_as), latest)


def open_ledger(
    customer_id: str,
    pinned_at: datetime,
    now: datetime,
    moves: Moves = NO_MOVES,
    ended: tuple[LoanDebits, ...] = (),
) -> Ledger:
    """The ledger of a customer of this bank. Raises KeyError for anybody else."""
    customer = customers()[customer_id]
    entries = known_history(customer_id, first_of_month(pinned_at.date()), first_of_month(now.date()))
    for debits in ended:
        granted = debits.first_on is not None
        entries = with_granted(entries, customer, debits, now) if granted else without_debits(entries, debits)
    return Ledger(customer, entries, pinned_at, now, moves)


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


def of_demo_data(customer: Customer, rule: Recurring | OneOff, booked_at: datetime, amount: Decimal) -> Transaction:
    # By what it is and when: the same on every day on which one looks.
    named = f"{customer.customer_id} {booked_at.isoformat()} {rule.account} {rule.merchant} {amount}"
    return Transaction(
        transaction_id=transaction_id(named),
        booked_at=booked_at,
        account=rule.account,
        merchant=rule.merchant,
        category=rule.category,
        amount=amount,
        currency=customer.currency_of(rule.account),
    )


# By id and months, which are few: the same few hundred transactions answer every question of a month.
@lru_cache(maxsize=HISTORIES_KEPT)
def known_history(customer_id: str, pinned_month: date, last_month: date) -> tuple[Transaction, ...]:
    return history(customers()[customer_id], pinned_month, last_month)


def history(customer: Customer, pinned_month: date, last_month: date) -> tuple[Transaction, ...]:
    """All transactions from 13 months before `pinned_month` to the end of `last_month`, newest first.

    Months are given by their first days. What recurs goes on after the pin: a salary does not stop because a demo
    was started.
    """
    entries = [*recurring_entries(customer, pinned_month, last_month), *single_entries(customer, pinned_month)]
    return tuple(sorted(entries, key=lambda entry: entry.booked_at, reverse=True))


def recurring_entries(customer: Customer, pinned_month: date, last_month: date) -> Iterator[Transaction]:
    begin = first_month(pinned_month)
    for rule in customer.recurring:
        end = last_month if rule.last_months_ago is None else add_months(pinned_month, -rule.last_months_ago)
        for index in range(months_between(begin, end) + 1):
            yield from entries_of_month(customer, rule, add_months(begin, index), index)


def entries_of_month(customer: Customer, rule: Recurring, month: date, index: int) -> Iterator[Transaction]:
    """One rule's payments in the `index`-th month of the history; the amounts take turns through all months."""
    for turn, day in enumerate(rule.days, start=index * len(rule.days)):
        yield of_demo_data(customer, rule, at(month, day, rule.time), rule.amounts[turn % len(rule.amounts)])


def single_entries(customer: Customer, pinned_month: date) -> Iterator[Transaction]:
    for once in customer.once:
        booked_at = at(add_months(pinned_month, -once.months_ago), once.day, once.time)
        yield of_demo_data(customer, once, booked_at, once.amount)


def first_month(pinned_on: date) -> date:
    """The first day of the month in which the history begins."""
    return add_months(first_of_month(pinned_on), 1 - HISTORY_MONTHS)


def at(month: date, day: int, clock: time) -> datetime:
    return datetime.combine(month.replace(day=day), clock, tzinfo=UTC)
