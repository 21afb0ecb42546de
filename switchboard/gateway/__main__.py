"""Run the HTTP gateway of the mesh: `python -m switchboard.gateway`."""

import asyncio
import signal
import sys
from datetime import timedelta
from functools import partial

import aiohttp
import uvloop
from fastapi import FastAPI
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.server.embed import Server
from pydantic import AnyHttpUrl

from switchboard.addresses import ATTEMPT_TIMEOUT
from switchboard.gateway.agui_api import add_agui
from switchboard.gateway.api import create_app
from switchboard.gateway.broker_listener import listen_to_broker
from switchboard.gateway.connections import ConnectionGuard, limit_connections
from switchboard.gateway.console import add_console
from switchboard.gateway.hub import Hub, ViewerLimits
from switchboard.gateway.identity import Keys, SharedSecret, TokenVerifier
from switchboard.gateway.ingress import Ingress, restate_ingress
from switchboard.gateway.inspection import add_inspection
from switchboard.gateway.jwks import ProviderKeys
from switchboard.gateway.live_server import serve_live
from switchboard.gateway.local_sign_in import add_local_sign_in
from switchboard.gateway.metrics import serve_metrics
from switchboard.gateway.middleware import RequestMiddleware
from switchboard.gateway.places import Places
from switchboard.gateway.probes import Readiness, probe_pages
from switchboard.gateway.sessions import SessionClient
from switchboard.gateway.settings import GatewaySettings
from switchboard.gateway.staff import add_staff_api
from switchboard.gateway.staff_client import StaffClient
from switchboard.ingress import RestateIngress
from switchboard.runtime.broker_connection import Broker, broker_of_settings
from switchboard.runtime.garbage import leave_out_imports
from switchboard.runtime.process import exit_process, refuse_taken_port
from switchboard.runtime.settings import EventsKeySettings, load
from switchboard.speaker import SpeakerKeys
from switchboard.telemetry.setup import set_up_telemetry

BACKLOG_CONNECTIONS = 1_024

CONNECTIONS_PER_REQUEST = 4
"""There are more connections than requests, because proxies keep idle ones open. Beyond the limit, probes on this port
fail too."""

IDLE_MAX = timedelta(seconds=75)
"""When an idle connection is closed. Longer than proxies reuse one, so that no message hits a closed connection."""

LAST_RESPONSES_TIMEOUT = timedelta(seconds=2)
"""Time after the grace period to answer waiting clients that they must retry."""

FLUSH_TIME = timedelta(milliseconds=200)
"""Time for the server's threads to write the last responses; the end of the process does not wait for them."""


MCP_MISSING = (
    "GATEWAY_MCP_URL is set, but the module {module} is not installed. Install the extra with "
    "`pip install 'switchboard-mesh[mcp]'`, or unset GATEWAY_MCP_URL."
)

NO_A2A = (
    "GATEWAY_A2A_URL is set, but {missing} is not installed. Install the extra: `pip install "
    "'switchboard-mesh[gateway,a2a]'`, or unset GATEWAY_A2A_URL."
)


def main() -> None:
    settings = load(GatewaySettings)
    set_up_telemetry("gateway", settings)
    refuse_taken_port(settings.host, settings.port)
    refuse_taken_port(settings.host, settings.metrics_port, "METRICS_PORT")
    refuse_taken_port(settings.host, settings.events_port, "EVENTS_PORT")
    broker = broker_of_settings()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(settings, broker))


async def serve(settings: GatewaySettings, broker: Broker | None = None) -> None:
    """Serve until SIGTERM or SIGINT, then let running requests finish within the grace period."""
    connections_max = accepted_connections(settings)
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=ATTEMPT_TIMEOUT.total_seconds())
    # The middleware limits requests. The client's default limit would let only 100 messages wait for replies.
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), timeout=timeout) as http:
        speaker = settings.speaker()
        ingress = Ingress(settings.restate_ingress_url, http, speaker)
        hub = Hub(ViewerLimits(settings.session_viewers_max, settings.customer_viewers_max, settings.viewers_max))
        session_client = SessionClient(ingress, settings.reply_timeout, hub)
        readiness = Readiness(session_client.ready)
        middleware = create_middleware(settings, http, session_client, readiness, hub, speaker)
        channel = load(EventsKeySettings).channel()
        live = await serve_live(settings.host, settings.events_port, hub, channel)
        listening = None if broker is None else asyncio.create_task(listen_to_broker(broker, hub))
        server = Server(
            middleware,
            address=settings.host,
            port=settings.port,
            interface=Interfaces.ASGINL,
            http=HTTPModes.http1,
            http1_settings=HTTP1Settings(header_read_timeout=round(IDLE_MAX / timedelta(milliseconds=1))),
            websockets=False,
            backlog=BACKLOG_CONNECTIONS,
            backpressure=connections_max,
            log_enabled=False,
        )
        pages = partial(probe_pages, readiness, asyncio.get_running_loop())
        # Only after the server listens: a ready probe makes Kubernetes send customers.
        server.on_startup(lambda: serve_metrics(settings.host, settings.metrics_port, pages))
        stop_requested = asyncio.Event()
        for signum in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(signum, stop_requested.set)
        guard = ConnectionGuard(
            settings.port,
            settings.address_connections_max,
            connections_max,
            middleware.busy_peers,
            settings.trusted_proxies,
        )
        guarding = asyncio.create_task(guard.run())
        leave_out_imports()
        serving = asyncio.create_task(server.serve())
        stop = asyncio.create_task(stop_requested.wait())
        await asyncio.wait({serving, stop}, return_when=asyncio.FIRST_COMPLETED)
        if serving.done():
            serving.result()
            return
        middleware.stopping = readiness.stopping = True
        hub.stop()  # Viewers continue at another gateway.
        server.stop()  # type: ignore[no-untyped-call]  # granian's embedded server is not annotated
        if not await middleware.idle(settings.stop_grace):
            session_client.stop_waiting()
            await middleware.idle(LAST_RESPONSES_TIMEOUT)
        await asyncio.sleep(FLUSH_TIME.total_seconds())
        # Idle connections would keep the server open for minutes, and its threads use this loop until the end.
        guarding.cancel()
        if listening is not None:
            listening.cancel()
        await live.cleanup()
        exit_process()
        await asyncio.Event().wait()


def accepted_connections(settings: GatewaySettings) -> int:
    """Return how many connections are accepted. Exits the process if the limit of open files is too low."""
    wanted = BACKLOG_CONNECTIONS + CONNECTIONS_PER_REQUEST * settings.requests_max + settings.viewers_max
    try:
        return limit_connections(wanted, settings.requests_max)
    except ValueError as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(1) from error


def create_middleware(
    settings: GatewaySettings,
    http: aiohttp.ClientSession,
    session_client: SessionClient,
    readiness: Readiness,
    hub: Hub,
    speaker: SpeakerKeys | None,
) -> RequestMiddleware:
    """Create the application with its dependencies."""
    keys = create_keys(settings, http)
    tokens = TokenVerifier(settings, keys)
    customers = Places(settings.customer_requests_max, settings.customer_requests_per_minute)
    app = create_app(session_client, tokens, readiness, customers, hub, speaker, settings.events_replay_turns_max)
    add_agui(app)
    add_staff_api(app, StaffClient(restate_ingress(settings.restate_ingress_url, http, speaker)))
    add_inspection(app, settings)
    if settings.mcp_url is not None:
        add_mcp_server(app, settings, keys, settings.mcp_url)
    if settings.a2a_url is not None:
        serve_a2a(app, restate_ingress(settings.restate_ingress_url, http, speaker), settings)
    if settings.console:
        add_console(app, settings)
        if settings.local_sign_in:
            add_local_sign_in(app, settings)
    return RequestMiddleware(
        app,
        settings.requests_max,
        Places(settings.address_connections_max),
        settings.trusted_proxies,
    )


def add_mcp_server(app: FastAPI, settings: GatewaySettings, keys: Keys, url: AnyHttpUrl) -> None:
    """Add the MCP server. It also accepts tokens that were issued for its own address (RFC 8707)."""
    try:
        # An extra brings the protocol's library, so nothing else imports it.
        from switchboard.gateway.mcp_api import add_mcp  # noqa: PLC0415
    except ModuleNotFoundError as error:
        sys.stderr.write(f"{MCP_MISSING.format(module=error.name)}\n")
        raise SystemExit(1) from error
    add_mcp(app, url, TokenVerifier(settings, keys, also_for=str(url)), settings.jwt_issuer)


def serve_a2a(app: FastAPI, ingress: RestateIngress, settings: GatewaySettings) -> None:
    """Add the A2A server. Exits the process if its extra is not installed."""
    try:
        from switchboard.gateway.a2a.api import add_a2a  # noqa: PLC0415 # The SDK is an extra.
    except ModuleNotFoundError as error:
        sys.stderr.write(f"{NO_A2A.format(missing=error.name)}\n")
        raise SystemExit(1) from error
    add_a2a(app, ingress, settings)


def create_keys(settings: GatewaySettings, http: aiohttp.ClientSession) -> Keys:
    """Create the source of keys that verify tokens; the settings name exactly one."""
    if settings.jwks_url is not None:
        return ProviderKeys(str(settings.jwks_url), http)
    assert settings.jwt_secret is not None
    return SharedSecret(settings.jwt_secret.get_secret_value())


if __name__ == "__main__":
    main()
