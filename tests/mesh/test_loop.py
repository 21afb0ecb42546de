"""The agent loop on a real Restate server: replies, calls and failures of the model, and how the loop handles them."""

import json
from typing import Any

import pytest

from switchboard.loop.attempts import MODEL_ATTEMPTS
from switchboard.loop.fanout import TOOL_RESULT_MAX_BYTES
from switchboard.loop.turn import CONTACT_US, NO_CHANGES, OUT_OF_SERVICE, STEPS_USED_UP, TRY_AGAIN, UNAVAILABLE
from switchboard.messages import Note
from switchboard.testing import JSON, Customer, calls, says, scene
from tests.laboratory import Laboratory

TO_PROBE = calls(("handoff_to_Probe", {"reason": "an experiment"}))


async def experiment(laboratory: Laboratory, *steps: JSON, text: str = "experiment", **more: Any) -> Customer:
    """Send a message that reaches the probe agent, which then plays these steps. Returns the customer."""
    await laboratory.model.plays(scene(text, TO_PROBE, *steps))
    customer = laboratory.customer(**more)
    answer = await customer.says(text)
    assert answer.status == 200, answer
    return customer


async def results(customer: Customer) -> list[JSON]:
    """Return the tools' results, without the result of the hand-off."""
    return [message for message in await customer.messages() if message["kind"] == "tool"][1:]


async def last_reply(customer: Customer) -> JSON:
    turns: list[JSON] = (await customer.asks("transcript")).body["turns"]
    return turns[-1]


async def test_hand_off_switches_to_the_other_agent_and_lasts(laboratory: Laboratory) -> None:
    await laboratory.model.plays(
        scene("first", TO_PROBE, says("hello from the laboratory")), scene("second", says("still here"))
    )
    customer = laboratory.customer()
    first, second = await customer.says("first"), await customer.says("second")
    assert (first.body["agent"], first.body["hand_offs"], first.text) == (
        "Probe",
        ["Probe"],
        "hello from the laboratory",
    )
    assert (second.body["agent"], second.body["hand_offs"], second.text) == ("Probe", [], "still here")


async def test_results_keep_the_order_of_the_calls(laboratory: Laboratory) -> None:
    customer = await experiment(
        laboratory,
        calls(
            ("wait", {"name": "slow", "milliseconds": 120}),
            ("refuse", {}),
            ("no_such_tool", {}),
            ("wait", {"name": "quick"}),
            ("wait", '{"name": '),
        ),
        says("done"),
    )
    found = await results(customer)
    assert [result["ok"] for result in found] == [True, False, False, True, False]
    assert json.loads(found[0]["content"]) == {"said": "slow"}
    assert found[1]["content"] == "that is against the rules"
    assert "There is no tool 'no_such_tool'" in found[2]["content"]
    assert json.loads(found[3]["content"]) == {"said": "quick"}
    assert "not JSON" in found[4]["content"]
    assert (await last_reply(customer))["reply"] == "done"


async def test_every_call_sent_to_the_model_has_a_result(laboratory: Laboratory) -> None:
    customer = await experiment(laboratory, calls(("refuse", {}), ("wait", {"name": "w"})), says("done"))
    items = (await laboratory.model.requests(customer.session))[-1]["body"]["input"]
    asked = [item["call_id"] for item in items if item.get("type") == "function_call"]
    answered = [item["call_id"] for item in items if item.get("type") == "function_call_output"]
    assert asked == answered
    assert len(asked) == 3


async def test_failing_tool_is_retried_without_the_model_noticing(laboratory: Laboratory) -> None:
    name = f"flaky {laboratory.replays}"
    customer = await experiment(laboratory, calls(("fail_at_first", {"name": name})), says("done"))
    assert [result["ok"] for result in await results(customer)] == [True]
    assert laboratory.probed(f"try {name}") == 3
    assert len(await laboratory.model.requests(customer.session)) == 3


async def test_loop_sets_the_customer_and_the_model_cannot(laboratory: Laboratory) -> None:
    customer = await experiment(
        laboratory,
        calls(("who_am_i", {}), ("who_am_i", {"customer_id": "bob"})),
        says("done"),
        customer_id="carol",
    )
    honest, forged = await results(customer)
    assert json.loads(honest["content"]) == {"customer_id": "carol", "session_id": customer.session}
    assert not forged["ok"]
    assert "customer_id cannot be given" in forged["content"]


async def test_long_result_is_truncated_and_marked(laboratory: Laboratory) -> None:
    customer = await experiment(laboratory, calls(("big", {"characters": 20_000})), says("done"))
    (result,) = await results(customer)
    assert result["ok"]
    assert TOOL_RESULT_MAX_BYTES <= len(result["content"].encode()) < TOOL_RESULT_MAX_BYTES + 200
    assert "[cut: 40011 bytes in all" in result["content"]


async def test_empty_reply_is_reported_to_the_model(laboratory: Laboratory) -> None:
    customer = await experiment(laboratory, {"fault": {"kind": "empty"}, "then": says("here I am")})
    assert (await last_reply(customer))["reply"] == "here I am"
    assert [Note(**message) for message in await customer.messages() if message["kind"] == "note"]


async def test_model_refusal_is_shown_to_the_customer(laboratory: Laboratory) -> None:
    customer = await experiment(laboratory, {"refusal": "I may not talk about that."})
    assert (await last_reply(customer))["reply"] == "I may not talk about that."


async def test_hand_off_to_an_unknown_agent_is_reported_to_the_model(laboratory: Laboratory) -> None:
    customer = await experiment(laboratory, calls(("handoff_to_Nobody", {"reason": "?"})), says("then I stay"))
    assert (await last_reply(customer))["agents"] == ["Triage", "Probe"]
    assert "There is no agent 'Nobody'" in (await results(customer))[0]["content"]


async def test_endless_tool_calls_end_in_an_apology(laboratory: Laboratory) -> None:
    endless = [calls(("wait", {"name": "again"}))] * 20
    customer = await experiment(laboratory, *endless)
    turn = await last_reply(customer)
    assert turn["failed"]
    assert turn["reply"].startswith(f"{STEPS_USED_UP} Done: wait. ")
    assert len(await results(customer)) == 8


async def test_endless_hand_offs_end_in_an_apology(laboratory: Laboratory) -> None:
    to_bank = calls(("handoff_to_Bank", {"reason": "not mine"}))
    to_triage = calls(("handoff_to_Triage", {"reason": "not mine"}))
    customer = await experiment(laboratory, *[to_bank, to_triage, TO_PROBE] * 3)
    turn = await last_reply(customer)
    assert turn["failed"]
    assert "was passed between several agents" in turn["reply"]
    assert turn["agents"] == ["Triage", "Probe", "Bank", "Triage", "Probe"]


async def test_hand_off_back_to_the_agent_that_has_just_handed_over_is_refused(laboratory: Laboratory) -> None:
    to_triage = calls(("handoff_to_Triage", {"reason": "not mine"}))
    customer = await experiment(laboratory, to_triage, says("I cannot help with that."))
    turn = await last_reply(customer)
    assert turn["agents"] == ["Triage", "Probe"]
    assert turn["reply"] == "I cannot help with that."
    results = [message["content"] for message in turn["messages"] if message["kind"] == "tool"]
    assert results[1].startswith("Not handed over: Triage has just handed this conversation over to you")


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "http_429", "times": 2, "retry_after_s": 1},
        {"kind": "http_500", "times": 2},
        {"kind": "http_503", "times": 1},
        {"kind": "garbage", "times": 1},
        {"kind": "hang_up", "times": 1},
        {"kind": "broken_json", "times": 1},
        {"kind": "invented_tool", "times": 1},
        {"kind": "empty", "times": 1},
    ],
    ids=lambda fault: fault["kind"],
)
async def test_temporary_model_failure_is_retried(laboratory: Laboratory, fault: JSON) -> None:
    await laboratory.model.follows_rules()
    await laboratory.model.fails({**fault, "contains": "hello"})
    customer = laboratory.customer()
    answer = await customer.says("hello")
    await laboratory.model.recovers()
    assert answer.status == 200
    assert not answer.body["failed"]
    assert answer.text


@pytest.mark.parametrize(("kind", "requests"), [("http_400", 2), ("http_401", 1), ("http_404", 1)])
async def test_permanent_model_error_is_not_retried_and_session_stays_usable(
    laboratory: Laboratory, kind: str, requests: int
) -> None:
    """After a 400, one more request finds out that no text in the conversation is the cause."""
    await laboratory.model.plays(scene("hello", says("hi")))
    await laboratory.model.fails({"kind": kind, "times": -1})
    customer = laboratory.customer()
    answer = await customer.says("hello")
    await laboratory.model.recovers()
    assert (answer.status, answer.text) == (200, f"{OUT_OF_SERVICE} {NO_CHANGES} {CONTACT_US}")
    assert answer.body["failed"]
    assert len(await laboratory.model.requests(customer.session)) == requests
    assert (await customer.says("hello")).text == "hi"


async def test_failing_model_is_given_up_after_the_maximum_of_attempts(laboratory: Laboratory) -> None:
    await laboratory.model.plays(scene("hello", says("hi")))
    await laboratory.model.fails({"kind": "http_429", "times": -1, "retry_after_s": 0})
    customer = laboratory.customer()
    answer = await customer.says("hello")
    await laboratory.model.recovers()
    assert (answer.text, answer.body["failed"]) == (f"{UNAVAILABLE} {NO_CHANGES} {TRY_AGAIN}", True)
    assert len(await laboratory.model.requests(customer.session)) == MODEL_ATTEMPTS
