"""Network lines to the processes of a mesh that tests can cut, refuse and silence."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

CHUNK_BYTES = 64 * 1024


@dataclass
class Line:
    """Forwards TCP connections from its own port to another one of this machine."""

    target: int
    port: int = 0
    flowing: asyncio.Event = field(default_factory=asyncio.Event)
    _server: asyncio.Server | None = None
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def open(self) -> None:
        """Accept connections, from the second time on at the same port."""
        self.flowing.set()
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Refuse connections, and cut those that are open."""
        if self._server is not None:
            self._server.close()
        self.cut()
        self.flowing.set()

    def cut(self) -> None:
        """Break all connections. New ones are accepted."""
        for writer in self._writers:
            writer.transport.abort()

    def silence(self) -> None:
        """Forward nothing until the line is `flowing` again. Connections are accepted and stay open."""
        self.flowing.clear()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            with contextlib.suppress(OSError):
                there_reader, there_writer = await asyncio.open_connection("127.0.0.1", self.target)
                self._writers.add(there_writer)
                try:
                    async with asyncio.TaskGroup() as pumps:
                        pumps.create_task(self._pump(reader, there_writer))
                        pumps.create_task(self._pump(there_reader, writer))
                finally:
                    self._writers.discard(there_writer)
                    there_writer.close()
        finally:
            self._writers.discard(writer)
            writer.close()

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while chunk := await source.read(CHUNK_BYTES):
                await self.flowing.wait()
                sink.write(chunk)
                await sink.drain()
            if sink.can_write_eof():
                sink.write_eof()


@asynccontextmanager
async def open_line(target: int) -> AsyncIterator[Line]:
    """Open a line to this port, until the end of the block."""
    line = Line(target)
    await line.open()
    try:
        yield line
    finally:
        await line.close()


@asynccontextmanager
async def open_lines(targets: dict[str, int]) -> AsyncIterator[dict[str, Line]]:
    """Open a line to each of these ports, until the end of the block."""
    async with AsyncExitStack() as stack:
        yield {name: await stack.enter_async_context(open_line(port)) for name, port in targets.items()}
