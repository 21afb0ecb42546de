"""The airline's clock, which a setting can stop: read once per handler, and the same on every replay."""

from datetime import UTC, datetime

import restate
from pydantic import AwareDatetime

from services.tools.airline.settings import AirlineIds, airline_settings
from switchboard.messages import WireModel


class Moment(WireModel):
    """The clock reading and the id setting of one handler; a replay uses these even if the settings changed."""

    now: AwareDatetime
    ids: AirlineIds


MOMENT = restate.RunOptions[Moment](type_hint=Moment)


async def airline_now(ctx: restate.Context) -> datetime:
    """Return the airline's current time, journaled."""
    return (await airline_moment(ctx)).now


async def airline_moment(ctx: restate.Context) -> Moment:
    """Return the airline's current time and its id setting, journaled as one entry."""
    return await ctx.run_typed("airline clock", read_moment, MOMENT)


def read_moment() -> Moment:
    """Read clock and settings. Call this inside a journaled run only."""
    return Moment(now=airline_clock(), ids=airline_settings().ids)


def airline_clock() -> datetime:
    """Return the stopped time from the settings, else the real time. Call this inside a journaled run only."""
    return airline_settings().now or datetime.now(UTC)
