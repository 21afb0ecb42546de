"""One connection to an MCP server: lists its tools, or makes one call. Bounded in time and size; never raises for what
a server does wrong."""

import logging
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import anyio
import httpx2
from mcp import Client, MCPError
from mcp.client.session import ClientRequestContext, ClientSession
from mcp.client.streamable_http import streamable_http_client
from mcp.shared import _otel
from mcp_types import (
    CONNECTION_CLOSED,
    HEADER_MISMATCH,
    INVALID_PARAMS,
    INVALID_REQUEST,
    METHOD_NOT_FOUND,
    PARSE_ERROR,
    REQUEST_TIMEOUT,
    URL_ELICITATION_REQUIRED,
    CallToolRequest,
    CallToolRequestParams,
    CallToolResult,
    ElicitationRequiredErrorData,
    ElicitResult,
    ErrorData,
    Implementation,
    InputRequest,
    InputRequiredResult,
    InputResponse,
    PaginatedRequestParams,
    Tool,
)
from opentelemetry.trace import NoOpTracer, Span
from pydantic import TypeAdapter, ValidationError

from switchboard.foreign_tools import Catalog, FoundTool, Kind, found_tool
from switchboard.mcp_key import IDEMPOTENCY_META
from switchboard.mcp_server import McpServer
from switchboard.messages import WireModel
from switchboard.telemetry.mcp_call import TOOL_ERROR, mcp_call, record_failure, record_version
from switchboard.telemetry.spans import HandlerSpan
from switchboard.toolkit.mcp.arguments import problem_with_schema
from switchboard.toolkit.mcp.elicitation import Questions, link_text
from switchboard.toolkit.mcp.results import brief, cut, result_text, without_secrets
from switchboard.toolkit.mcp.settings import variables
from switchboard.toolkit.mcp.stdio import stdio_transport
from switchboard.version import VERSION

logger = logging.getLogger(__name__)

# The SDK logs what it cannot read, word for word, and writes a server's errors into spans of its own.
logging.getLogger("mcp.client").setLevel(logging.CRITICAL)
_otel._tracer = NoOpTracer()

ANSWER_MAX_BYTES = 2 * 1024 * 1024
"""Of one answer of a server, before it is read. A longer one is not read."""

CONNECT_TIMEOUT = timedelta(seconds=10)
"""For a server to accept the connection, and to answer each request before the call."""

PAGES_MAX = 20
"""Of a list of tools."""

KEY_HEADER = "Idempotency-Key"

NOT_DONE_CODES = frozenset({METHOD_NOT_FOUND, INVALID_PARAMS, HEADER_MISMATCH})
"""Errors by which a server says that it has not begun to carry a call out."""

ROUNDS_MAX = 3
"""Of questions that a server asks one after the other in one call."""

ANSWER: TypeAdapter[CallToolResult | InputRequiredResult] = TypeAdapter(CallToolResult | InputRequiredResult)

UNREADABLE_CODES = frozenset({PARSE_ERROR, INVALID_REQUEST})

UNAUTHORIZED = frozenset({401, 403})


class Outcome(WireModel):
    """How one attempt at a call ended.

    `done`: `text` is the result. `failed`: the server says that it was not done. `asked`: the server asks the customer
    something, and was told that the question is dismissed for now. `unreached`: the call was not sent.
    `lost`: the call was sent, and it is not known whether it was done.
    """

    kind: Kind
    text: str
    again: bool = True
    """False if a further attempt would only cost time."""

    others: bool = False
    """Whether `text` has other people's words."""


@dataclass(frozen=True)
class Attempt:
    """What one attempt at a call sends. `secrets` are the values of `headers`, which must appear nowhere."""

    tool: str
    arguments: Mapping[str, Any]
    key: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    asks: bool = False
    answers: Mapping[str, Any] | None = None

    @property
    def secrets(self) -> tuple[str, ...]:
        values = [*self.headers.values(), *(value.partition(" ")[2] for value in self.headers.values())]
        return tuple(sorted({value for value in values if len(value) > 3}, key=len, reverse=True))


class TooLong(httpx2.TransportError):
    """An answer is longer than ANSWER_MAX_BYTES."""


class Refused(httpx2.TransportError):
    """The server refuses the credentials."""


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
    """Sends requests, and bounds what is read of each answer."""

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        response = await super().handle_async_request(request)
        if response.status_code in UNAUTHORIZED:
            await response.aclose()
            raise Refused(f"status {response.status_code}")
        assert isinstance(response.stream, httpx2.AsyncByteStream)
        response.stream = BoundedStream(response.stream)
        return response


def url_of(server: McpServer) -> str:
    return server.url() if callable(server.url) else server.url


@asynccontextmanager
async def connected(
    server: McpServer, headers: Mapping[str, str], questions: Questions | None = None
) -> AsyncIterator[ClientSession]:
    """Connect to a server, and agree on a protocol version. Raises whatever the transports raise.

    The server is told that it may ask the customer something only if there are `questions`.
    """
    if server.command:
        given = variables(server.environment)
        async with session(stdio_transport(server.command, given, ANSWER_MAX_BYTES), questions) as opened:
            yield opened
        return
    timeout = httpx2.Timeout(CONNECT_TIMEOUT.total_seconds(), read=server.timeout.total_seconds())
    async with httpx2.AsyncClient(headers=dict(headers), timeout=timeout, transport=BoundedTransport()) as http:
        transport = streamable_http_client(url_of(server), http_client=http, max_sse_event_size=ANSWER_MAX_BYTES)
        async with session(transport, questions) as opened:
            yield opened


@asynccontextmanager
async def session(transport: Any, questions: Questions | None) -> AsyncIterator[ClientSession]:
    client = Client(
        transport,
        cache=None,
        read_timeout_seconds=CONNECT_TIMEOUT.total_seconds(),
        client_info=Implementation(name="switchboard", version=VERSION),
        elicitation_callback=questions.reply if questions else None,
    )
    async with client:
        yield client.session


async def list_tools(opened: ClientSession, wanted: Sequence[str]) -> tuple[FoundTool, ...]:
    """Return the wanted tools that a server lists. Stops as soon as all are found."""
    found: dict[str, FoundTool] = {}
    cursor: str | None = None
    for _ in range(PAGES_MAX):
        page = await opened.list_tools(params=PaginatedRequestParams(cursor=cursor))
        for tool in page.tools:
            if tool.name in wanted and tool.name not in found:
                found[tool.name] = read_tool(tool)
        cursor = page.next_cursor
        if not cursor or len(found) == len(wanted):
            break
    return tuple(found[name] for name in wanted if name in found)


def read_tool(tool: Tool) -> FoundTool:
    """Return a listed tool as the mesh records it."""
    hints: dict[str, bool | None] = {}
    if tool.annotations is not None:
        hints["read_only"] = tool.annotations.read_only_hint
        hints["destructive"] = tool.annotations.destructive_hint
        hints["idempotent"] = tool.annotations.idempotent_hint
    found = found_tool(tool.name, tool.description or "", tool.input_schema, hints)
    problem = found.problem or problem_with_schema(tool.input_schema)
    return found.model_copy(update={"problem": problem}) if problem else found


async def discover(server: McpServer, headers: Mapping[str, str]) -> Catalog:
    """Return the declared tools that a server lists, or why it cannot be asked."""
    catalog: Catalog | None = None
    wanted = [tool.name for tool in server.declared]
    # Some servers list tools that ask something only for clients that can answer.
    questions = Questions(None) if any(tool.asks for tool in server.declared) else None
    try:
        with anyio.fail_after(CONNECT_TIMEOUT.total_seconds()):
            async with connected(server, headers, questions) as opened:
                catalog = Catalog(tools=await list_tools(opened, wanted))
    except Exception as error:  # noqa: BLE001  # Its message may have other people's words, so only its type is logged.
        # Transports raise groups of errors of every kind. Which one it was goes into the log.
        if catalog is None:
            logger.warning("MCP server %s did not list its tools: %s", server.name, kinds_of(error))
            return Catalog(problem=f"{server.name} {reason(error, CONNECT_TIMEOUT)}")
    assert catalog is not None
    return catalog


Check = Callable[[FoundTool | None], str]
"""Returns why a tool, as it is listed, may not be called."""


async def call_once(server: McpServer, attempt: Attempt, check: Check, parent: HandlerSpan | None = None) -> Outcome:
    """Make one attempt at a call over a connection of its own. `parent` is the span of the handler."""
    with mcp_call(parent, attempt.tool, "" if server.command else url_of(server)) as span:
        outcome, kind = await connect_and_call(server, attempt, check, span)
        if outcome.kind != "done":
            record_failure(span, kind)
    return outcome


async def connect_and_call(server: McpServer, attempt: Attempt, check: Check, span: Span) -> tuple[Outcome, str]:
    """Return how the attempt ended, and the kind of its failure."""
    outcome: Outcome | None = None
    sent = False
    kind = TOOL_ERROR
    headers = {**attempt.headers, KEY_HEADER: attempt.key}
    questions = Questions(attempt.answers)
    limit = CONNECT_TIMEOUT + server.timeout
    try:
        with anyio.fail_after(limit.total_seconds()):
            async with connected(server, headers, questions if attempt.asks else None) as opened:
                record_version(span, opened.protocol_version)
                listed = await list_tools(opened, [attempt.tool])
                if problem := check(listed[0] if listed else None):
                    outcome, kind = Outcome(kind="failed", text=problem, again=False), "refused"
                else:
                    sent = True
                    outcome = read_result(await send_call(opened, server, attempt), attempt, questions)
    except Exception as error:  # noqa: BLE001  # Its message may have other people's words, so only its type is logged.
        # An error after the answer only says that the connection did not end well.
        if outcome is None:
            kind = kinds_of(error)
            logger.warning("MCP call %s of %s failed: %s", attempt.tool, server.name, kind)
            outcome = failure(error, server, attempt, sent)
    assert outcome is not None
    return outcome, kind


async def send_call(opened: ClientSession, server: McpServer, attempt: Attempt) -> CallToolResult | None:
    """Send the call, and return the answer; None if the server needs answers that the customer has not given.

    The SDK's `call_tool` would raise for an answer that breaks its schema.
    """
    parameters = CallToolRequestParams(
        name=attempt.tool, arguments=dict(attempt.arguments), _meta={IDEMPOTENCY_META: attempt.key}
    )
    for _ in range(ROUNDS_MAX):
        answer = await opened.send_request(
            CallToolRequest(params=parameters),
            ANSWER,
            request_read_timeout_seconds=server.timeout.total_seconds(),
        )
        if isinstance(answer, CallToolResult):
            return answer
        replies = {name: await reply_to(opened, name, asked) for name, asked in (answer.input_requests or {}).items()}
        given = {name: reply for name, reply in replies.items() if isinstance(reply, ElicitResult)}
        if len(given) < len(replies) or any(reply.action != "accept" for reply in given.values()):
            return None
        parameters = parameters.model_copy(update={"input_responses": given, "request_state": answer.request_state})
    return None


async def reply_to(opened: ClientSession, name: str, asked: InputRequest) -> InputResponse | ErrorData:
    """Answer a question that a server asks by the answer to the call, as servers of 2026 do."""
    return await opened.dispatch_input_request(ClientRequestContext(session=opened, request_id=name), asked)


def read_result(result: CallToolResult | None, attempt: Attempt, questions: Questions) -> Outcome:
    if questions.asked or result is None:
        asked = "; ".join(questions.asked) or "something that this mesh does not support"
        text = without_secrets(cut(f"asks the customer {asked}"), attempt.secrets)
        return Outcome(kind="asked", text=text, again=False, others=True)
    text = without_secrets(result_text(result), attempt.secrets)
    return Outcome(kind="failed" if result.is_error else "done", text=text, again=False, others=True)


def failure(error: BaseException, server: McpServer, attempt: Attempt, sent: bool) -> Outcome:
    """Return how an attempt without a result ended."""
    for single in singles(error):
        if isinstance(single, MCPError) and sent and single.code == URL_ELICITATION_REQUIRED:
            return Outcome(kind="asked", text=f"asks the customer {links_of(single)}", again=False, others=True)
        if isinstance(single, Refused) and sent:
            return Outcome(kind="failed", text=f"Not done: {server.name} refused the credentials.", again=False)
        if isinstance(single, MCPError) and sent and single.code in NOT_DONE_CODES:
            words = without_secrets(cut(brief(single.message)), attempt.secrets)
            return Outcome(kind="failed", text=words, again=False, others=True)
    timed_out = any(is_timeout(single) for single in singles(error))
    why = f"{server.name} {reason(error, server.timeout)}"
    return Outcome(kind="lost" if sent else "unreached", text=why, again=not timed_out)


def links_of(error: MCPError) -> str:
    """Return the links that the customer has to open first, as servers of 2025 say it."""
    try:
        wanted = ElicitationRequiredErrorData.model_validate(error.error.data).elicitations
    except ValidationError:
        return "to open a link, which it does not say"
    return cut("; ".join(link_text(each) for each in wanted))


def singles(error: BaseException) -> list[BaseException]:
    """Return the errors in a group of errors, at any depth."""
    if isinstance(error, BaseExceptionGroup):
        return [single for each in error.exceptions for single in singles(each)]
    return [error]


def is_timeout(error: BaseException) -> bool:
    timed_out = isinstance(error, TimeoutError | httpx2.TimeoutException)
    return timed_out or (isinstance(error, MCPError) and error.code == REQUEST_TIMEOUT)


def reason(error: BaseException, limit: timedelta) -> str:
    """Return in words of our own what a server did wrong."""
    found = singles(error)
    if any(is_timeout(each) for each in found):
        return f"did not answer within {limit.total_seconds():g} s"
    if any(isinstance(each, TooLong) for each in found):
        return f"sent an answer of more than {ANSWER_MAX_BYTES} bytes, which was not read"
    if any(isinstance(each, Refused) for each in found):
        return "refused the credentials"
    if any(isinstance(each, httpx2.ConnectError | FileNotFoundError | PermissionError) for each in found):
        return "cannot be reached"
    codes = {each.code for each in found if isinstance(each, MCPError)}
    if CONNECTION_CLOSED in codes or any(isinstance(each, httpx2.TransportError | OSError) for each in found):
        return "ended the connection without an answer"
    # The SDK reports an answer that it cannot read as one of these errors.
    return "reported an error of its own" if codes - UNREADABLE_CODES else "sent an answer that cannot be read"


def kinds_of(error: BaseException) -> str:
    """Return the types of errors, for logs. Their messages may have other people's words."""
    return ", ".join(sorted({type(single).__name__ for single in singles(error)}))
