"""Journaled settings, so that a deploy with other values does not change handlers that are already running."""

from datetime import timedelta

import restate


async def journaled_setting(ctx: restate.Context, name: str, setting: timedelta) -> timedelta:
    """Journal a setting under `name` and return it. Replays return the journaled value."""

    async def seconds() -> float:
        return setting.total_seconds()

    return timedelta(seconds=await ctx.run_typed(name, seconds, restate.RunOptions(type_hint=float)))
