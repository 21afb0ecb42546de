"""Agents that are registered and removed at run time. Restate's registry is the only list of agents."""

from switchboard.local.process import free_ports
from switchboard.testing import calls, says, scene
from tests.laboratory import Laboratory


async def test_agent_registered_at_run_time_is_used_by_the_next_message(laboratory: Laboratory) -> None:
    name = f"Newcomer{int(laboratory.replays)}"
    hand_off = f"handoff_to_{name}"
    await laboratory.model.plays(
        scene("before", says("no new agent")),
        scene("after", calls((hand_off, {"reason": "new"})), says("I am new here")),
    )
    customer = laboratory.customer()
    await customer.says("before")
    (port,) = free_ports(1)
    newcomer = laboratory.mesh.service("newcomer", port, module="tests.mesh.newcomer")
    newcomer.environment = {**newcomer.environment, "NEWCOMER": name}
    await newcomer.start()
    try:
        await laboratory.mesh.register(f"http://127.0.0.1:{port}")
        answer = await customer.says("after")
        assert (answer.body["agent"], answer.text) == (name, "I am new here")
        offered = [
            [tool["name"] for tool in request["body"]["tools"]]
            for request in await laboratory.model.requests(customer.session)
        ]
        assert [hand_off in tools for tools in offered] == [False, True, False]
    finally:
        await newcomer.stop()


async def test_session_returns_to_triage_when_its_agent_is_removed(laboratory: Laboratory) -> None:
    name = f"Leaver{int(laboratory.replays)}"
    await laboratory.model.plays(
        scene("go", calls((f"handoff_to_{name}", {"reason": "r"})), says("hello")), scene("and now?", says("I am back"))
    )
    (port,) = free_ports(1)
    leaver = laboratory.mesh.service("leaver", port, module="tests.mesh.newcomer")
    leaver.environment = {**leaver.environment, "NEWCOMER": name}
    await leaver.start()
    try:
        url = laboratory.mesh.addresses.admin_url
        uri = f"http://127.0.0.1:{port}"
        async with laboratory.http.post(f"{url}/deployments", json={"uri": uri}) as response:
            deployment = (await response.json())["id"]
        customer = laboratory.customer()
        assert (await customer.says("go")).body["agent"] == name
        async with laboratory.http.delete(f"{url}/deployments/{deployment}?force=true") as response:
            assert response.status in (200, 202)
    finally:
        await leaver.stop()
    answer = await customer.says("and now?")
    assert (answer.body["agent"], answer.text) == ("Triage", "I am back")
