"""Spans of handlers and model calls: exactly one each, despite replays, retries, suspensions and crashes."""

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
from functools import cached_property, lru_cache
from typing import cast

import restate
from opentelemetry import context as otel
from opentelemetry import trace
from opentelemetry.trace import Link, NonRecordingSpan, Span, SpanContext, SpanKind, Status, StatusCode, TraceFlags
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from restate.exceptions import SdkInternalBaseException
from restate.extensions import current_context
from restate.server_context import DisconnectedException, ServerInvocationContext

from switchboard.session_ids import public_part

TRACEPARENT = "traceparent"
SENT_AT = "x-switchboard-sent-at"
"""Header: when the caller made the call, in nanoseconds since the epoch, from the caller's journal."""

CALL_ID = "x-switchboard-call-id"
"""Header: the id of the model's tool call that this invocation carries out."""

FROM_INGRESS = "x-restate-ingress-path"

NANOSECONDS = re.compile("[1-9][0-9]{18}")
"""Matches a time between 2001 and 2286."""

PARSED_MAX = 1_024
"""Headers that a process remembers with what they say. All calls of a turn have the same one."""

RECORDS_MAX = 50_000
"""Spans that a process remembers as started or sent. Older ones have ended."""

CONVERSATION = "gen_ai.conversation.id"
"""Attribute: the session's id, without its secret. See `conversation`."""

STAFFED = "switchboard.staffed"
"""Attribute: true for a message that is recorded for a staff member, and for one that a take-over has stopped."""

CANCELLATION_MESSAGE = "cancelled"
"""Message of the error that Restate raises at an await in a cancelled invocation."""

Attributes = dict[str, str | int | float | bool | list[str]]

tracer = trace.get_tracer("switchboard")

_W3C = TraceContextTextMapPropagator()
_current: ContextVar["HandlerSpan | None"] = ContextVar("switchboard_span", default=None)

forced_ids: ContextVar[tuple[int, int | None] | None] = ContextVar("forced_ids", default=None)
"""Span id, and for a root also the trace id, of the span that is being created. Read by the id generator."""


@dataclass
class SpanRecord:
    """This process's record of a span: when it first started here, and whether it was sent."""

    started_ns: int
    sent: bool = False


_records: OrderedDict[int, SpanRecord] = OrderedDict()


@dataclass
class HandlerSpan:
    """The span of one invocation. Its ids are derived from the invocation's id, so every attempt has the same ones. The
    attempt that reaches the end of the handler sends it once."""

    name: str
    invocation_id: str
    service: str
    handler: str
    headers: Mapping[str, str]
    parent: SpanContext | None
    header_parent: SpanContext | None
    attempt_parent: SpanContext | None
    kind: SpanKind = SpanKind.INTERNAL
    attributes: Attributes = field(default_factory=dict)
    links: list[Link] = field(default_factory=list)
    end_callbacks: list[Callable[["HandlerSpan"], None]] = field(default_factory=list)
    error: BaseException | None = None
    restored: bool = False

    @cached_property
    def span_id(self) -> int:
        return _id_of(f"{self.invocation_id}/{self.handler}", 8)

    @property
    def context(self) -> SpanContext:
        """This span as the parent of others."""
        if self.parent is not None:
            return self.as_parent(self.parent)
        return SpanContext(_id_of(self.invocation_id, 16), self.span_id, is_remote=False, trace_flags=TraceFlags(1))

    def as_parent(self, parent: SpanContext) -> SpanContext:
        """Return this span in the trace of its parent."""
        flags = TraceFlags(int(parent.trace_flags) & 1)
        return SpanContext(parent.trace_id, self.span_id, is_remote=False, trace_flags=flags)

    @property
    def trace_id(self) -> str:
        return f"{self.context.trace_id:032x}"

    @property
    def traceparent(self) -> str:
        return traceparent(self.context)

    @property
    def started_ns(self) -> int:
        """Nanoseconds since the epoch: from the caller's journal, or when this process first saw the invocation."""
        sent_at = self.headers.get(SENT_AT, "")
        return int(sent_at) if NANOSECONDS.fullmatch(sent_at) else self.record.started_ns

    @property
    def record(self) -> SpanRecord:
        found = _records.get(self.span_id)
        if found is None:
            found = _records[self.span_id] = SpanRecord(time.time_ns())
        return found

    def restore(self, parent: str, started_at: datetime) -> None:
        """Take the parent and the start from the journal, because the headers differ between attempts."""
        self.parent = parse(parent)
        self.headers = {**self.headers, SENT_AT: str(round(started_at.timestamp() * 1e9))}
        self.restored = True

    def send(self, error: BaseException | None) -> None:
        """Send the span when the handler ends, but not when a replay reaches its end again."""
        record = self.record
        if record.sent or _replaying():
            return
        record.sent = True
        self.error = error
        for callback in self.end_callbacks:
            callback(self)
        if spans_are_kept():
            self._send(error)

    def _send(self, error: BaseException | None) -> None:
        links = [*self.links]
        if self.attempt_parent is not None and self.attempt_parent != self.parent:
            links.append(Link(self.attempt_parent))
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
        """Send a child span for an attempt that Restate will retry."""
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
    """Return a context manager for the handlers of a service that gives each invocation one span.

    `operation` is the GenAI operation of the service, such as `invoke_agent`. Without one, an invocation that carries
    out a model's tool call becomes `execute_tool`, and any other is named after its service and handler.
    """

    @asynccontextmanager
    async def handler_span() -> AsyncIterator[None]:
        ctx = current_context()
        if ctx is None:  # Nothing to trace outside of an invocation.
            yield
            return
        span = _span_of(cast(ServerInvocationContext, ctx), operation)
        record, started_ns = span.record, time.time_ns()
        record.started_ns = min(record.started_ns, started_ns)
        token = _current.set(span)
        try:
            yield
        except (SdkInternalBaseException, asyncio.CancelledError, DisconnectedException):
            raise  # Suspended or disconnected: the invocation has not ended.
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
    """Return the span of the current invocation; None outside of one."""
    return _current.get()


def describe(attributes: Attributes) -> None:
    """Add attributes to the current invocation's span."""
    span = _current.get()
    if span is not None:
        span.attributes |= attributes


def conversation(session_id: str) -> Attributes:
    """Return the attribute that names a session."""
    return {CONVERSATION: public_part(session_id)}


def link(parent: str) -> None:
    """Link the current invocation's span to another trace, by its W3C traceparent. An invalid one is ignored."""
    span, linked = _current.get(), parse(parent)
    if span is not None and linked is not None:
        span.links.append(Link(linked))


def on_end(callback: Callable[[HandlerSpan], None]) -> None:
    """Call `callback` once when the invocation ends, also if it is replayed. Use it to count."""
    span = _current.get()
    if span is not None:
        span.end_callbacks.append(callback)


def propagation_headers(call_id: str = "", sent_ns: int = 0) -> dict[str, str]:
    """Return the headers of a durable call that make the current span the parent of the callee's span.

    They must be identical in every attempt, or Restate reports that the call differs from the journal. So they contain
    only values from the caller or the journal, never values of this attempt.
    """
    span = _current.get()
    if span is None:
        return {}
    headers = {CALL_ID: call_id} if call_id else {}
    if sent_ns:
        headers[SENT_AT] = str(sent_ns)
    known = span.context if span.restored else span.header_parent
    if known is not None:
        headers[TRACEPARENT] = traceparent(span.as_parent(known))
    return headers


def parent_traceparent() -> str:
    """Return the parent of the current span as a W3C traceparent, for the journal; empty without tracing."""
    span = _current.get()
    return traceparent(span.parent) if span and span.parent else ""


@contextmanager
def child_span(parent: HandlerSpan | None, name: str, kind: SpanKind, attributes: Attributes) -> Iterator[Span]:
    """Open a span for a journaled step. Use it inside `ctx.run`, so that a replay creates no span.

    `parent` is an argument because the closure may run in another task than the one that created it.
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
    """Mark a span as failed. The error's message is left out, because it may contain a customer's text."""
    span.set_attribute("error.type", error_type(error))
    if isinstance(error, restate.TerminalError):
        rule = (error.metadata or {}).get("rule")
        if rule:
            span.set_attribute("switchboard.policy.rule", rule)
    span.set_status(Status(StatusCode.ERROR))


def error_type(error: BaseException) -> str:
    """Return a value of low cardinality: `cancelled`, a refusal's status such as `409`, or the exception's class."""
    if isinstance(error, restate.TerminalError):
        return CANCELLATION_MESSAGE if error.message == CANCELLATION_MESSAGE else str(error.status_code)
    return type(error).__qualname__


def spans_are_kept() -> bool:
    """Return whether this process has a tracer that does something with spans: without a collector, it has none."""
    return not isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider)


@lru_cache(maxsize=PARSED_MAX)
def parse(header: str) -> SpanContext | None:
    """Parse a W3C traceparent; return None if it is invalid."""
    context = trace.get_current_span(_W3C.extract({TRACEPARENT: header}, otel.Context())).get_span_context()
    return context if context.is_valid else None


def traceparent(context: SpanContext) -> str:
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{int(context.trace_flags) & 1:02x}"


def _span_of(ctx: ServerInvocationContext, operation: str) -> HandlerSpan:
    request, service, handler = ctx.request(), ctx.handler.service_tag.name, ctx.handler.name
    from_ingress = FROM_INGRESS in request.headers
    # Do not trust internal headers from clients of the ingress.
    internal = () if from_ingress else (SENT_AT, CALL_ID)
    headers = {name: request.headers[name] for name in (TRACEPARENT, *internal) if name in request.headers}
    header_parent, attempt_parent = (parse(found.get(TRACEPARENT, "")) for found in (headers, request.attempt_headers))
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
        # A request from the ingress becomes a child of Restate's span; a call from our code, of the caller's span.
        parent=(attempt_parent or header_parent) if from_ingress else (header_parent or attempt_parent),
        header_parent=header_parent,
        attempt_parent=attempt_parent,
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
    """Derive an id from a text; never 0, which is not a valid id."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:size_bytes], "big") or 1
