"""Settings as a handler may read them: once in its life, so that a deploy with another value changes nothing begun."""

from datetime import timedelta

import restate


async def as_set(ctx: restate.Context, name: str, setting: timedelta) -> timedelta:
    """What a setting says, journaled under `name`: the same at every replay, whatever it says by then."""

    async def seconds() -> float:
        return setting.total_seconds()

    return timedelta(seconds=await ctx.run_typed(name, seconds, restate.RunOptions(type_hint=float)))
