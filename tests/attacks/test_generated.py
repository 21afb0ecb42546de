"""Generated requests to the HTTP APIs: no 5xx, and no status, type or body that the OpenAPI document does not list.

`schemathesis` reads the document and sends valid and invalid requests for every operation. A short run is part of all
tests. The nightly run takes two minutes.
"""

import asyncio
import os
import sys
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from switchboard.local.process import die_with_parent
from tests.attacks.mesh import ANYTHING, SCENES, Attacked

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "ignored_auth",
)


@pytest.mark.parametrize(
    "span", [timedelta(seconds=12), pytest.param(timedelta(minutes=2), marks=pytest.mark.slow)], ids=["short", "long"]
)
async def test_generated_requests_get_documented_answers(attacked: Attacked, span: timedelta, tmp_path: Path) -> None:
    await attacked.laboratory.model.plays(ANYTHING)
    command = [
        *(str(Path(sys.executable).with_name("st")), "run", f"{attacked.gateway.ports.url}/v1/openapi.json"),
        *("--checks", ",".join(CHECKS), "--phases", "examples,coverage,fuzzing"),
        *("--max-time", f"{span.total_seconds():.0f}", "--request-timeout", "20", "--continue-on-failure"),
        *("--header", f"Authorization: Bearer {attacked.attacker().token}"),
    ]
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=tmp_path,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        preexec_fn=partial(die_with_parent, os.getpid()),
    )
    try:
        output, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
        await attacked.laboratory.model.plays(*SCENES)
    assert process.returncode == 0, output.decode()[-20_000:]
