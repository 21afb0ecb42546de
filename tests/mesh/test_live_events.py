"""What gateways hear of running turns: the events of the record, also with kills, replays and late viewers."""

import asyncio
from uuid import uuid4

import pytest

from switchboard.events import SEQ_MAX, Event, TurnFinished
from switchboard.messages import Confirmation
from switchboard.session.contract import EventsPage
from switchboard.session.turn_events import events_of_record
from switchboard.testing import Answer, Customer, calls, says, scene
from tests.laboratory import LONG_MS, Laboratory, told_exactly
from tests.live_gateway import Heard

TO_PROBE = calls(("handoff_to_Probe", {"reason": "an experiment"}))


async def read_events(customer: Customer, after: int = 0) -> EventsPage:
    answer = await customer.asks("events", after=after)
    assert answer.status == 200, answer
    return EventsPage.model_validate(answer.body)


async def recorded(customer: Customer, turn: int = 1) -> dict[int, Event]:
    """The events of a turn's record, by number."""
    page = await read_events(customer)
    (record,) = (record for record in page.turns if record.turn == turn)
    asked: Confirmation | None = page.confirmation if page.asked_in == turn else None
    return {numbered.seq: numbered.event for numbered in events_of_record(record, asked)}


async def is_as_recorded(laboratory: Laboratory, customer: Customer, turn: int = 1) -> Heard:
    """Wait for the end of a turn, and check that its events were those of the record."""
    heard = await laboratory.live.ended(customer.session, turn)
    assert heard.events == await recorded(customer, turn)
    return heard


async def watched(laboratory: Laboratory, **who: str) -> Customer:
    """Return a customer whose new session is watched by every process."""
    customer = laboratory.customer(**who)
    # Triage, the three agents, and the probe agent: without all of them, a part of a turn would not be told.
    await laboratory.live.until(lambda: len(laboratory.live.connections) >= 4)
    await laboratory.live.watch(customer.session)
    return customer


async def test_a_turn_with_a_hand_off_and_tools_is_told_as_it_is_recorded(laboratory: Laboratory) -> None:
    quick, slow = str(uuid4()), str(uuid4())
    step = calls(("hold", {"name": slow}), ("wait", {"name": quick}), ("refuse", {}))
    await laboratory.model.plays(scene("go", TO_PROBE, step, says("All done (rule B1).")))
    customer = await watched(laboratory)

    message = asyncio.create_task(customer.says("go"))
    # The calls that end while the slow one runs.
    await laboratory.live.until(
        lambda: len({each.call_id for each in laboratory.live.of(customer.session).returned}) == 2
    )
    laboratory.release(slow)
    answer = await message

    heard = await is_as_recorded(laboratory, customer)
    assert [event.kind for event in heard.in_order] == [
        *("turn_started", "message", "agent", "step", "hand_off", "agent"),
        *("step", "tool_started", "tool_started", "tool_started"),
        *("tool_finished", "tool_finished", "tool_finished", "step", "reply"),
    ]
    last = heard.events[SEQ_MAX]
    assert isinstance(last, TurnFinished)
    assert (last.text, last.agent) == (answer.text, "Probe") == ("All done.", "Probe")
    assert {returned.ok for returned in heard.returned} == {True, False}
    # The event of the step can come before the last words.
    assert any(heard.texts.values())
    assert all("All done.".startswith(text) for text in heard.texts.values()), heard.texts


async def test_questions_and_confirmed_calls_are_told_as_they_are_recorded(laboratory: Laboratory) -> None:
    # After a yes, the confirmed calls take the first step. The model's reply to their results is the second.
    await laboratory.model.plays(
        scene("pay", TO_PROBE, calls(("pay", {"to": "Ada", "amount": "5.00"}))),
        scene("Yes.", says("never said"), says("Paid.")),
    )
    customer = await watched(laboratory)

    question = await customer.says("pay")

    heard = await is_as_recorded(laboratory, customer)
    asked = heard.events[SEQ_MAX]
    assert isinstance(asked, TurnFinished)
    assert asked.confirmation is not None
    assert asked.confirmation.held_id == question.body["confirmation"]["held_id"]
    page = await read_events(customer)
    assert (page.asked_in, page.turns_total, page.last, page.running) == (1, 1, 1, None)
    confirmed = await customer.asks("confirm", held_id=asked.confirmation.held_id)
    assert confirmed.text == "Paid."
    await is_as_recorded(laboratory, customer, 2)


async def test_a_late_viewer_hears_what_has_happened_so_far(laboratory: Laboratory) -> None:
    name = str(uuid4())
    await laboratory.model.plays(scene("go", TO_PROBE, calls(("hold", {"name": name})), says("done")))
    customer = laboratory.customer()
    message = asyncio.create_task(customer.says("go"))
    await laboratory.until(lambda: laboratory.probed(f"start {name}"))

    await laboratory.live.watch(customer.session)

    await laboratory.live.until(lambda: 8 in laboratory.live.of(customer.session).events)
    running = (await read_events(customer)).running
    assert running is not None
    assert running.turn == 1
    assert (customer.session, 1, running.run) in laboratory.live.heard
    laboratory.release(name)
    assert (await message).text == "done"
    await is_as_recorded(laboratory, customer)


async def test_a_viewer_just_after_the_turn_hears_it_too(laboratory: Laboratory) -> None:
    await laboratory.model.plays(scene("hello", says("hi")))
    customer = laboratory.customer()
    await customer.says("hello")

    await laboratory.live.watch(customer.session)

    await is_as_recorded(laboratory, customer)


async def test_nothing_is_told_of_a_session_that_is_watched_no_more(laboratory: Laboratory) -> None:
    await laboratory.model.plays(scene("hello", says("hi")))
    customer, other = await watched(laboratory), await watched(laboratory)
    await laboratory.live.unwatch(customer.session)

    await customer.says("hello")
    await other.says("hello")

    await is_as_recorded(laboratory, other)
    assert not laboratory.live.of(customer.session).events


async def test_an_interrupted_turn_is_told_as_it_is_recorded(laboratory: Laboratory) -> None:
    await told_exactly(lambda: interrupted_turn(laboratory))


async def interrupted_turn(laboratory: Laboratory) -> bool:
    """Interrupt two calls, one of which has ended. Returns whether the record has both."""
    quick, slow = str(uuid4()), str(uuid4())
    step = calls(("wait", {"name": quick}), ("wait", {"name": slow, "milliseconds": LONG_MS}))
    await laboratory.model.plays(scene("go", TO_PROBE, step))
    customer = await watched(laboratory)
    message = asyncio.create_task(customer.says("go"))
    await laboratory.until(lambda: laboratory.probed(f"start {slow}"))
    await laboratory.live.until(lambda: laboratory.live.of(customer.session).returned)
    await customer.asks("interrupt")

    assert (await message).body["interrupted"]

    heard = await is_as_recorded(laboratory, customer)
    outcomes = [event.outcome for event in heard.in_order if event.kind == "tool_finished"]
    assert sorted(outcomes) in (["known", "unknown"], [])
    return bool(outcomes)


async def test_a_failed_attempt_is_void(laboratory: Laboratory) -> None:
    await laboratory.model.plays(scene("hello", says("one two three four five six")))
    customer = await watched(laboratory)
    await laboratory.model.fails({"kind": "break_off"})

    answer = await customer.says("hello")
    await laboratory.model.recovers()

    assert answer.text == "one two three four five six"
    heard = await is_as_recorded(laboratory, customer)
    assert {reset.attempt for reset in heard.resets} >= {0}


JOURNAL_GROWTH_MAX = 1.02
"""How much larger a turn's journal may be than without the fields that events need."""

TEXT = "I would like to know what is booked for us, and whether the bags are paid for. " * 5
"""About 400 bytes, a typical message."""

TURNS = 5


async def last_journal(laboratory: Laboratory, customer: Customer) -> tuple[list[tuple[str, str]], int, int]:
    """The last message's journals and those of its agents: the kinds of entries, their bytes, and bytes for events."""
    tree = await laboratory.invocations(customer.session)
    message = [row for row in tree if row["depth"] == 0][-1]
    agents = [row for row in tree if row.get("invoked_by_id") == message["id"] and row["target"].endswith("take_turn")]
    targets = {row["id"]: row["target"].replace(customer.session, "") for row in (message, *agents)}
    ids = ", ".join(f"'{each}'" for each in targets)
    rows = await laboratory.query(f"SELECT id, index, entry_type, raw_length FROM sys_journal WHERE id IN ({ids})")
    (running_and_start, numbers) = (
        len(',"turn":5') + len(',"events":1'),
        len(',"turn":5,"seq":4,"run":"0123456789ab"'),
    )
    record = len(',"trace_id":""') + 32 + len(',"invocation_id":""') + len(message["id"])
    # An agent's request is in the session's journal and in its own.
    added = running_and_start + record + 2 * numbers * len(agents)
    return (
        sorted((targets[row["id"]], row["entry_type"]) for row in rows),
        sum(row["raw_length"] for row in rows),
        added,
    )


async def test_viewers_change_nothing_in_the_journal(laboratory: Laboratory) -> None:
    step = calls(("who_am_i", {}), ("wait", {"name": str(uuid4())}))
    reply = says("All is booked and paid for. " * 10)
    await laboratory.model.plays(scene("hello", TO_PROBE, says("hi")), scene(TEXT, step, reply))
    seen, unseen = await watched(laboratory), laboratory.customer()
    for customer in (seen, unseen):
        await customer.says("hello")
        for _ in range(TURNS - 1):
            await customer.says(TEXT)

    await is_as_recorded(laboratory, seen, TURNS)
    (entries, size, _), (entries_unseen, size_unseen, added) = [
        await last_journal(laboratory, customer) for customer in (seen, unseen)
    ]
    assert entries == entries_unseen
    # The parts of a streamed answer are put together in another way than an answer that comes whole, by some digits.
    assert abs(size - size_unseen) <= 0.01 * size_unseen, (size, size_unseen)
    assert size_unseen <= JOURNAL_GROWTH_MAX * (size_unseen - added), (size_unseen, added)


async def test_a_message_that_an_operator_cancels_leaves_its_number_to_the_next_one(laboratory: Laboratory) -> None:
    name = str(uuid4())
    await laboratory.model.plays(
        scene("go", TO_PROBE, calls(("wait", {"name": name, "milliseconds": LONG_MS}))), scene("next", says("here"))
    )
    customer = await watched(laboratory)
    message = asyncio.create_task(customer.says("go"))
    await laboratory.until(lambda: laboratory.probed(f"start {name}"))
    (send,) = await laboratory.invocations(customer.session, "send")
    url = f"{laboratory.mesh.addresses.admin_url}/invocations/{send['id']}/cancel"
    async with laboratory.http.patch(url) as response:
        assert response.status in (200, 202)
    assert (await message).status == 409

    answer = await customer.says("next")

    assert (answer.text, answer.body["turn"]) == ("here", 1)
    assert await is_as_recorded(laboratory, customer)
    assert len([run for session, _, run in laboratory.live.heard if session == customer.session]) == 2


@pytest.mark.parametrize("killed", ["probe_agent", "triage"])
async def test_a_killed_process_tells_the_same_again(laboratory: Laboratory, killed: str) -> None:
    """Killed while a model writes: the attempt is made again, and no text mixes the two."""
    words = "one two three four five six seven eight nine ten eleven twelve. " * 5
    await laboratory.model.plays(scene("go", TO_PROBE, calls(("who_am_i", {})), says(words)))
    customer = await watched(laboratory)
    process = laboratory.probe_agent if killed == "probe_agent" else laboratory.mesh.services[killed]
    message = asyncio.create_task(customer.says("go"))
    await laboratory.live.until(lambda: any(laboratory.live.of(customer.session).texts.values()))
    await process.kill()
    await process.start()

    answer = await message

    assert answer.text == words
    heard = await is_as_recorded(laboratory, customer)
    assert heard.repeated, "the process that was started again tells what the killed one had told"
    assert all(words.startswith(text) for text in heard.texts.values())


async def test_only_the_sessions_customer_reads_its_events(laboratory: Laboratory) -> None:
    await laboratory.model.plays(scene("hello", says("hi")))
    customer = laboratory.customer()
    assert (await customer.asks("events")).status == 404
    await customer.says("hello")

    mallory = laboratory.customer("mallory", session=customer.session)
    claimed = laboratory.customer(session=customer.session, signed_in=False)
    refused: list[Answer] = [await other.asks("events") for other in (mallory, claimed)]

    assert [answer.status for answer in refused] == [403, 403]
    (record,) = (await read_events(customer)).turns
    assert (record.invocation_id, len(record.trace_id)) == ("", 32)
