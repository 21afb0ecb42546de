"""The Session object: one customer's conversation, and the only lock in the mesh. Its handlers, by who calls them."""

from datetime import UTC, datetime, timedelta

import restate

from switchboard.messages import Notice
from switchboard.runtime.invocations import RETRIES, refuse_bad_input
from switchboard.session.contract import (
    SESSION,
    ClaimedKey,
    CustomerRequest,
    HeldDecision,
    Interruption,
    Notification,
    SendMessage,
    SendReply,
    SessionStatus,
    Transcript,
    TranscriptRequest,
)
from switchboard.session.conversation import Conversation
from switchboard.session.directory import Directory
from switchboard.session.introspection import Introspection
from switchboard.session.metrics import count_fold, in_session
from switchboard.session.queries import SessionQueries
from switchboard.session.settings import SessionSettings
from switchboard.session.state import Finished
from switchboard.session.storage import HEAD, begun_by, commit, known, own_head, own_running
from switchboard.session.summaries import Folded
from switchboard.telemetry.spans import onward, traced

JOURNAL_RETENTION = timedelta(days=1)
"""How long the journal of a message can be read in the Restate UI after its reply."""

CLAIM_RETENTION = 2 * JOURNAL_RETENTION
"""A key is claimed before its message waits and runs, and has to outlast the reply that is kept under it."""


def session_object(directory: Directory, settings: SessionSettings, first_agent: str) -> restate.VirtualObject:
    """The Session object, with its registry of agents and the agent that meets every new customer."""
    introspection = Introspection(str(settings.restate_admin_url))
    conversation = Conversation(directory, introspection, settings, first_agent)
    session = restate.VirtualObject(
        SESSION,
        description="A customer's conversation with the mesh, by session id.",
        # A conversation grows for months: only the keys that a message needs are read.
        state_preload=False,
        journal_retention=JOURNAL_RETENTION,
        idempotency_retention=JOURNAL_RETENTION,
        invocation_retry_policy=RETRIES,
        invocation_context_managers=[traced(), in_session, refuse_bad_input],
    )
    add_conversation(session, conversation)
    add_queries(session, SessionQueries(introspection, settings, first_agent))
    add_private_handlers(session, settings, first_agent)
    return session


def add_conversation(session: restate.VirtualObject, conversation: Conversation) -> None:
    """What a customer says and decides, and how a running turn is stopped."""

    @session.handler()
    async def send(ctx: restate.ObjectContext, message: SendMessage) -> SendReply:
        """Answer a customer's message. Messages of one session are answered one after the other."""
        return await conversation.answer(ctx, message)

    @session.handler()
    async def confirm(ctx: restate.ObjectContext, decision: HeldDecision) -> SendReply:
        """The customer's yes: make exactly the calls that were shown, once."""
        return await conversation.decide(ctx, decision, "yes")

    @session.handler()
    async def decline(ctx: restate.ObjectContext, decision: HeldDecision) -> SendReply:
        """The customer's no: the calls that were shown are dropped."""
        return await conversation.decide(ctx, decision, "no")

    @session.handler(kind="shared")
    async def interrupt(ctx: restate.ObjectSharedContext, request: CustomerRequest) -> Interruption:
        """Stop the running turn: its model call and tool calls are cancelled, sagas compensate."""
        return await stop_running(ctx, request)

    @session.handler(kind="shared")
    async def steer(ctx: restate.ObjectSharedContext, message: SendMessage) -> SendReply:
        """Stop the running turn and answer this message instead: `send`, without waiting behind what it replaces."""
        await stop_running(ctx, message)
        # It was written while a turn ran: whatever that turn asks at its end, this is no answer to it.
        return await ctx.object_call(send, ctx.key(), message.model_copy(update={"seen": 0}), headers=onward())

    @session.handler(kind="shared", journal_retention=timedelta(0), idempotency_retention=CLAIM_RETENTION)
    async def claim(ctx: restate.ObjectSharedContext, key: ClaimedKey) -> ClaimedKey:
        """Asked with an idempotency key, Restate answers with what that key was claimed for first."""
        return key


def add_queries(session: restate.VirtualObject, queries: SessionQueries) -> None:
    """What can be read from outside at any time, also while a turn runs."""

    @session.handler(kind="shared")
    async def transcript(ctx: restate.ObjectSharedContext, request: TranscriptRequest) -> Transcript:
        """A page of what was said and done."""
        return await queries.transcript(ctx, request)

    @session.handler(kind="shared")
    async def status(ctx: restate.ObjectSharedContext, request: CustomerRequest) -> SessionStatus:
        """How the session stands: the active agent, the running turn, what is held, what was spent."""
        return await queries.status(ctx, request)


def add_private_handlers(session: restate.VirtualObject, settings: SessionSettings, first_agent: str) -> None:
    """What only the mesh itself may call."""

    @session.handler(ingress_private=True)
    async def notify(ctx: restate.ObjectContext, notification: Notification) -> None:
        """Tell the customer something that was not asked just now; from a workflow or a timer of the mesh."""
        head = await own_head(ctx, notification) or begun_by(notification, first_agent)
        at = datetime.fromtimestamp(await ctx.time(), tz=UTC)
        told = Finished(text=notification.text, added=(Notice(text=notification.text),))
        held = head.held.model_copy(update={"by_word": False}) if head.held else None
        commit(ctx, head, at, told, settings, held)

    @session.handler(ingress_private=True)
    async def fold(ctx: restate.ObjectContext, result: Folded) -> None:
        """Take over a summary of the oldest turns, which the models then see in their place."""
        head = known(ctx, await own_head(ctx, result))
        ctx.set(HEAD, result.applied_to(head, settings))
        count_fold(result.replies, settings)


async def stop_running(ctx: restate.ObjectSharedContext, request: CustomerRequest) -> Interruption:
    """Tell the message that is being answered to stop; it then says itself what it had done."""
    await own_head(ctx, request)
    running = await own_running(ctx, request)
    if running is None:
        return Interruption(interrupted=False)
    ctx.resolve_awakeable(running.stop_id, "interrupt")
    return Interruption(interrupted=True)
