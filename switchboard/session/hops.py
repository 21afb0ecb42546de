"""Routes a message through the agents: calls the active one, follows its hand-offs, and handles stops and deadlines."""

import logging
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import restate
from pydantic import ValidationError

from switchboard.events import AgentStarted, HandedOff
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
    Spent,
    TurnOutcome,
    TurnRequest,
    Usage,
    WireModel,
)
from switchboard.runtime.live import LiveTurn
from switchboard.session.directory import TURN_HANDLER, Directory
from switchboard.session.staffed import TakeOver, take_over_of
from switchboard.session.state import (
    OUTCOME_UNKNOWN,
    Changed,
    FinishedTurn,
    Head,
    Opening,
    Running,
    TurnStart,
    change_window,
    finished_turn,
    interruption_text,
)
from switchboard.session.turn_events import run_id
from switchboard.session.window import Window, flatten
from switchboard.telemetry.logs import private
from switchboard.telemetry.spans import propagation_headers

logger = logging.getLogger(__name__)

RUNNING = "running"
"""State key of the running message. Shared handlers can read it while the exclusive handler runs."""

HOPS_MAX = 4
"""Maximum number of hand-offs for one message."""

HAND_OFF_AGENTS_AGE_MAX = timedelta(milliseconds=100)
"""A hand-off so soon after a lookup of the agents, such as that at the turn's start, uses its result."""

AGENT_STOP_GRACE = timedelta(milliseconds=900)
"""How long a cancelled turn has to report what it did. After that its outcome counts as unknown."""

AGENT_FAILED = "Sorry, something went wrong on our side and I couldn't finish this."
TRY_AGAIN = "Please try again, or rephrase your request."
OUTCOME_LOST = (
    "The previous turn ended without reporting what it did. It may have made changes."
    " Look up the current state before you repeat anything."
)
TOO_SLOW = "Sorry, this took too long, so I stopped it."
STOPPED = "Stopped."
STOPPED_FOR_STAFF = "I stopped, because a member of our staff joins this conversation."
PART_WITHHELD = (
    "(The provider of our language model refused a part of our conversation, so I answer without that part.)"
)
BYTES_PER_TOKEN = 4
"""Of English text; for a turn that did not report what its model calls cost."""

TOO_MANY_HOPS = "Sorry, your request was passed between several agents, and none of them could answer it."


class StopSignals:
    """Signals that end a turn early: a stop by the customer or staff (an awakeable), and the deadline (`late`).

    A stop by staff sets `take_over`, which the turn commits with its outcome.
    """

    def __init__(self, ctx: restate.ObjectContext, head: Head, start: TurnStart, deadline: timedelta) -> None:
        self.stop_id, self.stop_requested = ctx.awakeable(type_hint=str)
        self.deadline = ctx.sleep(deadline, name="turn deadline")
        self.at = start.at
        self.late = False
        self.take_over: TakeOver | None = None
        running = Running(
            customer_id=head.customer_id,
            signed_in=head.signed_in,
            invocation_id=ctx.request().id,
            stop_id=self.stop_id,
            since=start.at,
            turn=head.turns_total + 1 if start.events else 0,
            tasks=start.tasks,
        )
        ctx.set(RUNNING, running)

    async def read_stop(self) -> None:
        """Read who has stopped the turn. The stop must have arrived: reading it then adds nothing to the journal."""
        self.take_over = take_over_of(await self.stop_requested)


class AgentList(WireModel):
    """The registered agents, and when they were looked up."""

    cards: tuple[Card, ...]
    at: datetime


LOOK_UP_OPTIONS = restate.RunOptions(type_hint=AgentList)


@dataclass
class Progress:
    """How far a message has come: the agents so far, what they added, what their model calls cost, what models see."""

    agents: list[str]
    added: list[Message]
    window: Window
    summary: str
    attempts: list[Spent] = field(default_factory=list)
    withheld: set[int] = field(default_factory=set)
    changed: bool = False
    part_withheld: bool = False

    def take(self, outcome: TurnOutcome) -> None:
        """Take over what an agent's turn added, cost, and could not send to its model."""
        known = len(flatten(self.window))
        own = {position - known for position in outcome.withheld if position >= known}
        self.added = [
            message.model_copy(update={"withheld": True}) if index in own else message
            for index, message in enumerate(self.added)
        ]
        new = close_open_calls(outcome.added)
        self.part_withheld |= bool(outcome.withheld) or any(message.withheld for message in new)
        self.added += new
        self.attempts += outcome.attempts
        if outcome.withheld or outcome.skipped or outcome.plain_history:
            changed = change_window(self.window, self.summary, outcome)
            self.window, self.summary = changed.window, changed.summary
            self.withheld |= set(changed.withheld)
            self.changed = True

    def finish(self, done: FinishedTurn) -> FinishedTurn:
        """Return the turn with what the agents' model calls cost, and what models see from now on."""
        update: dict[str, object] = {"attempts": tuple(self.attempts)}
        if self.changed:
            update["changed"] = Changed(window=self.window, summary=self.summary, withheld=tuple(sorted(self.withheld)))
        if self.part_withheld and not done.failed:
            update["text"] = f"{PART_WITHHELD} {done.text}"
        return done.model_copy(update=update)

    @property
    def tokens(self) -> int:
        """The tokens that the message has used so far."""
        usages = [message.usage for message in self.added if isinstance(message, ModelReply)]
        usages += [spent.usage for spent in self.attempts]
        return sum(usage.input_tokens + usage.output_tokens for usage in usages)


@dataclass(frozen=True)
class Route:
    """Context of one message: the session, the agents when it arrived, its stop signals, and who watches it."""

    head: Head
    start: TurnStart
    directory: Directory
    first_agent: str
    opening: Opening
    stops: StopSignals
    live: LiveTurn


async def follow_hand_offs(ctx: restate.ObjectContext, route: Route) -> FinishedTurn:
    """Call the active agent, and the agents that it hands off to, until one has a reply for the customer."""
    # The active agent may have been removed since the last turn.
    known = {card.name for card in route.start.cards}
    active = route.opening.active if route.opening.active in known else route.first_agent
    progress = Progress([active], list(route.opening.messages), route.head.window, route.head.summary)
    route.live.said(progress.added)
    route.live.tell(AgentStarted(agent=active))
    return progress.finish(await take_turns(ctx, route, progress))


async def take_turns(ctx: restate.ObjectContext, route: Route, progress: Progress) -> FinishedTurn:
    head, opening, stops = route.head, route.opening, route.stops
    cards, at, agents = route.start.cards, stops.at, progress.agents
    for hop in range(HOPS_MAX + 1):
        request = TurnRequest(
            identity=Identity(session_id=ctx.key(), customer_id=head.customer_id, signed_in=head.signed_in),
            transcript=(*flatten(progress.window), *progress.added),
            peers=tuple(card for card in cards if card.name != agents[-1]),
            summary=progress.summary,
            confirmed=opening.confirmed if hop == 0 else (),
            journal=route.start.journal,
            tokens_left=tokens_left(route.start, progress),
            limited_by=route.start.limited_by,
            **event_numbers(ctx, route),
        )
        outcome = await take_turn(ctx, agents[-1], request, stops, at)
        progress.take(outcome)
        # The agent has told these already, unless its process has no connection to a gateway.
        route.live.said(progress.added)
        added = progress.added
        match outcome.next:
            case Reply() as reply:
                return finished_turn(reply, agents, added)
            case Question(text=text) as question:
                added.append(Notice(text=text))
                return FinishedTurn(text=text, agents=tuple(agents), added=tuple(added), question=question)
            case Interrupted(known=known):
                return interrupted_turn(agents, added, known, stops)
            case HandOff() if hop == HOPS_MAX:
                break
            case HandOff(to=to):
                # A call to a removed agent would block this conversation until the agent is registered again.
                lookup = await ctx.run_typed(
                    "agents", look_up_agents, LOOK_UP_OPTIONS, route.directory, HAND_OFF_AGENTS_AGE_MAX
                )
                cards, at = lookup.cards, lookup.at
                if to not in {card.name for card in cards}:
                    logger.error("agent %s handed off to %r, which is not registered", agents[-1], to)
                    return apologise(AGENT_FAILED, agents, added)
                agents.append(to)
                # The events of the record follow from its messages, and not every agent of others reports its hand-off.
                if route.live.last == HandedOff(to=to):
                    route.live.tell(AgentStarted(agent=to))
    return apologise(TOO_MANY_HOPS, agents, progress.added)


def event_numbers(ctx: restate.ObjectContext, route: Route) -> dict[str, Any]:
    """Return the fields of a request that number the agent's events. An older journal has none of them."""
    if not route.start.events:
        return {}
    return {"turn": route.live.number, "seq": route.live.next_seq, "run": run_id(ctx.request().id)}


def tokens_left(start: TurnStart, progress: Progress) -> int | None:
    """Return the tokens that the next agent may use. A replay must come to the same number, so no setting is read."""
    return None if start.tokens_left is None else max(start.tokens_left - progress.tokens, 0)


async def look_up_agents(directory: Directory, age_max: timedelta = timedelta(0)) -> AgentList:
    return AgentList(cards=await directory.cards(age_max), at=datetime.now(UTC))


async def take_turn(
    ctx: restate.ObjectContext, agent: str, request: TurnRequest, stops: StopSignals, at: datetime
) -> TurnOutcome:
    """Call an agent at time `at`. Always returns an outcome, also when the agent fails or does not answer."""
    headers = propagation_headers(sent_ns=round(at.timestamp() * 1e9))
    turn = ctx.generic_call(agent, TURN_HANDLER, request.model_dump_json().encode(), headers=headers)
    # If this message itself is cancelled, the error is raised here, outside the `try`, so that no state is written.
    completed, _ = await restate.wait_completed(turn, stops.stop_requested, stops.deadline)
    if turn not in completed:
        stops.late = stops.stop_requested not in completed
        if not stops.late:
            await stops.read_stop()
        await turn.cancel_invocation()
        ended, _ = await restate.wait_completed(turn, ctx.sleep(AGENT_STOP_GRACE, name="stop grace"))
        if turn not in ended:
            return lost_outcome(request, agent, Interrupted(known=False))
    try:
        return TurnOutcome.model_validate_json(await turn)
    except restate.TerminalError as error:
        logger.error("agent %s failed: %s", agent, private(error.message))
    except ValidationError:
        logger.error("agent %s returned an invalid outcome", agent)
    if turn not in completed:
        return lost_outcome(request, agent, Interrupted(known=False))
    text = f"{AGENT_FAILED} {OUTCOME_UNKNOWN}"
    return lost_outcome(request, agent, Reply(text=text, failed=True), Notice(text=text))


def lost_outcome(request: TurnRequest, agent: str, ending: Interrupted | Reply, *last: Message) -> TurnOutcome:
    """Return the outcome of a turn that reported nothing. The calls that the customer confirmed may have been made."""
    confirmed = released_calls(request.confirmed)
    made: tuple[Message, ...] = (ModelReply(agent=agent, calls=confirmed),) if confirmed else ()
    usage = Usage(input_tokens=len(request.model_dump_json()) // BYTES_PER_TOKEN)
    spent = Spent(agent=agent, model="", usage=usage, estimated=True)
    return TurnOutcome(next=ending, added=(*made, Note(text=OUTCOME_LOST), *last), attempts=(spent,))


def apologise(text: str, agents: list[str], added: list[Message]) -> FinishedTurn:
    report = report_calls(added)
    text = f"{text} {report.sentence() or TRY_AGAIN}"
    return FinishedTurn(text=text, agents=tuple(agents), added=(*added, Notice(text=text)), failed=True)


def interrupted_turn(agents: list[str], added: list[Message], known: bool, stops: StopSignals) -> FinishedTurn:
    reason = TOO_SLOW if stops.late else STOPPED_FOR_STAFF if stops.take_over else STOPPED
    text = interruption_text(reason, added, known)
    added = [*added, Notice(text=text)]
    return FinishedTurn(text=text, agents=tuple(agents), added=tuple(added), interrupted=True, failed=stops.late)
