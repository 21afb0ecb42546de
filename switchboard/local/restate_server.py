"""A Restate server of our own: where its binary is, how it is started, and what its admin API is asked."""

import platform
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from switchboard.local.places import find_beside
from switchboard.local.process import Process, StartFailed

# Fewer than the default 24 make a fan-out faster on one machine; it cannot be changed later, so production keeps 24.
LOCAL_PARTITIONS = "4"

# Restate logs the messages of failed calls, which may hold what a customer wrote. The UI and the journal have them.
QUIET_LOG = "warn,restate=info,restate_ingress_http=warn,restate_invoker_impl=error"

ARCHITECTURES = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64", "arm64": "arm64"}


class AdminError(Exception):
    """Restate's admin API refused; the message is its own."""


def find_binary(name: str) -> Path | None:
    """A Restate binary: from npm's packages beside this project, or on PATH. None when there is none.

    npm's own launcher is passed by: it is a Node program that starts the real one, and a kill would miss that.
    """
    architecture = ARCHITECTURES.get(platform.machine().lower(), platform.machine())
    package = f"@restatedev/{name}-{sys.platform}-{architecture}"
    beside = find_beside(f"node_modules/{package}/bin/{name}")
    found = shutil.which(name)
    return beside or (Path(found) if found else None)


@dataclass(frozen=True)
class Ports:
    """Where a Restate server listens, on the loopback."""

    ingress: int = 8080
    admin: int = 9070
    node: int = 5122


def server_process(ports: Ports, data: Path, log: Path, environment: Mapping[str, str]) -> Process:
    """A single-node Restate server. Raises StartFailed when there is no binary."""
    binary = find_binary("restate-server")
    if binary is None:
        raise StartFailed(
            "There is no restate-server on this machine. Run `npm install` in your mesh's folder to get it."
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
            # Nobody uses its Unix sockets here, and their paths must not be longer than some hundred characters.
            "RESTATE_LISTEN_MODE": "tcp",
            # Otherwise every start leaves folders in /tmp.
            "RESTATE_WORKER__INVOKER__TMP_DIR": str(data / "tmp"),
            # Its last words are quoted in our sentences.
            "RESTATE_LOG_DISABLE_ANSI_CODES": "true",
            "RESTATE_LOG_FILTER": QUIET_LOG,
            **environment,
        },
        port=ports.admin,
        health=f"http://127.0.0.1:{ports.admin}/health",
        log=log,
    )


class Admin:
    """The admin API of a Restate server: registering deployments, and SQL over what runs."""

    def __init__(self, url: str) -> None:
        self.url = url

    async def register(self, service_url: str) -> None:
        """Make a service's handlers known. Registering the same address again replaces what was known of it."""
        await self._post("/deployments", {"uri": service_url, "force": True})

    async def query(self, sql: str) -> list[dict[str, Any]]:
        """The rows of a query over Restate's introspection tables (sys_invocation, sys_journal, state, …)."""
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
