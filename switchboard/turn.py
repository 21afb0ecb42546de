"""The loop. One turn: a bounded number of steps, each a model call and the tool calls it asked for."""

from collections.abc import Sequence
from datetime import timedelta

import restate
from restate import RunOptions
from restate.exceptions import RetryableError

from switchboard.agent import Agent
from switchboard.decide import Act, Answer, AskAgain, HandOver, decide
from switchboard.fanout import fan_out
from switchboard.messages import Message, ModelReply, Notice, Reply, TurnOutcome, TurnRequest
from switchboard.model import Model, ModelRejected, ModelUnavailable

MODEL_ATTEMPTS = 4
"""Per model; then the next model, then an apology."""

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


async def run_turn(ctx: restate.Context, agent: Agent, models: Sequence[Model], request: TurnRequest) -> TurnOutcome:
    """Answer the customer, or name the agent who should."""
    added: list[Message] = []
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
            case Act(calls):
                added += await fan_out(ctx, calls, request.identity)
    return apology(STEPS_USED_UP, added)


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
        except restate.TerminalError:
            continue
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
