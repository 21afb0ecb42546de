"""kill -9 during a turn only delays it: completed model calls, tool calls and replies are not repeated."""

import asyncio
from collections.abc import Awaitable
from uuid import uuid4

import aiohttp

from switchboard.testing import JSON, Answer, Customer, calls, says, scene
from tests.kills import restart
from tests.laboratory import LONG_MS, Laboratory

TO_PROBE = calls(("handoff_to_Probe", {"reason": "an experiment"}))


def held(*names: str) -> JSON:
    """Calls that go on until the test releases them, so that kills come during the calls."""
    return calls(*(("hold", {"name": name}) for name in names))


async def count_model_calls(laboratory: Laboratory, customer: Customer) -> int:
    """Return the number of model calls in the session."""
    return len(await laboratory.model.requests(customer.session))


async def reply_of(message: Awaitable[Answer]) -> str:
    answer = await message
    assert answer.status == 200, answer
    return answer.text


async def test_agent_killed_while_tools_run_keeps_their_results(laboratory: Laboratory) -> None:
    a, b, c = (str(uuid4()) for _ in range(3))
    await laboratory.model.plays(scene("go", TO_PROBE, held(a, b, c), says("all three")))
    customer = laboratory.customer()
    message = asyncio.create_task(customer.says("go"))
    await laboratory.until(lambda: all(laboratory.probed(f"start {name}") for name in (a, b, c)))
    await restart(laboratory.probe_agent)
    laboratory.release(a, b, c)
    assert await reply_of(message) == "all three"
    assert [(laboratory.probed(f"start {name}"), laboratory.probed(f"done {name}")) for name in (a, b, c)] == [
        (1, 1)
    ] * 3
    assert await count_model_calls(laboratory, customer) == 3


async def test_agent_killed_in_a_second_step_does_not_repeat_the_first(laboratory: Laboratory) -> None:
    a, b = str(uuid4()), str(uuid4())
    await laboratory.model.plays(scene("go", TO_PROBE, calls(("wait", {"name": a})), held(b), says("both")))
    customer = laboratory.customer()
    message = asyncio.create_task(customer.says("go"))
    await laboratory.until(lambda: laboratory.probed(f"start {b}"))
    await restart(laboratory.probe_agent)
    laboratory.release(b)
    assert await reply_of(message) == "both"
    assert (laboratory.probed(f"start {a}"), laboratory.probed(f"start {b}")) == (1, 1)
    assert await count_model_calls(laboratory, customer) == 4


async def test_agent_killed_during_a_model_call_repeats_only_that_call(laboratory: Laboratory) -> None:
    """Only the interrupted model call is repeated, because earlier steps are in the journal."""
    await laboratory.model.plays(scene("go", TO_PROBE, {**says("thought"), "latency_ms": LONG_MS}))
    customer = laboratory.customer()
    message = asyncio.create_task(customer.says("go"))

    async def model_is_called() -> bool:
        return await count_model_calls(laboratory, customer) == 2

    await laboratory.until(model_is_called)
    await laboratory.probe_agent.kill()
    await laboratory.model.plays(scene("go", TO_PROBE, says("thought")))
    await laboratory.probe_agent.start()
    assert await reply_of(message) == "thought"
    agents = [request["body"]["metadata"]["agent"] for request in await laboratory.model.requests(customer.session)]
    assert agents == ["Triage", "Probe", "Probe"]


async def test_tools_killed_during_a_step_repeat_only_unfinished_calls(laboratory: Laboratory) -> None:
    """Completed calls are not repeated. Only the interrupted one runs again."""
    quick, slow = str(uuid4()), str(uuid4())
    both = calls(("wait", {"name": quick}), ("hold", {"name": slow}))
    await laboratory.model.plays(scene("go", TO_PROBE, both, says("both")))
    customer = laboratory.customer()
    message = asyncio.create_task(customer.says("go"))

    async def quick_is_done() -> bool:
        rows = await laboratory.invocations(customer.session, "wait")
        return any(row["status"] == "completed" for row in rows) and laboratory.probed(f"start {slow}") == 1

    await laboratory.until(quick_is_done)
    await restart(laboratory.probe_tools)
    laboratory.release(slow)
    assert await reply_of(message) == "both"
    assert (laboratory.probed(f"start {quick}"), laboratory.probed(f"done {quick}")) == (1, 1)
    assert (laboratory.probed(f"start {slow}"), laboratory.probed(f"done {slow}")) == (2, 1)
    assert await count_model_calls(laboratory, customer) == 3


async def test_session_killed_while_an_agent_works_still_replies(laboratory: Laboratory) -> None:
    name = str(uuid4())
    await laboratory.model.plays(scene("go", TO_PROBE, held(name), says("done")), scene("next", says("going on")))
    customer = laboratory.customer()
    message = asyncio.create_task(customer.says("go"))
    await laboratory.until(lambda: laboratory.probed(f"start {name}"))
    await restart(laboratory.mesh.services["triage"])
    laboratory.release(name)
    assert await reply_of(message) == "done"
    assert laboratory.probed(f"start {name}") == 1
    assert await count_model_calls(laboratory, customer) == 3
    assert (await customer.says("next")).text == "going on"


async def test_message_completes_once_when_every_process_is_killed(laboratory: Laboratory) -> None:
    """Restate is killed too. The client retries with the same idempotency key, and there is one turn."""
    name = str(uuid4())
    await laboratory.model.plays(scene("go", TO_PROBE, held(name), says("done")))
    customer = laboratory.customer()
    message = asyncio.create_task(customer.says("go", idempotency_key="k"))
    await laboratory.until(lambda: laboratory.probed(f"start {name}"))
    services = [laboratory.mesh.services["triage"], laboratory.probe_agent, laboratory.probe_tools]
    await asyncio.gather(*(process.kill() for process in (laboratory.mesh.restate, *services)))
    try:
        await message
    except aiohttp.ClientError:
        pass
    else:
        raise AssertionError("the connection should have broken")
    await asyncio.gather(*(process.start() for process in (laboratory.mesh.restate, *services)))
    laboratory.release(name)
    assert await reply_of(customer.says("go", idempotency_key="k")) == "done"
    assert laboratory.probed(f"done {name}") == 1
    assert await count_model_calls(laboratory, customer) == 3
    assert (await customer.asks("status")).body["turns_total"] == 1
