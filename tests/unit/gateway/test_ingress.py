"""The paths that the gateway requests from Restate's ingress."""

import aiohttp
from aiohttp import web
from aiohttp.test_utils import RawTestServer

from switchboard.gateway.ingress import Ingress
from switchboard.session.contract import CustomerRequest


async def test_gateway_sends_a_session_id_of_dots_unchanged() -> None:
    """If the path were normalised, the handler's name would become the session's."""
    paths: list[str] = []

    async def answer(request: web.BaseRequest) -> web.Response:
        paths.append(request.raw_path)
        return web.Response(text="{}")

    async with RawTestServer(answer) as server, aiohttp.ClientSession() as http:
        await Ingress(str(server.make_url("")), http).read(".", "status", CustomerRequest(customer_id="alice"))
    assert paths == ["/Session/./status"]
