"""A2A under kills: a first message that is sent again and again, at two gateways, is one task with one reply."""

import asyncio
import random
from collections.abc import AsyncIterator
from datetime import timedelta

import aiohttp
import pytest

from switchboard.retry import RetryPolicy, retry
from switchboard.testing import JSON, calls, says, scene
from tests.gateway.a2a_client import OtherAgent, reply, state
from tests.gateway.front import Gateway, open_gateway
from tests.gateway.test_a2a import A2A, TO_PROBE, unique
from tests.kills import restart
from tests.laboratory import Laboratory
from tests.parts import at_night

AT_ONCE = 20
"""Clients that send the message at the same time."""

INTERNAL_ERROR = -32603
"""Code of an answer after which the same message may be sent again."""

RETRIES = RetryPolicy(pause=timedelta(milliseconds=100), attempts_max=1_200)


class Unanswered(Exception):
    """A gateway could not answer just now."""


@pytest.fixture(scope="module")
async def fronts(
    laboratory: Laboratory, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[tuple[Gateway, Gateway]]:
    folder = tmp_path_factory.mktemp("fronts")
    for name in ("a", "b"):
        (folder / name).mkdir()
    async with (
        open_gateway(laboratory, folder / "a", A2A) as first,
        open_gateway(laboratory, folder / "b", A2A) as second,
    ):
        yield first, second


async def sent(agent: OtherAgent, text: str, message_id: str) -> JSON:
    """Send the message once. Raises what a client answers with a retry."""
    task = await agent.sends(text, message_id)
    if task.get("error", {}).get("code") == INTERNAL_ERROR or "code" in task:
        raise Unanswered(task)
    return task


@pytest.mark.parametrize("messages", [30, *at_night(1_000)])
async def test_identical_first_messages_are_one_task_under_kills(
    fronts: tuple[Gateway, Gateway], messages: int
) -> None:
    laboratory = fronts[0].laboratory
    text, name, message_id = f"insure {unique()}", unique(), unique()
    works = calls(("wait", {"name": name, "milliseconds": 300}))
    await laboratory.model.plays(scene(text, TO_PROBE, works, says("done")))
    agent = OtherAgent(fronts[0].visitor())
    agents = [agent.at(front.ports.url) for front in fronts]
    victims = [fronts[0].process, fronts[1].process, laboratory.mesh.restate]
    dice = random.Random(1)
    stopping = asyncio.Event()

    async def kills() -> None:
        while not stopping.is_set():
            await restart(dice.choice(victims))
            await asyncio.sleep(dice.uniform(0, 0.5))

    async def client(number: int) -> list[JSON]:
        found = []
        for _ in range(number, messages, AT_ONCE):
            found.append(
                await retry(
                    lambda: sent(dice.choice(agents), text, message_id), RETRIES, (aiohttp.ClientError, Unanswered)
                )
            )
        return found

    killing = asyncio.create_task(kills())
    try:
        tasks = [task for found in await asyncio.gather(*(client(each) for each in range(AT_ONCE))) for task in found]
    finally:
        stopping.set()
        await killing
    assert len(tasks) == messages
    assert {task["id"] for task in tasks} == {tasks[0]["id"]}
    assert {(state(task), reply(task)) for task in tasks} == {("COMPLETED", "done")}
    visitor = fronts[0].visitor(session=tasks[0]["contextId"])
    assert len((await visitor.gets("transcript")).body["turns"]) == 1
