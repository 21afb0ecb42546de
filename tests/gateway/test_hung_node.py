"""One of two addresses of Restate hangs: it accepts connections and answers nothing."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from yarl import URL

from switchboard.testing import calls, says, scene
from tests.gateway.front import Gateway, open_gateway
from tests.laboratory import Laboratory
from tests.lines import Line, open_line

PROBES = 30
ANSWERED_WITHIN_S = 30.0
"""One attempt of 1.5 s at the address that hangs, and the answer of the other one on a busy machine. A gateway that
does not move on would wait for half an hour."""


@pytest.fixture(scope="module")
async def first(laboratory: Laboratory) -> AsyncIterator[Line]:
    port = URL(laboratory.mesh.addresses.ingress_url).port
    assert port is not None
    async with open_line(port) as line:
        yield line


@pytest.fixture(scope="module")
async def doubled(
    laboratory: Laboratory, first: Line, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Gateway]:
    """A gateway with two addresses of Restate, the first of which can hang."""
    urls = {"RESTATE_INGRESS_URL": f"{first.url},{laboratory.mesh.addresses.ingress_url}"}
    async with open_gateway(laboratory, tmp_path_factory.mktemp("doubled"), urls) as gateway:
        yield gateway


@contextmanager
def hanging(line: Line) -> Iterator[None]:
    line.silence()
    try:
        yield
    finally:
        line.flowing.set()


async def test_every_request_is_answered_while_one_address_hangs(doubled: Gateway, first: Line) -> None:
    await doubled.laboratory.model.plays(scene("hello", says("hi")))
    visitor = doubled.visitor()
    assert (await visitor.says("hello")).text == "hi"
    with hanging(first):
        for number in range(PROBES):
            started = time.monotonic()
            answer = await (visitor.says("hello") if number % 10 == 0 else visitor.gets("status"))
            assert answer.status == 200, (number, answer)
            assert time.monotonic() - started < ANSWERED_WITHIN_S, number

            async def ready() -> bool:
                return await doubled.probe("ready") == [200, 200]

            await doubled.laboratory.until(ready)
    assert (await visitor.gets("status")).body["turns_total"] == 1 + PROBES // 10


async def test_waiting_client_gets_the_reply_from_the_other_address(
    tmp_path: Path, laboratory: Laboratory, first: Line
) -> None:
    name = f"hung-{time.time_ns()}"
    meeting = calls(("meet", {"name": name, "parties": 2}))
    to_probe = calls(("handoff_to_Probe", {"reason": "an experiment"}))
    await laboratory.model.plays(
        scene("go", to_probe, meeting, says("we met")), scene("come", to_probe, meeting, says("here"))
    )
    urls = {"RESTATE_INGRESS_URL": f"{first.url},{laboratory.mesh.addresses.ingress_url}"}
    async with open_gateway(laboratory, tmp_path, urls) as gateway:
        visitor = gateway.visitor()
        message = asyncio.create_task(visitor.says("go"))

        async def waits() -> bool:
            return any(row["target"] == "ProbeTools/meet" for row in await laboratory.invocations(visitor.session))

        await laboratory.until(waits)
        with hanging(first):
            started = time.monotonic()
            assert (await gateway.visitor("bob").says("come")).text == "here"
            assert (await message).text == "we met"
            assert time.monotonic() - started < 2 * ANSWERED_WITHIN_S
        assert (await visitor.gets("status")).body["turns_total"] == 1
