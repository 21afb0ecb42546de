"""A staff member answers in the agents' place: how it begins, what happens meanwhile, and how it ends."""

import asyncio
import random
from typing import Any
from uuid import uuid4

import pytest

from switchboard.session.contract import QUESTION_CLOSED
from switchboard.session.hops import STOPPED_FOR_STAFF
from switchboard.session.staffed import (
    HANDED_BACK,
    QUESTION_DROPPED,
    STAFF_WILL_ANSWER,
    TAKEN_FROM_COLLEAGUE,
    TAKEN_OVER,
)
from switchboard.session.state import OUTCOME_UNKNOWN
from switchboard.testing import JSON, Answer, Customer, calls, says, scene
from switchboard.testing.staff import Staff
from tests.laboratory import LONG_MS, Laboratory

TO_PROBE = calls(("handoff_to_Probe", {"reason": "an experiment"}))

LATE = says("too late") | {"latency_ms": LONG_MS}


async def until_thinking(laboratory: Laboratory, customer: Customer) -> None:
    """Wait until a model is asked for this session."""

    async def thinking() -> bool:
        return bool(await laboratory.model.requests(customer.session))

    await laboratory.until(thinking)


async def turns_for(staff: Staff, customer: Customer) -> list[JSON]:
    """Return all turns of a session as staff see them."""
    turns: list[JSON] = []
    total = 1
    while len(turns) < total:
        page = (await staff.asks("transcript", session_id=customer.session, after=len(turns), limit=50)).body
        turns, total = turns + page["turns"], page["turns_total"]
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
    rows = await laboratory.query(
        f"SELECT id FROM sys_invocation WHERE target = 'Session/{customer.session}/send' AND status <> 'completed'"
    )
    return len(rows) == count + 1


async def test_question_is_dropped_and_a_late_yes_refused(laboratory: Laboratory) -> None:
    name = f"taken-{uuid4()}"
    step = calls(("pay", {"to": name, "amount": "5"}))
    await laboratory.model.plays(scene("pay", TO_PROBE, step), scene("thanks", says("you are welcome")))
    customer, mia = laboratory.customer(), laboratory.staff()
    held = (await customer.says("pay")).body["confirmation"]["held_id"]
    assert (await takes_over(mia, customer)).status == 200
    assert (await turns_for(mia, customer))[-1]["reply"] == f"{TAKEN_OVER} {QUESTION_DROPPED}"
    assert (await customer.asks("status")).body["confirmation"] is None
    for handler in ("confirm", "decline"):
        refused = await customer.asks(handler, held_id=held)
        assert (refused.status, refused.text) == (409, QUESTION_CLOSED)
    assert (await customer.says("yes")).text == STAFF_WILL_ANSWER
    await hands_back(mia, customer)
    assert (await customer.says("thanks")).text == "you are welcome"
    assert laboratory.probed(f'paid {{"to":"{name}","amount":"5"}}') == 0
    notes = [item for item in await customer.messages() if item["kind"] == "note" and "not made: pay" in item["text"]]
    assert notes == [], "what staff did to a question is for models, not for the customer"


async def test_confirm_before_the_take_over_is_carried_out_or_reported(laboratory: Laboratory) -> None:
    name = f"raced-{uuid4()}"
    step = calls(("pay", {"to": name, "amount": "5"}))
    await laboratory.model.plays(scene("pay", TO_PROBE, step), scene("Yes.", says("paid"), says("paid")))
    customer, mia = laboratory.customer(), laboratory.staff()
    held = (await customer.says("pay")).body["confirmation"]["held_id"]
    confirmed, taken = await asyncio.gather(customer.asks("confirm", held_id=held), takes_over(mia, customer))
    assert taken.status == 200
    paid = laboratory.probed(f'paid {{"to":"{name}","amount":"5"}}')
    if confirmed.status == 409:
        assert (confirmed.text, paid) == (QUESTION_CLOSED, 0)
    elif "whether this was done" not in confirmed.text and OUTCOME_UNKNOWN not in confirmed.text:
        done = confirmed.text == "paid" or "Done: make the payment" in confirmed.text
        assert paid == done, confirmed.text


async def test_one_of_two_staff_members_has_the_session(laboratory: Laboratory) -> None:
    await laboratory.model.plays(scene("hello", says("hi")), scene("go", LATE))
    customer = laboratory.customer()
    await customer.says("hello")
    desk = [laboratory.staff(f"member-{number}") for number in range(4)]
    running = asyncio.create_task(customer.says("go"))
    await until_thinking(laboratory, customer)
    answers = await asyncio.gather(*(takes_over(each, customer) for each in desk))
    assert (await running).status == 200
    [holder] = [each for each, answer in zip(desk, answers, strict=True) if answer.status == 200]
    others = [each for each in desk if each is not holder]
    for answer in answers:
        assert answer.status == 200 or (answer.status == 409 and answer.text.startswith(f"{holder.by} answers in this"))
    assert (await takes_over(holder, customer)).status == 200, "asking again changes nothing"
    acts = [turn["act"] for turn in await turns_for(holder, customer) if "act" in turn]
    assert acts == ["taken_over"]

    refused = [await writes(others[0], customer, "me"), await hands_back(others[0], customer)]
    refused += [await takes_over(others[0], customer, from_colleague=others[1].by)]
    assert [answer.status for answer in refused] == [409] * 3
    taken = await takes_over(others[0], customer, from_colleague=holder.by)
    assert taken.body["staff"]["by"] == others[0].by
    assert (await writes(holder, customer, "still me")).status == 409
    assert (await writes(others[0], customer, "me")).status == 200
    replies = [turn["reply"] for turn in await turns_for(holder, customer)]
    assert replies[-2:] == [TAKEN_FROM_COLLEAGUE, "me"]


async def test_customer_sees_that_staff_answer_but_no_name_and_no_note(laboratory: Laboratory) -> None:
    await laboratory.model.plays(scene("hello", says("hi")))
    customer, mia = laboratory.customer(), laboratory.staff("mia@example.com")
    await customer.says("hello")
    assert (await mia.asks("note", session_id=customer.session, text="early")).status == 409
    await takes_over(mia, customer)
    for number in range(3):
        noted = await mia.asks("note", session_id=customer.session, text=f"colleagues only {number}")
        assert noted.status == 200, noted
    await writes(mia, customer, "It is fixed.")
    await hands_back(mia, customer, "agents only")
    page = (await customer.asks("transcript", limit=3)).body
    rest = (await customer.asks("transcript", after=page["turns"][-1]["turn"], limit=3)).body
    assert [turn["reply"] for turn in page["turns"] + rest["turns"]] == ["hi", TAKEN_OVER, "It is fixed.", HANDED_BACK]
    assert "mia" not in str((page, rest))
    assert " only" not in str((page, rest))
    assert len([turn for turn in await turns_for(mia, customer) if turn.get("act") == "note"]) == 3
    await takes_over(mia, customer)
    assert (await customer.asks("status")).body["staff"]["by"] == "staff"
    status = await mia.asks("status", session_id=customer.session)
    assert status.body["staff"]["by"] == "mia@example.com"


@pytest.mark.parametrize(
    ("handler", "more"),
    [("take_over", {}), ("message", {"text": "hi"}), ("note", {"text": "hi"}), ("hand_back", {})],
)
async def test_unknown_session_cannot_be_taken_over(laboratory: Laboratory, handler: str, more: JSON) -> None:
    answer = await laboratory.staff().asks(handler, session_id=f"unknown-{uuid4()}", **more)
    assert answer.status == 404, answer


async def test_interrupt_and_steer_stop_nothing_while_staff_answer(laboratory: Laboratory) -> None:
    await laboratory.model.plays(scene("hello", says("hi")), scene("other", says("never said")))
    customer, mia = laboratory.customer(), laboratory.staff()
    await customer.says("hello")
    await takes_over(mia, customer)
    assert (await customer.asks("interrupt")).body == {"interrupted": False}
    assert (await customer.asks("steer", text="other")).text == STAFF_WILL_ANSWER
    assert len(await laboratory.model.requests(customer.session)) == 1


async def race(laboratory: Laboratory, customer: Customer, staff: Staff, pause: float) -> None:
    """Let a customer write without end while a staff member takes over, writes and hands back."""
    stopped = asyncio.Event()

    async def chatter() -> None:
        while not stopped.is_set():
            assert (await customer.says("chat")).status == 200

    chatting = [asyncio.create_task(chatter()) for _ in range(2)]
    await asyncio.sleep(pause)
    # Before the customer's first message has arrived, there is no session.
    while (taken := await takes_over(staff, customer)).status == 404:
        await asyncio.sleep(pause)
    assert taken.status == 200, taken
    written = [await writes(staff, customer, f"words {number}") for number in range(2)]
    assert [answer.status for answer in written] == [200, 200]
    assert (await hands_back(staff, customer)).status == 200
    stopped.set()
    await asyncio.gather(*chatting)


def never_two_speakers(turns: list[JSON]) -> bool:
    """Return whether no agent wrote between a take-over and its hand-back, and no staff member outside."""
    staffed = False
    for turn in turns:
        staffed = staffed or turn.get("act") == "taken_over"
        by_agents = bool(turn["agents"]) or any(message["kind"] == "model" for message in turn["messages"])
        by_staff = bool(turn.get("by"))
        if (staffed and by_agents) or (by_staff and not staffed):
            return False
        staffed = staffed and turn.get("act") != "handed_back"
    return True


async def run_races(laboratory: Laboratory, rounds: int, side_by_side: int, seed: int) -> None:
    await laboratory.model.plays(scene("chat", says("hi") | {"latency_ms": 5}))
    pauses = random.Random(seed)
    staff = laboratory.staff()
    for _ in range(rounds):
        customers = [laboratory.customer() for _ in range(side_by_side)]
        await asyncio.gather(*(race(laboratory, each, staff, pauses.uniform(0, 0.1)) for each in customers))
        for customer in customers:
            turns = await turns_for(staff, customer)
            assert never_two_speakers(turns), turns
            assert {"taken_over", "handed_back"} <= {turn.get("act") for turn in turns}


async def test_agents_and_staff_never_speak_at_once(laboratory: Laboratory) -> None:
    await run_races(laboratory, rounds=2, side_by_side=5, seed=1)


@pytest.mark.slow
async def test_agents_and_staff_never_speak_at_once_in_500_races(laboratory: Laboratory) -> None:
    await run_races(laboratory, rounds=50, side_by_side=10, seed=2)
