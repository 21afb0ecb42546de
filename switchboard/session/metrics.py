"""What is counted of messages, at the session: once, when the message is over (docs/reference/metrics.md)."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from itertools import pairwise
from typing import Literal, cast

import restate
from prometheus_client import Counter, Histogram
from restate.extensions import current_context

from switchboard.messages import ModelReply
from switchboard.session.settings import SessionSettings
from switchboard.session.state import Finished, Held, model_replies
from switchboard.telemetry import spans
from switchboard.telemetry.metrics import TURN_SECONDS, elapsed_seconds

CONFIRMATION_SECONDS = (1, 5, 10, 30, 60, 120, 300, 600, 900)

MESSAGES = Counter("switchboard_messages", "Customers' messages, by how they ended.", ["outcome"])
MESSAGE_DURATION = Histogram(
    "switchboard_message_duration_seconds", "From a customer's message to its reply.", buckets=TURN_SECONDS
)
HOPS = Counter("switchboard_hops", "Hand-offs that were followed.", ["from_agent", "to_agent"])
MODEL_COST = Counter("switchboard_model_cost", "Money that model calls cost.", ["agent", "model", "currency"])
CONFIRMATIONS = Counter("switchboard_confirmations", "Questions for a customer's yes, and their ends.", ["outcome"])
CONFIRMATION_WAIT = Histogram(
    "switchboard_confirmation_wait_seconds",
    "From the question to the customer's yes or no.",
    buckets=CONFIRMATION_SECONDS,
)


@asynccontextmanager
async def in_session() -> AsyncIterator[None]:
    """The session's id on its spans and log lines."""
    ctx = current_context()
    if ctx is not None:
        spans.describe({spans.CONVERSATION: cast(restate.ObjectContext, ctx).key()})
    yield


def count_message(done: Finished, settings: SessionSettings, outcome: str = "") -> None:
    """Count a message, its hand-offs and what it cost, when its end is no replay; `outcome` in place of its own."""

    def count(span: spans.HandlerSpan) -> None:
        MESSAGES.labels(outcome or outcome_of(done)).inc()
        MESSAGE_DURATION.observe(elapsed_seconds(span))
        for giver, taker in pairwise(done.agents):
            HOPS.labels(giver, taker).inc()
        count_cost(model_replies(done.added), settings)
        if done.question is not None:
            CONFIRMATIONS.labels("asked").inc()

    spans.on_end(count)


def count_unserved() -> None:
    """Count a message that nobody could be asked to answer."""
    spans.on_end(lambda span: MESSAGES.labels("unserved").inc())


def count_answer(held: Held, said: Literal["yes", "no"] | None, at: datetime) -> None:
    """Count how a question ended: `confirmed`, `declined`, `expired` or, by another message, `dropped`."""
    outcome = {"yes": "confirmed", "no": "declined"}.get(said or "", "expired" if at >= held.expires_at else "dropped")

    def count(span: spans.HandlerSpan) -> None:
        CONFIRMATIONS.labels(outcome).inc()
        if said is not None and held.asked_at is not None:
            CONFIRMATION_WAIT.observe(max((at - held.asked_at).total_seconds(), 0))

    spans.on_end(count)


def count_fold(replies: Sequence[ModelReply], settings: SessionSettings) -> None:
    """Count what a summary has cost."""
    spans.on_end(lambda span: count_cost(replies, settings))


def count_cost(replies: Sequence[ModelReply], settings: SessionSettings) -> None:
    for reply in replies:
        cost = settings.cost(reply)
        if cost:
            MODEL_COST.labels(reply.agent, reply.model, settings.currency).inc(float(cost))


def outcome_of(done: Finished) -> str:
    if done.question is not None:
        return "question"
    if done.interrupted:
        return "late" if done.failed else "interrupted"
    return "apology" if done.failed else "reply"
