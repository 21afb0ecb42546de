"""An unreachable collector costs the spans and one warning per process, and nothing else."""

import asyncio
import json
import os
import sys
from pathlib import Path

from switchboard.local.mesh import DEMO_MODEL
from switchboard.local.process import free_ports
from switchboard.telemetry.setup import COLLECTOR_UNAVAILABLE
from switchboard.testing import calls, says, scene
from tests.laboratory import open_laboratory
from tests.parts import PROJECT

WARNING = COLLECTOR_UNAVAILABLE.split("%s")[0]
MESSAGES = 5


async def test_unreachable_collector_causes_at_most_one_warning_per_process(tmp_path: Path) -> None:
    http, grpc = (f"http://127.0.0.1:{port}" for port in free_ports(2))
    environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": http}
    async with open_laboratory(tmp_path, False, environment, {"RESTATE_TRACING_ENDPOINT": grpc}) as laboratory:
        go = scene("go", calls(("handoff_to_Probe", {"reason": "r"})), calls(("wait", {"name": "w"})), says("done"))
        await laboratory.model.plays(go)
        for _ in range(MESSAGES):
            assert (await laboratory.customer().says("go")).text == "done"
        services = [process for name, process in laboratory.mesh.services.items() if name != DEMO_MODEL]
        with_spans = [laboratory.mesh.services["triage"], laboratory.probe_agent, laboratory.probe_tools]

        def warnings(log: Path) -> list[str]:
            lines = [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
            return [line["message"] for line in lines if line["level"] in ("WARNING", "ERROR")]

        await laboratory.until(lambda: all(warnings(process.log) for process in with_spans))
        for _ in range(MESSAGES):
            assert (await laboratory.customer().says("go")).text == "done"
        for process in (*services, *with_spans):
            said = warnings(process.log)
            assert len(said) <= 1, (process.name, said)
            assert all(line.startswith(WARNING) for line in said), said


async def test_ask_command_is_silent_about_an_unreachable_collector(tmp_path: Path) -> None:
    away = f"http://127.0.0.1:{free_ports(1)[0]}"
    async with open_laboratory(tmp_path) as laboratory:
        await laboratory.model.plays(scene("hello", says("hello yourself")))
        addresses = laboratory.mesh.addresses
        places = ["--ingress-url", addresses.ingress_url, "--admin-url", addresses.admin_url]
        asking = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "switchboard.cli", "ask", "--session", "away", *places, "hello"),
            env={**os.environ, "OTEL_EXPORTER_OTLP_ENDPOINT": away, **laboratory.mesh.speaker_environment},
            cwd=PROJECT,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        said, noted = (output.decode() for output in await asking.communicate())
    assert (asking.returncode, said) == (0, "hello yourself\n"), noted
    assert [line for line in noted.splitlines() if not line.startswith("trace ")] == []
