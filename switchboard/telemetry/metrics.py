"""Every metric of the loop, and where each is counted: once, whatever is replayed (docs/reference/metrics.md)."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import restate
from prometheus_client import Counter, Gauge, Histogram, disable_created_metrics

from switchboard.messages import HandOff, Interrupted, ModelReply, Question, Reply, TurnOutcome
from switchboard.telemetry import spans
from switchboard.telemetry.logs import content_shown

# As the GenAI semantic conventions advise.
MODEL_SECONDS = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
TURN_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)
TOOL_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60)

SERVER_ERROR = 500

# When a series began is a series of its own for each, and nobody asks for it.
disable_created_metrics()  # type: ignore[no-untyped-call]  # it is not annotated

TURNS = Counter("switchboard_turns", "Turns of agents, by how they ended.", ["agent", "outcome"])
TURN_DURATION = Histogram(
    "switchboard_turn_duration_seconds", "From the call of an agent to its outcome.", ["agent"], buckets=TURN_SECONDS
)
STEPS = Counter("switchboard_steps", "Steps of turns: answers of a model that were acted on.", ["agent"])
MODEL_DURATION = Histogram(
    "gen_ai_client_operation_duration_seconds",
    "Calls of a model, failed ones as well; error_type is empty for a good one.",
    ["gen_ai_request_model", "agent", "error_type"],
    buckets=MODEL_SECONDS,
)
TOKENS = Counter(
    "gen_ai_client_token_usage",
    "Tokens as the endpoint counts them.",
    ["gen_ai_request_model", "agent", "gen_ai_token_type"],
)
MODEL_ATTEMPTS = Counter(
    "switchboard_model_attempts", "Calls of a model, by what came of them.", ["model", "agent", "outcome"]
)
MODEL_FALLBACKS = Counter("switchboard_model_fallbacks", "Turns to the next model.", ["from_model", "to_model"])
MODEL_QUEUE = Gauge("switchboard_model_queue", "Calls of a model that wait for their turn in this process.")
MODEL_CALLS = Gauge("switchboard_model_calls", "Calls of a model that are under way in this process.")
TOOL_CALLS = Counter(
    "switchboard_tool_calls", "Calls that a model asked for, by how they ended.", ["service", "tool", "outcome"]
)
TOOL_DURATION = Histogram(
    "switchboard_tool_duration_seconds", "From a tool's call to its answer.", ["service", "tool"], buckets=TOOL_SECONDS
)


def count_turn(agent: str, outcome: TurnOutcome) -> None:
    """Count a turn when its end is no replay."""

    def count(span: spans.HandlerSpan) -> None:
        TURNS.labels(agent, turn_outcome(outcome)).inc()
        TURN_DURATION.labels(agent).observe(elapsed_seconds(span))
        STEPS.labels(agent).inc(
            sum(isinstance(message, ModelReply) and bool(message.model) for message in outcome.added)
        )

    spans.on_end(count)


def count_tool_call(span: spans.HandlerSpan, arguments: bytes) -> None:
    """A call that a model asked for: it is counted when it is over."""
    if content_shown():
        span.attributes["gen_ai.tool.call.arguments"] = arguments.decode(errors="replace")
    spans.on_end(_count_tool_call)


def _count_tool_call(span: spans.HandlerSpan) -> None:
    """Count a call that a model asked for."""
    TOOL_CALLS.labels(span.service, span.handler, tool_outcome(span.error)).inc()
    TOOL_DURATION.labels(span.service, span.handler).observe(elapsed_seconds(span))


def turn_outcome(outcome: TurnOutcome) -> str:
    match outcome.next:
        case Reply(failed=failed):
            return "apology" if failed else "reply"
        case HandOff():
            return "hand_off"
        case Question():
            return "question"
        case Interrupted():
            return "interrupted"


def tool_outcome(error: BaseException | None) -> str:
    """`refused` is a tool's own no, with a 4xx; `failed` is all else that is not `ok`."""
    if error is None:
        return "ok"
    if isinstance(error, restate.TerminalError) and spans.error_type(error) == spans.CANCELLATION_MESSAGE:
        return "cancelled"
    return "refused" if isinstance(error, restate.TerminalError) and error.status_code < SERVER_ERROR else "failed"


def elapsed_seconds(span: spans.HandlerSpan) -> float:
    return max(time.time_ns() - span.started_ns, 0) / 1e9


@contextmanager
def in_flight(gauge: Gauge) -> Iterator[None]:
    gauge.inc()
    try:
        yield
    finally:
        gauge.dec()
