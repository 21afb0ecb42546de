"""A message for which no agent can be found: nothing is done, and the same key asks again once there is one."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

from switchboard.local.process import free_ports
from switchboard.testing import says, scene
from tests.gateway.front import open_gateway
from tests.gateway.test_breaking_off import messages
from tests.gateway.test_sessions_api import problem, unique
from tests.laboratory import open_laboratory


@asynccontextmanager
async def forwarded(port: int, url: str) -> AsyncIterator[None]:
    """Let a port of the loopback lead to where `url` is."""

    async def pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while chunk := await reader.read(65_536):
            writer.write(chunk)
        writer.close()

    async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there = await asyncio.open_connection(urlsplit(url).hostname, urlsplit(url).port)
        await asyncio.gather(pour(reader, there[1]), pour(there[0], writer), return_exceptions=True)

    server = await asyncio.start_server(connect, "127.0.0.1", port)
    try:
        yield
    finally:
        server.close()


async def test_a_message_that_found_no_agent_is_taken_under_the_same_key_later(tmp_path: Path) -> None:
    (admin,) = free_ports(1)
    environment = {"RESTATE_ADMIN_URL": f"http://127.0.0.1:{admin}"}
    async with (
        open_laboratory(tmp_path, environment=environment) as laboratory,
        open_gateway(laboratory, tmp_path) as own,
    ):
        await laboratory.model.plays(scene("hello", says("hi")))
        visitor, key = own.visitor(), unique()
        nobody = await visitor.says("hello", key)
        assert problem(nobody) == (503, "no_agents")
        assert (nobody.headers["retry-after"], nobody.headers["idempotency-key"]) == ("60", key)
        async with forwarded(admin, laboratory.mesh.addresses.admin_url):
            first, again = await asyncio.gather(*(visitor.says("hello", key) for _ in range(2)))
        assert (first.status, first.text, first.body) == (200, "hi", again.body)
        assert (await visitor.says("hello", key)).body == first.body
        assert (await visitor.gets("status")).body["turns_total"] == 1
        # The one that found nobody, and the one that was answered.
        assert await messages(laboratory, visitor) == 2
