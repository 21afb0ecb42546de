"""The clock that the tools go by: read once per handler, and the same on every replay."""

from datetime import UTC, datetime

import restate

from services.tools.settings import airline_settings


async def business_now(ctx: restate.Context) -> datetime:
    """Now, in UTC, journaled by Restate."""
    return datetime.fromtimestamp(await ctx.time(), tz=UTC)


async def airline_now(ctx: restate.Context) -> datetime:
    """Now, as the airline's clock has it: journaled, unless the settings have stopped it."""
    # Asked in any case: the journal has to be the same after the settings have changed.
    journaled = await business_now(ctx)
    return airline_settings().now or journaled
