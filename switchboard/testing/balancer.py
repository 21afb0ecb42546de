"""A load balancer in front of replicas on this machine, like a Kubernetes service: TCP, round robin."""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

CHUNK_BYTES = 64 * 1024


@asynccontextmanager
async def balanced(port: int, targets: Sequence[int]) -> AsyncIterator[None]:
    """Forward connections to a port to the first of the targets, in turn, that accepts them."""
    turn = itertools.count()
    connections: set[asyncio.Task[None]] = set()

    async def connect() -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        begin = next(turn)
        for number in range(len(targets)):
            with contextlib.suppress(OSError):
                return await asyncio.open_connection("127.0.0.1", targets[(begin + number) % len(targets)])
        raise ConnectionRefusedError("no replica accepts connections")

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        connections.add(task)
        try:
            # The end of the block below cancels connections; asyncio would log each as an error.
            with contextlib.suppress(OSError, asyncio.CancelledError):
                there_reader, there_writer = await connect()
                try:
                    await first_to_end(pump(reader, there_writer), pump(there_reader, writer))
                finally:
                    there_writer.close()
        finally:
            connections.discard(task)
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", port)
    try:
        yield
    finally:
        server.close()
        for task in connections:
            task.cancel()


async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while chunk := await source.read(CHUNK_BYTES):
            sink.write(chunk)
            await sink.drain()


async def first_to_end(*pumps: object) -> None:
    """Run both directions until one of them ends."""
    tasks = [asyncio.ensure_future(one) for one in pumps]  # type: ignore[call-overload]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
