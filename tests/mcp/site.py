"""An MCP server of 2025 with an authorization server, in a test's own process. It says what the test wants."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import BasicAuth, web

from switchboard.local.process import free_ports
from tests.traces.sink import add_span_sink

SECRET = "sesame-4711"
SESAME = "sesame"
"""How the secret and all tokens begin. So a part of one is found, too."""

NO_ARGUMENTS = {"type": "object", "properties": {}}

Says = Callable[[str], dict[str, Any]]
"""What is said about the header that was sent, in a message of JSON-RPC."""


def text(sent: str) -> dict[str, Any]:
    return {"result": {"content": [{"type": "text", "text": f"You sent {sent}."}]}}


def tool(sent: str) -> dict[str, Any]:
    return {"name": "whoami", "inputSchema": NO_ARGUMENTS}


@dataclass
class Site:
    """An MCP server of 2025 and an authorization server at one address, and what they have heard."""

    url: str
    issuer: str
    """The authorization server that the MCP server names."""

    secrets: list[str] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)
    valid: str = ""
    calls: int = 0
    says: Says = text
    lists: Says = tool
    spans: list[bytes] = field(default_factory=list)
    """The spans that a mesh has sent here."""

    def metadata(self, request: web.Request) -> web.Response:
        if "protected" in request.path:
            return web.json_response({"resource": f"{self.url}/mcp", "authorization_servers": [self.issuer]})
        endpoints = {"authorization_endpoint": f"{self.url}/authorize", "token_endpoint": f"{self.url}/token"}
        return web.json_response({"issuer": self.url, "response_types_supported": ["code"], **endpoints})

    def token(self, request: web.Request) -> web.Response:
        self.secrets.append(BasicAuth.decode(request.headers["authorization"]).password)
        self.valid = f"{SESAME}-{len(self.secrets)}-of-the-site"
        self.tokens.append(self.valid)
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
                return {"result": {"tools": [self.lists(sent)]}}
            case "tools/call":
                self.calls += 1
                return self.says(sent)
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
    site.spans = add_span_sink(app)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield site
    finally:
        await runner.cleanup()
