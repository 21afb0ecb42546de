"""A mesh on three Restate nodes: whatever happens to one of them, customers are answered and nothing is lost.

Customers hold conversations whose outcome plain models of the rules predict to the cent; see tests/generated.
"""

import asyncio
import os
import shutil
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from scripts.rolling.deployments import Deployments
from switchboard.local.process import StartFailed, free_ports
from switchboard.local.restate_server import Admin
from switchboard.testing import JSON
from switchboard.testing.balancer import balanced
from tests.chaos.cluster.cluster import ClusterMesh, open_cluster
from tests.chaos.cluster.load import (
    SETTLED_SECONDS,
    TRANSFER,
    Load,
    answered_after,
    apply_for_loan,
    approve_loan,
    finish,
    laboratory_of,
    mesh_of,
)
from tests.chaos.cluster.object_store import ObjectStore, open_object_store
from tests.chaos.cluster.restatectl import back_up, bring_back, restore
from tests.generated.real_mesh import RealMesh
from tests.generated.runs import new_play
from tests.generated.script import Asks, Call, Confirms, Conversation
from tests.generated.stage import Stage, look_up_payments
from tests.generated.stored import WAITING, stored_states

pytestmark = pytest.mark.slow

FROZEN_SECONDS = 8.0
"""Longer than the other nodes take to notice that a node is silent."""

ALL_PARTITIONS = 16
"""So many new sessions are on all partitions."""

FIRST, SECOND = "first", "second"
"""Where a cluster and the one after it keep their snapshots."""

TOOLS = "LoanApplication"
"""One of the tools' services. Its deployment is that of all of them."""

RESTARTS = 2
"""After them the lost cluster's partitions have had more leaders than those of the new one."""

Record = Callable[[str, object], None]


@pytest.fixture(scope="module")
async def store(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ObjectStore]:
    async with open_object_store(tmp_path_factory.mktemp("store")) as opened:
        yield opened


@pytest.fixture(scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory, store: ObjectStore) -> AsyncIterator[Stage]:
    async with open_cluster(tmp_path_factory.mktemp("cluster"), store.settings(FIRST)) as laboratory:
        opened = Stage(RealMesh(laboratory))
        await look_up_payments(opened)
        yield opened


async def kill_each(stage: Stage) -> None:
    for node in mesh_of(stage).nodes:
        await node.process.kill()
        await asyncio.sleep(SETTLED_SECONDS)
        await node.process.start()


async def freeze_each(stage: Stage) -> None:
    for node in mesh_of(stage).nodes:
        os.kill(node.process.pid, signal.SIGSTOP)
        try:
            await asyncio.sleep(FROZEN_SECONDS)
        finally:
            os.kill(node.process.pid, signal.SIGCONT)


async def roll(stage: Stage) -> None:
    """Stop and start one node after the other, as an upgrade does."""
    for node in mesh_of(stage).nodes:
        await node.process.stop()
        await node.process.start()
        await asyncio.sleep(SETTLED_SECONDS)


async def kill_replicas(stage: Stage) -> None:
    """Kill one replica of each service, one after the other, and start it again."""
    for first, _ in mesh_of(stage).replicas.values():
        await first.kill()
        await asyncio.sleep(1)
        await first.start()


async def lose_disk(stage: Stage) -> None:
    """Lose a node's disk and bring the node back. Then another node is killed: this one has to stand in for it."""
    mesh = mesh_of(stage)
    lost = mesh.nodes[-1]
    await lost.process.kill()
    shutil.rmtree(lost.folder)
    with pytest.raises(StartFailed, match="exited at start"):
        await lost.process.start()
    await bring_back(mesh, lost)
    await mesh.nodes[0].process.kill()
    await asyncio.gather(*(answered_after(stage) for _ in range(ALL_PARTITIONS)))
    await mesh.nodes[0].process.start()


FAULTS = (kill_each, freeze_each, roll, kill_replicas, lose_disk)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
async def test_nothing_is_lost_in_a_cluster(
    stage: Stage, fault: Callable[[Stage], Awaitable[None]], record_testsuite_property: Record
) -> None:
    counted = await Load(stage).during(fault)
    record_testsuite_property(f"cluster, {fault.__name__}", counted)
    assert counted["conversations"] > 0


@asynccontextmanager
async def next_tools(mesh: ClusterMesh) -> AsyncIterator[str]:
    """Run two replicas of the next version of the tools. Yields their address."""
    address, *ports = free_ports(3)
    both = [mesh.service("next-tools", port, "tests.chaos.cluster.next_tools") for port in ports]
    try:
        await asyncio.gather(*(one.start() for one in both))
        async with balanced(address, ports):
            yield f"http://127.0.0.1:{address}"
    finally:
        await asyncio.gather(*(one.stop() for one in both))


async def test_waiting_loan_is_paid_out_once_after_an_upgrade_of_the_tools(
    stage: Stage, record_testsuite_property: Record
) -> None:
    mesh, laboratory = mesh_of(stage), laboratory_of(stage)
    deployments = Deployments(mesh.admin, laboratory.http)
    play = await apply_for_loan(stage)
    old = await deployments.serving(TOOLS)

    async def route_to(address: str, again: bool = False) -> str:
        """Register the tools, and wait until every node calls them there. Nodes learn of it one after the other."""
        new = await deployments.register(address, again)

        async def known() -> bool:
            admins = [Admin(f"http://127.0.0.1:{place.admin}") for place in mesh.places]
            serving = [await Deployments(admin, laboratory.http).serving(TOOLS) for admin in admins]
            return set(serving) == {new}

        await laboratory.until(known)
        return new

    async def drain(deployment: str) -> None:
        async def drained() -> bool:
            return not await deployments.unfinished(deployment)

        await laboratory.until(drained)

    async def upgrade(_: Stage) -> None:
        assert await route_to(address) != old
        # The application runs on the version that it began on.
        assert await deployments.unfinished(old)
        await approve_loan(stage, play)
        await drain(old)
        await deployments.remove(old)
        await asyncio.gather(*(one.stop() for one in mesh.replicas["tools"]))
        await asyncio.sleep(SETTLED_SECONDS)

    async with next_tools(mesh) as address:
        counted = await Load(stage).during(upgrade)
        record_testsuite_property("cluster, upgrade of the tools", counted)
        await finish(stage, [play])
        # Back to the first version, which the other rows use.
        new = await deployments.serving(TOOLS)
        await asyncio.gather(*(one.start() for one in mesh.replicas["tools"]))
        # A node that does not know yet that the first one was removed would ignore its address.
        await route_to(mesh.addresses.service_url("tools"), again=True)
        await drain(new)


async def everything(stage: Stage) -> JSON:
    """Return the state of all objects when nothing runs any more, and the invocations that wait."""
    laboratory = laboratory_of(stage)
    await stored_states(stage.mesh)
    state = await laboratory.query("SELECT service_name, service_key, key, value_utf8 FROM state")
    waiting = await laboratory.query("SELECT id, target FROM sys_invocation WHERE status <> 'completed'")
    return {
        "state": {(row["service_name"], row["service_key"], row["key"]): row["value_utf8"] for row in state},
        "waiting": {row["id"]: row["target"] for row in waiting},
    }


async def test_new_cluster_goes_on_from_the_snapshots_of_a_lost_one(
    stage: Stage, store: ObjectStore, record_testsuite_property: Record
) -> None:
    mesh, loop = mesh_of(stage), asyncio.get_running_loop()
    for _ in range(RESTARTS):
        await roll(stage)
    applicant = await apply_for_loan(stage)
    payer = new_play(stage, Conversation("carol", ()))
    await payer.take(Asks((Call("transfer_money", {**TRANSFER, "amount": "250"}),)))
    before = await everything(stage)
    assert any(target.startswith(WAITING) for target in before["waiting"].values())
    backup = await back_up(mesh)
    for node in mesh.nodes:
        await node.process.kill()
        shutil.rmtree(node.folder)

    begun = loop.time()
    await restore(mesh, backup, store, FIRST, SECOND)
    await answered_after(stage, "carol-after")
    restored = loop.time()

    after = await everything(stage)
    differences = {key for key, value in before["state"].items() if after["state"].get(key) != value}
    assert differences == set()
    assert before["waiting"].items() <= after["waiting"].items()
    # The customer says yes to the question, and staff approve the loan: each is done once.
    await payer.take(Confirms())
    await approve_loan(stage, applicant)
    await finish(stage, [payer, applicant])
    record_testsuite_property("cluster, restored after, s", round(restored - begun, 1))
