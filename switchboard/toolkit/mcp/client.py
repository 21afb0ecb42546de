"""Lists the tools of an MCP server, or makes one attempt at a call. Never raises for what a server does wrong."""

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import anyio
from mcp import MCPError
from mcp.client.auth import OAuthFlowError
from mcp.client.session import ClientRequestContext, ClientSession
from mcp.shared import _otel
from mcp_types import (
    HEADER_MISMATCH,
    INVALID_PARAMS,
    METHOD_NOT_FOUND,
    URL_ELICITATION_REQUIRED,
    CallToolRequest,
    CallToolRequestParams,
    CallToolResult,
    ElicitationRequiredErrorData,
    ElicitResult,
    ErrorData,
    InputRequest,
    InputRequiredResult,
    InputResponse,
    PaginatedRequestParams,
    TaskMetadata,
    Tool,
)
from opentelemetry.trace import NoOpTracer, Span
from pydantic import TypeAdapter, ValidationError

from switchboard.foreign_tools import Catalog, FoundTool, found_tool
from switchboard.mcp_key import IDEMPOTENCY_META
from switchboard.mcp_server import McpServer
from switchboard.telemetry.mcp_call import TOOL_ERROR, mcp_call, record_failure, record_version
from switchboard.telemetry.spans import HandlerSpan
from switchboard.toolkit.mcp.arguments import problem_with_schema
from switchboard.toolkit.mcp.connection import CONNECT_TIMEOUT, Connection, TaskCreated, connected, url_of
from switchboard.toolkit.mcp.elicitation import Questions, link_text
from switchboard.toolkit.mcp.failures import Refused, is_timeout, kinds_of, reason, singles
from switchboard.toolkit.mcp.outcomes import Attempt, Outcome, RunningTask
from switchboard.toolkit.mcp.results import brief, cut, result_text, without_secrets
from switchboard.toolkit.mcp.task_results import TaskCreatedIn2025

logger = logging.getLogger(__name__)

# The SDK logs what it cannot read, word for word, and writes a server's errors into spans of its own.
logging.getLogger("mcp.client").setLevel(logging.CRITICAL)
_otel._tracer = NoOpTracer()

PAGES_MAX = 20
"""Of a list of tools."""

TWICE = "it is listed twice"

NOT_DONE_CODES = frozenset({METHOD_NOT_FOUND, INVALID_PARAMS, HEADER_MISMATCH})
"""Errors by which a server says that it has not begun to carry a call out."""

ROUNDS_MAX = 3
"""Of questions that a server asks one after the other in one call."""

Answer = CallToolResult | InputRequiredResult | TaskCreated | TaskCreatedIn2025
ANSWER: TypeAdapter[CallToolResult | InputRequiredResult | TaskCreated] = TypeAdapter(
    CallToolResult | InputRequiredResult | TaskCreated
)
ANSWER_IN_2025: TypeAdapter[CallToolResult | TaskCreatedIn2025] = TypeAdapter(CallToolResult | TaskCreatedIn2025)


async def list_tools(opened: Connection, wanted: Sequence[str]) -> tuple[FoundTool, ...]:
    """Return the wanted tools that a server lists. Stops as soon as all are found."""
    found: dict[str, FoundTool] = {}
    cursor: str | None = None
    for _ in range(PAGES_MAX):
        page = await opened.session.list_tools(params=PaginatedRequestParams(cursor=cursor))
        for tool in page.tools:
            if tool.name in found:
                found[tool.name] = found[tool.name].model_copy(update={"problem": TWICE})
            elif tool.name in wanted:
                found[tool.name] = read_tool(without_secrets(tool, opened.secrets))
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
    as_task = (tool.execution.task_support if tool.execution else None) or "forbidden"
    return found.model_copy(update={"problem": problem, "as_task": as_task})


async def discover(server: McpServer, headers: Mapping[str, str], auth: Any = None) -> Catalog:
    """Return the declared tools that a server lists, or why it cannot be asked."""
    catalog: Catalog | None = None
    wanted = [tool.name for tool in server.declared]
    # Some servers list tools that ask something only for clients that can answer.
    questions = Questions(None) if any(tool.asks for tool in server.declared) else None
    try:
        with anyio.fail_after(CONNECT_TIMEOUT.total_seconds()):
            async with connected(server, headers, questions, auth) as opened:
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
        if outcome.kind not in ("done", "working"):
            record_failure(span, kind)
    return outcome


async def connect_and_call(server: McpServer, attempt: Attempt, check: Check, span: Span) -> tuple[Outcome, str]:
    """Return how the attempt ended, and the kind of its failure."""
    outcome: Outcome | None = None
    sent_over: Connection | None = None
    kind = TOOL_ERROR
    questions = Questions(attempt.answers)
    may_ask = questions if attempt.asks else None
    limit = CONNECT_TIMEOUT + server.timeout
    try:
        with anyio.fail_after(limit.total_seconds()):
            async with connected(server, attempt.headers, may_ask, attempt.auth, attempt.key) as opened:
                record_version(span, opened.session.protocol_version)
                listed = await list_tools(opened, [attempt.tool])
                if problem := check(listed[0] if listed else None):
                    outcome, kind = Outcome(kind="failed", text=problem, again=False), "refused"
                else:
                    sent_over = opened
                    answer = await send_call(opened, server, attempt, listed[0].as_task)
                    outcome = read_answer(answer, opened, questions)
    except Exception as error:  # noqa: BLE001  # Its message may have other people's words, so only its type is logged.
        # An error after the answer only says that the connection did not end well.
        if outcome is None:
            kind = kinds_of(error)
            logger.warning("MCP call %s of %s failed: %s", attempt.tool, server.name, kind)
            outcome = failure(error, server, sent_over)
    assert outcome is not None
    return outcome, kind


async def send_call(opened: Connection, server: McpServer, attempt: Attempt, as_task: str) -> Answer | None:
    """Send the call, and return the answer; None if the server needs answers that the customer has not given.

    The SDK's `call_tool` would raise for an answer that breaks its schema.
    """
    parameters = CallToolRequestParams(
        name=attempt.tool, arguments=dict(attempt.arguments), _meta={IDEMPOTENCY_META: attempt.key}
    )
    seconds = server.timeout.total_seconds()
    if as_task != "forbidden" and opens_tasks_in_2025(opened):
        return await send_in_2025(opened, server, parameters)
    for _ in range(ROUNDS_MAX):
        answer = await opened.session.send_request(
            CallToolRequest(params=parameters), ANSWER, request_read_timeout_seconds=seconds
        )
        if not isinstance(answer, InputRequiredResult):
            return answer
        wanted = answer.input_requests or {}
        replies = {name: await reply_to(opened.session, name, asked) for name, asked in wanted.items()}
        if not accepted(replies):
            return None
        parameters = parameters.model_copy(update={"input_responses": replies, "request_state": answer.request_state})
    return None


def opens_tasks_in_2025(opened: Connection) -> bool:
    """Return whether a server of 2025 with an address offers to carry calls out as tasks."""
    capabilities = opened.session.server_capabilities
    tasks = capabilities.tasks if capabilities and opened.http and not opened.modern else None
    return bool(tasks and tasks.requests and tasks.requests.tools and tasks.requests.tools.call)


async def send_in_2025(opened: Connection, server: McpServer, parameters: CallToolRequestParams) -> Answer:
    """Send a call that becomes a task, as servers of 2025 do it.

    The SDK has the types of these tasks, but its session refuses the answer; so this goes to what it sends with.
    """
    ttl = int(server.task_timeout.total_seconds() * 1000)
    given = parameters.model_copy(update={"task": TaskMetadata(ttl=ttl)})
    raw = await opened.session._dispatcher.send_raw_request(
        "tools/call",
        given.model_dump(by_alias=True, mode="json", exclude_none=True),
        {"timeout": server.timeout.total_seconds()},
    )
    return ANSWER_IN_2025.validate_python(raw, by_name=False)


async def reply_to(opened: ClientSession, name: str, asked: InputRequest) -> InputResponse | ErrorData:
    """Answer a question that a server asks by the answer to the call, as servers of 2026 do."""
    return await opened.dispatch_input_request(ClientRequestContext(session=opened, request_id=name), asked)


def accepted(replies: Mapping[str, InputResponse | ErrorData]) -> bool:
    """Return whether all that a server asked is answered by the customer."""
    return all(isinstance(reply, ElicitResult) and reply.action == "accept" for reply in replies.values())


def read_answer(answer: Answer | None, opened: Connection, questions: Questions) -> Outcome:
    """Return what an answer says. Its MCP session is kept if a task goes on in it."""
    if isinstance(answer, TaskCreated):
        return working(opened, answer.task_id, answer.poll_interval_ms)
    if isinstance(answer, TaskCreatedIn2025):
        return working(opened, answer.task.task_id, answer.task.poll_interval)
    return read_result(answer if isinstance(answer, CallToolResult) else None, questions, opened.secrets)


def working(opened: Connection, task_id: str, poll_interval_ms: float | None) -> Outcome:
    assert opened.http is not None
    opened.http.keeps_session = True
    task = RunningTask(
        task_id=task_id,
        version=opened.session.protocol_version or "",
        session=opened.http.session,
        poll_seconds=(poll_interval_ms or 0) / 1000,
    )
    return Outcome(kind="working", text="", task=task)


def read_result(result: CallToolResult | None, questions: Questions, secrets: Sequence[str]) -> Outcome:
    if questions.asked or result is None:
        return Outcome(kind="asked", text=asked_text(questions), again=False, others=True)
    text = result_text(without_secrets(result, secrets))
    return Outcome(kind="failed" if result.is_error else "done", text=text, again=False, others=True)


def asked_text(questions: Questions) -> str:
    asked = "; ".join(questions.asked) or "something that this mesh does not support"
    return cut(f"asks the customer {asked}")


def failure(error: BaseException, server: McpServer, sent_over: Connection | None) -> Outcome:
    """Return how an attempt without a result ended. `sent_over` is None if the call was certainly not sent."""
    sent, secrets = sent_over is not None, sent_over.secrets if sent_over else ()
    for single in singles(error):
        if isinstance(single, MCPError) and sent and single.code == URL_ELICITATION_REQUIRED:
            links = links_of(without_secrets(single.error, secrets))
            return Outcome(kind="asked", text=f"asks the customer {links}", again=False, others=True)
        if isinstance(single, Refused) and sent:
            return Outcome(kind="failed", text=f"Not done: {server.name} refused the credentials.", again=False)
        if isinstance(single, OAuthFlowError):
            # Tokens are asked for before a request, or after the server refused it.
            sent = False
        if isinstance(single, MCPError) and sent and single.code in NOT_DONE_CODES:
            words = brief(without_secrets(single.error, secrets).message)
            return Outcome(kind="failed", text=words, again=False, others=True)
    timed_out = any(is_timeout(single) for single in singles(error))
    why = f"{server.name} {reason(error, server.timeout)}"
    return Outcome(kind="lost" if sent else "unreached", text=why, again=not timed_out)


def links_of(error: ErrorData) -> str:
    """Return the links that the customer has to open first, as servers of 2025 say it."""
    try:
        wanted = ElicitationRequiredErrorData.model_validate(error.data).elicitations
    except ValidationError:
        return "to open a link, which it does not say"
    return cut("; ".join(link_text(each) for each in wanted))
