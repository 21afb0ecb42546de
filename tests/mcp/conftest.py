"""The mesh of these tests: sessions and an agent, the tools of MCP servers, and the servers as real processes."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp
import pytest

from switchboard import testing
from switchboard.local.process import Process, free_ports
from switchboard.retry import RetryPolicy, retry
from switchboard.runtime.mesh_file import MeshDefinition, MeshProject, ServiceDefinition
from switchboard.testing import JSON, Answer, Customer, calls, says, scene
from tests.mcp.declarations import EVERYTHING_PROGRAM, NODE_MODULES
from tests.mcp.site import SECRET, Site, tool
from tests.mcp.site import opened as open_site
from tests.parts import PROJECT, need_restate_server
from tests.traces.sink import traced_to

DONE = says("Done.")
SCENES_KEPT = 200
WHILE_DOWN = RetryPolicy(pause=timedelta(milliseconds=200), attempts_max=200)


def definition() -> MeshDefinition:
    return MeshDefinition(
        name="mcp-tests",
        services={
            "front": ServiceDefinition(
                module="tests.mcp.front", port=9391, uses=("model", "restate-admin", "speaker-keys")
            ),
            "mcp_tools": ServiceDefinition(module="tests.mcp.tools", port=9392, uses=()),
        },
    )


@dataclass
class McpMesh(testing.Laboratory):
    """The mesh with the logs of its MCP servers: every effect is a line."""

    folder: Path
    servers: dict[str, Process]
    vault: Site
    """An MCP server with OAuth. It also gets the spans of the mesh."""

    scenes: list[JSON] = field(default_factory=list)
    reply: str = ""
    """The reply to the last message that led to calls."""

    @property
    def tools(self) -> Process:
        return self.mesh.services["mcp_tools"]

    def effects(self, what: str, server: str = "shop") -> list[str]:
        """The lines of a server's log that begin so."""
        log = self.folder / f"{server}.log"
        lines = log.read_text().rpartition("\n")[0].splitlines() if log.exists() else []
        return [line for line in lines if line.startswith(what)]

    async def result(self, customer: Customer, call: tuple[str, Any], *, confirms: bool = True) -> JSON:
        """The result of a call by the model, after the customer's yes if it asks for one."""
        return (await self.results(customer, call, confirms=confirms))[-1]

    async def results(self, customer: Customer, *made: tuple[str, Any], confirms: bool = True) -> list[JSON]:
        """The results of calls by the model in one step."""
        text = f"go {uuid4()}"
        self.scenes.append(scene(text, calls(*made), DONE))
        await self.model.plays(scene("^yes$", DONE), *self.scenes[-SCENES_KEPT:])
        answer = await patiently(customer, text)
        self.reply = answer.text
        if answer.body["confirmation"] and confirms:
            await patiently(customer, "yes")
        return [message for message in await messages_of(customer) if message["kind"] == "tool"]


async def patiently(customer: Customer, text: str) -> Answer:
    """Say a text, and say it again under the same key while Restate is down."""
    key = uuid4().hex

    async def say() -> Answer:
        answer = await customer.says(text, key)
        assert answer.status == 200, answer
        return answer

    return await retry(say, WHILE_DOWN, (aiohttp.ClientError, AssertionError))


async def messages_of(customer: Customer) -> list[JSON]:
    return await retry(customer.messages, WHILE_DOWN, (aiohttp.ClientError, KeyError))


def server_process(name: str, module: str, port: int, folder: Path, **environment: str) -> Process:
    """An MCP server over HTTP, not yet started."""
    command = [sys.executable, "-m", f"tests.mcp.{module}", str(port)]
    health = f"http://127.0.0.1:{port}/health"
    return Process(name, command, environment, port, health, folder / f"{name}.out", folder=PROJECT)


def shop_process(name: str, port: int, folder: Path, honours_key: bool) -> Process:
    log, honours = str(folder / f"{name}.log"), "1" if honours_key else "0"
    return server_process(name, "shop", port, folder, SHOP_LOG=log, SHOP_HONOURS_KEY=honours)


def workshop_process(port: int, folder: Path) -> Process:
    return server_process("workshop", "workshop", port, folder, WORKSHOP_LOG=str(folder / "workshop.log"))


class ReferenceServer(Process):
    """The protocol's reference server over HTTP. It has no path that answers a GET with 200."""

    async def _ready(self) -> bool:
        with suppress(OSError):
            _, writer = await asyncio.open_connection("127.0.0.1", self.port)
            writer.close()
            return True
        return False


def everything_process(port: int, folder: Path) -> Process:
    command = ["node", str(NODE_MODULES / EVERYTHING_PROGRAM), "streamableHttp"]
    return ReferenceServer("everything", command, {"PORT": str(port)}, port, "", folder / "everything.out")


def opened_mesh(
    replays: bool, folder: Path, environment: dict[str, str], vault: Site
) -> AbstractAsyncContextManager[testing.Laboratory]:
    """The mesh, which sends its spans to the vault. The vault repeats tokens in the description of its tool."""
    vault.lists = lambda sent: {**tool(sent), "description": f"For {sent}"}
    given = {**environment, "VAULT_URL": vault.url, **traced_to(vault.url)}
    return testing.open_laboratory(MeshProject(PROJECT, definition()), folder / "mesh", replays, given)


KINDS = [pytest.param(False, id="mcp"), pytest.param(True, id="mcp replaying", marks=pytest.mark.slow)]


@pytest.fixture(scope="package", params=KINDS)
async def mcp(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[McpMesh]:
    need_restate_server()
    folder = tmp_path_factory.mktemp("mcp")
    shop_port, depot_port, bad_port, workshop_port, everything_port = free_ports(5)
    servers = {
        "shop": shop_process("shop", shop_port, folder, honours_key=True),
        "depot": shop_process("depot", depot_port, folder, honours_key=False),
        "bad": server_process("bad", "bad_server", bad_port, folder),
        "workshop": workshop_process(workshop_port, folder),
        "everything": everything_process(everything_port, folder),
    }
    environment = {
        "SHOP_PORT": str(shop_port),
        "DEPOT_PORT": str(depot_port),
        "BAD_PORT": str(bad_port),
        "WORKSHOP_PORT": str(workshop_port),
        "EVERYTHING_PORT": str(everything_port),
        "SHOP_LOG": str(folder / "till.log"),
        "SHOP_HONOURS_KEY": "1",
        "VAULT_SECRET_FILE": str(folder / "secret"),
    }
    (folder / "secret").write_text(SECRET)
    try:
        for server in servers.values():
            await server.start()
        async with open_site() as vault, opened_mesh(request.param, folder, environment, vault) as opened:
            yield McpMesh(opened.mesh, opened.http, opened.model, request.param, folder, servers, vault)
    finally:
        for server in servers.values():
            await server.kill()
