"""How a session answers a message, from the customer's text to the stored reply."""

import logging
from datetime import UTC, datetime, timedelta
from typing import Literal

import restate

from switchboard.events import NUMBERS, TurnStarted
from switchboard.loop.decisions import JOURNAL
from switchboard.messages import Notice, WireModel
from switchboard.runtime.live import LiveTurn
from switchboard.session.consent import read_consent
from switchboard.session.contract import (
    NO_AGENTS,
    QUESTION_CLOSED,
    QUESTION_EXPIRED,
    TASK_OVER,
    HeldDecision,
    SendMessage,
    SendReply,
)
from switchboard.session.customers import ask_for_tokens, ask_to_write, estimated_tokens, settle_by_estimate
from switchboard.session.directory import Directory
from switchboard.session.hops import RUNNING, Route, StopSignals, follow_hand_offs
from switchboard.session.introspection import Introspection
from switchboard.session.metrics import count_confirmation, count_message, count_staffed, count_unserved
from switchboard.session.settings import SessionSettings
from switchboard.session.staffed import customer_wrote
from switchboard.session.state import (
    FinishedTurn,
    Head,
    Opening,
    PendingConfirmation,
    TurnStart,
    open_message,
    over_budget,
    turns_of_tasks,
)
from switchboard.session.storage import (
    commit_turn,
    live_turn,
    load_head,
    mark_signed_in,
    mark_withheld,
    new_head,
    require_head,
    require_new_request,
    send_reply,
    store_turn,
)
from switchboard.session.take_over import start_silence_timer, store_take_over
from switchboard.session.turn_events import run_id
from switchboard.session_ids import public_part
from switchboard.telemetry.logs import private
from switchboard.telemetry.spans import STAFFED, current, describe, link, parent_traceparent

logger = logging.getLogger(__name__)

CANCELLATION_STATUS = 409
"""Status code of the error that Restate raises in a cancelled invocation."""

AGENT_LOOKUP_MAX = timedelta(seconds=30)
"""Retry the lookup of agents for this long. The session's lock is held meanwhile."""

OVER_BUDGET = "Sorry, this conversation has reached its usage limit. Please start a new one."


SEEN_IS_CHECKED = 2
"""Version of a turn's journal from which on a yes with `seen` is checked too, which adds a journal entry."""


class Arrival(WireModel):
    """The time and the trace of a message to a staff member, and how long the customer may wait for the answer."""

    at: datetime
    trace: str
    silent_max: timedelta


ASKED_LOOKUP_MAX = timedelta(seconds=10)
"""Retry for this long to find out whether a yes came after its question. Restate's tables lack rows while a partition
changes its node. Then the yes does not count: nothing is done, and the customer has to ask again."""

ASKED_OPTIONS = restate.RunOptions[bool](type_hint=bool, max_duration=ASKED_LOOKUP_MAX)

BEGIN_OPTIONS = restate.RunOptions(type_hint=TurnStart, max_duration=AGENT_LOOKUP_MAX)


class Conversation:
    """Answers a session's messages. Holds the session's lock for the whole turn."""

    def __init__(
        self, directory: Directory, introspection: Introspection, settings: SessionSettings, first_agent: str
    ) -> None:
        self.directory = directory
        self.introspection = introspection
        self.settings = settings
        self.first_agent = first_agent

    async def answer(self, ctx: restate.ObjectContext, message: SendMessage) -> SendReply:
        """Answer a message. A yes or a no to pending calls confirms or drops them."""
        head = await load_head(ctx, message)
        head = new_head(message, self.first_agent) if head is None else mark_signed_in(message, head)
        head = require_new_request(ctx, head)
        require_open_task(head, message)
        if head.staff is not None:
            return await self.record(ctx, head, message)
        start = await self.begin(ctx, head)
        consent = await self.find_consent(ctx, head, start, message)
        return await self.proceed(ctx, head, in_tasks(head, start, consent, message.task), message.text, consent)

    async def record(self, ctx: restate.ObjectContext, head: Head, message: SendMessage) -> SendReply:
        """Store a message to the staff member who answers. No model is asked."""
        span = current()
        options = restate.RunOptions(type_hint=Arrival)
        arrival = await ctx.run_typed("arrival", self.look_at_clock, options, parent_traceparent())
        if span is not None:
            span.restore(arrival.trace, arrival.at)
        await ask_to_write(ctx, head)
        head, done = customer_wrote(head, arrival.at, message.text)
        head = start_silence_timer(ctx, head, arrival.silent_max)
        count_staffed()
        describe({STAFFED: True})
        done = with_ids(ctx, done).model_copy(update={"tasks": tuple(filter(None, [message.task]))})
        return send_reply(store_turn(ctx, head, arrival.at, done, self.settings), done)

    async def look_at_clock(self, trace: str) -> Arrival:
        return Arrival(at=datetime.now(UTC), trace=trace, silent_max=self.settings.staff_silent_max)

    async def find_consent(
        self, ctx: restate.ObjectContext, head: Head, start: TurnStart, message: SendMessage
    ) -> Literal["yes", "no"] | None:
        """Return the message's yes or no if it can only answer the pending question: the customer must have seen it."""
        held, consent = head.held, read_consent(message.text)
        if held is None or consent is None or start.at >= held.expires_at or not held.by_word:
            return None
        if message.seen is not None and message.seen != head.turns_total:
            return None
        # A client's word does not replace the check: it may name a turn that was yet to come.
        if message.seen is not None and start.journal < SEEN_IS_CHECKED:
            return consent
        try:
            asked_before = self.introspection.ended_before
            seen = await ctx.run_typed("asked before", asked_before, ASKED_OPTIONS, held.asked_by, ctx.request().id)
        except restate.TerminalError as error:
            if error.status_code == CANCELLATION_STATUS:
                raise
            why = private(error)
            logger.warning("cannot check that a yes came after its question, so it does not count: %s", why)
            return None
        return consent if seen else None

    async def decide(
        self, ctx: restate.ObjectContext, decision: HeldDecision, consent: Literal["yes", "no"]
    ) -> SendReply:
        """Take the customer's explicit yes or no. Raises 409 if the question is no longer open."""
        head = require_new_request(ctx, require_head(ctx, await load_head(ctx, decision)))
        if head.staff is not None:
            raise restate.TerminalError(QUESTION_CLOSED, status_code=409)
        start = await self.begin(ctx, head)
        if head.held is None or head.held.held_id != decision.held_id:
            raise restate.TerminalError(QUESTION_CLOSED, status_code=409)
        if start.at >= head.held.expires_at:
            raise restate.TerminalError(QUESTION_EXPIRED, status_code=409)
        return await self.proceed(ctx, head, in_tasks(head, start, consent), consent.capitalize() + ".", consent)

    async def proceed(
        self,
        ctx: restate.ObjectContext,
        head: Head,
        start: TurnStart,
        text: str,
        consent: Literal["yes", "no"] | None,
    ) -> SendReply:
        """Answer the message, and store the turn."""
        opening = open_message(head, text, consent)
        settled = opening.settled
        # Confirmed calls are made even if their question has used up the budget, because they were promised.
        over = over_budget(head, self.settings) if start.over_budget is None else start.over_budget
        if settled is None and not opening.confirmed and over:
            logger.warning("session %s has reached its budget", public_part(ctx.key()))
            settled = FinishedTurn(text=OVER_BUDGET, added=(*opening.messages, Notice(text=OVER_BUDGET)), failed=True)
        if head.held is not None:
            link(head.held.trace)
            count_confirmation(head.held, consent, start.at)
        if settled is not None:
            # Not counted as an apology, because no agent has failed.
            count_message(settled, self.settings, "overspent" if settled.failed else "")
            return commit_turn(ctx, head, start.at, with_ids(ctx, settled, start), self.settings)
        if start.customer_limited:
            start = await ask_for_tokens(ctx, head, start, promised=bool(opening.confirmed))
        with live_turn(ctx, head, run_id(ctx.request().id)) as live:
            live.tell(TurnStarted(at=start.at))
            return await self.ask_agents(ctx, head, start, opening, live)

    async def ask_agents(
        self, ctx: restate.ObjectContext, head: Head, start: TurnStart, opening: Opening, live: LiveTurn
    ) -> SendReply:
        """Let the agents answer the message, and store the turn."""
        stops = StopSignals(ctx, head, start, self.settings.turn_deadline)
        try:
            route = Route(head, start, self.directory, self.first_agent, opening, stops, live)
            done = await follow_hand_offs(ctx, route)
            held = await self.hold(ctx, head, start, done) if done.question is not None else None
        except restate.TerminalError:
            ctx.clear(RUNNING)  # An operator cancelled this message.
            if start.customer_limited:
                settle_by_estimate(ctx, head)
            raise
        if done.changed is not None:
            await mark_withheld(ctx, done.changed)
        count_message(done, self.settings)
        new = store_turn(ctx, head, start.at, with_ids(ctx, done, start), self.settings, held, start, live)
        if stops.take_over is None:
            return send_reply(new, done)
        # In the same write as the outcome, so that no other message comes between them.
        staffed = store_take_over(ctx, new, stops.take_over, self.settings)
        return send_reply(new, done).model_copy(update={"staffed": staffed.staff is not None})

    async def hold(
        self, ctx: restate.ObjectContext, head: Head, start: TurnStart, done: FinishedTurn
    ) -> PendingConfirmation:
        """Return the calls of a question as pending from now until they expire."""
        assert done.question is not None
        asked_at = datetime.fromtimestamp(await ctx.time(), tz=UTC)
        return PendingConfirmation(
            held_id=str(ctx.uuid()),
            agent=done.agents[-1],
            asked_by=ctx.request().id,
            asked_at=asked_at,
            trace=span.traceparent if (span := current()) else "",
            calls=done.question.held,
            expires_at=asked_at + self.settings.consent_expires_after,
            turn=head.turns_total + 1 if start.events else 0,
            tasks=turns_of_tasks(head, start.tasks),
        )

    async def begin(self, ctx: restate.ObjectContext, head: Head) -> TurnStart:
        """Look up the time and the agents. Raises 503 after AGENT_LOOKUP_MAX, to release the session's lock."""
        span = current()
        try:
            start = await ctx.run_typed("begin", self.look_up, BEGIN_OPTIONS, parent_traceparent(), head)
        except restate.TerminalError as error:
            if error.status_code == CANCELLATION_STATUS:
                raise
            count_unserved()
            raise restate.TerminalError(NO_AGENTS, status_code=503) from error
        if span is not None:
            span.restore(start.trace, start.at)
        return start

    async def look_up(self, trace: str, head: Head) -> TurnStart:
        return TurnStart(
            at=datetime.now(UTC),
            cards=await self.directory.cards(),
            trace=trace,
            journal=JOURNAL,
            tokens_left=max(self.settings.session_tokens_max - head.tokens, 0),
            over_budget=over_budget(head, self.settings),
            customer_limited=True,
            estimate=estimated_tokens(head),
            idle_max=self.settings.session_idle_max,
            events=NUMBERS,
        )


def require_open_task(head: Head, message: SendMessage) -> None:
    """Raises 409 for a message that continues a task without an open question."""
    if message.continues and (head.held is None or message.task not in head.held.tasks):
        raise restate.TerminalError(TASK_OVER, status_code=409)


def in_tasks(head: Head, start: TurnStart, consent: Literal["yes", "no"] | None, task: str = "") -> TurnStart:
    """Return the start of a turn with the tasks that its message belongs to: its own, and those that it answers."""
    answered = head.held.tasks if head.held is not None and consent is not None else ()
    return start.model_copy(update={"tasks": tuple(dict.fromkeys(filter(None, (task, *answered))))})


def with_ids(ctx: restate.ObjectContext, done: FinishedTurn, start: TurnStart | None = None) -> FinishedTurn:
    """Return the turn with the ids of its trace and its invocation. Records in older journals have none."""
    if start is not None and not start.events:
        return done
    trace_id = span.trace_id if (span := current()) else ""
    tasks = start.tasks if start is not None else ()
    return done.model_copy(update={"trace_id": trace_id, "invocation_id": ctx.request().id, "tasks": tasks})
