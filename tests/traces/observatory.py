"""A real collector and a real Jaeger for tests, and the traces that are read back from them."""

import asyncio
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from switchboard.local.observe import TracePorts, TracingProcesses
from switchboard.local.process import StartFailed, wait_until
from tests.laboratory import Laboratory, open_laboratory
from tests.parts import need_collector, need_jaeger

ARRIVES_WITHIN = timedelta(seconds=180)
QUIET_S = 1.0


def quiet_s() -> float:
    """A trace is complete when no span has arrived for this long, in seconds: longer than any exporter's delay.

    On a busy machine, exporters wait for the processor.
    """
    return QUIET_S * max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1) / 2)


RESTATE = "Restate"
BATCH_MS = "200"


@dataclass(frozen=True)
class Span:
    """One span from Jaeger's query API. `links` are pairs of (trace id, span id)."""

    span_id: str
    name: str
    service: str
    parent: str | None
    start_us: int
    duration_us: int
    tags: Mapping[str, Any]
    links: tuple[tuple[str, str], ...]

    @property
    def error(self) -> str | None:
        """The span's error.type if it failed, else None."""
        return str(self.tags.get("error.type", "?")) if self.tags.get("otel.status_code") == "ERROR" else None


@dataclass(frozen=True)
class Trace:
    """All spans of a trace, including Restate's own."""

    spans: tuple[Span, ...]

    def of(self, name: str) -> list[Span]:
        """Return the spans with that name, in order of their start."""
        return sorted((span for span in self.spans if span.name == name), key=lambda span: span.start_us)

    def faults(self) -> list[str]:
        """Return the defects of the trace: duplicate span ids, spans without their parent, several roots."""
        ids = [span.span_id for span in self.spans]
        found = [f"twice: {span.name}" for span in self.spans if ids.count(span.span_id) > 1]
        found += [f"orphan: {span.name}" for span in self.spans if span.parent and span.parent not in ids]
        roots = [span.name for span in self.spans if span.parent is None]
        return found + ([f"roots: {roots}"] if len(roots) != 1 else [])

    def tree(self) -> list[str]:
        """Return the mesh's own spans, one per line, indented below their parents, with the errors of failed ones."""
        ours = {span.span_id for span in self.spans if span.service != RESTATE}

        def below(parent: str | None, depth: int) -> list[str]:
            found = [
                span
                for span in self.spans
                if span.span_id in ours and (span.parent == parent if parent else span.parent not in ours)
            ]
            # Siblings that start at the same time are sorted by name.
            found.sort(key=lambda span: (span.start_us, span.name))
            lines = []
            for span in found:
                lines.append("  " * depth + span.name + (f" ! {span.error}" if span.error else ""))
                lines += below(span.span_id, depth + 1)
            return lines

        return below(None, 0)


@dataclass(frozen=True)
class Observatory:
    """A collector that receives spans, and a Jaeger to read them back from."""

    tracing: TracingProcesses
    http: aiohttp.ClientSession

    @property
    def environment(self) -> dict[str, str]:
        """Environment for our services. They keep their own service names."""
        return {"OTEL_EXPORTER_OTLP_ENDPOINT": self.tracing.environment("")["OTEL_EXPORTER_OTLP_ENDPOINT"]}

    @property
    def restate_environment(self) -> dict[str, str]:
        return {**self.tracing.restate_environment, "OTEL_BSP_SCHEDULE_DELAY": BATCH_MS}

    async def trace(self, trace_id: str, last_span: str = "invocation-end Session/{key}/send") -> Trace:
        """Wait until a trace is complete: the span `last_span` has arrived, and no more spans arrive."""
        seen = Trace(())

        async def complete() -> bool:
            nonlocal seen
            before, seen = len(seen.spans), await self._read(trace_id)
            if not seen.of(last_span) or seen.faults() or len(seen.spans) != before:
                await asyncio.sleep(quiet_s() / 2)
                return False
            await asyncio.sleep(quiet_s())
            before, seen = len(seen.spans), await self._read(trace_id)
            return len(seen.spans) == before

        # After a timeout, let the test report what is wrong with the incomplete trace.
        with suppress(StartFailed):
            await wait_until(complete, ARRIVES_WITHIN, "the trace is still incomplete")
        return seen

    async def _read(self, trace_id: str) -> Trace:
        async with self.http.get(f"{self.tracing.jaeger_url}/api/traces/{trace_id}") as response:
            if response.status == 404:
                return Trace(())
            answer = await response.json()
        (found,) = answer["data"]
        services = {key: process["serviceName"] for key, process in found["processes"].items()}
        return Trace(tuple(read_span(span, services) for span in found["spans"]))


def read_span(span: Mapping[str, Any], services: Mapping[str, str]) -> Span:
    parents = [ref["spanID"] for ref in span["references"] if ref["refType"] == "CHILD_OF"]
    return Span(
        span_id=span["spanID"],
        name=span["operationName"],
        service=services[span["processID"]],
        parent=parents[0] if parents else None,
        start_us=span["startTime"],
        duration_us=span["duration"],
        tags={tag["key"]: tag["value"] for tag in span["tags"]},
        links=tuple((ref["traceID"], ref["spanID"]) for ref in span["references"] if ref["refType"] == "FOLLOWS_FROM"),
    )


@asynccontextmanager
async def open_observatory(folder: Path) -> AsyncIterator[Observatory]:
    """Start a collector, configured like in the platform chart, that sends its spans to a Jaeger."""
    need_collector()
    need_jaeger()
    tracing = TracingProcesses(folder, TracePorts.free())
    async with AsyncExitStack() as stack:
        for process in reversed(tracing.processes):
            stack.push_async_callback(process.stop)
            await process.start()
        http = await stack.enter_async_context(aiohttp.ClientSession())
        yield Observatory(tracing, http)


@dataclass(frozen=True)
class Observed:
    """A laboratory that sends all its spans to an observatory."""

    laboratory: Laboratory
    observatory: Observatory


@pytest.fixture(scope="package", params=["as it is", "always replaying"], ids="observed {}".format)
async def observed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Observed]:
    """A laboratory with tracing, in two variants: a normal one, and one where Restate replays at every await."""
    folder = tmp_path_factory.mktemp("observed")
    async with open_observatory(folder / "observatory") as observatory:
        replays = request.param == "always replaying"
        environment, restate = observatory.environment, observatory.restate_environment
        async with open_laboratory(folder / "mesh", replays, environment, restate) as laboratory:
            yield Observed(laboratory, observatory)
