"""What a mesh starts does not outlive it, whenever it is killed."""

import subprocess
import sys

import pytest

from cli.restate_server import PROJECT

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a process with its parent")

ORPHAN = """
import os, time
from cli.process import die_with_parent

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
