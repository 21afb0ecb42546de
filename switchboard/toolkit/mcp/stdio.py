"""Connection to an MCP server's process over its standard input and output.

The SDK's own connection reads lines of any length, and waits seconds for a process that does not end. Here a line is
bounded, and a process that outlives its call is killed with all that it started.
"""

import asyncio
import logging
import os
import signal
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import Any

import anyio
from mcp.client.stdio import get_default_environment
from mcp.shared.message import SessionMessage
from mcp_types import jsonrpc_message_adapter

logger = logging.getLogger(__name__)

READ_BYTES = 64 * 1024

EXIT_GRACE = timedelta(milliseconds=500)
"""For a process to end after its standard input is closed, and again after it was killed."""


@asynccontextmanager
async def stdio_transport(
    command: tuple[str, ...], environment: Mapping[str, str], line_max_bytes: int
) -> AsyncIterator[tuple[Any, Any]]:
    """Start a process, and yield the streams of its messages. It has ended when this returns.

    Raises OSError if the process cannot be started.
    """
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=PIPE,
        stdout=PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env={**get_default_environment(), **environment},
        limit=line_max_bytes,
        start_new_session=True,
    )
    to_session, incoming = anyio.create_memory_object_stream[SessionMessage | Exception](0)
    outgoing, from_session = anyio.create_memory_object_stream[SessionMessage](0)
    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(read_messages, process, to_session)
            tasks.start_soon(write_messages, process, from_session, to_session)
            try:
                yield incoming, outgoing
            finally:
                tasks.cancel_scope.cancel()
    finally:
        with anyio.CancelScope(shield=True):
            await end(process)
        for stream in (to_session, incoming, outgoing, from_session):
            stream.close()


async def read_messages(process: Process, to_session: Any) -> None:
    """Pass on each line of the process as a message. What is no message is passed on as an error."""
    assert process.stdout is not None
    async with to_session:
        with suppress(anyio.ClosedResourceError, anyio.BrokenResourceError, ValueError, ConnectionError):
            # readline raises ValueError for a line beyond the limit. The session then sees that the connection ended.
            while line := await process.stdout.readline():
                await to_session.send(parsed(line))


def parsed(line: bytes) -> SessionMessage | Exception:
    try:
        return SessionMessage(jsonrpc_message_adapter.validate_json(line, by_name=False))
    except ValueError as error:
        return error


async def write_messages(process: Process, from_session: Any, to_session: Any) -> None:
    assert process.stdin is not None
    try:
        async with from_session:
            async for message in from_session:
                content = message.message.model_dump_json(by_alias=True, exclude_unset=True)
                process.stdin.write(content.encode() + b"\n")
                await process.stdin.drain()
    except (ConnectionError, anyio.ClosedResourceError, anyio.BrokenResourceError):
        # The session must not wait for answers to what was never written.
        await to_session.aclose()


async def end(process: Process) -> None:
    """Close the input of the process, and kill it with its children if it does not end."""
    assert process.stdin is not None
    process.stdin.close()
    if not await has_ended(process):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        if not await has_ended(process):
            logger.warning("a process that spoke MCP has not ended after it was killed: %d", process.pid)


async def has_ended(process: Process) -> bool:
    """Wait for the end of a process. It cannot end, or asyncio does not see it, as long as its output is not read."""
    assert process.stdout is not None
    with anyio.move_on_after(EXIT_GRACE.total_seconds()):
        with suppress(ValueError, ConnectionError):
            while await process.stdout.read(READ_BYTES):
                pass
        await process.wait()
    return process.returncode is not None
