"""An unreachable collector costs the spans and one warning per process, and nothing else."""

import json
from pathlib import Path

from switchboard.local.mesh import DEMO_MODEL
from switchboard.local.process import free_ports
from switchboard.session import restate_metrics
from switchboard.telemetry.setup import COLLECTOR_UNAVAILABLE
from switchboard.testing import calls, says, scene
from tests.laboratory import open_laboratory

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
            lines = [
                json.loads(line) for line in log.read_text().rpartition("\n")[0].splitlines() if line.startswith("{")
            ]
            found = [line for line in lines if line["level"] in ("WARNING", "ERROR")]
            # On a busy machine Restate's tables may be read late, which has nothing to do with the collector.
            return [line["message"] for line in found if line["logger"] != restate_metrics.__name__]

        await laboratory.until(lambda: all(warnings(process.log) for process in with_spans))
        for _ in range(MESSAGES):
            assert (await laboratory.customer().says("go")).text == "done"
        for process in (*services, *with_spans):
            said = warnings(process.log)
            assert len(said) <= 1, (process.name, said)
            assert all(line.startswith(WARNING) for line in said), said
