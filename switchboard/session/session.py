"""The Session object: one customer's conversation and the lock that orders its messages. Handlers grouped by caller."""

import asyncio
import logging
from datetime import UTC, datetime, timedelta
from functools import partial

import restate

from switchboard.messages import Notice
from switchboard.retry import RetryPolicy, retry
from switchboard.runtime.invocations import NOTHING_RETAINED, RETRIES, refuse_bad_input
from switchboard.runtime.speaker_check import signed_requests
from switchboard.session.contract import (
    NO_AGENTS,
    SESSION,
    ClaimedKey,
    CustomerRequest,
    EventsPage,
    EventsRequest,
    HeldDecision,
    Interruption,
    Notification,
    SendMessage,
    SendReply,
    SessionStatus,
    SessionTask,
    TaskRequest,
    Transcript,
    TranscriptRequest,
)
from switchboard.session.conversation import Conversation
from switchboard.session.directory import Directory
from switchboard.session.expiry import EXPIRE, ExpiryCheck, check_expiry
from switchboard.session.introspection import LOOKUP_FAILURES, LOOKUP_TIMEOUT, Introspection
from switchboard.session.metrics import count_summary, label_session
from switchboard.session.queries import SessionQueries
from switchboard.session.ratings import add_ratings
from switchboard.session.settings import SessionSettings
from switchboard.session.staff_contract import EventsQuery, StatusQuery, TranscriptPage
from switchboard.session.staff_door import EVENTS_FOR_STAFF, STATUS_FOR_STAFF, TRANSCRIPT_FOR_STAFF
from switchboard.session.state import FinishedTurn, Head
from switchboard.session.storage import (
    HEAD,
    commit_turn,
    load_head,
    load_running,
    new_head,
    require_head,
)
from switchboard.session.summaries import SummaryResult
from switchboard.session.take_over import add_take_over
from switchboard.speaker import SPEAKER_HEADER, SpeakerKeys
from switchboard.telemetry.logs import private
from switchboard.telemetry.spans import propagation_headers, traced

logger = logging.getLogger(__name__)

JOURNAL_RETENTION = timedelta(days=1)
"""How long the journal of a message stays readable in the Restate UI after the reply."""

CLAIM_RETENTION = 2 * JOURNAL_RETENTION
"""Longer than the retention of the reply: a key is claimed before its message waits and runs."""

UNSIGNED_HANDLERS = ("claim",)
"""`claim` reads and changes no conversation. Restate answers it from its own table of idempotency keys, before any
handler could check a signature. So the gateway sends it under a key that no other caller can guess."""

STOPPING_HANDLERS = ("interrupt", "steer")
"""They run beside the turn that they stop, so they cannot write down which requests they have heard. They accept a
request only under the idempotency key that it was signed for."""

KEY_TIMEOUT = timedelta(milliseconds=1500)
"""How long a stop waits for the lookup of its idempotency key."""

LOOKS = RetryPolicy(timedelta(milliseconds=250), attempts_max=20)
"""Lookups of when a request was accepted."""


def session_object(
    directory: Directory,
    settings: SessionSettings,
    first_agent: str,
    speaker: SpeakerKeys | None,
    introspection: Introspection | None = None,
) -> restate.VirtualObject:
    """Return the Session object. `first_agent` answers new customers; `speaker` verifies the gateway's signatures.

    `introspection` reads Restate's tables; by default through the admin API.
    """
    introspection = introspection or Introspection(settings.restate_admin_url)
    conversation = Conversation(directory, introspection, settings, first_agent)
    session = restate.VirtualObject(
        SESSION,
        description="A customer's conversation with the mesh, by session id.",
        # State grows with the conversation, so load only the keys that a message needs.
        state_preload=False,
        journal_retention=JOURNAL_RETENTION,
        idempotency_retention=JOURNAL_RETENTION,
        invocation_retry_policy=RETRIES,
        invocation_context_managers=[
            traced(),
            label_session,
            refuse_bad_input,
            signed_requests(
                speaker,
                UNSIGNED_HANDLERS,
                partial(accepted_at, introspection),
                dict.fromkeys(STOPPING_HANDLERS, partial(sent_under, introspection)),
            ),
        ],
    )
    add_customer_handlers(session, conversation)
    queries = SessionQueries(introspection, settings, first_agent)
    add_queries(session, queries)
    add_staff_queries(session, queries)
    add_private_handlers(session, settings, first_agent)
    add_take_over(session, settings)
    add_ratings(session)
    return session


def add_customer_handlers(session: restate.VirtualObject, conversation: Conversation) -> None:
    """Add the handlers that answer, confirm, decline and stop."""

    @session.handler()
    async def send(ctx: restate.ObjectContext, message: SendMessage) -> SendReply:
        """Answer a customer's message. Messages of one session are answered one at a time."""
        return await conversation.answer(ctx, message)

    @session.handler()
    async def confirm(ctx: restate.ObjectContext, decision: HeldDecision) -> SendReply:
        """Make the calls that the customer was asked about, exactly as shown, once."""
        return await conversation.decide(ctx, decision, "yes")

    @session.handler()
    async def decline(ctx: restate.ObjectContext, decision: HeldDecision) -> SendReply:
        """Drop the calls that the customer was asked about."""
        return await conversation.decide(ctx, decision, "no")

    @session.handler(kind="shared")
    async def interrupt(ctx: restate.ObjectSharedContext, request: CustomerRequest) -> Interruption:
        """Stop the running turn. Its model call and tool calls are cancelled; sagas compensate."""
        return await stop_running_turn(ctx, request)

    @session.handler(ingress_private=True)
    async def send_after_stop(ctx: restate.ObjectContext, message: SendMessage) -> SendReply:
        """Answer the message with which `steer` has stopped a turn."""
        return await conversation.answer(ctx, message)

    @session.handler(kind="shared")
    async def steer(ctx: restate.ObjectSharedContext, message: SendMessage) -> SendReply:
        """Stop the running turn and answer this message instead."""
        await stop_running_turn(ctx, message)
        # The message was written before the running turn could ask a question, so it cannot confirm one.
        message = message.model_copy(update={"seen": 0})
        token, headers = ctx.request().headers.get(SPEAKER_HEADER), propagation_headers()
        if token is None:
            return await ctx.object_call(send, ctx.key(), message, headers=headers)
        # The signature of this request is not one for `send`.
        return await ctx.object_call(send_after_stop, ctx.key(), message, headers={**headers, SPEAKER_HEADER: token})

    @session.handler(kind="shared", journal_retention=timedelta(0), idempotency_retention=CLAIM_RETENTION)
    async def claim(ctx: restate.ObjectSharedContext, key: ClaimedKey) -> ClaimedKey:
        """Claim an idempotency key. For a key in use, Restate returns the first claim."""
        return key


def add_queries(session: restate.VirtualObject, queries: SessionQueries) -> None:
    """Add the read-only handlers. They work also while a turn runs."""

    @session.handler(kind="shared", **NOTHING_RETAINED)
    async def transcript(ctx: restate.ObjectSharedContext, request: TranscriptRequest) -> Transcript:
        """Return a page of the transcript."""
        return await queries.transcript(ctx, request)

    @session.handler(kind="shared", **NOTHING_RETAINED)
    async def status(ctx: restate.ObjectSharedContext, request: CustomerRequest) -> SessionStatus:
        """Return the active agent, the running turn, the pending question and the cost."""
        return await queries.status(ctx, request)

    @session.handler(kind="shared", **NOTHING_RETAINED)
    async def events(ctx: restate.ObjectSharedContext, request: EventsRequest) -> EventsPage:
        """Return records of turns, the open question and the running message."""
        return await queries.events(ctx, request)

    @session.handler(kind="shared", **NOTHING_RETAINED)
    async def task(ctx: restate.ObjectSharedContext, request: TaskRequest) -> SessionTask:
        """Return a task of another agent: its turns, its open question and its running message."""
        return await queries.task(ctx, request)


def add_staff_queries(session: restate.VirtualObject, queries: SessionQueries) -> None:
    """Add the read-only handlers for staff, which the staff door calls for any session."""

    @session.handler(TRANSCRIPT_FOR_STAFF, kind="shared", ingress_private=True, **NOTHING_RETAINED)
    async def transcript_for_staff(ctx: restate.ObjectSharedContext, page: TranscriptPage) -> Transcript:
        """Return a page of the transcript."""
        return await queries.transcript_for_staff(ctx, page)

    @session.handler(STATUS_FOR_STAFF, kind="shared", ingress_private=True, **NOTHING_RETAINED)
    async def status_for_staff(ctx: restate.ObjectSharedContext, _: StatusQuery) -> SessionStatus:
        """Return the active agent, the running turn, the pending question and the cost."""
        return await queries.status_for_staff(ctx)

    @session.handler(EVENTS_FOR_STAFF, kind="shared", ingress_private=True, **NOTHING_RETAINED)
    async def events_for_staff(ctx: restate.ObjectSharedContext, query: EventsQuery) -> EventsPage:
        """Return records of turns, the open question and the running message."""
        return await queries.events_for_staff(ctx, query)


def add_private_handlers(session: restate.VirtualObject, settings: SessionSettings, first_agent: str) -> None:
    """Add the handlers that only the mesh itself may call."""

    @session.handler(ingress_private=True)
    async def notify(ctx: restate.ObjectContext, notification: Notification) -> None:
        """Send the customer a message from a workflow or a timer."""
        head = await load_head(ctx, notification, expired_too=True)
        if head is None or head.expired_at is not None:
            head = new_head(notification, first_agent)
        at = datetime.fromtimestamp(await ctx.time(), tz=UTC)
        notice = FinishedTurn(text=notification.text, added=(Notice(text=notification.text, from_service=True),))
        held = head.held.model_copy(update={"by_word": False}) if head.held else None
        commit_turn(ctx, head, at, notice, settings, held)

    @session.handler(EXPIRE, ingress_private=True, **NOTHING_RETAINED)
    async def expire(ctx: restate.ObjectContext, check: ExpiryCheck) -> None:
        """Delete the conversation if the session has not been used for too long. Sent by its timer."""
        head = await check_expiry(ctx, check, await ctx.get(HEAD, type_hint=Head), settings)
        if head is None:
            return
        if head.expired_at is not None:
            ctx.clear_all()
        ctx.set(HEAD, head)

    @session.handler("fold", ingress_private=True)
    async def apply_summary(ctx: restate.ObjectContext, result: SummaryResult) -> None:
        """Replace the oldest turns by a summary in what the models see."""
        head = require_head(ctx, await load_head(ctx, result))
        ctx.set(HEAD, result.apply_to(head, settings))
        count_summary((*result.replies, *result.attempts), settings)


async def stop_running_turn(ctx: restate.ObjectSharedContext, request: CustomerRequest) -> Interruption:
    """Ask the running turn to stop. Its own reply reports what was done by then."""
    await load_head(ctx, request)
    running = await load_running(ctx, request)
    if running is None:
        return Interruption(interrupted=False)
    ctx.resolve_awakeable(running.stop_id, "interrupt")
    return Interruption(interrupted=True)


async def sent_under(introspection: Introspection, invocation_id: str, key: str) -> bool:
    """Return whether this request came under the key. If Restate's tables cannot be read, it is believed.

    A customer must be able to stop a turn also then, and a copy could do no more than stop one.
    """
    try:
        async with asyncio.timeout(KEY_TIMEOUT.total_seconds()):
            return await introspection.idempotency_key(invocation_id) == key
    except LOOKUP_FAILURES as error:
        logger.warning("cannot check the idempotency key of a request that stops a turn: %s", private(error))
        return True


async def accepted_at(introspection: Introspection, invocation_id: str) -> datetime:
    """Return when Restate accepted this request. Raises 503 if Restate's tables cannot be read for LOOKUP_TIMEOUT.

    A message that waited while Restate was away is read just after its start, when the tables may be incomplete.
    """
    try:
        return await retry(lambda: introspection.accepted_at(invocation_id), LOOKS, LOOKUP_FAILURES, LOOKUP_TIMEOUT)
    except LOOKUP_FAILURES as error:
        logger.warning("cannot check when a signed request was sent: %s", private(error))
        raise restate.TerminalError(NO_AGENTS, status_code=503) from error
