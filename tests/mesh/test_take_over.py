"""A staff member answers in the agents' place: how it begins, what happens meanwhile, and how it ends."""

import asyncio
from typing import Any

from switchboard.session.hops import STOPPED_FOR_STAFF
from switchboard.session.staffed import (
    STAFF_WILL_ANSWER,
    TAKEN_OVER,
)
from switchboard.testing import JSON, Answer, Customer, calls, says, scene
from switchboard.testing.staff import Staff
from tests.laboratory import Laboratory

TO_PROBE = calls(("handoff_to_Probe", {"reason": "an experiment"}))
LONG_MS = 60_000
"""Longer than any test waits; a take-over interrupts it."""

LATE = says("too late") | {"latency_ms": LONG_MS}


async def until_thinking(laboratory: Laboratory, customer: Customer) -> None:
    """Wait until a model is asked for this session."""

    async def thinking() -> bool:
        return bool(await laboratory.model.requests(customer.session))

    await laboratory.until(thinking)


async def turns_for(staff: Staff, customer: Customer) -> list[JSON]:
    """Return the turns of a session as staff see them."""
    turns: list[JSON] = (await staff.asks("transcript", session_id=customer.session, limit=50)).body["turns"]
    return turns


async def takes_over(staff: Staff, customer: Customer, **more: Any) -> Answer:
    return await staff.asks("take_over", session_id=customer.session, **more)


async def writes(staff: Staff, customer: Customer, text: str) -> Answer:
    return await staff.asks("message", session_id=customer.session, text=text)


async def hands_back(staff: Staff, customer: Customer, note: str = "") -> Answer:
    return await staff.asks("hand_back", session_id=customer.session, note=note)


async def test_take_over_stops_the_running_turn_and_no_agent_answers_messages_behind_it(laboratory: Laboratory) -> None:
    queued = [f"message {number}" for number in range(5)]
    await laboratory.model.plays(
        scene("go", LATE), *(scene(text, says("never said")) for text in queued), scene("next", says("here"))
    )
    customer, mia = laboratory.customer(), laboratory.staff()
    first = asyncio.create_task(customer.says("go"))
    await until_thinking(laboratory, customer)
    behind = [asyncio.create_task(customer.says(text)) for text in queued]
    await laboratory.until(lambda: waiting_for(laboratory, customer, len(queued)))
    taken = await takes_over(mia, customer)
    assert (taken.status, taken.body["staff"]["by"]) == (200, "Mia"), taken
    stopped = await first
    assert stopped.text.startswith(STOPPED_FOR_STAFF)
    assert (stopped.body["interrupted"], stopped.body["staffed"]) == (True, True)
    assert [(await reply).text for reply in behind] == [STAFF_WILL_ANSWER] * len(queued)
    assert (await writes(mia, customer, "I am Mia.")).status == 200
    asked = len(await laboratory.model.requests(customer.session))
    assert asked == 1, "no model was asked but the one that was stopped"

    turns = await turns_for(mia, customer)
    assert [turn["act"] for turn in turns if "act" in turn] == ["taken_over"]
    assert [turn["reply"] for turn in turns[:2]] == [stopped.text, TAKEN_OVER]
    assert sorted(turn["messages"][0]["text"] for turn in turns[2:-1]) == queued
    assert (turns[-1]["by"], turns[-1]["reply"]) == ("Mia", "I am Mia.")

    assert (await hands_back(mia, customer, "Their card was lost.")).body["staff"] is None
    answer = await customer.says("next")
    assert (answer.text, answer.body["agent"], "staffed" in answer.body) == ("here", "Triage", False)
    seen = (await laboratory.model.requests(customer.session))[-1]["body"]["input"]
    [note] = [item["content"] for item in seen if "in your place" in str(item["content"])]
    assert note.endswith("Their note for you: Their card was lost.")
    said = [item["content"] for item in seen if item["role"] in ("user", "assistant")]
    assert said.index("I am Mia.") > max(said.index(text) for text in queued)


async def waiting_for(laboratory: Laboratory, customer: Customer, count: int) -> bool:
    """Return whether this many messages wait behind the running one."""
    rows = await laboratory.mesh.admin.query(
        f"SELECT id FROM sys_invocation WHERE target = 'Session/{customer.session}/send' AND status <> 'completed'"
    )
    return len(rows) == count + 1
