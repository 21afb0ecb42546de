"""The one set-up of telemetry: where spans are sent, what of people's words may be in them, how logs are written."""

import logging
from datetime import timedelta

from opentelemetry import trace

from switchboard.telemetry import spans
from switchboard.telemetry.logs import set_up_logging, show_content
from switchboard.telemetry.settings import TelemetrySettings

EXPORT_DELAY = timedelta(milliseconds=500)
"""A process that is killed loses the spans of so long."""

EXPORT_TIMEOUT = timedelta(seconds=2)
"""For one batch; a collector that is away costs nobody more than a thread that waits."""

QUEUE_MAX_SPANS = 8_192
"""While the collector is away, the newest that are kept; the others are lost, and nothing else is."""

_sending: set[str] = set()

COLLECTOR_AWAY = "The collector at %s does not take spans; the mesh goes on without. This is said once: %s"


def set_up_telemetry(service: str, settings: TelemetrySettings) -> None:
    """Called once, before the first request. `service` is the name of the process in traces."""
    show_content(settings.telemetry_content == "full")
    set_up_logging(settings.log_level, settings.log_format)
    if settings.otlp_endpoint is not None:
        send_spans(settings.otel_service_name or service, str(settings.otlp_endpoint))


def send_spans(service: str, endpoint: str) -> None:
    """Send spans to a collector by OTLP over HTTP; the same again changes nothing."""
    if endpoint in _sending:
        return
    # Imported here: it takes 0.3 s of every start, and a process that sends no spans needs none of it.
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
    from opentelemetry.sdk.trace.id_generator import RandomIdGenerator  # noqa: PLC0415

    class Ids(RandomIdGenerator):
        """Lets one span have ids that were fixed before it was made."""

        def generate_span_id(self) -> int:
            forced = spans.forced_ids.get()
            return forced[0] if forced else super().generate_span_id()

        def generate_trace_id(self) -> int:
            forced = spans.forced_ids.get()
            return forced[1] if forced and forced[1] else super().generate_trace_id()

        def is_trace_id_random(self) -> bool:
            """Restate takes no trace whose flags say so; it would start one of its own."""
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
    """Send what is waiting: for a program that ends at once."""
    flush = getattr(trace.get_tracer_provider(), "force_flush", None)
    if flush is not None:
        flush(EXPORT_TIMEOUT / timedelta(milliseconds=1))


class WarnOnce(logging.Filter):
    """Says once that the collector is away, and not for every batch."""

    def __init__(self, endpoint: str) -> None:
        super().__init__()
        self._endpoint = endpoint
        self._said = False

    def filter(self, record: logging.LogRecord) -> bool:
        if not record.name.startswith("opentelemetry") or record.levelno < logging.WARNING:
            return True
        if self._said:
            return False
        self._said = True
        record.msg, record.args = COLLECTOR_AWAY, (self._endpoint, record.getMessage())
        record.levelno, record.levelname, record.exc_info = logging.WARNING, "WARNING", None
        return True
