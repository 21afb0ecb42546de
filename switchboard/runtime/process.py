"""Start and exit of a process of the mesh: checks its port at the start and sends its last spans at the exit."""

import os
import socket
import sys
import threading

from switchboard.telemetry.setup import EXPORT_TIMEOUT, flush_spans


def refuse_taken_port(host: str, port: int, variable: str = "PORT") -> None:
    """Exit with an error if the port is taken. `variable` is the environment variable that sets the port."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            sys.stderr.write(f"Cannot listen on {host}:{port} ({error.strerror}). Set {variable} to a free port.\n")
            raise SystemExit(1) from error


def exit_process() -> None:
    """Send the last spans and exit. Exits without them if the collector does not accept them within EXPORT_TIMEOUT."""

    def flush_and_exit() -> None:
        flush_spans()
        os._exit(0)

    threading.Thread(target=flush_and_exit, daemon=True).start()
    threading.Timer(EXPORT_TIMEOUT.total_seconds(), os._exit, (0,)).start()
