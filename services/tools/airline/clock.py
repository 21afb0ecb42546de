"""The airline's clock, which a setting can stop: read once per handler, and the same on every replay."""

from datetime import UTC, datetime

import restate
from pydantic import AwareDatetime

from services.tools.airline.settings import AirlineIds, airline_settings
from switchboard.messages import WireModel


class ClockReading(WireModel):
    """The clock reading and the id setting of one handler; a replay uses these even if the settings changed."""

    now: AwareDatetime
    ids: AirlineIds


CLOCK_READING = restate.RunOptions[ClockReading](type_hint=ClockReading)


async def airline_now(ctx: restate.Context) -> datetime:
    """Return the airline's current time, journaled."""
    return (await airline_clock_reading(ctx)).now


async def airline_clock_reading(ctx: restate.Context) -> ClockReading:
    """Return the airline's current time and its id setting, journaled as one entry."""
    return await ctx.run_typed("airline clock", read_clock, CLOCK_READING)


def read_clock() -> ClockReading:
    """Read clock and settings. Call this inside a journaled run only."""
    return ClockReading(now=airline_clock(), ids=airline_settings().ids)


def airline_clock() -> datetime:
    """Return the stopped time from the settings, else the real time. Call this inside a journaled run only."""
    return airline_settings().now or datetime.now(UTC)
