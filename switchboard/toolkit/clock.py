"""The clock of tools: read once per handler, and the same on every replay."""

from datetime import UTC, datetime

import restate


async def business_now(ctx: restate.Context) -> datetime:
    """Return the current time in UTC, journaled by Restate."""
    return datetime.fromtimestamp(await ctx.time(), tz=UTC)
