"""The examples under examples/, started as their readers start them."""

import signal
from pathlib import Path

from tests.cli.conftest import run_in, start_up
from tests.parts import PROJECT, need_restate_server

MCP = PROJECT / "examples" / "mcp-tools"


def test_agent_of_the_mcp_example_calls_a_real_server(tmp_path: Path) -> None:
    need_restate_server()
    mesh = start_up(tmp_path / "mesh", project=MCP)
    try:
        mesh.wait_until_up()
        found = run_in(MCP, "ask", "where is the book Middlemarch?", **mesh.environment)
        assert (found.returncode, found.stderr) == (0, "")
        assert "on shelf 12" in found.stdout
        asked = run_in(MCP, "ask", "please lend me the book Ulysses", **mesh.environment)
        assert "Please confirm, with yes or no: lend the book (Library) with title = “" in asked.stdout
        done = run_in(MCP, "ask", "yes", **mesh.environment)
        assert "is lent to alice" in done.stdout
    finally:
        mesh.end(signal.SIGTERM)
