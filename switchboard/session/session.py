"""The Session object: one customer's conversation, and the only lock in the mesh."""

import logging
from datetime import UTC, datetime, timedelta
from typing import Literal

import restate

from switchboard.messages import Card, Notice, Wire
from switchboard.runtime.invocations import RETRIES, refuse_bad_input
from switchboard.session.consent import read_consent
from switchboard.session.contract import (
    NO_AGENTS,
    NOTHING_WAITS,
    QUESTION_EXPIRED,
    SESSION,
    TRANSCRIPT_PAGE_MAX_BYTES,
    ClaimedKey,
    CustomerRequest,
    HeldDecision,
    Interruption,
    Notification,
    RunningTurn,
    SendMessage,
    SendReply,
    SessionStatus,
    Transcript,
    TranscriptRequest,
    TurnRecord,
    session_id,
)
from switchboard.session.directory import Directory
from switchboard.session.hops import RUNNING, Stops, follow
from switchboard.session.introspection import LOOKUP_FAILURES, Introspection
from switchboard.session.metrics import count_answer, count_fold, count_message, count_unserved, in_session
from switchboard.session.settings import SessionSettings
from switchboard.session.state import Finished, Head, Held, Running, after, open_message, overspent, record, trimmed
from switchboard.session.summaries import Folded, ask_for_summary
from switchboard.telemetry.logs import private
from switchboard.telemetry.spans import current, first_parent, link, onward, traced

logger = logging.getLogger(__name__)

JOURNAL_RETENTION = timedelta(days=1)
"""How long the journal of a message can be read in the Restate UI after its reply."""

CLAIM_RETENTION = 2 * JOURNAL_RETENTION
"""A key is claimed before its message waits and runs, and has to outlast the reply that is kept under it."""

HEAD = "head"

CANCELLED = 409
"""The code with which Restate ends what waits in a cancelled invocation."""

NO_AGENTS_AFTER = timedelta(seconds=30)

FOREIGN = "This session belongs to another customer. Start one of your own."
SIGNED_OUT = "This conversation is that of a signed-in customer. Sign in to go on with it, or begin a new one."
OVERSPENT = "I am sorry, this conversation has reached the limit of what it may cost. Please start a new one."


class Beginning(Wire):
    """What is looked up once, when a message arrives. `trace` is its place in a trace, as W3C's traceparent."""

    at: datetime
    cards: tuple[Card, ...]
    trace: str = ""


BEGIN = restate.RunOptions(type_hint=Beginning, max_duration=NO_AGENTS_AFTER)


class Conversations:
    """What a message does to its session. The handlers below are the doors to it."""

    def __init__(self, directory: Directory, settings: SessionSettings, first_agent: str) -> None:
        self.directory = directory
        self.introspection = Introspection(str(settings.restate_admin_url))
        self.settings = settings
        self.first_agent = first_agent

    async def answer(self, ctx: restate.ObjectContext, message: SendMessage) -> SendReply:
        """Answer a message; a yes or a no to what is held counts as such."""
        head = await own_head(ctx, message)
        head = begun_by(message, self.first_agent) if head is None else signed_in_by(message, head)
        beginning = await self.begin(ctx)
        said = await self.consent_of(ctx, head, beginning.at, message)
        return await self.proceed(ctx, head, beginning, message.text, said)

    async def consent_of(
        self, ctx: restate.ObjectContext, head: Head, at: datetime, message: SendMessage
    ) -> Literal["yes", "no"] | None:
        """A yes or a no that can only be meant for what is held: written after it was asked, and seen."""
        held, said = head.held, read_consent(message.text)
        if held is None or said is None or at >= held.expires_at or not held.by_word:
            return None
        if message.seen is not None:
            return said if message.seen == head.turns_total else None
        later = restate.RunOptions[bool](type_hint=bool)
        return said if await ctx.run_typed("asked before", self.asked_before, later, held, ctx.request().id) else None

    async def asked_before(self, held: Held, invocation_id: str) -> bool:
        try:
            return await self.introspection.ended_before(held.asked_by, invocation_id)
        except LOOKUP_FAILURES as error:
            logger.warning("cannot tell whether a yes came after its question, so it is none: %s", private(error))
            return False

    async def decide(self, ctx: restate.ObjectContext, decision: HeldDecision, said: Literal["yes", "no"]) -> SendReply:
        """The customer's explicit yes or no. Raises 409 when there is nothing to decide any more."""
        head = known(ctx, await own_head(ctx, decision))
        beginning = await self.begin(ctx)
        if head.held is None or head.held.held_id != decision.held_id:
            raise restate.TerminalError(NOTHING_WAITS, status_code=409)
        if beginning.at >= head.held.expires_at:
            raise restate.TerminalError(QUESTION_EXPIRED, status_code=409)
        return await self.proceed(ctx, head, beginning, said.capitalize() + ".", said)

    async def proceed(
        self,
        ctx: restate.ObjectContext,
        head: Head,
        beginning: Beginning,
        text: str,
        said: Literal["yes", "no"] | None,
    ) -> SendReply:
        """From the message to the reply, and what is written down of it."""
        opening = open_message(head, text, said)
        settled = opening.settled
        # What was confirmed is done also when the question has used up the budget: it was promised.
        if settled is None and not opening.confirmed and overspent(head, self.settings):
            logger.warning("session %s has spent its budget", ctx.key())
            settled = Finished(text=OVERSPENT, added=(*opening.messages, Notice(text=OVERSPENT)), failed=True)
        if head.held is not None:
            link(head.held.trace)
            count_answer(head.held, said, beginning.at)
        if settled is not None:
            # No agent has failed: the session may cost no more, however often its customer writes.
            count_message(settled, self.settings, "overspent" if settled.failed else "")
            return commit(ctx, head, beginning.at, settled, self.settings)
        stops = Stops(ctx, head, beginning.at, self.settings.turn_deadline)
        try:
            done = await follow(ctx, head, beginning.cards, self.directory, self.first_agent, opening, stops)
            held = await self.hold(ctx, done) if done.question is not None else None
        except restate.TerminalError:
            ctx.clear(RUNNING)  # An operator cancelled this very message.
            raise
        count_message(done, self.settings)
        return commit(ctx, head, beginning.at, done, self.settings, held)

    async def hold(self, ctx: restate.ObjectContext, done: Finished) -> Held:
        """Keep the calls of a question, from now until it expires."""
        assert done.question is not None
        asked_at = datetime.fromtimestamp(await ctx.time(), tz=UTC)
        return Held(
            held_id=str(ctx.uuid()),
            agent=done.agents[-1],
            asked_by=ctx.request().id,
            asked_at=asked_at,
            trace=span.traceparent if (span := current()) else "",
            calls=done.question.held,
            expires_at=asked_at + self.settings.consent_expires_after,
        )

    async def status(self, ctx: restate.ObjectSharedContext, head: Head, running: Running | None) -> SessionStatus:
        turn = None
        if running is not None:
            look = restate.RunOptions(type_hint=RunningTurn)
            turn = await ctx.run_typed("look", self.running_turn, look, running)
        return SessionStatus(
            session_id=ctx.key(),
            customer_id=head.customer_id,
            signed_in=head.signed_in,
            active_agent=head.active,
            turns_total=head.turns_total,
            running=turn,
            confirmation=head.held.confirmation() if head.held else None,
            spending=head.spending,
            cost=head.cost,
            budget=self.settings.session_budget,
            currency=self.settings.currency,
        )

    async def running_turn(self, running: Running) -> RunningTurn:
        """What the running turn calls; without the calls while Restate's tables cannot be read."""
        try:
            return await self.introspection.running_turn(running)
        except LOOKUP_FAILURES as error:
            logger.warning("cannot read what runs: %s", private(error))
            return RunningTurn(since=running.since, calls=())

    async def begin(self, ctx: restate.ObjectContext) -> Beginning:
        """The time and the agents. Raises 503 when none can be found for too long: nothing holds the session then."""
        span = current()
        try:
            beginning = await ctx.run_typed("begin", self.look, BEGIN, first_parent())
        except restate.TerminalError as error:
            if error.status_code == CANCELLED:
                raise
            count_unserved()
            raise restate.TerminalError(NO_AGENTS, status_code=503) from error
        if span is not None:
            span.settle(beginning.trace, beginning.at)
        return beginning

    async def look(self, trace: str) -> Beginning:
        return Beginning(at=datetime.now(UTC), cards=await self.directory.cards(), trace=trace)


def session_object(directory: Directory, settings: SessionSettings, first_agent: str) -> restate.VirtualObject:
    """The Session object, with its registry of agents and the agent that meets every new customer."""
    conversations = Conversations(directory, settings, first_agent)
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
    add_conversation(session, conversations)
    add_views(session, conversations)
    add_private_handlers(session, conversations)
    return session


def add_conversation(session: restate.VirtualObject, conversations: Conversations) -> None:
    """What a customer says and decides, and how a running turn is stopped."""

    @session.handler()
    async def send(ctx: restate.ObjectContext, message: SendMessage) -> SendReply:
        """Answer a customer's message. Messages of one session are answered one after the other."""
        return await conversations.answer(ctx, message)

    @session.handler()
    async def confirm(ctx: restate.ObjectContext, decision: HeldDecision) -> SendReply:
        """The customer's yes: make exactly the calls that were shown, once."""
        return await conversations.decide(ctx, decision, "yes")

    @session.handler()
    async def decline(ctx: restate.ObjectContext, decision: HeldDecision) -> SendReply:
        """The customer's no: the calls that were shown are dropped."""
        return await conversations.decide(ctx, decision, "no")

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


def add_views(session: restate.VirtualObject, conversations: Conversations) -> None:
    """What can be read from outside at any time, also while a turn runs."""

    @session.handler(kind="shared")
    async def transcript(ctx: restate.ObjectSharedContext, request: TranscriptRequest) -> Transcript:
        """A page of what was said and done."""
        head = known(ctx, await own_head(ctx, request))
        last = min(request.after + request.limit, head.turns_total)
        turns: list[TurnRecord] = []
        size_bytes = 0
        for number in range(request.after + 1, last + 1):
            turn = await ctx.get(turn_key(number), type_hint=TurnRecord)
            if turn is None or size_bytes > TRANSCRIPT_PAGE_MAX_BYTES:
                break
            turns.append(turn)
            size_bytes += len(turn.model_dump_json().encode())
        return Transcript(turns=tuple(turns), turns_total=head.turns_total)

    @session.handler(kind="shared")
    async def status(ctx: restate.ObjectSharedContext, request: CustomerRequest) -> SessionStatus:
        """How the session stands: the active agent, the running turn, what is held, what was spent."""
        head, running = await own_head(ctx, request), await own_running(ctx, request)
        if head is None and running is not None:
            head = begun_by(running, conversations.first_agent)
        return await conversations.status(ctx, known(ctx, head), running)


def add_private_handlers(session: restate.VirtualObject, conversations: Conversations) -> None:
    """What only the mesh itself may call."""

    @session.handler(ingress_private=True)
    async def notify(ctx: restate.ObjectContext, notification: Notification) -> None:
        """Tell the customer something that was not asked just now; from a workflow or a timer of the mesh."""
        head = await own_head(ctx, notification) or begun_by(notification, conversations.first_agent)
        at = datetime.fromtimestamp(await ctx.time(), tz=UTC)
        told = Finished(text=notification.text, added=(Notice(text=notification.text),))
        held = head.held.model_copy(update={"by_word": False}) if head.held else None
        commit(ctx, head, at, told, conversations.settings, held)

    @session.handler(ingress_private=True)
    async def fold(ctx: restate.ObjectContext, result: Folded) -> None:
        """Take over a summary of the oldest turns, which the models then see in their place."""
        head = known(ctx, await own_head(ctx, result))
        ctx.set(HEAD, result.applied_to(head, conversations.settings))
        count_fold(result.replies, conversations.settings)


async def own_head(ctx: restate.ObjectContext | restate.ObjectSharedContext, request: CustomerRequest) -> Head | None:
    """The session's state if it is this customer's; None for a new session. Raises 403 for somebody else's."""
    try:
        session_id(ctx.key())
    except ValueError as error:
        raise restate.TerminalError(f"The session's key {error}.", status_code=400) from error
    head = await ctx.get(HEAD, type_hint=Head)
    if head is not None:
        refuse_foreign(ctx, head, request)
    return head


async def own_running(ctx: restate.ObjectSharedContext, request: CustomerRequest) -> Running | None:
    """The message that is being answered, if any. Raises 403 for somebody else's, whose first turn may be running."""
    running = await ctx.get(RUNNING, type_hint=Running)
    if running is not None:
        refuse_foreign(ctx, running, request)
    return running


def refuse_foreign(
    ctx: restate.ObjectContext | restate.ObjectSharedContext, own: Head | Running, request: CustomerRequest
) -> None:
    """Raises 403 for another customer, and for somebody who is not signed in where the customer was."""
    if own.customer_id != request.customer_id:
        logger.warning("refused: customer %s asked for session %s of another customer", request.customer_id, ctx.key())
        raise restate.TerminalError(FOREIGN, status_code=403)
    if own.signed_in and not request.signed_in:
        logger.warning("refused: session %s is that of a signed-in customer", ctx.key())
        raise restate.TerminalError(SIGNED_OUT, status_code=403)


def begun_by(request: CustomerRequest | Running, first_agent: str) -> Head:
    return Head(customer_id=request.customer_id, signed_in=request.signed_in, active=first_agent)


def signed_in_by(message: SendMessage, head: Head) -> Head:
    """The session after a message: once its customer has signed in, it is a signed-in one for good."""
    return head.model_copy(update={"signed_in": head.signed_in or message.signed_in})


def known(ctx: restate.ObjectContext | restate.ObjectSharedContext, head: Head | None) -> Head:
    if head is None:
        raise restate.TerminalError(f"There is no session {ctx.key()!r} yet. Send a message first.", status_code=404)
    return head


async def stop_running(ctx: restate.ObjectSharedContext, request: CustomerRequest) -> Interruption:
    """Tell the message that is being answered to stop; it then says itself what it had done."""
    await own_head(ctx, request)
    running = await own_running(ctx, request)
    if running is None:
        return Interruption(interrupted=False)
    ctx.resolve_awakeable(running.stop_id, "interrupt")
    return Interruption(interrupted=True)


def commit(
    ctx: restate.ObjectContext,
    head: Head,
    at: datetime,
    done: Finished,
    settings: SessionSettings,
    held: Held | None = None,
) -> SendReply:
    """Write the turn and the new head. No await from here to the reply: it is all in the journal, or none of it."""
    new, oldest = trimmed(after(head, at, done, held, settings))
    if oldest and overspent(new, settings):
        new = new.model_copy(update={"folding": 0})  # A summary costs, too.
    elif oldest:
        ask_for_summary(ctx, new, oldest)
    ctx.set(turn_key(new.turns_total), record(new.turns_total, at, done))
    ctx.set(HEAD, new)
    ctx.clear(RUNNING)
    return SendReply(
        text=done.text,
        agent=new.active,
        turn=new.turns_total,
        hand_offs=done.agents[1:],
        failed=done.failed,
        interrupted=done.interrupted,
        confirmation=new.held.confirmation() if done.question is not None and new.held is not None else None,
        trace_id=span.trace_id if (span := current()) else "",
    )


def turn_key(turn: int) -> str:
    return f"turn/{turn:06d}"
