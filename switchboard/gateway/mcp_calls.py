"""Calls of the gateway's MCP tools. Each one calls a handler of the Session object, as a path of the HTTP API does."""

import hashlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

from fastapi import Request
from mcp.server import ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp.types import (
    INVALID_PARAMS,
    CallToolRequestParams,
    CallToolResult,
    ElicitRequest,
    ElicitRequestFormParams,
    ElicitResult,
    InputRequiredResult,
    TextContent,
)
from opentelemetry import trace
from opentelemetry.trace import Span, SpanKind, Status, StatusCode
from pydantic import BaseModel, TypeAdapter, ValidationError

from switchboard.events import SEQ_MAX, AgentStarted, Numbered, TakenOver, ToolStarted, read_event
from switchboard.gateway.api import CALLER, caller_in, effective_key, first_session, validated_text
from switchboard.gateway.contract import IdempotencyKey
from switchboard.gateway.event_streams import Answering, Deliver, customer_reader, never
from switchboard.gateway.feed import Audience, Feed
from switchboard.gateway.hub import Hub
from switchboard.gateway.identity import Caller
from switchboard.gateway.live_turn import kind_and_data
from switchboard.gateway.mcp_tools import INPUTS, Answer, Ask, Decide, InSession, Page
from switchboard.gateway.metrics import MCP_CALLS, MCP_DECISIONS
from switchboard.gateway.middleware import IDEMPOTENCY_KEY
from switchboard.gateway.places import Places
from switchboard.gateway.problems import Problem, details_of, faults_of
from switchboard.gateway.sessions import SessionClient
from switchboard.gateway.viewer import Position, Viewer
from switchboard.mcp_key import IDEMPOTENCY_META
from switchboard.messages import Confirmation, WireModel
from switchboard.session.contract import (
    CustomerRequest,
    HeldDecision,
    SendMessage,
    SendReply,
    SessionStatus,
    TranscriptRequest,
)
from switchboard.session_ids import make_session_id
from switchboard.telemetry.spans import tracer

PROBLEM_META = "switchboard-mesh/problem"
"""Entry of a result's `_meta` that holds why a call failed, with the fields of the HTTP API's errors."""

PREFIX = "mcp"
"""Begins the ids of sessions and the keys that follow from what a client sent."""

SEEN_NOTHING = 0
"""Last turn that the customer had seen, for the session. So a yes in the words of a message confirms no question: a
model may have written it."""

ANSWER_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "confirmed": {
            "type": "boolean",
            "title": "Yes, do this",
            "description": "Yes carries it out now. No drops it.",
        }
    },
    "required": ["confirmed"],
}
"""The form in which a client asks the customer."""

NO_SUCH_TOOL = "This server has no such tool. Its tools are: {tools}."
KEYS_DIFFER = "The header Idempotency-Key and {meta} in _meta have different keys. Send one of them."
KEY_INVALID = "The idempotency key must be 1 to 128 printable ASCII characters without spaces."
STATE_INVALID = "requestState is not one of this server's. Repeat the call without it."
NOT_DECIDED = (
    "The customer has closed the question without an answer. Nothing was done, and the question stays open. If the "
    "customer decides later, call confirm or decline with the same held_id."
)
CONFIRM_FIRST = (
    "Nothing of this is done yet. Show the customer these questions word for word, and wait for their answer. If they "
    'say yes, call confirm with session_id "{session_id}" and held_id "{held_id}". If they say no, call decline.'
)

# Customers' words are neither logged nor measured.
Outcome = Literal["answered", "question", "refused", "failed"]
Decision = Literal["confirm", "decline"]
Result = CallToolResult | InputRequiredResult
Context = ServerRequestContext[Any, Request]


class Asked(WireModel):
    """What a client sends back with the customer's answer. It proves nothing: `confirm` takes the same two ids."""

    session_id: str
    held_id: str


@dataclass(frozen=True)
class Call:
    """One call of a tool, with the HTTP request that brought it."""

    context: Context
    params: CallToolRequestParams

    @property
    def request(self) -> Request:
        assert self.context.request is not None  # Only HTTP brings calls.
        return self.context.request

    @property
    def sessions(self) -> SessionClient:
        client: SessionClient = self.request.app.state.session_client
        return client

    def in_session(self, session_id: str) -> Caller:
        """Return the caller. Raises Problem 403 for an id that the caller cannot use."""
        return caller_in(self.request, session_id)

    @property
    def elicits(self) -> bool:
        """Whether the client can ask the person itself, in a form, and sends the answer with a repeated call."""
        declared = self.context.session.client_capabilities
        elicitation = declared.elicitation if declared is not None else None
        return elicitation is not None and (elicitation.form is not None or elicitation.url is None)

    @property
    def wants_progress(self) -> bool:
        return dict(self.context.meta or {}).get("progress_token") is not None

    @property
    def asked(self) -> Asked | None:
        """The question that this call answers, if it repeats one that asked. Raises MCPError."""
        if self.params.request_state is None:
            return None
        try:
            asked = Asked.model_validate_json(self.params.request_state)
            Decide(session_id=asked.session_id, held_id=asked.held_id)
        except ValidationError as error:
            raise MCPError(INVALID_PARAMS, STATE_INVALID) from error
        return asked

    @property
    def decided(self) -> Decision | None:
        """What the person has decided; None if they have not."""
        asked = self.asked
        response = (self.params.input_responses or {}).get(asked.held_id) if asked is not None else None
        if not isinstance(response, ElicitResult) or response.action == "cancel":
            return None
        confirmed = response.action == "accept" and (response.content or {}).get("confirmed") is True
        return "confirm" if confirmed else "decline"

    @property
    def key(self) -> str | None:
        """The client's idempotency key. Raises Problem 400."""
        given = [self.request.headers.get("idempotency-key"), dict(self.context.meta or {}).get(IDEMPOTENCY_META)]
        keys = [each for each in given if each is not None]
        if len(keys) > 1 and keys[0] != keys[1]:
            raise Problem(400, "request_invalid", KEYS_DIFFER.format(meta=IDEMPOTENCY_META))
        try:
            return KEY.validate_python(keys[0]) if keys else None
        except ValidationError as error:
            raise Problem(400, "request_invalid", KEY_INVALID) from error

    async def deliver(
        self, caller: Caller, session_id: str, handler: str, payload: WireModel, key: str | None
    ) -> SendReply:
        """Submit a request that must act only once, and return its reply. Raises Problem."""
        places: Places = self.request.app.state.places
        key = effective_key(self.request, key)
        deliver = partial(self.sessions.deliver, caller, session_id, handler, payload, key, never)
        with places.open(caller), ExitStack() as opened:
            feed = self._watch(opened, caller, session_id) if self.wants_progress else None
            reply = await (deliver() if feed is None else self._deliver_and_report(opened, feed, deliver))
            return SendReply.model_validate_json(reply)

    def _watch(self, opened: ExitStack, caller: Caller, session_id: str) -> Feed | None:
        """Watch the session; None if this process has no room for another viewer, because progress is optional."""
        hub: Hub = self.request.app.state.hub
        try:
            read = customer_reader(self.sessions, session_id, caller)
            return opened.enter_context(hub.viewer(session_id, Audience(caller), read))
        except Problem:
            return None

    async def _deliver_and_report(self, opened: ExitStack, feed: Feed, deliver: Deliver) -> bytes:
        await feed.open_known()
        answering = Answering(feed, deliver, None, feed.turns_total)
        opened.callback(answering.cancel)
        await answering.begun()
        await self._report(Viewer(feed, Position(0, SEQ_MAX)).answer(answering.task, answering.running))
        return answering.task.result()

    async def _report(self, frames: AsyncIterator[bytes]) -> None:
        reported = 0
        async for frame in frames:
            if words := progress_words(frame):
                reported += 1
                await self.context.session.report_progress(reported, message=words)


KEY = TypeAdapter[str](IdempotencyKey)


def progress_words(frame: bytes) -> str:
    """Return what a client is told of an event: who works on it, and the tools' labels. Never what was said."""
    match read_event(*kind_and_data(frame)):
        case Numbered(event=AgentStarted(agent=agent)):
            return f"{agent} works on it."
        case Numbered(event=ToolStarted(label=label)):
            return label
        case Numbered(event=TakenOver()):
            return "A member of staff answers."
    return ""


async def call_tool(context: Context, params: CallToolRequestParams) -> Result:
    """Call a tool. What goes wrong is a result that says what to do, so that a model can read it."""
    if params.name not in INPUTS:
        raise MCPError(INVALID_PARAMS, NO_SUCH_TOOL.format(tools=", ".join(INPUTS)))
    call = Call(context, params)
    with tool_span(context, params.name):
        try:
            result = await CALLS[params.name](call, read_arguments(params))
            outcome: Outcome = "question" if isinstance(result, InputRequiredResult) else "answered"
        except Problem as problem:
            result, outcome = refusal(problem), "failed" if problem.status >= SERVER_ERROR else "refused"
            mark_refused(problem)
        MCP_CALLS.labels(params.name, outcome).inc()
        return result


SERVER_ERROR = 500


def read_arguments(params: CallToolRequestParams) -> Any:
    """Return the tool's input. Raises Problem 400, which names the faults but quotes no values."""
    try:
        return INPUTS[params.name].model_validate(params.arguments or {})
    except ValidationError as error:
        raise Problem(400, "request_invalid", faults_of(error.errors())) from error


async def ask(call: Call, given: Ask) -> Result:
    if (asked := call.asked) is not None:
        return await take_decision(call, asked)
    text, key = validated_text(given.text), call.key
    session_id = given.session_id or new_session(call.request, key)
    caller = call.in_session(session_id)
    payload = SendMessage(customer_id=caller.customer_id, signed_in=caller.signed_in, text=text, seen=SEEN_NOTHING)
    reply = await call.deliver(caller, session_id, "send", payload, key)
    return answer(call, session_id, reply)


async def confirm(call: Call, given: Decide) -> Result:
    if (asked := call.asked) is not None:
        return await take_decision(call, asked)
    caller = call.in_session(given.session_id)
    if call.elicits:
        question = (await read_status(call.sessions, caller, given.session_id)).confirmation
        # A question that is closed is not asked again: the session repeats the reply to a yes, or refuses.
        if question is not None and question.held_id == given.held_id:
            return ask_person(given.session_id, question)
    return await decide(call, given, "confirm", call.key)


async def decline(call: Call, given: Decide) -> Result:
    return await decide(call, given, "decline", call.key)


async def take_decision(call: Call, asked: Asked) -> Result:
    """Carry out what the person has decided. The message itself is not sent again."""
    decided = call.decided
    call.in_session(asked.session_id)
    if decided is None:
        raise Problem(409, "not_decided", NOT_DECIDED)
    return await decide(call, Decide(session_id=asked.session_id, held_id=asked.held_id), decided, None, "person")


async def decide(
    call: Call, given: Decide, decision: Decision, key: str | None, by: Literal["person", "client"] = "client"
) -> Result:
    """Say yes or no. A question is decided once, so its id makes the key if the client sends none."""
    caller = call.in_session(given.session_id)
    payload = HeldDecision(customer_id=caller.customer_id, signed_in=caller.signed_in, held_id=given.held_id)
    trace.get_current_span().set_attribute("switchboard.mcp.decided_by", by)
    MCP_DECISIONS.labels(decision, by).inc()
    key = key or f"{PREFIX}-{hashlib.sha256(f'{decision} {given.held_id}'.encode()).hexdigest()}"
    return answer(call, given.session_id, await call.deliver(caller, given.session_id, decision, payload, key))


async def status(call: Call, given: InSession) -> Result:
    found = await read_status(call.sessions, call.in_session(given.session_id), given.session_id)
    return complete(found)


async def read_status(sessions: SessionClient, caller: Caller, session_id: str) -> SessionStatus:
    payload = CustomerRequest(customer_id=caller.customer_id, signed_in=caller.signed_in)
    return SessionStatus.model_validate_json(await sessions.read(session_id, "status", payload))


async def transcript(call: Call, given: Page) -> Result:
    caller = call.in_session(given.session_id)
    payload = TranscriptRequest(
        customer_id=caller.customer_id, signed_in=caller.signed_in, after=given.after, limit=given.limit
    )
    found = await call.sessions.read(given.session_id, "transcript", payload)
    return CallToolResult(content=[TextContent(text=found.decode())], structured_content=json.loads(found))


CALLS: Mapping[str, Callable[[Call, Any], Awaitable[Result]]] = {
    "ask": ask,
    "confirm": confirm,
    "decline": decline,
    "status": status,
    "transcript": transcript,
}


def new_session(request: Request, key: str | None) -> str:
    """Return the id of a new session. With a key, it is the same one each time, so that a retry finds its message."""
    caller: Caller = request.scope[CALLER]
    if key is None:
        return make_session_id(caller.customer_id, request.app.state.speaker)
    return first_session(caller, PREFIX, key, request.app.state.speaker)


def answer(call: Call, session_id: str, reply: SendReply) -> Result:
    """Return a reply. If it asks, the client asks the person if it can; otherwise the result says what to do."""
    if reply.confirmation is not None and call.elicits:
        return ask_person(session_id, reply.confirmation)
    result = complete(Answer(session_id=session_id, **dict(reply)))
    result.meta = {IDEMPOTENCY_META: call.request.scope[IDEMPOTENCY_KEY]}
    if reply.confirmation is not None:
        held_id = reply.confirmation.held_id
        result.content.append(TextContent(text=CONFIRM_FIRST.format(session_id=session_id, held_id=held_id)))
    return result


def ask_person(session_id: str, question: Confirmation) -> InputRequiredResult:
    """Return the question for the person at the client, in the words of the tools and not of a model."""
    form = ElicitRequestFormParams(
        message="\n".join(call.question for call in question.calls), requested_schema=ANSWER_SCHEMA
    )
    return InputRequiredResult(
        input_requests={question.held_id: ElicitRequest(params=form)},
        request_state=Asked(session_id=session_id, held_id=question.held_id).model_dump_json(),
    )


def complete(found: BaseModel) -> CallToolResult:
    """Return a result, as data and as the same data in text, for clients that read only one of them."""
    text = found.model_dump_json()
    return CallToolResult(content=[TextContent(text=text)], structured_content=json.loads(text))


def refusal(problem: Problem) -> CallToolResult:
    """Return why a call failed: for a model what to do, and for programs the fields of an error of the HTTP API."""
    wait = problem.headers.get("retry-after")
    words = f"{problem.detail} Wait {wait} seconds before you retry." if wait else problem.detail
    fields = details_of(problem).model_dump() | ({"retry_after_s": int(wait)} if wait else {})
    return CallToolResult(content=[TextContent(text=words)], is_error=True, _meta={PROBLEM_META: fields})


def tool_span(context: Context, tool: str) -> AbstractContextManager[Span]:
    """Open the span of a call, by OpenTelemetry's conventions for MCP."""
    attributes = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": tool}
    return request_span(context, "tools/call", tool, attributes)


def request_span(
    context: Context, method: str, target: str = "", more: Mapping[str, str] | None = None
) -> AbstractContextManager[Span]:
    """Open the span of a request, by OpenTelemetry's conventions for MCP. A trace that the client names is ignored."""
    attributes = {
        "mcp.method.name": method,
        "mcp.protocol.version": context.protocol_version,
        **(more or {}),
    }
    return tracer.start_as_current_span(
        f"{method} {target}".rstrip(),
        kind=SpanKind.SERVER,
        attributes=attributes,
        record_exception=False,
        set_status_on_exception=False,
    )


def mark_refused(problem: Problem) -> None:
    span = trace.get_current_span()
    span.set_attribute("error.type", problem.code)
    if problem.status >= SERVER_ERROR:
        span.set_status(Status(StatusCode.ERROR))
