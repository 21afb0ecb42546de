"""One decision of a model, journaled: attempts with pauses between them, then the next model, within bounds."""

import functools
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import restate

from switchboard.agent import Agent
from switchboard.loop.attempts import (
    OVERLOADED,
    SEARCH_ATTEMPTS_MAX,
    GiveUp,
    Plan,
    after_accepted,
    after_refused,
    after_server_error,
    after_too_long,
    after_unavailable,
    applied,
    next_model,
)
from switchboard.loop.listener import Listener
from switchboard.messages import Message, ModelReply, Spent, TurnRequest, Usage, WireModel, added_later
from switchboard.models.model import Model, ModelRejected, ModelUnavailable, Observer
from switchboard.telemetry import metrics
from switchboard.telemetry.logs import private
from switchboard.telemetry.model_call import ModelCall, model_call
from switchboard.telemetry.spans import HandlerSpan, current
from switchboard.words import unmark

logger = logging.getLogger(__name__)

MODEL_RUN = "model"
"""Begins the name of a model call in the journal."""

ATTEMPTS_MAX = 100
"""Of one decision, over all models and searches: a bound for what plans cannot bound by themselves."""

BYTES_PER_TOKEN = 4
"""Of English text; for calls of which the endpoint does not say what they cost."""

JOURNAL = 2
"""Version of the journal's entries. 1: their names contain the model's, and the settings decide what comes next."""

COSTLY = frozenset({"timeout", "cut_off", "malformed"})
"""Kinds of failure after which the model has worked: they are charged by an estimate where no usage is told."""

Observe = Callable[[TurnRequest, int, int], Observer | None]
"""Returns who watches a model's answer, by request, step and attempt, both from 0; None when no one does."""


class Attempt(WireModel):
    """The outcome of asking a model once: a reply that can be used, or why there is none.

    `next` says how the next attempt is made; without it and without a reply, the decision is given up for `gave_up`.
    `kind` of a failure quotes no text: an HTTP status, `timeout`, …; see ModelUnavailable and ModelRejected.
    `spent` is what an attempt without a usable reply cost. `ended_ns` is in nanoseconds since 1970. `final` and
    `retry_after_ms` are read from journals of version 1.
    """

    reply: ModelReply | None = None
    why: str = ""
    final: bool = False
    retry_after_ms: int | None = None
    ended_ns: int = 0
    next: Plan | None = None
    gave_up: str = ""
    spent: Spent | None = None
    kind: str = added_later("")


ONCE = restate.RunOptions[Attempt](type_hint=Attempt)


@dataclass
class Asking:
    """State that the decisions of one turn share: the plan for the next attempt, and the cost of the failed ones.

    `call` is the call that this process has begun last. `listener` hears of the turn's messages.
    """

    agent: Agent
    models: Sequence[Model]
    request: TurnRequest
    observe: Observe | None = None
    plan: Plan = field(default_factory=Plan)
    spent: list[Spent] = field(default_factory=list)
    call: ModelCall | None = None
    listener: Listener | None = None

    def said(self, messages: Sequence[Message]) -> None:
        """Tell the listener all messages that the turn has added so far."""
        if self.listener is not None:
            self.listener.said(messages)


@dataclass(frozen=True)
class Decided:
    """A model's reply, and when it came, in nanoseconds since 1970."""

    reply: ModelReply
    at_ns: int


@dataclass(frozen=True)
class Try:
    """One attempt: how it is made, its step and its number, both from 0, and the model that was given up for it."""

    plan: Plan
    step: int
    number: int
    instead_of: str
    parent: HandlerSpan | None


async def request_decision(ctx: restate.Context, asking: Asking, added: list[Message], step: int) -> Decided | GiveUp:
    """Ask the models in order. Raises TerminalError only for a cancellation.

    Pauses are journaled sleeps and not retries of the invocation: a turn that waits for an endpoint can be interrupted
    at once, and the journal shows each attempt with its outcome.
    """
    plan = first_plan(asking)
    given_up = ""
    for number in range(ATTEMPTS_MAX):
        asking.call = None
        # Taken here: the closure may run in a task that knows nothing of this invocation.
        this = Try(plan, step, number, given_up, current())
        try:
            tried = await ctx.run_typed(entry_name(asking, this), try_once, ONCE, this, asking, list(added))
        except restate.TerminalError:
            # A replay does not know whether the call was sent, and charges it.
            if asking.call is None or not asking.call.waiting:
                asking.spent.append(estimated(asking, added, model_of(asking.models, plan)))
            raise
        if tried.spent is not None:
            asking.spent.append(tried.spent)
        if tried.reply is not None:
            asking.plan = settled(plan)
            return Decided(tried.reply, tried.ended_ns)
        next_plan = tried.next if asking.request.journal >= JOURNAL else tried.next or read_old(tried, plan, asking)
        log_failure(asking.agent, number + 1, tried)
        if next_plan is None:
            asking.plan = proven(plan)
            return GiveUp(tried.gave_up)
        given_up = model_of(asking.models, plan).name if next_plan.model != plan.model else ""
        if next_plan.pause_ms:
            await ctx.sleep(timedelta(milliseconds=next_plan.pause_ms), name="model pause")
        plan = next_plan
    asking.plan = proven(plan)
    return GiveUp("")


def log_failure(agent: Agent, number: int, attempt: Attempt) -> None:
    """Log why an attempt gave no reply: its kind, and its words only where those of customers may be logged."""
    kind = f" ({attempt.kind})" if attempt.kind else ""
    logger.warning("agent %s, model attempt %d failed%s: %s", agent.name, number, kind, private(attempt.why))


def first_plan(asking: Asking) -> Plan:
    """Return the plan for the first attempt of a step.

    What the earlier steps of the turn have found out stays: the models that failed, and the texts that are refused.
    Names in journals of version 1 contain the model's, so there each step begins with the first model.
    """
    before = asking.plan
    model = before.model if asking.request.journal >= JOURNAL else 0
    return Plan(
        model=model,
        first=model,
        withheld=before.withheld,
        skipped=before.skipped,
        plain_history=before.plain_history,
    )


def entry_name(asking: Asking, this: Try) -> str:
    """The name of an attempt in the journal. It must not depend on settings: they may change before a replay."""
    if asking.request.journal >= JOURNAL:
        return f"{MODEL_RUN} {this.step}" + (f" attempt {this.number + 1}" if this.number else "")
    name = f"{MODEL_RUN} {this.step} {model_of(asking.models, this.plan).name}"
    return name + (f" attempt {this.plan.attempt + 1}" if this.plan.attempt else "")


def read_old(tried: Attempt, plan: Plan, asking: Asking) -> Plan | None:
    """Return the next plan after an attempt from a journal of version 1, or None if there is no further attempt."""
    if tried.gave_up:
        return None
    if tried.final:
        following = next_model(plan, len(asking.models), "")
    else:
        pause = None if tried.retry_after_ms is None else timedelta(milliseconds=tried.retry_after_ms)
        following = after_unavailable(plan, len(asking.models), pause, give_up=False)
    return following if isinstance(following, Plan) else None


def model_of(models: Sequence[Model], plan: Plan) -> Model:
    """The model that a plan asks; the last one, where the list has become shorter since the plan was made."""
    return models[min(plan.model, len(models) - 1)]


def settled(plan: Plan) -> Plan:
    """Return the plan of an attempt whose reply is used. After a search that took too long, only its finds count."""
    search = plan.search
    if search is None or (search.after_accepted() is None and search.attempts <= SEARCH_ATTEMPTS_MAX):
        return plan
    return plan.model_copy(update={"withheld": search.proven})


def proven(plan: Plan) -> Plan:
    """Return the plan with the texts only that are known to be refused: a search that was given up proves little."""
    found = plan.search.proven if plan.search else ()
    return Plan(model=plan.model, withheld=found)


async def try_once(this: Try, asking: Asking, added: list[Message]) -> Attempt:
    """One call. A failure is a value, so that it is journaled, and no retry of the journal's makes it twice."""
    attempt = await call_once(this, asking, added)
    # Counted with its outcome: an attempt that is cut off is made again, and is still one fallback.
    if this.instead_of:
        metrics.MODEL_FALLBACKS.labels(this.instead_of, model_of(asking.models, this.plan).name).inc()
    return attempt


async def call_once(this: Try, asking: Asking, added: list[Message]) -> Attempt:
    model, agent = model_of(asking.models, this.plan), asking.agent
    observer = asking.observe(asking.request, this.step, this.number) if asking.observe else None
    observer = WithoutMarks(observer) if observer else None
    request, sent = applied(this.plan, asking.request, added)
    with model_call(this.parent, model, agent.name, this.plan.attempt) as call:
        asking.call = call
        call.record_request((*request.transcript, *sent))
        try:
            reply = await (model.ask(agent, request, sent, observer) if observer else model.ask(agent, request, sent))
        except (ModelRejected, ModelUnavailable) as error:
            call.record_failure(error, "rejected" if isinstance(error, ModelRejected) else "unavailable", error.kind)
            if observer is not None:
                observer.attempt_failed()
            return failed_attempt(this.plan, asking, added, error, model)
        except Exception as error:
            # Whatever an endpoint answers, a retry of the journal's would ask and pay for it again, up to 600 times.
            logger.exception("the model %s gave an answer that cannot be read", model.name)
            unreadable = ModelUnavailable(f"the answer cannot be read: {type(error).__name__}", "malformed")
            call.record_failure(unreadable, "unavailable", unreadable.kind)
            if observer is not None:
                observer.attempt_failed()
            return failed_attempt(this.plan, asking, added, unreadable, model)
        reply = without_marks(reply)
        call.record_reply(reply)
        if reply.usage == Usage():
            # Without a count the session would have no limit.
            reply = reply.model_copy(update={"usage": estimated(asking, added, model).usage})
    going_on = after_accepted(this.plan)
    if going_on is None:
        return Attempt(reply=reply, ended_ns=time.time_ns())
    if observer is not None:
        observer.attempt_failed()
    why = "looking for the text that the endpoint refuses"
    spent = Spent(agent=agent.name, model=model.name, usage=reply.usage)
    return Attempt(why=why, next=going_on, spent=spent, ended_ns=time.time_ns())


@dataclass(frozen=True)
class WithoutMarks:
    """Passes a model's text on without the marks of other people's words, which it may repeat."""

    observer: Observer

    def text_delta(self, text: str) -> None:
        if shown := unmark(text):
            self.observer.text_delta(shown)

    def attempt_failed(self) -> None:
        self.observer.attempt_failed()


def without_marks(reply: ModelReply) -> ModelReply:
    """Return a reply without the marks of other people's words."""
    calls = tuple(call.model_copy(update={"arguments": unmark(call.arguments)}) for call in reply.calls)
    return reply.model_copy(update={"text": unmark(reply.text), "calls": calls})


def failed_attempt(
    plan: Plan, asking: Asking, added: Sequence[Message], error: ModelRejected | ModelUnavailable, model: Model
) -> Attempt:
    """Return the failed attempt with the plan for the next one, or the reason to give up, and its cost."""
    models, request = len(asking.models), asking.request
    if isinstance(error, ModelUnavailable) and is_server_error(error):
        following = after_server_error(plan, models, request, added, error.retry_after)
    elif isinstance(error, ModelUnavailable):
        following = after_unavailable(plan, models, error.retry_after, error.give_up)
    elif error.reason == "too_long":
        following = after_too_long(plan, models, request, added)
    elif error.reason == "content" and error.kind == "content_filter" and not plan.repeated:
        # The answer was stopped, not the request: the model may say something else.
        following = plan.model_copy(update={"repeated": True, "pause_ms": 0})
    elif error.reason == "content":
        following = after_refused(plan, models, request, added)
    else:
        following = next_model(plan, models, error.reason)
    spent = None
    if error.usage is not None and error.usage != Usage():
        spent = Spent(agent=asking.agent.name, model=model.name, usage=error.usage)
    elif error.kind in COSTLY:
        spent = estimated(asking, added, model)
    return Attempt(
        why=str(error),
        next=following if isinstance(following, Plan) else None,
        gave_up=following.reason if isinstance(following, GiveUp) else "",
        spent=spent,
        ended_ns=time.time_ns(),
        kind=error.kind,
    )


def is_server_error(error: ModelUnavailable) -> bool:
    """Whether a text may have broken the server: it answers with an error that it does not explain."""
    return error.kind.startswith("5") and error.kind not in OVERLOADED and not error.give_up


def estimated(asking: Asking, added: Sequence[Message], model: Model) -> Spent:
    """About what a call costs whose endpoint does not say so: its input, by size."""
    size = len(asking.agent.instructions.encode()) + len(asking.request.summary.encode())
    size += sum(len(message.model_dump_json()) for message in (*asking.request.transcript, *added))
    size += tools_size(asking.agent)
    usage = Usage(input_tokens=size // BYTES_PER_TOKEN)
    return Spent(agent=asking.agent.name, model=model.name, usage=usage, estimated=True)


@functools.cache
def tools_size(agent: Agent) -> int:
    """About the size of an agent's tools in a request, in bytes."""
    offered = [tool for tool in agent.tools if tool.offered]
    return sum(len(tool.purpose.encode()) + len(str(tool.parameters())) for tool in offered)
