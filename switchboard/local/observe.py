"""The OpenTelemetry collector and Jaeger beside a local mesh, in the configuration that the platform chart ships."""

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import yaml

from switchboard.local.listeners import in_use
from switchboard.local.places import find_beside
from switchboard.local.platform_chart import VALUES, collector_config, jaeger_config
from switchboard.local.process import Process, first_to_end, free_ports

HOST = "127.0.0.1"

TRACES_ENDPOINT = "TRACES_ENDPOINT"
"""Where the collector sends spans, OTLP/gRPC; a Jaeger of our own when it is unset."""

GRPC_PORT = 4317
HTTP_PORT = 4318
JAEGER_UI_PORT = 16686


def find_tool(name: str) -> Path | None:
    """A program that `make tools` brings, or one on PATH. None when there is none."""
    found = shutil.which(name)
    return find_beside(f".tools/bin/{name}") or (Path(found) if found else None)


def why_off(environment: Mapping[str, str]) -> str:
    """A sentence on what is missing for traces; empty when nothing is."""
    mend = "`make tools` brings it."
    if not VALUES.is_file():
        return "Tracing is off: the collector's configuration is in the project's folder, and this is not it."
    if find_tool("otelcol") is None:
        return f"Tracing is off: there is no OpenTelemetry collector on this machine; {mend}"
    if find_tool("jaeger") is None and not environment.get(TRACES_ENDPOINT):
        return (
            f"Tracing is off: there is no Jaeger on this machine; {mend} Or name another address in {TRACES_ENDPOINT}."
        )
    return ""


@dataclass(frozen=True)
class TracePorts:
    """Where they listen, on the loopback."""

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
        """Ports that nobody uses, for tests and demonstrations."""
        return cls(*free_ports(len(fields(cls))))

    @classmethod
    def usual(cls) -> "TracePorts":
        """Those that people know, as far as nobody uses them: whoever has to know them is told."""
        known = {"grpc": GRPC_PORT, "http": HTTP_PORT, "jaeger_ui": JAEGER_UI_PORT}
        return replace(cls.free(), **{name: port for name, port in known.items() if not in_use(port)})


class Observe:
    """What receives a mesh's spans: a collector and, without `export_to` (an OTLP/gRPC address), a Jaeger behind it.

    `folder` takes their configurations and logs.
    """

    def __init__(self, folder: Path, ports: TracePorts, export_to: str = "") -> None:
        self.folder = folder
        self.ports = ports
        self.jaeger = None if export_to else self._jaeger()
        self.collector = self._collector(export_to or f"{HOST}:{ports.jaeger_grpc}")

    @property
    def processes(self) -> list[Process]:
        """In the order in which they end: the collector first hands over what it still holds."""
        return [self.collector] if self.jaeger is None else [self.collector, self.jaeger]

    @property
    def jaeger_url(self) -> str:
        """Its pages and its query API; empty when the spans go elsewhere."""
        return "" if self.jaeger is None else f"http://{HOST}:{self.ports.jaeger_ui}"

    @property
    def restate_environment(self) -> dict[str, str]:
        return {
            "RESTATE_TRACING_ENDPOINT": f"http://{HOST}:{self.ports.grpc}",
            # Its own default lets one wait ten seconds for a turn to appear.
            "OTEL_BSP_SCHEDULE_DELAY": "500",
        }

    def environment(self, service: str) -> dict[str, str]:
        """For a service of ours: OTLP over HTTP, and the name under which its spans are found."""
        return {
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{HOST}:{self.ports.http}",
            "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
            "OTEL_SERVICE_NAME": service,
        }

    async def stopped(self) -> str:
        """Wait until a part of it ends by itself; a sentence on what that costs. Turns go on without."""
        process = await first_to_end(self.processes)
        return (
            f"Tracing has stopped: {process.name} {process.how_ended(await process.ended())}. "
            f"The mesh goes on without; end it and start it again to have traces. "
            f"Its last words: {process.last_words()} (all of them: {process.log})"
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
            # It would show the requests of its own pages among the turns.
            "OTEL_TRACES_SAMPLER": "always_off",
        }
        health = f"http://{HOST}:{self.ports.jaeger_health}/status"
        return self._process("jaeger", jaeger_config(), environment, self.ports.jaeger_ui, health)

    def _process(
        self, tool: str, config: dict[str, Any], environment: Mapping[str, str], port: int, health: str
    ) -> Process:
        self.folder.mkdir(parents=True, exist_ok=True)
        file = self.folder / f"{tool}.yaml"
        file.write_text(yaml.safe_dump(config, sort_keys=False))
        return Process(
            name=tool,
            command=[str(find_tool(tool) or tool), "--config", str(file)],
            environment=environment,
            port=port,
            health=health,
            log=self.folder / f"{tool}.log",
        )


def observe_or_say(folder: Path, ports: TracePorts) -> tuple[Observe | None, str]:
    """What can be started here, or nothing and the sentence that says why."""
    if reason := why_off(os.environ):
        return None, reason
    return Observe(folder / "observe", ports, os.environ.get(TRACES_ENDPOINT, "")), ""
