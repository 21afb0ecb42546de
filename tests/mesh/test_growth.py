"""The journal of a turn stays bounded, however long the conversation is."""

from collections import Counter
from statistics import mean

from switchboard.testing import calls, says, scene
from tests.laboratory import Laboratory

TURNS = 60
TEXT = "I would like to know what is booked for us, and whether the bags are paid for. " * 5
"""About 400 bytes, a typical message."""

EARLY, LATE = range(8, 23), range(45, 60)
"""Turns to average over, because the journal is smaller after each summary."""


async def test_journal_size_of_a_turn_does_not_grow_with_the_conversation(laboratory: Laboratory) -> None:
    await laboratory.model.plays(
        {"user": {"contains": "Customer:"}, "steps": [says("They asked for their bookings, several times.")]},
        scene("hello", calls(("handoff_to_Probe", {"reason": "r"})), says("hi")),
        scene(TEXT, calls(("who_am_i", {})), says("All is booked and paid for. " * 10)),
    )
    customer = laboratory.customer()
    await customer.says("hello")
    for _ in range(TURNS):
        await customer.says(TEXT)
    # The journals of the message and of the agent's turn that it called.
    tree = [row for row in await laboratory.invocations(customer.session) if row["depth"] <= 1]
    ids = ", ".join(f"'{row['id']}'" for row in tree)
    lengths = await laboratory.query(f"SELECT id, raw_length FROM sys_journal WHERE id IN ({ids})")
    size = Counter[str]()
    for row in lengths:
        size[row["id"]] += row["raw_length"]
    messages = [row["id"] for row in tree if row["depth"] == 0]
    sizes = [
        size[message] + sum(size[row["id"]] for row in tree if row.get("invoked_by_id") == message)
        for message in messages
    ]
    assert len(sizes) == TURNS + 1
    assert mean(sizes[turn] for turn in LATE) <= 1.3 * mean(sizes[turn] for turn in EARLY), sizes
