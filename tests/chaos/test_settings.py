"""A deploy with other settings during a call: the call completes with the settings that it started with."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from switchboard.local.process import Process, free_ports
from switchboard.testing import JSON, Answer, Customer, calls, says, scene
from tests.laboratory import Laboratory
from tests.mesh.money import DONE, TO_BANK, Teller, payment

SOON = timedelta(minutes=5)
OTHER_SETTINGS = {"SWITCHBOARD_TIMER_AHEAD_MIN": "PT1H"}
"""With these settings, the requests below would be refused as too soon."""


@dataclass
class Timers:
    """Reminders, scheduled transfers and standing orders in a separate process."""

    process: Process
    gates: Path


@pytest.fixture(scope="module")
async def timers(laboratory: Laboratory, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Timers]:
    """Serve the timers in a separate process, and at the end from the tools' process again."""
    (port,) = free_ports(1)
    gates = tmp_path_factory.mktemp("gates")
    process = laboratory.mesh.service("gated_timers", port, module="tests.chaos.gated_timers")
    process.environment = {**process.environment, "GATES": str(gates)}
    await process.start()
    try:
        await laboratory.mesh.register(f"http://127.0.0.1:{port}")
        yield Timers(process, gates)
    finally:
        await laboratory.mesh.register(laboratory.mesh.addresses.service_url("tools"))
        await process.stop()


def calls_of(mark: str) -> dict[str, tuple[JSON, str]]:
    """Return by tool: its arguments, and the tool that cancels it."""
    day = f"{datetime.now(UTC) + SOON:%Y-%m-%dT%H:%M:%SZ}"
    terms = payment("bob", "3.00", reference=mark)
    return {
        "remind_me": ({"text": mark, "after": "PT5M"}, "cancel_reminder"),
        "schedule_transfer": ({**terms, "on": day}, "cancel_scheduled"),
        "create_standing_order": ({**terms, "every": "month", "starts": day}, "cancel_standing_order"),
    }


def reference(result: JSON) -> JSON:
    """Return the arguments that identify the stored timer to the tool that cancels it."""
    (stored,) = [entry for name, entry in result.items() if name in ("reminder", "scheduled", "order")]
    return {name: value for name, value in stored.items() if name in ("reminder_id", "schedule_id", "order_id")}


@pytest.mark.parametrize("tool", ["remind_me", "schedule_transfer", "create_standing_order"])
async def test_timer_keeps_its_answer_when_the_minimum_delay_changes(
    laboratory: Laboratory, timers: Timers, tool: str
) -> None:
    """The timer is already set when the process dies. The new settings would have refused it as too soon."""
    teller, mark = Teller(laboratory), f"mark {uuid4()}"
    arguments, cancel = calls_of(mark)[tool]
    before, gate = timers.process.environment, timers.gates / f"{tool}.after"
    gate.write_text(mark)
    carol, message = await start(teller, (tool, arguments))
    await laboratory.until(Path(f"{gate}.reached").exists)
    await timers.process.kill()
    gate.unlink()
    timers.process.environment = {**before, **OTHER_SETTINGS}
    try:
        await timers.process.start()
        await laboratory.until(message.done)
    finally:
        await timers.process.stop()
        timers.process.environment = before
        await timers.process.start()
    result = await teller.last_result(carol)
    assert "refused" not in result, result
    ended, answer = await teller.request_call("carol", (cancel, reference(result)))
    if answer.body["confirmation"]:
        await ended.says("yes")
    assert "refused" not in await teller.last_result(ended)


async def start(teller: Teller, call: tuple[str, JSON]) -> tuple[Customer, asyncio.Task[Answer]]:
    """Start a call, with the customer's yes if it asks for one."""
    if call[0] == "remind_me":
        await teller.laboratory.model.plays(scene("go", TO_BANK, calls(call), says(DONE)))
        carol = teller.laboratory.customer("carol")
        return carol, asyncio.create_task(carol.says("go"))
    carol, _ = await teller.request_call("carol", call)
    return carol, asyncio.create_task(carol.says("yes"))
