"""What only Restate's tables know: invocations that fail or are paused, and those that keep an old version alive."""

import asyncio
from uuid import uuid4

import prometheus_client

from cli.process import free_ports
from services.triage.introspection import Introspection
from services.triage.watch import look
from switchboard.testing import calls, says, scene
from tests.laboratory import Laboratory

TO_PROBE = calls(("handoff_to_Probe", {"reason": "an experiment"}))
A_WHILE_MS = 3_000


def gauge(name: str, **labels: str) -> float | None:
    return prometheus_client.REGISTRY.get_sample_value(name, labels)


async def test_what_cannot_go_on_is_counted_until_it_can(laboratory: Laboratory) -> None:
    introspection = Introspection(laboratory.mesh.addresses.admin_url)
    await laboratory.model.plays(scene("go", TO_PROBE, calls(("wait", {"name": "w"})), says("done")))
    await laboratory.probe_tools.kill()
    asked = asyncio.create_task(laboratory.customer().says("go"))

    async def failing() -> bool:
        assert await look(introspection)
        return gauge("switchboard_invocations", service="ProbeTools", status="backing-off") == 1

    try:
        await laboratory.until(failing)
    finally:
        await laboratory.probe_tools.start()
    assert (await asked).text == "done"
    assert await look(introspection)
    assert gauge("switchboard_invocations", service="ProbeTools", status="backing-off") is None
    assert gauge("switchboard_restate_tables_readable") == 1


async def test_what_keeps_an_old_version_is_counted_until_it_ends(laboratory: Laboratory) -> None:
    introspection = Introspection(laboratory.mesh.addresses.admin_url)
    name = f"old {uuid4()}"
    wait = calls(("wait", {"name": name, "milliseconds": A_WHILE_MS}))
    await laboratory.model.plays(scene("go", TO_PROBE, wait, says("done")))
    (port,) = free_ports(1)
    newer = laboratory.mesh.service("newer_probe", port, module="tests.mesh.probe_agent")
    await newer.start()
    asked = asyncio.create_task(laboratory.customer().says("go"))
    await laboratory.until(lambda: laboratory.probed(f"start {name}"))
    try:
        await laboratory.mesh.register(f"http://127.0.0.1:{port}")
        assert await look(introspection)
        assert gauge("switchboard_old_deployment_invocations", service="Probe") == 1
        assert (await asked).text == "done"
        assert await look(introspection)
        assert gauge("switchboard_old_deployment_invocations", service="Probe") is None
    finally:
        await laboratory.mesh.register(f"http://127.0.0.1:{laboratory.probe_agent.port}")
        await newer.stop()


async def test_tables_that_cannot_be_read_are_said_to_be() -> None:
    (nobody,) = free_ports(1)
    assert not await look(Introspection(f"http://127.0.0.1:{nobody}"))
    assert gauge("switchboard_restate_tables_readable") == 0
