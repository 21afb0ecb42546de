"""How a staff member takes a session over, writes in it and hands it back.

Who answers changes only under the session's lock. A take-over that waited in Restate's queue for the lock would let
agents answer all messages before it. So the running turn is asked to stop, and the request travels with the stop: the
turn commits its outcome and the take-over in one write. Messages behind it then find the staff member. If the turn ends
before the stop arrives, the next one is asked. The staff member is told only when the take-over is committed.
"""

import logging
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import restate

from switchboard.messages import WireModel
from switchboard.runtime.invocations import NOTHING_RETAINED
from switchboard.session.contract import SESSION, SESSION_EXPIRED
from switchboard.session.hops import RUNNING
from switchboard.session.metrics import count_confirmation, count_hand_back, count_take_over
from switchboard.session.settings import SessionSettings
from switchboard.session.staff_contract import (
    ANSWERED_BY_COLLEAGUE,
    HAND_BACK,
    NOT_TAKEN_OVER,
    STAFF_MESSAGE,
    STAFF_NOTE,
    TAKE_OVER,
    StaffHandBack,
    StaffMessage,
    StaffNote,
    StaffTakeOver,
    StaffTurn,
)
from switchboard.session.staffed import (
    TakeOver,
    handed_back,
    held_by_another,
    shown_mode,
    staff_noted,
    staff_wrote,
    taken_over,
)
from switchboard.session.state import Head, Running, StaffMode
from switchboard.session.storage import HEAD, AnyContext, require_head, require_new_request, store_turn
from switchboard.session_ids import public_part
from switchboard.speaker import SPEAKER_HEADER
from switchboard.telemetry.spans import STAFFED, describe, propagation_headers

logger = logging.getLogger(__name__)

TAKE = "staff_take"
"""The exclusive handler of a take-over. `staff_take_over` calls it."""

SILENCE = "staff_silence"
"""Name of the handler that the timer of a silent staff member calls."""

STOP_AGAIN_MIN = timedelta(milliseconds=50)
STOP_AGAIN_MAX = timedelta(seconds=1)
"""Pauses before a take-over looks again for a turn to stop. Longer than a turn needs to begin; doubled each time."""


class Moment(WireModel):
    """The time, and how long a customer may wait for a staff member. Journaled, because both change before a replay."""

    at: datetime
    silent_max: timedelta


class SilenceCheck(WireModel):
    """The timer of a staff member's silence, by the turn that started it. A session ignores all but its own."""

    started_by: int


MOMENT_OPTIONS = restate.RunOptions(type_hint=Moment)


def add_take_over(session: restate.VirtualObject, settings: SessionSettings) -> None:
    """Add the handlers that the staff door calls, and the one of the timer."""

    @session.handler(TAKE_OVER, kind="shared", ingress_private=True)
    async def take_over(ctx: restate.ObjectSharedContext, request: StaffTakeOver) -> StaffTurn:
        """Let a staff member answer in the agents' place. Stops the running turn. 409 if a colleague does already."""
        # In this order: a first turn that ends between the two reads is then in the head.
        running = await running_of(ctx)
        head = require_session(ctx, await ctx.get(HEAD, type_hint=Head), running)
        refuse_take_over(ctx, head, request)
        now = await moment(ctx, settings)
        wanted = TakeOver(by=request.by, at=now.at, from_colleague=request.from_colleague, silent_max=now.silent_max)
        return await stop_and_take(ctx, wanted)

    @session.handler(TAKE, ingress_private=True)
    async def take(ctx: restate.ObjectContext, wanted: TakeOver) -> StaffTurn:
        """Change who answers, unless a stopped turn has done so. 409 if a colleague was faster."""
        head = require_live(ctx, await ctx.get(HEAD, type_hint=Head))
        if (held := held_by_another(head, wanted.by, wanted.from_colleague)) is not None:
            raise held_by_colleague(held)
        head = require_new_request(ctx, head)
        if head.staff is None or head.staff.by != wanted.by:
            head = store_take_over(ctx, head, wanted, settings)
        ctx.set(HEAD, head)
        return staff_turn(head)

    @session.handler(STAFF_MESSAGE, ingress_private=True)
    async def staff_message(ctx: restate.ObjectContext, message: StaffMessage) -> StaffTurn:
        """Write to the customer. 409 unless this staff member answers in the session."""
        head = await own_head(ctx, message.by)
        now = await moment(ctx, settings)
        head, done = staff_wrote(head, message.text)
        return staff_turn(store_turn(ctx, head, now.at, done, settings))

    @session.handler(STAFF_NOTE, ingress_private=True)
    async def staff_note(ctx: restate.ObjectContext, note: StaffNote) -> StaffTurn:
        """Add a note for colleagues. 409 unless a staff member answers in the session."""
        head = require_staffed(require_live(ctx, await ctx.get(HEAD, type_hint=Head)))
        now = await moment(ctx, settings)
        head = require_new_request(ctx, head)
        return staff_turn(store_turn(ctx, head, now.at, staff_noted(note.by, note.text), settings))

    @session.handler(HAND_BACK, ingress_private=True)
    async def hand_back(ctx: restate.ObjectContext, request: StaffHandBack) -> StaffTurn:
        """Let the agents answer again. 409 unless this staff member answers in the session."""
        head = await own_head(ctx, request.by)
        now = await moment(ctx, settings)
        return staff_turn(store_hand_back(ctx, head, now.at, request.by, request.note, settings))

    @session.handler(SILENCE, ingress_private=True, **NOTHING_RETAINED)
    async def silence(ctx: restate.ObjectContext, check: SilenceCheck) -> None:
        """Hand back if the customer has waited too long for the staff member. Sent by the timer."""
        head = await ctx.get(HEAD, type_hint=Head)
        if head is not None and head.staff is not None and head.staff.timer == check.started_by:
            await check_silence(ctx, check, head, head.staff, settings)


async def stop_and_take(ctx: restate.ObjectSharedContext, wanted: TakeOver) -> StaffTurn:
    """Ask for the session's lock, and ask each turn that has it meanwhile to stop and to commit the take-over."""
    body = wanted.model_dump_json()
    headers = {**propagation_headers(), SPEAKER_HEADER: ctx.request().headers.get(SPEAKER_HEADER, "")}
    taking = ctx.generic_call(SESSION, TAKE, body.encode(), key=ctx.key(), headers=headers)
    asked, pause = "", STOP_AGAIN_MIN
    ended: list[Any] = []
    while taking not in ended:
        running = await running_of(ctx)
        if running is not None and running.stop_id != asked:
            asked = running.stop_id
            ctx.resolve_awakeable(asked, body)
        ended, _ = await restate.wait_completed(taking, ctx.sleep(pause, name="stop again"))
        pause = min(2 * pause, STOP_AGAIN_MAX)
    return StaffTurn.model_validate_json(await taking)


async def running_of(ctx: restate.ObjectSharedContext) -> Running | None:
    """Return the running message as it is now; a shared handler sees what the exclusive one has set."""
    return await ctx.get(RUNNING, type_hint=Running)


def store_take_over(ctx: restate.ObjectContext, head: Head, wanted: TakeOver, settings: SessionSettings) -> Head:
    """Write that the staff member answers from now on. There is no await in here, so the write is atomic."""
    if head.held is not None:
        count_confirmation(head.held, None, wanted.at)
    count_take_over(from_colleague=head.staff is not None)
    describe({STAFFED: True})
    logger.info("staff member %s takes session %s over", wanted.by, public_part(ctx.key()))
    head, done = taken_over(head, wanted)
    head = start_silence_timer(ctx, head, wanted.silent_max)
    return store_turn(ctx, head, wanted.at, done, settings)


def store_hand_back(
    ctx: restate.ObjectContext, head: Head, at: datetime, by: str, note: str, settings: SessionSettings
) -> Head:
    """Write that the agents answer again. `by` is empty if the staff member was silent for too long."""
    assert head.staff is not None
    count_hand_back("returned" if by else "silent", at - head.staff.since)
    logger.info("session %s goes back to the agents from %s", public_part(ctx.key()), head.staff.by)
    head, done = handed_back(head, at, by, note)
    return store_turn(ctx, head, at, done, settings)


def start_silence_timer(ctx: restate.ObjectContext, head: Head, silent_max: timedelta) -> Head:
    """Start the timer if the customer waits and it does not run. Returns the session with the timer."""
    mode = head.staff
    if mode is None or mode.waiting_since is None or mode.timer or not silent_max:
        return head
    started_by = head.turns_total + 1
    send_check(ctx, SilenceCheck(started_by=started_by), silent_max)
    return head.model_copy(update={"staff": mode.model_copy(update={"timer": started_by})})


def send_check(ctx: restate.ObjectContext, check: SilenceCheck, delay: timedelta) -> None:
    ctx.generic_send(SESSION, SILENCE, check.model_dump_json().encode(), key=ctx.key(), send_delay=delay)


async def check_silence(
    ctx: restate.ObjectContext, check: SilenceCheck, head: Head, mode: StaffMode, settings: SessionSettings
) -> None:
    """Hand back, or wait for the rest of the time. The timer ends while no message of the customer waits."""
    now = await moment(ctx, settings)
    if mode.waiting_since is None or not now.silent_max:
        ctx.set(HEAD, head.model_copy(update={"staff": mode.model_copy(update={"timer": 0})}))
        return
    left = mode.waiting_since + now.silent_max - now.at
    if left > timedelta(0):
        send_check(ctx, check, left)
    else:
        store_hand_back(ctx, head, now.at, "", "", settings)


async def moment(ctx: AnyContext, settings: SessionSettings) -> Moment:
    return await ctx.run_typed("moment", partial(read_moment, settings), MOMENT_OPTIONS)


async def read_moment(settings: SessionSettings) -> Moment:
    return Moment(at=datetime.now(UTC), silent_max=settings.staff_silent_max)


async def own_head(ctx: restate.ObjectContext, by: str) -> Head:
    """Return the session in which this staff member answers, with the request remembered. Raises 409 otherwise."""
    head = require_staffed(require_live(ctx, await ctx.get(HEAD, type_hint=Head)))
    if (held := held_by_another(head, by)) is not None:
        raise held_by_colleague(held)
    return require_new_request(ctx, head)


def require_live(ctx: AnyContext, head: Head | None) -> Head:
    """Raises 404 for an unknown session, and 410 for an expired one."""
    head = require_head(ctx, head)
    if head.expired_at is not None:
        raise restate.TerminalError(SESSION_EXPIRED, status_code=410)
    return head


def require_session(ctx: AnyContext, head: Head | None, running: Running | None) -> Head | None:
    """Return the session, or None during its first turn. Raises 404 and 410."""
    return None if head is None and running is not None else require_live(ctx, head)


def refuse_take_over(ctx: AnyContext, head: Head | None, request: StaffTakeOver) -> None:
    """Raises 409 before a turn is stopped: if a colleague answers in the session, or for a copy of a request."""
    if head is not None:
        require_new_request(ctx, head)
    if head is not None and (held := held_by_another(head, request.by, request.from_colleague)) is not None:
        raise held_by_colleague(held)


def held_by_colleague(held: StaffMode) -> restate.TerminalError:
    return restate.TerminalError(ANSWERED_BY_COLLEAGUE.format(by=held.by, since=held.since), status_code=409)


def require_staffed(head: Head) -> Head:
    if head.staff is None:
        raise restate.TerminalError(NOT_TAKEN_OVER, status_code=409)
    return head


def staff_turn(head: Head) -> StaffTurn:
    return StaffTurn(turn=head.turns_total, staff=shown_mode(head, for_staff=True))
