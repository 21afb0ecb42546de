"""Checks this machine and its mesh, and prints a table of problems and fixes."""

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
from switchboard.cli.up import model_variables
from switchboard.local import findings
from switchboard.local.findings import Finding, RunningMesh
from switchboard.local.listeners import find_listener, in_use
from switchboard.local.mesh import DEMO_MODEL, Addresses
from switchboard.local.process import is_healthy
from switchboard.local.restate_server import Admin, AdminError, Ports, find_binary
from switchboard.models.settings import Choice
from switchboard.models.trial import try_model
from switchboard.runtime.mesh_file import MeshFileError, MeshProject
from switchboard.runtime.settings import ModelSettings, load

PROBE_TIMEOUT_SECONDS = 5

MARKS = {"ok": ("ok", "green"), "missing": ("missing", "red"), "note": ("note", "dim")}


async def doctor(ingress_url: str, admin_url: str) -> int:
    """Run the checks, print the findings and return the exit code: 0 when nothing is missing."""
    found = await examine(ingress_url, admin_url)
    show(found)
    return findings.exit_code(found)


async def examine(ingress_url: str, admin_url: str) -> list[Finding]:
    mesh = await inspect_mesh(admin_url)
    binary = find_binary("restate-server")
    found = [
        findings.python(sys.version_info[:3]),
        findings.restate_server(binary, version_of(binary) if binary else ""),
    ]
    if binary is None:
        found.append(findings.npm(shutil.which("node"), shutil.which("npm")))
    found += port_findings(mesh is not None, own_ports(ingress_url, admin_url))
    found += await model_findings()
    found += findings.mesh(mesh, admin_url)
    return found


def own_ports(ingress_url: str, admin_url: str) -> dict[str, int]:
    """Return the ports that `switchboard up` would use. Restate's come from the given addresses if they name a port."""
    restate = Ports()
    ports = {
        "Restate ingress": urlsplit(ingress_url).port or restate.ingress,
        "Restate admin": urlsplit(admin_url).port or restate.admin,
        "Restate node": restate.node,
    }
    with suppress(MeshFileError):
        ports |= Addresses.default(MeshProject.find().definition).services
    if model_variables(os.environ) is not None:
        ports.pop(DEMO_MODEL, None)
    return ports


def port_findings(mesh_runs: bool, ports: dict[str, int]) -> list[Finding]:
    held = {f"{port} ({what})": find_listener(port) for what, port in ports.items() if in_use(port)}
    return [findings.ports(sorted(ports.values()), held, mesh_runs)]


def version_of(binary: Path) -> str:
    """Return the binary's version output, or "" if it cannot be run here."""
    try:
        answer = subprocess.run(
            [binary, "--version"], capture_output=True, text=True, timeout=PROBE_TIMEOUT_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return answer.stdout.strip()


async def model_findings() -> list[Finding]:
    """Ask each model once. This costs some hundred tokens."""
    if model_variables(os.environ) is None:
        return [findings.demo_model()]
    settings = load(ModelSettings)
    return [await model_finding(settings.choose(name), settings) for name in dict.fromkeys(settings.names())]


async def model_finding(choice: Choice, settings: ModelSettings) -> Finding:
    return findings.model(choice, await try_model(choice, settings))


async def inspect_mesh(admin_url: str) -> RunningMesh | None:
    """Read the running mesh from Restate's admin API. Returns None if no mesh runs there."""
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
    reached = await asyncio.gather(*(is_reachable(address) for address in addresses))
    return RunningMesh(
        agents=services.agents(),
        reachable=dict(zip(addresses, reached, strict=True)),
        stuck=[findings.Stuck.model_validate(row) for row in stuck],
    )


async def is_reachable(address: str) -> bool | None:
    """Return whether a deployment is healthy, or None if its host name cannot be resolved here (e.g. in a cluster)."""
    where = urlsplit(address)
    try:
        await asyncio.get_running_loop().getaddrinfo(where.hostname, where.port)
    except socket.gaierror:
        return None
    return await is_healthy(f"{address.rstrip('/')}/health")


def show(found: Sequence[Finding]) -> None:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    table.add_column("", no_wrap=True)
    table.add_column("check", no_wrap=True)
    table.add_column("found")
    # Leave the column out when it is empty, so that the others have more room.
    with_fixes = any(finding.fix for finding in found)
    if with_fixes:
        table.add_column("fix")
    for finding in found:
        word, style = MARKS[finding.state]
        row = [Text(word, style=style), Text(finding.subject), Text(finding.found)]
        table.add_row(*row, *([Text(finding.fix, style="bold")] if with_fixes else []))
    out.print(table)
