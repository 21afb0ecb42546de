"""Assumptions of the demo, the cases and the mesh tests about the demo data hold on every date."""

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path

import pytest

from services.demo import SCENES
from services.tools.airline.data.dataset import DEFAULT_DATA, AirlineData, read_data
from services.tools.airline.flights.contract import TakeSeats, seats_key
from services.tools.airline.flights.search import one_stop_flights
from services.tools.airline.flights.seat_inventory import POSITIONS, Holds, SeatInventory, free_seats, move, take
from services.tools.bank.accounts.contract import Category, Period, SpendingQuery, Transaction, TransactionQuery
from services.tools.bank.accounts.ledger import Ledger
from services.tools.bank.accounts.reports import balances, spending, transactions
from services.tools.bank.disputes.contract import INSTANT_CREDIT_MAX, OPEN_MAX
from services.tools.bank.disputes.policy import refuse_dispute
from services.tools.bank.loan_applications.policy import assess, figures, offer
from services.tools.bank.loan_applications.workflow import SALARY
from services.tools.bank.loans.book import overview
from switchboard.testing.scenes import pattern
from switchboard.toolkit.refusal import Refusal
from tests.generated.stage import TOO_OLD_DAYS
from tests.mesh.lending import LARGE, SMALL
from tests.mesh.money import past_month
from tests.services.bank.demo import CUSTOMERS, borrowing_of, ledger_of

ROOT = Path(__file__).parents[1]

FIRST, LAST = date(2027, 3, 1), date(2029, 2, 28)
"""Two years that include a 29 February."""

BEGINS, ENDS = time.min, time(23, 59, 59)

NAMED_SEAT = re.compile(r"""seat['"]?(?:: | to )['"]?([1-9]\d?[A-F])\b""", re.IGNORECASE)
"""Matches a seat in a call, `"seat": "10B"`, and in a customer's message, `my seat to 10b`."""


@cache
def airline() -> AirlineData:
    """Return the shipped data, regardless of the settings."""
    return read_data(DEFAULT_DATA)


CARDS_VALID_UNTIL = "2036-01"
"""Month until which all demo cards must at least be valid."""


def days() -> Iterator[date]:
    return (FIRST + timedelta(days=number) for number in range((LAST - FIRST).days + 1))


def instants() -> Iterator[datetime]:
    """Yield the first and the last second of every day."""
    return (datetime.combine(day, clock, UTC) for day in days() for clock in (BEGINS, ENDS))


def new_ledger(customer_id: str, now: datetime) -> Ledger:
    return ledger_of(customer_id, now, now)


def payments(
    ledger: Ledger, *categories: Category, period: Period = "last_90_days", limit: int = 50
) -> list[Transaction]:
    queries = [TransactionQuery(category=category, period=period, limit=limit) for category in categories]
    return [entry for query in queries for entry in transactions(ledger, query).transactions]


def replies(text: str) -> tuple[str, ...]:
    """Return the reply patterns that the demo expects for a message."""
    return next(says.reply for scene in SCENES for says in scene.says if says.text == text)


def matches(patterns: tuple[str, ...], reply: str, day: date) -> bool:
    return all(re.search(pattern(wanted, day), reply) for wanted in patterns)


def test_bank_gives_the_demos_replies_on_every_day() -> None:
    balance, gambling = replies("how much is my balance?"), replies("how much did I spend on gambling last month?")
    loans = replies("give me an overview of my outstanding loans and credit")
    wrong = []
    for now in instants():
        alice, today = new_ledger("alice", now), now.date()
        spent = [
            spending(alice, SpendingQuery(period="last_month", category=name)) for name in ("gambling", "groceries")
        ]
        right = (
            matches(balance, balances(alice).summary, today),
            matches(gambling, spent[0].summary, today),
            spent[1].total > 0,
            matches(loans, overview(borrowing_of("alice", today), "EUR", today).summary, today),
        )
        if not all(right):
            wrong.append((now, right))
    assert not wrong


def test_payments_that_tests_dispute_exist_on_every_day() -> None:
    wrong = []
    for now in instants():
        erin, carol = new_ledger("erin", now), new_ledger("carol", now)
        recent, past = payments(erin, "groceries", limit=10), payments(erin, "groceries", period=past_month(now.date()))
        small, large = Decimal("10.00"), -INSTANT_CREDIT_MAX
        of_staff = [next((entry for entry in recent[index:] if entry.amount < large), None) for index in (1, 4)]
        many = payments(carol, "groceries", "restaurants", "shopping", "health")
        right = (
            -recent[0].amount >= small,
            None not in of_staff and of_staff[0] != of_staff[1],
            not any(refuse_dispute(entry, now) for entry in recent[:8]),
            bool(payments(erin, "rent")),
            bool(past) and all(refuse_dispute(entry, now) for entry in past),
            sum(entry.amount < large for entry in many) >= OPEN_MAX + 2,
        )
        if not all(right):
            wrong.append((now, right))
    assert not wrong


def test_payments_of_generated_conversations_exist_on_every_day() -> None:
    wrong = []
    for now in instants():
        carol = new_ledger("carol", now)
        search = TransactionQuery(merchant="Courier", period=past_month(now.date()))
        (old,) = transactions(carol, search).transactions
        recent = payments(carol, "subscriptions", "groceries", "utilities")
        merchants = {entry.merchant for entry in recent}
        if (now - old.booked_at).days <= TOO_OLD_DAYS or not merchants >= {"Daily Courier", "Fresh Basket"}:
            wrong.append((now, old.booked_at, merchants))
    assert not wrong


def test_payment_search_of_the_banking_test_finds_one_payment_on_every_day() -> None:
    search = TransactionQuery(
        merchant="lucky spin", period="last_month", amount_min=Decimal(30), amount_max=Decimal(80)
    )
    found = {
        tuple(str(entry.amount) for entry in transactions(new_ledger("alice", now), search).transactions)
        for now in instants()
    }
    assert found == {("-75.00",)}


def verdict(customer_id: str, amount: Decimal, payment: Decimal, now: datetime) -> tuple[str, str, str]:
    """Return the outcome of an application, the rule that declines it, and the monthly income that staff see."""
    ledger, today = new_ledger(customer_id, now), now.date()
    owed = borrowing_of(customer_id, today)
    salary, spent = transactions(ledger, SALARY), spending(ledger, SpendingQuery())
    found = figures(salary, overview(owed, ledger.customer.currency, today), spent, payment)
    assessed = assess(amount, found)
    return assessed.outcome, (assessed.refused and assessed.refused.rule) or "", str(found.monthly_income)


@pytest.mark.parametrize(
    ("customer_id", "amount", "months", "judged"),
    [
        ("alice", "8000", 48, ("refer", "", "3280.00")),
        ("bob", "1500", 60, ("approve", "", "2140.00")),
        ("carol", LARGE, 60, ("refer", "", "5460.00")),
        ("dave", SMALL, 12, ("decline", "L3", "1890.00")),
        ("erin", SMALL, 12, ("approve", "", "1620.00")),
    ],
)
def test_loan_applications_of_tests_have_the_same_outcome_on_every_day(
    customer_id: str, amount: str, months: int, judged: tuple[str, str, str]
) -> None:
    asked = Decimal(amount)
    payment = offer(asked, months).monthly_payment
    mornings = (datetime.combine(day, BEGINS, UTC) for day in days())
    assert {verdict(customer_id, asked, payment, now) for now in mornings} == {judged}


def test_demo_cards_are_valid_for_years() -> None:
    for customer in CUSTOMERS.values():
        assert all(card.expires >= CARDS_VALID_UNTIL for card in customer.cards), customer.name


def on_sale(number: str, day: date) -> SeatInventory:
    """Return a future flight of the shipped data, with no seat taken yet."""
    data = airline()
    found = data.on_day(number, day.isoformat(), datetime.combine(day - timedelta(days=2), BEGINS, UTC))
    assert found is not None
    return SeatInventory(
        seats_key(number, day.isoformat()),
        found.available_seats or {},
        data.parties(number, day.isoformat()),
        data.extras.free_seats.get(number, ()),
        data.extras.assigned_seats.get(number, {}),
    )


def named_seats() -> dict[str, set[str]]:
    """Return, by seat, the files that name it in a conversation or a call."""
    paths = [ROOT / "services/demo.py", *(ROOT / "evals/cases").glob("*.yaml")]
    paths += [path for folder in ("mesh", "chaos", "gateway", "traces") for path in ROOT.glob(f"tests/{folder}/*.py")]
    named: dict[str, set[str]] = {}
    for path in paths:
        for seat in NAMED_SEAT.findall(path.read_text(encoding="utf-8")):
            named.setdefault(seat.upper(), set()).add(path.relative_to(ROOT).as_posix())
    return named


def test_seats_are_named_only_if_the_data_set_fixes_them() -> None:
    """Other passengers' seats change every day. A test that needs a free seat must ask for the seat map."""
    extras = airline().extras
    fixed = set(extras.free_seats["SB245"])
    fixed |= {seat for seats in extras.assigned_seats["SB245"].values() for seat in seats}
    named = named_seats()
    assert "services/demo.py" in named["10B"]
    assert {seat: paths for seat, paths in named.items() if seat not in fixed} == {}


def test_customers_can_move_to_the_data_sets_free_seats_on_every_day() -> None:
    wanted = airline().extras.free_seats["SB245"]
    refused = [
        (day, seat)
        for day in days()
        for seat in wanted
        if isinstance(move(on_sale("SB245", day), Holds(), "SB245", "AB4568", 1, seat), Refusal)
    ]
    assert not refused


def test_booking_finds_a_free_aisle_seat_on_every_day() -> None:
    """Two passengers of the tests in economy on SB310."""
    booking = TakeSeats(hold_id="H", reservation_id="R", cabin="economy", seats_total=2)
    for day in days():
        plane = on_sale("SB310", day)
        booked = take(plane, Holds(), "SB310", booking)
        assert isinstance(booked, Holds), day
        aisle = [seat for seat in free_seats(plane, booked, "economy") if POSITIONS[seat[-1]] == "aisle"]
        assert aisle, day
        assert not isinstance(move(plane, booked, "SB310", "R", 2, aisle[-1]), Refusal), day


def test_connection_of_the_bookings_test_is_on_sale_on_every_day() -> None:
    for day in days():
        now = datetime.combine(day - timedelta(days=50), BEGINS, UTC)
        found = one_stop_flights(airline(), "LHR", "LIS", day.isoformat(), now)
        assert [(one, two) for (one, _), (two, _) in found] == [("SB103", "SB245")], day
