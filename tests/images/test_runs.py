"""Services run from exactly the files of their images: nobody can write to them, no privilege, nothing of ours."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import aiohttp
import pytest

from cli.gateway import GatewayPorts, secret_of
from cli.mesh import Addresses, Mesh
from cli.process import Process, free_ports, wait_until
from cli.restate_server import PROJECT, find_binary
from scripts.image_tree import services
from tests.gateway.front import Visitor
from tests.images.build import Builder, Image
from tests.parts import need

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="an image's files are Linux's")

SOON = timedelta(seconds=30)


@asynccontextmanager
async def running(image: Image, environment: dict[str, str], log: Path) -> AsyncIterator[Process]:
    """The image's entry point, until the block ends."""
    (port,) = free_ports(1)
    command = image.command({**environment, "PORT": str(port)})
    process = Process("image", command, {}, port, f"http://127.0.0.1:{port}/health", log)
    try:
        await process.start()
        yield process
    finally:
        await process.stop()


def healthy(image: Image, port: int) -> bool:
    """What the image's own health check says."""
    command = image.command({"PORT": str(port)}, *image.health)
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


@pytest.mark.parametrize("service", services(PROJECT))
async def test_a_service_starts_from_its_image_alone_and_ends_on_sigterm(
    builder: Builder, elsewhere: dict[str, str], service: str, tmp_path: Path
) -> None:
    image = builder.build("service", service)
    image.protect()
    before = image.files("/")
    async with running(image, elsewhere, tmp_path / "log") as process:
        assert await asyncio.to_thread(healthy, image, process.port)
        os.kill(process.pid, signal.SIGTERM)
        async with asyncio.timeout(SOON.total_seconds()):
            assert await process.ended() == 0, "SIGTERM did not reach the service"
    assert not await asyncio.to_thread(healthy, image, process.port)
    assert image.files("/") == before


def test_nobody_can_write_to_the_files_of_a_service_that_runs_so(builder: Builder) -> None:
    image = builder.build("service", "bank")
    image.protect()
    command = image.command({}, "/bin/sh", "-c", "echo > /app/written")
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "Permission denied" in done.stderr
    assert not image.at("/app/written").exists()


async def test_a_conversation_goes_through_all_images(builder: Builder, tmp_path: Path) -> None:
    need("restate-server", find_binary("restate-server"), "`make setup` gets it through npm")
    ports = GatewayPorts(*free_ports(2))
    mesh = Mesh(tmp_path, Addresses.free(), gateway=ports)
    assert mesh.gateway is not None
    processes = {**mesh.services, "gateway": mesh.gateway}
    for name, process in processes.items():
        image = builder.build("service", name)
        image.protect()
        process.command = image.command(process.environment)
    async with mesh, aiohttp.ClientSession() as http:
        customer = Visitor(ports.url, http, key=secret_of(tmp_path))
        balance = await customer.says("how much is my balance?")
        assert (balance.body["agent"], "2,431.80 EUR" in balance.text) == ("Bank", True), balance
        invoice = await customer.says("can you send me an invoice for booking AB4568?")
        assert (invoice.body["agent"], "INV-AB4568" in invoice.text) == ("Airline", True), invoice
        folders = {Path(os.readlink(f"/proc/{process.pid}/cwd")) for process in processes.values()}
        assert folders == {builder.build("service", name).at("/app") for name in processes}


async def test_a_development_image_starts_anew_when_a_file_has_changed(
    builder: Builder, elsewhere: dict[str, str], tmp_path: Path
) -> None:
    image = builder.build("dev", "bank")
    async with running(image, elsewhere, tmp_path / "log") as process:
        first = children(process.pid)
        agent = image.at("/app/services/bank/agent.py")
        agent.write_text(agent.read_text() + "\nprint('changed')\n")

        async def said() -> bool:
            return "changed" in (tmp_path / "log").read_text() and children(process.pid) != first

        await wait_until(said, SOON, "the service did not start anew")


def children(pid: int) -> str:
    return Path(f"/proc/{pid}/task/{pid}/children").read_text()


def test_a_development_images_own_files_are_what_a_live_update_may_write(builder: Builder) -> None:
    stage = builder.file.stages["dev"]
    user = builder.build("dev", "bank").user
    ours = [copy for copy in stage.all("COPY") if "from" not in copy.flags]
    assert [copy.flags.get("chown") for copy in ours] == [user, user]
    assert shutil.which("watchfiles", path=str(builder.build("dev", "bank").at("/opt/venv/bin")))
