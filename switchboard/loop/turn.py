"""The loop. One turn: a bounded number of steps, each a model call and the tool calls it asked for."""

from collections.abc import Sequence
from dataclasses import replace

import restate

from switchboard.agent import Agent
from switchboard.loop.attempts import NO_MODEL, SETUP, TOO_LONG, GiveUp, Plan
from switchboard.loop.call_report import close_open_calls, report_calls
from switchboard.loop.checks import NOT_MADE, check_calls
from switchboard.loop.decide import (
    Act,
    Answer,
    AskAgain,
    Decision,
    HandOver,
    decide,
    for_customers,
    release,
    released_calls,
)
from switchboard.loop.decisions import JOURNAL, Asking, Observe, request_decision
from switchboard.loop.fanout import fan_out
from switchboard.loop.foreign import equip
from switchboard.loop.listener import Listener
from switchboard.messages import (
    HeldCall,
    Interrupted,
    Message,
    ModelReply,
    Notice,
    Question,
    Reply,
    Spent,
    ToolResult,
    TurnOutcome,
    TurnRequest,
)
from switchboard.models.model import Model

UNFIT_MAX = 2
"""How often a model is told in one turn that its arguments are invalid. After that it will not correct them."""

UNAVAILABLE = "Sorry, I'm temporarily unavailable."
OUT_OF_SERVICE = "Sorry, I can't answer at the moment because of a problem on our side."
MESSAGE_TOO_LONG = "Sorry, your message is too long for me to process."
MESSAGE_REFUSED = "Sorry, I can't process your last message: the provider of our language model refused it."
STEPS_USED_UP = "Sorry, I couldn't finish this: it takes more steps than I may take for one message."
INVALID = "Sorry, I couldn't put your request into the form that our systems need."
BUDGET_USED_UP = "Sorry, this conversation has reached its limit. Please start a new one."
TURN_TOKENS_USED_UP = "Sorry, I couldn't finish this: it takes more work than I may do for one message."
DAY_USED_UP = "Sorry, I couldn't finish this: you have reached your usage limit for today."

NO_CHANGES = "No changes were made."
ASK_FIRST = "Please ask me for the current state before you ask for it again."

TRY_AGAIN = "Please try again in a minute."
CONTACT_US = "Trying again will not help until it is fixed. Please contact us another way."
SHORTEN = "Please send it in shorter parts."
REPHRASE = "Please put it in other words. I still have the rest of our conversation."
ASK_FOR_LESS = "Please ask for it in smaller parts."
OTHER_WORDS = "Please say it in other words."
TOMORROW = "Please continue after midnight UTC."

PLEASE_CONFIRM = "Please confirm, with yes or no:"


async def run_turn(
    ctx: restate.Context,
    agent: Agent,
    models: Sequence[Model],
    request: TurnRequest,
    observe: Observe | None = None,
    listener: Listener | None = None,
) -> TurnOutcome:
    """Answer the customer, ask for their consent, or name the agent who should take over.

    `observe` gives an observer for each model call, which sees the text while it is written. `listener` hears of the
    messages and calls of the turn.
    """
    added: list[Message] = []
    asking = Asking(agent, models, request, observe, listener=listener)
    try:
        equipped = await equip(ctx, agent)
        asking.agent = equipped.agent
        if equipped.cancelled:
            outcome = TurnOutcome(next=Interrupted(), added=none_made(request, agent))
        else:
            outcome = await take_steps(ctx, asking, added)
    except restate.TerminalError:
        # Every failure of a model or a tool is handled below, so this is our own cancellation.
        outcome = TurnOutcome(next=Interrupted(), added=close_open_calls(added))
    asking.said(outcome.added)
    return with_attempts(outcome, asking)


def with_attempts(outcome: TurnOutcome, asking: Asking) -> TurnOutcome:
    """Add what the model calls of the turn cost, and what must no longer be sent to models."""
    plan, before = asking.plan, len(asking.request.transcript)
    if plan == Plan() and not asking.spent:
        return outcome
    added = tuple(
        message.model_copy(update={"withheld": True}) if before + index in plan.withheld else message
        for index, message in enumerate(outcome.added)
    )
    return outcome.model_copy(
        update={
            "added": added,
            "withheld": tuple(position for position in plan.withheld if position < before),
            "skipped": plan.skipped,
            "plain_history": plan.plain_history,
            "attempts": tuple(asking.spent),
        }
    )


async def take_steps(ctx: restate.Context, asking: Asking, added: list[Message]) -> TurnOutcome:
    """Take the steps of a turn. Each step adds its messages to `added` as soon as they are known."""
    agent, request = asking.agent, asking.request
    if request.confirmed:
        added.append(for_customers(ModelReply(agent=agent.name, calls=released_calls(request.confirmed)), agent))
        asking.said(added)
        checked = await check_calls(ctx, [release(held, agent) for held in request.confirmed], request.identity)
        if checked.cancelled:
            added += checked.results_of_none_made()
            return TurnOutcome(next=Interrupted(), added=tuple(added))
        released = await fan_out(ctx, checked.calls, request.identity, listener=asking.listener)
        added += released.results
        if released.cancelled:
            return TurnOutcome(next=Interrupted(), added=tuple(added))
    unfit = 0
    for step in range(agent.steps_max):
        if step and overspent(asking, added):
            return apology(*USED_UP.get(request.limited_by, (BUDGET_USED_UP, "")), added)
        asking.said(added)
        decided = await request_decision(ctx, asking, added, step)
        if isinstance(decided, GiveUp):
            return apology(*REASONS.get(decided.reason, (UNAVAILABLE, TRY_AGAIN)), added)
        if step == 0 and not request.confirmed and last_message(request) in asking.plan.withheld:
            asking.spent.append(Spent(agent=agent.name, model=decided.reply.model, usage=decided.reply.usage))
            return apology(MESSAGE_REFUSED, REPHRASE, added)
        reply = for_customers(decided.reply, agent)
        added.append(reply)
        asking.said(added)
        decision = decide_as_journaled(reply, agent, request)
        outcome = await act_on(ctx, decision, asking, added, decided.at_ns)
        if outcome is not None:
            return outcome
        unfit += 1 if isinstance(decision, Act) and decision.unfit else 0
        if unfit > UNFIT_MAX:
            return apology(INVALID, OTHER_WORDS, added)
    return apology(STEPS_USED_UP, ASK_FOR_LESS, added)


def none_made(request: TurnRequest, agent: Agent) -> tuple[Message, ...]:
    """Return the messages about confirmed calls of a turn that was interrupted before any of them was made."""
    if not request.confirmed:
        return ()
    calls = released_calls(request.confirmed)
    results = [ToolResult(call_id=call.call_id, ok=False, content=NOT_MADE) for call in calls]
    return (for_customers(ModelReply(agent=agent.name, calls=calls), agent), *results)


def decide_as_journaled(reply: ModelReply, agent: Agent, request: TurnRequest) -> Decision:
    """Decide about a reply. A replay of a journal of version 1 must come to the decision that it had then.

    Then a hand-off was always followed, and null for an optional argument was refused.
    """
    if request.journal < JOURNAL:
        return decide(reply, agent, request.identity, request.peers, null_is_absent=False)
    return decide(reply, agent, request.identity, request.peers, request.transcript)


async def act_on(
    ctx: restate.Context, decision: Decision, asking: Asking, added: list[Message], decided_ns: int
) -> TurnOutcome | None:
    """Carry a decision out. Returns the end of the turn, or None when the model has to be asked again."""
    identity = asking.request.identity
    match decision:
        case Answer(text):
            return with_doubts(text, added)
        case HandOver(hand_off, closed):
            return TurnOutcome(next=hand_off, added=(*added, closed))
        case AskAgain(note):
            added.append(note)
            return None
        case Act() as act:
            made = await fan_out(ctx, act.calls, identity, decided_ns, asking.listener)
            if made.cancelled:
                return TurnOutcome(next=Interrupted(), added=(*added, *made.results))
            checked = await check_calls(ctx, act.calls, identity)
            added += checked.results(made.results)
            if checked.cancelled:
                return TurnOutcome(next=Interrupted(), added=tuple(added))
            return TurnOutcome(next=question(checked.held), added=tuple(added)) if checked.held else None


def with_doubts(text: str, added: Sequence[Message]) -> TurnOutcome:
    """End a turn with a reply. If it is unknown whether something was done, the customer is told, whatever the model
    says."""
    doubts = replace(report_calls(added), done=(), failed=()).sentence()
    if not doubts:
        return TurnOutcome(next=Reply(text=text), added=tuple(added))
    return TurnOutcome(next=Reply(text=f"{text}\n\n{doubts}"), added=(*added, Notice(text=doubts)))


REASONS = {
    NO_MODEL: (UNAVAILABLE, TRY_AGAIN),
    SETUP: (OUT_OF_SERVICE, CONTACT_US),
    TOO_LONG: (MESSAGE_TOO_LONG, SHORTEN),
}
"""By the reason for giving up: what the customer is told, and what to do about it."""


USED_UP = {"turn": (TURN_TOKENS_USED_UP, ASK_FOR_LESS), "customer": (DAY_USED_UP, TOMORROW)}
"""By the limit of the turn's tokens: what the customer is told when they are used up, and what to do about it."""


def last_message(request: TurnRequest) -> int:
    """The position of the customer's message that the turn answers; -2 if the transcript has none."""
    texts = [index for index, message in enumerate(request.transcript) if message.kind == "user"]
    return texts[-1] if texts else -2


def overspent(asking: Asking, added: Sequence[Message]) -> bool:
    """Whether the turn has used the tokens that it was given."""
    if asking.request.tokens_left is None:
        return False
    usages = [message.usage for message in added if isinstance(message, ModelReply)]
    usages += [spent.usage for spent in asking.spent]
    return sum(usage.input_tokens + usage.output_tokens for usage in usages) >= asking.request.tokens_left


def question(held: tuple[HeldCall, ...]) -> Question:
    """Ask about the exact calls of one step. Their contracts word the question, not the model."""
    if len(held) == 1:
        return Question(text=f"{PLEASE_CONFIRM} {held[0].question}", held=held)
    return Question(text="\n".join([PLEASE_CONFIRM, *(f"- {call.question}" for call in held)]), held=held)


def apology(why: str, then: str, added: list[Message]) -> TurnOutcome:
    """End a turn that failed. The text says what was done, so that the customer does not ask for it twice."""
    report = report_calls(added)
    happened = f"{report.sentence()} {ASK_FIRST}" if report.done or report.unknown else NO_CHANGES
    text = " ".join(part for part in (why, happened, then) if part)
    return TurnOutcome(next=Reply(text=text, failed=True), added=(*added, Notice(text=text)))
