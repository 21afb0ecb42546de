"""Metrics of messages, counted by the session once at the end of each message (see docs/reference/metrics.md)."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Literal, cast

import restate
from prometheus_client import Counter, Histogram
from restate.extensions import current_context

from switchboard.messages import ModelReply, Spent
from switchboard.session.settings import SessionSettings
from switchboard.session.state import FinishedTurn, PendingConfirmation, model_calls
from switchboard.telemetry import spans
from switchboard.telemetry.metrics import TURN_SECONDS, elapsed_seconds

STAFFED_SECONDS = (30, 60, 120, 300, 600, 1_200, 1_800, 3_600, 7_200, 14_400)
CONFIRMATION_SECONDS = (1, 5, 10, 30, 60, 120, 300, 600, 900)

MESSAGES = Counter("switchboard_messages", "Customers' messages, by outcome.", ["outcome"])
MESSAGE_DURATION = Histogram(
    "switchboard_message_duration_seconds", "Time from a customer's message to its reply.", buckets=TURN_SECONDS
)
REFUSED = Counter("switchboard_limit_refusals", "Messages refused because of a customer's limit.", ["limit"])
HOPS = Counter("switchboard_hops", "Hand-offs that a session followed.", ["from_agent", "to_agent"])
MODEL_COST = Counter("switchboard_model_cost", "Cost of model calls.", ["agent", "model", "currency"])
CONFIRMATIONS = Counter("switchboard_confirmations", "Confirmation questions, by outcome.", ["outcome"])
CONFIRMATION_WAIT = Histogram(
    "switchboard_confirmation_wait_seconds",
    "Time from the question to the customer's yes or no.",
    buckets=CONFIRMATION_SECONDS,
)
RATINGS = Counter("switchboard_ratings", "Ratings of replies by customers, changes included.", ["agent", "rating"])
TAKE_OVERS = Counter("switchboard_take_overs", "Sessions that staff have taken over.", ["taken_from"])
HAND_BACKS = Counter("switchboard_hand_backs", "Sessions that went back from staff to the agents.", ["reason"])
STAFFED_DURATION = Histogram(
    "switchboard_staffed_duration_seconds", "Time from a take-over to its hand-back.", buckets=STAFFED_SECONDS
)


@asynccontextmanager
async def label_session() -> AsyncIterator[None]:
    """Add the session's id to spans and log lines."""
    ctx = current_context()
    if ctx is not None:
        spans.describe(spans.conversation(cast(restate.ObjectContext, ctx).key()))
    yield


def count_message(done: FinishedTurn, settings: SessionSettings, outcome: str = "") -> None:
    """Count a message with its hand-offs and cost, once, not on replays. `outcome` overrides the turn's own outcome."""

    def count(span: spans.HandlerSpan) -> None:
        MESSAGES.labels(outcome or outcome_of(done)).inc()
        MESSAGE_DURATION.observe(elapsed_seconds(span))
        for from_agent, to_agent in pairwise(done.agents):
            HOPS.labels(from_agent, to_agent).inc()
        count_cost(model_calls(done), settings)
        if done.question is not None:
            CONFIRMATIONS.labels("asked").inc()

    spans.on_end(count)


def count_unserved() -> None:
    """Count a message for which no agent could be found."""
    spans.on_end(lambda span: MESSAGES.labels("unserved").inc())


def count_staffed() -> None:
    """Count a message to a staff member. Its time is not observed, because nothing answers it."""
    spans.on_end(lambda span: MESSAGES.labels("staffed").inc())


def count_take_over(from_colleague: bool) -> None:
    """Count a take-over, from the agents or from a colleague."""
    spans.on_end(lambda span: TAKE_OVERS.labels("colleague" if from_colleague else "agents").inc())


def count_hand_back(reason: Literal["returned", "silent"], lasted: timedelta) -> None:
    """Count a hand-back by a staff member, or of one who was silent for too long."""

    def count(span: spans.HandlerSpan) -> None:
        HAND_BACKS.labels(reason).inc()
        STAFFED_DURATION.observe(max(lasted.total_seconds(), 0))

    spans.on_end(count)


def count_rating(agent: str, rating: str) -> None:
    """Count a new or changed rating."""
    spans.on_end(lambda span: RATINGS.labels(agent, rating).inc())


def count_refused(limit: str) -> None:
    """Count a message that was refused because of a limit of its customer."""

    def count(span: spans.HandlerSpan) -> None:
        MESSAGES.labels("limited").inc()
        REFUSED.labels(limit).inc()

    spans.on_end(count)


def count_confirmation(held: PendingConfirmation, consent: Literal["yes", "no"] | None, at: datetime) -> None:
    """Count the outcome of a question: `confirmed`, `declined`, `expired`, or `dropped` because of another message."""
    outcome = {"yes": "confirmed", "no": "declined"}.get(
        consent or "", "expired" if at >= held.expires_at else "dropped"
    )

    def count(span: spans.HandlerSpan) -> None:
        CONFIRMATIONS.labels(outcome).inc()
        if consent is not None and held.asked_at is not None:
            CONFIRMATION_WAIT.observe(max((at - held.asked_at).total_seconds(), 0))

    spans.on_end(count)


def count_summary(calls: Sequence[ModelReply | Spent], settings: SessionSettings) -> None:
    """Count the cost of a summary."""
    spans.on_end(lambda span: count_cost(calls, settings))


def count_cost(calls: Sequence[ModelReply | Spent], settings: SessionSettings) -> None:
    for call in calls:
        cost = settings.cost(call)
        if cost:
            MODEL_COST.labels(call.agent, call.model, settings.currency).inc(float(cost))


def outcome_of(done: FinishedTurn) -> str:
    if done.question is not None:
        return "question"
    if done.interrupted:
        return "late" if done.failed else "interrupted"
    return "apology" if done.failed else "reply"
