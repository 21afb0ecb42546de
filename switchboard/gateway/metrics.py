"""The gateway's metrics (docs/reference/metrics.md), and the separate port on which Prometheus scrapes them."""

from collections.abc import Callable
from wsgiref.types import WSGIApplication

from prometheus_client import Counter, Gauge, Histogram, make_wsgi_app, start_http_server

from switchboard.telemetry.metrics import TURN_SECONDS

# Named by the semantic conventions for HTTP. A request lasts as long as its message.
REQUESTS = Histogram(
    "http_server_request_duration_seconds",
    "Customers' requests, from the first byte to the response.",
    ["http_request_method", "http_route", "http_response_status_code"],
    buckets=(0.005, 0.01, 0.025, *TURN_SECONDS),
)
ACTIVE = Gauge("http_server_active_requests", "Customers' requests in flight in this process.")
RECONNECTS = Counter("switchboard_gateway_reconnects", "Requests to Restate that failed and were retried.")
KEY_FETCHES = Counter(
    "switchboard_gateway_key_fetches", "Fetches of the identity provider's keys, by outcome.", ["outcome"]
)
VIEWERS = Gauge("switchboard_gateway_viewers", "Open event streams in this process.")
MCP_CALLS = Counter(
    "switchboard_gateway_mcp_calls", "Calls of the MCP server's tools, by outcome.", ["tool", "outcome"]
)
MCP_DECISIONS = Counter(
    "switchboard_gateway_mcp_decisions",
    "Decisions that came through the MCP server: `by` is person if the client asked them, and client otherwise.",
    ["decision", "by"],
)
LIVE_CONNECTIONS = Gauge(
    "switchboard_gateway_live_connections", "Connections of the mesh's processes that tell this process live events."
)
BROKER_CONNECTED = Gauge(
    "switchboard_gateway_broker_connected", "1 if this process gets live events from the broker, otherwise 0."
)
FRAMES_REFUSED = Counter(
    "switchboard_gateway_live_frames_refused",
    "Frames from the broker that this mesh has not signed, or that came before, by reason.",
    ["reason"],
)


def serve_metrics(host: str, port: int, add_pages: Callable[[WSGIApplication], WSGIApplication]) -> None:
    """Serve /metrics from its own thread, so that a busy process can still be scraped. `add_pages` adds paths."""
    server, _ = start_http_server(port, addr=host)
    server.set_app(add_pages(make_wsgi_app()))
