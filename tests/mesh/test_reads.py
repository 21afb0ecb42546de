"""Reads cost nothing that stays: clients may poll a session as often as they like."""

import asyncio
from uuid import uuid4

from switchboard.testing import Customer, calls, says, scene
from tests.laboratory import Laboratory

POLLS = 50
TO_PROBE = calls(("handoff_to_Probe", {"reason": "an experiment"}))


async def kept(laboratory: Laboratory, customer: Customer) -> set[str]:
    """Return the handlers of the session of which Restate still has an invocation."""
    sql = f"SELECT target_handler_name AS handler FROM sys_invocation WHERE target_service_key = '{customer.session}'"
    return {str(row["handler"]) for row in await laboratory.query(sql)}


async def test_polls_leave_nothing_in_restate(laboratory: Laboratory) -> None:
    name = str(uuid4())
    meeting = calls(("meet", {"name": name, "parties": 2}))
    await laboratory.model.plays(
        scene("go", TO_PROBE, meeting, says("we met")), scene("come", TO_PROBE, meeting, says("here I am"))
    )
    customer = laboratory.customer()
    message = asyncio.create_task(customer.says("go"))

    async def waits() -> bool:
        return any(row["target"] == "ProbeTools/meet" for row in await laboratory.invocations(customer.session))

    await laboratory.until(waits)
    statuses = await asyncio.gather(*(customer.asks("status") for _ in range(POLLS)))
    for status in statuses:
        targets = [call["target"] for call in status.body["running"]["calls"]]
        assert targets == ["Probe/take_turn", "ProbeTools/meet"]
    assert (await laboratory.customer("bob").says("come")).text == "here I am"
    assert (await message).text == "we met"
    await asyncio.gather(*(customer.asks("transcript", limit=5) for _ in range(POLLS)))

    async def only_the_message_is_kept() -> bool:
        return await kept(laboratory, customer) == {"send", "expire"}

    await laboratory.until(only_the_message_is_kept)
