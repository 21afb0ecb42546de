"""`switchboard up` and commands that use its mesh, with real processes and a real Restate server."""

import json
import os
import signal
import socket
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import Up, all_gone, run, running_up


def test_ask_without_a_mesh_says_how_to_start_one(tmp_path: Path) -> None:
    answer = run("ask", "hello", SWITCHBOARD_FOLDER=str(tmp_path / "none"))
    assert (answer.returncode, answer.stdout) == (1, "")
    assert "No mesh has been started in" in answer.stderr
    assert "switchboard up" in answer.stderr


def test_ask_at_an_address_without_a_gateway_says_how_to_start_one() -> None:
    answer = run("ask", "hello", SWITCHBOARD_TOKEN="x", SWITCHBOARD_GATEWAY_URL="http://127.0.0.1:9")
    assert (answer.returncode, answer.stdout) == (1, "")
    assert answer.stderr.startswith("No gateway answers at http://127.0.0.1:9 ")
    assert answer.stderr.endswith("Start a mesh with `switchboard up`, or correct the address.\n")


def test_ask_without_a_message_shows_an_example() -> None:
    answer = run("ask")
    assert answer.returncode == 2
    assert "switchboard ask" in answer.stderr


def test_up_names_the_taken_port_and_starts_nothing(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        answer = run("up", "--folder", str(tmp_path), "--ingress-port", str(port))
    assert answer.returncode == 1
    assert f"port {port}" in answer.stderr
    assert f"(pid {os.getpid()})" in answer.stderr
    assert "--ingress-port" in answer.stderr
    assert not (tmp_path / "logs").exists()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """A running mesh for several tests. The last one ends it."""
    with running_up(tmp_path_factory.mktemp("up") / "mesh") as mesh:
        yield mesh


def test_mesh_answers(shared: Up) -> None:
    up = shared
    reply = run("ask", "how much is my balance?", **up.environment)
    assert (reply.returncode, reply.stdout, reply.stderr) == (
        0,
        "Your balance is 2,431.80 EUR in Checking and 8,150.00 EUR in Savings.\n",
        "",
    )

    foreign = run("ask", "--customer", "bob", "--session", "demo-alice", "hello", **up.environment)
    assert (foreign.returncode, foreign.stdout) == (2, "")
    assert foreign.stderr == "This session belongs to another customer. Start one of your own.\n"

    said = run("transcript", **up.environment).stdout
    assert "get_balance()  ok" in said
    assert "→ Bank" in said

    second = run("up", *up.options)
    assert second.returncode == 1
    assert f"Another `switchboard up` (pid {up.process.pid})" in second.stderr

    examined = run("doctor", **up.environment)
    assert examined.returncode == 0
    assert "Airline, Bank, Triage" in examined.stdout


def test_gateway_accepts_the_token_of_the_mesh(shared: Up) -> None:
    up = shared
    secret = up.folder / "gateway-secret"
    assert secret.stat().st_mode & 0o777 == 0o600
    token = run("token", "--customer", "bob", "--folder", str(up.folder)).stdout.strip()
    request = urllib.request.Request(
        f"{up.gateway_url}/v1/sessions/s-1/messages",
        data=json.dumps({"text": "how much is my balance?"}).encode(),
        headers={"authorization": f"Bearer {token}", "content-type": "application/json"},
    )
    with urllib.request.urlopen(request) as response:
        reply = json.load(response)
    assert (reply["agent"], reply["failed"]) == ("Bank", False)
    assert secret.read_text() not in token
    refused = run("ask", "--customer", "alice", "--session", "s-1", "hello", **up.environment)
    assert "belongs to another customer" in refused.stderr


def test_mesh_stops_when_a_service_dies(shared: Up) -> None:
    stops_when_a_service_dies(shared, "services.tools")


# Noticed in the same way.
@pytest.mark.slow
def test_mesh_stops_when_the_gateway_dies(up: Up) -> None:
    stops_when_a_service_dies(up, "switchboard.gateway")


def stops_when_a_service_dies(up: Up, module: str) -> None:
    children = up.children()
    assert len(children) == 8
    up.child(module).kill()
    code, said = up.end()
    assert code == 1
    assert f"{module.rpartition('.')[2]} was killed (signal 9)" in said
    assert all_gone(children)


# A mesh with more processes is ended in this way every time: see test_observe.py.
@pytest.mark.slow
def test_mesh_leaves_no_process_after_ctrl_c(up: Up) -> None:
    children = up.children()
    assert up.end(signal.SIGINT)[0] == 0
    assert all_gone(children)


def test_token_without_a_mesh_says_how_to_start_one(tmp_path: Path) -> None:
    answer = run("token", "--folder", str(tmp_path))
    assert (answer.returncode, answer.stdout) == (1, "")
    assert "switchboard up" in answer.stderr
    assert not list(tmp_path.iterdir())


def test_demo_plays_to_its_end_and_leaves_no_files(tmp_path: Path) -> None:
    answer = run("demo", TMPDIR=str(tmp_path))
    assert answer.returncode == 0, answer.stderr
    assert "all replies as expected" in answer.stdout
    assert not list(tmp_path.iterdir())
