"""Reads the configurations that the platform chart ships out of it, so that there is one of each."""

from pathlib import Path
from typing import Any

from switchboard.local.places import CHECKOUT

IN_CHECKOUT = CHECKOUT / "deploy" / "helm" / "mesh-platform" / "values.yaml"
IN_WHEEL = Path(__file__).with_name("mesh_platform_values.yaml")
"""A copy of the same file, which the build of the wheel adds."""

VALUES = IN_WHEEL if IN_WHEEL.is_file() else IN_CHECKOUT


def collector_config() -> dict[str, Any]:
    """Return the OpenTelemetry collector's configuration; its addresses are environment variables."""
    return _values("opentelemetry-collector", "alternateConfig")


def jaeger_config() -> dict[str, Any]:
    """Return Jaeger's configuration; its addresses are environment variables."""
    return _values("jaeger", "userconfig")


def _values(chart: str, key: str) -> dict[str, Any]:
    # Imported here: a mesh without --observe, and a test of one, does not need it.
    import yaml  # noqa: PLC0415

    config: dict[str, Any] = yaml.safe_load(VALUES.read_text())[chart][key]
    return config
