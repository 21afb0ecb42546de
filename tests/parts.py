"""Requirements of tests. Without one, a test is skipped, or fails if REQUIRE_ALL=1."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from switchboard.local.observe import find_tool
from switchboard.local.restate_server import find_binary
from switchboard.testing.parts import REQUIRE_ALL, need

__all__ = ["PROJECT", "REQUIRE_ALL", "need"]

PROJECT = Path(__file__).resolve().parents[1]

TAU_AIRLINE_DIR = "TAU_AIRLINE_DIR"
DEFAULT_TAU_AIRLINE_DIR = Path(__file__).resolve().parents[2] / "shared" / "tau-airline"

RESTATE_CRDS_DIR = "RESTATE_CRDS_DIR"
DEFAULT_RESTATE_CRDS_DIR = Path(__file__).resolve().parents[2] / "shared" / "crds"


def at_night(*rows: object) -> Sequence[Any]:
    """Return rows of a test that only nightly runs play. A tuple has the values of several parameters."""
    return [pytest.param(*(row if isinstance(row, tuple) else (row,)), marks=pytest.mark.slow) for row in rows]


def need_tool(name: str, part: str) -> str:
    """Return the path of a program that `make tools` installs."""
    found = find_tool(name)
    need(part, found, "`make tools` installs it")
    return str(found)


def need_restate_server() -> Path:
    """Return the path of the Restate server."""
    found = find_binary("restate-server")
    need("restate-server", found, "`make setup` installs it with npm")
    return Path(str(found))


def need_restatectl() -> Path:
    """Return the path of Restate's command for clusters."""
    found = find_binary("restatectl")
    need("restatectl", found, "`make setup` installs it with npm")
    return Path(str(found))


def need_collector() -> str:
    return need_tool("otelcol", "the OpenTelemetry collector")


def need_jaeger() -> str:
    return need_tool("jaeger", "Jaeger")


def need_helm() -> str:
    return need_tool("helm", "helm")


def need_promtool() -> str:
    return need_tool("promtool", "promtool")


def tau_airline() -> Path | None:
    """Return the folder with the tau2 airline data, or None if this machine lacks it. No command installs it."""
    folder = Path(os.environ.get(TAU_AIRLINE_DIR) or DEFAULT_TAU_AIRLINE_DIR)
    return folder if (folder / "tasks.json").exists() else None


def restate_crds() -> Path | None:
    """Return the folder with Restate's CRD schemas, or None if this machine lacks it. No command installs it."""
    folder = Path(os.environ.get(RESTATE_CRDS_DIR) or DEFAULT_RESTATE_CRDS_DIR)
    return folder if (folder / "restateclusters.yaml").exists() else None


needs_tau_airline = pytest.mark.skipif(
    tau_airline() is None, reason=f"needs the airline reference data; set {TAU_AIRLINE_DIR} to its folder"
)
