"""Services run from the files of their images alone: read-only, without privileges and without our environment."""

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path

import aiohttp
import psutil
import pytest

from services.project import reference
from switchboard.local.gateway import GatewayPorts, secret_of
from switchboard.local.mesh import Addresses, Mesh
from switchboard.local.process import Process, die_with_parent, free_ports, wait_until
from switchboard.local.restate_server import find_binary
from tests.gateway.front import Visitor
from tests.images.build import Builder, Image
from tests.images.samples import BUILT, OWN, SHARED
from tests.parts import PROJECT, at_night, need

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="images contain files for Linux")

TIMEOUT = timedelta(seconds=120)


@asynccontextmanager
async def running(image: Image, environment: dict[str, str], log: Path) -> AsyncIterator[Process]:
    """Run the image's entry point during the block."""
    process = entrypoint_process(image, environment, free_ports(1)[0], log)
    try:
        await process.start()
        yield process
    finally:
        await process.stop()


def entrypoint_process(image: Image, environment: Mapping[str, str], port: int, log: Path) -> Process:
    """Return the image's entry point, not yet started. The kernel ends it together with its parent process.

    The dev image's process stops its service on SIGTERM. If it were killed, the service would keep running, unlike in a
    container.
    """
    prefix = ["setpriv", "--pdeathsig", "TERM"] if "watchfiles" in image.entrypoint[-1] else []
    command = [*prefix, *image.command({**environment, "PORT": str(port)})]
    return Process("image", command, {}, port, f"http://127.0.0.1:{port}/health", log)


def healthy(image: Image, port: int) -> bool:
    """Return whether the image's health check passes."""
    command = image.command({"PORT": str(port)}, *image.health)
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


@pytest.mark.parametrize("service", BUILT)
async def test_service_starts_from_its_image_and_stops_on_sigterm(
    builder: Builder, standalone_environment: dict[str, str], service: str, tmp_path: Path
) -> None:
    image = builder.build("service", service)
    image.protect()
    before = image.files("/")
    async with running(image, standalone_environment, tmp_path / "log") as process:
        assert await asyncio.to_thread(healthy, image, process.port)
        os.kill(process.pid, signal.SIGTERM)
        async with asyncio.timeout(TIMEOUT.total_seconds()):
            assert await process.wait() == 0, "SIGTERM did not reach the service"
    assert not await asyncio.to_thread(healthy, image, process.port)
    assert image.files("/") == before


def test_service_cannot_write_to_its_files(builder: Builder) -> None:
    image = builder.build("service", SHARED)
    image.protect()
    command = image.command({}, "/bin/sh", "-c", "echo > /app/written")
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "Permission denied" in done.stderr
    assert not image.at("/app/written").exists()


ALL = frozenset({*reference().definition.services, "gateway"})


@pytest.mark.parametrize("images", [frozenset({SHARED, OWN}), *at_night(ALL)], ids=["some", "all"])
async def test_conversation_works_with_images(builder: Builder, tmp_path: Path, images: frozenset[str]) -> None:
    need("restate-server", find_binary("restate-server"), "`make setup` gets it through npm")
    ports = GatewayPorts(*free_ports(2))
    mesh = Mesh(reference(), tmp_path, Addresses.free(reference().definition), gateway=ports)
    assert mesh.gateway is not None
    processes = {**mesh.services, "gateway": mesh.gateway}
    assert images <= processes.keys()
    for name in images:
        process, image = processes[name], builder.build("service", name)
        image.protect()
        process.command = image.command(process.environment)
    async with mesh, aiohttp.ClientSession() as http:
        customer = Visitor(ports.url, http, key=secret_of(tmp_path))
        balance = await customer.says("how much is my balance?")
        assert (balance.body["agent"], "2,431.80 EUR" in balance.text) == ("Bank", True), balance
        invoice = await customer.says("can you send me an invoice for booking AB4568?")
        assert (invoice.body["agent"], "INV-AB4568" in invoice.text) == ("Airline", True), invoice
        folders = {Path(psutil.Process(processes[name].pid).cwd()) for name in images}
        assert folders == {builder.build("service", name).at("/app") for name in images}


async def test_dev_image_restarts_when_a_file_changes(
    builder: Builder, standalone_environment: dict[str, str], tmp_path: Path
) -> None:
    image = builder.build("dev", SHARED)
    async with running(image, standalone_environment, tmp_path / "log") as process:
        first = children(process.pid)
        agent = image.at(f"/app/services/{SHARED}/agent.py")
        agent.write_text(agent.read_text() + "\nprint('changed')\n")

        async def restarted() -> bool:
            return "changed" in (tmp_path / "log").read_text() and children(process.pid) != first

        await wait_until(restarted, TIMEOUT, "the service did not restart")


STARTER = """
import asyncio, json, sys
from pathlib import Path
from switchboard.local.process import Process

async def main() -> None:
    command, port, log = json.loads(sys.argv[1])
    process = Process("image", command, {}, port, f"http://127.0.0.1:{port}/health", Path(log))
    await process.start()
    print(process.pid, flush=True)
    await process.wait()

asyncio.run(main())
"""
"""A program that starts an image and is then killed, as may happen to these tests."""


@pytest.mark.parametrize("target", ["service", "dev"])
async def test_processes_of_an_image_end_with_their_starter(
    builder: Builder, standalone_environment: dict[str, str], tmp_path: Path, target: str
) -> None:
    process = entrypoint_process(
        builder.build(target, SHARED), standalone_environment, free_ports(1)[0], tmp_path / "log"
    )
    starter = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", STARTER, json.dumps([process.command, process.port, str(process.log)])),
        cwd=PROJECT,
        stdout=asyncio.subprocess.PIPE,
        preexec_fn=partial(die_with_parent, os.getpid()),
    )
    try:
        assert starter.stdout is not None
        pid = int(await starter.stdout.readline())
        left = [pid, *children(pid)]
        assert len(left) == (2 if target == "dev" else 1)
    finally:
        starter.kill()
        await starter.wait()

    async def gone() -> bool:
        return not any(runs(each) for each in left)

    try:
        await wait_until(gone, TIMEOUT, f"{left} are still running")
    finally:
        for each in filter(runs, left):
            os.kill(each, signal.SIGKILL)


def runs(pid: int) -> bool:
    """Return whether a process is running; zombies are not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def children(pid: int) -> list[int]:
    return [child.pid for child in psutil.Process(pid).children()]


def test_dev_image_owns_the_files_that_live_updates_write(builder: Builder) -> None:
    stage = builder.file.stages["dev"]
    user = builder.build("dev", SHARED).user
    ours = [copy for copy in stage.all("COPY") if "from" not in copy.flags]
    assert [copy.flags.get("chown") for copy in ours] == [user] * 3
    assert shutil.which("watchfiles", path=str(builder.build("dev", SHARED).at("/opt/venv/bin")))
