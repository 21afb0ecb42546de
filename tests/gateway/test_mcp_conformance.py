"""The server scenarios of npm's @modelcontextprotocol/conformance, which know no tokens: a proxy adds one."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
from aiohttp import web

from switchboard.local.process import free_ports
from tests.gateway.front import Gateway, Visitor, open_gateway
from tests.parts import PROJECT

PROGRAM = ("--import", str(PROJECT / "tests/mcp/with_glob.mjs"), str(PROJECT / "node_modules/.bin/conformance"))
PAGE = PROJECT / "docs/build/mcp-server.md"
ALL_WITHIN_S = 120

FIXTURE = "calls a tool of the program's own example server"
NO_SESSIONS = "needs an MCP session, which a server may have; this one has none, so that any replica can answer"
NOT_OFFERED = "this server has tools only, and declares no {}"

EXCEPTIONS = {
    **dict.fromkeys(
        (
            "tools-call-simple-text",
            "tools-call-image",
            "tools-call-audio",
            "tools-call-embedded-resource",
            "tools-call-mixed-content",
            "tools-call-with-logging",
            "tools-call-error",
            "tools-call-with-progress",
            "tools-call-sampling",
            "tools-call-elicitation",
            "json-schema-2020-12",
            "elicitation-sep1034-defaults",
            "elicitation-sep1330-enums",
        ),
        FIXTURE,
    ),
    **dict.fromkeys(("server-sse-polling", "server-sse-multiple-streams"), NO_SESSIONS),
    **dict.fromkeys(
        (
            "resources-list",
            "resources-read-text",
            "resources-read-binary",
            "resources-templates-read",
            "resources-subscribe",
            "resources-unsubscribe",
        ),
        NOT_OFFERED.format("resources"),
    ),
    **dict.fromkeys(
        (
            "prompts-list",
            "prompts-get-simple",
            "prompts-get-with-args",
            "prompts-get-embedded-resource",
            "prompts-get-with-image",
        ),
        NOT_OFFERED.format("prompts"),
    ),
    "logging-set-level": NOT_OFFERED.format("logging"),
    "completion-complete": NOT_OFFERED.format("completions"),
}
"""Scenarios that this server is not meant to pass, and why."""


@asynccontextmanager
async def adding_token(visitor: Visitor, port: int) -> AsyncIterator[str]:
    """Forward requests to the gateway as they are, with the token of this customer."""
    token = visitor.token
    skipped = ("transfer-encoding", "content-length", "connection")

    async def forward(request: web.Request) -> web.StreamResponse:
        headers = {**request.headers, "authorization": f"Bearer {token}"}
        body = await request.read()
        async with visitor.http.request(
            request.method, f"{visitor.url}{request.path}", data=body, headers=headers
        ) as got:
            answer = web.StreamResponse(status=got.status)
            answer.headers.update({name: value for name, value in got.headers.items() if name.lower() not in skipped})
            await answer.prepare(request)
            async for chunk in got.content.iter_any():
                await answer.write(chunk)
            return answer

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", forward)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "localhost", port).start()
    try:
        yield f"http://localhost:{port}/v1/mcp"
    finally:
        await runner.cleanup()


async def test_server_passes_every_scenario_but_the_exceptions(gateway: Gateway, tmp_path: Path) -> None:
    """The program also fails for an exception that passes."""
    (port,) = free_ports(1)
    exceptions = tmp_path / "exceptions.yml"
    exceptions.write_text("server:\n" + "".join(f"  - {name}\n" for name in EXCEPTIONS))
    own = {"GATEWAY_MCP_URL": f"http://localhost:{port}/v1/mcp"}
    async with (
        open_gateway(gateway.laboratory, tmp_path, own) as opened,
        aiohttp.ClientSession(auto_decompress=False) as http,
        adding_token(opened.visitor(http=http), port) as url,
    ):
        arguments = ("server", "--url", url, "--suite", "all", "--expected-failures", str(exceptions))
        process = await asyncio.create_subprocess_exec(
            "node",
            *PROGRAM,
            *arguments,
            cwd=tmp_path,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        async with asyncio.timeout(ALL_WITHIN_S):
            printed, _ = await process.communicate()
    assert process.returncode == 0, printed.decode()
    assert rows_of_page() == EXCEPTIONS


def rows_of_page() -> dict[str, str]:
    """Return the exceptions that the documentation lists."""
    table = PAGE.read_text().partition("| scenario | why not |\n|---|---|\n")[2].partition("\n\n")[0]
    rows = [line.strip("| ").split(" | ") for line in table.splitlines()]
    return {name.strip("`"): why for names, why in rows for name in names.split(", ")}
