"""The collector with the platform chart's configuration, run for real: which spans and fields it drops."""

import asyncio
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml

from scripts.render_collector import helm_rendered
from switchboard.local.observe import TracePorts, TracingProcesses
from switchboard.local.platform_chart import IN_CHECKOUT, collector_config, jaeger_config
from switchboard.local.process import Process
from tests.observability.flaky_restate import flaky_restate
from tests.parts import need_collector, need_helm, need_jaeger

TRACE = "0000000000000000000000000000cafe"
SECRET = "the customer said: my account is 4711"
ARRIVES_WITHIN_SECONDS = 120


@asynccontextmanager
async def started(*processes: Process) -> AsyncIterator[None]:
    try:
        await asyncio.gather(*(process.start() for process in processes))
        yield
    finally:
        for process in processes:
            await process.stop()


def span(name: str, span_id: str, trace_id: str = TRACE) -> dict[str, Any]:
    now = time.time_ns()
    failed = {"code": 2, "message": SECRET}
    times = {"startTimeUnixNano": str(now), "endTimeUnixNano": str(now + 1_000_000)}
    attributes = [{"key": "error.message", "value": {"stringValue": SECRET}}]
    ids = {"traceId": trace_id, "spanId": span_id}
    return {**ids, "name": name, "kind": 1, "attributes": attributes, "status": failed, **times}


def spans_of(service: str, *spans: dict[str, Any]) -> dict[str, Any]:
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": service}}]}
    return {"resource": resource, "scopeSpans": [{"scope": {"name": "test"}, "spans": list(spans)}]}


async def seen_in_jaeger(
    tracing: TracingProcesses, sent: list[dict[str, Any]], count: int
) -> dict[str, dict[str, Any]]:
    """Send spans through the collector and read them back from Jaeger. Return their tags by span name."""
    async with aiohttp.ClientSession() as http:
        url = f"{tracing.environment('test')['OTEL_EXPORTER_OTLP_ENDPOINT']}/v1/traces"
        async with http.post(url, json={"resourceSpans": sent}) as answer:
            assert answer.status == 200, await answer.text()
        until = time.monotonic() + ARRIVES_WITHIN_SECONDS
        found: list[dict[str, Any]] = []
        while len(found) < count and time.monotonic() < until:
            await asyncio.sleep(0.05)
            async with http.get(f"{tracing.jaeger_url}/api/traces/{TRACE}") as answer:
                # 404 until the trace has arrived.
                traces = (await answer.json())["data"] if answer.status == 200 else []
            found = [span for trace in traces for span in trace["spans"]]
    return {span["operationName"]: {tag["key"]: tag["value"] for tag in span["tags"]} for span in found}


SENT = [
    spans_of(
        "Restate",
        span("untraced trace", "00000000000000aa", trace_id="0" * 32),
        span("untraced span", "0" * 16),
        span("invocation-end", "00000000000000bb"),
    ),
    spans_of("tools", span("execute_tool", "00000000000000cc")),
]


@pytest.mark.parametrize(("content", "kept"), [("off", False), ("full", True)])
async def test_collector_removes_error_texts_from_restates_spans(tmp_path: Path, content: str, kept: bool) -> None:
    need_collector()
    need_jaeger()
    tracing = TracingProcesses(tmp_path, TracePorts.free())
    tracing.collector.environment = {**tracing.collector.environment, "TELEMETRY_CONTENT": content}
    async with started(*tracing.processes):
        seen = await seen_in_jaeger(tracing, SENT, count=2)
    assert set(seen) == {"invocation-end", "execute_tool"}, "only spans with zero ids are dropped"
    assert seen["invocation-end"]["otel.status_code"] == "ERROR"
    assert (SECRET in seen["invocation-end"].values()) is kept
    assert seen["execute_tool"]["otel.status_description"] == SECRET, "the collector leaves our own spans unchanged"


async def test_collector_drops_untraced_spans_and_error_texts_of_a_real_restate(tmp_path: Path) -> None:
    need_collector()
    need_jaeger()
    tracing = TracingProcesses(tmp_path, TracePorts.free())
    traced, untraced = f"00-{TRACE}-00000000000000dd-01", f"00-{'ab' * 16}-00000000000000ee-00"
    async with (
        started(*tracing.processes),
        flaky_restate(tmp_path, tracing.restate_environment) as ports,
        aiohttp.ClientSession() as http,
    ):
        for traceparent in (untraced, traced):
            url = f"http://127.0.0.1:{ports.ingress}/Flaky/refuse"
            async with http.post(url, json=SECRET, headers={"traceparent": traceparent}) as answer:
                assert SECRET in await answer.text(), "the caller gets the full error"
        seen = await seen_in_jaeger(tracing, [], count=4)
        metrics = f"http://127.0.0.1:{tracing.ports.collector_metrics}/metrics"
        async with http.get(metrics) as answer:
            dropped = re.search(r"^otelcol_processor_filter_spans_filtered.* (\d+)$", await answer.text(), re.MULTILINE)
    ended = seen["invocation-end Flaky/refuse"]
    assert ended["otel.status_code"] == "ERROR"
    assert SECRET not in str(seen)
    assert dropped is not None
    assert int(dropped[1]) > 0


async def test_collector_accepts_spans_while_jaeger_is_down(tmp_path: Path) -> None:
    need_collector()
    tracing = TracingProcesses(tmp_path, TracePorts.free(), export_to="127.0.0.1:9")
    url = f"{tracing.environment('test')['OTEL_EXPORTER_OTLP_ENDPOINT']}/v1/traces"
    async with started(tracing.collector), aiohttp.ClientSession() as http:
        for _ in range(20):
            async with http.post(url, json={"resourceSpans": SENT}) as answer:
                assert answer.status == 200


def test_helm_renders_the_configurations_that_these_tests_use() -> None:
    helm = need_helm()
    if not (IN_CHECKOUT.parent / "charts").is_dir():
        pytest.skip(
            f"`{Path(helm).name} dependency build {IN_CHECKOUT.parent.name}` needs access to the chart repositories"
        )
    rendered = helm_rendered()
    assert rendered["collector"] == collector_config()
    assert rendered["jaeger"] == jaeger_config()


def test_collector_build_contains_all_configured_components() -> None:
    manifest = yaml.safe_load((Path(__file__).parents[2] / "scripts" / "otelcol.yaml").read_text())
    config = collector_config()
    modules = {"otlp_grpc": "otlpexporter", "otlp": "otlpreceiver"}
    for kind in ("receivers", "processors", "exporters", "extensions"):
        built = [part["gomod"].split()[0].rpartition("/")[2] for part in manifest[kind]]
        for name in config[kind]:
            component = name.partition("/")[0]
            wanted = modules.get(component, component.replace("_", "") + kind.removesuffix("s"))
            assert wanted in built, f"{name} is configured but not part of the build"
