"""The Session object's state. Reads check that the session is the customer's own; a turn is written atomically."""

import json
import logging
from contextlib import AbstractContextManager
from datetime import datetime

import restate

from switchboard.events import TurnFinished
from switchboard.messages import Confirmation
from switchboard.runtime.live import LIVE, LiveTurn
from switchboard.session.a2a import TERMINAL, TaskName, task_json
from switchboard.session.contract import (
    OTHER_CUSTOMERS_SESSION,
    SESSION_EXPIRED,
    CustomerRequest,
    SendMessage,
    SendReply,
    SessionTask,
    TaskTurns,
    TurnRecord,
    session_id,
)
from switchboard.session.customers import settle
from switchboard.session.expiry import start_expiry
from switchboard.session.hops import RUNNING
from switchboard.session.push_contract import TASK_PUSH, TaskChanged
from switchboard.session.settings import SessionSettings
from switchboard.session.state import (
    Changed,
    FinishedTurn,
    Head,
    PendingConfirmation,
    Running,
    TurnStart,
    head_after_turn,
    hear,
    over_budget,
    trim_window,
    turn_record,
    turns_of_tasks,
)
from switchboard.session.summaries import request_summary
from switchboard.session.turn_events import events_of_record, reply_event, run_id
from switchboard.session.window import visible
from switchboard.session_ids import public_part
from switchboard.speaker import SPEAKER_HEADER, token_id
from switchboard.telemetry.spans import current, propagation_headers

logger = logging.getLogger(__name__)

HEAD = "head"
"""State key of the session's head. Each turn has a key of its own; see `turn_key`."""

SIGN_IN_REQUIRED = (
    "This conversation belongs to a signed-in customer. Please sign in to continue it, or start a new one."
)

SENT_TWICE = "This request was already accepted. It was not carried out a second time."

AnyContext = restate.ObjectContext | restate.ObjectSharedContext


async def load_head(ctx: AnyContext, request: CustomerRequest, expired_too: bool = False) -> Head | None:
    """Return the session's state; None for a new session.

    Raises 403 if it belongs to another customer, and, unless `expired_too`, 410 if it has expired.
    """
    try:
        session_id(ctx.key())
    except ValueError as error:
        raise restate.TerminalError(f"The session's key {error}.", status_code=400) from error
    head = await ctx.get(HEAD, type_hint=Head)
    if head is not None:
        require_own_session(ctx, head, request)
        if head.expired_at is not None and not expired_too:
            raise restate.TerminalError(SESSION_EXPIRED, status_code=410)
    return head


async def load_running(ctx: restate.ObjectSharedContext, request: CustomerRequest) -> Running | None:
    """Return the running message, if any. Raises 403 for another customer, also during a session's first turn."""
    running = await ctx.get(RUNNING, type_hint=Running)
    if running is not None:
        require_own_session(ctx, running, request)
    return running


def require_own_session(ctx: AnyContext, own: Head | Running, request: CustomerRequest) -> None:
    """Raises 403 for another customer, and for an unauthenticated one if the session's customer has signed in."""
    if own.customer_id != request.customer_id:
        logger.warning(
            "refused: customer %s asked for session %s of another customer", request.customer_id, public_part(ctx.key())
        )
        raise restate.TerminalError(OTHER_CUSTOMERS_SESSION, status_code=403)
    if own.signed_in and not request.signed_in:
        logger.warning(
            "refused: session %s belongs to a signed-in customer, and the request is unauthenticated",
            public_part(ctx.key()),
        )
        raise restate.TerminalError(SIGN_IN_REQUIRED, status_code=403)


def new_head(request: CustomerRequest | Running, first_agent: str) -> Head:
    return Head(customer_id=request.customer_id, signed_in=request.signed_in, active=first_agent)


def mark_signed_in(message: SendMessage, head: Head) -> Head:
    """Mark the session as signed in if the message is. A session never becomes unauthenticated again."""
    return head.model_copy(update={"signed_in": head.signed_in or message.signed_in})


def require_new_request(ctx: AnyContext, head: Head) -> Head:
    """Return the session with this request remembered. Raises 409 for a copy of a signed request that it has heard."""
    heard = hear(head, token_id(ctx.request().headers.get(SPEAKER_HEADER, "")))
    if heard is None:
        logger.warning("refused: a signed request was sent a second time with another idempotency key")
        raise restate.TerminalError(SENT_TWICE, status_code=409)
    return heard


def require_head(ctx: AnyContext, head: Head | None) -> Head:
    if head is None:
        raise restate.TerminalError(
            f"Session {ctx.key()!r} does not exist yet. Send a message to start it.", status_code=404
        )
    return head


def commit_turn(
    ctx: restate.ObjectContext,
    head: Head,
    at: datetime,
    done: FinishedTurn,
    settings: SessionSettings,
    held: PendingConfirmation | None = None,
    start: TurnStart | None = None,
) -> SendReply:
    """Write the turn and the new head. There is no await between here and the reply, so the write is atomic.

    `start` is given by turns that agents took part in: their customer's account is told what they used.
    """
    new = store_turn(ctx, head, at, done, settings, held, start)
    return send_reply(new, done)


def store_turn(
    ctx: restate.ObjectContext,
    head: Head,
    at: datetime,
    done: FinishedTurn,
    settings: SessionSettings,
    held: PendingConfirmation | None = None,
    start: TurnStart | None = None,
    live: LiveTurn | None = None,
) -> Head:
    """Write the turn and return the new head, which is written too. For one write of several turns.

    `live` has told the turn's events so far; without it, all are told now.
    """
    new, oldest = trim_window(head_after_turn(head, at, done, held, settings))
    if oldest and over_budget(new, settings):
        new = new.model_copy(update={"folding": 0})  # Do not pay for a summary.
    elif oldest:
        request_summary(ctx, new, oldest)
    if start is not None and start.customer_limited:
        new = settle(ctx, head, new)
    if start is not None:
        new = start_expiry(ctx, new, start)
    record = turn_record(new.turns_total, at, done)
    ctx.set(turn_key(new.turns_total), record)
    for task, turns in turns_of_tasks(head, record.tasks).items():
        ctx.set(task_key(task), TaskTurns(turns=turns, asked=done.question is not None))
        tell_task(ctx, new, TaskName(ctx.key(), task), record, open_question(new, done))
    ctx.set(HEAD, new)
    ctx.clear(RUNNING)
    if live is not None:
        live.commit(reply_event(record, open_question(new, done)))
    else:
        tell_record(ctx, head, record)
    return new


def tell_task(
    ctx: restate.ObjectContext, new: Head, name: TaskName, record: TurnRecord, asked: Confirmation | None
) -> None:
    """Tell the clients that watch a task about the turn. Without any, nothing comes of it."""
    shown = record.for_customers()
    task = SessionTask(turns=(shown,) if shown else (), asked=asked is not None, confirmation=asked)
    content = task_json(name, task, record.at)
    changed = TaskChanged(
        customer_id=new.customer_id,
        signed_in=new.signed_in,
        payload=json.dumps({"task": content}),
        over=content["status"]["state"] in TERMINAL,
    )
    body = changed.model_dump_json().encode()
    ctx.generic_send(TASK_PUSH, "changed", body, key=str(name), headers=propagation_headers())


def send_reply(new: Head, done: FinishedTurn) -> SendReply:
    """Return the reply to the customer for a turn that is stored."""
    return SendReply(
        text=done.text,
        agent=new.active,
        turn=new.turns_total,
        hand_offs=done.agents[1:],
        failed=done.failed,
        interrupted=done.interrupted,
        confirmation=open_question(new, done),
        trace_id=span.trace_id if (span := current()) else "",
        staffed=new.staff is not None,
    )


def live_turn(ctx: restate.ObjectContext, head: Head, run: str) -> AbstractContextManager[LiveTurn]:
    """Return the next turn of the session, whose events are told while it runs."""
    return LIVE.turn(ctx.key(), head.customer_id, head.signed_in, run, head.turns_total + 1)


def tell_record(ctx: restate.ObjectContext, head: Head, record: TurnRecord) -> None:
    """Tell all events of a turn that no agent took part in. A note of staff for colleagues is told to no one."""
    if record.act == "note":
        return
    *before, reply = events_of_record(record)
    # A take-over can be stored with the turn that it has stopped, in one invocation.
    run = run_id(record.invocation_id or f"{ctx.request().id}/{record.turn}")
    with live_turn(ctx, head, run) as live:
        live.tell(*(numbered.event for numbered in before))
        assert isinstance(reply.event, TurnFinished)
        live.commit(reply.event)


def open_question(new: Head, done: FinishedTurn) -> Confirmation | None:
    """Return the question that a turn has asked, if it is one."""
    return new.held.confirmation() if done.question is not None and new.held is not None else None


async def mark_withheld(ctx: restate.ObjectContext, changed: Changed) -> None:
    """Mark in the records of earlier turns which of their messages models no longer see."""
    for turn in changed.window:
        if turn.turn not in changed.withheld:
            continue
        record = await ctx.get(turn_key(turn.turn), type_hint=TurnRecord)
        if record is not None:
            messages = tuple(visible(message) for message in turn.messages)
            ctx.set(turn_key(turn.turn), record.model_copy(update={"messages": messages}))


def turn_key(turn: int) -> str:
    return f"turn/{turn:06d}"


def task_key(task: str) -> str:
    return f"task/{task}"
