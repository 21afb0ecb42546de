"""More messages at the same time than Restate runs invocations by default."""

import asyncio
from pathlib import Path

import pytest

from services.project import reference
from switchboard.testing import says, scene
from switchboard.testing.laboratory import open_laboratory

AT_ONCE = 1_100
"""Restate runs 1,000 invocations of a node at the same time, unless its settings say otherwise."""

NEVER_SUSPENDED = {"RESTATE_WORKER__INVOKER__INACTIVITY_TIMEOUT": "1h", "RESTATE_DEFAULT_NUM_PARTITIONS": "1"}
"""Restate suspends what has waited for a minute. That would hide that nothing went on for this minute."""


@pytest.mark.slow
async def test_sessions_that_wait_for_their_agents_leave_places_for_them(tmp_path: Path) -> None:
    async with open_laboratory(reference(), tmp_path, restate_environment=NEVER_SUSPENDED) as laboratory:
        await laboratory.model.plays(scene("Good morning.", says("Good morning to you.")))
        customers = [laboratory.customer(f"customer-{number}") for number in range(AT_ONCE)]

        answers = await asyncio.gather(*(customer.says("Good morning.") for customer in customers))

    assert {answer.text for answer in answers} == {"Good morning to you."}
