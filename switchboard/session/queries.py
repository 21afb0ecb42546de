"""Read-only queries of a session. They work also while a turn runs."""

import asyncio
import logging
from datetime import timedelta

import restate

from switchboard.session.contract import (
    TASK_UNKNOWN,
    TRANSCRIPT_PAGE_MAX_BYTES,
    CustomerRequest,
    EventsPage,
    EventsRequest,
    RunningMessage,
    RunningTurn,
    SessionStatus,
    SessionTask,
    TaskRequest,
    TaskTurns,
    Transcript,
    TranscriptRequest,
    TurnRecord,
)
from switchboard.session.hops import RUNNING
from switchboard.session.introspection import LOOKUP_FAILURES, Introspection
from switchboard.session.ratings import keys_of_ratings, with_rating
from switchboard.session.settings import SessionSettings
from switchboard.session.staff_contract import EventsQuery, TranscriptPage
from switchboard.session.staffed import shown_mode
from switchboard.session.state import Head, Running
from switchboard.session.storage import HEAD, load_head, load_running, new_head, require_head, task_key, turn_key
from switchboard.session.turn_events import run_id
from switchboard.session_ids import public_part
from switchboard.telemetry.logs import private

logger = logging.getLogger(__name__)

LOOK_TIMEOUT = timedelta(milliseconds=1500)
"""How long a status waits for the running calls, which Restate's tables have. It takes milliseconds unless Restate is
overloaded. The gateway gives a request ten seconds."""


PAGE_READS_MAX = 1_000
"""Turns that are read for one page. A page that leaves many out is short, and says where the next one starts."""


class SessionQueries:
    """Reads a session's transcript and status."""

    def __init__(self, introspection: Introspection, settings: SessionSettings, first_agent: str) -> None:
        self.introspection = introspection
        self.settings = settings
        self.first_agent = first_agent
        self._looks: dict[str, asyncio.Task[RunningTurn]] = {}

    async def transcript(self, ctx: restate.ObjectSharedContext, request: TranscriptRequest) -> Transcript:
        """Return a page of turns. The page ends at `request.limit` or TRANSCRIPT_PAGE_MAX_BYTES."""
        head = require_head(ctx, await load_head(ctx, request))
        return await self.page(ctx, head, request.after, request.limit, for_staff=False)

    async def transcript_for_staff(self, ctx: restate.ObjectSharedContext, request: TranscriptPage) -> Transcript:
        """Return a page of turns of any customer's session."""
        head = require_head(ctx, await ctx.get(HEAD, type_hint=Head))
        return await self.page(ctx, head, request.after, request.limit, for_staff=True)

    async def page(
        self, ctx: restate.ObjectSharedContext, head: Head, after: int, limit: int, for_staff: bool = True
    ) -> Transcript:
        """Return turns after a number, as staff or as the customer may see them.

        A customer's page is filled although it leaves turns out: clients of earlier versions take an empty page for the
        end of the transcript. But it does not read the whole session for that.
        """
        rated = await keys_of_ratings(ctx, head)
        turns: list[TurnRecord] = []
        size_bytes = 0
        last = after
        for number in range(after + 1, min(head.turns_total, after + PAGE_READS_MAX) + 1):
            if len(turns) == limit or size_bytes > TRANSCRIPT_PAGE_MAX_BYTES:
                break
            stored = await ctx.get(turn_key(number), type_hint=TurnRecord)
            if stored is None:
                break
            last = number
            turn = stored if for_staff else stored.for_customers()
            if turn is not None:
                turn = await with_rating(ctx, turn, rated)
                turns.append(turn)
                size_bytes += len(turn.model_dump_json().encode())
        return Transcript(turns=tuple(turns), turns_total=head.turns_total, last=last)

    async def status(self, ctx: restate.ObjectSharedContext, request: CustomerRequest) -> SessionStatus:
        # In this order: a first turn that ends between the two reads is then in the head.
        running, head = await load_running(ctx, request), await load_head(ctx, request)
        return await self.status_of(ctx, head, running, for_staff=False)

    async def status_for_staff(self, ctx: restate.ObjectSharedContext) -> SessionStatus:
        """Return the status of any customer's session."""
        running, head = await ctx.get(RUNNING, type_hint=Running), await ctx.get(HEAD, type_hint=Head)
        return await self.status_of(ctx, head, running, for_staff=True)

    async def status_of(
        self, ctx: restate.ObjectSharedContext, head: Head | None, running: Running | None, for_staff: bool
    ) -> SessionStatus:
        if head is None and running is not None:
            head = new_head(running, self.first_agent)
        return await self.describe_status(ctx, require_head(ctx, head), running, for_staff)

    async def events(self, ctx: restate.ObjectSharedContext, request: EventsRequest) -> EventsPage:
        # In this order: a turn that is committed between the two reads is then in the head.
        running, head = await load_running(ctx, request), await load_head(ctx, request)
        page = await self.events_page(ctx, head, running, request.after, request.limit)
        # The runs stay: they do not reveal Restate's ids, which customers do not get.
        return page.model_copy(update={"turns": for_customers(page.turns)})

    async def task(self, ctx: restate.ObjectSharedContext, request: TaskRequest) -> SessionTask:
        """Return a task. Raises 404 for a task that has no turn yet, such as one whose message waits."""
        # In this order: a turn that is committed between the reads is then in the index.
        running, head = await load_running(ctx, request), await load_head(ctx, request)
        turns = await ctx.get(task_key(request.task), type_hint=TaskTurns)
        ours = running if running is not None and request.task in running.tasks else None
        if turns is None and ours is None:
            raise restate.TerminalError(TASK_UNKNOWN, status_code=404)
        if ours is not None and head is None:
            head = new_head(ours, self.first_agent)
        head, found = require_head(ctx, head), turns or TaskTurns(turns=())
        records = [await ctx.get(turn_key(turn), type_hint=TurnRecord) for turn in found.turns]
        return SessionTask(
            turns=for_customers(tuple(record for record in records if record is not None)),
            asked=found.asked,
            confirmation=head.held.confirmation() if head.held and request.task in head.held.tasks else None,
            running=running_message(head, ours) if ours is not None else None,
        )

    async def events_for_staff(self, ctx: restate.ObjectSharedContext, query: EventsQuery) -> EventsPage:
        """Return the page of any customer's session."""
        running, head = await ctx.get(RUNNING, type_hint=Running), await ctx.get(HEAD, type_hint=Head)
        page = await self.events_page(ctx, head, running, query.after, query.limit)
        return page.model_copy(update={"session_id": ctx.key()})

    async def events_page(
        self, ctx: restate.ObjectSharedContext, head: Head | None, running: Running | None, after: int, limit: int
    ) -> EventsPage:
        if head is None and running is not None:
            head = new_head(running, self.first_agent)
        head = require_head(ctx, head)
        page = await self.page(ctx, head, after, limit, for_staff=True)
        return EventsPage(
            customer_id=head.customer_id,
            signed_in=head.signed_in or (running is not None and running.signed_in),
            turns=page.turns,
            last=page.last,
            turns_total=page.turns_total,
            runs={turn.turn: run_id(turn.invocation_id) for turn in page.turns if turn.invocation_id},
            confirmation=head.held.confirmation() if head.held else None,
            asked_in=(head.held.turn or head.turns_total) if head.held else 0,
            running=running_message(head, running) if running is not None else None,
        )

    async def describe_status(
        self, ctx: restate.ObjectSharedContext, head: Head, running: Running | None, for_staff: bool
    ) -> SessionStatus:
        turn = None
        if running is not None:
            options = restate.RunOptions(type_hint=RunningTurn)
            turn = await ctx.run_typed("look", self.running_turn, options, running)
        return SessionStatus(
            session_id=public_part(ctx.key()) if for_staff else ctx.key(),
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
            staff=shown_mode(head, for_staff),
        )

    async def running_turn(self, running: Running) -> RunningTurn:
        """Return the running turn with its calls, or without them if Restate's tables cannot be read in LOOK_TIMEOUT.

        Polls of the same turn that arrive while one looks share its answer.
        """
        turn = running.invocation_id
        if turn not in self._looks:
            look = self._looks[turn] = asyncio.create_task(self._look(running))
            look.add_done_callback(lambda _: self._looks.pop(turn, None))
        return await asyncio.shield(self._looks[turn])

    async def _look(self, running: Running) -> RunningTurn:
        try:
            async with asyncio.timeout(LOOK_TIMEOUT.total_seconds()):
                return await self.introspection.running_turn(running)
        except LOOKUP_FAILURES as error:
            logger.warning("cannot read the running calls: %s", private(error))
            return RunningTurn(since=running.since, calls=())


def running_message(head: Head, running: Running) -> RunningMessage | None:
    """Return the running message; None if it was committed before the head was read."""
    turn = running.turn or head.turns_total + 1
    if turn <= head.turns_total:
        return None
    return RunningMessage(turn=turn, run=run_id(running.invocation_id), since=running.since)


def for_customers(turns: tuple[TurnRecord, ...]) -> tuple[TurnRecord, ...]:
    """Return the records as their customer may see them."""
    shown = (turn.for_customers() for turn in turns)
    return tuple(turn for turn in shown if turn is not None)
