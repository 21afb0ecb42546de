"""Follows one message through the agents: calls the active one, goes where it hands off to, stops when told to."""

import logging
from datetime import datetime, timedelta

import restate
from pydantic import ValidationError

from services.triage.directory import TURN_HANDLER
from services.triage.state import Finished, Head, Opening, Running, finished, stopped_text
from services.triage.window import flat
from switchboard.messages import (
    Card,
    HandOff,
    Identity,
    Interrupted,
    Message,
    Notice,
    Question,
    Reply,
    TurnOutcome,
    TurnRequest,
)

logger = logging.getLogger(__name__)

RUNNING = "running"
"""State key: the message that is being answered. Shared handlers see it while the exclusive one runs."""

HOPS_MAX = 4
"""Hand-offs that are followed for one message."""

STOP_GRACE = timedelta(milliseconds=900)
"""For a cancelled turn to say what it had done; then the session goes on without knowing."""

LOST_AGENT = "I am sorry, something went wrong on our side and I could not finish this. Please try again."
TOO_SLOW = "I am sorry, this took too long and I stopped it."
STOPPED = "Stopped."
TOO_MANY_HOPS = (
    "I am sorry, my colleagues and I passed this around without an answer. Please say in other words what you need."
)


class Stops:
    """What can end a message before its reply: the customer by an awakeable, and the deadline, in which case `late`."""

    def __init__(self, ctx: restate.ObjectContext, customer_id: str, at: datetime, deadline: timedelta) -> None:
        self.stop_id, self.told = ctx.awakeable(type_hint=str)
        self.deadline = ctx.sleep(deadline, name="turn deadline")
        self.late = False
        running = Running(customer_id=customer_id, invocation_id=ctx.request().id, stop_id=self.stop_id, since=at)
        ctx.set(RUNNING, running)


async def follow(
    ctx: restate.ObjectContext,
    head: Head,
    cards: tuple[Card, ...],
    first_agent: str,
    opening: Opening,
    stops: Stops,
) -> Finished:
    """Let the active agent take the turn, and whomever it hands off to, until there is something for the customer."""
    identity = Identity(session_id=ctx.key(), customer_id=head.customer_id)
    names = {card.name for card in cards}
    # An agent may have been removed since it last spoke.
    agents = [opening.active if opening.active in names else first_agent]
    added: list[Message] = list(opening.messages)
    for hop in range(HOPS_MAX + 1):
        request = TurnRequest(
            identity=identity,
            transcript=(*flat(head.window), *added),
            peers=tuple(card for card in cards if card.name != agents[-1]),
            summary=head.summary,
            confirmed=opening.confirmed if hop == 0 else (),
        )
        outcome = await take_turn(ctx, agents[-1], request, stops)
        added += outcome.added
        match outcome.next:
            case Reply() as reply:
                return finished(reply, agents, added)
            case Question(text=text) as question:
                added.append(Notice(text=text))
                return Finished(text=text, agents=tuple(agents), added=tuple(added), question=question)
            case Interrupted():
                return cut_short(TOO_SLOW if stops.late else STOPPED, agents, added, failed=stops.late)
            case HandOff(to=to) if to not in names:
                logger.error("agent %s handed off to %r, who is not registered", agents[-1], to)
                return apologise(LOST_AGENT, agents, added)
            case HandOff(to=to) if hop < HOPS_MAX:
                agents.append(to)
            case HandOff():
                break
    return apologise(TOO_MANY_HOPS, agents, added)


async def take_turn(ctx: restate.ObjectContext, agent: str, request: TurnRequest, stops: Stops) -> TurnOutcome:
    """Call an agent. Whatever becomes of it, the session has an outcome to go on with."""
    turn = ctx.generic_call(agent, TURN_HANDLER, request.model_dump_json().encode())
    # A cancellation of this very message surfaces here, outside the `except`: then nothing is written at all.
    completed, _ = await restate.wait_completed(turn, stops.told, stops.deadline)
    if turn not in completed:
        stops.late = stops.told not in completed
        await turn.cancel_invocation()
        ended, _ = await restate.wait_completed(turn, ctx.sleep(STOP_GRACE, name="stop grace"))
        if turn not in ended:
            return TurnOutcome(next=Interrupted())
    try:
        return TurnOutcome.model_validate_json(await turn)
    except restate.TerminalError as error:
        if turn not in completed:
            return TurnOutcome(next=Interrupted())
        logger.error("agent %s failed: %s", agent, error.message)
    except ValidationError:
        logger.error("agent %s answered with something that is not a turn's outcome", agent)
    return TurnOutcome(next=Reply(text=LOST_AGENT, failed=True), added=(Notice(text=LOST_AGENT),))


def apologise(text: str, agents: list[str], added: list[Message]) -> Finished:
    return Finished(text=text, agents=tuple(agents), added=(*added, Notice(text=text)), failed=True)


def cut_short(why: str, agents: list[str], added: list[Message], failed: bool) -> Finished:
    text = stopped_text(why, added)
    added = [*added, Notice(text=text)]
    return Finished(text=text, agents=tuple(agents), added=tuple(added), interrupted=True, failed=failed)
