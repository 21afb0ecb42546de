"""The examples with a database and with an HTTP API, started as their readers start them."""

import asyncio
import signal
import subprocess
import sys
from pathlib import Path
from uuid import uuid4

from switchboard.local.process import free_ports
from tests.cli.conftest import run_in, start_up, without_meshes
from tests.parts import PROJECT, need_restate_server
from tests.postgres import Postgres

POSTGRES, HTTP_API = PROJECT / "examples" / "postgres", PROJECT / "examples" / "http-api"


async def test_agent_of_the_postgres_example_reads_and_writes_a_database(postgres: Postgres, tmp_path: Path) -> None:
    need_restate_server()
    address = await postgres.create_database(f"pottery_{uuid4().hex}")
    await asyncio.to_thread(talk_to_the_potter, address, tmp_path / "mesh")


def talk_to_the_potter(address: str, folder: Path) -> None:
    environment = {"POTTERY_DATABASE_URL": address}
    tables = [sys.executable, "tables.py"]
    subprocess.run(tables, cwd=POSTGRES, env=without_meshes(**environment), check=True)
    mesh = start_up(folder, project=POSTGRES, environment=without_meshes(**environment))
    try:
        mesh.wait_until_up()

        def ask(text: str) -> str:
            return run_in(POSTGRES, "ask", text, **mesh.environment).stdout

        assert "12" in ask("how many pieces of the item mug are in stock?")
        assert "Order 2 of the item mug?" in ask("order 2 pieces of the item mug")
        assert "mug" in ask("yes")
        assert "10" in ask("how many pieces of the item mug are in stock?")
        ask("order 1 pieces of the item plate")
        assert "not enough pieces" in ask("yes")
    finally:
        mesh.end(signal.SIGTERM)


def test_agent_of_the_http_example_calls_an_api(tmp_path: Path) -> None:
    need_restate_server()
    (port,) = free_ports(1)
    environment = {"PARCELS_URL": f"http://127.0.0.1:{port}/v1", "PARCELS_TOKEN": "secret-4711"}
    api = subprocess.Popen([sys.executable, "parcel_api.py"], cwd=HTTP_API, env=without_meshes(**environment))
    mesh = start_up(tmp_path / "mesh", project=HTTP_API, environment=without_meshes(**environment))
    try:
        mesh.wait_until_up()

        def ask(text: str) -> str:
            return run_in(HTTP_API, "ask", text, **mesh.environment).stdout

        assert "on its way" in ask("where is parcel P-1001?")
        assert "There is no such parcel" in ask("where is parcel P-9999?")
        assert "Send parcel P-1001 to Munich?" in ask("redirect parcel P-1001 to Munich")
        assert "Munich" in ask("yes")
    finally:
        mesh.end(signal.SIGTERM)
        api.terminate()
        api.wait()
