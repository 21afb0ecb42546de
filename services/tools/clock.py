"""The clock that the tools go by: read once per handler, and the same on every replay."""

from datetime import UTC, datetime

import restate
from pydantic import AwareDatetime

from services.tools.settings import AirlineIds, airline_settings
from switchboard.messages import Wire


class Moment(Wire):
    """What the clock and the settings say to one handler of the airline's; a replay under other settings goes by it."""

    now: AwareDatetime
    ids: AirlineIds


MOMENT = restate.RunOptions[Moment](type_hint=Moment)


async def business_now(ctx: restate.Context) -> datetime:
    """Now, in UTC, journaled by Restate."""
    return datetime.fromtimestamp(await ctx.time(), tz=UTC)


async def airline_now(ctx: restate.Context) -> datetime:
    """Now, as the airline's clock has it: journaled."""
    return (await airline_moment(ctx)).now


async def airline_moment(ctx: restate.Context) -> Moment:
    """Now, as the airline's clock has it, and whose ids are given: journaled as one."""
    return await ctx.run_typed("airline clock", read_moment, MOMENT)


def read_moment() -> Moment:
    """For the inside of a journaled run, there alone."""
    return Moment(now=airline_clock(), ids=airline_settings().ids)


def airline_clock() -> datetime:
    """For the inside of a journaled run, there alone: the airline's clock, stopped or not."""
    return airline_settings().now or datetime.now(UTC)
