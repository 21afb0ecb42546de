"""Parts that a test needs and a machine may lack: named when the test skips, a failure where all are required."""

import os
from pathlib import Path

import pytest

from switchboard.local.observe import find_tool
from switchboard.local.restate_server import find_binary
from switchboard.testing.parts import REQUIRE_ALL, need

__all__ = ["PROJECT", "REQUIRE_ALL", "need"]

PROJECT = Path(__file__).resolve().parents[1]

TAU_AIRLINE_DIR = "TAU_AIRLINE_DIR"
BESIDE_THE_REPOSITORY = Path(__file__).resolve().parents[2] / "shared" / "tau-airline"

RESTATE_CRDS_DIR = "RESTATE_CRDS_DIR"
CRDS_BESIDE_THE_REPOSITORY = Path(__file__).resolve().parents[2] / "shared" / "crds"


def need_tool(name: str, part: str) -> str:
    """The path of a program that `make tools` brings."""
    found = find_tool(name)
    need(part, found, "`make tools` brings it")
    return str(found)


def need_restate_server() -> Path:
    """The path of the Restate server."""
    found = find_binary("restate-server")
    need("restate-server", found, "`make setup` gets it through npm")
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
    """The folder with the field's reference data, where a machine has it: no installation brings it."""
    folder = Path(os.environ.get(TAU_AIRLINE_DIR) or BESIDE_THE_REPOSITORY)
    return folder if (folder / "tasks.json").exists() else None


def restate_crds() -> Path | None:
    """The folder with the schemas of Restate's custom resources, where a machine has it: no installation brings it."""
    folder = Path(os.environ.get(RESTATE_CRDS_DIR) or CRDS_BESIDE_THE_REPOSITORY)
    return folder if (folder / "restateclusters.yaml").exists() else None


needs_tau_airline = pytest.mark.skipif(
    tau_airline() is None, reason=f"needs the airline reference data, of which {TAU_AIRLINE_DIR} names the folder"
)
