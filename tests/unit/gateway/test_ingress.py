"""What the gateway asks Restate's ingress for: exactly the address that is meant."""

import aiohttp
from aiohttp import web
from aiohttp.test_utils import RawTestServer

from switchboard.gateway.ingress import Ingress
from switchboard.session.contract import CustomerRequest


async def test_an_address_is_sent_as_it_is_written() -> None:
    """Shortened on its way, a handler's name would be taken for a session's."""
    asked: list[str] = []

    async def answer(request: web.BaseRequest) -> web.Response:
        asked.append(request.raw_path)
        return web.Response(text="{}")

    async with RawTestServer(answer) as server, aiohttp.ClientSession() as http:
        await Ingress(str(server.make_url("")), http).read(".", "status", CustomerRequest(customer_id="alice"))
    assert asked == ["/Session/./status"]
