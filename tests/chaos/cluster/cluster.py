"""The reference mesh on three Restate nodes with a replicated log, and two replicas of every service."""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import aiohttp

from services.project import reference
from switchboard.local.environment import RESTATE, only
from switchboard.local.keys import IDENTITY_FILE
from switchboard.local.mesh import DEMO_MODEL, LOGS, Addresses, Mesh
from switchboard.local.process import Process, free_ports
from switchboard.local.restate_server import QUIET_LOG
from switchboard.testing.balancer import balanced
from switchboard.testing.laboratory import HIGH_LIMITS, REQUEST_TIMEOUT, Laboratory
from switchboard.testing.scripted_model import ScriptedModel
from tests.laboratory import SOON
from tests.parts import need_restate_server

NODES, REPLICATION, PARTITIONS = 3, 2, 4

MODULES = {"tools": "tests.generated.crowd_tools", DEMO_MODEL: "tests.generated.written_model"}
"""What runs in the place of the mesh's own modules: tools for a crowd, and a model that does as it is told."""

NODE_STOP_TIMEOUT = timedelta(seconds=30)
"""A node hands its partitions over before it ends."""

COMMAND_PARTS = 3
"""Parts of a node's command: the binary and its folder."""


@dataclass(frozen=True)
class Place:
    """The loopback ports of a node."""

    ingress: int
    admin: int
    node: int

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.node}"


@dataclass
class Node:
    """A Restate node. Its data is in `folder`, in a folder with its name."""

    place: Place
    process: Process
    folder: Path
    name: str


class ClusterMesh(Mesh):
    """A mesh on several Restate nodes. Balancers serve the ports of the one node that other meshes have.

    `snapshots` are settings for Restate's snapshots.
    """

    def __init__(self, folder: Path, snapshots: Mapping[str, str]) -> None:
        project = reference()
        environment = {**HIGH_LIMITS, **SOON}
        super().__init__(project, folder, Addresses.free(project.definition), environment=environment)
        ports = iter(free_ports(3 * NODES + 2 * len(self.services)))
        self.places = [Place(next(ports), next(ports), next(ports)) for _ in range(NODES)]
        self.nodes = self.new_nodes("n", snapshots)
        self.replicas = {name: self.two_of(name, (next(ports), next(ports))) for name in self.services}

    def new_nodes(self, prefix: str, snapshots: Mapping[str, str]) -> list[Node]:
        """Return the nodes of a cluster, not yet started. The first one provisions it."""
        return [
            self.new_node(place, f"{prefix}{number}", {**snapshots, "RESTATE_AUTO_PROVISION": str(number == 1).lower()})
            for number, place in enumerate(self.places, 1)
        ]

    def new_node(self, place: Place, name: str, more: Mapping[str, str]) -> Node:
        folder = self.folder / name
        environment = {
            "RESTATE_CLUSTER_NAME": "switchboard",
            "RESTATE_NODE_NAME": name,
            "RESTATE_METADATA_CLIENT__ADDRESSES": json.dumps([one.address for one in self.places]),
            "RESTATE_DEFAULT_REPLICATION": str(REPLICATION),
            "RESTATE_DEFAULT_NUM_PARTITIONS": str(PARTITIONS),
            "RESTATE_LISTEN_MODE": "tcp",
            "RESTATE_INGRESS__LISTEN_MODE": "tcp",
            "RESTATE_ADMIN__LISTEN_MODE": "tcp",
            "RESTATE_BIND_ADDRESS": f"127.0.0.1:{place.node}",
            "RESTATE_ADVERTISED_ADDRESS": place.address,
            "RESTATE_INGRESS__BIND_ADDRESS": f"127.0.0.1:{place.ingress}",
            "RESTATE_ADMIN__BIND_ADDRESS": f"127.0.0.1:{place.admin}",
            "RESTATE_ROCKSDB_TOTAL_MEMORY_SIZE": "192 MB",
            "RESTATE_WORKER__INVOKER__TMP_DIR": str(folder / "tmp"),
            "RESTATE_REQUEST_IDENTITY_PRIVATE_KEY_PEM_FILE": str(self.folder / IDENTITY_FILE),
            "RESTATE_LOG_DISABLE_ANSI_CODES": "true",
            "RESTATE_LOG_FILTER": QUIET_LOG,
            **more,
        }
        process = Process(
            name=name,
            command=[str(need_restate_server()), "--base-dir", str(folder)],
            environment=environment,
            port=place.ingress,
            more_ports=(place.admin, place.node),
            health=f"http://127.0.0.1:{place.admin}/health",
            log=self.folder / LOGS / f"{name}.log",
            stop_timeout=NODE_STOP_TIMEOUT,
            inherited=only(RESTATE, os.environ),
        )
        return Node(place, process, folder, name)

    async def start_nodes(self, *arguments: str) -> None:
        """Start all nodes, with these arguments besides their own."""
        for node in self.nodes:
            node.process.command = [*node.process.command[:COMMAND_PARTS], *arguments]
        await asyncio.gather(*(node.process.start() for node in self.nodes))

    async def stop_nodes(self) -> None:
        await asyncio.gather(*(node.process.stop() for node in self.nodes))

    def use_snapshots(self, snapshots: Mapping[str, str]) -> None:
        """Let the nodes use these snapshots from their next start on."""
        for node in self.nodes:
            node.process.environment = {**node.process.environment, **snapshots}

    def two_of(self, name: str, ports: tuple[int, int]) -> list[Process]:
        return [self.service(name, port, MODULES.get(name)) for port in ports]

    @property
    def processes(self) -> list[Process]:
        return [*(node.process for node in self.nodes), *(one for both in self.replicas.values() for one in both)]

    async def stop(self) -> None:
        await asyncio.gather(*(process.kill() for process in self.processes if process.alive))


@asynccontextmanager
async def open_cluster(folder: Path, snapshots: Mapping[str, str]) -> AsyncIterator[Laboratory]:
    """Run the mesh on a cluster until the end of the block."""
    mesh = ClusterMesh(folder, snapshots)
    restate, services = mesh.addresses.restate, mesh.addresses.services
    async with AsyncExitStack() as stack:
        for port, targets in (
            (restate.ingress, [place.ingress for place in mesh.places]),
            (restate.admin, [place.admin for place in mesh.places]),
            *((services[name], [one.port for one in both]) for name, both in mesh.replicas.items()),
        ):
            await stack.enter_async_context(balanced(port, targets))
        http = await stack.enter_async_context(
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), timeout=REQUEST_TIMEOUT)
        )
        await stack.enter_async_context(mesh)
        yield Laboratory(mesh, http, ScriptedModel(mesh.addresses.service_url(DEMO_MODEL), http), replays=False)
