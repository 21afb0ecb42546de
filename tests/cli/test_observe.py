"""`switchboard up --observe`, with and without the programs of `make tools`."""

import json
import re
import signal
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from services.project import reference
from switchboard.cli.up import show
from switchboard.local import places
from switchboard.local.mesh import Addresses, Mesh
from switchboard.local.observe import TracePorts, TracingProcesses, find_tool, reason_tracing_is_off, tracing_or_reason
from tests.cli.conftest import Up, all_gone, run, start_up
from tests.parts import need_collector, need_jaeger, need_restate_server

SPANS_ARRIVE_WITHIN_SECONDS = 120


@pytest.fixture
def no_tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Simulate a machine with restate-server but no programs of `make tools`. Returns the empty folder for them."""
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "restate-server").symlink_to(need_restate_server())
    monkeypatch.setattr(places, "CHECKOUT", tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(programs))
    tools = tmp_path / ".tools" / "bin"
    tools.mkdir(parents=True)
    return tools


def put(folder: Path, name: str) -> None:
    (folder / name).write_text("#!/bin/sh\n")


def test_missing_collector_turns_tracing_off_with_a_fix(no_tools: Path, tmp_path: Path) -> None:
    started, reason = tracing_or_reason(tmp_path, TracePorts.free())
    assert started is None
    assert reason.startswith("Tracing is off: the OpenTelemetry collector is not installed")
    assert "make tools" in reason


def test_collector_without_jaeger_needs_an_endpoint(no_tools: Path) -> None:
    put(no_tools, "otelcol")
    assert "Jaeger is not installed" in reason_tracing_is_off({})
    assert reason_tracing_is_off({"TRACES_ENDPOINT": "tempo:4317"}) == ""


def test_program_of_make_tools_is_preferred_over_path(no_tools: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = no_tools / "bin"
    elsewhere.mkdir()
    put(elsewhere, "jaeger")
    (elsewhere / "jaeger").chmod(0o755)
    monkeypatch.setenv("PATH", str(elsewhere))
    assert find_tool("jaeger") == elsewhere / "jaeger"
    put(no_tools, "jaeger")
    assert find_tool("jaeger") == no_tools / "jaeger"


def test_external_endpoint_starts_no_jaeger(tmp_path: Path) -> None:
    elsewhere = TracingProcesses(tmp_path, TracePorts.free(), export_to="tempo:4317")
    assert [process.name for process in elsewhere.processes] == ["otelcol"]
    assert elsewhere.collector.environment["TRACES_ENDPOINT"] == "tempo:4317"
    assert elsewhere.jaeger_url == ""


def services_of(jaeger: str) -> set[str]:
    with urllib.request.urlopen(f"{jaeger}/api/services") as answer:
        found: dict[str, Any] = json.load(answer)
    return set(found["data"] or ())


@pytest.fixture(scope="module")
def observed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """A running mesh with a collector and Jaeger. The last test ends it."""
    need_collector()
    need_jaeger()
    up = start_up(tmp_path_factory.mktemp("observed") / "mesh", "--observe")
    try:
        yield up
    finally:
        if up.process.poll() is None:
            up.end(signal.SIGTERM)


def test_observed_mesh_shows_its_turns_in_jaeger(observed: Up) -> None:
    up = observed
    printed = up.wait_until_up()
    jaeger = re.search(r"Jaeger\s+(http://\S+)", printed)
    assert jaeger is not None, printed
    run("ask", "hello", **up.environment)
    given = up.child("services.tools").environ()
    assert given["OTEL_SERVICE_NAME"] == "tools"
    assert given["OTEL_EXPORTER_OTLP_ENDPOINT"].startswith("http://127.0.0.1:")
    until = time.monotonic() + SPANS_ARRIVE_WITHIN_SECONDS
    while "Restate" not in services_of(jaeger[1]) and time.monotonic() < until:
        time.sleep(0.1)
    assert "Restate" in services_of(jaeger[1])
    assert "jaeger" not in services_of(jaeger[1]), "Jaeger must not trace its own requests"
    assert len(up.children()) == 10


def test_mesh_survives_death_of_collector_and_jaeger_with_one_note_and_leaves_no_process(observed: Up) -> None:
    up = observed
    children = up.children()
    for name in ("jaeger", "otelcol"):
        up.child(f"{name}.yaml").kill()
        assert run("ask", "hello", **up.environment).returncode == 0
    code, said = up.end(signal.SIGINT)
    assert code == 0
    assert all_gone(children)
    assert said.count("Tracing has stopped") == 1
    assert "Tracing has stopped: jaeger was killed (signal 9). The mesh keeps running" in said


def test_up_prints_why_tracing_is_off(no_tools: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    started, off = tracing_or_reason(tmp_path, TracePorts.free())
    show(Mesh(reference(), tmp_path, Addresses.free(reference().definition), tracing=started), None, off)
    printed = capsys.readouterr().out
    assert "Tracing is off" in printed
    assert "The mesh is up" in printed
    assert "Jaeger  " not in printed
