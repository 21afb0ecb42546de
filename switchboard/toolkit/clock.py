"""The clock for handlers: journaled, so that a replay sees the same time."""

from datetime import UTC, datetime

import restate


async def business_now(ctx: restate.Context) -> datetime:
    """Return the current time in UTC. Restate journals it, so replays return the same time."""
    return datetime.fromtimestamp(await ctx.time(), tz=UTC)
