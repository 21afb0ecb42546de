"""One mesh for all attacks."""

from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from switchboard.local.process import free_ports
from tests.attacks.mesh import Attacked, ask_victim
from tests.gateway.front import open_gateway
from tests.laboratory import SOON, open_laboratory
from tests.traces.sink import add_span_sink, traced_to
from tests.unit.gateway.test_identity import AUDIENCE, ISSUER, JWKS

A2A = {"GATEWAY_A2A_URL": "https://agents.example.com"}

NO_LIMITS = {"SWITCHBOARD_CUSTOMER_TURNS_PER_MINUTE": "0", "SWITCHBOARD_CUSTOMER_SESSIONS_PER_DAY": "0"}
"""The attackers are few customers, and they are to be refused for another reason than their number of messages."""


@pytest.fixture(scope="package")
async def attacked(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Attacked]:
    """A mesh with two gateways: one with a shared secret, one with an identity provider."""
    folder = tmp_path_factory.mktemp("attacked")
    app = web.Application()

    async def keys(_: web.Request) -> web.Response:
        return web.json_response(JWKS)

    app.router.add_get("/keys", keys)
    received = add_span_sink(app)
    async with TestServer(app, port=free_ports(1)[0]) as provider:
        traced = traced_to(str(provider.make_url("")).rstrip("/"))
        environment = {**SOON, **NO_LIMITS, **traced}
        verified = {
            "GATEWAY_JWT_SECRET": "",
            "GATEWAY_JWKS_URL": str(provider.make_url("/keys")),
            "GATEWAY_JWT_ISSUER": ISSUER,
            "GATEWAY_JWT_AUDIENCE": AUDIENCE,
        }
        async with (
            open_laboratory(folder / "mesh", environment=environment) as laboratory,
            open_gateway(laboratory, folder / "first", {**traced, **A2A}) as gateway,
            open_gateway(laboratory, folder / "second", verified) as second,
        ):
            attacked = await ask_victim(laboratory, gateway)
            attacked.tokens_url, attacked.spans = second.ports.url, received
            yield attacked
