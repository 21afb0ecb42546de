"""The tools' work, the same for every system: wait like a slow backend, return some text, or have an effect."""

import asyncio
import os
from pathlib import Path

from bench.contract import Book, LookUp, Said, Wait

FILLER = "Booked on the 14th, paid by card, one bag of 23 kg, seat by the aisle, meal without meat, no insurance. "
LOOKED_UP_CHARS = 480

EFFECTS = "BENCH_EFFECTS"
"""Environment variable with the path of the file that stands for the outside world. Each line is one effect."""


async def wait(request: Wait) -> Said:
    await asyncio.sleep(request.milliseconds / 1000)
    return Said(said=request.name)


async def look_up(request: LookUp) -> Said:
    text = f"{request.name}: " + FILLER * (LOOKED_UP_CHARS // len(FILLER) + 1)
    return Said(said=text[:LOOKED_UP_CHARS])


async def book(request: Book) -> Said:
    """Wait, then have an effect that no crash takes back."""
    await asyncio.sleep(request.milliseconds / 1000)
    have_effect(request.name)
    return Said(said=request.name)


def have_effect(name: str) -> None:
    """Append a line with one system call, so that lines of several processes are never mixed."""
    with Path(os.environ[EFFECTS]).open("ab", buffering=0) as effects:
        effects.write(f"{name}\n".encode())
