"""Tokens for MCP servers by client credentials: where the secret goes, and how long a token is used."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import BasicAuth, web

from switchboard import ClientCredentials, McpServer
from switchboard.local.process import free_ports
from switchboard.toolkit.mcp.client import call_once, discover
from switchboard.toolkit.mcp.oauth import Authorizer
from switchboard.toolkit.mcp.outcomes import Attempt

SECRET = "sesame-4711"
TOOL = {"name": "whoami", "inputSchema": {"type": "object", "properties": {}}}


@dataclass
class Site:
    """An MCP server of 2025 and an authorization server at one address, and what they have heard."""

    url: str
    issuer: str
    """The authorization server that the MCP server names."""

    secrets: list[str] = field(default_factory=list)
    valid: str = ""
    calls: int = 0

    def metadata(self, request: web.Request) -> web.Response:
        if "protected" in request.path:
            return web.json_response({"resource": f"{self.url}/mcp", "authorization_servers": [self.issuer]})
        endpoints = {"authorization_endpoint": f"{self.url}/authorize", "token_endpoint": f"{self.url}/token"}
        return web.json_response({"issuer": self.url, "response_types_supported": ["code"], **endpoints})

    def token(self, request: web.Request) -> web.Response:
        self.secrets.append(BasicAuth.decode(request.headers["authorization"]).password)
        self.valid = f"token-{len(self.secrets)}"
        return web.json_response({"access_token": self.valid, "token_type": "Bearer"})

    async def mcp(self, request: web.Request) -> web.Response:
        sent = request.headers.get("authorization")
        if not self.valid or sent != f"Bearer {self.valid}":
            return web.Response(status=401)
        message = await request.json()
        if "id" not in message:
            return web.Response(status=202)
        return web.json_response({"jsonrpc": "2.0", "id": message["id"], **self.answer(message["method"], sent)})

    def answer(self, method: str, sent: str) -> dict[str, Any]:
        match method:
            case "initialize":
                server = {"capabilities": {"tools": {}}, "serverInfo": {"name": "site", "version": "0"}}
                return {"result": {"protocolVersion": "2025-11-25", **server}}
            case "tools/list":
                return {"result": {"tools": [TOOL]}}
            case "tools/call":
                self.calls += 1
                return {"result": {"content": [{"type": "text", "text": f"You sent {sent}."}]}}
        return {"error": {"code": -32601, "message": "no such method"}}


@asynccontextmanager
async def opened(issuer: str = "") -> AsyncIterator[Site]:
    (port,) = free_ports(1)
    site = Site(url := f"http://127.0.0.1:{port}", issuer or url)

    async def metadata(request: web.Request) -> web.Response:
        return site.metadata(request)

    async def token(request: web.Request) -> web.Response:
        return site.token(request)

    app = web.Application()
    app.router.add_get("/.well-known/{name:.*}", metadata)
    app.router.add_post("/token", token)
    app.router.add_post("/mcp", site.mcp)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield site
    finally:
        await runner.cleanup()


def declared(site: Site, issuer: str) -> McpServer:
    credentials = ClientCredentials(issuer, "switchboard", secret=lambda: SECRET)
    return McpServer("Site", url=f"{site.url}/mcp", tools=("whoami",), oauth=credentials)


async def test_token_is_used_until_it_is_refused_and_taken_out_of_results() -> None:
    async with opened() as site:
        server = declared(site, site.url)
        authorizer = Authorizer(server)
        texts = []
        for _ in range(2):
            attempt = Attempt("whoami", {}, "key", auth=authorizer.auth(f"{site.url}/mcp", None))
            texts.append((await call_once(server, attempt, lambda listed: "")).text)
        assert texts == ["You sent [credential]."] * 2
        assert site.secrets == [SECRET]
        site.valid = "revoked"
        attempt = Attempt("whoami", {}, "key", auth=authorizer.auth(f"{site.url}/mcp", None))
        assert (await call_once(server, attempt, lambda listed: "")).kind == "done"
        assert (site.secrets, site.calls) == ([SECRET] * 2, 3)


async def test_secret_is_sent_to_no_other_authorization_server() -> None:
    async with opened() as honest, opened() as hostile:
        server = declared(hostile, honest.url)
        catalog = await discover(server, {}, Authorizer(server).auth(f"{hostile.url}/mcp", None))
        assert catalog.problem == "Site gave no access token"
        assert (honest.secrets, hostile.secrets) == ([], [])


def test_secret_is_not_in_the_text_of_the_declaration() -> None:
    assert SECRET not in repr(ClientCredentials("https://login.example", "switchboard", secret=lambda: SECRET))


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({}, "give either secret= or private_key="),
        ({"secret": str, "private_key": str}, "give either secret= or private_key="),
        ({"secret": str, "issuer": "login.example"}, "issuer must be the address of a server, not 'login.example'"),
    ],
)
def test_wrong_credentials_are_refused(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match="client credentials") as raised:
        ClientCredentials(**{"issuer": "https://login.example", "client_id": "x", **options})
    assert sentence in str(raised.value)
