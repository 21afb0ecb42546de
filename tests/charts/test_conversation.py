"""The conversation of `helm test` passes on a real gateway and mesh, and prints a clear error when it fails."""

import asyncio
import os
import runpy
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from services.project import reference
from switchboard.local.mesh import Addresses, Mesh
from switchboard.local.process import Process, die_with_parent, free_ports
from switchboard.local.restate_server import find_binary
from tests.charts.pods import pod_templates
from tests.charts.rendering import HELM_DIR, render
from tests.parts import need

SECRET = "a-secret-of-the-tests-that-is-long-enough"


@dataclass(frozen=True)
class Installed:
    """A mesh with a gateway, as the chart's test pod sees it."""

    url: str
    metrics_url: str
    model_url: str
    bank: Process | None = None

    async def test(self, **environment: str) -> tuple[int, str]:
        """Run the test pod's command and return its exit code and output."""
        [pod] = [pod for pod in pod_templates(render("agent-mesh")) if pod.owner == "Pod/test"]
        [container] = pod.spec["containers"]
        assert container["command"] == ["python", "-c"]
        given = {entry["name"]: entry.get("value", SECRET) for entry in container["env"]}
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *container["command"][1:],
            *container["args"],
            env={**given, "PATH": "", "PYTHONPATH": str(Path.cwd()), "GATEWAY_URL": self.url, **environment},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            preexec_fn=partial(die_with_parent, os.getpid()),
        )
        try:
            output, _ = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
        assert process.returncode is not None
        return process.returncode, output.decode()


@pytest.fixture(scope="module")
async def installed(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Installed]:
    need("the Restate server", find_binary("restate-server"), "`make setup` brings it")
    folder = tmp_path_factory.mktemp("installed")
    port, metrics_port = free_ports(2)
    async with Mesh(reference(), folder, Addresses.free(reference().definition)) as mesh:
        gateway = Process(
            name="gateway",
            command=[sys.executable, "-m", "switchboard.gateway"],
            environment={
                "PORT": str(port),
                "METRICS_PORT": str(metrics_port),
                "RESTATE_INGRESS_URL": mesh.addresses.ingress_url,
                "GATEWAY_JWT_SECRET": SECRET,
                **mesh.speaker_environment,
            },
            port=port,
            health=f"http://127.0.0.1:{port}/ready",
            log=folder / "gateway.log",
        )
        await gateway.start()
        try:
            metrics_url = f"http://127.0.0.1:{metrics_port}"
            model_url = mesh.addresses.service_url("demo_model")
            yield Installed(f"http://127.0.0.1:{port}", metrics_url, model_url, mesh.services["bank"])
        finally:
            await gateway.stop()


async def test_conversation_passes_on_a_working_installation(installed: Installed) -> None:
    assert await installed.test() == (0, "Passed: an agent answered two messages in one conversation.\n")


async def test_conversation_reports_rejected_token(installed: Installed) -> None:
    code, output = await installed.test(GATEWAY_JWT_SECRET="another-secret-that-is-long-enough-too")
    assert code == 1
    assert "should get a 200, but got a 401" in output


async def test_conversation_fails_on_apology(installed: Installed) -> None:
    async with aiohttp.ClientSession() as http:
        await http.put(f"{installed.model_url}/demo/faults", json=[{"kind": "http_400", "times": -1}])
        try:
            code, output = await installed.test()
        finally:
            await http.delete(f"{installed.model_url}/demo/faults")
    assert code == 1
    assert "The reply is an apology" in output


async def test_conversation_fails_without_the_bank(installed: Installed) -> None:
    assert installed.bank is not None
    await installed.bank.stop()
    try:
        code, output = await installed.test(TIMEOUT_SECONDS="3")
    finally:
        await installed.bank.start()
    assert code == 1
    assert "in time. Last response:" in output


@pytest.mark.parametrize(
    ("reply", "problem"),
    [
        ({"agent": "Bank", "text": "Your balance is 12.50 EUR.", "turn": 1}, ""),
        ({"agent": "Triage", "text": "I and 2 colleagues can help.", "turn": 1}, "is not an answer of another agent"),
        ({"agent": "Bank", "text": "What can I do for you?", "turn": 1}, "is not an answer of another agent"),
        ({"agent": "Bank", "text": "Your balance is 12.50 EUR.", "turn": 2}, "has the turn number 2"),
    ],
)
def test_reply_must_hold_an_amount_and_not_come_from_triage(reply: dict[str, object], problem: str) -> None:
    conversation = runpy.run_path(str(HELM_DIR / "agent-mesh/files/conversation.py"))
    if not problem:
        conversation["check_reply"](reply, 1)
        return
    with pytest.raises(conversation["TestFailed"], match=problem):
        conversation["check_reply"](reply, 1)


async def test_conversation_fails_in_time_without_a_gateway(installed: Installed) -> None:
    [port] = free_ports(1)
    code, output = await installed.test(GATEWAY_URL=f"http://127.0.0.1:{port}", TIMEOUT_SECONDS="1")
    assert code == 1
    assert "in time. Last response:" in output


async def test_conversation_fails_if_the_gateway_needs_no_token(installed: Installed) -> None:
    code, output = await installed.test(GATEWAY_URL=installed.model_url, TIMEOUT_SECONDS="60")
    assert code == 1
    assert "A request without a token should get a 401" in output


async def test_gateway_serves_probes_and_metrics_on_the_metrics_port_only(installed: Installed) -> None:
    [pod] = [pod for pod in pod_templates(render("agent-mesh")) if pod.owner == "Deployment/gateway"]
    [container] = pod.spec["containers"]
    probes = [container[probe]["httpGet"] for probe in ("startupProbe", "readinessProbe", "livenessProbe")]
    assert {probe["port"] for probe in probes} == {"metrics"}, "customers' connections must not block probes"
    async with aiohttp.ClientSession() as http:
        for address in [installed.metrics_url + path for path in ("/metrics", *(probe["path"] for probe in probes))]:
            async with http.get(address) as answer:
                assert answer.status == 200, address
        async with http.get(installed.url + "/metrics") as answer:
            assert answer.status == 404


async def test_conversation_changes_key_only_after_a_stored_refusal() -> None:
    keys: list[str] = []

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        if "Authorization" not in request.headers:
            return web.Response(status=401)
        keys.append(request.headers["Idempotency-Key"])
        if len(keys) == 1:
            return web.json_response({"code": "no_agents"}, status=503)
        if len(keys) == 2:
            half = web.StreamResponse(headers={"Content-Length": "100"})
            await half.prepare(request)
            assert request.transport is not None
            request.transport.close()
            return half
        return web.json_response({"agent": "Bank", "text": "5 EUR", "turn": len(keys) - 2, "failed": False})

    [port] = free_ports(1)
    runner = web.ServerRunner(web.Server(answer))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        done = await Installed(f"http://127.0.0.1:{port}", "", "").test(TOKEN="t0ken")
    finally:
        await runner.cleanup()
    assert done == (0, "Passed: an agent answered two messages in one conversation.\n")
    refused, broken_off, answered, second = keys
    assert refused != broken_off == answered != second
