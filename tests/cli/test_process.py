"""Processes of a mesh do not outlive it, and free ports are not given out twice."""

import subprocess
import sys

import pytest

from switchboard.local.process import free_ports
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
