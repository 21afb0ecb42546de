"""The loop. One turn: a bounded number of steps, each a model call and the tool calls it asked for."""

from collections.abc import Sequence

import restate

from switchboard.agent import Agent
from switchboard.loop.call_report import close_open_calls, report_calls
from switchboard.loop.decide import Act, Answer, AskAgain, HandOver, decide, release, released_calls
from switchboard.loop.decisions import request_decision
from switchboard.loop.fanout import fan_out
from switchboard.messages import (
    HeldCall,
    Interrupted,
    Message,
    ModelReply,
    Notice,
    Question,
    Reply,
    TurnOutcome,
    TurnRequest,
)
from switchboard.models.model import Model

UNFIT_MAX = 2
"""How often a turn's model is told that arguments do not fit; after that it will not learn it."""

MODEL_DOWN = "I am sorry, I cannot think just now: my language model does not answer."
STEPS_USED_UP = "I am sorry, I could not finish this in the steps I may take."
UNFIT = "I am sorry, I could not put your request into the form that our systems need."
NOTHING_LOST = "Nothing was done and nothing you said is lost; please try again in a minute, or in other words."
ASK_FIRST = "Ask me how it stands before you ask for it again."
PLEASE_CONFIRM = "Please confirm, with yes or no:"


async def run_turn(ctx: restate.Context, agent: Agent, models: Sequence[Model], request: TurnRequest) -> TurnOutcome:
    """Answer the customer, ask for their yes, or name the agent who should take over."""
    added: list[Message] = []
    try:
        return await take_steps(ctx, agent, models, request, added)
    except restate.TerminalError:
        # Every failure of a model or a tool has been dealt with below: this is our own cancellation.
        return TurnOutcome(next=Interrupted(), added=close_open_calls(added))


async def take_steps(
    ctx: restate.Context, agent: Agent, models: Sequence[Model], request: TurnRequest, added: list[Message]
) -> TurnOutcome:
    """The steps of a turn. What each adds to the transcript is in `added` as soon as it is known."""
    unfit = 0
    if request.confirmed:
        added.append(ModelReply(agent=agent.name, calls=released_calls(request.confirmed)))
        released = await fan_out(ctx, [release(held, agent) for held in request.confirmed], request.identity)
        added += released.results
        if released.cancelled:
            return TurnOutcome(next=Interrupted(), added=tuple(added))
    for step in range(agent.steps_max):
        decided = await request_decision(ctx, agent, models, request, added, step)
        if decided is None:
            return apology(MODEL_DOWN, added)
        reply = decided.reply
        added.append(reply)
        match decide(reply, agent, request.identity, request.peers):
            case Answer(text):
                return TurnOutcome(next=Reply(text=text), added=tuple(added))
            case HandOver(hand_off, closed):
                return TurnOutcome(next=hand_off, added=(*added, closed))
            case AskAgain(note):
                added.append(note)
            case Act() as act:
                results = await fan_out(ctx, act.calls, request.identity, decided.at_ns)
                added += results.results
                if results.cancelled:
                    return TurnOutcome(next=Interrupted(), added=tuple(added))
                if act.held:
                    return TurnOutcome(next=question(act.held), added=tuple(added))
                unfit += 1 if act.unfit else 0
                if unfit > UNFIT_MAX:
                    return apology(UNFIT, added)
    return apology(STEPS_USED_UP, added)


def question(held: tuple[HeldCall, ...]) -> Question:
    """The exact calls in plain words, all of one step together. The contract words them, not the model."""
    if len(held) == 1:
        return Question(text=f"{PLEASE_CONFIRM} {held[0].question}", held=held)
    return Question(text="\n".join([PLEASE_CONFIRM, *(f"- {call.question}" for call in held)]), held=held)


def apology(why: str, added: list[Message]) -> TurnOutcome:
    """The turn failed, the session did not. What was done is said, so that nobody asks for it a second time."""
    account = report_calls(added)
    happened = f"{account.sentence()} {ASK_FIRST}" if account.done or account.unknown else NOTHING_LOST
    text = f"{why} {happened}"
    return TurnOutcome(next=Reply(text=text, failed=True), added=(*added, Notice(text=text)))
