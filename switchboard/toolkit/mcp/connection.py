"""One connection to an MCP server, bounded in time and size."""

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

import httpx2
from mcp import Client
from mcp.client.extension import ClaimContext, ClientExtension, ResultClaim
from mcp.client.session import ClientRequestContext, ClientSession
from mcp.client.streamable_http import streamable_http_client
from mcp_types import (
    CallToolResult,
    ElicitRequestParams,
    ElicitResult,
    Implementation,
    InitializeResult,
    Result,
    ServerCapabilities,
)
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from switchboard.credentials import credentials_in
from switchboard.mcp_server import McpServer
from switchboard.toolkit.mcp.elicitation import Questions
from switchboard.toolkit.mcp.failures import ANSWER_MAX_BYTES, Redirected, Refused, TooLong
from switchboard.toolkit.mcp.outcomes import RunningTask
from switchboard.toolkit.mcp.results import without_secrets
from switchboard.toolkit.mcp.settings import variables
from switchboard.toolkit.mcp.stdio import stdio_transport
from switchboard.version import VERSION

CONNECT_TIMEOUT = timedelta(seconds=10)
"""For a server to accept the connection, and to answer each request before the call."""

CLOSE_TIMEOUT_SECONDS = 2.0
"""For a server to end an MCP session that is not needed any more."""

UNAUTHORIZED = frozenset({401, 403})
KEY_HEADER = "Idempotency-Key"
SESSION = "mcp-session-id"
VERSION_HEADER = "mcp-protocol-version"
TASKS = "io.modelcontextprotocol/tasks"


class BoundedStream(httpx2.AsyncByteStream):
    """The body of an answer, up to ANSWER_MAX_BYTES."""

    def __init__(self, inner: httpx2.AsyncByteStream) -> None:
        self.inner = inner

    async def __aiter__(self) -> AsyncIterator[bytes]:
        left = ANSWER_MAX_BYTES
        async for part in self.inner:
            left -= len(part)
            if left < 0:
                raise TooLong(f"the answer is longer than {ANSWER_MAX_BYTES} bytes")
            yield part

    async def aclose(self) -> None:
        await self.inner.aclose()


class BoundedTransport(httpx2.AsyncHTTPTransport):
    """Sends requests, bounds what is read of each answer, and knows the MCP session and the credentials."""

    def __init__(self, credentials: Iterable[str], session: str = "") -> None:
        super().__init__()
        self.session = session
        self.version = ""
        self.keeps_session = False
        self.credentials = [*credentials]

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        authorization = request.headers.get("authorization")
        if authorization and authorization not in self.credentials:
            self.credentials.append(authorization)
        response = await super().handle_async_request(request)
        self.session = response.headers.get(SESSION) or self.session
        self.version = request.headers.get(VERSION_HEADER) or self.version
        assert isinstance(response.stream, httpx2.AsyncByteStream)
        response.stream = BoundedStream(response.stream)
        return response


class BoundedClient(httpx2.AsyncClient):
    """Raises Refused for a request that stays unauthorized, also after tokens were asked for, and Redirected for an
    answer that leads to another address: the request, its credentials and its words are for the declared one only."""

    async def send(self, request: httpx2.Request, **options: Any) -> httpx2.Response:
        response = await super().send(request, **options)
        if response.status_code in UNAUTHORIZED:
            await response.aclose()
            raise Refused(f"status {response.status_code}")
        following = response.next_request
        if following is not None and not same_origin(request.url, following.url):
            await response.aclose()
            raise Redirected(f"status {response.status_code}")
        return response


def same_origin(one: httpx2.URL, other: httpx2.URL) -> bool:
    return (one.scheme, one.host, one.port) == (other.scheme, other.host, other.port)


class TaskCreated(Result):
    """Answer of a server of 2026 that goes on with a call as a task."""

    result_type: Literal["task"]
    task_id: str
    poll_interval_ms: float | None = None


async def unresolved(created: TaskCreated, context: ClaimContext) -> CallToolResult:
    """Resolve nothing: calls are sent without the part of the SDK that waits for tasks in memory."""
    raise NotImplementedError


class Tasks(ClientExtension):
    """Tells servers of 2026 that a call may become a task."""

    identifier = TASKS

    def claims(self) -> list[ResultClaim[TaskCreated]]:
        return [ResultClaim(result_type="task", model=TaskCreated, resolve=unresolved)]


@dataclass(frozen=True)
class Connection:
    """A connection whose protocol version is agreed on. `http` is None for a server with a command."""

    session: ClientSession
    http: BoundedTransport | None = None

    @property
    def modern(self) -> bool:
        return self.session.protocol_version in MODERN_PROTOCOL_VERSIONS

    @property
    def secrets(self) -> tuple[str, ...]:
        """The credentials of all requests so far."""
        return credentials_in(self.http.credentials) if self.http else ()


def url_of(server: McpServer) -> str:
    return server.url() if callable(server.url) else server.url


@asynccontextmanager
async def connected(
    server: McpServer, headers: Mapping[str, str], questions: Questions | None = None, auth: Any = None, key: str = ""
) -> AsyncIterator[Connection]:
    """Connect to a server, and agree on a protocol version. Raises whatever the transports raise.

    `headers` are credentials, and `key` is the idempotency key of a call.
    The server is told that it may ask the customer something only if there are `questions`. Only a server with an
    address may go on with a call as a task: one with a command ends with its connection.
    """
    if server.command:
        given = variables(server.environment)
        client = client_of(stdio_transport(server.command, given, ANSWER_MAX_BYTES), questions, None)
        async with client:
            yield Connection(client.session)
        return
    async with AsyncExitStack() as stack:
        http = BoundedTransport(headers.values())
        given = {**headers, **({KEY_HEADER: key} if key else {})}
        transport = await stack.enter_async_context(http_streams(server, given, http, auth))
        client = client_of(transport, questions, http, extensions=[Tasks()])
        async with client:
            yield Connection(client.session, http)


@asynccontextmanager
async def resumed(
    server: McpServer, headers: Mapping[str, str], task: RunningTask, questions: Questions | None, auth: Any = None
) -> AsyncIterator[Connection]:
    """Connect to a server for a task that an earlier connection began, with that one's version and MCP session.

    Nothing is negotiated again, so that looking at a task is one request.
    """
    http = BoundedTransport(headers.values(), task.session)
    # The session ends with the task only, and not with a connection that failed.
    http.keeps_session = True
    given = {**headers, **({SESSION: task.session} if task.session else {})}
    async with AsyncExitStack() as stack:
        transport = await stack.enter_async_context(http_streams(server, given, http, auth))
        if task.version in MODERN_PROTOCOL_VERSIONS:
            client = client_of(transport, questions, http, mode=task.version, extensions=[Tasks()])
            await stack.enter_async_context(client)
            yield Connection(client.session, http)
            return
        reading, writing = await stack.enter_async_context(transport)
        session = ClientSession(reading, writing, **options_of(questions, http))
        await stack.enter_async_context(session)
        session.adopt(
            InitializeResult(
                protocol_version=task.version,
                capabilities=ServerCapabilities(),
                server_info=Implementation(name=server.name, version=""),
            )
        )
        yield Connection(session, http)


@asynccontextmanager
async def http_streams(
    server: McpServer, headers: Mapping[str, str], transport: BoundedTransport, auth: Any
) -> AsyncIterator[Any]:
    """Yield the streams of a server with an address, not yet entered. Ends the MCP session if no task needs it."""
    url = url_of(server)
    timeout = httpx2.Timeout(CONNECT_TIMEOUT.total_seconds(), read=server.timeout.total_seconds())
    async with BoundedClient(headers=dict(headers), timeout=timeout, transport=transport, auth=auth) as http:
        try:
            yield streamable_http_client(
                url, http_client=http, terminate_on_close=False, max_sse_event_size=ANSWER_MAX_BYTES
            )
        finally:
            if transport.session and not transport.keeps_session:
                await end_session(http, url, transport)


async def end_session(http: httpx2.AsyncClient, url: str, transport: BoundedTransport) -> None:
    """Tell the server that its MCP session has ended. One that does not listen forgets it by itself."""
    given = {SESSION: transport.session, **({VERSION_HEADER: transport.version} if transport.version else {})}
    try:
        await http.delete(url, headers=given, timeout=CLOSE_TIMEOUT_SECONDS)
    except httpx2.HTTPError:
        return


def options_of(questions: Questions | None, http: BoundedTransport | None) -> dict[str, Any]:
    async def reply(context: ClientRequestContext, asked: ElicitRequestParams) -> ElicitResult:
        assert questions is not None
        return await questions.reply(context, without_secrets(asked, credentials_in(http.credentials if http else ())))

    return {
        "read_timeout_seconds": CONNECT_TIMEOUT.total_seconds(),
        "client_info": Implementation(name="switchboard", version=VERSION),
        "elicitation_callback": reply if questions else None,
    }


def client_of(transport: Any, questions: Questions | None, http: BoundedTransport | None, **options: Any) -> Client:
    return Client(transport, cache=None, **options_of(questions, http), **options)
