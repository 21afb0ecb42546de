"""The Session object: one customer's conversation, the only lock in the mesh, and the one who follows hand-offs."""

import logging
import re
from datetime import UTC, datetime, timedelta

import restate
from pydantic import ValidationError

from services.triage.contract import (
    SESSION,
    SESSION_ID,
    SendMessage,
    SendReply,
    SessionStatus,
    StatusRequest,
    Transcript,
    TranscriptRequest,
    TurnRecord,
)
from services.triage.directory import TURN_HANDLER, Directory
from services.triage.window import recent
from switchboard.declare import RETRIES, refuse_bad_input
from switchboard.messages import (
    Card,
    HandOff,
    Identity,
    Message,
    ModelReply,
    Notice,
    Reply,
    TurnOutcome,
    TurnRequest,
    Usage,
    UserText,
    Wire,
)

logger = logging.getLogger(__name__)

HOPS_MAX = 4
"""Hand-offs that are followed for one message."""

TURN_DEADLINE = timedelta(minutes=10)
"""For one message, hand-offs and all; then the running turn is cancelled, and the session is free again."""

IDLE_RETENTION = timedelta(days=1)
"""How long the journal of a message can be read in the Restate UI after its reply."""

LOST_AGENT = "I am sorry, something went wrong on our side and I could not finish this. Please try again."
TOO_SLOW = "I am sorry, this took too long and I stopped it. Please try again."
TOO_MANY_HOPS = (
    "I am sorry, my colleagues and I passed this around without an answer. Please say in other words what you need."
)

HEAD = "head"


class Head(Wire):
    """All that a message needs to know of what was before it. Its size is bounded, so a turn's cost is as well."""

    customer_id: str
    active: str
    turns_total: int = 0
    usage: Usage = Usage()
    window: tuple[Message, ...] = ()


class Beginning(Wire):
    """What is looked up once, when a message arrives."""

    at: datetime
    cards: tuple[Card, ...]


class Followed(Wire):
    """Where following the hand-offs of one message ended."""

    reply: Reply
    active: str
    agents: tuple[str, ...]
    added: tuple[Message, ...]


def session_object(directory: Directory, first_agent: str) -> restate.VirtualObject:
    """The Session object, with its registry of agents and the agent that meets every new customer."""
    session = restate.VirtualObject(
        SESSION,
        description="A customer's conversation with the mesh, by session id.",
        # A conversation grows for months: only the keys that a message needs are read.
        state_preload=False,
        journal_retention=IDLE_RETENTION,
        idempotency_retention=IDLE_RETENTION,
        invocation_retry_policy=RETRIES,
        invocation_context_managers=[refuse_bad_input],
    )

    @session.handler()
    async def send(ctx: restate.ObjectContext, message: SendMessage) -> SendReply:
        """Answer a customer's message. Messages of one session are answered one after the other."""
        head = await own_head(ctx, message.customer_id)
        if head is None:
            head = Head(customer_id=message.customer_id, active=first_agent)
        beginning = await ctx.run_typed("begin", begin, restate.RunOptions(type_hint=Beginning), directory)
        followed = await follow_hand_offs(ctx, head, beginning.cards, first_agent, message.text)
        return commit(ctx, head, beginning.at, followed, message.text)

    @session.handler(kind="shared")
    async def transcript(ctx: restate.ObjectSharedContext, request: TranscriptRequest) -> Transcript:
        """A page of what was said and done, also while a turn runs."""
        head = known(ctx, await own_head(ctx, request.customer_id))
        last = min(request.after + request.limit, head.turns_total)
        turns = [await ctx.get(turn_key(turn), type_hint=TurnRecord) for turn in range(request.after + 1, last + 1)]
        return Transcript(turns=tuple(turn for turn in turns if turn), turns_total=head.turns_total)

    @session.handler(kind="shared")
    async def status(ctx: restate.ObjectSharedContext, request: StatusRequest) -> SessionStatus:
        """How the session stands, also while a turn runs."""
        head = known(ctx, await own_head(ctx, request.customer_id))
        return SessionStatus(
            session_id=ctx.key(),
            customer_id=head.customer_id,
            active_agent=head.active,
            turns_total=head.turns_total,
            usage=head.usage,
        )

    return session


async def own_head(ctx: restate.ObjectContext | restate.ObjectSharedContext, customer_id: str) -> Head | None:
    """The session's state if it is this customer's; None for a new session. Raises 403 for somebody else's."""
    if not re.fullmatch(SESSION_ID, ctx.key()):
        raise restate.TerminalError("A session id is 1 to 64 letters, digits, '.', '_' or '-'.", status_code=400)
    head = await ctx.get(HEAD, type_hint=Head)
    if head is not None and head.customer_id != customer_id:
        logger.warning("refused: customer %s asked for session %s of another customer", customer_id, ctx.key())
        raise restate.TerminalError("This session belongs to another customer. Start one of your own.", status_code=403)
    return head


def known(ctx: restate.ObjectSharedContext, head: Head | None) -> Head:
    if head is None:
        raise restate.TerminalError(f"There is no session {ctx.key()!r} yet. Send a message first.", status_code=404)
    return head


async def begin(directory: Directory) -> Beginning:
    return Beginning(at=datetime.now(UTC), cards=await directory.cards())


async def follow_hand_offs(
    ctx: restate.ObjectContext, head: Head, cards: tuple[Card, ...], first_agent: str, text: str
) -> Followed:
    """Let the active agent take the turn, and whomever it hands off to, until there is a reply."""
    identity = Identity(session_id=ctx.key(), customer_id=head.customer_id)
    names = {card.name for card in cards}
    # An agent may have been removed since it last spoke.
    agents = [head.active if head.active in names else first_agent]
    added: list[Message] = [UserText(text=text)]
    deadline = ctx.sleep(TURN_DEADLINE, name="turn deadline")
    for _ in range(HOPS_MAX + 1):
        peers = tuple(card for card in cards if card.name != agents[-1])
        request = TurnRequest(identity=identity, transcript=(*head.window, *added), peers=peers)
        outcome = await take_turn(ctx, agents[-1], request, deadline)
        added += outcome.added
        match outcome.next:
            case HandOff(to=to) if to in names:
                agents.append(to)
            case HandOff(to=to):
                logger.error("agent %s handed off to %r, who is not registered", agents[-1], to)
                return end(agents, added, apology(LOST_AGENT))
            case Reply() as reply:
                return Followed(reply=reply, active=agents[-1], agents=tuple(agents), added=tuple(added))
    return end(agents[:-1], added, apology(TOO_MANY_HOPS))


def end(agents: list[str], added: list[Message], failure: TurnOutcome) -> Followed:
    assert isinstance(failure.next, Reply)
    return Followed(reply=failure.next, active=agents[-1], agents=tuple(agents), added=(*added, *failure.added))


async def take_turn(
    ctx: restate.ObjectContext, agent: str, request: TurnRequest, deadline: restate.RestateDurableSleepFuture
) -> TurnOutcome:
    """Call an agent. Whatever becomes of it, the session has an outcome to go on with."""
    turn = ctx.generic_call(agent, TURN_HANDLER, request.model_dump_json().encode())
    # Our own cancellation surfaces here, outside the `except`: then nothing is written at all.
    completed, _ = await restate.wait_completed(turn, deadline)
    if turn not in completed:
        await turn.cancel_invocation()
        return apology(TOO_SLOW)
    try:
        return TurnOutcome.model_validate_json(await turn)
    except restate.TerminalError as error:
        logger.error("agent %s failed: %s", agent, error.message)
    except ValidationError:
        logger.error("agent %s answered with something that is not a turn's outcome", agent)
    return apology(LOST_AGENT)


def apology(text: str) -> TurnOutcome:
    return TurnOutcome(next=Reply(text=text, failed=True), added=(Notice(text=text),))


def commit(ctx: restate.ObjectContext, head: Head, at: datetime, followed: Followed, text: str) -> SendReply:
    """Write the turn and the new head. No await from here to the reply: it is all in the journal, or none of it."""
    usage = sum((message.usage for message in followed.added if isinstance(message, ModelReply)), Usage())
    turn = head.turns_total + 1
    ctx.set(
        turn_key(turn),
        TurnRecord(
            turn=turn,
            at=at,
            agents=followed.agents,
            messages=followed.added,
            reply=followed.reply.text,
            failed=followed.reply.failed,
            usage=usage,
        ),
    )
    ctx.set(
        HEAD,
        Head(
            customer_id=head.customer_id,
            active=followed.active,
            turns_total=turn,
            usage=head.usage + usage,
            window=recent((*head.window, *followed.added)),
        ),
    )
    return SendReply(
        text=followed.reply.text,
        agent=followed.active,
        turn=turn,
        hand_offs=followed.agents[1:],
        failed=followed.reply.failed,
    )


def turn_key(turn: int) -> str:
    return f"turn/{turn:06d}"
