"""What the Session object keeps, and for whom: reading it checks the customer, and a turn is written as a whole."""

import logging
from datetime import datetime

import restate

from switchboard.session.contract import CustomerRequest, SendMessage, SendReply, session_id
from switchboard.session.hops import RUNNING
from switchboard.session.settings import SessionSettings
from switchboard.session.state import Finished, Head, Held, Running, after, overspent, record, trimmed
from switchboard.session.summaries import ask_for_summary
from switchboard.telemetry.spans import current

logger = logging.getLogger(__name__)

HEAD = "head"
"""State key of the session's head; the turns have a key each, see `turn_key`."""

FOREIGN = "This session belongs to another customer. Start one of your own."
SIGNED_OUT = "This conversation is that of a signed-in customer. Sign in to go on with it, or begin a new one."

AnyContext = restate.ObjectContext | restate.ObjectSharedContext


async def own_head(ctx: AnyContext, request: CustomerRequest) -> Head | None:
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


def refuse_foreign(ctx: AnyContext, own: Head | Running, request: CustomerRequest) -> None:
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


def known(ctx: AnyContext, head: Head | None) -> Head:
    if head is None:
        raise restate.TerminalError(f"There is no session {ctx.key()!r} yet. Send a message first.", status_code=404)
    return head


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
