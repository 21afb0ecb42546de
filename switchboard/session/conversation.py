"""What a message does to its session: from the customer's words to the reply that is written down."""

import logging
from datetime import UTC, datetime, timedelta
from typing import Literal

import restate

from switchboard.messages import Card, Notice, WireModel
from switchboard.session.consent import read_consent
from switchboard.session.contract import (
    NO_AGENTS,
    NOTHING_WAITS,
    QUESTION_EXPIRED,
    HeldDecision,
    SendMessage,
    SendReply,
)
from switchboard.session.directory import Directory
from switchboard.session.hops import RUNNING, Stops, follow
from switchboard.session.introspection import LOOKUP_FAILURES, Introspection
from switchboard.session.metrics import count_answer, count_message, count_unserved
from switchboard.session.settings import SessionSettings
from switchboard.session.state import Finished, Head, Held, open_message, overspent
from switchboard.session.storage import begun_by, commit, known, own_head, signed_in_by
from switchboard.telemetry.logs import private
from switchboard.telemetry.spans import current, link, parent_traceparent

logger = logging.getLogger(__name__)

CANCELLED_STATUS = 409
"""The code with which Restate ends what waits in a cancelled invocation."""

NO_AGENTS_AFTER = timedelta(seconds=30)

OVERSPENT = "I am sorry, this conversation has reached the limit of what it may cost. Please start a new one."


class Beginning(WireModel):
    """What is looked up once, when a message arrives. `trace` is its place in a trace, as W3C's traceparent."""

    at: datetime
    cards: tuple[Card, ...]
    trace: str = ""


BEGIN = restate.RunOptions(type_hint=Beginning, max_duration=NO_AGENTS_AFTER)


class Conversation:
    """Answers a session's messages. It holds the session's lock for as long as a turn takes."""

    def __init__(
        self, directory: Directory, introspection: Introspection, settings: SessionSettings, first_agent: str
    ) -> None:
        self.directory = directory
        self.introspection = introspection
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

    async def begin(self, ctx: restate.ObjectContext) -> Beginning:
        """The time and the agents. Raises 503 when none can be found for too long: nothing holds the session then."""
        span = current()
        try:
            beginning = await ctx.run_typed("begin", self.look, BEGIN, parent_traceparent())
        except restate.TerminalError as error:
            if error.status_code == CANCELLED_STATUS:
                raise
            count_unserved()
            raise restate.TerminalError(NO_AGENTS, status_code=503) from error
        if span is not None:
            span.restore(beginning.trace, beginning.at)
        return beginning

    async def look(self, trace: str) -> Beginning:
        return Beginning(at=datetime.now(UTC), cards=await self.directory.cards(), trace=trace)
