"""Follows one message through the agents: calls the active one, goes where it hands off to, stops when told to."""

import logging
from datetime import UTC, datetime, timedelta

import restate
from pydantic import ValidationError

from switchboard.loop.call_report import close_open_calls, report_calls
from switchboard.loop.decide import released_calls
from switchboard.messages import (
    Card,
    HandOff,
    Identity,
    Interrupted,
    Message,
    ModelReply,
    Note,
    Notice,
    Question,
    Reply,
    TurnOutcome,
    TurnRequest,
    WireModel,
)
from switchboard.session.directory import TURN_HANDLER, Directory
from switchboard.session.state import NOBODY_KNOWS, Finished, Head, Opening, Running, finished, stopped_text
from switchboard.session.window import flat
from switchboard.telemetry.logs import private
from switchboard.telemetry.spans import propagation_headers

logger = logging.getLogger(__name__)

RUNNING = "running"
"""State key: the message that is being answered. Shared handlers see it while the exclusive one runs."""

HOPS_MAX = 4
"""Hand-offs that are followed for one message."""

STOP_GRACE = timedelta(milliseconds=900)
"""For a cancelled turn to say what it had done; then the session goes on without knowing."""

LOST_AGENT = "I am sorry, something went wrong on our side and I could not finish this."
TRY_AGAIN = "Please try again, or say in other words what you need."
OUTCOME_LOST = "The turn before this ended without a word. What it did is not known: look it up before doing it again."
TOO_SLOW = "I am sorry, this took too long and I stopped it."
STOPPED = "Stopped."
TOO_MANY_HOPS = "I am sorry, my colleagues and I passed this around without an answer."


class Stops:
    """What can end a message before its reply: the customer by an awakeable, and the deadline, in which case `late`."""

    def __init__(self, ctx: restate.ObjectContext, head: Head, at: datetime, deadline: timedelta) -> None:
        self.stop_id, self.told = ctx.awakeable(type_hint=str)
        self.deadline = ctx.sleep(deadline, name="turn deadline")
        self.at = at
        self.late = False
        running = Running(
            customer_id=head.customer_id,
            signed_in=head.signed_in,
            invocation_id=ctx.request().id,
            stop_id=self.stop_id,
            since=at,
        )
        ctx.set(RUNNING, running)


class Agents(WireModel):
    """Who is registered, and when that was."""

    cards: tuple[Card, ...]
    at: datetime


LOOK = restate.RunOptions(type_hint=Agents)


async def follow(
    ctx: restate.ObjectContext,
    head: Head,
    cards: tuple[Card, ...],
    directory: Directory,
    first_agent: str,
    opening: Opening,
    stops: Stops,
) -> Finished:
    """Let the active agent take the turn, and whomever it hands off to, until there is something for the customer."""
    # An agent may have been removed since it last spoke.
    at = stops.at
    agents = [opening.active if opening.active in {card.name for card in cards} else first_agent]
    added: list[Message] = list(opening.messages)
    for hop in range(HOPS_MAX + 1):
        request = TurnRequest(
            identity=Identity(session_id=ctx.key(), customer_id=head.customer_id, signed_in=head.signed_in),
            transcript=(*flat(head.window), *added),
            peers=tuple(card for card in cards if card.name != agents[-1]),
            summary=head.summary,
            confirmed=opening.confirmed if hop == 0 else (),
        )
        outcome = await take_turn(ctx, agents[-1], request, stops, at)
        added += close_open_calls(outcome.added)
        match outcome.next:
            case Reply() as reply:
                return finished(reply, agents, added)
            case Question(text=text) as question:
                added.append(Notice(text=text))
                return Finished(text=text, agents=tuple(agents), added=tuple(added), question=question)
            case Interrupted(known=known):
                return cut_short(agents, added, known, late=stops.late)
            case HandOff() if hop == HOPS_MAX:
                break
            case HandOff(to=to):
                # Calling one that is gone would hold this conversation until it is registered again.
                looked = await ctx.run_typed("agents", look, LOOK, directory)
                cards, at = looked.cards, looked.at
                if to not in {card.name for card in cards}:
                    logger.error("agent %s handed off to %r, who is not registered", agents[-1], to)
                    return apologise(LOST_AGENT, agents, added)
                agents.append(to)
    return apologise(TOO_MANY_HOPS, agents, added)


async def look(directory: Directory) -> Agents:
    return Agents(cards=await directory.cards(), at=datetime.now(UTC))


async def take_turn(
    ctx: restate.ObjectContext, agent: str, request: TurnRequest, stops: Stops, at: datetime
) -> TurnOutcome:
    """Call an agent, at that time. Whatever becomes of it, the session has an outcome to go on with."""
    headers = propagation_headers(sent_ns=round(at.timestamp() * 1e9))
    turn = ctx.generic_call(agent, TURN_HANDLER, request.model_dump_json().encode(), headers=headers)
    # A cancellation of this very message surfaces here, outside the `except`: then nothing is written at all.
    completed, _ = await restate.wait_completed(turn, stops.told, stops.deadline)
    if turn not in completed:
        stops.late = stops.told not in completed
        await turn.cancel_invocation()
        ended, _ = await restate.wait_completed(turn, ctx.sleep(STOP_GRACE, name="stop grace"))
        if turn not in ended:
            return lost(request, agent, Interrupted(known=False))
    try:
        return TurnOutcome.model_validate_json(await turn)
    except restate.TerminalError as error:
        logger.error("agent %s failed: %s", agent, private(error.message))
    except ValidationError:
        logger.error("agent %s answered with something that is not a turn's outcome", agent)
    if turn not in completed:
        return lost(request, agent, Interrupted(known=False))
    text = f"{LOST_AGENT} {NOBODY_KNOWS}"
    return lost(request, agent, Reply(text=text, failed=True), Notice(text=text))


def lost(request: TurnRequest, agent: str, ending: Interrupted | Reply, *last: Message) -> TurnOutcome:
    """The outcome of a turn that never said how it went. What the customer had confirmed may have been done."""
    confirmed = released_calls(request.confirmed)
    made: tuple[Message, ...] = (ModelReply(agent=agent, calls=confirmed),) if confirmed else ()
    return TurnOutcome(next=ending, added=(*made, Note(text=OUTCOME_LOST), *last))


def apologise(text: str, agents: list[str], added: list[Message]) -> Finished:
    account = report_calls(added)
    text = f"{text} {account.sentence() or TRY_AGAIN}"
    return Finished(text=text, agents=tuple(agents), added=(*added, Notice(text=text)), failed=True)


def cut_short(agents: list[str], added: list[Message], known: bool, late: bool) -> Finished:
    text = stopped_text(TOO_SLOW if late else STOPPED, added, known)
    added = [*added, Notice(text=text)]
    return Finished(text=text, agents=tuple(agents), added=tuple(added), interrupted=True, failed=late)
