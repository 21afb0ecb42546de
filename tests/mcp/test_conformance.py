"""The client part of the protocol's conformance suite: all scenarios that it demands of every client."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.mcp.declarations import NODE_MODULES
from tests.parts import PROJECT, at_night, need

SUITE = NODE_MODULES / "@modelcontextprotocol" / "conformance" / "dist" / "index.js"
CLIENT = f"{sys.executable} -m tests.mcp.conformance_client"
SCENARIOS = ("initialize", "sse-retry", "elicitation-sep1034-client-defaults")
ROW = re.compile(r"^\| `([\w-]+)` \| (\d+) of (\d+) \|$", re.M)


@pytest.mark.parametrize("scenario", ["tools_call", *at_night(*SCENARIOS)])
def test_scenario_passes_and_is_in_the_table(scenario: str, tmp_path: Path) -> None:
    need("the conformance suite", SUITE.exists(), "`make setup` installs it")
    options = ["--command", CLIENT, "--scenario", scenario, "--output-dir", str(tmp_path)]
    done = subprocess.run(
        ["node", "--import", "./tests/mcp/with_glob.mjs", str(SUITE), "client", *options],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    said = done.stdout + done.stderr
    found = re.search(r"Passed: (\d+)/(\d+), 0 failed, 0 warnings", said)
    assert done.returncode == 0, said[-3000:]
    assert found, said[-3000:]
    table = {name: (passed, of) for name, passed, of in ROW.findall((PROJECT / "docs/build/mcp.md").read_text())}
    assert table[scenario] == (found[1], found[2])
