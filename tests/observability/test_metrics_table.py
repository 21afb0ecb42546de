"""docs/reference/metrics.md lists exactly the metrics that the services export."""

import re

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from switchboard.local.mesh import DEMO_MODEL
from tests.gateway.front import Gateway
from tests.parts import PROJECT

OURS = ("switchboard_", "gen_ai_", "http_server_")
ROW = re.compile(r"^\| `(\w+)` \| (\w+) \|", re.MULTILINE)


def documented() -> dict[str, str]:
    """Return the table's metrics and their types."""
    return dict(ROW.findall((PROJECT / "docs" / "reference" / "metrics.md").read_text()))


async def exported(gateway: Gateway) -> dict[str, str]:
    """Return the exported metrics and their types, of all services and the gateway. Counters have the suffix _total."""
    found = {}
    mesh, http = gateway.laboratory.mesh, gateway.laboratory.http
    services = [process.port for name, process in mesh.services.items() if name != DEMO_MODEL]
    for port in (*services, gateway.ports.metrics):
        page = await scrape(http, port)
        for family in text_string_to_metric_families(page):
            if family.name.startswith(OURS):
                found[f"{family.name}_total" if family.type == "counter" else family.name] = family.type
    return found


async def scrape(http: aiohttp.ClientSession, port: int) -> str:
    async with http.get(f"http://127.0.0.1:{port}/metrics") as response:
        return await response.text()


async def test_metrics_table_matches_the_exported_metrics(gateway: Gateway) -> None:
    assert await exported(gateway) == documented()
