"""The settings of logs and traces, read from the environment."""

import os
from typing import Literal

from pydantic import AnyHttpUrl, Field
from pydantic_settings import BaseSettings

from switchboard.telemetry.logs import LogFormat


class TelemetrySettings(BaseSettings):
    """Settings of a process's logs, and the address to which it sends its spans."""

    log_level: str = Field("INFO", validation_alias="LOG_LEVEL", pattern="^(DEBUG|INFO|WARNING|ERROR)$")
    log_format: LogFormat = Field(
        "auto", validation_alias="LOG_FORMAT", description="`auto` is text on a terminal and JSON otherwise."
    )
    otlp_endpoint: AnyHttpUrl | None = Field(
        None,
        validation_alias="OTEL_EXPORTER_OTLP_ENDPOINT",
        description="OTLP/HTTP endpoint for spans, such as http://127.0.0.1:4318. If unset, no spans are sent.",
    )
    otel_service_name: str | None = Field(
        None,
        validation_alias="OTEL_SERVICE_NAME",
        description="Name of the process in traces; by default the name of its service.",
    )
    telemetry_content: Literal["off", "full"] = Field(
        "off",
        validation_alias="TELEMETRY_CONTENT",
        description="`full` records text of customers and models in logs and spans; for development only.",
    )


def no_spans_of_a2a() -> None:
    """Switch off the spans of the A2A SDK, whose errors have messages. Call this before the SDK is imported."""
    os.environ.setdefault("OTEL_INSTRUMENTATION_A2A_SDK_ENABLED", "false")
