"""What rolling forward does on a cluster, command by command, and the conversations that are held meanwhile."""

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
    """Answers commands by what they begin with, and keeps them. An upgrade makes a revision of the release."""

    def __init__(self, *looks: Sequence[str], installed: Revision = INSTALLED, fails: str = "") -> None:
        self.asked: list[list[str]] = []
        self.looks = list(looks) or [["bank-new1"]]
        self.newest = installed
        self.fails = fails

    def __call__(self, command: Sequence[str]) -> str:
        self.asked.append(list(command))
        if self.fails and self.fails in command:
            raise StepFailed(f"{self.fails} failed")
        if command[:2] == ["helm", "upgrade"]:
            self.newest = replace(self.newest, number=self.newest.number + 1)
        if command[:3] == ["helm", "get", "metadata"]:
            chart, version, app_version = self.newest.versions
            said = {"chart": chart, "version": version, "appVersion": app_version}
            return json.dumps({**said, "revision": self.newest.number, "status": self.newest.status})
        if "jsonpath={.status.labelSelector}" in command:
            return "app.kubernetes.io/name=bank,pod-template-hash=new1"
        if "json" in command:
            names = self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]
            return json.dumps({"items": [replica_set(name) for name in names]})
        return ""

    def done(self, *verbs: str) -> list[list[str]]:
        return [command for command in self.asked if command[0] == "helm" and command[1] in verbs]


def replica_set(name: str) -> dict[str, Any]:
    return {"metadata": {"name": name}, "spec": {"replicas": 0 if name.endswith("gone") else 2}}


def test_a_new_tag_changes_the_banks_image_and_nothing_else() -> None:
    commands = Commands()
    Cluster(commands).forward("0.1.1")
    (upgrade,) = commands.asked
    assert upgrade[:3] == ["helm", "upgrade", "mesh"]
    assert "--reset-then-reuse-values" in upgrade
    (setting,) = (upgrade[index + 1] for index, word in enumerate(upgrade) if word == "--set-string")
    name, _, tag = setting.partition("=")
    before, after = template("agent-mesh").stdout, template("agent-mesh", set={name: tag}).stdout
    changed = {
        line.strip() for line in after.splitlines() if line not in before.splitlines() and "JWT_SECRET:" not in line
    }
    assert changed == {"image: ghcr.io/switchboard-mesh/switchboard-bank:0.1.1"}


def test_old_versions_are_waited_for_by_their_pods() -> None:
    cluster = Cluster(Commands(["bank-old1", "bank-new1", "bank-gone"]))
    assert cluster.draining() == ["bank-old1"]
    with pytest.raises(StepFailed, match="bank-old1 still has unfinished invocations"):
        cluster.wait_until_drained(timedelta(seconds=-1))
    drained = Cluster(Commands(["bank-gone", "bank-new1"]))
    drained.wait_until_drained()


def test_a_dry_run_prints_every_command_and_does_none() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "scripts.roll_forward", "cluster", "--tag", "0.1.1", "--dry-run"],
        cwd=PROJECT,
        # Neither helm nor kubectl can be found.
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


def test_it_goes_back_to_the_revision_that_was_there_before() -> None:
    commands = Commands()
    roll(Cluster(commands), "0.1.1", lambda _: None)
    assert commands.done("rollback") == [["helm", "rollback", "mesh", "4", "--namespace", "mesh"]]


@pytest.mark.parametrize(
    ("installed", "why"),
    [
        (replace(INSTALLED, versions=["agent-mesh", "0.0.9", "0.1.0"]), "would change the whole mesh"),
        (replace(INSTALLED, versions=["agent-mesh", "0.1.0", "0.0.9"]), "would change the whole mesh"),
        (replace(INSTALLED, versions=["another", "0.1.0", "0.1.0"]), "would change the whole mesh"),
        (replace(INSTALLED, status="failed"), "Revision 4 of mesh is failed"),
    ],
)
def test_nothing_is_done_where_an_upgrade_would_change_more_than_a_tag(installed: Revision, why: str) -> None:
    commands = Commands(installed=installed)
    with pytest.raises(StepFailed, match=why):
        roll(Cluster(commands), "0.1.1", lambda _: None)
    assert commands.done("upgrade", "rollback") == []


def test_what_somebody_else_changed_meanwhile_is_not_undone() -> None:
    commands = Commands()

    def say(said: str) -> None:
        if said == "Back.":
            commands(["helm", "upgrade", "by", "somebody", "else"])

    with pytest.raises(StepFailed, match=r"Revision 6 of mesh was made meanwhile(.|\n)*still on 0\.1\.1 for the bank"):
        roll(Cluster(commands), "0.1.1", say)
    assert commands.done("rollback") == []


def test_a_step_that_fails_after_the_upgrade_says_that_the_release_is_on_the_new_tag_and_how_to_go_back() -> None:
    with pytest.raises(StepFailed, match=r"still on 0\.1\.1 for the bank; `helm rollback mesh 4 --namespace mesh`"):
        roll(Cluster(Commands(fails="wait")), "0.1.1", lambda _: None)
    with pytest.raises(StepFailed) as failure:
        roll(Cluster(Commands(fails="upgrade")), "0.1.1", lambda _: None)
    assert "still on" not in str(failure.value)


def release(number: int) -> dict[str, Any]:
    """A revision as helm keeps it: a Secret."""
    chart, version, app_version = INSTALLED.versions
    metadata = {"name": chart, "version": version, "appVersion": app_version, "apiVersion": "v2"}
    kept = {
        "name": "mesh",
        "namespace": "mesh",
        "version": number,
        "info": {"status": "deployed" if number == INSTALLED.number else "superseded"},
        "chart": {"metadata": metadata, "templates": [], "values": {}},
    }
    packed = base64.b64encode(gzip.compress(json.dumps(kept).encode()))
    name = f"sh.helm.release.v1.mesh.v{number}"
    labels = {"name": "mesh", "owner": "helm", "status": kept["info"]["status"], "version": str(number)}  # type: ignore[index]
    return {"metadata": {"name": name, "labels": labels}, "data": {"release": base64.b64encode(packed).decode()}}


@asynccontextmanager
async def api_server() -> AsyncIterator[str]:
    """As much of Kubernetes' API as `helm get` needs, with a release of two revisions."""
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


async def test_helm_itself_names_the_revision_and_the_versions(monkeypatch: pytest.MonkeyPatch) -> None:
    helm = need_helm()
    async with api_server() as url:
        monkeypatch.setenv("HELM_KUBEAPISERVER", url)
        found = await asyncio.to_thread(Cluster(lambda command: rolling.run([helm, *command[1:]])).deployed)
    assert found == INSTALLED


@asynccontextmanager
async def refusing(status: int) -> AsyncIterator[tuple[smoke.Mesh, list[str]]]:
    """A gateway that answers everything with this status, and the paths that it was asked."""
    asked: list[str] = []
    (port,) = free_ports(1)

    async def answer(request: web.BaseRequest) -> web.Response:
        asked.append(request.path)
        return web.Response(status=status, text="no")

    runner = web.ServerRunner(web.Server(answer))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield smoke.Mesh(f"http://127.0.0.1:{port}", "t0ken"), asked
    finally:
        await runner.cleanup()


async def test_a_token_that_is_not_taken_ends_the_conversations_with_a_sentence() -> None:
    said: list[str] = []
    enough = threading.Event()
    async with refusing(401) as (address, asked):
        held = Conversations(address, said.append)
        await asyncio.to_thread(held.hold, enough)
    assert enough.is_set(), "the others would go on"
    assert (len(asked), held.failed) == (1, 1)
    assert "No more conversations are held. The token is not taken" in said[0]


class Pauses(threading.Event):
    """Is set when it has been waited for so often, and takes no time for it."""

    def __init__(self, often: int) -> None:
        super().__init__()
        self.left = often
        self.seconds: set[float | None] = set()

    def wait(self, timeout: float | None = None) -> bool:
        self.left -= 1
        self.seconds.add(timeout)
        if self.left == 0:
            self.set()
        return self.is_set()


async def test_after_a_failure_there_is_a_pause_and_so_many_failures_are_kept() -> None:
    many = rolling.FAILURES_KEPT_MAX + 5
    pauses = Pauses(many)
    async with refusing(400) as (address, asked):
        held = Conversations(address)
        await asyncio.to_thread(held.hold, pauses)
    assert (len(asked), held.failed, len(held.failures)) == (many, many, rolling.FAILURES_KEPT_MAX)
    assert pauses.seconds == {rolling.PAUSE_AFTER_FAILURE.total_seconds()}
