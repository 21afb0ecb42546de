"""Reads the configurations that the platform chart ships out of it, so that there is one of each."""

from pathlib import Path
from typing import Any

import yaml

CHART = Path(__file__).resolve().parent.parent / "deploy" / "helm" / "mesh-platform"
VALUES = CHART / "values.yaml"


def collector_config() -> dict[str, Any]:
    """The OpenTelemetry collector's; its addresses are environment variables."""
    return _values("opentelemetry-collector", "alternateConfig")


def jaeger_config() -> dict[str, Any]:
    """Jaeger's; its addresses are environment variables."""
    return _values("jaeger", "userconfig")


def _values(chart: str, key: str) -> dict[str, Any]:
    config: dict[str, Any] = yaml.safe_load(VALUES.read_text())[chart][key]
    return config
