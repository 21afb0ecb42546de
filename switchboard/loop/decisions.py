"""One decision of a model, journaled: attempts with pauses between them, then the next model, within bounds."""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import restate

from switchboard.agent import Agent
from switchboard.messages import Message, ModelReply, TurnRequest, WireModel
from switchboard.models.model import Model, ModelRejected, ModelUnavailable
from switchboard.telemetry import metrics
from switchboard.telemetry.logs import private
from switchboard.telemetry.model_call import model_call
from switchboard.telemetry.spans import HandlerSpan, current

logger = logging.getLogger(__name__)

MODEL_RUN = "model"
"""Begins the name of a model call in the journal."""

MODEL_ATTEMPTS = 4
"""Per model; then the next model, then an apology."""

FIRST_PAUSE = timedelta(milliseconds=500)
"""Before the second attempt; doubled before each further one, unless the endpoint asks for another pause."""


class Attempt(WireModel):
    """What came of asking a model once: a reply, or why there is none, and whether another attempt may help.

    `ended_ns` is when, in nanoseconds since 1970.
    """

    reply: ModelReply | None = None
    why: str = ""
    final: bool = False
    retry_after_ms: int | None = None
    ended_ns: int = 0


ONCE = restate.RunOptions[Attempt](type_hint=Attempt)


@dataclass(frozen=True)
class Decided:
    """A model's reply, and when it came, in nanoseconds since 1970."""

    reply: ModelReply
    at_ns: int


@dataclass(frozen=True)
class Try:
    """Which attempt of a model this is, from 0; at its first one, which model was given up for it."""

    number: int
    instead_of: str
    parent: HandlerSpan | None


async def request_decision(
    ctx: restate.Context,
    agent: Agent,
    models: Sequence[Model],
    request: TurnRequest,
    added: list[Message],
    step: int,
) -> Decided | None:
    """Ask the models in order; None when none of them could be had. Raises TerminalError only for a cancellation.

    The pauses are journaled sleeps and not retries of the invocation: a turn that waits for an endpoint can be
    interrupted at once, and each attempt stands in the journal with what became of it.
    """
    given_up = ""
    for model in models:
        for attempt in range(MODEL_ATTEMPTS):
            # Taken here: the closure may run in a task that knows nothing of this invocation.
            this = Try(attempt, "" if attempt else given_up, current())
            name = f"{MODEL_RUN} {step} {model.name}" + (f" attempt {attempt + 1}" if attempt else "")
            tried = await ctx.run_typed(name, try_once, ONCE, this, model, agent, request, added)
            if tried.reply is not None:
                return Decided(tried.reply, tried.ended_ns)
            why = private(tried.why)
            logger.warning("agent %s, model %s, attempt %d failed: %s", agent.name, model.name, attempt + 1, why)
            if tried.final:
                break
            if attempt + 1 < MODEL_ATTEMPTS:
                await ctx.sleep(pause_after(attempt, tried), name="model pause")
        given_up = model.name
    return None


def pause_after(attempt: int, tried: Attempt) -> timedelta:
    if tried.retry_after_ms is not None:
        return timedelta(milliseconds=tried.retry_after_ms)
    pause: timedelta = FIRST_PAUSE * 2**attempt
    return pause


async def try_once(this: Try, model: Model, agent: Agent, request: TurnRequest, added: list[Message]) -> Attempt:
    """One call. A failure is a value, so that it is journaled, and no retry of the journal's makes it twice."""
    attempt = await call_once(this, model, agent, request, added)
    # Counted with its outcome: an attempt that is cut off is made again, and is still one fallback.
    if this.instead_of:
        metrics.MODEL_FALLBACKS.labels(this.instead_of, model.name).inc()
    return attempt


async def call_once(this: Try, model: Model, agent: Agent, request: TurnRequest, added: list[Message]) -> Attempt:
    with model_call(this.parent, model.name, agent.name, this.number) as call:
        call.record_request((*request.transcript, *added))
        try:
            reply = await model.ask(agent, request, added)
        except ModelRejected as error:
            call.record_failure(error, "rejected", error.kind)
            return Attempt(why=str(error), final=True, ended_ns=time.time_ns())
        except ModelUnavailable as error:
            call.record_failure(error, "unavailable", error.kind)
            pause = None if error.retry_after is None else round(error.retry_after / timedelta(milliseconds=1))
            return Attempt(why=str(error), retry_after_ms=pause, ended_ns=time.time_ns())
        call.record_reply(reply)
        return Attempt(reply=reply, ended_ns=time.time_ns())
