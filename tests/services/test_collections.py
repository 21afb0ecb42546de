"""What a running process has imported is left out of its garbage collections, in which nothing else runs."""

import os
import subprocess
import sys

import pytest

from switchboard.local.gateway import token_environment
from switchboard.local.process import free_ports

ONE_PROCESS_MAX_S = 60

ENDS_WHEN_LEFT_OUT = """
import gc, os, runpy, signal, sys

module, _, name = sys.argv[2].partition(":")
freeze = gc.freeze

def leave_out():
    freeze()
    if hasattr(sys.modules.get(module), name):
        os.kill(os.getpid(), signal.SIGTERM)

gc.freeze = leave_out
runpy.run_module(sys.argv[1], run_name="__main__", alter_sys=True)
"""
"""Runs a module until its objects are left out of collections when the second argument is imported."""


@pytest.mark.parametrize(
    ("module", "imported_later"),
    [
        ("services.triage", "openai:AsyncOpenAI"),
        ("services.tools", "services.tools.airline.customers.handlers:customers_object"),
        ("switchboard.gateway", "switchboard.gateway.api:create_app"),
    ],
)
def test_collections_of_a_running_process_leave_its_modules_out(module: str, imported_later: str) -> None:
    port, metrics, events = (str(port) for port in free_ports(3))
    environment = {
        **os.environ,
        **token_environment("s" * 64),
        "HOST": "127.0.0.1",
        "PORT": port,
        "METRICS_PORT": metrics,
        "EVENTS_PORT": events,
        "RESTATE_INGRESS_URL": "http://127.0.0.1:9",
        "RESTATE_ADMIN_URL": "http://127.0.0.1:9",
        "OPENAI_API_KEY": "none",
    }
    command = [sys.executable, "-c", ENDS_WHEN_LEFT_OUT, module, imported_later]
    done = subprocess.run(command, env=environment, timeout=ONE_PROCESS_MAX_S, check=False, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
