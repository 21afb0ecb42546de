"""The due dates of standing orders, their validation, and changes to them."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from services.tools.bank.standing_orders import policy
from services.tools.bank.standing_orders.contract import (
    Executed,
    Interval,
    OrderChange,
    OrderRef,
    StandingOrderFacts,
    StandingOrderRequest,
    cancel_question,
    change_question,
    order_question,
)
from services.tools.bank.standing_orders.policy import ORDERS_MAX, Orders, StoredOrder, due_at
from switchboard.toolkit.refusal import Refusal

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
AHEAD = timedelta(minutes=1)


def request(**more: Any) -> StandingOrderRequest:
    usual = {"customer_id": "alice", "session_id": "s", "recipient": "bob", "recipient_name": "Bob Brandt"}
    terms = {"amount": "50.00", "currency": "EUR", "every": "month", "starts": "2026-12-01"}
    return StandingOrderRequest.model_validate(usual | terms | more)


def stored(**more: Any) -> StoredOrder:
    order = policy.create_order(Orders(), request(**more), NOW, AHEAD)
    assert isinstance(order, StoredOrder)
    return order


@pytest.mark.parametrize(
    ("first", "every", "days"),
    [
        (date(2027, 1, 31), "month", ["2027-01-31", "2027-02-28", "2027-03-31", "2027-04-30", "2027-05-31"]),
        (date(2027, 12, 30), "month", ["2027-12-30", "2028-01-30", "2028-02-29", "2028-03-30"]),
        (date(2026, 12, 1), "month", ["2026-12-01", "2027-01-01", "2027-02-01"]),
        (date(2026, 12, 24), "week", ["2026-12-24", "2026-12-31", "2027-01-07"]),
    ],
)
def test_due_day_returns_after_shorter_months(first: date, every: Interval, days: list[str]) -> None:
    first_at = datetime(first.year, first.month, first.day, 8, tzinfo=UTC)
    assert [str(due_at(first_at, every, number).date()) for number in range(len(days))] == days
    assert due_at(first_at, every, 1).hour == 8


def test_consent_questions_state_the_complete_order() -> None:
    new = request(reference="rent", ends_on="2027-06-01")
    assert order_question(new, StandingOrderFacts(call=new, payee_bank="this bank")) == (
        "Send 50.00 EUR from your Checking account every month, starting on Tuesday, 1 December 2026 and ending on"
        " Tuesday, 1 June 2027 at the latest, to an account at this bank, customer bob, payee “Bob Brandt”, reference"
        " “rent”?"
    )
    facts = policy.facts(stored(recipient="FR7630006000011234567890189", recipient_name="Zoé Petit"))
    change = OrderChange.model_validate({"order_id": "S1", "amount": "60", "currency": "EUR", "reference": "flat"})
    assert change_question(change, facts) == (
        "Change your standing order S1: send 60.00 EUR instead of 50.00 EUR from your Checking account every month,"
        " next on Tuesday, 1 December 2026 at 08:00 UTC, to IBAN FR76 3000 6000 0112 3456 7890 189, payee “Zoé Petit”,"
        " from now on reference “flat” instead of none?"
    )
    assert cancel_question(OrderRef(order_id="S1"), facts) == (
        "Cancel your standing order S1, which sends 50.00 EUR from your Checking account every month, next on Tuesday,"
        " 1 December 2026 at 08:00 UTC, to IBAN FR76 3000 6000 0112 3456 7890 189, payee “Zoé Petit”, no reference?"
    )


@pytest.mark.parametrize("field", [{}, {"amount": "5.00"}, {"currency": "EUR"}, {"amount": "0", "currency": "EUR"}])
def test_change_without_a_complete_new_value_is_rejected(field: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        OrderChange.model_validate({"order_id": "S1", **field})


def test_order_advances_until_its_end_date() -> None:
    order = stored(ends_on="2027-01-15")
    assert (order.order_id, order.next_at) == ("S1", datetime(2026, 12, 1, 8, tzinfo=UTC))
    following = policy.advanced(order)
    assert (following.next_at.date(), following.over) == (date(2027, 1, 1), False)
    assert policy.advanced(following).over


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"starts": "2026-11-22"}, "is in the past"),
        ({"starts": "2028-01-01"}, "too far ahead"),
        ({"ends_on": "2026-11-30"}, "would end before its first transfer"),
    ],
)
def test_order_that_could_never_run_is_refused(more: dict[str, str], why: str) -> None:
    refused = policy.create_order(Orders(), request(**more), NOW, AHEAD)
    assert isinstance(refused, Refusal)
    assert why in refused.why


def test_cancelled_order_is_described_without_a_next_date() -> None:
    assert policy.answer("was cancelled", stored(), next_date=False).summary == (
        "Your standing order S1 was cancelled: 50.00 EUR to Bob Brandt every month."
    )


def test_orders_beyond_the_maximum_are_refused() -> None:
    assert policy.refuse_too_many(Orders(pending=(stored(),) * (ORDERS_MAX - 1))) is None
    assert policy.refuse_too_many(Orders(pending=(stored(),) * ORDERS_MAX)) is not None


def test_change_applies_to_the_next_transfer_and_cancelled_order_is_gone() -> None:
    orders = Orders(numbered=1, pending=(stored(),))
    change = OrderChange.model_validate({"order_id": "S1", "amount": "60.00", "currency": "EUR"})
    changed = policy.change_order(orders, change)
    assert isinstance(changed, StoredOrder)
    assert str(changed.execution().amount) == "60.00"
    assert changed.execution().session_id == "s"
    orders = policy.with_outcome(orders.with_entry(changed), Executed(order_id="S1", told="Sent."))
    assert policy.order_list(orders).orders[0].last == "Sent."
    gone = orders.without("S1")
    assert policy.with_outcome(gone, Executed(order_id="S1", told="Late.")) == gone
    assert isinstance(policy.find_order(gone, "S1"), Refusal)
    other = OrderChange.model_validate({"order_id": "S1", "amount": "60.00", "currency": "USD"})
    assert isinstance(policy.change_order(orders, other), Refusal)
    assert policy.order_list(orders).summary == (
        "Your standing orders: S1: 60.00 EUR to Bob Brandt every month, next on Tuesday, 1 December 2026."
    )
