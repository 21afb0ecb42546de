"""How a process of the mesh begins and ends: on a port of its own, and with its last spans sent."""

import os
import socket
import sys
import threading

from switchboard.telemetry.setup import EXPORT_TIMEOUT, flush_spans


def refuse_taken_port(host: str, port: int, variable: str = "PORT") -> None:
    """End the process with a sentence when somebody listens there; `variable` is the setting that chooses the port."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            sys.stderr.write(f"Cannot listen on {host}:{port}: {error.strerror}. Set {variable} to a free one.\n")
            raise SystemExit(1) from error


def leave() -> None:
    """End the process, with the last spans sent; a collector that does not take them is waited for no longer."""

    def flush_and_leave() -> None:
        flush_spans()
        os._exit(0)

    threading.Thread(target=flush_and_leave, daemon=True).start()
    threading.Timer(EXPORT_TIMEOUT.total_seconds(), os._exit, (0,)).start()
