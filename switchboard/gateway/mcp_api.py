"""The mesh as an MCP server: streamable HTTP without MCP sessions, so that any gateway answers any request."""

import logging
from typing import Any

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.responses import JSONResponse
from mcp.server.lowlevel import Server
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.types import ListToolsResult, PaginatedRequestParams
from pydantic import AnyHttpUrl
from starlette.types import Receive, Scope, Send

from switchboard.gateway.api import AuthenticatedRoute, token_of, unauthorized
from switchboard.gateway.body import BODY_MAX_BYTES
from switchboard.gateway.identity import TokenRefused, TokenVerifier
from switchboard.gateway.mcp_calls import Context, call_tool
from switchboard.gateway.mcp_resources import (
    get_prompt,
    list_prompts,
    list_resources,
    list_templates,
    read_resource,
)
from switchboard.gateway.mcp_tools import INSTRUCTIONS, TOOLS
from switchboard.gateway.problems import Problem
from switchboard.gateway.settings import MCP_PATH
from switchboard.version import VERSION

METADATA_PATH = f"/.well-known/oauth-protected-resource{MCP_PATH}"
"""Where RFC 9728 puts the metadata of a resource with this path."""

HOST_REFUSED = "This gateway serves MCP at {url} only. Use that address."
ORIGIN_REFUSED = (
    "Pages of this origin may not use this MCP server. Use a client that is not a web page of another site."
)


class Exchange(Response):
    """One request and its response, with what the protocol's library needs for it, and nothing that outlives it."""

    def __init__(self, server: Server[Any], receive: Receive) -> None:
        super().__init__()
        self._server = server
        self._receive = receive

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        manager = StreamableHTTPSessionManager(self._server, stateless=True, max_request_body_size=BODY_MAX_BYTES)
        async with manager.run():
            await manager.handle_request(scope, self._receive, send)


class McpRoute(AuthenticatedRoute):
    """Accepts requests for the address of the MCP server, from its own origin or from no web page, with a token."""

    async def authenticate(self, request: Request) -> object:
        """Return the caller. Raises Problem 403 and 421 (DNS rebinding), and 401 with where to get a token."""
        url: AnyHttpUrl = request.app.state.mcp_url
        if request.headers.get("host", "").lower() not in hosts_of(url):
            raise Problem(421, "host_refused", HOST_REFUSED.format(url=url))
        origin = request.headers.get("origin")
        if origin is not None and origin.lower() not in {f"{url.scheme}://{host}" for host in hosts_of(url)}:
            raise Problem(403, "origin_refused", ORIGIN_REFUSED)
        tokens: TokenVerifier = request.app.state.mcp_tokens
        try:
            return await tokens.verify(await token_of(request))
        except TokenRefused as error:
            problem = unauthorized(f"The token {error}.", 'Bearer realm="switchboard", error="invalid_token"')
            raise naming_metadata(problem, request) from error
        except Problem as problem:
            raise naming_metadata(problem, request) from problem


def hosts_of(url: AnyHttpUrl) -> set[str]:
    """Return how clients write the host of an address: the default port may be left out."""
    host, default = str(url.host).lower(), {"http": 80, "https": 443}[url.scheme]
    return {host, f"{host}:{default}"} if url.port == default else {f"{host}:{url.port}"}


def naming_metadata(problem: Problem, request: Request) -> Problem:
    """Add to a 401 where the client learns which authorization server gives tokens (RFC 9728, section 5.1)."""
    challenge = problem.headers.get("www-authenticate")
    metadata: str | None = request.app.state.mcp_metadata_url
    if challenge and metadata:
        problem.headers["www-authenticate"] = f'{challenge}, resource_metadata="{metadata}"'
    return problem


async def list_tools(_: Context, __: PaginatedRequestParams | None) -> ListToolsResult:
    return ListToolsResult(tools=list(TOOLS))


def create_server() -> Server[Any]:
    server: Server[Any] = Server(
        "switchboard",
        title="Switchboard",
        version=VERSION,
        instructions=INSTRUCTIONS,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
        on_list_resources=list_resources,
        on_list_resource_templates=list_templates,
        on_read_resource=read_resource,
        on_list_prompts=list_prompts,
        on_get_prompt=get_prompt,
    )
    # The library's own spans would take their parent and their names from the client's words. Ours are in mcp_calls.
    server.middleware.clear()
    # It reports the begin and end of each exchange at this level.
    logging.getLogger("mcp.server.streamable_http_manager").setLevel(logging.WARNING)
    logging.getLogger("mcp.server.streamable_http").setLevel(logging.WARNING)
    return server


def add_mcp(app: FastAPI, url: AnyHttpUrl, tokens: TokenVerifier, issuer: str | None) -> None:
    """Add the MCP server, and the metadata that names the issuer of its tokens if that is an authorization server."""
    server = create_server()
    app.state.mcp_url, app.state.mcp_tokens, app.state.mcp_metadata_url = url, tokens, None
    # Its bodies and answers are those of MCP, so the OpenAPI document has nothing to say of it.
    router = APIRouter(route_class=McpRoute, include_in_schema=False)

    @router.post(MCP_PATH)
    async def exchange(request: Request) -> Response:
        return Exchange(server, request.receive)

    app.include_router(router)
    if issuer is not None and issuer.startswith(("https://", "http://")):
        add_metadata(app, url, issuer)


def add_metadata(app: FastAPI, url: AnyHttpUrl, issuer: str) -> None:
    """Add the metadata of the protected resource (RFC 9728)."""
    app.state.mcp_metadata_url = str(url).removesuffix(MCP_PATH) + METADATA_PATH
    public = APIRouter(include_in_schema=False)

    @public.get(METADATA_PATH)
    async def metadata() -> Response:
        return JSONResponse(
            {
                "resource": str(url),
                "resource_name": "Switchboard",
                "authorization_servers": [issuer],
                "bearer_methods_supported": ["header"],
            }
        )

    app.include_router(public)
