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
ALL_WITHIN_S = 300

FIXTURE = "calls the tool `{}` of the suite's own example server"
NO_SESSIONS = (
    "calls the tool `test_reconnection` of the suite's own example server, in an MCP session; this server has no"
    " sessions, so that any replica answers"
)
PARALLEL = "needs an MCP session, which a server may have; this one has none, so that any replica answers"
RESOURCE = "reads `{}` of the suite's own example server; this server has transcripts"
NO_SUBSCRIPTIONS = (
    "needs updates over a stream that belongs to an MCP session; this server does not declare `subscribe`, and viewers"
    " follow a conversation over the HTTP API"
)
PROMPT = "gets `{}` of the suite's own example server; this server has `customer_service`"

EXCEPTIONS = {
    "tools-call-simple-text": FIXTURE.format("test_simple_text"),
    "tools-call-image": FIXTURE.format("test_image_content"),
    "tools-call-audio": FIXTURE.format("test_audio_content"),
    "tools-call-embedded-resource": FIXTURE.format("test_embedded_resource"),
    "tools-call-mixed-content": FIXTURE.format("test_multiple_content_types"),
    "tools-call-with-logging": FIXTURE.format("test_tool_with_logging"),
    "tools-call-error": FIXTURE.format("test_error_handling"),
    "tools-call-with-progress": FIXTURE.format("test_tool_with_progress"),
    "tools-call-sampling": FIXTURE.format("test_sampling"),
    "tools-call-elicitation": FIXTURE.format("test_elicitation"),
    "json-schema-2020-12": FIXTURE.format("json_schema_2020_12_tool"),
    "elicitation-sep1034-defaults": FIXTURE.format("test_elicitation_sep1034_defaults"),
    "elicitation-sep1330-enums": FIXTURE.format("test_elicitation_sep1330_enums"),
    "server-sse-polling": NO_SESSIONS,
    "server-sse-multiple-streams": PARALLEL,
    "resources-read-text": RESOURCE.format("test://static-text"),
    "resources-read-binary": RESOURCE.format("test://static-binary"),
    "resources-templates-read": RESOURCE.format("test://template/123/data"),
    "resources-subscribe": NO_SUBSCRIPTIONS,
    "resources-unsubscribe": NO_SUBSCRIPTIONS,
    "prompts-get-simple": PROMPT.format("test_simple_prompt"),
    "prompts-get-with-args": PROMPT.format("test_prompt_with_arguments"),
    "prompts-get-embedded-resource": PROMPT.format("test_prompt_with_embedded_resource"),
    "prompts-get-with-image": PROMPT.format("test_prompt_with_image"),
    "logging-set-level": (
        "sets a level for a session; this server has no sessions and sends no log messages, and 2026-07-28 has removed"
        " the request"
    ),
    "completion-complete": (
        "completes an argument of `test_prompt_with_arguments`; this server's arguments are free text and secret ids"
    ),
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
