"""One decision of a model, journaled: attempts with pauses between them, then the next model, within bounds."""

import logging
from collections.abc import Sequence
from datetime import timedelta

import restate

from switchboard.agent import Agent
from switchboard.messages import Message, ModelReply, TurnRequest, Wire
from switchboard.model import Model, ModelRejected, ModelUnavailable

logger = logging.getLogger(__name__)

MODEL_RUN = "model"
"""Begins the name of a model call in the journal."""

MODEL_ATTEMPTS = 4
"""Per model; then the next model, then an apology."""

FIRST_PAUSE = timedelta(milliseconds=500)
"""Before the second attempt; doubled before each further one, unless the endpoint asks for another pause."""


class Attempt(Wire):
    """What came of asking a model once: a reply, or why there is none, and whether another attempt may help."""

    reply: ModelReply | None = None
    why: str = ""
    final: bool = False
    retry_after_ms: int | None = None


ONCE = restate.RunOptions[Attempt](type_hint=Attempt)


async def ask(
    ctx: restate.Context,
    agent: Agent,
    models: Sequence[Model],
    request: TurnRequest,
    added: list[Message],
    step: int,
) -> ModelReply | None:
    """Ask the models in order; None when none of them could be had. Raises TerminalError only for a cancellation.

    The pauses are journaled sleeps and not retries of the invocation: a turn that waits for an endpoint can be
    interrupted at once, and each attempt stands in the journal with what became of it.
    """
    for model in models:
        for attempt in range(MODEL_ATTEMPTS):
            name = f"{MODEL_RUN} {step} {model.name}" + (f" attempt {attempt + 1}" if attempt else "")
            tried = await ctx.run_typed(name, try_once, ONCE, model, agent, request, added)
            if tried.reply is not None:
                return tried.reply
            logger.warning("agent %s, model %s, attempt %d: %s", agent.name, model.name, attempt + 1, tried.why)
            if tried.final:
                break
            if attempt + 1 < MODEL_ATTEMPTS:
                await ctx.sleep(pause_after(attempt, tried), name="model pause")
    return None


def pause_after(attempt: int, tried: Attempt) -> timedelta:
    if tried.retry_after_ms is not None:
        return timedelta(milliseconds=tried.retry_after_ms)
    pause: timedelta = FIRST_PAUSE * 2**attempt
    return pause


async def try_once(model: Model, agent: Agent, request: TurnRequest, added: list[Message]) -> Attempt:
    """One call. A failure is a value, so that it is journaled, and no retry of the journal's makes it twice."""
    try:
        return Attempt(reply=await model.ask(agent, request, added))
    except ModelRejected as error:
        return Attempt(why=str(error), final=True)
    except ModelUnavailable as error:
        pause = None if error.retry_after is None else round(error.retry_after / timedelta(milliseconds=1))
        return Attempt(why=str(error), retry_after_ms=pause)
