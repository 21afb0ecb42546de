"""Generated requests to the HTTP APIs: no 5xx, and no status, type or body that the OpenAPI document does not list.

`schemathesis` reads the document and sends valid and invalid requests for some seconds. The workflows set
GENERATED_REQUESTS_SECONDS to two minutes an API, in which it has to reach every operation.
"""

import asyncio
import os
import re
import sys
from functools import partial
from pathlib import Path

import pytest

from switchboard.local.process import die_with_parent
from tests.attacks.mesh import ANYTHING, SCENES, Attacked
from tests.gateway.desk import staff_token

SECONDS = int(os.environ.get("GENERATED_REQUESTS_SECONDS") or 6)
"""How long requests are sent to each API."""

LONG_S = 120
"""A run of this length reaches every operation, also on a busy machine."""

# A short run sends a few requests for one operation after the other. A long one first tries each limit of the document.
PHASES = ("examples,coverage,fuzzing",) if SECONDS >= LONG_S else ("fuzzing", "--max-examples", "2")

REQUEST_TIMEOUT_S = 100
RUN_TIMEOUT_S = 300
"""If a run ends so much later than it was told to, it hangs."""

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "ignored_auth",
)

# A stream of events ends when its client leaves, which schemathesis does not.
APIS = {"customers": ("--exclude-path-regex", "^/v1/staff|/events$"), "staff": ("--include-path-regex", "^/v1/staff")}


async def send_generated(attacked: Attacked, folder: Path, token: str, seconds: int, *operations: str) -> str:
    """Send generated requests with this token, and return the report. Fails if an answer breaks one of CHECKS."""
    command = [
        *(str(Path(sys.executable).with_name("st")), "run", f"{attacked.gateway.ports.url}/v1/openapi.json"),
        *("--checks", ",".join(CHECKS), "--continue-on-failure", "--request-timeout", str(REQUEST_TIMEOUT_S)),
        *("--max-time", str(seconds), "--phases", *PHASES, *operations),
        *("--header", f"Authorization: Bearer {token}"),
    ]
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=folder,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        preexec_fn=partial(die_with_parent, os.getpid()),
    )
    try:
        async with asyncio.timeout(seconds + RUN_TIMEOUT_S):
            output, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    assert process.returncode == 0, output.decode()[-20_000:]
    return output.decode()


def number(name: str, report: str) -> int:
    """Return a number of the report, such as that of the operations that were tested."""
    found = re.search(rf"{name}: +(\d+)", report)
    assert found, report
    return int(found[1])


@pytest.mark.parametrize("api", APIS)
async def test_generated_requests_get_documented_answers(attacked: Attacked, api: str, tmp_path: Path) -> None:
    token = staff_token() if api == "staff" else attacked.attacker().token
    await attacked.laboratory.model.plays(ANYTHING)
    try:
        seconds = SECONDS
        report = await send_generated(attacked, tmp_path, token, seconds, *APIS[api])
        while seconds < LONG_S and number("Tested", report) == 0:  # A busy machine completes none in a short run.
            seconds *= 2
            report = await send_generated(attacked, tmp_path, token, seconds, *APIS[api])
    finally:
        await attacked.laboratory.model.plays(*SCENES)
    assert number("Selected", report) >= number("Tested", report) > 0
    if SECONDS >= LONG_S:
        assert number("Tested", report) == number("Selected", report)
