"""The loop. One turn: a bounded number of steps, each a model call and the tool calls it asked for."""

import logging
from collections.abc import Sequence
from datetime import timedelta

import restate
from restate import RunOptions
from restate.exceptions import RetryableError

from switchboard.agent import Agent
from switchboard.decide import Act, Answer, AskAgain, HandOver, decide, release, released_calls
from switchboard.fanout import fan_out
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
from switchboard.model import Model, ModelRejected, ModelUnavailable

logger = logging.getLogger(__name__)

MODEL_ATTEMPTS = 4
"""Per model; then the next model, then an apology."""

UNFIT_MAX = 2
"""How often a turn's model is told that arguments do not fit; after that it will not learn it."""

MODEL_CALL = RunOptions[ModelReply](
    type_hint=ModelReply,
    max_attempts=MODEL_ATTEMPTS,
    initial_retry_interval=timedelta(milliseconds=500),
    retry_interval_factor=2.0,
    max_retry_interval=timedelta(seconds=10),
)

MODEL_DOWN = (
    "I am sorry, I cannot think just now: my language model does not answer. "
    "Nothing you said is lost, please try again in a minute."
)
STEPS_USED_UP = "I am sorry, I could not finish this in the steps I may take. Please ask again in smaller parts."
UNFIT = "I am sorry, I could not put your request into the form that our systems need. Please say it in other words."
PLEASE_CONFIRM = "Please confirm, with yes or no:"


async def run_turn(ctx: restate.Context, agent: Agent, models: Sequence[Model], request: TurnRequest) -> TurnOutcome:
    """Answer the customer, ask for their yes, or name the agent who should take over."""
    added: list[Message] = []
    try:
        return await take_steps(ctx, agent, models, request, added)
    except restate.TerminalError:
        # Every failure of a model or a tool has been dealt with below: this is our own cancellation.
        return TurnOutcome(next=Interrupted(), added=tuple(added))


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
        reply = await ask(ctx, agent, models, request, added, step)
        if reply is None:
            return apology(MODEL_DOWN, added)
        added.append(reply)
        match decide(reply, agent, request.identity, request.peers):
            case Answer(text):
                return TurnOutcome(next=Reply(text=text), added=tuple(added))
            case HandOver(hand_off, closed):
                return TurnOutcome(next=hand_off, added=(*added, closed))
            case AskAgain(note):
                added.append(note)
            case Act() as act:
                results = await fan_out(ctx, act.calls, request.identity)
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
    """The exact calls in plain words, all of one step together. No word of it is the model's."""
    if len(held) == 1:
        return Question(text=f"{PLEASE_CONFIRM} {held[0].question}", held=held)
    return Question(text="\n".join([PLEASE_CONFIRM, *(f"- {call.question}" for call in held)]), held=held)


def apology(text: str, added: list[Message]) -> TurnOutcome:
    """The turn failed, the session did not: what was found stays in the transcript, and the customer is told."""
    return TurnOutcome(next=Reply(text=text, failed=True), added=(*added, Notice(text=text)))


async def ask(
    ctx: restate.Context,
    agent: Agent,
    models: Sequence[Model],
    request: TurnRequest,
    added: list[Message],
    step: int,
) -> ModelReply | None:
    """One decision, journaled; the models are tried in order. None when none of them could be had."""
    for model in models:
        future = ctx.run_typed(f"model {step} {model.name}", call_once, MODEL_CALL, model, agent, request, added)
        # Our own cancellation surfaces here, outside the `except`; only the model's failure is caught below.
        await restate.gather(future)
        try:
            return await future
        except restate.TerminalError as error:
            logger.warning("agent %s gives up on model %s: %s", agent.name, model.name, error.message)
    return None


async def call_once(model: Model, agent: Agent, request: TurnRequest, added: list[Message]) -> ModelReply:
    """One attempt, in the words of Restate: what may pass is retried, what never will ends the attempts."""
    try:
        return await model.ask(agent, request, added)
    except ModelRejected as error:
        raise restate.TerminalError(str(error), status_code=502) from error
    except ModelUnavailable as error:
        if error.retry_after is None:
            raise  # Restate retries by MODEL_CALL's backoff.
        raise RetryableError(str(error), status_code=503, retry_after=error.retry_after) from error
