"""Event streams over a broker on a real mesh: several gateways, resuming, kills, and a broker that dies or lies."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest

from switchboard.live_broker import CHANNELS, SESSION_CHANNEL
from switchboard.testing import calls, says, scene
from tests.chaos import test_streams as streams
from tests.gateway.front import Gateway, open_gateway
from tests.gateway.test_event_streams import (
    ONE_BY_ONE,
    at,
    killed_agent,
    killed_gateway,
    killed_session,
    see_every_event_once,
    stopped_gateway,
)
from tests.gateway.test_failures import TO_PROBE
from tests.gateway.viewers import watching
from tests.laboratory import SOON, Laboratory, open_laboratory
from tests.parts import at_night
from tests.redis_server import RedisServer, redis_server

GATEWAYS = 3
HELD_UP_S = 60
"""A turn of a second takes no longer without the broker, also on a busy machine."""


@dataclass
class Front:
    """A mesh whose processes and gateways know each other by the broker only."""

    redis: RedisServer
    laboratory: Laboratory
    gateways: list[Gateway]

    @property
    def environment(self) -> dict[str, str]:
        return {"SWITCHBOARD_EVENTS_BROKER_URL": self.redis.url}


@pytest.fixture(scope="module")
async def front(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Front]:
    folder = tmp_path_factory.mktemp("broker")
    async with AsyncExitStack() as stack:
        redis = await stack.enter_async_context(redis_server(folder))
        environment = {**SOON, "SWITCHBOARD_EVENTS_URLS": "", "SWITCHBOARD_EVENTS_BROKER_URL": redis.url}
        laboratory = await stack.enter_async_context(open_laboratory(folder / "mesh", environment=environment))
        opened = Front(redis, laboratory, [])
        for number in range(GATEWAYS):
            (place := folder / str(number)).mkdir()
            gateway = await stack.enter_async_context(open_gateway(laboratory, place, opened.environment))
            opened.gateways.append(gateway)
        yield opened


async def listening(gateway: Gateway) -> None:
    """Wait until this gateway hears the broker, and no process directly."""

    async def heard() -> bool:
        lines = (await gateway.metrics()).splitlines()
        assert "switchboard_gateway_live_connections 0.0" in lines
        return "switchboard_gateway_broker_connected 1.0" in lines

    await gateway.laboratory.until(heard)


FAULTS = [killed_agent, killed_session, killed_gateway, stopped_gateway]


@pytest.mark.parametrize(
    ("fault", "when"),
    [
        (killed_agent, "delta"),
        (killed_gateway, "tool_started"),
        *at_night(*((fault, when) for fault in FAULTS for when in ("tool_started", "delta"))),
    ],
)
async def test_viewers_see_every_event_once_whatever_is_killed(front: Front, fault: Any, when: str) -> None:
    first, second, _ = front.gateways
    for gateway in (first, second):
        await listening(gateway)
    try:
        await see_every_event_once(first, second, fault, when)
    finally:
        if not first.process.alive:
            await first.process.start()


@pytest.mark.parametrize("when", ["delta", *at_night("tool_started")])
async def test_viewers_see_every_event_once_though_the_broker_is_killed(front: Front, when: str) -> None:
    first, second, _ = front.gateways
    for gateway in (first, second):
        await listening(gateway)

    async def killed_broker(_: Gateway) -> None:
        await front.redis.kill()
        await front.redis.start()

    viewer = await see_every_event_once(first, second, killed_broker, when)
    assert (viewer.connections, viewer.problems) == (1, [])


@pytest.mark.slow
@pytest.mark.parametrize("part", range(streams.PARTS))
async def test_each_viewer_ends_with_the_committed_text_under_many_kills(front: Front, part: int) -> None:
    first, second, _ = front.gateways
    await streams.kill_many(streams.Front(front.laboratory, (first, second), {"broker": front.redis}), part)


async def test_text_comes_while_it_is_written_and_only_gateways_with_viewers_get_it(front: Front) -> None:
    first, second, third = front.gateways
    for gateway in front.gateways:
        await listening(gateway)
    slow = {**says(ONE_BY_ONE), "latency_ms": 300}
    await front.laboratory.model.plays(scene("go", TO_PROBE, slow))
    visitor = first.visitor()
    async with watching(visitor) as one, watching(at(second, visitor)) as other:

        async def both_subscribed() -> bool:
            return await front.redis.subscribers(f"{SESSION_CHANNEL}{visitor.session}") == 2

        await front.laboratory.until(both_subscribed)
        assert (await at(third, visitor).says("go")).text == ONE_BY_ONE
        for viewer in (one, other):
            await viewer.until(lambda each: 1 in each.replies())
            text = "".join(event.data["text"] for event in viewer.all if event.kind == "delta")
            # The event of the step can come before the last words.
            assert text
            assert ONE_BY_ONE.startswith(text)

    async def no_longer_subscribed() -> bool:
        async with front.redis.client() as redis:
            return visitor.session not in str(await redis.pubsub_channels(f"{CHANNELS}*"))

    # A gateway unsubscribes after the viewer has left.
    await front.laboratory.until(no_longer_subscribed)


async def test_without_the_broker_turns_go_on_and_viewers_get_the_records(front: Front) -> None:
    first, second, _ = front.gateways
    for gateway in (first, second):
        await listening(gateway)
    await front.laboratory.model.plays(
        scene("hello", says("hi")), scene("go", TO_PROBE, calls(("who_am_i", {})), says(ONE_BY_ONE))
    )
    visitor = first.visitor()
    async with watching(visitor) as viewer, watching(at(second, visitor)) as other:
        await visitor.says("hello")
        await front.redis.kill()
        try:
            began = asyncio.get_running_loop().time()
            assert (await visitor.says("go")).text == ONE_BY_ONE
            assert asyncio.get_running_loop().time() - began < HELD_UP_S
            for each in (viewer, other):
                await each.until(lambda found: 2 in found.replies())
        finally:
            await front.redis.start()
    assert [event.id for event in viewer.seen] == [event.id for event in other.seen]


async def test_forged_frames_are_shown_to_no_viewer(front: Front) -> None:
    first, *_ = front.gateways
    await listening(first)
    name = str(uuid4())
    slow = calls(("hold", {"name": name}))
    await front.laboratory.model.plays(scene("go", TO_PROBE, slow, says(ONE_BY_ONE)))
    visitor = first.visitor()
    channel = f"{SESSION_CHANNEL}{visitor.session}"
    async with watching(visitor) as viewer, front.redis.client() as redis, redis.pubsub() as overhearing:
        await overhearing.subscribe(channel)
        message = asyncio.create_task(visitor.says("go"))
        await viewer.until(lambda each: "tool_started" in {event.kind for event in each.all})
        heard = []
        while found := await overhearing.get_message(timeout=0.1):
            heard += [found["data"]] if found["type"] == "message" else []
        assert heard
        for frame in heard:
            await redis.publish(channel, frame.replace(b'"kind":"told"', b'"kind":"told" '))
            await redis.publish(channel, frame.split(b" ", 4)[-1])
            await redis.publish(channel, frame)

        async def refused() -> bool:
            lines = (await first.metrics()).splitlines()
            series = [line for line in lines if line.startswith("switchboard_gateway_live_frames_ref")]
            return {line.split("{")[1].split("}")[0] for line in series} >= {'reason="unsigned"', 'reason="repeated"'}

        await front.laboratory.until(refused)
        front.laboratory.release(name)
        assert (await message).text == ONE_BY_ONE
        await viewer.until(lambda each: 1 in each.replies())
