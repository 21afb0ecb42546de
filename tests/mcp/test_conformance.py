"""The client part of the protocol's conformance suite: all scenarios that it has for clients."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.mcp.declarations import NODE_MODULES
from tests.parts import PROJECT, at_night, need

SUITE = NODE_MODULES / "@modelcontextprotocol" / "conformance" / "dist" / "index.js"
RUN = ("node", "--import", "./tests/mcp/with_glob.mjs", str(SUITE))
CLIENT = f"{sys.executable} -m tests.mcp.conformance_client"
ROW = re.compile(r"^\| `([\w/-]+)` \| (\d+) of (\d+) \| ([\w ]*)\|$", re.M)
TABLE = {name: (passed, of) for name, passed, of, _ in ROW.findall((PROJECT / "docs/build/mcp.md").read_text())}
CLIENT_TIMEOUT_MS = "110000"
"""A loaded machine takes long to start the client. The suite's own limit is 30 seconds."""

ALWAYS = ("tools_call", "auth/client-credentials-basic")
MISNAMED = "auth/2025-03-26-oauth-metadata-backcompat"
"""Its authorization server names another issuer than the address of its metadata, which RFC 8414 forbids."""


@pytest.mark.parametrize("scenario", [*ALWAYS, *at_night(*sorted(TABLE.keys() - {*ALWAYS, MISNAMED}))])
def test_scenario_passes_as_the_table_says(scenario: str, tmp_path: Path) -> None:
    need("the conformance suite", SUITE.exists(), "`make setup` installs it")
    options = ("--command", CLIENT, "--scenario", scenario, "--timeout", CLIENT_TIMEOUT_MS)
    said, code = run("client", *options, "--output-dir", str(tmp_path))
    found = re.search(r"Passed: (\d+)/(\d+), 0 failed, 0 warnings", said)
    assert code == 0, said[-3000:]
    assert found, said[-3000:]
    assert TABLE[scenario] == (found[1], found[2])


@pytest.mark.slow
def test_metadata_of_another_issuer_are_refused(tmp_path: Path) -> None:
    need("the conformance suite", SUITE.exists(), "`make setup` installs it")
    options = ("--command", CLIENT, "--scenario", MISNAMED, "--timeout", CLIENT_TIMEOUT_MS)
    said, code = run("client", *options, "--output-dir", str(tmp_path))
    assert (code, "Passed: {}/{}".format(*TABLE[MISNAMED]) in said) == (1, True), said[-3000:]
    assert "did not list its tools: OAuthFlowError" in said


def test_table_has_every_scenario_for_clients() -> None:
    need("the conformance suite", SUITE.exists(), "`make setup` installs it")
    said, _ = run("list", "--client")
    listed = said.partition("Client scenarios")[2]
    assert {*TABLE} == {*re.findall(r"^\s+- ([\w/-]+)", listed, re.M)}


def run(*arguments: str) -> tuple[str, int]:
    done = subprocess.run([*RUN, *arguments], cwd=PROJECT, capture_output=True, text=True, timeout=300, check=False)
    return done.stdout + done.stderr, done.returncode
