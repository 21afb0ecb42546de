"""Run the demo model server; stop it cleanly on SIGTERM or SIGINT."""

import asyncio
import signal
import socket
import sys

import uvloop
from granian.constants import HTTPModes, Interfaces
from granian.server.embed import Server

from switchboard.demo_model.app import create_app
from switchboard.demo_model.engine import Engine
from switchboard.demo_model.faults import FormatError
from switchboard.demo_model.recordings import Recordings, read_recordings
from switchboard.demo_model.script import Script, read_script
from switchboard.demo_model.settings import Mode, Settings, SettingsError, read_settings
from switchboard.web_pages import OwnPages, is_loopback

# Benchmarks open all connections at once.
BACKLOG_CONNECTIONS = 1_024


class StartError(Exception):
    """The server cannot start. The message says why, for the operator."""


def main() -> int:
    """Run the server until it is stopped and return the exit code."""
    try:
        settings = read_settings()
        script, recordings = _script(settings), _recordings(settings)
        _check_port(settings.host, settings.port)
    except (SettingsError, StartError) as error:
        sys.stderr.write(f"The demo model cannot start: {error}.\n")
        return 1
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(settings, script, recordings))
    return 0


def _script(settings: Settings) -> Script | None:
    if settings.demo_model_mode is not Mode.SCRIPT or settings.demo_model_script is None:
        return None
    try:
        return read_script(settings.demo_model_script)
    except (OSError, UnicodeDecodeError, ImportError, FormatError) as error:
        raise StartError(f"cannot read the script {settings.demo_model_script}: {error}") from error


def _recordings(settings: Settings) -> Recordings | None:
    if settings.demo_model_mode is not Mode.RECORDINGS or settings.demo_model_recordings is None:
        return None
    try:
        return read_recordings(settings.demo_model_recordings)
    except (OSError, FormatError) as error:
        raise StartError(f"cannot read the recordings {settings.demo_model_recordings}: {error}") from error


def _check_port(host: str, port: int) -> None:
    """Raise StartError if the port is in use. granian would silently share it (SO_REUSEPORT) with the other server."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise StartError(f"cannot listen on {host}:{port} ({error.strerror}); set PORT to a free port") from error


async def _serve(settings: Settings, script: Script | None, recordings: Recordings | None) -> None:
    engine = Engine(script, settings.demo_model_latency_ms, recordings, settings.demo_model_word_ms)
    server = Server(
        # Any web page can reach a loopback address. In a cluster, clients use another name, and no browser runs there.
        create_app(engine, OwnPages() if is_loopback(settings.host) else None),
        address=settings.host,
        port=settings.port,
        interface=Interfaces.ASGINL,
        http=HTTPModes.http1,
        websockets=False,
        backlog=BACKLOG_CONNECTIONS,
        log_enabled=False,
    )

    def stop() -> None:
        engine.stopping.set()
        server.stop()  # type: ignore[no-untyped-call]  # granian has no annotation

    loop = asyncio.get_running_loop()
    for signum in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signum, stop)
    where = f"http://{settings.host}:{settings.port}/v1"
    server.on_startup(lambda: sys.stderr.write(f"demo model listening on {where} ({engine.mode} mode)\n"))
    await server.serve()


if __name__ == "__main__":
    sys.exit(main())
