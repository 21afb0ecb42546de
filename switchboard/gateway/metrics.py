"""The gateway's metrics (docs/reference/metrics.md), and the port of their own on which Prometheus reads them."""

from collections.abc import Callable
from wsgiref.types import WSGIApplication

from prometheus_client import Counter, Gauge, Histogram, make_wsgi_app, start_http_server

from switchboard.telemetry.metrics import TURN_SECONDS

# As the semantic conventions for HTTP name them; a request lasts as long as a message.
REQUESTS = Histogram(
    "http_server_request_duration_seconds",
    "Requests of customers, from their first byte to their answer.",
    ["http_request_method", "http_route", "http_response_status_code"],
    buckets=(0.005, 0.01, 0.025, *TURN_SECONDS),
)
ACTIVE = Gauge("http_server_active_requests", "Requests of customers that are under way in this process.")
RECONNECTS = Counter("switchboard_gateway_reconnects", "Requests to Restate that broke off and were sent again.")
KEY_FETCHES = Counter(
    "switchboard_gateway_key_fetches", "Fetches of the identity provider's keys, by outcome.", ["outcome"]
)


def serve_metrics(host: str, port: int, beside: Callable[[WSGIApplication], WSGIApplication]) -> None:
    """Answer /metrics from a thread of its own, so that a busy process can still be read; `beside` adds pages."""
    server, _ = start_http_server(port, addr=host)
    server.set_app(beside(make_wsgi_app()))
