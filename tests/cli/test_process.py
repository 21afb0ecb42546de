"""Processes of a mesh do not outlive it, and free ports are not given out twice."""

import subprocess
import sys

import pytest

from switchboard.gateway.__main__ import FLUSH_TIME, LAST_RESPONSES_TIMEOUT
from switchboard.gateway.settings import GatewaySettings
from switchboard.local.gateway import GATEWAY_STOP_TIMEOUT
from switchboard.local.process import STOP_TIMEOUT, free_ports
from switchboard.runtime.serve import SHUTDOWN_GRACE
from switchboard.telemetry.setup import EXPORT_TIMEOUT
from tests.parts import PROJECT

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux can kill a process with its parent")

ORPHAN = """
import os, time
from switchboard.local.process import die_with_parent

parent = os.getpid()
if os.fork():
    os._exit(0)
while os.getppid() == parent:
    time.sleep(0.001)
die_with_parent(parent)
print("alive")
"""
"""A child whose parent dies right after the fork, before the child has called die_with_parent."""


def test_local_processes_are_killed_only_after_they_have_stopped_by_themselves() -> None:
    grace = GatewaySettings.model_fields["stop_grace"].default
    assert grace + LAST_RESPONSES_TIMEOUT + FLUSH_TIME + EXPORT_TIMEOUT < GATEWAY_STOP_TIMEOUT
    assert SHUTDOWN_GRACE + EXPORT_TIMEOUT < STOP_TIMEOUT


def test_child_dies_if_its_parent_is_already_dead() -> None:
    done = subprocess.run([sys.executable, "-c", ORPHAN], cwd=PROJECT, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("", "")


def test_free_ports_gives_a_port_to_one_process_only() -> None:
    """Two meshes that started at the same time once shared a port, and one called the other's tools."""
    (port,) = free_ports(1)
    draws = (
        "from switchboard.local import process;"
        f" process.FREE_PORT_RANGE = range({port}, {port} + 1); process.free_ports(1)"
    )
    done = subprocess.run([sys.executable, "-c", draws], cwd=PROJECT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert f"Too few free ports: 1 needed, 0 free in the range {port} to {port}." in done.stderr


def test_free_ports_reserves_nothing_when_none_are_requested() -> None:
    """It once reserved every port, so that later callers got none."""
    draws = "from switchboard.local import process; print(process.free_ports(0), len(process._reservations))"
    done = subprocess.run([sys.executable, "-c", draws], cwd=PROJECT, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("[] 0\n", "")
