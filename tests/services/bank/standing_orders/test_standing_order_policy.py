"""On which days a standing order falls due, and what becomes of it."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from services.tools.bank.standing_orders import policy
from services.tools.bank.standing_orders.contract import (
    Executed,
    Interval,
    OrderChange,
    StandingOrderRequest,
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


def kept(**more: Any) -> StoredOrder:
    order = policy.judge_order(Orders(), request(**more), NOW, AHEAD)
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
def test_months_of_different_lengths_do_not_wear_the_day_off(first: date, every: Interval, days: list[str]) -> None:
    first_at = datetime(first.year, first.month, first.day, 8, tzinfo=UTC)
    assert [str(due_at(first_at, every, number).date()) for number in range(len(days))] == days
    assert due_at(first_at, every, 1).hour == 8


def test_the_question_says_all_that_will_be_done() -> None:
    assert order_question(request(reference="rent", ends_on="2027-06-01")) == (
        "Send 50.00 EUR from your Checking to Bob Brandt (customer bob) every month, first on Tuesday, 1 December 2026,"
        " the last on Tuesday, 1 June 2027 at most, reference “rent”?"
    )
    change = OrderChange.model_validate({"order_id": "S1", "amount": "60", "currency": "EUR", "reference": "flat"})
    assert change_question(change) == (
        "Change your standing order S1: send 60.00 EUR each time with the reference “flat”?"
    )


@pytest.mark.parametrize("field", [{}, {"amount": "5.00"}, {"currency": "EUR"}, {"amount": "0", "currency": "EUR"}])
def test_a_change_that_says_nothing_is_none(field: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        OrderChange.model_validate({"order_id": "S1", **field})


def test_an_order_counts_on_from_its_first_day_until_its_last() -> None:
    order = kept(ends_on="2027-01-15")
    assert (order.order_id, order.next_at) == ("S1", datetime(2026, 12, 1, 8, tzinfo=UTC))
    following = policy.advanced(order)
    assert (following.next_at.date(), following.over) == (date(2027, 1, 1), False)
    assert policy.advanced(following).over


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"starts": "2026-11-22"}, "is in the past"),
        ({"starts": "2028-01-01"}, "too far ahead"),
        ({"ends_on": "2026-11-30"}, "It would end before its first transfer"),
    ],
)
def test_an_order_that_could_never_be_carried_out_is_refused(more: dict[str, str], why: str) -> None:
    refused = policy.judge_order(Orders(), request(**more), NOW, AHEAD)
    assert isinstance(refused, Refusal)
    assert why in refused.why


def test_there_is_an_end_to_how_many() -> None:
    assert policy.refuse_too_many(Orders(pending=(kept(),) * (ORDERS_MAX - 1))) is None
    assert policy.refuse_too_many(Orders(pending=(kept(),) * ORDERS_MAX)) is not None


def test_a_change_counts_from_the_next_transfer_on_and_a_cancelled_order_is_gone() -> None:
    orders = Orders(numbered=1, pending=(kept(),))
    change = OrderChange.model_validate({"order_id": "S1", "amount": "60.00", "currency": "EUR"})
    changed = policy.judge_change(orders, change)
    assert isinstance(changed, StoredOrder)
    assert str(changed.execution().amount) == "60.00"
    assert changed.execution().session_id == "s"
    orders = policy.noted(orders.with_entry(changed), Executed(order_id="S1", told="Sent."))
    assert policy.listed(orders).orders[0].last == "Sent."
    gone = orders.without("S1")
    assert policy.noted(gone, Executed(order_id="S1", told="Late.")) == gone
    assert isinstance(policy.judge_ref(gone, "S1"), Refusal)
    other = OrderChange.model_validate({"order_id": "S1", "amount": "60.00", "currency": "USD"})
    assert isinstance(policy.judge_change(orders, other), Refusal)
    assert policy.listed(orders).summary == (
        "Your standing orders: S1: 60.00 EUR to Bob Brandt every month, next on Tuesday, 1 December 2026."
    )
