"""Debian's Redis as the broker of live events, on a free port of this machine."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from redis import RedisError
from redis.asyncio import Redis

from switchboard.local.process import Process, StartFailed, free_ports
from tests.parts import need_tool

PASSWORD = "a-password-of-the-tests"


class RedisServer(Process):
    """A Redis without files. A client with its password may do everything."""

    @property
    def url(self) -> str:
        return f"redis://:{PASSWORD}@127.0.0.1:{self.port}"

    def client(self) -> Redis:
        return Redis.from_url(self.url)

    async def subscribers(self, channel: str) -> int:
        """Return how many connections are subscribed to a channel."""
        async with self.client() as redis:
            ((_, count),) = await redis.pubsub_numsub(channel)
        return int(count)

    async def _ready(self) -> bool:
        if not self.alive:
            raise StartFailed(f"{self.name} exited at start: {self.last_output()}")
        try:
            async with self.client() as redis:
                return bool(await redis.ping())
        except (RedisError, OSError):
            return False


async def command(client: Redis, *words: str) -> None:
    """Send a command for which the client has no method."""
    await client.execute_command(*words)  # type: ignore[no-untyped-call]  # not annotated


@asynccontextmanager
async def redis_server(folder: Path, options: Sequence[str] = ()) -> AsyncIterator[RedisServer]:
    """Start a Redis, and stop it at the end."""
    program = need_tool("redis-server", "Redis")
    (port,) = free_ports(1)
    given = ("--bind", "127.0.0.1", "--port", str(port), "--requirepass", PASSWORD, "--save", "", "--appendonly", "no")
    server = RedisServer(
        name="redis",
        command=[program, *given, "--dir", str(folder), *options],
        environment={},
        port=port,
        health="",
        log=folder / "redis.log",
    )
    try:
        await server.start()
        yield server
    finally:
        await server.kill()
