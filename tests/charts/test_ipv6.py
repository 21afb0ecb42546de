"""The collector and Jaeger listen on IPv4 and IPv6 addresses with the platform chart's configuration."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml

from switchboard.local.platform_chart import collector_config, jaeger_config
from switchboard.local.process import Process, free_ports
from tests.charts.test_agent_mesh_settings import loopbacks
from tests.parts import need_tool

PROGRAMS: Mapping[str, tuple[str, Callable[[], dict[str, Any]], str, tuple[str, ...], str]] = {
    "otelcol": (
        "the OpenTelemetry collector",
        collector_config,
        "MY_POD_IP",
        ("COLLECTOR_HEALTH_PORT", "COLLECTOR_METRICS_PORT", "COLLECTOR_GRPC_PORT", "COLLECTOR_HTTP_PORT"),
        "/",
    ),
    "jaeger": (
        "Jaeger",
        jaeger_config,
        "JAEGER_HOST",
        ("JAEGER_HEALTH_PORT", "JAEGER_METRICS_PORT", "JAEGER_UI_PORT", "JAEGER_QUERY_PORT", "JAEGER_GRPC_PORT"),
        "/status",
    ),
}
"""Program: its name, configuration, variables of its address and its ports, and the path of its health check."""


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
@pytest.mark.parametrize("name", PROGRAMS)
async def test_program_listens_on_the_address(name: str, host: str, tmp_path: Path) -> None:
    part, config, variable, port_variables, health = PROGRAMS[name]
    program = need_tool(name, part)
    loopbacks("::" if ":" in host else "0.0.0.0")  # Skips if this machine has no IPv6.
    written = tmp_path / "config.yaml"
    written.write_text(yaml.safe_dump(config()))
    ports = dict(zip(port_variables, map(str, free_ports(len(port_variables))), strict=True))
    base = f"http://[{host}]" if ":" in host else f"http://{host}"
    process = Process(
        name,
        [program, "--config", str(written)],
        {variable: host, "TRACES_ENDPOINT": "127.0.0.1:1", **ports},
        int(ports[port_variables[0]]),
        f"{base}:{ports[port_variables[0]]}{health}",
        tmp_path / "log",
    )
    await process.start()
    try:
        async with (
            aiohttp.ClientSession() as http,
            http.get(f"{base}:{ports[port_variables[1]]}/metrics") as metrics,
        ):
            assert metrics.status == 200
    finally:
        await process.stop()
