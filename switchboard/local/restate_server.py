"""A local Restate server: its binary, its process and its admin API."""

import os
import platform
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from switchboard.local.environment import RESTATE, only
from switchboard.local.places import find_beside
from switchboard.local.process import Process, StartFailed

# Number of partitions. Fewer than the default 24 make a fan-out faster on one machine. The number cannot be changed
# later, so production keeps 24.
LOCAL_PARTITIONS = "4"

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
    """Loopback ports of a Restate server. The defaults are those of Restate's documentation."""

    ingress: int = 8080
    admin: int = 9070
    node: int = 5122


def server_process(ports: Ports, data: Path, log: Path, environment: Mapping[str, str]) -> Process:
    """Return the process of a single-node Restate server. Raises StartFailed if there is no binary."""
    binary = find_binary("restate-server")
    if binary is None:
        raise StartFailed(
            "restate-server is not installed on this machine. Run `npm install` in your mesh's folder to install it."
        )
    return Process(
        name="restate",
        command=[str(binary), "--base-dir", str(data), "--node-name", "local"],
        environment={
            "RESTATE_BIND_ADDRESS": f"127.0.0.1:{ports.node}",
            "RESTATE_ADVERTISED_ADDRESS": f"http://127.0.0.1:{ports.node}",
            "RESTATE_INGRESS__BIND_ADDRESS": f"127.0.0.1:{ports.ingress}",
            "RESTATE_INGRESS__ADVERTISED_ADDRESS": f"http://127.0.0.1:{ports.ingress}",
            "RESTATE_ADMIN__BIND_ADDRESS": f"127.0.0.1:{ports.admin}",
            "RESTATE_ADMIN__ADVERTISED_ADDRESS": f"http://127.0.0.1:{ports.admin}",
            "RESTATE_DEFAULT_NUM_PARTITIONS": LOCAL_PARTITIONS,
            "RESTATE_ROCKSDB_TOTAL_MEMORY_SIZE": "512 MB",
            # We do not use Unix sockets. Their paths must not exceed about a hundred characters.
            "RESTATE_LISTEN_MODE": "tcp",
            # The default leaves folders in /tmp at every start.
            "RESTATE_WORKER__INVOKER__TMP_DIR": str(data / "tmp"),
            # Our error messages quote its last output.
            "RESTATE_LOG_DISABLE_ANSI_CODES": "true",
            "RESTATE_LOG_FILTER": QUIET_LOG,
            **environment,
        },
        port=ports.admin,
        health=f"http://127.0.0.1:{ports.admin}/health",
        log=log,
        inherited=only(RESTATE, os.environ),
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
