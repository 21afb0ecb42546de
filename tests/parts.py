"""Parts that a test needs and a machine may lack: named when the test skips, a failure where all are required."""

import os

import pytest

from cli.observe import find_tool

REQUIRE_ALL = "REQUIRE_ALL"


def need(part: str, found: object, mend: str) -> None:
    """Go on when the part is there; else skip, or with REQUIRE_ALL=1 fail, saying which part and what brings it."""
    if found:
        return
    why = f"needs {part}, which is not on this machine; {mend}"
    if os.environ.get(REQUIRE_ALL) == "1":
        pytest.fail(why, pytrace=False)
    pytest.skip(why)


def need_tool(name: str, part: str) -> str:
    """The path of a program that `make tools` brings."""
    found = find_tool(name)
    need(part, found, "`make tools` brings it")
    return str(found)


def need_collector() -> str:
    return need_tool("otelcol", "the OpenTelemetry collector")


def need_jaeger() -> str:
    return need_tool("jaeger", "Jaeger")


def need_helm() -> str:
    return need_tool("helm", "helm")


def need_promtool() -> str:
    return need_tool("promtool", "promtool")
