"""Messages while no agent is available: nothing is done, and the same key retries once upstream is one."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

from switchboard.local.process import free_ports
from switchboard.testing import says, scene
from tests.gateway.front import open_gateway
from tests.gateway.test_failures import count_messages
from tests.gateway.test_sessions_api import problem, unique
from tests.laboratory import open_laboratory
from tests.mesh.test_limits import count_messages as count_outcomes


@asynccontextmanager
async def forwarded(port: int, url: str) -> AsyncIterator[None]:
    """Forward a port on the loopback interface to the address of `url`."""

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while chunk := await reader.read(65_536):
            writer.write(chunk)
        writer.close()

    async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream = await asyncio.open_connection(urlsplit(url).hostname, urlsplit(url).port)
        await asyncio.gather(copy(reader, upstream[1]), copy(upstream[0], writer), return_exceptions=True)

    server = await asyncio.start_server(connect, "127.0.0.1", port)
    try:
        yield
    finally:
        server.close()


async def test_message_without_an_agent_is_answered_later_under_the_same_key(tmp_path: Path) -> None:
    (admin,) = free_ports(1)
    environment = {"RESTATE_ADMIN_URL": f"http://127.0.0.1:{admin}"}
    async with (
        open_laboratory(tmp_path, environment=environment) as laboratory,
        open_gateway(laboratory, tmp_path) as own,
    ):
        await laboratory.model.plays(scene("hello", says("hi")))
        visitor, key = own.visitor(), unique()
        unserved = await visitor.says("hello", key)
        assert problem(unserved) == (503, "no_agents")
        assert await count_outcomes(laboratory, "unserved") == 1
        assert (unserved.headers["retry-after"], unserved.headers["idempotency-key"]) == ("60", key)
        async with forwarded(admin, laboratory.mesh.addresses.admin_url):
            first, again = await asyncio.gather(*(visitor.says("hello", key) for _ in range(2)))
        assert (first.status, first.text, first.body) == (200, "hi", again.body)
        assert (await visitor.says("hello", key)).body == first.body
        assert (await visitor.gets("status")).body["turns_total"] == 1
        # One message found no agent, and one was answered.
        assert await count_messages(laboratory, visitor) == 2
