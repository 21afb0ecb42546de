"""Limits on the cost of sessions and the duration of turns, on a mesh with small limits."""

import asyncio
import json
from collections.abc import AsyncIterator
from itertools import pairwise
from uuid import uuid4

import pytest

from switchboard.testing import Answer, Customer, calls, says, scene
from tests.laboratory import LONG_MS, Laboratory, open_laboratory
from tests.mesh.test_customer_limits import restart_sessions

TO_PROBE = calls(("handoff_to_Probe", {"reason": "an experiment"}))

TOKENS_MAX = 6_000
SMALL_LIMITS = {
    "SWITCHBOARD_SESSION_TOKENS_MAX": str(TOKENS_MAX),
    "SWITCHBOARD_PRICES": json.dumps({"demo": {"input": "1.00", "output": "10.00"}}),
    "SWITCHBOARD_CONSENT_EXPIRES_AFTER": "PT0.05S",
    "SWITCHBOARD_MODEL_CALLS_MAX": "1",
    "SWITCHBOARD_FALLBACK_MODELS": "second, third",
}


@pytest.fixture(scope="module")
async def limited(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Laboratory]:
    async with open_laboratory(tmp_path_factory.mktemp("limited"), environment=SMALL_LIMITS) as laboratory:
        yield laboratory


async def count_messages(laboratory: Laboratory, outcome: str) -> float:
    """Return the metric of messages with that outcome."""
    async with laboratory.http.get(f"{laboratory.mesh.addresses.service_url('triage')}/metrics") as response:
        page = await response.text()
    wanted = f'switchboard_messages_total{{outcome="{outcome}"}} '
    return sum(float(line.removeprefix(wanted)) for line in page.splitlines() if line.startswith(wanted))


async def test_session_stops_when_its_budget_is_spent(limited: Laboratory) -> None:
    await limited.model.plays(scene("hello", says("hi")))
    customer = limited.customer()
    for _ in range(40):
        answer = await customer.says("hello")
        if answer.body["failed"]:
            break
    assert "reached its usage limit" in answer.text
    asked = len(await limited.model.requests(customer.session))
    before = await count_messages(limited, "overspent"), await count_messages(limited, "apology")
    await customer.says("hello")
    assert (await count_messages(limited, "overspent"), await count_messages(limited, "apology")) == (
        before[0] + 1,
        before[1],
    )
    assert len(await limited.model.requests(customer.session)) == asked
    (spent,) = (await customer.asks("status")).body["spending"]
    tokens = spent["usage"]["input_tokens"] + spent["usage"]["output_tokens"]
    assert TOKENS_MAX <= tokens < 2 * TOKENS_MAX
    used = spent["usage"]
    assert float(spent["cost"]) == pytest.approx((used["input_tokens"] + 10 * used["output_tokens"]) / 1_000_000)


async def test_turn_past_its_deadline_is_stopped_and_session_continues(limited: Laboratory) -> None:
    answer, customer = await stopped_by_deadline(limited)
    assert answer.text.startswith("Sorry, this took too long, so I stopped it. I don't know whether this was done")
    assert (answer.body["failed"], answer.body["interrupted"]) == (True, True)
    assert (await customer.says("next")).text == "here"


DEADLINES_S = (2, 8, 32)
"""Deadlines to try. On a busy machine the shortest is already over when the tool is called."""


async def stopped_by_deadline(limited: Laboratory) -> tuple[Answer, Customer]:
    """Return the answer to a message whose tool was running at the turn's deadline."""
    name = str(uuid4())
    await limited.model.plays(
        scene("go", TO_PROBE, calls(("wait", {"name": name, "milliseconds": LONG_MS}))), scene("next", says("here"))
    )
    try:
        for seconds in DEADLINES_S:
            await restart_sessions(limited, TURN_DEADLINE=f"PT{seconds}S")
            customer = limited.customer()
            answer = await customer.says("go")
            if limited.probed(f"start {name}"):
                return answer, customer
    finally:
        await restart_sessions(limited)
    raise AssertionError(answer)


async def test_question_expires(limited: Laboratory) -> None:
    name = str(uuid4())
    step = calls(("pay", {"to": name, "amount": "1"}))
    await limited.model.plays(scene("pay", TO_PROBE, step), scene("yes", says("yes to what?")))
    customer = limited.customer()
    reply = (await customer.says("pay")).body
    await asyncio.sleep(0.1)
    answer = await customer.asks("confirm", held_id=reply["confirmation"]["held_id"])
    assert (answer.status, answer.text) == (
        409,
        "This question has expired and no changes were made. Please send your request again.",
    )
    assert (await customer.says("yes")).text == "yes to what?"
    assert limited.probed(f'paid {{"to":"{name}","amount":"1"}}') == 0


async def test_next_model_is_used_when_the_first_rejects_the_request(limited: Laboratory) -> None:
    await limited.model.plays(scene("hello", says("hi")))
    await limited.model.fails({"kind": "http_404", "times": 2})
    customer = limited.customer()
    assert (await customer.says("hello")).text == "hi"
    await limited.model.recovers()
    asked = [request["model"] for request in await limited.model.requests(customer.session)]
    assert asked == ["demo", "second", "third"]


async def test_model_calls_above_the_limit_are_queued(limited: Laboratory) -> None:
    """Only one call is allowed at a time, so each call starts after the previous one was answered."""
    await limited.model.plays(scene("hello", {**says("hi"), "latency_ms": 300}))
    customers = [limited.customer() for _ in range(3)]
    answers = await asyncio.gather(*(customer.says("hello") for customer in customers))
    assert [answer.text for answer in answers] == ["hi"] * 3
    asked = sorted([(await limited.model.requests(customer.session))[0]["at"] for customer in customers])
    assert all(later - earlier >= 0.29 for earlier, later in pairwise(asked))
