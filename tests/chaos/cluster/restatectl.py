"""Restate's command for operators of clusters, and the procedures that an operator follows with it.

docs/operate/backup.md and docs/operate/reliability.md describe the same steps for people.
"""

import asyncio
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from switchboard.local.process import START_TIMEOUT, wait_until
from tests.chaos.cluster.cluster import PARTITIONS, ClusterMesh, Node
from tests.chaos.cluster.object_store import ObjectStore
from tests.parts import need_restatectl

LOGS, NODES, SCHEMA = "bifrost_config", "nodes_config", "schema_registry"
"""Keys of Restate's metadata."""

TIMEOUT_MS = "60000"
"""Of a request to a node. The default of 13 s is too short on a machine that is busy with other tests."""

EPOCHS_LEFT_OUT = 1_000
"""More changes of a partition's leader than there are between a backup and the loss of a cluster."""


@dataclass(frozen=True)
class Restatectl:
    """`restatectl` with the addresses of a cluster's nodes."""

    addresses: Sequence[str]

    @classmethod
    def of(cls, mesh: ClusterMesh) -> "Restatectl":
        return cls([node.place.address for node in mesh.nodes if node.process.alive])

    async def run(self, *arguments: str, given: str = "") -> str:
        """Run a command with this standard input, and return its output. Fails with what it printed."""
        process = await asyncio.create_subprocess_exec(
            *(str(need_restatectl()), *arguments, "--yes", "--request-timeout", TIMEOUT_MS),
            *("--address", ",".join(self.addresses)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        printed, errors = await process.communicate(given.encode())
        assert process.returncode == 0, f"restatectl {' '.join(arguments)}: {errors.decode()} {printed.decode()}"
        return printed.decode()

    async def metadata(self, key: str) -> Any:
        return json.loads(await self.run("metadata", "get", "--key", key))

    async def put_metadata(self, key: str, value: Any) -> None:
        await self.run("metadata", "put", "--key", key, "-", given=json.dumps(value))


async def bring_back(mesh: ClusterMesh, node: Node) -> None:
    """Start a node again that has lost its disk, after nothing in the cluster needs what was on it."""
    ctl = Restatectl.of(mesh)
    number = str((await ctl.metadata(NODES))["name_lookup"][node.name])
    # New segments of the logs are on the other nodes, and the snapshots replace the old segments.
    await ctl.run("logs", "reconfigure", "--log-id", f"0-{PARTITIONS - 1}")
    await ctl.run("snapshots", "create-snapshot", "--trim-log")
    await ctl.run("nodes", "set-storage-state", "--nodes", number, "--storage-state", "provisioning", "--force")
    await node.process.start()
    # It joins the servers of the metadata again as a new member.
    await ctl.run("metadata-server", "remove-node", number)
    await wait_until(lambda: serves_metadata(ctl, number), START_TIMEOUT, f"{node.name} serves no metadata")
    # New segments that are on this node too. Without them, the loss of another node would stop the logs.
    await ctl.run("logs", "reconfigure", "--log-id", f"0-{PARTITIONS - 1}")
    await wait_until(lambda: logs_are_on(ctl, int(number)), START_TIMEOUT, f"a log does not use {node.name}")


async def logs_are_on(ctl: Restatectl, number: int) -> bool:
    """Return whether the open segment of each log may be written to a node."""
    segments = [log["chain"][-1][1] for _, log in (await ctl.metadata(LOGS))["logs"]]
    return all(number in json.loads(segment["params"])["nodeset"] for segment in segments)


async def serves_metadata(ctl: Restatectl, number: str) -> bool:
    """Return whether a node knows itself that it is a member of the metadata's servers.

    Until it does, it does not count for a majority, although the others list it.
    """
    rows = [line.split() for line in (await ctl.run("metadata-server", "list-servers")).splitlines()]
    members = {row[0]: row[4].strip("[]").split(",") for row in rows if row[1:2] == ["Member"]}
    return f"N{number}" in members.get(f"N{number}", ())


@dataclass(frozen=True)
class Backup:
    """What a new cluster needs besides the snapshots: the registered services, and what was known of each partition."""

    schema: Any
    epochs: Mapping[int, Any]


async def back_up(mesh: ClusterMesh) -> Backup:
    """Write a snapshot of every partition, and return the metadata that snapshots do not contain."""
    ctl = Restatectl.of(mesh)
    await ctl.run("snapshots", "create-snapshot")
    epochs = {number: await ctl.metadata(epoch_key(number)) for number in range(PARTITIONS)}
    return Backup(await ctl.metadata(SCHEMA), epochs)


async def restore(mesh: ClusterMesh, backup: Backup, store: ObjectStore, prefix: str, target: str) -> None:
    """Let a new cluster go on where the lost one was when its snapshots were written.

    `prefix` are the lost cluster's snapshots. The new cluster's are below `target`.
    """
    mesh.nodes = mesh.new_nodes("m", {})
    await mesh.start_nodes()
    await wait_until(lambda: has_logs(mesh), START_TIMEOUT, "the new cluster has not created its logs")
    await mesh.stop_nodes()
    # Restate changes metadata by hand only in this mode.
    await mesh.start_nodes("--metadata-migration-mode")
    ctl = Restatectl.of(mesh)
    fingerprint = (await ctl.metadata(NODES))["cluster_fingerprint"]
    applied = await store.copy_for(fingerprint, prefix, target)
    await ctl.put_metadata(LOGS, continued(await ctl.metadata(LOGS), applied))
    await ctl.put_metadata(SCHEMA, backup.schema)
    for number, lost in backup.epochs.items():
        new = await ctl.metadata(epoch_key(number))
        # Restate drops what an earlier leader of the partition wrote.
        new = {**new, "epoch": new["epoch"] + lost["epoch"] + EPOCHS_LEFT_OUT}
        # A snapshot names the leader that its partition had. Nodes look for it until they know of a higher version,
        # and a version is the number of puts.
        for _ in range(lost["version"]):
            await ctl.put_metadata(epoch_key(number), new)
    await mesh.stop_nodes()
    for node in mesh.nodes:
        # A partition without state on the disk starts from its snapshot.
        shutil.rmtree(node.folder / node.name / "db", ignore_errors=True)
    mesh.use_snapshots(store.settings(target))
    await mesh.start_nodes()


async def has_logs(mesh: ClusterMesh) -> bool:
    return len((await Restatectl.of(mesh).metadata(LOGS))["logs"]) == PARTITIONS


def continued(logs: Any, applied: Mapping[int, int]) -> Any:
    """Return the configuration of logs that begin behind what the snapshots contain."""
    return {**logs, "logs": [[number, shifted(one, applied[number])] for number, one in logs["logs"]]}


def shifted(log: Any, applied: int) -> Any:
    return {**log, "chain": [[begin + applied, segment] for begin, segment in log["chain"]]}


def epoch_key(partition: int) -> str:
    return f"pp_epoch_{partition}"
