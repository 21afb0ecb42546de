"""The tools' work, which is the same for every system: wait like a slow backend, or return some text."""

import asyncio

from bench.contract import LookUp, Said, Wait

FILLER = "Booked on the 14th, paid by card, one bag of 23 kg, seat by the aisle, meal without meat, no insurance. "
LOOKED_UP_CHARS = 480


async def wait(request: Wait) -> Said:
    await asyncio.sleep(request.milliseconds / 1000)
    return Said(said=request.name)


async def look_up(request: LookUp) -> Said:
    text = f"{request.name}: " + FILLER * (LOOKED_UP_CHARS // len(FILLER) + 1)
    return Said(said=text[:LOOKED_UP_CHARS])
