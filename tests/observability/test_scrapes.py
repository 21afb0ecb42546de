"""What rules and dashboards ask of Restate and of the collector is there: looked up in scrapes of real ones."""

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


def asked_of(prefix: str) -> dict[str, set[str]]:
    """The series of that prefix which rules and dashboards ask for, with all labels that they select by."""
    asked: dict[str, set[str]] = {}
    for expression in expressions().values():
        for series, labels in series_in(expression):
            if series.startswith(prefix):
                asked.setdefault(series, set()).update(labels)
    return asked


def missing(scrape: str, asked: dict[str, set[str]]) -> list[str]:
    """What the scrape has no sample of, or none that bears the labels."""
    absent = []
    for series, labels in asked.items():
        samples = re.findall(rf"^{series}(?:\{{(.*)\}})? ", scrape, re.MULTILINE)
        seen = {label for sample in samples for label in re.findall(r'(\w+)="', sample)}
        if not samples or not labels <= seen:
            absent.append(f"{series} {sorted(labels - seen) if samples else ''}")
    return absent


async def scraped(url: str) -> str:
    async with aiohttp.ClientSession() as http, http.get(url) as answer:
        return await answer.text()


async def until_all_are_there(url: str, asked: dict[str, set[str]]) -> None:
    async def ready() -> bool:
        return not missing(await scraped(url), asked)

    try:
        await wait_until(ready, STARTS_WITHIN, "")
    except StartFailed:
        pytest.fail(f"not in the scrape: {missing(await scraped(url), asked)}")


async def test_restate_exports_what_is_asked_of_it(tmp_path: Path) -> None:
    async with flaky_restate(tmp_path, {}) as ports, aiohttp.ClientSession() as http:
        for handler in ("fail", "end"):
            send = f"http://127.0.0.1:{ports.ingress}/Flaky/{handler}/send"
            async with http.post(send, skip_auto_headers=["content-type"]) as answer:
                assert answer.status == 202, await answer.text()
        url = f"http://127.0.0.1:{ports.node}/metrics"
        await until_all_are_there(url, asked_of("restate_"))


async def test_an_invocation_that_restate_gives_up_is_counted_until_it_is_gone(tmp_path: Path) -> None:
    async with flaky_restate(tmp_path, {}) as ports, aiohttp.ClientSession() as http:
        admin = f"http://127.0.0.1:{ports.admin}"
        introspection = Introspection(admin)
        send = f"http://127.0.0.1:{ports.ingress}/Flaky/fail/send"
        async with http.post(send, skip_auto_headers=["content-type"]) as answer:
            invocation_id = (await answer.json())["invocationId"]

        async def counted(number: int | None) -> bool:
            assert await update_gauges(introspection)
            labels = {"service": "Flaky", "status": "paused"}
            return REGISTRY.get_sample_value("switchboard_invocations", labels) == number

        await wait_until(lambda: counted(1), STARTS_WITHIN, "the paused invocation was not counted")
        async with http.patch(f"{admin}/invocations/{invocation_id}/kill") as answer:
            assert answer.status < 300, await answer.text()
        await wait_until(lambda: counted(None), STARTS_WITHIN, "it is counted though it is gone")


async def test_the_collector_exports_what_is_asked_of_it(tmp_path: Path) -> None:
    need_collector()
    need_jaeger()
    tracing = TracingProcesses(tmp_path, TracePorts.free())
    async with started(*tracing.processes):
        await seen_in_jaeger(tracing, SENT, count=2)
        await until_all_are_there(f"http://127.0.0.1:{tracing.ports.collector_metrics}/metrics", asked_of("otelcol_"))
