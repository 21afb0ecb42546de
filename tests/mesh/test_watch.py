"""Metrics from Restate's tables: failing and paused invocations, and invocations that keep an old deployment alive."""

import asyncio
from typing import Any
from uuid import uuid4

import prometheus_client

from switchboard.local.process import StartFailed, free_ports
from switchboard.session.introspection import Introspection
from switchboard.session.restate_metrics import ATTEMPTS_MIN, update_gauges
from switchboard.testing import calls, says, scene
from tests.laboratory import Laboratory

TO_PROBE = calls(("handoff_to_Probe", {"reason": "an experiment"}))
A_WHILE_MS = 1_500


def gauge(name: str, **labels: str) -> float | None:
    return prometheus_client.REGISTRY.get_sample_value(name, labels)


async def rows(laboratory: Laboratory, more: str = "") -> list[dict[str, Any]]:
    """Return the invocations of ProbeTools that are not completed."""
    columns = "id, target, status, retry_count, last_failure"
    where = f"target_service_name = 'ProbeTools' AND status <> 'completed' {more}"
    return await laboratory.query(f"SELECT {columns} FROM sys_invocation WHERE {where}")


async def read_gauges(laboratory: Laboratory) -> None:
    """Update the gauges. Just after another test's restart, Restate cannot answer yet."""
    await laboratory.until(lambda: update_gauges(Introspection(laboratory.mesh.addresses.admin_url)))


async def count_failing(laboratory: Laboratory) -> float | None:
    await read_gauges(laboratory)
    return gauge("switchboard_invocations", service="ProbeTools", status="backing-off")


async def test_failing_invocations_are_counted_until_they_recover(laboratory: Laboratory) -> None:
    await laboratory.model.plays(scene("go", TO_PROBE, calls(("wait", {"name": "w"})), says("done")))
    await laboratory.probe_tools.kill()
    asked = asyncio.create_task(laboratory.customer().says("go"))

    async def failing() -> bool:
        # Invocations that earlier tests left running fail too, so the exact number is unknown.
        return bool(await count_failing(laboratory))

    async def recovered() -> bool:
        failing = await count_failing(laboratory) or 0
        # Long calls of earlier tests, which were killed too, count until they end.
        return failing <= len(await rows(laboratory, "AND retry_count > 0"))

    try:
        await laboratory.until(failing)
    except StartFailed as error:
        raise AssertionError(f"invocations of ProbeTools: {await rows(laboratory)}") from error
    finally:
        await laboratory.probe_tools.start()
    assert (await asked).text == "done"
    await laboratory.until(recovered)
    assert gauge("switchboard_restate_tables_readable") == 1


async def test_slowly_failing_invocation_is_counted_during_an_attempt(laboratory: Laboratory) -> None:
    name = str(uuid4())
    fails = calls(("fail_until_released", {"name": name, "milliseconds": A_WHILE_MS}))
    await laboratory.model.plays(scene("go", TO_PROBE, fails, says("done")))
    asked = asyncio.create_task(laboratory.customer().says("go"))
    ours = f"AND target = 'ProbeTools/fail_until_released' AND status = 'running' AND retry_count >= {ATTEMPTS_MIN}"

    async def counted_in_an_attempt() -> bool:
        before = await rows(laboratory, ours)
        failing = await count_failing(laboratory)
        # The read happened during an attempt if the same attempt was running before and after it.
        if not before or before != await rows(laboratory, ours):
            return False
        assert failing, f"not counted: {before}"
        return True

    try:
        await laboratory.until(counted_in_an_attempt)
    finally:
        with laboratory.probe_log.open("a") as log:
            log.write(f"released {name}\n")
    assert (await asked).text == "done"


async def count_old(laboratory: Laboratory) -> float | None:
    await read_gauges(laboratory)
    return gauge("switchboard_old_deployment_invocations", service="Probe")


async def test_invocation_on_an_old_deployment_is_counted_until_it_ends(laboratory: Laboratory) -> None:
    name = f"old {uuid4()}"
    wait = calls(("hold", {"name": name}))
    await laboratory.model.plays(scene("go", TO_PROBE, wait, says("done")))
    (port,) = free_ports(1)
    newer = laboratory.mesh.service("newer_probe", port, module="tests.mesh.probe_agent")
    await newer.start()
    asked = asyncio.create_task(laboratory.customer().says("go"))
    await laboratory.until(lambda: laboratory.probed(f"start {name}"))
    try:
        await laboratory.mesh.register(f"http://127.0.0.1:{port}")
        await laboratory.until(lambda: count_old(laboratory))
        assert gauge("switchboard_old_deployment_invocations", service="Probe") == 1
        laboratory.release(name)
        assert (await asked).text == "done"

        async def none_old() -> bool:
            return await count_old(laboratory) is None

        await laboratory.until(none_old)
    finally:
        await laboratory.mesh.register(f"http://127.0.0.1:{laboratory.probe_agent.port}")
        await newer.stop()


async def test_unreadable_tables_are_reported() -> None:
    (unused,) = free_ports(1)
    assert not await update_gauges(Introspection(f"http://127.0.0.1:{unused}"))
    assert gauge("switchboard_restate_tables_readable") == 0
