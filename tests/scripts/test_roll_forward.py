"""A version of the bank agent rolled out and back on a real mesh, under load; and what would be done on a cluster."""

import json
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from cli.process import Process, free_ports
from cli.restate_server import PROJECT, AdminError, find_binary
from scripts.rolling.cluster import Cluster, StepFailed
from scripts.rolling.deployments import Deployments, StillNeeded
from scripts.rolling.load import Load
from scripts.rolling.next_bank import ADDED
from scripts.rolling.play import NEXT_BANK, TURNS_SEEN_MIN, play
from switchboard.testing import Answer, Customer, calls, says, scene
from tests.charts.rendering import template
from tests.laboratory import Laboratory
from tests.parts import need

SESSIONS = 3


async def test_no_message_fails_while_the_bank_is_rolled_forward_and_back(tmp_path: Path) -> None:
    need("restate-server", find_binary("restate-server"), "`make setup` gets it through npm")
    said: list[str] = []
    report = await play(tmp_path, SESSIONS, said.append)
    assert report.failures == []
    assert report.answered > 3 * TURNS_SEEN_MIN
    # The turn that waited for its tool was begun and finished by the version that it began with.
    assert report.long_turn == "v1"
    (refusal,) = report.refusals
    assert "1 unfinished: Bank/take_turn" in refusal
    assert set(report.served) == {"v1", "v2", "v1 again"}
    assert min(report.served.values()) >= TURNS_SEEN_MIN
    # What people were waited for went on over the change.
    assert "was received: 48 monthly payments" in report.confirmed
    assert "was approved" in report.told
    assert "v1 is drained, removed and stopped" in said
    assert "v2 is drained, removed and stopped" in said


def test_an_apology_a_refusal_and_another_agents_answer_count_as_failures() -> None:
    load, customer = Load(), Customer("http://nowhere", None)  # type: ignore[arg-type]  # nothing is sent
    good = {"agent": "Bank", "failed": False}
    for answer in (Answer(500, good), Answer(200, {**good, "failed": True}), Answer(200, {**good, "agent": "Triage"})):
        load.count(customer, answer)
    assert (load.answered, len(load.failures)) == (0, 3)
    load.count(customer, Answer(200, good))
    assert load.answered == 1


@asynccontextmanager
async def next_bank(laboratory: Laboratory) -> AsyncIterator[Process]:
    (port,) = free_ports(1)
    process = laboratory.mesh.service("next-bank", port, module=NEXT_BANK)
    await process.start()
    try:
        yield process
    finally:
        await process.stop()


async def test_an_address_that_restate_knows_routes_nothing_anew_unless_it_is_looked_at_again(
    laboratory: Laboratory,
) -> None:
    deployments = Deployments(laboratory.mesh.admin, laboratory.http)
    old, url = await deployments.serving("Bank"), laboratory.mesh.addresses.service_url("bank")
    hand_off = calls(("handoff_to_Bank", {"reason": "money"}))
    await laboratory.model.plays(scene("what now?", hand_off, says("this")))
    async with next_bank(laboratory) as process:
        new = await deployments.register(f"http://127.0.0.1:{process.port}")
        try:
            assert await deployments.serving("Bank") == new != old
            with pytest.raises(StillNeeded, match="still takes the new invocations of Bank"):
                await deployments.remove(new)
            customer = laboratory.customer()
            assert (await customer.says("what now?")).body["agent"] == "Bank"
            asked = await laboratory.model.requests(customer.session)
            assert ADDED.strip() in json.dumps(asked[-1]["body"])
            # As a rollback would do it that only registers the old address: nothing goes back.
            assert await deployments.register(url) == old
            assert await deployments.serving("Bank") == new
        finally:
            assert await deployments.register(url, again=True) == old
        assert await deployments.serving("Bank") == old
        await deployments.remove(new)
    with pytest.raises(AdminError, match="was not taken"):
        await deployments.register(f"http://127.0.0.1:{free_ports(1)[0]}")
    assert await deployments.serving("Bank") == old


# --- On a cluster, of which there is none here ------------------------------------------------------------------------


class Commands:
    """Answers commands by what they begin with, and keeps them."""

    def __init__(self, *looks: Sequence[str]) -> None:
        self.asked: list[list[str]] = []
        self.looks = list(looks)

    def __call__(self, command: Sequence[str]) -> str:
        self.asked.append(list(command))
        if "jsonpath={.status.labelSelector}" in command:
            return "app.kubernetes.io/name=bank,pod-template-hash=new1"
        if "json" in command:
            names = self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]
            return json.dumps({"items": [replica_set(name) for name in names]})
        return ""


def replica_set(name: str) -> dict[str, Any]:
    return {"metadata": {"name": name}, "spec": {"replicas": 0 if name.endswith("gone") else 2}}


def test_a_new_tag_changes_the_banks_image_and_nothing_else() -> None:
    commands = Commands()
    Cluster(commands).forward("0.1.1")
    upgrade, wait = commands.asked
    assert upgrade[:3] == ["helm", "upgrade", "mesh"]
    assert "--reset-then-reuse-values" in upgrade
    assert "rsd/bank" in wait
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
    assert [command for command in commands if command[0] == "helm"] == [["helm", "upgrade"], ["helm", "rollback"]]
    assert commands.count(["kubectl", "wait"]) == 2


def test_the_documentation_shows_what_the_play_says() -> None:
    shown = (PROJECT / "docs" / "rolling-forward.md").read_text()
    for line in ("is drained, removed and stopped", "the turn that waited was finished by v1", "0 failed"):
        assert line in shown
