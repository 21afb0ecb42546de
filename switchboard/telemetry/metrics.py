"""Metrics of the agent loop. Replays count nothing twice (docs/reference/metrics.md)."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import restate
from prometheus_client import Counter, Gauge, Histogram, disable_created_metrics

from switchboard.messages import HandOff, Interrupted, ModelReply, Question, Reply, TurnOutcome
from switchboard.telemetry import spans
from switchboard.telemetry.logs import content_shown

# Buckets that the GenAI semantic conventions recommend.
MODEL_SECONDS = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
TURN_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)
TOOL_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60)

SERVER_ERROR = 500

# Do not export a `_created` series per metric; we do not use them.
disable_created_metrics()  # type: ignore[no-untyped-call]  # not annotated

TURNS = Counter("switchboard_turns", "Agents' turns, by outcome.", ["agent", "outcome"])
TURN_DURATION = Histogram(
    "switchboard_turn_duration_seconds",
    "Time from the call of an agent to its outcome.",
    ["agent"],
    buckets=TURN_SECONDS,
)
STEPS = Counter("switchboard_steps", "Steps of turns: model replies that were acted on.", ["agent"])
MODEL_DURATION = Histogram(
    "gen_ai_client_operation_duration_seconds",
    "Model calls, including failed ones; error_type is empty for a successful call.",
    ["gen_ai_request_model", "agent", "error_type"],
    buckets=MODEL_SECONDS,
)
TOKENS = Counter(
    "gen_ai_client_token_usage",
    "Tokens as counted by the model's endpoint.",
    ["gen_ai_request_model", "agent", "gen_ai_token_type"],
)
MODEL_ATTEMPTS = Counter("switchboard_model_attempts", "Model calls, by outcome.", ["model", "agent", "outcome"])
MODEL_FALLBACKS = Counter("switchboard_model_fallbacks", "Switches to the next model.", ["from_model", "to_model"])
MODEL_QUEUE = Gauge("switchboard_model_queue", "Model calls that are queued in this process.")
MODEL_CALLS = Gauge("switchboard_model_calls", "Model calls that are in flight in this process.")
TOOL_CALLS = Counter(
    "switchboard_tool_calls", "Tool calls that a model requested, by outcome.", ["service", "tool", "outcome"]
)
TOOL_DURATION = Histogram(
    "switchboard_tool_duration_seconds",
    "Time from a tool's call to its answer.",
    ["service", "tool"],
    buckets=TOOL_SECONDS,
)
LIVE_FRAMES_SENT = Counter(
    "switchboard_live_frames_sent", "Frames of live events that this process has sent to gateways or to the broker."
)
LIVE_FRAMES_DROPPED = Counter(
    "switchboard_live_frames_dropped", "Frames of live events that were not sent, by reason.", ["reason"]
)
LIVE_WAITING = Gauge(
    "switchboard_live_waiting_characters", "Length of the frames of live events that wait in this process."
)
for reason in ("slow", "full", "disconnected"):
    LIVE_FRAMES_DROPPED.labels(reason)


def count_turn(agent: str, outcome: TurnOutcome) -> None:
    """Count a turn when it ends; a replay of the end is not counted."""

    def count(span: spans.HandlerSpan) -> None:
        TURNS.labels(agent, turn_outcome(outcome)).inc()
        TURN_DURATION.labels(agent).observe(elapsed_seconds(span))
        STEPS.labels(agent).inc(
            sum(isinstance(message, ModelReply) and bool(message.model) for message in outcome.added)
        )

    spans.on_end(count)


def count_tool_call(span: spans.HandlerSpan, arguments: bytes) -> None:
    """Count a tool call that a model requested, when it ends."""
    if content_shown():
        span.attributes["gen_ai.tool.call.arguments"] = arguments.decode(errors="replace")
    spans.on_end(_count_tool_call)


def _count_tool_call(span: spans.HandlerSpan) -> None:
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
    """Return the outcome of a tool call. `refused` is a 4xx of the tool itself; `failed` is every other error."""
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
