"""Receives the spans of all processes of a mesh as they are sent, in the test's own process."""

from collections.abc import Mapping

from aiohttp import web


def add_span_sink(app: web.Application) -> list[bytes]:
    """Let an application receive spans. Returns the exports so far: protobuf, in which texts are as they are."""
    received: list[bytes] = []

    async def receive(request: web.Request) -> web.Response:
        received.append(await request.read())
        return web.Response(content_type="application/x-protobuf")

    app.router.add_post("/v1/traces", receive)
    return received


def traced_to(url: str) -> Mapping[str, str]:
    """Return the environment of services that send their spans there, five times a second."""
    return {"OTEL_EXPORTER_OTLP_ENDPOINT": url, "OTEL_BSP_SCHEDULE_DELAY": "200"}
