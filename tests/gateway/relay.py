"""A TCP relay that can freeze, in place of a Restate node that hangs: connections stay open and nothing is answered."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

CHUNK_BYTES = 64 * 1024


@dataclass
class Relay:
    """Forwards connections to a port of this machine. While `thawed` is clear, it accepts them and forwards nothing."""

    target: int
    port: int = 0
    thawed: asyncio.Event = field(default_factory=asyncio.Event)
    writers: set[asyncio.StreamWriter] = field(default_factory=set)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self.thawed.wait()
        to_reader, to_writer = await asyncio.open_connection("127.0.0.1", self.target)
        pair = {writer, to_writer}
        self.writers |= pair
        await asyncio.gather(self.forward(reader, to_writer), self.forward(to_reader, writer))
        self.writers -= pair

    def cut(self) -> None:
        """Break all connections that are open now."""
        for writer in self.writers:
            writer.transport.abort()

    async def forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while chunk := await reader.read(CHUNK_BYTES):
                await self.thawed.wait()
                writer.write(chunk)
                await writer.drain()
        writer.close()


@asynccontextmanager
async def open_relay(target: int) -> AsyncIterator[Relay]:
    relay = Relay(target)
    relay.thawed.set()
    server = await asyncio.start_server(relay.serve, "127.0.0.1", 0)
    relay.port = server.sockets[0].getsockname()[1]
    try:
        yield relay
    finally:
        server.close()
