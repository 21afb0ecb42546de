"""Real Restate servers and collectors export the series that rules and dashboards use."""

import re
from pathlib import Path

import aiohttp
import pytest
from prometheus_client import REGISTRY

from switchboard.local.observe import TracePorts, TracingProcesses
from switchboard.local.process import StartFailed, wait_until
from switchboard.session.introspection import Introspection
from switchboard.session.restate_metrics import update_gauges
from tests.laboratory import STARTS_WITHIN
from tests.observability.flaky_restate import flaky_restate
from tests.observability.promql import series_in
from tests.observability.test_alerts import expressions
from tests.observability.test_collector import SENT, seen_in_jaeger, started
from tests.parts import need_collector, need_jaeger


def used_series(prefix: str) -> dict[str, set[str]]:
    """Return the series with this prefix that rules and dashboards use, with the labels that they select by."""
    used: dict[str, set[str]] = {}
    for expression in expressions().values():
        for series, labels in series_in(expression):
            if series.startswith(prefix):
                used.setdefault(series, set()).update(labels)
    return used


def missing(page: str, used: dict[str, set[str]]) -> list[str]:
    """Return the series that the scrape lacks, or lacks with these labels."""
    absent = []
    for series, labels in used.items():
        samples = re.findall(rf"^{series}(?:\{{(.*)\}})? ", page, re.MULTILINE)
        seen = {label for sample in samples for label in re.findall(r'(\w+)="', sample)}
        if not samples or not labels <= seen:
            absent.append(f"{series} {sorted(labels - seen) if samples else ''}")
    return absent


async def scrape(url: str) -> str:
    async with aiohttp.ClientSession() as http, http.get(url) as answer:
        return await answer.text()


async def wait_for_series(url: str, used: dict[str, set[str]]) -> None:
    async def ready() -> bool:
        return not missing(await scrape(url), used)

    try:
        await wait_until(ready, STARTS_WITHIN, "")
    except StartFailed:
        pytest.fail(f"missing in the scrape: {missing(await scrape(url), used)}")


async def test_restate_exports_the_series_in_use(tmp_path: Path) -> None:
    async with flaky_restate(tmp_path, {}) as ports, aiohttp.ClientSession() as http:
        for handler in ("fail", "end"):
            send = f"http://127.0.0.1:{ports.ingress}/Flaky/{handler}/send"
            async with http.post(send, skip_auto_headers=["content-type"]) as answer:
                assert answer.status == 202, await answer.text()
        url = f"http://127.0.0.1:{ports.node}/metrics"
        await wait_for_series(url, used_series("restate_"))


async def test_paused_invocation_is_counted_until_it_is_killed(tmp_path: Path) -> None:
    async with flaky_restate(tmp_path, {}) as ports, aiohttp.ClientSession() as http:
        admin = f"http://127.0.0.1:{ports.admin}"
        introspection = Introspection(admin)
        send = f"http://127.0.0.1:{ports.ingress}/Flaky/fail/send"
        async with http.post(send, skip_auto_headers=["content-type"]) as answer:
            invocation_id = (await answer.json())["invocationId"]

        async def counted(number: int | None) -> bool:
            if not await update_gauges(introspection):
                return False  # Restate has just started.
            labels = {"service": "Flaky", "status": "paused"}
            return REGISTRY.get_sample_value("switchboard_invocations", labels) == number

        await wait_until(lambda: counted(1), STARTS_WITHIN, "the paused invocation was not counted")
        async with http.patch(f"{admin}/invocations/{invocation_id}/kill") as answer:
            assert answer.status < 300, await answer.text()
        await wait_until(lambda: counted(None), STARTS_WITHIN, "the invocation is still counted after it was killed")


async def test_collector_exports_the_series_in_use(tmp_path: Path) -> None:
    need_collector()
    need_jaeger()
    tracing = TracingProcesses(tmp_path, TracePorts.free())
    async with started(*tracing.processes):
        await seen_in_jaeger(tracing, SENT, count=2)
        await wait_for_series(f"http://127.0.0.1:{tracing.ports.collector_metrics}/metrics", used_series("otelcol_"))
