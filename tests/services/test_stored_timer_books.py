"""Books of timers that are in users' Restate: today's code reads them, and writes the same bytes."""

import json
from typing import Any

import pytest
from pydantic import ValidationError

from services.tools.bank.standing_orders.handlers import ORDERS
from services.tools.bank.transfers.contract import CARRY_OUT, TransferRequest
from services.tools.bank.transfers.scheduled_transfers import PLAN
from switchboard.builtin.reminders.handlers import BOOK
from switchboard.toolkit.timers import TimerBook, Timers

REMINDERS = (
    '{"numbered":2,"pending":[{"reminder":{"reminder_id":"R2","text":"tea","due_at":"2026-12-01T08:00:00Z"},'
    '"session_id":"s","timer_id":"inv_1"}]}'
)
SCHEDULED_TRANSFERS = (
    '{"numbered":1,"pending":[{"request":{"session_id":"s","signed_in":false,"customer_id":"alice","recipient":"bob",'
    '"recipient_name":"Bob Brandt","amount":"50.00","currency":"EUR","account":"checking","reference":"rent",'
    '"on":"2026-12-01"},"scheduled":{"schedule_id":"T1","recipient_name":"Bob Brandt","amount":"50.00",'
    '"currency":"EUR","account":"checking","reference":"rent","due_at":"2026-12-01T08:00:00Z"},"timer_id":"inv_2"}]}'
)
STANDING_ORDERS = (
    '{"numbered":3,"kept":[{"order_id":"S3","request":{"session_id":"s","signed_in":false,"customer_id":"alice",'
    '"recipient":"bob","recipient_name":"Bob Brandt","amount":"50.00","currency":"EUR","account":"checking",'
    '"reference":"rent","every":"month","starts":"2026-12-01","ends_on":null},"first_at":"2026-12-01T08:00:00Z",'
    '"number":1,"timer_id":"inv_3","last":"Sent."}]}'
)
EMPTY = '{"numbered":0,"pending":[]}'


@pytest.mark.parametrize(
    ("timers", "state_key", "stored", "entry_id"),
    [
        (BOOK, "book", REMINDERS, "R2"),
        (PLAN, "plan", SCHEDULED_TRANSFERS, "T1"),
        (ORDERS, "orders", STANDING_ORDERS, "S3"),
    ],
    ids=["reminders", "scheduled transfers", "standing orders"],
)
def test_stored_book_is_read_and_written_unchanged(
    timers: Timers[TimerBook[Any]], state_key: str, stored: str, entry_id: str
) -> None:
    book = timers.book.model_validate_json(stored)
    assert timers.state_key == state_key
    assert [entry.entry_id for entry in book.pending] == [entry_id]
    assert book.model_dump_json() == stored


def test_stored_transfers_keep_names_that_new_calls_may_not_have() -> None:
    """Names are validated in new calls. A stored one that was lawful before does not make the whole book unreadable."""
    old = json.dumps("\u200d")
    plan = PLAN.book.model_validate_json(SCHEDULED_TRANSFERS.replace('"Bob Brandt"', old))
    orders = ORDERS.book.model_validate_json(STANDING_ORDERS.replace('"Bob Brandt"', old))
    assert {plan.pending[0].request.recipient_name, orders.pending[0].execution().recipient_name} == {"\u200d"}
    assert CARRY_OUT.input.model_validate_json(plan.pending[0].request.model_dump_json()).recipient_name == "\u200d"
    with pytest.raises(ValidationError):
        TransferRequest.model_validate(orders.pending[0].transfer().model_dump())


@pytest.mark.parametrize(
    ("timers", "empty"), [(BOOK, EMPTY), (PLAN, EMPTY), (ORDERS, EMPTY.replace("pending", "kept"))]
)
def test_empty_book_is_written_unchanged(timers: Timers[TimerBook[Any]], empty: str) -> None:
    assert timers.book().model_dump_json() == empty
