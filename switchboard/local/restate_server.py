"""A local Restate server: its binary, its process, the proxy in front of it, and its admin API."""

import os
import platform
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from switchboard.local.environment import PROXY, RESTATE, only
from switchboard.local.places import find_beside
from switchboard.local.process import Process, StartFailed
from switchboard.local.sockets import NODE_NAME, Sockets, sockets_of

# Number of partitions. On one machine, one costs the least: an empty turn takes 14 ms of CPU, with four it takes 18 ms.
# The number cannot be changed once there is data. Production has Restate's default of 24.
LOCAL_PARTITIONS = "1"

# Invocations of a node at the same time. A session waits for its agent and an agent for its tools, so with Restate's
# default of 1,000, as many messages at once would all wait for one another.
INVOCATIONS_MAX = "10000"

# Log filter. Restate would log the messages of failed calls, which may contain a customer's words. The UI and the
# journal have these messages.
QUIET_LOG = "warn,restate=info,restate_ingress_http=warn,restate_invoker_impl=error"

ARCHITECTURES = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64", "arm64": "arm64"}


class AdminError(Exception):
    """Restate's admin API rejected a request. The message is Restate's."""


def find_binary(name: str) -> Path | None:
    """Return a Restate binary from the npm packages of this project, or from PATH, or None.

    npm's launcher script is skipped: it starts the binary as a child process, which a kill would not reach.
    """
    architecture = ARCHITECTURES.get(platform.machine().lower(), platform.machine())
    package = f"@restatedev/{name}-{sys.platform}-{architecture}"
    beside = find_beside(f"node_modules/{package}/bin/{name}")
    found = shutil.which(name)
    return beside or (Path(found) if found else None)


@dataclass(frozen=True)
class Ports:
    """Loopback ports of a Restate server, which the proxy serves. The defaults are those of Restate's documentation."""

    ingress: int = 8080
    admin: int = 9070
    node: int = 5122


def server_processes(ports: Ports, data: Path, logs: Path, environment: Mapping[str, str]) -> tuple[Process, Process]:
    """Return the processes of a single-node Restate server and of the proxy that serves its ports.

    Raises StartFailed if there is no binary.
    """
    sockets = sockets_of(data)
    return (
        server_process(ports, sockets, data, logs / "restate.log", environment),
        proxy_process(ports, sockets, logs / "proxy.log"),
    )


def server_process(ports: Ports, sockets: Sockets, data: Path, log: Path, environment: Mapping[str, str]) -> Process:
    binary = find_binary("restate-server")
    if binary is None:
        raise StartFailed(
            "restate-server is not installed on this machine. Run `npm install` in your mesh's folder to install it."
        )
    return Process(
        name="restate",
        command=[str(binary), "--base-dir", str(sockets.base), "--node-name", NODE_NAME],
        environment={
            # Web pages can use every TCP port of this machine, so there are only Unix sockets.
            "RESTATE_LISTEN_MODE": "unix",
            "RESTATE_INGRESS__LISTEN_MODE": "unix",
            "RESTATE_ADMIN__LISTEN_MODE": "unix",
            # Without this, Restate would connect to itself by the real path of its data, which may be too long.
            "RESTATE_ADVERTISED_ADDRESS": f"unix:{sockets.node}",
            "RESTATE_INGRESS__ADVERTISED_ADDRESS": f"http://127.0.0.1:{ports.ingress}",
            "RESTATE_ADMIN__ADVERTISED_ADDRESS": f"http://127.0.0.1:{ports.admin}",
            "RESTATE_DEFAULT_NUM_PARTITIONS": LOCAL_PARTITIONS,
            "RESTATE_ROCKSDB_TOTAL_MEMORY_SIZE": "512 MB",
            "RESTATE_WORKER__INVOKER__CONCURRENT_INVOCATIONS_LIMIT": INVOCATIONS_MAX,
            # The default leaves folders in /tmp at every start.
            "RESTATE_WORKER__INVOKER__TMP_DIR": str(data / "tmp"),
            # Our error messages quote its last output.
            "RESTATE_LOG_DISABLE_ANSI_CODES": "true",
            "RESTATE_LOG_FILTER": QUIET_LOG,
            **environment,
        },
        port=0,
        health="http://localhost/health",
        health_socket=sockets.admin,
        log=log,
        inherited=only(RESTATE, os.environ),
    )


def proxy_process(ports: Ports, sockets: Sockets, log: Path) -> Process:
    served = {ports.ingress: sockets.ingress, ports.admin: sockets.admin, ports.node: sockets.node}
    return Process(
        name="proxy",
        command=[
            *(sys.executable, "-m", "switchboard.local.proxy", "--ui-port", str(ports.admin)),
            *(f"{port}={socket}" for port, socket in served.items()),
        ],
        environment={},
        port=ports.admin,
        more_ports=(ports.ingress, ports.node),
        # Restate's answer, through the proxy.
        health=f"http://127.0.0.1:{ports.admin}/health",
        log=log,
        inherited=only(PROXY, os.environ),
    )


class Admin:
    """The admin API of a Restate server: registers deployments and runs SQL queries."""

    def __init__(self, url: str) -> None:
        self.url = url

    async def register(self, service_url: str) -> None:
        """Register a service's handlers. Registering an address again replaces its earlier registration."""
        await self._post("/deployments", {"uri": service_url, "force": True})

    async def query(self, sql: str) -> list[dict[str, Any]]:
        """Return the rows of a query over Restate's introspection tables (sys_invocation, sys_journal, state, …)."""
        answer = await self._post("/query", {"query": sql})
        rows: list[dict[str, Any]] = answer["rows"]
        return rows

    async def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        headers = {"accept": "application/json"}
        async with aiohttp.ClientSession() as http, http.post(self.url + path, json=body, headers=headers) as response:
            if response.status >= 400:
                raise AdminError(f"{path}: HTTP {response.status}: {await response.text()}")
            answer: dict[str, Any] = await response.json()
            return answer
