"""Customers' ratings of replies. A rating has a state key of its own, so that the record of its turn is written once.

A rating must not wait behind a running turn. So a shared handler checks it and answers, and sends it to the handler
that holds the session's lock.
"""

from datetime import UTC, datetime

import restate

from switchboard.messages import WireModel
from switchboard.runtime.invocations import NOTHING_RETAINED
from switchboard.session.contract import SESSION, TURN_UNKNOWN, Rated, RateTurn, Rating, TurnRecord
from switchboard.session.metrics import count_rating
from switchboard.session.state import Head
from switchboard.session.storage import HEAD, AnyContext, load_head, require_head, require_new_request, turn_key
from switchboard.speaker import SPEAKER_HEADER

RECORD = "record_rating"
RATING_PREFIX = "rating/"
STAFF_AGENT = "staff"
"""The metric's label `agent` of a reply that a staff member wrote. Names of agents begin with a capital letter."""


class NewRating(WireModel):
    """A rating that was accepted, with the agent whose reply it rates."""

    turn: int
    agent: str
    rating: Rating


def add_ratings(session: restate.VirtualObject) -> None:
    """Add the handlers that accept and store ratings."""

    @session.handler(kind="shared")
    async def rate(ctx: restate.ObjectSharedContext, request: RateTurn) -> Rated:
        """Rate a reply, or change its rating. It is stored when the running turn has ended."""
        head = require_head(ctx, await load_head(ctx, request))
        require_new_request(ctx, head)
        agent = rated_agent(await ctx.get(turn_key(request.turn), type_hint=TurnRecord))
        at = datetime.fromtimestamp(await ctx.time(), tz=UTC)
        rating = Rating(rating=request.rating, comment=request.comment, at=at)
        body = NewRating(turn=request.turn, agent=agent, rating=rating).model_dump_json().encode()
        headers = {SPEAKER_HEADER: ctx.request().headers.get(SPEAKER_HEADER, "")}
        ctx.generic_send(SESSION, RECORD, body, key=ctx.key(), headers=headers)
        return Rated(turn=request.turn, rating=rating)

    @session.handler(RECORD, ingress_private=True, **NOTHING_RETAINED)
    async def record_rating(ctx: restate.ObjectContext, new: NewRating) -> None:
        """Store a rating. The session may have expired meanwhile."""
        head = await ctx.get(HEAD, type_hint=Head)
        if head is None or head.expired_at is not None:
            return
        head = require_new_request(ctx, head)
        before = await ctx.get(rating_key(new.turn), type_hint=Rating)
        if before is None or before.rating != new.rating.rating:
            count_rating(new.agent, new.rating.rating)
        ctx.set(rating_key(new.turn), new.rating)
        ctx.set(HEAD, head.model_copy(update={"rated": True}))


def rated_agent(record: TurnRecord | None) -> str:
    """Return whose reply a turn has. Raises 404 for a turn without one that the customer has seen."""
    if record is None or record.act or not (record.agents or record.by):
        raise restate.TerminalError(TURN_UNKNOWN, status_code=404)
    return STAFF_AGENT if record.by else record.agents[-1]


async def keys_of_ratings(ctx: AnyContext, head: Head) -> frozenset[str]:
    """Return the state keys of the session's ratings. A session without ratings costs nothing."""
    if not head.rated:
        return frozenset()
    return frozenset(key for key in await ctx.state_keys() if key.startswith(RATING_PREFIX))


async def with_rating(ctx: AnyContext, record: TurnRecord, keys: frozenset[str]) -> TurnRecord:
    """Return a turn with its rating, if there is one."""
    key = rating_key(record.turn)
    rating = await ctx.get(key, type_hint=Rating) if key in keys else None
    return record if rating is None else record.model_copy(update={"rating": rating})


def rating_key(turn: int) -> str:
    return f"{RATING_PREFIX}{turn:06d}"
