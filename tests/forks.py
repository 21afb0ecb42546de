"""Starts programs of this repository as forks of one process that has imported what they import.

Most of a service's start is its imports: two to three seconds of a core. A run of the tests starts and kills hundreds
of services. A fork is as real as a started program: a process of its own with its own environment, memory, port, output
and death. But it starts in milliseconds. Every process that runs tests has one process to fork from.

Everything is started as usual if FORKS=0, as in nightly runs. The services of `switchboard up`, of images and of charts
always are.
"""

import asyncio
import atexit
import contextlib
import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from scripts.other_date.sitecustomize import move_clock
from switchboard.local.process import Process, die_with_parent
from tests.parts import PROJECT

FORKS = "FORKS"
"""Environment variable: 0 starts everything as a program."""

OURS = ("switchboard.", "services.", "tests.", "evals.")

PRELOADED = (
    *("services.airline.agent", "services.bank.agent", "services.triage.agent", "services.tools.__main__"),
    *("switchboard.gateway.__main__", "switchboard.demo_model.__main__", "switchboard.local.mesh"),
    # The gateway imports the MCP server after its start.
    *("switchboard.local.proxy", "switchboard.gateway.mcp_api"),
    # What services import while they start.
    *("switchboard.session.sessions", "switchboard.toolkit.toolset", "httpcore2", "encodings.idna"),
    # The clients of models, which services import after their start, and what the commands import.
    *("anthropic", "httpx2", "openai", "openai.resources.chat", "openai.resources.responses"),
    *("rich.live", "rich.prompt", "rich.table", "typer", "yaml"),
)

start_program = Process._launch


class Forked:
    """A forked process, with the members of `asyncio.subprocess.Process` that Process uses."""

    def __init__(self, pid: int, source: "Source") -> None:
        self.pid = pid
        self._source = source
        self._exit = os.pidfd_open(pid)
        self._code: int | None = None

    @property
    def returncode(self) -> int | None:
        """The exit code, negative for a signal; None while it runs."""
        return self.code_within(0)

    def code_within(self, seconds: float) -> int | None:
        """Wait for the exit code, at most for this time, without an event loop."""
        if self._code is None and select.select([self._exit], [], [], seconds)[0]:
            self._code = self._source.asks({"code_of": self.pid})["code"]
            os.close(self._exit)
        return self._code

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def send_signal(self, signum: signal.Signals) -> None:
        # Until its exit code is read, its id is no other process's.
        if self.returncode is not None:
            raise ProcessLookupError(self.pid)
        os.kill(self.pid, signum)

    async def wait(self) -> int:
        while (code := self.returncode) is None:
            loop, ended, watched = asyncio.get_running_loop(), asyncio.Event(), os.dup(self._exit)
            loop.add_reader(watched, ended.set)
            try:
                await ended.wait()
            finally:
                loop.remove_reader(watched)
                os.close(watched)
        return code


class Source:
    """A process to fork from, which has imported these modules."""

    def __init__(self, preloaded: Sequence[str] = PRELOADED) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.forks", str(theirs.fileno()), str(os.getpid()), *preloaded],
                cwd=PROJECT,
                stdin=subprocess.DEVNULL,
                # Its standard output is then no terminal's, so forks buffer theirs as programs with a log file do.
                stdout=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        self._ours, self._lines = ours, ours.makefile("rwb")
        self._lock = threading.Lock()

    def asks(self, request: dict[str, Any]) -> dict[str, Any]:
        line = b""
        with self._lock, contextlib.suppress(BrokenPipeError, ConnectionResetError):
            send(self._lines, request)
            line = self._lines.readline()
        if not line:
            code = self._process.wait()
            raise RuntimeError(
                f"The process to fork from exited with {code}; its error is on stderr. See tests/forks.py."
            )
        answer: dict[str, Any] = json.loads(line)
        return answer

    def close(self) -> None:
        """End it, which ends the forks that are left."""
        with contextlib.suppress(BrokenPipeError):
            self._lines.close()
        self._ours.close()
        self._process.wait()

    def fork(
        self, module: Sequence[str], folder: Path, environment: Mapping[str, str], output: Path, errors: Path
    ) -> Forked:
        """Run a module with its arguments. `output` and `errors` are the files to which it writes."""
        request = {"module": module, "folder": str(folder), "environment": dict(environment)}
        files = {"output": str(output.absolute()), "errors": str(errors.absolute())}
        return Forked(self.asks(request | files)["pid"], self)


@cache
def source() -> Source:
    opened = Source()
    atexit.register(opened.close)
    return opened


def can_be_forked(process: Process) -> bool:
    """Whether it runs a module of this repository: another project's modules could have the names of ours."""
    python, option, module, *_ = (*process.command, "", "", "")
    ours = (python, option) == (sys.executable, "-m") and module.startswith(OURS)
    return ours and process.folder in (None, PROJECT)


async def launch(process: Process) -> Any:
    if not can_be_forked(process):
        return await start_program(process)
    folder = process.folder or Path.cwd()
    return source().fork(process.command[2:], folder, process.variables(), process.log, process.log)


def possible() -> bool:
    """Whether this machine can: only Linux has `pidfd_open`. And whether it should."""
    return hasattr(os, "pidfd_open") and os.environ.get(FORKS) != "0"


def install() -> None:
    """Let every Process of this program be a fork, where that is possible."""
    if possible():
        Process._launch = launch  # type: ignore[method-assign, assignment]


def run(
    arguments: Sequence[str], folder: Path, environment: Mapping[str, str], timeout: float
) -> "subprocess.CompletedProcess[str]":
    """Run `python -m` with these arguments to its end. Raises TimeoutExpired after `timeout` seconds."""
    if not possible():
        command = [sys.executable, "-m", *arguments]
        return subprocess.run(
            command,
            cwd=folder,
            env=environment,
            timeout=timeout,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
    with tempfile.TemporaryDirectory(prefix="fork-") as place:
        output, errors = Path(place) / "output", Path(place) / "errors"
        fork = source().fork(arguments, folder, environment, output, errors)
        code = fork.code_within(timeout)
        if code is None:
            fork.kill()
            fork.code_within(timeout)
            raise subprocess.TimeoutExpired(list(arguments), timeout)
        return subprocess.CompletedProcess(list(arguments), code, output.read_text(), errors.read_text())


def send(lines: Any, message: dict[str, Any]) -> None:
    lines.write(json.dumps(message).encode() + b"\n")
    lines.flush()


def keep_schemas() -> None:
    """Make the JSON schemas of all messages. Restate asks every started service for those of its handlers."""
    make: Any = BaseModel.model_json_schema.__func__  # type: ignore[attr-defined]  # of a class method

    @cache
    def made(model: type[BaseModel]) -> dict[str, Any]:
        schema: dict[str, Any] = make(model, mode="serialization")
        return schema

    def model_json_schema(model: type[BaseModel], *arguments: Any, **options: Any) -> Any:
        asked_by_restate = not arguments and options == {"mode": "serialization"}
        return made(model) if asked_by_restate else make(model, *arguments, **options)

    BaseModel.model_json_schema = classmethod(model_json_schema)  # type: ignore[method-assign, assignment]
    for model in models_below(BaseModel):
        if model.__module__.startswith(("services.", "switchboard.")):
            made(model)


def models_below(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    for below in model.__subclasses__():
        yield below
        yield from models_below(below)


def preload(names: Sequence[str]) -> None:
    for name in names:
        importlib.import_module(name)
        if name.endswith(".__main__"):
            del sys.modules[name]  # A fork runs it as its program.
    keep_schemas()
    assert threading.active_count() == 1, "a fork has only the thread that forks"
    gc.collect()
    gc.freeze()


def serve_forks(connection: socket.socket) -> dict[str, Any] | None:
    """Fork on request. Returns the request in a fork, and None when the tests have ended."""
    with connection, connection.makefile("rwb") as lines:
        for line in lines:
            request = json.loads(line)
            if "code_of" in request:
                _, status = os.waitpid(request["code_of"], 0)
                send(lines, {"code": os.waitstatus_to_exitcode(status)})
                continue
            parent = os.getpid()
            pid = os.fork()
            if pid == 0:
                os.setsid()
                die_with_parent(parent)
                return dict(request)
            send(lines, {"pid": pid})
    return None


def become(request: dict[str, Any]) -> None:
    """Run the module as `python -m` does."""
    for number, file in ((1, request["output"]), (2, request["errors"])):
        with open(file, "ab", buffering=0) as opened:
            os.dup2(opened.fileno(), number)
    os.environ.clear()
    os.environ.update(request["environment"])
    time.tzset()
    move_clock()
    os.chdir(request["folder"])
    sys.path[0] = request["folder"]
    module, *arguments = request["module"]
    sys.argv = ["", *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    die_with_parent(int(sys.argv[2]))
    preload(sys.argv[3:])
    asked = serve_forks(socket.socket(fileno=int(sys.argv[1])))
    if asked is not None:
        become(asked)
