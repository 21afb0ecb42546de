"""Reads the collector's and Jaeger's configurations from the platform chart, so that there is only one copy of each."""

from pathlib import Path
from typing import Any

from switchboard.local.places import CHECKOUT

IN_CHECKOUT = CHECKOUT / "deploy" / "helm" / "mesh-platform" / "values.yaml"
IN_WHEEL = Path(__file__).with_name("mesh_platform_values.yaml")
"""A copy of the same file that the wheel build adds."""

VALUES = IN_WHEEL if IN_WHEEL.is_file() else IN_CHECKOUT


def collector_config() -> dict[str, Any]:
    """Return the OpenTelemetry collector's configuration; its addresses are environment variables."""
    return _values("opentelemetry-collector", "alternateConfig")


def jaeger_config() -> dict[str, Any]:
    """Return Jaeger's configuration; its addresses are environment variables."""
    return _values("jaeger", "userconfig")


def _values(chart: str, key: str) -> dict[str, Any]:
    # Imported here, because a mesh without --observe does not need it.
    import yaml  # noqa: PLC0415

    config: dict[str, Any] = yaml.safe_load(VALUES.read_text(encoding="utf-8"))[chart][key]
    return config
