"""Spans of handlers and of model calls: one each, whatever is replayed, retried, suspended or killed."""

import asyncio
import hashlib
import re
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from typing import cast

import restate
from opentelemetry import context as otel
from opentelemetry import trace
from opentelemetry.trace import Link, NonRecordingSpan, Span, SpanContext, SpanKind, Status, StatusCode, TraceFlags
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from restate.exceptions import SdkInternalBaseException
from restate.extensions import current_context
from restate.server_context import DisconnectedException, ServerInvocationContext

TRACEPARENT = "traceparent"
SENT_AT = "x-switchboard-sent-at"
"""Header: when the caller made the call, in nanoseconds since 1970, as its own journal has it."""

CALL_ID = "x-switchboard-call-id"
"""Header: the id of the model's call that this invocation carries out."""

FROM_INGRESS = "x-restate-ingress-path"

NANOSECONDS = re.compile("[1-9][0-9]{18}")
"""A time in this century and the next two; nothing else is one."""

RECORDS_MAX = 50_000
"""Spans that a process remembers to have begun or sent. Older ones are over."""

CONVERSATION = "gen_ai.conversation.id"
"""Attribute: the session."""

CANCELLATION_MESSAGE = "cancelled"
"""The message of the error by which Restate ends what waits in a cancelled invocation."""

Attributes = dict[str, str | int | float | bool | list[str]]

tracer = trace.get_tracer("switchboard")

_W3C = TraceContextTextMapPropagator()
_current: ContextVar["HandlerSpan | None"] = ContextVar("switchboard_span", default=None)

forced_ids: ContextVar[tuple[int, int | None] | None] = ContextVar("forced_ids", default=None)
"""The span id, and for a root the trace id, of the one span that is being made; the id generator reads them."""


@dataclass
class SpanRecord:
    """What this process knows of a span: when it was first begun, and whether it has been sent."""

    started_ns: int
    sent: bool = False


_records: OrderedDict[int, SpanRecord] = OrderedDict()


@dataclass
class HandlerSpan:
    """The span of one invocation. Its ids follow from the invocation's, so they are the same in every attempt; it is
    sent once, by the attempt that comes to the handler's end."""

    name: str
    invocation_id: str
    service: str
    handler: str
    headers: Mapping[str, str]
    parent: SpanContext | None
    given: SpanContext | None
    attempt: SpanContext | None
    kind: SpanKind = SpanKind.INTERNAL
    attributes: Attributes = field(default_factory=dict)
    links: list[Link] = field(default_factory=list)
    ends: list[Callable[["HandlerSpan"], None]] = field(default_factory=list)
    error: BaseException | None = None
    restored: bool = False

    @property
    def span_id(self) -> int:
        return _id_of(f"{self.invocation_id}/{self.handler}", 8)

    @property
    def context(self) -> SpanContext:
        """What is below this span has it as its parent."""
        if self.parent is not None:
            return self.as_parent(self.parent)
        return SpanContext(_id_of(self.invocation_id, 16), self.span_id, is_remote=False, trace_flags=TraceFlags(1))

    def as_parent(self, above: SpanContext) -> SpanContext:
        """This span, in the trace of the one above it."""
        flags = TraceFlags(int(above.trace_flags) & 1)
        return SpanContext(above.trace_id, self.span_id, is_remote=False, trace_flags=flags)

    @property
    def trace_id(self) -> str:
        return f"{self.context.trace_id:032x}"

    @property
    def traceparent(self) -> str:
        return traceparent(self.context)

    @property
    def started_ns(self) -> int:
        """Nanoseconds since 1970: what the caller's journal says, else when this process first saw the invocation."""
        sent_at = self.headers.get(SENT_AT, "")
        return int(sent_at) if NANOSECONDS.fullmatch(sent_at) else self.record.started_ns

    @property
    def record(self) -> SpanRecord:
        return _records.setdefault(self.span_id, SpanRecord(time.time_ns()))

    def restore(self, parent: str, started_at: datetime) -> None:
        """Take over from the journal where in the trace this is: attempts differ in what they are told."""
        self.parent = parse(parent)
        self.headers = {**self.headers, SENT_AT: str(round(started_at.timestamp() * 1e9))}
        self.restored = True

    def send(self, error: BaseException | None) -> None:
        """The handler is over, and this is no replay of its end."""
        record = self.record
        if record.sent or _replaying():
            return
        record.sent = True
        self.error = error
        for end in self.ends:
            end(self)
        links = [*self.links]
        if self.attempt is not None and self.attempt != self.parent:
            links.append(Link(self.attempt))
        token = forced_ids.set((self.span_id, None if self.parent else self.context.trace_id))
        try:
            span = tracer.start_span(
                self.name,
                context=_parent_context(self.parent),
                kind=self.kind,
                attributes=self.attributes,
                links=links,
                start_time=self.started_ns,
            )
        finally:
            forced_ids.reset(token)
        if error is not None:
            fail(span, error)
        span.end()

    def send_failed_attempt(self, error: Exception, started_ns: int) -> None:
        """An attempt that Restate will repeat: a span of its own, below the handler's."""
        name = f"{self.name} (failed attempt)"
        span = tracer.start_span(
            name,
            context=_parent_context(self.context),
            kind=self.kind,
            attributes=self.attributes,
            start_time=started_ns,
        )
        fail(span, error)
        span.end()


def traced(operation: str = "") -> Callable[[], AbstractAsyncContextManager[None]]:
    """A context manager for the handlers of a service, by which each invocation has one span.

    `operation` is the GenAI operation of the service, such as `invoke_agent`. Without one, an invocation that carries
    out a model's call is an `execute_tool`, and any other is named by its service and handler.
    """

    @asynccontextmanager
    async def handler_span() -> AsyncIterator[None]:
        ctx = current_context()
        if ctx is None:  # Outside of an invocation there is nothing to trace.
            yield
            return
        span = _span_of(cast(ServerInvocationContext, ctx), operation)
        record, started_ns = span.record, time.time_ns()
        record.started_ns = min(record.started_ns, started_ns)
        token = _current.set(span)
        try:
            yield
        except (SdkInternalBaseException, asyncio.CancelledError, DisconnectedException):
            raise  # Suspended or cut off: the invocation is not over.
        except restate.TerminalError as error:
            span.send(error)
            raise
        except Exception as error:
            span.send_failed_attempt(error, started_ns)
            raise
        else:
            span.send(None)
        finally:
            _current.reset(token)

    return handler_span


def current() -> HandlerSpan | None:
    """The span of the invocation that this code runs for; None outside of one."""
    return _current.get()


def describe(attributes: Attributes) -> None:
    """Add attributes to the invocation's span."""
    span = _current.get()
    if span is not None:
        span.attributes |= attributes


def link(parent: str) -> None:
    """Link the invocation's span to another trace, by W3C's traceparent; nothing when it is none."""
    span, linked = _current.get(), parse(parent)
    if span is not None and linked is not None:
        span.links.append(Link(linked))


def on_end(end: Callable[[HandlerSpan], None]) -> None:
    """Do something when the invocation is over, once, whatever is replayed: the place to count."""
    span = _current.get()
    if span is not None:
        span.ends.append(end)


def propagation_headers(call_id: str = "", sent_ns: int = 0) -> dict[str, str]:
    """The headers of a durable call, by which the callee's span hangs below ours.

    The same bytes at every attempt, or Restate would find that the call is not the one in the journal: only what the
    caller or the journal said goes into them, never what belongs to this attempt.
    """
    span = _current.get()
    if span is None:
        return {}
    headers = {CALL_ID: call_id} if call_id else {}
    if sent_ns:
        headers[SENT_AT] = str(sent_ns)
    known = span.context if span.restored else span.given
    if known is not None:
        headers[TRACEPARENT] = traceparent(span.as_parent(known))
    return headers


def parent_traceparent() -> str:
    """Where in its trace this invocation is, for the journal: as W3C's traceparent; empty when nobody traces it."""
    span = _current.get()
    return traceparent(span.parent) if span and span.parent else ""


@contextmanager
def child_span(parent: HandlerSpan | None, name: str, kind: SpanKind, attributes: Attributes) -> Iterator[Span]:
    """A span for what is done once and journaled: made inside of `ctx.run`, so that a replay makes none.

    `parent` is given, as the closure may run in another task than the one that made it.
    """
    if parent is not None:
        attributes = {"restate.invocation.id": parent.invocation_id, **attributes}
    span = tracer.start_span(
        name, context=_parent_context(parent.context if parent else None), kind=kind, attributes=attributes
    )
    try:
        yield span
    except BaseException as error:
        fail(span, error)
        raise
    finally:
        span.end()


def fail(span: Span, error: BaseException) -> None:
    """Mark a span as failed. The error's message stays out of it: it may hold what a customer wrote."""
    span.set_attribute("error.type", error_type(error))
    if isinstance(error, restate.TerminalError):
        rule = (error.metadata or {}).get("rule")
        if rule:
            span.set_attribute("switchboard.policy.rule", rule)
    span.set_status(Status(StatusCode.ERROR))


def error_type(error: BaseException) -> str:
    """Of low cardinality: `cancelled`, the status of a refusal such as `409`, else the exception's class."""
    if isinstance(error, restate.TerminalError):
        return CANCELLATION_MESSAGE if error.message == CANCELLATION_MESSAGE else str(error.status_code)
    return type(error).__qualname__


def parse(header: str) -> SpanContext | None:
    """W3C's traceparent; None when it is not one."""
    context = trace.get_current_span(_W3C.extract({TRACEPARENT: header}, otel.Context())).get_span_context()
    return context if context.is_valid else None


def traceparent(context: SpanContext) -> str:
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{int(context.trace_flags) & 1:02x}"


def _span_of(ctx: ServerInvocationContext, operation: str) -> HandlerSpan:
    request, service, handler = ctx.request(), ctx.handler.service_tag.name, ctx.handler.name
    from_ingress = FROM_INGRESS in request.headers
    # What only the mesh says to itself is not taken from whoever can reach the ingress.
    ours = () if from_ingress else (SENT_AT, CALL_ID)
    headers = {name: request.headers[name] for name in (TRACEPARENT, *ours) if name in request.headers}
    given, attempt = (parse(told.get(TRACEPARENT, "")) for told in (headers, request.attempt_headers))
    call_id = headers.get(CALL_ID, "")
    attributes: Attributes = {
        "restate.invocation.id": request.id,
        "rpc.system": "restate",
        "rpc.service": service,
        "rpc.method": handler,
    }
    name = f"{service}/{handler}"
    if operation:
        name = f"{operation} {service}"
        attributes |= {"gen_ai.operation.name": operation, "gen_ai.agent.name": service}
    elif call_id:
        name = f"execute_tool {handler}"
        attributes |= {
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": handler,
            "gen_ai.tool.type": "function",
            "gen_ai.tool.call.id": call_id,
        }
    span = HandlerSpan(
        name=name,
        invocation_id=request.id,
        service=service,
        handler=handler,
        headers=headers,
        # What came through the ingress belongs below Restate's own span of it; a call of ours, below the caller's.
        parent=(attempt or given) if from_ingress else (given or attempt),
        given=given,
        attempt=attempt,
        attributes=attributes,
    )
    if len(_records) > RECORDS_MAX:
        _records.popitem(last=False)
    return span


def _replaying() -> bool:
    ctx = cast(ServerInvocationContext | None, current_context())
    return ctx is not None and bool(ctx.vm.is_replaying())


def _parent_context(parent: SpanContext | None) -> otel.Context:
    return trace.set_span_in_context(NonRecordingSpan(parent), otel.Context()) if parent else otel.Context()


def _id_of(text: str, size_bytes: int) -> int:
    """Never 0, which is no id."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:size_bytes], "big") or 1
