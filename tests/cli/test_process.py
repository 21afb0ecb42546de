"""What a mesh starts does not outlive it, whenever it is killed."""

import subprocess
import sys

import pytest

from switchboard.local.process import free_ports
from tests.parts import PROJECT

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a process with its parent")

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
"""A child whose parent is killed right after the fork, before the child has asked to be told of it."""


def test_a_process_whose_parent_was_gone_before_it_could_ask_to_die_with_it_dies() -> None:
    done = subprocess.run([sys.executable, "-c", ORPHAN], cwd=PROJECT, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("", "")


def test_a_port_that_one_process_was_given_no_other_one_is_given() -> None:
    """Two meshes that started at once had a port in common: one of them then spoke to the other's tools."""
    (port,) = free_ports(1)
    draws = (
        f"from switchboard.local import process; process.DRAWN_PORTS = range({port}, {port} + 1); process.free_ports(1)"
    )
    done = subprocess.run([sys.executable, "-c", draws], cwd=PROJECT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert f"Of the ports {port} to {port}, 0 are free: 1 needed." in done.stderr


def test_who_asks_for_no_port_takes_none() -> None:
    """He was given every port there is, and nobody after him any."""
    draws = "from switchboard.local import process; print(process.free_ports(0), len(process._reservations))"
    done = subprocess.run([sys.executable, "-c", draws], cwd=PROJECT, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("[] 0\n", "")
