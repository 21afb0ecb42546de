"""Starts, monitors and stops the processes of a local mesh. No process outlives its parent."""

import asyncio
import contextlib
import ctypes
import errno
import os
import random
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from itertools import islice
from pathlib import Path

import aiohttp

from switchboard.retry import poll

START_TIMEOUT = timedelta(seconds=60)
STOP_TIMEOUT = timedelta(seconds=10)
PROBE_INTERVAL = timedelta(milliseconds=50)
LOG_TAIL_LINES = 8
TRACEBACK = "Traceback (most recent call last)"
TRACEBACK_MAX_LINES = 200

PR_SET_PDEATHSIG = 1  # prctl(2)

FREE_PORT_RANGE = range(20_000, 32_000)
"""Range of `free_ports`: below the ephemeral ports, which start at 32768 on Linux and at 49152 elsewhere."""


class StartFailed(Exception):
    """A process of the mesh could not be started. The message tells the user why and what to do."""


@dataclass
class Process:
    """One program of the mesh, with its output in a log file.

    `health` is the URL that answers 200 when the process is ready, asked over the Unix socket `health_socket` if there
    is one. `port` is 0 for a process without a port. `folder` is its working directory, by default the current one.
    `stop_timeout` must be longer than the process takes to stop by itself.
    """

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    port: int
    health: str
    log: Path
    folder: Path | None = None
    stop_timeout: timedelta = STOP_TIMEOUT
    health_socket: Path | None = None
    more_ports: Sequence[int] = ()
    inherited: Mapping[str, str] | None = field(default=None, repr=False)
    """The variables that it gets besides its `environment`; None stands for all of the shell's."""
    _running: asyncio.subprocess.Process | None = field(default=None, repr=False)

    @property
    def pid(self) -> int:
        assert self._running is not None, f"{self.name} was not started"
        return self._running.pid

    @property
    def alive(self) -> bool:
        return self._running is not None and self._running.returncode is None

    async def start(self) -> None:
        """Start the process and wait until it is ready. Raises StartFailed, with its last output if it exited."""
        # Another process on this port would answer our health probe.
        for port in (self.port, *self.more_ports):
            refuse_taken_port(self.name, port)
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self._running = await self._launch()
        await wait_until(self._ready, START_TIMEOUT, f"{self.name} did not become ready; see {self.log}")

    async def _launch(self) -> asyncio.subprocess.Process:
        with self.log.open("ab") as output:
            return await asyncio.create_subprocess_exec(
                *self.command,
                env=self.variables(),
                cwd=self.folder,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                # A new session, so that Ctrl-C reaches only us and we stop the processes in order. If we are killed,
                # the kernel kills them.
                start_new_session=True,
                preexec_fn=partial(die_with_parent, os.getpid()),
            )

    def variables(self) -> dict[str, str]:
        """Return the environment that the process gets."""
        return {**(os.environ if self.inherited is None else self.inherited), **self.environment}

    async def _ready(self) -> bool:
        if not self.alive:
            raise StartFailed(f"{self.name} exited at start: {self.last_output()} (full output: {self.log})")
        return await is_healthy(self.health, self.health_socket)

    def last_output(self) -> str:
        """Return the end of the process's output, on one line."""
        lines = [
            line.strip() for line in self.log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()
        ]
        if any(line.startswith(TRACEBACK) for line in lines[-TRACEBACK_MAX_LINES:]):
            return lines[-1]  # Only the error. The traceback is in the log.
        return " / ".join(lines[-LOG_TAIL_LINES:]) or "no output"

    def exit_reason(self, code: int) -> str:
        """Describe an exit code. A negative code is the signal that killed the process."""
        return f"was killed (signal {-code})" if code < 0 else f"exited with code {code}"

    async def stop(self) -> None:
        """Send SIGTERM, and SIGKILL if the process has not exited after `stop_timeout`."""
        if self._running is None:
            return
        if self.alive:
            self._running.terminate()
            try:
                await asyncio.wait_for(self._running.wait(), self.stop_timeout.total_seconds())
            except TimeoutError:
                # The process may have exited just now.
                with contextlib.suppress(ProcessLookupError):
                    self._running.kill()
        await self._running.wait()

    async def kill(self) -> None:
        """Send SIGKILL, to simulate the loss of a machine."""
        assert self._running is not None, f"{self.name} was not started"
        if self.alive:
            self._running.kill()
        await self._running.wait()

    async def wait(self) -> int:
        """Wait until the process exits and return its exit code."""
        assert self._running is not None, f"{self.name} was not started"
        return await self._running.wait()


async def first_to_exit(processes: Sequence[Process]) -> Process:
    """Wait until one of the processes exits and return it."""
    waiting = {asyncio.create_task(process.wait()): process for process in processes}
    try:
        done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in waiting:
            task.cancel()
    return waiting[done.pop()]


def die_with_parent(parent: int) -> None:
    """Tell the kernel to kill this process when its parent dies. Linux only. Runs between fork and exec.

    `parent` is the process that forked. If it has already died, this process kills itself, as no signal will come.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os.kill(os.getpid(), signal.SIGKILL)


async def is_healthy(url: str, socket: Path | None = None) -> bool:
    """Return whether a GET is answered with 200. With `socket`, it is sent over this Unix socket."""
    connector = None if socket is None else aiohttp.UnixConnector(str(socket))
    timeout = aiohttp.ClientTimeout(total=2)
    try:
        async with aiohttp.ClientSession(connector=connector, timeout=timeout) as http, http.get(url) as response:
            return response.status == 200
    except (aiohttp.ClientError, TimeoutError):
        return False


async def wait_until(ready: Callable[[], Awaitable[bool]], timeout: timedelta, otherwise: str) -> None:
    """Poll until `ready` returns True. Raises StartFailed with the message `otherwise` after the timeout."""
    if not await poll(ready, PROBE_INTERVAL, timeout):
        raise StartFailed(f"{otherwise} (timeout after {timeout.total_seconds():.0f} s).")


def refuse_taken_port(name: str, port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise StartFailed(
                f"{name} cannot use port {port}: it is in use. Stop the process that uses it or choose another port."
            ) from error


def free_ports(count: int) -> list[int]:
    """Return free loopback ports. Other callers of this function do not get them while this process lives.

    The ports are chosen at random below the ephemeral range. From inside it, an outgoing connection could take a port
    before our server listens on it.
    """
    candidates = iter(random.sample(FREE_PORT_RANGE, len(FREE_PORT_RANGE)))
    found = list(islice(filter(_reserve, candidates), count))
    if len(found) == count:
        return found
    searched = f"{FREE_PORT_RANGE.start} to {FREE_PORT_RANGE.stop - 1}"
    raise StartFailed(
        f"Too few free ports: {count} needed, {len(found)} free in the range {searched}. Stop programs that use them."
    )


def _reserve(port: int) -> bool:
    """Reserve a free port against other processes that call `free_ports`. Returns False if it is taken.

    The reservation is an abstract Unix socket, which the kernel removes when this process ends. Only Linux has these.
    """
    probe = _bind(socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", port))
    if probe is None:
        return False
    probe.close()
    if sys.platform != "linux":
        return True
    name = _bind(socket.AF_UNIX, socket.SOCK_DGRAM, f"\0switchboard-port-{port}")
    if name is None:
        return False
    _reservations.append(name)
    return True


def _bind(
    family: socket.AddressFamily, kind: socket.SocketKind, address: tuple[str, int] | str
) -> socket.socket | None:
    """Return a bound socket, or None if the address is taken. Raises other OSErrors, such as too many open files."""
    bound = socket.socket(family, kind)
    try:
        bound.bind(address)
    except OSError as error:
        bound.close()
        if error.errno not in (errno.EADDRINUSE, errno.EACCES):
            raise
        return None
    return bound


_reservations: list[socket.socket] = []
