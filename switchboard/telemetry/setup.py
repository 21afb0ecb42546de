"""Setup of telemetry for a process: export of spans, visibility of content, logging."""

import logging
from datetime import timedelta

from opentelemetry import trace

from switchboard.telemetry import spans
from switchboard.telemetry.logs import set_up_logging, show_content
from switchboard.telemetry.settings import TelemetrySettings

EXPORT_DELAY = timedelta(milliseconds=500)
"""How often spans are exported. A killed process loses the spans since the last export."""

EXPORT_TIMEOUT = timedelta(seconds=2)
"""Timeout of one batch. A collector that does not answer only blocks the exporter's thread."""

QUEUE_MAX_SPANS = 8_192
"""How many of the newest spans are kept while the collector is unavailable. Older ones are dropped."""

_sending: set[str] = set()

COLLECTOR_UNAVAILABLE = (
    "Cannot send spans to the collector at %s. The mesh works without it. This warning is logged once: %s"
)


def set_up_telemetry(service: str, settings: TelemetrySettings) -> None:
    """Set up telemetry; call this once, before the first request. `service` is the name of the process in traces."""
    show_content(settings.telemetry_content == "full")
    set_up_logging(settings.log_level, settings.log_format)
    if settings.otlp_endpoint is not None:
        send_spans(settings.otel_service_name or service, str(settings.otlp_endpoint))


def send_spans(service: str, endpoint: str) -> None:
    """Send spans to a collector by OTLP over HTTP. A second call with the same endpoint does nothing."""
    if endpoint in _sending:
        return
    # Imported here because it adds 0.3 s to the start, and a process that sends no spans does not need it.
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
    from opentelemetry.sdk.trace.id_generator import RandomIdGenerator  # noqa: PLC0415

    class Ids(RandomIdGenerator):
        """Creates spans with predetermined ids if `forced_ids` is set."""

        def generate_span_id(self) -> int:
            forced = spans.forced_ids.get()
            return forced[0] if forced else super().generate_span_id()

        def generate_trace_id(self) -> int:
            forced = spans.forced_ids.get()
            return forced[1] if forced and forced[1] else super().generate_trace_id()

        def is_trace_id_random(self) -> bool:
            """Return False: Restate ignores a trace with the random flag and starts its own trace."""
            return False

    provider = TracerProvider(
        resource=Resource.create({"service.name": service, "service.namespace": "switchboard"}), id_generator=Ids()
    )
    exporter = OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces", timeout=EXPORT_TIMEOUT.total_seconds())
    provider.add_span_processor(
        BatchSpanProcessor(
            exporter,
            max_queue_size=QUEUE_MAX_SPANS,
            schedule_delay_millis=EXPORT_DELAY / timedelta(milliseconds=1),
        )
    )
    trace.set_tracer_provider(provider)
    _sending.add(endpoint)
    for handler in logging.getLogger().handlers:
        handler.addFilter(WarnOnce(endpoint))


def flush_spans() -> None:
    """Send all queued spans now, for a program that is about to exit."""
    flush = getattr(trace.get_tracer_provider(), "force_flush", None)
    if flush is not None:
        flush(EXPORT_TIMEOUT / timedelta(milliseconds=1))


class WarnOnce(logging.Filter):
    """Logs only the first failure to reach the collector, not one per batch."""

    def __init__(self, endpoint: str) -> None:
        super().__init__()
        self._endpoint = endpoint
        self._warned = False

    def filter(self, record: logging.LogRecord) -> bool:
        if not record.name.startswith("opentelemetry") or record.levelno < logging.WARNING:
            return True
        if self._warned:
            return False
        self._warned = True
        record.msg, record.args = COLLECTOR_UNAVAILABLE, (self._endpoint, record.getMessage())
        record.levelno, record.levelname, record.exc_info = logging.WARNING, "WARNING", None
        return True
