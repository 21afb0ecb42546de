"""The commands that rolling forward runs on a cluster, and the conversations during the rollout."""

import asyncio
import base64
import gzip
import json
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from aiohttp import web

from scripts import smoke
from scripts.rolling import cluster as rolling
from scripts.rolling.cluster import Cluster, Conversations, Revision, StepFailed, roll, versions_of
from switchboard.local.process import free_ports
from tests.charts.rendering import HELM_DIR, template
from tests.parts import PROJECT, need_helm

CHART = HELM_DIR / "agent-mesh"
INSTALLED = Revision(4, "deployed", versions_of(CHART))


class Commands:
    """Fake helm and kubectl: records commands and answers by their first words. An upgrade adds a revision."""

    def __init__(self, *replica_sets: Sequence[str], installed: Revision = INSTALLED, fails: str = "") -> None:
        self.executed: list[list[str]] = []
        self.replica_sets = list(replica_sets) or [["bank-new1"]]
        self.newest = installed
        self.fails = fails

    def __call__(self, command: Sequence[str]) -> str:
        self.executed.append(list(command))
        if self.fails and self.fails in command:
            raise StepFailed(f"{self.fails} failed")
        if command[:2] == ["helm", "upgrade"]:
            self.newest = replace(self.newest, number=self.newest.number + 1)
        if command[:3] == ["helm", "get", "metadata"]:
            chart, version, app_version = self.newest.versions
            metadata = {"chart": chart, "version": version, "appVersion": app_version}
            return json.dumps({**metadata, "revision": self.newest.number, "status": self.newest.status})
        if "jsonpath={.status.labelSelector}" in command:
            return "app.kubernetes.io/name=bank,pod-template-hash=new1"
        if "json" in command:
            names = self.replica_sets.pop(0) if len(self.replica_sets) > 1 else self.replica_sets[0]
            return json.dumps({"items": [replica_set(name) for name in names]})
        return ""

    def done(self, *verbs: str) -> list[list[str]]:
        return [command for command in self.executed if command[0] == "helm" and command[1] in verbs]


def replica_set(name: str) -> dict[str, Any]:
    return {"metadata": {"name": name}, "spec": {"replicas": 0 if name.endswith("gone") else 2}}


def test_upgrade_changes_only_the_banks_image() -> None:
    commands = Commands()
    Cluster(commands).forward("0.1.1")
    (upgrade,) = commands.executed
    assert upgrade[:3] == ["helm", "upgrade", "mesh"]
    assert "--reset-then-reuse-values" in upgrade
    (setting,) = (upgrade[index + 1] for index, word in enumerate(upgrade) if word == "--set-string")
    name, _, tag = setting.partition("=")
    before, after = template("agent-mesh").stdout, template("agent-mesh", set={name: tag}).stdout
    changed = {
        line.strip() for line in after.splitlines() if line not in before.splitlines() and "JWT_SECRET:" not in line
    }
    assert changed == {"image: registry.example.org/switchboard/switchboard-bank:0.1.1"}


def test_old_versions_drain_until_they_have_no_pods() -> None:
    cluster = Cluster(Commands(["bank-old1", "bank-new1", "bank-gone"]))
    assert cluster.draining() == ["bank-old1"]
    with pytest.raises(StepFailed, match="bank-old1 still has unfinished invocations"):
        cluster.wait_until_drained(timedelta(seconds=-1))
    drained = Cluster(Commands(["bank-gone", "bank-new1"]))
    drained.wait_until_drained()


def test_dry_run_prints_every_command_and_executes_none() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "scripts.roll_forward", "cluster", "--tag", "0.1.1", "--dry-run"],
        cwd=PROJECT,
        # No helm or kubectl on PATH.
        env={"PATH": "/nowhere", "PYTHONPATH": str(PROJECT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    commands = [line.split()[0:2] for line in done.stdout.splitlines() if line.startswith("  ")]
    helm = [verb for program, verb in commands if program == "helm"]
    assert helm == ["get", "upgrade", "get", "rollback"]
    assert commands.count(["kubectl", "wait"]) == 2


def test_rollback_returns_to_the_previous_revision() -> None:
    commands = Commands()
    roll(Cluster(commands), "0.1.1", lambda _: None)
    assert commands.done("rollback") == [["helm", "rollback", "mesh", "4", "--namespace", "mesh"]]


@pytest.mark.parametrize(
    ("installed", "problem"),
    [
        (replace(INSTALLED, versions=["agent-mesh", "0.0.9", "0.1.0"]), "would change the whole mesh"),
        (replace(INSTALLED, versions=["agent-mesh", "0.1.0", "0.0.9"]), "would change the whole mesh"),
        (replace(INSTALLED, versions=["another", "0.1.0", "0.1.0"]), "would change the whole mesh"),
        (replace(INSTALLED, status="failed"), "Revision 4 of mesh is failed"),
    ],
)
def test_upgrade_is_refused_if_it_would_change_more_than_a_tag(installed: Revision, problem: str) -> None:
    commands = Commands(installed=installed)
    with pytest.raises(StepFailed, match=problem):
        roll(Cluster(commands), "0.1.1", lambda _: None)
    assert commands.done("upgrade", "rollback") == []


def test_rollback_is_refused_after_another_change() -> None:
    commands = Commands()

    def change_before_rollback(message: str) -> None:
        if message == "Rolling back.":
            commands(["helm", "upgrade", "by", "another", "user"])

    with pytest.raises(
        StepFailed, match=r"Revision 6 of mesh was created in the meantime(.|\n)*The bank of mesh is still on 0\.1\.1"
    ):
        roll(Cluster(commands), "0.1.1", change_before_rollback)
    assert commands.done("rollback") == []


def test_failure_after_the_upgrade_says_how_to_roll_back() -> None:
    with pytest.raises(
        StepFailed, match=r"still on 0\.1\.1\. Roll it back with `helm rollback mesh 4 --namespace mesh`"
    ):
        roll(Cluster(Commands(fails="wait")), "0.1.1", lambda _: None)
    with pytest.raises(StepFailed) as failure:
        roll(Cluster(Commands(fails="upgrade")), "0.1.1", lambda _: None)
    assert "still on" not in str(failure.value)


def release(number: int) -> dict[str, Any]:
    """Return a revision as helm stores it: a Secret."""
    chart, version, app_version = INSTALLED.versions
    metadata = {"name": chart, "version": version, "appVersion": app_version, "apiVersion": "v2"}
    stored = {
        "name": "mesh",
        "namespace": "mesh",
        "version": number,
        "info": {"status": "deployed" if number == INSTALLED.number else "superseded"},
        "chart": {"metadata": metadata, "templates": [], "values": {}},
    }
    packed = base64.b64encode(gzip.compress(json.dumps(stored).encode()))
    name = f"sh.helm.release.v1.mesh.v{number}"
    labels = {"name": "mesh", "owner": "helm", "status": stored["info"]["status"], "version": str(number)}  # type: ignore[index]
    return {"metadata": {"name": name, "labels": labels}, "data": {"release": base64.b64encode(packed).decode()}}


@asynccontextmanager
async def api_server() -> AsyncIterator[str]:
    """Serve the part of Kubernetes' API that `helm get` needs, with a release of two revisions."""
    (port,) = free_ports(1)

    async def answer(request: web.BaseRequest) -> web.Response:
        if request.path == "/version":
            return web.json_response({"major": "1", "minor": "34", "gitVersion": "v1.34.0"})
        assert request.path == "/api/v1/namespaces/mesh/secrets"
        items = [release(INSTALLED.number - 1), release(INSTALLED.number)]
        return web.json_response({"kind": "SecretList", "apiVersion": "v1", "metadata": {}, "items": items})

    runner = web.ServerRunner(web.Server(answer))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        await runner.cleanup()


async def test_helm_metadata_is_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    helm = need_helm()
    async with api_server() as url:
        monkeypatch.setenv("HELM_KUBEAPISERVER", url)
        found = await asyncio.to_thread(Cluster(lambda command: rolling.run([helm, *command[1:]])).deployed)
    assert found == INSTALLED


@asynccontextmanager
async def refusing(status: int) -> AsyncIterator[tuple[smoke.Mesh, list[str]]]:
    """Run a gateway that answers every request with this status. Yields its address and the requested paths."""
    requests: list[str] = []
    (port,) = free_ports(1)

    async def answer(request: web.BaseRequest) -> web.Response:
        requests.append(request.path)
        return web.Response(status=status, text="no")

    runner = web.ServerRunner(web.Server(answer))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield smoke.Mesh(f"http://127.0.0.1:{port}", "t0ken"), requests
    finally:
        await runner.cleanup()


async def test_rejected_token_stops_the_conversations_with_a_message() -> None:
    log: list[str] = []
    stop = threading.Event()
    async with refusing(401) as (address, requests):
        held = Conversations(address, log.append)
        await asyncio.to_thread(held.hold, stop)
    assert stop.is_set(), "otherwise the other threads would continue"
    assert (len(requests), held.failed) == (1, 1)
    assert "Stopping the conversations. The gateway rejected the token" in log[0]


class Pauses(threading.Event):
    """An event that is set after a number of waits, which take no time."""

    def __init__(self, waits: int) -> None:
        super().__init__()
        self.left = waits
        self.seconds: set[float | None] = set()

    def wait(self, timeout: float | None = None) -> bool:
        self.left -= 1
        self.seconds.add(timeout)
        if self.left == 0:
            self.set()
        return self.is_set()


async def test_conversations_pause_after_failures_and_keep_a_limited_number() -> None:
    many = rolling.FAILURES_SHOWN_MAX + 5
    pauses = Pauses(many)
    async with refusing(400) as (address, requests):
        held = Conversations(address)
        await asyncio.to_thread(held.hold, pauses)
    assert (len(requests), held.failed, len(held.failures)) == (many, many, rolling.FAILURES_SHOWN_MAX)
    assert pauses.seconds == {rolling.PAUSE_AFTER_FAILURE.total_seconds()}
