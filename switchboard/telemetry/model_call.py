"""Telemetry of a model call: span, duration and tokens."""

import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Protocol

import orjson
from opentelemetry import trace
from opentelemetry.trace import Span, SpanKind

from switchboard.messages import Message, ModelReply
from switchboard.telemetry import metrics, spans
from switchboard.telemetry.logs import content_shown

MESSAGES_SHOWN = 20

_current: ContextVar["ModelCall | None"] = ContextVar("model_call", default=None)


@dataclass
class ModelCall:
    """One model call. Exactly one of `record_reply` and `record_failure` is called, unless the call is cut off."""

    span: Span
    model: str
    agent: str
    outcome: str = "cut_off"
    error_type: str = "cut_off"
    started: float = field(default_factory=time.perf_counter)
    """Monotonic clock, in seconds."""

    waiting: bool = False
    """True until our own queue has sent the request. A call that is cut off by then costs nothing."""

    def record_request(self, messages: Sequence[Message]) -> None:
        """Record the newest messages if content may be shown. Earlier spans have the older ones."""
        if content_shown():
            newest = [visible(message).model_dump(mode="json") for message in messages[-MESSAGES_SHOWN:]]
            self.span.set_attribute("gen_ai.input.messages", orjson.dumps(newest).decode())

    def record_reply(self, reply: ModelReply) -> None:
        self.outcome, self.error_type = "ok", ""
        usage = reply.usage
        metrics.TOKENS.labels(self.model, self.agent, "input").inc(usage.input_tokens)
        metrics.TOKENS.labels(self.model, self.agent, "output").inc(usage.output_tokens)
        if usage.cached_tokens:
            metrics.TOKENS.labels(self.model, self.agent, "cached").inc(usage.cached_tokens)
        self.span.set_attributes(
            {
                "gen_ai.usage.input_tokens": usage.input_tokens,
                "gen_ai.usage.output_tokens": usage.output_tokens,
                "gen_ai.response.finish_reasons": ["tool_calls" if reply.calls else "stop"],
            }
        )
        if content_shown():
            self.span.set_attribute("gen_ai.output.messages", reply.without_parts().model_dump_json())

    def record_failure(self, error: Exception, outcome: str, kind: str) -> None:
        """Record a failed call. `outcome` is `unavailable` or `rejected`; `kind` is the error type."""
        self.outcome, self.error_type = outcome, kind
        spans.fail(self.span, error)
        self.span.set_attribute("error.type", kind)


def visible(message: Message) -> Message:
    """Return the message without what only its model can read."""
    return message.without_parts() if isinstance(message, ModelReply) else message


def model_call_waits() -> None:
    """Record that the request waits in our own queue."""
    call = _current.get()
    if call is not None:
        call.waiting = True


def model_call_sent() -> None:
    """Record the time in our own queue, and measure the duration of the model call from now on."""
    call = _current.get()
    if call is not None:
        call.waiting = False
        now = time.perf_counter()
        call.span.set_attribute("switchboard.models.responses.queued_seconds", round(now - call.started, 3))
        call.started = now


def use_span(span: Span) -> AbstractContextManager[Span]:
    """Make the span current without recording exceptions: `spans.child_span` records their type, not their message."""
    return trace.use_span(span, record_exception=False, set_status_on_exception=False)


API_TYPES = {"responses": "responses", "chat": "chat_completions"}
"""OpenTelemetry's names of OpenAI's wire APIs."""


class CalledModel(Protocol):
    """The parts of a model that a span names. `provider` and `api` may be missing."""

    name: str


@contextmanager
def model_call(parent: spans.HandlerSpan | None, model: CalledModel, agent: str, attempt: int) -> Iterator[ModelCall]:
    """Trace and count one model call. Use it inside `ctx.run`, so that a replay is neither traced nor counted.

    `attempt` counts from 0.
    """
    attributes: spans.Attributes = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": getattr(model, "provider", "openai"),
        "gen_ai.request.model": model.name,
        "gen_ai.agent.name": agent,
        "switchboard.attempt": attempt + 1,
    }
    api = API_TYPES.get(getattr(model, "api", "responses"))
    if api is not None:
        attributes["openai.api.type"] = api
    session = parent.attributes.get(spans.CONVERSATION) if parent else None
    if session:
        attributes[spans.CONVERSATION] = session
    with spans.child_span(parent, f"chat {model.name}", SpanKind.CLIENT, attributes) as span, use_span(span):
        call = ModelCall(span, model.name, agent)
        token = _current.set(call)
        try:
            yield call
        finally:
            _current.reset(token)
            metrics.MODEL_ATTEMPTS.labels(model.name, agent, call.outcome).inc()
            metrics.MODEL_DURATION.labels(model.name, agent, call.error_type).observe(
                time.perf_counter() - call.started
            )
