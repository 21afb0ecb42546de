"""Decides what follows a model call without a usable reply: wait, ask the next model, or send less. Pure.

A plan says how the next attempt is made. It is journaled with the outcome of the attempt before it, so that a replay
goes the same way although settings or the list of models have changed meanwhile.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from switchboard.messages import (
    SUMMARY,
    Message,
    ModelReply,
    ToolResult,
    TurnRequest,
    UserText,
    WireModel,
    added_later,
)

MODEL_ATTEMPTS = 4
"""Per model, where waiting may help; then the next model, then an apology."""

FIRST_PAUSE = timedelta(milliseconds=500)
"""Before the second attempt; doubled before each further one, unless the endpoint asks for another pause."""

SEARCH_ATTEMPTS_MAX = 30
"""Attempts of one decision that look for refused texts. Twelve find one among hundreds, thirty find four of them."""

OVERLOADED = frozenset({"503", "504", "529"})
"""Errors of a server that say themselves what is wrong, so that no text is the cause."""

NO_MODEL = "no_model"
"""The reason to give up when every model was unavailable: waiting may help."""

SETUP = "setup"
"""The reason when the models refuse every request: waiting does not help."""

TOO_LONG = "too_long"
"""The reason when not even the last message fits into the model's context."""


class Search(WireModel):
    """A search for the texts that an endpoint refuses, among `suspects`: positions of messages, the newest first.

    `found` are known to be refused. Leaving out `found` and the first `refused` suspects was refused; leaving out
    `found` and the first `accepted` ones was accepted, None while that is not known. `checking` while an attempt leaves
    out `found` only. `attempts` counts those of the whole search.

    `server_errors` when the refusals are errors of the server. They are `doubted` while they may have been an outage
    that is over: after the first attempt that is accepted, a `control` leaves out no more than `before` the search. If
    that is accepted as well, no text is the cause.
    """

    suspects: tuple[int, ...]
    found: tuple[int, ...] = ()
    refused: int = 0
    accepted: int | None = None
    checking: bool = False
    attempts: int = 0
    server_errors: bool = added_later(False)
    doubted: bool = added_later(False)
    control: bool = added_later(False)
    before: tuple[int, ...] = added_later(())

    @property
    def tried(self) -> int:
        """How many of the suspects the next attempt leaves out."""
        if self.checking:
            return 0
        if self.accepted is None:
            return len(self.suspects) if self.refused else min(1, len(self.suspects))
        return (self.refused + self.accepted) // 2

    @property
    def left_out(self) -> tuple[int, ...]:
        if self.control:
            return self.before
        return tuple(sorted({*self.found, *self.suspects[: self.tried]}))

    def after_accepted(self) -> "Search | None":
        """Return how to go on; None when the attempt left out exactly the refused texts."""
        if self.checking or self.control:
            return None
        known = self.model_copy(update={"accepted": self.tried, "attempts": self.attempts + 1})
        return known.model_copy(update={"control": True}) if self.doubted else known.resolved(fresh=True)

    def after_refused(self) -> "Search | None":
        """Return how to go on; None when the texts are not the cause."""
        attempts = self.attempts + 1
        if self.control:
            return self.model_copy(update={"control": False, "doubted": False, "attempts": attempts}).resolved()
        if self.checking:
            # Leaving out all suspects of this round as well was accepted before.
            again = {"checking": False, "refused": 0, "accepted": len(self.suspects), "attempts": attempts}
            return self.model_copy(update=again).resolved() if self.suspects else None
        if self.tried >= len(self.suspects):
            return None
        return self.model_copy(update={"refused": self.tried, "attempts": attempts}).resolved()

    def resolved(self, fresh: bool = False) -> "Search | None":
        """Name the refused text when only one is left between `refused` and `accepted`.

        `fresh` when the attempt just made was the accepted one: if it left out nothing else, its reply can be used.
        """
        if self.accepted is None or self.accepted - self.refused > 1:
            return self
        if fresh and self.accepted == 1:
            return None
        newer, culprit = self.suspects[: self.refused], self.suspects[self.refused]
        finds = {"suspects": newer, "found": (*self.found, culprit)}
        return self.model_copy(update={**finds, "refused": 0, "accepted": None, "checking": True})

    @property
    def proven(self) -> tuple[int, ...]:
        """The texts that are known to be refused."""
        return self.before if self.doubted else self.found


class Plan(WireModel):
    """How a model is asked: which one, how often it was asked before, and what of the conversation it is sent.

    `first` is the model with which the step began.
    `withheld` are positions in the request's transcript and the turn's messages. `skipped` of the oldest messages are
    not sent at all. With `plain_history` nothing is sent back that only the model itself can read.
    `search` is the search for refused texts that the attempt is part of. `repeated` once the same request was repeated
    because a filter stopped its answer. `pause_ms` is slept before it.
    """

    model: int = 0
    attempt: int = 0
    withheld: tuple[int, ...] = ()
    skipped: int = 0
    plain_history: bool = False
    search: Search | None = None
    repeated: bool = False
    pause_ms: int = 0
    first: int = added_later(0)


@dataclass(frozen=True)
class GiveUp:
    """No model can be asked any more, for this reason."""

    reason: str


def after_unavailable(plan: Plan, models: int, asked_pause: timedelta | None, give_up: bool) -> Plan | GiveUp:
    """Wait and ask again; after MODEL_ATTEMPTS, or when the endpoint asks for too long a pause, ask the next model."""
    if give_up or plan.attempt + 1 >= MODEL_ATTEMPTS:
        return next_model(plan, models, NO_MODEL)
    pause: timedelta = FIRST_PAUSE * 2**plan.attempt if asked_pause is None else asked_pause
    return plan.model_copy(update={"attempt": plan.attempt + 1, "pause_ms": round(pause / timedelta(milliseconds=1))})


def after_server_error(
    plan: Plan, models: int, request: TurnRequest, added: Sequence[Message], asked_pause: timedelta | None
) -> Plan | GiveUp:
    """Wait and ask again; after MODEL_ATTEMPTS look for a text that breaks the server.

    Some servers answer 500 to a text that they cannot handle. They would do so for ever, as the text stays in the
    conversation.
    """
    search = plan.search
    if search is not None and search.server_errors:
        return go_on_searching(plan, search.after_refused(), models, NO_MODEL)
    among = suspects(plan, request, added)
    if search is not None or plan.attempt + 1 < MODEL_ATTEMPTS or not among:
        return after_unavailable(plan, models, asked_pause, give_up=False)
    before = plan.withheld
    return searching(plan, Search(suspects=among, found=before, before=before, server_errors=True, doubted=True))


def next_model(plan: Plan, models: int, reason: str) -> Plan | GiveUp:
    """Ask the next model for everything again: what one provider refuses, another one may take.

    A step that began with a fallback comes round to the models before it.
    """
    following = (plan.model + 1) % models
    if following == min(plan.first, models - 1):
        return GiveUp(reason)
    return Plan(model=following, first=plan.first)


def after_too_long(plan: Plan, models: int, request: TurnRequest, added: Sequence[Message]) -> Plan | GiveUp:
    """Send half as much of the conversation."""
    cut = shorter(request, plan.skipped)
    if cut is not None:
        return plan.model_copy(update={"skipped": cut, "attempt": 0, "pause_ms": 0})
    long = longest_result(plan, request, added)
    if long is not None:
        withheld = tuple(sorted({*plan.withheld, long}))
        return plan.model_copy(update={"withheld": withheld, "search": None, "attempt": 0, "pause_ms": 0})
    return next_model(plan, models, TOO_LONG)


def shorter(request: TurnRequest, skipped: int) -> int | None:
    """Return how many of the oldest messages to skip next; None when only the last message of the customer is left.

    Cuts in front of a customer's message: a result without its call would be refused.
    """
    starts = [index for index, message in enumerate(request.transcript) if isinstance(message, UserText)]
    later = [index for index in starts if index > skipped]
    if not later:
        return None
    return later[(len(later) - 1) // 2]


def longest_result(plan: Plan, request: TurnRequest, added: Sequence[Message]) -> int | None:
    """The longest result that is still sent; None when there is none."""
    messages = (*request.transcript, *added)
    results = [
        (len(message.content), index)
        for index, message in enumerate(messages)
        if isinstance(message, ToolResult) and index >= plan.skipped and index not in plan.withheld
    ]
    return max(results)[1] if results else None


def after_refused(plan: Plan, models: int, request: TurnRequest, added: Sequence[Message]) -> Plan | GiveUp:
    """Look for the text that the endpoint refuses, and ask without it."""
    if not plan.plain_history and plan.search is None and has_parts(request, added):
        return plan.model_copy(update={"plain_history": True, "attempt": 0, "pause_ms": 0})
    if plan.search is None:
        among = suspects(plan, request, added)
        search = Search(suspects=among, found=plan.withheld) if among else None
    else:
        search = plan.search.after_refused()
    return go_on_searching(plan, search, models, SETUP)


def go_on_searching(plan: Plan, search: Search | None, models: int, reason: str) -> Plan | GiveUp:
    """Make the next attempt of a search. Without one, no text is the cause."""
    if search is None:
        return next_model(plan, models, reason)
    return searching(plan, search) if in_bounds(search) else last_resort(plan, search, models)


def last_resort(plan: Plan, search: Search, models: int) -> Plan | GiveUp:
    """End a search that takes too long: leave out everything that is known to be enough, for this message only."""
    if (search.accepted is None and not search.checking) or search.attempts > SEARCH_ATTEMPTS_MAX:
        return next_model(plan, models, SETUP)
    # While only the finds are left out, leaving out all suspects of this round as well was accepted before.
    count = len(search.suspects) if search.accepted is None else search.accepted
    enough = search.model_copy(update={"attempts": SEARCH_ATTEMPTS_MAX + 1, "checking": True})
    withheld = tuple(sorted({*search.found, *search.suspects[:count]}))
    return plan.model_copy(update={"search": enough, "withheld": withheld, "attempt": 0, "pause_ms": 0})


def after_accepted(plan: Plan) -> Plan | None:
    """Return the next attempt of a search that is under way; None when the reply can be used."""
    search = plan.search.after_accepted() if plan.search else None
    return searching(plan, search) if search and in_bounds(search) else None


def in_bounds(search: Search) -> bool:
    return search.attempts < SEARCH_ATTEMPTS_MAX


def searching(plan: Plan, search: Search) -> Plan:
    return plan.model_copy(update={"search": search, "withheld": search.left_out, "attempt": 0, "pause_ms": 0})


def suspects(plan: Plan, request: TurnRequest, added: Sequence[Message]) -> tuple[int, ...]:
    """All texts of a request, the newest first: what was taken before is less likely to be refused now."""
    total = len(request.transcript) + len(added)
    messages = (*request.transcript, *added)
    newest_first = [
        index
        for index in reversed(range(plan.skipped, total))
        if index not in plan.withheld and not messages[index].withheld
    ]
    summary = [SUMMARY] if request.summary and not plan.skipped and SUMMARY not in plan.withheld else []
    return (*newest_first, *summary)


def has_parts(request: TurnRequest, added: Sequence[Message]) -> bool:
    return any(isinstance(message, ModelReply) and message.parts for message in (*request.transcript, *added))


def applied(plan: Plan, request: TurnRequest, added: Sequence[Message]) -> tuple[TurnRequest, list[Message]]:
    """Return what the plan sends of a conversation."""
    if plan == Plan(model=plan.model, attempt=plan.attempt, pause_ms=plan.pause_ms, first=plan.first):
        return request, list(added)
    messages = [
        shown(message, index in plan.withheld, plan.plain_history)
        for index, message in enumerate((*request.transcript, *added))
    ]
    kept = len(request.transcript)
    summary = "" if plan.skipped or SUMMARY in plan.withheld else request.summary
    sent = request.model_copy(update={"transcript": tuple(messages[plan.skipped : kept]), "summary": summary})
    return sent, messages[kept:]


def shown(message: Message, withheld: bool, plain: bool) -> Message:
    if withheld:
        message = message.model_copy(update={"withheld": True})
    if plain and isinstance(message, ModelReply):
        message = message.without_parts()
    return message
