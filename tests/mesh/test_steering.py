"""Interrupting and replacing turns, long conversations, and reading a session from outside."""

import asyncio
from uuid import uuid4

from switchboard.loop.turn import INVALID, NO_CHANGES, OTHER_WORDS
from switchboard.testing import Customer, calls, says, scene
from switchboard.words import RULE
from tests.laboratory import LONG_MS, Laboratory, is_inexact, told_exactly

TO_PROBE = calls(("handoff_to_Probe", {"reason": "an experiment"}))


async def wait_for_log(laboratory: Laboratory, line: str) -> None:
    await laboratory.until(lambda: laboratory.probed(line))


async def test_interrupt_stops_tools_and_reports_what_was_done(laboratory: Laboratory) -> None:
    await told_exactly(lambda: interrupted_step(laboratory))


async def interrupted_step(laboratory: Laboratory) -> bool:
    """Interrupt three calls: one has ended, one never ends, and one undoes what it has done."""
    quick, slow, saga = (str(uuid4()) for _ in range(3))
    step = calls(
        ("wait", {"name": quick}),
        ("wait", {"name": slow, "milliseconds": LONG_MS}),
        ("settle_in_two_steps", {"name": saga, "milliseconds": LONG_MS}),
    )
    await laboratory.model.plays(scene("go", TO_PROBE, step, says("never said")), scene("next", says("here")))
    customer = laboratory.customer()
    message = asyncio.create_task(customer.says("go"))
    await wait_for_log(laboratory, f"first {saga}")
    await wait_for_log(laboratory, f"done {quick}")
    assert (await customer.asks("interrupt")).body == {"interrupted": True}
    answer = await message
    assert answer.body["interrupted"]
    exact = answer.text == (
        "Stopped. Done: wait. Not done: settle in two steps. I don't know whether this was done: wait."
    )
    assert exact or is_inexact(answer.text), answer.text
    await wait_for_log(laboratory, f"undone {saga}")
    assert laboratory.probed(f"second {saga}") == 0
    assert (await customer.says("next")).text == "here"
    assert await calls_have_results(customer)
    return exact


async def calls_have_results(customer: Customer) -> bool:
    """Return whether every call in the transcript has exactly one result."""
    messages = await customer.messages()
    made = [call["call_id"] for message in messages if message["kind"] == "model" for call in message["calls"]]
    return sorted(made) == sorted(message["call_id"] for message in messages if message["kind"] == "tool")


async def test_interrupt_stops_a_running_model_call(laboratory: Laboratory) -> None:
    await laboratory.model.plays(scene("go", {**says("too late"), "latency_ms": LONG_MS}), scene("next", says("here")))
    customer = laboratory.customer()
    message = asyncio.create_task(customer.says("go"))

    async def thinking() -> bool:
        return bool(await laboratory.model.requests(customer.session))

    await laboratory.until(thinking)
    await customer.asks("interrupt")
    assert (await message).body["interrupted"]
    assert (await customer.says("next")).text == "here"


async def test_interrupt_frees_the_session_when_the_agent_is_down(laboratory: Laboratory) -> None:
    name = str(uuid4())
    await laboratory.model.plays(
        scene("go", TO_PROBE, calls(("wait", {"name": name, "milliseconds": LONG_MS}))), scene("next", says("here"))
    )
    customer = laboratory.customer()
    message = asyncio.create_task(customer.says("go"))
    await wait_for_log(laboratory, f"start {name}")
    await laboratory.probe_agent.kill()
    try:
        await customer.asks("interrupt")
        answer = await message
    finally:
        await laboratory.probe_agent.start()
    assert answer.body["interrupted"]
    assert (await customer.says("next")).text == "here"


async def test_steer_replaces_the_running_message(laboratory: Laboratory) -> None:
    name = str(uuid4())
    await laboratory.model.plays(
        scene("go", TO_PROBE, calls(("wait", {"name": name, "milliseconds": LONG_MS}))),
        scene("rather this", says("this then")),
    )
    customer = laboratory.customer()
    message = asyncio.create_task(customer.says("go"))
    await wait_for_log(laboratory, f"start {name}")
    answer = await customer.asks("steer", text="rather this")
    assert answer.text == "this then"
    assert (await message).body["interrupted"]


async def test_interrupt_without_a_running_turn_changes_nothing(laboratory: Laboratory) -> None:
    await laboratory.model.plays(scene("hello", says("hi")))
    customer = laboratory.customer()
    await customer.says("hello")
    assert (await customer.asks("interrupt")).body == {"interrupted": False}
    assert (await customer.says("hello")).text == "hi"


async def test_another_customer_cannot_interrupt_a_first_turn(laboratory: Laboratory) -> None:
    name = str(uuid4())
    await laboratory.model.plays(scene("go", TO_PROBE, calls(("hold", {"name": name})), says("done")))
    customer = laboratory.customer()
    message = asyncio.create_task(customer.says("go"))
    await wait_for_log(laboratory, f"start {name}")
    mallory = laboratory.customer("mallory", session=customer.session)
    assert [(await mallory.asks(handler)).status for handler in ("interrupt", "status")] == [403, 403]
    laboratory.release(name)
    assert (await message).text == "done"


async def test_session_stays_usable_after_an_operator_cancels_a_message(laboratory: Laboratory) -> None:
    name = str(uuid4())
    await laboratory.model.plays(
        scene("go", TO_PROBE, calls(("wait", {"name": name, "milliseconds": LONG_MS}))), scene("next", says("here"))
    )
    customer = laboratory.customer()
    message = asyncio.create_task(customer.says("go"))
    await wait_for_log(laboratory, f"start {name}")
    (sent,) = await laboratory.invocations(customer.session, "send")
    url = f"{laboratory.mesh.addresses.admin_url}/invocations/{sent['id']}/cancel"
    async with laboratory.http.patch(url) as response:
        assert response.status in (200, 202)
    assert (await message).status == 409
    assert (await customer.asks("status")).status == 404
    assert (await customer.says("next")).text == "here"
    assert len((await customer.asks("transcript")).body["turns"]) == 1


async def test_turn_ends_when_arguments_never_fit(laboratory: Laboratory) -> None:
    await laboratory.model.plays(scene("go", TO_PROBE, *[calls(("wait", '{"name": '))] * 6))
    customer = laboratory.customer()
    answer = await customer.says("go")
    assert (answer.text, answer.body["failed"]) == (f"{INVALID} {NO_CHANGES} {OTHER_WORDS}", True)
    results = [message for message in await customer.messages() if message["kind"] == "tool"][1:]
    assert len(results) == 3


async def test_next_agent_sees_conversation_and_reason_but_not_instructions(laboratory: Laboratory) -> None:
    await laboratory.model.plays(scene("go", calls(("handoff_to_Probe", {"reason": "it is a riddle"})), says("solved")))
    customer = laboratory.customer()
    await customer.says("go")
    triage, probe = (request["body"] for request in await laboratory.model.requests(customer.session))
    assert probe["input"][0] == {"type": "message", "role": "user", "content": "go"}
    assert "it is a riddle" in str(probe["input"])
    assert triage["instructions"] not in str(probe)
    assert probe["instructions"] == f"You run experiments.\n{RULE}"


async def test_status_shows_calls_in_flight_while_a_turn_runs(laboratory: Laboratory) -> None:
    name = str(uuid4())
    await laboratory.model.plays(scene("go", TO_PROBE, calls(("hold", {"name": name})), says("done")))
    customer = laboratory.customer()
    message = asyncio.create_task(customer.says("go"))
    await wait_for_log(laboratory, f"start {name}")
    status = (await customer.asks("status")).body
    assert [call["target"] for call in status["running"]["calls"]] == ["Probe/take_turn", "ProbeTools/hold"]
    laboratory.release(name)
    await message
    status = (await customer.asks("status")).body
    assert status["running"] is None
    assert {agent["agent"] for agent in status["spending"]} == {"Triage", "Probe"}


async def test_long_conversation_is_summarised_but_transcript_stays_complete(laboratory: Laboratory) -> None:
    """Only one scene matches a request for a summary, so its reply is what the models see later."""
    chatter = "x" * 4_000
    summary = {"user": {"contains": "Customer:"}, "steps": [says("They said x very often.")]}
    await laboratory.model.plays(summary, scene(chatter, says("noted")), scene("and now?", says("now this")))
    customer = laboratory.customer()
    for _ in range(12):
        await customer.says(chatter)

    async def summarised() -> bool:
        await customer.says("and now?")
        body = (await laboratory.model.requests(customer.session))[-1]["body"]
        return "They said x very often." in str(body["input"][0]["content"])

    await laboratory.until(summarised)
    body = (await laboratory.model.requests(customer.session))[-1]["body"]
    assert len(str(body["input"])) < 50_000
    turns = (await customer.asks("transcript", limit=50)).body["turns"]
    assert sum(turn["messages"][0]["text"] == chatter for turn in turns) == 12


async def test_interrupt_during_a_model_backoff_reports_what_was_done(laboratory: Laboratory) -> None:
    """The tool was done before the endpoint answered 429."""
    name = str(uuid4())
    rate_limited = {"fault": {"kind": "http_429", "times": 1}, "then": says("well again")}
    await laboratory.model.plays(scene("go", TO_PROBE, calls(("wait", {"name": name})), rate_limited))
    await laboratory.model.fails({"kind": "http_429", "times": 0})
    customer = laboratory.customer()
    message = asyncio.create_task(customer.says("go"))

    async def refused() -> bool:
        return any(request["status"] == 429 for request in await laboratory.model.requests(customer.session))

    await laboratory.until(refused)
    await customer.asks("interrupt")
    answer = await message
    if answer.body["interrupted"]:
        assert answer.text == "Stopped. Done: wait."
    assert laboratory.probed(f"done {name}") == 1
    assert await calls_have_results(customer)


async def test_every_call_has_a_result_when_a_turn_is_cancelled_twice(laboratory: Laboratory) -> None:
    name = str(uuid4())
    await laboratory.model.plays(
        scene("go", TO_PROBE, calls(("wait", {"name": name, "milliseconds": LONG_MS}))), scene("next", says("here"))
    )
    customer = laboratory.customer()
    message = asyncio.create_task(customer.says("go"))
    await wait_for_log(laboratory, f"start {name}")
    turns = await laboratory.invocations(customer.session, "take_turn")
    (turn,) = [row["id"] for row in turns if row["target"] == "Probe/take_turn"]
    for number in range(2):
        url = f"{laboratory.mesh.addresses.admin_url}/invocations/{turn}/cancel"
        async with laboratory.http.patch(url) as response:
            # On a busy machine, the first one may have ended the turn already.
            assert response.status in ((200, 202) if number == 0 else (200, 202, 409))
        await asyncio.sleep(0.1)
    assert (await message).body["interrupted"]
    assert await calls_have_results(customer)
    assert (await customer.says("next")).text == "here"


async def test_transcript_page_ends_at_its_size_limit(laboratory: Laboratory) -> None:
    """Six steps of sixteen large results are more than a megabyte, so one page holds one turn."""
    step = calls(*[("big", {"characters": 7_000})] * 16)
    await laboratory.model.plays(
        scene("go", TO_PROBE, *[step] * 6, says("done")), scene("more", *[step] * 6, says("x"))
    )
    customer = laboratory.customer()
    for text in ("go", "more", "more"):
        assert (await customer.says(text)).status == 200
    page = (await customer.asks("transcript", limit=50)).body
    assert [turn["turn"] for turn in page["turns"]] == [1]
    rest = (await customer.asks("transcript", after=1, limit=50)).body
    assert [turn["turn"] for turn in rest["turns"]] == [2]
