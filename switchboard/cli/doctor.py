"""Says what is missing on this machine and what mends it: looks around, and prints a table."""

import asyncio
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
from rich.table import Table
from rich.text import Text

from switchboard.cli.console import out
from switchboard.cli.up import model_of
from switchboard.local import findings
from switchboard.local.findings import Endpoint, Finding, MeshSeen
from switchboard.local.listeners import in_use, who_listens
from switchboard.local.mesh import DEMO_MODEL, Addresses
from switchboard.local.process import answers
from switchboard.local.restate_server import Admin, AdminError, Ports, find_binary
from switchboard.runtime.mesh_file import MeshFileError, MeshProject
from switchboard.runtime.settings import ModelSettings, load

PROBE_TIMEOUT_SECONDS = 5
OPENAI_URL = "https://api.openai.com/v1"

MARKS = {"ok": ("ok", "green"), "missing": ("missing", "red"), "note": ("note", "dim")}


async def doctor(ingress_url: str, admin_url: str) -> int:
    """Examine and print; 0 when nothing is missing."""
    found = await examine(ingress_url, admin_url)
    show(found)
    return findings.exit_code(found)


async def examine(ingress_url: str, admin_url: str) -> list[Finding]:
    mesh = await see_mesh(admin_url)
    binary = find_binary("restate-server")
    found = [
        findings.python(sys.version_info[:3]),
        findings.restate_server(binary, version_of(binary) if binary else ""),
    ]
    if binary is None:
        found.append(findings.npm(shutil.which("node"), shutil.which("npm")))
    found += port_findings(mesh is not None, own_ports(ingress_url, admin_url))
    found.append(await model_finding())
    found += findings.mesh(mesh, admin_url)
    return found


def own_ports(ingress_url: str, admin_url: str) -> dict[str, int]:
    """The ports that `switchboard up` would take; Restate's are read off the addresses, where they are given."""
    restate = Ports()
    ports = {
        "Restate ingress": urlsplit(ingress_url).port or restate.ingress,
        "Restate admin": urlsplit(admin_url).port or restate.admin,
        "Restate node": restate.node,
    }
    with suppress(MeshFileError):
        ports |= Addresses.usual(MeshProject.find().definition).services
    if model_of(os.environ) is not None:
        ports.pop(DEMO_MODEL, None)
    return ports


def port_findings(mesh_runs: bool, ports: dict[str, int]) -> list[Finding]:
    held = {f"{port} ({what})": who_listens(port) for what, port in ports.items() if in_use(port)}
    return [findings.ports(sorted(ports.values()), held, mesh_runs)]


def version_of(binary: Path) -> str:
    """What the binary says of itself; empty when it cannot be run here."""
    try:
        answer = subprocess.run(
            [binary, "--version"], capture_output=True, text=True, timeout=PROBE_TIMEOUT_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return answer.stdout.strip()


async def model_finding() -> Finding:
    if model_of(os.environ) is None:
        return findings.model(None, 200)
    settings = load(ModelSettings)
    base_url = str(settings.base_url or OPENAI_URL).rstrip("/")
    headers = {"authorization": f"Bearer {settings.api_key.get_secret_value()}"}
    return findings.model(Endpoint(base_url, settings.model), await status_of(f"{base_url}/models", headers))


async def status_of(url: str, headers: dict[str, str] | None = None) -> int | None:
    """The HTTP status of a GET; None when nobody answers."""
    timeout = aiohttp.ClientTimeout(total=PROBE_TIMEOUT_SECONDS)
    try:
        async with aiohttp.ClientSession(timeout=timeout) as http, http.get(url, headers=headers) as response:
            return response.status
    except (aiohttp.ClientError, TimeoutError, ValueError):
        return None


async def see_mesh(admin_url: str) -> MeshSeen | None:
    """What the registry of the mesh that runs there says; None when there is none."""
    timeout = aiohttp.ClientTimeout(total=PROBE_TIMEOUT_SECONDS)
    admin = Admin(admin_url.rstrip("/"))
    try:
        async with aiohttp.ClientSession(admin.url, timeout=timeout) as http:
            async with http.get("/services") as response:
                services = findings.Services.model_validate_json(await response.read())
            async with http.get("/deployments") as response:
                deployments = findings.Deployments.model_validate_json(await response.read())
        stuck = await admin.query(findings.STUCK_QUERY)
    except (aiohttp.ClientError, AdminError, TimeoutError, ValueError):
        return None
    addresses = [deployment.uri for deployment in deployments.deployments if deployment.uri]
    reached = await asyncio.gather(*(answer_of(address) for address in addresses))
    return MeshSeen(
        agents=services.agents(),
        reachable=dict(zip(addresses, reached, strict=True)),
        stuck=[findings.Stuck.model_validate(row) for row in stuck],
    )


async def answer_of(address: str) -> bool | None:
    """Whether a deployment is well; None when its host has no name here, as one inside of a cluster has none."""
    where = urlsplit(address)
    try:
        await asyncio.get_running_loop().getaddrinfo(where.hostname, where.port)
    except socket.gaierror:
        return None
    return await answers(f"{address.rstrip('/')}/health")


def show(found: Sequence[Finding]) -> None:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    table.add_column("", no_wrap=True)
    table.add_column("what", no_wrap=True)
    table.add_column("found")
    # Without a need for it, the column would only make the others narrow.
    with_mends = any(finding.mend for finding in found)
    if with_mends:
        table.add_column("mend it with")
    for finding in found:
        word, style = MARKS[finding.state]
        row = [Text(word, style=style), Text(finding.what), Text(finding.found)]
        table.add_row(*row, *([Text(finding.mend, style="bold")] if with_mends else []))
    out.print(table)
