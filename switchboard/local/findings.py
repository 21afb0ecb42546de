"""Evaluates the doctor's observations. Pure: observations in, findings out."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel

from switchboard.models.settings import Choice
from switchboard.models.trial import TrialResult

PYTHON_MIN = (3, 11)
RESTATE_VERSION = "1.7."
"""Supported Restate releases. The CLI depends on their introspection tables, the services on their protocol."""

HOLDERS_NAMED_MAX = 4
STUCK_NAMED_MAX = 3

STUCK_QUERY = (
    "select id, target, status, last_failure from sys_invocation "
    f"where status in ('paused', 'backing-off') order by created_at limit {STUCK_NAMED_MAX + 1}"
)

State = Literal["ok", "missing", "note"]


@dataclass(frozen=True)
class Finding:
    """A row of the doctor's table. Only the state `missing` means that a mesh cannot work."""

    subject: str
    state: State
    found: str
    fix: str = ""


class Stuck(BaseModel):
    """An invocation that is paused or backing off."""

    id: str
    target: str
    status: str
    last_failure: str | None = None


class _Service(BaseModel):
    name: str
    metadata: dict[str, str] = {}


class Services(BaseModel):
    """The fields that we use of the admin API's answer to /services."""

    services: list[_Service]

    def agents(self) -> list[str]:
        return sorted(service.name for service in self.services if service.metadata.get("switchboard.role") == "agent")


class _Deployment(BaseModel):
    uri: str | None = None


class Deployments(BaseModel):
    """The fields that we use of the admin API's answer to /deployments."""

    deployments: list[_Deployment]


@dataclass(frozen=True)
class RunningMesh:
    """A running mesh: its agents, the reachability of its deployments by address, and its stuck invocations.

    `reachable` is None for an address whose host cannot be resolved here, such as one that is internal to a cluster.
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
    return Finding("Python", "missing", f"{text}; 3.11 or newer is required", "make setup PYTHON=python3.11")


def restate_server(binary: Path | None, version_text: str) -> Finding:
    subject = "restate-server"
    if binary is None:
        return Finding(subject, "missing", "not found in node_modules or on PATH", "make setup")
    version = re.search(r"\d+\.\d+\.\d+", version_text)
    if version is None:
        return Finding(subject, "missing", f"{binary} does not run on this machine", "make setup")
    if not version[0].startswith(RESTATE_VERSION):
        return Finding(subject, "missing", f"{version[0]} at {binary}; {RESTATE_VERSION}x is required", "make setup")
    return Finding(subject, "ok", version[0])


def npm(node: str | None, npm: str | None) -> Finding:
    """Check Node and npm, which are needed only to install the Restate binary."""
    if node and npm:
        return Finding("Node, npm", "ok", npm)
    return Finding("Node, npm", "missing", "needed to install restate-server", "install Node 20 or newer")


def ports(wanted: Sequence[int], held: Mapping[str, str], mesh_runs: bool) -> Finding:
    """Check that the ports are free. `held` maps a port in use to its process. The running mesh may use its ports."""
    subject = "ports"
    if not held:
        return Finding(subject, "ok", f"all {len(wanted)} ports of a mesh are free")
    if mesh_runs:
        return Finding(subject, "ok", "used by the running mesh")
    holders = [f"{port} by {by}" if by else port for port, by in list(held.items())[:HOLDERS_NAMED_MAX]]
    more = f" and {len(held) - len(holders)} more" if len(held) > len(holders) else ""
    return Finding(
        subject,
        "missing",
        f"in use: {', '.join(holders)}{more}",
        "stop the process, or choose other ports (switchboard up --help)",
    )


def demo_model() -> Finding:
    text = "no key of a model is set: answers come from rules"
    return Finding("model", "note", text, "export OPENAI_API_KEY=… or ANTHROPIC_API_KEY=…")


def model(choice: Choice, tried: TrialResult) -> Finding:
    """Report what a model's endpoint answered to a request with everything that a conversation contains."""
    where = f"{choice.name} at {choice.base_url}"
    if tried.accepted:
        return Finding("model", "ok", where)
    if tried.settings:
        return Finding("model", "missing", f"{where} refuses an optional field: {tried.why}", " ".join(tried.settings))
    prefix = choice.provider.prefix
    fixes = {
        "401": f"export {prefix}_API_KEY=…",
        "403": f"export {prefix}_API_KEY=…",
        "404": f"check SWITCHBOARD_MODEL, {prefix}_BASE_URL and {prefix}_WIRE_API",
        "connection": f"check {prefix}_BASE_URL and the network",
        "timeout": f"check {prefix}_BASE_URL, or set a longer SWITCHBOARD_MODEL_TIMEOUT",
    }
    fix = fixes.get(tried.kind, "see docs/operate/models.md")
    return Finding("model", "missing", f"{where} does not answer: {tried.why}", fix)


def mesh(seen: RunningMesh | None, admin_url: str) -> list[Finding]:
    if seen is None:
        return [Finding("mesh", "note", f"not running at {admin_url}", "switchboard up")]
    found = [Finding("mesh", "ok", f"running at {admin_url}"), *deployments(seen.reachable)]
    if seen.agents:
        found.append(Finding("agents", "ok", ", ".join(seen.agents)))
    else:
        found.append(Finding("agents", "missing", "none is registered", "switchboard up"))
    return [*found, stuck_calls(seen.stuck)]


def deployments(reachable: Mapping[str, bool | None]) -> list[Finding]:
    """Report the deployments that answer, that do not, and that cannot be reached from this machine."""
    subject = "services"
    down = [address for address, answers in reachable.items() if answers is False]
    hidden = [address for address, answers in reachable.items() if answers is None]
    found = [Finding(subject, "missing", f"no answer from {', '.join(down)}", "switchboard up")] if down else []
    if hidden:
        found.append(Finding(subject, "note", f"not reachable from here: {', '.join(hidden)}", "kubectl get rsd -A"))
    if not found:
        found.append(Finding(subject, "ok", f"{len(reachable)} deployments answer"))
    return found


def stuck_calls(stuck: Sequence[Stuck]) -> Finding:
    """Report calls that are paused (someone must resume them) or backing off (waiting for the next retry)."""
    subject = "calls"
    if not stuck:
        return Finding(subject, "ok", "none paused or retrying")
    named = [f"{call.target} {call.status}: {(call.last_failure or 'unknown reason')[:80]}" for call in stuck]
    more = " … and more" if len(stuck) > STUCK_NAMED_MAX else ""
    paused = next((call.id for call in stuck if call.status == "paused"), None)
    fix = f"npx restate invocations resume {paused}" if paused else "Restate retries it; see the Restate UI"
    return Finding(subject, "note", "; ".join(named[:STUCK_NAMED_MAX]) + more, fix)
