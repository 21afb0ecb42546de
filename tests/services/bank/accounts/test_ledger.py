"""The history that the demo data produces, and balances after the pin."""

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

import pytest

from services.tools.bank.accounts.contract import LoanDebits
from services.tools.bank.accounts.ledger import Ledger, with_debits, without_debits
from services.tools.bank.data.bank import HISTORY_MONTHS, DemoCustomer, OneOff, Recurring
from services.tools.bank.data.history import first_month, history
from services.tools.bank.records import Account
from tests.services.bank.demo import CUSTOMERS, ledger_of

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
NOVEMBER = date(2026, 11, 1)
OPENING = Decimal("100.00")


def customer(recurring: tuple[Recurring, ...] = (), once: tuple[OneOff, ...] = ()) -> DemoCustomer:
    account = Account(account="checking", iban="DE00", currency="EUR", balance=OPENING)
    return DemoCustomer(
        customer_id="zoe", name="Zoe", currency="EUR", accounts=(account,), recurring=recurring, once=once
    )


def weekly(**more: int) -> Recurring:
    amounts = (Decimal("-1.00"), Decimal("-2.00"), Decimal("-4.00"))
    return Recurring.model_validate(
        {"days": (5, 25), "time": time(9), "merchant": "Shop", "category": "groceries", "amounts": amounts} | more
    )


def bet(months_ago: int, day: int, at: time = time(20)) -> OneOff:
    return OneOff(
        months_ago=months_ago, day=day, time=at, merchant="Bets", category="gambling", amount=Decimal("-10.00")
    )


def ledger(of: DemoCustomer, now: datetime, pinned_at: datetime = NOW) -> Ledger:
    month = pinned_at.date().replace(day=1)
    return Ledger(of, history(of, month, now.date().replace(day=1)), first_month(month), pinned_at, now)


def test_history_covers_all_months_newest_first() -> None:
    entries = history(customer((weekly(),)), NOVEMBER, NOVEMBER)
    assert len(entries) == 2 * HISTORY_MONTHS
    assert entries[0].booked_at == datetime(2026, 11, 25, 9, tzinfo=UTC)
    assert entries[-1].booked_at == datetime(2025, 10, 5, 9, tzinfo=UTC)
    assert [e.booked_at for e in entries] == sorted((e.booked_at for e in entries), reverse=True)


def test_recurring_amounts_alternate_across_months() -> None:
    oldest_first = history(customer((weekly(),)), NOVEMBER, NOVEMBER)[::-1]
    assert [str(entry.amount) for entry in oldest_first[:5]] == ["-1.00", "-2.00", "-4.00", "-1.00", "-2.00"]


def test_ended_recurring_payment_does_not_resume() -> None:
    entries = history(customer((weekly(last_months_ago=2),)), NOVEMBER, date(2027, 3, 1))
    assert entries[0].booked_at.date() == date(2026, 9, 25)


def test_future_transactions_are_not_booked() -> None:
    of = customer((weekly(),), (bet(0, 23, time(11)), bet(0, 23, time(13)), bet(0, 24)))
    booked = ledger(of, NOW).booked
    assert all(entry.booked_at <= NOW for entry in booked)
    assert [entry.booked_at.hour for entry in booked if entry.merchant == "Bets"] == [11]


def test_balance_at_the_pin_equals_the_record() -> None:
    of = customer((weekly(),), (bet(0, 1),))
    assert ledger(of, NOW).balance(of.accounts[0]) == OPENING


@pytest.mark.parametrize(
    ("later", "balance"),
    [
        (NOW, "100.00"),
        (datetime(2026, 11, 25, 8, 59, tzinfo=UTC), "100.00"),
        (datetime(2026, 11, 25, 9, tzinfo=UTC), "99.00"),  # 28th in the cycle of -1, -2, -4
        (datetime(2026, 12, 5, 9, tzinfo=UTC), "97.00"),
        (datetime(2026, 12, 31, 9, tzinfo=UTC), "93.00"),
    ],
)
def test_recurring_payments_after_the_pin_change_the_balance(later: datetime, balance: str) -> None:
    of = customer((weekly(),))
    assert str(ledger(of, later).balance(of.accounts[0])) == balance


def test_history_does_not_shift_as_time_passes() -> None:
    of = customer((weekly(),), (bet(1, 4), bet(3, 4)))
    then, later = ledger(of, NOW).booked, ledger(of, NOW + timedelta(days=100)).booked
    assert later[-len(then) :] == then
    assert [e.booked_at.month for e in later if e.merchant == "Bets"] == [10, 8]


def test_debits_end_when_the_loan_is_repaid_early() -> None:
    payments = weekly().model_copy(update={"merchant": "Bank car loan", "category": "loan_payments"})
    entries = history(customer((payments, weekly())), NOVEMBER, date(2027, 1, 1))
    ended = LoanDebits(debited_as="Bank car loan", last_on=date(2026, 12, 5), last_amount=Decimal("0.37"))
    left = [entry for entry in without_debits(entries, ended) if entry.merchant == "Bank car loan"]
    assert (left[0].booked_at.date(), str(left[0].amount)) == (date(2026, 12, 5), "-0.37")
    assert left[1:] == [entry for entry in entries if entry.merchant == "Bank car loan"][4:]
    shops = [entry for entry in entries if entry.merchant == "Shop"]
    assert [entry for entry in without_debits(entries, ended) if entry.merchant == "Shop"] == shops
    nothing = ended.model_copy(update={"last_amount": Decimal("0.00")})
    assert without_debits(entries, nothing)[-1] == entries[-1]
    assert with_debits((ended,), nothing) == (nothing,)


def test_transaction_ids_are_stable_and_unique() -> None:
    for customer_id in CUSTOMERS:
        ids = [entry.transaction_id for entry in ledger_of(customer_id, NOW, NOW).history]
        assert len(set(ids)) == len(ids)
        assert ids == [entry.transaction_id for entry in ledger_of(customer_id, NOW, NOW).history]
