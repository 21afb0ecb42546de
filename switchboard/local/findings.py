"""What the doctor makes of what it saw. Pure: observations in, findings out."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel

PYTHON_MIN = (3, 11)
RESTATE_VERSION = "1.7."
"""The tables that the command line reads, and the wire protocol, are those of this line of releases."""

HOLDERS_NAMED_MAX = 4
STUCK_NAMED_MAX = 3

STUCK_QUERY = (
    "select id, target, status, last_failure from sys_invocation "
    f"where status in ('paused', 'backing-off') order by created_at limit {STUCK_NAMED_MAX + 1}"
)

State = Literal["ok", "missing", "note"]


@dataclass(frozen=True)
class Finding:
    """A line of the doctor's table. Only `missing` keeps a mesh from working."""

    what: str
    state: State
    found: str
    mend: str = ""


@dataclass(frozen=True)
class Endpoint:
    """A language model's address and name."""

    base_url: str
    model: str


class Stuck(BaseModel):
    """An invocation that does not get on."""

    id: str
    target: str
    status: str
    last_failure: str | None = None


class _Service(BaseModel):
    name: str
    metadata: dict[str, str] = {}


class Services(BaseModel):
    """The answer of the admin API's /services, as far as it matters here."""

    services: list[_Service]

    def agents(self) -> list[str]:
        return sorted(service.name for service in self.services if service.metadata.get("switchboard.role") == "agent")


class _Deployment(BaseModel):
    uri: str | None = None


class Deployments(BaseModel):
    """The answer of the admin API's /deployments, as far as it matters here."""

    deployments: list[_Deployment]


@dataclass(frozen=True)
class MeshSeen:
    """A mesh that runs: its agents, whether its deployments answer (by address), and what does not get on.

    None stands for an address whose host has no name here: inside of a cluster, where only Restate can ask.
    """

    agents: Sequence[str]
    reachable: Mapping[str, bool | None]
    stuck: Sequence[Stuck]


def exit_code(found: Sequence[Finding]) -> int:
    return int(any(finding.state == "missing" for finding in found))


def python(version: tuple[int, ...]) -> Finding:
    text = ".".join(str(part) for part in version)
    if version[:2] >= PYTHON_MIN:
        return Finding("Python", "ok", text)
    return Finding("Python", "missing", f"{text}, 3.11 or newer is needed", "make setup PYTHON=python3.11")


def restate_server(binary: Path | None, version_text: str) -> Finding:
    what = "restate-server"
    if binary is None:
        return Finding(what, "missing", "neither in node_modules nor on PATH", "make setup")
    version = re.search(r"\d+\.\d+\.\d+", version_text)
    if version is None:
        return Finding(what, "missing", f"{binary} cannot be run on this machine", "make setup")
    if not version[0].startswith(RESTATE_VERSION):
        return Finding(what, "missing", f"{version[0]} at {binary}, {RESTATE_VERSION}x is needed", "make setup")
    return Finding(what, "ok", version[0])


def npm(node: str | None, npm: str | None) -> Finding:
    """Only asked for when the binary has to be got."""
    if node and npm:
        return Finding("Node, npm", "ok", npm)
    return Finding("Node, npm", "missing", "needed once, to get restate-server", "install Node 20 or newer")


def ports(wanted: Sequence[int], held: Mapping[str, str], mesh_runs: bool) -> Finding:
    """`held` says who listens, by port; it is no trouble when that is the mesh itself."""
    what = "ports"
    if not held:
        return Finding(what, "ok", f"all {len(wanted)} that a mesh takes are free")
    if mesh_runs:
        return Finding(what, "ok", "held by the mesh that runs")
    holders = [f"{port} by {by}" if by else port for port, by in list(held.items())[:HOLDERS_NAMED_MAX]]
    more = f" and {len(held) - len(holders)} more" if len(held) > len(holders) else ""
    return Finding(what, "missing", f"in use: {', '.join(holders)}{more}", "stop it, or see switchboard up --help")


def model(endpoint: Endpoint | None, status: int | None) -> Finding:
    """`status` is the HTTP status of its list of models; None when nobody answered."""
    what = "model"
    if endpoint is None:
        return Finding(what, "note", "no OPENAI_API_KEY: answers come from rules", "export OPENAI_API_KEY=…")
    where = f"{endpoint.model} at {endpoint.base_url}"
    if status is None:
        return Finding(what, "missing", f"{where} does not answer", "check OPENAI_BASE_URL and the network")
    if status in {401, 403}:
        return Finding(what, "missing", f"{where} refuses the key (HTTP {status})", "export OPENAI_API_KEY=…")
    if status >= 500:
        return Finding(what, "missing", f"{where} is ill (HTTP {status})", "try again, or set OPENAI_BASE_URL")
    # Some compatible endpoints have no list of models, and answer all the same.
    return Finding(what, "ok", where)


def mesh(seen: MeshSeen | None, admin_url: str) -> list[Finding]:
    if seen is None:
        return [Finding("mesh", "note", f"none runs at {admin_url}", "switchboard up")]
    found = [Finding("mesh", "ok", f"runs at {admin_url}"), *deployments(seen.reachable)]
    if seen.agents:
        found.append(Finding("agents", "ok", ", ".join(seen.agents)))
    else:
        found.append(Finding("agents", "missing", "none is registered", "switchboard up"))
    return [*found, stuck_calls(seen.stuck)]


def deployments(reachable: Mapping[str, bool | None]) -> list[Finding]:
    """Who answers, who does not, and who cannot be asked from this machine."""
    what = "services"
    away = [address for address, answers in reachable.items() if answers is False]
    hidden = [address for address, answers in reachable.items() if answers is None]
    found = [Finding(what, "missing", f"no answer from {', '.join(away)}", "switchboard up")] if away else []
    if hidden:
        found.append(Finding(what, "note", f"not reachable from here: {', '.join(hidden)}", "kubectl get rsd -A"))
    if not found:
        found.append(Finding(what, "ok", f"{len(reachable)} deployments answer"))
    return found


def stuck_calls(stuck: Sequence[Stuck]) -> Finding:
    """What waits for help (paused), or for its next attempt (backing off)."""
    what = "calls"
    if not stuck:
        return Finding(what, "ok", "none is paused or retrying")
    named = [f"{call.target} {call.status}: {(call.last_failure or 'no reason known')[:80]}" for call in stuck]
    more = " … and more" if len(stuck) > STUCK_NAMED_MAX else ""
    paused = next((call.id for call in stuck if call.status == "paused"), None)
    mend = f"npx restate invocations resume {paused}" if paused else "retried by itself; see the Restate UI"
    return Finding(what, "note", "; ".join(named[:STUCK_NAMED_MAX]) + more, mend)
