"""What must hold in a session whose customer repeated requests while processes failed."""

from collections.abc import Sequence
from itertools import groupby, permutations
from typing import Any

from switchboard.client import AsyncClient
from switchboard.messages import UserText
from switchboard.session.contract import TurnRecord
from switchboard.testing import JSON
from tests.chaos.random_faults import PatientCustomer


async def check_turns(customer: PatientCustomer) -> None:
    """Check that each message is one turn with one reply, in the order in which the customer sent them."""
    visitor = customer.visitor
    async with AsyncClient(visitor.url, lambda: visitor.token) as client:
        records = await client.turns(visitor.session)
    assert [record.turn for record in records] == list(range(1, len(records) + 1))
    replies = {record.turn: record.reply for record in records if is_of_customer(record)}
    sent = [one for one in customer.posted if one.turn]
    assert sorted(one.turn or 0 for one in sent) == sorted(replies), "a message without a turn, or with two"
    said = {record.turn: [one.text for one in record.messages if isinstance(one, UserText)] for record in records}
    for one in sent:
        assert one.answer.text == replies[one.turn or 0]
        assert "text" not in one.body or said[one.turn or 0] == [one.body["text"]]
    for first, second in permutations(sent, 2):
        if first.ended < second.began:
            assert (first.turn or 0) < (second.turn or 0), "turns in another order than the messages"


def is_of_customer(record: TurnRecord) -> bool:
    """Whether the turn is a customer's message, and not an act of staff or news of the mesh."""
    return any(isinstance(one, UserText) for one in record.messages)


async def check_repeats(customer: PatientCustomer) -> int:
    """Check that each request that is sent again gets the same answer. Returns how many were sent."""
    before = list(customer.posted)
    for one in before:
        again = await customer.repeats(one)
        assert (again.status, again.body) == (one.answer.status, one.answer.body), one
    return len(before)


def check_model_calls(requests: Sequence[JSON]) -> None:
    """Check that no model call was made again after its answer was journaled. `requests` are a session's, in order.

    A turn's next call shows that the answer was journaled: it contains the answer, so its input is longer.
    """
    for _, of_turn in groupby(requests, key=messages_in):
        lengths = [len(request["body"]["input"]) for request in of_turn]
        assert lengths == sorted(lengths), lengths


def messages_in(request: Any) -> int:
    """Return how many messages of the customer a model request contains."""
    return sum(item.get("role") == "user" for item in request["body"]["input"])
