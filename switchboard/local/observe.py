"""The OpenTelemetry collector and Jaeger of a local mesh, with the configuration of the platform chart."""

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import yaml

from switchboard.local.environment import COLLECTOR, only
from switchboard.local.listeners import in_use
from switchboard.local.places import find_beside
from switchboard.local.platform_chart import VALUES, collector_config, jaeger_config
from switchboard.local.process import Process, first_to_exit, free_ports

HOST = "127.0.0.1"

TRACES_ENDPOINT = "TRACES_ENDPOINT"
"""Variable with the OTLP/gRPC address that the collector exports to. If unset, a local Jaeger is started."""

GRPC_PORT = 4317
HTTP_PORT = 4318
JAEGER_UI_PORT = 16686


def find_tool(name: str) -> Path | None:
    """Return the program that `make tools` installed, or the one on PATH, or None."""
    found = shutil.which(name)
    return find_beside(f".tools/bin/{name}") or (Path(found) if found else None)


def reason_tracing_is_off(environment: Mapping[str, str]) -> str:
    """Return why this machine cannot collect traces and how to fix it, or "" if it can."""
    if not VALUES.is_file():
        return (
            f"Tracing is off: the collector's configuration {VALUES} is missing. Install Switchboard from its wheel or"
            " run it from a checkout."
        )
    if find_tool("otelcol") is None:
        return (
            "Tracing is off: the OpenTelemetry collector is not installed. Run `make tools` in Switchboard's"
            " repository, or put otelcol on PATH."
        )
    if find_tool("jaeger") is None and not environment.get(TRACES_ENDPOINT):
        return (
            "Tracing is off: Jaeger is not installed. Run `make tools` in Switchboard's repository, put jaeger on PATH,"
            f" or set {TRACES_ENDPOINT} to an address that accepts spans."
        )
    return ""


@dataclass(frozen=True)
class TracePorts:
    """Loopback ports of the collector and Jaeger."""

    grpc: int
    http: int
    collector_health: int
    collector_metrics: int
    jaeger_ui: int
    jaeger_grpc: int
    jaeger_query: int
    jaeger_health: int
    jaeger_metrics: int

    @classmethod
    def free(cls) -> "TracePorts":
        """Return free ports, for tests and demonstrations."""
        return cls(*free_ports(len(fields(cls))))

    @classmethod
    def preferred(cls) -> "TracePorts":
        """Return the well-known ports, replaced by free ones where they are in use. `switchboard up` prints them."""
        known = {"grpc": GRPC_PORT, "http": HTTP_PORT, "jaeger_ui": JAEGER_UI_PORT}
        return replace(cls.free(), **{name: port for name, port in known.items() if not in_use(port)})


class TracingProcesses:
    """The processes that receive a mesh's spans: a collector and, unless `export_to` is given, a Jaeger.

    `export_to` is an OTLP/gRPC address. The configurations and logs are written to `folder`.
    """

    def __init__(self, folder: Path, ports: TracePorts, export_to: str = "") -> None:
        self.folder = folder
        self.ports = ports
        self.jaeger = None if export_to else self._jaeger()
        self.collector = self._collector(export_to or f"{HOST}:{ports.jaeger_grpc}")

    @property
    def processes(self) -> list[Process]:
        """The processes in stop order: the collector stops first, so that it can still export its last spans."""
        return [self.collector] if self.jaeger is None else [self.collector, self.jaeger]

    @property
    def jaeger_url(self) -> str:
        """URL of Jaeger's UI and query API, or "" when the spans are exported elsewhere."""
        return "" if self.jaeger is None else f"http://{HOST}:{self.ports.jaeger_ui}"

    @property
    def restate_environment(self) -> dict[str, str]:
        return {
            "RESTATE_TRACING_ENDPOINT": f"http://{HOST}:{self.ports.grpc}",
            # Export every 500 ms. With Restate's default, a turn appears only after ten seconds.
            "OTEL_BSP_SCHEDULE_DELAY": "500",
        }

    def environment(self, service: str) -> dict[str, str]:
        """Return the tracing variables of a service: OTLP over HTTP, and its name in traces."""
        return {
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{HOST}:{self.ports.http}",
            "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
            "OTEL_SERVICE_NAME": service,
        }

    async def stopped(self) -> str:
        """Wait until one of the processes exits unexpectedly and return a message about it. Turns are not affected."""
        process = await first_to_exit(self.processes)
        return (
            f"Tracing has stopped: {process.name} {process.exit_reason(await process.wait())}. "
            f"The mesh keeps running without traces; restart it to get them back. "
            f"Last output: {process.last_output()} (full output: {process.log})"
        )

    def _collector(self, export_to: str) -> Process:
        environment = {
            "MY_POD_IP": HOST,
            "COLLECTOR_GRPC_PORT": str(self.ports.grpc),
            "COLLECTOR_HTTP_PORT": str(self.ports.http),
            "COLLECTOR_HEALTH_PORT": str(self.ports.collector_health),
            "COLLECTOR_METRICS_PORT": str(self.ports.collector_metrics),
            TRACES_ENDPOINT: export_to,
        }
        health = f"http://{HOST}:{self.ports.collector_health}/"
        return self._process("otelcol", collector_config(), environment, self.ports.grpc, health)

    def _jaeger(self) -> Process:
        environment = {
            "JAEGER_HOST": HOST,
            "JAEGER_GRPC_PORT": str(self.ports.jaeger_grpc),
            "JAEGER_UI_PORT": str(self.ports.jaeger_ui),
            "JAEGER_QUERY_PORT": str(self.ports.jaeger_query),
            "JAEGER_HEALTH_PORT": str(self.ports.jaeger_health),
            "JAEGER_METRICS_PORT": str(self.ports.jaeger_metrics),
            # Otherwise Jaeger would show its own requests among the turns.
            "OTEL_TRACES_SAMPLER": "always_off",
        }
        health = f"http://{HOST}:{self.ports.jaeger_health}/status"
        return self._process("jaeger", jaeger_config(), environment, self.ports.jaeger_ui, health)

    def _process(
        self, tool: str, config: dict[str, Any], environment: Mapping[str, str], port: int, health: str
    ) -> Process:
        self.folder.mkdir(parents=True, exist_ok=True)
        file = self.folder / f"{tool}.yaml"
        file.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
        return Process(
            name=tool,
            command=[str(find_tool(tool) or tool), "--config", str(file)],
            environment=environment,
            port=port,
            health=health,
            log=self.folder / f"{tool}.log",
            inherited=only(COLLECTOR, os.environ),
        )


def tracing_or_reason(folder: Path, ports: TracePorts) -> tuple[TracingProcesses | None, str]:
    """Return the processes to start, or None and the reason why tracing is off."""
    if reason := reason_tracing_is_off(os.environ):
        return None, reason
    return TracingProcesses(folder / "observe", ports, os.environ.get(TRACES_ENDPOINT, "")), ""
